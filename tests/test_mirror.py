"""A mirror holds what the source holds, is found the same, and survives whatever stops it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pystac
import pytest
from asset_server import Files, serving_files
from builders import little_city
from fault_server import Behaviour, serving
from shapely.geometry import box, shape

from jinhua_rs import catalog, mirror, store
from jinhua_rs.catalog import wire as wire_module
from jinhua_rs.catalog.retell import differences
from jinhua_rs.errors import ConfigError, IntegrityError, NoDataError, PartialError
from jinhua_rs.ledger import Ledger
from jinhua_rs.period import Period
from jinhua_rs.settings import Stac

BANDS = ("red", "nir")
PERIOD = Period.parse("2024Q4")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(wire_module, "BACKOFF_S", 0.01)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """Little city with three dates in the quarter and one of the same days two years before."""
    folder = tmp_path_factory.mktemp("city")
    little_city(folder, years=(2022, 2024))
    return folder


@pytest.fixture
def quiet():
    return lambda *_: None


def items_of(city, root=""):
    """Items of the city; with a root, their pixels lie there instead."""
    items = [json.loads(path.read_text()) for path in sorted((city / "items").glob("*.json"))]
    for item in items if root else ():
        item["collection"] = "city"
        item["properties"] |= {"view:sun_azimuth": 165.25, "view:sun_elevation": 41.5}
        item["properties"]["jinhua:simulated"] = True
        for asset in item["assets"].values():
            asset["href"] = f"{root}/{Path(asset['href']).name}"
    return items


def files_of(city):
    return {f"/{path.name}": path.read_bytes() for path in (city / "scenes").glob("*.tif")}


def searched(stac, city, period=PERIOD):
    ground = shape(items_of(city)[0]["geometry"]).buffer(-1e-4)
    return catalog.search(stac, ground, period, bands=BANDS, margin_days=8)


def local(folder):
    return Stac(profile="local", url=str(folder))


def told(inventory):
    """What an inventory says, but for where the files lie and who said so."""
    return [
        (one.id, one.verdict, one.code, one.scene and facts(one.scene))
        for one in inventory.decisions
        if one.verdict != "dropped"
    ], dict(inventory.lineage)


def facts(scene):
    assets = {
        band: (asset.transform, asset.shape, asset.checksum) for band, asset in scene.assets.items()
    }
    return replace(scene, assets=assets, provider="", offset_reason="", footprint=None), str(
        scene.footprint
    )


def test_a_mirror_is_found_as_its_source_is(city, tmp_path, quiet):
    source = searched(local(city), city)

    made = mirror.mirror(source, local(city), BANDS, tmp_path / "m", progress=quiet)
    found = searched(local(tmp_path / "m"), city)

    assert (made.scenes, made.assets, made.reused) == (3, 9, 0)
    assert told(found) == told(source)
    assert found.counts == {"kept": 3}
    assert [scene.offset for scene in found.kept] == [-1000] * 3
    for before, after in zip(source.kept, found.kept, strict=True):
        for band, asset in after.assets.items():
            assert Path(asset.href).read_bytes() == Path(before.assets[band].href).read_bytes()
            assert Path(asset.href).samefile(before.assets[band].href)
    assert made.bytes == sum(a.size for scene in found.kept for a in scene.assets.values())


def test_a_far_source_is_mirrored_with_its_spare_scenes(city, tmp_path, quiet):
    files = Files(files_of(city))
    with serving_files(files) as root:
        items = items_of(city, root)
        items[-1]["properties"]["datetime"] = "2025-01-05T02:40:00.125Z"
        with serving(Behaviour(items)) as url:
            stac = Stac(profile="local", url=url, timeout_s=5, retries=2)
            source = searched(stac, city)
            made = mirror.mirror(source, stac, BANDS, tmp_path, progress=quiet)
    found = searched(local(tmp_path), city)

    assert made.scenes == 3
    assert found.counts == {"kept": 2, "spare": 1}
    assert told(found) == told(source)
    assert found.spare[0].acquired.microsecond == 125_000
    assert found.kept[0].sun == (165.25, 41.5)
    assert all(scene.simulated for scene in found.kept)
    assert sorted(hit.path for hit in files.hits) == sorted(
        path for path in files.files if "_2024" in path
    )


def test_the_catalogue_is_stac_and_says_where_it_comes_from(city, tmp_path, quiet):
    source = searched(local(city), city)

    mirror.mirror(source, local(city), BANDS, tmp_path, progress=quiet)

    read = pystac.Catalog.from_file(str(tmp_path / "catalog.json"))
    items = list(read.get_items())
    assert [item.id for item in items] == [scene.id for scene in source.kept]
    assert all(Path(a.get_absolute_href()).is_file() for i in items for a in i.assets.values())
    (entry,) = json.loads((tmp_path / "catalog.json").read_text())["jinhua:mirrors"]
    assert entry["attribution"] == source.attribution
    assert entry["source"] == str(city)


def test_two_periods_share_a_folder_and_a_period_replaces_itself(city, tmp_path, quiet):
    other = Period.parse("2022Q4")
    for period in (PERIOD, other, PERIOD):
        source = searched(local(city), city, period)
        again = mirror.mirror(source, local(city), BANDS, tmp_path, progress=quiet)
    fewer = replace(source, decisions=source.decisions[:2])
    mirror.mirror(fewer, local(city), BANDS, tmp_path, progress=quiet)

    assert (again.assets, again.reused) == (9, 9)
    assert told(searched(local(tmp_path), city, other)) == told(searched(local(city), city, other))
    assert len(searched(local(tmp_path), city).kept) == 2


def test_what_is_there_is_not_fetched_again_unless_it_is_damaged(city, tmp_path, quiet):
    files = Files(files_of(city))
    with serving_files(files) as root, serving(Behaviour(items_of(city, root))) as url:
        stac = Stac(profile="local", url=url, timeout_s=5, retries=2)
        source = searched(stac, city)
        mirror.mirror(source, stac, BANDS, tmp_path, progress=quiet)
        files.hits.clear()
        shorter, flipped = (tmp_path / "scenes" / s.id / "nir.tif" for s in source.kept[:2])
        shorter.write_bytes(shorter.read_bytes()[:-1])
        flipped.write_bytes(bytes(reversed(flipped.read_bytes())))

        assert mirror.mirror(source, stac, BANDS, tmp_path, progress=quiet).reused == 8
        first = [hit.path for hit in files.hits]
        assert mirror.recheck(tmp_path, progress=quiet) == (f"{source.kept[1].id}/nir.tif",)
        assert mirror.mirror(source, stac, BANDS, tmp_path, progress=quiet).reused == 8

    assert first == [f"/{source.kept[0].id}.nir.tif"]
    assert [hit.path for hit in files.hits[1:]] == [f"/{source.kept[1].id}.nir.tif"]
    assert mirror.recheck(tmp_path, progress=quiet) == ()


def test_what_is_gone_from_a_mirror_is_named(city, tmp_path, quiet):
    source = searched(local(city), city)
    mirror.mirror(source, local(city), BANDS, tmp_path, progress=quiet)
    home = tmp_path / "scenes" / source.kept[0].id
    (home / "nir.tif").unlink()
    (home / "red.tif").unlink()
    (home / "red.tif.json").unlink()

    damaged = mirror.recheck(tmp_path, progress=quiet)

    assert damaged == (f"{home.name}/nir.tif", f"{home.name}/red.tif")
    assert mirror.mirror(source, local(city), BANDS, tmp_path, progress=quiet).reused == 7
    assert mirror.recheck(tmp_path, progress=quiet) == ()


def test_failures_are_tried_again_and_told(city, tmp_path, quiet):
    source_files = files_of(city)
    gone, bad = (f"/S2A_T50RQT_202410{day}T024000_L2A.nir.tif" for day in ("03", "13"))
    files = Files({path: data for path, data in source_files.items() if path != gone})
    files.faults = {bad: ["503"] * 3}
    with serving_files(files) as root, serving(Behaviour(items_of(city, root))) as url:
        stac = Stac(profile="local", url=url, timeout_s=5, retries=2)
        source = searched(stac, city)
        with pytest.raises(PartialError, match=r"1 of 9 .* first S2A_\w+/nir: missing: ") as caught:
            mirror.mirror(source, stac, BANDS, tmp_path, workers=1, progress=quiet)
        assert not (tmp_path / "catalog.json").exists()
        entries = Ledger(tmp_path / "ledger.jsonl").counts("asset")
        files.files = source_files
        made = mirror.mirror(source, stac, BANDS, tmp_path, progress=quiet)

    assert entries == {"done": 8, "failed": 1}
    assert "9 个文件中有 1 个" in caught.value.zh
    assert made.reused == 8
    assert len(files.asked(gone)) == 3
    assert len(files.asked(bad)) == 4
    assert Ledger(tmp_path / "ledger.jsonl").counts("asset") == {"done": 9}


def test_a_full_disk_ends_at_once(city, tmp_path, quiet, monkeypatch):
    files = Files(files_of(city))
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with serving_files(files) as root, serving(Behaviour(items_of(city, root))) as url:
        stac = Stac(profile="local", url=url, timeout_s=5, retries=2)
        source = searched(stac, city)
        with pytest.raises(ConfigError, match="free"):
            mirror.mirror(source, stac, BANDS, tmp_path, workers=1, progress=quiet)

    assert len(files.hits) < 9
    assert sum(hit.sent for hit in files.hits) <= len(files.hits) * 200_000


def test_a_dead_server_is_not_asked_for_everything(city, tmp_path, quiet, monkeypatch):
    monkeypatch.setattr(mirror.assets, "GIVE_UP", 3)
    data = files_of(city)
    files = Files(data, faults={path: ["503"] * 9 for path in data})
    with serving_files(files) as root, serving(Behaviour(items_of(city, root))) as url:
        stac = Stac(profile="local", url=url, timeout_s=5, retries=1)
        source = searched(stac, city)
        with pytest.raises(PartialError, match="9 of 9 assets"):
            mirror.mirror(source, stac, BANDS, tmp_path, workers=1, progress=quiet)

    assert len(files.hits) <= 10


def test_progress_is_told(city, tmp_path):
    said = []
    source = searched(local(city), city)

    mirror.mirror(source, local(city), BANDS, tmp_path, progress=lambda *told: said.append(told))

    assert said == [("mirror", done, 9) for done in range(10)]


@pytest.mark.parametrize("identity", ["..", ".", "../../escaped", "a/b"])
def test_ids_do_not_lead_out(city, tmp_path, quiet, identity):
    source = searched(local(city), city)
    first = source.decisions[0]
    strange = replace(first, id=identity, scene=replace(first.scene, id=identity))
    inventory = replace(source, decisions=(strange,))

    with pytest.raises(IntegrityError, match="leads out of the mirror"):
        mirror.mirror(inventory, local(city), BANDS, tmp_path / "m", progress=quiet)
    assert not list(tmp_path.rglob("*.tif"))


def test_a_link_that_leads_out_is_not_followed(city, tmp_path, quiet):
    source = searched(local(city), city)
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "m" / "scenes").mkdir(parents=True)
    (tmp_path / "m" / "scenes" / source.kept[0].id).symlink_to(outside)

    with pytest.raises(IntegrityError, match="leads out of the mirror"):
        mirror.mirror(source, local(city), BANDS, tmp_path / "m", progress=quiet)
    assert not list(outside.iterdir())


def test_places_that_are_no_place_for_a_mirror(city, tmp_path, quiet):
    source = searched(local(city), city)
    (tmp_path / "catalog.json").write_text('{"type": "Catalog", "links": []}')
    with pytest.raises(ConfigError, match="another catalogue"):
        mirror.mirror(source, local(city), BANDS, tmp_path, progress=quiet)
    mirror.mirror(source, local(city), BANDS, tmp_path / "m", progress=quiet)
    there = local(tmp_path / "m")
    with pytest.raises(ConfigError, match="the very catalogue"):
        mirror.mirror(searched(there, city), there, BANDS, tmp_path / "m", progress=quiet)
    first = source.decisions[0]
    away = {band: replace(a, href="s3://eodata/a.jp2") for band, a in first.scene.assets.items()}
    bucket = replace(source, decisions=(replace(first, scene=replace(first.scene, assets=away)),))
    with pytest.raises(ConfigError, match="s3://eodata"):
        mirror.mirror(bucket, local(city), BANDS, tmp_path / "n", progress=quiet)
    with pytest.raises(NoDataError, match="no usable scene"):
        mirror.mirror(replace(source, decisions=()), local(city), BANDS, tmp_path, progress=quiet)


def test_a_loss_in_the_telling_is_named(city):
    scene = searched(local(city), city).kept[0]
    other = replace(scene, offset=0, cloud=float("nan"), footprint=box(0, 0, 1, 1))
    nir = replace(scene.assets["nir"], checksum="1220ff", href="elsewhere")

    assert differences(scene, scene) == ()
    assert set(differences(scene, other)) == {"offset", "cloud", "footprint"}
    assert differences(scene, replace(scene, assets={**scene.assets, "nir": nir})) == (
        "nir checksum",
    )


WORKER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from jinhua_rs import catalog, mirror
    from jinhua_rs.settings import Stac
    from jinhua_rs.store import partial
    partial.CHECKPOINT = 4096
    stac = Stac(profile="local", url=sys.argv[1], timeout_s=20)
    inventory = catalog.Inventory.from_json(Path(sys.argv[2]).read_text())
    done = mirror.mirror(
        inventory, stac, ("red", "nir"), Path(sys.argv[3]), workers=1, progress=lambda *_: None
    )
""")


