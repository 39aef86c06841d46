"""A run on a real Slurm of one node, with a job that is cancelled in the middle."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import deeds
import pytest
from slurm_node import NoSlurm, one_node

from jinhua_rs.errors import ConfigError, PartialError
from jinhua_rs.settings import Cluster, Run
from jinhua_rs.tasks import Task, pool, slurm

pytestmark = pytest.mark.skipif(  # to import it is to change what Ctrl-C does
    find_spec("dask_jobqueue") is None, reason="dask-jobqueue is not installed"
)

ROOT = Path(__file__).parents[1]
PATHS = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
SITE = Cluster(
    kind="slurm",
    memory_gib=1.0,
    walltime="00:10:00",
    interface="lo",
    directives=("--comment=forest",),
    prologue=(f"export PYTHONPATH={PATHS}",),
)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Slurm's commands reach a node of our own."""
    with pytest.MonkeyPatch.context() as patch:
        try:
            with one_node(tmp_path_factory.mktemp("slurm")) as environment:
                patch.setenv("SLURM_CONF", environment["SLURM_CONF"])
                yield
        except NoSlurm as reason:
            pytest.skip(f"no Slurm on this machine: {reason}")


def jobs_of_mine() -> set[str]:
    """Ids of the jobs that wait or run."""
    command = ["squeue", "--me", "--noheader", "--format=%A", "--states=PENDING,RUNNING"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(told.split())


@pytest.mark.parametrize(("jobs", "cores"), [(2, 1), (1, 2)])
def test_a_run_completes_while_a_job_is_cancelled_in_the_middle(
    node, tmp_path, monkeypatch, jobs, cores
):
    monkeypatch.setattr(slurm, "QUEUE_S", 1.0)
    refused = () if jobs == 2 else ("--mem",)
    site = SITE.model_copy(update={"jobs": jobs, "cores": cores, "skip_directives": refused})
    tasks = [
        Task(f"tile-{n}", deeds.write_square, (tmp_path / f"{n}.txt", n, 0.4)) for n in range(30)
    ]
    told = []

    with pool(Run(), site, tmp_path / "logs") as workers:
        first_jobs = jobs_of_mine()
        script = workers.team.client.cluster.job_script()
        outcomes = {}
        for task, outcome in workers.run(tasks, "squares", lambda *call: told.append(call)):
            outcomes[task.id] = outcome
            if len(outcomes) == 6:
                cancelled = outcome.split()[0]
                cancel(cancelled)
        last_jobs = {job.job_id for job in workers.team.client.cluster.workers.values()}

    assert len(first_jobs) == jobs and cancelled in first_jobs
    assert set(outcomes) == {task.id for task in tasks}
    assert [type(outcome) for outcome in outcomes.values()] == [str] * 30, outcomes
    assert len(last_jobs) == jobs and cancelled not in last_jobs, "another job took its place"
    assert {outcome.split()[1] for outcome in outcomes.values()} == {"1"}, "one thread each"
    assert [(tmp_path / f"{n}.txt").read_text() for n in range(30)] == [
        str(n * n) for n in range(30)
    ]
    assert told[-1] == ("squares", 30, 30)
    assert not list(tmp_path.glob("*.part"))
    assert gone_soon(), "no job is left behind"
    assert sorted(tmp_path.glob("logs/jinhua-rs-*.err")), "jobs left their logs"
    assert not list(tmp_path.glob("logs/.keys*")), "no key is left behind"

    assert "#SBATCH --comment=forest" in script
    assert ("#SBATCH --mem=" in script) == (refused == ())
    assert "--lifetime 510s --lifetime-stagger 30s" in script, "85 % of ten minutes, give or take 5"
    assert f"--nthreads 1 --memory-limit 1.00GiB{' --nworkers 2' * (cores == 2)} --nanny" in script


def cancel(job: str) -> None:
    command = ["scancel", job]
    subprocess.run(command, check=True)


def gone_soon() -> bool:
    until = time.monotonic() + 60
    while jobs_of_mine():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def test_a_job_that_slurm_refuses_is_a_clear_error(node, tmp_path):
    nowhere = SITE.model_copy(update={"queue": "nowhere"})

    with (
        pytest.raises(ConfigError, match="invalid partition specified: nowhere"),
        pool(Run(), nowhere, tmp_path / "logs"),
    ):
        pytest.fail("there is no such partition")
    assert gone_soon()


def test_a_folder_with_a_space_is_refused(node, tmp_path):
    with (
        pytest.raises(ConfigError, match="whose name has a space"),
        pool(Run(), SITE, tmp_path / "my logs"),
    ):
        pytest.fail("a job could not write there")


def test_jobs_that_end_before_a_worker_comes_do_not_go_on_for_ever(node, tmp_path, monkeypatch):
    monkeypatch.setattr(slurm, "QUEUE_S", 1.0)
    broken = SITE.model_copy(update={"prologue": ("echo no such module >&2; exit 1",)})

    with (
        pool(Run(), broken, tmp_path / "logs") as workers,
        pytest.raises(PartialError, match="jobs ended before a worker came") as ended,
    ):
        list(workers.run([Task("tile", deeds.square, (2,))], "s", lambda *_: None))

    assert str(tmp_path / "logs") in str(ended.value)
    assert "no such module" in next(tmp_path.glob("logs/*.err")).read_text()


DRIVER = """
from pathlib import Path
import deeds
from jinhua_rs.settings import Cluster, Run
from jinhua_rs.tasks import Task, pool

if __name__ == "__main__":
    folder, site = Path({folder!r}), Cluster.model_validate_json({site!r})
    tasks = [Task(str(n), deeds.write_square, (folder / f"{{n}}.txt", n, 0.5)) for n in range(200)]
    with pool(Run(), site, folder / "logs") as workers:
        list(workers.run(tasks, "squares", lambda *_: None))
"""


@pytest.mark.parametrize(("means", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, -2)])
def test_a_driver_that_is_ended_leaves_no_job_behind(node, tmp_path, means, code):
    """Ctrl-C cancels the jobs; after SIGKILL they find no scheduler, and end by themselves."""
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.format(folder=str(tmp_path), site=SITE.model_dump_json()))
    driver = subprocess.Popen(
        [sys.executable, script],
        env=os.environ | {"PYTHONPATH": PATHS},
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while len(list(tmp_path.glob("*.txt"))) < 3 and time.monotonic() < until:
        time.sleep(0.1)

    os.killpg(driver.pid, means)

    assert driver.wait(30) == code
    assert gone_soon()
    assert 3 <= len(list(tmp_path.glob("*.txt"))) < 200
