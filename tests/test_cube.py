"""Reading: one look a day, every asset at its door, and what becomes of broken ones."""

import itertools
import shutil
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from asset_server import Files, serving_files
from builders import X0, Y0, scene
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import from_origin
from shapely.affinity import translate

from jinhua_rs import cube, opening
from jinhua_rs.errors import ContractError

GEOBOX = GeoBox.from_bbox((X0 + 200, Y0 - 800, X0 + 800, Y0 - 200), crs="EPSG:4549", resolution=10)
BANDS = ("red", "nir")
UNSEEN = -32768


@dataclass
class Scl:
    """Vegetation, bare, water and unclassified are clear; keeps what it was given."""

    bands: tuple[str, ...] = ("scl",)
    rim_m: float = 0.0

    def clear(self, layers, scene, geobox):
        self.given, self.scene, self.geobox = layers, scene, geobox
        return np.isin(layers["scl"], (4, 5, 6, 7))


def read(scenes, bands=BANDS, *, geobox=GEOBOX, masker=None, **how):
    return cube.read(scenes, geobox, bands, masker or Scl(), **how)


def numbers(red, nir, shape=(110, 110)):
    return {"red": np.full(shape, red), "nir": np.full(shape, nir)}


def noise(seed, shape=(110, 110)):
    rng = np.random.default_rng(seed)
    return {name: rng.integers(1, 9000, shape) for name in BANDS}


def with_hrefs(one, **hrefs):
    changed = {band: replace(one.assets[band], href=str(href)) for band, href in hrefs.items()}
    return replace(one, assets={**one.assets, **changed})


def band(looks, name, day=0):
    return looks["reflectance"].sel(band=name).isel(time=day).to_numpy()


# --- looks -------------------------------------------------------------------------------------


def test_the_offset_is_removed_exactly_once(tmp_path):
    before = scene(tmp_path, numbers(300, 3300), id="before", day=1)
    after = scene(tmp_path, numbers(1300, 4300), id="after", offset=-1000, day=6)

    looks = read([before, after]).looks

    assert looks["reflectance"].dims == ("band", "time", "y", "x")
    assert looks["reflectance"].dtype == np.int16 and looks["clear"].dtype == bool
    assert looks["reflectance"].attrs["scale_factor"] == 1e-4
    assert list(looks["time"].dt.day.to_numpy()) == [1, 6]
    assert (looks["reflectance"].sel(band="red") == 300).all()
    assert (looks["reflectance"].sel(band="nir") == 3300).all()
    assert looks["clear"].all()
    assert looks.odc.geobox == GEOBOX


def test_no_data_is_not_reflectance_zero(tmp_path):
    values = numbers(1000, 3300)
    values["red"][:, :50] = 0

    looks = read([scene(tmp_path, values, offset=-1000)]).looks

    assert (band(looks, "red")[:, 0] == UNSEEN).all()
    assert (band(looks, "red")[:, -1] == 0).all()
    assert (band(looks, "nir") == 2300).all()
    assert not looks["clear"][0, :, 0].any(), "seen in one band is not seen"
    assert looks["clear"][0, :, -1].all()


def test_the_number_for_no_data_that_a_file_names_is_not_seen_either(tmp_path):
    one = scene(tmp_path, numbers(7, 3300))
    with rasterio.open(one.assets["red"].href, "r+") as file:
        file.nodata = 7

    assert (band(read([one]).looks, "red") == UNSEEN).all()


def test_the_ground_stays_in_place_across_the_warp(tmp_path):
    """A bright square is found where it was put, to a tenth of a pixel."""
    values = numbers(300, 3300)
    values["red"][40:60, 40:60] = 5000
    one = scene(tmp_path, values)
    looks = read([one]).looks
    bright = looks["reflectance"].sel(band="red").isel(time=0) > 2500

    a, _, x, _, e, y = one.assets["red"].transform
    expected = Transformer.from_crs(one.crs, "EPSG:4549", always_xy=True).transform(
        x + a * 50, y + e * 50
    )
    found = (
        float((bright * bright.x).sum() / bright.sum()),
        float((bright * bright.y).sum() / bright.sum()),
    )
    assert found == pytest.approx(expected, abs=1.0)


