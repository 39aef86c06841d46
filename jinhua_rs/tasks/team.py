"""Workers of a Dask cluster: hand tasks out, take results back, part poison from bad luck."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from dask.typing import Key
from dask.utils import funcname
from distributed import Client, Future
from distributed.scheduler import KilledWorker

from jinhua_rs import __version__
from jinhua_rs.errors import PartialError, PoisonError
from jinhua_rs.tasks.work import Task, perform

__all__ = ["Team"]

CROWD_DEATHS = 2
"""Workers that may die of a task before it must wait until it is alone."""
LOOK_S = 2.0
"""How often the cluster is looked at, seconds."""
ANSWER_S = 60.0
"""How long an answer of the scheduler is waited for, seconds."""


@dataclass(frozen=True, slots=True)
class Team:
    """
    Dask workers, and who looks after them.

    Parameters
    ----------
    client : Client
    limit_s : float
        Seconds that one task may take; 0 is no limit.
    wait_s : float
        Seconds that a cluster without any worker is borne.
    tend : callable
        Told every few seconds, while results are waited for, how many workers there are; puts
        new ones in the place of lost ones, and raises if the cluster is past help.
    """

    client: Client
    limit_s: float
    wait_s: float
    tend: Callable[[int], None] = lambda _: None

    def carry_out(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any | Exception]]:
        """
        Yield each task with its result or the exception that ended it, as they finish.

        A worker that dies says nothing about which task killed it, or whether any did: jobs are
        cancelled and nodes fail. So a first death counts for little and the task goes back to the
        crowd; after a second it waits until all others are done, and has the cluster to itself.
        """
        desk = _Desk(self)
        suspects: list[_Try] = []
        for task in tasks:
            desk.hand_out(_Try(task))
        while desk.busy or suspects:
            if not desk.busy:
                desk.hand_out(replace(suspects.pop(), alone=True))
            tried, outcome = desk.take_back()
            if not isinstance(outcome, _Death):
                yield tried.task, outcome
                continue
            again = replace(tried, deaths=tried.deaths + outcome.workers)
            if again.alone:
                yield again.task, _poison(again)
            elif again.deaths >= CROWD_DEATHS:
                suspects.append(again)
            else:
                desk.hand_out(again)


@dataclass(frozen=True, slots=True)
class _Try:
    """A task and the workers that died while they held it."""

    task: Task
    deaths: int = 0
    alone: bool = False


@dataclass(frozen=True, slots=True)
class _Death:
    """What came back is nothing: the worker is gone, and the result with it."""

    workers: int = 1


@dataclass(slots=True)
class _Desk:
    """Where tasks are handed out and taken back; looks after the cluster in between."""

    team: Team
    _out: dict[Key, _Try] = field(default_factory=dict)
    _back: SimpleQueue[Future[Any]] = field(default_factory=SimpleQueue)
    _look_at: float = 0.0
    _manned_at: float = field(default_factory=time.monotonic)

    @property
    def busy(self) -> bool:
        """Whether anything is out."""
        return bool(self._out)

    def hand_out(self, tried: _Try) -> None:
        """Give a task to the cluster, under a key that no other work ever had."""
        task, client = tried.task, self.team.client
        if client.status != "running":
            raise _lost()
        future = client.submit(
            perform,
            __version__,
            self.team.limit_s,
            task.make,
            *task.arguments,
            key=f"{funcname(task.make)}-{uuid4().hex}",
            pure=False,
        )
        self._out[future.key] = tried
        future.add_done_callback(self._back.put)  # holds the future too, until it is taken back

    def take_back(self) -> tuple[_Try, object]:
        """Wait for the next task that ended: its result, its exception, or a `_Death`."""
        while True:
            if time.monotonic() >= self._look_at:
                self._look()
                self._look_at = time.monotonic() + LOOK_S
            try:
                future = self._back.get(timeout=LOOK_S)
            except Empty:
                continue
            return self._out.pop(future.key), _outcome(future)

    def _look(self) -> None:
        """Ask the scheduler how many workers it has, let them be tended, do not wait for ever."""
        client = self.team.client
        if client.status != "running":
            raise _lost()
        scheduler: Any = client.scheduler
        try:
            known = client.sync(scheduler.identity, n_workers=0, callback_timeout=ANSWER_S)
        except OSError as error:
            raise _lost() from error
        workers, now = known["n_workers"], time.monotonic()
        self.team.tend(workers)
        if workers:
            self._manned_at = now
        elif now - self._manned_at > self.team.wait_s:
            raise _deserted(self.team.wait_s)


def _outcome(future: Future[Any]) -> object:
    if future.cancelled():  # nobody here cancels: the client does, when it loses the scheduler
        raise _lost()
    try:
        return future.result(timeout=ANSWER_S)
    except KilledWorker as error:
        return _Death(error.allowed_failures + 1)
    except TimeoutError as error:
        # either the task's own, or the worker went away before it handed its result over
        return error if future.status == "error" else _Death()
    except Exception as error:  # noqa: BLE001 - handed to the caller, who accounts for it
        return error


def _lost() -> PartialError:
    return PartialError(
        "the cluster went away in the middle; finished tiles are kept; run again",
        zh="计算集群中途失联；已完成的分块均已保留，请重新运行",
    )


def _deserted(wait_s: float) -> PartialError:
    return PartialError(
        f"the cluster has had no worker for {wait_s:g} s; finished tiles are kept; "
        "see that it has workers, and run again",
        zh=f"集群已 {wait_s:g} 秒没有工作进程；已完成的分块均已保留，请确认有工作进程后重新运行",
    )


def _poison(tried: _Try) -> PoisonError:
    name, deaths = tried.task.id, tried.deaths
    return PoisonError(
        f"{name}: {deaths} workers died of it, the last with nothing else to do; "
        "most likely it needs more memory than memory_gib allows, or it hung for longer than "
        "[cluster] task_minutes; allow more, or make [area] tile_size smaller, and run again",
        zh=f"{name}：处理它的工作进程中止 {deaths} 次，最后一次为单独运行；"
        "多半是所需内存超过 memory_gib，或卡住超过 [cluster] task_minutes；"
        "请放宽限制或减小 [area] tile_size 后重新运行",
    )
