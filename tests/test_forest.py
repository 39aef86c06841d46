"""Forest rows on a small country whose truth is known."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from shapely.geometry import box

from jinhua_rs import schema
from jinhua_rs.errors import ConfigError, ContractError
from jinhua_rs.forest import ForestMaps, alert_areas, change_rows, coverage_rows
from jinhua_rs.period import Period

LEFT, TOP, SIDE = 500_000.0, 3_200_000.0, 200  # 2 km x 2 km in pixels of 10 m
PERIOD, BASELINE = Period(2024, 4), Period(2023, 4)
AREA_HA = 400.0


def write(path, pixels, nodata):
    profile = {
        "driver": "GTiff", "count": 1, "dtype": pixels.dtype, "crs": "EPSG:4549", "nodata": nodata,
        "height": SIDE, "width": SIDE, "transform": Affine(10, 0, LEFT, 0, -10, TOP),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(pixels, 1)
    return path


@pytest.fixture
def units():
    """Two counties side by side (A: 60 %, B: 40 % of the city) and a zone across the line."""
    shapes = {
        "city": (0, 2000), "A": (0, 1200), "B": (1200, 2000), "zone": (800, 1600),
    }  # fmt: skip
    return gpd.GeoDataFrame(
        {"level": ["city", "county", "county", "zone"]},
        index=pd.Index(list(shapes), name="code"),
        geometry=[box(LEFT + w, TOP - 2000, LEFT + e, TOP) for w, e in shapes.values()],
        crs="EPSG:4549",
    )


@pytest.fixture
def country():
    """Truth: forest in the north (60 %). The map shifts its edge south and misses a corner."""
    truth = np.zeros((SIDE, SIDE), bool)
    truth[:120] = True
    mapped = np.ones((SIDE, SIDE), "uint8")
    mapped[:130] = schema.Forest.FOREST
    mapped[:40, :40] = schema.Forest.UNSEEN
    return truth, mapped


@pytest.fixture
def maps(tmp_path, country):
    truth, mapped = country
    canopy = np.where(mapped > 0, np.where(truth, 0.6, 0.1), np.nan).astype("float32")
    return ForestMaps(
        write(tmp_path / "forest.tif", mapped, 0),
        write(tmp_path / "canopy.tif", canopy, np.nan),
        write(tmp_path / "ndvi.tif", canopy + np.float32(0.2), np.nan),
    )


def survey(truth, n=800, *, period=PERIOD, seed=3, crs="EPSG:4326"):
    """Judge ``n`` random points without error."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, SIDE, (2, n))
    places = shapely.points(LEFT + columns * 10 + 5, TOP - rows * 10 - 5)
    return gpd.GeoDataFrame(
        {
            "point": np.arange(n),
            "period": str(period),
            "canopy": np.where(truth[rows, columns], 0.5, 0.05),
        },
        geometry=places,
        crs="EPSG:4549",
    ).to_crs(crs)


def table(records):
    return schema.rows(records).set_index(["unit", "indicator"])


def test_the_sample_corrects_the_map_in_every_unit(maps, units, country):
    records = coverage_rows(maps, units, survey(country[0]), period=PERIOD, min_clear_share=0.6)

    found = table(records)
    assert len(found) == 4 * 5
    for code in units.index:
        share, mapped = (
            found.loc[(code, "tree_cover_share")],
            found.loc[(code, "tree_cover_share_mapped")],
        )
        assert share["status"] == "ok"
        assert share["low"] <= 60 <= share["high"]
        assert share["high"] - share["low"] < 12
        assert (mapped["status"], share["measure"], share["period"]) == (
            "no_interval",
            "%",
            "2024Q4",
        )
    assert found.loc[("city", "tree_cover_share_mapped"), "value"] == pytest.approx(
        100 * 24400 / 38400
    )
    assert found.loc[("city", "tree_cover_share"), "n_clear_share"] == pytest.approx(0.96)
    assert "800 points" in found.loc[("city", "tree_cover_share"), "source"]


