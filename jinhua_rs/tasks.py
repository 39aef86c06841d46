"""Run many independent pieces of work: one future each, with progress, failures kept apart."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster, as_completed

__all__ = ["Pool", "Progress", "Task", "pool"]

Progress = Callable[[str, int, int], None]
"""Called with (stage, pieces done, pieces in all)."""


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work: its id, a module-level function, and arguments that can be pickled."""

    id: str
    make: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """Where tasks run: in this very process (``client`` is None) or on Dask workers."""

    client: Client | None

    def run(
        self, tasks: Sequence[Task], stage: str, progress: Progress
    ) -> Iterator[tuple[Task, Any | Exception]]:
        """
        Yield each task with its result, or with the exception that ended it, as they finish.

        A task that dies together with its worker is tried once more alone, so that it
        does not take its neighbours along.
        """
        progress(stage, 0, len(tasks))
        outcomes = (
            self._here(tasks) if self.client is None else self._on_workers(self.client, tasks)
        )
        for done, outcome in enumerate(outcomes, start=1):
            yield outcome
            progress(stage, done, len(tasks))

    def _here(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any | Exception]]:
        for task in tasks:
            try:
                yield task, task.make(*task.arguments)
            except Exception as error:  # noqa: BLE001 - handed to the caller, who accounts for it
                yield task, error

    def _on_workers(
        self, client: Client, tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Any | Exception]]:
        # no keys of our own: Dask hands out the old result to whoever comes with a known key
        futures = {client.submit(task.make, *task.arguments, pure=False): task for task in tasks}
        killed = []
        for future in as_completed(futures):
            error = future.exception()
            if type(error).__name__ == "KilledWorker":
                killed.append(futures[future])
                continue
            yield futures[future], future.result() if error is None else error
            future.release()
        for task in killed:
            alone = client.submit(task.make, *task.arguments, pure=False)
            error = alone.exception()
            yield task, alone.result() if error is None else error


@contextmanager
def pool(workers: int, memory_gib: float) -> Iterator[Pool]:
    """
    Start ``workers`` local worker processes with a memory limit each.

    0 means one for each core that this process may use; 1 means none: work is done right here.

    The cluster listens on loopback only and is closed at the end, also on Ctrl-C. A task whose
    worker dies is not handed to the next worker: :meth:`Pool.run` tries it again alone.
    """
    number = workers or CPU_COUNT
    if number == 1:
        yield Pool(None)
        return
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), ExitStack() as held:
        with _deaf_children():
            cluster = held.enter_context(
                LocalCluster(
                    n_workers=number, threads_per_worker=1, memory_limit=f"{memory_gib}GiB",
                    host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=logging.ERROR,
                )
            )  # fmt: skip
        yield Pool(held.enter_context(Client(cluster)))


@contextmanager
def _deaf_children() -> Iterator[None]:
    """
    Let processes that start in the block ignore Ctrl-C, which a terminal sends to all.

    The parent hears it again once the pool stands, and closes the pool in order.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
