"""Which looks are clear, from Sen2Cor's scene classification."""

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import ndimage

__all__ = ["CLOUDY", "clear_sky"]

CLOUDY = (1, 3, 8, 9, 10, 11)
"""Defective, cloud shadow, medium and high cloud, thin cirrus, snow. 0 is "not seen"."""


def clear_sky(scl: xr.DataArray, *, buffer_px: int) -> xr.DataArray:
    """
    Tell which pixels show the ground.

    Parameters
    ----------
    scl : DataArray, uint8, dims (..., y, x)
        Scene classification; 0 = not seen.
    buffer_px : int
        Cloudy pixels are grown by a disk of this radius, pixels; the outline of
        a swath (class 0) is not grown.

    Returns
    -------
    DataArray, bool, dims as ``scl``
        True where seen and clear.
    """
    clear: xr.DataArray = xr.apply_ufunc(
        _clear, scl, kwargs={"buffer_px": buffer_px}, dask="parallelized",
        input_core_dims=[["y", "x"]], output_core_dims=[["y", "x"]], output_dtypes=[bool],
    )  # fmt: skip
    return clear.rename("clear")


def _clear(scl: npt.NDArray[np.uint8], buffer_px: int) -> npt.NDArray[np.bool_]:
    cloudy = np.isin(scl, CLOUDY)
    if buffer_px:
        flat = cloudy.reshape(-1, *cloudy.shape[-2:])
        grown = [
            ndimage.distance_transform_edt(~layer) <= buffer_px if layer.any() else layer
            for layer in flat
        ]
        cloudy = np.stack(grown).reshape(cloudy.shape)
    clear: npt.NDArray[np.bool_] = ~cloudy & (scl != 0)
    return clear
