"""Atlases on the grid: sheets joined in their own pixels, then brought onto it once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from pyproj import Transformer
from rasterio.io import DatasetReader
from shapely import transform

from jinhua_rs.atlas import Atlas, Sheet
from jinhua_rs.cube.placement import Placement
from jinhua_rs.cube.resample import Patch, Target, write_classes, write_heights
from jinhua_rs.errors import NoDataError
from jinhua_rs.opening import Unusable, broken_word, odd_form, once_more, opened_asset, reading

__all__ = ["read_atlas"]

_TYPES = {"class": ("uint8",), "elevation": ("float32", "int16")}
_LARGEST_SIDE = 200_000
"""A whole zone of UTM is one sheet of some maps: 90,000 pixels of 10 m from south to north."""
_HEIGHTS_M = -500.0, 9_000.0
"""No land lies lower or higher: what does is a filler that was not declared."""
_ALIGNED = 0.01
"""Two rasters share a lattice where they are offset by whole pixels, to within this many."""

_Pixels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A window of a sheet in its own pixels; not seen is 0 (classes) or NaN (elevation)."""

    pixels: _Pixels
    transform: Affine
    crs: str

    def offset_in(self, other: "_Piece") -> tuple[int, int] | None:
        """Row and column of its corner in the lattice of another; None where that is another."""
        step = self.transform.a, self.transform.b, self.transform.d, self.transform.e
        theirs = other.transform.a, other.transform.b, other.transform.d, other.transform.e
        column, row = ~other.transform * (self.transform.c, self.transform.f)
        stray = max(abs(column - round(column)), abs(row - round(row)))
        same = self.crs == other.crs and np.allclose(step, theirs, rtol=1e-7, atol=0)
        return (round(row), round(column)) if same and stray <= _ALIGNED else None


def read_atlas(atlas: Atlas, geobox: GeoBox) -> xr.DataArray:
    """
    Read an atlas onto a grid.

    Sheets that share a lattice are joined before they are resampled, so that no seam shows; of
    two that overlap the first holds. Codes are taken from the nearest pixel. Elevation is
    bilinear, and the mean onto pixels more than 1.5 times as large as its own.

    Parameters
    ----------
    atlas : Atlas
        With addresses that may be opened: ``catalog.settle_atlas``.
    geobox : GeoBox
        The target grid. In memory are the result and what lies under it in native pixels.

    Returns
    -------
    DataArray, dims of ``geobox`` (y, x; in degrees latitude, longitude), named as the atlas
        Classes: uint8, the map's own codes (their meaning: ``atlas.classes``), 0 = not seen.
        Elevation: float32, unit m, NaN = not known. Attributes tell year, attribution, and
        ``label`` where sheets are simulated.

    Raises
    ------
    NoDataError
        If a sheet that meets the grid cannot be read, or is not what its item says.
    ContractError
        If the grid has no place in the CRS of a sheet.
    """
    classes = atlas.kind == "class"
    out = np.zeros(geobox.shape, np.uint8) if classes else np.full(geobox.shape, np.nan, np.float32)
    with reading():
        for piece in _joined(_pieces(atlas, geobox), 0 if classes else np.nan):
            np.copyto(out, _on_grid(piece, geobox), where=_empty(out))
    attributes = {
        "units": "class" if classes else "m",
        "attribution": atlas.attribution,
        **({"year": atlas.year} if atlas.year is not None else {}),
        **({"label": "SIMULATED 模拟数据"} if atlas.simulated else {}),
    }
    return xr.DataArray(
        out, dims=geobox.dimensions, coords=xr_coords(geobox), name=atlas.name, attrs=attributes
    )


def _on_grid(piece: _Piece, geobox: GeoBox) -> _Pixels:
    target = Target.of(geobox, piece.crs, "compiled")
    if piece.pixels.dtype == np.uint8:
        codes = np.zeros(geobox.shape, np.uint8)
        write_classes(Patch.around(piece.pixels, piece.transform), target, codes)
        return codes
    heights = np.zeros(geobox.shape, np.float32)
    write_heights(Patch(piece.pixels, piece.transform), target, heights)
    return heights


def _empty(pixels: _Pixels) -> npt.NDArray[np.bool_]:
    empty: npt.NDArray[np.bool_] = np.isnan(pixels) if pixels.dtype.kind == "f" else pixels == 0
    return empty


