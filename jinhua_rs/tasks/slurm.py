"""Workers in Slurm jobs: submitted by dask-jobqueue, kept at their number by a look at squeue."""

import logging
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dask
from distributed import Security, Status

from jinhua_rs.errors import ConfigError, PartialError
from jinhua_rs.settings import Cluster
from jinhua_rs.tasks.refill import refill
from jinhua_rs.tasks.work import HEAP

__all__ = ["Jobs", "started"]

QUEUE_S = 15.0
"""How often squeue is asked, seconds."""
STRIKES = 3
"""Looks in a row at which jobs had ended and no worker was there, before the run gives up."""
LIFETIME_SHARE = 0.85
"""Share of the walltime after which a worker retires, …"""
STAGGER_SHARE = 0.05
"""… sooner or later by up to this share, so that not all jobs end at once."""

PATIENCE = {
    "distributed.comm.timeouts.connect": "60s",
    "distributed.comm.timeouts.tcp": "60s",
    "distributed.comm.retry.count": 5,
}
"""Networks of clusters are slower than loopback."""
ENVIRONMENT = (
    "export OMP_NUM_THREADS=1 GDAL_NUM_THREADS=1",
    "export DASK_DISTRIBUTED__WORKER__MEMORY__TARGET=False",
    "export DASK_DISTRIBUTED__WORKER__MEMORY__SPILL=False",
    "export DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=False",
    "export DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT=60s",
    "export DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP=60s",
    "export DASK_DISTRIBUTED__COMM__RETRY__COUNT=5",
    f'export DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON="{HEAP}"',
)
"""What a job is told that the driver's own configuration does not carry over."""


@dataclass(slots=True)
class Jobs:
    """
    The Slurm jobs of a run, kept at their number.

    dask-jobqueue submits and cancels. It does not see that a job of several workers has ended,
    so squeue is asked.
    """

    cluster: Any
    wanted: int
    log_dir: Path
    _strikes: int = 0
    _look_at: float = 0.0

    def tend(self, workers: int) -> None:
        """
        Replace jobs that have ended; called every few seconds with the number of workers.

        Raises
        ------
        PartialError
            If jobs end again and again before a worker comes.
        """
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + QUEUE_S
        ended = self._ended()
        try:
            self.submit(ended)
        except RuntimeError as error:  # sbatch refused: the controller may be restarting
            self._strike(workers, str(error))
            return
        if ended:
            self._strike(workers, f"{len(ended)} jobs ended before a worker came")
        elif workers:
            self._strikes = 0

    def submit(self, ended: Sequence[str] = ()) -> None:
        """Forget jobs that have ended, submit as many as are missing; RuntimeError if refused."""
        try:
            refill(self.cluster, self.wanted, ended)
        except RuntimeError:
            for job in self.cluster.workers.values():
                if job.job_id is None:  # Dask wants to know of each how it ended
                    job.status = Status.failed
            raise

    def _ended(self) -> list[str]:
        """Names of jobs that Slurm no longer lists as waiting or running."""
        listed = _squeue()
        if listed is None:
            return []
        jobs = dict(self.cluster.workers)
        return [name for name, job in jobs.items() if job.job_id not in listed]

    def _strike(self, workers: int, reason: str) -> None:
        self._strikes = 0 if workers else self._strikes + 1
        if self._strikes >= STRIKES:
            raise PartialError(
                f"Slurm keeps no job of ours alive: {reason}; finished tiles are kept; "
                f"read the logs in {self.log_dir}, then run again",
                zh=f"Slurm 作业无法维持：{reason}；已完成的分块均已保留，"
                f"请查看 {self.log_dir} 中的日志后重新运行",
            )


@contextmanager
def started(cluster: Cluster, log_dir: Path) -> Iterator[Jobs]:
    """
    Start a scheduler in this process and submit the jobs; cancel them at the end.

    Raises
    ------
    ConfigError
        If dask-jobqueue or Slurm is not there, or Slurm refuses the job.
    """
    kind = _cluster_class()
    folder = _folder(log_dir)
    with dask.config.set(PATIENCE), _keys(folder) as security:
        try:
            held = kind(security=security, **_options(cluster, folder))
        except (RuntimeError, ValueError) as error:
            raise _refused(error) from error
        with held:
            jobs = Jobs(held, cluster.jobs, folder)
            try:
                jobs.submit()
            except RuntimeError as error:
                raise _refused(error) from error
            yield jobs


