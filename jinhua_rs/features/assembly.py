"""Composites to a stack of named features: what is asked for, in the order asked for."""

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

from jinhua_rs.errors import ContractError
from jinhua_rs.features.catalogue import INDICES, TERRAIN, part
from jinhua_rs.grid import require_same_grid
from jinhua_rs.scene import BAND_NAMES

__all__ = ["index_maps", "stack"]

_MAPPED = ("ndvi", "nbr", "ndmi", "bsi")
"""Indices that are kept as maps beside the land cover: mines and parcels are read from them."""


def index_maps(composite: xr.Dataset) -> xr.Dataset:
    """
    Return NDVI, NBR, NDMI and BSI of a composite, each where its bands are there.

    Returns
    -------
    Dataset, dims (y, x)
        float32, unit 1, NaN = not seen.
    """
    there = [name for name in _MAPPED if set(INDICES[name][1]) <= set(composite)]
    return xr.Dataset({name: _index(composite, name) for name in there})


def stack(
    own: xr.Dataset, wanted: Sequence[str], companions: Mapping[str, xr.Dataset] | None = None
) -> xr.DataArray:
    """
    Stack the features that are wanted.

    Parameters
    ----------
    own : Dataset, dims (y, x)
        Composite of the period with :func:`~jinhua_rs.features.texture` and
        :func:`~jinhua_rs.features.terrain` assigned to it, as far as they are wanted;
        float32, NaN = not seen.
    wanted : sequence of str
        Names as :func:`~jinhua_rs.features.names` gives them.
    companions : Mapping of Dataset
        Composite of each companion quarter, ``{"q1": ...}``, on the same grid.

    Returns
    -------
    DataArray, float32, dims (feature, y, x)
        ``feature`` holds ``wanted``. NaN = not seen: by the period, for features of a
        companion by that quarter, for terrain by the elevation model. What is NaN although
        the ground was seen (the spread of a single look, an index over two dark bands) is 0.

    Raises
    ------
    ContractError
        If a name is unknown, or what it is made from is not at hand.
    GridMismatch
        If a companion lies on another grid.
    """
    composites = {"": own, **(companions or {})}
    require_same_grid(*composites.values())
    seen = {season: _seen(data) for season, data in composites.items()}
    found = []
    for name in wanted:
        base, season, minus = part(name)
        if season not in composites:
            raise _missing(name, f"the composite of {season.upper()}")
        layer = _layer(composites[season], base, name, seen[season])
        found.append(_layer(own, base, name, seen[""]) - layer if minus else layer)
    label = pd.Index(list(wanted), name="feature")
    stacked = xr.concat(found, dim=label, coords="minimal", compat="override")
    return stacked.rename("features").astype("float32")


def _seen(composite: xr.Dataset) -> xr.DataArray:
    first = next((band for band in BAND_NAMES if band in composite), None)
    if first is None:
        raise _missing("a composite", "a band")
    return composite[first].notnull()


def _layer(composite: xr.Dataset, base: str, name: str, seen: xr.DataArray) -> xr.DataArray:
    if base in composite:
        layer = composite[base]
    elif base in INDICES and set(INDICES[base][1]) <= set(composite):
        layer = _index(composite, base)
    else:
        raise _missing(name, base)
    return layer if base in TERRAIN else layer.fillna(0.0).where(seen)


def _index(composite: xr.Dataset, name: str) -> xr.DataArray:
    index, wanted = INDICES[name]
    return index(*(composite[band] for band in wanted))


def _missing(name: str, what: str) -> ContractError:
    return ContractError(
        f"feature {name!r} needs {what}, which is not at hand; add it, or choose a model without",
        zh=f"特征 {name!r} 需要 {what}，现缺；请补充，或改用不含该特征的模型",
    )
