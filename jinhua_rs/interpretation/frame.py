"""The sampling frame: every pixel of a published map, sorted into unit × class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import RasterioIOError
from rasterio.features import rasterize
from rasterio.transform import array_bounds
from rasterio.windows import Window
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

from jinhua_rs import store
from jinhua_rs.errors import ContractError, IntegrityError
from jinhua_rs.estimation.design import Block, Frame, FrameFacts
from jinhua_rs.regions import outline
from jinhua_rs.schema import Change, Forest

__all__ = ["NEAR", "survey"]

NEAR = "near"
"""Class of the pixels beside mapped change that the map calls stable."""

_SIDE = 2048
_STABLE = (Change.STABLE_OTHER, Change.STABLE_FOREST)
_CHANGED = (Change.GAIN, Change.LOSS)
_LOST = 0.01  # of the area that may lie outside the map


def survey(raster: Path, units: gpd.GeoDataFrame, *, buffer_px: int = 0) -> Frame:
    """
    Sort the pixels of a class map into strata, county × class.

    Parameters
    ----------
    raster : Path
        ``forest.tif``, or ``change.tif``: a class map of the schema, 0 = not seen, which is a
        stratum like any other. Its period and mark of simulated data are taken from its tags.
    units : GeoDataFrame
        Reporting units in the map's CRS. A pixel belongs where its centre lies; where counties
        overlap, to the first.
    buffer_px : int
        Only for a change map: stable pixels within so many pixels of mapped change are a stratum
        of their own, since change that the map missed is most often there (Olofsson et al. 2020).

    Returns
    -------
    Frame
        Read in blocks; memory does not grow with the map.

    Raises
    ------
    IntegrityError
        If the map cannot be read.
    ContractError
        If it holds an unknown class, lies in another CRS, or does not cover the units.
    """
    classes = [str(member.value) for member in (Change if raster.stem == "change" else Forest)]
    classes += [NEAR] if buffer_px else []
    land = _Land.of(units)
    cut = partial(_blocks, raster, land, len(classes), buffer_px)
    counts = np.zeros((len(units), len(land.counties) * len(classes)), dtype="int64")
    total = np.zeros(counts.shape[1], dtype="int64")
    for block, transform in cut():
        inside = block.stratum >= 0
        total += np.bincount(block.stratum[inside], minlength=len(total))
        edges = shapely.box(*array_bounds(*block.stratum.shape, transform))
        for place in np.flatnonzero(units.intersects(edges)):
            unit = units.geometry.iloc[place]
            here = inside & _within(unit, block.stratum.shape, transform)
            counts[place] += np.bincount(block.stratum[here], minlength=len(total))
    names = [(county, name) for county in land.counties for name in classes]
    strata = pd.DataFrame(names, columns=["county", "class"]).assign(pixels=total)
    called = units["name_zh"].to_dict() if "name_zh" in units else {}
    strata.insert(1, "name", [called.get(county, county) for county in strata["county"]])
    strata.index = pd.Index([":".join(name) for name in names], name="stratum")
    used = total > 0
    with rasterio.open(raster, driver="GTiff") as source:
        resolution, tags = float(source.res[0]), source.tags()
    _require_covered(total.sum() * resolution**2, units, raster)
    places = np.where(used, np.cumsum(used) - 1, -1).astype("int32")
    return Frame(
        strata=strata[used],
        areas=pd.DataFrame(counts, units.index, strata.index).loc[:, used],
        blocks=lambda: (_renumbered(block, places) for block, _ in cut()),
        facts=FrameFacts(
            map=raster.stem,
            digest=store.digest(raster),
            period=tags.get("period", ""),
            crs=str(units.crs),
            resolution=resolution,
            buffer_px=buffer_px,
            label=tags.get("label", ""),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Land:
    """The whole area, and the counties in it; without counties there is one, named ``""``."""

    whole: BaseGeometry
    counties: Sequence[str]
    shapes: Sequence[BaseGeometry]

    @classmethod
    def of(cls, units: gpd.GeoDataFrame) -> "_Land":
        """Pick the counties of the units; ground of none of them has the county ``""``."""
        counties = units[units["level"] == "county"]
        return cls(outline(units), ["", *counties.index], list(counties.geometry))

    def burn(self, shape: tuple[int, int], transform: Affine) -> NDArray[np.int32]:
        """Place of each pixel's county in ``counties``; -1 outside the area."""
        layers = [(self.whole, 1), *((s, n + 2) for n, s in reversed([*enumerate(self.shapes)]))]
        burnt = rasterize(layers, shape, transform=transform, dtype="int32") - 1
        outside = ~_within(self.whole, shape, transform)
        return np.where(outside, -1, burnt)


