"""
Weights that are found once for a world: water levels and the forest threshold of each county.

Forest shares are published by county, but ground does not change its face at a county's
border. So each county gets a threshold, the thresholds are blurred into one smooth field, and
the county thresholds are moved until the blurred field gives every county its share.
"""

from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from scipy.ndimage import distance_transform_edt, gaussian_filter

from jinhua_rs.errors import ConfigError
from jinhua_rs.schema import FOREST_CANOPY
from jinhua_rs.twin.cover import Scores, canopy_of, decide, scores
from jinhua_rs.twin.geography import CENTRE, CRS, FOREST_SHARES, RESERVOIRS
from jinhua_rs.twin.lattice import Lattice, ground, lattice_under, read
from jinhua_rs.twin.relief import bent, relief

__all__ = ["Thresholds", "balanced", "nine_counties", "water_levels"]

Field = npt.NDArray[np.float32]

_SAMPLE_M: Final = 200.0
"""Spacing of the points at which forest shares are counted, m."""
_CELL_M: Final = 1_000.0
_BLUR_CELLS: Final = 2.0
"""Thresholds change over about twice this many kilometres on either side of a border."""
_ROUNDS: Final = 12
_WATER_QUANTILE: Final = 0.35
"""Share of the ground around a dam that lies under water."""


