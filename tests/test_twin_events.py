from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pytest
import shapely
from odc.geo.geobox import GeoBox

from jinhua_rs.errors import ConfigError, GridMismatch
from jinhua_rs.grid import Grid
from jinhua_rs.regions import load_units
from jinhua_rs.schema import FOREST_CANOPY, Land
from jinhua_rs.settings import Area
from jinhua_rs.twin.effects import Event, EventKind, apply, grown
from jinhua_rs.twin.events import counties, draw
from jinhua_rs.twin.world import Kind, World, state_of

WINDOW = Grid(resolution=10).covering((500_000, 3_220_000, 500_600, 3_220_400))
START = date(2018, 3, 1)
SQUARE = shapely.box(500_100, 3_220_100, 500_300, 3_220_300)
"""20 x 20 whole pixels."""


def ground(kind=Kind.CONIFER, canopy=0.8, geobox=WINDOW):
    shape = tuple(geobox.shape)
    return state_of(np.full(shape, kind, "uint8"), np.full(shape, canopy, "float32"), geobox)


def event(kind=EventKind.CLEAR_CUT, **changes):
    made = Event(
        id="e1",
        kind=kind,
        polygon=SQUARE,
        start=START,
        end=None,
        county="330782",
        target=Kind.EVERGREEN_BROADLEAF,
        canopy=0.7,
        growth_years=8.0,
    )
    return replace(made, **changes)


def canopy_at(events, when, state=None):
    state = ground() if state is None else state
    return float(apply(state, WINDOW, events, when)["canopy"].sel(x=500_205, y=3_220_205))


@pytest.fixture(scope="module")
def world():
    return World.build(7, load_units(Area()))


@pytest.fixture(scope="module")
def history(world):
    return draw(world, 7)


def test_an_event_is_seen_from_its_day_on_and_only_in_its_footprint():
    before = apply(ground(), WINDOW, [event()], START - timedelta(days=1))
    after = apply(ground(), WINDOW, [event()], START)

    assert (before["canopy"] == np.float32(0.8)).all()
    cleared = after["canopy"] < 0.1
    assert int(cleared.sum()) == 400
    assert bool(cleared.sel(x=500_115, y=3_220_295))
    land, here = after["landcover"].to_numpy(), cleared.to_numpy()
    assert set(land[here]) == {Land.BARE}
    assert set(land[~here]) == {Land.CONIFER}


def test_a_datetime_counts_as_its_day():
    noon = datetime(2018, 3, 1, 2, 40, tzinfo=UTC)

    assert canopy_at([event()], noon) == canopy_at([event()], START)


def test_the_given_state_is_left_as_it_is():
    state = ground()

    apply(state, WINDOW, [event()], date(2020, 1, 1))

    assert (state["canopy"] == np.float32(0.8)).all()


def test_a_plantation_grows_without_a_pause_then_saturates():
    planted = event(EventKind.PLANTATION)
    open_ground = ground(Kind.DRY_CROP, 0.05)
    days = [START + timedelta(days=180 * n) for n in range(60)]

    canopy = np.array([canopy_at([planted], day, open_ground) for day in days])

    assert canopy[0] < 0.05
    assert (np.diff(canopy) >= 0).all()
    assert canopy[16] > FOREST_CANOPY
    assert canopy[-1] - canopy[-11] < 0.001


def test_a_young_stand_is_bare_then_shrub_then_forest():
    planted, open_ground = event(EventKind.PLANTATION), ground(Kind.BARE, 0.0)
    seen = [
        int(apply(open_ground, WINDOW, [planted], day)["landcover"].sel(x=500_205, y=3_220_205))
        for day in (date(2018, 6, 1), date(2019, 12, 1), date(2026, 1, 1))
    ]

    assert seen == [Land.BARE, Land.SHRUB, Land.EVERGREEN_BROADLEAF]


def test_a_failed_plantation_never_reaches_tree_cover():
    failed = event(EventKind.PLANTATION, canopy=0.19, success=False)

    after = apply(ground(Kind.DRY_CROP, 0.05), WINDOW, [failed], date(2060, 1, 1))

    assert float(after["canopy"].max()) < FOREST_CANOPY
    assert not np.isin(after["landcover"], (1, 2, 3, 4)).any()


