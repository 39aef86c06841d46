"""Training samples: one form from many files, sifted, with the reasons told."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import LineString, MultiPolygon, Point, box
from typer.testing import CliRunner

from jinhua_rs.cli import app
from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.grid import Grid
from jinhua_rs.samples import by_class_and_unit, read_samples, sift
from jinhua_rs.samples.polygons import MOST_A_POLYGON, points_in

CRS = "EPSG:4549"
GRID = Grid()
X0, Y0 = 500_000.0, 3_200_000.0
AREA = box(X0, Y0, X0 + 10_000, Y0 + 10_000)
UNITS = gpd.GeoDataFrame(
    {
        "name_zh": ["金华市", "东县", "西县"],
        "name_en": ["Jinhua", "East", ""],
        "level": ["city", "county", "county"],
    },
    geometry=[
        AREA,
        box(X0 + 5_000, Y0, X0 + 10_000, Y0 + 10_000),
        box(X0, Y0, X0 + 5_000, Y0 + 10_000),
    ],
    index=pd.Index(["330700", "1", "2"], name="code"),
    crs=CRS,
)  # fmt: skip


def at(*places):
    """Points at the centres of pixels, counted from the corner of the area."""
    return [Point(X0 + 10 * column + 5, Y0 + 10 * row + 5) for column, row in places]


def saved(folder, columns, geometry=None, *, crs=CRS, name="samples.gpkg"):
    size = len(next(iter(columns.values())))
    geometry = geometry or at(*((10 * k, 0) for k in range(size)))
    path = folder / name
    frame = gpd.GeoDataFrame(columns, geometry=geometry, crs=crs)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path)
    return path


def written(folder, text, *, name="samples.csv", encoding="utf-8"):
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


def sifted(path, **kwargs):
    return sift(read_samples(path, GRID), GRID, AREA, UNITS, **kwargs)


# --- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["samples.gpkg", "samples.parquet", "samples.geojson"])
def test_layers_come_in_the_order_of_the_file_and_on_the_grid(tmp_path, name):
    columns = {"class": [1, 7, 0], "canopy": [0.8, 0.0, np.nan]}
    places = [Point(120, 29), Point(120.01, 29), Point(120.02, 29)]
    path = saved(tmp_path, columns, places, crs="EPSG:4326", name=name)

    frame = read_samples(path, GRID).frame

    assert frame["class"].isna().tolist() == [False, False, True]
    assert frame["class"].tolist()[:2] == [1.0, 7.0]
    assert frame["canopy"].isna().tolist() == [False, False, True]
    assert frame.crs == CRS
    # 120 E is the central meridian of EPSG:4549, where the easting is 500 km.
    assert frame.geometry.x.iloc[0] == pytest.approx(500_000, abs=0.01)
    assert frame["group"].tolist() == ["", "", ""]


@pytest.mark.parametrize(
    "text",
    [
        "lon,lat,class\n120,29,4\n",
        "Longitude,Latitude,Class\n120,29,bamboo\n",
        "经度,纬度,类别\n120,29,竹林\n",
        "x,y,class\n500000,3209269.32,4.0\n",
        'wkt,crs,class\n"POINT (120 29)",EPSG:4326,BAMBOO\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_table_may_say_its_place_in_several_ways(tmp_path, text, encoding):
    frame = read_samples(written(tmp_path, text, encoding=encoding), GRID).frame

    assert frame["class"].tolist() == [4.0]
    assert frame.geometry.x.iloc[0] == pytest.approx(500_000, abs=0.01)
    assert frame.geometry.y.iloc[0] == pytest.approx(3_209_269, abs=1)


def test_a_parquet_table_without_geometry_is_read_by_its_coordinates(tmp_path):
    path = tmp_path / "samples.parquet"
    pd.DataFrame({"lon": [120.0], "lat": [29.0], "class": [4]}).to_parquet(path)

    assert len(read_samples(path, GRID).frame) == 1


def test_who_when_and_how_sure_is_kept(tmp_path):
    text = (
        "lon,lat,类别,郁闭度,日期,来源,解译人,可信度,样地\n"
        "120,29,竹林,0.8,2024-11-05 10:00,航片,甲,3,=1+1\n"
    )

    (row,) = read_samples(written(tmp_path, text), GRID).frame.to_dict("records")

    assert row["date"] == "2024-11-05"
    assert (row["source"], row["interpreter"], row["confidence"]) == ("航片", "甲", 3.0)
    assert (row["id"], row["样地"]) == ("1", "=1+1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lon,lat,class\n120,29,11\n", "class must be a code 1-10"),
        ("lon,lat,class\n120,29,1.5\n", "class must be a code 1-10"),
        ("lon,lat,class\n120,29,wood\n", "'wood'"),
        ("lon,lat,canopy\n120,29,80\n", "divide percentages by 100"),
        ("lon,lat,canopy\n120,29,-0.1\n", "canopy must lie in 0-1"),
        ("lon,lat,canopy\n120,29,dense\n", "canopy must lie in 0-1"),
        ("lon,lat,class,confidence\n120,29,1,0.8\n", "confidence must be 1, 2 or 3"),
        ("lon,lat,label\n120,29,1\n", "neither class nor canopy"),
        ("a,b,class\n120,29,1\n", "no columns lon and lat"),
        ('wkt,class\n"POINT (120 29)",1\n', "no CRS is declared"),
        ('wkt,crs,class\n"POINT (120 29)",here,1\n', "no CRS is declared"),
        ('lon,lat,class\n"120,29,1', "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read_samples(written(tmp_path, text), GRID)

    assert "[model] samples" in str(caught.value)
    assert caught.value.exit_code == 2


def test_lines_are_refused(tmp_path):
    path = saved(tmp_path, {"class": [1]}, [LineString([(X0, Y0), (X0 + 50, Y0)])])

    with pytest.raises(ConfigError, match="LineString"):
        read_samples(path, GRID)


@pytest.mark.parametrize("name", ["a.gpkg", "a.parquet", "a.csv", "a.txt"])
@pytest.mark.parametrize("content", [None, b"\x00\xff no layer at all"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError):
        read_samples(path, GRID)


def test_an_empty_table_is_no_data(tmp_path):
    with pytest.raises(NoDataError, match="holds no sample"):
        read_samples(written(tmp_path, "lon,lat,class\n"), GRID)


def test_rows_without_a_place_are_set_aside(tmp_path):
    text = "lon,lat,class\n120,29,4\n,29,4\nx,29,4\ninf,29,4\n"

    found = read_samples(written(tmp_path, text), GRID)

    assert len(found.frame) == 1
    assert found.aside["why"].tolist() == ["unplaced"] * 3


# --- polygons ----------------------------------------------------------------------------------


def test_a_polygon_gives_the_pixels_that_lie_wholly_inside(tmp_path):
    # 60 x 50 m on the grid: less half a diagonal (7.07 m) on each side, 4 x 3 centres are left
    path = saved(tmp_path, {"class": [4]}, [box(X0, Y0, X0 + 60, Y0 + 50)])

    frame = read_samples(path, GRID).frame

    assert sorted(set(frame.geometry.x - X0)) == [15, 25, 35, 45]
    assert sorted(set(frame.geometry.y - Y0)) == [15, 25, 35]
    assert set(frame["group"]) == {"#1"}


def test_a_large_polygon_gives_few_points_from_all_over(tmp_path):
    path = saved(tmp_path, {"class": [4]}, [box(X0, Y0, X0 + 9_000, Y0 + 9_000)])

    frame = read_samples(path, GRID).frame

    assert len(frame) == MOST_A_POLYGON
    assert np.ptp(frame.geometry.y) > 8_000
    assert ((frame.geometry.x - X0) % 10 == 5).all()


def test_a_narrow_polygon_is_set_aside(tmp_path):
    narrow = box(X0, Y0, X0 + 500, Y0 + 12)
    path = saved(tmp_path, {"class": [4, 5]}, [narrow, box(X0, Y0, X0 + 60, Y0 + 60)])

    found = read_samples(path, GRID)

    assert found.aside[["class", "why"]].to_numpy().tolist() == [[4.0, "narrow"]]
    assert set(found.frame["class"]) == {5.0}


@settings(max_examples=30, deadline=None)
@given(
    left=st.floats(0, 50),
    bottom=st.floats(0, 50),
    width=st.floats(1, 400),
    height=st.floats(1, 400),
    turn=st.floats(0, 90),
)
def test_every_point_is_the_centre_of_a_pixel_inside_its_polygon(left, bottom, width, height, turn):
    upright = box(X0 + left, Y0 + bottom, X0 + left + width, Y0 + bottom + height)
    shape = affinity.rotate(upright, turn)
    pair = MultiPolygon([shape, affinity.translate(shape, 1_000)])
    frame = gpd.GeoDataFrame({"id": ["a"], "group": [""]}, geometry=[pair], crs=CRS)

    points, gave = points_in(frame, 10.0)

    assert gave == [len(points) > 0]
    for point in points.geometry:
        assert pair.buffer(1e-6).covers(box(point.x - 5, point.y - 5, point.x + 5, point.y + 5))
        assert (point.x - X0) % 10 == pytest.approx(5)


# --- sifting -----------------------------------------------------------------------------------


def test_what_repeats_contradicts_or_lies_outside_is_set_aside_and_told(tmp_path):
    places = at((0, 0), (0, 0), (30, 0), (30, 0), (50, 0), (60, 0), (-20, 0))
    columns = {
        "class": [1, 1, 2, 7, 3, np.nan, 3],
        "canopy": [0.9, 0.9, 0.5, 0.5, 0.1, np.nan, 0.5],
    }

    found = sifted(saved(tmp_path, columns, places))

    assert found.frame["class"].tolist() == [1.0, 3.0]
    assert found.aside["why"].tolist() == [
        "repeated", "contradictory", "contradictory", "unlabelled", "outside",
    ]  # fmt: skip
    told = " ".join(en for en, _ in found.remarks)
    assert "1 samples repeat another one: set aside" in told
    assert "2 samples contradict another one" in told
    assert "1 samples of a forest class have canopy below 0.20" in told
    assert all(any("\u4e00" <= mark <= "\u9fff" for mark in zh) for _, zh in found.remarks)


def test_one_pixel_may_change_between_two_days(tmp_path):
    columns = {"class": [1, 9], "date": ["2019-11-01", "2024-11-01"]}

    found = sifted(saved(tmp_path, columns, at((0, 0), (0, 0))))

    assert len(found.frame) == 2


def test_what_is_thin_is_told_by_class_and_county(tmp_path):
    columns = {"class": [1, 1, 7]}
    path = saved(tmp_path, columns, at((600, 0), (700, 0), (10, 0)))

    found = sifted(path)
    table = by_class_and_unit(found.frame, UNITS)

    assert table.to_dict("index") == {"1": {1: 2, 7: 0}, "2": {1: 0, 7: 1}}
    told = [en for en, _ in found.remarks]
    assert "fewer than 100 samples: evergreen broadleaf 2, cropland 1" in told
    assert "East has no sample of cropland" in told
    assert "西县 has no sample of evergreen broadleaf" in told


def test_a_county_without_any_class_is_told(tmp_path):
    found = sifted(saved(tmp_path, {"class": [1, 7]}, at((600, 0), (700, 0))))

    assert "没有带类别样本的县（市、区）：西县" in [zh for _, zh in found.remarks]


def test_samples_of_canopy_alone_are_samples(tmp_path):
    found = sifted(saved(tmp_path, {"canopy": [0.5, 0.1]}))

    assert len(found.frame) == 2
    assert by_class_and_unit(found.frame, UNITS).shape == (2, 0)


def test_nothing_inside_is_said_with_its_reasons(tmp_path):
    with pytest.raises(NoDataError, match=r"2 lie outside the area.*swapped"):
        sifted(saved(tmp_path, {"class": [1, 2]}, at((-10, 0), (-20, 0))))


def shifted_samples(folder):
    """Samples all along the southern border, moved as GCJ-02 would."""
    inside = [Point(X0 + 500 + 40 * k, Y0 + 150) for k in range(200)]
    moved = [affinity.translate(point, 440, -305) for point in inside]
    return saved(folder, {"class": [1, 7] * 100}, moved)


def test_what_looks_like_gcj02_is_refused(tmp_path):
    path = shifted_samples(tmp_path)

    with pytest.raises(ConfigError, match="GCJ-02"):
        sifted(path)
    with pytest.raises(NoDataError):
        sifted(path, check_datum=False)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(-3, 12), st.sampled_from([1, 4, 7, np.nan])), min_size=1, max_size=25
    )
)
def test_every_sample_is_either_used_or_set_aside(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("samples") / "samples.parquet"
    places = at(*((100 * column, 3) for column, _ in rows))
    columns = {"class": [float(code) for _, code in rows]}
    gpd.GeoDataFrame(columns, geometry=places, crs=CRS).to_parquet(path)

    try:
        found = sifted(path, check_datum=False)
    except NoDataError:
        return

    assert len(found.frame) + len(found.aside) == len(rows)
    pixels = shapely.get_coordinates(found.frame.geometry.to_numpy()) // 10
    assert len(np.unique(pixels, axis=0)) == len(found.frame)


# --- the command -------------------------------------------------------------------------------


def test_the_command_counts_by_county_and_says_what_is_thin(tmp_path):
    text = "lon,lat,class,simulated\n119.65,29.08,4,True\n120.08,29.31,耕地,True\n0,0,4,True\n"
    path = written(tmp_path, text)

    shown = CliRunner().invoke(app, ["training", "check", str(path)])
    told = CliRunner().invoke(app, ["--json", "training", "check", str(path)])

    assert shown.exit_code == 0
    assert "模拟数据：1 个在区域之外，未采用" in shown.output
    facts = json.loads(told.output)
    assert facts["used"] == 2
    assert facts["aside"] == {"outside": 1}
    assert sum(sum(row.values()) for row in facts["by_unit"].values()) == 2