def test_a_mirror_killed_in_the_middle_goes_on_where_it_was(city, tmp_path, quiet):
    data = files_of(city)
    held = "/S2A_T50RQT_20241013T024000_L2A.nir.tif"
    files = Files(data, faults={held: ["hold 0.6"]})
    with serving_files(files) as root, serving(Behaviour(items_of(city, root))) as url:
        stac = Stac(profile="local", url=url, timeout_s=5, retries=2)
        source = searched(stac, city)
        snapshot = tmp_path / "scenes.json"
        snapshot.write_text(source.to_json())
        part = tmp_path / "m" / "scenes" / source.kept[1].id / "nir.tif.part"
        child = subprocess.Popen([sys.executable, "-c", WORKER, url, snapshot, tmp_path / "m"])
        try:
            wait_for(lambda: part.exists() and proven(part) > 0.5 * len(data[held]), child)
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        files.brake.set()
        before = [hit.path for hit in files.hits]
        kept = proven(part)
        files.hits.clear()
        made = mirror.mirror(source, stac, BANDS, tmp_path / "m", workers=1, progress=quiet)

    assert before[-1] == held
    assert made.reused == len(before) - 1 == 4
    assert files.hits[0].path == held
    assert files.hits[0].range == f"bytes={kept}-"
    assert files.hits[0].sent == len(data[held]) - kept
    assert set(before[:-1]).isdisjoint(hit.path for hit in files.hits)
    assert told(searched(local(tmp_path / "m"), city)) == told(source)
    assert mirror.recheck(tmp_path / "m", progress=quiet) == ()
    assert not list((tmp_path / "m").rglob("*.part*"))


