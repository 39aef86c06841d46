"""The compiled estimators against NumPy, geomad, and the definition of a geometric median."""

import geomad
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jinhua_rs.composite import kernels, library
from jinhua_rs.composite.kernels.lanes import LANES

BANDS = 3
TOLERANCE = 1e-5

counts = st.integers(1, 40)
numbers = st.integers(-2_000, 12_000)
seeds = st.integers(0, 2**32 - 1)


def scattered(rng, dates, pixels):
    return rng.integers(-2_000, 12_000, (BANDS, dates, pixels))


def repeated(rng, dates, pixels):
    """Few different looks, each of them several times."""
    few = rng.integers(0, 10_000, (BANDS, 3, pixels))
    return few[:, rng.integers(0, 3, dates)]


def collinear(rng, dates, pixels):
    start = rng.integers(0, 3_000, (BANDS, 1, pixels))
    along = rng.integers(-90, 90, (BANDS, 1, pixels))
    return start + along * rng.integers(0, 20, (1, dates, pixels))


def equal(rng, dates, pixels):
    return np.broadcast_to(rng.integers(0, 10_000, (BANDS, 1, pixels)), (BANDS, dates, pixels))


def hazy(rng, dates, pixels):
    """Looks like those of a satellite: one brightness, little noise, a tenth of them hazy."""
    ground = rng.uniform(200, 4_000, (BANDS, 1, pixels)) * rng.normal(1, 0.08, (1, dates, pixels))
    haze = rng.uniform(1_000, 4_000, (1, dates, pixels)) * (rng.random((1, dates, pixels)) < 0.1)
    return ground + haze + rng.normal(0, 30, (BANDS, dates, pixels))


kinds = st.sampled_from([scattered, repeated, collinear, equal, hazy])


@st.composite
def stacks(draw):
    """Looks (band, date, pixel) and which of them count; some pixels have none."""
    rng = np.random.default_rng(draw(seeds))
    dates, pixels = draw(counts), draw(st.integers(1, 2 * LANES))
    looks = np.ascontiguousarray(draw(kinds)(rng, dates, pixels)).astype(np.int16)
    use = rng.random((dates, pixels)) >= draw(st.sampled_from([0.0, 0.35, 0.8]))
    looks[:, rng.random(use.shape) < 0.1] = -32768
    return looks, use & (looks != -32768).all(axis=0)


def cost(looks, use, centre):
    """Sum of the distances of the looks that count, reflectance, float64."""
    off = looks * 1e-4 - centre[:, np.newaxis]
    return np.where(use, np.sqrt((off**2).sum(axis=0)), 0).sum(axis=0)


def converged(looks, use, steps):
    """Geometric median by plain Weiszfeld in float64."""
    values = np.where(use, looks * 1e-4, 0)
    centre = values.sum(axis=1) / np.maximum(use.sum(axis=0), 1)
    for _ in range(steps):
        distance = np.sqrt(((looks * 1e-4 - centre[:, np.newaxis]) ** 2).sum(axis=0))
        weight = np.where(use, 1 / np.maximum(distance, 1e-12), 0)
        centre = (values * weight).sum(axis=1) / np.maximum(weight.sum(axis=0), 1e-300)
    return centre


def least_cost(looks, use):
    """Least sum of distances, by plain Weiszfeld and by trying every look."""
    tries = [cost(looks, use, converged(looks, use, 1_000))]
    for date in range(looks.shape[1]):
        at_look = cost(looks, use, looks[:, date] * 1e-4)
        tries.append(np.where(use[date], at_look, np.inf))
    return np.min(tries, axis=0)


@settings(max_examples=30, deadline=None)
@given(stacks())
def test_no_point_is_nearer_to_all_looks_than_the_geometric_median(stack):
    looks, use = stack

    centre = kernels.geomedian(looks, use, TOLERANCE)

    seen = use.any(axis=0)
    assert np.isfinite(centre[:, seen]).all() and np.isnan(centre[:, ~seen]).all()
    excess = (cost(looks, use, centre) - least_cost(looks, use))[seen]
    assert excess.max(initial=0) <= TOLERANCE * looks.shape[1]


def test_a_search_that_ends_near_a_look_which_is_no_answer_goes_on():
    rng = np.random.default_rng(330)
    dates = int(rng.integers(1, 25))
    looks = np.ascontiguousarray(collinear(rng, dates, 128)).astype(np.int16)
    use = rng.random((dates, 128)) >= 0.0

    centre = kernels.geomedian(looks, use, TOLERANCE)

    assert (cost(looks, use, centre) - least_cost(looks, use)).max() <= TOLERANCE * dates


def one_pixel(*looks):
    stack = np.array(looks, np.int16).T[:, :, np.newaxis]
    return np.ascontiguousarray(stack), np.ones(stack.shape[1:], bool)


@pytest.mark.parametrize("engine", [kernels, library])
@pytest.mark.parametrize(
    ("looks", "centre"),
    [
        ([(400, 500, 600)], (400, 500, 600)),  # one look is its own median
        ([(0, 0, 0), (1000, 2000, 3000)], (500, 1000, 1500)),  # of two, the middle
        ([(0, 0, 0), (0, 0, 0), (9000, 0, 0)], (0, 0, 0)),  # the majority
        ([(0, 0, 0), (4000, 0, 0), (0, 4000, 0), (-4000, 0, 0), (0, -4000, 0)], (0, 0, 0)),
        ([(0, 0, 0), (100, 0, 0), (1000, 0, 0), (3000, 0, 0), (9000, 0, 0)], (1000, 0, 0)),
    ],
)
def test_geometric_medians_that_one_knows(engine, looks, centre):
    found = engine.geomedian(*one_pixel(*looks), TOLERANCE)

    np.testing.assert_allclose(found[:, 0], np.array(centre) * 1e-4, atol=2e-4)


