"""Shifts of chips: found to a tenth of a pixel, and not found where there is nothing to find."""

from itertools import pairwise

import numpy as np
import pytest
from certificate_world import ground

from jinhua_rs.certificate.registration import ChipShift, chip_shift, median_base, tile_shift

SIZE = 192
EVERYWHERE = np.ones((SIZE, SIZE), bool)


def chip(*, down=0.0, right=0.0, noise=60.0, seed=0, season=1.0):
    land = ground(down=down, right=right, side=SIZE)
    clean = np.asarray((3200, 2500, 120))[land] * np.asarray((1.0, season, 1.0))[land]
    return (clean + np.random.default_rng(seed).normal(0, noise, land.shape)).astype("float32")


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 0), (0, -2), (1.5, -0.7), (-9, 12)])
def test_a_shift_is_found(down, right):
    found = chip_shift(chip(down=down, right=right, seed=1), EVERYWHERE, chip(seed=2), EVERYWHERE)

    assert found.usable
    assert (found.dy, found.dx) == pytest.approx((down, right), abs=0.15)


@pytest.mark.parametrize("shift", [0, 2])
def test_a_shift_is_found_across_seasons_and_cloud(shift):
    moved = chip(down=shift, season=1.6, seed=1)
    clear = np.roll(np.indices(moved.shape).sum(axis=0) > 150, shift, axis=0)
    moved[~clear] = 9000

    found = chip_shift(moved, clear, chip(seed=2), EVERYWHERE)

    assert found.usable and (found.dy, found.dx) == pytest.approx((shift, 0), abs=0.3)


def test_cloud_of_one_shape_in_both_is_no_match():
    clear = np.indices((SIZE, SIZE)).sum(axis=0) > 150
    one, other = (np.random.default_rng(seed).normal(3000, 300, (SIZE, SIZE)) for seed in (1, 2))

    found = chip_shift(one.astype("float32"), clear, other.astype("float32"), clear)

    assert not found.usable


def test_noise_is_never_a_match():
    rng = np.random.default_rng(5)
    noise = rng.normal(3000, 200, (16, SIZE, SIZE)).astype("float32")

    found = [chip_shift(a, EVERYWHERE, b, EVERYWHERE) for a, b in pairwise(noise)]

    assert [one for one in found if one.usable] == []


def test_ground_with_edges_one_way_only_is_no_match():
    stripes = np.where(np.arange(SIZE) // 24 % 2, 1000, 3000)[np.newaxis] * np.ones((SIZE, 1))
    rng = np.random.default_rng(6)
    one, other = (
        (np.roll(stripes, step, axis=1) + rng.normal(0, 60, stripes.shape)).astype("float32")
        for step in (0, 3)
    )

    assert not chip_shift(one, EVERYWHERE, other, EVERYWHERE).usable


def test_too_little_clear_ground_is_not_matched():
    clear = np.zeros_like(EVERYWHERE)
    clear[:50] = True

    assert chip_shift(chip(), clear, chip(), EVERYWHERE) is None
    assert chip_shift(chip(), EVERYWHERE, chip(), np.zeros_like(EVERYWHERE)) is None


def test_the_base_is_the_median_of_clear_looks():
    looks = [np.full((2, 2), value, "float32") for value in (1, 2, 3, 900)]
    clear = [np.ones((2, 2), bool) for _ in looks]
    clear[3][0, 0] = False
    for one in clear:
        one[1, 1] = False

    base, known = median_base(looks, clear)

    assert base.tolist() == [[2, 2], [2, 0]]  # of 1 2 3, and the lower middle of 1 2 3 900
    assert known.tolist() == [[True, True], [True, False]]


PLAIN, FAINT, CHANCE = (0.5, 6.0), (0.2, 2.0), (0.05, 1.1)


@pytest.mark.parametrize(
    ("chips", "expected"),
    [
        ([(2, 0, *PLAIN), (2.1, 0, *PLAIN), (1.9, 0.1, *PLAIN)], (2, 0)),
        ([(2, 0, *FAINT), (2.1, 0, *FAINT), (1.9, 0.1, *FAINT)], (2, 0)),
        ([(2, 0, *FAINT), (2.1, 0, *FAINT)], None),  # too few to vouch for one another
        ([(2, 0, *PLAIN)], (2, 0)),
        ([(0, 0, *PLAIN), (8, 0, *PLAIN), (0, -9, *PLAIN)], None),  # contradict one another
        ([(0, 0, *PLAIN), (0, 0.1, *PLAIN), (30, 7, *PLAIN)], (0, 0.1)),  # one outlier of three
        ([(2, 0, *CHANCE)] * 5, None),
        ([None, None], None),
        ([], None),
    ],
)
def test_the_shift_of_a_scene(chips, expected):
    shift = tile_shift([None if one is None else ChipShift(*one) for one in chips])

    if expected is None:
        assert (shift.dy, shift.dx, shift.length) == (None, None, None)
    else:
        assert (shift.dy, shift.dx) == pytest.approx(expected, abs=0.06)
        assert shift.length == pytest.approx(np.hypot(*expected), abs=0.1)
