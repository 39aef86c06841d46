"""From the readings of two or three people to one sample: who agrees, who decides, what is open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.estimation.agreement import FLOOR, Agreement, agreement
from jinhua_rs.estimation.area import coverage
from jinhua_rs.estimation.design import Design
from jinhua_rs.interpretation.answers import Answers, require_points
from jinhua_rs.interpretation.package import Manifest
from jinhua_rs.schema import FOREST_CANOPY, LAND_CLASSES

__all__ = ["Settled", "by_role", "estimates", "settle"]

_KEY = ["point", "period"]


@dataclass(frozen=True)
class Settled:
    """
    What came of the readings.

    Attributes
    ----------
    readings : DataFrame
        A row a point and period: ``point``, ``period``, ``canopy`` (0-1, NaN = could not be judged,
        or not yet settled), ``class``, ``sure``, ``basis``, ``readers`` (how many looked),
        ``decided`` (role whose answer it is; empty while unsettled).
    trees, classes : dict of str to Agreement
        By period: agreement of the first two on canopy ≥ 20 % (or that it cannot be judged), and
        on the class.
    open : DataFrame
        Points and periods on which the first two differ about the trees: ``first``, ``second``,
        and ``third`` (NaN without a third reading), canopy cover.
    """

    readings: pd.DataFrame
    trees: dict[str, Agreement]
    classes: dict[str, Agreement]
    open: pd.DataFrame

    @property
    def unsettled(self) -> list[str]:
        """Points that wait for a third reading."""
        waiting = self.readings["decided"] == ""
        return list(dict.fromkeys(self.readings["point"][waiting]))

    def require_agreement(self) -> None:
        """
        Refuse readings of people who agree little more than chance would have it.

        Raises
        ------
        IntegrityError
            If κ of canopy ≥ 20 % is below :data:`~jinhua_rs.estimation.agreement.FLOOR`.
        """
        for period, found in self.trees.items():
            if found.kappa < FLOOR:
                raise IntegrityError(
                    f"{period}: the interpreters agree on {found.share:.0%} of {found.n} points, "
                    f"kappa {found.kappa:.2f} ({found.low:.2f}-{found.high:.2f}) is below {FLOOR}: "
                    "what one sees the other does not, so a figure from either would be the figure "
                    "of that person. Go through the key together, read again; or --accept REASON",
                    zh=f"{period}：两人在 {found.n} 个样点中一致 {found.share:.0%}，"
                    f"κ = {found.kappa:.2f}（{found.low:.2f}–{found.high:.2f}），低于 {FLOOR}："
                    "结果取决于由谁判读，不能作为依据。请统一判读标准后重判；"
                    "如确需采用，请以 --accept 写明理由",
                )


def by_role(answers: Sequence[Answers], manifest: Manifest) -> dict[str, Answers]:
    """
    Sort forms by role; the first two must be there, whole.

    Raises
    ------
    ConfigError
        If a role has two forms, one of the first two has none, or points do not fit.
    """
    found: dict[str, Answers] = {}
    for one in answers:
        if one.role in found:
            raise ConfigError(
                f"{found[one.role].path.name} and {one.path.name} are the same form; give it once",
                zh=f"{found[one.role].path.name} 与 {one.path.name} 为同一张表；请只给一份",
            )
        found[one.role] = one
    for role, points in manifest.roles.items():
        if role not in found:
            raise ConfigError(
                f"form {manifest.number(role)} is missing; both readings are needed",
                zh=f"缺少表 {manifest.number(role)}；甲、乙两份判读表都需要",
            )
        require_points(found[role], points)
    return found


def settle(answers: Mapping[str, Answers]) -> Settled:
    """
    Bring readings together.

    Where the first two agree about the trees, or only one looked, the first reading stands. Where
    they differ the third decides; without one the point is open.

    Parameters
    ----------
    answers : Mapping
        By role, from :func:`by_role`.

    Raises
    ------
    ConfigError
        If the third form does not hold just the points that are open.
    """
    first, second = (answers[role].table.set_index(_KEY) for role in ("1", "2"))
    pair = first.loc[second.index]
    apart = second.index[(_state(pair["canopy"]) != _state(second["canopy"])).to_numpy()]
    alone = first.assign(readers=1, decided="1")
    twice = first.loc[second.index.difference(apart)].assign(readers=2, decided="1")
    differ = pd.DataFrame(
        {"first": first.loc[apart, "canopy"], "second": second.loc[apart, "canopy"]}
    ).assign(third=np.nan)
    decided = first.loc[apart].assign(canopy=np.nan, sure="none", readers=2, decided="")
    decided["class"] = 0
    if "3" in answers:
        require_points(answers["3"], list(dict.fromkeys(point for point, _ in apart)))
        decided = answers["3"].table.set_index(_KEY).loc[apart].assign(readers=3, decided="3")
        differ["third"] = decided["canopy"]
    readings = pd.concat([alone.drop(second.index), twice, decided]).loc[first.index]
    trees, classes = {}, {}
    for period in dict.fromkeys(second.index.get_level_values("period")):
        one, two = (table.xs(period, level="period") for table in (pair, second))
        trees[period] = agreement(_state(one["canopy"]), _state(two["canopy"]))
        classes[period] = agreement(_called(one["class"]), _called(two["class"]))
    return Settled(readings.reset_index(), trees, classes, differ.reset_index())


def _state(canopy: pd.Series) -> pd.Series:
    """Tell what counts: trees, no trees, or not to be judged."""
    names = np.where(canopy >= FOREST_CANOPY, "有林", "无林")
    return pd.Series(np.where(canopy.isna(), "无法判读", names), canopy.index)


def _called(codes: pd.Series) -> pd.Series:
    names = {info.code: info.name_zh for info in LAND_CLASSES}
    return codes.map(lambda code: names.get(int(code), "无法判读"))


def estimates(settled: Settled, design: Design) -> pd.DataFrame:
    """
    Tree cover of the whole and of each county by the design, and how far doubt could move it.

    Returns
    -------
    DataFrame
        ``period``, ``unit`` (county; empty: all), ``name``, ``n`` points judged; ``value``,
        ``low``, ``high`` (shares, 95 %; NaN and a ``reason`` without enough points); ``unsure``
        and ``unjudged`` points; ``all_other`` and ``all_trees``: the value if every unsure or
        unjudged point were without or with trees.
    """
    strata = design.strata
    counties = pd.crosstab(strata["county"], strata.index, strata["pixels"], aggfunc="sum")
    areas = pd.concat([strata["pixels"].rename("").to_frame().T, counties]).fillna(0.0)
    names = strata.drop_duplicates("county").set_index("county")["name"].to_dict()
    points = design.points.set_index("point")["stratum"]
    table = settled.readings.assign(stratum=settled.readings["point"].map(points))
    table["unit"] = table["stratum"].map(strata["county"])
    every = pd.concat([table.assign(unit=""), table[table["unit"] != ""]])
    found = []
    every["y"] = (every["canopy"] >= FOREST_CANOPY).astype("float64")
    for period, part in every.groupby("period"):
        doubt = part["sure"].isin(["low", "none"])
        one = coverage(part[part["canopy"].notna()], areas)[["value", "low", "high", "n", "reason"]]
        for name, answer in (("all_other", 0.0), ("all_trees", 1.0)):
            one[name] = coverage(part.assign(y=part["y"].mask(doubt, answer)), areas)["value"]
        by_unit = part["unit"]
        one["unsure"] = (part["sure"] == "low").groupby(by_unit).sum()
        one["unjudged"] = (part["sure"] == "none").groupby(by_unit).sum()
        one = one.rename_axis("unit").reset_index()
        one.insert(0, "period", period)
        one.insert(
            2, "name", one["unit"].map(lambda unit: names.get(unit, unit) if unit else "全部")
        )
        found.append(one)
    return pd.concat(found, ignore_index=True)
