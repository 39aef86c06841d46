"""From scenes to looks on one grid: one layer of reflectance and clear sky for each solar day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta

import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from odc.geo.xr import rasterize, xr_coords
from shapely import box

from jinhua_rs.cube.fetching import may_meet, require_bands
from jinhua_rs.cube.resample import Engine, Target
from jinhua_rs.cube.sighting import CLEAR, Before, Ranks, Wanted, sight
from jinhua_rs.cube.warp import UNSEEN
from jinhua_rs.masks import Masker
from jinhua_rs.opening import Expected, Unusable, reading
from jinhua_rs.scene import Scene

__all__ = ["Read", "read"]


@dataclass(frozen=True, slots=True)
class Read:
    """
    What was read.

    Attributes
    ----------
    looks : Dataset
        ``reflectance``, int16, dims (band, time, y, x): reflectance * 10000 after the offset is
        removed, clipped to ±32767; -32768 = not seen. ``clear``, bool, dims (time, y, x): seen
        in all bands, and clear. ``time`` is the solar day. In memory.
    broken : mapping of str to str
        ``<scene>/<band>`` to the reason why that asset, and so the scene, was left out.
    """

    looks: xr.Dataset
    broken: Mapping[str, str]


def read(
    scenes: Sequence[Scene],
    geobox: GeoBox,
    bands: Sequence[str],
    masker: Masker,
    *,
    engine: Engine = "compiled",
    only_clear: bool = False,
) -> Read:
    """
    Read scenes onto a grid; the looks of one solar day become one layer.

    Where scenes of a day overlap, the first that has data for a pixel deep inside its footprint
    decides, for all show one sky. In the rims the first that sees a pixel clear wins, else the
    first that sees it in all bands, else in some: a pixel's spectrum always comes from one scene.
    "First" is by time and id, never by the order of ``scenes``. Days on which nothing of the
    grid is seen make no layer.

    In memory are the result, one further layer where scenes of a day overlap, and the native
    window of one band.

    Parameters
    ----------
    scenes : sequence of Scene
        From any UTM zone. The radiometric offset of each is removed here, once.
    geobox : GeoBox
        The target grid.
    bands : sequence of str
        Canonical reflectance bands, at least one.
    masker : Masker
        Tells what is clear, on the native pixels of each scene.
    engine : {"compiled", "library"}
        Our kernels, or GDAL's. Onto pixels more than 1.5 times as large as the native ones both
        take GDAL's average.
    only_clear : bool
        Leave pixels that are not clear as not seen (-32768), and do not read what shows nothing
        clear: days under cloud make no layer. Much faster where a composite is all that is made.

    Returns
    -------
    Read
        Without a layer where there is no scene, or none meets the grid.

    Raises
    ------
    ContractError
        If a scene lacks one of the bands, or the masker's answer is no mask of its pixels.
    """
    for scene in scenes:
        require_bands(scene, (*masker.bands, *bands))
    day_maker = _DayMaker(geobox, Wanted(tuple(bands), masker, only_clear), engine)
    with reading():
        days = day_maker.sort(scenes)
        layers = np.empty((len(bands), len(days), *geobox.shape), np.int16)
        clear = np.empty((len(days), *geobox.shape), np.bool_)
        seen: list[np.datetime64] = []
        for day in sorted(days):
            # A day that shows nothing leaves its place to the next; what is never written to
            # takes no memory.
            if day_maker.make(days[day], layers[:, len(seen)], clear[len(seen)]):
                seen.append(day)
    looks = _dataset(layers[:, : len(seen)], clear[: len(seen)], seen, bands, geobox)
    return Read(looks, dict(sorted(day_maker.broken.items())))


@dataclass(slots=True)
class _DayMaker:
    """What all days of one call of :func:`read` share, and what was found broken."""

    geobox: GeoBox
    wanted: Wanted
    engine: Engine
    targets: dict[str, Target] = field(default_factory=dict)
    spare: npt.NDArray[np.int16] | None = None
    broken: dict[str, str] = field(default_factory=dict)

    def sort(self, scenes: Sequence[Scene]) -> dict[np.datetime64, list[Expected]]:
        """Scenes that may meet the grid by solar day, in an order that depends on them alone."""
        days: dict[np.datetime64, list[Expected]] = {}
        for scene in sorted(scenes, key=lambda one: (one.acquired, one.id)):
            if scene.crs not in self.targets:
                self.targets[scene.crs] = Target.of(self.geobox, scene.crs, self.engine)
            expected = Expected.of(scene)
            named = (*self.wanted.masker.bands, *self.wanted.bands)
            if may_meet(expected, named, self.targets[scene.crs].placement):
                days.setdefault(_solar_day(scene), []).append(expected)
        return days

    def make(
        self,
        scenes: Sequence[Expected],
        layer: npt.NDArray[np.int16],
        clear: npt.NDArray[np.bool_],
    ) -> bool:
        """Write the layer of one day; tell whether anything is seen in it."""
        before = Before.nothing(tuple(self.geobox.shape))
        begun = False
        for expected in scenes:
            into = self._beside(layer) if begun else layer
            ranks, held = self._sight(expected, into, before)
            if ranks is not None and begun:
                better = ranks > before.ranks
                for own, other in zip(layer, into, strict=True):
                    np.copyto(own, other, where=better)
            if ranks is not None:
                np.maximum(before.ranks, ranks, out=before.ranks)
                begun = True
            if held is not None and expected is not scenes[-1]:
                before.settled[...] |= held & self._inside(expected)
        return begun and self._finish(before.ranks, layer, clear)

    def _beside(self, layer: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """Return a layer for the second and further scenes of a day."""
        if self.spare is None:
            self.spare = np.empty_like(layer)
        return self.spare

    def _inside(self, expected: Expected) -> npt.NDArray[np.bool_]:
        """Tell which pixels of the grid lie deep inside a scene: mostly all, or none."""
        around = box(*self.targets[expected.scene.crs].placement.bounds)
        if not expected.interior.intersects(around):
            return np.zeros(self.geobox.shape, np.bool_)
        if expected.interior.contains(around):
            return np.ones(self.geobox.shape, np.bool_)
        interior = Geometry(expected.interior, expected.scene.crs)
        inside: npt.NDArray[np.bool_] = rasterize(interior, self.geobox).to_numpy()
        return inside

    def _finish(
        self, ranks: Ranks, layer: npt.NDArray[np.int16], clear: npt.NDArray[np.bool_]
    ) -> bool:
        np.equal(ranks, CLEAR, out=clear)
        if not self.wanted.only_clear:
            return bool(ranks.any())
        hidden = ~clear
        for band in layer:
            np.copyto(band, UNSEEN, where=hidden)
        return bool(clear.any())

    def _sight(
        self, expected: Expected, layer: npt.NDArray[np.int16], before: Before
    ) -> tuple[Ranks | None, npt.NDArray[np.bool_] | None]:
        """Read a scene: no ranks where it betters nothing; nothing where it cannot be read."""
        target = self.targets[expected.scene.crs]
        try:
            return sight(expected, target, self.wanted, layer, before)
        except Unusable as asset:
            self.broken[f"{expected.scene.id}/{asset.band}"] = str(asset)
            return None, None


def _solar_day(scene: Scene) -> np.datetime64:
    """Date at which the mean sun stands over the scene: UTC, and an hour for each 15 degrees."""
    solar = scene.acquired.astimezone(UTC) + timedelta(hours=scene.footprint.centroid.x / 15)
    return np.datetime64(solar.date().isoformat(), "ns")


def _dataset(
    layers: npt.NDArray[np.int16],
    clear: npt.NDArray[np.bool_],
    days: Sequence[np.datetime64],
    bands: Sequence[str],
    geobox: GeoBox,
) -> xr.Dataset:
    reflectance = {
        "units": "1", "scale_factor": 1e-4, "missing_value": np.int16(UNSEEN),
        "long_name": "surface reflectance * 10000; -32768 = not seen",
    }  # fmt: skip
    return xr.Dataset(
        {
            "reflectance": (("band", "time", "y", "x"), layers, reflectance),
            "clear": (("time", "y", "x"), clear, {"long_name": "seen in all bands and clear"}),
        },
        coords={
            "band": list(bands),
            "time": np.array(days, "datetime64[ns]"),
            **xr_coords(geobox),
        },
    )
