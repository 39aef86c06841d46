"""The simulated ground: same everywhere it is looked at from, and true to the published shares."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.features import rasterize

from jinhua_rs.errors import ConfigError, ContractError, GridMismatch
from jinhua_rs.regions import load_units
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.schema import FOREST_CANOPY, TREE_CLASSES, check
from jinhua_rs.settings import Area
from jinhua_rs.twin.geography import FOREST_SHARES
from jinhua_rs.twin.lattice import ground
from jinhua_rs.twin.light import Sun, cosine_of_incidence, illumination, sun
from jinhua_rs.twin.noise import fractal, gradient, spots, valleys
from jinhua_rs.twin.phenology import spectra_on
from jinhua_rs.twin.spectra import surface
from jinhua_rs.twin.world import LAND_OF_KIND, Kind, World, aggregate, state_of, supersample

SEED = 20240601
OCTOBER = datetime(2024, 10, 15, 2, 40, tzinfo=UTC)
JANUARY = datetime(2025, 1, 15, 2, 40, tzinfo=UTC)
AUGUST = datetime(2024, 8, 12, 2, 40, tzinfo=UTC)
JUNE = datetime(2024, 6, 14, 2, 40, tzinfo=UTC)


@cache
def world() -> World:
    return World.build(SEED, load_units(Area()))


def window(left: float, bottom: float, *, pixels: int = 200, size: float = 10.0) -> GeoBox:
    top = bottom + pixels * size
    return GeoBox((pixels, pixels), Affine(size, 0, left, 0, -size, top), "EPSG:4549")


HILLS = window(478_000, 3_216_000)


@pytest.mark.parametrize("field", ["gradient", "fractal", "valleys", "spots"])
def test_noise_does_not_depend_on_the_window(field):
    x, y = np.arange(300) * 20.0 + 4.0e5, np.arange(200) * 20.0 + 3.2e6

    def make(x, y):
        if field == "gradient":
            return gradient(x, y, 730.0, 5)
        if field == "spots":
            return np.stack(spots(x, y, 900.0, 5, share=0.6))
        made = {"fractal": fractal, "valleys": valleys}[field]
        return made(x, y, (4_000.0, 50.0), 5, finest=40.0)

    part = make(x[37:150], y[20:90])

    np.testing.assert_array_equal(part, make(x, y)[..., 20:90, 37:150])


def test_noise_is_standardised_and_seeds_are_unrelated():
    x = np.arange(1_500) * 25.0

    first, second = (fractal(x, x, (500.0, 50.0), seed, finest=0.0) for seed in (1, 1_000))

    assert abs(first.mean()) < 0.03
    assert abs(first.std() - 1) < 0.05
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(-(2**40), 2**70), wavelength=st.floats(20, 50_000))
def test_gradient_noise_is_bounded_and_continuous_across_cells(seed, wavelength):
    x = np.linspace(-wavelength, 2 * wavelength, 301)

    field = gradient(x, x[:5], wavelength, seed)

    assert np.isfinite(field).all()
    assert np.abs(field).max() < 3.4
    assert np.abs(np.diff(field, axis=1)).max() < 0.15  # 1/100 of a cell apart


def test_the_same_seed_gives_the_same_world_and_another_seed_another():
    again = World.build(SEED, load_units(Area()))
    other = replace(again, seed=SEED + 1)

    xr.testing.assert_identical(again.base(HILLS), world().base(HILLS))
    xr.testing.assert_identical(again.terrain(HILLS), world().terrain(HILLS))
    assert (other.base(HILLS)["kind"] != world().base(HILLS)["kind"]).mean() > 0.2


def test_a_part_of_a_window_is_the_window_in_part():
    part = HILLS[60:150, 33:120]

    terrain, state = world().terrain(part), world().base(part)

    whole = world().terrain(HILLS).isel(y=slice(60, 150), x=slice(33, 120))
    for name in ("elevation", "slope", "aspect"):
        np.testing.assert_array_equal(terrain[name].values, whole[name].values)
    whole = world().base(HILLS).isel(y=slice(60, 150), x=slice(33, 120))
    for name in ("kind", "landcover", "canopy"):
        np.testing.assert_array_equal(state[name].values, whole[name].values)


@pytest.mark.parametrize("crs", ["EPSG:32650", "EPSG:32651"])
def test_utm_and_the_local_grid_see_the_same_ground(crs):
    east, north = Transformer.from_crs("EPSG:4549", crs, always_xy=True).transform(479e3, 3217e3)
    utm = GeoBox((120, 120), Affine(10, 0, round(east), 0, -10, round(north)), crs)
    seen, height = world().base(utm), world().terrain(utm)["elevation"].values
    to_local = Transformer.from_crs(crs, "EPSG:4549", always_xy=True)
    rows, columns = np.mgrid[5:120:38, 3:120:29]

    x, y = to_local.transform(*(utm.affine @ (columns + 0.5, rows + 0.5)))

    alike = []
    for row, column, px, py in zip(rows.flat, columns.flat, x.flat, y.flat, strict=True):
        here = GeoBox((1, 1), Affine(10, 0, px - 5, 0, -10, py + 5), "EPSG:4549")
        alike.append(
            int(world().base(here)["kind"].values[0, 0]) == seen["kind"].values[row, column]
        )
        assert abs(world().terrain(here)["elevation"].values[0, 0] - height[row, column]) < 0.05
    assert all(alike)


def test_coordinates_between_knots_are_right_to_two_centimetres():
    utm = GeoBox((90, 90), Affine(613, 0, 745_000, 0, -613, 3_280_000), "EPSG:32650")

    x, y = ground(utm)

    columns, rows = np.meshgrid(np.arange(90) + 0.5, np.arange(90) + 0.5)
    exact = Transformer.from_crs("EPSG:32650", "EPSG:4549", always_xy=True).transform(
        *(utm.affine @ (columns, rows))
    )
    assert np.abs(x - exact[0]).max() < 0.02
    assert np.abs(y - exact[1]).max() < 0.02


def shares(size: float) -> dict[str, float]:
    """Tree-cover share of every county and, as ``city``, of all nine."""
    units = load_units(Area()).geometry.loc[list(FOREST_SHARES)]
    left, bottom, right, top = units.total_bounds
    whole = GeoBox(
        (int((top - bottom) / size) + 1, int((right - left) / size) + 1),
        Affine(size, 0, left, 0, -size, top),
        "EPSG:4549",
    )
    tree = world().base(whole)["canopy"].values >= FOREST_CANOPY
    shapes = [(shape, k) for k, shape in enumerate(units, start=1)]
    county = rasterize(shapes, tree.shape, transform=whole.affine)
    found = {code: float(tree[county == k].mean()) for k, code in enumerate(units.index, 1)}
    return found | {"city": float(tree[county > 0].mean())}


def test_counties_have_the_published_tree_cover():
    found = shares(200.0)

    assert 0.61 <= found.pop("city") <= 0.62
    for code, share in found.items():
        assert share == pytest.approx(FOREST_SHARES[code], abs=0.01), code


def test_canopy_keeps_the_promises_of_its_class():
    state = world().base(window(470_000, 3_205_000, pixels=500, size=60))
    canopy, tree = state["canopy"].values, np.isin(state["landcover"].values, TREE_CLASSES)

    open_wood = canopy[tree] < FOREST_CANOPY

    check(state, "landcover", "canopy")
    assert canopy[~tree].max() < FOREST_CANOPY
    assert 0.005 < open_wood.mean() < 0.06
    assert canopy[tree][~open_wood].min() >= 0.35
    assert canopy.max() <= 0.95
    assert set(np.unique(state["kind"].values)) == set(Kind)
    np.testing.assert_array_equal(LAND_OF_KIND[state["kind"].values], state["landcover"].values)


def test_mountains_stand_around_the_basin():
    def height(longitude, latitude):
        place = Transformer.from_crs("EPSG:4490", "EPSG:4549", always_xy=True)
        east, north = place.transform(longitude, latitude)
        around = window(east - 3_000, north - 3_000, pixels=60, size=100)
        return world().terrain(around)["elevation"].values

    assert np.median(height(119.70, 29.12)) < 100  # the basin at Jinhua
    assert 700 < height(120.55, 29.03).max() < 1_700  # Pan'an
    assert 700 < height(119.62, 28.70).max() < 1_900  # the south of Wuyi
    assert 700 < height(119.70, 29.27).max() < 1_600  # Jinhua Shan


def test_aspect_is_the_way_the_slope_faces():
    terrain = world().terrain(HILLS)
    z = terrain["elevation"].values
    downhill = np.hypot(*np.gradient(z, 10.0)) > 0.15
    north, east = np.gradient(z[::-1], 10.0)
    facing = np.degrees(np.arctan2(-east[::-1], -north[::-1])) % 360

    turned = (terrain["aspect"].values - facing + 180) % 360 - 180

    assert downhill.sum() > 500
    assert np.percentile(np.abs(turned[downhill]), 90) < 20
    assert ((terrain["aspect"] >= 0) & (terrain["aspect"] < 360)).all()


def test_aggregate_takes_the_majority_and_breaks_ties_by_order():
    box = GeoBox((2, 4), Affine(5, 0, 5e5, 0, -5, 3.2e6), "EPSG:4549")
    kind = np.array([[9, 9, 17, 2], [2, 9, 2, 16]], np.uint8)
    canopy = np.array([[0, 0, 0, 0.8], [0.8, 0, 0.8, 0]], np.float32)

    pixel = aggregate(state_of(kind, canopy, box), 2)

    assert pixel["kind"].values.tolist() == [[Kind.PADDY, Kind.CONIFER]]
    assert pixel["landcover"].values.tolist() == [[7, 10]]  # two water, two conifer: water first
    np.testing.assert_allclose(pixel["canopy"].values, [[0.2, 0.4]], rtol=1e-6)
    assert pixel.odc.geobox == GeoBox((1, 2), Affine(10, 0, 5e5, 0, -10, 3.2e6), "EPSG:4549")


def test_surface_is_reflectance_on_the_pixel_grid():
    state, terrain = world().base(supersample(HILLS)), world().terrain(HILLS)

    bands = surface(state, terrain, OCTOBER, seed=SEED)

    check(bands, *BAND_NAMES)
    assert bands.odc.geobox == HILLS
    values = bands.to_dataarray().values
    assert values.min() > 0
    assert values.max() < 1
    part = surface(
        state.isel(y=slice(40, 200), x=slice(20, 120)),
        terrain.isel(y=slice(20, 100), x=slice(10, 60)),
        OCTOBER,
        seed=SEED,
    )
    expected = bands.isel(y=slice(20, 100), x=slice(10, 60))
    for name in BAND_NAMES:
        np.testing.assert_allclose(part[name].values, expected[name].values, rtol=1e-6)


def uniform_ground(kind: Kind, canopy: float, when: datetime) -> xr.Dataset:
    """Mean reflectance of level ground of one kind."""
    box = window(480_000, 3_222_000, pixels=40, size=100)
    state = state_of(np.full((40, 40), kind, np.uint8), np.full((40, 40), canopy, np.float32), box)
    level = world().terrain(box) * np.float32(0)
    return surface(state, level.assign_coords(state.coords), when, seed=SEED).mean()


def ndvi(bands: xr.Dataset) -> float:
    return float((bands["nir"] - bands["red"]) / (bands["nir"] + bands["red"]))


def test_deciduous_forest_sheds_its_leaves_and_evergreen_does_not():
    shed = ndvi(uniform_ground(Kind.DECIDUOUS, 0.8, JANUARY))
    leafy = ndvi(uniform_ground(Kind.DECIDUOUS, 0.8, AUGUST))
    evergreen = ndvi(uniform_ground(Kind.EVERGREEN_BROADLEAF, 0.8, JANUARY))

    assert shed < 0.5
    assert leafy > 0.75
    assert evergreen > 0.7


def test_paddies_are_flooded_in_june_and_green_in_august():
    june, august = (uniform_ground(Kind.PADDY, 0.0, when) for when in (JUNE, AUGUST))

    assert june["green"] > june["swir16"]  # MNDWI > 0: water
    assert ndvi(june) < 0.2
    assert august["green"] < august["swir16"]
    assert ndvi(august) > 0.7


def test_spectra_have_published_magnitudes():
    forest = uniform_ground(Kind.EVERGREEN_BROADLEAF, 0.95, AUGUST)
    rape = uniform_ground(Kind.RAPE_ROTATION, 0.0, datetime(2025, 3, 26, 2, 40, tzinfo=UTC))

    assert 0.02 <= forest["red"] <= 0.035
    assert 0.28 <= forest["nir"] <= 0.40
    assert 0.12 <= forest["swir16"] <= 0.17
    assert 0.17 <= uniform_ground(Kind.BARE, 0.0, OCTOBER)["red"] <= 0.25
    assert uniform_ground(Kind.RESERVOIR, 0.0, OCTOBER)["nir"] <= 0.03
    assert rape["green"] > 0.09  # yellow flower: green and red over blue
    assert rape["red"] > 1.8 * rape["blue"]


def test_moso_changes_leaves_every_second_year():
    def may(year):
        cover, _ = spectra_on(datetime(year, 5, 5, 2, 40, tzinfo=UTC))
        return cover[Kind.MOSO_BAMBOO]

    np.testing.assert_array_equal(may(2023), may(2025))
    assert abs(may(2024)[2] - may(2025)[2]) > 0.01  # red


@pytest.mark.parametrize("kind", list(Kind))
def test_seasons_are_continuous_through_the_year(kind):
    year = [datetime(2024, 1, 1, 4, tzinfo=UTC).timestamp() + 86_400 * day for day in range(367)]

    series = np.stack([spectra_on(datetime.fromtimestamp(t, UTC))[0][kind] for t in year])

    assert np.abs(np.diff(series, axis=0)).max() < 0.025
    assert ((series > 0) & (series < 0.5)).all()


def test_sun_over_jinhua():
    # local solar noon, 20 March 2024: zenith = latitude, azimuth south (declination 0)
    equinox = sun(datetime(2024, 3, 20, 4, 7, tzinfo=UTC), 120.0, 29.1)
    winter = sun(datetime(2024, 12, 21, 2, 40, tzinfo=UTC), 120.0, 29.1)

    assert equinox.zenith == pytest.approx(29.1, abs=0.5)
    assert equinox.azimuth == pytest.approx(180, abs=2)
    assert 53 < winter.zenith < 60
    assert 150 < winter.azimuth < 170


def test_slopes_facing_the_sun_are_brighter():
    aspects = xr.DataArray(np.float32([[150, 330, 0]]), dims=("y", "x"))
    slopes = xr.DataArray(np.float32([[30, 30, 0]]), dims=("y", "x"))
    terrain = xr.Dataset({"slope": slopes, "aspect": aspects})

    low = Sun(azimuth=150, zenith=60)

    np.testing.assert_allclose(
        cosine_of_incidence(terrain, low).values, [[np.cos(np.pi / 6), 0, 0.5]], atol=1e-6
    )
    # facing: 1 + 0.3 (0.866 / 0.5 - 1); turned away: shade 0.55 of 0.7; level: 1
    np.testing.assert_allclose(illumination(terrain, low).values, [[1.2196, 0.385, 1]], atol=1e-3)


def test_bad_input_is_named():
    units = load_units(Area())
    state, terrain = world().base(HILLS), world().terrain(HILLS)
    rotated = GeoBox((5, 5), Affine.rotation(20) * Affine.scale(10), "EPSG:4549")

    with pytest.raises(ConfigError, match="330727 missing"):
        World.build(1, units.drop("330727"))
    with pytest.raises(ContractError, match="axes along"):
        world().base(rotated)
    with pytest.raises(ContractError, match="no time zone"):
        surface(state, terrain, datetime(2024, 8, 1), seed=1)
    with pytest.raises(ContractError, match="night"):
        surface(state, terrain, datetime(2024, 8, 1, 16, tzinfo=UTC), seed=1)
    with pytest.raises(GridMismatch, match="does not nest"):
        surface(state.isel(x=slice(0, 150)), terrain, AUGUST, seed=1)
    with pytest.raises(GridMismatch, match="whole pixels"):
        aggregate(state, 3)
    with pytest.raises(GridMismatch, match="shape"):
        state_of(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.float32), HILLS)
    with pytest.raises(ContractError, match="at least one"):
        supersample(HILLS, 0)
