"""The sentences of a report: each says as much as its numbers allow, in both languages."""

import math
from datetime import datetime

from jinhua_rs.estimation.claims import Verdict, change_sentence, verdict
from jinhua_rs.figures import DASH, Estimate, Words, percent, shown
from jinhua_rs.period import Period
from jinhua_rs.report.data import ReportData, TargetLine
from jinhua_rs.report.lines import Line
from jinhua_rs.schema import INDICATORS
from jinhua_rs.units import mu, ten_thousand_mu

__all__ = [
    "COVERAGE",
    "NOT_STATUTORY",
    "change_cell",
    "change_said",
    "coverage_said",
    "data_dates",
    "indicator_name",
    "interval",
    "judgement",
    "made",
    "mu_of",
    "period_name",
    "plausibility",
    "seen",
    "target_judged",
    "target_name",
    "wan_mu_of",
]

COVERAGE = Words("遥感监测森林（林木）覆盖率", "Tree cover as seen by satellite")
NOT_STATUTORY = Words(
    "本指标由卫星影像监测得到（郁闭度≥0.20 的林木覆盖占土地面积的比例），不是法定的“森林覆盖率”，"
    "两者口径对照见文末。",
    "This figure is what satellites see (tree canopy of 20 % or more, as a share of the land). "
    "It is not the statutory forest coverage; both definitions stand side by side below.",
)
_M2_PER_HA = 10_000.0


def period_name(text: str) -> Words:
    """Name a period: ``2024年第四季度`` and ``2024Q4``."""
    return Words(Period.parse(text).name_zh, text)


def data_dates(data: ReportData) -> Words:
    """First and last day of the scenes used, and how many days."""
    days = data.scenes.dates
    if not days:
        return Words(DASH, DASH)
    return Words(
        f"{days[0]} 至 {days[-1]}（{len(days)} 个成像日）",
        f"{days[0]} to {days[-1]} ({len(days)} days)",
    )


def made(data: ReportData) -> str:
    """Print the instant of writing, ``2025-01-12 09:30 (UTC+08:00)``."""
    instant = datetime.fromisoformat(data.created)
    return f"{instant:%Y-%m-%d %H:%M} ({instant.tzinfo})"


