"""The watch over one piece of ground: a history to begin with, then one quarter after another."""

from datetime import date
from typing import cast

import numpy as np
import numpy.typing as npt
import xarray as xr

from jinhua_rs.causes import NULLS, Alert, Cause
from jinhua_rs.change.kernels.fitting import TERMS, fit, terms
from jinhua_rs.change.kernels.following import DOUBT, State, follow
from jinhua_rs.change.nulls import Run, explain, guess, out_of_leaf
from jinhua_rs.change.series import NDVI, SERIES, bare_ground, days_of, series
from jinhua_rs.change.votes import Said, judge
from jinhua_rs.errors import ContractError
from jinhua_rs.grid import require_same_grid
from jinhua_rs.schema import described
from jinhua_rs.settings import Alerts

__all__ = ["advance", "begin"]

Bytes = npt.NDArray[np.uint8]

_CUT = 3.0
"""Robust deviations from which a look of the history is left out."""
_STABLE = 0.25
"""NDVI and NBR must not lie further than this off their course in the last year of the history."""
_PATIENCE, _FIRM, _FIRM_PATIENCE = 2, 3, 4
_EPOCH = date(1970, 1, 1)
_MEMORY = {
    "alert_run": "uint8", "alert_hits": "uint8", "alert_calm": "uint8", "alert_day": "int32",
    "alert_last": "int32", "alert_size": "float32", "n_looks": "uint16",
}  # fmt: skip
"""What the recursion reads and writes, in its order."""


def begin(looks: xr.Dataset, options: Alerts, *, prior: npt.NDArray[np.uint8] | None) -> xr.Dataset:
    """
    Learn the usual course of each pixel from the looks before the watch.

    A robust fit of one year's harmonics (two from ``two_harmonics_from`` looks on) to NDVI,
    NBR, NDMI, red, near infrared and SWIR. A pixel with fewer than ``min_looks`` clear looks,
    or whose history is itself a change, is not watched. Where clear looks are too few, cloudy
    ones count that show bare ground beyond doubt: masks take rock and pits for cloud at every date,
    and what is not watched cannot be seen to heal.

    Parameters
    ----------
    looks : Dataset
        What ``cube.read`` gives: ``reflectance`` int16, dims (band, time, y, x), and ``clear``
        bool, dims (time, y, x).
    prior : ndarray, uint8, dims (y, x), optional
        ``schema.Land`` before the watch, 0 = not known; what is not known is guessed from the
        history.

    Returns
    -------
    Dataset, dims (y, x) and (series, term, y, x)
        A state, see :func:`advance`.
    """
    shape = looks.sizes["y"], looks.sizes["x"]
    values, days = series(looks), days_of(looks)
    clear = looks["clear"].to_numpy().reshape(values.shape[1:]) & np.isfinite(values[NDVI])
    few = clear.sum(axis=0) < options.min_looks
    use = clear | (bare_ground(values) & few)
    least = (options.min_looks, max(options.min_looks, options.two_harmonics_from))
    course, spread, kept = fit(values, use, terms(days), least, _CUT)
    unsound = _unsound(values, use, days, course) | (np.abs(course) > 3).any(axis=(0, 1))
    course[..., unsound], spread[:, unsound], kept[unsound] = np.nan, np.nan, 0
    course, spread = (np.round(array, 4) for array in (course, spread))  # as the store keeps them
    known = guess(course[NDVI]) if prior is None else prior.ravel()
    known = np.where(known == 0, guess(course[NDVI]), known)
    nothing = {**_MEMORY, "last_look": "int32"}
    empty = {name: np.zeros(shape, kind) for name, kind in nothing.items()}
    state = xr.Dataset(
        {
            "history": (("series", "term", "y", "x"), course.reshape(*course.shape[:2], *shape)),
            "history_spread": (("series", "y", "x"), spread.reshape(len(SERIES), *shape)),
            "history_looks": (("y", "x"), kept.reshape(shape)),
            "alert_prior": (("y", "x"), known.reshape(shape).astype(np.uint8)),
            **{name: (("y", "x"), array) for name, array in empty.items()},
        },
        coords={name: looks[name] for name in looks.coords if name not in ("band", "time")},
    )
    return _told(state, None)


