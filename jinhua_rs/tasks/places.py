"""Where tasks run: here, on this machine's cores, on Slurm, or on a scheduler that runs."""

import logging
import math
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster, Status
from distributed.system import MEMORY_LIMIT
from distributed.utils import silence_logging_cmgr

from jinhua_rs import __version__
from jinhua_rs.errors import ConfigError, PartialError
from jinhua_rs.settings import Cluster, Run
from jinhua_rs.tasks import slurm, work
from jinhua_rs.tasks.pool import Pool
from jinhua_rs.tasks.refill import refill
from jinhua_rs.tasks.team import Team

__all__ = ["pool"]

RULES: Mapping[str, Any] = {
    # a task whose worker died is not handed to the next worker: Team decides
    "distributed.scheduler.allowed-failures": 0,
    # what waits, waits at the scheduler, so that a dying worker takes one task along
    "distributed.scheduler.worker-saturation": 1.0,
    # results are file names: memory belongs to the task, and a paused worker would wait for ever
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.preload": [work.__name__],
    "distributed.nanny.environ.GDAL_NUM_THREADS": 1,
    **{f"distributed.nanny.pre-spawn-environ.{name}": size for name, size in work.HEAP.items()},
    # by default, a worker that is just being started again 15 s after a death is closed for good
    "distributed.deploy.lost-worker-timeout": "3650 days",
}
"""How Dask behaves in clusters of our own."""
ENDED = (Status.closed, Status.failed)
"""States of a worker that does not come back by itself."""


@contextmanager
def pool(run: Run, cluster: Cluster, log_dir: Path) -> Iterator[Pool]:
    """
    Yield a pool of the workers that the settings ask for; what was started ends with the block.

    Parameters
    ----------
    run : Run
        For ``kind = "local"``: number of workers (1 means none: work is done right here) and
        the memory limit of each, which is never more than its share of the machine.
    cluster : Cluster
    log_dir : Path
        Folder for the logs of Slurm jobs, which must see it too; made if needed.

    Raises
    ------
    ConfigError
        If there is no such cluster, no worker, or one of another version.
    """
    number = run.workers or CPU_COUNT
    if _here(cluster) and number == 1:
        yield Pool()
        return
    with ExitStack() as held:
        held.enter_context(silence_logging_cmgr(logging.CRITICAL))
        yield Pool(held.enter_context(_team(run, cluster, log_dir)))


def _team(run: Run, cluster: Cluster, log_dir: Path) -> AbstractContextManager[Team]:
    if _here(cluster):
        return _local(run.workers or CPU_COUNT, run.memory_gib, cluster)
    return _slurm(cluster, log_dir) if cluster.kind == "slurm" else _running(cluster)


def _here(cluster: Cluster) -> bool:
    """Tell whether the work is done on this machine: neither Slurm nor an address is named."""
    return cluster.kind != "slurm" and "://" not in cluster.kind


