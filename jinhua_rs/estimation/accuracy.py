"""
Areas and accuracies of a map's classes from a sample: for the whole, and unit by unit.

Which estimator holds follows from the sample itself and is named in the result:
``olofsson-2014`` where the strata are the map's classes, ``stehman-2014`` everywhere else.
Areas are m² inside; nothing is ever a bare "area_m2".
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from jinhua_rs.errors import NoDataError
from jinhua_rs.estimation.area import Estimate
from jinhua_rs.estimation.counting import Tally, count, tallies, units_of
from jinhua_rs.estimation.ground import Ground, Remark, few
from jinhua_rs.estimation.intervals import Array, effective_size, floored, quantile_of, wilson
from jinhua_rs.estimation.ratio import Tallies, mean, moments, ratio

__all__ = ["OLOFSSON", "STEHMAN", "Estimates", "estimate"]

OLOFSSON, STEHMAN = "olofsson-2014", "stehman-2014"
"""Names of the estimators: Remote Sensing of Environment 148; Int. J. of Remote Sensing 35."""

_Z = 1.96  # as printed in Olofsson et al. 2014
_FEW = 20  # points of a stratum below which a warning is given


@dataclass(frozen=True, slots=True)
class Estimates:
    """
    What a sample says of a map, over the whole area or one unit of it.

    Attributes
    ----------
    unit : str
        Name of the unit; ``""`` for the whole.
    estimator : str
        :data:`OLOFSSON` or :data:`STEHMAN`; ``""`` where nothing could be estimated.
    n : int
        Points used.
    area_m2 : float
        Area the classes add up to.
    area_known : bool
        False for a unit whose area is itself estimated from the sample.
    classes : DataFrame, index class name
        m²: ``area_m2``, ``area_se_m2``; ``area_low_m2``, ``area_high_m2`` the value ± 1.96 standard
        errors, kept between 0 and the whole; ``area_wilson_low_m2``, ``area_wilson_high_m2`` the
        interval for small samples. Shares: user's accuracy ``ua``, ``ua_se``, ``ua_low``,
        ``ua_high`` and producer's accuracy ``pa…``, with Wilson's interval; NaN: the class was
        never mapped, or never met.
    overall : Estimate
        Overall accuracy, a share, with Wilson's interval.
    corrected : tuple of str
        Strata of which more than 5 % of the pixels were sampled, so that the finite population
        correction was used there.
    remarks : tuple of Remark
        What a reader must know: collapsed strata, few points, no variance, estimated areas.
    units : tuple of Estimates
        The units, if asked for.
    """

    unit: str
    estimator: str
    n: int
    area_m2: float
    area_known: bool
    classes: pd.DataFrame
    overall: Estimate
    corrected: tuple[str, ...]
    remarks: tuple[Remark, ...]
    units: tuple["Estimates", ...] = ()


def estimate(sample: pd.DataFrame, strata: pd.DataFrame, *, by_unit: bool = False) -> Estimates:
    """
    Estimate areas and accuracies from a sample, by the estimator that its strata ask for.

    Parameters
    ----------
    sample : DataFrame of str
        One row a point: ``stratum``, ``map`` and ``reference`` class, optionally ``unit`` and
        ``weight`` (float > 0: how much ground the point stands for within its stratum, that is
        the inverse of its chance to be drawn, in any scale).
    strata : DataFrame
        ``stratum`` (str, once each), ``area_m2`` (float ≥ 0), ``pixels`` (float, NaN if not known),
        optionally ``unit``: the unit the stratum lies in.
    by_unit : bool
        Estimate each unit as well. A unit with strata of its own (``unit`` in ``strata``, or
        stratum names such as ``婺城区:forest``) is estimated from these; otherwise as a domain,
        from all points with y = 0 outside, and its area too is then an estimate.

    Returns
    -------
    Estimates
        Unweighted strata have the mean ȳ, weighted ones Σ w y / Σ w (Hájek) with its linearised
        variance. A unit without enough points has NaN and a remark, the others stand.

    Raises
    ------
    ConfigError
        On a stratum without area, a unit that contradicts its stratum, more points than pixels.
    NoDataError
        If the sample is empty, or more than 10 % of the area lies in strata of fewer than 2 points.
    """
    ground, tally = count(sample, strata)
    whole = _block("", ground, tally, tally)
    if not by_unit:
        return whole
    owners = units_of(ground, tally)
    if owners is None:
        units = tuple(_domain(unit, ground, tally) for unit in tally.unit_names())
    else:
        units = tuple(_nested(unit, ground, tally, owners) for unit in sorted(set(owners)))
    return replace(whole, units=units)


def _nested(unit: str, ground: Ground, tally: Tally, owners: pd.Series) -> Estimates:
    """Estimate a unit from strata of its own."""
    own = ground.only(owners.index[owners == unit])
    inside = tally.of_strata(own.names)
    try:
        return _block(unit, own, inside, inside)
    except NoDataError as error:
        area_m2 = float(own.table["area_m2"].sum())
        return _nothing(unit, inside, area_m2, Remark(str(error), error.text("zh")))


def _domain(unit: str, ground: Ground, tally: Tally) -> Estimates:
    """Estimate a unit that shares its strata with others."""
    inside = tally.of_unit(unit)
    if inside.points < 2:
        remark = Remark("fewer than 2 points: no estimate", "样点不足 2 个，不作估计")
        return _nothing(unit, inside, np.nan, remark)
    remark = Remark(
        "the strata do not follow this unit, so it is estimated as a domain and its area is an "
        "estimate too; give strata by unit (such as unit:class) to use its true area",
        "分层未按该单元划分：按域估计，单元面积亦为估计值；如按“单元:类别”分层则使用真实面积",
    )
    found = _block(unit, ground, tally, inside)
    return replace(found, area_known=False, remarks=(remark, *found.remarks))


def _nothing(unit: str, tally: Tally, area_m2: float, remark: Remark) -> Estimates:
    classes = pd.DataFrame(np.nan, index=pd.Index(tally.classes), columns=list(_COLUMNS))
    empty = Estimate(np.nan, np.nan, np.nan, np.nan, tally.points, "")
    area_known = bool(np.isfinite(area_m2))
    return Estimates(unit, "", tally.points, area_m2, area_known, classes, empty, (), (remark,))


def _block(unit: str, ground: Ground, every: Tally, inside: Tally) -> Estimates:
    """Estimate from all points (``every``), of which ``inside`` are what is asked about."""
    plan = ground.collapsed(every.by_stratum)
    case = _Case.of(tallies(plan, every, inside), inside, domain=inside is not every)
    areas, total = case.areas()
    found = pd.concat(
        [
            _widened(areas, plan.blind, total) * plan.area_m2,
            case.accuracy(case.mapped, "ua"),
            case.accuracy(case.reference, "pa"),
        ],
        axis=1,
    ).set_axis(pd.Index(inside.classes, name="class"), axis=0)
    overall = case.overall()
    low, high = (1 - plan.blind) * overall.low, (1 - plan.blind) * overall.high + plan.blind
    same = not (plan.collapsed or every.weighted) and every.strata_are_classes(unit)
    return Estimates(
        unit,
        OLOFSSON if same else STEHMAN,
        case.points,
        total * plan.area_m2,
        area_known=True,
        classes=found[list(_COLUMNS)],
        overall=replace(overall, low=low, high=high),
        corrected=plan.corrected,
        remarks=(*plan.remarks, *every.remarks, *_doubts(found, case.tallies.n, plan.names)),
    )


_COLUMNS = (
    *("area_m2", "area_se_m2", "area_low_m2", "area_high_m2"),
    *("area_wilson_low_m2", "area_wilson_high_m2"),
    *("ua", "ua_se", "ua_low", "ua_high", "pa", "pa_se", "pa_low", "pa_high"),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """
    Counted points, and what is asked of them.

    ``mapped`` and ``reference`` are 0/1 by class and kind of point; ``points`` and ``quantile``
    are those of the domain.
    """

    tallies: Tallies
    mapped: Array
    reference: Array
    points: int
    quantile: float
    domain: bool

    @classmethod
    def of(cls, counted: Tallies, inside: Tally, *, domain: bool) -> "_Case":
        """Sort out kinds and degrees of freedom."""
        code = np.arange(len(inside.classes))[:, None]
        mapped, reference = ((inside.kinds[:, at] == code).astype("float64") for at in (0, 1))
        points = inside.points if domain else int(counted.n.sum())
        met = int((counted.weight.sum(axis=-1) > 0).sum())
        quantile = float(quantile_of(points, met))
        return cls(counted, mapped, reference, points, quantile, domain)

    def areas(self) -> tuple[pd.DataFrame, float]:
        """Area by reference class, and what they add up to, as shares of all ground."""
        share, variance = mean(self.tallies, self.reference)
        se = np.sqrt(variance)
        low, high = self._interval(self.reference)
        values = (share, se, np.maximum(share - _Z * se, 0.0), np.minimum(share + _Z * se, 1.0))
        table = pd.DataFrame(dict(zip(_COLUMNS[:6], (*values, low, high), strict=True)))
        return table, float(share.sum()) if self.domain else 1.0

    def accuracy(self, asked: Array, name: str) -> pd.DataFrame:
        """User's (of the ``mapped``) or producer's (of the ``reference``) accuracy by class."""
        return self._ratio(self.mapped * self.reference, asked, name)

    def overall(self) -> Estimate:
        """Overall accuracy; of a domain it is a ratio."""
        agreed = (self.mapped * self.reference).sum(axis=0, keepdims=True)
        if self.domain:
            found = self._ratio(agreed, np.ones_like(agreed), "oa").iloc[0]
            value, se, low, high = (float(number) for number in found)
        else:
            values, variance = mean(self.tallies, agreed)
            ends = self._interval(agreed)
            value, se = float(values[0]), float(np.sqrt(variance[0]))
            low, high = (float(end[0]) for end in ends)
        return Estimate(value, se, low, high, self.points, "wilson")

    def _interval(self, y: Array) -> tuple[Array, Array]:
        """Wilson's interval of Σ W ȳ; points that all agree still leave some variance."""
        by_stratum, _, spread = (part.T for part in moments(self.tallies, y, y))
        share, size = self.tallies.share, self.tallies.size
        spread = floored(share, by_stratum, size, spread, (0, 1))
        value, variance = by_stratum @ share, spread @ share**2
        even = 1 / (share**2 / size).sum()
        return wilson(value, effective_size(value, variance, even), self.quantile)

    def _ratio(self, y: Array, x: Array, name: str) -> pd.DataFrame:
        value, variance = ratio(self.tallies, y, x)
        size = effective_size(value, variance, self._met(x))
        low, high = wilson(value, size, self.quantile)
        columns = (name, f"{name}_se", f"{name}_low", f"{name}_high")
        return pd.DataFrame(dict(zip(columns, (value, np.sqrt(variance), low, high), strict=True)))

    def _met(self, x: Array) -> Array:
        """Effective number of points with ``x`` = 1 (Kish); NaN where there is none."""
        each = (self.tallies.share / self.tallies.total)[:, None]
        known = (each * (self.tallies.weight @ x.T)).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(known**2 / (each**2 * (self.tallies.square @ x.T)).sum(axis=0))


