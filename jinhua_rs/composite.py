"""One image from the clear looks of a period, with its spread and the number of looks."""

from collections.abc import Callable

import geomad
import numpy as np
import numpy.typing as npt
import xarray as xr

from jinhua_rs.errors import ContractError
from jinhua_rs.grid import require_same_grid
from jinhua_rs.schema import described

__all__ = ["geomedian", "median"]

Array = npt.NDArray[np.float32]
_SPREADS = ("smad", "emad", "bcmad")
_TOLERANCE = 1e-5
"""Step at which the iteration ends; docs/decisions/0006 has error and speed of the choices."""


def geomedian(cube: xr.Dataset, clear: xr.DataArray, *, min_clear: int) -> xr.Dataset:
    """
    Geometric median of the clear looks, with the three median absolute deviations.

    The geometric median keeps the proportions of a real spectrum, so that indices of
    the composite are consistent (Roberts, Mueller, McIntyre 2017, doi
    10.1109/TGRS.2017.2723896; MADs: Roberts, Dunn, Mueller 2018, doi
    10.1109/IGARSS.2018.8518312).

    Parameters
    ----------
    cube : Dataset, float32, dims (time, y, x), unit 1
        Reflectance, NaN = not seen.
    clear : DataArray, bool, dims (time, y, x)
        Looks that may be used.
    min_clear : int
        Pixels with fewer clear looks stay empty.

    Returns
    -------
    Dataset, dims (y, x)
        The bands, ``smad``, ``emad``, ``bcmad`` (float32, NaN = not seen) and
        ``n_clear`` (uint16, looks that are clear and seen in all bands).

    Raises
    ------
    GridMismatch
        If ``cube`` and ``clear`` do not lie on one grid.
    """
    stacked, n_clear = _clear_looks(cube, clear)
    bands = [str(name) for name in cube.data_vars]
    layers = xr.apply_ufunc(
        _geomedian, stacked, input_core_dims=[["band", "time"]], output_core_dims=[["layer"]],
        dask="parallelized", output_dtypes=["float32"],
        dask_gufunc_kwargs={"output_sizes": {"layer": len(bands) + len(_SPREADS)}},
    )  # fmt: skip
    return _published(layers, (*bands, *_SPREADS), n_clear, min_clear)


def median(cube: xr.Dataset, clear: xr.DataArray, *, min_clear: int) -> xr.Dataset:
    """
    Band-wise median of the clear looks; spreads around it. Otherwise as :func:`geomedian`.

    A cheaper estimator whose bands need not belong to one real spectrum.
    """
    stacked, n_clear = _clear_looks(cube, clear)
    bands = [str(name) for name in cube.data_vars]
    layers = xr.apply_ufunc(
        _median, stacked, input_core_dims=[["band", "time"]], output_core_dims=[["layer"]],
        dask="parallelized", output_dtypes=["float32"],
        dask_gufunc_kwargs={"output_sizes": {"layer": len(bands) + len(_SPREADS)}},
    )  # fmt: skip
    return _published(layers, (*bands, *_SPREADS), n_clear, min_clear)


def _clear_looks(cube: xr.Dataset, clear: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Stack the bands, empty where a look is not clear, and count the looks that remain."""
    require_same_grid(cube, clear)
    for name, band in cube.items():
        if band.dtype != np.float32:
            raise ContractError(
                f"composite needs float32 reflectance, {name} is {band.dtype}",
                zh=f"合成需要 float32 反射率，{name} 为 {band.dtype}",
            )
    stacked = cube.to_dataarray("band")
    usable = clear & stacked.notnull().all("band")
    stacked = stacked.where(usable).transpose("y", "x", "band", "time")
    if stacked.chunks is not None:
        stacked = stacked.chunk({"band": -1, "time": -1})
    return stacked, usable.sum("time")


def _geomedian(looks: Array) -> Array:
    return _of_seen(
        looks, lambda seen: geomad.nangeomedian_pcm(seen, eps=_TOLERANCE, num_threads=1)
    )


def _median(looks: Array) -> Array:
    return _of_seen(looks, lambda seen: np.nanmedian(seen, axis=-1))


def _of_seen(looks: Array, centre_of: Callable[[Array], Array]) -> Array:
    """Centre and MADs of ``(y, x, band, time)`` where a look is left; NaN elsewhere."""
    looks = np.asarray(looks, dtype=np.float32)
    layers = np.full((*looks.shape[:2], looks.shape[2] + len(_SPREADS)), np.nan, np.float32)
    seen = np.isfinite(looks[:, :, 0]).any(axis=-1)
    if seen.any():
        pixels = np.ascontiguousarray(looks[seen][np.newaxis])
        centre = np.asarray(centre_of(pixels), dtype=np.float32)
        spreads = [
            np.maximum(spread(pixels, centre, num_threads=1), 0)
            for spread in (geomad.smad_pcm, geomad.emad_pcm, geomad.bcmad_pcm)
        ]
        layers[seen] = np.concatenate([centre, np.stack(spreads, axis=-1)], axis=-1)[0]
    return layers


def _published(
    layers: xr.DataArray, names: tuple[str, ...], n_clear: xr.DataArray, min_clear: int
) -> xr.Dataset:
    enough = n_clear >= min_clear
    found = {
        name: described(layers.isel(layer=at).where(enough), name) for at, name in enumerate(names)
    }
    return xr.Dataset(found | {"n_clear": described(n_clear, "n_clear")})
