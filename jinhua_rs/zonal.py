"""From published rasters to numbers by unit, each pixel counted by the exact share inside."""

from collections.abc import Sequence
from pathlib import Path

import exactextract
import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import rasterio
import shapely
from affine import Affine
from rasterio.errors import RasterioIOError
from rasterio.features import geometry_mask, rasterize
from rasterio.io import DatasetReader

from jinhua_rs.errors import GridMismatch, IntegrityError

__all__ = ["class_areas", "means", "transitions", "transitions_by_zone"]

_MAX_CELLS = 4_000_000  # of a raster in memory at once, so that memory does not grow with the map

_CODES = 16  # class codes are smaller


def class_areas(raster: Path, units: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Area of each class inside each unit.

    Parameters
    ----------
    raster : Path
        Class raster of one band (uint8), 0 = not seen.
    units : GeoDataFrame
        Polygons in the raster's CRS, any index without doubles.

    Returns
    -------
    DataFrame, float64, index as ``units``, columns class codes (int, sorted), m²
        Column 0 is the ground not seen: class 0, no-data, and ground beyond the raster. A row
        adds up to the unit's planar area; a class that a unit does not have is 0.0.

    Raises
    ------
    GridMismatch
        If the units lie in another CRS.
    IntegrityError
        If the raster cannot be read, or is rotated.
    """
    found, pixel = _extract(raster, units, ("unique", "frac", "count"))
    table = pd.DataFrame(0.0, index=units.index, columns=pd.Index([], dtype="int64"))
    for code, classes, shares, count in zip(
        units.index, found["unique"], found["frac"], found["count"], strict=True
    ):
        for number, share in zip(classes, shares, strict=True):
            table.loc[code, int(number)] = share * count * pixel
    seen = table.drop(columns=0, errors="ignore").fillna(0.0)
    seen[0] = (units.area - seen.sum(axis="columns")).clip(lower=0.0)
    return seen[sorted(seen.columns)]


def means(raster: Path, units: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Mean of a quantity over the seen part of each unit.

    Parameters
    ----------
    raster : Path
        Raster of one band (float), NaN = not seen.
    units : GeoDataFrame
        Polygons in the raster's CRS, any index without doubles.

    Returns
    -------
    DataFrame, float64, index as ``units``
        ``mean``, in the raster's unit, NaN where nothing was seen; ``seen_share``, 0-1, the
        share of the unit's planar area that holds a value.

    Raises
    ------
    GridMismatch
        If the units lie in another CRS.
    IntegrityError
        If the raster cannot be read, or is rotated.
    """
    found, pixel = _extract(raster, units, ("mean", "count"))
    share = found["count"].to_numpy() * pixel / units.area.to_numpy()
    return pd.DataFrame(
        {"mean": found["mean"].to_numpy(dtype="float64"), "seen_share": np.minimum(share, 1.0)},
        index=units.index,
    )


def transitions(before: Path, after: Path, units: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Area of each pair of classes inside each unit, a pixel counted where its centre lies.

    Parameters
    ----------
    before, after : Path
        Class rasters of one band on one grid, 0 = not seen.
    units : GeoDataFrame
        Polygons in the rasters' CRS.

    Returns
    -------
    DataFrame, float64, index as ``units``, columns ``(was, now)``, m²
        Every pair of class codes from 0 to the greatest, 0.0 where there is none.

    Raises
    ------
    GridMismatch
        If the rasters do not lie on one grid, or the units in another CRS.
    """
    nothing = gpd.GeoDataFrame({"zone": []}, geometry=[], crs=units.crs)
    return transitions_by_zone(before, after, units, nothing).droplevel("zone", axis="columns")


def transitions_by_zone(
    before: Path, after: Path, units: gpd.GeoDataFrame, zones: gpd.GeoDataFrame
) -> pd.DataFrame:
    """
    Area of each pair of classes inside each unit, apart by the zone it lies in.

    Parameters
    ----------
    before, after, units
        As for :func:`transitions`.
    zones : GeoDataFrame
        Any number of polygons in the rasters' CRS with the name of their ``zone`` (str, not
        empty); of two that overlap the later counts.

    Returns
    -------
    DataFrame, float64, index as ``units``, columns ``(zone, was, now)``, m²
        Zone ``""`` is ground of no zone.

    Raises
    ------
    GridMismatch
        If the rasters do not lie on one grid, or the units in another CRS.
    """
    names = ["", *sorted(set(zones["zone"]))]
    numbers = zones["zone"].map({name: n for n, name in enumerate(names)}).to_numpy(dtype="uint8")
    pairs = pd.MultiIndex.from_product(
        [names, range(_CODES), range(_CODES)], names=["zone", "was", "now"]
    )
    gtiff = {"driver": "GTiff"}
    with rasterio.open(before, **gtiff) as was, rasterio.open(after, **gtiff) as now:
        pixel = _pixel_area(now, units, after.name)
        if was.transform != now.transform or was.shape != now.shape or was.crs != now.crs:
            raise GridMismatch(
                f"{before.name} and {after.name} lie on different grids; publish both periods with "
                "one [area]",
                zh=f"{before.name} 与 {after.name} 的格网不同；请用同一 [area] 发布两个时段",
            )
        counts = np.zeros((len(units), len(pairs)), dtype=np.int64)
        for _, at in now.block_windows(1):
            first, second = was.read(1, window=at), now.read(1, window=at)
            if max(first.max(), second.max()) >= _CODES:
                raise IntegrityError(
                    f"{before.name} or {after.name} holds class {_CODES} or more; publish again",
                    zh=f"{before.name} 或 {after.name} 含未知类别；请重新发布",
                )
            transform, here = now.window_transform(at), shapely.box(*now.window_bounds(at))
            zone = _burnt(zones, numbers, here, first.shape, transform)
            triple = (zone * _CODES + first) * _CODES + second
            for place in np.flatnonzero(units.intersects(here)):  # one by one: units may overlap
                shape = [units.geometry.iloc[place]]
                there = geometry_mask(shape, triple.shape, transform, invert=True)
                counts[place] += np.bincount(triple[there], minlength=len(pairs))
    return pd.DataFrame(counts * pixel, index=units.index, columns=pairs)


def _burnt(
    zones: gpd.GeoDataFrame,
    numbers: npt.NDArray[np.uint8],
    here: shapely.Polygon,
    size: tuple[int, int],
    transform: Affine,
) -> npt.NDArray[np.intp]:
    """Burn the numbers of the zones that touch a place into its pixels, 0 where there is none."""
    near = np.sort(zones.sindex.query(here))
    if not near.size:
        return np.zeros(size, np.intp)
    told = zip(zones.geometry.iloc[near], numbers[near], strict=True)
    burnt = rasterize(told, out_shape=size, transform=transform, dtype="uint8")
    return np.asarray(burnt, np.intp)


def _extract(
    raster: Path, units: gpd.GeoDataFrame, operations: Sequence[str]
) -> tuple[pd.DataFrame, float]:
    """Statistics in the order of ``units``, and the area of a pixel in m²."""
    try:
        with rasterio.open(raster, driver="GTiff") as source:
            pixel = _pixel_area(source, units, raster.name)
            shapes = gpd.GeoDataFrame(geometry=units.geometry.to_numpy(), crs=source.crs)
            found = exactextract.exact_extract(
                source, shapes, list(operations), output="pandas", max_cells_in_memory=_MAX_CELLS
            )
    except RasterioIOError as error:
        raise IntegrityError(
            f"{raster.name} cannot be read ({error}); remove it and run the period again",
            zh=f"{raster.name} 无法读取；请删除后重新运行该时段",
        ) from error
    return found, pixel


def _pixel_area(source: DatasetReader, units: gpd.GeoDataFrame, name: str) -> float:
    if units.crs is None or source.crs is None or source.crs != _crs(units):
        raise GridMismatch(
            f"{name} lies in {source.crs} and the units in {units.crs}; reproject the units",
            zh=f"{name} 的坐标系（{source.crs}）与统计单元（{units.crs}）不一致；请先转换统计单元",
        )
    transform = source.transform
    if transform.b or transform.d:
        raise IntegrityError(
            f"{name} is rotated, not a product of this package; make it again",
            zh=f"{name} 带有旋转，不是本程序的产品；请重新生成",
        )
    return float(abs(transform.a * transform.e))


def _crs(units: gpd.GeoDataFrame) -> rasterio.crs.CRS:
    return rasterio.crs.CRS.from_wkt(units.crs.to_wkt())
