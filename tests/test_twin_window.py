"""A window of the twin stands instead of a county, and what changes in it can be looked up."""

from dataclasses import replace
from datetime import date, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from jinhua_rs.errors import ConfigError
from jinhua_rs.grid import Grid
from jinhua_rs.regions import load_units
from jinhua_rs.settings import Area
from jinhua_rs.twin.build import TwinSpec, build
from jinhua_rs.twin.chronicle import NO_EVENT, Chronicle
from jinhua_rs.twin.publish import read_item
from jinhua_rs.units import mu

BOX = (478_440.0, 3_231_760.0, 483_480.0, 3_236_800.0)
SPEC = TwinSpec(
    resolution=60.0,
    periods=("2019Q4", "2021Q4"),
    window=BOX,
    dates_per_period=1,
    samples_per_class=5,
    reference_points=20,
    buffer_m=300.0,
)


@pytest.fixture(scope="session")
def twin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("window")
    build(folder, SPEC)
    return folder


@pytest.fixture(scope="session")
def chronicle():
    return Chronicle.of(SPEC.seed)


def test_no_window_leaves_the_facts_as_they_were():
    assert "window" not in replace(SPEC, window=None).facts
    assert SPEC.facts["window"] == list(BOX)


@pytest.mark.parametrize(
    "changes", [{"unit": "330703"}, {"window": (1.0, 0.0, 0.0, 1.0)}, {"window": (0.0, 1.0) * 2}]
)
def test_a_window_that_makes_no_sense_is_refused(changes):
    with pytest.raises(ConfigError, match="window"):
        replace(SPEC, **changes)


def test_a_window_outside_all_counties_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="outside all counties"):
        build(tmp_path / "new", replace(SPEC, window=(300_000.0, 3.2e6, 301_000.0, 3.201e6)))


def test_the_window_can_be_named_as_the_area(twin):
    units = load_units(Area(units=twin / "layers" / "units.gpkg", level_field="level"))

    assert list(units["level"]) == ["city", "county"]
    assert units.at["330703", "name_zh"] == "金东区"
    assert tuple(units.total_bounds) == BOX


def test_scenes_samples_and_truth_keep_to_the_window(twin):
    item = read_item(twin, sorted(path.stem for path in (twin / "items").glob("*.json"))[0])
    seen = gpd.GeoSeries([shapely.geometry.shape(item["geometry"])], crs=4326).to_crs(4549).iloc[0]
    points = pd.concat([gpd.read_file(twin / f"{name}.gpkg") for name in ("samples", "reference")])
    truth = pd.read_csv(twin / "truth" / "truth.csv")

    assert shapely.box(*BOX).buffer(1_000).contains(seen)
    assert points.within(shapely.box(*BOX)).all()
    assert set(truth["unit"].astype(str)) == {"330703"}
    area = truth[truth["indicator"].str.startswith("area_") & (truth["period"] == "2019Q4")]
    assert area["value"].sum() == pytest.approx(84 * 84 * 0.36)


def test_what_changed_lies_in_the_window_and_says_that_it_is_simulated(twin):
    changed = gpd.read_file(twin / "truth" / "patches.gpkg")

    assert changed.within(shapely.box(*BOX).buffer(60)).all()
    assert changed["simulated"].all()
    assert {"plantation", "bamboo_harvest"} <= set(changed["kind"])


def test_a_felling_is_there_from_its_first_day_on(chronicle):
    felled = next(one for one in chronicle.events if one.kind == "clear_cut")
    box = Grid(resolution=10.0).covering(felled.polygon.buffer(100).bounds)
    eve = felled.start - timedelta(days=1)

    before = chronicle.latest(box, eve)["event"].to_numpy()
    after = chronicle.latest(box, felled.start)
    patches = chronicle.patches(box, eve, felled.start)

    code = chronicle.events.index(felled)
    acted = after["event"].to_numpy() == code
    assert code not in before
    assert set(after["day"].to_numpy()[acted]) == {(felled.start - date(1970, 1, 1)).days}
    assert set(patches["event"]) == {felled.id}
    assert patches["area_mu"].sum() == pytest.approx(mu(100 * acted.sum()), abs=0.01)
    assert patches[patches["area_mu"] > 1]["change"].eq("loss").any()
    assert (patches["canopy_before"] > patches["canopy_after"]).all()


def test_a_stand_that_closes_later_is_a_gain_that_did_not_begin_then(chronicle):
    planted = next(
        one
        for one in chronicle.events
        if one.kind == "plantation" and one.success and one.start.year < 2017
    )
    box = Grid(resolution=10.0).covering(planted.polygon.bounds)
    since, until = date(planted.start.year + 1, 1, 1), date(planted.start.year + 9, 1, 1)

    found = chronicle.patches(box, since, until)

    gains = found[found["event"] == planted.id]
    assert gains["change"].eq("gain").all()
    assert not gains["begun"].any()
    assert (gains["canopy_after"] >= 0.2).all()


def test_ground_without_events_has_none(chronicle):
    box = Grid(resolution=10.0).covering((478_440.0, 3_231_760.0, 478_940.0, 3_232_260.0))
    latest = chronicle.latest(box, date(2015, 1, 1))

    assert np.all(latest["event"] == NO_EVENT)
    assert chronicle.patches(box, date(2014, 1, 1), date(2015, 1, 1)).empty