def two_of_a_day(folder):
    """Zone 50 sees the west and zone 51 the east; where both see, zone 50 is cloudy in part."""
    west, east = numbers(300, 3300, (140, 140)), numbers(1500, 4300, (140, 140))
    for values in west.values():
        values[:, 70:] = 0
    for values in east.values():
        values[:, :30] = 0
    cloudy = np.full((140, 140), 4)
    cloudy[60:80] = 9
    first = scene(folder, west, id="zone50", scl=cloudy)
    second = scene(folder, east, id="zone51", scl=4, offset=-1000, crs="EPSG:32651")
    return first, second


def test_two_zones_of_one_day_become_one_look(tmp_path):
    """Clear before cloudy, then the first by name; a spectrum comes from one scene."""
    first, second = two_of_a_day(tmp_path)

    looks = read([second, first]).looks

    assert looks.sizes["time"] == 1
    red, nir = band(looks, "red"), band(looks, "nir")
    from_first, from_second = red == 300, red == 500
    assert (from_first | from_second).all()
    assert (nir[from_first] == 3300).all() and (nir[from_second] == 3300).all()
    assert from_first[0, :10].all() and from_second[:, -5:].all()
    cloudy = np.flatnonzero(~looks["clear"][0, :, 0])
    assert 15 < cloudy.size < 25, "only zone 50 sees the far west, cloud and all"
    assert from_first[cloudy, 0].all()
    inner = cloudy[2:-2]  # rows of the two grids are not quite parallel
    assert from_second[inner, 30].all() and looks["clear"][0, :, 30].all()


def test_a_scene_that_can_better_nothing_is_not_read(tmp_path):
    first = scene(tmp_path, numbers(300, 3300), id="a")
    second = scene(tmp_path, numbers(900, 900), id="b")
    Path(second.assets["red"].href).unlink()

    found = read([second, first])

    assert found.broken == {} and (band(found.looks, "red") == 300).all()


@pytest.mark.parametrize("only_clear", [False, True])
def test_cloud_deep_inside_a_scene_is_not_cleared_by_its_neighbour(tmp_path, only_clear):
    """Both show one sky; only in the rim of its footprint may the other know better."""
    shape = (320, 320)
    first = scene(tmp_path, numbers(300, 3300, shape), id="a", scl=9)
    second = scene(tmp_path, numbers(900, 900, shape), id="b", scl=4)
    geobox = GeoBox.from_bbox(
        (X0, Y0 - 3000, X0 + 3000, Y0), "EPSG:4549", resolution=10, tight=True
    )

    looks = read([second, first], geobox=geobox, only_clear=only_clear).looks

    clear = looks["clear"].isel(time=0).to_numpy()
    assert not clear[120:180, 120:180].any()
    assert clear[20:280, 10:80].all() and clear[20:80, 20:280].all()


def test_only_what_may_be_better_is_read_of_a_second_scene(tmp_path):
    """The first is cloudy in the far corner alone; of the second the last rows are cut off."""
    cloud = np.full((110, 110), 4)
    cloud[20:40, 20:40] = 9
    first = scene(tmp_path, numbers(300, 3300), id="a", scl=cloud)
    second = scene(tmp_path, noise(0), id="b")
    whole = read([second]).looks
    path = Path(second.assets["red"].href)
    path.write_bytes(path.read_bytes()[:18_000])

    found = read([second, first])

    assert found.broken == {} and found.looks["clear"].all()
    red = band(found.looks, "red")
    from_second = red != 300
    assert 300 < from_second.sum() <= 400
    assert np.abs(red - band(whole, "red").astype(int))[from_second].max() <= 1


def test_only_what_is_clear_may_be_read(tmp_path):
    first, second = two_of_a_day(tmp_path)
    cloudy = scene(tmp_path, noise(2), id="cloudy", day=2, scl=9)
    for name in BANDS:
        Path(cloudy.assets[name].href).unlink()
    expected = read([first, second]).looks

    found = read([first, second, cloudy], only_clear=True)

    assert found.broken == {}, "a day under cloud is not even opened"
    assert found.looks["clear"].identical(expected["clear"])
    clear = expected["clear"].to_numpy()
    for name in BANDS:
        pixels = found.looks["reflectance"].sel(band=name).to_numpy()
        assert (pixels[~clear] == UNSEEN).all() and not clear.all()
        assert (pixels == expected["reflectance"].sel(band=name).to_numpy())[clear].all()


