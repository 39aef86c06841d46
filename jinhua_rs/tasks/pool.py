"""The pool: tasks go in, each comes back with its result or with what ended it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jinhua_rs.tasks.team import Team
from jinhua_rs.tasks.work import Task

__all__ = ["Pool", "Progress"]

Progress = Callable[[str, int, int], None]
"""Called with (stage, pieces done, pieces in all)."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Where tasks run: in this very process (``team`` is None) or by a team of Dask workers."""

    team: Team | None = None

    def run(
        self, tasks: Sequence[Task], stage: str, progress: Progress
    ) -> Iterator[tuple[Task, Any | Exception]]:
        """
        Yield each task with its result, or with the exception that ended it, as they finish.

        On workers, a task that dies with its worker is tried again, at last alone, and comes
        back with a :class:`~jinhua_rs.errors.PoisonError` if it dies each time; its neighbours
        are not taken along.

        Raises
        ------
        PartialError
            The cluster is lost. What was yielded before is finished.
        """
        progress(stage, 0, len(tasks))
        outcomes = _here(tasks) if self.team is None else self.team.carry_out(tasks)
        for done, outcome in enumerate(outcomes, start=1):
            yield outcome
            progress(stage, done, len(tasks))


def _here(tasks: Sequence[Task]) -> Iterator[tuple[Task, Any | Exception]]:
    for task in tasks:
        try:
            yield task, task.make(*task.arguments)
        except Exception as error:  # noqa: BLE001 - handed to the caller, who accounts for it
            yield task, error
