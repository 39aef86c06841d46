"""The table of what each step of refinement did to the mapped tree cover."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jinhua_rs.figures import DASH, Words, percent, shown
from jinhua_rs.refine import STEPS
from jinhua_rs.report.data import ReportData, StepEffect, Unit
from jinhua_rs.report.wording import mu_of, wan_mu_of

__all__ = ["SHEET_COLUMNS", "STEP_NAMES", "StepLine", "sheet_rows", "step_lines"]

STEP_NAMES: dict[str, Words] = {
    "raw": Words("模型原图", "As the model has it"),
    "smoothing": Words("邻域平滑", "Smoothed by neighbours"),
    "history": Words("多年一致", "Consistent over years"),
    "minimum_unit": Words("最小图斑", "Minimum unit"),
}
"""Steps to the published map, in words."""

SHEET_COLUMNS: tuple[tuple[str, float, str], ...] = (
    ("代码\ncode", 10, "text"),
    ("单元\nunit", 12, "text"),
    ("步骤\nstep", 24, "text"),
    ("步骤后林木面积（公顷）\ntree cover after it, ha", 20, "context"),
    ("增减（公顷）\ndifference, ha", 14, "change"),
    ("增减（亩）\ndifference, mu", 14, "change"),
    ("变化像元占比\npixels changed", 14, "share"),
    ("已观测面积（公顷）\nseen, ha", 16, "context"),
)


@dataclass(frozen=True, slots=True)
class StepLine:
    """
    A unit: its mapped tree cover before and after (万亩), and what each step changed.

    ``unlike`` is the share of its seen ground that is unlike anything in training.
    """

    unit: Unit
    before: str
    changes: tuple[tuple[str, str], ...]
    after: str
    unlike: str


def step_lines(data: ReportData) -> list[StepLine]:
    """Lay the effects out unit by unit, as printed; empty where nothing was measured."""
    found = {(one.unit, one.step): one for one in data.effects}
    strange = {r.unit: r.value for r in data.rows if r.indicator == "unlike_training_share"}
    return [
        StepLine(
            unit,
            _wan_mu(found[unit.code, STEPS[0]]),
            tuple(_change(found[unit.code, step]) for step in STEPS[1:]),
            _wan_mu(found[unit.code, STEPS[-1]]),
            percent(_number(strange.get(unit.code)), 1),
        )
        for unit in data.units
        if (unit.code, STEPS[0]) in found
    ]


def _wan_mu(effect: StepEffect) -> str:
    return DASH if effect.tree_cover_ha is None else shown(wan_mu_of(effect.tree_cover_ha), 2)


def _change(effect: StepEffect) -> tuple[str, str]:
    """Print what a step added (亩), and the share of the pixels it changed."""
    if effect.difference_ha is None or effect.changed_share is None:
        return DASH, DASH
    moved = shown(mu_of(effect.difference_ha), 0, signed=True)
    return moved, percent(100 * effect.changed_share, 2)


def sheet_rows(data: ReportData) -> Sequence[list[str | float]]:
    """Rows under :data:`SHEET_COLUMNS`; NaN where not known."""
    names = {unit.code: unit.name.zh for unit in data.units}
    return [
        [
            one.unit,
            names[one.unit],
            f"{STEP_NAMES[one.step].zh} {one.step}",
            _number(one.tree_cover_ha),
            _number(one.difference_ha),
            mu_of(_number(one.difference_ha)),
            _number(one.changed_share),
            one.seen_ha,
        ]
        for one in data.effects
    ]


def _number(value: float | None) -> float:
    return math.nan if value is None else value
