"""Spectral indices: reflectance in, one index out, NaN where a band is not seen."""

import xarray as xr

from jinhua_rs.errors import ContractError
from jinhua_rs.grid import require_same_grid
from jinhua_rs.schema import described

__all__ = ["bsi", "mtci", "nbr", "ndmi", "ndre", "ndvi", "ndwi"]


def ndvi(red: xr.DataArray, nir: xr.DataArray) -> xr.DataArray:
    """
    Normalised difference vegetation index, ``(nir - red) / (nir + red)`` (Rouse et al. 1974).

    Parameters
    ----------
    red, nir : DataArray, float, dims (..., y, x), unit 1 (reflectance)
        On one grid, NaN where not clear.

    Returns
    -------
    DataArray, float32, dims as ``red``, unit 1
        In -1..1; NaN where a band is NaN or their sum is not positive.

    Raises
    ------
    ContractError
        If a band is not float (digital numbers are no reflectance).
    GridMismatch
        If the bands do not lie on one grid.
    """
    return _normalised_difference(nir, red, "ndvi")


def nbr(nir08: xr.DataArray, swir22: xr.DataArray) -> xr.DataArray:
    """Normalised burn ratio of B8A and B12 (Key and Benson 2006); as :func:`ndvi`."""
    return _normalised_difference(nir08, swir22, "nbr")


def ndmi(nir08: xr.DataArray, swir16: xr.DataArray) -> xr.DataArray:
    """Normalised difference moisture index of B8A and B11 (Gao 1996); as :func:`ndvi`."""
    return _normalised_difference(nir08, swir16, "ndmi")


def ndre(rededge1: xr.DataArray, nir08: xr.DataArray) -> xr.DataArray:
    """Normalised difference red edge of B8A and B05 (Barnes et al. 2000); as :func:`ndvi`."""
    return _normalised_difference(nir08, rededge1, "ndre")


def ndwi(green: xr.DataArray, nir: xr.DataArray) -> xr.DataArray:
    """Normalised difference water index of B03 and B08 (McFeeters 1996); as :func:`ndvi`."""
    return _normalised_difference(green, nir, "ndwi")


def bsi(
    blue: xr.DataArray, red: xr.DataArray, nir: xr.DataArray, swir16: xr.DataArray
) -> xr.DataArray:
    """Bare soil index ``((swir16 + red) - (nir + blue)) / (their sum)`` (Rikimaru 2002)."""
    require_same_grid(blue, nir)
    return _normalised_difference(swir16 + red, nir + blue, "bsi")


def mtci(red: xr.DataArray, rededge1: xr.DataArray, rededge2: xr.DataArray) -> xr.DataArray:
    """
    Terrestrial chlorophyll index of B04, B05, B06, ``(rededge2 - rededge1) / (rededge1 - red)``.

    Dash and Curran 2004 (MERIS), on Sentinel-2's bands. Its denominator is small over ground
    without a red edge: it is kept above 0.005, and the index within -8..8.

    Parameters
    ----------
    red, rededge1, rededge2 : DataArray, float, dims (..., y, x), unit 1 (reflectance)
        On one grid, NaN where not clear.

    Returns
    -------
    DataArray, float32, dims as ``red``, unit 1
        NaN where a band is NaN.

    Raises
    ------
    ContractError
        If a band is not float.
    GridMismatch
        If the bands do not lie on one grid.
    """
    require_same_grid(red, rededge1, rededge2)
    _require_float(red, rededge1, "mtci")
    step = (rededge1 - red).clip(min=0.005)
    return described(((rededge2 - rededge1) / step).clip(-8, 8), "mtci")


def _normalised_difference(plus: xr.DataArray, minus: xr.DataArray, name: str) -> xr.DataArray:
    require_same_grid(plus, minus)
    _require_float(plus, minus, name)
    total = plus + minus
    index = (plus - minus) / total.where(total > 0)
    return described(index.clip(-1, 1), name)


def _require_float(plus: xr.DataArray, minus: xr.DataArray, name: str) -> None:
    if plus.dtype.kind != "f" or minus.dtype.kind != "f":
        raise ContractError(
            f"{name} needs reflectance as float, got {plus.dtype} and {minus.dtype}",
            zh=f"{name} 需要浮点反射率，实为 {plus.dtype} 与 {minus.dtype}",
        )