def test_area_is_the_share_of_the_units_ground(maps, units, country):
    found = table(
        coverage_rows(maps, units, survey(country[0]), period=PERIOD, min_clear_share=0.6)
    )

    for column in ("value", "low", "high"):
        share, area = (
            found.loc[("city", f"tree_cover_{name}"), column] for name in ("share", "area")
        )
        assert area == pytest.approx(share / 100 * AREA_HA)


def test_the_city_weighs_counties_by_area_however_the_sample_was_allotted(maps, units, country):
    # All of A and none of B is forest; B has ten times the points.
    truth = np.zeros((SIDE, SIDE), bool)
    truth[:, :120] = True
    sample = survey(truth, 3000, crs="EPSG:4549")
    in_a = sample.geometry.x < LEFT + 1200
    sample = pd.concat([sample[in_a].head(150), sample[~in_a].head(1000)])

    found = table(coverage_rows(maps, units, sample, period=PERIOD, min_clear_share=0.6))

    assert found.loc[("city", "tree_cover_share"), "value"] == pytest.approx(60, abs=0.01)
    assert found.loc[("zone", "tree_cover_share"), "value"] == pytest.approx(50, abs=0.01)
    assert found.loc[("A", "tree_cover_share"), "high"] == 100


@pytest.mark.parametrize("sample", [None, "other period", "three points"])
def test_without_a_sample_the_map_count_stands_unjudged(maps, units, country, sample):
    given = {
        None: None,
        "other period": survey(country[0], period=BASELINE),
        "three points": survey(country[0], 3),
    }[sample]

    found = table(coverage_rows(maps, units, given, period=PERIOD, min_clear_share=0.6))

    share = found.loc[("city", "tree_cover_share")]
    assert share["status"] == "no_interval"
    assert share["value"] == pytest.approx(100 * 24400 / 38400)
    assert np.isnan([share["low"], share["high"]]).all()
    assert "reference points" in share["source"]


def test_below_the_gate_there_is_no_number(maps, units, country):
    found = table(
        coverage_rows(maps, units, survey(country[0]), period=PERIOD, min_clear_share=0.95)
    )

    share, area = (found.loc[("A", f"tree_cover_{name}")] for name in ("share", "area"))
    assert (share["status"], area["status"]) == ("insufficient", "insufficient")
    assert np.isnan([share["value"], share["low"], area["value"]]).all()
    assert found.loc[("city", "tree_cover_share"), "status"] == "ok"


def test_below_the_gate_there_is_no_context_either(maps, units, country):
    found = table(
        coverage_rows(maps, units, survey(country[0]), period=PERIOD, min_clear_share=0.95)
    )

    assert (found.loc["A", "status"] == "insufficient").all()
    assert found.loc["A", "value"].isna().all()
    assert found.loc["A", "n_clear_share"].to_numpy() == pytest.approx(1 - 1600 / 24000)
    assert (found.loc["A", "source"] == "seen clear 93%, needed 95%").all()
    context = ["tree_cover_share_mapped", "mean_ndvi", "mean_canopy"]
    assert (found.loc["city"].loc[context, "status"] == "no_interval").all()
    assert (found.loc["city"].loc[context, "value"] > 0).all()


@pytest.mark.parametrize("absent", [("canopy",), ("ndvi",), ("canopy", "ndvi")])
def test_a_map_that_was_not_made_has_no_rows(maps, units, country, absent):
    fewer = replace(maps, **dict.fromkeys(absent))

    found, whole = (
        table(coverage_rows(given, units, survey(country[0]), period=PERIOD, min_clear_share=0.6))
        for given in (fewer, maps)
    )

    gone = [f"mean_{name}" for name in absent]
    pd.testing.assert_frame_equal(found, whole.drop(index=gone, level="indicator"))


