"""The page ``docs/validation.md``: every number on it comes from one measurement, none by hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from jinhua_rs.schema import FOREST_CANOPY, Status
from jinhua_rs.sites.measures import Agreement, Bin, Fit
from jinhua_rs.sites.romania import TRUTH_PERIOD
from jinhua_rs.sites.validate import Season, Trial, Validation

__all__ = ["validation_page", "write_validation"]

_OUTCOMES = {
    Status.OK: "published",
    Status.NO_INTERVAL: "published",
    Status.INSUFFICIENT: "insufficient data",
}
_HEAD = """\
# Validation

Written by `{command}`, the parts between marks by the
commands that they name; do not edit, run them again (`make validation` runs all).

**On real pixels.** One square kilometre of broadleaf forest in Romania (22.152 E, 45.205 N), 140
dates of Sentinel-2 L2A from the wheel `nrt` 0.2.1 (contains modified Copernicus Sentinel data;
EUPL-1.2), searched over a STAC API on loopback and run by the ordinary recipe with
`workflows/romania.toml`. Truth is the tree cover density 2018 of the Copernicus Land Monitoring
Service, {cells} cells of 20 m.
"""
_CANOPY = f"""\
## Canopy cover, every cell predicted by a model that never saw its block

Five folds of five blocks of 200 m; {TRUTH_PERIOD}; map averaged to the truth cells. The rival is a
straight line from NDVI to density, held out alike.
"""
_INTERVALS = f"""\
## Interval of the published share

Each fold's run estimates the tree-cover share of the site (density >= {FOREST_CANOPY:.0%}) from
the reference points of its held-out blocks.
"""
_QUARTERS = """\
## Every quarter

Mapped share: pixel count, uncorrected, by the model of 2018Q3. A model of summer leaves says
nothing about a winter; what may be compared is one season across years.
"""
_LIMITS = """\
## What this can and cannot claim

- **Romania is not Jinhua.** One deciduous forest of 1 km², no bamboo, no evergreen forest, no
  tea, orchard or oil-camellia, no paddy, one orbit. No accuracy for Jinhua follows
  from it; that needs reference plots in Jinhua.
- **The truth is a map.** The density layer was itself made from satellite images of 2018, among
  them Sentinel-2. Agreement with it is not agreement with the ground, and is easier to reach.
- Held-out blocks are 200 m wide and touch training blocks at their sides, so the numbers are
  kinder than those of a place that no sample comes from.
- Training and truth come from one year. How a model of one year fares in another is not measured:
  no second year of truth is at hand.
- The reference points of an interval lie in five blocks, 40 m apart, and count as independent
  although neighbours resemble each other: the intervals are, if anything, too narrow. Five trials
  cannot tell whether 95 % of them hold.
- What is shown: search, offsets, masks, composites, model, maps and indicators work on real
  pixels, clouds and shadows, in a CRS and a place that nothing in the code names.
