"""Geometry of the reader: against exact coordinates pixel by pixel, and against GDAL."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scipy.ndimage import map_coordinates

from jinhua_rs.cube.placement import Placement
from jinhua_rs.cube.resample import Patch, Target, write_classes, write_reflectance
from jinhua_rs.cube.warp import UNSEEN, Nodes, bilinear, nearest
from jinhua_rs.errors import ContractError

CRS = "EPSG:4549"


def grid(width, height, *, x=500_000, y=3_240_000, size=10):
    return GeoBox((height, width), Affine(size, 0, x, 0, -size, y), CRS)


def around(geobox, crs, size, *, shift=(0.0, 0.0), rim=10):
    """Transform and shape of a raster in ``crs`` that holds a grid with a rim to spare."""
    left, bottom, right, top = Placement.of(geobox, crs).bounds
    left = size * (np.floor(left / size) - rim) + shift[0] * size
    top = size * (np.ceil(top / size) + rim) + shift[1] * size
    shape = int((top - bottom) / size) + rim, int((right - left) / size) + rim
    return Affine(size, 0, left, 0, -size, top), shape


def exact(geobox, crs, transform):
    """Source row and column of each pixel of a grid, every one transformed; whole = centre."""
    column, row = np.meshgrid(np.arange(geobox.shape.x) + 0.5, np.arange(geobox.shape.y) + 0.5)
    a = geobox.affine
    to_crs = Transformer.from_crs(CRS, crs, always_xy=True)
    x, y = to_crs.transform(a.a * column + a.b * row + a.c, a.d * column + a.e * row + a.f)
    b = ~transform
    return b.d * x + b.e * y + b.f - 0.5, b.a * x + b.b * y + b.c - 0.5


class Radiometry:
    """The two facts of a scene that count here."""

    def __init__(self, offset=0, scale=1e-4):
        self.offset, self.scale = offset, scale


def warped(pixels, transform, geobox, crs, *, engine="compiled", offset=0, scale=1e-4):
    out = np.full(geobox.shape, 12345, np.int16)
    target = Target(geobox, Placement.of(geobox, crs), engine)
    write_reflectance(Patch.around(pixels, transform), Radiometry(offset, scale), target, out)
    return out


@settings(max_examples=20, deadline=None)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 140),
    crs=st.sampled_from(["EPSG:32650", "EPSG:32651"]),
    size=st.sampled_from([10, 20]),
    east=st.integers(-60_000, 60_000),
    shift=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_bilinear_is_that_of_every_pixel_transformed(width, height, crs, size, east, shift):
    """White noise of 9000 DN between neighbours: half a DN of rounding, and 5e-5 of a pixel."""
    geobox = grid(width, height, x=500_000 + east)
    transform, shape = around(geobox, crs, size, shift=shift)
    pixels = np.random.default_rng(0).integers(1, 9000, shape).astype("uint16")

    found = warped(pixels, transform, geobox, crs, offset=-1000)

    expected = map_coordinates(pixels.astype(float), exact(geobox, crs, transform), order=1)
    assert np.abs(found - (expected - 1000)).max() <= 1


@pytest.mark.parametrize("size", [10, 20])
def test_gdal_gives_the_same_answer(size):
    """GDAL's own transformer is 5e-4 of a pixel off; on steps of 9000 DN that is a few DN."""
    geobox = grid(400, 300)
    transform, shape = around(geobox, "EPSG:32650", size)
    rng = np.random.default_rng(1)
    pixels = rng.integers(1, 9000, shape).astype("uint16")
    pixels[40:60, 30:70] = 0
    pixels[rng.random(shape) < 0.02] = 0

    ours = warped(pixels, transform, geobox, "EPSG:32650", offset=-1000).astype(int)
    gdals = warped(pixels, transform, geobox, "EPSG:32650", offset=-1000, engine="library")

    both = (ours != UNSEEN) & (gdals != UNSEEN)
    assert ((ours == UNSEEN) != (gdals == UNSEEN)).mean() < 2e-4
    assert 0.6 < both.mean() < 0.99
    difference = np.abs(ours - gdals)[both]
    assert np.median(difference) <= 1 and np.percentile(difference, 99.9) < 10


