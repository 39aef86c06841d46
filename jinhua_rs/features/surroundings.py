"""What a pixel's surroundings tell: the texture of near infrared, and the lie of the land."""

import numpy as np
import numpy.typing as npt
import xarray as xr

from jinhua_rs.features.catalogue import TERRAIN, TEXTURE
from jinhua_rs.schema import described

__all__ = ["RIM", "terrain", "texture"]

RIM = 2
"""Pixels beyond a tile that its texture looks at: windows are 5 x 5."""

Floats = npt.NDArray[np.float32]


def texture(nir: Floats, like: xr.DataArray) -> xr.Dataset:
    """
    Measure how rough the canopy looks: rows of an orchard are, a closed canopy is not.

    A cheap stand-in for grey-level co-occurrence: contrast in a GLCM window rises with the
    variance of that window (Haralick et al. 1973). Sums are taken in one order for every pixel,
    so that a pixel has the same texture, to the bit, on whichever tile it lies.

    Parameters
    ----------
    nir : ndarray, float32, dims (y, x), unit 1
        Reflectance of the tile with a rim of :data:`RIM` pixels of its neighbours on each side;
        NaN = not seen, in the rim also where there is no neighbour: it is left out of the window.
    like : DataArray, dims (y, x)
        Gives the tile's coordinates.

    Returns
    -------
    Dataset, dims (y, x)
        ``nir_sd`` standard deviation in 5 x 5 pixels, ``nir_relief`` pixel less their mean;
        float32, unit 1, NaN where the pixel itself is not seen.
    """
    seen = np.isfinite(nir)
    values = np.where(seen, nir, 0).astype(np.float64)
    number = np.maximum(_windows(seen.astype(np.float64)), 1)
    mean = _windows(values) / number
    spread = np.sqrt(np.maximum(_windows(values**2) / number - mean**2, 0))
    own = nir[RIM:-RIM, RIM:-RIM]
    layers = np.where(np.isnan(own), np.nan, spread), own - mean
    return _dataset(TEXTURE, layers, like)


def _windows(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum over 5 x 5 pixels, without the rim."""
    height, width = (size - 2 * RIM for size in values.shape)
    rows, total = np.zeros((height, values.shape[1])), np.zeros((height, width))
    for at in range(2 * RIM + 1):
        rows += values[at : at + height]
    for at in range(2 * RIM + 1):
        total += rows[:, at : at + width]
    return total


def terrain(height: Floats, pixel: float, like: xr.DataArray) -> xr.Dataset:
    """
    Describe the lie of the land by central differences.

    Parameters
    ----------
    height : ndarray, float32, dims (y, x), unit m
        Elevation of the tile with a rim of one pixel, north up; NaN = not known.
    pixel : float
        Side of a pixel, metres.
    like : DataArray, dims (y, x)
        Gives the tile's coordinates.

    Returns
    -------
    Dataset, dims (y, x)
        ``elevation`` (m), ``slope`` (degree), ``northness`` and ``eastness``: the components of
        the surface's unit normal, 0 on the flat, positive where it faces north or east
        (with the sun in the south-east at 10:40, what decides how a slope is lit). float32,
        NaN where height is not known here or beside.
    """
    south = (height[2:, 1:-1] - height[:-2, 1:-1]) / (2 * pixel)
    east = (height[1:-1, 2:] - height[1:-1, :-2]) / (2 * pixel)
    steep = np.hypot(south, east)
    length = np.hypot(1, steep)
    own = np.where(np.isnan(steep), np.nan, height[1:-1, 1:-1])
    layers = own, np.degrees(np.arctan(steep)), south / length, -east / length
    return _dataset(TERRAIN, layers, like)


def _dataset(
    names: tuple[str, ...], layers: tuple[npt.NDArray[np.floating], ...], like: xr.DataArray
) -> xr.Dataset:
    return xr.Dataset(
        {
            name: described(like.copy(data=layer.astype(np.float32)), name)
            for name, layer in zip(names, layers, strict=True)
        }
    )
