"""Forecasts one can work out by hand: days, shares and clouds."""

import dataclasses
import time
from datetime import UTC, datetime, timedelta

import geopandas as gpd
import pytest
from shapely.geometry import Point, box
from test_catalog_inventory import inventory, scene

from jinhua_rs.catalog import Rules, forecast
from jinhua_rs.catalog.decisions import drop, judge, keep
from jinhua_rs.errors import ContractError
from jinhua_rs.period import Period

WEST, EAST = box(119, 29, 119.5, 30), box(119.5, 29, 120, 30)
UNITS = gpd.GeoDataFrame(
    {"code": ["330701", "330702"]}, geometry=[WEST, EAST], crs="EPSG:4326"
).set_index("code")
NOON = datetime(2024, 10, 12, 2, 41, tzinfo=UTC)


def row(found, code, units=UNITS):
    return tuple(forecast(found, units).loc[code])


def look(identity, day=0, **changes):
    return scene(identity, **{"acquired": NOON + timedelta(days=day), **changes})


def test_a_look_counts_its_share_and_its_clear_part():
    half = box(118, 28, 119.25, 31)
    found = inventory(keep(look("a", footprint=half, cloud=20.0)), keep(look("b", 5, cloud=50.0)))

    assert row(found, "330701") == pytest.approx((2, 0.5 * 0.8 + 0.5, 0))
    assert row(found, "330702") == pytest.approx((1, 0.5, 0))


def test_two_tiles_of_a_day_count_once_and_the_clearest_first():
    late = datetime(2024, 10, 12, 2, 41, 15, tzinfo=UTC)
    found = inventory(
        keep(look("a", cloud=90.0, footprint=box(119, 29, 119.4, 30))),
        keep(look("b", cloud=10.0, tile="51RTN", acquired=late, footprint=box(119.2, 29, 120, 30))),
    )

    days, clear, _ = row(found, "330701")

    assert days == 1
    # 0.3 of 0.5 degrees under "b", the other 0.2 under "a" alone.
    assert clear == pytest.approx(0.6 * 0.9 + 0.4 * 0.1, rel=1e-3)


def test_spare_scenes_are_counted_apart_and_dropped_ones_not_at_all():
    near = judge(look("near", -20, cloud=0.0), Period(2024, 4), Rules())
    found = inventory(near, drop("x", "cloud", scene=look("x", 3)))

    assert near.verdict == "spare"
    assert row(found, "330701") == pytest.approx((0, 0, 1))


def test_unknown_cloud_counts_half():
    assert row(inventory(keep(look("a", cloud=float("nan")))), "330701")[1] == pytest.approx(0.5)


def test_no_scene_is_no_look():
    table = forecast(inventory(), UNITS)

    assert table.to_numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
    assert list(table.columns) == ["days", "clear_looks", "spare_looks"]
    assert table.index.equals(UNITS.index)


def test_the_day_is_the_solar_day_of_the_area():
    # In the far east of Russia the sun is at noon shortly after midnight UTC.
    units = UNITS.set_geometry(UNITS.translate(xoff=57))
    ground = box(175, 28, 178, 31)
    times = [
        datetime(2024, 10, 11, 23, 59, 55, tzinfo=UTC),
        datetime(2024, 10, 12, 0, 0, 5, tzinfo=UTC),
    ]
    pair = [keep(scene(str(i), acquired=at, footprint=ground)) for i, at in enumerate(times)]
    found = dataclasses.replace(inventory(*pair), bounds=(176.0, 29.0, 177.0, 30.0))

    assert row(found, "330701", units)[0] == 1


def test_another_crs_is_refused():
    for units in (UNITS.to_crs(4549), UNITS.set_crs(None, allow_override=True)):
        with pytest.raises(ContractError, match="EPSG:4326"):
            forecast(inventory(), units)


def test_nine_detailed_counties_and_a_hundred_scenes_take_no_time():
    counties = [Point(119 + i / 8, 29.5).buffer(0.2, quad_segs=2000) for i in range(9)]
    units = gpd.GeoDataFrame(geometry=counties, index=range(9), crs="EPSG:4326")
    found = inventory(
        *(keep(look(str(i), i // 3, footprint=box(119, 28, 120.4, 31))) for i in range(100))
    )

    start = time.perf_counter()
    table = forecast(found, units)

    assert time.perf_counter() - start < 5
    assert list(table["days"]) == [34] * 9
