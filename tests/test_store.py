import importlib.util
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

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


def folder_with(path, text):
    path.mkdir()
    (path / "page").write_text(text)


def test_a_folder_is_replaced_and_nothing_is_left_beside(tmp_path):
    path = tmp_path / "report"
    folder_with(path, "old")
    with store.whole(path) as part:
        folder_with(part, "new")
        assert (path / "page").read_text() == "old"
    assert (path / "page").read_text() == "new"
    assert os.listdir(tmp_path) == ["report"]


def test_a_link_to_a_folder_is_replaced_and_the_folder_is_kept(tmp_path):
    folder_with(tmp_path / "elsewhere", "old")
    (tmp_path / "report").symlink_to(tmp_path / "elsewhere")
    with store.whole(tmp_path / "report") as part:
        folder_with(part, "new")
    assert (tmp_path / "report" / "page").read_text() == "new"
    assert (tmp_path / "elsewhere" / "page").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "report"]


def test_an_old_folder_comes_back_when_the_new_one_cannot_take_its_name(tmp_path, monkeypatch):
    path, rename = tmp_path / "report", Path.replace
    folder_with(path, "old")

    def refuse_the_new(self, target):
        if self.name.endswith(".part") and not self.name.endswith(".old.part"):
            raise PermissionError(13, "in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", refuse_the_new)
    with pytest.raises(ConfigError, match="in use"), store.whole(path) as part:
        folder_with(part, "new")
    assert (path / "page").read_text() == "old"
    assert os.listdir(tmp_path) == ["report"]


def _die_between_the_renames(path):
    rename = Path.replace

    def rename_and_die(self, target):
        rename(self, target)
        os.kill(os.getpid(), signal.SIGKILL)

    Path.replace = rename_and_die
    with store.whole(path) as part:
        folder_with(part, "new")


def test_a_folder_put_aside_by_a_killed_run_is_put_back(tmp_path):
    path = tmp_path / "report"
    folder_with(path, "old")
    process = multiprocessing.get_context("spawn").Process(
        target=_die_between_the_renames, args=(path,)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not path.exists()

    assert store.sweep(tmp_path) == 2
    assert (path / "page").read_text() == "old"
    assert os.listdir(tmp_path) == ["report"]


def test_a_folder_put_aside_does_not_come_back_over_its_successor_or_a_newer_one(tmp_path):
    folder_with(tmp_path / "done", "new")
    folder_with(tmp_path / ".done.7.old.part", "old")
    for pid, (age, text) in enumerate([(30, "oldest"), (10, "newest"), (20, "older")]):
        aside = tmp_path / f".lost.{pid}.old.part"
        folder_with(aside, text)
        os.utime(aside, (time.time() - age, time.time() - age))

    assert store.sweep(tmp_path) == 4
    assert (tmp_path / "done" / "page").read_text() == "new"
    assert (tmp_path / "lost" / "page").read_text() == "newest"
    assert sorted(os.listdir(tmp_path)) == ["done", "lost"]


def test_on_windows_folders_are_not_flushed_and_files_are_opened_to_be_written(
    tmp_path, monkeypatch
):
    opened, real = [], os.open

    def note(path, flags, *more, **named):
        opened.append((Path(path), flags))
        return real(path, flags, *more, **named)

    monkeypatch.setattr("jinhua_rs.store.atomic._WINDOWS", True)
    folder_with(tmp_path / "report", "old")
    with monkeypatch.context() as patch, store.whole(tmp_path / "report") as part:
        folder_with(part, "new")
        patch.setattr(os, "open", note)
    assert (tmp_path / "report" / "page").read_text() == "new"
    assert (part / "page", os.O_RDWR) in opened
    assert tmp_path not in [path for path, flags in opened if flags == os.O_RDWR]


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


def noise():
    """A tile of which a map needs about half a megabyte."""
    values = np.random.default_rng(0).random((400, 400)).astype("float32")
    return assign_crs(xr.Dataset({"ndvi": band(values, "ndvi")}), "EPSG:4549")


def noise_box():
    return GeoBox.from_bbox((X0, Y0 - 4000, X0 + 4000, Y0), crs="EPSG:4549", resolution=10)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of so many kB."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(size):
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True)
        except OSError as error:
            pytest.skip(f"no small disk can be mounted here: {error}")
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
        return disk

    yield mount
    if os.path.ismount(disk):
        subprocess.run(["umount", str(disk)], check=True)  # noqa: S607


# Draft and map need about 500 kB each: the disk fills up in the draft, at its end, in the map.
@pytest.mark.parametrize("size", [16, 300, 500, 600, 800])
def test_a_full_disk_is_a_configuration_error_and_leaves_nothing(tmp_path, small_disk, size):
    store.write_tile(tmp_path / "a.zarr", noise())
    disk = small_disk(size)
    with pytest.raises(ConfigError, match="free space") as caught:
        store.write_mosaic(disk / "ndvi.tif", "ndvi", [tmp_path / "a.zarr"], noise_box())
    assert caught.value.exit_code == 2
    assert "腾出空间" in caught.value.zh
    assert os.listdir(disk) == []


def test_a_tile_on_a_full_disk_is_a_configuration_error(small_disk):
    disk = small_disk(300)
    with pytest.raises(ConfigError, match="No space left") as caught:
        store.write_tile(disk / "a.zarr", noise())
    assert os.listdir(disk) == []
    free, begun = map(float, re.findall(r"([\d.]+) MB", str(caught.value)))
    assert max(free, begun) <= 0.3


