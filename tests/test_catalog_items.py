"""Items of every dialect become the same scene; broken ones say why they do not."""

import copy
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from shapely.geometry import shape

from jinhua_rs.catalog import Access, load_profile, to_scene
from jinhua_rs.catalog.inventory import collapse
from jinhua_rs.catalog.items import to_candidate
from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.settings import Stac

ROOT = Path(__file__).parents[1]
DIALECTS = ("earth-search-c1", "earth-search", "planetary-computer", "cdse")


def read(name):
    return json.loads((ROOT / "tests" / "items" / f"{name}.json").read_text("utf-8"))


@pytest.fixture
def item():
    return read("earth-search-c1")


@pytest.fixture
def profile():
    return load_profile("earth-search-c1")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_all_dialects_give_the_same_scene(dialect):
    scene = to_scene(read(dialect), load_profile(dialect))

    assert list(scene.assets) == [*BAND_NAMES, "scl"]
    assert scene.acquired.replace(second=0, microsecond=0).tzinfo == UTC
    assert (scene.tile, scene.platform, scene.baseline) == ("50RQT", "sentinel-2b", "05.11")
    assert (scene.crs, scene.scale, scene.cloud) == ("EPSG:32650", 1e-4, 12.5)
    assert scene.footprint.bounds == (119.05, 28.79, 120.20, 29.80)
    assert scene.assets["red"].shape == (10980, 10980)
    assert scene.assets["red"].transform == (10, 0, 699960, 0, -10, 3300000)
    assert scene.assets["scl"].shape == (5490, 5490)
    assert scene.provider == dialect


@pytest.mark.parametrize(
    ("dialect", "offset", "reason"),
    [
        ("earth-search-c1", -1000, "assets declare -0.1"),
        ("earth-search", 0, "boa_offset_applied is true"),
        ("planetary-computer", -1000, "baseline 05.11 >= 04.00"),
        ("cdse", -1000, "assets declare -0.1"),
    ],
)
def test_the_offset_is_decided_by_the_rule_of_the_profile(dialect, offset, reason):
    scene = to_scene(read(dialect), load_profile(dialect))

    assert scene.offset == offset
    assert reason in scene.offset_reason


@pytest.mark.parametrize(
    ("baseline", "flag", "offset"),
    [
        ("02.14", False, 0),
        ("03.01", None, 0),
        ("04.00", False, -1000),
        ("05.11", None, -1000),
        ("05.11", True, 0),
    ],
)
def test_flag_then_baseline(baseline, flag, offset):
    item = read("earth-search")
    item["properties"]["s2:processing_baseline"] = baseline
    item["properties"]["earthsearch:boa_offset_applied"] = flag

    scene = to_scene(item, load_profile("earth-search"))

    assert scene.offset == offset
    assert ("verify on the pixels" in scene.offset_reason) == (offset == -1000)


def test_declared_offset_in_every_place_of_stac_1_0_and_1_1(item, profile):
    places = {
        "raster:bands": {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]},
        "flat": {"raster:scale": 0.0001, "raster:offset": -0.1},
        "bands": {"bands": [{"raster:scale": 0.0001, "raster:offset": -0.1}]},
    }
    for extra in places.values():
        for asset in item["assets"].values():
            for key in ("raster:bands", "raster:scale", "raster:offset", "bands"):
                asset.pop(key, None)
            asset.update(extra)

        assert to_scene(item, profile).offset == -1000


def test_old_item_without_declaration_has_no_offset(item, profile):
    item["properties"]["s2:processing_baseline"] = "02.13"
    for asset in item["assets"].values():
        del asset["raster:bands"]

    assert to_scene(item, profile).offset == 0


def test_only_the_bands_wanted_are_needed(item, profile):
    del item["assets"]["rededge1"]

    scene = to_scene(item, profile, bands=("nir", "red"))

    assert list(scene.assets) == ["red", "nir", "scl"]
    with pytest.raises(IntegrityError, match="band 'rededge1' is missing"):
        to_scene(item, profile)
    with pytest.raises(ConfigError, match="unknown bands"):
        to_scene(item, profile, bands=("nirr",))


def test_projection_2_on_the_item_and_a_number_are_one(item, profile):
    del item["properties"]["proj:epsg"]
    item["properties"]["proj:code"] = "EPSG:32650"

    assert to_scene(item, profile).crs == "EPSG:32650"


def test_unknown_cloud_is_nan_and_sizes_are_kept(item, profile):
    del item["properties"]["eo:cloud_cover"]

    scene = to_scene(item, profile)

    assert scene.cloud != scene.cloud
    assert scene.assets["blue"].size == 1000
    assert scene.assets["blue"].checksum == "1220" + "00" * 32


