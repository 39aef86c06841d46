"""Carrying out the tasks of a stage: progress, a ledger line each, and failures at the end."""

from collections.abc import Sequence
from typing import Any

from jinhua_rs.errors import JinhuaError, PartialError
from jinhua_rs.ledger import Entry, Ledger, in_chinese
from jinhua_rs.planning import Plan
from jinhua_rs.tasks import Pool, Progress, Task

__all__ = ["carry_out", "ledger_of", "reason_of", "reason_zh_of"]


def ledger_of(plan: Plan) -> Ledger:
    """Return the ledger of the plan's period."""
    return Ledger(plan.folder / "ledger.jsonl")


def reason_of(error: Exception) -> str:
    """Say what went wrong, also for exceptions without a text."""
    return f"{type(error).__name__}: {error}"


def reason_zh_of(error: Exception) -> str:
    """Say the same in Chinese: in the error's own words if it has such."""
    return error.zh if isinstance(error, JinhuaError) else in_chinese(reason_of(error))


def carry_out(
    plan: Plan, stage: str, tasks: Sequence[Task], workers: Pool, progress: Progress
) -> list[Any]:
    """
    Run the tasks of a stage to the end and note each in the ledger.

    Returns
    -------
    list
        The results, in the order of the tasks.

    Raises
    ------
    JinhuaError
        If a task ended in one: after all others are done, so that nothing is lost with it.
    PartialError
        If a task failed otherwise.
    """
    ledger = ledger_of(plan)
    results: dict[str, Any] = {}
    failed: dict[str, Exception] = {}
    for task, outcome in workers.run(tasks, f"{plan.period} {stage}", progress):
        if isinstance(outcome, Exception):
            failed[task.id] = outcome
            told = reason_of(outcome), reason_zh_of(outcome)
            ledger.note(Entry("tile", f"{stage}/{task.id}", "failed", *told))
        else:
            results[task.id] = outcome
            ledger.note(Entry("tile", f"{stage}/{task.id}", getattr(outcome, "state", "done")))
    if failed:
        _raise(plan, stage, failed, len(tasks))
    return [results[task.id] for task in tasks]


def _raise(plan: Plan, stage: str, failed: dict[str, Exception], total: int) -> None:
    """Raise what ended the first failed task; a trouble of the house stands as it is."""
    tile, first = next(iter(failed.items()))
    more = more_zh = ""
    if any(one.id == tile for one in plan.tiles):
        asked = f"jinhua-rs explain {plan.period} {tile}" + (
            f" --county {plan.unit}" if plan.unit else ""
        )
        more, more_zh = f"; `{asked}` tells more", f"；详情见 {asked}"
    if isinstance(first, JinhuaError) and len(failed) == total:
        raise first
    raise PartialError(
        f"{len(failed)} of {total} pieces failed in {plan.period} {stage}, "
        f"first {tile}: {reason_of(first)}; what is finished is kept, run again{more}",
        zh=f"{plan.period} {stage}：{total} 块中有 {len(failed)} 块失败，"
        f"首个为 {tile}（{reason_zh_of(first)}）；已完成部分保留，请重新运行{more_zh}",
    ) from first
