import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import Point, box

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.points import read_points

GRID = "EPSG:4549"
ANY = ("class", "canopy")


def layer(tmp_path, columns, *, crs="EPSG:4326", geometry=None):
    """Write a layer of points near 120 E, 29 N."""
    size = len(next(iter(columns.values())))
    geometry = geometry or [Point(120 + 0.01 * at, 29) for at in range(size)]
    path = tmp_path / "points.gpkg"
    gpd.GeoDataFrame(columns, geometry=geometry, crs=crs).to_file(path)
    return path


def test_points_come_in_the_order_of_the_file_and_in_the_crs_of_the_grid(tmp_path):
    path = layer(tmp_path, {"class": [1, 7, 0], "canopy": [0.8, 0.0, np.nan]})

    points = read_points(path, GRID, any_of=ANY)

    assert points["class"].tolist() == [1, 7, 0]
    assert points["canopy"].isna().tolist() == [False, False, True]
    assert points.crs == GRID
    # 120 E is the central meridian of EPSG:4549, where the easting is 500 km.
    assert points.geometry.x.iloc[0] == pytest.approx(500_000, abs=0.01)
    assert points.geometry.x.is_monotonic_increasing


def test_one_of_the_columns_is_enough(tmp_path):
    path = layer(tmp_path, {"canopy": [0.2, 1.0]})

    assert len(read_points(path, GRID, any_of=ANY)) == 2


@pytest.mark.parametrize(
    ("columns", "more", "complaint"),
    [
        ({"canopy": [80.0]}, {}, "canopy must lie in 0-1"),
        ({"canopy": [-0.1]}, {}, "canopy must lie in 0-1"),
        ({"class": [11]}, {}, "class must be one of"),
        ({"class": [1.5]}, {}, "class must be one of"),
        ({"label": [1]}, {}, "needs one of the columns class, canopy"),
        ({"class": [1]}, {"geometry": [box(120, 29, 121, 30)]}, "other geometry than points"),
    ],
)
def test_a_layer_that_cannot_be_used_is_refused(tmp_path, columns, more, complaint):
    path = layer(tmp_path, columns, **more)

    with pytest.raises(ConfigError, match=complaint) as caught:
        read_points(path, GRID, any_of=ANY)
    assert caught.value.exit_code == 2


def test_a_layer_without_a_crs_is_refused(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text('class,WKT\n1,"POINT (120 29)"\n', encoding="utf-8")

    with pytest.raises(ConfigError, match="no CRS is declared"):
        read_points(path, GRID, any_of=ANY)


def test_an_empty_layer_is_no_data(tmp_path):
    path = layer(tmp_path, {"class": [1]})
    gpd.read_file(path).iloc[:0].to_file(path)

    with pytest.raises(NoDataError, match="holds no point"):
        read_points(path, GRID, any_of=ANY)


@pytest.mark.parametrize("content", [None, b"no layer at all"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, content):
    path = tmp_path / "points.gpkg"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match="cannot read the points"):
        read_points(path, GRID, any_of=ANY)