def test_nine_number_transform_loses_its_last_row(item, profile):
    item["assets"]["red"]["proj:transform"] = [10, 0, 699960, 0, -10, 3300000, 0, 0, 1]

    assert len(to_scene(item, profile).assets["red"].transform) == 6


def ring(*points):
    return {"type": "Polygon", "coordinates": [[*points, points[0]]]}


BOW = ring([119, 29], [120, 30], [120, 29], [119, 30])
TORN = ring([-179.9, 29], [179.9, 29], [179.9, 30], [-179.9, 30])
SWAPPED = ring([29, 119], [30, 119], [30, 120], [29, 120])


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("id", "../../x", "unsafe"),
        ("id", "a b", "unsafe"),
        ("id", None, "unsafe"),
        ("id", "a..b", "unsafe"),
        ("properties", None, "no properties"),
        ("assets/scl", None, "scene classification 'scl' is missing"),
        ("assets/nir", None, "band 'nir' is missing"),
        ("assets", [], "band 'blue' is missing"),
        ("assets/nir/href", None, "no address"),
        ("assets/nir/proj:shape", [0, 5], "proj:shape"),
        ("assets/nir/proj:transform", [10, 0, "x", 0, -10, 0], "proj:transform"),
        ("assets/nir/proj:transform", {"a": 1}, "proj:transform"),
        ("assets/nir/proj:code", "EPSG:32651", "2 CRS"),
        ("properties/proj:epsg", None, "no CRS"),
        ("properties/proj:epsg", 999999, "CRS 'EPSG:999999' is unknown"),
        ("properties/proj:epsg", True, "no CRS"),
        ("properties/datetime", None, "datetime"),
        ("properties/datetime", "2024-10-12", "datetime"),
        ("properties/datetime", "2024-10-12T02:41:11", "datetime"),
        ("properties/datetime", 20241012, "datetime"),
        ("properties/s2:processing_baseline", None, "baseline None is unknown"),
        ("properties/s2:processing_baseline", "new", "baseline 'new' is unknown"),
        ("properties/s2:processing_baseline", "99.99", "baseline '99.99' is unknown"),
        ("properties/grid:code", "../50RQT", "tile name"),
        ("properties/grid:code", None, "tile name"),
        ("geometry", None, "footprint is missing"),
        ("geometry", {"type": "Point", "coordinates": [119, 29]}, "footprint is missing"),
        ("geometry", {"type": "Polygon", "coordinates": []}, "footprint is missing"),
        ("geometry", {"type": "Polygon", "coordinates": [[["a", "b"]]]}, "malformed"),
        ("geometry", {"type": "Blob"}, "malformed"),
        ("geometry", {"type": "Polygon", "coordinates": [[[1, 2]]]}, "malformed"),
        ("geometry", BOW, "crosses itself"),
        ("geometry", TORN, "antimeridian"),
        ("geometry", SWAPPED, "no place on Earth"),
        ("assets/nir/raster:bands", [{"scale": 0.0001, "offset": 0}], "different offsets"),
        ("assets/nir/raster:bands", [{"scale": 0.001, "offset": -0.1}], "declares scale 0.001"),
        ("assets/nir/raster:bands", [{"scale": "x", "offset": -0.1}], "not a number"),
        ("assets/nir/raster:bands", [{}], "different offsets"),
    ],
)
def test_a_broken_item_says_what_is_wrong(item, profile, path, value, complaint):
    holder, names = item, path.split("/")
    for name in names[:-1]:
        holder = holder[name]
    if value is None:
        del holder[names[-1]]
    else:
        holder[names[-1]] = value

    with pytest.raises(IntegrityError, match=complaint) as caught:
        to_scene(item, profile)

    assert any("一" <= letter <= "鿿" for letter in caught.value.zh)


def test_undeclared_and_odd_offsets_are_not_guessed(item, profile):
    for asset in item["assets"].values():
        asset["raster:bands"] = [{"scale": 0.0001, "offset": -0.05}]
    with pytest.raises(IntegrityError, match="-500 DN"):
        to_scene(item, profile)
    for asset in item["assets"].values():
        del asset["raster:bands"]
    with pytest.raises(IntegrityError, match="no offset is declared"):
        to_scene(item, profile)


def test_a_small_flaw_of_the_outline_is_mended(item, profile):
    item["geometry"] = ring(
        [119, 29], [120, 29], [120, 30], [119.5, 30], [119.5, 30.001], [119.5, 30], [119, 30]
    )
    assert not shape(item["geometry"]).is_valid

    footprint = to_scene(item, profile).footprint

    assert footprint.is_valid
    assert footprint.area == pytest.approx(1.0, rel=1e-6)


