"""What the commands of docs/validation.md score: small maps that one can count by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks import doubtful, real_labels, refinement, twin_accuracy
from benchmarks.section import Section

PAGE = """\
# Validation

## One

<!-- measured by benchmarks/one.py -->

old

<!-- end of one -->

## Two
"""


def codes(rows):
    return np.array(rows, dtype="uint8")


# --- the page ------------------------------------------------------------------------------------


def test_a_section_is_rewritten_where_it_stands(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE, "utf-8")

    Section("One", "benchmarks/one.py").write("new", page)

    assert page.read_text("utf-8") == PAGE.replace("old", "new")


def test_a_section_that_is_new_goes_to_the_end(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE, "utf-8")
    section = Section("Three of all", "benchmarks/three_of_all.py")

    section.write("first", page)
    section.write("second", page)

    assert page.read_text("utf-8") == (
        f"{PAGE}\n## Three of all\n\n<!-- measured by benchmarks/three_of_all.py -->\n\n"
        "second\n\n<!-- end of three of all -->\n"
    )


# --- classes, canopy, tree cover -----------------------------------------------------------------


def test_pixels_are_counted_by_mapped_and_true_class():
    table = twin_accuracy.crossed(codes([1, 1, 2, 0, 10]), codes([1, 2, 2, 2, 10]))

    assert table.shape == (10, 10)
    assert table.sum() == 4, "what was not seen is left out"
    assert (table[0, 0], table[0, 1], table[1, 1], table[9, 9]) == (1, 1, 1, 1)
    assert twin_accuracy.right(table) == 75


def test_accuracies_of_a_class():
    table = np.array([[6, 2, 0], [0, 4, 0], [0, 0, 0]])

    found = twin_accuracy.by_class(table)

    assert found.loc[1].to_list() == pytest.approx([75, 100, 100 * 12 / 14])
    assert found.loc[2].to_list() == pytest.approx([100, 100 * 4 / 6, 80])
    assert found.loc[3].isna().all()


def test_the_commonest_errors_come_first():
    table = np.array([[5, 3, 0], [1, 0, 0], [0, 0, 1]])

    assert twin_accuracy.confusions(table) == [(2, 1, 30.0), (1, 2, 10.0)]


def test_nothing_seen_is_no_accuracy():
    assert np.isnan(twin_accuracy.right(np.zeros((10, 10), int)))


def test_maps_are_compared_where_they_are_scored():
    truth = twin_accuracy.Truth(
        codes([[1, 1, 7, 7]]),
        np.array([[0.8, 0.4, 0.1, 0.0]], "float32"),
        np.array([[True, False, True, True]]),
    )
    maps = {
        "landcover": codes([[1, 2, 0, 1]]),
        "forest": codes([[2, 1, 0, 2]]),
        "canopy": np.array([[0.6, 0.1, np.nan, 0.9]], "float32"),
    }

    found = twin_accuracy.compare(maps, truth, np.array([[True, True, True, False]]))

    assert twin_accuracy.right(found.table) == 50
    assert twin_accuracy.right(found.pure) == 100
    assert found.seen == pytest.approx(2 / 3)
    assert found.forest.overall == 0.5
    assert found.canopy.bias == pytest.approx(-0.25)
    assert found.canopy.rmse == pytest.approx(np.sqrt((0.2**2 + 0.3**2) / 2))


def test_blocks_held_out_lie_like_the_black_squares():
    x = np.array([500.0, 1500, 2500, 1500, 1050, 1500])
    y = np.array([500.0, 500, 500, 1500, 500, 950])

    assert twin_accuracy.held_out(x, y).tolist() == [False, True, False, False, True, True]
    assert twin_accuracy.held_out(x, y, 100.0).tolist() == [False, True, *[False] * 4]


def test_coverage_is_laid_beside_the_truth():
    names = ["period", "unit", "indicator", "value", "low", "high"]
    share, mapped = "tree_cover_share", "tree_cover_share_mapped"
    indicators = pd.DataFrame(
        [
            ["2024Q4", "a", share, 60.0, 55.0, 65.0],
            ["2024Q4", "b", share, 60.0, 55.0, 65.0],
            ["2024Q4", "c", share, np.nan, np.nan, np.nan],
            *(["2024Q4", unit, mapped, 70.0, np.nan, np.nan] for unit in "abc"),
        ],
        columns=names,
    )
    truth = pd.DataFrame(
        [[unit, "2024Q4", share, value] for unit, value in zip("abc", (64, 66, 50), strict=True)]
        + [["a", "2024Q1", share, 1.0], ["a", "2024Q4", "tree_cover_area", 2.0]],
        columns=["unit", "period", "indicator", "value"],
    )

    found = twin_accuracy.coverage(indicators, truth)

    assert found["true"].to_list() == [64, 66, 50]
    assert found["holds"].to_list() == [True, False, False]
    assert found["mapped"].to_list() == [70] * 3


def test_every_case_is_on_the_page():
    table = np.eye(10, dtype=int) * 9
    table[0, 1] = 10
    truth = np.array([0.5, 0.1], "float32")
    fit = twin_accuracy.fit(truth, truth)
    one = twin_accuracy.Found(table, table, twin_accuracy.agreement(truth, truth, 0.2), fit, 0.9)
    rows = {"value": 60.0, "low": 55.0, "high": 65.0, "mapped": 70.0, "true": 66.0, "holds": False}
    covered = pd.DataFrame([rows], index=["330702"])

    page = twin_accuracy.page({(name, 1.0): one for name in twin_accuracy.SPECS}, {1.0: covered})

    assert "| ten classes right % | 90.0 | 90.0 |" in page
    assert "| ten classes right: at least 88 % | met | met |" in page
    assert "| conifer | 100, 47 | 100, 47 |" in page
    assert "conifer as evergreen broadleaf 10.0" in page
    assert "| 婺城区 | 66.0 | 60.0 | 55.0 - 65.0 | -6.0 | no | +4.0 |" in page
    assert "0 of 1 intervals" in page
    assert "模拟数据" in page


# --- refinement ----------------------------------------------------------------------------------


def test_a_refined_map_is_scored_by_what_was_seen():
    truth = refinement.Truth(
        codes([1, 1, 7, 7, 7]),
        np.array([True, True, False, False, False]),
        np.array([False, True, False, True, False]),
    )

    found = refinement.Score.of(codes([2, 1, 1, 2, 0]), truth, codes([1, 7, 7, 1, 0]))

    assert found == refinement.Score(50, 50, 50, 0, 0, 50)
    assert found.row("x") == "| x | 50.0 | 50.0 | 50.0 | 0.0 | 0.0 | 50.0 |"


def test_scores_of_cases_count_alike():
    one, two = refinement.Score(90, 1, 2, 3, 4, 5), refinement.Score(80, 3, 4, -3, 6, np.nan)

    assert refinement.Score.mean([one, two]).row("x") == "| x | 85.0 | 2.0 | 3.0 | 0.0 | 5.0 | — |"


# --- labels --------------------------------------------------------------------------------------


def test_features_of_one_image_are_the_products_own():
    table = pd.DataFrame({"b04": [500.0, 1000.0], "b08": [4500.0, 1000.0]})

    found = real_labels.features_of(table, {"b04": "red", "b08": "nir"})

    assert found.dtype == np.float32
    assert found == pytest.approx(np.array([[0.05, 0.45, 0.8], [0.1, 0.1, 0.0]]))


def test_a_share_comes_with_its_interval():
    true, said = np.array(["a"] * 20), np.array(["a"] * 20)

    assert real_labels.right(true, said) == pytest.approx((100, 83.9, 100, 20), abs=0.05)


def test_where_the_labels_are_missing_the_page_stays(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(real_labels, "GERMANY", tmp_path / "none.parquet")
    monkeypatch.setattr(real_labels, "SECTION", SimpleNamespace())  # cannot write

    assert real_labels.main() == 0
    assert "JINHUA_SHARED_DATA" in capsys.readouterr().err


def test_flipped_labels_are_wrong_and_of_a_class_there_is():
    labels = np.repeat([1, 4, 7], 40)

    found, wrong = doubtful.flipped(labels, 0.25, np.random.default_rng(1))

    assert wrong.sum() == 30
    assert ((found != labels) == wrong).all()
    assert set(found) == {1, 4, 7}


def test_points_are_thinned_as_the_ground_is():
    labels = np.repeat([1, 7, 9], [2_000, 2_000, 50])
    shares = pd.Series({1: 0.5, 7: 0.25, 9: 0.001})

    kept = doubtful.thinned(labels, shares, np.random.default_rng(1))
    capped = doubtful.capped(labels, kept, np.random.default_rng(1))

    assert [kept[labels == code].sum() for code in (1, 7, 9)] == [900, 450, 18]
    assert [capped[labels == code].sum() for code in (1, 7, 9)] == [100, 100, 18]
    assert not (capped & ~kept).any()
