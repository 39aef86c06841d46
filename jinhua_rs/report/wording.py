"""The sentences of a report: each says as much as its numbers allow, in both languages."""

import math
from datetime import datetime

from jinhua_rs.figures import DASH, Estimate, Words, percent, shown
from jinhua_rs.period import Period
from jinhua_rs.report.data import ReportData, TargetLine
from jinhua_rs.report.lines import Line
from jinhua_rs.report.saying import COVER_TARGET
from jinhua_rs.schema import INDICATORS
from jinhua_rs.units import mu, ten_thousand_mu

__all__ = [
    "COVERAGE",
    "NOT_STATUTORY",
    "bounds",
    "bounds_interval",
    "change_cell",
    "change_said",
    "coverage_said",
    "data_dates",
    "indicator_name",
    "interval",
    "made",
    "mu_of",
    "period_name",
    "seen",
    "target_judged",
    "target_name",
    "verdict_said",
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


def draft(data: ReportData) -> Words | None:
    """Mark of a report that was written before its period was over; ``None`` afterwards."""
    if datetime.fromisoformat(data.created) >= Period.parse(data.period).stop:
        return None
    return Words(
        "草稿：本期尚未结束，数字还会变化；结束后请用 --refresh 重新运行",
        "DRAFT: the period is not over and numbers will change; run again with --refresh after it",
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


def bounds(lower: Estimate, upper: Estimate) -> str:
    """Print a share between two bounds, ``45.00–65.00``, or once where they meet."""
    ends = shown(lower.value), shown(upper.value)
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def bounds_interval(lower: Estimate, upper: Estimate) -> str:
    """Print from the lower end of the lower bound to the upper end of the upper one."""
    if math.isnan(lower.low) or math.isnan(upper.high):
        return DASH
    return f"{shown(lower.low)}–{shown(upper.high)}"


def mu_of(hectares: float) -> float:
    """Hectares to 亩; NaN stays NaN."""
    return mu(hectares * _M2_PER_HA)


def coverage_said(data: ReportData, line: Line | None) -> Words:
    """Say the coverage of the headline unit, as its claim does, or that there is none."""
    if line is None or line.told is None:
        when = period_name(data.period)
        return Words(
            f"{when.zh}没有可用于全域的结果。", f"{when.en}: no result for the whole area."
        )
    return line.told.sentence


def change_said(data: ReportData, line: Line | None) -> Words:
    """Say the change of the headline unit, as its claim does, or that there is none."""
    if data.baseline is None or line is None or line.changed is None:
        return Words("本期未设基期，不作变化判断。", "No baseline is set, so no change is judged.")
    return line.changed.sentence


def change_cell(line: Line) -> Words:
    """Print a change in the table: the number only where it may be called a change."""
    return Words(DASH, DASH) if line.changed is None else line.changed.cell


def verdict_said(line: Line | None) -> Words:
    """Print the verdict of a unit's coverage; a dash where a quarter or no target is at hand."""
    found = None if line is None or line.told is None else line.told.judged
    return Words(DASH, DASH) if found is None else Words(found.text("zh"), found.text("en"))


def target_judged(target: TargetLine, line: Line | None) -> Words:
    """Say in the table of targets what this report says to a target."""
    if target.key != COVER_TARGET:
        return Words("本报告不评价（缺少台账依据）", "not judged here (no ledger to go by)")
    told = None if line is None or not line.whole else line.told
    if told is None or told.reading is None:
        return Words("不作判定（无全市结果）", "not judged (no result for the city)")
    verdict = Words("不作判定", "not judged") if told.judged is None else verdict_said(line)
    return Words(f"{verdict.zh}（{told.reading.zh}）", f"{verdict.en} ({told.reading.en})")


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
