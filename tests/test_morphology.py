"""The minimum mapping unit: what is dropped, what is closed, and what is left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jinhua_rs.morphology import minimum_unit
from jinhua_rs.units import M2_PER_MU

UNIT = {"patch_m2": M2_PER_MU, "hole_m2": 400.0}


def drawn(*lines):
    """Draw a map: ``#`` forest, ``.`` other land, a blank is not seen; framed by other land."""
    codes = {"#": 2, ".": 1, " ": 0}
    inside = np.array([[codes[sign] for sign in line] for line in lines], np.uint8)
    return np.pad(inside, 2, constant_values=1)


def test_a_patch_of_seven_pixels_is_one_mu_and_stays_six_go():
    found = minimum_unit(drawn("#######.######"), 100.0, **UNIT)

    assert (found == drawn("#######.......")).all()


def test_pixels_that_share_a_corner_are_two_patches():
    found = minimum_unit(drawn("####....", "....####"), 100.0, **UNIT)

    assert (found == 1).all()


def test_a_hole_of_three_pixels_is_closed_one_of_four_is_not():
    before = drawn("#########", "##...##.#", "#######..", "########.", "#########")
    before[:, -3] = np.where(before[:, -3] == 1, 1, before[:, -3])

    found = minimum_unit(before, 100.0, **UNIT)

    assert (found[3, 4:7] == 2).all()
    assert (found[3, 9], found[4, 9]) == (1, 1)


def test_a_ring_with_its_closed_hole_is_one_patch():
    found = minimum_unit(drawn("###", "#.#", "###"), 100.0, **UNIT)

    assert (found == drawn("###", "###", "###")).all()


@pytest.mark.parametrize("rest", ["  ...", "..."])
def test_a_patch_whose_size_was_not_seen_stays(rest):
    found = minimum_unit(drawn(f"##{rest}", f"..{rest}"), 100.0, **UNIT)

    assert (found == 2).sum() == (2 if rest.startswith(" ") else 0)


def test_a_patch_at_the_edge_of_the_map_stays():
    corner = np.ones((4, 4), np.uint8)
    corner[0, 0] = 2

    assert minimum_unit(corner, 100.0, **UNIT)[0, 0] == 2


@pytest.mark.parametrize(("pixel_m2", "left"), [(100.0, 0), (400.0, 0), (900.0, 1), (3600.0, 1)])
def test_coarse_pixels_are_larger_than_the_unit(pixel_m2, left):
    found = minimum_unit(drawn("#"), pixel_m2, **UNIT)

    assert (found == 2).sum() == left


def test_a_step_is_switched_off_by_zero():
    before = drawn("#######", "#.....#", "#######", ".......", "##.....")

    assert (minimum_unit(before, 100.0, patch_m2=0, hole_m2=0) == before).all()
    assert (minimum_unit(before, 100.0, patch_m2=M2_PER_MU, hole_m2=0)[-3] == 1).all()


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, (14, 15), elements=st.sampled_from([0, 1, 1, 2, 2])))
def test_done_twice_it_changes_nothing_and_the_unseen_stays_unseen(codes):
    found = minimum_unit(codes, 100.0, **UNIT)

    assert ((found == 0) == (codes == 0)).all()
    assert (minimum_unit(found, 100.0, **UNIT) == found).all()
    assert (minimum_unit(codes[::-1, ::-1].T, 100.0, **UNIT) == found[::-1, ::-1].T).all()
