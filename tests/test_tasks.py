"""Tasks that ran, that failed, and that took their worker with them."""

import operator
import os
import signal
import time

import pytest

from jinhua_rs.errors import NoDataError
from jinhua_rs.tasks import Pool, Task, pool

MEMORY_GIB = 1.0


def divisions(*divisors):
    return [Task(f"by-{d}", operator.truediv, (12, d)) for d in divisors]


class Told:
    """Progress that remembers."""

    def __init__(self):
        self.calls = []

    def __call__(self, stage, done, total):
        self.calls.append((stage, done, total))


def refuse(reason):
    raise NoDataError(reason, zh="没有数据")


def test_in_this_process_results_come_in_order_and_progress_is_told():
    told = Told()
    with pool(1, MEMORY_GIB) as here:
        outcomes = list(here.run(divisions(3, 4), "divide", told))

    assert here.client is None
    assert [(task.id, result) for task, result in outcomes] == [("by-3", 4), ("by-4", 3)]
    assert told.calls == [("divide", 0, 2), ("divide", 1, 2), ("divide", 2, 2)]


def test_an_exception_is_handed_over_and_the_others_go_on():
    tasks = [*divisions(3, 0, 4), Task("refused", refuse, ("no scene",))]

    outcomes = {task.id: outcome for task, outcome in Pool(None).run(tasks, "divide", Told())}

    assert (outcomes["by-3"], outcomes["by-4"]) == (4, 3)
    assert isinstance(outcomes["by-0"], ZeroDivisionError)
    assert outcomes["refused"].zh == "没有数据"


def test_work_begins_only_when_it_is_asked_for():
    done = []
    outcomes = Pool(None).run([Task("note", done.append, (1,))], "note", Told())

    assert done == []
    assert [task.id for task, _ in outcomes] == ["note"] and done == [1]


def test_an_interrupt_is_no_outcome():
    with pytest.raises(KeyboardInterrupt):
        list(Pool(None).run([Task("stop", signal.raise_signal, (signal.SIGINT,))], "s", Told()))


def test_nothing_to_do_is_told_as_nothing():
    told = Told()

    assert list(Pool(None).run([], "divide", told)) == []
    assert told.calls == [("divide", 0, 0)]


@pytest.fixture(scope="module")
def workers():
    """Two worker processes with loopback addresses."""
    with pool(2, MEMORY_GIB) as started:
        yield started


def test_workers_give_the_same_results_in_processes_of_their_own(workers):
    told = Told()
    tasks = [*divisions(1, 2, 3, 0), Task("pid", os.getpid, ())]

    outcomes = {task.id: outcome for task, outcome in workers.run(tasks, "divide", told)}

    assert {d: outcomes[f"by-{d}"] for d in (1, 2, 3)} == {1: 12, 2: 6, 3: 4}
    assert isinstance(outcomes["by-0"], ZeroDivisionError)
    assert outcomes["pid"] != os.getpid()
    assert told.calls[0] == ("divide", 0, 5) and told.calls[-1] == ("divide", 5, 5)


def test_workers_listen_on_loopback_only(workers):
    info = workers.client.scheduler_info()

    addresses = [info["address"], *info["workers"]]
    assert all(address.startswith("tcp://127.0.0.1:") for address in addresses)


def test_equal_tasks_are_all_carried_out(workers):
    twice = [Task("same", operator.add, (1, 2)), Task("same", operator.add, (1, 2))]

    assert [result for _, result in workers.run(twice, "add", Told())] == [3, 3]


def test_the_same_id_in_a_later_stage_is_other_work(workers):
    """The tile of a stage never gets the result that the stage before left for that tile."""
    found = [
        sorted(
            result
            for _, result in workers.run([Task("tile", operator.add, (n, 0))] * 2, "s", Told())
        )
        for n in range(20)
    ]

    assert found == [[n, n] for n in range(20)]


def test_a_task_that_kills_its_worker_does_not_take_its_neighbours_along(workers):
    neighbours = [Task(f"sleep-{at}", time.sleep, (0.05,)) for at in range(6)]
    deadly = Task("deadly", signal.raise_signal, (signal.SIGKILL,))
    told = Told()

    outcomes = {
        task.id: outcome
        for task, outcome in workers.run([*neighbours, deadly, *divisions(3)], "kill", told)
    }

    assert type(outcomes.pop("deadly")).__name__ == "KilledWorker"
    assert outcomes.pop("by-3") == 4
    assert set(outcomes) == {task.id for task in neighbours}
    assert all(outcome is None for outcome in outcomes.values())
    assert told.calls[-1] == ("kill", 8, 8)
    # The pool goes on afterwards.
    assert [result for _, result in workers.run(divisions(6), "divide", told)] == [2]