def same_pixels(width=6, height=5):
    """A grid that is its own source but for a shift: weights one can work out by hand."""
    geobox = grid(width, height)
    return geobox, geobox.affine


def test_a_pixel_is_seen_where_the_nearest_one_is_and_others_make_up_for_gaps():
    geobox, transform = same_pixels()
    quarter = transform * Affine.translation(-0.25, 0)  # source pixels lie 0.25 px further west
    pixels = np.full((5, 6), 1000, np.uint16)
    pixels[2, 3] = 0
    pixels[:, 0] = 3000

    found = warped(pixels, quarter, geobox, CRS)

    assert found[0, 0] == 0.75 * 3000 + 0.25 * 1000
    assert found[2, 3] == UNSEEN
    assert (np.delete(found[2], 3)[1:] == 1000).all()
    assert (found[:, 5] == 1000).all(), "beyond the edge nothing has weight"


def test_outside_the_source_nothing_is_seen():
    geobox, transform = same_pixels(8, 8)
    pixels = np.full((4, 4), 500, np.uint16)

    found = warped(pixels, transform * Affine.translation(2, 3), geobox, CRS)

    assert (found[3:7, 2:6] == 500).all()
    assert (found == UNSEEN).sum() == 64 - 16


@pytest.mark.parametrize(
    ("number", "offset", "scale", "expected"),
    [
        (1, -1000, 1e-4, -999),
        (1000, -1000, 1e-4, 0),
        (65535, 0, 1e-4, 32767),
        (1, 0, 1e-4, 1),
        (0, -1000, 1e-4, UNSEEN),
        (101, 0, 2e-4, 202),
    ],
)
@pytest.mark.parametrize("engine", ["compiled", "library"])
def test_the_offset_is_removed_and_the_rest_clipped(number, offset, scale, expected, engine):
    geobox, transform = same_pixels()
    pixels = np.full((5, 6), number, np.uint16)

    found = warped(pixels, transform, geobox, CRS, engine=engine, offset=offset, scale=scale)

    assert (found == expected).all()


@pytest.mark.parametrize("engine", ["compiled", "library"])
def test_a_part_of_a_wider_layer_is_written_as_a_layer_of_its_own(engine):
    geobox = grid(60, 40)
    transform, shape = around(geobox, "EPSG:32650", 10)
    pixels = np.random.default_rng(1).integers(0, 3_000, shape).astype(np.uint16)
    layer = np.full((50, 80), 7, np.int16)
    target = Target(geobox, Placement.of(geobox, "EPSG:32650"), engine)

    write_reflectance(
        Patch.around(pixels, transform), Radiometry(-1000), target, layer[5:45, 10:70]
    )

    alone = warped(pixels, transform, geobox, "EPSG:32650", engine=engine, offset=-1000)
    np.testing.assert_array_equal(layer[5:45, 10:70], alone)
    layer[5:45, 10:70] = 7
    assert (layer == 7).all(), "nothing beside the part is written"


def test_a_negative_number_is_a_number():
    geobox, transform = same_pixels()

    found = warped(np.full((5, 6), -40, np.int16), transform, geobox, CRS)

    assert (found == -40).all()


@pytest.mark.parametrize("engine", ["compiled", "library"])
def test_much_coarser_pixels_are_averages(engine):
    geobox = grid(5, 4, size=60)
    pixels = np.arange(1, 24 * 30 + 1, dtype=np.uint16).reshape(24, 30)
    transform = geobox.affine * Affine.scale(1 / 6)
    pixels[:6, :3] = 0

    found = warped(pixels, transform, geobox, CRS, engine=engine)

    expected = pixels.astype(float).reshape(4, 6, 5, 6).mean(axis=(1, 3))
    expected[0, 0] = pixels[:6, 3:6].mean()
    np.testing.assert_allclose(found, expected, atol=0.51)