def test_the_order_of_scenes_does_not_matter(tmp_path):
    first, second = two_of_a_day(tmp_path)
    others = [
        scene(tmp_path, noise(day), id=f"d{day}", day=day, scl=np.arange(110) % 11)
        for day in (2, 3)
    ]
    scenes = [first, second, *others]
    expected = read(scenes).looks

    for order in itertools.islice(itertools.permutations(scenes), 0, None, 5):
        assert read(order).looks.identical(expected)


def test_gdal_reads_the_same_looks(tmp_path):
    scenes = [*two_of_a_day(tmp_path), scene(tmp_path, noise(2), id="noise", day=2)]

    ours, gdals = read(scenes), read(scenes, engine="library")

    difference = abs(ours.looks["reflectance"].astype(int) - gdals.looks["reflectance"].astype(int))
    assert difference.quantile(0.99) <= 4, "GDAL is 5e-4 of a pixel off, noise steps by 9000"
    assert (ours.looks["clear"] == gdals.looks["clear"]).mean() > 0.999


def test_a_grid_may_be_read_in_pieces(tmp_path):
    scenes = [scene(tmp_path, noise(1))]
    whole = read(scenes).looks["reflectance"].to_numpy().astype(int)

    halves = [read(scenes, geobox=GEOBOX[:, part]) for part in (slice(0, 25), slice(25, 60))]

    joined = np.concatenate([half.looks["reflectance"].to_numpy() for half in halves], axis=-1)
    assert np.abs(joined - whole).max() <= 1


def test_coarse_pixels_are_averages(tmp_path):
    values = numbers(300, 3300, (140, 140))
    values["red"][::2] = 500
    coarse = GeoBox.from_bbox(GEOBOX.boundingbox, resolution=60)

    looks = read([scene(tmp_path, values)], geobox=coarse).looks

    assert np.abs(band(looks, "red") - 400).max() <= 20
    assert (band(looks, "nir") == 3300).all()


# --- nothing to read ---------------------------------------------------------------------------


def test_no_scene_gives_no_layer():
    looks = read([]).looks

    assert dict(looks.sizes) == {"band": 2, "time": 0, "y": 60, "x": 60}


def test_scenes_elsewhere_are_not_opened(tmp_path):
    here = scene(tmp_path, numbers(300, 3300))
    elsewhere = replace(here, footprint=translate(here.footprint, 0.5, 0))
    beside = replace(here, assets={
        name: replace(asset, transform=(10, 0, 1e5, 0, -10, 1e6))
        for name, asset in here.assets.items()
    })  # fmt: skip
    shutil.rmtree(tmp_path)

    found = read([elsewhere, beside])

    assert found.looks.sizes["time"] == 0 and found.broken == {}


def test_a_day_that_shows_nothing_makes_no_layer(tmp_path):
    empty = scene(tmp_path, numbers(0, 0), id="empty", scl=0, day=1)
    full = scene(tmp_path, numbers(300, 3300), id="full", day=2)

    looks = read([empty, full]).looks

    assert list(looks["time"].dt.day.to_numpy()) == [2]
    assert (band(looks, "red") == 300).all()


def test_a_missing_band_is_refused(tmp_path):
    one = scene(tmp_path, numbers(1, 1))

    with pytest.raises(ContractError, match="swir16"):
        read([one], (*BANDS, "swir16"))
    with pytest.raises(ContractError, match="green"):
        read([one], masker=Scl(bands=("scl", "green")))
    with pytest.raises(ContractError, match="swir16"):
        cube.inspect(one, ("swir16",))


# --- the masker --------------------------------------------------------------------------------


