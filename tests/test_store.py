import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import rasterio
import xarray as xr
from builders import X0, Y0, band
from odc.geo.geobox import GeoBox
from odc.geo.xr import assign_crs

from jinhua_rs import store
from jinhua_rs.errors import ConfigError, IntegrityError, LockedError
from jinhua_rs.ledger import Entry, Ledger
from jinhua_rs.schema import CHANGE_CLASSES


def tile(value=0.25):
    values = np.full((8, 8), value, "float32")
    values[0, 0] = np.nan
    data = xr.Dataset(
        {"ndvi": band(values, "ndvi"), "change": band(np.full((8, 8), 3), "change").astype("uint8")}
    )
    return assign_crs(data, "EPSG:4549")


def test_whole_replaces_at_the_end_and_not_before(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with store.whole(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_failed_write_leaves_nothing(tmp_path):
    def write_half_and_fail():
        with store.whole(tmp_path / "a") as part:
            part.mkdir()
            (part / "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half_and_fail()
    assert os.listdir(tmp_path) == []


def _write_and_die(path):
    with store.whole(path) as part:
        part.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_write_leaves_the_old_file_and_is_swept(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    process = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert store.sweep(tmp_path) == 1
    assert os.listdir(tmp_path) == ["a.txt"]


def test_an_unwritable_place_is_a_configuration_error(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigError, match="cannot write"),
        store.whole(tmp_path / "file" / "a") as part,
    ):
        part.write_text("x")
    with pytest.raises(ConfigError), store.locked(tmp_path / "file" / "b"):
        pass


def test_sealed_means_finished_undamaged_and_of_these_inputs(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"pixels")
    assert not store.is_sealed(path, "k")
    store.seal(path, "k", {"scenes": 3})
    assert store.is_sealed(path, "k")
    assert not store.is_sealed(path, "other")
    assert store.read_facts(path)["scenes"] == 3
    path.write_bytes(b"pixelz")
    assert not store.is_sealed(path, "k")
    (tmp_path / "a.bin.json").write_text("{")
    assert not store.is_sealed(path, "k")


def test_a_tile_survives_to_a_ten_thousandth_and_is_the_same_bytes_twice(tmp_path):
    store.write_tile(tmp_path / "a.zarr", tile(), "SIMULATED")
    store.write_tile(tmp_path / "b.zarr", tile(), "SIMULATED")

    opened = store.open_tile(tmp_path / "a.zarr")
    np.testing.assert_allclose(opened["ndvi"], tile()["ndvi"], atol=5.1e-5)
    assert opened["ndvi"].dtype == np.float32 and opened["change"].dtype == np.uint8
    assert opened.attrs["label"] == "SIMULATED"
    assert store.digest(tmp_path / "a.zarr") == store.digest(tmp_path / "b.zarr")


def test_a_damaged_tile_is_refused(tmp_path):
    with pytest.raises(IntegrityError):
        store.open_tile(tmp_path / "none.zarr")


def test_mosaic_is_a_cog_on_the_grid_with_colours(tmp_path):
    store.write_tile(tmp_path / "a.zarr", tile())
    geobox = GeoBox.from_bbox((X0 - 40, Y0 - 60, X0 + 60, Y0 + 40), crs="EPSG:4549", resolution=10)

    first = store.write_mosaic(
        tmp_path / "change.tif", "change", [tmp_path / "a.zarr"], geobox, classes=CHANGE_CLASSES
    )
    again = store.write_mosaic(
        tmp_path / "again.tif", "change", [tmp_path / "a.zarr"], geobox, classes=CHANGE_CLASSES
    )

    assert first == again
    with rasterio.open(tmp_path / "change.tif") as source:
        pixels = source.read(1)
        assert (
            (pixels[4:, 4:] == 3).all() and (pixels[:4] == 0).all() and (pixels[:, :4] == 0).all()
        )
        assert source.colormap(1)[3][:3] == (0xD1, 0x34, 0x2B)
        assert source.nodata == 0
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert "林木减少" in (tmp_path / "change.tif.aux.xml").read_text()


def test_float_mosaic_keeps_unseen_as_nan(tmp_path):
    store.write_tile(tmp_path / "a.zarr", tile())
    geobox = GeoBox.from_bbox((X0, Y0 - 80, X0 + 80, Y0), crs="EPSG:4549", resolution=10)
    store.write_mosaic(tmp_path / "ndvi.tif", "ndvi", [tmp_path / "a.zarr"], geobox)
    with rasterio.open(tmp_path / "ndvi.tif") as source:
        assert np.isnan(source.read(1)[0, 0])
        assert np.isnan(source.nodata)


def test_sums_find_what_is_damaged_or_gone(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    store.write_sums(tmp_path, [tmp_path / "a", tmp_path / "b"])
    assert store.verify_sums(tmp_path) == []
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").unlink()
    assert store.verify_sums(tmp_path) == ["a", "b"]
    (tmp_path / store.SUMS).write_text(f"{'0' * 64}  ../../etc/passwd\n")
    with pytest.raises(IntegrityError, match="outside"):
        store.verify_sums(tmp_path)


def _hold(folder, ready):
    with store.locked(folder):
        ready.set()
        time.sleep(60)


def test_two_runs_exclude_each_other_and_a_killed_one_frees_the_lock(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, ready))
    process.start()
    assert ready.wait(30)
    with pytest.raises(LockedError) as caught, store.locked(tmp_path):
        pass
    assert caught.value.exit_code == 75
    process.kill()
    process.join()
    with store.locked(tmp_path):
        pass


def test_too_little_disk_is_said_beforehand(tmp_path):
    with pytest.raises(ConfigError, match="GB free"):
        store.require_space(tmp_path, 10**18)


def test_the_ledger_keeps_the_newest_and_survives_a_torn_line(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.note(Entry("tile", "a", "failed", "disk"), Entry("tile", "b", "done"))
    with ledger.path.open("a") as file:
        file.write('{"kind": "tile", "id"')
    ledger.note(Entry("tile", "a", "done"))

    assert ledger.counts("tile") == {"done": 2}
    assert json.loads(ledger.path.read_text().splitlines()[-1])["id"] == "a"
