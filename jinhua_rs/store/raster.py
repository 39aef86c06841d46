"""Rasters as the house keeps them: Zarr for tiles, Cloud-Optimised GeoTIFF for maps."""

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast
from xml.sax.saxutils import escape

import numpy as np
import rasterio
import rasterio.shutil
import rioxarray
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError  # what rasterio.shutil raises; no public name
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.io import DatasetWriter
from rasterio.windows import Window
from zarr.codecs import BloscCodec, BloscShuffle

from jinhua_rs.errors import IntegrityError
from jinhua_rs.schema import VARIABLES, ClassInfo
from jinhua_rs.store.atomic import digest, whole
from jinhua_rs.store.trouble import unwritable

__all__ = ["open_map", "open_tile", "tile_variables", "write_mosaic", "write_raster", "write_tile"]

_FILL = -32768
_SCALE = 1e-4


def _encoding(name: str, shape: tuple[int, ...]) -> dict[str, object]:
    """Encode floats as int16 x 1e-4, and keep classes and counts as they are."""
    codec = BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.shuffle)
    encoding: dict[str, object] = {"compressors": (codec,), "chunks": shape}
    if VARIABLES[name].dtype == "float32":
        encoding |= {
            "dtype": "int16",
            "scale_factor": _SCALE,
            "add_offset": 0.0,
            "_FillValue": _FILL,
        }
    else:
        encoding |= {"_FillValue": None}
    return encoding


def write_tile(path: Path, data: xr.Dataset, label: str = "") -> None:
    """
    Write one tile's variables to a Zarr folder, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.zarr``.
    data : Dataset, dims (y, x), variables of the schema, with a CRS coordinate
        Floats are kept as int16 with scale 1e-4 (NaN as -32768), so values are rounded to 1e-4.
    label : str
        Mark such as "SIMULATED"; kept in the attributes.
    """
    limits = {
        name: (array.clip(-3.2767, 3.2767) if array.dtype.kind == "f" else array)
        for name, array in data.data_vars.items()
    }
    fresh = xr.Dataset(limits, coords=data.coords, attrs={"label": label} if label else {})
    encoding = {str(name): _encoding(str(name), array.shape) for name, array in fresh.items()}
    with whole(path) as part:
        fresh.to_zarr(part, mode="w", zarr_format=3, consolidated=False, encoding=encoding)


def open_tile(path: Path) -> xr.Dataset:
    """
    Open a tile lazily, with the dtypes of the schema.

    Raises
    ------
    IntegrityError
        If the tile is missing or is not a Zarr store.
    """
    try:
        data = xr.open_zarr(path, consolidated=False, zarr_format=3, chunks=None)
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise IntegrityError(
            f"tile {path} is missing or damaged; run the period again",
            zh=f"瓦片 {path} 缺失或已损坏；请重新运行该时段",
        ) from error
    typed: xr.Dataset = data.set_coords(set(data.data_vars) - set(VARIABLES))
    ordered = [name for name in VARIABLES if name in typed.data_vars]
    return typed.assign({name: typed[name].astype(VARIABLES[name].dtype) for name in ordered})[
        ordered
    ]


def open_map(path: Path) -> xr.DataArray:
    """
    Open a published map lazily, as analysts would.

    Returns
    -------
    DataArray, dtype of the file, dims (y, x), lazy, with a CRS coordinate
        NaN (floats) or 0 (classes) = not seen.

    Raises
    ------
    IntegrityError
        If the map is missing or damaged.
    """
    try:
        data = rioxarray.open_rasterio(path, chunks={"x": 2048, "y": 2048})
    except RasterioIOError as error:
        raise IntegrityError(
            f"map {path} is missing or damaged; run the period again",
            zh=f"地图 {path} 缺失或已损坏；请重新运行该时段",
        ) from error
    return cast("xr.DataArray", data).squeeze("band", drop=True).rename(path.stem)


def tile_variables(path: Path) -> tuple[str, ...]:
    """Names of the variables of a tile."""
    return tuple(str(name) for name in open_tile(path).data_vars)


def write_mosaic(
    path: Path,
    variable: str,
    tiles: Iterable[Path],
    geobox: GeoBox,
    *,
    classes: Sequence[ClassInfo] = (),
    tags: Mapping[str, str] | None = None,
) -> str:
    """
    Join one variable of many tiles to a Cloud-Optimised GeoTIFF, one tile in memory at a time.

    Parameters
    ----------
    path : Path
        Ends in ``.tif``. Classes have no-data 0, probabilities 255, floats NaN.
    variable : str
        Name in the schema.
    tiles : iterable of Path
        Tiles that hold the variable; ground without a tile stays no-data.
    geobox : GeoBox
        The map's grid; tiles that reach beyond it are cut.
    classes : sequence of ClassInfo
        Colours and names, for class maps.
    tags : Mapping, optional
        GDAL metadata, e.g. ``{"period": "2024Q3", "label": "SIMULATED"}``.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    ConfigError
        If the folder cannot be written to or the disk is full.
    IntegrityError
        If a tile is missing or damaged.
    """
    dtype = np.dtype(VARIABLES[variable].dtype)
    counts = dtype.kind in "iu"
    profile = {
        "driver": "GTiff", "dtype": dtype, "count": 1, "nodata": _nodata(variable),
        "crs": str(geobox.crs), "transform": geobox.transform,
        "height": geobox.shape.y, "width": geobox.shape.x,
        "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "DEFLATE",
        "bigtiff": "IF_SAFER",
    }  # fmt: skip
    with _draft_for(path) as draft:
        with rasterio.open(draft, "w", **profile) as target:
            target.set_band_description(1, VARIABLES[variable].meaning)
            target.update_tags(
                **{"variable": variable, "units": VARIABLES[variable].units} | dict(tags or {})
            )
            if classes:
                target.write_colormap(1, _palette(classes))
            for tile in tiles:
                _paste(target, open_tile(tile)[variable])
        with whole(path) as part:
            _to_cog(draft, part, categorical=counts)
            _require_copied(draft, part)
    if classes:
        _write_categories(path, classes)
    return digest(path)


