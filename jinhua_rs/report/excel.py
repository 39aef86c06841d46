"""The report as an Excel workbook: real numbers with formats, text that stays text."""

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from jinhua_rs.figures import DASH, Estimate
from jinhua_rs.report import wording
from jinhua_rs.report.alerted import ALERT_COLUMNS, alert_rows
from jinhua_rs.report.crosswalk import crosswalk
from jinhua_rs.report.data import ReportData
from jinhua_rs.report.lines import Line, headline_unit, lines
from jinhua_rs.report.steps import SHEET_COLUMNS, sheet_rows
from jinhua_rs.workbook import Book, Look, opened, prose, put

__all__ = ["write_workbook"]

_COUNTIES = "分县数据"
_NATURE = "数据性质\nnature"
_REAL = "卫星观测 · observed"
_COUNTY_COLUMNS: tuple[tuple[str, float, str], ...] = (
    (_NATURE, 18, "text"),
    ("代码\ncode", 10, "text"),
    ("单元\nunit", 12, "text"),
    ("名称（英文）\nname", 18, "text"),
    ("层级\nlevel", 9, "text"),
    ("覆盖率\ncoverage", 11, "share"),
    ("95%区间下限\nlow", 11, "share"),
    ("95%区间上限\nhigh", 11, "share"),
    ("面积（万亩）\narea, 10⁴ mu", 13, "wan"),
    ("面积下限（万亩）\nlow", 13, "wan"),
    ("面积上限（万亩）\nhigh", 13, "wan"),
    ("面积（公顷）\narea, ha", 14, "whole"),
    ("对照目标\nagainst target", 12, "text"),
    ("较基期变化（百分点）\nchange, points", 15, "change"),
    ("变化下限\nlow", 10, "change"),
    ("变化上限\nhigh", 10, "change"),
    ("变化结论\nwhat may be said", 18, "text"),
    ("增加（亩，像元统计）\ngain, mu, mapped", 16, "context"),
    ("减少（亩，像元统计）\nloss, mu, mapped", 16, "context"),
    ("有效观测占比\nseen clear", 12, "clear"),
    ("状态\nstatus", 12, "text"),
    ("区间上半宽\nupper half-width", 12, "share"),
    ("区间下半宽\nlower half-width", 12, "share"),
)
_ROW_COLUMNS: tuple[tuple[str, float, str], ...] = (
    (_NATURE, 18, "text"),
    ("period", 10, "text"),
    ("unit", 10, "text"),
    ("单元", 12, "text"),
    ("indicator", 26, "text"),
    ("指标", 30, "text"),
    ("value", 14, "number"),
    ("low", 14, "number"),
    ("high", 14, "number"),
    ("measure", 10, "text"),
    ("status", 14, "text"),
    ("n_clear_share", 14, "number"),
    ("n", 8, "whole"),
    ("test", 14, "text"),
    ("p", 9, "number"),
    ("source", 40, "text"),
)
_CLAIM_COLUMNS: tuple[tuple[str, float, str], ...] = (
    (_NATURE, 18, "text"),
    ("单元\nunit", 12, "text"),
    ("指标\nindicator", 30, "text"),
    ("对照目标\nagainst target", 14, "text"),
    ("可以说的话\nwhat may be said", 110, "text"),
)
_CHECK_COLUMNS: tuple[tuple[str, float, str], ...] = (
    ("影像\nscene", 34, "text"),
    ("成像日\nday", 12, "text"),
    ("图幅\ntile", 10, "text"),
    ("偏移量：元数据 / 实测\noffset: said / measured", 22, "text"),
    ("位移（像元）\nshift, px", 14, "text"),
    ("结论\nverdict", 60, "text"),
)
_LOOKS: dict[str, Look] = {
    "share": {"num_format": "0.00%", "align": "right"},
    "clear": {"num_format": "0.0%", "align": "right"},
    "wan": {"num_format": "#,##0.00", "align": "right"},
    "whole": {"num_format": "#,##0", "align": "right"},
    "context": {"num_format": "#,##0", "align": "right", "font_color": "#7d8689"},
    "change": {"num_format": "+0.00;-0.00;0.00", "align": "right"},
    "number": {"num_format": "0.######", "align": "right"},
    "grey": {"font_color": "#7d8689"},
    "marked": {"bold": True, "font_color": "#b3261e"},
}  # fmt: skip

_GRID = {"visible": True, "line": {"color": "#d9dedf"}}

Cell = str | float
Columns = Sequence[tuple[str, float, str]]


