"""Tasks that ran, that failed, that took their worker with them, and clusters that went away."""

import json
import operator
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import deeds
import pytest
from deeds import Told, divisions, results, squares

from jinhua_rs import __version__
from jinhua_rs.errors import ConfigError, NoDataError, PartialError, PoisonError
from jinhua_rs.settings import Cluster, Run
from jinhua_rs.tasks import Pool, Task, places, pool, slurm
from jinhua_rs.tasks.work import HEAP, perform

ROOT = Path(__file__).parents[1]
LOGS = Path("no-logs")
TWO = Run(workers=2, memory_gib=0.75)


def refuse(reason):
    raise NoDataError(reason, zh="没有数据")


# --- in this process ---------------------------------------------------------------------------


def test_in_this_process_results_come_in_order_and_progress_is_told():
    told = Told()
    with pool(Run(workers=1), Cluster(), LOGS) as here:
        outcomes = list(here.run(divisions(3, 4), "divide", told))

    assert here.team is None
    assert [(task.id, result) for task, result in outcomes] == [("by-3", 4), ("by-4", 3)]
    assert told.calls == [("divide", 0, 2), ("divide", 1, 2), ("divide", 2, 2)]


def test_an_exception_is_handed_over_and_the_others_go_on():
    tasks = [*divisions(3, 0, 4), Task("refused", refuse, ("no scene",))]

    outcomes = results(Pool(), tasks)

    assert (outcomes["by-3"], outcomes["by-4"]) == (4, 3)
    assert isinstance(outcomes["by-0"], ZeroDivisionError)
    assert outcomes["refused"].zh == "没有数据"


def test_work_begins_only_when_it_is_asked_for():
    done = []
    outcomes = Pool().run([Task("note", done.append, (1,))], "note", Told())

    assert done == []
    assert [task.id for task, _ in outcomes] == ["note"] and done == [1]


def test_an_interrupt_is_no_outcome():
    with pytest.raises(KeyboardInterrupt):
        list(Pool().run([Task("stop", signal.raise_signal, (signal.SIGINT,))], "s", Told()))


def test_nothing_to_do_is_told_as_nothing():
    told = Told()

    assert list(Pool().run([], "divide", told)) == []
    assert told.calls == [("divide", 0, 0)]


# --- workers on this machine -------------------------------------------------------------------


@pytest.fixture(scope="module")
def workers():
    """Two worker processes with loopback addresses."""
    with pool(TWO, Cluster(), LOGS) as started:
        yield started


def test_workers_give_the_same_results_in_processes_of_their_own(workers):
    told = Told()
    tasks = [*divisions(1, 2, 3, 0), Task("pid", os.getpid, ())]

    outcomes = results(workers, tasks, told)

    assert {d: outcomes[f"by-{d}"] for d in (1, 2, 3)} == {1: 12, 2: 6, 3: 4}
    assert isinstance(outcomes["by-0"], ZeroDivisionError)
    assert outcomes["pid"] != os.getpid()
    assert told.calls[0] == ("stage", 0, 5) and told.calls[-1] == ("stage", 5, 5)


def test_workers_listen_on_loopback_only(workers):
    info = workers.team.client.scheduler_info()

    addresses = [info["address"], *info["workers"]]
    assert all(address.startswith("tcp://127.0.0.1:") for address in addresses)
    assert len(info["workers"]) == 2


def test_workers_have_no_more_memory_than_they_were_given(workers):
    given = {w["memory_limit"] for w in workers.team.client.scheduler_info()["workers"].values()}

    assert given == {int(0.75 * 2**30)}


def test_workers_share_a_small_machine_evenly(monkeypatch):
    monkeypatch.setattr(places, "MEMORY_LIMIT", 6 * 2**30)

    assert places._memory(4.0, 2) == 3 * 2**30
    assert places._memory(2.0, 2) == 2 * 2**30


def test_workers_use_one_thread_each(workers):
    names = ("OMP_NUM_THREADS", "GDAL_NUM_THREADS")

    assert results(workers, [Task(name, os.getenv, (name,)) for name in names]) == dict.fromkeys(
        names, "1"
    )
    assert set(workers.team.client.nthreads().values()) == {1}


def test_workers_do_not_give_memory_back_after_each_array(workers):
    sizes = results(workers, [Task(name, os.getenv, (name,)) for name in HEAP])

    assert sizes == {name: str(size) for name, size in HEAP.items()}


def test_workers_in_slurm_jobs_are_told_the_same_of_memory():
    asked = (
        "import dask, distributed, json;"
        "print(json.dumps(dask.config.get('distributed.nanny.pre-spawn-environ')))"
    )
    script = "\n".join([*slurm.ENVIRONMENT, f'"{sys.executable}" -c "{asked}"'])

    told = subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True, text=True)

    assert HEAP.items() <= json.loads(told.stdout).items()


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


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(workers, tmp_path):
    unlucky = Task("unlucky", deeds.die_once, (tmp_path / "deaths", 7))
    told = Told()

    outcomes = results(workers, [*squares(10), unlucky, *squares(20)[10:]], told)

    assert outcomes.pop("unlucky") == 49
    assert outcomes == {f"square-{n}": n * n for n in range(20)}
    assert (tmp_path / "deaths").read_text() == "x"
    assert told.calls[-1] == ("stage", 21, 21)


