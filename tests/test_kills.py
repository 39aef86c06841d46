"""SIGKILL of worker, driver and scheduler at random moments: the end is the same, byte for byte."""

import hashlib
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from builders import little_city
from distributed.cli import dask_scheduler, dask_worker

from jinhua_rs import cli
from jinhua_rs.ledger import Ledger

KILLS = int(os.environ.get("JINHUA_KILLS", "50"))
"""SIGKILLs that must hit a living process; more for a long soak."""
SEED = int(os.environ.get("JINHUA_KILLS_SEED", "20241123"))
PERIOD = "2019Q4"
LOCAL_KILLS = max(6, KILLS // 8)
"""Of these, on one machine, where processes are slow to come back."""
WORKERS = 2
LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks up pids in /proc")

NURSERY = multiprocessing.get_context("forkserver")  # imports once: kills hit work, not imports
NURSERY.set_forkserver_preload(
    ["jinhua_rs.cli", "distributed.cli.dask_scheduler", "distributed.cli.dask_worker"]
)


class _StoppedClock(datetime):
    """A report carries the time at which it was written; here it is always the same."""

    @classmethod
    def now(cls, tz=None):
        return cls(2026, 1, 1, tzinfo=tz)


def _listen_to(log):
    handle = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)


def _drive(config, log):
    """Be the command ``jinhua-rs run``, but for the clock."""
    _listen_to(log)
    cli.datetime = _StoppedClock
    sys.argv = ["jinhua-rs", "run", PERIOD, "--config", str(config)]
    cli.main()


def _schedule(port, log):
    """Be the command ``dask scheduler``."""
    _listen_to(log)
    dask_scheduler.main(
        ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-jupyter"],
        standalone_mode=False,
    )


def _work(port, folder, log):
    """Be the command ``dask worker``."""
    _listen_to(log)
    os.chdir(folder)
    dask_worker.main(
        [f"tcp://127.0.0.1:{port}", "--no-nanny", "--nthreads", "1", "--no-dashboard"],
        standalone_mode=False,
    )


class OnOneMachine:
    """A driver that brings its own workers; it is started again whenever it has ended."""

    ends_well = frozenset({0, 4, -signal.SIGKILL})
    """Published, partly failed (run again), or killed by us: a run ends in no other way."""

    def __init__(self, config: Path) -> None:
        self.config, self.log = config, config.with_suffix(".log")
        self.driver = None
        self.ends: Counter = Counter()
        self.hits: Counter = Counter()

    def tend(self) -> None:
        """Start whatever does not live."""
        if self.driver is not None and self.driver.is_alive():
            return
        if self.driver is not None:
            self.driver.join()
            self.ends[self.driver.exitcode] += 1
        self.driver = self.started(_drive, self.config)

    def started(self, role, *arguments):
        log = self.log if role is _drive else self.log.with_suffix(".cluster.log")
        process = NURSERY.Process(target=role, args=(*arguments, log))
        process.start()
        return process

    def victims(self) -> list[tuple[str, int]]:
        """Who may be killed; one that is named more often is killed more often."""
        workers = _children(self.driver.pid, b"spawn_main")
        return [("driver", self.driver.pid), *(("worker", pid) for pid in workers)]

    def strike(self, rng: np.random.Generator) -> None:
        """Kill one, and count it if it lived until then."""
        victims = self.victims()
        role, pid = victims[rng.integers(len(victims))]
        if _alive(pid):
            os.kill(pid, signal.SIGKILL)
            self.hits[role] += 1
        _until(lambda: not _alive(pid))

    def harass(self, rng: np.random.Generator, kills: int) -> Iterator[None]:
        """Kill after random bits of progress until enough have been hit; yield after each."""
        out = self.config.parent / "out" / PERIOD
        while self.hits.total() < kills:
            self.tend()
            enough = _written(out) + rng.integers(60)
            _until(lambda: _written(out) >= enough, rng.uniform(0.0, 6.0))  # noqa: B023
            time.sleep(rng.uniform(0.0, 0.1))
            self.strike(rng)
            yield

    def finish(self) -> int:
        """Let the run come to its end undisturbed; return its exit code."""
        for _ in range(2):  # the last kill may still cost the run that is under way
            self.tend()
            self.driver.join(150)
            if self.driver.exitcode == 0:
                break
        return self.driver.exitcode

    def everybody(self) -> list:
        return [self.driver]

    def close(self) -> None:
        for process in self.everybody():
            if process is not None:
                process.kill()
                process.join()

    def __str__(self) -> str:
        ends = dict(self.ends)
        return f"JINHUA_KILLS_SEED={SEED}: killed {dict(self.hits)}, runs ended with {ends}\n"


class OnACluster(OnOneMachine):
    """A driver, a scheduler and workers, each a process of its own, as on a cluster."""

    ends_well = OnOneMachine.ends_well | {2}
    """Or no scheduler answered, when the run asked for it."""

    def __init__(self, config: Path, port: int) -> None:
        super().__init__(config)
        self.port, self.scheduler, self.workers = port, None, []

    def tend(self) -> None:
        if self.scheduler is None or not self.scheduler.is_alive():
            self.scheduler = self.started(_schedule, self.port)
        alive = [worker for worker in self.workers if worker.is_alive()]
        fresh = range(WORKERS - len(alive))
        self.workers = alive + [self.started(_work, self.port, self.log.parent) for _ in fresh]
        super().tend()

    def victims(self) -> list[tuple[str, int]]:
        workers = [("worker", worker.pid) for worker in self.workers]
        return [("driver", self.driver.pid), ("scheduler", self.scheduler.pid), *workers, *workers]

    def everybody(self) -> list:
        return [self.driver, *self.workers, self.scheduler]


