"""From ground and sky to pixels: what one pass of the satellite sees of one tile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import NoDataError
from jinhua_rs.scene import BANDS
from jinhua_rs.twin import light, spectra
from jinhua_rs.twin.items import Seen
from jinhua_rs.twin.lattice import ground
from jinhua_rs.twin.orbits import SWATH_CRS, Acquisition, MgrsTile
from jinhua_rs.twin.plots import (
    Ground,
    Plot,
    Window,
    finer,
    pieces,
    reprojected,
    shared,
    window,
    within,
)
from jinhua_rs.twin.scl import Confusion, MaskFaults, classify, cloud_cut, confusion
from jinhua_rs.twin.sky import Floats, Overcast, Sky, cover, veil

__all__ = ["Painted", "Painter", "moment"]

_NOISE_FLOOR, _NOISE_SHARE = 0.002, 0.01
"""Standard deviation of the sensor noise: a floor in reflectance plus a share of the signal."""
_SUN_AT = (120.0, 29.1)
_OVER_CITY = timedelta(minutes=8)
_CLASSIFIED_BY = ("blue", "green", "red", "nir", "swir16")


def moment(acquisition: Acquisition) -> datetime:
    """Instant at which a pass is over the city: one for all tiles, so that neighbours agree."""
    return acquisition.start + _OVER_CITY


@dataclass(frozen=True, eq=False, slots=True)
class Painted:
    """
    What one pass shows of one tile.

    Attributes
    ----------
    window : (slice, slice)
        Painted rows and columns of the tile's coarse grid; twice these of the fine grid.
    digits : mapping of ndarray, int16, dims (y, x)
        Reflectance x 10000 without offset; fine grid for 10 m bands, coarse for 20 m bands.
    classes : ndarray, uint8, dims (y, x) of the coarse grid
        Scene classification with its faults; 0 beyond the swath.
    seen : Seen
        For the item.
    faults : Confusion
        What the mask got wrong, known only here.
    """

    window: Window
    digits: Mapping[str, npt.NDArray[np.int16]]
    classes: npt.NDArray[np.uint8]
    seen: Seen
    faults: Confusion


@dataclass(frozen=True, eq=False, slots=True)
class Painter:
    """
    Paints the scenes of a world.

    Attributes
    ----------
    wanted : BaseGeometry
        Where pixels are wanted, ``SWATH_CRS``.
    seed : int
        Of ground, weather and noise.
    resolution : float
        Pixel size (m) of the bands that are 10 m in truth; the others have twice that.
    cloudiness : float
        Factor on the monthly mean of cloud cover.
    faults : MaskFaults
        How wrong the scene classification is.
    """

    wanted: BaseGeometry
    seed: int
    resolution: float
    cloudiness: float = 1.0
    faults: MaskFaults = field(default_factory=MaskFaults)

    def cover(self, acquisition: Acquisition) -> float:
        """Cloud cover of a pass as drawn, 0-1; cheap."""
        return cover(self._rng(acquisition, 0), moment(acquisition).month, self.cloudiness)

    def sky(self, acquisition: Acquisition) -> Sky:
        """Weather of a pass."""
        when = moment(acquisition)
        sun = light.sun(when, *_SUN_AT)
        angles = (float(sun.azimuth), 90 - float(sun.zenith))
        return Sky.draw(self._rng(acquisition, 1), self.cover(acquisition), when.month, angles)

    def window(self, acquisition: Acquisition, tile: MgrsTile) -> Window | None:
        """Part of a tile's coarse grid that is wanted and seen; ``None`` where there is none."""
        return window(tile, self.resolution, self._visible(acquisition))

    def paint(self, acquisition: Acquisition, tile: MgrsTile, strips: Sequence[Plot]) -> Painted:
        """
        Paint what a pass sees of a tile.

        Parameters
        ----------
        strips : sequence of Plot
            Ground of the tile, laid before.

        Returns
        -------
        Painted

        Raises
        ------
        NoDataError
            If nothing that is wanted is seen; ask :meth:`window` first.
        """
        part = self.window(acquisition, tile)
        if part is None:
            raise NoDataError(
                f"orbit {acquisition.orbit.number} sees nothing wanted of {tile.name}; "
                "ask for its window first",
                zh=f"轨道 {acquisition.orbit.number} 未覆盖 {tile.name} 的所需区域；请先查询窗口",
            )
        x, y = ground(tile.grids(self.resolution)[20][part])
        observed = acquisition.orbit.seen(x, y)
        sky = self.sky(acquisition)
        overcast = sky.over(x, y)
        digits, plain = self._bands(acquisition, tile, strips, part, overcast)
        observed &= np.isfinite(plain["nir"])
        for values in plain.values():
            values[~observed] = np.nan
        cut = cloud_cut(sky.frame, self.faults, self._rng(acquisition, 2))
        classes = classify(plain, overcast, sky.patches(x, y), cut, self.faults)
        seen = Seen(
            footprint=self._footprint(acquisition, tile, strips, part),
            counts=_counts(classes),
            nodata=1 - observed.sum() / np.prod(tile.grids(self.resolution)[20].shape),
            sun=sky.sun,
            view=acquisition.orbit.view(float(x.mean()), float(y.mean())),
        )
        return Painted(part, digits, classes, seen, confusion(classes, overcast))

    def _bands(
        self,
        acquisition: Acquisition,
        tile: MgrsTile,
        strips: Sequence[Plot],
        part: Window,
        overcast: Overcast,
    ) -> tuple[dict[str, npt.NDArray[np.int16]], dict[str, Floats]]:
        """Digits of all bands, and the cloud-free reflectance by which ground is classified."""
        shape = overcast.opacity.shape
        digits = {
            band.name: np.zeros([size * (20 // band.resolution) for size in shape], "int16")
            for band in BANDS
            if band.wavelength
        }
        plain = {name: np.full(shape, np.nan, "float32") for name in _CLASSIFIED_BY}
        rng = self._rng(acquisition, 3, tile.epsg, int(tile.top))
        for piece in pieces(strips, part, moment(acquisition).date()):
            surface = self._surface(piece, acquisition)
            at = within(piece.window, part)
            doubled, sharp = finer(at, 2), _sharper(overcast, at)
            for name, values in surface.items():
                if digits[name].shape == shape:
                    seen = veil(name, _halved(values), overcast.part(at))
                    digits[name][at] = _digits(seen, rng)
                else:
                    seen = veil(name, values, sharp)
                    digits[name][doubled] = _digits(seen, rng)
                if name in plain:
                    plain[name][at] = _halved(values)
        return digits, plain

    def _surface(self, piece: Ground, acquisition: Acquisition) -> dict[str, Floats]:
        """Cloud-free reflectance of a piece of ground on the day of a pass."""
        when = moment(acquisition)
        bands = spectra.surface(piece.state, piece.terrain, when, seed=self.seed)
        return {str(name): np.asarray(values.values) for name, values in bands.items()}

    def _visible(self, acquisition: Acquisition) -> BaseGeometry:
        _, bottom, _, top = self.wanted.bounds
        return self.wanted.intersection(acquisition.orbit.outline(bottom, top))

    def _footprint(
        self, acquisition: Acquisition, tile: MgrsTile, strips: Sequence[Plot], part: Window
    ) -> BaseGeometry:
        """Outline of what is painted, in longitude and latitude, without the swath's outside."""
        parts = [shared(plot.window, part) for plot in strips]
        grid = tile.grids(self.resolution)[20]
        outlines = [grid[one].extent.geom for one in parts if one is not None]
        painted = reprojected(shapely.union_all(outlines), str(grid.crs), SWATH_CRS)
        _, bottom, _, top = painted.bounds
        painted = painted.intersection(acquisition.orbit.outline(bottom, top))
        outline = reprojected(painted, SWATH_CRS, "EPSG:4326")
        return shapely.set_precision(outline.simplify(2e-5), 1e-6)

    def _rng(self, acquisition: Acquisition, *use: int) -> np.random.Generator:
        """Make the generator of one use in one pass: the same whatever else has been painted."""
        return np.random.default_rng([self.seed, *acquisition.key, *use])


def _sharper(overcast: Overcast, at: Window) -> Overcast:
    """Sky over a part of the scene on the fine grid; a pixel around it keeps the seams smooth."""
    rows, columns = (
        slice(max(0, part.start - 1), min(size, part.stop + 1))
        for part, size in zip(at, overcast.opacity.shape, strict=True)
    )
    around = rows, columns
    return overcast.part(around).doubled().part(finer(within(at, around), 2))


def _digits(reflectance: Floats, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Add sensor noise and count in steps of 1/10000."""
    noise = rng.standard_normal(reflectance.shape, dtype="float32")
    noise *= _NOISE_FLOOR + _NOISE_SHARE * np.abs(reflectance)
    counted: npt.NDArray[np.int16] = np.rint(
        np.clip(reflectance + noise, -0.09, 3.0) * 10_000
    ).astype("int16")
    return counted


def _halved(values: Floats) -> Floats:
    """Mean of each 2 x 2 pixels."""
    rows = values[0::2] + values[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.25)


def _counts(classes: npt.NDArray[np.uint8]) -> dict[int, int]:
    found = np.bincount(classes.ravel(), minlength=12)
    return {code: int(count) for code, count in enumerate(found) if code and count}