def test_ctrl_c_does_not_wait_for_a_slow_server(city, tmp_path):
    held = "/S2A_T50RQT_20241003T024000_L2A.nir.tif"
    files = Files(files_of(city), faults={held: ["hold 0.6"]})
    with serving_files(files) as root, serving(Behaviour(items_of(city, root))) as url:
        source = searched(Stac(profile="local", url=url), city)
        snapshot = tmp_path / "scenes.json"
        snapshot.write_text(source.to_json())
        part = tmp_path / "m" / "scenes" / source.kept[0].id / "nir.tif.part"
        child = subprocess.Popen(
            [sys.executable, "-c", WORKER, url, snapshot, tmp_path / "m"], stderr=subprocess.PIPE
        )
        try:
            wait_for(lambda: part.exists() and proven(part) > 0, child)
            child.send_signal(signal.SIGINT)
            start = time.monotonic()
            _, said = child.communicate(timeout=15)
        finally:
            child.kill()
            child.communicate()

    assert b"KeyboardInterrupt" in said
    assert time.monotonic() - start < 10
    assert 0 < proven(part) == part.stat().st_size <= 0.6 * len(files.files[held])
    assert len(files.hits) == 2


def proven(part):
    try:
        return store.read_json(part.with_name(part.name + ".json"))["bytes"]
    except IntegrityError:
        return 0


def wait_for(there, child):
    end = time.monotonic() + 60
    while not there():
        assert child.poll() is None, "the child ended by itself"
        assert time.monotonic() < end
        time.sleep(0.02)
