"""From a composite to the named features a model reads."""

from collections.abc import Callable, Sequence

import pandas as pd
import xarray as xr

from jinhua_rs import indices

__all__ = ["index_maps", "names", "stack"]

_INDICES: dict[str, tuple[Callable[..., xr.DataArray], tuple[str, ...]]] = {
    "ndvi": (indices.ndvi, ("red", "nir")),
    "nbr": (indices.nbr, ("nir08", "swir22")),
    "ndmi": (indices.ndmi, ("nir08", "swir16")),
    "ndre": (indices.ndre, ("rededge1", "nir08")),
    "bsi": (indices.bsi, ("blue", "red", "nir", "swir16")),
    "ndwi": (indices.ndwi, ("green", "nir")),
}
_SPREADS = ("smad", "emad", "bcmad")
_MAPPED = ("ndvi", "nbr", "ndmi", "bsi")
"""Indices that are kept as maps beside the land cover: mines and parcels are read from them."""


def names(bands: Sequence[str]) -> tuple[str, ...]:
    """
    Names of the features that ``bands`` allow, in the order in which models read them.

    >>> names(("green", "red", "nir"))
    ('green', 'red', 'nir', 'ndvi', 'ndwi', 'smad', 'emad', 'bcmad')
    """
    allowed = (name for name, (_, needs) in _INDICES.items() if set(needs) <= set(bands))
    return (*bands, *allowed, *_SPREADS)


def index_maps(composite: xr.Dataset) -> xr.Dataset:
    """
    Return NDVI, NBR, NDMI and BSI of a composite, each where its bands are there.

    Returns
    -------
    Dataset, dims (y, x)
        float32, unit 1, NaN = not seen.
    """
    there = {name: _INDICES[name] for name in _MAPPED if set(_INDICES[name][1]) <= set(composite)}
    return xr.Dataset(
        {name: index(*(composite[b] for b in needs)) for name, (index, needs) in there.items()}
    )


def stack(composite: xr.Dataset, bands: Sequence[str]) -> xr.DataArray:
    """
    Stack bands, indices and spreads of a composite.

    Parameters
    ----------
    composite : Dataset, dims (y, x)
        Holds ``bands`` and ``smad``, ``emad``, ``bcmad``; float32, NaN = not seen.
    bands : sequence of str
        Canonical band names.

    Returns
    -------
    DataArray, float32, dims (feature, y, x)
        ``feature`` holds :func:`names`. A spread that is NaN where the bands are seen
        (a single clear look has none) is 0; NaN otherwise means not seen.
    """
    found = []
    for name in names(bands):
        if name in _INDICES:
            index, needs = _INDICES[name]
            found.append(index(*(composite[band] for band in needs)))
        elif name in _SPREADS:
            found.append(composite[name].fillna(0.0).where(composite[bands[0]].notnull()))
        else:
            found.append(composite[name])
    label = pd.Index(names(bands), name="feature")
    stacked = xr.concat(found, dim=label, coords="minimal", compat="override")
    return stacked.rename("features").astype("float32")