"""


_MEASURED = "<!-- measured by "


def write_validation(path: Path, results: Validation, *, command: str) -> None:
    """
    Write the page; ``command`` is what a reader types to measure again.

    Sections that other commands measured (``<!-- measured by ... -->``) are kept at its end.
    """
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    text = validation_page(results, command=command)
    path.write_text(text + _of_others(old), encoding="utf-8")


def _of_others(page: str) -> str:
    """Return what of a page other commands have written, from its heading to the end."""
    before, mark, _ = page.partition(_MEASURED)
    return "\n" + page[before.rindex("\n## ") + 1 :] if mark else ""


def validation_page(results: Validation, *, command: str) -> str:
    """Return the page as Markdown; the same results give the same text."""
    accuracy = results.accuracy
    parts = [
        _HEAD.format(command=command, cells=f"{accuracy.forest.n:,}"),
        _summary(results),
        _CANOPY,
        _fits(accuracy.overall, accuracy.folds, accuracy.rival),
        _bins(accuracy.bins),
        "## Forest, cut at a density",
        _agreements((accuracy.forest, accuracy.dense)),
        _INTERVALS,
        _trials(results.trials),
        "## Greenness",
        _greenness(results),
        _QUARTERS,
        _seasons(results.seasons),
        _summers(results.seasons),
        _LIMITS,
    ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _summary(results: Validation) -> str:
    fit, forest = results.accuracy.overall, results.accuracy.forest
    held = sum(trial.holds for trial in results.trials)
    return (
        "**摘要** 罗马尼亚阔叶林样地（1 平方公里，真实影像）：林冠覆盖度留出检验 "
        f"RMSE {_percent(fit.rmse)}、R² {fit.r2:.2f}；覆盖度 ≥ 20% 的面积占比，"
        f"真值 {_percent(forest.truth_share)}，制图 {_percent(forest.map_share)}；"
        f"低于 20% 的地面只有 {_percent(forest.producers_other)} 被正确识别；"
        f"{len(results.trials)} 次估计中有 {held} 次的 95% 区间包含真值。"
        "该样地不是金华，以上数字不能作为金华的精度。"
    )


def _fits(overall: Fit, folds: Sequence[Fit], rival: Fit) -> str:
    named = [
        ("all cells", overall),
        *((f"fold {number}", fold) for number, fold in enumerate(folds)),
        ("rival: NDVI line", rival),
    ]
    return _table(
        ("", "cells", "RMSE", "bias", "R²", "r"),
        (
            (
                name,
                f"{fit.n}",
                _percent(fit.rmse),
                _percent(fit.bias, sign=True),
                _number(fit.r2),
                _number(fit.r),
            )
            for name, fit in named
        ),
    )


def _bins(bins: Sequence[Bin]) -> str:
    return _table(
        ("true density", "cells", "mean truth", "mean map"),
        (
            (f"{b.low:.0%} - {b.high:.0%}", f"{b.n}", _percent(b.truth), _percent(b.predicted))
            for b in bins
        ),
    )


def _agreements(cuts: Sequence[Agreement]) -> str:
    return _table(
        (
            "cut", "true share", "mapped share", "overall", "user's (forest)",
            "producer's (forest)", "user's (other)", "producer's (other)",
        ),
        (
            (
                f">= {cut.threshold:.0%}",
                *map(
                    _percent,
                    (
                        cut.truth_share, cut.map_share, cut.overall, cut.users, cut.producers,
                        cut.users_other, cut.producers_other,
                    ),
                ),
            )
            for cut in cuts
        ),
    )  # fmt: skip


def _trials(trials: Sequence[Trial]) -> str:
    return _table(
        ("fold", "estimate %", "95 % interval", "truth %", "holds it"),
        (
            (
                f"{trial.fold}",
                _number(trial.value, 1),
                f"{_number(trial.low, 1)} - {_number(trial.high, 1)}",
                _number(trial.truth, 1),
                "yes" if trial.holds else "no",
            )
            for trial in trials
        ),
    )


def _greenness(results: Validation) -> str:
    greenness = results.greenness
    lines = _table(
        ("since 2017Q3", "pixels", "NDVI fell > 0.2", "rose > 0.2", "of the fallen, low in 2020Q3"),
        (
            (
                f"{year}Q3",
                f"{change.n}",
                f"{change.fell}",
                f"{change.rose}",
                _percent(greenness.lasting.get(year, np.nan)),
            )
            for year, change in greenness.since.items()
        ),
    )
    return (
        f"NDVI {TRUTH_PERIOD} and density: r = {_number(greenness.r)}.\n\n{lines}\n\n"
        f"Published change of forest 2017Q3 to 2020Q3, pixel count: gain "
        f"{_number(greenness.gain_ha)} ha, loss {_number(greenness.loss_ha)} ha of 100 ha.\n\n"
        "*Low* means more than 0.1 below 2017Q3. Where few of the fallen pixels stay low, "
        "gaps green over before the trees are back: loss must then be looked for every year, and "
        "a comparison of two distant years misses it."
    )


def _seasons(seasons: Sequence[Season]) -> str:
    return _table(
        ("quarter", "items found", "used", "seen clear", "mapped share %", "outcome"),
        (
            (
                season.period,
                f"{season.found}",
                f"{season.kept}",
                _percent(season.seen),
                _number(season.mapped, 1),
                _OUTCOMES.get(season.status, season.status),
            )
            for season in seasons
        ),
    )


def _summers(seasons: Sequence[Season]) -> str:
    shares = [s.mapped for s in seasons if s.period.endswith("Q3") and np.isfinite(s.mapped)]
    if not shares:
        return "No summer was published."
    return (
        f"Over {len(shares)} summers the mapped share runs from {min(shares):.1f} to "
        f"{max(shares):.1f} %. Few pixels changed their greenness meanwhile (above), so most of "
        "that range is the price of using the model of one summer in another, with fewer or hazier "
        "looks: no change smaller than this may be read from pixel counts."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _percent(share: float, *, sign: bool = False) -> str:
    if not np.isfinite(share):
        return "—"
    return f"{share:+.1%}" if sign else f"{share:.1%}"


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "—"