def test_means_are_of_seen_ground(maps, units, country):
    found = table(coverage_rows(maps, units, None, period=PERIOD, min_clear_share=0.6))

    expected = (0.6 * (24000 - 1600) + 0.1 * 16000) / 38400
    assert found.loc[("city", "mean_canopy"), "value"] == pytest.approx(expected, abs=1e-6)
    assert found.loc[("city", "mean_ndvi"), "value"] == pytest.approx(expected + 0.2, abs=1e-6)


def test_nothing_seen_is_insufficient_throughout(tmp_path, units):
    empty = np.full((SIDE, SIDE), np.nan, "float32")
    dark = ForestMaps(
        write(tmp_path / "f.tif", np.zeros((SIDE, SIDE), "uint8"), 0),
        write(tmp_path / "c.tif", empty, np.nan),
        write(tmp_path / "n.tif", empty, np.nan),
    )

    found = table(coverage_rows(dark, units, None, period=PERIOD, min_clear_share=0.0))

    assert (found["status"] == "insufficient").all()
    assert found["value"].isna().all()
    assert (found["n_clear_share"] == 0).all()


def test_units_without_counties_and_ground_outside_counties(maps, units, country):
    sample = survey(country[0])
    towns = units.assign(level=["city", "township", "township", "zone"])
    beyond = units.copy()
    beyond.loc["A", "geometry"] = box(LEFT + 400, TOP - 2000, LEFT + 1200, TOP)

    for layer in (towns, beyond):
        found = table(coverage_rows(maps, layer, sample, period=PERIOD, min_clear_share=0.6))

        share = found.loc[("city", "tree_cover_share")]
        assert share["low"] <= 60 <= share["high"]
        assert "800 points" in share["source"]


def test_overlapping_counties_do_not_count_ground_twice(maps, units, country):
    units.loc["B", "geometry"] = units.loc["zone", "geometry"].union(units.loc["B", "geometry"])

    found = table(
        coverage_rows(maps, units, survey(country[0]), period=PERIOD, min_clear_share=0.6)
    )

    assert found.loc[("city", "tree_cover_area"), "value"] == pytest.approx(240, abs=10)
    assert found.loc[("B", "tree_cover_area"), "value"] == pytest.approx(144, abs=10)


@pytest.fixture
def change(tmp_path, country):
    """Forest loses rows 100-119 and gains rows 150-159; the change map sees half of the gain."""
    before = country[0]
    after = before.copy()
    after[100:120], after[150:160] = False, True
    codes = np.where(before, schema.Change.STABLE_FOREST, schema.Change.STABLE_OTHER).astype(
        "uint8"
    )
    codes[100:120], codes[150:155] = schema.Change.LOSS, schema.Change.GAIN
    return write(tmp_path / "change.tif", codes, 0), before, after


def test_change_is_estimated_from_the_same_points_twice(change, units):
    path, before, after = change
    sample = pd.concat([survey(before, period=BASELINE), survey(after, period=PERIOD)])

    found = table(change_rows(path, units, sample, periods=(BASELINE, PERIOD), min_clear_share=0.6))

    shift = found.loc[("city", "tree_cover_change")]
    assert shift["status"] == "ok"
    assert shift["low"] <= -5 <= shift["high"] < 0
    assert (shift["measure"], shift["period"]) == ("points", "2024Q4")
    assert found.loc[("city", "loss_area_mapped"), "value"] == pytest.approx(40)
    assert found.loc[("A", "gain_area_mapped"), "value"] == pytest.approx(6)
    assert (found.xs("gain_area_mapped", level="indicator")["status"] == "no_interval").all()


def test_change_without_a_panel_is_the_map_count_unjudged(change, units):
    path, before, _ = change

    found = table(
        change_rows(path, units, survey(before), periods=(BASELINE, PERIOD), min_clear_share=0.6)
    )

    shift = found.loc[("city", "tree_cover_change")]
    assert (shift["status"], shift["value"]) == ("no_interval", pytest.approx(-7.5))


