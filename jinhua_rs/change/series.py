"""What the watch follows: six series of each pixel, from looks of reflectance."""

import math

import numpy as np
import numpy.typing as npt
import xarray as xr

from jinhua_rs.errors import ContractError

__all__ = [
    "BANDS", "NDMI", "NDVI", "NIR", "RED", "SERIES", "SWIR", "bare_ground", "days_of", "series",
]  # fmt: skip

Floats = npt.NDArray[np.float32]

BANDS = ("red", "nir", "nir08", "swir16", "swir22")
"""Bands that are read."""
SERIES = ("ndvi", "nbr", "ndmi", "red", "nir", "swir16")
"""Three indices that vote, then three bands that tell haze, shade and water from bare ground."""
NDVI, NBR, NDMI, RED, NIR, SWIR = range(len(SERIES))

_UNSEEN = -32768
_BARE_NDVI, _BARE_NBR, _BARE_NDMI = 0.25, 0.10, 0.0


def series(looks: xr.Dataset) -> Floats:
    """
    Series of each pixel.

    Parameters
    ----------
    looks : Dataset
        ``reflectance``, int16, dims (band, time, y, x), reflectance * 10000, -32768 = not seen.

    Returns
    -------
    ndarray, float32, dims (series, look, pixel), unit 1
        In the order of :data:`SERIES`; NaN in all where one cannot be computed.

    Raises
    ------
    ContractError
        If a band is missing.
    """
    missing = sorted(set(BANDS) - set(map(str, looks["band"].to_numpy())))
    if missing:
        raise ContractError(
            f"the watch needs the bands {', '.join(BANDS)}, {', '.join(missing)} missing",
            zh=f"变化监测需要波段 {'、'.join(BANDS)}，缺少 {'、'.join(missing)}",
        )
    numbers = looks["reflectance"].sel(band=list(BANDS)).to_numpy()
    found = np.full(
        (len(SERIES), numbers.shape[1], math.prod(numbers.shape[2:])), np.nan, np.float32
    )
    for look in range(numbers.shape[1]):
        layer = numbers[:, look].reshape(len(BANDS), -1)
        red, nir, nir08, swir16, swir22 = layer.astype(np.float32) * np.float32(1e-4)
        seen = (layer != _UNSEEN).all(axis=0)
        pairs = ((nir, red), (nir08, swir22), (nir08, swir16))
        for plus, minus in pairs:
            seen &= plus + minus > 0
        for at, (plus, minus) in enumerate(pairs):
            ratio = np.divide(plus - minus, plus + minus, where=seen, out=found[at, look])
            np.clip(ratio, -1, 1, out=ratio)
        for at, band in ((RED, red), (NIR, nir), (SWIR, swir16)):
            np.copyto(found[at, look], band, where=seen)
    return found


def bare_ground(values: Floats) -> npt.NDArray[np.bool_]:
    """
    Tell which looks show bare ground beyond doubt, whatever a mask says.

    Rock and soil reflect more at 1.6 µm than in the near infrared, clouds less (Irish 2000, SPIE
    4049; taken up by Fmask: Zhu and Woodcock 2012, Remote Sensing of Environment 118).

    Parameters
    ----------
    values : ndarray, float32, dims (series, look, pixel)
        From :func:`series`.

    Returns
    -------
    ndarray, bool, dims (look, pixel)
        False where not seen.
    """
    ndvi, nbr, ndmi = values[NDVI], values[NBR], values[NDMI]
    with np.errstate(invalid="ignore"):
        bare: npt.NDArray[np.bool_] = (ndvi < _BARE_NDVI) & (nbr < _BARE_NBR) & (ndmi < _BARE_NDMI)
    return bare


def days_of(looks: xr.Dataset) -> npt.NDArray[np.int32]:
    """Days since 1970-01-01 of the looks, int32, dims (look,)."""
    return looks["time"].to_numpy().astype("datetime64[D]").astype(np.int32)