def test_the_masker_sees_native_pixels_and_a_rim(tmp_path):
    one = scene(tmp_path, numbers(300, 3300), scl=np.arange(110) % 7)
    narrow, wide = Scl(), Scl(rim_m=100)

    read([one], masker=narrow)
    read([one], masker=wide)

    assert narrow.scene is one and str(narrow.geobox.crs) == "EPSG:32650"
    rows, columns = narrow.geobox.shape
    assert wide.geobox.shape == (rows + 20, columns + 20)
    assert wide.given["scl"].shape == wide.geobox.shape and wide.given["scl"].dtype == np.uint8
    first = round((wide.geobox.affine.c - one.assets["scl"].transform[2]) / 10)
    assert (wide.given["scl"][0] == (np.arange(columns + 20) + first) % 7).all()


def test_the_masker_gets_further_bands_on_its_own_pixels(tmp_path):
    """Here scl has pixels of 20 m and red of 10 m: red comes as numbers, averaged."""
    values = numbers(1300, 4300)
    values["red"][:, ::2] = 1500
    values["red"][:60, :60] = 0
    one = scene(tmp_path, values, offset=-1000)
    href = tmp_path / "coarse.scl.tif"
    _, _, x, _, _, y = one.assets["scl"].transform
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "crs": one.crs, "nodata": 0}
    grid = {"width": 55, "height": 55, "transform": from_origin(x, y, 20, 20)}
    with rasterio.open(href, "w", **profile, **grid) as file:
        file.write(np.full((55, 55), 4, "uint8"), 1)
    asset = replace(one.assets["scl"], href=str(href), transform=None, shape=None)
    masker = Scl(bands=("scl", "red"), rim_m=40)

    looks = read([replace(one, assets={**one.assets, "scl": asset})], masker=masker).looks

    assert masker.geobox.resolution.x == 20
    assert masker.given["red"].shape == masker.given["scl"].shape == masker.geobox.shape
    assert set(np.unique(masker.given["red"])) == {0, 1400}
    assert looks["clear"][0, -1].all() and not looks["clear"][0, 0, 0]


@pytest.mark.parametrize("answer", [np.ones((3, 3), bool), np.ones((60, 60))])
def test_a_mask_of_other_pixels_is_refused(tmp_path, answer):
    class Wrong(Scl):
        def clear(self, *_):
            return answer

    with pytest.raises(ContractError, match="mask"):
        read([scene(tmp_path, numbers(300, 3300))], masker=Wrong())


# --- the door ----------------------------------------------------------------------------------


def rewritten(path, **changes):
    """Write a raster again with another profile."""
    with rasterio.open(path) as file:
        profile, pixels = file.profile, file.read()
    profile.update(changes)
    if "count" in changes:
        pixels = np.repeat(pixels, changes["count"], axis=0)
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels.astype(profile["dtype"]))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"crs": "EPSG:32651"}, "CRS"),
        ({"crs": None}, "CRS"),
        ({"count": 2}, "2 bands"),
        ({"dtype": "float32"}, "float32"),
        ({"dtype": "int32", "nodata": None}, "int32"),
        ({"transform": from_origin(300_000, 3_500_000, 10, 10)}, "transform"),
        ({"transform": from_origin(7e5, 3.3e6, 5000, 5000)}, "pixels of"),
        ({"transform": from_origin(7e5, 3.3e6, 0.1, 0.1)}, "pixels of"),
        ({"transform": rasterio.Affine.identity()}, "transform"),
        ({"transform": None, "crs": None}, "no transform"),
    ],
)
def test_a_header_that_cannot_be_true_is_refused(tmp_path, changes, reason):
    one = scene(tmp_path, numbers(300, 3300))
    assert cube.inspect(one, (*BANDS, "scl")) == {}
    rewritten(one.assets["red"].href, **changes)

    found = cube.inspect(one, (*BANDS, "scl"))

    assert set(found) == {"red"} and reason in found["red"]
    assert set(read([one]).broken) == {f"{one.id}/red"}


def test_a_grid_that_lies_elsewhere_is_refused_though_the_item_says_nothing(tmp_path):
    one = scene(tmp_path, numbers(300, 3300))
    mute = replace(one, assets={
        name: replace(asset, transform=None, shape=None) for name, asset in one.assets.items()
    })  # fmt: skip
    assert cube.inspect(mute, BANDS) == {}
    _, _, x, _, _, y = one.assets["red"].transform
    rewritten(one.assets["red"].href, transform=from_origin(x + 2_500, y, 10, 10))

    assert "footprint" in cube.inspect(mute, BANDS)["red"]


