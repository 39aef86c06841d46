"""The squares of the Military Grid: they tile the Earth, and agree with the published tiles."""

import json
import os
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point, box, shape
from shapely.ops import unary_union

from jinhua_rs.catalog.mgrs import is_tile, squares, tile_crs, tile_outline
from jinhua_rs.errors import ConfigError

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("JINHUA_SHARED_DATA", ROOT.parent / "shared" / "data")) / "boundaries"
real = pytest.mark.skipif(
    not (SHARED / "jinhua_s2_tiles.geojson").is_file(),
    reason=f"boundaries not found at {SHARED}; set JINHUA_SHARED_DATA",
)


def layer(name):
    return json.loads((SHARED / name).read_text("utf-8"))["features"]


@real
def test_jinhua_lies_on_its_four_tiles():
    city = unary_union([shape(one["geometry"]) for one in layer("jinhua_counties.geojson")])

    found = squares(city)

    tiles = {
        one["properties"]["tile"]: one["properties"] for one in layer("jinhua_s2_tiles.geojson")
    }
    assert [one.code for one in found] == ["50RQS", "50RQT", "51RTM", "51RTN"] == sorted(tiles)
    assert [one.crs for one in found] == [f"EPSG:{tiles[one.code]['epsg']}" for one in found]
    assert sum(one.ground.area for one in found) == pytest.approx(city.area, rel=1e-9)


@real
def test_tiles_reach_as_far_as_the_published_ones():
    for one in layer("jinhua_s2_tiles.geojson"):
        published, ours = shape(one["geometry"]), tile_outline(one["properties"]["tile"])

        common, union = published.intersection(ours).area, published.union(ours).area
        assert common > 0.999 * union
        assert ours.buffer(1e-4).covers(published)


@pytest.mark.parametrize(
    ("lon", "lat", "code"),
    [
        # Worked examples of the grid: Greenwich, Honolulu, Washington, Sydney, Cape Town, Oslo.
        (-0.0015, 51.4779, "30UYC"),
        (-157.8583, 21.3069, "04QFJ"),
        (-77.0353, 38.8895, "18SUJ"),
        (151.2153, -33.8568, "56HLH"),
        (18.4233, -33.9188, "34HBH"),
        (10.7522, 59.9139, "32VNM"),
        (15.6356, 78.2232, "33XWG"),
        (0.001, 0.001, "31NAA"),
        (0.001, -0.001, "31MAV"),
        (119.6495, 29.0895, "50RQT"),
        (120.0001, 29.0895, "51RTN"),
        (166.6683, -77.8463, "58CEU"),
    ],
)
def test_known_places_lie_on_known_squares(lon, lat, code):
    spot = Point(lon, lat).buffer(1e-4)

    assert code in [one.code for one in squares(spot)]
    assert tile_outline(code).contains(Point(lon, lat))


def degrees(low, high):
    """Numbers to a decimetre: finer ones are no places, and trip the overlay of polygons."""
    return st.integers(round(low * 1e6), round(high * 1e6)).map(lambda number: number / 1e6)


PLACES = st.tuples(degrees(-179, 176), degrees(-84, 82), degrees(0.01, 3), degrees(0.01, 2))


@given(place=PLACES)
def test_squares_hold_all_of_an_area_and_none_of_it_twice(place):
    west, south, width, height = place
    area = box(west, south, west + width, min(south + height, 84.0))

    found = squares(area)

    assert sum(one.ground.area for one in found) == pytest.approx(area.area, rel=1e-9)
    assert len({one.code for one in found}) == len(found)
    for one in found:
        assert is_tile(one.code)
        assert tile_crs(one.code) == one.crs
        assert tile_outline(one.code).buffer(1e-3).covers(one.ground)
    overlap = sum(a.ground.intersection(b.ground).area for a, b in combinations(found, 2))
    assert overlap < 1e-9 * area.area


@pytest.mark.parametrize("bounds", [(10, 84.1, 11, 85), (10, -85, 11, -84.5), (-180, -90, 180, 90)])
def test_the_poles_are_refused(bounds):
    with pytest.raises(ConfigError, match="between 84 S and 84 N") as caught:
        squares(box(*bounds))

    assert "84°" in caught.value.zh


@pytest.mark.parametrize(
    "name", ["", "site-7", "50RQT1", "00RQT", "61RQT", "50IQT", "50RIT", "50RAT", "50QQT", "５0RQT"]
)
def test_what_is_no_square_is_not_judged(name):
    assert not is_tile(name)
    assert tile_crs(name) is None
    assert tile_outline(name) is None


def test_a_square_across_two_bands_is_found_by_either_letter():
    # 32 N runs through the row of 3,500 to 3,600 km north.
    assert tile_outline("50RQA") == tile_outline("50SQA")
    assert tile_outline("50RQA").bounds[1] < 32 < tile_outline("50RQA").bounds[3]
    assert tile_outline("50SQV") is None


def test_a_tile_on_the_antimeridian_has_a_part_on_either_side():
    outline = tile_outline("60VXQ")

    assert outline.intersects(Point(179.9, 62.5)) and outline.intersects(Point(-179.9, 62.5))
    assert outline.area < 3