def test_events_act_on_the_ground_that_suits_them():
    cut = event()

    after = apply(ground(Kind.PADDY, 0.0), WINDOW, [cut], date(2019, 1, 1))

    assert (after["kind"] == Kind.PADDY).all()


@pytest.mark.parametrize("when", [date(2018, 9, 1), date(2019, 3, 1), date(2020, 2, 1)])
def test_bamboo_loses_canopy_but_stays_bamboo_and_comes_back(when):
    harvest = event(EventKind.BAMBOO_HARVEST, canopy=0.5, growth_years=2.0)
    bamboo = ground(Kind.MOSO_BAMBOO)

    after = apply(bamboo, WINDOW, [harvest], when)

    assert 0.4 <= float(after["canopy"].min()) < 0.8
    assert (after["kind"] == Kind.MOSO_BAMBOO).all()
    assert canopy_at([harvest], START, bamboo) == pytest.approx(0.4)
    assert canopy_at([harvest], date(2020, 6, 1), bamboo) == pytest.approx(0.8)


def test_a_building_site_is_bare_before_it_is_built():
    works = event(EventKind.CONSTRUCTION, target=Kind.BUILT_DENSE, canopy=0.0)
    here = {"x": 500_205, "y": 3_220_205}

    site = apply(ground(), WINDOW, [works], date(2018, 5, 1))
    town = apply(ground(), WINDOW, [works], date(2019, 5, 1))

    assert int(site["landcover"].sel(here)) == Land.BARE
    assert int(town["landcover"].sel(here)) == Land.BUILT


def test_a_later_event_overrides_an_earlier_one_in_whatever_order_they_are_given():
    planted = event(EventKind.PLANTATION)
    works = event(
        EventKind.CONSTRUCTION, id="e2", start=date(2020, 1, 1), target=Kind.VILLAGE, canopy=0.0
    )
    open_ground = ground(Kind.DRY_CROP, 0.0)

    results = [
        apply(open_ground, WINDOW, order, date(2024, 1, 1))
        for order in ([planted, works], [works, planted])
    ]

    assert results[0].identical(results[1])
    assert int((results[0]["kind"] == Kind.VILLAGE).sum()) == 400


def test_a_mine_opens_heals_and_relapses():
    life = [
        event(EventKind.MINE_OPEN, id="e1", target=Kind.MINE, canopy=0.0),
        event(EventKind.MINE_CLOSE, id="e2", start=date(2019, 3, 1), target=Kind.OTHER_SHRUB,
              canopy=0.08, growth_years=2.0, success=False),
        event(EventKind.MINE_RECOVER, id="e3", start=date(2020, 3, 1), floor=0.06),
        event(EventKind.MINE_RELAPSE, id="e4", start=date(2030, 3, 1), target=Kind.MINE,
              canopy=0.0),
    ]  # fmt: skip

    canopy = [canopy_at(life, date(year, 6, 1)) for year in (2017, 2018, 2019, 2029, 2030)]

    assert canopy[0] == pytest.approx(0.8)
    assert canopy[1] == 0.0
    assert 0 < canopy[2] < 0.1
    assert canopy[3] > 0.4
    assert canopy[4] == 0.0


def test_a_part_of_a_window_sees_what_the_window_sees():
    part = WINDOW[10:30, 5:25]

    whole = apply(ground(), WINDOW, [event()], date(2021, 7, 1))
    cut = apply(ground(geobox=part), part, [event()], date(2021, 7, 1))

    for name in ("canopy", "kind"):
        np.testing.assert_array_equal(whole[name][10:30, 5:25], cut[name])