def test_classes_of_another_kind_are_refused(tmp_path):
    one = scene(tmp_path, numbers(300, 3300))
    rewritten(one.assets["scl"].href, dtype="uint16")

    assert "scene classes are uint8" in cube.inspect(one, (*BANDS, "scl"))["scl"]
    got = read([one])
    assert set(got.broken) == {f"{one.id}/scl"}
    assert got.looks.sizes["time"] == 0, "never used unmasked"


def test_another_size_than_the_item_says_is_refused(tmp_path):
    one = scene(tmp_path, numbers(300, 3300))
    asset = replace(one.assets["scl"], shape=(55, 55))

    found = cube.inspect(replace(one, assets={**one.assets, "scl": asset}), ("scl",))

    assert "size" in found["scl"]


def test_files_too_large_to_be_true_are_refused(tmp_path):
    one = scene(tmp_path, numbers(300, 3300))
    for name, size, blocks in (
        ("red", 40_016, {"blockxsize": 512, "blockysize": 512}),
        ("nir", 16_384, {"blockxsize": 16_384, "blockysize": 16_384}),
    ):
        with rasterio.open(one.assets[name].href) as file:
            profile = file.profile
        profile.update(width=size, height=size, tiled=True, sparse_ok=True, compress="deflate")
        with rasterio.open(one.assets[name].href, "w", **{**profile, **blocks}):
            pass
    mute = replace(one, assets={
        name: replace(asset, transform=None, shape=None) for name, asset in one.assets.items()
    })  # fmt: skip

    found = cube.inspect(mute, BANDS)

    assert "40016" in found["red"] and "blocks" in found["nir"]


def test_what_is_gone_is_said_to_be_missing(tmp_path):
    one = scene(tmp_path, numbers(300, 3300), id="gone")
    Path(one.assets["nir"].href).unlink()

    assert cube.inspect(one, BANDS) == {"nir": "missing: gone.nir.tif does not exist"}
    assert read([one]).broken == {"gone/nir": "missing: gone.nir.tif does not exist"}


