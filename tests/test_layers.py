"""The door for supplied layers: what is mended, counted, refused, and why."""

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from shapely import affinity
from shapely.geometry import LineString, Point, Polygon, box

from jinhua_rs.errors import ConfigError
from jinhua_rs.layers import column, mended, open_layer, text
from jinhua_rs.regions import load_units, outline
from jinhua_rs.settings import Area, load_settings

CRS = "EPSG:4549"
AREA = box(500_000, 3_200_000, 520_000, 3_220_000)
BOW_TIE = Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])  # two triangles of 2,500 m²


def at(geometry, east=505_000, north=3_205_000):
    return affinity.translate(geometry, east, north)


def save(folder, geometries, name="layer.gpkg", crs=CRS, **columns):
    path = folder / name
    frame = gpd.GeoDataFrame(columns, geometry=list(geometries), crs=crs)
    pyogrio.write_dataframe(frame, path, layer=path.stem)
    return path


def opened(path, **options):
    return open_layer(path, "permits", **({"crs": CRS, "area": AREA} | options))


def test_a_sound_layer_comes_in_as_it_is(tmp_path):
    path = save(tmp_path, [at(box(0, 0, 100, 50))], no=["甲-1"])

    layer = opened(path)

    assert layer.frame.area.tolist() == [5_000.0]
    assert column(layer.frame, "NUMBER", "No") == ["甲-1"]
    assert column(layer.frame, "other") is None
    assert layer.remarks() == ()
    assert len(layer.digest) == 64


def test_it_is_brought_to_the_grid(tmp_path):
    frame = gpd.GeoDataFrame(geometry=[at(box(0, 0, 1_000, 1_000))], crs=CRS).to_crs("EPSG:4490")
    path = save(tmp_path, frame.geometry, crs="EPSG:4490")

    layer = opened(path)

    assert layer.frame.crs.to_epsg() == 4549
    assert layer.frame.area[0] == pytest.approx(1e6, rel=1e-6)


def test_what_is_wrong_with_features_is_counted_and_the_rest_goes_on(tmp_path):
    shapes = [at(BOW_TIE), None, Polygon(), at(box(0, 0, 1, 1)), box(0, 0, 9, 9)]
    path = save(tmp_path, shapes, no=list("abcde"))

    layer = opened(path)

    assert column(layer.frame, "no") == ["a", "d"]
    assert layer.frame.area.tolist() == [5_000.0, 1.0]
    assert (layer.n_mended, layer.n_empty, layer.n_outside) == (1, 2, 1)
    assert [zh for _, zh in layer.remarks()] == [
        "图层 permits：1 个自相交，已修复",
        "图层 permits：2 个无有效图形，未使用",
        "图层 permits：1 个在区域之外，未使用",
    ]


def test_lines_are_welcome_where_they_are_asked_for(tmp_path):
    path = save(tmp_path, [at(LineString([(0, 0), (30, 40)]))])

    layer = opened(path, kind="LineString")

    assert layer.frame.length.tolist() == [50.0]
    with pytest.raises(ConfigError, match="holds no polygon"):
        opened(path)


@pytest.mark.parametrize("cpg", [None, "UTF-8"], ids=["no encoding stated", "wrongly stated"])
def test_fields_in_gbk_are_read(tmp_path, cpg):
    path = tmp_path / "parcels.shp"
    frame = gpd.GeoDataFrame({"地块编号": ["甲一"]}, geometry=[at(box(0, 0, 9, 9))], crs=CRS)
    pyogrio.write_dataframe(frame, path, encoding="GBK")
    path.with_suffix(".cpg").unlink()
    if cpg:
        path.with_suffix(".cpg").write_text(cpg)

    layer = opened(path)

    assert column(layer.frame, "地块编号") == ["甲一"]


@pytest.mark.parametrize("encoding", ["UTF-8", "GBK"])
def test_a_stated_encoding_holds(tmp_path, encoding):
    path = tmp_path / "parcels.shp"
    frame = gpd.GeoDataFrame({"名称": ["甲一"]}, geometry=[at(box(0, 0, 9, 9))], crs=CRS)
    pyogrio.write_dataframe(frame, path, encoding=encoding)

    assert column(opened(path).frame, "名称") == ["甲一"]


