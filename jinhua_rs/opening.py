"""The door for rasters: an asset is opened as what it must be, checked, and closed again."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import rasterio
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from shapely.geometry.base import BaseGeometry

from jinhua_rs.scene import Asset, Scene

__all__ = [
    "Expected",
    "Unusable",
    "broken_word",
    "odd_form",
    "once_more",
    "opened",
    "opened_asset",
    "pixel_size",
    "reading",
]

_MAGIC = {
    "GTiff": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "JP2OpenJPEG": (b"\0\0\0\x0cjP  ",),
}
_TYPES = ("uint8", "uint16", "int16")
_LARGEST_SIDE = 40_000
_LARGEST_BLOCK = 2**27
"""A block is decoded whole: this one takes 256 MB. A plain 10 m band in one piece is smaller."""
_PIXEL_M = 1.0, 1_000.0
_STRAY = 2_000.0
"""How far valid data may lie beyond the grid that holds them, metres: footprints are simplified."""

_RIM = 1_000.0
"""Depth of the rim of a footprint in which a scene need not see everything, metres."""

_GONE = re.compile(r"HTTP response code: 4(04|10)|specified key does not exist", re.IGNORECASE)

_CACHE_BYTES = 64 * 2**20


class Unusable(Exception):  # noqa: N818 - a finding about one asset, not an error of the program
    """
    An asset cannot be used.

    ``band`` is its canonical name; ``str`` is the reason, which begins with ``missing`` where
    the asset does not exist (any more).
    """

    def __init__(self, band: str, reason: str) -> None:
        super().__init__(reason)
        self.band = band


def reading() -> rasterio.Env:
    """
    Return the GDAL settings for reading imagery.

    Answers 429 and 5xx, resets and timeouts are tried again four times; 403 and 404 are final,
    so that a dead address costs one question. GDAL remembers each failure: see :func:`once_more`.
    One thread, and a block cache that holds the blocks of one window, not of all files read.
    """
    return rasterio.Env(
        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",
        GDAL_HTTP_MAX_RETRY="4",
        GDAL_HTTP_RETRY_DELAY="0.5",
        GDAL_HTTP_TIMEOUT="60",
        GDAL_HTTP_CONNECTTIMEOUT="20",
        GDAL_INGESTED_BYTES_AT_OPEN="32768",
        GDAL_CACHEMAX=_CACHE_BYTES,
        GDAL_NUM_THREADS="1",
    )


def once_more(asset: Asset) -> rasterio.Env:
    """
    Return the settings under which GDAL forgets what it remembers of an address.

    Without them an address that failed once fails for as long as the process lives.
    """
    return rasterio.Env(CPL_VSIL_CURL_NON_CACHED=f"/vsicurl/{asset.href}")


@dataclass(frozen=True, slots=True)
class Expected:
    """
    What the assets of a scene must agree with.

    ``ground`` is left, bottom, right and top of the scene's footprint in its CRS; ``interior`` is
    what lies so far inside the footprint that the scene is trusted to show all of it.
    """

    scene: Scene
    crs: rasterio.CRS
    ground: tuple[float, float, float, float]
    interior: BaseGeometry

    @classmethod
    def of(cls, scene: Scene) -> Self:
        """Bring the footprint of a scene to its CRS."""
        to_crs = Transformer.from_crs("EPSG:4326", scene.crs, always_xy=True)
        outline = shapely.transform(scene.footprint, to_crs.transform, interleaved=False)
        crs = rasterio.CRS.from_user_input(scene.crs)
        return cls(scene, crs, outline.bounds, outline.buffer(-_RIM))

    def near(self, bounds: tuple[float, float, float, float]) -> bool:
        """Tell whether valid data may lie within bounds in the scene's CRS."""
        left, bottom, right, top = self.ground
        return (
            bounds[0] <= right + _STRAY
            and left - _STRAY <= bounds[2]
            and bounds[1] <= top + _STRAY
            and bottom - _STRAY <= bounds[3]
        )


@contextmanager
def opened(expected: Expected, band: str) -> Iterator[DatasetReader]:
    """
    Open one asset of a scene, once all that its header says is as it must be.

    Raises
    ------
    Unusable
        With the reason; also where reading within the ``with`` block fails.
    """
    asset = expected.scene.assets[band]
    driver = "JP2OpenJPEG" if asset.href.lower().split("?")[0].endswith(".jp2") else "GTiff"
    with opened_asset(asset, driver, band) as source:
        for wrong in _faults(source, asset, expected):
            raise Unusable(band, wrong)
        yield source