def write_workbook(path: Path, data: ReportData) -> None:
    """
    Write the workbook to ``path``; equal data give equal bytes.

    Sheets: 说明 (what this is), 分县数据 (one row a unit, with chart), 结论 (all that is said),
    口径对照 (three definitions, if the model names classes), 指标行 (all indicator rows, tidy),
    影像清单 (scenes by fate), 预警面积 (ground in alert), 后处理影响 (what each step did), 影像证书
    (what was measured on each scene), each if there is any, 图表 (the chart). In the data sheets
    the header is row 1, no cell is merged, shares are Excel percentages, and a number that
    is not known is a dash.
    """
    facts = {
        "title": f"{data.area.zh} {data.period} {wording.COVERAGE.zh}",
        "subject": data.label.zh if data.simulated else wording.COVERAGE.en,
        "comments": f"run {data.run_id}",
    }
    label, created = " · ".join(_marks(data)), datetime.fromisoformat(data.created)
    with opened(path, facts, label=label, created=created, looks=_LOOKS) as book:
        _about(_sheet(book, "说明", data), book, data)
        county_lines = lines(data)
        counties = _sheet(book, _COUNTIES, data)
        _table(counties, book, _COUNTY_COLUMNS, [_county(line, data) for line in county_lines])
        _decorate(counties, book, county_lines)
        _table(_sheet(book, "结论", data), book, _CLAIM_COLUMNS, _claims(data))
        cross = crosswalk(data)
        if cross is not None:
            columns = (_COUNTY_COLUMNS[0], *cross.columns)
            named = [[_nature(data), *cells] for cells in cross.cells]
            _table(_sheet(book, "口径对照", data), book, columns, named)
        _table(_sheet(book, "指标行", data), book, _ROW_COLUMNS, _tidy(data))
        _scenes(_sheet(book, "影像清单", data), book, data)
        for name, heads, rows in (
            ("预警面积", ALERT_COLUMNS, alert_rows(data.alerts, data.names)),
            ("后处理影响", SHEET_COLUMNS, sheet_rows(data)),
            ("影像证书", _CHECK_COLUMNS, _checks(data)),
        ):
            if rows:
                named = [[_nature(data), *row] for row in rows]
                _table(_sheet(book, name, data), book, (_COUNTY_COLUMNS[0], *heads), named)
        _chart(book.raw, _sheet(book, "图表", data), county_lines)


def _sheet(book: Book, name: str, data: ReportData) -> Worksheet:
    return book.sheet(name, f"&L{data.run_id}&C&P / &N&R{data.period}")


def _marks(data: ReportData) -> list[str]:
    """Name what must stand on every sheet: that data are simulated, that the period is not over."""
    return [mark.zh for mark in (data.mark, wording.draft(data)) if mark]


def _about(sheet: Worksheet, book: Book, data: ReportData) -> None:
    main = headline_unit(data)
    marks = _marks(data)
    for row, mark in enumerate(marks):
        sheet.set_row(row, 26)
        sheet.write_string(row, 0, mark, book.looks["mark"])
        sheet.write_string(row, 1, "", book.looks["mark"])
    row = len(marks)
    sheet.set_row(row, 28)
    sheet.write_string(row, 0, f"{data.area.zh}{wording.COVERAGE.zh}", book.looks["title"])
    baseline = wording.period_name(data.baseline).zh if data.baseline else "未设"
    entries = [
        ("时段", wording.period_name(data.period).zh),
        ("基期", baseline),
        ("影像日期", wording.data_dates(data).zh),
        ("结论", wording.coverage_said(data, main).zh),
        ("变化", wording.change_said(data, main).zh),
        ("口径", wording.NOT_STATUTORY.zh),
        ("English", f"{wording.coverage_said(data, main).en} {wording.NOT_STATUTORY.en}"),
    ]
    for target in data.targets:
        said = wording.target_judged(target, main).zh
        text = f"{target.value:g}{target.unit}（{target.source}）：{said}"
        name = f"目标：{wording.target_name(target).zh}"
        entries.append((name, f"{text}\n{target.warning.zh}" if target.warning else text))
    entries += [
        ("“—”", "没有数据，不是 0。"),
        ("像元统计", "“仅供参考”的行和增加、减少两栏是未经样本校正的像元统计，不得用于评价。"),
        ("合计", "全市数值由全市界线直接得出，不是各单元之和；统计单元可以重叠。"),
        ("运行编号", data.run_id),
        ("生成时间", wording.made(data)),
        ("软件版本", f"jinhua-rs {data.version}"),
        *(("数据来源", f"{credit.zh}\n{credit.en}") for credit in data.credits),
    ]  # fmt: skip
    prose(book, sheet, entries, row + 2)


def _table(sheet: Worksheet, book: Book, columns: Columns, rows: Sequence[Sequence[Cell]]) -> None:
    """Write a header in row 1 and the rows under it; NaN becomes a dash."""
    for column, (head, width, _) in enumerate(columns):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, head, book.looks["head"])
    sheet.set_row(0, 48 if any("\n" in head for head, _, _ in columns[1:]) else 34)
    for number, cells in enumerate(rows, start=1):
        for column, (cell, (_, _, look)) in enumerate(zip(cells, columns, strict=True)):
            put(sheet, (number, column), cell, book.looks[_look(cell, column, look)])
    sheet.freeze_panes(1, 4)
    sheet.repeat_rows(0)
    sheet.autofilter(0, 0, max(1, len(rows)), len(columns) - 1)


def _look(cell: Cell, column: int, look: str) -> str:
    return "marked" if column == 0 and cell != _REAL else look


