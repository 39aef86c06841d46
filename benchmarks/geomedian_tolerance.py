"""Error and speed of the geometric median by tolerance, against the converged answer."""

from time import process_time

import geomad
import numpy as np

PIXELS, BANDS, LOOKS = 20_000, 10, 8


def looks(rng: np.random.Generator) -> np.ndarray:
    """Return synthetic looks (1, pixel, band, time): 8 % hazy, 35 % missing."""
    ground = rng.uniform(0.02, 0.4, (1, PIXELS, BANDS, 1))
    seen = ground * (1 + rng.normal(0, 0.08, (1, PIXELS, 1, LOOKS)))
    seen += rng.normal(0, 0.01, (1, PIXELS, BANDS, LOOKS))
    haze = rng.uniform(0.1, 0.4, (1, PIXELS, 1, LOOKS))
    seen = np.where(rng.random((1, PIXELS, 1, LOOKS)) < 0.08, seen + haze, seen)
    return np.where(rng.random((1, PIXELS, 1, LOOKS)) < 0.35, np.nan, seen).astype("float32")


def main() -> None:
    """Print a line for each tolerance."""
    data = looks(np.random.default_rng(0))
    converged = geomad.nangeomedian_pcm(data, eps=1e-9, num_threads=1)
    for eps in (1e-4, 1e-5, 1e-6):
        start = process_time()
        centre = geomad.nangeomedian_pcm(data, eps=eps, num_threads=1)
        speed = PIXELS / (process_time() - start) / 1e6
        error = np.abs(centre - converged) * 1e4
        worst, mean = np.nanmax(error), np.nanmean(error)
        high = np.nanpercentile(error, 99)
        print(f"{eps:.0e}: mean {mean:.3f}, p99 {high:.2f}, max {worst:.0f} DN; {speed:.3f} Mpx/s")


if __name__ == "__main__":
    main()
