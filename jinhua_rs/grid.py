"""The one grid: a CRS, a pixel size and square tiles on a fixed origin."""

from dataclasses import dataclass
from math import floor

import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox, Geometry
from odc.geo.gridspec import GridSpec
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import ConfigError, GridMismatch

__all__ = ["Grid", "Tile", "require_same_grid"]


@dataclass(frozen=True, slots=True)
class Tile:
    """
    One square of the grid.

    ``id`` counts tiles eastward and northward from the CRS origin, ``e0024n0157``;
    ``geobox`` is the pixel grid of the tile.
    """

    id: str
    geobox: GeoBox


@dataclass(frozen=True, slots=True)
class Grid:
    """
    Pixel grid in a projected CRS, edges on multiples of ``resolution`` metres.

    The default is EPSG:4549 (CGCS2000, 3-degree Gauss-Krueger, central meridian 120 E),
    10 m, the local statutory system: areas are wrong by at most 0.014 % in Jinhua.

    Examples
    --------
    >>> grid = Grid(resolution=60, tile_size=512)
    >>> grid.covering((439_990, 3_199_990, 499_970, 3_259_970)).shape
    Shape2d(x=1000, y=1000)
    """

    crs: str = "EPSG:4549"
    resolution: float = 10.0
    tile_size: int = 1024

    def __post_init__(self) -> None:
        if self.resolution <= 0 or self.tile_size < 1:
            raise ConfigError(
                f"grid needs a positive resolution and tile size, got {self.resolution} m "
                f"and {self.tile_size} px; mend [area] in the configuration",
                zh="格网分辨率和瓦片大小必须为正，"
                f"现为 {self.resolution} 米、{self.tile_size} 像元；请修改配置 [area]",
            )

    @property
    def spec(self) -> GridSpec:
        """The tiling as an :class:`odc.geo.gridspec.GridSpec`; tile (0, 0) starts at the origin."""
        return GridSpec(self.crs, (self.tile_size, self.tile_size), resolution=self.resolution)

    def tiles(self, area: BaseGeometry) -> tuple[Tile, ...]:
        """
        Tiles that share ground with ``area`` (in the grid's CRS), ordered south-west first.

        A tile that only touches the outline along an edge is left out.
        """
        found = (
            Tile(_tile_id(ix, iy), geobox)
            for (ix, iy), geobox in self.spec.tiles_from_geopolygon(Geometry(area, self.crs))
            if area.intersection(geobox.extent.geom).area > 0
        )
        return tuple(sorted(found, key=lambda tile: tile.id))

    def tile_id(self, x: float, y: float) -> str:
        """Id of the tile on which a point of the CRS lies."""
        side = self.resolution * self.tile_size
        return _tile_id(floor(x / side), floor(y / side))

    def around(self, tile: Tile) -> dict[tuple[int, int], str]:
        """
        Ids of a tile and of the eight around it, by how many tiles down and to the right of it.

        Examples
        --------
        >>> grid = Grid(tile_size=100)
        >>> tile = grid.tiles(grid.covering((440_000, 3_220_000, 440_100, 3_220_100)).extent.geom)[
        ...     0
        ... ]
        >>> tile.id, grid.around(tile)[-1, 1]
        ('e0440n3220', 'e0441n3221')
        """
        side, middle = self.resolution * self.tile_size, tile.geobox.boundingbox.polygon.centroid
        x, y = middle.coords[0]
        steps = (-1, 0, 1)
        return {
            (down, right): self.tile_id(x + right * side, y - down * side)
            for down in steps
            for right in steps
        }

    def covering(self, bounds: tuple[float, float, float, float]) -> GeoBox:
        """Smallest geobox on the grid that holds ``(left, bottom, right, top)`` in its CRS."""
        return GeoBox.from_bbox(
            BoundingBox(*bounds, crs=self.crs), resolution=self.resolution, tight=False
        )


def _tile_id(ix: int, iy: int) -> str:
    return f"e{ix:04d}n{iy:04d}"


def require_same_grid(*arrays: xr.DataArray | xr.Dataset) -> None:
    """
    Raise unless all arrays have identical ``y`` and ``x`` coordinates.

    xarray would otherwise align them by inner join and lose columns without a word.

    Raises
    ------
    GridMismatch
        Naming the first pair that differs.
    """
    first, *rest = arrays
    for other in rest:
        for dim in ("y", "x"):
            if not first[dim].equals(other[dim]):
                names = [getattr(array, "name", None) or "dataset" for array in (first, other)]
                raise GridMismatch(
                    f"{names[0]} and {names[1]} differ along {dim!r}; load both on one geobox "
                    "instead of reprojecting one of them",
                    zh=f"{names[0]} 与 {names[1]} 的 {dim!r} 坐标不一致；"
                    "请在同一格网上读取，不要事后重投影",
                )
