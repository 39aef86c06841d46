import sys
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from scipy import ndimage
from shapely.geometry import box

from jinhua_rs import masks
from jinhua_rs.errors import ConfigError, ContractError, GridMismatch
from jinhua_rs.masks.growing import grown, opened
from jinhua_rs.masks.sun import sun_position
from jinhua_rs.masks.terrain import in_shade
from jinhua_rs.scene import Scene
from jinhua_rs.settings import Mask

WEST, NORTH = 750_000.0, 3_230_000.0
"""Upper-left corner of the windows, UTM zone 50, in Jinhua."""
SCENE = Scene(
    id="S2A_T50RQT_20241212_L2A",
    acquired=datetime(2024, 12, 12, 2, 40, tzinfo=UTC),
    tile="50RQT",
    platform="sentinel-2a",
    baseline="05.11",
    offset=-1000,
    offset_reason="test",
    scale=1e-4,
    cloud=0.0,
    crs="EPSG:32650",
    footprint=box(119, 29, 120, 30),
    assets={},
    provider="test",
)


def window(shape):
    return GeoBox(shape, from_origin(WEST, NORTH, 20, 20), "EPSG:32650")


def clear(scl, scene=SCENE, **options):
    """Clear pixels of a classification at 20 m; no opening and no growth unless asked."""
    scl = np.asarray(scl, np.uint8)
    options = Mask(**({"opening_m": 0, "buffer_m": 0} | options))
    return masks.masker(options).clear({"scl": scl}, scene, window(scl.shape))


@pytest.mark.parametrize("code", range(12))
def test_what_counts_as_clear(code):
    found = clear(np.full((2, 2), code))

    assert found.dtype == bool
    assert found.all() == (code in {2, 4, 5, 6, 7})
    assert found.any() == found.all()


@pytest.mark.parametrize(
    ("blue", "red", "swir16", "bare"),
    [
        (1000, 2000, 3000, True),  # soil
        (4000, 4100, 3500, False),  # cloud
        (1500, 1500, 2400, False),  # a veil over trees: white, but no darker in SWIR
        (0, 2000, 3000, False),  # blue not seen
    ],
)
@pytest.mark.parametrize("code", [8, 9, 10, 3])
def test_bare_ground_that_is_called_cloud_is_clear_where_that_is_asked(
    code, blue, red, swir16, bare
):
    def clear_with(offset):
        bands = {"blue": blue, "red": red, "swir16": swir16}
        layers = {name: np.full((2, 2), dn - offset * (dn > 0)) for name, dn in bands.items()}
        layers = {"scl": np.full((2, 2), code, np.uint8)} | layers
        masker = masks.masker(Mask(opening_m=0, buffer_m=60, bare_ground=True))
        assert masker.bands == tuple(layers)
        return masker.clear(layers, replace(SCENE, offset=offset), window((2, 2)))

    assert clear_with(-1000).all() == clear_with(0).all() == (bare and code in (8, 9))
    assert not clear(np.full((2, 2), code)).any()


def test_clouds_are_grown_in_metres_but_what_is_not_seen_is_not():
    scl = np.full((9, 9), 4)
    scl[4, 4] = 9
    scl[:, 0] = 0

    found = clear(scl, buffer_m=30)  # 1.5 pixels: 2

    assert not found[4, 2:7].any()
    assert not found[2, 4] and found[2, 2]
    assert not found[:, 0].any() and found[0, 1]


def test_bright_roofs_are_opened_away_and_clouds_are_not():
    scl = np.full((40, 40), 5)
    scl[5:8, 5:8] = 9  # a roof of 60 m
    scl[20:30, 20:30] = 8  # a cloud of 200 m

    found = clear(scl, opening_m=40)

    assert found[:15, :15].all()
    assert not found[21:29, 21:29].any() and not found[20:30, 25].any()


def test_defective_pixels_are_neither_opened_nor_grown_and_snow_is_not_opened():
    scl = np.full((21, 21), 4)
    scl[5, 5], scl[15, 15] = 1, 11

    found = clear(scl, opening_m=40, buffer_m=20)

    assert not found[5, 5] and found[5, 6]
    assert not found[15, 15] and not found[15, 16]