# --- where a scene lies ------------------------------------------------------------------------


def placed(item, **changes):
    """Change facts of every asset; ``crs`` and ``tile`` of the item."""
    item["properties"]["proj:epsg"] = changes.pop("crs", 32650)
    item["properties"]["grid:code"] = changes.pop("tile", "MGRS-50RQT")
    for asset in item["assets"].values():
        asset |= {f"proj:{name}": value for name, value in changes.items()}
    return item


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"crs": 32651}, "its CRS is EPSG:32651, but tile 50RQT lies in EPSG:32650"),
        ({"crs": 32750}, "its CRS is EPSG:32750, but tile 50RQT"),
        ({"tile": "MGRS-51RTN"}, "its CRS is EPSG:32650, but tile 51RTN"),
        ({"transform": [10, 0, 699960, 0, -10, 3400020]}, "does not lie on tile 50RQT"),
        ({"transform": [10, 0, 0, 0, -10, 0]}, "does not lie on tile 50RQT"),
        ({"transform": [10, 0, 1e12, 0, -10, 1e12]}, "does not lie on tile 50RQT"),
        ({"transform": [10, 0, 780000, 0, -10, 3300000], "shape": [2000, 2000]}, "the footprint"),
        ({"transform": [10, 1, 699960, 0, -10, 3300000]}, "no grid of square north-up pixels"),
        ({"transform": [10, 0, 699960, 0, 10, 3190200]}, "no grid of square north-up pixels"),
        ({"transform": [-10, 0, 809760, 0, -10, 3300000]}, "no grid of square north-up pixels"),
        ({"transform": [1e-4, 0, 699960, 0, -1e-4, 3300000]}, "no grid of square north-up pixels"),
        ({"transform": [5e4, 0, 699960, 0, -5e4, 3300000]}, "no grid of square north-up pixels"),
        ({"transform": [10, 0, 699960, 0, -0.0, 3300000]}, "no grid of square north-up pixels"),
        ({"shape": [200_000, 10]}, "200000 x 10 pixels"),
        ({"shape": [10_980, 110_000]}, "the grid of blue is too long"),
        ({"crs": 4326, "transform": [1, 0, 119, 0, -1, 30]}, "no grid of square north-up"),
        ({"crs": 4549, "transform": [10, 0, 640_000, 0, -10, 3_300_000]}, "does not lie on tile"),
    ],
)
def test_a_scene_that_contradicts_itself_is_refused(item, profile, changes, complaint):
    with pytest.raises(IntegrityError, match=complaint) as caught:
        to_scene(placed(item, **changes), profile)

    assert any("一" <= letter <= "鿿" for letter in caught.value.zh)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"transform": [10, 0, 700000, 0, -10, 3300040], "shape": [10980, 10980]},
        {"transform": [60, 0, 699960, 0, -60, 3300000], "shape": [1830, 1830]},
        {"tile": "site-7", "crs": 32651, "transform": [20, 0, 110000, 0, -20, 3310000]},
        {"crs": 4549, "transform": [10, 0, 400_000, 0, -10, 3_310_000], "shape": [13000, 13000]},
        {"crs": 4326, "transform": [1e-4, 0, 119, 0, -1e-4, 29.9], "shape": [11000, 13000]},
    ],
)
def test_a_scene_on_a_sound_grid_is_taken(item, profile, changes):
    assert to_scene(placed(item, **changes), profile).tile


def test_a_grid_that_is_not_stated_is_not_judged(item, profile):
    for asset in item["assets"].values():
        del asset["proj:transform"]

    assert to_scene(item, profile).assets["red"].transform is None


def test_a_grid_at_the_antimeridian_lies_under_its_footprint(item, profile):
    placed(item, crs=32660, tile="MGRS-60VXQ", transform=[10, 0, 600000, 0, -10, 7000020])
    item["geometry"] = ring([179, 62.2], [180, 62.2], [180, 63.1], [179, 63.1])

    assert to_scene(item, profile).tile == "60VXQ"


# --- the sun -----------------------------------------------------------------------------------


def test_the_sun_is_told_by_elevation_or_by_zenith(item, profile):
    item["properties"] |= {"view:sun_azimuth": 157.1, "view:sun_elevation": 48.3}
    other = read("planetary-computer")
    other["properties"] |= {"s2:mean_solar_azimuth": 157.1, "s2:mean_solar_zenith": 41.7}

    assert to_scene(item, profile).sun == (157.1, 48.3)
    assert to_scene(other, load_profile("planetary-computer")).sun == pytest.approx((157.1, 48.3))


