"""The estimators by geomad and NumPy: the reference of :mod:`jinhua_rs.composite.kernels`."""

import geomad
import numpy as np
import numpy.typing as npt

__all__ = ["geomedian", "quantiles", "spreads"]

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int16]


def geomedian(looks: Numbers, use: Booleans, tolerance: float) -> Floats:
    """
    Find the geometric median of the looks of each pixel.

    Parameters
    ----------
    looks : ndarray, int16, dims (band, date, pixel), unit 1e-4 of reflectance
    use : ndarray, bool, dims (date, pixel)
        Looks that count; a look that counts is seen in all bands.
    tolerance : float, unit 1 (reflectance)
        The search ends where a step of Weiszfeld is shorter (geomad's ``eps``).

    Returns
    -------
    ndarray, float32, dims (band, pixel), unit 1 (reflectance)
        NaN where no look counts.
    """
    found = np.full((looks.shape[0], use.shape[1]), np.nan, np.float32)
    seen = use.any(axis=0)
    if seen.any():
        # One pixel a row: geomad starts the first pixel of a row from its mean, the others
        # from 0, and the answer for two looks depends on the start.
        pixels = np.where(use, looks * np.float32(1e-4), np.float32(np.nan))[:, :, seen]
        pixels = np.ascontiguousarray(pixels.transpose(2, 0, 1)[:, np.newaxis])
        found[:, seen] = geomad.nangeomedian_pcm(pixels, eps=tolerance, num_threads=1)[:, 0].T
    return found


def quantiles(values: Numbers | Floats, use: Booleans, shares: tuple[float, ...]) -> Floats:
    """
    Find quantiles over dates, linear between values, as ``numpy.nanquantile``.

    Pixels with equally many values are taken together, which is some hundred times as fast.

    Parameters
    ----------
    values : ndarray, int16 or float32, dims (set, date, pixel)
        NaN does not count.
    use : ndarray, bool, dims (date, pixel)
        Values that count.
    shares : tuple of float
        Quantiles wanted, 0-1.

    Returns
    -------
    ndarray, float32, dims (set, share, pixel), unit of ``values``
        NaN where nothing counts.
    """
    ordered = np.sort(np.where(use, values.astype(np.float32), np.float32(np.nan)), axis=1)
    ordered = ordered.swapaxes(0, 1)
    count = np.isfinite(ordered).sum(axis=0)
    found = np.full((len(shares), *count.shape), np.nan, np.float32)
    for number in np.unique(count[count > 0]):
        alike = count == number
        found[:, alike] = np.quantile(ordered[:number, alike], shares, axis=0)
    return found.swapaxes(0, 1)


def spreads(looks: Numbers, use: Booleans, centre: Floats) -> Floats:
    """
    Find the median cosine, Euclidean and Bray-Curtis distance of the looks from the centre.

    With x a look and m the centre: 1 - x.m / (|x| |m|), |x - m| and sum |x - m| / sum |x + m|
    (Roberts, Dunn, Mueller 2018, doi 10.1109/IGARSS.2018.8518312).

    Parameters
    ----------
    looks : ndarray, int16, dims (band, date, pixel), unit 1e-4 of reflectance
    use : ndarray, bool, dims (date, pixel)
        Looks that count.
    centre : ndarray, float32, dims (band, pixel), unit 1 (reflectance)

    Returns
    -------
    ndarray, float32, dims (spread, pixel); unit 1, the Euclidean one in reflectance
        NaN where no look has the distance: none counts, or all are 0 in all bands.
    """
    look, middle = looks * 1e-4, centre[:, np.newaxis].astype(np.float64)
    norms = np.sqrt((look**2).sum(axis=0)) * np.sqrt((middle**2).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.maximum(1 - (look * middle).sum(axis=0) / norms, 0)
        curtis = np.abs(look - middle).sum(axis=0) / np.abs(look + middle).sum(axis=0)
    euclid = np.sqrt(((look - middle) ** 2).sum(axis=0))
    away = np.stack([cosine, euclid, curtis]).astype(np.float32)
    return quantiles(away, use, (0.5,))[:, 0]