def _pieces(atlas: Atlas, geobox: GeoBox) -> Iterator[_Piece]:
    """Read what the grid needs of each sheet, and once more past GDAL's cache if that fails."""
    for sheet in atlas.sheets:
        try:
            try:
                piece = _piece(atlas, sheet, geobox)
            except Unusable:
                with once_more(sheet.asset):
                    piece = _piece(atlas, sheet, geobox)
        except Unusable as reason:
            raise NoDataError(
                f"atlas {atlas.name}, sheet {sheet.id}: {reason}; try again, or leave the atlas "
                "out of the settings",
                zh=f"参考图 {atlas.name} 的图幅 {sheet.id} 无法使用（{reason}）；请重试，"
                "或在配置中去掉该图层",
            ) from reason
        if piece is not None:
            yield piece


def _piece(atlas: Atlas, sheet: Sheet, geobox: GeoBox) -> _Piece | None:
    with opened_asset(sheet.asset, "GTiff", sheet.id) as source:
        for wrong in _faults(atlas, sheet, source):
            raise Unusable(sheet.id, wrong)
        crs = source.crs.to_string()
        window = Placement.of(geobox, crs).window(source.transform, source.shape)
        if window is None:
            return None
        pixels = source.read(1, window=window)
        fillers = [value for value in (source.nodata, atlas.nodata) if value is not None]
        return _Piece(_seen(pixels, fillers), source.window_transform(window), crs)


def _seen(pixels: _Pixels, fillers: Iterable[float]) -> _Pixels:
    """Bring what is not seen to 0 (codes) or NaN (elevation)."""
    if pixels.dtype == np.uint8:
        pixels[np.isin(pixels, list(fillers))] = 0
        return pixels
    heights: npt.NDArray[np.float32] = pixels.astype(np.float32)
    low, high = _HEIGHTS_M
    heights[np.isin(heights, list(fillers)) | ~((heights >= low) & (heights <= high))] = np.nan
    return heights


def _faults(atlas: Atlas, sheet: Sheet, source: DatasetReader) -> Iterator[str]:
    """Say, one after another, what in the header cannot be true."""
    yield from odd_form(source, _TYPES[atlas.kind], _LARGEST_SIDE)
    if source.crs is None:
        yield "states no CRS"
        return
    if sheet.crs and source.crs != rasterio.CRS.from_user_input(sheet.crs):
        yield f"CRS is {source.crs}, the item says {sheet.crs}"
    yield from broken_word(source, sheet.asset)
    to_crs = Transformer.from_crs("EPSG:4326", source.crs.to_string(), always_xy=True)
    left, bottom, right, top = transform(
        sheet.footprint, to_crs.transform, interleaved=False
    ).bounds
    box = source.bounds
    if left >= box.right or right <= box.left or bottom >= box.top or top <= box.bottom:
        yield f"lies on {tuple(box)}, the item's footprint elsewhere"


def _joined(pieces: Iterable[_Piece], unseen: float) -> Iterator[_Piece]:
    """Join pieces of one lattice; of two that overlap the first holds."""
    lattices: list[list[_Piece]] = []
    for piece in pieces:
        for lattice in lattices:
            if piece.offset_in(lattice[0]) is not None:
                lattice.append(piece)
                break
        else:
            lattices.append([piece])
    return (one if not rest else _pasted(one, rest, unseen) for one, *rest in lattices)


def _pasted(first: _Piece, others: list[_Piece], unseen: float) -> _Piece:
    pieces = [(first, (0, 0)), *((one, one.offset_in(first) or (0, 0)) for one in others)]
    top = min(row for _, (row, _) in pieces)
    left = min(column for _, (_, column) in pieces)
    height = max(row + one.pixels.shape[0] for one, (row, _) in pieces) - top
    width = max(column + one.pixels.shape[1] for one, (_, column) in pieces) - left
    sheet = np.full((height, width), unseen, first.pixels.dtype)
    for one, (row, column) in pieces:
        rows = slice(row - top, row - top + one.pixels.shape[0])
        columns = slice(column - left, column - left + one.pixels.shape[1])
        np.copyto(sheet[rows, columns], one.pixels, where=_empty(sheet[rows, columns]))
    return _Piece(sheet, first.transform * Affine.translation(left, top), first.crs)