def test_change_below_the_gate_is_insufficient(tmp_path, units):
    dark = write(tmp_path / "dark.tif", np.zeros((SIDE, SIDE), "uint8"), 0)

    found = table(change_rows(dark, units, None, periods=(BASELINE, PERIOD), min_clear_share=0.6))

    assert (found["status"] == "insufficient").all()


def test_seasons_are_not_compared_with_one_another(change, units):
    with pytest.raises(ConfigError, match="different seasons"):
        change_rows(change[0], units, None, periods=(Period(2024, 2), PERIOD), min_clear_share=0.6)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.drop(columns="canopy"), "'canopy' is missing"),
        (lambda s: s.assign(canopy=s["canopy"] * 100), "share from 0 to 1"),
        (lambda s: s.assign(point=1), "twice"),
        (lambda s: s.set_crs(None, allow_override=True), "no CRS"),
        (lambda s: s.assign(geometry=s.to_crs(4549).buffer(5).to_crs(4326)), "must be points"),
    ],
)
def test_unusable_samples_are_refused(maps, units, country, spoil, message):
    with pytest.raises(ConfigError, match=message):
        coverage_rows(maps, units, spoil(survey(country[0])), period=PERIOD, min_clear_share=0.6)


def test_unjudged_points_are_left_out(maps, units, country):
    sample = survey(country[0])
    sample.loc[:399, "canopy"] = np.nan

    found = table(coverage_rows(maps, units, sample, period=PERIOD, min_clear_share=0.6))

    assert "400 points" in found.loc[("city", "tree_cover_share"), "source"]


def test_a_map_of_other_classes_is_refused(tmp_path, maps, units):
    wrong = write(tmp_path / "landcover.tif", np.full((SIDE, SIDE), 7, "uint8"), 0)

    with pytest.raises(ContractError, match="holds class 7, no Forest"):
        coverage_rows(
            ForestMaps(wrong, maps.canopy, maps.ndvi),
            units,
            None,
            period=PERIOD,
            min_clear_share=0.6,
        )


def test_ground_unlike_training_is_a_row_of_every_unit_and_judged_by_nobody(
    tmp_path, maps, units, country
):
    codes = np.where(country[1] == 0, 0, schema.Applicable.LIKE).astype("uint8")
    codes[:, 120:140] = schema.Applicable.UNLIKE  # a quarter of B, a tenth of the city's columns
    told = ForestMaps(maps.forest, None, None, write(tmp_path / "like.tif", codes, 0))

    found = table(coverage_rows(told, units, None, period=PERIOD, min_clear_share=0.6))

    rows = found.xs("unlike_training_share", level="indicator")
    assert (rows["status"] == "no_interval").all()
    assert rows["value"].to_dict() == pytest.approx(
        {"city": 100 * 4000 / 38400, "A": 0.0, "B": 25.0, "zone": 25.0}
    )


def test_ground_in_alert_is_measured_by_unit_and_confidence(tmp_path, units):
    alert = np.zeros((SIDE, SIDE), "uint8")
    alert[:100] = 1  # watched; A holds the first 120 columns
    alert[:10, :10], alert[:5, 190:] = 2, 3
    confidence = np.zeros((SIDE, SIDE), "uint8")
    confidence[:10, :4], confidence[:10, 4:10], confidence[:5, 190:] = 3, 1, 2

    found = alert_areas(
        write(tmp_path / "a.tif", alert, 0), write(tmp_path / "c.tif", confidence, 0), units
    )

    assert found.loc["A"].to_dict() == {
        "watched": 120.0, "loss_1": 0.6, "loss_2": 0.0, "loss_3": 0.4,
        "gain_1": 0.0, "gain_2": 0.0, "gain_3": 0.0,
    }  # fmt: skip
    assert found.loc["B", ["watched", "gain_2", "loss_3"]].tolist() == [80.0, 0.5, 0.0]
    assert found.loc["zone", "loss_1"] == 0.0 and found.loc["city", "watched"] == 200.0
