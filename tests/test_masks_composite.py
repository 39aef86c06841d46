import numpy as np
import pytest
import xarray as xr
from builders import band

from jinhua_rs import composite, masks
from jinhua_rs.errors import ContractError, GridMismatch
from jinhua_rs.scene import BAND_NAMES


def scl(values):
    return band(values, "scl").astype("uint8")


def test_clouds_are_grown_but_the_swath_edge_is_not():
    values = np.full((9, 9), 4)
    values[4, 4] = 9
    values[:, 0] = 0

    clear = masks.clear_sky(scl(values), buffer_px=2)

    assert not clear[4, 2:7].any()
    assert not clear[2, 4] and clear[2, 2]
    assert not clear[:, 0].any() and clear[0, 1]


@pytest.mark.parametrize("code", range(12))
def test_what_counts_as_clear(code):
    clear = masks.clear_sky(scl(np.full((2, 2), code)), buffer_px=0)

    assert clear.all() == (code in {2, 4, 5, 6, 7})
    assert clear.any() == clear.all()


def test_mask_does_not_depend_on_chunks():
    values = np.random.default_rng(1).choice([4, 4, 4, 4, 8], (3, 20, 20))

    eager = masks.clear_sky(scl(values), buffer_px=3)
    lazy = masks.clear_sky(scl(values).chunk({"time": 1}), buffer_px=3)

    assert lazy.chunks is not None
    np.testing.assert_array_equal(eager, lazy.compute())


def cube(values):
    return xr.Dataset({name: band(values, name) for name in ("red", "nir")})


@pytest.mark.parametrize("method", [composite.geomedian, composite.median])
def test_composite_uses_clear_looks_only(method):
    values = np.array([[[0.1, 0.1, 0.3]], [[0.1, 0.9, np.nan]], [[0.1, 0.1, 0.3]]])
    clear = band([[[1, 1, 1]], [[1, 0, 1]], [[1, 1, 0]]], "clear").astype(bool)

    made = method(cube(values), clear, min_clear=1)

    np.testing.assert_array_equal(made["n_clear"], [[3, 2, 1]])
    np.testing.assert_allclose(made["red"], [[0.1, 0.1, 0.3]], atol=1e-4)
    np.testing.assert_allclose(made["smad"], 0, atol=1e-4)
    assert made["n_clear"].dtype == np.uint16


@pytest.mark.parametrize("method", [composite.geomedian, composite.median])
def test_too_few_looks_leave_the_pixel_empty(method):
    values = np.full((2, 1, 2), 0.2)
    clear = band([[[1, 0]], [[1, 0]]], "clear").astype(bool)

    made = method(cube(values), clear, min_clear=2)

    assert made["red"].notnull().to_numpy().tolist() == [[True, False]]
    assert made["n_clear"].to_numpy().tolist() == [[2, 0]]
    assert made["emad"].notnull().to_numpy().tolist() == [[True, False]]


def test_geomedian_minimises_the_sum_of_distances_and_ignores_an_outlier():
    rng = np.random.default_rng(2)
    looks = rng.normal(0.3, 0.02, (7, 4, 4, len(BAND_NAMES))).astype("float32")
    looks[3] = 0.95
    data = xr.Dataset({name: band(looks[..., at], name) for at, name in enumerate(BAND_NAMES)})
    clear = xr.ones_like(data["red"], dtype=bool)

    made = composite.geomedian(data, clear, min_clear=1)[list(BAND_NAMES)].to_dataarray("band")
    centre = np.moveaxis(made.to_numpy(), 0, -1)

    def cost(at):
        return np.linalg.norm(looks - at, axis=-1).sum(axis=0)

    for shift in rng.normal(0, 0.01, (20, len(BAND_NAMES))):
        assert (cost(centre) <= cost(centre + shift) + 1e-4).all()
    assert np.abs(centre - 0.3).max() < 0.06


def test_composite_does_not_depend_on_chunks():
    values = np.random.default_rng(3).random((5, 8, 8)).astype("float32")
    clear = band(np.random.default_rng(4).random((5, 8, 8)) > 0.4, "clear").astype(bool)

    eager = composite.geomedian(cube(values), clear, min_clear=1)
    lazy = composite.geomedian(
        cube(values).chunk({"time": 1, "y": 4}), clear.chunk({"time": 1, "y": 4}), min_clear=1
    )

    xr.testing.assert_equal(eager, lazy.compute())


def test_composite_refuses_numbers_and_other_grids():
    clear = xr.ones_like(band(np.ones((2, 3, 3))), dtype=bool)
    with pytest.raises(ContractError, match="float32"):
        composite.geomedian(cube(np.ones((2, 3, 3))).astype("uint16"), clear, min_clear=1)
    with pytest.raises(GridMismatch):
        composite.geomedian(
            cube(np.ones((2, 3, 3))), clear.assign_coords(x=clear.x + 5), min_clear=1
        )
