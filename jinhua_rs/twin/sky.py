"""
The twin's sky: clouds, their shadows, cirrus and haze as functions of ground coordinates.

A sky belongs to one pass of the satellite and knows nothing of tiles: each layer of cloud
is a fractal field on a plane in :data:`~jinhua_rs.twin.orbits.SWATH_CRS`, so that
neighbouring tiles, in whatever UTM zone, see the same clouds. Everything here is invented
from a seed; the monthly means only follow what the seasons are like in the middle of Zhejiang.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from jinhua_rs.twin.noise import fractal

__all__ = ["CLOUD_COVER", "TRUE_CLOUD", "TRUE_SHADOW", "Overcast", "Sky", "cover", "veil"]

TRUE_CLOUD = 0.20
"""Opacity from which a pixel is cloud in truth."""
TRUE_SHADOW = 0.20
"""Share of direct sun taken away from which a pixel is cloud shadow in truth."""

# fmt: off
CLOUD_COVER: tuple[float, ...] = (
    0.60, 0.66, 0.69, 0.67, 0.70, 0.82, 0.60, 0.57, 0.58, 0.44, 0.46, 0.46,
)
"""Mean cloud cover, January to December: clearest in autumn, plum rain in June; assumed."""

_CLOUD = {
    "blue": 0.63, "green": 0.61, "red": 0.61, "rededge1": 0.62, "rededge2": 0.63,
    "rededge3": 0.64, "nir": 0.65, "nir08": 0.65, "swir16": 0.47, "swir22": 0.37,
}
_SHADE = {
    "blue": 0.48, "green": 0.54, "red": 0.59, "rededge1": 0.62, "rededge2": 0.65,
    "rededge3": 0.66, "nir": 0.67, "nir08": 0.68, "swir16": 0.74, "swir22": 0.76,
}
_PATH = {
    "blue": 1.0, "green": 0.78, "red": 0.60, "rededge1": 0.54, "rededge2": 0.49,
    "rededge3": 0.44, "nir": 0.38, "nir08": 0.36, "swir16": 0.10, "swir22": 0.06,
}
# fmt: on
_OVERCAST_SHARE = 0.05
_FRAME = (380_000.0, 3_100_000.0, 620_000.0, 3_340_000.0)
_FRAME_STEP = 1_500.0


Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layer:
    """
    One layer of cloud: a fractal, cut at a threshold.

    ``waves`` are the longest and the shortest (m) of the fractal, each half as long as the one
    before and ``gain`` as strong; it is drawn out ``stretch`` times along ``heading`` (radians,
    anticlockwise from east). ``softness`` is the rise of the fractal over which opacity goes
    from 0 to ``opaque``; ``height`` (m above ground) throws the shadow, ``shade`` times as deep.
    """

    waves: tuple[float, float]
    gain: float
    softness: float
    opaque: float
    height: float
    shade: float = 1.0
    stretch: float = 1.0
    heading: float = 0.0

    def coarser(self, shortest: float) -> Self:
        """Return the same layer without waves shorter than ``shortest`` metres."""
        longest = self.waves[0]
        return replace(self, waves=(longest, min(longest, max(self.waves[1], shortest))))


_CUMULUS = Layer((9_600, 150), 0.62, softness=0.55, opaque=0.97, height=1_400)
_STRATUS = Layer((76_800, 300), 0.58, softness=0.50, opaque=0.97, height=2_200)
_CIRRUS = Layer(
    (20_000, 1_250), 0.60, softness=1.6, opaque=0.45, height=9_000, shade=0.4, stretch=4.0
)
_HAZE = Layer((96_000, 12_000), 0.50, softness=4.0, opaque=1.0, height=0)
_PATCHES = Layer((3_200, 400), 0.70, softness=1.0, opaque=1.0, height=0)


def cover(rng: np.random.Generator, month: int, cloudiness: float) -> float:
    """
    Draw the cloud cover of a pass, 0-1.

    Cover is U-shaped (mostly clear or mostly cloudy): a beta distribution around the month's
    mean; one pass in twenty is nearly all cloud whatever the month.

    Parameters
    ----------
    rng : numpy.random.Generator
    month : int
        1-12.
    cloudiness : float
        Factor on the monthly mean: 0 is never a cloud, 1 the usual climate.
    """
    overcast, level = rng.random(), rng.random()
    mean = min(0.95, CLOUD_COVER[month - 1] * cloudiness)
    if mean <= 0:
        return 0.0
    if overcast < _OVERCAST_SHARE:
        return float(0.97 + 0.03 * level)
    return float(rng.beta(0.9 * mean, 0.9 * (1 - mean)))


@dataclass(frozen=True, slots=True)
class Overcast:
    """
    The sky over a grid, float32 arrays of one shape, each 0-1 and never NaN.

    ``opacity`` of all clouds together, ``thin`` of cirrus alone, ``shadow`` the share of
    direct sun that clouds take away, ``haze`` the path reflectance that haze adds in blue.
    """

    opacity: Floats
    thin: Floats
    shadow: Floats
    haze: Floats

    @property
    def cloud(self) -> npt.NDArray[np.bool_]:
        """Cloud in truth."""
        return np.asarray(self.opacity >= TRUE_CLOUD)

    @property
    def shaded(self) -> npt.NDArray[np.bool_]:
        """Cloud shadow in truth: not under a cloud, but in the shadow of one."""
        return np.asarray((self.shadow >= TRUE_SHADOW) & ~self.cloud)

    @property
    def clear(self) -> npt.NDArray[np.bool_]:
        """Neither cloud nor shadow in truth."""
        return np.asarray((self.shadow < TRUE_SHADOW) & ~self.cloud)

    def part(self, part: tuple[slice, slice]) -> Self:
        """Return some rows and columns of it."""
        return type(self)(self.opacity[part], self.thin[part], self.shadow[part], self.haze[part])

    def doubled(self) -> Self:
        """Return the same sky on a grid of half the pixel size, linear between pixel centres."""
        return type(self)(*map(_doubled, (self.opacity, self.thin, self.shadow, self.haze)))


@dataclass(frozen=True, eq=False)
class Sky:
    """
    The weather of one pass.

    Attributes
    ----------
    key : int
        Seed of all fields.
    cover : float
        Share of the frame around the city under thick cloud, 0-1: truth, before any mask.
    convective : float
        Share of the frame that is under cumulus; the rest of the cover is stratus decks.
    thin : float
        Share of the frame under cirrus.
    haziness : float
        Path reflectance in blue that haze reaches.
    sun : (float, float)
        Azimuth clockwise from north and elevation, degrees.
    """

    key: int
    cover: float
    convective: float
    thin: float
    haziness: float
    sun: tuple[float, float]

    @classmethod
    def draw(
        cls, rng: np.random.Generator, cloud_cover: float, month: int, sun: tuple[float, float]
    ) -> Self:
        """Draw the kinds of cloud that make up a cover; summer has more cumulus."""
        warmth = 0.5 - 0.5 * math.cos(2 * math.pi * (month - 1) / 12)
        heaps = float(rng.beta(1 + 3 * warmth, 2)) * min(1.0, 2 * (1 - cloud_cover))
        veiled = float(rng.beta(0.4, 2.5)) if cloud_cover > 0 else 0.0
        return cls(
            key=int(rng.integers(2**62)),
            cover=cloud_cover,
            convective=cloud_cover * heaps,
            thin=veiled,
            haziness=float(rng.gamma(2.0, 0.006)),
            sun=sun,
        )

    def over(self, x: Places, y: Places) -> Overcast:
        """
        See the sky over places.

        Parameters
        ----------
        x, y : ndarray, float64, one shape, metres in ``SWATH_CRS``
        """
        return self._look(x, y, None)

    def patches(self, x: Places, y: Places) -> Floats:
        """Blotchy noise, about N(0, 1) with a grain of some hundred metres: errors of a mask."""
        return _fields(_PATCHES, self.key + 500, ((x, y),))[0]

    @cached_property
    def frame(self) -> Overcast:
        """The sky on a coarse lattice over the whole frame, for the statistics of the pass."""
        return self._look(*_lattice(), _FRAME_STEP)

    @cached_property
    def _cuts(self) -> list[tuple[Layer, int, float]]:
        """Layers with something in them: layer, key and threshold; cirrus is the last."""
        decks = 1 - (1 - self.cover) / max(1 - self.convective, 1e-6)
        turned = replace(_CIRRUS, heading=(self.key % 1_000) / 1_000 * math.pi)
        parts = (
            (_CUMULUS, self.key + 100, self.convective),
            (_STRATUS, self.key + 200, decks),
            (turned, self.key + 300, self.thin),
        )
        return [
            (layer, key, _threshold(layer, key, share)) for layer, key, share in parts if share > 0
        ]

    def _look(self, x: Places, y: Places, coarse: float | None) -> Overcast:
        clear, lit = np.ones(x.shape, "float32"), np.ones(x.shape, "float32")
        thin = np.zeros(x.shape, "float32")
        azimuth, elevation = (math.radians(angle) for angle in self.sun)
        for layer, key, threshold in self._cuts:
            throw = layer.height / math.tan(elevation)
            sunward = x + throw * math.sin(azimuth), y + throw * math.cos(azimuth)
            used = layer if coarse is None else layer.coarser(coarse)
            here, there = _fields(used, key, ((x, y), sunward))
            opacity = _opacity(layer, here - np.float32(threshold))
            clear *= 1 - opacity
            shade = np.float32(layer.shade) * _opacity(layer, there - np.float32(threshold))
            lit *= 1 - shade
            if layer.height == _CIRRUS.height:
                thin = opacity
        haze = _opacity(_HAZE, _fields(_HAZE, self.key + 400, ((x, y),))[0] + np.float32(1.5))
        return Overcast(1 - clear, thin, 1 - lit, np.float32(self.haziness) * haze)


def veil(band: str, surface: Floats, overcast: Overcast) -> Floats:
    """
    Put the sky before the ground.

    Parameters
    ----------
    band : str
        Canonical band name.
    surface : ndarray, float32, unit 1
        Cloud-free surface reflectance.
    overcast : Overcast
        On the same grid.

    Returns
    -------
    ndarray, float32, unit 1
        Shadow takes direct light (least in blue, which the sky gives back), haze adds path
        light and takes a little contrast, cloud covers. NaN where ``surface`` is.
    """
    haze = overcast.haze * np.float32(_PATH[band])
    ground = surface * (1 - overcast.shadow * np.float32(_SHADE[band])) * (1 - haze) + haze
    bright = np.float32(_CLOUD[band]) * (np.float32(0.80) + np.float32(0.35) * overcast.opacity)
    seen: Floats = ground + (bright - ground) * overcast.opacity
    return seen


def _doubled(values: Floats) -> Floats:
    """Twice the rows and columns: new centres lie a quarter pixel beside the old ones."""
    for axis in (0, 1):
        padded = np.pad(values, [(1, 1) if axis == k else (0, 0) for k in (0, 1)], mode="edge")
        shifted = [np.take(padded, range(k, k + values.shape[axis]), axis) for k in (0, 2)]
        pair = [np.float32(0.75) * values + np.float32(0.25) * other for other in shifted]
        shape = tuple(size * (2 if axis == k else 1) for k, size in enumerate(values.shape))
        values = np.stack(pair, axis=axis + 1).reshape(shape)
    return values


def _opacity(layer: Layer, excess: Floats) -> Floats:
    """Opacity where the fractal exceeds its threshold by so much: a smooth step."""
    rise = np.clip(excess / np.float32(layer.softness), 0, 1)
    opacity: Floats = np.float32(layer.opaque) * rise * rise * (3 - 2 * rise)
    return opacity


def _threshold(layer: Layer, key: int, share: float) -> float:
    """Threshold with which ``share`` of the frame has at least the opacity of a true cloud."""
    (frame,) = _fields(layer.coarser(_FRAME_STEP), key, (_lattice(),))
    cut = float(np.quantile(frame, 1 - min(share, 1.0)))
    # where the smooth step 3 r^2 - 2 r^3 reaches the opacity of a true cloud
    rise = 0.5 - math.sin(math.asin(1 - 2 * TRUE_CLOUD / layer.opaque) / 3)
    return cut - rise * layer.softness


def _lattice() -> tuple[Places, Places]:
    left, bottom, right, top = _FRAME
    x, y = np.meshgrid(np.arange(left, right, _FRAME_STEP), np.arange(bottom, top, _FRAME_STEP))
    return x, y


def _fields(layer: Layer, key: int, places: Sequence[tuple[Places, Places]]) -> list[Floats]:
    """
    Compute the fractal of a layer, about N(0, 1), at several sets of places.

    It is computed once on a lattice that is fixed to the ground and twice as fine as the
    shortest wave, and read from there by linear interpolation.
    """
    cell = layer.waves[1] / 2
    cos, sin = math.cos(layer.heading), math.sin(layer.heading)
    turned = [
        ((y * cos - x * sin) / cell, (x * cos + y * sin) / (layer.stretch * cell))
        for x, y in places
    ]
    first = [math.floor(min(pair[axis].min() for pair in turned)) for axis in (0, 1)]
    last = [math.floor(max(pair[axis].max() for pair in turned)) + 2 for axis in (0, 1)]
    rows, columns = (np.arange(a, b) * cell for a, b in zip(first, last, strict=True))
    lattice = fractal(columns, rows, layer.waves, key, finest=0.0, gain=layer.gain)
    return [
        map_coordinates(
            lattice,
            np.stack((v - first[0], u - first[1])),
            output=np.float32,
            order=1,
            mode="nearest",
        )
        for v, u in turned
    ]
