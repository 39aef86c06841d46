"""A county: how many of its tiles are finished, and what was published of it."""

from collections.abc import Hashable, Mapping
from math import isnan
from typing import Any

import geopandas as gpd
import pandas as pd

from jinhua_rs.explain.desk import Desk, Explanation, Line
from jinhua_rs.planning import PUBLISHED
from jinhua_rs.schema import INDICATORS, Status

__all__ = ["explain_unit"]

_STATUS = {Status.OK: "可用", Status.NO_INTERVAL: "无区间", Status.INSUFFICIENT: "数据不足"}


def explain_unit(desk: Desk, unit: gpd.GeoDataFrame) -> Explanation:
    """Say how far a county is, and what stands in the table that was published."""
    code, row = str(unit.index[0]), unit.iloc[0]
    tiles = [t.id for t in desk.plan.settings.grid.tiles(row["geometry"])]
    finished = {p: [t for t in tiles if desk.sidecar(p, t)] for p in desk.products}
    published = _published(desk, code)
    facts = {
        "subject": code,
        "kind": "unit",
        "period": str(desk.plan.period),
        "name_zh": row["name_zh"],
        "name_en": row["name_en"],
        "tiles": tiles,
        "missing": {p: sorted(set(tiles) - set(done)) for p, done in finished.items()},
        "published": published,
    }
    names = " ".join(dict.fromkeys([row["name_zh"], row["name_en"]])).strip()
    lines = [
        (f"{names} ({code}), {desk.plan.period}", f"{desk.plan.period.name_zh} {names}（{code}）"),
        *(
            (f"  {p:<10}{len(done)}/{len(tiles)} tiles", f"  {p:<10}{len(done)}/{len(tiles)} 块")
            for p, done in finished.items()
        ),
        *(_row_line(one) for one in published),
    ]
    return Explanation(code, "unit", facts, tuple(lines))


def _published(desk: Desk, code: str) -> list[dict[Hashable, Any]]:
    """Rows of the published table about a unit; NaN is None."""
    path = desk.plan.folder / PUBLISHED / "indicators.csv"
    if not path.is_file():
        return []
    table = pd.read_csv(path, dtype={"unit": str, "period": str})
    own = table[table["unit"] == code].astype(object)
    return own.where(own.notna(), None).to_dict("records")


def _row_line(row: Mapping[Hashable, Any]) -> Line:
    known = INDICATORS.get(str(row["indicator"]))
    name_zh = known.meaning_zh if known else str(row["indicator"])
    span = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
    value = "—" if row["value"] is None else f"{row['value']:.2f}"
    seen = row["n_clear_share"]
    clear = "—" if seen is None or isnan(seen) else f"{seen:.1%}"
    said = f"{value}{span} {row['measure']}".removesuffix(" 1")
    status = str(row["status"])
    return (
        f"  {row['indicator']}  {said}  {status}  seen {clear}  ({row['source']})",
        f"  {name_zh}  {said}  {_STATUS.get(status, status)}  晴空 {clear}  （{row['source']}）",
    )
