"""From flagged pixels to outlines: 4-connected, small holes filled, in one piece for the city."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.errors import RasterioIOError
from rasterio.features import rasterize, shapes
from rasterio.windows import Window
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import IntegrityError

__all__ = ["Flags", "Footprints", "Lattice", "footprints", "trace", "values_at"]

_STRIP = 2048
"""Rows that are read at a time, so that memory does not grow with the map."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """The pixel grid of a map: upper left corner and side of a pixel in metres, shape, CRS."""

    left: float
    top: float
    pixel_m: float
    shape: tuple[int, int]
    crs: str


@dataclass(frozen=True, slots=True)
class Footprints:
    """
    Pixels of many outlines, one after the other.

    ``pixels`` int64, dims (pixel,), flat index into the map; ``owner`` int64, dims (pixel,),
    position of the outline; ``n`` outlines.
    """

    pixels: NDArray[np.int64]
    owner: NDArray[np.int64]
    n: int


@dataclass(frozen=True, slots=True)
class Flags:
    """
    A map that tells of change, and which of it is flagged.

    Attributes
    ----------
    raster : Path
        GeoTIFF of one band, uint8 classes, square pixels.
    codes : Mapping of class code to kind
        What is flagged: ``{2: "loss", 3: "gain"}``. Other codes are ground between patches.
    sure : (Path, int), optional
        Map of the confidence on the same grid, and the least at which a pixel is flagged; where
        there is no such map, every pixel is.
    """

    raster: Path
    codes: Mapping[int, str]
    sure: tuple[Path, int] | None = None


def trace(
    flags: Sequence[Flags], *, min_m2: float, hole_m2: float
) -> tuple[gpd.GeoDataFrame, Lattice]:
    """
    Outline the flagged ground of a map, the whole map at once, so that no tile leaves a seam.

    Parameters
    ----------
    flags : sequence of Flags
        At least one, on one grid; a later one counts where those before it flag nothing.
    min_m2 : float
        Patches smaller than this are left out; compared before holes are filled.
    hole_m2 : float
        Holes smaller than this are filled. No patch is lost in one, as long as ``min_m2`` is not
        smaller than ``hole_m2``.

    Returns
    -------
    GeoDataFrame
        ``kind``, ``geometry`` (valid Polygon along pixel edges, in the CRS of the map); pixels
        belong together where they share a side (4-connected). From north to south, then west to
        east.
    Lattice
        The grid of the map.

    Raises
    ------
    IntegrityError
        If the map cannot be read, is no class map, or is rotated.
    """
    with _opened(flags[0].raster) as source:
        lattice, transform = _lattice(source, flags[0].raster.name), source.transform
    names = sorted({kind for one in flags for kind in one.codes.values()})
    flagged = np.zeros(lattice.shape, "uint8")
    for one in flags:
        for code, kind in one.codes.items():
            flagged[(flagged == 0) & _flagged(one, code, lattice)] = 1 + names.index(kind)
    kinds, outlines = [], []
    for shape, number in shapes(flagged, mask=flagged > 0, connectivity=4, transform=transform):
        shell, *holes = shape["coordinates"]
        outline = Polygon(shell, holes)
        if outline.area >= min_m2:
            kinds.append(names[int(number) - 1])
            outlines.append(_filled(outline, hole_m2))
    found = gpd.GeoDataFrame({"kind": kinds}, geometry=outlines, crs=lattice.crs)
    return _in_order(found), lattice


def footprints(outlines: gpd.GeoSeries, lattice: Lattice) -> Footprints:
    """Find the pixels whose centre lies in each outline; ground beyond the map has none."""
    pixels, owner = [], []
    for at, outline in enumerate(outlines):
        flat = _pixels_of(outline, lattice)
        pixels.append(flat)
        owner.append(np.full(len(flat), at))
    empty = np.empty(0, dtype="int64")
    return Footprints(
        np.concatenate([empty, *pixels]), np.concatenate([empty, *owner]), len(outlines)
    )


def values_at(raster: Path, found: Footprints, lattice: Lattice) -> pd.Series:
    """
    Read a map at the pixels of the outlines.

    Returns
    -------
    Series, dtype of the map, index ``owner``
        One value a pixel, the map's own no-data included.

    Raises
    ------
    IntegrityError
        If the map cannot be read or does not lie on the grid.
    """
    with _opened(raster) as source:
        _require_lattice(source, raster.name, lattice)
        height, width = lattice.shape
        values = np.empty(len(found.pixels), dtype=source.dtypes[0])
        strip = found.pixels // (width * _STRIP)
        for number in np.unique(strip):
            here = strip == number
            rows = min(_STRIP, height - number * _STRIP)
            block = source.read(1, window=Window(0, number * _STRIP, width, rows))
            values[here] = block.ravel()[found.pixels[here] - number * _STRIP * width]
    return pd.Series(values, index=pd.Index(found.owner, name="owner"))


def _opened(raster: Path) -> rasterio.io.DatasetReader:
    try:
        return rasterio.open(raster, driver="GTiff")
    except RasterioIOError as error:
        raise IntegrityError(
            f"map {raster} is missing or damaged; run the period again",
            zh=f"地图 {raster} 缺失或已损坏；请重新运行该时段",
        ) from error


def _lattice(source: rasterio.io.DatasetReader, name: str) -> Lattice:
    at = source.transform
    if at.b or at.d or at.a != -at.e or source.count != 1:
        raise IntegrityError(
            f"{name} is no map of square pixels of one band; run the period again",
            zh=f"{name} 不是单波段方形像元地图；请重新运行该时段",
        )
    return Lattice(at.c, at.f, at.a, source.shape, str(source.crs))


def _flagged(flags: Flags, code: int, lattice: Lattice) -> NDArray[np.bool_]:
    """Tell where a map holds a code, and is sure of it."""
    found: NDArray[np.bool_] = _read(flags.raster, lattice) == code
    if flags.sure is None or not flags.sure[0].is_file():
        return found
    return found & (_read(flags.sure[0], lattice) >= flags.sure[1])


def _read(raster: Path, lattice: Lattice) -> NDArray[np.uint8]:
    with _opened(raster) as source:
        _require_lattice(source, raster.name, lattice)
        values: NDArray[np.uint8] = source.read(1)
    return values


def _require_lattice(source: rasterio.io.DatasetReader, name: str, lattice: Lattice) -> None:
    if _lattice(source, name) != lattice:
        raise IntegrityError(
            f"{name} does not lie on the grid of the patches; run the period again",
            zh=f"{name} 与图斑格网不一致；请重新运行该时段",
        )


def _filled(outline: Polygon, hole_m2: float) -> Polygon:
    large = [ring for ring in outline.interiors if Polygon(ring).area >= hole_m2]
    return outline if len(large) == len(outline.interiors) else Polygon(outline.exterior, large)


def _in_order(found: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    bounds = found.bounds
    order = np.lexsort((found["kind"], bounds["minx"], -bounds["maxy"]))
    return found.iloc[order].reset_index(drop=True)


def _pixels_of(outline: BaseGeometry, lattice: Lattice) -> NDArray[np.int64]:
    height, width = lattice.shape
    left, bottom, right, top = shapely.bounds(outline)
    edges = np.array([left - lattice.left, right - lattice.left]) / lattice.pixel_m
    first, last = np.clip(np.floor(edges[0]), 0, width), np.clip(np.ceil(edges[1]), 0, width)
    edges = np.array([lattice.top - top, lattice.top - bottom]) / lattice.pixel_m
    upper, lower = np.clip(np.floor(edges[0]), 0, height), np.clip(np.ceil(edges[1]), 0, height)
    if first >= last or upper >= lower:
        return np.empty(0, dtype="int64")
    corner = rasterio.Affine(
        lattice.pixel_m, 0, lattice.left + first * lattice.pixel_m,
        0, -lattice.pixel_m, lattice.top - upper * lattice.pixel_m,
    )  # fmt: skip
    inside = rasterize([outline], (int(lower - upper), int(last - first)), transform=corner)
    rows, columns = np.nonzero(inside)
    return np.asarray((rows + int(upper)) * width + columns + int(first), dtype="int64")
