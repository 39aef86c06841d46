"""A Dask scheduler that others started: used, left running, and missed when it goes away."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import deeds
import pytest
from deeds import Told, divisions, results, squares

from jinhua_rs.errors import ConfigError, PartialError, PoisonError
from jinhua_rs.settings import Cluster, Run
from jinhua_rs.tasks import Task, pool

ROOT = Path(__file__).parents[1]
LOGS = Path("no-logs")


@contextmanager
def process(module, *options, folder, paths=(ROOT, ROOT / "tests")) -> Iterator[subprocess.Popen]:
    """A process that is ended at the end, if it still lives; its log is not shown."""
    started = subprocess.Popen(
        [sys.executable, "-m", module, *map(str, options)],
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def address_in(told: Path) -> str:
    """Wait until a scheduler has told its address in a file."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(FileNotFoundError, json.JSONDecodeError):  # not there, or half of it
            return json.loads(told.read_text())["address"]
        time.sleep(0.05)
    pytest.fail("the scheduler did not start")


@pytest.fixture
def scheduler(tmp_path):
    """A Dask scheduler in a process of its own, and its address."""
    told = tmp_path / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--dashboard-address",
               "127.0.0.1:0", "--scheduler-file", told)  # fmt: skip
    with process("distributed.cli.dask_scheduler", *options, folder=tmp_path) as running:
        yield running, address_in(told)


@pytest.fixture
def worker(tmp_path):
    """Starts a worker with one thread for the scheduler at an address."""
    options = ("--nthreads", 1, "--host", "127.0.0.1", "--no-dashboard")

    def start(address, **given):
        return process("distributed.cli.dask_worker", address, *options, folder=tmp_path, **given)

    return start


def cluster_at(address, wait_s=30.0):
    return Cluster(kind=address, wait_s=wait_s)


def test_a_scheduler_that_runs_is_used_and_left_running(scheduler, worker):
    running, address = scheduler
    with worker(address) as helper:
        with pool(Run(), cluster_at(address), LOGS) as far:
            outcomes = results(far, [*squares(6), *divisions(0)])

        assert isinstance(outcomes.pop("by-0"), ZeroDivisionError)
        assert outcomes == {f"square-{n}": n * n for n in range(6)}
        assert running.poll() is None and helper.poll() is None


def test_poison_is_quarantined_on_a_scheduler_with_rules_of_its_own(scheduler, worker, tmp_path):
    """There Dask itself hands a deadly task to the next worker, several times, before it tells."""
    poison = Task("poison", deeds.die, (tmp_path / "deaths",))
    _, address = scheduler
    with worker(address), pool(Run(), cluster_at(address), LOGS) as far:
        outcomes = results(far, [poison, *squares(6)])

    assert isinstance(outcomes.pop("poison"), PoisonError)
    assert outcomes == {f"square-{n}": n * n for n in range(6)}


def test_a_scheduler_that_is_killed_in_the_middle_is_a_clear_error_and_no_hang(
    scheduler, worker, capfd
):
    running, address = scheduler
    with worker(address), pool(Run(), cluster_at(address), LOGS) as far:
        outcomes = far.run(squares(40, 0.2), "stage", Told())
        _, first = next(outcomes)
        begun = time.monotonic()
        running.kill()
        with pytest.raises(PartialError, match="the cluster went away") as lost:
            list(outcomes)

    assert isinstance(first, int)
    assert time.monotonic() - begun < 30
    assert lost.value.exit_code == 4 and "重新运行" in lost.value.zh
    assert "Traceback" not in capfd.readouterr().err


def test_workers_that_all_go_away_are_a_clear_error_and_no_hang(scheduler, worker):
    _, address = scheduler
    with worker(address) as helper, pool(Run(), cluster_at(address, 5.0), LOGS) as far:
        outcomes = far.run(squares(40, 0.2), "stage", Told())
        next(outcomes)
        helper.terminate()
        with pytest.raises(PartialError, match="has had no worker for 5 s"):
            list(outcomes)


def test_a_scheduler_that_is_not_there_is_a_clear_error():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"

        with (
            pytest.raises(ConfigError, match=f"no Dask scheduler answers at {address}"),
            pool(Run(), cluster_at(address, 2.0), LOGS),
        ):
            pytest.fail("there is no cluster")


def test_a_scheduler_without_workers_is_a_clear_error(scheduler):
    _, address = scheduler

    with (
        pytest.raises(ConfigError, match="has no worker after 1 s; start some with `dask worker"),
        pool(Run(), cluster_at(address, 1.0), LOGS),
    ):
        pytest.fail("there is no worker")


def test_a_worker_with_another_jinhua_rs_is_a_clear_error(scheduler, worker, tmp_path):
    old = tmp_path / "old" / "jinhua_rs"
    old.mkdir(parents=True)
    (old / "__init__.py").write_text('__version__ = "0.0.1"\n')
    _, address = scheduler

    with (
        worker(address, paths=(old.parent,)),
        pytest.raises(ConfigError, match=r"other versions: tcp.* jinhua_rs 0\.0\.1 \(1 such\)"),
        pool(Run(), cluster_at(address), LOGS),
    ):
        pytest.fail("the worker is of another version")


def test_a_worker_without_jinhua_rs_is_a_clear_error(scheduler, worker, tmp_path):
    # stands before an installed one, and is as good as none
    (tmp_path / "jinhua_rs.py").write_text(
        """raise ModuleNotFoundError("No module named 'jinhua_rs'")"""
    )
    _, address = scheduler

    with (
        worker(address, paths=(tmp_path,)),
        pytest.raises(ConfigError, match=r"jinhua_rs No module named 'jinhua_rs'"),
        pool(Run(), cluster_at(address), LOGS),
    ):
        pytest.fail("the worker has no jinhua_rs")
