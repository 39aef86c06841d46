"""A piece of work, and what happens to it in the process of a worker."""

import faulthandler
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from jinhua_rs import __version__
from jinhua_rs.errors import ConfigError

__all__ = ["HEAP", "Task", "dask_setup", "perform"]

T = TypeVar("T")

HEAP = {"MALLOC_MMAP_THRESHOLD_": 32 * 2**20, "MALLOC_TRIM_THRESHOLD_": 64 * 2**20}
"""
What glibc comes to by itself in a process that works on arrays, bytes (mallopt(3)). Dask sets
64 KiB for its workers, so that each larger array is asked of the kernel, cleared page by page, and
given back: ten times the page faults, three times the system time, a quarter more CPU seconds.
"""


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work: its id, a module-level function, and arguments that can be pickled."""

    id: str
    make: Callable[..., Any]
    arguments: tuple[Any, ...]


def perform(version: str, limit_s: float, make: Callable[..., T], *arguments: object) -> T:
    """
    Call ``make`` here, on a worker.

    Parameters
    ----------
    version : str
        Version of this package that the driver runs.
    limit_s : float
        Seconds after which this process ends itself, even if the call holds the interpreter,
        with a traceback in the worker's log. 0 is never.
    make : callable
    *arguments
        Handed to ``make``.

    Raises
    ------
    ConfigError
        If the worker has another version: its tiles would not be those that the driver expects.
    """
    if version != __version__:
        raise ConfigError(
            f"a worker runs jinhua-rs {__version__}, the driver {version}; "
            "install the same version everywhere",
            zh=f"有工作进程运行 jinhua-rs {__version__}，主进程为 {version}；请统一安装同一版本",
        )
    if not limit_s:
        return make(*arguments)
    faulthandler.dump_traceback_later(limit_s, exit=True)
    try:
        return make(*arguments)
    finally:
        faulthandler.cancel_dump_traceback_later()


def dask_setup(worker: object) -> None:  # noqa: ARG001 - the form that Dask calls
    """Let a worker process ignore Ctrl-C, which a terminal sends to all: the driver answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
