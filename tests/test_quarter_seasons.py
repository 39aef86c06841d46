"""A year through its autumn with its winter as companion, and what the winter did not see."""

import multiprocessing
import sys

import numpy as np
import pytest
import xarray as xr
from builders import SIDE, X0, Y0, little_city

from jinhua_rs import cli, features, landcover, planning, quarter, store
from jinhua_rs.period import Period
from jinhua_rs.pieces import Ground, Sources
from jinhua_rs.pieces.naming import _rimmed
from jinhua_rs.settings import load_settings

HOLE = slice(96, 112)
"""Columns that no winter scene shows: cropland, eastern half."""


def _run(period, config):
    sys.argv = ["jinhua-rs", "run", period, "--config", str(config)]
    cli.main()


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """A little city with winters, its year 2024 and the year 2019 published."""
    config = little_city(tmp_path_factory.mktemp("city"), winter=HOLE)
    text = config.read_text().replace('baseline = "2019Q4"', 'baseline = "2019"')
    text = text.replace("[mask]", 'season = ["10-01", "12-31"]\nwiden_days = 0\n[mask]')
    config.write_text(text + '[features]\nseasons = ["Q1"]\n')
    process = multiprocessing.get_context("spawn").Process(target=_run, args=("2024", config))
    process.start()
    process.join()
    assert process.exitcode == 0
    return config


def joined(city, product):
    """Tiles of 2024 laid together, cut to the pixels of the city."""
    tiles = (city.parent / "out" / "2024" / "tiles" / product).glob("*.zarr")
    whole = xr.combine_by_coords([store.open_tile(tile).load() for tile in sorted(tiles)])
    side = 10 * SIDE
    north_up = whole.sortby("y", ascending=False)
    return north_up.sel(y=slice(Y0, Y0 - side), x=slice(X0, X0 + side))


def test_the_model_learns_from_both_seasons(city):
    card = landcover.Model.load(city.parent / "out" / "2019" / "model").card

    assert card.periods == ("2019",)
    assert card.companions == ("2019Q1",)
    assert {"ndvi", "ndvi_q1", "ndvi_minus_q1", "nir_sd"} <= set(card.feature_names)
    assert set(card.by_unit) == {"990001", "990002"}
    assert card.resolution_m == 10


def test_what_the_winter_did_not_see_is_not_named_and_counted(city):
    folder, named = city.parent / "out" / "2024", joined(city, "land")
    hole = (slice(None), HOLE)

    assert (named["forest"].to_numpy()[hole] == 0).all()
    assert (named["p7"].to_numpy()[hole] == 255).all()
    assert np.isfinite(named["ndvi"].to_numpy()[hole]).all()
    lost = [
        store.read_facts(tile)["lost"]["q1"] for tile in (folder / "tiles" / "land").glob("*.zarr")
    ]
    unseen = int((named["landcover"] == 0).sum()) - int(named["ndvi"].isnull().sum())
    assert sum(lost) == unseen >= SIDE * 16
    receipt = store.read_json(folder / "published" / "run.json")
    assert receipt["unnamed_share"]["q1"] == pytest.approx(unseen / SIDE**2, abs=0.01)
    page = (folder / "published" / "report" / "report.html").read_text()
    assert "本期可见而 Q1 未见，未分类" in page


def test_the_planted_loss_is_found(city):
    change = joined(city, "change")["change"].to_numpy()

    assert change.shape == (SIDE, SIDE)
    assert (change[:, 42:54] == 3).mean() > 0.98


def test_a_model_alone_can_be_trained(city):
    settings = load_settings(city).settings
    plan = planning.make_plan(Period.parse("2019"), settings)

    folder = quarter.train(plan)

    assert landcover.Model.load(folder).card.companions == ("2019Q1",)


def test_a_quarter_is_no_companion_of_itself(city):
    options = load_settings(city).settings.features

    assert options.companions(Period(2024)) == {"q1": Period(2024, 1)}
    assert options.companions(Period(2024, 4)) == {"q1": Period(2024, 1)}
    assert options.companions(Period(2024, 1)) == {}


def test_a_companion_is_a_season_of_its_own(city):
    plan = planning.make_plan(Period(2024), load_settings(city).settings)

    winter = planning.sibling(plan, Period(2024, 1))

    assert winter.settings.composite.season == ()
    assert planning.sibling(plan, Period(2019)).settings == plan.settings
    assert len(winter.inventory.kept) == 3


def test_the_rim_of_a_tile_is_its_neighbours(city):
    folder = city.parent / "out" / "2024" / "tiles" / "composite"
    own = {path.stem: path for path in folder.glob("*.zarr")}
    whole = xr.combine_by_coords([store.open_tile(path)[["nir"]].load() for path in own.values()])
    plan = planning.make_plan(Period(2024), load_settings(city).settings)
    ground = Ground(plan, own, {})

    for tile in own:
        sources = ground.sources(tile, ["nir_sd"])
        nir = store.open_tile(own[tile])["nir"].load()
        padded = whole["nir"].sortby("y", ascending=False).pad(x=2, y=2)
        row = int(np.flatnonzero(padded.y == nir.y[0])[0])
        column = int(np.flatnonzero(padded.x == nir.x[0])[0])
        expected = padded[
            row - 2 : row + nir.sizes["y"] + 2, column - 2 : column + nir.sizes["x"] + 2
        ]
        found = _rimmed(nir, sources)
        assert np.array_equal(found, expected.to_numpy(), equal_nan=True)
    assert ground.sources(tile, ["ndvi"]) == Sources(own[tile])


def test_needs_of_terrain_without_elevation_are_named_before_work_begins(city, tmp_path):
    settings = load_settings(city).settings
    choice = quarter.choice_of(planning.make_plan(Period(2024), settings))

    assert not choice.terrain
    assert "slope" not in features.names(choice)
