"""Planting: fields of a layer, ground counted once, evidence, stages, and the ladder."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import nan
from shapely import Polygon
from shapely.geometry import box

from jinhua_rs.afforestation.evidence import Evidence, evidence_of
from jinhua_rs.afforestation.ladder import LADDER, ledger, sums
from jinhua_rs.afforestation.parcels import overlap_mu, parcels_of
from jinhua_rs.afforestation.stages import Stage, stage_of
from jinhua_rs.afforestation.standing import standing
from jinhua_rs.errors import NoDataError
from jinhua_rs.history import Publication
from jinhua_rs.layers import Layer
from jinhua_rs.period import Period
from jinhua_rs.schema import Land

X, Y = 440_000.0, 3_220_000.0


def square(column, row, side=10):
    """A square of so many pixels of 10 m, its corner at a pixel of the little world."""
    left, top = X + 10 * column, Y - 10 * row
    return box(left, top - 10 * side, left + 10 * side, top)


def layer(shapes, **fields):
    frame = gpd.GeoDataFrame(fields, geometry=shapes, crs="EPSG:4549")
    return Layer("parcels", frame, "0" * 64)


# --- parcels -----------------------------------------------------------------------------------


def test_fields_are_found_in_the_names_that_bureaus_use():
    found = parcels_of(
        layer(
            [square(0, 0)], 小班号=["b7"], 造林年度=["2021年"], 上报面积=["1,234.5"], 树种=["油茶"]
        )
    ).frame.iloc[0]

    assert (found["parcel"], found["year"], found["reported_mu"]) == ("b7", 2021, 1234.5)
    assert found["economic"]
    assert found["setting"] == "未注明"
    assert found["drawn_mu"] == pytest.approx(15.0)


def test_what_is_wrong_with_a_layer_is_remarked_and_the_rest_goes_on():
    found = parcels_of(
        layer(
            [square(0, 0), square(20, 0), square(40, 0)],
            parcel=["a", "a", ""],
            year=["2020", "", "next"],
            reported_mu=["10", "-3", "=1+1"],
        )
    )

    assert found.frame["parcel"].tolist() == ["a", "#3", "a#2"]
    assert found.frame["year"].isna().tolist() == [False, True, True]
    assert found.frame["reported_mu"].isna().tolist() == [False, True, True]
    told = " ".join(en for en, _ in found.remarks)
    assert "'a' stands more than once" in told
    assert "2 without a usable year" in told
    assert "2 without a usable reported_mu" in told


def test_ground_is_counted_once_for_the_parcel_that_reported_it_first():
    found = parcels_of(
        layer(
            [square(0, 0), square(2, 0), square(8, 0)],
            parcel=["later", "first", "third"],
            year=["2022", "2020", "2023"],
        )
    ).frame.set_index("parcel")

    # `later` shares 8 of 10 columns with `first`; `third` shares 4 with `first`, 2 with `later`
    assert found["counted_mu"].to_dict() == pytest.approx({"first": 15, "later": 3, "third": 9})
    assert found["duplicate_of"].to_dict() == {"first": "", "later": "first", "third": ""}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8))
def test_counted_ground_is_all_ground_and_none_twice(corners):
    shapes = [square(*corner) for corner in corners]

    found = parcels_of(layer(shapes, year=["2020"] * len(shapes))).frame

    together = gpd.GeoSeries(shapes).union_all().area * 15 / 10_000
    assert found["counted_mu"].sum() == pytest.approx(together, abs=1e-6)


def test_overlap_with_zones_is_each_ground_once_and_without_zones_not_known():
    frame = gpd.GeoDataFrame(geometry=[square(0, 0), square(50, 50)], crs="EPSG:4549")
    zones = gpd.GeoDataFrame(geometry=[square(5, 0), square(5, 0)], crs="EPSG:4549")

    assert overlap_mu(frame, zones).tolist() == [7.5, 0.0]
    assert np.isnan(overlap_mu(frame, None)).all()


# --- evidence ----------------------------------------------------------------------------------

SIDE = 60
PARCEL = square(25, 25)


def world(ndvi, canopy, *, years=(2019, 2020, 2021, 2022, 2023, 2024), land=Land.CROPLAND):
    """
    Return years of fields with a parcel in their middle that has ``ndvi`` and ``canopy``.

    Where it has a canopy of 0.20 it is mapped as conifers.
    """
    rng = np.random.default_rng(5)
    shape = (len(years), SIDE, SIDE)
    x, y = X + 10 * np.arange(SIDE) + 5, Y - 10 * np.arange(SIDE) - 5
    inside = np.zeros((SIDE, SIDE), bool)
    inside[25:35, 25:35] = True
    greenness = np.full(shape, 0.4, "float32") + rng.normal(0, 0.02, shape).astype("float32")
    trees = np.full(shape, 0.02, "float32")
    greenness[:, inside] += np.asarray(ndvi, "float32")[:, None] - np.float32(0.4)
    trees[:, inside] = np.asarray(canopy, "float32")[:, None]
    mapped = np.where(trees >= 0.2, int(Land.CONIFER), int(land)).astype("uint8")
    layers = {"ndvi": greenness, "canopy": trees, "landcover": mapped}
    looks = ("y", "x"), np.full(shape[1:], 6, "uint16")
    return xr.Dataset(
        {name: (("year", "y", "x"), values) for name, values in layers.items()}
        | {"n_clear": looks},
        coords={"year": list(years), "y": y, "x": x},
    )


def seen(stack, *, planted=2020, ground=PARCEL):
    return evidence_of(
        stack, ground, barred=ground, planted=planted, kind=None, rng=np.random.default_rng(1)
    )


GREEN = [0.4, 0.4, 0.45, 0.5, 0.55, 0.6]
TREES = [0.02, 0.02, 0.05, 0.12, 0.25, 0.35]


def test_a_planting_that_grew_shows_its_gap_and_its_forest():
    found = seen(world(GREEN, TREES))

    assert found.px == 100
    assert found.seen_share == 1
    assert found.gap == pytest.approx(0.2, abs=0.01)
    assert found.gap_p < 0.01
    assert found.controls == 5
    assert found.canopy == pytest.approx(0.35)
    assert found.forest_share == 1
    assert found.was_forest_share == 0
    assert found.n_clear == 6


def test_what_all_fields_do_in_a_year_is_no_greening():
    wet = world([0.4] * 6, [0.02] * 6)
    wet["ndvi"][5] += np.float32(0.2)

    found = seen(wet)

    assert found.gap == pytest.approx(0.0, abs=0.02)
    assert found.greened_share < 0.2


def test_forest_needs_two_years_in_a_row():
    late = world(GREEN, [0.02, 0.02, 0.05, 0.1, 0.15, 0.35])
    gap = world(GREEN, TREES).isel(year=[0, 1, 2, 3, 5])

    assert seen(late).forest_share == 0
    assert seen(gap).forest_share == 0


def test_trees_on_less_than_one_mu_are_no_forest():
    stack = world(GREEN, [0.02] * 6)
    stack["canopy"][:, 25:27, 25:28] = 0.4  # 6 pixels
    stack["landcover"][:] = int(Land.CONIFER)
    enough = stack.copy(deep=True)
    enough["canopy"][:, 27, 25] = 0.4  # 7 pixels are 1.05 亩

    assert seen(stack).forest_share == 0
    assert seen(enough).forest_share == pytest.approx(0.07)


def test_what_stood_and_what_grew_before_is_told():
    felled = world(GREEN, [0.5, 0.3, 0.3, 0.3, 0.05, 0.05])

    found = seen(felled)

    assert (found.stood_share, found.forest_share, found.wooded_share) == (1, 0, 0)
    assert found.was_woody_share == 1
    assert seen(world(GREEN, TREES)).was_woody_share == 0
    assert np.isnan(seen(world(GREEN, TREES), planted=2019).was_woody_share)


@pytest.mark.parametrize("earlier", [2015, 2019])
def test_a_year_without_maps_before_planting_is_no_fault(earlier):
    found = seen(world(GREEN, TREES), planted=earlier)

    assert found.forest_share == 1


CROP, PINE, SOIL, BRUSH = (int(one) for one in (Land.CROPLAND, Land.CONIFER, Land.BARE, Land.SHRUB))


@pytest.mark.parametrize(
    ("canopy", "land", "forest"),
    [
        ([0.3, 0.3, 0.3], [PINE] * 3, [0, 1, 1]),
        ([0.3, 0.3, 0.3], [BRUSH] * 3, [0, 0, 0]),  # shrub that reads like trees
        ([0.3, 0.3, 0.1], [PINE] * 3, [0, 1, 1]),  # a hazy year of what is still mapped as trees
        ([0.3, 0.3, 0.1, 0.3], [PINE, PINE, CROP, PINE], [0, 1, 1, 1]),  # one year of doubt
        ([0.3, 0.3, 0.1, 0.1], [PINE, PINE, CROP, CROP], [0, 1, 1, 0]),
        ([0.3, 0.3, 0.1, nan, 0.1], [PINE, PINE, CROP, 0, CROP], [0, 1, 1, 1, 0]),
        ([0.3, 0.3, 0.0], [PINE, PINE, SOIL], [0, 1, 0]),  # cleared: no doubt
        ([0.3, 0.3, 0.0, 0.4, 0.4], [PINE, PINE, SOIL, BRUSH, BRUSH], [0, 1, 0, 0, 0]),
        ([0.3, nan, 0.3, 0.3], [PINE, 0, PINE, PINE], [0, 0, 0, 1]),
    ],
)
def test_forest_comes_and_goes_only_where_canopy_and_class_agree(canopy, land, forest):
    shape = (len(canopy), 1, 1)

    found = standing(
        np.array(canopy, "float32").reshape(shape),
        np.array(land, "uint8").reshape(shape),
        range(2016, 2016 + len(canopy)),
    )

    assert found.ravel().astype(int).tolist() == forest


def test_a_missing_year_makes_no_two_years_in_a_row():
    trees = np.full((2, 1, 1), 0.4, "float32"), np.full((2, 1, 1), PINE, "uint8")

    assert not standing(*trees, [2016, 2018]).any()
    assert not standing(trees[0][:0], trees[1][:0], []).size


def test_without_a_year_before_or_like_ground_there_is_no_gap():
    early = seen(world(GREEN, TREES), planted=2019)
    alone = world(GREEN, TREES)
    alone["landcover"][:, 25:35, 25:35] = int(Land.SHRUB)

    assert np.isnan(early.gap)
    assert seen(alone).controls == 0
    assert np.isnan(seen(alone).gap)


def test_a_sliver_and_an_unseen_parcel_say_so():
    sliver = seen(world(GREEN, TREES), ground=square(25, 25, side=1))
    dark = world(GREEN, TREES)
    dark["ndvi"][5], dark["canopy"][5] = nan, nan

    assert sliver.px == 1
    assert np.isnan(sliver.canopy)
    assert seen(dark).seen_share == 0
    assert np.isnan(seen(dark).canopy)


# --- stages ------------------------------------------------------------------------------------

YOUNG = Evidence(
    px=100, seen_share=1.0, n_clear=6.0, gap=0.0, gap_p=0.5, controls=5, canopy=0.05,
    greened_share=0.0, forest_share=0.0, wooded_share=0.0, stood_share=0.0, was_forest_share=0.0,
    was_woody_share=0.0, sealed_share=0.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("age", "changes", "stage"),
    [
        (None, {}, Stage.NO_YEAR),
        (-1, {}, Stage.PLANNED),
        (1, {"px": 6}, Stage.TOO_SMALL),
        (1, {"seen_share": 0.4}, Stage.UNSEEN),
        (1, {"canopy": nan}, Stage.UNSEEN),
        (1, {}, Stage.TOO_YOUNG),
        (1, {"gap": -0.1, "gap_p": 0.99}, Stage.SITE_PREPARED),
        (2, {"gap": 0.1, "gap_p": 0.01}, Stage.GREENING),
        (2, {"gap": 0.1, "gap_p": 0.06}, Stage.TOO_YOUNG),
        (2, {"gap": nan, "gap_p": nan}, Stage.TOO_YOUNG),
        (2, {"canopy": 0.15}, Stage.WOODY),
        (2, {"canopy": 0.4, "forest_share": 1.0}, Stage.WOODY),
        (3, {"canopy": 0.4, "forest_share": 1.0}, Stage.FOREST),
        (3, {"canopy": 0.4, "forest_share": 0.4}, Stage.WOODY),
        (3, {}, Stage.FAILING),
        (5, {"canopy": 0.15}, Stage.OVERDUE),
        (5, {"canopy": 0.3, "wooded_share": 0.4}, Stage.OVERDUE),
        (5, {"canopy": 0.3, "wooded_share": 0.6}, Stage.WOODY),
        (6, {"stood_share": 0.6, "forest_share": 0.3}, Stage.LOST),
        (6, {"stood_share": 0.4, "forest_share": 0.0}, Stage.OVERDUE),
        (6, {"canopy": 0.25, "stood_share": 0.9, "forest_share": 0.8}, Stage.FOREST),
        (4, {"sealed_share": 0.6}, Stage.LOST),
    ],
)
def test_stage_by_age_and_evidence(age, changes, stage):
    finding = stage_of(replace(YOUNG, **changes), age, economic=False)

    assert finding.stage is stage
    assert finding.why
    assert finding.why_zh


def test_tea_and_oil_camellia_are_not_judged_by_canopy():
    old = replace(YOUNG, canopy=0.1, stood_share=0.9, gap=0.1, gap_p=0.01)

    assert stage_of(old, 8, economic=True).stage is Stage.GREENING
    assert stage_of(old, 8, economic=False).stage is Stage.LOST


@pytest.mark.parametrize(
    ("changes", "age", "stage"),
    [
        ({"was_woody_share": 0.9}, 5, Stage.WOODY_BEFORE),
        ({"was_woody_share": 0.9, "gap": 0.1, "gap_p": 0.01}, 5, Stage.GREENING),
        ({"was_woody_share": 0.2}, 5, Stage.FAILING),
        ({"was_woody_share": nan}, 5, Stage.FAILING),
        ({"was_woody_share": 0.9, "gap": nan, "gap_p": nan}, 5, Stage.NO_LIKE),
        ({"was_woody_share": 0.9}, 2, Stage.TOO_YOUNG),
    ],
)
def test_a_new_shrub_crop_on_once_woody_ground_is_not_judged(changes, age, stage):
    finding = stage_of(replace(YOUNG, **changes), age, economic=True)

    assert finding.stage is stage
    assert not Stage.WOODY_BEFORE.judged


# --- the ledger --------------------------------------------------------------------------------


class Shelf:
    """Publications whose maps are cut from a stack in memory."""

    def __init__(self, stack, monkeypatch):
        self.stack = stack
        years = [int(year) for year in stack["year"].to_numpy()]
        self.published = tuple(Publication(Period(year), None, "", "") for year in years)
        self.read = []
        monkeypatch.setattr("jinhua_rs.afforestation.ladder.series", self.cut)

    def cut(self, published, name, _area):
        self.read += [(name, one.period.year) for one in published]
        if name not in self.stack:
            return self.stack["ndvi"].isel(year=[])
        found = self.stack[name]
        return found if "year" in found.dims else found.expand_dims(year=[2024])


@pytest.fixture
def told(monkeypatch):
    shelf = Shelf(world(GREEN, TREES), monkeypatch)
    parcels = parcels_of(
        layer(
            [PARCEL, square(26, 25), square(45, 45), Polygon(PARCEL.exterior)],
            parcel=["grown", "again", "fields", "replanted"],
            year=["2020", "2021", "2019", "2022"],
            reported_mu=["12", "20", "15.0", ""],
            setting=["山地", "山地", "坡地", "乡村"],
            type=["新造", "新造", "新造", "更新"],
        )
    )
    farmland = gpd.GeoDataFrame(geometry=[square(45, 45, side=5)], crs="EPSG:4549")
    return ledger(
        parcels, shelf.published, county_of=lambda _: "330782", farmland=farmland,
        elevation=None, seed=1,
    ).set_index("parcel")  # fmt: skip


def test_the_ladder_never_rises_and_counts_no_ground_twice(told):
    rungs = told[list(LADDER)].to_numpy()

    assert (np.diff(rungs, axis=1) <= 0).all()
    assert told["reported_mu"].to_dict() == {
        "fields": 15,
        "grown": 12,
        "again": 20,
        "replanted": 15,
    }
    assert told["mapped_mu"].to_dict() == {"fields": 15, "grown": 12, "again": 1.5, "replanted": 0}
    assert told.loc["grown", "forest_mu"] == 12
    assert told.loc["grown", "net_new_mu"] == 12
    assert told.loc["replanted", "net_new_mu"] == 0
    assert told.loc["fields", "forest_mu"] == 0


def test_stages_duplicates_and_farmland_are_told(told):
    assert told.loc["grown", "stage"] == Stage.FOREST.value
    assert told.loc["fields", "stage"] == Stage.OVERDUE.value
    assert told["duplicate_of"].to_dict() == {
        "fields": "", "grown": "", "again": "grown", "replanted": "grown",
    }  # fmt: skip
    assert told["on_farmland_mu"].to_dict() == {
        "fields": 3.75, "grown": 0, "again": 0, "replanted": 0,
    }  # fmt: skip
    assert told["conflict"].to_dict() == {
        "fields": True, "grown": False, "again": False, "replanted": False,
    }  # fmt: skip


@pytest.mark.parametrize("by", [["county"], ["year"], ["setting"], ["county", "year", "setting"]])
def test_sums_match_the_ledger(told, by):
    found = sums(told, by)

    for name in (*LADDER, "net_new_mu"):
        assert found[name].sum() == pytest.approx(told[name].sum(), abs=0.1)
    assert found["parcels"].sum() == len(told)


def test_tea_without_like_ground_is_not_called_a_failure():
    alone = replace(YOUNG, gap=np.nan, gap_p=np.nan, controls=0)

    assert stage_of(alone, 6, economic=True).stage is Stage.NO_LIKE
    assert not Stage.NO_LIKE.judged
    assert stage_of(YOUNG, 6, economic=True).stage is Stage.FAILING


def test_parcels_of_a_square_share_one_reading_of_each_map(monkeypatch):
    shelf = Shelf(world(GREEN, TREES), monkeypatch)
    parcels = parcels_of(layer([PARCEL, square(45, 45), square(10, 40)], year=["2020"] * 3))

    ledger(
        parcels, shelf.published, county_of=lambda _: "330702", farmland=None, elevation=None,
        seed=7,
    )  # fmt: skip

    years = range(2019, 2025)
    maps = [(name, year) for name in ("ndvi", "canopy", "landcover") for year in years]
    assert sorted(shelf.read) == sorted([*maps, ("n_clear", 2024)])


def test_a_parcel_is_judged_alike_whatever_is_reported_in_its_square(monkeypatch):
    shelf = Shelf(world(GREEN, TREES), monkeypatch)
    alone, among = (
        ledger(
            parcels_of(layer(shapes, parcel=ids, year=["2020"] * len(ids))),
            shelf.published, county_of=lambda _: "330702", farmland=None, elevation=None, seed=7,
        )
        for shapes, ids in (([PARCEL], ["a"]), ([PARCEL, square(45, 45)], ["a", "b"]))
    )  # fmt: skip

    kept = ["px", "canopy", "forest_share", "greened_share", "stage", *LADDER]
    assert alone[kept].iloc[0].to_dict() == among.set_index("parcel").loc["a", kept].to_dict()


def test_without_maps_the_ledger_says_what_to_run(monkeypatch):
    shelf = Shelf(world(GREEN, TREES).drop_vars("canopy"), monkeypatch)
    parcels = parcels_of(layer([PARCEL], year=["2020"]))

    with pytest.raises(NoDataError, match="a model that knows canopy"):
        ledger(
            parcels, shelf.published, county_of=lambda _: "", farmland=None, elevation=None, seed=1
        )
