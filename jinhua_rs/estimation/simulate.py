"""
Do intervals hold what they promise? Samples drawn again and again from a known truth.

Every number here is simulated. The intervals are those of :mod:`jinhua_rs.estimation.area`, made
by the same functions, for all repetitions at once.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from jinhua_rs.errors import ConfigError, ContractError
from jinhua_rs.estimation.intervals import (
    Array,
    effective_size,
    floored,
    one_more_change,
    quantile_of,
    t_interval,
    wilson,
)
from jinhua_rs.estimation.verdicts import leaves_0_out

__all__ = ["WHOLE", "simulate_changes", "simulate_coverage"]

WHOLE = "all"
"""Name of all units together."""

_Z = 1.96


def simulate_coverage(
    truth: ArrayLike,
    map_: ArrayLike,
    unit: ArrayLike,
    n_by_stratum: int | Mapping[tuple[Hashable, Hashable], int],
    repeats: int,
    seed: int | np.random.Generator,
) -> pd.DataFrame:
    """
    Share of repeated stratified samples whose interval holds the true share of a class.

    Parameters
    ----------
    truth : array of bool or 0/1, any dims
        Whether each pixel truly is of the class.
    map_ : array, dims as ``truth``
        Map class of each pixel, the class "not seen" included.
    unit : array, dims as ``truth``
        Reporting unit of each pixel. Strata are unit × map class.
    n_by_stratum : int or Mapping
        Points of every stratum, or of each ``(unit, map class)``; at least 2, and at most as many
        as the stratum has pixels.
    repeats : int
        Samples drawn, without replacement.
    seed : int or Generator
        Where chance comes from.

    Returns
    -------
    DataFrame, index unit, and :data:`WHOLE`
        ``truth`` and ``mean`` of the estimates (shares, 0-1), ``n`` points, ``pixels``,
        ``covered``: share of Wilson intervals that hold the truth, ``covered_normal``: of the
        value ± 1.96 standard errors, ``width``: mean width of the Wilson interval, ``se_ratio``:
        mean standard error over the scatter of the estimates (1 is right; NaN without scatter),
        ``missed``: expected number of points of the less frequent kind in their stratum. Below
        about 15 of them the counts are too coarse for exactly 95 %; Wilson's interval, with
        some variance even where all points agree, then holds more, up to 99 %.

    Raises
    ------
    ContractError
        If the arrays differ in shape or ``truth`` is not 0/1.
    ConfigError
        If a stratum is given fewer than 2 points or more than it has pixels.
    """
    strata = _strata(truth, map_, unit)
    n = _points(strata, n_by_stratum)
    rng = np.random.default_rng(seed)
    good = strata["good"].to_numpy(dtype="int64")
    bad = strata["pixels"].to_numpy(dtype="int64") - good
    hits = rng.hypergeometric(good, bad, n, size=(repeats, len(n)))
    owner = strata["unit"].to_numpy()
    chosen = _of_units(owner)
    pixels = strata["pixels"].to_numpy(dtype="float64")
    found = {
        name: _covered(pixels[of], good[of] / pixels[of], n[of], hits[:, of])
        for name, of in chosen.items()
    }
    return pd.DataFrame.from_dict(found, orient="index")


def _of_units(owner: Array) -> dict[Hashable, Array]:
    """Which strata are of each unit, and of the whole."""
    every = np.full(len(owner), fill_value=True)
    return {name: owner == name for name in pd.unique(owner)} | {WHOLE: every}


def _strata(truth: ArrayLike, map_: ArrayLike, unit: ArrayLike) -> pd.DataFrame:
    """Count ``pixels`` and ``good`` pixels of each stratum, ``unit`` × ``map``."""
    arrays = [np.asarray(array).ravel() for array in (truth, map_, unit)]
    if len({np.asarray(array).shape for array in (truth, map_, unit)}) != 1:
        raise ContractError(
            "truth, map and unit differ in shape", zh="真值、地图与单元数组形状不一致"
        )
    if not np.isin(arrays[0], (0, 1)).all():
        raise ContractError("truth must be 0 or 1 everywhere", zh="真值须全部为 0 或 1")
    units, unit_code = np.unique(arrays[2], return_inverse=True)
    classes, class_code = np.unique(arrays[1], return_inverse=True)
    place = unit_code * len(classes) + class_code
    size = len(units) * len(classes)
    pixels = np.bincount(place, minlength=size)
    good = np.bincount(place, arrays[0].astype("float64"), minlength=size)
    at_unit, at_class = np.divmod(np.arange(size), len(classes))
    table = pd.DataFrame(
        {"unit": units[at_unit], "map": classes[at_class], "pixels": pixels, "good": good}
    )
    return table[table["pixels"] > 0].reset_index(drop=True)


def _points(
    strata: pd.DataFrame, n_by_stratum: int | Mapping[tuple[Hashable, Hashable], int]
) -> Array:
    names = list(zip(strata["unit"].tolist(), strata["map"].tolist(), strict=True))
    if isinstance(n_by_stratum, int):
        n = np.full(len(names), n_by_stratum)
    else:
        n = np.array([n_by_stratum.get(name, 0) for name in names])
    wrong = (n < 2) | (n > strata["pixels"].to_numpy())
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ConfigError(
            f"stratum {names[at]} of {strata['pixels'].iloc[at]} pixels cannot hold {n[at]} "
            "points; give it 2 or more, and no more than it has pixels",
            zh=f"分层 {names[at]}（{strata['pixels'].iloc[at]} 个像元）不能抽取 {n[at]} 个样点；"
            "应不少于 2 个且不多于像元数",
        )
    return n


def _covered(pixels: Array, rates: Array, n: Array, hits: Array) -> dict[str, float]:
    share = pixels / pixels.sum()
    truth = float(share @ rates)
    mean = hits / n
    spread = mean * (1 - mean) / (n - 1)
    value, plain = mean @ share, spread @ share**2
    variance = floored(share, mean, n, spread, (0, 1)) @ share**2
    size = effective_size(value, variance, 1 / (share**2 / n).sum())
    low, high = wilson(value, size, quantile_of(n.sum(), n.size))
    scatter = float(value.std(ddof=1))
    half = _Z * np.sqrt(plain)
    return {
        "truth": truth,
        "mean": float(value.mean()),
        "n": int(n.sum()),
        "pixels": int(pixels.sum()),
        "covered": _held(low, truth, high),
        "covered_normal": _held(value - half, truth, value + half),
        "width": float((high - low).mean()),
        "se_ratio": float(np.sqrt(plain).mean()) / scatter if scatter > 0 else np.nan,
        "missed": float((n * np.minimum(rates, 1 - rates)).sum()),
    }


def _held(low: Array, truth: float, high: Array) -> float:
    return float(((low <= truth + 1e-12) & (truth - 1e-12 <= high)).mean())


@dataclass(frozen=True, slots=True)
class _Panel:
    """Strata of one unit: shares of its area, chances of loss and gain, points."""

    share: Array
    lost: Array
    gained: Array
    n: Array


def simulate_changes(
    strata: pd.DataFrame, repeats: int, seed: int | np.random.Generator
) -> pd.DataFrame:
    """
    How often repeated panels claim a change, and how often their interval holds the true one.

    Parameters
    ----------
    strata : DataFrame
        One row a stratum: ``unit``, ``area_m2``, ``n`` (points, ≥ 2), ``lost`` and ``gained``:
        chance that a point reads as loss or gain between the periods, misreadings included.
        Equal chances everywhere are a history without change, read by people who err.
    repeats : int
        Panels drawn.
    seed : int or Generator
        Where chance comes from.

    Returns
    -------
    DataFrame, index unit, and :data:`WHOLE`
        ``truth`` and ``mean`` (shares), ``n``, ``claimed``: share of panels whose interval leaves
        0 out, ``covered``: share whose interval holds the truth, ``width``.

    Raises
    ------
    ConfigError
        If a stratum has fewer than 2 points, or chances that are none.
    """
    lost, gained = (strata[name].to_numpy(dtype="float64") for name in ("lost", "gained"))
    n = strata["n"].to_numpy(dtype="int64")
    if (n < 2).any() or not ((lost >= 0) & (gained >= 0) & (lost + gained <= 1)).all():
        raise ConfigError(
            "every stratum needs 2 points or more, and chances of loss and gain between 0 and 1",
            zh="每个分层至少需要 2 个样点，损失与增加概率须在 0–1 之间",
        )
    rng = np.random.default_rng(seed)
    losses = rng.binomial(n, lost, size=(repeats, len(n)))
    gains = rng.binomial(n - losses, gained / np.maximum(1 - lost, 1e-300))
    area, owner = strata["area_m2"].to_numpy(dtype="float64"), strata["unit"].to_numpy()
    chosen = _of_units(owner)
    found = {
        name: _claimed(
            _Panel(area[of] / area[of].sum(), lost[of], gained[of], n[of]),
            losses[:, of],
            gains[:, of],
        )
        for name, of in chosen.items()
    }
    return pd.DataFrame.from_dict(found, orient="index")


def _claimed(panel: _Panel, losses: Array, gains: Array) -> dict[str, float]:
    share, n = panel.share, panel.n
    truth = float(share @ (panel.gained - panel.lost))
    mean = (gains - losses) / n
    spread = np.maximum((gains + losses) / n - mean**2, 0.0) / (n - 1)
    spread = floored(share, mean, n, np.where(spread * n < 1e-12, 0.0, spread), (-1, 0, 1))
    value = mean @ share
    variance = spread @ share**2 + one_more_change(share, n)
    low, high = t_interval(value, variance, quantile_of(n.sum(), n.size), (-1, 1))
    return {
        "truth": truth,
        "mean": float(value.mean()),
        "n": int(n.sum()),
        "claimed": float(leaves_0_out(low, high).mean()),
        "covered": _held(low, truth, high),
        "width": float((high - low).mean()),
    }
