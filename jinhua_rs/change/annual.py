"""Forest change between two periods: a pixel changes only if its canopy, if known, moved enough."""

import numpy as np
import numpy.typing as npt
import xarray as xr

from jinhua_rs.errors import ConfigError
from jinhua_rs.grid import require_same_grid
from jinhua_rs.schema import Change, Forest, check, described

__all__ = ["MARGIN", "forest_change"]

MARGIN = 0.10
"""Canopy cover must move by at least this much (half the cut of 0.20) to count as change."""

_ROUNDING = 1e-6
"""Canopy is float32: 0.30 - 0.20 is 0.10 to seven digits, and must count as 0.10."""


def forest_change(before: xr.Dataset, after: xr.Dataset, *, margin: float = MARGIN) -> xr.DataArray:
    """
    Compare the tree cover of two periods of one season.

    A pixel is gain or loss only if its forest code differs **and** its canopy cover moved by
    at least ``margin``; a pixel that merely wavers about the cut keeps its state before.
    Exchanging the two periods exchanges gain and loss.

    Where either period lacks ``canopy`` (its model names classes only), a change needs only
    differing forest codes: what wavers about the cut then counts, and more change is false.

    Parameters
    ----------
    before, after : Dataset, dims (y, x)
        ``forest`` uint8 (:class:`~jinhua_rs.schema.Forest`, 0 = not seen) and, if it is known,
        ``canopy`` float32 (0-1, NaN = not seen), on one grid. May be lazy (dask).
    margin : float
        Least change of canopy cover, 0-1; without effect where either lacks ``canopy``.

    Returns
    -------
    DataArray, uint8, dims (y, x), lazy if an input is
        :class:`~jinhua_rs.schema.Change` codes; 0 where a period was not seen.

    Raises
    ------
    ConfigError
        If ``margin`` does not lie within 0-1.
    ContractError
        If ``forest`` is missing, or a variable has another dtype.
    GridMismatch
        If the two do not lie on one grid.
    """
    if not 0 <= margin <= 1:
        raise ConfigError(
            f"the margin of forest change is a canopy cover between 0 and 1, got {margin}",
            zh=f"林地变化阈值是 0–1 之间的林冠覆盖度差，现为 {margin}",
        )
    for data in (before, after):
        check(data, "forest", *({"canopy"} & set(data.data_vars)))
    require_same_grid(before, after)
    both = "canopy" in before and "canopy" in after
    canopies = (before["canopy"], after["canopy"]) if both else ()
    codes = xr.apply_ufunc(
        _codes,
        before["forest"],
        after["forest"],
        *canopies,
        kwargs={"margin": margin},
        dask="parallelized",
        output_dtypes=[np.uint8],
    )
    return described(codes, "change")


def _codes(
    was: npt.NDArray[np.uint8],
    now: npt.NDArray[np.uint8],
    *canopies: npt.NDArray[np.float32],
    margin: float,
) -> npt.NDArray[np.uint8]:
    unseen = (was == Forest.UNSEEN) | (now == Forest.UNSEEN)
    moved = was != now
    if canopies:
        canopy_was, canopy_now = canopies
        unseen |= np.isnan(canopy_was) | np.isnan(canopy_now)
        moved &= np.abs(canopy_now - canopy_was) >= margin - _ROUNDING
    was_forest, now_forest = was == Forest.FOREST, now == Forest.FOREST
    cases = [unseen, moved & now_forest & ~was_forest, moved & was_forest & ~now_forest, was_forest]
    codes = [Change.UNSEEN, Change.GAIN, Change.LOSS, Change.STABLE_FOREST]
    return np.select(cases, codes, Change.STABLE_OTHER).astype(np.uint8)
