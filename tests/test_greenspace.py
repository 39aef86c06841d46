"""Plan layers: areas, shares, gaps and conversions that can be worked out by hand."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from shapely.geometry import LineString, box

from jinhua_rs.errors import GridMismatch, IntegrityError
from jinhua_rs.greenspace import WHOLE, Maps, theme_rows
from jinhua_rs.schema import Change, Forest, Land
from jinhua_rs.settings import Settings, Theme, load_settings
from jinhua_rs.zonal import transitions, transitions_by_zone

LEFT, TOP, SIDE = 500_000.0, 3_200_000.0, 100


def save(path, pixels, *, step=10.0):
    profile = {
        "driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:4549", "nodata": 0,
        "height": pixels.shape[0], "width": pixels.shape[1], "tiled": True, "blockxsize": 64,
        "blockysize": 64, "transform": Affine(step, 0, LEFT, 0, -step, TOP),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(pixels.astype("uint8"), 1)
    return path


def at(west, north, east, south):
    return box(LEFT + west, TOP - south, LEFT + east, TOP - north)


@pytest.fixture
def maps(tmp_path):
    """The western half is forest; a river of fields and water runs east through the middle."""
    land = np.full((SIDE, SIDE), int(Land.CROPLAND))
    land[:, :50] = int(Land.CONIFER)
    land[50, :] = int(Land.WATER)
    before = land.copy()
    before[:, 40:50] = int(Land.CROPLAND)  # 1 ha a ten rows became forest
    before[0, 0] = 0
    forest = np.where(np.isin(land, [int(Land.CONIFER)]), Forest.FOREST, Forest.OTHER)
    change = np.full((SIDE, SIDE), int(Change.STABLE_OTHER))
    change[:10, :10] = int(Change.LOSS)
    return Maps(
        save(tmp_path / "landcover.tif", land),
        save(tmp_path / "forest.tif", forest),
        save(tmp_path / "change.tif", change),
        save(tmp_path / "before.tif", before),
    )


UNITS = gpd.GeoDataFrame(
    {"level": ["county"], "name_zh": ["义乌市"], "name_en": ["Yiwu"]},
    index=pd.Index(["330782"], name="code"),
    geometry=[at(0, 0, 1000, 1000)],
    crs="EPSG:4549",
)


def measured(maps, themes, layers=None, *, gate=0.6):
    found = theme_rows(themes, layers or {}, UNITS, maps, gate=gate)
    return found.set_index(["theme", "feature", "indicator"])


def layer(*shapes, **fields):
    return gpd.GeoDataFrame(fields, geometry=list(shapes), crs="EPSG:4549")


ZONE = Theme(rule="zone", title="自然保护地")


def test_a_zone_tells_its_area_cover_and_loss(maps):
    zones = layer(at(0, 0, 200, 200), at(800, 0, 1200, 500), name=["甲", "乙"])

    found = measured(maps, {"reserves": ZONE}, {"reserves": zones})["value"]

    assert found["reserves", "甲", "area_ha"] == pytest.approx(4)
    assert found["reserves", "甲", "tree_cover_share_mapped"] == pytest.approx(100)
    assert found["reserves", "甲", "loss_ha"] == pytest.approx(1)
    assert found["reserves", "乙", "area_ha"] == pytest.approx(10)  # cut at the city's edge
    assert found["reserves", "乙", "tree_cover_share_mapped"] == pytest.approx(0)
    assert found["reserves", WHOLE, "share_of_area"] == pytest.approx(14)


def test_overlapping_features_are_counted_once_in_the_whole(maps):
    zones = layer(at(0, 0, 200, 200), at(100, 0, 300, 200), name=["甲", "乙"])

    found = measured(maps, {"reserves": ZONE}, {"reserves": zones})["value"]

    assert found["reserves", WHOLE, "area_ha"] == pytest.approx(6)


def test_a_corridor_is_woody_where_there_is_forest_and_has_its_gaps(maps):
    theme = Theme(rule="corridor", title="八廊", buffer_m=50)
    river = layer(LineString([(LEFT, TOP - 505), (LEFT + 1000, TOP - 505)]), name=["东阳江"])

    found = measured(maps, {"corridors": theme}, {"corridors": river})["value"]

    assert found["corridors", "东阳江", "length_m"] == pytest.approx(1000)
    assert found["corridors", "东阳江", "woody_share"] == pytest.approx(
        50
    )  # water counts for nobody
    assert found["corridors", "东阳江", "gap_length_m"] == pytest.approx(500)
    assert found["corridors", "东阳江", "longest_gap_m"] == pytest.approx(500)


def test_a_park_serves_its_radius_if_it_is_large_enough(maps):
    theme = Theme(rule="service", title="公园", buffer_m=100, least_m2=5_000)
    layers = {
        "park_service": layer(at(0, 0, 100, 100), at(900, 900, 950, 950)),  # 1 ha; 0.25 ha
        "park_service.within": layer(at(0, 0, 100, 100), at(900, 900, 1000, 1000)),
    }

    found = measured(maps, {"park_service": theme}, layers)["value"]

    assert found["park_service", WHOLE, "parks"] == 1
    assert found["park_service", WHOLE, "served_share"] == pytest.approx(50)


def test_returned_farmland_is_told_by_county(maps):
    theme = Theme(rule="conversion", title="退耕")

    found = measured(maps, {"returned": theme})

    assert found.loc[("returned", "义乌市", "cropland_to_forest_ha"), "value"] == pytest.approx(9.9)
    assert found.loc[("returned", "义乌市", "cropland_to_wetland_ha"), "value"] == 0.1
    assert found.loc[("returned", "义乌市", "cropland_to_forest_ha"), "seen_share"] == 0.9999


def test_every_theme_of_the_plan_says_what_it_needs(maps):
    found = measured(maps, Settings().themes)

    needs = {theme for theme, _, _ in found[found["status"] == "needs layer"].index}
    assert needs == set(Settings().themes) - {"farmland_returned"}
    assert found.loc[("park_service", WHOLE, "service"), "source"].startswith(
        "needs layer park_service"
    )


def test_without_a_baseline_a_conversion_says_so(maps):
    lone = Maps(maps.landcover, maps.forest, None, None)

    found = measured(lone, {"returned": Theme(rule="conversion", title="退耕")})

    assert found["status"].tolist() == ["no baseline"]


def test_below_the_gate_of_clear_view_no_number_is_given(maps, tmp_path):
    dark = np.zeros((SIDE, SIDE))
    dark[:30] = Forest.FOREST
    dim = Maps(maps.landcover, save(tmp_path / "dark.tif", dark), None, None)
    zones = layer(at(0, 0, 1000, 1000), name=["甲"])

    found = measured(dim, {"reserves": ZONE}, {"reserves": zones})

    row = found.loc[("reserves", "甲", "tree_cover_share_mapped")]
    assert row["status"] == "insufficient"
    assert np.isnan(row["value"])
    assert row["seen_share"] == pytest.approx(0.3)
    assert found.loc[("reserves", "甲", "area_ha"), "status"] == "mapped"


def test_transitions_of_overlapping_units_and_of_other_grids(maps, tmp_path):
    twice = gpd.GeoDataFrame(
        index=["a", "b"], geometry=[at(0, 0, 500, 10), at(400, 0, 600, 10)], crs="EPSG:4549"
    )

    found = transitions(maps.before, maps.landcover, twice)

    conifer, crop = int(Land.CONIFER), int(Land.CROPLAND)
    assert found.loc["a", (crop, conifer)] == 1000
    assert found.loc["b", (crop, conifer)] == 1000
    assert found.loc["b", (crop, crop)] == 1000
    assert found.loc["a", (0, conifer)] == 100
    coarse = save(tmp_path / "coarse.tif", np.ones((SIDE, SIDE)), step=20.0)
    with pytest.raises(GridMismatch, match="different grids"):
        transitions(coarse, maps.landcover, twice)
    strange = save(tmp_path / "strange.tif", np.full((SIDE, SIDE), 200))
    with pytest.raises(IntegrityError, match="holds class 16 or more"):
        transitions(strange, maps.landcover, twice)


def test_transitions_by_zone_add_up_and_the_later_of_two_zones_counts(maps):
    whole = gpd.GeoDataFrame(index=["all"], geometry=[at(0, 0, 1000, 1000)], crs="EPSG:4549")
    zones = gpd.GeoDataFrame(
        {"zone": ["tea", "forest", "tea"]},
        geometry=[at(0, 0, 300, 1000), at(200, 0, 500, 1000), at(5000, 0, 6000, 1000)],
        crs="EPSG:4549",
    )

    found = transitions_by_zone(maps.before, maps.landcover, whole, zones)

    assert found.T.groupby("zone").sum()["all"].to_dict() == {
        "": 500_000.0, "forest": 300_000.0, "tea": 200_000.0,
    }  # fmt: skip
    together = found.T.groupby(["was", "now"]).sum().T
    assert together.equals(transitions(maps.before, maps.landcover, whole))


def test_layers_of_themes_are_relative_to_their_file(tmp_path):
    config = tmp_path / "jinhua.toml"
    config.write_text(
        '[themes.parks]\nrule = "zone"\ntitle = "公园"\nlayer = "parks.gpkg"\n', "utf-8"
    )

    themes = load_settings(config, environment={}).settings.themes

    assert themes["parks"].layer == tmp_path / "parks.gpkg"
