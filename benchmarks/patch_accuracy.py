"""
How good are the patches of change (图斑)? Scored against the events of the twin, by command.

Usage: ``python -m benchmarks.patch_accuracy [--windows abcde] [--to FOLDER] [--workers 2]``

Windows of 4 and 5 km are painted from 2016 to 2024, six dates a quarter at 10 m with clouds, haze,
noise and a faulty classification, and go through the ordinary recipe: land of 2018Q4, 2019Q4,
2023Q4 and 2024Q4, the watch of the twenty quarters from 2020Q1 on, patches of every quarter as
``followup`` makes them, and the yearly change. Scored: patches of 1 亩 and of 1 ha, losses and
gains; alerts on stable bamboo; delay; and what each step of the yearly change adds. Writes the
part of ``docs/validation.md`` between its two marks. All data are simulated.
"""

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from benchmarks.patch_scores import SIZES, Truth, found, judged, on_stable, yearly
from benchmarks.patch_windows import BETWEEN, SEED, WINDOWS
from benchmarks.section import Section
from jinhua_rs.causes import CAUSE_CLASSES
from jinhua_rs.estimation.intervals import wilson
from jinhua_rs.settings import Patches
from jinhua_rs.twin.chronicle import Chronicle

__all__ = ["Scored", "page", "score"]

SECTION = Section("Patches of change on the twin", "benchmarks/patch_accuracy.py")
_CAUSES: Final = {info.code: info.name_zh for info in CAUSE_CLASSES}


@dataclass(frozen=True)
class Scored:
    """What a window scored; tables say which window they are of."""

    judged: pd.DataFrame
    found: pd.DataFrame
    stable: pd.DataFrame
    yearly: pd.DataFrame


def score(name: str, root: Path) -> Scored:
    """Paint a window, go through it, and score it."""
    window, chronicle = replace(WINDOWS[name], folder=root / name), Chronicle.of(SEED)
    window.paint(1)
    window.run(chronicle)
    quarters, rules = list(window.quarters()), Patches()
    truth = Truth.of(chronicle, window, [one.period.stop.date() for one in quarters])
    tables = (
        judged(quarters, truth, rules), found(quarters, truth, rules),
        on_stable(quarters, truth, rules), yearly(window, truth),
    )  # fmt: skip
    return Scored(*(table.assign(window=name, held_out=window.held_out) for table in tables))


def page(scored: Sequence[Scored], names: str) -> str:
    """Lay the scores out."""
    whole = Scored(
        *(
            pd.concat([getattr(one, part) for one in scored], ignore_index=True)
            for part in ("judged", "found", "stable", "yearly")
        )
    )
    where = "; ".join(
        f"{n} {WINDOWS[n].side / 1000:g} km{', held out' if WINDOWS[n].held_out else ''}"
        for n in names
    )
    lines = [
        f"Written by `python -m benchmarks.patch_accuracy --windows {names}`. **Simulated data",
        f"(模拟数据).** Windows: {where}.",
        "Rules of the watch were chosen on those that are not held out and on the Romanian",
        "forest; how sure a loss must be (`report_loss`) and when trees may have grown unseen by",
        "the watch on a, b and c; that bamboo which greens is no gain on b (seen last, when e had",
        "been scored: one for all trees lost gains there); that an alert of gain must be of the",
        "highest confidence, and that a loss where no woody plants stood is no report, was learnt",
        "from d; that samples which have grown are left behind in another year (`[model] also`)",
        "from c, looking at d, where it was also seen that the baseline must hear a map of the",
        "year before. But for that one, **e is new to every rule**. Maps are made of",
        "2018Q4, 2019Q4 (baseline), 2023Q4 and 2024Q4; the model learns from points of 2019Q4,",
        "laid over 2023Q4 and 2024Q4 too, and sees quarries (`[mask] bare_ground`). Twenty",
        "quarters from 2020Q1 on; a patch counts when it is first reported, and is right if",
        "half of it lies on ground, or a pixel beside it, that truly changed so by then.",
        "A true piece of 1 亩 or more is found if half of it was reported. 95 % intervals",
        "after Wilson 1927; they take patches as independent, which pieces of one event are not.",
        "",
        *_targets(whole),
        "",
        *_gains(whole.found),
        "",
        "Found, by kind of event (all windows; days from the event to the end of the quarter that",
        "first reports half of it):",
        "",
        *_events(whole.found),
        "",
        "Causes told of the patches that are right, by what truly happened (all windows):",
        "",
        *_causes(whole.judged),
        "",
        *_bamboo(whole.stable),
        "",
        *_yearly(whole.yearly),
    ]
    return "\n".join(lines) + "\n"


_WANTED: Final = {"≥ 1 亩": (0.85, 0.80), "≥ 1 ha": (0.95, 0.90)}


def _targets(whole: Scored) -> list[str]:
    groups: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "all windows": lambda table: table,
        "held out": lambda table: table[table["held_out"]],
        "e alone": lambda table: table[table["window"] == "e"],
    }
    lines = [
        "| | wanted | " + " | ".join(groups) + " |",
        "| --- | --- " + "| --- " * len(groups) + "|",
    ]
    for name, kinds in (("patches", ["loss", "gain"]), ("loss", ["loss"]), ("gain", ["gain"])):
        both = whole.judged[whole.judged["kind"].isin(kinds)]
        pieces = whole.found[whole.found["kind"].isin(kinds)]
        for size, (precision, recall) in _WANTED.items():
            told, true = both[both["size"] == size], pieces[pieces["m2"] >= SIZES[size]]
            for what, least, hits, table in (
                ("precision", precision, "right", told), ("recall", recall, "found", true),
            ):  # fmt: skip
                cells = [_share(choose(table)[hits], least) for choose in groups.values()]
                lines.append(f"| {name} {size}, {what} | {least:.2f} | {' | '.join(cells)} |")
    return lines


