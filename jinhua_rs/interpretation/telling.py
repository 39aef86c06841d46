"""What the screen says of a reading: agreement, estimates, how far doubt moves them."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from jinhua_rs.figures import DASH
from jinhua_rs.interpretation.reading import Reading

__all__ = ["reading_facts", "reading_lines", "reading_table"]

_HEADINGS = {
    "zh": ("时段", "单元", "样点", "覆盖率 %", "95% 区间", "拿不准/未判", "全判无林–全判有林"),
    "en": ("period", "unit", "points", "cover %", "95 %", "unsure/unjudged", "all other-all trees"),
}


def reading_facts(found: Reading) -> dict[str, Any]:
    """Return what ``--json`` prints; ``null``: there is no such number."""
    return {
        "reference": None if found.reference is None else str(found.reference),
        "unsettled": found.settled.unsettled,
        "kappa": {
            period: None if math.isnan(one.kappa) else one.kappa
            for period, one in found.settled.trees.items()
        },
        "estimates": found.table.astype("object")
        .where(found.table.notna(), None)
        .to_dict("records"),
    }


def reading_lines(found: Reading) -> Iterator[tuple[str, str]]:
    """Lines about the agreement, in English and Chinese."""
    for period, one in found.settled.trees.items():
        classes = found.settled.classes[period]
        kappa = _kappa(one.kappa, one.low, one.high)
        trees = f"{period}: {one.n} read twice, tree cover agreed {one.share:.1%}, kappa {kappa}"
        trees_zh = f"{period}：复判 {one.n} 个，有林与否一致 {one.share:.1%}，κ = {kappa}"
        share = f"{classes.share:.1%}"
        yield f"{trees}; class agreed {share}", f"{trees_zh}；地类一致 {share}"


def _kappa(value: float, low: float, high: float) -> str:
    return DASH if math.isnan(value) else f"{value:.2f} ({low:.2f}–{high:.2f})"


def reading_table(found: Reading, language: str) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Headings and rows: a row a period and unit; a dash where there is no number."""
    rows: list[tuple[str, ...]] = [
        (
            str(row["period"]),
            str(row["name"]) or str(row["unit"]),
            str(row["n"]),
            _percent(row["value"]),
            _pair(row["low"], row["high"]),
            f"{row['unsure']}/{row['unjudged']}",
            _pair(row["all_other"], row["all_trees"]),
        )
        for row in found.table.to_dict("records")
    ]
    return _HEADINGS["zh" if language == "zh" else "en"], rows


def _percent(share: float) -> str:
    return DASH if math.isnan(share) else f"{100 * share:.2f}"


def _pair(low: float, high: float) -> str:
    return DASH if math.isnan(low) else f"{_percent(low)}–{_percent(high)}"
