"""
How fast a forest answers: scikit-learn's own predict against the flat tables, bits compared.

    python benchmarks/forest.py

The first rows are of invented, overlapping classes: speed only, accuracy says nothing there. The
last two are of the model that is shipped, whose size was chosen by spatial blocks (its card is
printed below), on pixels like those that it has learnt from, in no order: neighbours in a map are
more alike, which helps scikit-learn's branches more than ours.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from jinhua_rs.landcover import Model, current
from jinhua_rs.landcover.flat import answer, flatten
from jinhua_rs.landcover.page import card_page

PIXELS, BLOCK, FEATURES, CLASSES, REPEATS = 131_072, 65_536, 19, 10, 3
CITY_PIXELS = 109.4e6
MODELS = Path(__file__).parent.parent / "models" / "landcover"


def main() -> None:
    """Print a table: thousand pixels a CPU-second, ratio in the same run, equal bits."""
    rng = np.random.default_rng(0)
    known = rng.normal(size=(4_000, FEATURES)).astype(np.float32)
    score = known @ rng.normal(size=(FEATURES, CLASSES)) + rng.normal(size=(4_000, CLASSES))
    asked = rng.normal(size=(PIXELS, FEATURES)).astype(np.float32)
    print("| forest | scikit-learn kpx/s | flat kpx/s | ratio | equal | city, core-minutes |")
    print("| --- | --- | --- | --- | --- | --- |")
    for trees, depth, leaf in ((200, None, 1), (100, 20, 5), (50, 20, 5)):
        shape = {"max_depth": depth, "min_samples_leaf": leaf, "random_state": 0, "n_jobs": 1}
        classes = RandomForestClassifier(trees, **shape).fit(known, score.argmax(axis=1))
        cover = RandomForestRegressor(trees, max_features=1 / 3, **shape).fit(known, score[:, 0])
        name = f"{trees} trees, depth {depth}, leaf {leaf}"
        _row(f"classes, {name}", classes.predict_proba, classes, asked)
        _row(f"canopy, {name}", cover.predict, cover, asked)
    model = Model.load(current(MODELS))
    kept = model.training.features
    like = kept[rng.integers(0, len(kept), PIXELS)]
    asked = (like * rng.normal(1, 0.03, like.shape)).astype(np.float32)
    _row("classes, shipped model", model.classifier.predict_proba, model.classifier, asked)
    _row("canopy, shipped model", model.regressor.predict, model.regressor, asked)
    _, title, rest = card_page(model.card).partition("## 规模选择")
    print(f"\n{title}{rest.partition(chr(10) + '## ')[0]}")


def _row(name: str, reference: Callable, forest: object, asked: np.ndarray) -> None:
    flat = flatten(forest)
    answer(flat, asked[:64])  # compile

    def ours() -> np.ndarray:
        parts = [answer(flat, asked[at : at + BLOCK]) for at in range(0, len(asked), BLOCK)]
        return np.concatenate(parts)

    taken = [_timed(reference, asked) + _timed(lambda _: ours(), asked) for _ in range(REPEATS)]
    theirs, mine = (float(np.median([one[at] for one in taken])) for at in (1, 3))
    equal = np.array_equal(taken[0][0].reshape(len(asked), -1), taken[0][2])
    kpx = [len(asked) / seconds / 1e3 for seconds in (theirs, mine)]
    city = CITY_PIXELS / (kpx[1] * 1e3) / 60
    print(f"| {name} | {kpx[0]:.0f} | {kpx[1]:.0f} | {theirs / mine:.1f} | {equal} | {city:.1f} |")


def _timed(work: Callable, asked: np.ndarray) -> tuple[np.ndarray, float]:
    start = time.process_time()
    found = work(asked)
    return found, time.process_time() - start


if __name__ == "__main__":
    main()
