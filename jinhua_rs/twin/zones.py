"""Layers of the land of the twin: farmland, red line, reserves, gardens, river corridors."""

from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import shapes
from scipy.ndimage import binary_opening, distance_transform_edt, uniform_filter
from scipy.spatial import KDTree
from shapely.geometry.base import BaseGeometry

from jinhua_rs.grid import Grid
from jinhua_rs.twin.geography import CRS, RIVERS, Line
from jinhua_rs.twin.lattice import ground, lattice_under
from jinhua_rs.twin.places import ragged
from jinhua_rs.twin.relief import bent
from jinhua_rs.twin.world import Kind, World

__all__ = ["CORRIDORS", "View", "farmland", "gardens", "red_line", "reserves", "rivers", "view"]

_STEP_M: Final = 160.0
_FARMLAND_HA, _RED_LINE_HA, _GARDEN_HA = 10.0, 300.0, 5.0
_RESERVES, _RESERVE_HA = 12, (800.0, 4_000.0)

CORRIDORS: Final = ("金华江", "武义江", "东阳江", "浦阳江", "兰江", "衢江", "南江", "文溪")
"""The eight river corridors (八廊)."""
_LINES: Final = {
    "东阳江": 0, "南江": 1, "武义江": 2, "金华江": 3, "衢江": 4, "兰江": 4, "浦阳江": 5, "文溪": 8,
}  # fmt: skip
"""Place of each corridor's line in ``geography.RIVERS``; one line is 衢江 above the mouth of
金华江 and 兰江 below it."""


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """
    The city from afar, before any event; arrays have dims (y, x) on ``geobox`` (160 m).

    ``kind`` uint8 (``Kind``), ``canopy`` float32 (0-1), ``elevation`` (m) and ``slope``
    (degrees) float32.
    """

    geobox: GeoBox
    kind: NDArray[np.uint8]
    canopy: NDArray[np.float32]
    elevation: NDArray[np.float32]
    slope: NDArray[np.float32]

    def apart(self, *kinds: Kind) -> NDArray[np.float64]:
        """Distance of every pixel to the nearest of some kinds, m, dims (y, x)."""
        return np.asarray(distance_transform_edt(~np.isin(self.kind, kinds)) * _STEP_M)

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.intp], ...]:
        """Row and column of places (m, EPSG:4549); places outside get the nearest pixel."""
        rows = (self.geobox.affine.f - y) / _STEP_M
        cols = (x - self.geobox.affine.c) / _STEP_M
        return tuple(
            np.clip(axis.astype("int64"), 0, n - 1)
            for axis, n in zip((rows, cols), self.geobox.shape, strict=True)
        )


def view(world: World, units: gpd.GeoDataFrame) -> View:
    """Look at the ground of ``units`` (EPSG:4549)."""
    geobox = Grid(CRS, _STEP_M).covering(tuple(units.total_bounds))
    state, terrain = world.base(geobox), world.terrain(geobox)
    return View(
        geobox,
        state["kind"].to_numpy(),
        state["canopy"].to_numpy(),
        terrain["elevation"].to_numpy(),
        terrain["slope"].to_numpy(),
    )


def farmland(seen: View, city: BaseGeometry) -> gpd.GeoDataFrame:
    """Permanent basic farmland (永久基本农田): the larger stretches of level cropland."""
    crops = np.isin(seen.kind, (Kind.PADDY, Kind.DRY_CROP, Kind.RAPE_ROTATION))
    level = binary_opening(crops & (seen.slope < 8))
    return _numbered(_outlined(seen, level, _FARMLAND_HA, city), "基本农田")


def red_line(seen: View, city: BaseGeometry) -> gpd.GeoDataFrame:
    """Ecological red line (生态保护红线): closed forest in the mountains."""
    wild = (seen.elevation > 350) & (seen.canopy > 0.3)
    core = uniform_filter(wild.astype("float32"), 11) > 0.6
    return _numbered(_outlined(seen, core, _RED_LINE_HA, city), "生态保护红线")