def test_poison_is_quarantined_after_three_deaths_and_harms_no_neighbour(workers, tmp_path):
    poison = Task("gx10-gy20", deeds.die, (tmp_path / "deaths",))

    outcomes = results(workers, [*squares(5), poison, *squares(20)[5:]])

    error = outcomes.pop("gx10-gy20")
    assert isinstance(error, PoisonError) and error.exit_code == 4
    assert "gx10-gy20" in str(error) and "gx10-gy20" in error.zh
    assert (tmp_path / "deaths").read_text() == "xxx"
    assert outcomes == {f"square-{n}": n * n for n in range(20)}
    # The pool goes on afterwards.
    assert results(workers, divisions(6)) == {"by-6": 2}


def test_several_poisons_at_once_harm_no_neighbour(workers, tmp_path):
    poisons = [Task(f"poison-{n}", deeds.die, (tmp_path / f"deaths-{n}",)) for n in range(2)]

    outcomes = results(workers, [*poisons, *squares(8)])

    ended = [outcomes.pop(poison.id) for poison in poisons]
    assert [type(error) for error in ended] == [PoisonError, PoisonError]
    assert outcomes == {f"square-{n}": n * n for n in range(8)}


def test_a_task_beyond_the_memory_limit_is_quarantined(workers):
    outcomes = results(workers, [*squares(6), Task("fat", deeds.hoard, (900, 20.0))])

    assert isinstance(outcomes.pop("fat"), PoisonError)
    assert outcomes == {f"square-{n}": n * n for n in range(6)}


def test_workers_that_took_the_place_of_dead_ones_are_deaf_to_ctrl_c_too(workers, tmp_path):
    results(workers, [Task("die", deeds.die_once, (tmp_path / "deaths", 1))])

    workers.team.client.wait_for_workers(2, timeout=60)
    heard = results(workers, [Task(f"n{n}", deeds.hearing, (0.2,)) for n in range(6)])

    assert len({pid for pid, _ in heard.values()}) == 2
    assert {answer for _, answer in heard.values()} == {signal.SIG_IGN}


def test_a_worker_that_is_closed_for_good_is_replaced(workers):
    cluster = workers.team.client.cluster
    cluster.sync(next(iter(cluster.workers.values())).close)

    outcomes = results(workers, squares(20, 0.2))

    assert outcomes == {f"square-{n}": n * n for n in range(20)}
    workers.team.client.wait_for_workers(2, timeout=60)


def test_a_cluster_without_workers_is_borne_for_a_while_only(workers):
    """Idle time between two stages does not count."""
    impatient = replace(workers.team, wait_s=1.0, tend=lambda _: None)
    cluster = workers.team.client.cluster
    for nanny in list(cluster.workers.values()):
        cluster.sync(nanny.close)
    time.sleep(1.5)
    begun = time.monotonic()

    with pytest.raises(PartialError, match="has had no worker for 1 s"):
        results(Pool(impatient), squares(2))

    assert time.monotonic() - begun >= 1.0
    assert results(workers, squares(2)) == {"square-0": 0, "square-1": 1}


def test_a_task_that_hangs_is_ended_by_the_time_limit(tmp_path):
    hung = Task("hung", deeds.doze, (tmp_path / "starts", 60.0))

    with pool(TWO, Cluster(task_minutes=0.5 / 60), LOGS) as limited:
        outcomes = results(limited, [hung, *squares(4)])

    assert isinstance(outcomes.pop("hung"), PoisonError)
    assert (tmp_path / "starts").read_text() == "xxx"
    assert outcomes == {f"square-{n}": n * n for n in range(4)}


def test_a_worker_of_another_version_refuses_to_work():
    assert perform(__version__, 0.0, operator.add, 1, 2) == 3
    with pytest.raises(ConfigError, match=r"a worker runs jinhua-rs .*, the driver 0\.0\.0"):
        perform("0.0.0", 0.0, operator.add, 1, 2)


# --- Slurm, without Slurm ----------------------------------------------------------------------


def test_slurm_that_is_not_there_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with (
        pytest.raises(ConfigError, match="there is no sbatch here"),
        pool(Run(), Cluster(kind="slurm"), tmp_path),
    ):
        pytest.fail("there is no Slurm")


@pytest.mark.skipif(find_spec("dask_jobqueue") is None, reason="dask-jobqueue is not installed")
def test_ctrl_c_stays_what_it_is_when_slurm_is_asked_for(tmp_path):
    """dask-jobqueue would make it a success."""
    sbatch = tmp_path / "sbatch"
    sbatch.touch(0o755)
    asked = (
        "import signal; from jinhua_rs.tasks import slurm; slurm._cluster_class(); "
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    )
    environment = os.environ | {"PATH": str(tmp_path), "PYTHONPATH": str(ROOT)}

    ended = subprocess.run([sys.executable, "-c", asked], env=environment, check=False)

    assert ended.returncode == 0


def test_slurm_without_its_extra_names_the_command_that_installs_it(tmp_path, monkeypatch):
    sbatch = tmp_path / "sbatch"
    sbatch.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)

    with (
        pytest.raises(ConfigError, match=r"run `pip install 'jinhua-rs\[cluster\]'`"),
        pool(Run(), Cluster(kind="slurm"), tmp_path),
    ):
        pytest.fail("there is no dask-jobqueue")