def test_a_start_that_lies_on_a_look_is_no_trap():
    # The mean of all is the first look; the median is where most of them are.
    looks = [(0, 0, 0), *[(900, 0, 0)] * 4, (-2000, 300, 0), (-1600, -300, 0)]

    found = kernels.geomedian(*one_pixel(*looks), TOLERANCE)

    np.testing.assert_allclose(found[:, 0], (0.09, 0, 0), atol=1e-4)


def test_the_answer_does_not_depend_on_the_neighbours():
    rng = np.random.default_rng(5)
    looks, use = (
        hazy(rng, 12, 3 * LANES + 5).astype(np.int16),
        rng.random((12, 3 * LANES + 5)) > 0.4,
    )

    together = kernels.geomedian(looks, use, TOLERANCE)

    for at in (0, LANES - 1, LANES, 3 * LANES + 4):
        one = np.ascontiguousarray(looks[:, :, [at]])
        np.testing.assert_array_equal(
            kernels.geomedian(one, use[:, [at]], TOLERANCE)[:, 0], together[:, at]
        )


def test_no_less_exact_than_geomad_at_the_same_tolerance():
    rng = np.random.default_rng(6)
    looks, use = hazy(rng, 12, 500).astype(np.int16), rng.random((12, 500)) > 0.35
    use[:3] = True
    answer = converged(looks, use, 5_000)

    ours = np.abs(kernels.geomedian(looks, use, TOLERANCE) - answer)
    theirs = np.abs(library.geomedian(looks, use, TOLERANCE) - answer)

    assert ours.mean() <= theirs.mean() < 1e-4 and ours.max() <= theirs.max()
    assert np.percentile(ours, 99) <= np.percentile(theirs, 99)


@settings(max_examples=30, deadline=None)
@given(stacks(), st.booleans())
def test_quantiles_are_those_of_numpy(stack, as_float):
    looks, use = stack
    shares = (0.1, 0.5, 0.9)
    values = looks / np.float32(3) if as_float else looks
    if as_float:
        values[0, 0] = np.nan
    seen = use & np.isfinite(values)
    empty = np.where(seen, values, np.nan)

    found = [engine.quantiles(values, use, shares) for engine in (kernels, library)]

    for quantiles in found:
        assert quantiles.shape == (BANDS, 3, use.shape[1]) and quantiles.dtype == np.float32
        assert (np.isnan(quantiles).all(axis=1) == ~seen.any(axis=1)).all()
    for band in range(BANDS):
        known = seen[band].any(axis=0)
        if not known.any():
            continue
        expected = np.nanquantile(empty[band][:, known], shares, axis=0)
        for quantiles in found:
            np.testing.assert_allclose(quantiles[band][:, known], expected, rtol=1e-5, atol=1e-2)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_spreads_are_those_of_geomad(data):
    rng = np.random.default_rng(data.draw(seeds))
    dates, pixels = data.draw(counts), data.draw(st.integers(1, 2 * LANES))
    looks = np.maximum(hazy(rng, dates, pixels), 1).astype(np.int16)
    use = rng.random((dates, pixels)) > 0.35
    use[0] = True
    centre = library.geomedian(looks, use, TOLERANCE)
    pixel_last = np.where(use, looks * np.float32(1e-4), np.float32(np.nan)).transpose(2, 0, 1)
    pixel_last = np.ascontiguousarray(pixel_last[:, np.newaxis])
    middle = np.ascontiguousarray(centre.T[:, np.newaxis])
    expected = np.stack(
        [
            spread(pixel_last, middle, num_threads=1)[:, 0]
            for spread in (geomad.smad_pcm, geomad.emad_pcm, geomad.bcmad_pcm)
        ]
    )

    for engine in (kernels, library):
        np.testing.assert_allclose(engine.spreads(looks, use, centre), expected, atol=2e-6)


@pytest.mark.parametrize("engine", [kernels, library])
def test_a_spectrum_of_nothing_has_no_angle(engine):
    looks, use = one_pixel((0, 0, 0), (0, 0, 0))

    smad, emad, bcmad = engine.spreads(looks, use, np.zeros((3, 1), np.float32))

    assert np.isnan(smad).all() and np.isnan(bcmad).all() and emad == 0


@pytest.mark.parametrize("engine", [kernels, library])
@pytest.mark.parametrize("shape", [(BANDS, 0, 4), (BANDS, 3, 0)])
def test_nothing_in_nothing_out(engine, shape):
    looks, use = np.zeros(shape, np.int16), np.zeros(shape[1:], bool)

    centre = engine.geomedian(looks, use, TOLERANCE)

    assert centre.shape == (BANDS, shape[2]) and np.isnan(centre).all()
    assert np.isnan(engine.spreads(looks, use, centre)).all()
    assert np.isnan(engine.quantiles(looks, use, (0.5,))).all()
