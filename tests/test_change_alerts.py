"""The watch: a history, then looks that confirm each other, and what explains them."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.xr import xr_coords

from jinhua_rs import alerting, change, store, watching
from jinhua_rs.causes import Alert, Cause
from jinhua_rs.change.kernels.fitting import fit, terms
from jinhua_rs.errors import ConfigError, ContractError, GridMismatch
from jinhua_rs.grid import Grid
from jinhua_rs.period import Period
from jinhua_rs.schema import Land
from jinhua_rs.settings import Alerts, Mask, Output

OPTIONS = Alerts()
SIDE = 24
BOX = Grid(resolution=10.0).covering((480_000, 3_230_000, 480_000 + 10 * SIDE, 3_230_240))
FOREST = (0.03, 0.35, 0.36, 0.14, 0.06)
BARE = (0.20, 0.25, 0.27, 0.33, 0.28)
WATER = (0.06, 0.05, 0.04, 0.02, 0.01)
CLOUD = (0.61, 0.65, 0.65, 0.47, 0.37)
PALE = (0.045, 0.34, 0.355, 0.18, 0.082)
THINNED = (0.07, 0.25, 0.26, 0.17, 0.10)


def mixed(one, other, share):
    return tuple((1 - share) * a + share * b for a, b in zip(one, other, strict=True))


def looks(dates, spectra, where=None, clear=True):
    """Looks of forest on some dates; in the rectangle ``where`` each shows a spectrum."""
    where = where or (slice(4, 10), slice(4, 10))
    numbers = np.empty((5, len(dates), SIDE, SIDE))
    numbers[:] = np.array(FOREST)[:, None, None, None]
    seen = np.ones((len(dates), SIDE, SIDE), np.bool_)
    for at, spectrum in enumerate(spectra):
        numbers[(slice(None), at, *where)] = np.array(spectrum)[:, None, None]
        if not clear:
            seen[(at, *where)] = False
    rng = np.random.default_rng(len(dates))
    numbers += rng.normal(0, 0.002, numbers.shape)
    return xr.Dataset(
        {
            "reflectance": (
                ("band", "time", "y", "x"), np.rint(numbers * 1e4).astype(np.int16)
            ),
            "clear": (("time", "y", "x"), seen),
        },
        coords={
            "band": list(change.BANDS),
            "time": np.array(dates, "datetime64[ns]"),
            **xr_coords(BOX),
        },
    )  # fmt: skip


def history(n=40):
    days = np.datetime64("2016-10-05") + np.arange(n) * np.timedelta64(1090 // n, "D")
    return looks(list(days), [FOREST] * n)


def begun(prior=Land.EVERGREEN_BROADLEAF, n=40):
    return change.begin(history(n), OPTIONS, prior=np.full((SIDE, SIDE), prior, np.uint8))


def watched(spectra, dates, prior=Land.EVERGREEN_BROADLEAF, **how):
    return change.advance(begun(prior), looks(dates, spectra, **how), OPTIONS)


DATES = ["2019-10-06", "2019-10-26", "2019-11-15", "2019-12-05"]


def test_stable_forest_is_watched_and_quiet():
    state = watched([FOREST] * 4, DATES)

    assert np.all(state["alert"] == Alert.NONE)
    assert np.all(state["alert_confidence"] == 0)
    assert np.all(state["alert_cause"] == Cause.NONE)
    assert np.all(state["n_looks"] == 4)


@pytest.mark.parametrize("hits", [1, 2, 3])
def test_confidence_counts_the_looks_that_confirm(hits):
    state = watched([FOREST] * (4 - hits) + [BARE] * hits, DATES).isel(y=5, x=5)

    assert state["alert"].item() == Alert.LOSS
    assert state["alert_confidence"].item() == hits
    first, last = (np.datetime64(DATES[at]).astype(int) for at in (4 - hits, 3))
    assert (state["alert_day"].item(), state["alert_last"].item()) == (first, last)
    assert state["alert_cause"].item() == Cause.FELLING
    # NDVI 0.32/0.38 = 0.842 before, 0.05/0.45 = 0.111 after
    assert state["alert_size"].item() == pytest.approx(-0.731, abs=0.03)


def test_a_second_look_two_days_later_confirms_nothing():
    state = watched([BARE] * 2, ["2019-10-06", "2019-10-08"]).isel(y=5, x=5)

    assert state["alert_confidence"].item() == 1


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 1.0])
def test_haze_that_the_mask_overlooked_is_no_alert(share):
    state = watched([mixed(FOREST, CLOUD, share)] * 3, DATES[:3]).isel(y=5, x=5)

    assert state["alert"].item() == Alert.NONE
    assert state["alert_cause"].item() in {Cause.CLOUD, Cause.NONE}


def test_fresh_bare_ground_that_the_mask_takes_for_cloud_is_seen():
    state = watched([BARE] * 3, DATES[:3], clear=False)

    assert state["alert"][5, 5] == Alert.LOSS
    assert state["alert_confidence"][5, 5] == 3


@pytest.mark.parametrize("spectrum", [CLOUD, THINNED, WATER])
def test_what_the_mask_takes_for_cloud_else_says_nothing(spectrum):
    state = watched([spectrum] * 3, DATES[:3], clear=False)

    assert np.all(state["alert"] == Alert.NONE)


def test_shade_is_no_alert_and_is_named():
    dark = tuple(0.35 * value for value in FOREST[:1]) + tuple(0.2 * v for v in FOREST[1:])
    state = watched([dark] * 2, DATES[:2]).isel(y=5, x=5)

    assert state["alert"].item() == Alert.NONE


def test_flood_is_no_alert_and_is_named():
    wet = (0.06, 0.10, 0.10, 0.02, 0.01)
    state = watched([wet] * 2, DATES[:2]).isel(y=5, x=5)

    assert state["alert"].item() == Alert.NONE
    assert state["alert_cause"].item() == Cause.FLOOD


def test_a_scene_that_is_off_as_a_whole_is_set_aside():
    everywhere = slice(0, SIDE), slice(0, SIDE)
    state = watched([BARE, FOREST], DATES[:2], where=everywhere)

    assert np.all(state["alert"] == Alert.NONE)
    assert np.all(state["alert_cause"] == Cause.SCENE_FAULT)


def test_the_year_of_leaf_change_is_no_alert():
    state = watched([PALE] * 2, ["2020-04-10", "2020-05-10"], prior=Land.BAMBOO).isel(y=5, x=5)

    assert state["alert_run"].item() == 2
    assert state["alert"].item() == Alert.NONE
    assert state["alert_cause"].item() == Cause.BAMBOO_CYCLE


def test_thinned_bamboo_is_a_harvest_and_bare_bamboo_ground_is_felled():
    thinned = watched([THINNED] * 3, DATES[:3], prior=Land.BAMBOO).isel(y=5, x=5)
    bare = watched([BARE] * 3, DATES[:3], prior=Land.BAMBOO).isel(y=5, x=5)

    assert thinned["alert_cause"].item() == Cause.BAMBOO_HARVEST
    assert thinned["alert"].item() == Alert.LOSS
    assert bare["alert_cause"].item() == Cause.FELLING


def test_cropland_must_stay_off_for_a_year():
    soon = watched([BARE] * 3, DATES[:3], prior=Land.CROPLAND).isel(y=5, x=5)
    late = watched([BARE] * 3, ["2019-10-06", "2020-04-01", "2020-10-01"], prior=Land.CROPLAND)

    assert (soon["alert"].item(), soon["alert_cause"].item()) == (Alert.NONE, Cause.CROP)
    assert late["alert"][5, 5] == Alert.LOSS
    assert late["alert_cause"][5, 5] == Cause.CLEARED


def test_an_anomaly_that_two_looks_contradict_is_forgotten():
    state = watched([BARE, FOREST, FOREST], DATES[:3]).isel(y=5, x=5)

    assert state["alert"].item() == Alert.NONE
    assert state["alert_day"].item() == 0


def test_one_quarter_after_another_is_as_all_at_once(tmp_path):
    spectra = [FOREST, BARE, BARE, BARE]
    at_once = watched(spectra, DATES)
    both = looks(DATES, spectra)
    state = change.advance(begun(), both.isel(time=slice(0, 2)), OPTIONS)
    store.write_tile(tmp_path / "a.zarr", state)

    kept = store.open_tile(tmp_path / "a.zarr").load()
    stepwise = change.advance(kept, both.isel(time=slice(2, 4)), OPTIONS)

    for name in ("alert", "alert_confidence", "alert_day", "alert_last", "alert_cause", "n_looks"):
        assert np.array_equal(at_once[name], stepwise[name]), name
    assert np.allclose(at_once["alert_size"], stepwise["alert_size"], atol=2e-4)
    assert np.array_equal(state["history"], kept["history"])


def test_a_quarter_does_not_come_twice_nor_late():
    state = watched([FOREST] * 2, DATES[2:])

    with pytest.raises(ContractError, match="watched already"):
        change.advance(state, looks(DATES[2:], [FOREST] * 2), OPTIONS)
    with pytest.raises(ContractError, match="watched already"):
        change.advance(state, looks(DATES[:2], [FOREST] * 2), OPTIONS)
    with pytest.raises(ContractError, match="order of time"):
        change.advance(begun(), looks(DATES[:2][::-1], [FOREST] * 2), OPTIONS)


def test_another_grid_or_a_missing_band_is_refused():
    moved = looks(DATES[:1], [FOREST]).assign_coords(x=np.arange(SIDE) * 10.0)
    with pytest.raises(GridMismatch):
        change.advance(begun(), moved, OPTIONS)
    with pytest.raises(ContractError, match="swir22"):
        change.advance(begun(), looks(DATES[:1], [FOREST]).isel(band=slice(0, 4)), OPTIONS)


def test_few_looks_or_a_change_in_the_history_are_not_watched():
    few = change.begin(history(11), OPTIONS, prior=None)
    days = list(history(40)["time"].to_numpy())
    changed = change.begin(looks(days, [FOREST] * 30 + [BARE] * 10), OPTIONS, prior=None)

    assert np.all(few["alert"] == Alert.UNSEEN)
    assert np.all(change.advance(few, looks(DATES, [BARE] * 4), OPTIONS)["alert"] == 0)
    assert changed["alert"][5, 5] == Alert.UNSEEN
    assert changed["alert"][0, 0] == Alert.NONE


def test_outside_the_season_nothing_counts():
    season = OPTIONS.model_copy(update={"first_day": 100, "last_day": 330})
    winter = looks(["2020-01-05", "2020-01-25"], [BARE] * 2)

    state = change.advance(begun(), winter, season)

    assert np.all(state["alert"] == Alert.NONE)


@given(st.integers(0, 10_000), st.integers(15, 60))
@settings(max_examples=25, deadline=None)
def test_without_outliers_the_fit_is_least_squares(seed, n):
    rng = np.random.default_rng(seed)
    days = np.sort(rng.choice(1095, n, replace=False)).astype(np.int32) + 17_000
    values = rng.normal(0, 0.01, (6, n, 1)).astype(np.float32) + np.float32(0.5)
    basis = terms(days)[:, : 5 if n >= 24 else 3]
    wanted = np.linalg.lstsq(basis, values[:, :, 0].T.astype(float), rcond=None)[0]

    found, spread, kept = fit(values, np.ones((n, 1), np.bool_), terms(days), (12, 24), 100.0)

    assert kept[0] == n
    assert np.allclose(found[:, : basis.shape[1], 0].T, wanted, atol=2e-3)
    rest = values[:, :, 0].T - basis @ wanted
    assert np.allclose(spread[:, 0], np.sqrt((rest**2).sum(0) / (n - basis.shape[1])), rtol=0.02)


def plan_of(period, root, since=""):
    options = SimpleNamespace(alerts=Alerts(enabled=True, since=since), output=Output(root=root))
    return SimpleNamespace(period=Period.parse(period), settings=options, unit=None)


def test_the_watch_goes_from_its_first_quarter_to_the_plans_own(tmp_path):
    alone = watching.quarters(plan_of("2020Q3", tmp_path))
    (tmp_path / "2020Q1" / "tiles" / "alerts").mkdir(parents=True)
    kept = watching.quarters(plan_of("2020Q3", tmp_path))
    told = watching.quarters(plan_of("2020Q3", tmp_path, since="2020Q2"))

    assert list(map(str, alone)) == ["2020Q3"]
    assert list(map(str, kept)) == ["2020Q1", "2020Q2", "2020Q3"]
    assert list(map(str, told)) == ["2020Q2", "2020Q3"]


@pytest.mark.parametrize(("period", "since"), [("2020", ""), ("2020Q1", "2021Q1")])
def test_a_year_or_a_later_beginning_is_refused(period, since, tmp_path):
    with pytest.raises(ConfigError):
        watching.quarters(plan_of(period, tmp_path, since))


def test_rock_that_masks_take_for_cloud_is_watched_and_seen_to_green():
    early = days("2017-01-05", 36, 30)
    pit = looks(early, [BARE] * 36, clear=False)
    late = looks(days("2020-02-01", 4, 12), [mixed(BARE, FOREST, 0.8)] * 4)

    before = change.begin(pit, OPTIONS, prior=None)
    told = change.advance(before, late, OPTIONS)

    assert int(before["alert"][5, 5]) == Alert.NONE, "watched"
    assert (int(told["alert"][5, 5]), int(told["alert_cause"][5, 5])) == (
        Alert.GAIN, Cause.GREENING
    )  # fmt: skip
    assert int(told["alert_confidence"][5, 5]) == 3


def test_ground_under_cloud_at_every_date_is_not_watched():
    early = days("2017-01-05", 36, 30)

    told = change.begin(looks(early, [CLOUD] * 36, clear=False), OPTIONS, prior=None)

    assert int(told["alert"][5, 5]) == Alert.UNSEEN


def days(first, count, step):
    return np.datetime64(first) + step * np.arange(count)


LEAFLESS = (0.10, 0.20, 0.21, 0.18, 0.12)
"""NDVI 0.33, of the leafy forest 0.84."""


def shedding(prior):
    """Learn woods that stand leafless for half of the year, smoothly as a year's harmonic goes."""
    days = np.datetime64("2016-10-05") + np.arange(60) * np.timedelta64(18, "D")
    year = 2 * np.pi * (days.astype("datetime64[D]").astype(int) % 365.25) / 365.25
    spectra = [mixed(FOREST, LEAFLESS, (1 + np.cos(one)) / 2) for one in year]
    everywhere = looks(list(days), spectra, where=(slice(None), slice(None)))
    return change.begin(everywhere, OPTIONS, prior=np.full((SIDE, SIDE), prior, np.uint8))


