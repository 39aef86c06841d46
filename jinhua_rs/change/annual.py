"""Forest change between two yearly maps: what moved enough, is likely, and is borne out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.ndimage import uniform_filter

from jinhua_rs.change.kernels.following import GAIN, LOSS
from jinhua_rs.change.nulls import BARE_NDVI
from jinhua_rs.change.reasons import reasons
from jinhua_rs.change.series import NDVI
from jinhua_rs.errors import ConfigError
from jinhua_rs.grid import require_same_grid
from jinhua_rs.schema import FOREST_CANOPY, TREE_CLASSES, Change, Forest, Land, check, described

__all__ = ["MARGIN", "Evidence", "forest_change", "tree_change"]

Codes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Booleans = npt.NDArray[np.bool_]

MARGIN = 0.10
"""Canopy cover must move by at least this much (half the cut of 0.20) to count as change."""

_LIKELY = 0.4
"""Least probability of a change, from the probabilities of both maps, and of its surroundings."""
_UNSEEN = 255
_STEPS = 250
_TREES = tuple(f"p{code:d}" for code in TREE_CLASSES)
_HALF = 0.5
_TENDED = (Land.ORCHARD, Land.CROPLAND)
_CONFIRMED = 2
"""Hits from which the watch bears a change out."""
_SURE = 3
"""Hits from which forest that the watch saw laid bare is lost, whatever the later map says."""

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


@dataclass(frozen=True, eq=False, slots=True)
class Evidence:
    """
    What else bears a change out or speaks against it; both may be missing.

    Attributes
    ----------
    between : Dataset, dims (y, x), or None
        Land of the same season in a year between the two, the later the better: ``p1`` .. ``p4``
        uint8 (1/250, 255 = not seen).
    watch : Dataset, dims (y, x), or None
        State of the watch on the later day, begun before or with the earlier map:
        ``alert_run``, ``alert_hits``, ``alert_size``, ``history``, ``history_looks``.
    """

    between: xr.Dataset | None = None
    watch: xr.Dataset | None = None


def tree_change(
    before: xr.Dataset, after: xr.Dataset, evidence: Evidence, *, margin: float = MARGIN
) -> xr.Dataset:
    """
    Compare two yearly maps and keep the changes that are likely and borne out.

    What :func:`forest_change` finds must also be likely: the product of the probabilities of
    trees in one map and of no trees in the other is at least 0.4, and so is its mean over the
    3 x 3 pixels around. A change that the watch did not see although it looked is none, nor is a
    gain that a year between does not show. Trees that grow among shrub are no event that a watch
    could see: where the year between shows them too, its silence says nothing, but for fields and
    orchards, which look like trees on other dates. Forest that the watch saw laid bare three
    times, and that has not come back, is lost even where the later map, which may not know such
    ground, says trees, or has not seen it: masks take fresh bare ground for cloud.

    Parameters
    ----------
    before, after : Dataset, dims (y, x)
        As for :func:`forest_change`, in memory; where both hold ``p1`` .. ``p4`` they are heard,
        where both hold ``landcover`` reasons are told.
    evidence : Evidence
    margin : float

    Returns
    -------
    Dataset, dims (y, x), uint8
        ``change`` (``schema.Change``), ``reason`` (:class:`~jinhua_rs.causes.Cause`, 0 = none)
        and ``change_confidence``: 0 no change, 1 the two maps alone, 2 borne out by a
        year between or by the watch, 3 by both.

    Raises
    ------
    ConfigError, ContractError, GridMismatch
        As :func:`forest_change`.
    """
    codes = forest_change(before, after, margin=margin).to_numpy().copy()
    lost, gained = codes == Change.LOSS, codes == Change.GAIN
    if set(_TREES) <= set(before.data_vars) & set(after.data_vars):
        was, now = _trees(before), _trees(after)
        lost &= _likely(was * (1 - now))
        gained &= _likely(now * (1 - was))
    told = _told(evidence, _slow(evidence.between, before), codes.shape)
    laid_bare = told.laid_bare & (before["forest"].to_numpy() == Forest.FOREST)
    kept = (lost & ~told.against_loss) | (gained & ~told.against_gain) | laid_bare
    for_it = np.where(gained, told.for_gain, told.for_loss)
    codes[laid_bare] = Change.LOSS
    codes[(codes == Change.LOSS) & ~kept] = Change.STABLE_FOREST
    codes[(codes == Change.GAIN) & ~kept] = Change.STABLE_OTHER
    found = {"change": codes, "change_confidence": np.where(kept, 1 + for_it, 0)}
    if "landcover" in before and "landcover" in after:
        classes = (one["landcover"].to_numpy() for one in (before, after))
        found["reason"] = reasons(codes, *classes)
    layers = {name: before["forest"].copy(data=array) for name, array in found.items()}
    return xr.Dataset({name: described(layer, name) for name, layer in layers.items()})


def _trees(land: xr.Dataset) -> Floats:
    """Probability of trees, NaN where not seen."""
    parts = [land[name].to_numpy() for name in _TREES]
    total = np.stack(parts).sum(axis=0, dtype=np.float32) / np.float32(_STEPS)
    return np.where(parts[0] == _UNSEEN, np.float32(np.nan), total)


def _likely(chance: Floats) -> Booleans:
    """Tell where a change is likely, by itself and with its neighbours."""
    known = np.nan_to_num(chance)
    around = uniform_filter(known, 3, mode="nearest")
    likely: Booleans = (known >= _LIKELY) & (around >= _LIKELY)
    return likely


@dataclass(frozen=True, eq=False, slots=True)
class _Told:
    """What evidence says: pieces of it for a change, whether any is against; dims (y, x)."""

    for_loss: Codes
    for_gain: Codes
    against_loss: Booleans
    against_gain: Booleans
    laid_bare: Booleans


def _slow(between: xr.Dataset | None, before: xr.Dataset) -> Booleans:
    """Tell where trees of the year between may have grown slowly: on no field, and canopy there."""
    shape = before["forest"].shape
    if between is None or not set(_TREES) <= set(between.data_vars):
        return np.zeros(shape, np.bool_)
    grown = _trees(between) >= _HALF
    if "canopy" in between:
        grown &= between["canopy"].to_numpy() >= FOREST_CANOPY
    if "landcover" in before:
        grown &= ~np.isin(before["landcover"].to_numpy(), _TENDED)
    return grown


def _told(evidence: Evidence, slow: Booleans, shape: tuple[int, ...]) -> _Told:
    """
    Hear the evidence.

    Trees in a year between do not speak against a loss: it may be of the last year. No trees
    there speak against a gain: none grows in one year.
    """
    counts, flags = np.zeros((2, *shape), np.uint8), np.zeros((3, *shape), np.bool_)
    told = _Told(*counts, *flags)
    if evidence.between is not None and set(_TREES) <= set(evidence.between.data_vars):
        trees = _trees(evidence.between)
        told.for_loss[...] += trees < _HALF
        told.for_gain[...] += slow
        told.against_gain[...] |= trees < _HALF
    if evidence.watch is not None:
        state = {name: array.to_numpy() for name, array in evidence.watch.data_vars.items()}
        run, hits = state["alert_run"], state["alert_hits"]
        nothing = (state["history_looks"] > 0) & (run == 0)
        told.for_loss[...] += (run == LOSS) & (hits >= _CONFIRMED)
        told.for_gain[...] += (run == GAIN) & (hits >= _CONFIRMED)
        told.against_loss[...] |= nothing | ((run == GAIN) & (hits >= _CONFIRMED))
        told.against_gain[...] |= (nothing & ~slow) | ((run == LOSS) & (hits >= _CONFIRMED))
        left = state["history"][NDVI, 0] + state["alert_size"]
        told.laid_bare[...] = (run == LOSS) & (hits >= _SURE) & (left < BARE_NDVI)
    return told
