"""The offset that pixels carry: measured on dark ground, not fooled by haze, cloud or bare rock."""

import numpy as np
import pytest
from certificate_world import NUMBERS, ground

from jinhua_rs.certificate.offset import contradiction, measure
from jinhua_rs.certificate.sample import View

LAND = ground(side=128)
"""Its lake has some 1900 pixels."""
DRY = np.minimum(LAND, 1)
"""The same without the lake, which is too dark in near infrared to be mistaken."""
SCL = np.asarray((4, 5, 6), "uint8")[LAND]


def view(carried=0, *, haze=0.0, haze_swir=0.0, bands=tuple(NUMBERS), scl=SCL, season=0, land=LAND):
    rng = np.random.default_rng(3)
    layers = {}
    for name in bands:
        lift = {"blue": haze, "red": 0.75 * haze, "nir": season, "swir22": haze_swir}[name]
        values = np.asarray(NUMBERS[name])[land] + rng.normal(0, 20, LAND.shape) + lift + carried
        layers[name] = np.clip(values, 1, 65535).astype("uint16")
    return View(layers, scl)


@pytest.mark.parametrize(("carried", "measured"), [(0, 0), (1000, -1000)])
@pytest.mark.parametrize("said", [0, -1000])
def test_the_pixels_tell_their_offset_whatever_the_item_says(carried, measured, said):
    evidence = measure(view(carried), said)

    note = contradiction(evidence, said, "because", [])
    assert evidence.measured == measured and not evidence.doubtful
    assert (note is None) == (said == measured)


def test_a_missing_offset_is_named_with_the_ndvi_it_makes():
    note = contradiction(measure(view(1000), 0), 0, "the flag is true", [])

    # forest: (3200 - 280) / (3200 + 280 + 2000) = 0.53, its denser half a little more
    assert note.code == "offset-missing"
    assert "forest NDVI would be 0.54" in note.en and "the flag is true" in note.en


def test_an_offset_taken_off_twice_is_named_with_the_ndvi_it_makes():
    note = contradiction(measure(view(0), -1000), -1000, "the baseline", [])

    # forest: (2200 + 720) / (2200 - 720) = 1.97, its denser half a little more
    assert note.code == "offset-twice" and "forest NDVI would be 2.00" in note.en
    assert "偏移量 -1000" in note.zh


def test_numbers_are_those_of_the_densest_vegetation():
    evidence = measure(view(1000), -1000)

    red, water = evidence.surfaces["red.vegetation"], evidence.surfaces["swir22.water"]
    assert red.p50 == pytest.approx(1280, abs=30) and red.p1 < red.p50
    assert red.n == pytest.approx(np.count_nonzero(SCL == 4) / 2, rel=0.01)
    assert "red.water" not in evidence.surfaces
    assert water.p1 == pytest.approx(1060 - 2.3 * 20, abs=15)
    assert evidence.ndvi == pytest.approx((3200 - 280) / (3200 + 280), abs=0.02)


def test_haze_is_no_forgotten_offset():
    hazy = measure(view(0, haze=1200, haze_swir=700, land=DRY), 0)

    assert hazy.measured == -1000 and hazy.doubtful

    assert contradiction(hazy, 0, "because", []) is None


def test_haze_is_settled_by_the_other_dates():
    clear = [(measure(view(0, season=step), 0), 0) for step in (-200, 0, 200)]
    only = ("red", "nir")
    hazy = measure(view(0, haze=1100, bands=only, land=DRY), 0)
    shifted = measure(view(1000, bands=only), 0)

    assert hazy.measured == shifted.measured == -1000
    assert contradiction(hazy, 0, "because", clear) is None
    assert contradiction(shifted, 0, "because", clear).code == "offset-missing"
    assert contradiction(shifted, 0, "because", clear[:1]) is None


def test_a_jump_in_every_band_is_an_offset_even_where_the_ground_is_too_bright_to_tell():
    bright = measure(view(1000, haze=700, haze_swir=800), 0)
    clear = [(measure(view(0, haze=600, haze_swir=600), 0), 0)] * 3

    assert bright.measured is None
    note = contradiction(bright, 0, "because", clear)
    assert note.code == "offset-jump" and " DN off that of" in note.en
    assert contradiction(measure(view(0, haze=700), 0), 0, "because", clear) is None


def test_dark_pixels_forbid_an_offset():
    stained = view(1000)
    red = stained.bands["red"].copy()
    red[:4] = 300

    assert measure(View({**stained.bands, "red": red}, SCL), 0).measured is None


@pytest.mark.parametrize("scl", [0, 9, 5])
def test_without_dark_ground_nothing_is_measured(scl):
    evidence = measure(view(1000, scl=np.full_like(SCL, scl)), 0)

    assert evidence.measured is None and evidence.surfaces == {} and evidence.ndvi is None
    assert contradiction(evidence, 0, "because", []) is None


def test_an_empty_view_is_borne():
    nothing = View({"red": np.zeros((8, 8), "uint16")}, np.zeros((8, 8), "uint8"))

    evidence = measure(nothing, 0)
    assert evidence.measured is None and evidence.lowest is None