@pytest.mark.parametrize("missing", ["view:sun_azimuth", "view:sun_elevation"])
def test_half_a_sun_is_none(item, profile, missing):
    item["properties"] |= {"view:sun_azimuth": 157.1, "view:sun_elevation": 48.3, missing: None}

    assert to_scene(item, profile).sun is None


@pytest.mark.parametrize(
    "facts",
    [
        {"view:sun_azimuth": 361},
        {"view:sun_azimuth": -1},
        {"view:sun_azimuth": "south"},
        {"view:sun_azimuth": True},
        {"view:sun_elevation": 91},
        {"view:sun_elevation": -3},
        {"view:sun_elevation": float("nan")},
    ],
)
def test_a_sun_that_cannot_be_is_damage(item, profile, facts):
    item["properties"] |= {"view:sun_azimuth": 157.1, "view:sun_elevation": 48.3, **facts}

    with pytest.raises(IntegrityError, match="the sun stands at") as caught:
        to_scene(item, profile)

    assert "太阳" in caught.value.zh


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("properties/datetime", "0001-01-01T00:00:00+08:00", "datetime"),
        ("geometry", {"type": "Polygon", "coordinates": [[[10**400, 1]] * 4]}, "malformed"),
    ],
)
def test_numbers_beyond_all_bounds_are_damage(item, profile, path, value, complaint):
    holder = item if path == "geometry" else item["properties"]
    holder[path.rpartition("/")[2]] = value

    with pytest.raises(IntegrityError, match=complaint):
        to_scene(item, profile)


def test_a_sequence_of_any_length_is_read():
    item = read("earth-search")
    for text, number in (("7", 7), ("9" * 5000, 0), ("x", 0)):
        item["properties"]["s2:sequence"] = text

        assert to_candidate(item, load_profile("earth-search")).lineage.sequence == number


HTTPS = "https://e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com"


@pytest.mark.parametrize(
    "href",
    [
        "https://evil.example/B04.tif",
        "https://x.e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com/B04.tif",
        f"{HTTPS}.evil.example/B04.tif",
        f"{HTTPS}:8443/B04.tif",
        HTTPS.replace("https://", "https://user:pw@") + "/B04.tif",
        HTTPS.replace("https", "http") + "/B04.tif",
        f"{HTTPS}/a/../../B04.tif",
        f"{HTTPS}/a/%2e%2e/B04.tif",
        f"{HTTPS}/a/%252e%252e/B04.tif",
        f"{HTTPS}\\@evil.example/B04.tif",
        f"{HTTPS}/a b.tif",
        "http://127.0.0.1:80/B04.tif",
        "http://169.254.169.254/latest/meta-data",
        "https://[::1/B04.tif",
        "s3://private/B04.tif",
        "ftp://example.com/B04.tif",
        "gs://bucket/B04.tif",
        "/vsicurl/https://evil.example/B04.tif",
        "/VSIZIP//tmp/a.zip/B04.tif",
        "//vsicurl/B04.tif",
        "vrt:///etc/passwd",
        "<VRTDataset rasterXSize='1'/>",
        "GTIFF_DIR:1:/etc/passwd",
        "file:///etc/passwd",
        "file://fileserver/share/B04.tif",
        "/etc/passwd",
        "B04.tif",
        "data:image/tiff;base64,AAAA",
        "javascript:alert(1)",
        "B04\x00.tif",
        "",
    ],
)
def test_addresses_that_are_not_allowed_are_refused(item, profile, href):
    item["assets"]["red"]["href"] = href

    with pytest.raises(IntegrityError, match=r"refused address|no address"):
        to_scene(item, profile)


def test_files_only_below_the_allowed_folders(tmp_path):
    inside = tmp_path / "data"
    (inside / "items").mkdir(parents=True)
    (tmp_path / "secret.tif").touch()
    (inside / "link.tif").symlink_to(tmp_path / "secret.tif")
    access = Access(roots=(inside.resolve(),))
    base = str(inside / "items" / "a.json")

    assert access.resolve("../b 1.tif", base) == str(inside / "b 1.tif")
    assert access.resolve((inside / "b 1.tif").as_uri()) == str(inside / "b 1.tif")
    for href in ("../../secret.tif", "../link.tif", "../%2e%2e/../../secret.tif", "/vsimem/x.tif"):
        with pytest.raises(IntegrityError, match="refused address"):
            access.resolve(href, base)


