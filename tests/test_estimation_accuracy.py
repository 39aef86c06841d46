"""The estimator that the strata ask for, against published examples, closed forms and by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.estimation.accuracy import OLOFSSON, STEHMAN, estimate
from jinhua_rs.estimation.matrix import confusion_estimate

HECTARE = 10_000.0
CLASSES = ["deforestation", "gain", "forest", "other"]
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])


def ground(areas_m2, pixels=np.nan, **columns):
    names, values = list(areas_m2), list(areas_m2.values())
    return pd.DataFrame({"stratum": names, "area_m2": values, "pixels": pixels} | columns)


def of_counts(names, counts, prefix=""):
    """One row for each point of a confusion matrix whose rows are strata."""
    rows = [
        (prefix + m, m, r)
        for m, row in zip(names, counts, strict=True)
        for r, n in zip(names, row, strict=True)
        for _ in range(n)
    ]
    return pd.DataFrame(rows, columns=["stratum", "map", "reference"])


def points(text):
    """Rows ``stratum map reference`` with an optional number of repetitions."""
    rows = []
    for line in text.strip().splitlines():
        *names, n = line.split()
        rows += [names] * int(n)
    columns = ["stratum", "map", "reference", "unit"][: len(rows[0])]
    return pd.DataFrame(rows, columns=columns)


# --- published examples ------------------------------------------------------------------------


def test_olofsson_2014():
    strata = ground(dict(zip(CLASSES, PIXELS * 900.0, strict=True)), pixels=PIXELS)

    found = estimate(of_counts(CLASSES, COUNTS), strata)

    table, half = found.classes, 1.96
    assert (found.estimator, found.n) == (OLOFSSON, 640)
    assert list(table.index) == CLASSES
    assert (table["area_m2"] / HECTARE).tolist() == pytest.approx(
        [21157.8, 11686.2, 285769.9, 581386.2], abs=0.05
    )
    assert (half * table["area_se_m2"] / HECTARE).tolist() == pytest.approx(
        [6157.6, 3755.8, 15509.8, 16281.7], abs=0.05
    )
    assert table["ua"].tolist() == pytest.approx([0.88, 0.733, 0.927, 0.963], abs=5e-4)
    assert (half * table["ua_se"]).tolist() == pytest.approx([0.074, 0.101, 0.040, 0.021], abs=5e-4)
    assert table["pa"].tolist() == pytest.approx([0.749, 0.847, 0.935, 0.962], abs=5e-4)
    assert (half * table["pa_se"]).tolist() == pytest.approx([0.213, 0.254, 0.034, 0.018], abs=5e-4)
    assert found.overall.value == pytest.approx(0.9465, abs=5e-5)
    assert half * found.overall.se == pytest.approx(0.0185, abs=5e-5)
    assert found.corrected == ()
    assert found.remarks == ()


STRATA = "1" * 10 + "2" * 10 + "3" * 10 + "4" * 10
MAPPED = "AAAAAAABBB" + "ABBBBBBBBB" + "BBCCCCCCBB" + "DDDDDDDDDD"
JUDGED = "AAAAACBABC" + "ABBBBBAABB" + "CCCCCDDBBA" + "DDDDDDDCCB"


def test_stehman_2014():
    # Four strata of ten points, strata unlike classes (Stehman 2014, numerical example).
    sample = pd.DataFrame({"stratum": list(STRATA), "map": list(MAPPED), "reference": list(JUDGED)})
    strata = ground({"1": 40_000.0, "2": 30_000.0, "3": 20_000.0, "4": 10_000.0})

    found = estimate(sample, strata)

    table = found.classes
    assert found.estimator == STEHMAN
    assert (table["area_m2"] / 1e5).tolist() == pytest.approx([0.35, 0.34, 0.20, 0.11])
    assert (table["area_se_m2"] / 1e5)[["A", "C"]].tolist() == pytest.approx(
        [0.0823, 0.0643], abs=5e-5
    )
    assert found.overall.value == pytest.approx(0.63)
    assert found.overall.se == pytest.approx(0.0847, abs=5e-5)
    assert table["ua"].tolist() == pytest.approx([0.7419355, 0.5744681, 0.5, 0.7], abs=1e-7)
    assert table["ua_se"].tolist() == pytest.approx(
        [0.1645627, 0.1248023, 0.2151657, 0.1527525], abs=1e-7
    )
    assert table["pa"].tolist() == pytest.approx([0.6571429, 0.7941176, 0.3, 0.6363636], abs=1e-7)
    assert table["pa_se"].tolist() == pytest.approx(
        [0.1477318, 0.1165671, 0.1504438, 0.1623242], abs=1e-7
    )
    assert "fewer than 20 points" in found.remarks[0].en


# --- the two forms test each other -------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.lists(st.integers(1, 30), min_size=3, max_size=3), min_size=3, max_size=3),
    st.lists(st.floats(1, 1e6), min_size=3, max_size=3),
)
def test_ratios_and_the_closed_form_agree(counts, areas):
    names = ["a", "b", "c"]

    found = estimate(of_counts(names, counts), ground(dict(zip(names, areas, strict=True))))

    closed = confusion_estimate(
        pd.DataFrame(counts, index=names, columns=names), pd.Series(areas, index=names)
    )
    pairs = {"area_m2": "area", "area_se_m2": "area_se", "ua": "users", "ua_se": "users_se"}
    for ours, theirs in (pairs | {"pa": "producers", "pa_se": "producers_se"}).items():
        assert found.classes[ours].tolist() == pytest.approx(
            closed.classes[theirs].tolist(), rel=1e-6, abs=1e-9
        )
    assert found.overall.se == pytest.approx(closed.overall.se, rel=1e-6)
    assert found.classes["area_m2"].sum() == pytest.approx(sum(areas))


# --- units -------------------------------------------------------------------------------------

EAST = np.array([[40, 5], [3, 30]])
WEST = np.array([[30, 1], [6, 50]])


@pytest.mark.parametrize("joint", [":", "_", " "])
def test_units_with_strata_of_their_own(joint):
    names = ["f", "o"]
    sample = pd.concat(
        [of_counts(names, c, f"{u}{joint}").assign(unit=u) for u, c in (("东", EAST), ("西", WEST))]
    )
    areas = {
        f"{unit}{joint}{name}": scale * area
        for unit, scale in (("东", 2), ("西", 1))
        for name, area in (("f", 3), ("o", 2))
    }

    found = estimate(sample, ground(areas), by_unit=True)

    assert found.estimator == STEHMAN  # for the whole, strata are unit and class
    for unit, counts, scale in zip(found.units, (EAST, WEST), (2, 1), strict=True):
        alone = confusion_estimate(
            pd.DataFrame(counts, index=names, columns=names),
            pd.Series([3 * scale, 2 * scale], names),
        )
        assert (unit.estimator, unit.area_known, unit.n) == (OLOFSSON, True, counts.sum())
        assert unit.classes["area_m2"].tolist() == pytest.approx(alone.classes["area"].tolist())
        assert unit.classes["pa_se"].tolist() == pytest.approx(
            alone.classes["producers_se"].tolist()
        )
    parts = sum(unit.classes["area_m2"] for unit in found.units)
    assert found.classes["area_m2"].tolist() == pytest.approx(parts.tolist())
    errors = sum(unit.classes["area_se_m2"] ** 2 for unit in found.units)
    assert (found.classes["area_se_m2"] ** 2).tolist() == pytest.approx(errors.tolist())


def test_units_across_strata_are_domains():
    # One stratum of 10 ha, 10 points; 4 in unit u, 3 of them forest: 3 ha ± sqrt(.3 * .7 / 9) * 10.
    sample = points("s f f u 3\ns f o u 1\ns f f v 6")

    unit = estimate(sample, ground({"s": 100_000.0}), by_unit=True).units[0]

    assert (unit.unit, unit.estimator, unit.area_known) == ("u", STEHMAN, False)
    assert unit.classes.at["f", "area_m2"] == pytest.approx(30_000)
    assert unit.classes.at["f", "area_se_m2"] == pytest.approx(1e5 * np.sqrt(0.3 * 0.7 / 9))
    assert unit.area_m2 == pytest.approx(40_000)
    assert unit.overall.value == pytest.approx(0.75)
    # Ratio: residuals ¼ three times, -¾ once, 0 else; s² = 0.75 / 9, over n and the share 0.4.
    assert unit.overall.se == pytest.approx(np.sqrt(0.75 / 9 / 10) / 0.4)
    assert "domain" in unit.remarks[0].en


def test_a_stratum_name_alone_does_not_make_a_unit():
    # "u:s" is named after u but holds a point of v as well.
    sample = points("u:s f f u 5\nu:s o o v 5\nv:s f f v 5")

    found = estimate(sample, ground({"u:s": 1.0, "v:s": 1.0}), by_unit=True)

    assert [unit.area_known for unit in found.units] == [False, False]


def test_a_unit_without_enough_points_says_so_and_the_others_stand():
    sample = points("u:f f f u 20\nu:o o o u 20\nv:f f f v 1")
    strata = ground({"u:f": 50.0, "u:o": 48.0, "v:f": 2.0})

    found = estimate(sample, strata, by_unit=True)

    good, poor = found.units
    assert good.classes.at["f", "area_m2"] == pytest.approx(50)
    assert poor.estimator == ""
    assert poor.classes.isna().all(axis=None)
    assert "fewer than 2 points" in poor.remarks[0].en
    assert found.classes["area_m2"].sum() == pytest.approx(100)


def test_a_class_that_a_county_lacks_has_no_area_there_but_some_doubt():
    sample = points("u:f f f u 30\nu:o o o u 30\nu:w w w u 30\nv:f f f v 30\nv:o o o v 30")
    strata = ground(dict.fromkeys(["u:f", "u:o", "u:w", "v:f", "v:o"], 10.0))

    row = estimate(sample, strata, by_unit=True).units[1].classes.loc["w"]

    assert (row["area_m2"], row["area_se_m2"]) == (0, 0)
    assert row["area_wilson_low_m2"] == 0
    assert 0.1 < row["area_wilson_high_m2"] < 3
    assert np.isnan(row["ua"]) and np.isnan(row["pa"])


def test_units_given_with_the_strata_are_believed():
    sample = points("1 f f u 20\n2 o o u 20\n3 f f v 20")
    strata = ground({"1": 1.0, "2": 1.0, "3": 1.0}, unit=["u", "u", "v"])

    found = estimate(sample, strata, by_unit=True)
    assert [unit.area_m2 for unit in found.units] == [2.0, 1.0]

    with pytest.raises(ConfigError, match="unit 'v' lies in stratum '2'"):
        estimate(
            sample.replace({"unit": {"u": "v"}}), strata.assign(unit=["v", "u", "v"]), by_unit=True
        )
    with pytest.raises(ConfigError, match="column 'unit'"):
        estimate(sample.drop(columns="unit"), strata.drop(columns="unit"), by_unit=True)


# --- weights and corrections -------------------------------------------------------------------


def test_equal_weights_change_nothing():
    sample, strata = of_counts(["a", "b"], EAST), ground({"a": 3.0, "b": 2.0})

    found = estimate(sample.assign(weight=7.5), strata)

    assert found.estimator == OLOFSSON
    pd.testing.assert_frame_equal(found.classes, estimate(sample, strata).classes)


def test_unequal_weights_are_haejeks():
    # Weighted mean 2 / 5; variance 4/3 * (4 * .6² + 1 * .4² + 1 * .4² + 1 * .4²) / 25.
    sample = points("s f f 1\ns f o 3").assign(weight=[2.0, 1.0, 1.0, 1.0])

    found = estimate(sample, ground({"s": 1.0}))

    assert found.estimator == STEHMAN
    assert found.classes.at["f", "area_m2"] == pytest.approx(0.4)
    assert found.classes.at["f", "area_se_m2"] ** 2 == pytest.approx(4 / 3 * (1.44 + 0.48) / 25)
    assert any("Hájek" in remark.en for remark in found.remarks)


def test_unequal_chances_to_be_drawn_are_undone_by_weights():
    # Steep ground is drawn four times as rarely and is more often forest.
    rng = np.random.default_rng(5)
    steep = rng.random(50_000) < 0.5
    forest = rng.random(50_000) < np.where(steep, 0.9, 0.4)
    values, errors = [], []
    for _ in range(200):
        drawn = rng.random(50_000) < np.where(steep, 0.004, 0.016)
        sample = pd.DataFrame({"reference": np.where(forest[drawn], "f", "o")})
        sample = sample.assign(stratum="s", map="f", weight=np.where(steep[drawn], 4.0, 1.0))
        row = estimate(sample, ground({"s": 1.0})).classes.loc["f"]
        values.append(row["area_m2"])
        errors.append(row["area_se_m2"])

    assert np.mean(values) == pytest.approx(forest.mean(), abs=0.006)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)


def test_many_of_few_pixels_leave_less_doubt():
    sample, areas = of_counts(["a", "b"], EAST), {"a": 3.0, "b": 2.0}

    free = estimate(sample, ground(areas))
    found = estimate(sample, ground(areas, pixels=[90, 10_000]))

    assert found.corrected == ("a",)
    assert found.classes.at["a", "ua_se"] == pytest.approx(
        free.classes.at["a", "ua_se"] * np.sqrt(0.5)
    )
    assert found.classes.at["b", "ua_se"] == pytest.approx(free.classes.at["b", "ua_se"])


# --- samples that are not as they should be ----------------------------------------------------


def test_a_sample_of_one_class_is_not_certain():
    found = estimate(points("f f f 40"), ground({"f": 1000.0}))

    row = found.classes.loc["f"]
    assert (row["area_m2"], row["area_se_m2"], row["ua"], found.overall.value) == (1000, 0, 1, 1)
    assert 850 < row["area_wilson_low_m2"] < 950
    assert 0.85 < found.overall.low < 0.95
    assert "not certainty" in found.remarks[-1].en and "不表示确定" in found.remarks[-1].zh


def test_classes_found_only_in_one_of_the_two():
    table = estimate(points("f f f 30\no o x 30"), ground({"f": 1.0, "o": 1.0})).classes

    assert list(table.index) == ["f", "o", "x"]
    assert table.at["x", "area_m2"] == pytest.approx(1)
    assert table.at["o", "area_m2"] == 0
    assert np.isnan(table.at["x", "ua"]) and np.isnan(table.at["o", "pa"])
    assert table.at["x", "pa"] == 0 and table.at["o", "ua"] == 0


def test_small_strata_are_taken_together_or_left_blind():
    sample = points("f f f 30\no o o 30\nx f f 1\ny o o 1")
    strata = ground({"f": 60.0, "o": 37.0, "x": 2.0, "y": 1.0})

    together = estimate(sample, strata)
    assert together.estimator == STEHMAN
    assert "taken together: x, y (3.00% of the area)" in together.remarks[0].en
    assert together.classes["area_m2"].tolist() == pytest.approx([61.5, 38.5])

    blind = estimate(sample[sample["stratum"] != "y"], strata)
    known = estimate(sample[:60], ground({"f": 60.0, "o": 37.0}))
    assert blind.classes.at["f", "area_m2"] == pytest.approx(100 * 60 / 97)
    assert blind.classes.at["f", "area_low_m2"] == pytest.approx(60, abs=0.01)
    assert blind.classes.at["f", "area_high_m2"] == pytest.approx(63, abs=0.01)
    assert blind.overall.low == pytest.approx(0.97 * known.overall.low)
    assert "holds fewer than 2 points" in blind.remarks[0].en

    with pytest.raises(NoDataError, match=r"11\.0% of the area") as caught:
        estimate(sample[:60], ground({"f": 50.0, "o": 39.0, "x": 11.0}))
    assert "合并" in caught.value.zh


def test_strata_without_area():
    strata = ground({"f": 1.0, "o": 0.0})

    assert "left out: o" in estimate(points("f f f 30"), strata).remarks[0].en
    with pytest.raises(ConfigError, match="'o' of 2 points has area 0"):
        estimate(points("f f f 30\no o o 2"), strata)
    with pytest.raises(NoDataError, match="no area"):
        estimate(points("f f f 30"), ground({"f": 0.0}))


@pytest.mark.parametrize("area", [-1.0, np.nan, np.inf])
def test_unusable_areas(area):
    with pytest.raises(ConfigError, match="'o' has no usable area"):
        estimate(points("f f f 30"), ground({"f": 1.0, "o": area}))


@pytest.mark.parametrize(
    ("sample", "strata", "message"),
    [
        (points("f f f 3\nq q q 2"), ground({"f": 1.0}), "'q' of 2 points is not in the strata"),
        (points("f f f 3"), pd.concat([ground({"f": 1.0})] * 2), "stands twice"),
        (points("f f f 3"), ground({"f": 1.0}, pixels=[2]), "3 points but only 2 pixels"),
        (points("f f f 3").drop(columns="map"), ground({"f": 1.0}), "lacks the column 'map'"),
        (points("f f f 3").assign(weight=0.0), ground({"f": 1.0}), "numbers above 0"),
        (
            pd.DataFrame({"stratum": "f", "map": [str(i) for i in range(150)], "reference": "f"}),
            ground({"f": 1.0}),
            "151 different classes",
        ),
    ],
)
def test_bad_tables_are_refused(sample, strata, message):
    with pytest.raises(ConfigError, match=message):
        estimate(sample, strata)


def test_no_points():
    with pytest.raises(NoDataError, match="no point"):
        estimate(points("f f f 1")[:0], ground({"f": 1.0}))


def test_names_like_formulas_are_only_names():
    sample = points("=1+1 =1+1 =1+1 30\n@x @x =1+1 30")

    found = estimate(sample, ground({"=1+1": 1.0, "@x": 1.0}))

    assert found.classes["area_m2"].to_dict() == {"=1+1": pytest.approx(2.0), "@x": 0.0}