def interval(estimate: Estimate, *, signed: bool = False) -> str:
    """Print an interval, ``60.91–62.73``; a dash where there is none."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return DASH
    joint = " ~ " if signed else "–"
    ends = (shown(end, signed=signed) for end in (estimate.low, estimate.high))
    return joint.join(ends)


def seen(estimate: Estimate) -> str:
    """Print the clear-view share, ``97.4%``."""
    return percent(estimate.clear_share * 100, 1)


def wan_mu_of(hectares: float) -> float:
    """Hectares to 万亩; NaN stays NaN."""
    return ten_thousand_mu(hectares * _M2_PER_HA)


def mu_of(hectares: float) -> float:
    """Hectares to 亩; NaN stays NaN."""
    return mu(hectares * _M2_PER_HA)


def coverage_said(data: ReportData, line: Line | None) -> Words:
    """Say the coverage of the headline unit with interval and clear view, or why not."""
    when = period_name(data.period)
    if line is None:
        return Words(
            f"{when.zh}没有可用于全域的结果。", f"{when.en}: no result for the whole area."
        )
    name, share = line.unit.name, line.share
    clear = seen(share)
    if share.judged:
        area, area_en = _area_said(line.area)
        return Words(
            f"{when.zh}，{name.zh}{COVERAGE.zh}为 {percent(share.value)}（95%置信区间 "
            f"{percent(share.low)}–{percent(share.high)}，有效观测占比 {clear}）{area}。",
            f"In {when.en}, tree cover of {name.en} as seen by satellite was "
            f"{percent(share.value)} (95 % interval {percent(share.low)} to "
            f"{percent(share.high)}; {clear} of the area seen clear){area_en}.",
        )
    if share.context_only:
        return Words(
            f"{when.zh}，{name.zh}没有可用的参考样本，只有像元统计值 {percent(share.value)}"
            f"（有效观测占比 {clear}），仅供参考，不作评价。",
            f"In {when.en} there is no reference sample for {name.en}, only a pixel count of "
            f"{percent(share.value)} ({clear} seen clear): context, not judged.",
        )
    return Words(
        f"{when.zh}，{name.zh}数据不足（有效观测占比 {clear}），不给出覆盖率。",
        f"In {when.en} data for {name.en} are insufficient ({clear} seen clear): no figure.",
    )


def change_said(data: ReportData, line: Line | None) -> Words:
    """Say the change of the headline unit since the baseline, as far as its interval allows."""
    if data.baseline is None or line is None:
        return Words("本期未设基期，不作变化判断。", "No baseline is set, so no change is judged.")
    before = period_name(data.baseline)
    change = line.change
    said = Words(
        *(
            change_sentence(
                change.value, change.low, change.high, language=language, measure=measure
            )
            for language, measure in (("zh", "个百分点"), ("en", "points"))
        )
    )
    return Words(
        f"与基期（{before.zh}）相比，林木覆盖率：{said.zh}。",
        f"Against the baseline ({before.en}), tree cover: {said.en}.",
    )


def change_cell(data: ReportData, change: Estimate) -> Words:
    """Print a change in the table: the number only where its interval leaves 0 out."""
    if data.baseline is None:
        return Words(DASH, DASH)
    if math.isnan(change.value):
        return Words("数据不足", "insufficient data")
    if not change.judged:
        return Words("无区间，不作判断", "no interval, not judged")
    if change.low <= 0 <= change.high:
        return Words("未检出显著变化", "no significant change")
    number = shown(change.value, signed=True)
    return Words(number, number)


def judgement(target: TargetLine | None, line: Line | None) -> Verdict | None:
    """
    Judge the city's coverage against the coverage target.

    Returns
    -------
    Verdict or None
        ``None`` where nothing may be judged against it: no target, not the whole city, or a
        pixel count without interval.
    """
    if target is None or line is None or not line.whole or line.share.context_only:
        return None
    return verdict(line.share.low, line.share.high, target.value)


def target_judged(target: TargetLine, line: Line | None) -> Words:
    """Say in the table of targets what this report says to a target."""
    if target.key != "forest_cover":
        return Words("本报告不评价（缺少台账依据）", "not judged here (no ledger to go by)")
    found = judgement(target, line)
    if found is None:
        return Words("不作判定（无全市区间）", "not judged (no interval for the city)")
    return Words(found.text("zh"), found.text("en"))


def plausibility(target: TargetLine, data: ReportData) -> Words | None:
    """
    Warn of a target that has a second reading, with both as shares of the land.

    Returns
    -------
    Words or None
        ``None`` for a target without a second reading.
    """
    if target.alternative is None:
        return None
    number, other = shown(target.value), shown(target.alternative)
    city = next((unit.area_m2 for unit in data.units if unit.level == "city"), math.nan)
    of_land = [
        percent(100 * reading / ten_thousand_mu(city)) if target.unit == "万亩" else DASH
        for reading in (target.value, target.alternative)
    ]
    return Words(
        f"数值存疑：规划原文为 {number}{target.unit}（相当于全市土地的 {of_land[0]}），疑为 "
        f"{other}{target.unit}（{of_land[1]}）之误。请先向主管部门核实；核实之前本报告不计算完成率。",
        f"Doubtful figure: the plan says {number} {target.unit} ({of_land[0]} of the city's "
        f"land); {other} {target.unit} ({of_land[1]}) is probably meant. Ask the bureau; until "
        "then no rate of completion is computed.",
    )


def target_name(target: TargetLine) -> Words:
    """Name a target for people; an unknown key stands as it is."""
    return _TARGETS.get(target.key, Words(target.key, target.key))


_TARGETS = {
    "forest_cover": Words("森林覆盖率", "Forest coverage"),
    "new_afforestation": Words("新增造林", "New afforestation"),
}


def indicator_name(name: str) -> Words:
    """Name an indicator in both languages, from the schema."""
    return Words(INDICATORS[name].meaning_zh, INDICATORS[name].meaning)


def _area_said(area: Estimate) -> tuple[str, str]:
    if math.isnan(area.value):
        return "", ""
    value, low, high = (shown(wan_mu_of(end)) for end in (area.value, area.low, area.high))
    hectares = shown(area.value, 0)
    return (
        f"，林木覆盖面积 {value} 万亩（{low}–{high} 万亩）",
        f", an area of {hectares} ha or {value} × 10⁴ mu ({low} to {high})",
    )
