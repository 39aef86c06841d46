"""One quarterly cube kept as sealed Zarr folders and as an Icechunk repository: a table of both."""

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from cube_kinds import LAYERS, Folders, Repository

from jinhua_rs import store

SPAWN = multiprocessing.get_context("spawn")  # Icechunk has threads: a fork would hang


def _write(kept: Folders, begun: object) -> None:
    todo = kept.missing()
    begun.set()
    kept.make(todo)


def kills(fresh: Callable[[str], Folders], trials: int) -> str:
    """SIGKILL the writer at random moments; look what is there, and make the rest."""
    rng, kept_tiles, torn, unhealed = np.random.default_rng(1), [], 0, 0
    for trial in range(trials):
        kept, begun = fresh(f"killed-{trial}"), SPAWN.Event()
        writer = SPAWN.Process(target=_write, args=(kept, begun))
        writer.start()
        begun.wait()
        writer.join(rng.uniform(0.05, 1.2))
        writer.kill()
        writer.join()
        done = sorted(set(range(kept.side**2)) - set(kept.missing()))
        kept_tiles.append(len(done))
        torn += not all(map(kept.right, done))
        kept.make(kept.missing())
        unhealed += not all(map(kept.right, range(kept.side**2)))
    mean = sum(kept_tiles) / trials
    return f"{torn}/{trials} torn, {unhealed}/{trials} not healed, {mean:.1f} tiles kept"


def flips(kept: Folders, trials: int) -> tuple[str, str]:
    """Flip a bit of a file of pixels; say how often a read gives wrong pixels, and a check sees."""
    rng, silent, seen = np.random.default_rng(2), 0, 0
    files = sorted(p for p in kept.root.rglob("*") if p.is_file() and p.stat().st_size > 4_000)
    for _ in range(trials):
        path = files[rng.integers(len(files))]
        sound = path.read_bytes()
        bad = bytearray(sound)
        bad[rng.integers(len(bad))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bad)
        with suppress(Exception):  # whatever is raised, the damage was noticed
            silent += not all(map(kept.right, range(kept.side**2)))
        seen += bool(kept.missing())
        path.write_bytes(sound)
    return f"{silent}/{trials} wrong pixels, no error", f"{seen}/{trials} noticed"


def measured(kept: Folders, again: Folders, workers: ProcessPoolExecutor) -> dict[str, str]:
    """Build the cube twice and look at it from all sides."""
    todo, found = list(range(kept.side**2)), {}

    def clock(what: str, act: Callable[[], object]) -> None:
        wall, cpu = perf_counter(), process_time()
        spent = act()
        own = process_time() - cpu + (spent if isinstance(spent, float) and "two" in what else 0)
        found[what] = f"{perf_counter() - wall:.2f} s wall, {own:.2f} s CPU"

    def weigh(what: str) -> None:
        files = [path for path in kept.root.rglob("*") if path.is_file()]
        found[what] = f"{sum(f.stat().st_size for f in files) / 2**20:.1f} MiB, {len(files)}"

    clock("write, two worker processes", lambda: kept.write(todo, workers))
    weigh("size, files")
    clock("read one tile, all layers", lambda: kept.read(todo[-1]))
    clock("read one layer of the cube", lambda: kept.layer("nir"))
    clock("find what is missing", kept.missing)
    clock("make one tile again", lambda: kept.make(todo[:1]))
    weigh("size, files after that")
    again.write(todo, workers)
    same = store.digest(kept.root) == store.digest(again.root)
    return found | {"two builds, file by file": "equal" if same else "differ"}


def main() -> None:
    """Print a markdown table; the tiles are made by the same code on both sides."""
    os.environ["ICECHUNK_LOG"] = "error"  # it warns of two committers at once; there is one
    asked = argparse.ArgumentParser(description=__doc__)
    for name, default in (("side", 8), ("size", 512), ("kills", 20), ("flips", 100)):
        asked.add_argument(f"--{name}", type=int, default=default)
    told, columns = asked.parse_args(), {}
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(2, SPAWN) as workers:
        workers.submit(Folders(Path(name, "warm"), 2, 32).make, [0, 1]).result()
        for kind in (Folders, Repository):
            folder = Path(name, kind.__name__)
            big = [kind(folder / each, told.side, told.size) for each in ("one", "two")]
            columns[kind.__name__] = found = measured(*big, workers)
            found["SIGKILL of the writer"] = kills(lambda n: kind(folder / n, 6, 128), told.kills)  # noqa: B023
            small = kind(folder / "flips", 2, 128)
            small.make(small.missing())
            found["a bit flips: read"], found["a bit flips: check"] = flips(small, told.flips)
    print(f"{told.side**2} tiles of {told.size} x {told.size} x {len(LAYERS)} layers\n")
    print(f"| | {' | '.join(columns)} |\n| --- | --- | --- |")
    for what in columns["Folders"]:
        print(f"| {what} | {' | '.join(column[what] for column in columns.values())} |")


if __name__ == "__main__":
    main()