def _written(out):
    """How much is on disk: a tile is some twenty JSON files, so this moves while it is written."""
    return sum(name.endswith(".json") for _, _, names in os.walk(out) for name in names)


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _children(parent, mark):
    """Processes whose parent it is, with a mark in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            its_parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if its_parent == parent and mark in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def _until(happened, patience_s=60.0):
    """Wait until something has happened, or patience ends."""
    deadline = time.monotonic() + patience_s
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)


@dataclass(frozen=True)
class Undisturbed:
    """
    A city, and the SHA-256 of all that an undisturbed run leaves of it.

    ``second`` is how another run of the same period ended while that one worked.
    """

    config: Path
    sums: dict
    second: int

    @property
    def out(self) -> Path:
        return self.config.parent / "out" / PERIOD

    def begin(self, **changes) -> Path:
        """Clear the output; return a configuration beside the first one."""
        shutil.rmtree(self.out, ignore_errors=True)
        settings = self.config.with_name("disturbed.toml")
        text = self.config.read_text().replace("workers = 1", f"workers = {WORKERS}")
        settings.write_text(text + "".join(f'[{k}]\nkind = "{v}"\n' for k, v in changes.items()))
        return settings


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    config = little_city(tmp_path_factory.mktemp("city") / "city", years=(2019,))
    config.write_text(config.read_text().replace("tile_size = 64", "tile_size = 24"))
    out, log = config.parent / "out" / PERIOD, config.parent / "undisturbed.log"
    first, second = (NURSERY.Process(target=_drive, args=(config, log)) for _ in range(2))
    first.start()
    _until(lambda: _is_locked(out / ".lock"))
    second.start()
    second.join()
    assert first.is_alive(), "the first run must still have been at work"
    first.join()
    assert first.exitcode == 0, log.read_text()[-4000:]
    return Undisturbed(config, _sums(out), second.exitcode)


def _is_locked(path):
    return path.exists() and f":{path.stat().st_ino} " in Path("/proc/locks").read_text()


def _sums(folder):
    """SHA-256 of every file below a folder, by relative name; lock and ledger tell of the run."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name not in (".lock", "ledger.jsonl")
    }


def _differing(ours, theirs):
    """Names that one of two sums has alone, or with another content: few, whatever the city."""
    return sorted({name for name, _ in ours.items() ^ theirs.items()})


def _finished(folder):
    """Finished tiles, with what changes when one is made again."""
    tiles = (path.with_suffix("") for path in folder.glob("tiles/*/*.zarr.json"))
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in tiles}


def _made_twice(ledger):
    """Tiles that were finished more than once; samples are read for a model, and leave no tile."""
    done = Counter(e.id for e in Ledger(ledger).entries() if (e.kind, e.state) == ("tile", "done"))
    products = ("composite/", "land/", "change/")
    return [tile for tile, times in done.items() if times > 1 and tile.startswith(products)]


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@LINUX
def test_a_second_run_of_the_period_is_refused_while_the_first_works(undisturbed):
    assert undisturbed.second == 75


def _require_the_same_end(run, undisturbed, finished):
    """Let the run end, and compare all that it leaves with what an undisturbed run leaves."""
    out, end = undisturbed.out, run.finish()
    said = run.log.read_text()[-6000:]
    sys.stdout.write(str(run))
    assert end == 0, f"{run}{said}"
    assert set(run.ends) <= run.ends_well, f"{run}{said}"
    assert "Traceback" not in run.log.read_text(), f"{run}{said}"
    assert _differing(_sums(out), undisturbed.sums) == [], str(run)
    assert _finished(out) == _finished(out) | finished, str(run)
    assert _made_twice(out / "ledger.jsonl") == [], str(run)


@LINUX
@pytest.mark.timeout(180 + 8 * KILLS)
def test_killed_on_a_cluster_the_end_is_the_same_byte_for_byte(undisturbed):
    """Worker, driver, scheduler: most of the kills, for nothing has to be imported again."""
    port, finished = _free_port(), {}
    run = OnACluster(undisturbed.begin(cluster=f"tcp://127.0.0.1:{port}"), port)
    try:
        for _ in run.harass(np.random.default_rng(SEED), KILLS - LOCAL_KILLS):
            finished = _finished(undisturbed.out) | finished
        _require_the_same_end(run, undisturbed, finished)
        assert "Receive client connection" in run.log.with_suffix(".cluster.log").read_text()
    finally:
        run.close()


@LINUX
@pytest.mark.timeout(180 + 8 * KILLS)
def test_killed_on_one_machine_the_end_is_the_same_byte_for_byte(undisturbed):
    """Driver, and the workers that it brought along."""
    run, finished = OnOneMachine(undisturbed.begin()), {}
    try:
        for _ in run.harass(np.random.default_rng(SEED), LOCAL_KILLS):
            finished = _finished(undisturbed.out) | finished
        _require_the_same_end(run, undisturbed, finished)
    finally:
        run.close()
