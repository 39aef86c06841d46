"""
How fast trends are found: pymannkendall against the compiled series, numbers compared.

    python benchmarks/trend.py

One thread. Series are noise with gaps: speed only.
"""

import time

import numpy as np
import pymannkendall

from jinhua_rs.estimation.trend import trends

SERIES, THEIRS, REPEATS = 400_000, 1_000, 3
CITY_PIXELS = 109.4e6


def main() -> None:
    """Print a table: series a CPU-second, ratio in the same run, difference, the whole city."""
    rng = np.random.default_rng(0)
    print("| years | pymannkendall series/s | ours series/s | ratio | largest difference | city |")
    print("| --- | --- | --- | --- | --- | --- |")
    for years in (8, 10, 12, 20):
        values = rng.normal(size=(years, SERIES))
        values[0, ::7] = np.nan
        trends(values[:, :64], range(years))  # compile
        ours = _speed(lambda: trends(values, range(years)), SERIES)  # noqa: B023
        few = [values[:, at] for at in range(THEIRS)]
        theirs = _speed(lambda: [_library(one) for one in few], THEIRS)  # noqa: B023
        found, known = trends(values, range(years)), np.array([_library(one) for one in few])
        whole = found.n[:THEIRS] == years
        off = np.abs(np.stack([found.slope, found.p], axis=1)[:THEIRS] - known)[whole].max()
        city = CITY_PIXELS / ours / 60
        print(
            f"| {years} | {theirs:,.0f} | {ours:,.0f} | {ours / theirs:.0f} | {off:.0e} "
            f"| {city:.1f} core-minutes |"
        )


def _library(series: np.ndarray) -> tuple[float, float]:
    found = pymannkendall.pre_whitening_modification_test(series)
    return found.slope, found.p


def _speed(work: object, series: int) -> float:
    spent = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return series / min(spent)


if __name__ == "__main__":
    main()
