"""Orbits, sky, scene classification and scenes of the twin, on ground that is plain to see."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import xarray as xr
from odc.geo.xr import xr_coords
from shapely import box, prepare
from shapely.geometry import shape

from jinhua_rs.catalog import load_profile, to_scene
from jinhua_rs.catalog.hrefs import Access
from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.period import Period
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.twin.items import Product
from jinhua_rs.twin.lattice import ground
from jinhua_rs.twin.orbits import ORBITS, TILES, acquisitions, evenly, processings
from jinhua_rs.twin.plots import lay, plots
from jinhua_rs.twin.publish import publish, published, read_item
from jinhua_rs.twin.scenes import Painter, moment
from jinhua_rs.twin.scl import MaskFaults, SceneClass, classify, cloud_cut, confusion
from jinhua_rs.twin.sky import Overcast, Sky, cover, veil
from jinhua_rs.twin.world import Kind, state_of

EAST, WEST = ORBITS
NORTH_WEST = TILES[1]
AUTUMN = Period.parse("2024Q4")
MIDDLE = box(470_000, 3_190_000, 500_000, 3_215_000)
"""A piece of ground that 50RQS and 50RQT share, and that both orbits see."""
SHARED = Path(os.environ.get("JINHUA_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


class Plain:
    """A flat world: conifers, with a town of 4 km in every 16 km."""

    def base(self, geobox):
        x, y = ground(geobox)
        town = (x % 16_000 < 4_000) & (y % 16_000 < 4_000)
        kind = np.where(town, Kind.BUILT_DENSE, Kind.CONIFER).astype("uint8")
        return state_of(kind, np.where(town, 0, 0.8).astype("float32"), geobox)

    def terrain(self, geobox):
        level = np.zeros(tuple(geobox.shape), "float32")
        names = ("elevation", "slope", "aspect")
        return xr.Dataset(dict.fromkeys(names, (("y", "x"), level)), coords=xr_coords(geobox))


def passes_of(orbit, period=AUTUMN):
    return [one for one in acquisitions(period) if one.orbit is orbit]


def mesh(left, bottom, *, side=60_000, step=240):
    return np.meshgrid(
        np.arange(left, left + side, float(step)), np.arange(bottom, bottom + side, float(step))
    )


def weather(**changes):
    made = Sky(key=77, cover=0.4, convective=0.3, thin=0.1, haziness=0.01, sun=(155.0, 45.0))
    return replace(made, **changes)


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """One clear-ish pass over the two tiles that share ``MIDDLE``."""
    folder = tmp_path_factory.mktemp("ground")
    painter = Painter(MIDDLE, seed=5, resolution=60.0)
    passes = passes_of(EAST)
    acquisition = min(passes, key=lambda one: abs(painter.cover(one) - 0.3))
    found = {}
    for tile in TILES[:2]:
        strips = plots(tile, 60.0, MIDDLE, folder)
        for strip in strips:
            lay(Plain(), (), [moment(acquisition).date()], strip)
        found[tile.name] = painter.paint(acquisition, tile, strips)
    return painter, acquisition, found


def test_a_tile_at_10_m_is_the_real_tile():
    grids = TILES[2].grids(10)

    assert grids[10].shape == (10_980, 10_980)
    assert grids[20].shape == (5_490, 5_490)
    assert str(grids[10].crs) == "EPSG:32651"
    assert tuple(grids[20].affine)[:6] == (20, 0, 199_980, 0, -20, 3_200_040)


@pytest.mark.parametrize("resolution", [10, 60, 70, 240, 333])
def test_two_by_two_fine_pixels_are_one_coarse_pixel(resolution):
    grids = NORTH_WEST.grids(resolution)

    assert grids[10].boundingbox == grids[20].boundingbox
    assert grids[10].shape.x == 2 * grids[20].shape.x
    assert 0 <= grids[20].shape.x * 2 * resolution - 109_800 < 2 * resolution


def test_each_orbit_is_flown_every_five_days_by_satellites_in_turn():
    for orbit in ORBITS:
        passes = passes_of(orbit)

        gaps = {later.start - earlier.start for earlier, later in pairwise(passes)}
        assert gaps == {timedelta(days=5)}
        assert {one.unit for one in passes} == {"S2A", "S2B"}
        assert all(a.unit != b.unit for a, b in pairwise(passes))


def test_2c_follows_2a_and_one_satellite_flew_alone_at_first():
    january = [one.unit for one in passes_of(EAST, Period.parse("2025Q1"))]
    early = passes_of(WEST, Period.parse("2016Q3"))

    assert january.index("S2C") > max(i for i, unit in enumerate(january) if unit == "S2A")
    assert {one.unit for one in early} == {"S2A"}
    assert {b.start - a.start for a, b in pairwise(early)} == {timedelta(days=10)}


def test_passes_come_in_the_morning_with_orbits_that_count_up():
    for one in acquisitions(Period.parse("2024")):
        clock = one.sensed(NORTH_WEST)
        assert (clock.hour, clock.minute) in {(2, minute) for minute in range(40, 56)}
        assert Period.parse("2024").contains(clock)
        ahead = {"S2A": 3, "S2B": -26}[one.unit]
        assert (one.absolute + ahead) % 143 == one.orbit.number % 143


def test_the_west_and_the_east_are_each_seen_by_one_orbit_and_the_middle_by_both():
    x, y = np.array([430_000.0, 467_000.0, 540_000.0]), np.full(3, 3_220_000.0)

    assert EAST.seen(x, y).tolist() == [False, True, True]
    assert WEST.seen(x, y).tolist() == [True, True, False]


@pytest.mark.parametrize("period", ["2019Q4", "2021Q4", "2022Q1", "2024Q4"])
def test_offset_is_in_what_was_processed_with_baseline_4_or_later(period):
    made = [made for one in acquisitions(Period.parse(period)) for made in processings(one)]

    assert {(one.baseline >= "04.00", one.offset) for one in made} <= {(True, 1000), (False, 0)}
    assert len({one.offset for one in made}) == (1 if period == "2024Q4" else 2)


def test_every_pass_since_the_offset_came_exists_once():
    passes = acquisitions(Period.parse("2022Q2"))

    assert {tuple(one.baseline for one in processings(each)) for each in passes} == {("04.00",)}


def test_before_2022_some_passes_exist_twice_and_the_newer_has_the_offset():
    kinds = [
        tuple(m.baseline for m in processings(one)) for one in passes_of(EAST, Period(2019, 4))
    ]

    assert {("02.13", "05.00"), ("05.00",), ("02.13",)} == set(kinds)
    old, new = next(
        processings(one) for one in passes_of(EAST, Period(2019, 4)) if len(processings(one)) == 2
    )
    assert (old.offset, new.offset) == (0, 1000)
    assert old.superseded
    assert not new.superseded
    assert old.generated < new.generated


def test_a_cap_keeps_the_clearest_and_spreads_over_orbits_and_time():
    passes = acquisitions(AUTUMN)
    covers = [0.5] * len(passes)
    covers[2], covers[3] = 0.0, 0.1

    kept = evenly(passes, covers, 8)

    assert len(kept) == 8
    assert passes[2] in kept
    assert [one.orbit.number for one in kept].count(89) == 4
    assert kept == sorted(kept, key=lambda one: one.start)
    assert (kept[-1].start - kept[0].start).days > 60
    assert evenly(passes, covers, None) == passes
    with pytest.raises(ConfigError, match="at least one date"):
        evenly(passes, covers, 0)


def test_clouds_follow_the_seasons():
    rng = np.random.default_rng(1)

    june, november, never = (
        np.array([cover(rng, month, factor) for _ in range(3_000)])
        for month, factor in ((6, 1.0), (11, 1.0), (6, 0.0))
    )

    assert 0.76 < june.mean() < 0.88
    assert 0.42 < november.mean() < 0.54
    assert 0.04 < (november > 0.97).mean() < 0.25
    assert not never.any()


def test_the_same_place_has_the_same_sky_whatever_the_window():
    sky = weather()
    x, y = mesh(480_000, 3_200_000)

    whole, part = sky.over(x, y), sky.over(x[100:180, 50:90], y[100:180, 50:90])

    for name in Overcast.__slots__:
        np.testing.assert_allclose(
            getattr(whole, name)[100:180, 50:90], getattr(part, name), atol=2e-5
        )


def test_cover_of_the_frame_is_what_was_drawn():
    for share in (0.1, 0.4, 0.8):
        sky = weather(cover=share, convective=share / 2, thin=0.0)

        assert sky.frame.cloud.mean() == pytest.approx(share, abs=0.06)


def test_a_shadow_lies_away_from_the_sun_by_height_over_tangent():
    sky = weather(convective=0.4, thin=0.0, sun=(135.0, 45.0))
    x, y = mesh(480_000, 3_200_000, side=30_000)
    away = 1_400 / np.sqrt(2)

    shadow, cloud = sky.over(x - away, y + away).shadow, sky.over(x, y).opacity

    np.testing.assert_allclose(shadow, cloud, atol=2e-4)
    assert cloud.max() > 0.9


def test_doubling_keeps_means_and_halves_the_step():
    values = np.arange(12, dtype="float32").reshape(3, 4)
    fine = Overcast(values, values, values, values).doubled().opacity

    assert fine.shape == (6, 8)
    assert fine[1, 1] == pytest.approx(0.25 * 0.25 * 5 + 0.75 * 0.25 * (1 + 4))
    assert fine.reshape(3, 2, 4, 2).mean((1, 3))[1, 1] == pytest.approx(values[1, 1])


def test_cloud_is_bright_shadow_is_blue_and_a_clear_sky_changes_nothing():
    ground_ = np.full((1, 3), 0.3, "float32")
    row = [np.array([part], "float32") for part in ([1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0])]
    sky = Overcast(*row)

    blue, nir = veil("blue", ground_, sky)[0], veil("nir", ground_, sky)[0]

    assert blue[0] > 0.6
    assert nir[0] > 0.6
    assert nir[1] < blue[1] < 0.3
    assert blue[2] == nir[2] == pytest.approx(0.3)


def plain_surface(shape):
    """Conifers with towns; a brightness that varies a little from pixel to pixel."""
    rng = np.random.default_rng(3)
    town = np.zeros(shape, bool)
    town[:, : shape[1] // 10] = True
    bands = {
        "blue": (0.03, 0.12),
        "green": (0.05, 0.14),
        "red": (0.035, 0.16),
        "nir": (0.26, 0.22),
        "swir16": (0.12, 0.24),
    }
    return {
        name: (np.where(town, high, low) + 0.01 * rng.standard_normal(shape)).astype("float32")
        for name, (low, high) in bands.items()
    }


def test_the_mask_errs_about_as_much_as_sen2cor_does():
    missed, lost, shadow = [], [], []
    x, y = mesh(460_000, 3_180_000, side=60_000)
    surface = plain_surface(x.shape)
    faults = MaskFaults()
    for key in range(6):
        sky = weather(key=1_000 * key, cover=0.35, convective=0.2 + 0.02 * key)
        sight = sky.over(x, y)
        cut = cloud_cut(sky.frame, faults, np.random.default_rng(key))

        found = confusion(classify(surface, sight, sky.patches(x, y), cut, faults), sight)

        missed.append(found.cloud_missed / found.cloud)
        lost.append(found.clear_lost / found.clear)
        shadow.append(found.shadow_missed / found.shadow)
    assert 0.09 < np.mean(missed) < 0.17
    assert 0.03 < np.mean(lost) < 0.06
    assert 0.15 < np.mean(shadow) < 0.45


def test_a_mask_without_faults_misses_nothing():
    none = MaskFaults(cloud_omission=0, cloud_commission=0, shadow_omission=0, unclassified=0)
    x, y = mesh(460_000, 3_180_000, side=40_000)
    sky = weather(convective=0.4, thin=0.0)
    sight = sky.over(x, y)
    cut = cloud_cut(sky.frame, none, np.random.default_rng(0))

    classes = classify(plain_surface(x.shape), sight, np.zeros(x.shape, "float32"), cut, none)

    found = confusion(classes, sight)
    assert found.cloud > 1_000
    assert found.cloud_missed == 0
    assert not (classes == SceneClass.UNCLASSIFIED).any()
    assert (classes[:, -1][sight.clear[:, -1]] == SceneClass.VEGETATION).mean() > 0.9


def test_rates_beyond_a_share_are_refused():
    with pytest.raises(ConfigError, match="cloud_omission"):
        MaskFaults(cloud_omission=1.5)


def test_neighbouring_tiles_agree_on_shared_ground(painted):
    _, _, found = painted
    pieces = []
    for tile in TILES[:2]:
        rows, columns = found[tile.name].window
        grid = tile.grids(60.0)[20][rows, columns]
        for name in ("nir08", "swir16"):
            numbers = xr.DataArray(
                found[tile.name].digits[name].astype("float64"),
                {key: values.values for key, values in xr_coords(grid).items() if key in "xy"},
                ("y", "x"),
            )
            pieces.append(numbers)

    for south, north in (pieces[0::2], pieces[1::2]):
        one, other = xr.align(south, north, join="inner")

        sigma = np.sqrt(2) * (20 + 0.01 * one)
        assert one.size > 5_000
        assert float((abs(one - other) < 5 * sigma).mean()) > 0.999
        assert not one.equals(other), "each tile has its own sensor noise"


def test_nothing_is_painted_where_nothing_is_seen():
    far_east = box(560_000, 3_200_000, 575_000, 3_215_000)
    painter = Painter(far_east, seed=5, resolution=60.0)
    (west, *_) = passes_of(WEST)

    assert painter.window(west, TILES[2]) is None
    with pytest.raises(NoDataError, match="orbit 132"):
        painter.paint(west, TILES[2], ())


@pytest.mark.parametrize("dialect", ["sentinel-2-c1-l2a", "sentinel-2-l2a"])
def test_a_product_is_a_cog_with_the_offset_its_item_declares(painted, tmp_path, dialect):
    painter, acquisition, found = painted
    processing = processings(acquisition)[0]
    product = Product(acquisition, processing, NORTH_WEST, dialect)
    one = found["50RQT"]

    publish(tmp_path, product, one, painter.resolution)

    assert published(tmp_path, product)
    folder = tmp_path / "scenes" / product.id
    with rasterio.open(folder / "nir08.tif") as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.shape == NORTH_WEST.grids(60.0)[20].shape
        assert raster.nodata == 0
        numbers = raster.read(1)
        assert raster.tags()["SIMULATED"] == "YES"
    with rasterio.open(folder / "red.tif") as raster:
        assert raster.overviews(1)
        assert raster.block_shapes == [(512, 512)]
    rows, columns = one.window
    seen = one.classes > 0
    added = 1000 if dialect == "sentinel-2-c1-l2a" else 0
    expected = np.maximum(one.digits["nir08"] + added, 1)
    np.testing.assert_array_equal(numbers[rows, columns][seen], expected[seen])
    assert not numbers[rows, columns][~seen].any()
    assert np.count_nonzero(numbers) == np.count_nonzero(seen)


def test_an_item_is_read_by_pystac_and_by_the_catalogue(painted, tmp_path):
    painter, acquisition, found = painted
    product = Product(acquisition, processings(acquisition)[0], NORTH_WEST, "sentinel-2-c1-l2a")
    publish(tmp_path, product, found["50RQT"], painter.resolution)
    entry = read_item(tmp_path, product.id)

    pystac.Item.from_dict(entry | {"stac_extensions": []}).validate()
    profile = load_profile("local")
    scene = to_scene(
        entry,
        profile,
        access=Access(roots=(tmp_path.resolve(),)),
        base=str(tmp_path / "items" / f"{product.id}.json"),
    )

    assert entry["properties"]["jinhua:simulated"] is True
    assert "SIMULATED" in entry["properties"]["title"]
    assert scene.offset == -1000
    assert scene.tile == "50RQT"
    assert scene.acquired == acquisition.sensed(NORTH_WEST).replace(
        microsecond=scene.acquired.microsecond
    )
    assert set(scene.assets) == {*BAND_NAMES, "scl"}
    assert Path(scene.assets["red"].href).is_file()
    assert scene.cloud == pytest.approx(entry["properties"]["eo:cloud_cover"])
    outline = shape(entry["geometry"])
    prepare(outline)
    assert outline.is_valid
    assert outline.area > 0.05


def test_items_have_the_fields_of_the_real_service(painted, tmp_path):
    folder = SHARED / "stac_items" / "earth_search_v1"
    if not folder.is_dir():
        pytest.skip(f"no recorded items in {folder}; set JINHUA_SHARED_DATA")
    painter, acquisition, found = painted
    for dialect in ("sentinel-2-c1-l2a", "sentinel-2-l2a"):
        product = Product(acquisition, processings(acquisition)[0], NORTH_WEST, dialect)
        publish(tmp_path, product, found["50RQT"], painter.resolution)
        ours = read_item(tmp_path, product.id)
        real = json.loads(sorted((folder / dialect).glob("S2B*.json"))[0].read_text("utf-8"))

        own = {"title", "jinhua:simulated", "s2:dark_features_percentage"}
        assert set(ours["properties"]) - own <= set(real["properties"]) | {"s2:sequence"}
        for band in (*BAND_NAMES, "scl"):
            theirs = {key for key in real["assets"][band] if not key.startswith("file:")}
            assert {key for key in ours["assets"][band] if not key.startswith("file:")} == theirs
            if band != "scl":
                assert ours["assets"][band]["eo:bands"][0]["center_wavelength"] == pytest.approx(
                    real["assets"][band]["eo:bands"][0]["center_wavelength"], abs=0.01
                )


def test_an_older_processing_keeps_its_own_name():
    acquisition = next(
        one for one in passes_of(EAST, Period(2019, 4)) if len(processings(one)) == 2
    )

    names = [
        Product(acquisition, made, NORTH_WEST, dialect, sequence).id
        for dialect in ("sentinel-2-c1-l2a", "sentinel-2-l2a")
        for sequence, made in enumerate(processings(acquisition))
    ]

    assert len(set(names)) == 4
    assert names[0].endswith("_L2A_N0213")
    assert names[3].endswith("_1_L2A")
