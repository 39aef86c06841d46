"""
What each group of features is worth: classes and canopy of held-out blocks, on the twin.

    python workflows/train_model.py        (builds the twin and sees its year; once)
    python -m benchmarks.features

The features of the training points are read once, from the composites of that run. Every subset is
scored on the same points, blocks and folds, by forests of one size, with three seeds. Simulated
ground: the order of the rows says something, their level nothing about the real Jinhua.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from jinhua_rs import features, pieces, planning
from jinhua_rs.landcover import TrainOptions
from jinhua_rs.landcover.blocks import held_out, held_out_shares, score_canopy
from jinhua_rs.landcover.growing import classifier_of, deal, regressor_of
from jinhua_rs.landcover.samples import clean
from jinhua_rs.period import Period
from jinhua_rs.samples import read_samples, sift
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.settings import load_settings

ROOT = Path(__file__).parent.parent
CONFIG, TWIN = ROOT / "workflows" / "train_model.toml", ROOT / "demo" / "twin-2024"
SEEDS = (1, 2)
PLAIN = (
    *BAND_NAMES, "ndvi", "nbr", "ndmi", "ndre", "bsi", "ndwi", "smad", "emad", "bcmad"
)  # fmt: skip
"""What models read before there was more."""


def subsets() -> dict[str, tuple[str, ...]]:
    """Name the features of each row of the table."""
    own = features.Choice(bands=BAND_NAMES)
    year = features.Choice(bands=BAND_NAMES, seasons=("q1",))
    rough = features.Choice(bands=BAND_NAMES, seasons=("q1",), texture=True)
    return {
        "Q4: bands, six indices, spreads": PLAIN,
        "Q4 alone, + percentiles, MTCI": features.names(own),
        "Q4 + Q1": features.names(year),
        "Q4 + Q1, + texture": features.names(rough),
        "Q4 + Q1, + texture, + terrain": features.names(everything()),
        "Q4 alone, + texture, + terrain": features.names(
            features.Choice(bands=BAND_NAMES, texture=True, terrain=True)
        ),
    }


def everything() -> features.Choice:
    """All that is tried."""
    return features.Choice(bands=BAND_NAMES, seasons=("q1",), texture=True, terrain=True)


def table() -> pd.DataFrame:
    """Read all features at the training points."""
    settings = load_settings(CONFIG, overrides={"stac.url": str(TWIN)}).settings
    plan = planning.make_plan(Period(2024), settings)
    own, winter = (
        {path.stem: path for path in sorted((folder / "tiles" / "composite").glob("*.zarr"))}
        for folder in (plan.folder, planning.period_folder(settings, Period(2024, 1)))
    )
    ground, wanted = pieces.Ground(plan, own, {"q1": winter}), features.names(everything())
    raw = read_samples(settings.model.samples, settings.grid)
    points = sift(raw, settings.grid, plan.outline, plan.units).frame
    tile_of = np.array([settings.grid.tile_id(point.x, point.y) for point in points.geometry])
    parts = [
        pieces.features_at(ground.sources(tile, wanted), wanted, points[tile_of == tile])
        for tile in own
    ]
    return pd.concat(parts, ignore_index=True)


def scores(known: pd.DataFrame, wanted: tuple[str, ...], seed: int) -> tuple[float, ...]:
    """Accuracy, mean F1 and F1 of bamboo and tea, canopy RMSE, forest agreement; block-held-out."""
    options = TrainOptions(seed=seed, trees=30, depth=20, leaf=3)
    samples, _ = clean(known, wanted)
    dealt = {label: deal(own, options) for label, own in samples.items()}
    one = dealt["class"]
    codes, shares = held_out_shares(classifier_of(options), one.features, one.label, one.fold)
    said = codes[shares.argmax(axis=1)]
    f1 = {
        int(code): 2
        * np.sum((said == code) & (one.label == code))
        / (np.sum(said == code) + np.sum(one.label == code))
        for code in codes
    }
    two = dealt["canopy"]
    canopy = held_out(regressor_of(options), two.features, two.label, two.fold).astype(float)
    test = score_canopy(two.label, canopy, two.blocks, two.fold, side_m=options.block_m)
    right = float(np.mean(said == one.label))
    return right, float(np.mean(list(f1.values()))), f1[4], f1[5], test.rmse, test.forest_agreement


def main() -> None:
    """Print the table."""
    known = table()
    known = known.dropna()  # every subset is scored on the same points
    sys.stdout.write(
        "| features | number | accuracy % | mean F1 | F1 bamboo | F1 shrub, tea | canopy RMSE | "
        "forest agreement % |\n| --- | --: | --: | --: | --: | --: | --: | --: |\n"
    )
    for name, wanted in subsets().items():
        found = np.array([scores(known, wanted, seed) for seed in SEEDS])
        mean, spread = found.mean(axis=0), found.std(axis=0, ddof=1)
        sys.stdout.write(
            f"| {name} | {len(wanted)} | {100 * mean[0]:.1f} ± {100 * spread[0]:.1f} | "
            f"{mean[1]:.3f} | {mean[2]:.3f} | {mean[3]:.3f} | {mean[4]:.4f} ± {spread[4]:.4f} | "
            f"{100 * mean[5]:.1f} |\n"
        )
        sys.stdout.flush()
    sys.stdout.write(f"\n{len(known)} points, seen in both quarters; seeds {SEEDS}.\n")


if __name__ == "__main__":
    main()