@contextmanager
def opened_asset(asset: Asset, driver: str, name: str) -> Iterator[DatasetReader]:
    """Open an asset as what it must be and nothing else; ``Unusable`` is named ``name``."""
    if "://" not in asset.href:
        _check_file(Path(asset.href), asset, driver, name)
    try:
        with _open(asset.href, driver) as source:
            yield source
    except NotGeoreferencedWarning:
        raise Unusable(name, "has no place on the ground: no transform in the file") from None
    except (RasterioError, OSError) as error:
        raise Unusable(name, _reason(error)) from error


def pixel_size(transform: Affine) -> tuple[float, float]:
    """Width and height of a pixel, CRS unit, also of a turned raster."""
    return float(np.hypot(transform.a, transform.d)), float(np.hypot(transform.b, transform.e))


def _open(href: str, driver: str) -> DatasetReader:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=NotGeoreferencedWarning)
        return rasterio.open(href, driver=driver)


def _check_file(path: Path, asset: Asset, driver: str, band: str) -> None:
    """Look at the first bytes of a local file, and at its size."""
    try:
        with path.open("rb") as file:
            start, size = file.read(8), path.stat().st_size
    except FileNotFoundError:
        raise Unusable(band, f"missing: {path.name} does not exist") from None
    except OSError as error:
        raise Unusable(band, f"{path.name} cannot be read: {error.strerror}") from error
    if not start.startswith(_MAGIC[driver]):
        raise Unusable(band, f"{path.name} is no {driver} file")
    if asset.size not in (None, size):
        raise Unusable(band, f"{path.name} has {size} bytes, the item says {asset.size}")


def _faults(source: DatasetReader, asset: Asset, expected: Expected) -> Iterator[str]:
    """Say, one after another, what in the header cannot be true."""
    yield from _odd_pixels(source)
    if asset is expected.scene.assets.get("scl") and source.dtypes[0] != "uint8":
        yield f"holds {source.dtypes[0]}, scene classes are uint8"
    if source.crs != expected.crs:
        yield f"CRS is {source.crs}, the item says {expected.scene.crs}"
    yield from broken_word(source, asset)
    if not _holds(source.bounds, expected.ground):
        yield f"lies on {tuple(source.bounds)}, the scene's footprint on {expected.ground}"


def broken_word(source: DatasetReader, asset: Asset) -> Iterator[str]:
    """Say where a header differs from the grid that the item states."""
    if asset.shape and source.shape != asset.shape:
        yield f"size is {source.shape}, the item says {asset.shape}"
    if asset.transform and not source.transform.almost_equals(asset.transform, 1e-6):
        yield f"transform is {tuple(source.transform)[:6]}, the item says {asset.transform}"


def _odd_pixels(source: DatasetReader) -> Iterator[str]:
    """Say what no band of Sentinel-2 has, and what would take memory without end."""
    yield from odd_form(source, _TYPES, _LARGEST_SIDE)
    if not all(_PIXEL_M[0] <= side <= _PIXEL_M[1] for side in pixel_size(source.transform)):
        yield f"has pixels of {pixel_size(source.transform)} m"


def odd_form(source: DatasetReader, types: Sequence[str], largest_side: int) -> Iterator[str]:
    """Say where a raster has another form than one band of these types, in blocks of sane size."""
    if source.count != 1:
        yield f"holds {source.count} bands where one is expected"
    if source.dtypes[0] not in types:
        yield f"holds {source.dtypes[0]}, none of {', '.join(types)}"
    if max(source.shape) > largest_side:
        yield f"is {source.shape} px large, more than {largest_side} a side"
    if np.prod(source.block_shapes[0]) > _LARGEST_BLOCK:
        yield f"has blocks of {source.block_shapes[0]} px"


def _holds(
    grid: tuple[float, float, float, float], ground: tuple[float, float, float, float]
) -> bool:
    """Tell whether a grid holds the footprint of its valid data, but for a generous rim."""
    return (
        grid[0] - _STRAY <= ground[0]
        and grid[1] - _STRAY <= ground[1]
        and ground[2] <= grid[2] + _STRAY
        and ground[3] <= grid[3] + _STRAY
    )


def _reason(error: Exception) -> str:
    """Put an error of GDAL in words; the cause says more than "see previous exception"."""
    text = str(error.__cause__ or error)
    return f"missing: {text}" if _GONE.search(text) else f"cannot be read: {text}"
