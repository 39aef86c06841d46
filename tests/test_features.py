"""Names of features, what they are made from, and their seams."""

import numpy as np
import pytest
import xarray as xr
from builders import band
from hypothesis import given
from hypothesis import strategies as st

from jinhua_rs import features
from jinhua_rs.errors import ContractError, GridMismatch
from jinhua_rs.features.catalogue import part
from jinhua_rs.features.surroundings import RIM
from jinhua_rs.scene import BAND_NAMES

EVERYTHING = features.Choice(bands=BAND_NAMES, seasons=("q1", "q3"), texture=True, terrain=True)


def composite(value=0.2, **other):
    layers = {
        name: band([[value, np.nan]], name) for name in (*BAND_NAMES, "smad", "emad", "bcmad")
    }
    return xr.Dataset(layers | {name: band([[v, np.nan]], name) for name, v in other.items()})


def test_names_are_distinct_and_old_ones_come_first_in_their_order():
    names = features.names(EVERYTHING)

    assert len(set(names)) == len(names)
    assert names[: len(BAND_NAMES)] == BAND_NAMES
    assert names[len(BAND_NAMES) :][:6] == ("ndvi", "nbr", "ndmi", "ndre", "bsi", "ndwi")
    assert features.names(features.Choice(bands=BAND_NAMES)) == names[: 10 + 7 + 3 + 9]


@given(st.sampled_from(features.names(EVERYTHING)))
def test_every_name_can_be_taken_apart_and_has_a_unit(name):
    base, season, minus = part(name)

    assert name == base + ("_minus" if minus else "") + (f"_{season}" if season else "")
    assert features.units([name]) == ((name, {"elevation": "m", "slope": "degree"}.get(base, "1")),)


@pytest.mark.parametrize("name", ["ndvi_q5", "slope_q1", "nir_sd_minus_q1", "swir", "NDVI", ""])
def test_unknown_names_are_refused(name):
    with pytest.raises(ContractError, match="no feature"):
        features.needs([name])


def test_needs_say_what_must_be_at_hand():
    needs = features.needs(["red", "nbr_minus_q1", "nir_sd", "slope", "ndvi_p10"])

    assert needs.seasons == ("q1",)
    assert needs.bands == {"red", "nir", "nir08", "swir22"}
    assert needs.texture
    assert needs.terrain
    assert features.needs(["red"]) == features.Needs((), frozenset({"red"}), False, False)


def test_a_change_is_the_own_season_less_its_companion():
    own, winter = composite(nir=0.6, red=0.2), composite(nir=0.3, red=0.1)
    winter["red"] = band([[0.3, np.nan]], "red")

    stacked = features.stack(own, ["ndvi", "ndvi_q1", "ndvi_minus_q1"], {"q1": winter})

    assert stacked.isel(x=0).to_numpy().ravel() == pytest.approx([0.5, 0.0, 0.5], abs=1e-6)
    assert stacked.isel(x=1).isnull().all()


def test_what_a_companion_did_not_see_is_not_seen():
    own = composite()
    winter = composite().isel(x=slice(None, None, -1)).assign_coords(x=own.x)

    stacked = features.stack(own, ["red", "red_q1", "ndvi_minus_q1"], {"q1": winter})

    assert stacked.isnull().to_numpy().reshape(3, 2).tolist() == [
        [False, True],
        [True, False],
        [True, True],
    ]


def test_an_index_of_two_dark_bands_does_not_lose_the_pixel():
    own = composite(nir08=-0.01, swir16=0.01)

    stacked = features.stack(own, ["ndmi"])

    assert stacked.to_numpy().ravel()[0] == 0
    assert np.isnan(stacked.to_numpy().ravel()[1])


def test_what_is_not_at_hand_is_named():
    with pytest.raises(ContractError, match="composite of Q1"):
        features.stack(composite(), ["red_q1"])
    with pytest.raises(ContractError, match="'slope'"):
        features.stack(composite(), ["slope"])


def test_companions_lie_on_the_same_grid():
    with pytest.raises(GridMismatch):
        features.stack(composite(), ["red_q1"], {"q1": composite().assign_coords(x=[0.0, 1.0])})


def test_mtci_of_a_leaf_and_of_bare_ground():
    own = composite(red=0.03, rededge1=0.08, rededge2=0.28)

    assert features.stack(own, ["mtci"]).to_numpy().ravel()[0] == pytest.approx(4.0, abs=1e-5)
    assert features.stack(composite(red=0.3), ["mtci"]).to_numpy().ravel()[0] == 0


def test_texture_by_hand():
    nir = np.full((7, 7), 0.3, np.float32)
    nir[3, 3] = 0.55
    nir[2, 2] = np.nan

    made = features.texture(nir, band(np.zeros((3, 3))))

    seen = np.array([0.3] * 23 + [0.55], np.float32)
    assert made["nir_sd"].to_numpy()[1, 1] == pytest.approx(seen.std(), abs=1e-6)
    assert made["nir_relief"].to_numpy()[1, 1] == pytest.approx(0.55 - seen.mean(), abs=1e-6)
    assert np.isnan(made["nir_sd"].to_numpy()[0, 0])
    assert np.isnan(made["nir_relief"].to_numpy()[0, 0])


@given(st.integers(0, 2**32 - 1), st.integers(1, 11))
def test_texture_has_no_seam(seed, cut):
    rng = np.random.default_rng(seed)
    nir = rng.uniform(0, 0.6, (12 + 2 * RIM, 12 + 2 * RIM)).astype(np.float32)
    nir[rng.uniform(size=nir.shape) < 0.2] = np.nan

    whole = features.texture(nir, band(np.zeros((12, 12)))).to_array().to_numpy()
    parts = [
        features.texture(nir[:, left : right + 2 * RIM], band(np.zeros((12, right - left))))
        for left, right in ((0, cut), (cut, 12))
    ]

    joined = np.concatenate([one.to_array().to_numpy() for one in parts], axis=2)
    assert np.array_equal(whole, joined, equal_nan=True)


def test_a_plane_that_falls_to_the_north_east():
    south, east = np.mgrid[0:5, 0:6].astype(np.float32)
    height = 100 + 10 * south - 10 * east

    made = features.terrain(height, 10.0, band(np.zeros((3, 4)))).isel(x=0, y=0)

    assert made["slope"].item() == pytest.approx(np.degrees(np.arctan(np.sqrt(2))), abs=1e-4)
    assert made["northness"].item() == pytest.approx(1 / np.sqrt(3), abs=1e-6)
    assert made["eastness"].item() == pytest.approx(1 / np.sqrt(3), abs=1e-6)
    assert made["elevation"].item() == 100


def test_flat_ground_faces_nowhere_and_unknown_ground_is_not_seen():
    height = np.full((4, 5), 7, np.float32)
    height[0, 0] = np.nan
    height[1, 0] = np.nan

    made = features.terrain(height, 10.0, band(np.zeros((2, 3))))

    assert made["slope"].to_numpy()[1, 1] == made["northness"].to_numpy()[1, 1] == 0
    assert all(np.isnan(layer.to_numpy()[0, 0]) for layer in made.values())