def _within(area: BaseGeometry, shape: tuple[int, int], transform: Affine) -> NDArray[np.bool_]:
    return np.asarray(rasterize([(area, 1)], shape, transform=transform, dtype="uint8") == 1)


def _blocks(
    raster: Path, land: _Land, n_classes: int, buffer_px: int
) -> Iterator[tuple[Block, Affine]]:
    """Cut a map into blocks of strata numbered county by county, class by class."""
    try:
        with rasterio.open(raster, driver="GTiff") as source:
            for top in range(0, source.height, _SIDE):
                for left in range(0, source.width, _SIDE):
                    high, wide = min(_SIDE, source.height - top), min(_SIDE, source.width - left)
                    window = Window(left, top, wide, high)
                    transform = source.window_transform(window)
                    county = land.burn((high, wide), transform)
                    if (county < 0).all():
                        continue
                    codes = _codes(source, window, buffer_px, n_classes)
                    if codes[county >= 0].max() >= n_classes:
                        raise ContractError(
                            f"{raster.name} holds class {codes.max()}, unknown here; make it again",
                            zh=f"{raster.name} 含未知类别 {codes.max()}；请重新生成",
                        )
                    stratum = np.where(county < 0, -1, county * n_classes + codes)
                    yield _block(stratum.astype("int32"), transform), transform
    except RasterioIOError as error:
        raise IntegrityError(
            f"{raster} cannot be read ({error}); run the period again",
            zh=f"{raster} 无法读取；请重新运行该时段",
        ) from error


def _codes(
    source: rasterio.DatasetReader, window: Window, buffer_px: int, n_classes: int
) -> NDArray[np.int64]:
    """Classes of a window; with a buffer, stable pixels near change have the last class."""
    wide = Window(
        window.col_off - buffer_px,
        window.row_off - buffer_px,
        window.width + 2 * buffer_px,
        window.height + 2 * buffer_px,
    )
    codes: NDArray[np.int64] = source.read(1, window=wide, boundless=True, fill_value=0).astype(int)
    if not buffer_px:
        return codes
    near = ndimage.binary_dilation(
        np.isin(codes, _CHANGED), ndimage.generate_binary_structure(2, 2), buffer_px
    )
    codes[near & np.isin(codes, _STABLE)] = n_classes - 1
    return codes[buffer_px:-buffer_px, buffer_px:-buffer_px]


def _block(stratum: NDArray[np.int32], transform: Affine) -> Block:
    """Count columns and rows from the origin of the CRS."""
    left, top = round(transform.c / transform.a), round(transform.f / -transform.e)
    height, width = stratum.shape
    return Block(stratum, left + np.arange(width), top - 1 - np.arange(height))


def _renumbered(block: Block, places: NDArray[np.int32]) -> Block:
    """Count only strata that hold pixels."""
    found = np.where(block.stratum < 0, -1, places[block.stratum])
    return Block(found, block.column, block.row)


def _require_covered(area: float, units: gpd.GeoDataFrame, raster: Path) -> None:
    wanted = float(outline(units).area)
    if abs(area - wanted) > _LOST * wanted:
        raise ContractError(
            f"{raster.name} covers {area / 1e6:.1f} km² of {wanted / 1e6:.1f} km² of the units; a "
            "sample of a part says nothing about the rest: use the map of these units",
            zh=f"{raster.name} 只覆盖统计单元 {wanted / 1e6:.1f} 平方千米中的 {area / 1e6:.1f}；"
            "部分地面的样本不能代表整体，请使用与单元一致的地图",
        )
