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
        {"composite__min_clear": 3},
        {"composite__method": "median"},
        {"mask__buffer_m": 60.0},
        {"composite__bands": ("red", "nir")},
    ],
)
def test_other_settings_of_the_composite_give_other_keys(plan_of, settings_of, overrides):
    before, after = keys(plan_of()), keys(plan_of(settings_of(**overrides)))

    assert not set(before[0]) & set(after[0])
    assert before[1] != after[1]


@pytest.mark.parametrize("change", [{"offset": 0}, {"baseline": "05.12"}, {"id": "another"}])
def test_another_scene_changes_the_keys_of_its_tiles_only(plan_of, scenes, change):
    others = [scenes["south"], scenes["all"]]
    altered = dataclasses.replace(scenes["north-west"], **change)
    before, after = plan_of(), plan_of(found=inventory([*others, altered]))

    moved = {
        tile.id for tile in before.tiles if before.composite_key(tile) != after.composite_key(tile)
    }

    assert moved == {"e0440n3219"}
    assert before.run_id != after.run_id


def test_a_scene_that_is_left_out_changes_the_key_of_a_tile_it_met(plan_of):
    plan = plan_of()
    south, north_west = plan.tiles[:2]

    assert plan.composite_key(south, without=["south"]) != plan.composite_key(south)
    assert plan.composite_key(north_west, without=["south"]) == plan.composite_key(north_west)


def test_another_grid_or_area_gives_other_keys(plan_of, settings_of):
    plan = plan_of()
    west = plan_of(units=plan.units.loc[["w"]], unit="w")
    coarse = plan_of(settings_of(area__resolution=20.0, area__tile_size=50))

    assert coarse.tiles[0].id == plan.tiles[0].id
    for other in (west, coarse):
        assert other.composite_key(other.tiles[0]) != plan.composite_key(plan.tiles[0])
        assert other.run_id != plan.run_id


@pytest.mark.parametrize(
    "overrides",
    [
        {"run__workers": 7, "run__memory_gib": 1.5},
        {"stac__url": "https://mirror.example.com", "stac__retries": 9},
    ],
)
def test_workers_and_the_way_to_the_imagery_leave_the_keys_alone(plan_of, settings_of, overrides):
    assert keys(plan_of(settings_of(**overrides))) == keys(plan_of())


def test_keys_do_not_know_where_files_lie(plan_of, settings_of, scenes, units, tmp_path):
    elsewhere = tmp_path / "another" / "place.gpkg"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(units.read_bytes())
    moved = [
        dataclasses.replace(one, assets={name: Asset(f"/mirror/{name}.tif") for name in one.assets})
        for one in scenes.values()
    ]
    settings = settings_of(area__units=elsewhere, output__root=tmp_path / "elsewhere")

    assert keys(plan_of(settings, found=inventory(moved))) == keys(plan_of())


def test_the_content_of_the_layers_is_known_by_the_run_id(plan_of, settings_of, tmp_path):
    ids = set()
    for section in ("model__samples", "model__file", "reference__file"):
        layer = tmp_path / f"{section}.geojson"
        for content in ("one point", "another point"):
            layer.write_text(content, encoding="utf-8")
            ids.add(plan_of(settings_of(**{section: layer})).run_id)
    ids |= {plan_of(settings_of(model__seed=seed)).run_id for seed in (1, 2)}

    assert len(ids) == 8


def test_keys_do_not_know_the_order_of_decisions_or_of_units(plan_of, scenes):
    plan = plan_of()
    turned = plan_of(found=inventory(reversed(scenes.values())), units=plan.units.iloc[::-1])

    assert keys(turned) == keys(plan)


def test_the_run_id_is_twelve_or_more_digits_that_change_with_the_period(plan_of):
    one, other = plan_of().run_id, plan_of(period=Period(2023, 4)).run_id

    assert one != other
    assert len(one) >= 12
    assert int(one, 16) >= 0


def test_equal_facts_have_equal_fingerprints():
    assert planning.fingerprint({"a": 1, "b": [2]}) == planning.fingerprint({"b": [2], "a": 1})
    assert planning.fingerprint([1, 2]) != planning.fingerprint([2, 1])


# --- making a plan -----------------------------------------------------------------------------


@pytest.fixture
def searches(monkeypatch, scenes):
    """Stand in for the STAC API: remember every search."""
    made = []

    def search(stac, area, period, *, bands, margin_days, season):
        assert (margin_days, season) == (30, ())
        made.append((stac, area, period, bands))
        return inventory(scenes.values(), period=period)

    monkeypatch.setattr(catalog, "search", search)
    return made


