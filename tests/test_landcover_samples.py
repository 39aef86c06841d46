import numpy as np
import pandas as pd
import pytest

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.landcover.samples import clean


def table(n=60):
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "x": rng.uniform(0, 50_000, n),
            "y": rng.uniform(0, 50_000, n),
            "red": rng.uniform(0, 0.3, n),
            "nir": rng.uniform(0.1, 0.6, n),
            "class": rng.integers(1, 4, n),
            "canopy": rng.uniform(0, 1, n),
        }
    )


def test_every_row_is_accounted_for():
    rows = table().astype({"class": float})
    rows.loc[0, "red"] = np.nan
    rows.loc[1, "nir"] = np.inf
    rows.loc[2, "x"] = np.nan
    rows.loc[[3, 4], ["class", "canopy"]] = np.nan
    rows.loc[5, ["class", "canopy"]] = [0, np.nan]
    rows = pd.concat([rows, rows.loc[[6, 6, 7]], rows.loc[[8]].assign(canopy=0.5)])

    samples, counts = clean(rows, ["red", "nir"])

    assert counts.given == 64
    assert counts.incomplete == 3
    assert counts.unlabelled == 3
    assert counts.duplicates == 3
    assert counts.contradictions == 2
    assert counts.used == 55 == 64 - 3 - 3 - 3
    assert samples["class"].label.dtype == np.int64
    assert samples["canopy"].features.shape == (55, 2)
    assert samples["canopy"].features.dtype == np.float32


def test_a_row_may_have_one_label_only():
    rows = table().astype({"class": float})
    rows.loc[:9, "class"] = 0
    rows.loc[50:, "canopy"] = np.nan

    samples, counts = clean(rows, ["red"])

    assert len(samples["class"].label) == len(samples["canopy"].label) == 50
    assert 0 not in samples["class"].label
    assert counts.used == 60


def test_order_of_rows_leaves_no_trace():
    rows = table()

    first, _ = clean(rows, ["red", "nir"])
    second, _ = clean(rows.sample(frac=1, random_state=1), ["red", "nir"])

    for name in ("features", "x", "y", "label"):
        assert np.array_equal(getattr(first["class"], name), getattr(second["class"], name))


def test_samples_of_one_group_share_one_place_and_so_one_block():
    rows = table().assign(group=[""] * 58 + ["#7", "#7"])
    rows.loc[58:, ["x", "y"]] = [[4_990.0, 10.0], [5_030.0, 30.0]]

    samples, counts = clean(rows, ["red", "nir"])

    together = np.isin(samples["class"].x, 5_010.0)
    assert counts.used == 60
    assert together.sum() == 2
    assert samples["class"].y[together].tolist() == [20.0, 20.0]


def test_a_label_column_without_values_is_as_if_absent():
    samples, _ = clean(table().assign(canopy=np.nan), ["red"])

    assert set(samples) == {"class"}


@pytest.mark.parametrize(
    ("change", "names", "word"),
    [
        ({}, ["red", "swir16"], "swir16"),
        ({}, [], "at least one"),
        ({}, ["red", "red"], "distinct"),
        ({}, ["red", "canopy"], "none of"),
        ({"red": "dark"}, ["red"], "not numeric"),
        ({"class": "forest"}, ["red"], "codes 1-10"),
        ({"class": 11}, ["red"], "11"),
        ({"class": 2.5}, ["red"], "2.5"),
        ({"canopy": 35.0}, ["red"], "divide percentages by 100"),
        ({"canopy": -0.1}, ["red"], "between 0 and 1"),
    ],
)
def test_what_the_user_must_mend(change, names, word):
    with pytest.raises(ConfigError, match=word) as caught:
        clean(table().assign(**change), names)
    assert caught.value.exit_code == 2
    assert caught.value.zh


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        (table(29), "29 usable samples"),
        (table().assign(**{"class": 4}), "1 distinct"),
        (table().assign(canopy=0.3), "1 distinct"),
        (table().drop(columns=["class", "canopy"]), "neither class nor canopy"),
        (table().assign(red=np.nan), "60 lack a feature"),
        (table(60).iloc[:0], "no usable"),
    ],
)
def test_nothing_to_learn_from(rows, word):
    with pytest.raises(NoDataError, match=word):
        clean(rows, ["red", "nir"])
