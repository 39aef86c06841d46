import tracemalloc

import numpy as np
import pytest
import xarray as xr
from builders import X0, Y0

from jinhua_rs import composite, indices, schema
from jinhua_rs.composite import kernels, library, recipe
from jinhua_rs.composite.screening import chosen, screened
from jinhua_rs.errors import ContractError
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.settings import Composite

NOT_SEEN = -32768
ENGINES = {"compiled": kernels, "library": library}


def looks_of(numbers, clear=None, bands=("red", "nir")):
    """Looks as the cube gives them, from reflectance x 10000 (band, time, y, x)."""
    numbers = np.asarray(numbers, np.int16)
    clear = (numbers != NOT_SEEN).all(axis=0) if clear is None else np.asarray(clear, bool)
    _, dates, height, width = numbers.shape
    coords = {
        "band": list(bands),
        "time": np.datetime64("2024-10-01") + np.arange(dates),
        "y": Y0 - 10 * (np.arange(height) + 0.5),
        "x": X0 + 10 * (np.arange(width) + 0.5),
        "spatial_ref": 4549,
    }
    return xr.Dataset(
        {
            "reflectance": (("band", "time", "y", "x"), numbers, {"scale_factor": 1e-4}),
            "clear": (("time", "y", "x"), clear),
        },
        coords=coords,
    )


def options(**given):
    return Composite(**{"screen_mads": 0, "widen_below": 0, "min_clear": 1} | given)


def in_a_row(*pixels):
    """Looks of pixels side by side, one tuple of red numbers each; nir is twice red."""
    red = np.array(pixels, np.int16).T[:, np.newaxis]
    return looks_of(np.stack([red, np.where(red == NOT_SEEN, NOT_SEEN, 2 * red)]))


def every(days):
    return np.ones(days, bool)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", ["geomedian", "median"])
def test_only_clear_looks_count(engine, method):
    looks = in_a_row((1000, 1000, 1000), (1000, 9000, 1000), (3000, NOT_SEEN, 3000))
    looks["clear"][1, 0, 1] = False
    looks["clear"][2, 0, 2] = False

    made = composite.compose(looks, every(3), options(engine=engine, method=method))

    assert made["n_clear"].to_numpy().tolist() == [[3, 2, 1]]
    np.testing.assert_allclose(made["red"], [[0.1, 0.1, 0.3]], atol=1e-5)
    np.testing.assert_allclose(made["nir"], [[0.2, 0.2, 0.6]], atol=1e-5)
    for spread in ("smad", "emad", "bcmad"):
        np.testing.assert_allclose(made[spread], 0, atol=1e-6)
    assert made["window"].to_numpy().tolist() == [[1, 1, 1]]


@pytest.mark.parametrize("engine", ENGINES)
def test_too_few_looks_leave_the_pixel_empty_but_counted(engine):
    looks = in_a_row((1000, 1000), (1000, NOT_SEEN), (NOT_SEEN, NOT_SEEN))

    made = composite.compose(looks, every(2), options(engine=engine, min_clear=2))

    assert made["n_clear"].to_numpy().tolist() == [[2, 1, 0]]
    assert made["window"].to_numpy().tolist() == [[1, 0, 0]]
    for name in composite.layer_names(("red", "nir")):
        assert made[name].notnull().to_numpy().tolist() == [[True, False, False]]


@pytest.mark.parametrize("engine", ENGINES)
def test_days_around_the_period_are_used_only_where_it_has_too_few(engine):
    own = np.array([True, True, False, False])
    looks = in_a_row(
        (1000, 1000, 5000, 5000),  # enough of its own
        (1000, NOT_SEEN, 5000, 5000),  # too few: all are used
        (1000, NOT_SEEN, NOT_SEEN, NOT_SEEN),  # too few, and nothing around
        (NOT_SEEN, NOT_SEEN, 5000, NOT_SEEN),  # nothing of its own
        (NOT_SEEN, NOT_SEEN, NOT_SEEN, NOT_SEEN),
    )

    made = composite.compose(looks, own, options(engine=engine, widen_below=2, method="median"))

    assert made["n_clear"].to_numpy().tolist() == [[2, 3, 1, 1, 0]]
    assert made["window"].to_numpy().tolist() == [[1, 2, 1, 2, 0]]
    np.testing.assert_allclose(made["red"], [[0.1, 0.5, 0.1, 0.5, np.nan]], atol=1e-6)


