"""Two processes at one piece: a worker that outlived its run, and the run that took over."""

import multiprocessing
import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from jinhua_rs import store
from jinhua_rs.errors import IntegrityError, JinhuaError


def test_a_piece_that_was_swept_in_mid_write_is_never_put_in_place(tmp_path):
    """A worker outlives its run; the next run sweeps; Zarr would make the folder anew, half."""
    path = tmp_path / "tile.zarr"

    def write_while_another_run_begins():
        with store.whole(path) as part:
            part.mkdir()
            (part / "first").write_text("half")
            assert store.sweep(tmp_path) == 1
            part.mkdir(parents=True)
            (part / "second").write_text("half")

    with pytest.raises(IntegrityError, match="another run"):
        write_while_another_run_begins()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("stood", [False, True])
def test_two_writers_of_one_piece_end_in_one_whole_piece(tmp_path, monkeypatch, stood):
    """The other puts its folder in place in the very moment in which ours would go there."""
    path, rename, rivals = tmp_path / "tile", Path.replace, ["one"]
    if stood:
        _folder(path, "old")

    def slower(self, target):
        if target == path and rivals:
            rivals.pop()
            _folder(path, "new")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", slower)
    with store.whole(path) as part:
        _folder(part, "new")

    assert not rivals
    assert (path / "page").read_text() == "new"
    assert os.listdir(tmp_path) == ["tile"]


def test_an_equal_piece_stays_as_it_is(tmp_path):
    path = tmp_path / "tile"
    _folder(path, "same")
    before = path.stat()

    with store.whole(path) as part:
        _folder(part, "same")

    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert os.listdir(tmp_path) == ["tile"]


def _folder(path, text):
    path.mkdir()
    (path / "page").write_text(text)


def _write_for_ever(path):
    for _ in range(100_000):
        with suppress(JinhuaError), store.whole(path) as part:
            part.mkdir()
            for at in range(20):
                (part / f"{at}").write_text("x")


def test_a_sweep_is_not_disturbed_by_writers_that_live(tmp_path):
    writer = multiprocessing.get_context("spawn").Process(
        target=_write_for_ever, args=(tmp_path / "tile",)
    )
    writer.start()
    try:
        deadline = time.monotonic() + 60
        while not os.listdir(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.01)
        swept = sum(store.sweep(tmp_path) for _ in range(60))
    finally:
        writer.kill()
        writer.join()

    assert swept > 0
    store.sweep(tmp_path)
    assert [name for name in os.listdir(tmp_path) if name.endswith(".part")] == []
