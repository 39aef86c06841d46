"""A real Slurm of one node on loopback: munged, slurmctld and slurmd, started and stopped here."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

__all__ = ["NoSlurm", "one_node"]

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "scancel", "squeue", "sinfo")
PATIENCE_S = 40.0


class NoSlurm(Exception):  # noqa: N818 - a reason to skip, not a fault
    """Why Slurm cannot be started here."""


@contextmanager
def one_node(folder: Path) -> Iterator[Mapping[str, str]]:
    """
    Yield the environment in which Slurm's commands reach the node; stop the daemons at the end.

    Everything lies in ``folder``, on ports and a socket of its own: a Slurm that is installed
    here is neither used nor disturbed. Jobs may have every core.

    Raises
    ------
    NoSlurm
        If this is not root, the packages slurmctld, slurmd, slurm-client and munge are not
        installed, or a daemon does not come up.
    """
    if os.name != "posix" or os.geteuid() != 0:
        raise NoSlurm("Slurm's daemons need root")
    missing = [name for name in PROGRAMS if _path_of(name) is None]
    if missing:
        raise NoSlurm(f"not installed: {', '.join(missing)}")
    conf = _configure(folder)
    environment = os.environ | {"SLURM_CONF": str(conf)}
    with ExitStack() as held:
        held.enter_context(_daemon(_munged(folder), folder, environment))
        _wait_for((folder / "munge.socket").exists, "munged", folder)
        held.enter_context(_daemon(["slurmctld", "-D", "-f", conf], folder, environment))
        held.enter_context(_daemon(["slurmd", "-D", "-f", conf], folder, environment))
        _wait_for(lambda: _idle(environment), "slurmd", folder)
        yield environment


def _path_of(name: str) -> str | None:
    """Daemons lie in folders for administrators, which are not on every path."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _configure(folder: Path) -> Path:
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 8 // 10 // 2**20
    control, node = _free_ports(2)
    lines = (
        "ClusterName=loopback",
        f"SlurmctldHost={host}(127.0.0.1)",
        f"SlurmctldPort={control}",
        f"SlurmdPort={node}",
        "SlurmUser=root",
        "SlurmdUser=root",
        "AuthType=auth/munge",
        f"AuthInfo=socket={folder}/munge.socket",
        f"StateSaveLocation={folder}/state",
        f"SlurmdSpoolDir={folder}/spool",
        f"SlurmctldPidFile={folder}/slurmctld.pid",
        f"SlurmdPidFile={folder}/slurmd.pid",
        f"SlurmctldLogFile={folder}/slurmctld.log",
        f"SlurmdLogFile={folder}/slurmd.log",
        "ProctrackType=proctrack/pgid",
        "TaskPlugin=task/none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core_Memory",
        "JobAcctGatherType=jobacct_gather/none",
        "AccountingStorageType=accounting_storage/none",
        "ReturnToService=2",
        "KillWait=2",
        f"NodeName={host} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory={memory_mib}",
        "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP",
    )
    conf = folder / "slurm.conf"
    conf.write_text("\n".join(lines) + "\n")
    return conf


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _munged(folder: Path) -> list[str]:
    options = {
        "socket": "munge.socket",
        "key-file": "munge.key",
        "log-file": "munged.log",
        "pid-file": "munged.pid",
        "seed-file": "munged.seed",
    }
    # --force: its own folder may lie below one that others can write to, as /tmp is
    return [
        "munged",
        "--foreground",
        "--force",
        *(f"--{o}={folder / f}" for o, f in options.items()),
    ]


@contextmanager
def _daemon(command: list[object], folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """A process that is ended at the end, by its own id."""
    name, *options = map(str, command)
    with (folder / f"{name}.out").open("wb") as told:
        started = subprocess.Popen(
            [_path_of(name) or name, *options], env=environment, stdout=told, stderr=told
        )
        try:
            yield
        finally:
            started.terminate()
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


def _idle(environment: Mapping[str, str]) -> bool:
    command = ["sinfo", "--noheader", "--format=%T"]
    told = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    return told.stdout.strip() == "idle"


def _wait_for(condition: Callable[[], bool], what: str, folder: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            said = [line for log in sorted(folder.glob("*.log")) for line in _last(log)]
            said += [line for out in sorted(folder.glob("*.out")) for line in _last(out)]
            raise NoSlurm(f"{what} did not come up: {' | '.join(said) or 'it said nothing'}")
        time.sleep(0.2)


def _last(log: Path) -> list[str]:
    return [f"{log.name}: {line}" for line in log.read_text(errors="replace").splitlines()[-2:]]
