"""Which years and neighbours a tile hears, and what is made again when they change."""

import shutil

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from odc.geo.xr import xr_coords
from shapely.geometry import box

from jinhua_rs import catalog, store
from jinhua_rs.consistency import earlier_land, refine_the_land
from jinhua_rs.period import Period
from jinhua_rs.planning import Plan, period_folder
from jinhua_rs.regions import load_units
from jinhua_rs.schema import described
from jinhua_rs.settings import load_settings
from jinhua_rs.tasks import pool

X0, Y0 = 440_000.0, 3_220_160.0
PERIOD = Period(2024, 4)


@pytest.fixture
def plan_of(tmp_path):
    """Make a plan of two tiles side by side; settings may be given."""
    path = tmp_path / "units.gpkg"
    ground = box(X0, Y0 - 320, X0 + 640, Y0)
    gpd.GeoDataFrame(
        {"code": ["u"], "name_zh": ["区"]}, geometry=[ground], crs="EPSG:4549"
    ).to_file(path)

    def made(period=PERIOD, **refine):
        fixed = {
            "area.units": path,
            "area.check_datum": False,
            "area.tile_size": 32,
            "output.root": tmp_path / "out",
            "run.workers": 1,
        } | {f"refine.{name}": value for name, value in refine.items()}
        settings = load_settings(environment={}, overrides=fixed).settings
        found = catalog.Inventory(
            period=period, profile="t", source="t", bounds=(119, 28, 121, 30), decisions=()
        )
        return Plan(period, settings, load_units(settings.area), None, found)

    return made


def land_of(plan, year, canopy):
    """Write named land of one canopy cover for each tile of a plan, in the folder of a year."""
    made = {}
    for tile, value in zip(plan.tiles, canopy, strict=True):
        folder = period_folder(plan.settings, Period(year, 4)) / "tiles" / "land"
        coords = xr_coords(tile.geobox)
        cover = xr.DataArray(np.full(tile.geobox.shape, value, "float32"), coords, ("y", "x"))
        code = np.where(np.isnan(value), 0, np.where(value >= 0.2, 2, 1))
        forest = described(cover.copy(data=np.full(cover.shape, code)), "forest")
        path = folder / f"{tile.id}.zarr"
        store.write_tile(path, xr.Dataset({"forest": forest, "canopy": described(cover, "canopy")}))
        store.seal(path, "key", {"clear_pixels": 1, "canopy_slope": 10.0})
        made[tile.id] = path
    return made


def refined(plan, land):
    """Refine; the products, and the states of their tiles."""
    states = []
    plan.folder.mkdir(parents=True, exist_ok=True)
    with pool(plan.settings.run, plan.settings.cluster, plan.folder / "logs") as workers:
        made = refine_the_land(plan, land, workers, lambda *_: None)
    ledger = (plan.folder / "ledger.jsonl").read_text().splitlines()
    states = [line.split('"state": "')[1].split('"')[0] for line in ledger]
    return made, states[-3:]


def values(tiles, name="forest"):
    return [int(store.open_tile(path)[name].to_numpy()[16, 16]) for path in tiles.values()]


def test_a_doubtful_year_is_heard_beside_the_years_before(plan_of):
    plan = plan_of(window_m=0)
    now = land_of(plan, 2024, [0.17, 0.17])

    alone, _ = refined(plan, now)
    assert values(alone["forest"]) == [1, 1]

    land_of(plan, 2022, [0.9, np.nan])
    with_past, states = refined(plan, now)
    assert states == ["done"] * 3
    assert values(with_past["forest"]) == [2, 1]
    assert values(with_past["forest"], "steps") == [1 + 4 + 8, 1]


def test_a_second_run_makes_nothing_anew(plan_of):
    plan = plan_of()
    now = land_of(plan, 2024, [0.5, 0.05])

    first, _ = refined(plan, now)
    before = {path: store.digest(path) for of in first.values() for path in of.values()}
    second, states = refined(plan, now)

    assert states == ["reused"] * 3
    assert {path: store.digest(path) for of in second.values() for path in of.values()} == before


@pytest.mark.parametrize("other", [{"smoothness": 1.0}, {"min_patch_mu": 2.0}, {"window_m": 30.0}])
def test_other_settings_make_other_tiles(plan_of, other):
    now = land_of(plan_of(), 2024, [0.5, 0.05])
    refined(plan_of(), now)

    assert refined(plan_of(**other), now)[1] == ["done"] * 3


def test_a_neighbour_that_changed_is_heard_again(plan_of):
    plan = plan_of()
    refined(plan, land_of(plan, 2024, [0.5, 0.05]))

    made, states = refined(plan, land_of(plan, 2024, [0.5, 0.4]))

    assert states == ["done"] * 3
    assert values(made["forest"]) == [2, 2]


def test_years_that_are_heard_are_of_one_season_and_not_too_long_ago(plan_of):
    plan = plan_of()
    for year in (2021, 2022, 2023, 2025):
        land_of(plan, year, [0.5, 0.5])

    assert [year for year, _ in earlier_land(plan)] == [2022, 2023]
    assert [year for year, _ in earlier_land(plan_of(history_years=5))] == [2021, 2022, 2023]
    assert earlier_land(plan_of(history_years=0)) == []
    assert earlier_land(plan_of(Period(2024, 3))) == []
    assert earlier_land(plan_of(Period(2016, 4), history_years=5)) == []


def test_damaged_and_foreign_years_are_not_there(plan_of):
    plan = plan_of()
    damaged, gone = land_of(plan, 2022, [0.5, 0.5]).values()
    other, old = land_of(plan, 2023, [0.5, 0.5]).values()
    next(p for p in damaged.rglob("*") if p.is_file()).write_bytes(b"?")
    shutil.rmtree(gone)
    store.seal(old, "key", {"clear_pixels": 1})

    assert earlier_land(plan) == [(2023, {other.stem: other})]