def _widened(areas: pd.DataFrame, blind: float, total: float) -> pd.DataFrame:
    """Let the share ``blind`` of the area, of which there is no point, be any class or none."""
    known = {str(name): areas[name] * (1 - blind) for name in areas}
    lows = {name: ends for name, ends in known.items() if name.endswith("low_m2")}
    highs = {n: ends + blind * total for n, ends in known.items() if n.endswith("high_m2")}
    return areas.assign(**lows, **highs)


def _doubts(found: pd.DataFrame, n: Array, names: tuple[str, ...]) -> list[Remark]:
    poor = [name for name, points in zip(names, n, strict=True) if points < _FEW]
    certain = found.index[found["area_se_m2"] == 0].tolist()
    perfect = (
        found.index[(found["ua_se"] == 0) | (found["pa_se"] == 0)].difference(certain).tolist()
    )
    cut = found.index[(found["area_se_m2"] > 0) & (found["area_low_m2"] == 0)].tolist()
    said = (
        (
            poor,
            Remark(
                f"fewer than {_FEW} points in strata {few(poor)}: go by the Wilson intervals",
                f"分层 {few(poor)} 的样点少于 {_FEW} 个：请以 Wilson 区间为准",
            ),
        ),
        (
            certain,
            Remark(
                f"in every stratum all points agree about {few(certain)}: the standard error is 0 "
                "by the formula, which is not certainty; go by Wilson's interval (Jeffreys' prior)",
                f"各分层样点对 {few(certain)} 的判读全部一致：按公式标准误为 0，并不表示确定无误；"
                "请以 Wilson 区间（Jeffreys 先验）为准",
            ),
        ),
        (
            perfect,
            Remark(
                f"an accuracy of {few(perfect)} has no standard error as its points all agree, "
                "which is not certainty; go by Wilson's interval",
                f"{few(perfect)} 的某项精度因样点判读全部一致而标准误为 0，并不表示确定无误；"
                "请以 Wilson 区间为准",
            ),
        ),
        (
            cut,
            Remark(
                f"the normal interval of {few(cut)} reached below 0 and was cut; go by Wilson's",
                f"{few(cut)} 的正态区间下限低于 0，已截断；请以 Wilson 区间为准",
            ),
        ),
    )
    return [remark for about, remark in said if about]