def advance(state: xr.Dataset, looks: xr.Dataset, options: Alerts) -> xr.Dataset:
    """
    Take the looks of one more quarter into account.

    Parameters
    ----------
    state : Dataset
        From :func:`begin` or :func:`advance`; not changed.
    looks : Dataset
        As for :func:`begin`, on the grid of ``state``, all later than what it has seen.

    Returns
    -------
    Dataset, dims (y, x)
        What may be published: ``alert`` (:class:`~jinhua_rs.causes.Alert`, 0 = not watched),
        ``alert_confidence`` (0 none, 1 low, 2 high, 3 highest: independent looks that show it),
        ``alert_day`` and ``alert_last`` (first and last of them, days since 1970-01-01, 0 =
        none), ``alert_cause`` (:class:`~jinhua_rs.causes.Cause`), ``alert_size`` (mean NDVI off
        its course, 0 = none, NaN = not watched), ``n_looks`` (looks watched so far). And what
        the next quarter needs: ``alert_run``, ``alert_hits``, ``alert_calm``, ``alert_prior``,
        ``last_look``, ``history``, ``history_spread``, ``history_looks``.

    Raises
    ------
    ContractError
        If a look is not later than the last one of ``state``: quarters go one after another.
    GridMismatch
        If the looks lie on another grid.
    """
    days = days_of(looks)
    require_same_grid(state, looks)
    if days.size and (np.diff(days) <= 0).any():
        raise ContractError(
            "looks are not in order of time, or a day comes twice; pass each day once, upward",
            zh="观测未按时间排列或有重复日期；请按时间顺序逐日给出",
        )
    if days.size and days[0] <= int(state["last_look"].max()):
        raise ContractError(
            f"looks from {_EPOCH.fromordinal(_EPOCH.toordinal() + int(days[0]))} on were watched "
            "already; go on with the next quarter, or begin anew",
            zh="这些观测早于状态中已处理的观测；请按季度顺序继续，或重新开始监测",
        )
    looks = looks.isel(time=np.flatnonzero(_in_season(days, options)))
    values, days = series(looks), days_of(looks)
    course = state["history"].to_numpy().reshape(len(SERIES), TERMS, -1)
    basis = terms(days).astype(np.float32)
    for look in range(days.size):
        values[:, look] -= np.einsum("stp,t->sp", course, basis[look])
    clear = looks["clear"].to_numpy().reshape(values.shape[1:])
    shape = looks.sizes["y"], looks.sizes["x"]
    spread = state["history_spread"].to_numpy().reshape(len(SERIES), -1)
    said = judge(values, spread, clear, shape, options)
    prior = state["alert_prior"].to_numpy().ravel()
    said.votes[out_of_leaf(course[NDVI], days, prior, options.in_leaf)] = DOUBT
    memory = {name: state[name].to_numpy().ravel().astype(kind) for name, kind in _MEMORY.items()}
    memory["alert_size"] = np.nan_to_num(memory["alert_size"])
    rule = options.gap_days, _PATIENCE, _FIRM, _FIRM_PATIENCE
    follow(said.votes, values[NDVI], days, cast("State", tuple(memory.values())), rule)
    seen = np.where(said.votes != DOUBT, days[:, None], 0).max(axis=0, initial=0)
    memory["last_look"] = np.maximum(state["last_look"].to_numpy().ravel(), seen)
    after = {name: (("y", "x"), array.reshape(shape)) for name, array in memory.items()}
    return _told(state.assign(after), said)


def _in_season(days: npt.NDArray[np.int32], options: Alerts) -> npt.NDArray[np.bool_]:
    """Tell which days may count."""
    whole = days.astype("datetime64[D]")
    day = (whole - whole.astype("datetime64[Y]")).astype(np.int64) + 1
    inside: npt.NDArray[np.bool_] = (options.first_day <= day) & (day <= options.last_day)
    return inside


def _unsound(
    values: npt.NDArray[np.float32],
    use: npt.NDArray[np.bool_],
    days: npt.NDArray[np.int32],
    course: npt.NDArray[np.float32],
) -> npt.NDArray[np.bool_]:
    """Tell where the last year of the history lies off its course, so that it is no history."""
    late = np.flatnonzero(days > days.max(initial=0) - 365)
    off = np.full((2, len(late), use.shape[1]), np.nan, np.float32)
    for at, look in enumerate(late):
        expected = np.einsum("stp,t->sp", course[:2], terms(days[look : look + 1])[0])
        off[:, at] = np.where(use[look], values[:2, look] - expected, np.nan)
    if not late.size:
        return np.ones(use.shape[1], np.bool_)
    ordered = np.sort(off, axis=1)  # NaN last
    count = np.isfinite(ordered[0]).sum(axis=0)
    middle = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None, None] // 2, axis=1)[:, 0]
    return np.asarray((np.abs(middle) > _STABLE).any(axis=0))


def _told(state: xr.Dataset, said: Said | None) -> xr.Dataset:
    """Add what may be published of a state."""
    watched = state["history_looks"].to_numpy() > 0
    memory = {name: state[name].to_numpy() for name in state.data_vars}
    run = Run(
        direction=memory["alert_run"],
        first=memory["alert_day"],
        last=memory["alert_last"],
        size=memory["alert_size"],
        level=memory["history"][NDVI, 0],
        prior=memory["alert_prior"],
    )
    cause = explain(run)
    alert = np.where(memory["alert_run"] > 0, memory["alert_run"], Alert.NONE)
    alert[np.isin(cause, NULLS)] = Alert.NONE
    if said is not None:
        quiet = memory["alert_run"] == 0
        for count, null in (
            (said.haze, Cause.CLOUD), (said.shade, Cause.SHADE), (said.flood, Cause.FLOOD),
            (said.fault, Cause.SCENE_FAULT),
        ):  # fmt: skip
            cause[quiet & (count.reshape(cause.shape) > 0)] = null
    alert[~watched], cause[~watched] = Alert.UNSEEN, Cause.NONE
    size = np.where(watched, np.round(memory["alert_size"], 4), np.nan)
    confidence = np.where(alert > Alert.NONE, np.minimum(memory["alert_hits"], 3), 0)
    fresh = {"alert": alert, "alert_cause": cause, "alert_confidence": confidence}
    fresh["alert_size"] = size
    told = state.assign({name: (("y", "x"), array) for name, array in fresh.items()})
    return told.assign({name: described(array, str(name)) for name, array in told.items()})