def test_a_cloud_cut_by_the_edge_is_not_taken_for_a_speck():
    scl = np.full((30, 30), 4)
    scl[10:20, 0] = 9  # at the edge of the window
    scl[:, 20:] = 0
    scl[10:20, 19] = 9  # at the edge of the swath

    found = clear(scl, opening_m=40)

    assert not found[10:20, 0].any() and not found[12:18, 19].any()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.integers(0, 9),
    st.sampled_from([0.0, 0.01, 0.2, 0.9]),
)  # fmt: skip
def test_growth_is_a_disk(seed, height, width, radius, share):
    pixels = np.random.default_rng(seed).random((height, width)) < share
    before = pixels.copy()

    found = grown(pixels, radius)

    far = ndimage.distance_transform_edt(~pixels) if pixels.any() else np.full(pixels.shape, np.inf)
    np.testing.assert_array_equal(found, far <= radius)
    np.testing.assert_array_equal(pixels, before)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_opening_is_erosion_and_growth_by_a_disk(seed, radius):
    rng = np.random.default_rng(seed)
    pixels = ndimage.gaussian_filter(rng.random((40, 40)), 2) > 0.5
    unknown = np.zeros_like(pixels)
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = y**2 + x**2 <= radius**2
    inside = slice(4 * radius, -4 * radius)

    found = opened(pixels, radius, unknown=unknown)

    expected = ndimage.binary_opening(pixels, disk)
    np.testing.assert_array_equal(found[inside, inside], expected[inside, inside])
    assert not (found & ~pixels).any()


def test_the_rim_is_wide_enough():
    rng = np.random.default_rng(1)
    clouds = ndimage.gaussian_filter(rng.random((160, 160)), 2)
    scl = np.where(clouds > np.quantile(clouds, 0.7), 9, 4).astype(np.uint8)
    tool = masks.masker(Mask(opening_m=40, buffer_m=100))
    rim = int(np.ceil(tool.rim_m / 20))
    whole = tool.clear({"scl": scl}, SCENE, window(scl.shape))

    part = scl[60 - rim : 100 + rim, 60 - rim : 100 + rim]
    found = tool.clear({"scl": part}, SCENE, window(part.shape))[rim:-rim, rim:-rim]

    np.testing.assert_array_equal(found, whole[60:100, 60:100])


def test_layers_of_another_shape_are_refused():
    with pytest.raises(GridMismatch, match="S2A_T50RQT_20241212_L2A"):
        masks.masker(Mask()).clear({"scl": np.ones((3, 3), np.uint8)}, SCENE, window((4, 4)))


# --- terrain -----------------------------------------------------------------------------------

SIDE = 60
RIDGE = 30
"""Column of a ridge that runs north-south, 20 m pixels."""


