"""
Speed and error of the estimators of ``composite``, engine by engine.

Usage: ``python -m benchmarks.estimators [--pixels 20000]``

Looks are synthetic: 12 dates of 10 bands, 35 % missing at random (a random mask is the hardest
for the compiled engine, whose blocks skip dates that no pixel of them sees), 8 % hazy. One thread;
speeds are pixels with all bands per CPU second, the best of three calls after a first one.
Errors are off the converged geometric median, found by Weiszfeld's iteration in float64.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import process_time

import bottleneck
import geomad
import numpy as np
import numpy.typing as npt

from jinhua_rs.composite import kernels, library
from jinhua_rs.composite.screening import screened

__all__ = ["Row", "converged", "looks", "main", "rows", "table"]

Array = npt.NDArray[np.floating]
BANDS, DATES = 10, 12
_SLOW = 2_000
"""Pixels on which NumPy's percentiles with missing values are timed: they take 0.2 s."""


@dataclass(frozen=True, slots=True)
class Row:
    """
    One estimator by one engine.

    ``speed`` in millions of pixels per CPU second; ``ratio`` to the speed of the row it is
    compared with; errors in 1e-4 of reflectance, NaN where the answer is exact to rounding.
    """

    what: str
    by: str
    speed: float
    ratio: float
    mean: float = np.nan
    p99: float = np.nan
    worst: float = np.nan