@pytest.mark.parametrize(
    ("prior", "in_leaf", "hits"),
    [
        (Land.DECIDUOUS, 0.8, 3),  # four leafless looks like the forest around end nothing
        (Land.DECIDUOUS, 0.0, 0),  # judged at all dates they do
        (Land.BAMBOO, 0.8, 0),  # and of bamboo, which sheds nothing at once
    ],
)
def test_leafless_looks_end_no_alert_of_trees_that_shed_their_leaves(prior, in_leaf, hits):
    options = OPTIONS.model_copy(update={"in_leaf": in_leaf})
    summer = looks(["2020-06-20", "2020-07-05", "2020-07-20"], [BARE] * 3)
    winter = ["2020-12-25", "2021-01-02", "2021-01-10", "2021-01-18"]
    bare = looks(winter, [LEAFLESS] * 4, where=(slice(None), slice(None)))

    felled = change.advance(shedding(prior), summer, options)
    state = change.advance(felled, bare, options).isel(y=5, x=5)

    assert felled["alert_confidence"][5, 5] == 3
    assert state["alert_confidence"].item() == hits


def test_leafless_looks_show_no_loss_of_trees_that_shed_their_leaves():
    state = change.advance(
        shedding(Land.DECIDUOUS), looks(["2020-01-02", "2020-01-20"], [BARE] * 2), OPTIONS
    )

    assert np.all(state["alert"][4:10, 4:10] == Alert.NONE)
    assert np.all(state["n_looks"] == 0)


def test_one_index_that_is_off_alone_ends_no_alert():
    hazy = (0.14, 0.35, 0.36, 0.14, 0.06)  # NDVI 0.43, NBR and NDMI as ever
    state = watched([BARE, BARE, hazy, hazy], DATES).isel(y=5, x=5)

    assert state["alert"].item() == Alert.LOSS
    assert state["alert_confidence"].item() == 2


def test_the_watch_opens_the_bands_that_its_mask_reads(monkeypatch, tmp_path):
    class AskedError(Exception):
        """Carries the bands that a courier was asked for."""

    def settle(scenes, bands):
        raise AskedError(*bands)

    monkeypatch.setattr(alerting, "_courier", lambda _: SimpleNamespace(settle_scenes=settle))
    job = SimpleNamespace(
        path=tmp_path / "tile.zarr", key="", tile=SimpleNamespace(geobox=BOX), history=(),
        scenes=(), area=BOX.extent.geom, stac=None, mask=Mask(bare_ground=True),
    )  # fmt: skip

    with pytest.raises(AskedError) as told:
        alerting.alert_tile(job)

    assert {"blue", *change.BANDS} <= set(told.value.args)
    assert len(set(told.value.args)) == len(told.value.args)