def test_widening_counts_the_periods_own_looks():
    seen = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], bool)
    own = np.array([True, True, False])

    assert chosen(seen, own, 2).astype(int).tolist() == [[1, 1, 0], [1, 0, 0], [0, 1, 1]]
    assert (chosen(seen, own, 0) == seen & own[:, np.newaxis]).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_haze_and_shadow_that_the_mask_missed_are_screened_out(engine):
    usual = np.tile(np.array([300, 2500, 1500])[:, np.newaxis], 6)  # blue, nir, swir16
    usual[:, :3] += 20
    hazy, dark, bright, few = usual.copy(), usual.copy(), usual.copy(), usual.copy()
    hazy[:, 0] += 1500
    dark[:, 1] -= 1200
    bright[2, 0] += 2500  # bright in the infrared is no cloud
    few[0, 0] = 3000
    numbers = np.stack([usual, hazy, dark, bright, few], axis=-1)[:, :, np.newaxis]
    clear = np.ones(numbers.shape[1:], bool)
    clear[3:, 0, 4] = False  # three looks are no witnesses against one of them
    looks = looks_of(numbers, clear, ("blue", "nir", "swir16"))

    made = composite.compose(looks, every(6), options(engine=engine, screen_mads=4))

    assert made["n_clear"].to_numpy().tolist() == [[6, 5, 5, 6, 3]]
    assert float(made["blue"][0, 1]) == pytest.approx(0.031, abs=2e-3)
    assert float(made["nir"][0, 2]) == pytest.approx(0.251, abs=2e-3)


def test_the_screen_never_leaves_fewer_than_three():
    rng = np.random.default_rng(3)
    witnesses = rng.integers(0, 9000, (2, 12, 400)).astype(np.int16)
    use = rng.random((12, 400)) > 0.4

    for engine in ENGINES.values():
        kept = screened(witnesses, (1, -1), use, 0.5, engine.quantiles)

        assert not (kept & ~use).any() and (kept.sum(axis=0) < use.sum(axis=0)).any()
        assert (kept.sum(axis=0) >= np.minimum(use.sum(axis=0), 3)).all()


def test_noise_of_the_sensor_is_not_screened():
    """Looks that agree to 1e-4 do not throw out one that is 0.02 off."""
    witnesses = np.full((1, 6, 1), 300, np.int16)
    witnesses[0, 0] = 500
    quantiles = library.quantiles

    assert screened(witnesses, (1,), np.ones((6, 1), bool), 4, quantiles).all()


def test_bands_that_are_absent_screen_nothing():
    looks = looks_of(np.full((1, 5, 1, 1), 1000), bands=("rededge1",))
    looks["reflectance"][0, 0] = 9000

    made = composite.compose(looks, every(5), options(screen_mads=4, engine="library"))

    assert int(made["n_clear"][0, 0]) == 5
    assert set(made) == {"rededge1", "smad", "emad", "bcmad", "n_clear", "window"}


@pytest.mark.parametrize("engine", ENGINES)
def test_percentiles_are_over_the_looks_that_are_used(engine):
    rng = np.random.default_rng(4)
    numbers = rng.integers(-50, 6000, (10, 9, 4, 5)).astype(np.int16)
    clear = rng.random((9, 4, 5)) > 0.3
    looks = looks_of(numbers, clear, BAND_NAMES)
    floats = xr.Dataset(
        {
            name: (looks["reflectance"].sel(band=name, drop=True) * 1e-4).where(looks["clear"])
            for name in BAND_NAMES
        }
    ).astype("float32")
    expected = {
        "ndvi": indices.ndvi(floats["red"], floats["nir"]),
        "nbr": indices.nbr(floats["nir08"], floats["swir22"]),
        "ndmi": indices.ndmi(floats["nir08"], floats["swir16"]),
    }

    made = composite.compose(looks, every(9), options(engine=engine))

    for name, index in expected.items():
        for percent in (10, 50, 90):
            wanted = np.nanpercentile(index, percent, axis=0)
            np.testing.assert_allclose(made[f"{name}_p{percent}"], wanted, atol=1e-5)


