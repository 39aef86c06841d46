"""Three definitions of forest, on ground that can be counted by hand."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from shapely.geometry import box

from jinhua_rs import schema
from jinhua_rs.errors import ConfigError
from jinhua_rs.forest import (
    Judged,
    calibrated_rows,
    definition_rows,
    land_uses,
    statutory_change_rows,
)
from jinhua_rs.layers import Layer
from jinhua_rs.period import Period
from jinhua_rs.schema import Land
from jinhua_rs.settings import Definitions

LEFT, TOP = 500_000.0, 3_200_000.0  # 20 x 20 pixels of 100 m, each 1 ha: rows are 5 % of the city
NOW, BASE = Period(2024), Period(2019)
COVER = {
    Land.CONIFER: range(8),  # 40 %, of which 2 rows are open woodland (canopy below 0.20)
    Land.BAMBOO: range(8, 11),  # 15 %
    Land.SHRUB: range(11, 15),  # 20 %
    Land.ORCHARD: range(15, 17),  # 10 %
    Land.CROPLAND: range(17, 20),  # 15 %
}
OPEN = range(2)


def ground():
    """Land-cover classes and canopy of every pixel."""
    land = np.zeros((20, 20), "uint8")
    for kind, lines in COVER.items():
        land[list(lines)] = kind
    canopy = np.where(np.isin(land, (Land.CONIFER, Land.BAMBOO)), 0.6, 0.05)
    canopy[list(OPEN)] = 0.15
    return land, canopy


def write(path, pixels):
    profile = {
        "driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:4549", "nodata": 0,
        "height": 20, "width": 20, "transform": Affine(100, 0, LEFT, 0, -100, TOP),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(pixels, 1)
    return path


@pytest.fixture
def maps(tmp_path):
    land, canopy = ground()
    forest = np.where(canopy >= 0.2, schema.Forest.FOREST, schema.Forest.OTHER).astype("uint8")
    return write(tmp_path / "landcover.tif", land), write(tmp_path / "forest.tif", forest)


@pytest.fixture
def units():
    """A city of two counties: A has three quarters of every row, B one quarter."""
    shapes = {"city": (0, 2000), "A": (0, 1500), "B": (1500, 2000)}
    return gpd.GeoDataFrame(
        {"level": ["city", "county", "county"]},
        index=pd.Index(list(shapes), name="code"),
        geometry=[box(LEFT + w, TOP - 2000, LEFT + e, TOP) for w, e in shapes.values()],
        crs="EPSG:4549",
    )


def band(code, first, rows):
    """A strip of land use across the city, ``rows`` high."""
    return code, box(LEFT, TOP - 100 * (first + rows), LEFT + 2000, TOP - 100 * first)


def uses_of(*bands):
    codes, shapes = zip(*bands, strict=True)
    frame = gpd.GeoDataFrame({"DLBM": codes}, geometry=list(shapes), crs="EPSG:4549")
    return land_uses(Layer("land_use", frame, ""))


USES = (
    band("0301", 0, 11),
    band("0305", 11, 1),  # a quarter of the shrub is on forest land
    band("0202", 12, 2),  # half of it is tea
    band("0204", 14, 1),  # a quarter lies on other garden land
    band("0201", 15, 2),
)


def on(units, *, sample=None, uses=None):
    return Judged(units=units, sample=sample, drawn=None, uses=uses, min_clear_share=0.6)


def table(records):
    return schema.rows(records).set_index(["unit", "indicator"])


def shares(found, unit="city"):
    names = ("statutory_share_lower", "statutory_share_upper", "woody_share")
    return [found.loc[(unit, name), "value"] for name in names]


def test_without_land_use_the_law_has_a_lower_and_an_upper_bound(maps, units):
    found = table(definition_rows(*maps, on(units), period=NOW, rules=Definitions()))

    for unit in ("city", "A", "B"):
        assert shares(found, unit) == pytest.approx([45.0, 65.0, 65.0], abs=0.01)
    assert set(found["status"]) == {"no_interval"}
    areas = found.loc["city"]["value"]
    assert areas["stand_area"] == pytest.approx(120)  # open woodland is no stand
    assert areas["bamboo_area"] == pytest.approx(60)
    assert areas["shrub_area"] == pytest.approx(80)
    assert areas["orchard_area"] == pytest.approx(40)
    assert "tea_area" not in areas


def test_with_land_use_the_bounds_meet(maps, units):
    judged = on(units, uses=uses_of(*USES))

    found = table(definition_rows(*maps, judged, period=NOW, rules=Definitions()))

    assert shares(found) == pytest.approx([50.0, 50.0, 65.0], abs=0.01)
    areas = found.loc["B"]["value"]
    assert areas["forest_shrub_area"] == pytest.approx(5)
    assert areas["tea_area"] == pytest.approx(10)
    assert areas["oil_camellia_area"] == pytest.approx(5)


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"bamboo": False}, [35.0, 35.0, 50.0]),
        ({"special_shrub": False}, [45.0, 45.0, 65.0]),
        ({"tea": True}, [60.0, 60.0, 65.0]),
        ({"oil_camellia": True}, [55.0, 55.0, 65.0]),
        ({"orchard": True}, [60.0, 60.0, 75.0]),
    ],
)
def test_every_switch_moves_its_own_ground(maps, units, switches, expected):
    judged = on(units, uses=uses_of(*USES))

    found = table(definition_rows(*maps, judged, period=NOW, rules=Definitions(**switches)))

    assert shares(found) == pytest.approx(expected, abs=0.01)


def test_where_no_shrub_may_count_the_bounds_meet_without_land_use(maps, units):
    rules = Definitions(special_shrub=False)

    found = table(definition_rows(*maps, on(units), period=NOW, rules=rules))

    assert shares(found)[:2] == pytest.approx([45.0, 45.0])


def test_trees_outside_stands_are_added_where_their_number_is_known(maps, units):
    rules = Definitions(roadside_stems={"city": 1650 * 8.0})  # 8 ha of 400

    found = table(definition_rows(*maps, on(units), period=NOW, rules=rules))

    assert shares(found) == pytest.approx([47.0, 67.0, 67.0])
    assert shares(found, "A") == pytest.approx([45.0, 65.0, 65.0])


def survey(land, canopy, period=NOW, n=900, seed=5):
    """Judge ``n`` random pixels without error; the same points for every period."""
    rng = np.random.default_rng(seed)
    row, column = rng.integers(0, 20, (2, n))
    return gpd.GeoDataFrame(
        {
            "point": np.arange(n),
            "period": str(period),
            "canopy": canopy[row, column],
            "class": land[row, column].astype(float),
        },
        geometry=shapely.points(LEFT + column * 100 + 50, TOP - row * 100 - 50),
        crs="EPSG:4549",
    )


def test_points_with_classes_give_intervals_by_design(maps, units):
    judged = on(units, sample=survey(*ground()), uses=uses_of(*USES))

    found = table(definition_rows(*maps, judged, period=NOW, rules=Definitions()))

    assert set(found["status"]) == {"ok"}
    truth = {"statutory_share_lower": 50.0, "statutory_share_upper": 50.0, "woody_share": 65.0}
    for name, share in truth.items():
        row = found.loc[("city", name)]
        assert row["low"] < share < row["high"]
        assert 0.5 < row["high"] - row["low"] < 8
        assert row["n"] == 900
    bamboo = found.loc[("city", "bamboo_area")]
    assert bamboo["low"] < 60 < bamboo["high"]


def test_points_without_classes_are_no_ground_for_an_interval(maps, units):
    sample = survey(*ground())
    for poor in (sample.drop(columns="class"), sample.assign(**{"class": np.nan})):
        judged = on(units, sample=poor)
        found = table(definition_rows(*maps, judged, period=NOW, rules=Definitions()))
        assert set(found["status"]) == {"no_interval"}
        assert shares(found) == pytest.approx([45.0, 65.0, 65.0], abs=0.01)


@pytest.fixture
def panel():
    """Orchard and cropland have become stands by 2024: 45 % surely counts then, 70 % now."""
    land, canopy = ground()
    later, denser = land.copy(), canopy.copy()
    later[15:20], denser[15:20] = Land.CONIFER, 0.7
    return pd.concat([survey(land, canopy, BASE), survey(later, denser, NOW)], ignore_index=True)


@pytest.fixture
def change(tmp_path):
    kinds = np.full((20, 20), schema.Change.STABLE_FOREST, "uint8")
    kinds[15:20] = schema.Change.GAIN
    return write(tmp_path / "change.tif", kinds)


def test_the_change_of_what_surely_counts_comes_from_the_panel(change, units, panel):
    judged = on(units, sample=panel)

    found = statutory_change_rows(change, judged, periods=(BASE, NOW), rules=Definitions())

    row = table(found).loc[("city", "statutory_change")]
    assert row["low"] <= 25.0 <= row["high"]
    assert row["status"] == "ok"


def test_the_official_figure_is_carried_on_beside_the_estimate(change, units, panel):
    rules = Definitions(calibrate=True)
    changes = statutory_change_rows(
        change, on(units, sample=panel), periods=(BASE, NOW), rules=rules
    )

    (row,) = calibrated_rows(changes, "city", BASE, rules)

    schema.rows([row])
    moved = next(r for r in changes if r["unit"] == "city")
    assert row["value"] == pytest.approx(61.82 + moved["value"])
    assert row["high"] - row["low"] == pytest.approx(moved["high"] - moved["low"])
    assert "61.82" in row["source"]
    assert calibrated_rows(changes, "city", Period(2020), rules) == []
    assert calibrated_rows(changes, "city", BASE, Definitions()) == []


@pytest.mark.parametrize("codes", [["林地"], ["1001"], [""]])
def test_a_layer_without_survey_codes_is_refused(codes):
    frame = gpd.GeoDataFrame({"DLBM": codes}, geometry=[box(0, 0, 1, 1)], crs="EPSG:4549")

    with pytest.raises(ConfigError, match="third land survey"):
        land_uses(Layer("land_use", frame, ""))
    with pytest.raises(ConfigError, match="third land survey"):
        land_uses(Layer("land_use", frame.drop(columns="DLBM"), ""))