@pytest.mark.parametrize("engine", ["compiled", "library"])
def test_a_mask_is_warped_by_nearest_pixel(engine):
    geobox = grid(300, 200)
    transform, shape = around(geobox, "EPSG:32651", 20)
    mask = np.random.default_rng(3).random(shape) < 0.5
    mask[-20:] = False
    out = np.ones(geobox.shape, bool)
    target = Target(geobox, Placement.of(geobox, "EPSG:32651"), engine)

    write_classes(Patch.around(mask, transform), target, out)

    row, column = exact(geobox, "EPSG:32651", transform)
    expected = mask[np.floor(row + 0.5).astype(int), np.floor(column + 0.5).astype(int)]
    assert (out != expected).mean() < 1e-3, "ties alone may differ"


def test_the_compiled_kernels_do_what_their_python_says():
    """The same functions, not compiled, on a lattice with a turned source."""
    rows, columns = np.array([0, 3, 5]), np.array([0, 4, 6])
    x, y = np.meshgrid(columns, rows)
    nodes = Nodes(rows, columns, 1.3 + 0.9 * x - 0.2 * y, 0.7 + 0.2 * x + 0.9 * y)
    rng = np.random.default_rng(5)
    source = rng.integers(0, 4, (9, 8)).astype("uint16") * 100
    out = np.zeros((6, 7), np.int16)
    plain = np.zeros((6, 7), np.int16)

    bilinear(source, nodes, np.float32(1), np.float32(0), out)

    for i in range(6):
        for j in range(7):
            plain[i, j] = by_hand(source, 1.3 + 0.9 * j - 0.2 * i, 0.7 + 0.2 * j + 0.9 * i)
    np.testing.assert_allclose(out, plain, atol=1)
    assert ((out == UNSEEN) == (plain == UNSEEN)).all()

    classes = np.zeros((6, 7), np.uint8)
    nearest(source.astype(np.uint8), nodes, classes)
    assert classes[0, 0] == source.astype(np.uint8)[1, 1]


def by_hand(source, x, y):
    """Bilinear with gaps, in the plainest words."""
    height, width = source.shape
    total = weight = 0.0
    for column in (int(np.floor(x)), int(np.floor(x)) + 1):
        for row in (int(np.floor(y)), int(np.floor(y)) + 1):
            seen = 0 <= column < width and 0 <= row < height and source[row, column]
            nearest_one = column == np.floor(x + 0.5) and row == np.floor(y + 0.5)
            if nearest_one and not seen:
                return UNSEEN
            if seen:
                share = (1 - abs(x - column)) * (1 - abs(y - row))
                weight += share
                total += share * source[row, column]
    return round(total / weight)


@pytest.mark.parametrize("width", [1, 2, 64, 65, 1024])
def test_nodes_stand_close_enough(width):
    geobox = grid(width, 70)

    placed = Placement.of(geobox, "EPSG:32650")

    row, column = exact(geobox, "EPSG:32650", Affine.identity())
    straight = np.interp(np.arange(width), placed.columns, placed.x[0])
    assert np.abs(straight - (column[0] + 0.5)).max() < 1e-4 * 10
    assert placed.rows[0] == 0 and placed.columns[-1] == max(width - 1, 1)
    assert row.shape == geobox.shape


def test_a_window_holds_what_the_grid_needs_and_no_more():
    geobox, transform = same_pixels(20, 10)
    placed = Placement.of(geobox, CRS)
    wide = transform * Affine.translation(-50, -50)

    window = placed.window(wide, (200, 200))
    rimmed = placed.window(wide, (200, 200), rim=35)

    assert window.flatten() == (49, 49, 22, 12)
    assert rimmed.flatten() == (45, 45, 30, 20)
    assert placed.window(wide, (40, 40)) is None
    assert placed.window(transform * Affine.translation(19, 0), (5, 5)).flatten() == (0, 0, 2, 5)


def test_a_grid_without_a_place_is_refused():
    far = GeoBox.from_bbox((-1e9, 3e6, -1e9 + 100, 3e6 + 100), crs=CRS, resolution=10)

    with pytest.raises(ContractError, match="no place"):
        Placement.of(far, "EPSG:32650")