@contextmanager
def _keys(folder: Path) -> Iterator[Security]:
    """
    Let scheduler and workers speak TLS, with a certificate that is made for this run alone.

    On a shared network, whoever can speak to a Dask scheduler can run code as its owner. The files
    lie in ``folder``, which the jobs see too, readable by their owner only, until the run ends.
    """
    made = Security.temporary()
    with TemporaryDirectory(prefix=".keys-", dir=folder) as name:
        ca, cert, key = (Path(name) / f"{what}.pem" for what in ("ca", "cert", "key"))
        ca.write_text(made.tls_ca_file)
        cert.write_text(made.tls_worker_cert)
        key.write_text(made.tls_worker_key)
        roles = ("scheduler", "worker", "client")
        yield Security(
            require_encryption=True,
            tls_ca_file=str(ca),
            **{f"tls_{role}_cert": str(cert) for role in roles},
            **{f"tls_{role}_key": str(key) for role in roles},
        )


def _options(cluster: Cluster, folder: Path) -> dict[str, Any]:
    """Say it in the words of dask-jobqueue; empty values leave its own configuration in force."""
    hours, minutes, seconds = (int(part) for part in cluster.walltime.split(":"))
    walltime_s = 3600 * hours + 60 * minutes + seconds
    return {
        "queue": cluster.queue or None,
        "cores": cluster.cores,
        "processes": cluster.cores,
        "memory": f"{cluster.cores * cluster.memory_gib}GiB",
        "walltime": cluster.walltime,
        "interface": cluster.interface or None,
        "job_name": "jinhua-rs",
        "log_directory": str(folder),
        "silence_logs": logging.CRITICAL,
        "scheduler_options": {"dashboard_address": "127.0.0.1:0"},
        "worker_extra_args": [
            "--no-dashboard",
            *("--lifetime", f"{LIFETIME_SHARE * walltime_s:.0f}s"),
            *("--lifetime-stagger", f"{STAGGER_SHARE * walltime_s:.0f}s"),
        ],
        "job_script_prologue": [*ENVIRONMENT, *cluster.prologue],
        "job_extra_directives": list(cluster.directives),
        "job_directives_skip": list(cluster.skip_directives),
    }


def _cluster_class() -> Callable[..., Any]:
    if shutil.which("sbatch") is None:
        raise ConfigError(
            "[cluster] kind is slurm, but there is no sbatch here; run on a node from which "
            'jobs are submitted, or set kind = "local"',
            zh="[cluster] kind 为 slurm，但本机没有 sbatch；请在提交节点上运行，"
            '或改为 kind = "local"',
        )
    try:
        import_module("cryptography")
        with _same_answer_to_ctrl_c():
            jobqueue: Any = import_module("dask_jobqueue")
    except ImportError as error:
        raise ConfigError(
            f"{error.name} is not installed; run `pip install 'jinhua-rs[cluster]'`",
            zh=f"未安装 {error.name}；请执行 `pip install 'jinhua-rs[cluster]'`",
        ) from error
    kind: Callable[..., Any] = jobqueue.SLURMCluster
    return kind


@contextmanager
def _same_answer_to_ctrl_c() -> Iterator[None]:
    """dask-jobqueue 0.9 makes Ctrl-C a success (exit 0) when it is imported; take that back."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _folder(log_dir: Path) -> Path:
    folder = log_dir.resolve()
    if any(letter.isspace() for letter in str(folder)):
        raise ConfigError(
            f"Slurm jobs cannot log to {folder}, whose name has a space; "
            "choose another [output] root",
            zh=f"Slurm 作业无法把日志写到含空格的路径 {folder}；请更换 [output] root",
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _squeue() -> set[str] | None:
    """Ids of this user's jobs that wait or run, or None if Slurm does not answer just now."""
    command = ["squeue", "--me", "--noheader", "--format=%A %T"]
    try:
        told = subprocess.run(  # noqa: S603  the command is our own
            command, capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [line.split() for line in told.stdout.splitlines()]
    return {job for job, state in rows if state != "COMPLETING"}


def _refused(error: Exception) -> ConfigError:
    told = [line for line in str(error).splitlines() if line.strip()]
    reason = next((line for line in told if "sbatch:" in line), told[0] if told else repr(error))
    return ConfigError(
        f"no Slurm cluster could be started: {reason}; look at [cluster] queue, interface, "
        "walltime, memory_gib, directives and skip_directives",
        zh=f"无法启动 Slurm 集群：{reason}；请检查 [cluster] 的 queue、interface、walltime、"
        "memory_gib、directives 与 skip_directives",
    )