def reserves(red: gpd.GeoDataFrame, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Nature reserves (自然保护区) inside the red line."""
    whole = shapely.union_all(red.geometry.to_numpy())
    spots = gpd.GeoSeries([whole], crs=CRS).sample_points(_RESERVES, rng=rng).explode()
    ha = _RESERVE_HA[0] * (_RESERVE_HA[1] / _RESERVE_HA[0]) ** rng.random(len(spots))
    outlines = ragged(spots.x.to_numpy(), spots.y.to_numpy(), ha, rng)
    merged = shapely.union_all(outlines).intersection(whole)
    return _numbered(shapely.get_parts(merged), "自然保护区")


def gardens(seen: View, city: BaseGeometry) -> gpd.GeoDataFrame:
    """Tea gardens and orchards (茶园、果园): trees or shrubs that are no forest."""
    found = []
    for kind, name in ((Kind.TEA, "茶园"), (Kind.ORCHARD, "果园")):
        layer = _numbered(_outlined(seen, seen.kind == kind, _GARDEN_HA, city), name)
        found.append(layer.assign(kind=name))
    return gpd.GeoDataFrame(pd.concat(found, ignore_index=True), crs=CRS)


def rivers(world: World, seen: View, city: BaseGeometry) -> gpd.GeoDataFrame:
    """
    Centre lines of the eight river corridors, within a pixel (160 m) of the water.

    The world bends the sketched lines by noise; each vertex is put where the bent sketch
    has it. Corridors that do not reach the city are left out.
    """
    lattice = lattice_under(*ground(seen.geobox), _STEP_M)
    tree = KDTree(np.stack(bent(lattice, world.seed), axis=-1).reshape(-1, 2))
    found = {}
    for name in CORRIDORS:
        drawn = shapely.segmentize(shapely.LineString(_sketch(name)), 0.3)
        away_km, node = tree.query(shapely.get_coordinates(drawn))
        row, col = np.unravel_index(
            np.asarray(node)[away_km < _STEP_M / 1e3], (lattice.y.size, lattice.x.size)
        )
        if row.size > 1:
            line = shapely.LineString(np.stack([lattice.x[col], lattice.y[row]], axis=-1))
            found[name] = line.simplify(_STEP_M / 2).intersection(city)
    table = gpd.GeoDataFrame({"name": list(found)}, geometry=list(found.values()), crs=CRS)
    return table[~table.is_empty].assign(simulated=True)


def _sketch(name: str) -> list[tuple[float, float]]:
    """Vertices of a corridor, km in the sketch."""
    line: Line = RIVERS[_LINES[name]]
    points = [vertex.position for vertex in line]
    mouth = RIVERS[_LINES["金华江"]][-1].position
    if name not in {"衢江", "兰江"}:
        return points
    at = points.index(mouth)
    return points[: at + 1] if name == "衢江" else points[at:]


def _outlined(
    seen: View, flag: NDArray[np.bool_], least_ha: float, city: BaseGeometry
) -> NDArray[np.object_]:
    """Outlines in the city of the patches of a flag, smoothed, small ones left out."""
    found = shapes(flag.astype("uint8"), mask=flag, transform=seen.geobox.affine)
    raw = np.array([shapely.geometry.shape(patch) for patch, _ in found], dtype="object")
    large = raw[shapely.area(raw) >= least_ha * 1e4]
    smooth = shapely.simplify(large, _STEP_M / 2).tolist()
    rounded = shapely.buffer(shapely.buffer(smooth, -_STEP_M / 4), _STEP_M / 4)
    inside = shapely.get_parts(shapely.intersection(rounded, city))
    return np.asarray(inside[shapely.area(inside) >= least_ha * 1e4])


def _numbered(outlines: NDArray[np.object_], name: str) -> gpd.GeoDataFrame:
    """Make a layer of outlines with generic names, 基本农田001, from west to east."""
    order = np.argsort(shapely.bounds(outlines)[:, 0], kind="stable")
    return gpd.GeoDataFrame(
        {"name": [f"{name}{n:03d}" for n in range(1, len(order) + 1)], "simulated": True},
        geometry=outlines[order],
        crs=CRS,
    )
