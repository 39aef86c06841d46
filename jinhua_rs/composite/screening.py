"""Which of a pixel's clear looks are used: those of the period, or of more days; no outliers."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Quantiles", "chosen", "screened", "witnesses"]

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int16]

_BRIGHT = ("blue", "green", "red")
_DARK = ("swir16", "swir22", "nir08", "nir")
_SIGMA = np.float32(1.4826)
"""Standard deviation of a normal distribution, in MADs."""
_FLOOR = np.float32(50)
"""
Least MAD, 1e-4 of reflectance: 0.005, so that a pixel whose few looks agree by chance loses none.
It lies between the typical errors of MODIS surface reflectance in good air (optical thickness
0.1), which are 0.006 in blue and 0.003 at 1640 nm (MODIS Land Surface Reflectance Science
Computing Facility, accuracy_uncertainty.html, bands 3 and 6).
"""
_KEPT = 3
"""Looks that always stay: a median of fewer is no witness against another."""


class Quantiles(Protocol):
    """Quantiles over dates, of either engine."""

    def __call__(
        self, values: Numbers | Floats, use: Booleans, shares: tuple[float, ...]
    ) -> Floats:
        """Find quantiles (set, share, pixel) of ``values`` (set, date, pixel)."""
        ...


def chosen(seen: Booleans, own: Booleans, widen_below: int) -> Booleans:
    """
    Choose the looks of each pixel: the period's own, or all where these are too few.

    Parameters
    ----------
    seen : ndarray, bool, dims (date, pixel)
        Clear looks.
    own : ndarray, bool, dims (date,)
        True for the days of the period, False for those around it.
    widen_below : int
        A pixel with fewer own clear looks uses all of its clear looks.

    Returns
    -------
    ndarray, bool, dims (date, pixel)
    """
    few = seen[own].sum(axis=0) < widen_below
    allowed: Booleans = seen & (own[:, np.newaxis] | few)
    return allowed


def witnesses(bands: Sequence[str]) -> tuple[tuple[int, float], ...]:
    """
    Find the bands that give cloud (too bright, 1) and shadow (too dark, -1) away.

    Cloud and haze show best in blue, else in green or red; shadow in the short-wave infrared,
    which air brightens least, else in the near infrared.

    >>> witnesses(("blue", "red", "nir", "swir16"))
    ((0, 1.0), (3, -1.0))
    >>> witnesses(("red",))
    ((0, 1.0),)
    """
    bright = next((band for band in _BRIGHT if band in bands), None)
    dark = next((band for band in _DARK if band in bands), None)
    found = [(bands.index(bright), 1.0)] if bright else []
    return (*found, (bands.index(dark), -1.0)) if dark else tuple(found)


def screened(
    looks: Numbers, signs: Sequence[float], use: Booleans, limit: float, quantiles: Quantiles
) -> Booleans:
    """
    Leave out looks that are far brighter or darker than is usual for their pixel.

    Parameters
    ----------
    looks : ndarray, int16, dims (witness, date, pixel), unit 1e-4 of reflectance
        Bands that give an outlier away: see :func:`witnesses`.
    signs : sequence of float
        For each witness 1 (an outlier is bright) or -1 (dark).
    use : ndarray, bool, dims (date, pixel)
        Looks to judge, and to judge by.
    limit : float
        Deviations (1.4826 MAD) from the pixel's median that are borne on that side.
    quantiles : callable
        Of the engine.

    Returns
    -------
    ndarray, bool, dims (date, pixel)
        ``use`` without the outliers. The three looks that are least off always stay, so that
        a pixel needs four looks to lose one; of equals none is left out.
    """
    off = looks - quantiles(looks, use, (0.5,))
    spread = _SIGMA * np.maximum(quantiles(np.abs(off), use, (0.5,)), _FLOOR)
    side = np.asarray(signs, np.float32)[:, np.newaxis, np.newaxis]
    score = (side * off / spread).max(axis=0)
    score = np.where(use, np.maximum(score, 0), np.float32(np.inf))
    bar = np.maximum(_least(score, _KEPT), np.float32(limit))
    kept: Booleans = use & (score <= bar)
    return kept


def _least(score: Floats, rank: int) -> Floats:
    """Find the ``rank``-th least of each pixel, infinite where it has fewer."""
    least = np.full((rank, score.shape[1]), np.inf, np.float32)
    for given in score:
        rest = given
        for row in least:
            row[:], rest = np.minimum(row, rest), np.maximum(row, rest)
    found: Floats = least[-1]
    return found
