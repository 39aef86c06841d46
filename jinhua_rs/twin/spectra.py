"""
The ground as a perfect processor would show it on one day: ten bands without cloud or haze.

A pixel is the mean of its samples; a sample of a tree class mixes canopy and forest floor by
its canopy cover. On top lie smooth variations of brightness, greenness, moisture and timing,
which make stands of one class differ, and the light that relief leaves.
"""

from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from jinhua_rs.errors import GridMismatch
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.schema import described
from jinhua_rs.twin.kinds import Kind
from jinhua_rs.twin.lattice import ground, lattice_under, pixel_size, read, strips
from jinhua_rs.twin.light import illumination, sun
from jinhua_rs.twin.noise import fractal, salt
from jinhua_rs.twin.phenology import MOSO_TURNED, spectra_on

__all__ = ["OVER", "surface"]

Field = npt.NDArray[np.float32]

OVER: Final = (120.0, 29.1)
"""Longitude and latitude for which the sun is computed, deg; it moves < 1 degree in the city."""

_DAYS_APART: Final = 12.0
"""Stands of one kind run up to this many days ahead of or behind the calendar."""
_BRIGHTNESS: Final = 0.04
_GREENNESS: Final = np.array(
    [-0.03, -0.01, -0.065, -0.03, 0.025, 0.04, 0.045, 0.045, -0.02, -0.035], np.float32
)
_MOISTURE: Final = np.array([0, 0, 0, 0, 0, 0, 0, 0, -0.035, -0.05], np.float32)


def surface(state: xr.Dataset, terrain: xr.Dataset, when: datetime, *, seed: int) -> xr.Dataset:
    """
    Surface reflectance of a state at an instant.

    Parameters
    ----------
    state : Dataset, dims (y, x)
        ``kind`` (uint8) and ``canopy`` (float32, 0-1) on a grid that is a whole number of
        times finer than that of ``terrain``, or equal.
    terrain : Dataset, dims (y, x)
        ``slope`` and ``aspect``, degrees; its grid is the grid of the result.
    when : datetime
        With zone, by day.
    seed : int
        Seed of the world.

    Returns
    -------
    Dataset, float32, dims (y, x), unit 1 (reflectance)
        The ten bands of ``scene.BAND_NAMES``, 0-1, never NaN.

    Raises
    ------
    GridMismatch
        If the grids do not nest.
    ContractError
        If ``when`` has no zone or the sun is down.
    """
    geobox: GeoBox = terrain.odc.geobox
    s = _samples_per_pixel(state, terrain)
    light = illumination(terrain, sun(when, *OVER)).to_numpy()
    early = spectra_on(when, days_late=-_DAYS_APART)
    late = spectra_on(when, days_late=_DAYS_APART)
    kinds, canopies = state["kind"].to_numpy(), state["canopy"].to_numpy()
    variation = _variation(geobox, seed)
    bands = np.empty((len(BAND_NAMES), *geobox.shape), np.float32)
    for rows in strips(*geobox.shape, cells=1 << 17):
        fine = slice(rows.start * s, rows.stop * s)
        here = {name: field[rows] for name, field in variation.items()}
        samples = _samples(kinds[fine], canopies[fine], here["moso"] > 0, s)
        lag = np.clip(np.float32(0.5) + np.float32(0.22) * here["timing"], 0, 1)
        part = _mixed(samples, early, late, lag)
        _vary(part, here)
        part *= light[rows]
        np.clip(part, 0.001, 1.0, out=bands[:, rows])
    layers = {
        name: described(xr.DataArray(bands[k], dims=("y", "x")), name)
        for k, name in enumerate(BAND_NAMES)
    }
    return xr.Dataset(layers, coords=xr_coords(geobox))


def _samples_per_pixel(state: xr.Dataset, terrain: xr.Dataset) -> int:
    fine: GeoBox = state.odc.geobox
    coarse: GeoBox = terrain.odc.geobox
    s = max(1, round(fine.shape.x / coarse.shape.x))
    nested = fine.shape == (coarse.shape.y * s, coarse.shape.x * s)
    corners = zip(fine.boundingbox.bbox, coarse.boundingbox.bbox, strict=True)
    if not nested or fine.crs != coarse.crs or any(abs(a - b) > 1e-6 for a, b in corners):
        raise GridMismatch(
            f"a state of {tuple(fine.shape)} samples does not nest in {tuple(coarse.shape)}"
            " pixels; "
            "make it on supersample(geobox, s) of the terrain's geobox",
            zh=f"{tuple(fine.shape)} 的采样状态与 {tuple(coarse.shape)} 的像元格网不嵌套；"
            "请在地形格网的 supersample(geobox, s) 上生成状态",
        )
    return s


def _variation(geobox: GeoBox, seed: int) -> dict[str, Field]:
    """Smooth fields of the ground (mean 0, deviation 1), dims (y, x), the same on every day."""
    x, y = ground(geobox)
    lattice = lattice_under(x, y, pixel_size(geobox))
    spans = {
        "brightness": (1_500.0, 40.0),
        "greenness": (2_500.0, 40.0),
        "moisture": (3_000.0, 80.0),
        "timing": (6_000.0, 150.0),
        "moso": (2_000.0, 250.0),
    }
    fields = [
        fractal(lattice.x, lattice.y, span, salt(seed, name), finest=lattice.finest, gain=0.72)
        for name, span in spans.items()
    ]
    return dict(zip(spans, read(lattice, fields, x, y), strict=True))


def _samples(
    kinds: npt.NDArray[np.uint8], canopies: Field, turned: npt.NDArray[np.bool_], s: int
) -> list[tuple[npt.NDArray[np.intp], Field]]:
    """Row of the spectra and canopy cover of every sample, one pair of (y, x) arrays each."""
    found = []
    for row in range(s):
        for column in range(s):
            kind = kinds[row::s, column::s].astype(np.intp)
            np.copyto(kind, MOSO_TURNED, where=turned & (kind == Kind.MOSO_BAMBOO))
            found.append((kind, np.ascontiguousarray(canopies[row::s, column::s])))
    return found


def _mixed(
    samples: list[tuple[npt.NDArray[np.intp], Field]],
    early: tuple[Field, Field],
    late: tuple[Field, Field],
    lag: Field,
) -> Field:
    """Mean of the samples, dims (band, y, x): floor + canopy (cover - floor), early to late."""
    bands = np.zeros((len(BAND_NAMES), *lag.shape), np.float32)
    tables = [(floor, cover - floor) for cover, floor in (early, late)]
    for kind, canopy in samples:
        for k in range(len(BAND_NAMES)):
            first, second = (
                floor[:, k].take(kind) + canopy * gap[:, k].take(kind) for floor, gap in tables
            )
            second -= first
            second *= lag
            second += first
            bands[k] += second
    bands /= np.float32(len(samples))
    return bands


def _vary(bands: Field, variation: dict[str, Field]) -> None:
    """Make stands differ, in place: greenness where plants grow, brightness everywhere."""
    red, nir = bands[BAND_NAMES.index("red")], bands[BAND_NAMES.index("nir")]
    plants = np.clip((nir - red) / (nir + red), 0, 1)
    green = np.clip(variation["greenness"], -2.5, 2.5) * plants
    wet = np.clip(variation["moisture"], -2.5, 2.5)
    bright = 1 + np.float32(_BRIGHTNESS) * np.clip(variation["brightness"], -2.5, 2.5)
    for k in range(len(BAND_NAMES)):
        bands[k] *= bright * (1 + _GREENNESS[k] * green + _MOISTURE[k] * wet)
