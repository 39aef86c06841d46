"""The patches as a workbook to read and to fill in: text stays text, answers have drop-downs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from jinhua_rs.delivery.fields import FIELDS, OBSERVED, Field, Handover
from jinhua_rs.patches import KINDS, REASONS, ROLES, TRANSITIONS, screen
from jinhua_rs.period import ZONE
from jinhua_rs.workbook import Book, Look, opened, prose, put

__all__ = ["SHEET", "write_workbook"]

SHEET = "图斑"
"""Sheet that is filled in and read back; its first row holds the Chinese names of the fields."""

_LOOKS: dict[str, Look] = {
    "text": {"valign": "top"},
    "whole": {"num_format": "0", "align": "right", "valign": "top"},
    "number": {"num_format": "#,##0.00", "align": "right", "valign": "top"},
    "dash": {"align": "right", "font_color": "#7d8689"},
    "answer": {"bg_color": "#fff8e1", "border": 1, "border_color": "#e0d3a8", "num_format": "@"},
    "ask": {"bold": True, "text_wrap": True, "valign": "vcenter", "align": "center",
            "bg_color": "#ffe9a8", "bottom": 2},
}  # fmt: skip
_WIDTHS = {"TBBH": 20, "SJXZ": 18, "BZ": 40, "SCSJ": 22}
_FROZEN = 2
"""Columns that stay in sight: id and version."""


def write_workbook(path: Path, layer: gpd.GeoDataFrame, given: Handover) -> None:
    """
    Write the workbook; equal data give equal bytes.

    Sheets: 说明 (what this is and how to fill it in), 图斑 (one row a patch, yellow columns are
    for answers), 分县汇总 (patches by county), 代码表 (reasons, states and who may set them).

    Parameters
    ----------
    path : Path
        Ends in ``.xlsx``.
    layer : GeoDataFrame
        Columns named by the keys of the fields.
    given : Handover
        Counties, title, mark and instant.
    """
    facts = {"title": given.title, "subject": given.label}
    with opened(path, facts, label=given.label, created=given.now, looks=_LOOKS) as book:
        _about(book.sheet("说明"), book, given)
        _patches(book.sheet(SHEET), book.looks, layer)
        _rows(book.sheet("分县汇总"), book.looks, *screen(given.counties, "zh"))
        _rows(book.sheet("代码表"), book.looks, *_codes())


_FILL_IN = (
    "只填“图斑”表右侧黄色各列：新状态、原因、核查人、角色为下拉或必填，"
    "核查日期写成 2024-10-08，备注不超过 2000 字。没有结论的行留空。"
)
_SEND_BACK = (
    "保存后交回，用 jinhua-rs patches import 文件名 导入。图斑编号和版本不要改动："
    "版本不一致说明他人已更新，该行会列为冲突，不会覆盖。"
)
_VALUE = (
    "期望值（亩）= 为真概率 × 面积 × 权重；位于红线、保护地、永久基本农田者权重高，"
    "已有采伐许可或上报造林地块可解释者权重低。"
)


def _about(sheet: Worksheet, book: Book, given: Handover) -> None:
    looks = book.looks
    if given.label:
        sheet.write_string(0, 0, given.label, looks["mark"])
        sheet.write_string(0, 1, "", looks["mark"])
    sheet.write_string(1, 0, given.title, looks["title"])
    lines = [
        ("内容", "“图斑”表每行一个图斑，按核查顺序排列；“分县汇总”只计可上报图斑。"),
        ("怎么填", _FILL_IN),
        ("怎么交", _SEND_BACK),
        ("图斑", given.how),
        ("面积", f"面积在格网（{given.crs}）上量算；“图斑面积”为椭球面积。"),
        ("期望值", _VALUE),
        ("“—”", "未知，或未提供相应图层；不是 0。"),
        ("性质", "遥感发现的疑似变化，须经核查方可认定；不是执法结论。"),
        ("数据性质", given.label or OBSERVED),
        ("生成时间", f"{given.now.astimezone(ZONE):%Y-%m-%d %H:%M}（北京时间）"),
    ]
    prose(book, sheet, lines, 3)


def _patches(sheet: Worksheet, looks: Mapping[str, Format], layer: gpd.GeoDataFrame) -> None:
    last = max(1, len(layer))
    for column, field in enumerate(FIELDS):
        sheet.set_column(column, column, _WIDTHS.get(field.key, 12))
        sheet.write_string(0, column, field.zh, looks["ask" if field.answer else "head"])
        for row, value in enumerate(layer[field.key], start=1):
            _put(sheet, row, column, value, field, looks)
        if field.choices:
            offer = {"validate": "list", "source": f"={_column_of(field)}"}
            sheet.data_validation(1, column, last, column, offer | {"error_title": "请从列表选择"})
    sheet.set_row(0, 34)
    sheet.freeze_panes(1, _FROZEN)
    sheet.repeat_rows(0)
    sheet.autofilter(0, 0, last, len(FIELDS) - 1)


Cell = str | float | None


def _put(
    sheet: Worksheet, row: int, column: int, cell: Cell, field: Field, looks: Mapping[str, Format]
) -> None:
    if field.answer:
        sheet.write_blank(row, column, None, looks["answer"])
    else:
        known = cell is not None and not pd.isna(cell)
        look = "dash" if not known else "text" if isinstance(cell, str) else field.kind
        put(sheet, (row, column), cell if known else None, looks[look])


_LISTS = ("XZT", "XYY", "HCJS")


def _column_of(field: Field) -> str:
    """Address of a field's choices on the sheet of codes."""
    letter = "ABC"[_LISTS.index(field.key)]
    return f"代码表!${letter}$2:${letter}${len(field.choices) + 1}"


def _codes() -> tuple[list[str], list[list[str]]]:
    """List the choices of the drop-downs, who may take which step, and what a reason is for."""
    lists = [next(field for field in FIELDS if field.key == key).choices for key in _LISTS]
    steps = [
        f"{before} → {after}：{'、'.join(ROLES[role][0] for role in roles)}"
        for before, ways in TRANSITIONS.items()
        for after, roles in ways.items()
    ]
    fits = [f"{zh}：{'、'.join(states)}" for zh, _, states in REASONS.values()]
    columns = [*lists, steps, fits]
    height = max(map(len, columns))
    lines = [[one[at] if at < len(one) else "" for one in columns] for at in range(height)]
    return ["新状态", "原因", "角色", "允许的状态变更及角色", "原因适用于"], lines


def _rows(
    sheet: Worksheet, looks: Mapping[str, Format], heads: Sequence[str], lines: list[list[str]]
) -> None:
    """Write a small table; a cell that reads as a number is one."""
    for column, head in enumerate(heads):
        sheet.set_column(column, column, 34 if column > len(KINDS) else 16)
        sheet.write_string(0, column, head, looks["head"])
        for row, line in enumerate(lines, start=1):
            cell = line[column]
            if cell.replace(".", "", 1).isdigit():
                look = "number" if "." in cell else "whole"
                sheet.write_number(row, column, float(cell), looks[look])
            else:
                sheet.write_string(row, column, cell, looks["text"])
    sheet.freeze_panes(1, 0)
