"""What a period would be made of, and the keys by which it is known again."""

import dataclasses

import builders
import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import box

from jinhua_rs import catalog, planning
from jinhua_rs.catalog.inventory import drop, keep
from jinhua_rs.errors import ConfigError
from jinhua_rs.period import Period
from jinhua_rs.planning import Plan
from jinhua_rs.regions import load_units, to_lonlat
from jinhua_rs.scene import Asset
from jinhua_rs.settings import Settings, load_settings

X0, Y0 = builders.X0, builders.Y0
WEST = box(X0, Y0 - 2000, X0 + 1000, Y0)
EAST = box(X0 + 1000, Y0 - 2000, X0 + 2000, Y0)
PERIOD = Period(2024, 4)


@pytest.fixture
def units(tmp_path):
    """Two districts of two square kilometres each, tiles of one."""
    path = tmp_path / "units.gpkg"
    columns = {"code": ["w", "e"], "name_zh": ["西区", "东区"]}
    gpd.GeoDataFrame(columns, geometry=[WEST, EAST], crs="EPSG:4549").to_file(path)
    return path


@pytest.fixture
def settings_of(tmp_path, units):
    def made(**overrides):
        fixed = {
            "area.units": units,
            "area.check_datum": False,
            "area.tile_size": 100,
            "output.root": tmp_path / "outputs",
        }
        given = {name.replace("__", "."): value for name, value in overrides.items()}
        return load_settings(environment={}, overrides=fixed | given).settings

    return made


@pytest.fixture
def scenes(tmp_path):
    """One scene over the north-western tile, one over the south, one over all."""
    numbers = {"red": np.full((4, 4), 2000), "nir": np.full((4, 4), 4000)}
    made = builders.scene(tmp_path / "scenes", numbers, offset=-1000)
    grounds = {
        "north-west": box(X0, Y0 - 1000, X0 + 1000, Y0),
        "south": box(X0, Y0 - 2000, X0 + 2000, Y0 - 1000),
        "all": box(X0, Y0 - 2000, X0 + 2000, Y0),
    }
    return {
        name: dataclasses.replace(
            made, id=name, footprint=to_lonlat(ground.buffer(-20), "EPSG:4549")
        )
        for name, ground in grounds.items()
    }


def inventory(scenes, *dropped, period=PERIOD):
    return catalog.Inventory(
        period=period,
        profile="test",
        source="test",
        bounds=(119.0, 28.5, 120.8, 29.7),
        decisions=(*map(keep, scenes), *dropped),
    )


@pytest.fixture
def plan_of(settings_of, scenes):
    """Make a plan over the little world; anything may be replaced."""

    def made(
        settings: Settings | None = None, *, found=None, period=PERIOD, units=None, unit=None
    ) -> Plan:
        settings = settings or settings_of()
        units = load_units(settings.area) if units is None else units
        found = inventory(scenes.values()) if found is None else found
        return Plan(period, settings, units, unit, found)

    return made


# --- scenes and tiles --------------------------------------------------------------------------


def test_a_tile_is_made_of_the_scenes_that_meet_it(plan_of):
    plan = plan_of()

    found = {tile.id: {one.id for one in plan.scenes_of(tile)} for tile in plan.tiles}

    assert found == {
        "e0440n3218": {"south", "all"},
        "e0440n3219": {"north-west", "all"},
        "e0441n3218": {"south", "all"},
        "e0441n3219": {"all"},
    }


def test_scenes_that_failed_are_left_out_and_dropped_ones_never_come_in(plan_of, scenes):
    dropped = drop("cloudy", "cloud", scene=scenes["north-west"])
    plan = plan_of(found=inventory([scenes["south"], scenes["all"]], dropped))

    tile = plan.tiles[0]

    assert [one.id for one in plan.scenes_of(tile, without=["all"])] == ["south"]
    assert all("north-west" not in {s.id for s in plan.scenes_of(t)} for t in plan.tiles)


# --- keys --------------------------------------------------------------------------------------


def keys(plan):
    """Return what a period is known by: the keys of its tiles, and its run id."""
    return [plan.composite_key(tile) for tile in plan.tiles], plan.run_id


@pytest.mark.parametrize(
    "overrides",
    [
        {"composite__min_clear": 2},
        {"composite__method": "median"},
        {"composite__buffer_m": 60.0},
        {"composite__bands": ("red", "nir")},
    ],
)
def test_other_settings_of_the_composite_give_other_keys(plan_of, settings_of, overrides):
    before, after = keys(plan_of()), keys(plan_of(settings_of(**overrides)))

    assert not set(before[0]) & set(after[0])
    assert before[1] != after[1]


@pytest.mark.parametrize("change", [{"offset": 0}, {"baseline": "05.12"}, {"id": "another"}])
def test_another_scene_changes_the_keys_of_its_tiles_only(plan_of, scenes, change):
    scenes["north-west"] = dataclasses.replace(scenes["north-west"], **change)
    before, after = plan_of(), plan_of(found=inventory(scenes.values()))
    reached = {
        tile.id
        for tile in before.tiles
        if any(dataclasses.replace(one, **change) in after.inventory.kept for one in ())
        or before.composite_key(tile) != after.composite_key(tile)
    }

    assert reached == set()