def _gains(table: pd.DataFrame) -> list[str]:
    """List the true gains one by one, and what is found of those that were due."""
    gains = table[table["kind"] == "gain"].sort_values(["window", "start"])
    due = gains[gains["due"]]
    large = due[due["m2"] >= SIZES["≥ 1 ha"]]
    lines = [
        "A gain is told when a year between shows trees too, so that what passes 0.20 in the last",
        "year is told a year later, beyond the end; a loss of the last quarter is not asked for",
        f"either. Of the gains that had passed by the end of {BETWEEN} are found: ≥ 1 亩",
        f"{_share(due['found'])}; ≥ 1 ha {_share(large['found'])}. The rows above count all.",
        "Each true gain:",
        "",
        f"| window | event | began | ha | passed 0.20 by {BETWEEN} | reported, share | found |",
        "| --- | --- | --- | --: | --- | --: | --- |",
    ]
    return lines + [
        f"| {one.window} | {one.event} | {one.start} | {one.m2 / 1e4:.2f} "
        f"| {'yes' if one.due else 'no'} | {one.share:.2f} | {'yes' if one.found else 'no'} |"
        for one in gains.itertuples()
    ]


def _share(hits: pd.Series, least: float | None = None) -> str:
    """Say a share with its interval and count, and whether it is met."""
    n = len(hits)
    if not n:
        return "—"
    share = float(hits.astype(float).mean())
    low, high = (float(end) for end in wilson(np.float64(share), n, 1.96))
    met = "" if least is None else ", met" if share >= least else ", **not met**"
    return f"{share:.2f} ({low:.2f}–{high:.2f}), {int(hits.sum())} of {n}{met}"


def _events(table: pd.DataFrame) -> list[str]:
    lines = [
        "| | pieces ≥ 1 亩 found | pieces ≥ 1 ha found | share of their area | days, median |",
        "| --- | --- | --- | --: | --: |",
    ]
    for (kind, event), part in table.groupby(["kind", "event"], sort=False):
        area = float(np.average(part["share"], weights=part["m2"]))
        days = part["days"].dropna().astype(float)
        told = f"{days.median():.0f}" if len(days) and kind == "loss" else "—"
        large = part[part["m2"] >= SIZES["≥ 1 ha"]]
        lines.append(
            f"| {kind}, {event} | {_share(part['found'])} | {_share(large['found'])} "
            f"| {area:.2f} | {told} |"
        )
    return lines


def _causes(table: pd.DataFrame) -> list[str]:
    right = table[table["right"] & (table["size"] == "≥ 1 亩") & (table["event"] != "")]
    crossed = pd.crosstab([right["kind"], right["event"]], right["cause"])
    heads = [_CAUSES.get(int(code), "—") for code in crossed.columns]
    lines = ["| true | " + " | ".join(heads) + " |", "| --- " + "| --: " * len(heads) + "|"]
    return lines + [
        f"| {kind}, {event} | " + " | ".join(map(str, row)) + " |"
        for (kind, event), row in zip(crossed.index, crossed.to_numpy(), strict=True)
    ]


def _bamboo(table: pd.DataFrame) -> list[str]:
    """Say how much of the stable bamboo is falsely in alert, mean and worst quarter."""
    names = {
        ">= 1": "any confidence",
        ">= 2": "high",
        ">= 3": "highest",
        "patches": "reported patches",
    }
    lines = [
        "Stable bamboo in alert of loss, % of its area by quarter (wanted: below 2 % in patches):",
        "",
        "| | " + " | ".join(names.values()) + " |",
        "| --- " + "| --: " * len(names) + "|",
    ]
    for window, part in table.groupby("window"):
        cells = [
            f"{part[n].mean():.2f}, worst {part[n].max():.2f} ({part['quarter'][part[n].idxmax()]})"
            for n in names
        ]
        lines.append(f"| {window}, {part['ha'].iloc[0]:.0f} ha | {' | '.join(cells)} |")
    worst = table["patches"].max()
    met = "met" if worst < 2 else "**not met**"
    return [*lines, "", f"Worst quarter of all: {worst:.2f} % in reported patches, {met}."]


def _yearly(table: pd.DataFrame) -> list[str]:
    """Say what each step of the yearly change adds, against truth by pixel."""
    lines = [
        "Yearly change 2019Q4 to 2024Q4 against truth by pixel (trees: canopy of 0.20), ha mapped,",
        "precision, recall of all that truly came or went; each step is added to those before it:",
        "",
        "| window | step | loss ha | precision | recall | gain ha | precision | recall |",
        "| --- | --- | --: | --: | --: | --: | --: | --: |",
    ]
    for (window, step), part in table.groupby(["window", "step"], sort=False):
        cells = []
        for kind in ("loss", "gain"):
            one = part[part["kind"] == kind].iloc[0]
            cells += [
                f"{one['mapped'] / 100:.1f}",
                _of(one["right"], one["mapped"]),
                _of(one["right"], one["true"]),
            ]
        lines.append(f"| {window} | {step} | {' | '.join(cells)} |")
    return lines


def _of(part: float, whole: float) -> str:
    return f"{part / whole:.2f}" if whole else "—"


def main() -> None:
    """Measure, and write the page."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--windows", default="abcde")
    given.add_argument("--to", type=Path, default=Path("outputs/patch-accuracy"))
    given.add_argument("--workers", type=int, default=2)
    told = given.parse_args()
    work = partial(score, root=told.to.resolve())
    with ProcessPoolExecutor(told.workers, mp_context=get_context("spawn")) as crew:
        scored = list(crew.map(work, told.windows))
    SECTION.write(page(scored, told.windows))


if __name__ == "__main__":
    main()
