"""Addresses are settled before GDAL sees them; files come over whole, or go on where they broke."""

import hashlib
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from asset_server import Files, serving_files
from builders import scene
from fault_server import Behaviour, serving
from rasterio.transform import from_origin

from jinhua_rs import store
from jinhua_rs.catalog import haul as haul_module
from jinhua_rs.catalog import wire as wire_module
from jinhua_rs.catalog.fetch import Courier, access_to
from jinhua_rs.catalog.hrefs import Access
from jinhua_rs.catalog.profiles import Signing, load_profile
from jinhua_rs.catalog.proof import claimed, looks_wrong
from jinhua_rs.catalog.signing import Signer
from jinhua_rs.catalog.wire import MissingError, RefusedError
from jinhua_rs.errors import ConfigError, IntegrityError, NoDataError
from jinhua_rs.settings import Stac
from jinhua_rs.store import partial as partial_module

VRT = b"""<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1">
<SimpleSource><SourceFilename>/etc/hostname</SourceFilename></SimpleSource></VRTRasterBand>"""
TIFF = b"II*\0" + bytes(range(256)) * 1200
"""Begins as a TIFF does; 307,204 bytes."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(wire_module, "BACKOFF_S", 0.01)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """Return the bytes of a small GeoTIFF."""
    path = tmp_path_factory.mktemp("image") / "a.tif"
    shape = {"height": 64, "width": 64, "count": 1, "dtype": "uint16"}
    place = {"crs": "EPSG:32650", "transform": from_origin(6e5, 32e5, 10, 10)}
    with rasterio.open(path, "w", driver="GTiff", **shape, **place) as target:
        target.write(np.arange(4096, dtype="uint16").reshape(1, 64, 64))
    return path.read_bytes()


def courier(access=None, signer=None, *, retries=2, timeout_s=1.0):
    return Courier(access or Access(loopback=True), signer, timeout_s=timeout_s, retries=retries)


def multihash(data):
    return f"1220{hashlib.sha256(data).hexdigest()}"


# --- settling ------------------------------------------------------------------------------------


def test_a_sound_address_is_settled_by_a_few_bytes_and_asked_once(image):
    files = Files({"/a.tif": image})
    with serving_files(files) as url:
        mine = courier()

        assert [mine.settle(f"{url}/a.tif") for _ in range(3)] == [f"{url}/a.tif"] * 3

    assert [(hit.range, hit.sent) for hit in files.hits] == [("bytes=0-15", 16)]


def test_gdal_alone_would_follow_a_redirect_and_the_settled_address_needs_none(image):
    files, canary = Files({"/b.tif": image}), Files({"/x.tif": image})
    with serving_files(files) as url, serving_files(canary) as away:
        files.faults = {"/a.tif": [f"to {away}/x.tif"] * 9, "/c.tif": ["to /d", "to /d"]}
        files.faults["/d"] = ["to /b.tif"] * 2
        with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
            with rasterio.open(f"{url}/a.tif", driver="GTiff") as unsafe:
                assert unsafe.width == 64
            followed = len(canary.hits)
            canary.hits.clear()
            with pytest.raises(IntegrityError, match="sends on to"):
                courier().settle(f"{url}/a.tif")
            final = courier().settle(f"{url}/c.tif")
            with rasterio.open(final, driver="GTiff") as safe:
                assert safe.read(1)[63, 63] == 4095

    assert followed > 0, "GDAL has learnt to stay: say so where Wire is explained"
    assert canary.hits == []
    assert final == f"{url}/b.tif"


@pytest.mark.parametrize(
    "where",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://evil.example/x.tif",
        "file:///etc/hostname",
        "//evil.example/x.tif",
        "ftp://127.0.0.1/x.tif",
        "s3://bucket/x.tif",
        "http://user:pass@127.0.0.1:1/x.tif",
        "https://good.example/%2e%2e/x.tif",
        "https://good.example:8443/x.tif",
        "http://[::1",
        "/vsicurl/http://127.0.0.1:1/\x7f",
    ],
)
def test_a_redirect_may_not_leave_the_list(where, tmp_path):
    access = Access(hosts=("good.example",), roots=(Path("/etc"), tmp_path), loopback=True)
    files = Files(faults={"/a.tif": [f"to {where}?sig=secret"]})
    with serving_files(files) as url, pytest.raises(IntegrityError, match="not allowed") as caught:
        courier(access).settle(f"{url}/a.tif")

    assert "secret" not in str(caught.value) + caught.value.zh
    assert len(files.hits) == 1


def test_a_listed_port_of_this_machine_may_be_led_to(image):
    files, other = Files(), Files({"/x.tif": image})
    with serving_files(files) as url, serving_files(other) as away:
        files.faults = {"/a.tif": [f"to {away}/x.tif"]}
        access = Access(hosts=(away.removeprefix("http://"),), loopback=True)

        assert courier(access).settle(f"{url}/a.tif") == f"{away}/x.tif"


def test_loops_end():
    files = Files(faults={"/a.tif": ["to /a.tif"] * 50})
    with serving_files(files) as url, pytest.raises(IntegrityError, match="more than 5 times"):
        courier().settle(f"{url}/a.tif")

    assert len(files.hits) == 6


@pytest.mark.parametrize("body", [VRT, b"", b"<?xml version='1.0'?>", b"PK\3\4", b"II*", TIFF[1:]])
def test_what_is_no_tiff_is_refused_far_and_near(body, tmp_path):
    near = tmp_path / "a.tif"
    near.write_bytes(body)
    files = Files({"/a.tif": body})
    with serving_files(files) as url, pytest.raises(IntegrityError, match="of no GeoTIFF"):
        courier().settle(f"{url}/a.tif")
    with pytest.raises(IntegrityError, match="of no GeoTIFF"):
        courier(Access(roots=(tmp_path,))).settle(str(near))

    assert len(files.hits) == 1


@pytest.mark.parametrize(
    ("name", "head", "fine"),
    [
        ("a.tif", b"MM\0*", True),
        ("a.tif", b"II+\0", True),
        ("a.tif", b"MM\0+", True),
        ("a.JP2", b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14", True),
        ("a.jp2", b"II*\0", False),
        ("a.tif", b"\0\0\0\x0cjP  \r\n\x87\n", False),
        ("https://example.com/a.jp2?x=.tif", b"II*\0", False),
    ],
)
def test_the_first_bytes_must_be_what_the_name_promises(name, head, fine):
    assert (looks_wrong(name, head) == "") is fine


@pytest.mark.parametrize("fault", ["503", "429", "500", "reset", "hang", "html"])
def test_faults_that_pass_are_waited_out(fault, image):
    files = Files({"/a.tif": image}, faults={"/a.tif": [fault, fault]})
    with serving_files(files) as url:
        assert courier().settle(f"{url}/a.tif") == f"{url}/a.tif"

    assert len(files.hits) == 3


@pytest.mark.parametrize(
    ("fault", "kind", "complaint", "tries"),
    [
        ("503", NoDataError, "HTTP 503", 3),
        ("html", NoDataError, "a web page instead of pixels", 3),
        ("404", MissingError, "^missing: ", 1),
        ("410", MissingError, "^missing: ", 1),
        ("403", RefusedError, "signed address", 1),
        ("418", NoDataError, "HTTP 418", 1),
    ],
)
def test_faults_that_stay_end_with_their_reason(fault, kind, complaint, tries):
    files = Files(faults={"/a.tif": [fault] * 9})
    with serving_files(files) as url, pytest.raises(kind, match=complaint):
        courier().settle(f"{url}/a.tif")

    assert len(files.hits) == tries


def test_time_is_bounded_whatever_a_server_asks_for(monkeypatch):
    files = Files(faults={"/a.tif": ["429"] * 9})
    monkeypatch.setattr(wire_module, "_wait", lambda _: 7200.0)
    with serving_files(files) as url, pytest.raises(NoDataError, match="HTTP 429"):
        courier().settle(f"{url}/a.tif")

    assert len(files.hits) == 1


def test_no_server_at_all():
    with pytest.raises(NoDataError, match="ConnectionError"):
        courier().settle("http://127.0.0.1:9/a.tif")


def test_local_files_and_buckets(tmp_path):
    (tmp_path / "a.tif").write_bytes(TIFF)
    mine = courier(Access(hosts=("s3://bucket",), roots=(tmp_path,)))

    assert mine.settle(str(tmp_path / "a.tif")) == str(tmp_path / "a.tif")
    assert mine.settle("s3://bucket/a.tif") == "s3://bucket/a.tif"
    with pytest.raises(MissingError, match=r"^missing"):
        mine.settle(str(tmp_path / "b.tif"))
    with pytest.raises(NoDataError, match="cannot be read"):
        mine.settle(str(tmp_path))
    with pytest.raises(IntegrityError, match="outside the allowed folders"):
        mine.settle("/etc/hostname")
    with pytest.raises(IntegrityError, match="not allowed"):
        mine.settle("s3://other/a.tif")


def signed_by(url, token_url, clock):
    signing = Signing(method="sas", token_url=f"{token_url}/token/{{collection}}")
    hosts = (url.removeprefix("http://"),)
    profile = load_profile("planetary-computer").model_copy(
        update={"signing": signing, "hosts": hosts}
    )
    return Signer(profile, Stac(retries=0, timeout_s=2), clock=clock)


def test_a_refused_address_is_signed_anew_once(image):
    now = datetime(2024, 10, 12, 8, tzinfo=UTC)
    until = (now + timedelta(minutes=45)).isoformat()
    tokens = Behaviour([], token={"msft:expiry": until})
    files = Files({"/a.tif": image, "/b.tif": image}, need="sig=secret2")
    with serving(tokens) as token_url, serving_files(files) as url:
        mine = courier(signer=signed_by(url, token_url, lambda: now))
        first = mine.settle(f"{url}/a.tif")
        second = mine.settle(f"{url}/b.tif")
        files.need = "sig=never"
        with pytest.raises(RefusedError, match="signed address") as caught:
            mine.settle(f"{url}/c.tif")

    assert first == f"{url}/a.tif?sig=secret2"
    assert second == f"{url}/b.tif?sig=secret2"
    assert tokens.tokens_given == 3
    assert [hit.path for hit in files.asked("/b.tif")] == ["/b.tif?sig=secret2"]
    assert "secret" not in str(caught.value)


def test_scenes_are_settled_band_by_band_and_the_rest_is_named(tmp_path):
    numbers = {name: np.full((4, 4), 1500, "uint16") for name in ("red", "nir")}
    whole = scene(tmp_path, numbers, id="S2A_whole")
    spoilt = scene(tmp_path, numbers, id="S2A_spoilt", day=2)
    Path(spoilt.assets["nir"].href).write_bytes(VRT)
    Path(spoilt.assets["scl"].href).unlink()
    mine = courier(Access(roots=(tmp_path,)))

    (first, second), broken = mine.settle_scenes([whole, spoilt], ["red", "nir"])
    _, lacking = mine.settle_scenes([whole], ["blue"])

    assert first == whole
    assert lacking == {"S2A_whole/blue": "missing: the item has no such asset"}
    assert set(second.assets) == {"red"}
    assert {name: reason.split(":")[0] for name, reason in broken.items()} == {
        "S2A_spoilt/nir": spoilt.assets["nir"].href,
        "S2A_spoilt/scl": "missing",
    }


def test_access_is_that_of_the_search(tmp_path):
    (tmp_path / "catalog.json").write_text("{}")

    local = access_to(Stac(profile="local", url=str(tmp_path)))
    far = access_to(Stac(profile="earth-search-c1"))

    assert local == Access(roots=(tmp_path,))
    assert far.hosts == load_profile("earth-search-c1").hosts
    assert not far.loopback


# --- downloading ---------------------------------------------------------------------------------


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_over_whole(tmp_path):
    files = Files({"/a.tif": TIFF})
    with serving_files(files) as url:
        got = courier().download(
            f"{url}/a.tif", tmp_path / "a.tif", size=len(TIFF), checksum=multihash(TIFF)
        )

    assert (tmp_path / "a.tif").read_bytes() == TIFF
    assert (got.size, got.checksum) == (len(TIFF), multihash(TIFF))
    assert left(tmp_path) == ["a.tif"]
    assert sum(hit.sent for hit in files.hits) == len(TIFF)


def test_a_cut_body_is_gone_on_with(tmp_path):
    files = Files({"/a.tif": TIFF}, faults={"/a.tif": ["cut 0.6"]})
    with serving_files(files) as url:
        courier().download(f"{url}/a.tif", tmp_path / "a.tif")

    first, second = files.hits
    assert (tmp_path / "a.tif").read_bytes() == TIFF
    assert second.range == f"bytes={first.sent}-"
    assert second.if_range
    assert first.sent == int(0.6 * len(TIFF))
    assert first.sent + second.sent == len(TIFF)


def test_chunked_bodies_are_read_and_cut_ones_known(tmp_path):
    faults = {"/a.tif": ["cut 0.6"]}
    files = Files({"/a.tif": TIFF}, faults=faults, length="transfer-encoding")
    with serving_files(files) as url:
        courier().download(f"{url}/a.tif", tmp_path / "a.tif")

    assert (tmp_path / "a.tif").read_bytes() == TIFF
    assert len(files.hits) == 2


def test_a_body_whose_end_nobody_tells_needs_a_size_or_checksum(tmp_path):
    files = Files({"/a.tif": TIFF}, faults={"/a.tif": ["ok", "cut 0.6"]}, length="none")
    with serving_files(files) as url:
        with pytest.raises(IntegrityError, match="how long"):
            courier().download(f"{url}/a.tif", tmp_path / "a.tif")
        courier().download(f"{url}/a.tif", tmp_path / "a.tif", size=len(TIFF))

    assert (tmp_path / "a.tif").read_bytes() == TIFF
    assert len(files.hits) == 3


def test_a_later_run_goes_on_where_the_former_gave_up(tmp_path):
    files = Files({"/a.tif": TIFF}, faults={"/a.tif": ["cut 0.6", "503", "503"]})
    with serving_files(files) as url:
        with pytest.raises(NoDataError, match="HTTP 503"):
            courier(retries=1).download(f"{url}/a.tif", tmp_path / "a.tif")
        assert left(tmp_path) == ["a.tif.part", "a.tif.part.json"]
        courier(retries=1).download(f"{url}/a.tif", tmp_path / "a.tif")

    assert files.hits[-1].sent == len(TIFF) - files.hits[0].sent
    assert (tmp_path / "a.tif").read_bytes() == TIFF
    assert left(tmp_path) == ["a.tif"]


@pytest.mark.parametrize(
    ("ranges", "tags", "checksum", "again"),
    [
        (False, True, None, 1.0),
        (True, False, None, 1.0),
        (True, False, multihash(TIFF), 0.4),
    ],
)
def test_without_ranges_or_a_proof_of_sameness_all_comes_again(
    tmp_path, ranges, tags, checksum, again
):
    faults = {"/a.tif": ["cut 0.6"]}
    files = Files({"/a.tif": TIFF}, faults=faults, ranges=ranges, tags=tags)
    with serving_files(files) as url:
        courier().download(f"{url}/a.tif", tmp_path / "a.tif", checksum=checksum)

    assert (tmp_path / "a.tif").read_bytes() == TIFF
    assert files.hits[1].sent == pytest.approx(again * len(TIFF), abs=1)


@pytest.mark.parametrize("conditions", [True, False])
def test_a_file_that_changed_meanwhile_is_not_mixed(tmp_path, conditions):
    other = TIFF[:4] + b"x" + TIFF[5:]
    faults = {"/a.tif": ["cut 0.6", "503"]}
    files = Files({"/a.tif": TIFF}, faults=faults, conditions=conditions)
    with serving_files(files) as url:
        with pytest.raises(NoDataError):
            courier(retries=0).download(f"{url}/a.tif", tmp_path / "a.tif")
        files.files["/a.tif"], files.faults = other, {}
        courier().download(f"{url}/a.tif", tmp_path / "a.tif")

    assert (tmp_path / "a.tif").read_bytes() == other


def test_a_part_that_rotted_on_disk_is_not_built_upon(tmp_path):
    files = Files({"/a.tif": TIFF}, faults={"/a.tif": ["cut 0.6"]})
    with serving_files(files) as url:
        with pytest.raises(NoDataError):
            courier(retries=0).download(f"{url}/a.tif", tmp_path / "a.tif")
        part = tmp_path / "a.tif.part"
        part.write_bytes(part.read_bytes()[:-1] + b"x")
        courier().download(f"{url}/a.tif", tmp_path / "a.tif")

    assert (tmp_path / "a.tif").read_bytes() == TIFF
    assert files.hits[-1].range == ""


def test_a_part_that_is_whole_only_takes_its_place(tmp_path):
    files = Files({"/a.tif": TIFF})
    with serving_files(files) as url:
        with store.Partial(tmp_path / "a.tif", f"{url}/a.tif None None") as part:
            part.write(TIFF)
            part.validator = f'"{len(TIFF)}-{hash(TIFF):x}"'
        courier().download(f"{url}/a.tif", tmp_path / "a.tif")

    assert [hit.sent for hit in files.hits] == [0]
    assert (tmp_path / "a.tif").read_bytes() == TIFF


@pytest.mark.parametrize("algorithm", ["1220", "d50110"])
def test_a_wrong_checksum_is_tried_once_more_and_leaves_nothing(tmp_path, algorithm):
    checksum = algorithm + "0" * {"1220": 64, "d50110": 32}[algorithm]
    files = Files({"/a.tif": TIFF})
    with serving_files(files) as url, pytest.raises(IntegrityError, match="file:checksum"):
        courier().download(f"{url}/a.tif", tmp_path / "a.tif", checksum=checksum)

    assert [hit.sent for hit in files.hits] == [len(TIFF)] * 2
    assert left(tmp_path) == []


def test_a_body_that_was_bad_once_is_good_the_second_time(tmp_path):
    bad = TIFF[:-1] + b"x"
    files = Files({"/a.tif": bad})
    mine = courier()
    with serving_files(files) as url:
        pour = haul_module.Haul._pour

        def then_mend(self, answer, href):
            pour(self, answer, href)
            files.files["/a.tif"] = TIFF

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(haul_module.Haul, "_pour", then_mend)
            got = mine.download(f"{url}/a.tif", tmp_path / "a.tif", checksum=multihash(TIFF))

    assert got.checksum == multihash(TIFF)
    assert (tmp_path / "a.tif").read_bytes() == TIFF


@pytest.mark.parametrize("checksum", [None, "nonsense", "1e20" + "0" * 64])
def test_a_checksum_that_cannot_be_checked_is_replaced_by_ours(tmp_path, checksum):
    with serving_files(Files({"/a.tif": TIFF})) as url:
        got = courier().download(f"{url}/a.tif", tmp_path / "a.tif", checksum=checksum)

    assert got.checksum == multihash(TIFF)
    assert claimed(checksum) is None


def test_a_wrong_length_is_told_before_the_body(tmp_path):
    files = Files({"/a.tif": TIFF})
    with serving_files(files) as url, pytest.raises(IntegrityError, match="bytes instead of 5"):
        courier().download(f"{url}/a.tif", tmp_path / "a.tif", size=5)

    assert left(tmp_path) == []


def test_a_file_beyond_all_measure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(haul_module, "MAX_BYTES", 1000)
    with serving_files(Files({"/a.tif": TIFF})) as url, pytest.raises(IntegrityError, match="1000"):
        courier().download(f"{url}/a.tif", tmp_path / "a.tif")

    assert left(tmp_path) == []


def test_a_vrt_is_not_kept(tmp_path):
    with serving_files(Files({"/a.tif": VRT})) as url, pytest.raises(IntegrityError, match="GeoT"):
        courier().download(f"{url}/a.tif", tmp_path / "a.tif")

    assert left(tmp_path) == []


@pytest.mark.parametrize("fault", ["html", "drip", "hang", "reset"])
def test_downloads_wait_faults_out(tmp_path, fault, monkeypatch):
    monkeypatch.setattr(haul_module, "SLOWEST", 1 << 20)
    files = Files({"/a.tif": TIFF}, faults={"/a.tif": [fault]})
    with serving_files(files) as url:
        courier(timeout_s=0.5).download(f"{url}/a.tif", tmp_path / "a.tif")

    assert (tmp_path / "a.tif").read_bytes() == TIFF


def test_tries_that_bring_much_are_not_in_vain(tmp_path, monkeypatch):
    monkeypatch.setattr(haul_module, "GAIN", 10_000)
    files = Files({"/a.tif": TIFF}, faults={"/a.tif": ["cut 0.3"] * 6})
    with serving_files(files) as url:
        courier(retries=1).download(f"{url}/a.tif", tmp_path / "a.tif")

    assert len(files.hits) == 7
    assert sum(hit.sent for hit in files.hits) == len(TIFF)


def test_a_full_disk_is_told_before_the_body(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with serving_files(Files({"/a.tif": TIFF})) as url, pytest.raises(ConfigError, match="free"):
        courier().download(f"{url}/a.tif", tmp_path / "a.tif")

    assert left(tmp_path) == []


def test_a_disk_that_fills_up_on_the_way_keeps_what_is_proven(tmp_path, monkeypatch):
    monkeypatch.setattr(partial_module, "CHECKPOINT", 1 << 16)
    write = store.Partial.write

    def full(self, data):
        if self.size > 200_000:
            raise partial_module.unwritable(self.path, OSError(28, "No space left on device"))
        write(self, data)

    files = Files({"/a.tif": TIFF})
    monkeypatch.setattr(haul_module, "_CHUNK", 1 << 15)
    with serving_files(files) as url:
        with monkeypatch.context() as patched:
            patched.setattr(store.Partial, "write", full)
            with pytest.raises(ConfigError, match="No space left"):
                courier().download(f"{url}/a.tif", tmp_path / "a.tif")
        courier().download(f"{url}/a.tif", tmp_path / "a.tif")

    assert 0 < files.hits[-1].sent < len(TIFF) - 200_000 + (1 << 15)
    assert (tmp_path / "a.tif").read_bytes() == TIFF


def test_a_token_that_runs_out_on_the_way_is_renewed(tmp_path):
    now = datetime(2024, 10, 12, 8, tzinfo=UTC)
    tokens = Behaviour([], token={"msft:expiry": (now + timedelta(minutes=45)).isoformat()})
    files = Files({"/a.tif": TIFF}, faults={"/a.tif": ["cut 0.6", "403"]})
    with serving(tokens) as token_url, serving_files(files) as url:
        mine = courier(signer=signed_by(url, token_url, lambda: now))
        mine.download(f"{url}/a.tif", tmp_path / "a.tif")

    asked = [hit.path for hit in files.hits]
    assert asked == [f"/a.tif?sig=secret{number}" for number in (1, 1, 2)]
    assert sum(hit.sent for hit in files.hits[::2]) == len(TIFF)
    assert (tmp_path / "a.tif").read_bytes() == TIFF


def test_a_local_file_is_linked_or_copied(tmp_path, monkeypatch):
    source, target = tmp_path / "a.tif", tmp_path / "to" / "b.tif"
    source.write_bytes(TIFF)
    mine = courier(Access(roots=(tmp_path,)))

    got = mine.download(str(source), target, checksum=multihash(TIFF))

    assert (got.size, got.checksum) == (len(TIFF), multihash(TIFF))
    assert target.samefile(source)

    def unlinked(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", unlinked)
    mine.download(str(source), tmp_path / "to" / "c.tif")
    assert not (tmp_path / "to" / "c.tif").samefile(source)
    assert (tmp_path / "to" / "c.tif").read_bytes() == TIFF
    with pytest.raises(IntegrityError, match="file:checksum"):
        mine.download(str(source), tmp_path / "to" / "d.tif", checksum=multihash(b""))
    assert left(tmp_path / "to") == ["b.tif", "c.tif"]


def test_buckets_are_not_fetched(tmp_path):
    with pytest.raises(ConfigError, match="keys of its own"):
        courier(Access(hosts=("s3://bucket",))).download("s3://bucket/a.tif", tmp_path / "a.tif")