@dataclass(frozen=True, eq=False, slots=True)
class Thresholds:
    """
    Forest thresholds as a smooth field, in units of the forest score.

    ``values`` is float32, dims (y, x), on cells of 1 km whose first centre is at ``left``,
    ``bottom`` (m, EPSG:4549), y ascending. Beyond the field its edge holds.
    """

    values: Field
    left: float
    bottom: float

    def on(self, lattice: Lattice) -> Field:
        """Thresholds at the nodes of a lattice, float32, dims (y, x)."""
        return self.at(lattice.x, lattice.y)

    def at(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Field:
        """Thresholds at the positions of two axes (m), float32, dims (y, x), bilinear."""
        rows, columns = self.values.shape
        i, s = _between((x - self.left) / _CELL_M, columns)
        j, t = _between((y - self.bottom) / _CELL_M, rows)
        across: Field = self.values[:, i] * (1 - s) + self.values[:, i + 1] * s
        found: Field = across[j] * (1 - t[:, None]) + across[j + 1] * t[:, None]
        return found


def _between(position: npt.NDArray[np.float64], count: int) -> tuple[npt.NDArray[np.int64], Field]:
    inside = np.clip(position, 0, count - 1.001)
    index = np.floor(inside).astype(np.int64)
    return index, (inside - index).astype(np.float32)


def water_levels(seed: int) -> tuple[float, ...]:
    """Water level of every reservoir, m, that floods the lower third of its surroundings."""
    levels = []
    for place in RESERVOIRS:
        reach = 1000 * (place.radius + 4)
        x = np.array([CENTRE[0] + 1000 * place.x - reach, CENTRE[0] + 1000 * place.x + reach])
        y = np.array([CENTRE[1] + 1000 * place.y - reach, CENTRE[1] + 1000 * place.y + reach])
        lattice = lattice_under(x, y, 80.0)
        across, up = bent(lattice, seed)
        inside = np.hypot(across - place.x, up - place.y) < place.radius
        height = relief(lattice, seed, None).elevation
        levels.append(float(np.quantile(height[inside], _WATER_QUANTILE)))
    return tuple(levels)


def balanced(seed: int, levels: tuple[float, ...], counties: gpd.GeoSeries) -> Thresholds:
    """
    Find thresholds that give every county the share of ``geography.FOREST_SHARES``.

    Parameters
    ----------
    seed : int
        Seed of the world.
    levels : tuple of float, unit m
        From :func:`water_levels`.
    counties : GeoSeries
        From :func:`nine_counties`.
    """
    cells = _window(counties, _CELL_M, 6)
    labels = _labels(counties, cells)
    samples = _window(counties, _SAMPLE_M, 2)
    county = _labels(counties, samples)
    score, able = _candidates(seed, levels, samples)
    x, y = ground(samples)
    shifts = np.zeros(len(FOREST_SHARES))
    for _ in range(_ROUNDS):
        field = _blurred(shifts, labels, cells)
        rest = score - field.at(x[0], y[:, 0])
        shifts += [
            _excess(rest, able, county == number, share)
            for number, share in enumerate(FOREST_SHARES.values(), start=1)
        ]
    return _blurred(shifts, labels, cells)


def nine_counties(units: gpd.GeoDataFrame) -> gpd.GeoSeries:
    """
    Outlines of the nine counties, EPSG:4549, in the order of ``geography.FOREST_SHARES``.

    Raises
    ------
    ConfigError
        If ``units`` (index: county code) lacks one of them.
    """
    named = units.set_axis(units.index.astype(str))
    missing = sorted(set(FOREST_SHARES) - set(named.index))
    if missing:
        raise ConfigError(
            f"the simulated world needs the nine built-in counties, {', '.join(missing)} missing; "
            "build it from the default [area], not from a selection",
            zh=f"模拟世界需要内置的九个县（市、区），缺少 {'、'.join(missing)}；"
            "请用默认的 [area] 构建",
        )
    return named.geometry.loc[list(FOREST_SHARES)].to_crs(CRS)


def _window(counties: gpd.GeoSeries, cell: float, margin: int) -> GeoBox:
    left, bottom, right, top = counties.total_bounds / cell
    left, bottom = np.floor(left) - margin, np.floor(bottom) - margin
    right, top = np.ceil(right) + margin, np.ceil(top) + margin
    shape = (int(top - bottom), int(right - left))
    corner = Affine(cell, 0, left * cell, 0, -cell, top * cell)
    return GeoBox(shape, corner, CRS)


def _labels(counties: gpd.GeoSeries, window: GeoBox) -> npt.NDArray[np.uint8]:
    """Rasterise the counties: 1 to 9 at each pixel centre, 0 outside."""
    shapes = [(shape, number) for number, shape in enumerate(counties, start=1)]
    found: npt.NDArray[np.uint8] = rasterize(
        shapes, tuple(window.shape), transform=window.affine, dtype="uint8"
    )
    return found


def _candidates(
    seed: int, levels: tuple[float, ...], window: GeoBox
) -> tuple[Field, npt.NDArray[np.bool_]]:
    """Forest score without threshold, and where ground would be tree cover if it passed."""
    x, y = ground(window)
    lattice = lattice_under(x, y, _SAMPLE_M)
    found = scores(lattice, relief(lattice, seed, levels), seed)
    at = Scores(*read(lattice, found.fields(), x, y))
    score = at.forest.copy()
    at.forest.fill(1.0)
    return score, canopy_of(decide(at), at) >= FOREST_CANOPY


def _blurred(
    shifts: npt.NDArray[np.float64], labels: npt.NDArray[np.uint8], cells: GeoBox
) -> Thresholds:
    nearest = distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    full = shifts[labels[tuple(nearest)].astype(np.int64) - 1]
    smooth = gaussian_filter(full, _BLUR_CELLS, mode="nearest")[::-1]
    left = cells.affine.c + _CELL_M / 2
    bottom = cells.affine.f - (cells.shape.y - 0.5) * _CELL_M
    return Thresholds(smooth.astype(np.float32), left, bottom)


def _excess(
    rest: Field, able: npt.NDArray[np.bool_], inside: npt.NDArray[np.bool_], share: float
) -> float:
    """Rise of the threshold that leaves ``share`` of the ground ``inside`` as tree cover."""
    candidates = rest[inside & able]
    wanted = min(1.0, share * np.count_nonzero(inside) / max(1, candidates.size))
    return float(np.quantile(candidates, 1 - wanted))