@pytest.fixture
def dem(tmp_path):
    """A roof-shaped ridge, 45 degrees steep on both sides, 300 m high, wider than the window."""
    reach = 150
    column = np.arange(-reach, SIDE + reach)
    height = np.maximum(0, 300 - 20.0 * np.abs(column - RIDGE))
    layer = np.broadcast_to(height, (SIDE + 2 * reach, column.size)).astype(np.float32)
    path = tmp_path / "dem.tif"
    profile = {
        "driver": "GTiff", "dtype": "float32", "count": 1, "crs": "EPSG:32650",
        "height": layer.shape[0], "width": layer.shape[1],
        "transform": from_origin(WEST - 20 * reach, NORTH + 20 * reach, 20, 20),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(layer, 1)
    return path


def seen_across(found):
    """Clear columns of a window in which all rows are alike."""
    assert (found == found[0]).all()
    return np.flatnonzero(found[0])


def test_dark_ground_is_kept_where_the_sun_reaches_it(dem):
    scene = replace(SCENE, sun=(90.0, 30.0))  # from the east, at 30 degrees

    found = seen_across(clear(np.full((SIDE, SIDE), 2), scene, dem=dem))

    # The slope to the west of the ridge looks away. Its foot lies 15 pixels from the ridge; the
    # shade of 300 m reaches 300 / tan(30) = 520 m = 26 pixels.
    assert found.tolist() == [*range(RIDGE - 26 + 1), *range(RIDGE, SIDE)]


def test_only_dark_ground_is_judged_by_the_terrain(dem):
    scene = replace(SCENE, sun=(90.0, 30.0))

    assert clear(np.full((SIDE, SIDE), 4), scene, dem=dem).all()
    assert clear(np.full((SIDE, SIDE), 2), scene).all()


def test_a_high_sun_leaves_no_shade(dem):
    assert clear(np.full((SIDE, SIDE), 2), replace(SCENE, sun=(90.0, 70.0)), dem=dem).all()


def test_the_sun_is_computed_where_the_scene_does_not_tell(dem):
    early = replace(SCENE, acquired=datetime(2024, 12, 12, 0, 40, tzinfo=UTC))
    sun = sun_position(early.acquired, 119.58, 29.17)
    told = clear(np.full((SIDE, SIDE), 2), replace(early, sun=sun), dem=dem)

    found = clear(np.full((SIDE, SIDE), 2), early, dem=dem)

    assert 120 < sun[0] < 140 and 15 < sun[1] < 25
    np.testing.assert_array_equal(found, told)
    assert not found.all()


@pytest.mark.parametrize(
    ("sun", "shaded"),
    [
        ((0.0, 45.0), "south"),
        ((90.0, 45.0), "west"),
        ((180.0, 45.0), "north"),
        ((270.0, 45.0), "east"),
    ],
)
def test_shade_falls_away_from_the_sun(sun, shaded):
    height = np.zeros((301, 301), np.float32)
    height[150, 150] = 200.0
    places = {"north": (145, 150), "south": (155, 150), "west": (150, 145), "east": (150, 155)}
    rows, columns = (np.array(at) for at in zip(*places.values(), strict=True))

    found = in_shade(height, rows, columns, pixel=20.0, sun=sun)

    assert [name for name, dark in zip(places, found, strict=True) if dark] == [shaded]


def test_unknown_elevation_shades_nothing(dem):
    scl = np.full((SIDE, SIDE), 2, np.uint8)
    elsewhere = GeoBox(scl.shape, from_origin(WEST + 90_000, NORTH, 20, 20), "EPSG:32650")
    tool = masks.masker(Mask(opening_m=0, buffer_m=0, dem=dem))

    assert tool.clear({"scl": scl}, SCENE, elsewhere).all()


def test_a_missing_elevation_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.tif") as caught:
        clear(np.full((3, 3), 2), dem=tmp_path / "none.tif")

    assert "无法读取高程" in caught.value.zh


@pytest.mark.parametrize(
    ("instant", "place", "azimuth", "elevation"),
    [
        # Reda and Andreas (2004), Solar Position Algorithm, worked example, without refraction.
        (datetime(2003, 10, 17, 19, 30, 30, tzinfo=UTC), (-105.1786, 39.742476), 194.340, 39.872),
        # Solstice noon in Jinhua: 90 - 29.08 - 23.44 degrees.
        (datetime(2024, 12, 21, 3, 59, 30, tzinfo=UTC), (119.65, 29.08), 180.0, 37.48),
    ],
)
def test_the_sun_stands_where_almanacs_say(instant, place, azimuth, elevation):
    found = sun_position(instant, *place)

    assert found == pytest.approx((azimuth, elevation), abs=0.1)


# --- OmniCloudMask -----------------------------------------------------------------------------


@pytest.fixture
def network(monkeypatch):
    """A stand-in with the call of omnicloudmask.predict_from_array: bright is thick cloud."""
    calls = []

    def predict_from_array(input_array):
        calls.append(input_array)
        return np.where(input_array[0] > 5000, 1, 0).astype(np.uint8)[np.newaxis]

    stand_in = SimpleNamespace(predict_from_array=predict_from_array)
    monkeypatch.setitem(sys.modules, "omnicloudmask", stand_in)
    return SimpleNamespace(calls=calls, module=stand_in)


def omni_layers(shape=(9, 9)):
    return {name: np.full(shape, value, np.uint16) for name, value in
            (("red", 1500), ("green", 1400), ("nir08", 3500))}  # fmt: skip


def test_the_network_sees_red_green_and_near_infrared(network):
    layers = omni_layers()
    layers["red"][4, 4] = 9000
    layers["green"][0, 0] = 0
    tool = masks.masker(Mask(source="omnicloudmask", buffer_m=20))

    found = tool.clear(layers, SCENE, window((9, 9)))

    assert tool.bands == ("red", "green", "nir08") and tool.rim_m > 20
    (given_array,) = network.calls
    assert given_array.shape == (3, 9, 9) and given_array.dtype == np.float32
    assert given_array[:, 1, 1].tolist() == [1500, 1400, 3500]
    assert np.argwhere(~found).tolist() == [[0, 0], [3, 4], [4, 3], [4, 4], [4, 5], [5, 4]]


def test_a_network_that_answers_otherwise_is_refused(network):
    network.module.predict_from_array = lambda array: np.zeros((4, *array.shape[1:]))

    with pytest.raises(ContractError, match="answered with"):
        masks.masker(Mask(source="omnicloudmask")).clear(omni_layers(), SCENE, window((9, 9)))


def test_a_network_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "omnicloudmask", None)

    with pytest.raises(ConfigError, match="jinhua-rs\\[clouds\\]") as caught:
        masks.masker(Mask(source="omnicloudmask"))

    assert "安装" in caught.value.zh