def test_the_digest_is_of_all_files_of_a_shapefile(tmp_path):
    path = save(tmp_path, [at(box(0, 0, 9, 9))], "a.shp", no=["x"])
    first = opened(path).digest
    save(tmp_path, [at(box(0, 0, 9, 9))], "a.shp", no=["y"])

    assert opened(path).digest != first


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.gpkg", None, "cannot be read"),
        ("notes.txt", b"hello", "is no GeoPackage"),
        ("a.gpkg", b"<OGRVRTDataSource></OGRVRTDataSource>", "not what its name says"),
        ("a.kml", b"  <OGRVRTDataSource></OGRVRTDataSource>", "not what its name says"),
        ("a.gpkg", b"SQLite format 3\x00 and no more", "cannot be read"),
        ("a.geojson", b'{"type": "FeatureCollection"', "cannot be read"),
    ],
)
def test_what_is_no_layer_is_refused_by_name(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=message) as refused:
        opened(path)

    assert name in str(refused.value) and "[layers] permits" in refused.value.zh


def test_no_crs_no_feature_and_two_layers_are_refused(tmp_path):
    naked = save(tmp_path, [at(box(0, 0, 9, 9))], "naked.shp")
    naked.with_suffix(".prj").unlink()
    empty = save(tmp_path, [], "empty.gpkg")
    two = save(tmp_path, [at(box(0, 0, 9, 9))], "two.gpkg")
    frame = gpd.GeoDataFrame(geometry=[at(Point(0, 0))], crs=CRS)
    pyogrio.write_dataframe(frame, two, layer="more")

    with pytest.raises(ConfigError, match="does not state its CRS"):
        opened(naked)
    with pytest.raises(ConfigError, match="0 features; leave the setting out"):
        opened(empty)
    with pytest.raises(ConfigError, match="one spatial layer is needed"):
        opened(two)


def test_a_layer_of_another_place_is_refused(tmp_path):
    path = save(tmp_path, [box(0, 0, 100, 100)])

    with pytest.raises(ConfigError, match="more than 200 km from the area"):
        opened(path)


def test_a_layer_of_the_city_may_have_nothing_in_a_county(tmp_path):
    path = save(tmp_path, [at(box(30_000, 0, 30_100, 100))])

    layer = opened(path)

    assert (len(layer.frame), layer.n_outside) == (0, 1)
    assert layer.frame.crs.to_epsg() == 4549


@pytest.fixture(scope="module")
def city():
    return outline(load_units(Area()))


def fields(city, seed=3):
    """Make 4,000 squares of 500 m all over the city, cut at its border as a bureau cuts them."""
    rng = np.random.default_rng(seed)
    left, bottom, right, top = city.bounds
    x, y = rng.uniform(left, right, 4_000), rng.uniform(bottom, top, 4_000)
    cut = shapely.intersection(shapely.box(x, y, x + 500, y + 500), city)
    return [one for one in cut if one.geom_type == "Polygon" and not one.is_empty]


def test_gcj02_is_noticed_and_can_be_insisted_on(tmp_path, city):
    moved = [affinity.translate(one, 450, -300) for one in fields(city)]
    path = save(tmp_path, moved)

    with pytest.raises(ConfigError, match="looks like GCJ-02"):
        opened(path, area=city)
    assert len(opened(path, area=city, check_datum=False).frame) > 1_000


def test_a_layer_that_ends_at_the_border_or_goes_on_beyond_it_is_not_suspected(tmp_path, city):
    cut, beyond = fields(city), [affinity.scale(one, 3, 3) for one in fields(city)]

    assert opened(save(tmp_path, cut, "cut.gpkg"), area=city).n_outside == 0
    assert len(opened(save(tmp_path, beyond, "beyond.gpkg"), area=city).frame) > 1_000


def test_text_of_values():
    assert [text(v) for v in (3.0, None, float("nan"), " a ", 1.5)] == ["3", "", "", "a", "1.5"]


def test_mending_keeps_the_areas_only():
    spike = Polygon([(0, 0), (10, 0), (10, 10), (10, 20), (10, 10), (0, 10)])

    (sound,) = mended([spike])

    assert (sound.geom_type, sound.area) == ("Polygon", 100.0)


def test_paths_of_layers_are_relative_to_the_configuration(tmp_path):
    config = tmp_path / "jinhua.toml"
    config.write_text('[layers]\nred_line = "layers/red.gpkg"\n', encoding="utf-8")

    layers = load_settings(config, environment={}).settings.layers

    assert layers.red_line == tmp_path.resolve() / "layers/red.gpkg"
    assert layers.permits is None