def test_hosts_of_the_settings_and_loopback(profile):
    stac = Stac(url="http://127.0.0.1:8080", allowed_hosts=("*.mirror.example", "nas:8443"))
    access = Access.of(profile, stac)

    for href in (
        "https://a.mirror.example/x.tif",
        "https://nas:8443/x.tif",
        "http://127.0.0.1:9000/x.tif",
        f"{HTTPS}/x.tif",
    ):
        assert access.resolve(href) == href
    for href in ("https://mirror.example/x.tif", "https://nas/x.tif", "http://nas:8443/x.tif"):
        with pytest.raises(IntegrityError, match="refused address"):
            access.resolve(href)


def test_relative_addresses_of_an_online_item(profile):
    access = Access.of(profile)

    assert access.resolve("B04.tif", f"{HTTPS}/a/item.json") == f"{HTTPS}/a/B04.tif"


def test_the_https_alternate_is_a_choice_of_the_profile():
    profile = load_profile("cdse").model_copy(update={"alternate": "https"})
    stac = Stac(allowed_hosts=("zipper.dataspace.copernicus.eu",))

    scene = to_scene(read("cdse"), profile, access=Access.of(profile, stac))

    assert scene.assets["red"].href.startswith("https://zipper.")
    assert scene.assets["blue"].href.startswith("s3://eodata/")


# --- the real items, recorded from three providers ---------------------------------------------

SHARED = Path(os.environ.get("JINHUA_SHARED_DATA", ROOT.parent / "shared" / "data")) / "stac_items"
REAL = {
    ("earth_search_v1", "sentinel-2-c1-l2a"): "earth-search-c1",
    ("earth_search_v1", "sentinel-2-l2a"): "earth-search",
    ("planetary_computer", "sentinel-2-l2a"): "planetary-computer",
    ("cdse_v1", "sentinel-2-l2a"): "cdse",
}
real = pytest.mark.skipif(
    not (SHARED / "manifest.json").is_file(),
    reason=f"recorded items not found at {SHARED}; set JINHUA_SHARED_DATA",
)


def recorded():
    for facts in json.loads((SHARED / "manifest.json").read_text("utf-8")):
        profile = load_profile(REAL[facts["provider"], facts["collection"]])
        path = SHARED / facts["provider"] / facts["collection"] / f"{facts['id']}.json"
        yield facts, json.loads(path.read_text("utf-8")), profile


def expected_offset(facts):
    """By the provider's own account, see the notes beside the recorded items."""
    if facts["boa_offset_applied"] is not None or facts["baseline"] < "04.00":
        return 0
    return -1000


@real
def test_every_recorded_item_comes_out_right():
    count = 0
    for facts, item, profile in recorded():
        before = copy.deepcopy(item)

        scene = to_scene(item, profile)

        code = facts["proj_code"] or f"EPSG:{facts['proj_epsg']}"
        assert item == before
        assert (scene.id, scene.baseline, scene.crs) == (facts["id"], facts["baseline"], code)
        assert scene.cloud == facts["cloud"]
        assert scene.offset == expected_offset(facts), scene.offset_reason
        assert scene.assets["red"].href == item["assets"][facts["red_asset"]]["href"]
        assert list(scene.assets) == [*BAND_NAMES, "scl"]
        assert scene.assets["red"].shape == (10980, 10980)
        assert scene.assets["scl"].shape == (5490, 5490)
        assert scene.footprint.equals(shape(item["geometry"]))
        assert scene.tile in facts["id"]
        assert scene.acquired == datetime.fromisoformat(item["properties"]["datetime"])
        azimuth, elevation = scene.sun
        zenith = item["properties"].get("s2:mean_solar_zenith")
        assert elevation == item["properties"].get("view:sun_elevation", 90 - (zenith or 0))
        assert 30 < azimuth < 250 and 4 < elevation < 67
        count += 1
    assert count == 24


@real
def test_recorded_pairs_collapse_to_the_newest_baseline():
    candidates = [to_candidate(item, profile) for _, item, profile in recorded()]

    decisions = {one.id: one for one in collapse(candidates)}

    gone = {identity for identity, one in decisions.items() if one.verdict == "dropped"}
    assert gone == {
        "S2A_32TMT_20200302_0_L2A",
        "S2A_32TMT_20200305_0_L2A",
        "S2A_32TNT_20200302_0_L2A",
        "S2B_20EPT_20250731_0_L2A",
        "S2B_MSIL2A_20200705T101559_R065_T32TMT_20200825T083452",
    }
    assert "S2A_32TMT_20200302_1_L2A" in decisions["S2A_32TMT_20200302_0_L2A"].reason
