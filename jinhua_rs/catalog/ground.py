"""Checks of a scene against itself: its CRS, its pixel grids, its tile and its outline agree."""

from functools import lru_cache

import numpy as np
from pyproj import CRS, Transformer
from shapely import get_coordinates, segmentize
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from jinhua_rs.catalog.mgrs import tile_bounds, tile_crs, tile_outline
from jinhua_rs.catalog.values import bad
from jinhua_rs.scene import Scene

__all__ = ["check_ground"]

Grid = tuple[tuple[float, ...] | None, tuple[int, int] | None]

_PIXEL_M = (1.0, 1000.0)
"""Least and greatest side of a pixel that can be Sentinel-2's, thinned or not."""
_GRID_M = 1_000_000.0
"""No grid of a scene is longer; a tile has 109,800 m."""
_GRID_PX = 110_000
_DEGREE_M = 111_320.0
"""Length of a degree of the equator."""
_SLACK_M, _SLACK_DEG = 2000.0, 0.02
"""Some 2 km: outlines are drawn coarsely, and are cut at other pixels than the grid."""
_INSIDE = 0.5
"""An outline of which less than this share lies on the pixel grid belongs to another grid."""


def check_ground(scene: Scene) -> None:
    """
    Raise where a scene contradicts itself on where it lies.

    * Its CRS is another UTM zone than its tile's. (A CRS that is no UTM zone means that the
      pixels were brought to another grid, which is sound; tiles that are no codes of the
      Military Grid are not judged.)
    * A pixel grid is turned, upside down or of absurd size.
    * A pixel grid reaches beyond the tile, or lies under less than half of the footprint.

    Raises
    ------
    IntegrityError
        With the facts that contradict one another.
    """
    zone = tile_crs(scene.tile)
    if zone is not None and zone != scene.crs and scene.crs.startswith(("EPSG:326", "EPSG:327")):
        raise bad(
            f"its CRS is {scene.crs}, but tile {scene.tile} lies in {zone}",
            f"坐标系为 {scene.crs}，但瓦片 {scene.tile} 属于 {zone}",
        )
    grids: dict[Grid, str] = {}
    for band, asset in scene.assets.items():
        grids.setdefault((asset.transform, asset.shape), band)
    for grid, band in grids.items():
        _check_grid(scene, band, *grid)


def _check_grid(
    scene: Scene, band: str, affine: tuple[float, ...] | None, shape: tuple[int, int] | None
) -> None:
    if shape is not None and max(shape) > _GRID_PX:
        raise bad(f"{band} has {shape[0]} x {shape[1]} pixels", f"{band} 的像元数异常（{shape}）")
    if affine is None:
        return
    pixel, turned = _pixel_m(scene.crs, affine)
    if turned or not all(_PIXEL_M[0] <= side <= _PIXEL_M[1] for side in pixel):
        raise bad(
            f"proj:transform of {band} is no grid of square north-up pixels ({affine})",
            f"{band} 的 proj:transform 异常（{affine}）",
        )
    if shape is None:
        return
    if max(pixel[0] * shape[1], pixel[1] * shape[0]) > _GRID_M:
        raise bad(f"the grid of {band} is too long", f"{band} 的格网范围异常")
    _check_place(scene, band, affine, shape)


def _check_place(
    scene: Scene, band: str, affine: tuple[float, ...], shape: tuple[int, int]
) -> None:
    ground = scene.footprint
    outline = _outline(scene.crs, affine, shape, round(ground.centroid.x, -1))
    if outline is None or not _on_tile(scene, affine, shape, outline):
        raise bad(
            f"the grid of {band} does not lie on tile {scene.tile}",
            f"{band} 的格网不在瓦片 {scene.tile} 内",
        )
    if ground.intersection(outline.buffer(_SLACK_DEG)).area < _INSIDE * ground.area:
        raise bad(
            f"the grid of {band} does not lie under the footprint",
            f"{band} 的格网与影像轮廓不符",
        )


def _on_tile(
    scene: Scene, affine: tuple[float, ...], shape: tuple[int, int], outline: BaseGeometry
) -> bool:
    """Tell whether a grid is part of its tile; one in another CRS must share ground with it."""
    bounds, tile = tile_bounds(scene.tile), tile_outline(scene.tile)
    if bounds is None or tile is None:
        return True
    if tile_crs(scene.tile) != scene.crs:
        return bool(tile.intersects(outline))
    right, bottom = affine[2] + affine[0] * shape[1], affine[5] + affine[4] * shape[0]
    return (
        bounds[0] - _SLACK_M <= affine[2] < right <= bounds[2] + _SLACK_M
        and bounds[1] - _SLACK_M <= bottom < affine[5] <= bounds[3] + _SLACK_M
    )


@lru_cache(maxsize=256)
def _pixel_m(crs: str, affine: tuple[float, ...]) -> tuple[tuple[float, float], bool]:
    """Width and height of a pixel, metres, and whether the grid is turned or upside down."""
    right, skew_x, _, skew_y, down, _ = affine
    known = CRS.from_string(crs)
    unit = _DEGREE_M if known.is_geographic else known.axis_info[0].unit_conversion_factor
    return (abs(right) * unit, abs(down) * unit), bool(skew_x or skew_y) or right < 0 or down > 0


@lru_cache(maxsize=256)
def _outline(
    crs: str, affine: tuple[float, ...], shape: tuple[int, int], middle: float
) -> BaseGeometry | None:
    """
    Outline of a grid, degrees; None where it lies outside of what its CRS can say.

    Longitudes are within 180 degrees of ``middle``: the outline is in one piece.
    """
    a, b, left, d, e, top = affine
    rows, columns = shape
    corners = ((0, 0), (columns, 0), (columns, rows), (0, rows))
    ring = Polygon([(left + a * x + b * y, top + d * x + e * y) for x, y in corners])
    forth = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    edge = get_coordinates(segmentize(ring, ring.length / 80))
    lon, lat = forth.transform(edge[:, 0], edge[:, 1])
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        return None
    bent = Polygon(np.column_stack([(lon - middle + 180) % 360 + middle - 180, lat]))
    return bent if bent.is_valid else None