def looks(
    rng: np.random.Generator, pixels: int, dates: int = DATES
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """Make looks (band, date, pixel), 1e-4 of reflectance, and which of them count."""
    ground = rng.uniform(0.02, 0.4, (BANDS, 1, pixels))
    seen = ground * (1 + rng.normal(0, 0.08, (1, dates, pixels)))
    seen += rng.normal(0, 0.01, (BANDS, dates, pixels))
    haze = rng.uniform(0.1, 0.4, (1, dates, pixels))
    seen = np.where(rng.random((1, dates, pixels)) < 0.08, seen + haze, seen)
    return np.round(seen * 1e4).astype(np.int16), rng.random((dates, pixels)) >= 0.35


def converged(looks: npt.NDArray[np.int16], use: npt.NDArray[np.bool_]) -> Array:
    """Geometric median (band, pixel) in float64, to steps of 1e-12; NaN where nothing counts."""
    centre = np.full((looks.shape[0], looks.shape[2]), np.nan)
    left = np.flatnonzero(use.any(axis=0))
    centre[:, left] = np.where(use, looks * 1e-4, 0).sum(axis=1)[:, left] / use.sum(axis=0)[left]
    for _ in range(200_000):
        if not left.size:
            break
        values, at = looks[:, :, left] * 1e-4, centre[:, left]
        distance = np.sqrt(((values - at[:, np.newaxis]) ** 2).sum(axis=0))
        weight = np.where(use[:, left], 1 / np.maximum(distance, 1e-13), 0)
        centre[:, left] = (values * weight).sum(axis=1) / weight.sum(axis=0)
        left = left[np.sqrt(((centre[:, left] - at) ** 2).sum(axis=0)) > 1e-12]
    return centre


def rows(pixels: int = 20_000, seed: int = 0) -> Iterator[Row]:
    """Measure every estimator by the library and by the compiled engine."""
    stack, use = looks(np.random.default_rng(seed), pixels)
    yield from _geomedians(stack, use)
    yield from _medians(stack, use)
    yield from _spreads(stack, use)
    yield from _percentiles(stack, use)
    yield from _screens(stack, use)


def _speed(pixels: int, work: Callable[[], object], times: int = 3) -> float:
    work()
    spent = []
    for _ in range(times):
        start = process_time()
        work()
        spent.append(process_time() - start)
    return pixels / min(spent) / 1e6


def _geomedians(stack: npt.NDArray[np.int16], use: npt.NDArray[np.bool_]) -> Iterator[Row]:
    answer = converged(stack, use)
    for tolerance in (1e-4, 1e-5, 1e-6):
        base = 0.0
        for name, engine in (("geomad", library), ("compiled", kernels)):
            speed = _speed(use.shape[1], lambda e=engine, t=tolerance: e.geomedian(stack, use, t))
            base = base or speed
            error = np.abs(engine.geomedian(stack, use, tolerance) - answer) * 1e4
            error = error[np.isfinite(error)]
            high = float(np.percentile(error, 99))
            yield Row(
                f"geometric median, {tolerance:.0e}", name, speed, speed / base,
                float(error.mean()), high, float(error.max()),
            )  # fmt: skip


def _medians(stack: npt.NDArray[np.int16], use: npt.NDArray[np.bool_]) -> Iterator[Row]:
    floats = np.where(use, stack, np.nan).astype(np.float32)
    last = np.ascontiguousarray(np.moveaxis(floats, 1, -1))
    seen = use.any(axis=0)
    works = {
        "numpy.nanmedian": lambda: np.nanmedian(floats[:, :, seen], axis=1),
        "bottleneck, dates last": lambda: bottleneck.nanmedian(last, axis=-1),
        "library": lambda: library.quantiles(stack, use, (0.5,)),
        "compiled": lambda: kernels.quantiles(stack, use, (0.5,)),
    }
    yield from _compared("median", works, use.shape[1])


def _spreads(stack: npt.NDArray[np.int16], use: npt.NDArray[np.bool_]) -> Iterator[Row]:
    seen = use.any(axis=0)
    stack, use = np.ascontiguousarray(stack[:, :, seen]), use[:, seen]
    centre = kernels.geomedian(stack, use, 1e-5)
    values = np.where(use, stack * np.float32(1e-4), np.float32(np.nan)).transpose(2, 0, 1)
    values = np.ascontiguousarray(values[:, np.newaxis])
    middle = np.ascontiguousarray(centre.T[:, np.newaxis])
    named = (geomad.smad_pcm, geomad.emad_pcm, geomad.bcmad_pcm)
    works = {
        "geomad": lambda: [spread(values, middle, num_threads=1) for spread in named],
        "library": lambda: library.spreads(stack, use, centre),
        "compiled": lambda: kernels.spreads(stack, use, centre),
    }
    yield from _compared("three MADs", works, use.shape[1])


def _percentiles(stack: npt.NDArray[np.int16], use: npt.NDArray[np.bool_]) -> Iterator[Row]:
    nir, red = stack[6].astype(np.float32), stack[2].astype(np.float32)
    index = ((nir - red) / np.maximum(nir + red, 1))[np.newaxis]
    few = np.where(use, index[0], np.nan)[:, use.any(axis=0)][:, :_SLOW]
    shares = (0.1, 0.5, 0.9)
    base = _speed(few.shape[1], lambda: np.nanpercentile(few, (10, 50, 90), axis=0), 1)
    yield Row("percentiles 10, 50, 90 of an index", "numpy.nanpercentile", base, 1.0)
    for name, engine in (("library", library), ("compiled", kernels)):
        speed = _speed(use.shape[1], lambda e=engine: e.quantiles(index, use, shares))
        yield Row("percentiles 10, 50, 90 of an index", name, speed, speed / base)


def _screens(stack: npt.NDArray[np.int16], use: npt.NDArray[np.bool_]) -> Iterator[Row]:
    pair = np.ascontiguousarray(stack[[0, 8]])
    works = {
        name: lambda q=engine.quantiles: screened(pair, (1, -1), use, 4.0, q)
        for name, engine in (("library", library), ("compiled", kernels))
    }
    yield from _compared("outlier screen, two bands", works, use.shape[1])


def _compared(what: str, works: dict[str, Callable[[], object]], pixels: int) -> Iterator[Row]:
    base = 0.0
    for name, work in works.items():
        speed = _speed(pixels, work)
        base = base or speed
        yield Row(what, name, speed, speed / base)


def table(measured: Iterator[Row]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield "| estimator | by | Mpx/s | times | mean DN | p99 DN | max DN |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for row in measured:
        errors = (f"{x:.2g}" if np.isfinite(x) else "" for x in (row.mean, row.p99, row.worst))
        facts = (row.what, row.by, f"{row.speed:.3g}", f"{row.ratio:.2g}", *errors)
        yield f"| {' | '.join(facts)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--pixels", type=int, default=20_000)
    for line in table(rows(parser.parse_args().pixels)):
        print(line)


if __name__ == "__main__":
    main()