@contextmanager
def _local(number: int, memory_gib: float, cluster: Cluster) -> Iterator[Team]:
    """Start worker processes on this machine, which listen on loopback only."""
    with dask.config.set(RULES), ExitStack() as held:
        with _deaf_children(), _started():
            workers = held.enter_context(
                LocalCluster(
                    n_workers=number,
                    threads_per_worker=1,
                    memory_limit=_memory(memory_gib, number),
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
            )
        client = held.enter_context(Client(workers, set_as_default=False))

        def tend(_: int) -> None:
            names = [n for n, nanny in dict(workers.workers).items() if nanny.status in ENDED]
            if names:
                refill(workers, number, names)

        yield Team(client, 60 * cluster.task_minutes, cluster.wait_s, tend)


@contextmanager
def _started() -> Iterator[None]:
    """Tell of a worker that died while it was being started, which Dask does not survive."""
    try:
        yield
    except RuntimeError as error:
        reason = error.__cause__ or error
        raise PartialError(
            f"a worker process did not start ({reason}); run again",
            zh=f"工作进程未能启动（{reason}）；请重新运行",
        ) from error


def _memory(gib: float, number: int) -> int:
    """Bytes for each of ``number`` workers: what is asked for, or its share of what there is."""
    return min(int(gib * 2**30), MEMORY_LIMIT // number)


@contextmanager
def _slurm(cluster: Cluster, log_dir: Path) -> Iterator[Team]:
    """Start a scheduler here and workers in Slurm jobs."""
    with (
        dask.config.set(RULES),
        slurm.started(cluster, log_dir) as jobs,
        Client(jobs.cluster, set_as_default=False) as client,
    ):
        yield Team(client, 60 * cluster.task_minutes, math.inf, jobs.tend)


@contextmanager
def _running(cluster: Cluster) -> Iterator[Team]:
    """Connect to a scheduler that others started, and leave it running."""
    address = cluster.kind
    try:
        client = Client(address, timeout=cluster.wait_s, set_as_default=False)
    except OSError as error:
        raise ConfigError(
            f"no Dask scheduler answers at {address}; start one, or correct [cluster] kind",
            zh=f"{address} 没有 Dask 调度器应答；请先启动调度器，或更正 [cluster] kind",
        ) from error
    with client:
        _require_workers(client, cluster)
        try:
            _require_same_versions(client)
        except OSError as error:
            raise PartialError(
                f"the scheduler at {address} went away; start it again and run again",
                zh=f"{address} 的调度器已断开；请重新启动后再次运行",
            ) from error
        yield Team(client, 60 * cluster.task_minutes, cluster.wait_s)


def _require_workers(client: Client, cluster: Cluster) -> None:
    try:
        client.wait_for_workers(1, timeout=cluster.wait_s)
    except TimeoutError as error:
        raise ConfigError(
            f"the scheduler at {cluster.kind} has no worker after {cluster.wait_s:g} s; "
            f"start some with `dask worker {cluster.kind} --nthreads 1 --nworkers auto`",
            zh=f"{cluster.kind} 的调度器等待 {cluster.wait_s:g} 秒后仍无工作进程；"
            f"请用 `dask worker {cluster.kind} --nthreads 1 --nworkers auto` 启动",
        ) from error


def _require_same_versions(client: Client) -> None:
    """Raise unless scheduler and workers run the Python, Dask and jinhua-rs of this process."""

    def version_there() -> str:  # nested, so that it travels whole: a worker may have none of ours
        return str(import_module("jinhua_rs").__version__)

    found: Any = client.get_versions()
    ours = _versions(found["client"])
    different = [
        f"{place} {name} {version}"
        for place, told in {"scheduler": found["scheduler"], **found["workers"]}.items()
        for name, version in _versions(told).items()
        if version != ours[name]
    ]
    different += [
        f"{place} jinhua_rs {version}"
        for place, version in client.run(version_there, on_error="return").items()
        if version != __version__
    ]
    if different:
        here = ", ".join(f"{name} {version}" for name, version in ours.items())
        raise ConfigError(
            f"the cluster runs other versions: {different[0]} ({len(different)} such); "
            f"here it is {here}, jinhua_rs {__version__}; install the same everywhere",
            zh=f"集群的软件版本不一致：{different[0]}（共 {len(different)} 处）；"
            f"本机为 {here}, jinhua_rs {__version__}；请统一安装相同版本",
        )


def _versions(told: Mapping[str, Any]) -> dict[str, str]:
    """Pick what must agree: Dask, and Python to its second number."""
    packages = told["packages"]
    return {
        "dask": str(packages["dask"]),
        "distributed": str(packages["distributed"]),
        "python": ".".join(str(packages["python"]).split(".")[:2]),
    }


@contextmanager
def _deaf_children() -> Iterator[None]:
    """
    Let processes that start in the block ignore Ctrl-C, which a terminal sends to all.

    The parent hears it again once the pool stands, and closes the pool in order. Processes that
    take the place of dead ones later are deafened by :func:`jinhua_rs.tasks.work.dask_setup`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