def write_raster(path: Path, data: xr.DataArray, *, tags: Mapping[str, str]) -> str:
    """
    Write one array of numbers as a Cloud-Optimised GeoTIFF, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.tif``; its folder is there.
    data : DataArray, float32, dims (y, x), with a CRS coordinate
        NaN = no data.
    tags : Mapping
        GDAL metadata.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    ConfigError
        If the folder cannot be written to or the disk is full.
    """
    geobox = data.odc.geobox
    profile = {
        "driver": "GTiff", "dtype": "float32", "count": 1, "nodata": np.nan,
        "crs": str(geobox.crs), "transform": geobox.transform,
        "height": geobox.shape.y, "width": geobox.shape.x,
        "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "DEFLATE",
    }  # fmt: skip
    with _draft_for(path) as draft:
        with rasterio.open(draft, "w", **profile) as target:
            target.update_tags(**tags)
            target.write(data.to_numpy(), 1)
        with whole(path) as part:
            _to_cog(draft, part, categorical=False)
            _require_copied(draft, part)
    return digest(path)


def _nodata(variable: str) -> float | None:
    """Return what empty is in a map, NaN, 0 or 255; None where nothing is empty."""
    empty = VARIABLES[variable].empty
    return float(empty) if empty in {"NaN", "0", "255"} else None


@contextmanager
def _draft_for(path: Path) -> Iterator[Path]:
    """Yield where to draft the map ``path``; GDAL's word for a full disk becomes the house's."""
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".mosaic.", suffix=".part") as folder:
            yield Path(folder) / "draft.tif"
    except (OSError, RasterioError, CPLE_BaseError) as error:
        raise unwritable(path, error) from error


def _paste(target: DatasetWriter, tile: xr.DataArray) -> None:
    """Write the part of a tile that lies on the target's grid."""
    step = target.res[0]
    left = round((float(tile.x[0]) - step / 2 - target.bounds.left) / step)
    top = round((target.bounds.top - float(tile.y[0]) - step / 2) / step)
    rows = slice(max(0, -top), min(tile.sizes["y"], target.height - top))
    columns = slice(max(0, -left), min(tile.sizes["x"], target.width - left))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    window = Window.from_slices(
        (top + rows.start, top + rows.stop), (left + columns.start, left + columns.stop)
    )
    target.write(tile[rows, columns].to_numpy(), 1, window=window)


def _to_cog(source: Path, target: Path, *, categorical: bool) -> None:
    rasterio.shutil.copy(
        source, target, driver="COG", compress="DEFLATE", blocksize=512,
        predictor="STANDARD" if categorical else "FLOATING_POINT",
        overview_resampling="MODE" if categorical else "AVERAGE",
        bigtiff="IF_SAFER", num_threads="1",
    )  # fmt: skip


def _require_copied(draft: Path, copy: Path) -> None:
    """Compare every block, since GDAL is silent about a disk that fills up as a file is closed."""
    with rasterio.open(draft) as source, rasterio.open(copy) as target:
        written = all(
            source.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=1)
            for (row, column), _ in source.block_windows(1)
        )
        if not written or not all(
            np.array_equal(source.read(1, window=at), target.read(1, window=at), equal_nan=True)
            for _, at in target.block_windows(1)
        ):
            raise OSError(errno.EIO, "the map is not on the disk as it was written")


def _palette(classes: Sequence[ClassInfo]) -> dict[int, tuple[int, int, int, int]]:
    palette = {0: (255, 255, 255, 0)}
    for info in classes:
        red, green, blue = (int(info.color[at : at + 2], 16) for at in (1, 3, 5))
        palette[info.code] = (red, green, blue, 255)
    return palette


def _write_categories(path: Path, classes: Sequence[ClassInfo]) -> None:
    """Write the class names beside the map, as GDAL's PAM file, so that a GIS shows a legend."""
    names = {info.code: f"{info.name_zh} {info.name}" for info in classes}
    lines = [
        f"<Category>{escape(names.get(code, ''))}</Category>" for code in range(max(names) + 1)
    ]
    text = "".join(lines)
    with whole(path.with_name(path.name + ".aux.xml")) as part:
        part.write_text(
            f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{text}</CategoryNames>'
            "</PAMRasterBand></PAMDataset>\n",
            encoding="utf-8",
        )
