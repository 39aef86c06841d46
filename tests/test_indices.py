import numpy as np
import pytest
import xarray as xr
from builders import band
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jinhua_rs import features, indices
from jinhua_rs.errors import ContractError, GridMismatch
from jinhua_rs.scene import BAND_NAMES

reflectance = arrays("float32", (2, 3), elements=st.floats(0, 1, width=32))


def test_ndvi_of_a_dense_forest():
    assert indices.ndvi(band([[0.03]]), band([[0.33]], "nir")).item() == pytest.approx(
        0.8333, abs=1e-4
    )


@given(reflectance, reflectance)
def test_ndvi_is_bounded_and_antisymmetric(a, b):
    forth, back = indices.ndvi(band(a), band(b, "nir")), indices.ndvi(band(b), band(a, "nir"))

    assert forth.dtype == np.float32
    assert ((forth >= -1) & (forth <= 1) | forth.isnull()).all()
    np.testing.assert_allclose(forth, -back, atol=1e-6)
    np.testing.assert_array_equal(forth.isnull(), (a + b) <= 0)


def test_digital_numbers_are_refused():
    with pytest.raises(ContractError, match="float"):
        indices.ndvi(band([[900]]).astype("uint16"), band([[700]], "nir").astype("uint16"))


def test_other_grids_are_refused():
    with pytest.raises(GridMismatch):
        indices.ndvi(band([[0.1]]), band([[0.1]], "nir", resolution=20.0))


def test_features_follow_the_names_and_unseen_stays_unseen():
    composite = xr.Dataset(
        {name: band([[0.2, np.nan]], name) for name in (*BAND_NAMES, "smad", "emad", "bcmad")}
    )
    composite["smad"] = band([[np.nan, np.nan]], "smad")

    wanted = [*BAND_NAMES, "ndvi", "nbr", "ndmi", "ndre", "bsi", "ndwi", "mtci", "smad"]

    stacked = features.stack(composite, wanted)

    assert list(stacked.feature.to_numpy()) == wanted
    assert stacked.dtype == np.float32
    assert stacked.isel(x=1).isnull().all()
    assert stacked.sel(feature="smad").isel(x=0).item() == 0.0
    assert stacked.isel(x=0).notnull().all()


def test_the_maps_of_indices_are_those_whose_bands_are_there():
    composite = xr.Dataset({name: band([[0.2, np.nan]], name) for name in BAND_NAMES})
    composite["nir08"] = band([[0.6, np.nan]], "nir08")

    maps = features.index_maps(composite)

    assert list(maps) == ["ndvi", "nbr", "ndmi", "bsi"]
    assert maps.isel(x=1).isnull().all().to_array().all()
    assert maps.nbr.isel(x=0).item() == maps.ndmi.isel(x=0).item() == pytest.approx(0.5)
    assert list(features.index_maps(composite[["red", "nir"]])) == ["ndvi"]