@pytest.mark.parametrize("suffix", [".tif", ".jp2"])
def test_a_list_of_other_files_in_disguise_leaks_nothing(tmp_path, suffix):
    """The canary holds 4242 everywhere; a VRT that names it must not bring it to light."""
    one = scene(tmp_path, numbers(300, 3300), id="vrt")
    canary = scene(tmp_path, numbers(4242, 4242), id="canary").assets["red"].href
    disguise = tmp_path / f"disguised{suffix}"
    with rasterio.open(canary) as file, rasterio.vrt.WarpedVRT(file) as vrt:
        crs, transform = vrt.crs.to_wkt(), ",".join(map(str, vrt.transform.to_gdal()))
    disguise.write_text(
        f"<VRTDataset rasterXSize='110' rasterYSize='110'><SRS>{crs}</SRS>"
        f"<GeoTransform>{transform}</GeoTransform><VRTRasterBand dataType='UInt16' band='1'>"
        f"<SimpleSource><SourceFilename>{canary}</SourceFilename><SourceBand>1</SourceBand>"
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with rasterio.open(disguise) as file:
        assert (file.read(1) == 4242).all(), "the trap works where the driver is left open"
    hostile = with_hrefs(one, red=disguise)

    found = read([hostile])

    assert found.looks.sizes["time"] == 0
    assert "is no" in found.broken["vrt/red"] and "is no" in cube.inspect(hostile, BANDS)["red"]


# --- broken in the middle ----------------------------------------------------------------------


def test_a_cut_file_is_named_and_its_scene_left_out(tmp_path):
    good = scene(tmp_path, noise(0), id="good", day=1)
    cut = scene(tmp_path, noise(0), id="cut", day=1)
    later = scene(tmp_path, noise(0), id="late", day=2)
    for one, name in ((cut, "nir"), (later, "red")):
        path = Path(one.assets[name].href)
        path.write_bytes(path.read_bytes()[:9000])
        assert cube.inspect(one, BANDS) == {}, "the header is sound"

    found = read([cut, good, later])

    assert set(found.broken) == {"cut/nir", "late/red"}
    assert found.looks.identical(read([good]).looks)


def test_a_local_file_of_another_size_than_the_item_says_is_refused(tmp_path):
    one = scene(tmp_path, noise(0))
    asset = replace(one.assets["red"], size=Path(one.assets["red"].href).stat().st_size)
    sound = replace(one, assets={**one.assets, "red": asset})
    shorter = replace(one, assets={**one.assets, "red": replace(asset, size=asset.size + 1)})

    assert cube.inspect(sound, BANDS) == {}
    assert "bytes" in cube.inspect(shorter, BANDS)["red"]


def test_a_rotten_block_is_named(tmp_path):
    one = scene(tmp_path, noise(0), id="rot")
    rewritten(one.assets["red"].href, compress="deflate")
    path = Path(one.assets["red"].href)
    rotten = bytearray(path.read_bytes())
    rotten[9_000:9_100] = b"\xff" * 100
    path.write_bytes(rotten)

    found = read([one])

    assert set(found.broken) == {"rot/red"} and found.broken["rot/red"].startswith("cannot be read")


# --- over the network --------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path):
    """A scene whose red band, 300 x 300 noise and deflated, comes over HTTP; and its server."""
    one = scene(tmp_path, noise(0, (300, 300)))
    rewritten(one.assets["red"].href, compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    path = f"/{tmp_path.name}.tif"
    files = Files({path: Path(one.assets["red"].href).read_bytes()}, {path: []})
    with serving_files(files) as root:
        yield one, with_hrefs(one, red=root + path), files


@pytest.mark.parametrize(
    "faults",
    [
        ["429", "429"], ["503"], ["500"], ["reset"], ["404"], ["403"],
        ["html", "html"], ["cut 0.5"], ["rot"],
        ["ok", "ok", "503"], ["ok", "ok", "reset"], ["ok", "ok", "cut 0.5"], ["ok", "ok", "rot"],
        ["ok", "ok", "html"], ["ok", "ok", "404"], ["cut 0.5"] * 9,
    ],
    ids="-".join,
)  # fmt: skip
def test_a_passing_fault_of_the_network_changes_nothing(served, faults):
    local, remote, files = served
    (waiting,) = files.faults.values()
    waiting += faults

    found = read([remote])

    assert waiting == [], "every fault was met"
    assert found.broken == {}
    assert found.looks.identical(read([local]).looks)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("404", "missing: "), ("410", "missing: "), ("403", "cannot be read: "),
     ("html", "cannot be read: "), ("rot", "cannot be read: ")],
)  # fmt: skip
def test_a_lasting_fault_is_reported_soon_and_forgotten_when_it_ends(served, fault, reason):
    """GDAL by itself would remember the fault for as long as the process lives."""
    local, remote, files = served
    (waiting,) = files.faults.values()
    waiting += [fault] * 100

    found, headers = read([remote]), cube.inspect(remote, BANDS)

    assert list(found.broken) == [f"{remote.id}/red"] and found.looks.sizes["time"] == 0
    assert found.broken[f"{remote.id}/red"].startswith(reason)
    assert headers["red"].startswith(reason)
    assert len(files.hits) < 16, "a dead address is not asked over and over"

    waiting.clear()
    assert cube.inspect(remote, BANDS) == {}
    assert read([remote]).looks.identical(read([local]).looks)


def test_only_the_window_is_fetched(tmp_path):
    one = scene(tmp_path, noise(0, (2000, 2000)))
    rewritten(one.assets["red"].href, compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    whole = Path(one.assets["red"].href).read_bytes()
    files = Files({"/wide.tif": whole})

    with serving_files(files) as root:
        read([with_hrefs(one, red=f"{root}/wide.tif")])

    assert 0 < len(files.hits) < 20 and len(whole) > 5e6


def test_reading_needs_one_thread_and_little_memory():
    before = threading.active_count()
    with opening.reading() as env:
        assert env.options["GDAL_NUM_THREADS"] == "1"
        assert rasterio.env.get_gdal_config("GDAL_CACHEMAX") == 64 * 2**20

    assert threading.active_count() == before