def _nature(data: ReportData) -> str:
    return data.mark.zh if data.mark else _REAL


def _county(line: Line, data: ReportData) -> list[Cell]:
    share, area, change = line.share, line.area, line.change
    return [
        _nature(data),
        line.unit.code,
        line.unit.name.zh,
        line.unit.name.en,
        line.unit.level,
        *(number / 100 for number in _ends(share)),
        *(wording.wan_mu_of(number) for number in _ends(area)),
        area.value,
        wording.verdict_said(line).zh,
        *(_ends(change) if change.judged else (math.nan, math.nan, math.nan)),
        wording.change_cell(line).zh,
        wording.mu_of(line.gain.value),
        wording.mu_of(line.loss.value),
        share.clear_share,
        line.status.zh,
        *(half / 100 for half in (share.high - share.value, share.value - share.low)),
    ]


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _claims(data: ReportData) -> list[list[Cell]]:
    return [
        [
            _nature(data),
            data.names[one.unit].zh,
            wording.indicator_name(one.what).zh,
            one.verdict or DASH,
            one.sentence.zh,
        ]
        for one in data.claims
    ]


def _tidy(data: ReportData) -> list[list[Cell]]:
    names = data.names
    return [
        [
            _nature(data),
            row.period,
            row.unit,
            names[row.unit].zh,
            row.indicator,
            wording.indicator_name(row.indicator).zh,
            *_ends(row.estimate),
            row.measure,
            row.status,
            row.estimate.clear_share,
            float(row.n) if row.n else math.nan,
            row.test,
            math.nan if row.p is None else row.p,
            row.source,
        ]
        for row in (*data.rows, *data.change_rows)
    ]


def _decorate(sheet: Worksheet, book: Book, county_lines: Sequence[Line]) -> None:
    """Put data bars on the coverage, and rows that are no judgement in grey."""
    last = len(county_lines)
    sheet.conditional_format(
        1, 5, last, 5,
        {
            "type": "data_bar", "bar_color": "#9cc49a",
            "min_type": "num", "min_value": 0, "max_type": "num", "max_value": 1,
        },
    )  # fmt: skip
    for number, line in enumerate(county_lines, start=1):
        if not line.share.judged:
            sheet.conditional_format(
                number, 1, number, len(_COUNTY_COLUMNS) - 1,
                {"type": "no_errors", "format": book.looks["grey"]},
            )  # fmt: skip


def _scenes(sheet: Worksheet, book: Book, data: ReportData) -> None:
    scenes = data.scenes
    columns = (
        (_NATURE, 18.0, "text"),
        ("项目\nitem", 34.0, "text"),
        ("说明\nmeaning", 40.0, "text"),
        ("景数\nscenes", 12.0, "whole"),
    )
    rows: list[list[Cell]] = [
        ["检索到", "found", float(scenes.found)],
        ["采用", "used", float(scenes.kept - scenes.failed)],
        ["读取失败", "could not be read", float(scenes.failed)],
    ]
    rows.extend(
        [f"未用：{one.reason.zh}", f"not used: {one.reason.en}", float(one.count)]
        for one in scenes.dropped
    )
    rows.extend([f"成像日 {day}", "day of scenes used", math.nan] for day in scenes.dates)
    _table(sheet, book, columns, [[_nature(data), *row] for row in rows])


def _checks(data: ReportData) -> list[list[Cell]]:
    return [
        [one.scene, one.day, one.tile, one.offset, one.shift, one.verdict.zh] for one in data.checks
    ]


def _chart(book: Workbook, sheet: Worksheet, county_lines: Sequence[Line]) -> None:
    """Add a native bar chart of coverage, the 95 % intervals as error bars, pixel counts grey."""
    if not any(line.share.judged for line in county_lines):
        sheet.write_string(0, 0, "没有带95%区间的覆盖率，不作图 · no coverage with an interval")
        return
    last = len(county_lines)
    chart = book.add_chart({"type": "bar"})
    chart.add_series(
        {
            "name": wording.COVERAGE.zh,
            "categories": [_COUNTIES, 1, 2, last, 2],
            "values": [_COUNTIES, 1, 5, last, 5],
            "points": [
                {"fill": {"color": "#9cc49a" if line.share.judged else "#cfd3d4"}}
                for line in county_lines
            ],
            "x_error_bars": {
                "type": "custom",
                "plus_values": f"='{_COUNTIES}'!$V$2:$V${last + 1}",
                "minus_values": f"='{_COUNTIES}'!$W$2:$W${last + 1}",
            },
            "gap": 60,
        }
    )
    chart.set_title({"name": f"{wording.COVERAGE.zh}与95%区间", "name_font": {"size": 14}})
    chart.set_y_axis({"reverse": True})
    chart.set_x_axis({"min": 0, "max": 1, "num_format": "0%", "major_gridlines": _GRID})
    chart.set_legend({"none": True})
    chart.set_size({"width": 900, "height": 80 + 44 * last})
    sheet.insert_chart(1, 1, chart)
