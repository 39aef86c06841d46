"""The book of what no layer lists: new bare ground in forest, new trees outside all parcels."""

from pathlib import Path

import pandas as pd

from jinhua_rs.dossier.book import COUNTY, Column, Sheet, write_book
from jinhua_rs.dossier.brief import Brief

__all__ = ["write_unlisted"]

_COLUMNS = (
    Column("patch", "图斑编号", 22),
    COUNTY,
    Column("area_mu", "面积（亩）", 11, "mu"),
    Column("first_day", "首次发现", 12),
    Column("last_day", "最近确认", 12),
    Column("confidence", "置信等级（0–3）", 10, "whole"),
    Column("x", "横坐标（EPSG:4549）", 14, "whole"),
    Column("y", "纵坐标（EPSG:4549）", 14, "whole"),
)
_NOTES = {
    "疑似未登记矿山": "原为林地或灌木、现为裸地、1 亩以上，且不在已登记矿山范围内的减少图斑。",
    "未上报新增林木": "1 亩以上的增加图斑，与全部上报造林小班重叠不足 10%。",
    "用途": "线索清单，须经核查；“—”表示未提供对应图层，无法比对。",
}


def write_unlisted(
    folder: Path, brief: Brief, mines: pd.DataFrame, trees: pd.DataFrame | None
) -> None:
    """
    Write ``unlisted-mines.csv``, ``unlisted-trees.csv`` and ``unlisted.xlsx`` into a folder.

    Parameters
    ----------
    mines, trees : DataFrame
        Columns ``patch``, ``county_name``, ``area_mu``, ``first_day``, ``last_day``,
        ``confidence``, ``x``, ``y``; ``trees`` is None where no parcels were supplied.
    """
    sheets = [Sheet("疑似未登记矿山", mines, _COLUMNS)]
    mines.to_csv(folder / "unlisted-mines.csv", index=False)
    if trees is not None:
        trees.to_csv(folder / "unlisted-trees.csv", index=False)
        sheets.append(Sheet("未上报新增林木", trees, _COLUMNS))
    title = f"{brief.period.name_zh}未登记变化线索"
    write_book(folder / "unlisted.xlsx", title, brief, sheets, _NOTES)
