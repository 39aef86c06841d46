"""
The benchmark of the house: one county at 10 m, from STAC to composite, beside two peers.

Usage: ``python -m benchmarks.county [--twin DIR] [--only SECTION ...] [--repeats 3]``

Builds the simulated county if it is not there (about 25 minutes, once), measures, keeps the
numbers in ``benchmarks/measured.json`` and writes ``benchmarks/README.md`` from them. With
``--only`` the other sections keep the numbers that they have.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ground, page
from benchmarks.measure import ONE_THREAD, Work, interleaved, run
from benchmarks.page import WORKER
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.twin.build import build

__all__ = ["SECTIONS", "Bench", "main"]

HERE = Path(__file__).parent
MEASURED = HERE / "measured.json"
PAGE = HERE / "README.md"
_LIBRARIES = (
    "numpy", "numba", "xarray", "dask", "odc-stac", "odc-geo", "rasterio", "bottleneck", "geomad",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the twin lies, how often a piece of work is repeated, how many dates are compared."""

    twin: str
    repeats: int
    dates: int = 12

    def ours(self, name: str, square: int, dates: int, **more: Any) -> Work:  # noqa: ANN401
        """Make a piece of work of our side."""
        given = {"twin": self.twin, "square": square, "n_days": dates, **more}
        return Work(name, "benchmarks.ours:run", given)

    def peer(self, which: str, square: int, **more: Any) -> Work:  # noqa: ANN401
        """Make a piece of work of a peer."""
        given = {"twin": self.twin, "square": square, "n_days": self.dates, "peer": which, **more}
        return Work(f"peer {which}", "benchmarks.peers:run", given)


def _peers(bench: Bench) -> dict[str, Any]:
    """Two squares, twelve dates, one thread: A, B and we in turn."""
    works = [
        bench.peer("A", 2),
        bench.peer("B", 2),
        bench.ours("ours, median", 2, bench.dates),
        bench.ours("ours, geometric median", 2, bench.dates, method="geomedian"),
    ]
    return _told(interleaved(works, bench.repeats))


def _agreement(bench: Bench) -> dict[str, Any]:
    """One square: our answer against peer B's and against our own by libraries alone."""
    with tempfile.TemporaryDirectory() as folder:
        names = {name: str(Path(folder) / f"{name}.npz") for name in ("B", "ours", "library")}
        run(bench.peer("B", 1, save=names["B"]))
        run(bench.ours("ours", 1, bench.dates, save=names["ours"]))
        run(bench.ours("library", 1, bench.dates, save=names["library"], engine="library"))
        answers = {name: dict(np.load(path)) for name, path in names.items()}
    return {
        "peer B": _compared(answers["ours"], answers["B"]),
        "library engine": _compared(answers["ours"], answers["library"]),
    }