def test_trouble_with_an_input_is_not_called_trouble_with_writing(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="input"),
        store.whole(tmp_path / "maps" / "a") as part,
    ):
        part.write_bytes((tmp_path / "input").read_bytes())
    with (
        pytest.raises(ConnectionResetError),
        store.whole(tmp_path / "maps" / "a"),
    ):
        raise ConnectionResetError(104, "Connection reset by peer")
    assert os.listdir(tmp_path / "maps") == []


def test_a_name_that_cannot_be_written_is_no_full_disk(tmp_path):
    name = "x" * 300
    with (
        pytest.raises(ConfigError, match="name too long; correct that") as caught,
        store.whole(tmp_path / "a") as part,
    ):
        part.with_name(name).write_text("x")
    assert "腾出空间" not in caught.value.zh


@pytest.mark.parametrize("step", ["_paste", "_to_cog"])
def test_gdal_errors_without_a_number_are_configuration_errors(tmp_path, monkeypatch, step):
    def fail(*_, **__):
        raise rasterio.errors.RasterioIOError("Write failed.")

    store.write_tile(tmp_path / "a.zarr", tile())
    (tmp_path / "maps").mkdir()
    monkeypatch.setattr(f"jinhua_rs.store.raster.{step}", fail)
    with pytest.raises(ConfigError, match="Write failed"):
        store.write_mosaic(
            tmp_path / "maps" / "ndvi.tif", "ndvi", [tmp_path / "a.zarr"], noise_box()
        )
    assert os.listdir(tmp_path / "maps") == []


@pytest.mark.parametrize("cut", ["short", "other"])
def test_a_map_that_gdal_wrote_wrongly_without_a_word_is_refused(tmp_path, monkeypatch, cut):
    def copy(draft, part, **_):
        shutil.copy(draft, part)
        if cut == "short":
            os.truncate(part, part.stat().st_size - 100_000)
            return
        with rasterio.open(part, "r+") as map_:
            map_.write(np.zeros((1, 1), "float32"), 1, window=((9, 10), (9, 10)))

    store.write_tile(tmp_path / "a.zarr", noise())
    (tmp_path / "maps").mkdir()
    monkeypatch.setattr("jinhua_rs.store.raster._to_cog", copy)
    with pytest.raises(ConfigError, match="cannot write"):
        store.write_mosaic(
            tmp_path / "maps" / "ndvi.tif", "ndvi", [tmp_path / "a.zarr"], noise_box()
        )
    assert os.listdir(tmp_path / "maps") == []


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


def test_on_windows_the_lock_is_that_of_windows(tmp_path, monkeypatch):
    held = set()

    def locking(handle, mode, count):
        file = os.fstat(handle).st_ino
        assert (os.lseek(handle, 0, os.SEEK_CUR), count) == (0, 1)
        if mode == "unlock":
            held.remove(file)
        elif file in held:
            raise PermissionError(13, "Permission denied")
        else:
            held.add(file)

    fake = SimpleNamespace(locking=locking, LK_NBLCK="lock", LK_UNLCK="unlock")
    monkeypatch.setitem(sys.modules, "msvcrt", fake)
    monkeypatch.setitem(sys.modules, "fcntl", None)  # cannot be imported
    spec = importlib.util.spec_from_file_location("windows_lock", store.lock.__file__)
    windows = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        spec.loader.exec_module(windows)

    with windows.locked(tmp_path), pytest.raises(LockedError), windows.locked(tmp_path):
        pass
    assert not held
    with windows.locked(tmp_path):
        assert held


def test_too_little_disk_is_said_beforehand(tmp_path):
    with pytest.raises(ConfigError, match="GB free"):
        store.require_space(tmp_path, 10**18)


@pytest.mark.parametrize(
    ("reason", "zh"),
    [
        ("", ""),
        ("已是中文", "已是中文"),
        ("CRS is EPSG:32651, the item says EPSG:32650", "坐标系与条目不符"),
        ("red.tif is no GTiff file", "文件格式不符"),
        ("a.tif has 3 bytes, the item says 4", "文件大小或校验值不符"),
        ("missing: https://a.cn/b.tif (HTTP 404); search again with --refresh", "文件缺失"),
        ("https://a.cn/b.tif cannot be read (ConnectTimeout); try again", "连接超时或中断"),
        ("10.0.0.1 sends on to 'file:///', which is not allowed", "地址不在允许范围内"),
        ("RuntimeError: boom", "处理失败"),
    ],
)
def test_a_reason_is_told_in_chinese_with_its_own_words_behind(reason, zh):
    told = Entry("asset", "a", "failed", reason).chinese

    assert told == (f"{zh}（{reason}）" if zh != reason else reason)


def test_reasons_of_several_bands_are_told_one_by_one_and_a_noted_wording_holds():
    both = "red: missing: red.tif does not exist; scl: cannot be read: TIFFReadEncodedTile()"

    told = Entry("scene", "a", "failed", both).chinese

    assert told == (
        "red：文件缺失（missing: red.tif does not exist）；"
        "scl：无法读取（cannot be read: TIFFReadEncodedTile()）"
    )
    assert Entry("scene", "a", "failed", both, "两个文件有误").chinese == "两个文件有误"


def test_the_ledger_keeps_the_newest_and_survives_a_torn_line(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.note(Entry("tile", "a", "failed", "disk"), Entry("tile", "b", "done"))
    with ledger.path.open("a") as file:
        file.write('{"kind": "tile", "id"')
    ledger.note(Entry("tile", "a", "done"))

    assert ledger.counts("tile") == {"done": 2}
    assert json.loads(ledger.path.read_text().splitlines()[-1])["id"] == "a"