def test_the_api_is_asked_once_and_the_inventory_is_used_again(searches, settings_of):
    settings = settings_of(composite__bands=("red", "nir"))

    first = planning.make_plan(PERIOD, settings)
    planning.save_inventory(first)
    second = planning.make_plan(PERIOD, settings)

    assert len(searches) == 1
    _, area, period, bands = searches[0]
    assert period == PERIOD and bands == ("red", "nir")
    assert 119 < area.bounds[0] < area.bounds[2] < 121  # degrees, no metres
    assert second.inventory == first.inventory
    planning.make_plan(PERIOD, settings, refresh=True)
    assert len(searches) == 2


def test_a_county_has_its_own_folder_units_and_outline(searches, settings_of):
    settings = settings_of()

    west = planning.make_plan(PERIOD, settings, county="西区")

    assert west.unit == "w" and list(west.units.index) == ["w"]
    assert west.folder == settings.output.root / "2024Q4.w"
    assert west.outline.equals(WEST)
    assert len(west.tiles) == 2
    assert planning.make_plan(PERIOD, settings).folder == settings.output.root / "2024Q4"
    assert planning.unit_code(settings, "东区") == "e"
    assert planning.unit_code(settings, None) is None


def test_an_unknown_county_is_refused_before_anything_is_asked(searches, settings_of):
    with pytest.raises(ConfigError, match="unknown unit '西湖'") as caught:
        planning.make_plan(PERIOD, settings_of(), county="西湖")

    assert caught.value.exit_code == 2
    assert searches == []


def test_a_sibling_is_over_the_same_area(searches, settings_of):
    west = planning.make_plan(PERIOD, settings_of(), county="w")

    earlier = planning.sibling(west, Period(2019, 4))

    assert planning.sibling(west, PERIOD) is west
    assert (earlier.period, earlier.unit) == (Period(2019, 4), "w")
    assert earlier.folder.name == "2019Q4.w"


# --- periods that go together ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("baseline", "found"), [("", None), ("2024Q4", None), ("2019Q4", Period(2019, 4))]
)
def test_the_period_of_comparison(plan_of, settings_of, baseline, found):
    assert planning.baseline_of(plan_of(settings_of(time__baseline=baseline))) == found


@pytest.mark.parametrize("baseline", ["2019Q3", "2019", "2025Q4", "someday"])
def test_another_season_a_later_period_or_none_at_all_cannot_be_compared_with(
    plan_of, settings_of, baseline
):
    with pytest.raises(ConfigError) as caught:
        planning.baseline_of(plan_of(settings_of(time__baseline=baseline)))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("baseline", "samples", "also", "found"),
    [
        ("", "", (), ["2024Q4"]),
        ("2019Q4", "", (), ["2019Q4"]),
        ("2019Q4", "2020Q4", (), ["2020Q4"]),
        ("2019Q4", "", ("2024Q4", "2019Q4", "2022Q4"), ["2019Q4", "2024Q4", "2022Q4"]),
    ],
)
def test_samples_are_laid_over_their_own_period_first(
    plan_of, settings_of, baseline, samples, also, found
):
    settings = settings_of(time__baseline=baseline, model__period=samples, model__also=also)

    assert list(map(str, planning.training_periods(plan_of(settings)))) == found


# --- cost and label ----------------------------------------------------------------------------


def test_the_cost_is_counted_before_a_pixel_is_read(plan_of):
    cost = planning.cost_of(plan_of())

    # Four tiles of 100 x 100; the scene over all is read four times, the south twice, one once.
    assert (cost.tiles, cost.pixels, cost.scenes, cost.looks) == (4, 40_000, 3, 7)
    assert cost.read_bytes > 0 and not cost.exact
    assert cost.disk_bytes > cost.pixels
    assert "4 tiles" in cost.text("en") and "about 0.00 GB to read" in cost.text("en")
    assert "瓦片 4 块" in cost.text("zh")


def test_the_bytes_to_read_are_told_where_items_state_them(plan_of, scenes):
    known = [
        dataclasses.replace(
            one, assets={name: Asset("a.tif", size=500_000_000) for name in ("red", "scl")}
        )
        for one in scenes.values()
    ]

    cost = planning.cost_of(plan_of(found=inventory(known)))

    assert cost.read_bytes == 3_000_000_000
    assert cost.exact
    assert "; 3.00 GB to read" in cost.text("en")


def test_simulated_data_carry_their_mark(plan_of, settings_of):
    assert "SIMULATED" in plan_of(settings_of(report__simulated=True)).label
    assert plan_of().label == ""
