"""The report on one screen: the county table as plain text."""

from jinhua_rs.figures import Language, Words, shown
from jinhua_rs.report import wording
from jinhua_rs.report.data import ReportData
from jinhua_rs.report.lines import Line, lines

__all__ = ["screen"]

_HEADINGS = (
    Words("统计单元", "unit"),
    Words("覆盖率 %", "cover %"),
    Words("95% 区间", "95 %"),
    Words("对照目标", "target"),
    Words("变化", "change"),
    Words("95% 区间", "95 % interval"),
    Words("有效观测", "seen clear"),
    Words("状态", "status"),
)


def screen(data: ReportData, language: Language) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """
    Return headings and lines of the county table, a line for each unit.

    A number without an interval is in brackets: a pixel count, not to be judged by.
    """
    headings = tuple(heading.to(language) for heading in _HEADINGS)
    return headings, [_cells(line, language) for line in lines(data)]


def _cells(line: Line, language: Language) -> tuple[str, ...]:
    share = shown(line.share.value)
    return (
        line.unit.name.to(language),
        f"({share})" if line.share.context_only else share,
        wording.interval(line.share),
        wording.verdict_said(line).to(language),
        wording.change_cell(line).to(language),
        wording.interval(line.change, signed=True),
        wording.seen(line.share),
        line.status.to(language),
    )
