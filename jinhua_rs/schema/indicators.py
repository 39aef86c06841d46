"""The indicators: their names, units of measure, what may be done with a row, and its columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from jinhua_rs.errors import ContractError

__all__ = ["INDICATORS", "ROW_COLUMNS", "IndicatorInfo", "Status", "rows"]


class Status:
    """What may be done with an indicator row."""

    OK = "ok"
    NO_INTERVAL = "no_interval"
    """Map count without a reference sample: shown as context, never judged."""
    INSUFFICIENT = "insufficient"
    """Clear-view share below the gate, or nothing seen: 数据不足, value is NaN."""


@dataclass(frozen=True, slots=True)
class IndicatorInfo:
    """One indicator: its unit (``measure``) and what it is called."""

    name: str
    measure: str
    meaning: str
    meaning_zh: str


INDICATORS: dict[str, IndicatorInfo] = {
    info.name: info
    for info in (
        IndicatorInfo(
            "tree_cover_share",
            "%",
            "tree cover (canopy ≥ 20 %) as seen by satellite, share of land",
            "遥感监测森林（林木）覆盖率",
        ),
        IndicatorInfo(
            "tree_cover_area", "ha", "area of tree cover (canopy ≥ 20 %)", "遥感监测林木覆盖面积"
        ),
        IndicatorInfo(
            "tree_cover_share_mapped",
            "%",
            "share of tree-cover pixels among seen pixels, uncorrected",
            "像元统计林木覆盖率（未校正）",
        ),
        IndicatorInfo(
            "tree_cover_change",
            "points",
            "change of the tree-cover share since the baseline",
            "林木覆盖率变化（百分点）",
        ),
        IndicatorInfo(
            "tree_cover_trend",
            "points/yr",
            "trend of the tree-cover share over the years of one season (Theil-Sen)",
            "林木覆盖率逐年趋势（Theil–Sen 斜率）",
        ),
        IndicatorInfo(
            "gain_area_mapped", "ha", "mapped tree-cover gain, uncorrected", "林木增加（像元统计）"
        ),
        IndicatorInfo(
            "loss_area_mapped", "ha", "mapped tree-cover loss, uncorrected", "林木减少（像元统计）"
        ),
        *(
            IndicatorInfo(
                f"statutory_share_{bound}",
                "%",
                f"forest coverage by the statutory rules, estimated, {bound} bound",
                f"法定口径估计覆盖率（{bound_zh}）",
            )
            for bound, bound_zh in (("lower", "下限"), ("upper", "上限"))
        ),
        IndicatorInfo(
            "statutory_share_calibrated",
            "%",
            "official coverage of the base year, carried on by the measured change",
            "官方基年覆盖率加实测变化（校准值）",
        ),
        IndicatorInfo(
            "statutory_change",
            "points",
            "change of what surely counts by the statutory rules, since the baseline",
            "法定口径估计覆盖率变化（百分点）",
        ),
        IndicatorInfo(
            "woody_share",
            "%",
            "coverage with all shrub (林木口径)",
            "林木口径覆盖率（含全部灌木）",
        ),
        *(
            IndicatorInfo(f"{name}_area", "ha", f"area of {meaning}", f"{meaning_zh}面积")
            for name, meaning, meaning_zh in (
                ("stand", "tree stands of canopy density 0.20 or more", "乔木林（郁闭度≥0.20）"),
                ("bamboo", "bamboo stands of canopy density 0.20 or more", "竹林（郁闭度≥0.20）"),
                ("shrub", "shrub, tea and oil-camellia", "灌木、茶、油茶"),
                ("orchard", "orchards", "果园"),
                (
                    "forest_shrub",
                    "shrub, tea and oil-camellia on forest land",
                    "林地上灌木、茶、油茶",
                ),
                ("tea", "shrub crops on tea gardens", "茶园"),
                ("oil_camellia", "shrub crops on other garden land", "其他园地上灌木经济林"),
            )
        ),
        IndicatorInfo(
            "unlike_training_share",
            "%",
            "share of the seen ground unlike anything in training",
            "与训练样本均不相似的地面占比",
        ),
        IndicatorInfo("mean_ndvi", "1", "mean NDVI of seen pixels", "平均植被指数"),
        IndicatorInfo("mean_canopy", "1", "mean canopy cover of seen pixels", "平均林冠覆盖度"),
    )
}

ROW_COLUMNS: tuple[str, ...] = (
    "period",
    "unit",
    "indicator",
    "value",
    "low",
    "high",
    "measure",
    "status",
    "n_clear_share",
    "n",
    "test",
    "p",
    "source",
)
"""
Tidy indicator rows, one fact per row.

``unit`` is the reporting unit's code; ``low``/``high`` the 95 % interval (NaN where the
status is ``no_interval``); ``measure`` the unit of measure; ``n_clear_share`` the share of
the unit's area seen clear; ``source`` says what the number was made from. A record may leave out
``n`` (reference points, or years of a trend; 0: none), ``test`` (how the interval was made) and
``p`` (of a test that stands beside the interval; NaN: none).
"""

_LEFT_OUT: Mapping[str, Any] = {"n": 0, "test": "", "p": np.nan}


def rows(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """
    Make an indicator table and check it.

    Raises
    ------
    ContractError
        On a missing or unknown column, an unknown indicator, a wrong measure, an interval
        that does not hold its value, or a value beside status ``insufficient``.
    """
    for record in records:
        wrong = _wrong_row(record)
        if wrong is not None:
            raise _bad_rows(wrong)
    full = [{**_LEFT_OUT, **record} for record in records]
    return pd.DataFrame.from_records(full, columns=list(ROW_COLUMNS))


def _wrong_row(record: Mapping[str, Any]) -> str | None:
    """Say what is wrong with a row; None when it keeps the schema."""
    if {*record, *_LEFT_OUT} != set(ROW_COLUMNS):
        wrong = sorted({*record, *_LEFT_OUT} ^ set(ROW_COLUMNS))
        return f"columns {wrong} missing or unknown"
    name = f"{record['unit']} {record['indicator']}"
    info = INDICATORS.get(record["indicator"])
    if info is None or info.measure != record["measure"]:
        return f"{name} in {record['measure']} is not in the schema"
    value, low, high = (float(record[key]) for key in ("value", "low", "high"))
    if record["status"] == Status.INSUFFICIENT and not np.isnan(value):
        return f"{name} has a value although data are insufficient"
    if record["status"] == Status.OK and not low <= value <= high:
        return f"{name} lies outside its interval"
    return None


def _bad_rows(what: str) -> ContractError:
    return ContractError(
        f"indicator rows: {what}; see docs/data-dictionary.md", zh=f"指标表不合规范：{what}"
    )
