"""From a window of native pixels to the grid: reflectance bilinearly, masks by nearest pixel."""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.warp import Resampling, reproject

from jinhua_rs.cube.placement import Placement
from jinhua_rs.cube.warp import UNSEEN, bilinear, nearest
from jinhua_rs.errors import GridMismatch
from jinhua_rs.scene import Scene

__all__ = ["Engine", "Patch", "Target", "write_classes", "write_heights", "write_reflectance"]

Engine = Literal["compiled", "library"]

_STRIP = 256
"""GDAL takes rows for straight lines between their ends: short rows keep its error small."""


@dataclass(frozen=True, slots=True)
class Patch:
    """
    A window of one asset in its own pixels, with a rim of one unseen pixel (0) around it.

    ``pixels`` has dims (y, x); ``transform`` is that of the upper left of the rim.
    """

    pixels: npt.NDArray[Any]
    transform: Affine

    @classmethod
    def around(cls, pixels: npt.NDArray[Any], transform: Affine) -> Self:
        """Put the rim around pixels whose upper left is at ``transform``."""
        return cls.within(np.pad(pixels, 1), transform)

    @classmethod
    def within(cls, pixels: npt.NDArray[Any], transform: Affine) -> Self:
        """Take pixels that have their rim; what lies within it begins at ``transform``."""
        return cls(pixels, transform * Affine.translation(-1, -1))

    @property
    def inner(self) -> Affine:
        """Transform of the upper left within the rim."""
        return self.transform * Affine.translation(1, 1)


@dataclass(frozen=True, slots=True)
class Target:
    """The grid onto which a scene is brought, its place in the scene's CRS, and by which means."""

    geobox: GeoBox
    placement: Placement
    engine: Engine

    @classmethod
    def of(cls, geobox: GeoBox, crs: str, engine: Engine) -> Self:
        """Place a grid in the CRS of a scene."""
        return cls(geobox, Placement.of(geobox, crs), engine)


def write_reflectance(
    patch: Patch, scene: Scene, target: Target, out: npt.NDArray[np.int16]
) -> None:
    """
    Write one band of a scene onto the grid.

    Bilinear: a pixel is seen where the nearest source pixel is, and unseen neighbours have no
    weight. Onto a grid that is more than 1.5 times coarser than the source, both engines take
    the mean of the seen pixels by GDAL instead.

    Parameters
    ----------
    patch : Patch
        Digital numbers, 0 = not seen.
    scene : Scene
        For its radiometric offset and scale, which are applied here and nowhere else.
    target : Target
    out : ndarray, int16, dims (y, x) of the grid
        Reflectance * 10000, clipped to ±32767; -32768 = not seen.
    """
    _require_grid(out, target)
    gain = np.float32(scene.scale * 1e4)
    bias = np.float32(scene.offset * scene.scale * 1e4)
    coarse = target.placement.is_coarse(patch.transform)
    if target.engine == "compiled" and not coarse:
        # The kernel is compiled for rows one after another; a part of a wider layer is none.
        whole = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
        bilinear(patch.pixels, target.placement.nodes(patch.transform), gain, bias, whole)
        if whole is not out:
            out[...] = whole
        return
    numbers = np.zeros(out.shape, np.float32)
    seen = numbers
    if coarse:
        _by_gdal(patch, target, numbers, Resampling.average)
    else:
        _by_gdal(patch, target, numbers, Resampling.bilinear)
        seen = np.zeros(out.shape, np.uint8)
        here = Patch((patch.pixels != 0).view(np.uint8), patch.transform)
        _by_gdal(here, target, seen, Resampling.nearest)
    scaled = np.clip(np.floor(numbers * gain + bias + np.float32(0.5)), -32767, 32767)
    out[...] = np.where(seen != 0, scaled, UNSEEN)


def write_classes(patch: Patch, target: Target, out: npt.NDArray[Any]) -> None:
    """Write a mask (bool) or classes (uint8) onto the grid by nearest pixel; 0 where unseen."""
    _require_grid(out, target)
    if target.engine == "compiled":
        nearest(patch.pixels, target.placement.nodes(patch.transform), out)
        return
    plain = Patch(patch.pixels.view(np.uint8), patch.transform)
    _by_gdal(plain, target, out.view(np.uint8), Resampling.nearest)


def write_heights(patch: Patch, target: Target, out: npt.NDArray[np.float32]) -> None:
    """
    Write elevation onto the grid: bilinear, or the mean where the grid is coarse; NaN = not known.

    By GDAL: the kernels are for digital numbers, of which 0 is not seen.
    """
    _require_grid(out, target)
    how = Resampling.average if target.placement.is_coarse(patch.transform) else Resampling.bilinear
    _by_gdal(patch, target, out, how, unseen=np.nan)


def _require_grid(out: npt.NDArray[Any], target: Target) -> None:
    """Refuse an array of another size: the kernels check no bounds and would write beyond it."""
    if out.shape != target.geobox.shape:
        raise GridMismatch(
            f"an array of {out.shape} is no grid of {tuple(target.geobox.shape)}; make it of the "
            "target's geobox",
            zh=f"数组大小 {out.shape} 与格网 {tuple(target.geobox.shape)} 不符；请按目标格网创建",
        )


def _by_gdal(
    patch: Patch,
    target: Target,
    out: npt.NDArray[Any],
    resampling: Resampling,
    *,
    unseen: float = 0,
) -> None:
    crs, affine = str(target.geobox.crs), target.geobox.affine
    for left in range(0, out.shape[1], _STRIP):
        strip = np.full_like(out[:, left : left + _STRIP], unseen)
        reproject(
            patch.pixels, strip, src_transform=patch.transform, src_crs=target.placement.crs,
            src_nodata=unseen, dst_transform=affine * Affine.translation(left, 0), dst_crs=crs,
            dst_nodata=unseen, resampling=resampling, num_threads=1, XSCALE=1, YSCALE=1,
        )  # fmt: skip
        out[:, left : left + _STRIP] = strip