def _compared(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Differences of two composites in 1/10000, over all pixels and where the looks are as many."""
    a, b = (
        np.stack([image[name] for name in BAND_NAMES]).astype("int32") for image in (one, other)
    )
    looks = np.array_equal(one["n_clear"], other["n_clear"])
    alike = one["n_clear"] == other["n_clear"]
    both = (a[0] > -32_768) & (b[0] > -32_768)
    facts: dict[str, Any] = {
        "same_seen": float(((a[0] > -32_768) == (b[0] > -32_768)).mean()),
        "same_looks": float(alike.mean()),
        "all_looks_same": bool(looks),
    }
    for name, where in (("all", both), ("same looks", both & alike)):
        off = np.abs(a[:, where] - b[:, where])
        facts[name] = {
            "equal": float((off == 0).mean()),
            "within_1": float((off <= 1).mean()),
            "p99": float(np.percentile(off, 99)),
            "max": int(off.max()),
        }
    return facts


def _parts(bench: Bench) -> dict[str, Any]:
    """Where our time goes, and what no reader could do without."""
    given = {"twin": bench.twin, "square": 1, "n_days": bench.dates}
    works = [
        Work(f"{what}, {method}", f"benchmarks.parts:{what}", given | {"method": method})
        for method in ("median", "geomedian")
        for what in ("breakdown", "unavoidable")
    ]
    return _told(interleaved(works, bench.repeats))


def _growth(bench: Bench) -> dict[str, Any]:
    """One, two and four squares; six to twenty-four dates; up to ninety-six as a worker does."""
    area = [
        bench.ours(f"{square} x area", square, bench.dates, method="geomedian")
        for square in (1, 2, 4)
    ]
    dates = [bench.ours(f"{n} dates", 1, n, method="geomedian") for n in (6, 12, 24)]
    worker = [
        Work(f"{n} dates{WORKER}", "benchmarks.ours:piece", {"twin": bench.twin, "n_days": n})
        for n in (12, 48, 96)
    ]
    return _told(interleaved([*area, *dates, *worker], max(1, bench.repeats - 1)))


def _county(bench: Bench) -> dict[str, Any]:
    """Measure the whole county on one worker and on two, and as two processes on their own."""

    def work(name: str, **given: int) -> Work:
        return Work(name, "benchmarks.ours:county", {"twin": bench.twin, **given})

    found = interleaved([work("1 worker", workers=1), work("2 workers", workers=2)], bench.repeats)
    halves = [work(f"half {n}", workers=1, part=n, of=2) for n in (0, 1)]
    with ThreadPoolExecutor(len(halves)) as both:
        found["each of 2 processes"] = list(both.map(run, halves))
    return _told(found)


def _kernels(bench: Bench) -> dict[str, Any]:
    """Have the kernels measured by their own scripts; their tables are taken over as printed."""
    found = {}
    for name, arguments in {
        "warp": [bench.twin],
        "estimators": [],
        "forest": [],
        "trend": [],
    }.items():
        done = subprocess.run(  # noqa: S603 - our own interpreter on our own module
            [sys.executable, "-m", f"benchmarks.{name}", *arguments],
            check=True,
            capture_output=True,
            text=True,
            cwd=HERE.parent,
            env=os.environ | ONE_THREAD,
        )
        found[name] = done.stdout
    return found


SECTIONS: Mapping[str, Callable[[Bench], dict[str, Any]]] = {
    "peers": _peers,
    "agreement": _agreement,
    "parts": _parts,
    "growth": _growth,
    "county": _county,
    "kernels": _kernels,
}


def _told(found: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    return {name: [asdict(one) for one in runs] for name, runs in found.items()}


def _machine() -> dict[str, str]:
    """Say what was measured on; no names of machines."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{model}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{memory:.0f} GiB",
        "Python": platform.python_version(),
    } | {name: version(name) for name in _LIBRARIES}


def main(twin: Path, only: Sequence[str], repeats: int) -> None:
    """Build what is missing, measure, keep the numbers, write the page."""
    if not (twin / "catalog.json").is_file():
        build(twin, ground.SPEC, workers=2, progress=lambda done, n, _: print(f"twin {done}/{n}"))
    bench = Bench(str(twin.resolve()), repeats)
    run(bench.ours("warm-up: compiles the kernels", 1, 1))
    run(bench.ours("warm-up", 1, 1, method="geomedian"))
    numbers = json.loads(MEASURED.read_text("utf-8")) if MEASURED.is_file() else {}
    for name in only:
        print(f"measuring {name}", flush=True)
        numbers[name] = SECTIONS[name](bench)
        numbers["machine"] = _machine()
        MEASURED.write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    PAGE.write_text(page.render(numbers), "utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser(description=__doc__)
    PARSER.add_argument("--twin", type=Path, default=HERE.parent / "outputs" / "bench-twin")
    PARSER.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    PARSER.add_argument("--repeats", type=int, default=3)
    GIVEN = PARSER.parse_args()
    main(GIVEN.twin, GIVEN.only, GIVEN.repeats)