def test_the_engines_agree():
    rng = np.random.default_rng(5)
    ground = rng.uniform(200, 4000, (10, 1, 20, 30)) * rng.normal(1, 0.06, (1, 14, 20, 30))
    haze = rng.uniform(800, 4000, (1, 14, 20, 30)) * (rng.random((1, 14, 20, 30)) < 0.1)
    numbers = (ground + haze + rng.normal(0, 40, (10, 14, 20, 30))).astype(np.int16)
    looks = looks_of(numbers, rng.random((14, 20, 30)) > 0.5, BAND_NAMES)
    own = np.arange(14) > 4

    ours, theirs = (composite.compose(looks, own, Composite(engine=engine)) for engine in ENGINES)

    for exact in ("n_clear", "window"):
        np.testing.assert_array_equal(ours[exact], theirs[exact])
    for name in composite.layer_names(BAND_NAMES):
        off = np.abs(ours[name] - theirs[name])
        # Where few looks lie along a line the answer is flat, and geomad stops up to 0.015 off.
        assert float(off.median()) < 1e-5 and float(off.quantile(0.99)) < 2e-3, name
        assert (ours[name].isnull() == theirs[name].isnull()).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_layers_keep_the_schema_the_grid_and_nothing_else(engine):
    looks = looks_of(np.full((10, 3, 2, 4), 1500), bands=BAND_NAMES)

    made = composite.compose(looks, every(3), options(engine=engine))

    assert set(made) == {*composite.layer_names(BAND_NAMES), "n_clear", "window"}
    schema.check(made, *made)
    assert set(made.coords) == {"y", "x", "spatial_ref"}
    xr.testing.assert_identical(made["y"], looks["y"])
    assert all("scale_factor" not in layer.attrs for layer in made.values())


@pytest.mark.parametrize("engine", ENGINES)
def test_no_day_at_all_is_not_seen(engine):
    looks = looks_of(np.zeros((2, 0, 3, 4), np.int16))

    made = composite.compose(looks, every(0), options(engine=engine))

    assert made["red"].shape == (3, 4) and made["red"].isnull().all()
    assert not made["n_clear"].any() and not made["window"].any()


def test_strips_and_the_order_of_dimensions_make_no_difference(monkeypatch):
    rng = np.random.default_rng(6)
    looks = looks_of(rng.integers(0, 5000, (2, 6, 7, 9)), rng.random((6, 7, 9)) > 0.3)
    whole = composite.compose(looks, every(6), options(screen_mads=3))
    monkeypatch.setitem(recipe._STRIP, "compiled", 2 * 6 * 9 * 2)

    cut = composite.compose(
        looks.transpose("y", "x", "time", "band"), every(6), options(screen_mads=3)
    )

    xr.testing.assert_identical(whole, cut)


def test_a_look_that_misses_a_band_is_no_look():
    looks = in_a_row((1000, 3000))
    looks["reflectance"][1, 1] = NOT_SEEN

    made = composite.compose(looks, every(2), options())

    assert int(made["n_clear"][0, 0]) == 1
    assert float(made["red"][0, 0]) == pytest.approx(0.1)


def test_input_is_left_as_it_was():
    looks = in_a_row((1000, 9000, 1000, 1100, 900))
    before = looks.copy(deep=True)

    composite.compose(looks, every(5), options(screen_mads=1, min_clear=3))

    xr.testing.assert_identical(looks, before)


@pytest.mark.parametrize("engine", ENGINES)
def test_memory_beside_the_input_is_little_more_than_the_output(engine):
    rng = np.random.default_rng(7)
    looks = looks_of(
        rng.integers(100, 5000, (10, 6, 600, 512)), rng.random((6, 600, 512)) > 0.3, BAND_NAMES
    )
    small = looks.isel(y=slice(0, 2))
    composite.compose(small, every(6), options(engine=engine, method="median"))
    tracemalloc.start()

    made = composite.compose(looks, every(6), options(engine=engine, method="median"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak <= 1.3 * made.nbytes


def test_other_arrays_are_refused():
    looks = in_a_row((1000, 1000))
    with pytest.raises(ContractError, match="int16"):
        composite.compose(
            looks.assign(reflectance=looks["reflectance"] * 1e-4), every(2), options()
        )
    with pytest.raises(ContractError, match="bool"):
        composite.compose(looks.assign(clear=looks["clear"].astype("uint8")), every(2), options())
    with pytest.raises(ContractError, match="one flag for each of 2 days"):
        composite.compose(looks, every(3), options())
