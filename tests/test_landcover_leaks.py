"""Why blocks: the same forest on the same rows, held out at random, by polygon, by region."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jinhua_rs.landcover.leaks import accuracy_by_split, n_alike

SHARED = Path(os.environ.get("JINHUA_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
GERMANY = SHARED / "labels" / "germany_s2_landcover_pixels.parquet"
BANDS = ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"]


def test_groups_that_share_a_secret_score_well_only_at_random():
    """Each group has its own value in a feature that says nothing of the class elsewhere."""
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(40), 10)
    labels = (rng.permutation(40) % 2)[group]
    features = (group + rng.normal(0, 0.01, 400))[:, np.newaxis]

    found = accuracy_by_split(
        features.astype("float32"), labels, {"random": None, "group": group}, trees=20
    )

    assert found["random"] > 0.95
    assert found["group"] < 0.75


@pytest.mark.skipif(not GERMANY.is_file(), reason=f"no German labels at {GERMANY}")
def test_the_german_table_leaks_when_it_is_split_at_random():
    table = pd.read_parquet(GERMANY)
    assert n_alike(table[BANDS].to_numpy("float32")) / len(table) == pytest.approx(0.45, abs=0.005)
    some = table.sample(6_000, random_state=0)
    codes = {name: some.groupby(keys).ngroup().to_numpy() for name, keys in {
        "polygon": ["Region", "ID"], "region": ["Region"], "label": ["Label"],
    }.items()}  # fmt: skip
    splits = {"random": None, "polygon": codes["polygon"], "region": codes["region"]}

    found = accuracy_by_split(some[BANDS].to_numpy("float32"), codes["label"], splits, trees=30)

    # 0.94, 0.73, 0.60 with 8,000 rows and 50 trees
    assert found["random"] == pytest.approx(0.93, abs=0.02)
    assert found["polygon"] == pytest.approx(0.73, abs=0.04)
    assert found["region"] == pytest.approx(0.60, abs=0.04)