def test_another_crs_sees_the_same_ground():
    near = event().polygon.centroid
    there = shapely.get_coordinates(_utm(near))[0]
    utm = GeoBox.from_bbox(
        (there[0] - 400, there[1] - 400, there[0] + 400, there[1] + 400), "EPSG:32651", resolution=5
    )
    when = date(2021, 7, 1)

    here = apply(ground(), WINDOW, [event()], when)["canopy"]
    abroad = apply(ground(geobox=utm), utm, [event()], when)["canopy"]

    area = [float((canopy < 0.75).sum()) * size**2 for canopy, size in ((here, 10), (abroad, 5))]
    assert area[1] == pytest.approx(area[0], rel=0.02)
    assert float(abroad.where(abroad < 0.75).mean()) == pytest.approx(
        float(here.where(here < 0.75).mean()), rel=0.02
    )


def test_a_state_of_another_size_is_refused():
    with pytest.raises(GridMismatch, match="pixels"):
        apply(ground(), WINDOW[:10, :10], [event()], START)


def test_growth_reaches_95_percent_after_its_years():
    assert grown(0, canopy=0.6, years=7, floor=0.02) == pytest.approx(0.02)
    assert grown(7, canopy=0.6, years=7, floor=0.0) == pytest.approx(0.95 * 0.6)


def test_equal_seeds_draw_equal_histories_and_others_do_not(world):
    county = counties().loc[["330703"]]

    first, again, other = (draw(world, seed, units=county) for seed in (3, 3, 4))

    assert first == again
    assert first != other
    assert {one.county for one in first} == {"330703"}


def test_a_history_needs_a_year(world):
    with pytest.raises(ConfigError, match="2020 to 2019"):
        draw(world, 1, first=2020, last=2019)


def test_footprints_are_valid_apart_and_of_plausible_size(history):
    once = {one.polygon.wkb: one for one in history}
    shapes = np.array([one.polygon for one in once.values()])
    ha = shapely.area(shapes) / 1e4

    meeting = shapely.STRtree(shapes).query(shapes, predicate="intersects")

    assert shapely.is_valid(shapes).all()
    assert (meeting[0] == meeting[1]).all()
    assert ha.min() >= 0.1 - 1e-6
    assert ha.max() <= 60 + 1e-6
    assert 4 < np.median(ha) < 9
    mines = [one.polygon.area / 1e4 for one in history if one.site]
    assert 2 <= min(mines) <= max(mines) <= 40
    rough = shapely.length(shapes) / np.sqrt(4 * np.pi * shapely.area(shapes))
    assert np.median(rough) > 1.15


def test_every_county_gets_events_of_all_sorts_and_large_ones(history):
    for code in counties().index:
        here = [one for one in history if one.county == code]
        kinds = {one.kind for one in here}
        large = {one.kind for one in here if one.polygon.area > 25e4}
        assert kinds >= set(EventKind) - {EventKind.BAMBOO_HARVEST, EventKind.MINE_RELAPSE}
        assert large >= {EventKind.PLANTATION, EventKind.CLEAR_CUT, EventKind.CONSTRUCTION}


def test_rates_are_plausible(history):
    def ha_per_year(kind):
        return sum(one.polygon.area for one in history if one.kind is kind) / 1e4 / 13

    forest_ha = 0.615 * 1_094_400
    cut = ha_per_year(EventKind.CLEAR_CUT)

    assert 0.0012 < cut / forest_ha < 0.0025
    assert 300 < ha_per_year(EventKind.PLANTATION) < 800
    plantings = [one for one in history if one.kind is EventKind.PLANTATION]
    assert 0.1 < np.mean([not one.success for one in plantings]) < 0.3
    assert all(one.canopy < 0.2 for one in plantings if not one.success)


def test_events_of_a_mine_follow_one_another(history):
    sites = {}
    for one in history:
        if one.site:
            sites.setdefault(one.site, []).append(one)

    assert len(sites) >= 40
    for life in sites.values():
        assert [one.kind for one in life] == [
            kind for kind in EventKind if kind.startswith("mine")
        ][: len(life)]
        assert all(a.end == b.start for a, b in pairwise(life))
        assert life[-1].end is None


def _utm(point):
    return gpd.GeoSeries([point], crs="EPSG:4549").to_crs("EPSG:32651").iloc[0]
