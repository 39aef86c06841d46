"""
How wide should clouds be grown, and how many looks does a pixel need? The tables of decision 0015.

Usage: ``python -m benchmarks.least_looks [twin|romania] [--side 256]``

On the twin the composite is held against the cloud-free ground. In Romania, where there is no such
truth, a quarter is held against the median of the clear looks (100 m) of the same quarter in all
other years, where there are five or more.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.geom import Geometry

from benchmarks.composite_steps import CENTRE, PERIOD, days_of, masker_of, scenes_of, truth_of
from benchmarks.patch_twin import Patch
from jinhua_rs import catalog, composite, cube, masks
from jinhua_rs.errors import NoDataError
from jinhua_rs.grid import Grid
from jinhua_rs.period import Period
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.settings import Composite, Mask, Stac
from jinhua_rs.sites import romania

BUFFERS, LEAST = (0.0, 40.0, 60.0, 100.0, 200.0), (1, 2, 3)
BANDS = ("blue", "green", "red", "nir", "nir08", "swir16")
_YIELDS = 3
"""Looks below which a buffer of 100 m gives way, in the variant that does."""
_GROSS = 300.0
"""Error of blue, 1/10000, from which a pixel shows cloud."""

Floats = npt.NDArray[np.float64]
Looks = Mapping[float, xr.Dataset]


def variants(looks: Looks) -> Iterator[tuple[str, xr.Dataset, int]]:
    """Yield each buffer with each least number of looks, and the buffer that gives way."""
    for buffer_m, seen in looks.items():
        for least in LEAST:
            yield f"{buffer_m:.0f} m | {least}", seen, least
    strict = looks[100.0]["clear"].reindex(time=looks[0.0]["time"], fill_value=False)
    loose = looks[0.0].copy()
    loose["clear"] = loose["clear"] & (strict | (strict.sum("time") < _YIELDS))
    yield f"100 m, yields below {_YIELDS} looks | 1", loose, 1


def on_the_twin(side: int) -> Iterator[str]:
    """Yield the lines of the table of the simulated ground."""
    yield "| buffer | least looks | cloud | shown % | RMSE |\n| --- | --: | --: | --: | --: |"
    for cloudiness in (1.0, 1.6):
        patch = Patch.around(CENTRE, side, (PERIOD, 30), cloudiness=cloudiness)
        with tempfile.TemporaryDirectory() as folder:
            patch.paint(Path(folder))
            scenes, truth = scenes_of(patch, Path(folder)), truth_of(patch)
            own = sorted(days_of(scenes))
            looks = {
                buffer_m: cube.read(
                    scenes, patch.geobox, BAND_NAMES,
                    masker_of(Mask(buffer_m=buffer_m, dem=Path(folder) / patch.dem), patch),
                ).looks
                for buffer_m in BUFFERS
            }  # fmt: skip
            for name, seen, least in variants(looks):
                is_own = np.isin(seen["time"].to_numpy().astype("datetime64[D]"), own)
                made = composite.compose(seen, is_own, Composite(min_clear=least))
                errors = [1e4 * (made[band].to_numpy() - truth[band]) for band in BAND_NAMES]
                shown = np.isfinite(errors[0])
                rmse = np.mean([np.sqrt((one[shown] ** 2).mean()) for one in errors])
                yield f"| {name} | x {cloudiness:g} | {100 * shown.mean():.1f} | {rmse:.0f} |"


def in_romania() -> Iterator[str]:
    """Yield the lines of the table of real pixels."""
    with tempfile.TemporaryDirectory() as folder:
        looks = _real(Path(romania.write_stac(Path(folder))))
    yield "| buffer | least looks | shown % | blue RMSE | cloud left % |"
    yield "| --- | --: | --: | --: | --: |"
    errors: dict[str, list[Floats]] = {}
    for period, seen in looks.items():
        others = [one[100.0] for other, one in looks.items() if _same_season(other, period)]
        if others:
            truth = _median(others)
            for name, chosen, least in variants(seen):
                options = Composite(bands=BANDS, min_clear=least)
                made = composite.compose(chosen, np.ones(chosen.sizes["time"], bool), options)
                blue = 1e4 * made["blue"].to_numpy().astype(np.float64)
                errors.setdefault(name, []).append((blue - truth)[np.isfinite(truth)])
    for name, found in errors.items():
        every = np.concatenate(found)
        shown = every[np.isfinite(every)]
        numbers = shown.size / every.size, np.sqrt((shown**2).mean()), (shown > _GROSS).mean()
        yield f"| {name} | {100 * numbers[0]:.1f} | {numbers[1]:.0f} | {100 * numbers[2]:.1f} |"


def _real(site: Path) -> dict[Period, Looks]:
    outline = romania.outline()
    geobox = Grid(str(romania.CRS), 10.0).covering(outline.bounds)
    area = Geometry(outline, str(romania.CRS)).to_crs("EPSG:4326").geom
    stac = Stac(profile="local", url=str(site), allowed_roots=(site,))
    found: dict[Period, Looks] = {}
    for period in (Period(year, quarter) for year in range(2015, 2022) for quarter in (1, 2, 3, 4)):
        try:
            kept = catalog.search(stac, area, period, bands=BANDS).require().kept
        except NoDataError:
            continue
        found[period] = {
            buffer_m: cube.read(kept, geobox, BANDS, masks.masker(Mask(buffer_m=buffer_m))).looks
            for buffer_m in BUFFERS
        }
    return found


def _same_season(other: Period, period: Period) -> bool:
    return other != period and other.quarter == period.quarter


def _median(others: Sequence[xr.Dataset]) -> Floats:
    """Median of blue over the clear looks of other years, 1/10000; NaN below five of them."""
    blue = np.concatenate([one["reflectance"].sel(band="blue").to_numpy() for one in others])
    clear = np.concatenate([one["clear"].to_numpy() for one in others]) & (blue != -32768)
    known = clear.sum(axis=0) >= 5
    values = np.where(clear | ~known, blue, np.nan).astype(np.float64)
    return np.where(known, np.nanmedian(values, axis=0), np.nan)


def main() -> None:
    """Print one table, or both."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("where", choices=("twin", "romania", "both"), nargs="?", default="both")
    given.add_argument("--side", type=int, default=256)
    told = given.parse_args()
    if told.where != "romania":
        print("\n".join(on_the_twin(told.side)))
    if told.where != "twin":
        print("\n".join(in_romania()))


if __name__ == "__main__":
    main()
