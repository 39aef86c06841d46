"""
Are wrong labels found, is it worth dropping them, and do class weights help? Decision 0017.

    python workflows/train_model.py        (builds the twin and sees its year; once)
    python -m benchmarks.doubtful

Training points of the twin with all features of the shipped model. A share of the labels is
flipped at random and screened; forests that learnt from what is kept are scored in held-out blocks
against the true labels. Then the points are thinned as the ground is. Simulated ground: the order
of the rows says something, their level nothing about the real Jinhua.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier

from benchmarks import features as measured
from jinhua_rs import features
from jinhua_rs.landcover import TrainOptions, screen
from jinhua_rs.landcover.blocks import assign_folds, block_of
from jinhua_rs.landcover.growing import classifier_of
from jinhua_rs.landcover.screening import DROP
from jinhua_rs.schema import LAND_CLASSES

OPTIONS = TrainOptions(seed=20200101, trees=50, depth=10, leaf=3, max_features=0.3)
"""The size of the shipped model."""
SHARES, SEEDS = (0.0, 0.1, 0.2), (1, 2, 3)
THINNED, LEAST, CAP = 1_800, 18, 100

Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


def flipped(labels: Integers, share: float, rng: np.random.Generator) -> tuple[Integers, Flags]:
    """Give a share of the labels another class, each of the others alike; which they are."""
    wrong = np.zeros(len(labels), bool)
    wrong[rng.choice(len(labels), round(share * len(labels)), replace=False)] = True
    codes = np.unique(labels)
    steps = rng.integers(1, len(codes), len(labels))
    other = codes[(np.searchsorted(codes, labels) + steps) % len(codes)]
    return np.where(wrong, other, labels), wrong


def folds(table: pd.DataFrame, options: TrainOptions) -> Integers:
    """Deal the rows into folds of whole blocks."""
    blocks = block_of(table["x"].to_numpy(), table["y"].to_numpy(), options.block_m)
    return assign_folds(blocks, table["class"].to_numpy(np.int64), seed=options.seed)


def named(
    pixels: npt.NDArray[np.float32],
    labels: Integers,
    kept: Flags,
    fold: Integers,
    forest: RandomForestClassifier,
) -> Integers:
    """Name every row by a forest of the kept rows of the other folds."""
    said = np.zeros(len(labels), np.int64)
    for number in np.unique(fold):
        rows = kept & (fold != number)
        grown = clone(forest).fit(pixels[rows], labels[rows])
        said[fold == number] = grown.predict(pixels[fold == number])
    return said


def noise(table: pd.DataFrame, wanted: tuple[str, ...]) -> Iterator[str]:
    """Yield the rows of the table of wrong labels."""
    true, fold = table["class"].to_numpy(np.int64), folds(table, OPTIONS)
    pixels, forest = table[list(wanted)].to_numpy(np.float32), classifier_of(OPTIONS)
    for share in SHARES:
        labels, wrong = flipped(true, share, np.random.default_rng([OPTIONS.seed, 1]))
        found = screen(table.assign(**{"class": labels}), wanted, OPTIONS)
        verdict = pd.Series("", index=table.index) if found is None else found.doubtful["verdict"]
        verdict = verdict.reindex(table.index).fillna("").to_numpy()
        flagged, dropped = verdict != "", verdict == DROP
        right = [
            np.mean(named(pixels, labels, kept, fold, forest) == true)
            for kept in (np.ones(len(true), bool), ~dropped, ~flagged)
        ]
        yield (
            f"| {100 * share:.0f} % | {_percent(flagged[wrong])} | {_percent(wrong[dropped])} | "
            f"{_percent(flagged)} | {_percent(flagged[~wrong])} | "
            + " | ".join(f"{one:.3f}" for one in right)
            + " |"
        )


def _percent(of: Flags) -> str:
    return f"{100 * of.mean():.0f} %" if len(of) else "–"


def thinned(labels: Integers, shares: pd.Series, rng: np.random.Generator) -> Flags:
    """Choose about 1,800 rows, of each class as its ground is, but at least 18 where there are."""
    kept = np.zeros(len(labels), bool)
    for code, share in shares.items():
        rows = np.flatnonzero(labels == code)
        number = min(len(rows), max(LEAST, round(THINNED * share)))
        kept[rng.choice(rows, number, replace=False)] = True
    return kept


def capped(labels: Integers, kept: Flags, rng: np.random.Generator) -> Flags:
    """Keep at most 100 of the kept rows of each class."""
    found = np.zeros(len(labels), bool)
    for code in np.unique(labels[kept]):
        rows = np.flatnonzero(kept & (labels == code))
        found[rng.choice(rows, min(len(rows), CAP), replace=False)] = True
    return found


def ground() -> pd.Series:
    """Share of each class of the city's true ground, index code."""
    truth = pd.read_csv(measured.TWIN / "truth" / "truth.csv", dtype={"unit": str})
    city = truth[(truth["unit"] == "330700") & (truth["period"] == "2024Q4")]
    areas = city[city["indicator"].str.startswith("area_")].set_index("indicator")["value"]
    found = pd.Series(areas.to_numpy(), index=[info.code for info in LAND_CLASSES])
    return found / found.sum()


def imbalance(table: pd.DataFrame, wanted: tuple[str, ...]) -> Iterator[str]:
    """Yield the rows of the table of unequal classes: mean of three seeds."""
    true, shares = table["class"].to_numpy(np.int64), ground()
    pixels, weighed = table[list(wanted)].to_numpy(np.float32), "balanced_subsample"
    variants = {
        "as they are": (None, False), f'`class_weight = "{weighed}"`': (weighed, False),
        "at most 100 of a class": (None, True), "both": (weighed, True),
    }  # fmt: skip
    for name, (weight, cap) in variants.items():
        scores = []
        for seed in SEEDS:
            rng, options = np.random.default_rng(seed), replace(OPTIONS, seed=seed)
            kept = thinned(true, shares, rng)
            kept = capped(true, kept, rng) if cap else kept
            forest = classifier_of(options).set_params(class_weight=weight)
            said = named(pixels, true, kept, folds(table, options), forest)
            recall = pd.Series(said == true).groupby(true).mean()
            scores.append((recall.mean(), (recall * shares).sum(), recall[9], recall[6]))
        yield f"| {name} | " + " | ".join(f"{one:.3f}" for one in np.mean(scores, axis=0)) + " |"


def main() -> None:
    """Print both tables."""
    wanted = features.names(measured.everything())
    table = measured.table().drop(columns="confidence", errors="ignore").dropna()
    table = table.reset_index(drop=True)
    out = [
        f"{len(table)} points; SIMULATED\n",
        (
            "| wrong labels | found (look or drop) | of *drop* truly wrong | flagged in all | "
            "of the sound flagged | accuracy, all kept | without *drop* | without both |"
        ),
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for line in (*out, *noise(table, wanted)):
        sys.stdout.write(line + "\n")
    sys.stdout.write(
        "\n| thinned as the ground | recall, mean of classes | by area | bare ground | orchard |\n"
        "| --- | --: | --: | --: | --: |\n"
    )
    for line in imbalance(table, wanted):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
