"""What tasks of the tests do, in functions that workers can import; how they are run and told."""

import operator
import os
import signal
import time
from pathlib import Path

from jinhua_rs.tasks import Task

__all__ = [
    "Told",
    "die",
    "die_once",
    "divisions",
    "doze",
    "hearing",
    "hoard",
    "results",
    "square",
    "squares",
    "write_square",
]


def square(number: int, seconds: float = 0.0) -> int:
    """Take a while."""
    time.sleep(seconds)
    return number * number


def write_square(path: Path, number: int, seconds: float) -> str:
    """Take a while, then leave a file, whole or not at all; return the job and its threads."""
    time.sleep(seconds)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(str(number * number))
    part.replace(path)
    return f"{os.environ.get('SLURM_JOB_ID', '')} {os.environ.get('OMP_NUM_THREADS', '')}"


def die(witness: Path) -> None:
    """Kill the process that this runs in, each time, and leave a mark for each time."""
    with witness.open("a") as marks:
        marks.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(witness: Path, number: int) -> int:
    """Kill the process that this runs in, the first time only."""
    if not witness.exists():
        die(witness)
    return number * number


def doze(witness: Path, seconds: float) -> None:
    """Hang, and leave a mark for each time."""
    with witness.open("a") as marks:
        marks.write("x")
    time.sleep(seconds)


def hoard(mib: int, seconds: float) -> int:
    """Hold memory for a while."""
    held = bytearray(os.urandom(2**20)) * mib
    time.sleep(seconds)
    return len(held)


def hearing(seconds: float) -> tuple[int, object]:
    """Return this process, and what it does on Ctrl-C."""
    time.sleep(seconds)
    return os.getpid(), signal.getsignal(signal.SIGINT)


def divisions(*divisors):
    return [Task(f"by-{d}", operator.truediv, (12, d)) for d in divisors]


def squares(count, seconds=0.05):
    return [Task(f"square-{n}", square, (n, seconds)) for n in range(count)]


def results(pool, tasks, told=None):
    return {task.id: outcome for task, outcome in pool.run(tasks, "stage", told or Told())}


class Told:
    """Progress that remembers."""

    def __init__(self):
        self.calls = []

    def __call__(self, stage, done, total):
        self.calls.append((stage, done, total))
