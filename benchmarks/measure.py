"""
Measuring a piece of work: a fresh process each time, its CPU seconds and its peak memory.

A piece of work is a module-level function of plain JSON arguments that returns JSON facts. It is
called in a new Python process, so that no cache, pool or heap of an earlier piece helps or harms
it. Imports are done before the clock starts, and with them whatever a module does once a
process. A generator function prepares until it yields for the first time; what it does from there
to its second yield, which is of the facts, is measured. All processes that it starts count: their
CPU seconds by the kernel's own accounting, their memory by what they hold together at one instant.

``python -m benchmarks.measure MODULE:FUNCTION JSON`` is the child's side.
"""

import importlib
import inspect
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

__all__ = ["ONE_THREAD", "Measured", "Work", "clocked", "interleaved", "median", "run", "spread"]

_MIB = 1024**2
_EVERY_S = 0.05
_ROOT = Path(__file__).parent.parent
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One thread a worker: parallelism is what each side says it is, nothing else."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is measured: a name, ``"module:function"``, and its keyword arguments (JSON)."""

    name: str
    function: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """
    What a piece of work took.

    ``wall_s`` and ``cpu_s`` (user and system, all processes) of the call alone, seconds;
    ``peak_mib`` the most memory that all its processes held together, imports included, and
    ``base_mib`` what the process held before the call; ``facts`` is what the work returned.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float
    base_mib: float
    facts: dict[str, Any]


def run(work: Work, *, timeout_s: float = 1_800.0) -> Measured:
    """
    Do a piece of work in a fresh process.

    Raises
    ------
    RuntimeError
        If the process ends with an error; its last words are in the message.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        with (Path(folder) / "errors").open("w+") as errors:
            child = subprocess.Popen(  # noqa: S603 - our own interpreter on our own module
                [sys.executable, "-m", "benchmarks.measure", work.function, str(answer)],
                stdin=subprocess.PIPE,
                stderr=errors,
                cwd=_ROOT,
                env=os.environ | ONE_THREAD,
                text=True,
            )
            try:
                with _watched(child.pid) as peak:
                    child.communicate(json.dumps(dict(work.arguments)), timeout=timeout_s)
            finally:
                child.kill()
            if child.returncode:
                errors.seek(0)
                raise RuntimeError(f"{work.name}: {errors.read()[-2_000:]}")
        told = json.loads(answer.read_text("utf-8"))
    return Measured(
        told["wall_s"],
        told["cpu_s"],
        max(peak[0], told["own_mib"]),
        told["base_mib"],
        told["facts"],
    )


def interleaved(works: Sequence[Work], repeats: int) -> dict[str, list[Measured]]:
    """Do pieces of work in turn, A B C A B C, so that a slow hour of the machine meets all."""
    found: dict[str, list[Measured]] = {work.name: [] for work in works}
    for _ in range(repeats):
        for work in works:
            found[work.name].append(run(work))
    return found


def median(runs: Sequence[Measured], what: Callable[[Measured], float]) -> float:
    """Median of a quantity over repeated runs."""
    return statistics.median(map(what, runs))


def spread(runs: Sequence[Measured], what: Callable[[Measured], float]) -> str:
    """Smallest and largest of repeated runs, ``"3.1-3.4"``; empty for one run."""
    values = sorted(map(what, runs))
    return f"{values[0]:.3g}-{values[-1]:.3g}" if len(values) > 1 else ""


@contextmanager
def clocked(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the CPU seconds of this process that a block takes to ``seconds[name]``."""
    start = time.process_time()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.process_time() - start


@contextmanager
def _watched(pid: int) -> Iterator[list[float]]:
    """Look at a process and all that it has started; the one entry is their peak, MiB."""
    peak, done = [0.0], threading.Event()

    def look() -> None:
        while not done.wait(_EVERY_S):
            peak[0] = max(peak[0], _held(pid))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _held(pid: int) -> float:
    """Resident memory of a process and all its descendants, MiB; 0 once it is gone."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        return total / _MIB
    return total / _MIB


def _most_held() -> float:
    """Most memory that this process has held, MiB (``ru_maxrss`` would include its parent's)."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _cpu() -> float:
    """CPU seconds of this process, of those that it has waited for, and of those that live."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    done = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    living = (child.cpu_times() for child in psutil.Process().children(recursive=True))
    return done + sum(times.user + times.system for times in living)


def _main(function: str, answer: Path) -> None:
    """Read arguments, prepare, call, and write what it took."""
    module, _, name = function.partition(":")
    work = getattr(importlib.import_module(module), name)
    call = partial(work, **json.load(sys.stdin))
    steps: Iterator[Any] = iter(())
    if inspect.isgeneratorfunction(work):
        steps = call()
        next(steps)
        call = partial(next, steps)
    base = psutil.Process().memory_info().rss / _MIB
    cpu, start = _cpu(), time.perf_counter()
    facts = call()
    told = {
        "wall_s": time.perf_counter() - start,
        "cpu_s": _cpu() - cpu,
        "own_mib": _most_held(),
        "base_mib": base,
        "facts": facts,
    }
    for _ in steps:  # lets go of what it prepared
        pass
    answer.write_text(json.dumps(told), "utf-8")


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
