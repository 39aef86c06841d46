"""
How often the intervals of a designed sample hold the truth of the twin, for city and counties.

Usage: ``python -m benchmarks.sampling [--resolution 180] [--repeats 500]`` (about five minutes)

A map with errors is made of the twin's truth, surveyed, planned for and drawn from as
``jinhua-rs sample`` does it, with a new seed each time; every point is read without error, and
estimated by the strata of its design. Writes ``docs/sampling.md``. All of it is simulated.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import rasterio
from odc.geo.geobox import GeoBox
from scipy import ndimage

from jinhua_rs.estimation.area import coverage, panel_change
from jinhua_rs.estimation.design import Design, Frame, draw
from jinhua_rs.estimation.simulate import WHOLE, simulate_coverage
from jinhua_rs.estimation.sizes import Wanted, sizes
from jinhua_rs.grid import Grid
from jinhua_rs.interpretation import survey
from jinhua_rs.period import Period
from jinhua_rs.regions import load_units, outline
from jinhua_rs.schema import FOREST_CANOPY, Change, Forest
from jinhua_rs.settings import Area
from jinhua_rs.twin.events import draw as draw_events
from jinhua_rs.twin.survey import inside, middle, pieces, states
from jinhua_rs.twin.world import World

__all__ = ["City", "main", "mapped", "repeated", "table"]

Booleans = npt.NDArray[np.bool_]

PAGE = Path(__file__).parent.parent / "docs" / "sampling.md"
PERIODS = ("2019Q4", "2024Q4")
SEED = 20200101
_MISSED, _FALSE, _UNSEEN, _LOST, _GHOST = 0.04, 0.05, 0.02, 0.3, 0.004
"""Errors of the map: trees missed, other land called trees, not seen; change missed, imagined."""
_FAST = 4000


@dataclass(frozen=True)
class City:
    """Truth of the twin, tree cover in two periods, dims (y, x), on the grid of ``geobox``."""

    units: gpd.GeoDataFrame
    geobox: GeoBox
    before: Booleans
    after: Booleans

    @classmethod
    def of(cls, resolution: float) -> "City":
        """Read the truth piece by piece."""
        units = load_units(Area())
        world = World.build(SEED, units)
        events = draw_events(world, SEED)
        geobox = Grid(resolution=resolution).covering(outline(units).bounds)
        found = np.zeros((2, *geobox.shape), dtype=bool)
        days = [middle(Period.parse(text)) for text in PERIODS]
        for piece in pieces(units, resolution):
            left, top = ~geobox.affine @ (piece.geobox.affine.c, piece.geobox.affine.f)
            for at, state in enumerate(states(world, piece.geobox, events, days)):
                _paste(
                    found[at], state["canopy"].to_numpy() >= FOREST_CANOPY, round(top), round(left)
                )
        return cls(units, geobox, found[0], found[1])


def _paste(whole: Booleans, part: Booleans, top: int, left: int) -> None:
    rows = slice(max(0, top), min(whole.shape[0], top + part.shape[0]))
    columns = slice(max(0, left), min(whole.shape[1], left + part.shape[1]))
    whole[rows, columns] = part[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]


def mapped(truth: Booleans, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Make a forest map of the truth: half a stand's edge off, scattered errors, clouds."""
    shifted = np.roll(truth, 1, axis=1)
    chance = rng.random(truth.shape)
    called = np.where(chance < np.where(shifted, _MISSED, _FALSE), ~shifted, shifted)
    cloud = ndimage.gaussian_filter(rng.normal(size=truth.shape), 12)
    codes = np.where(called, Forest.FOREST, Forest.OTHER)
    codes[cloud > np.quantile(cloud, 1 - _UNSEEN)] = Forest.UNSEEN
    return codes.astype("uint8")


def changed(city: City, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Make a change map: some true change missed, some imagined."""
    stable = np.where(city.before, Change.STABLE_FOREST, Change.STABLE_OTHER)
    moved = np.where(city.after, Change.GAIN, Change.LOSS)
    real = city.before != city.after
    chance = rng.random(real.shape)
    ghost = np.where(city.before, Change.LOSS, Change.GAIN)
    codes = np.where(real & (chance > _LOST), moved, stable)
    return np.where(~real & (chance < _GHOST), ghost, codes).astype("uint8")


def framed(city: City, codes: npt.NDArray[np.uint8], name: str, buffer_px: int = 0) -> Frame:
    """Survey a map as the product does; its blocks stay in memory for the many draws."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.tif"
        profile = {
            "driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 0, "crs": "EPSG:4549",
            "transform": city.geobox.transform, "height": codes.shape[0], "width": codes.shape[1],
        }  # fmt: skip
        with rasterio.open(path, "w", **profile) as target:
            target.write(codes, 1)
            target.update_tags(period=PERIODS[1], label="SIMULATED 模拟数据")
        frame = survey(path, city.units, buffer_px=buffer_px)
        blocks = list(frame.blocks())
    return replace(frame, blocks=lambda: iter(blocks))


def repeated(
    city: City, frame: Frame, wanted: Wanted, repeats: int, *, change: bool
) -> pd.DataFrame:
    """
    Draw, read and estimate again and again.

    Returns
    -------
    DataFrame, index unit
        ``truth`` (share, or change of it), ``n``, ``covered`` (share of the intervals that hold
        the truth), ``claimed`` (that leave 0 out), ``width``, ``off`` (mean error).
    """
    n, truth = sizes(frame.strata, wanted), _truth(city, change=change)
    lows, highs, values = (np.empty((repeats, len(city.units))) for _ in range(3))
    for at in range(repeats):
        found = _estimated(city, draw(frame, n, at), change=change)
        lows[at], highs[at], values[at] = (found[key] for key in ("low", "high", "value"))
        points = found["n"]
    held = (lows <= truth.to_numpy()) & (truth.to_numpy() <= highs)
    return pd.DataFrame(
        {
            "truth": truth,
            "n": points,
            "covered": held.mean(axis=0),
            "claimed": ((lows > 0) | (highs < 0)).mean(axis=0),
            "width": (highs - lows).mean(axis=0),
            "off": values.mean(axis=0) - truth,
        }
    )


def _truth(city: City, *, change: bool) -> pd.Series:
    """Return the true share of each unit, or its change, over the pixels that lie in it."""
    masks = {code: inside(city.geobox, shape) for code, shape in city.units.geometry.items()}
    after = {code: float(city.after[mask].mean()) for code, mask in masks.items()}
    if not change:
        return pd.Series(after)
    return pd.Series({c: after[c] - float(city.before[mask].mean()) for c, mask in masks.items()})


def _estimated(city: City, design: Design, *, change: bool) -> pd.DataFrame:
    """Read every point from the truth, and estimate by the design's own strata."""
    top, left = round(city.geobox.affine.f), round(city.geobox.affine.c)
    step = design.facts.resolution
    points = design.points
    row = round(top / step) - 1 - points["row"].to_numpy()
    column = points["column"].to_numpy() - round(left / step)
    told = points[["point", "stratum"]].assign(
        before=city.before[row, column].astype(float), after=city.after[row, column].astype(float)
    )
    told["y"] = told["after"]
    counties = told["stratum"].map(design.strata["county"])
    sample = pd.concat([told.assign(unit=city.units.index[0]), told.assign(unit=counties)])
    estimator = panel_change if change else coverage
    return estimator(sample, design.areas_m2)


def fast(city: City, frame: Frame, codes: npt.NDArray[np.uint8], wanted: Wanted) -> pd.Series:
    """Cover by the vectorised simulation, whose chance error is smaller."""
    masks = {code: inside(city.geobox, shape) for code, shape in city.units.geometry.items()}
    owner = np.full(codes.shape, "", dtype=object)
    for code in city.units.index[1:]:
        owner[masks[code] & (owner == "")] = code
    here = owner != ""
    n = sizes(frame.strata, wanted)
    by_stratum = {
        (county, int(name)): int(n[stratum])
        for stratum, county, name in frame.strata[["county", "class"]].itertuples()
    }
    found = simulate_coverage(city.after[here], codes[here], owner[here], by_stratum, _FAST, SEED)[
        "covered"
    ]
    return found.rename({WHOLE: city.units.index[0]})


def table(found: pd.DataFrame, names: pd.Series, columns: Sequence[str]) -> Iterator[str]:
    """Lines of a Markdown table."""
    heads = {
        "truth": "truth %", "n": "points", "covered": "held", "fast": "held, fast",
        "claimed": "claimed", "width": "width, points", "off": "mean error, points",
    }  # fmt: skip
    hundred = {"truth": ".2f", "covered": ".1f", "fast": ".1f", "claimed": ".1f", "width": ".2f"}
    yield "| unit | " + " | ".join(heads[name] for name in columns) + " |"
    yield "| --- |" + " --- |" * len(columns)
    for code, row in found.iterrows():
        cells = []
        for name in columns:
            share = f"{100 * row[name]:{hundred.get(name, '+.3f')}}" if name != "n" else ""
            cells.append(f"{row['n']:,.0f}" if name == "n" else share)
        yield f"| {names[code]} | " + " | ".join(cells) + " |"


def main(resolution: float, repeats: int) -> None:
    """Measure, print, and write the page."""
    city, rng = City.of(resolution), np.random.default_rng(SEED)
    names = city.units["name_zh"] + " " + city.units["name_en"]
    codes = mapped(city.after, rng)
    frame = framed(city, codes, "forest")
    text = [_intro(resolution, repeats)]
    for wanted in (Wanted(), Wanted(city=0.02, county=0.05)):
        found = repeated(city, frame, wanted, repeats, change=False)
        found["fast"] = fast(city, frame, codes, wanted)
        half = f"± {100 * wanted.city:g} for the city, ± {100 * wanted.county:g} a county"
        lines = table(found, names, ("truth", "n", "covered", "fast", "width", "off"))
        text += [f"## Tree cover, planned for {half}", "", *lines, ""]
        print("\n".join(text[-4 - len(found) :]), flush=True)
    near = framed(city, changed(city, rng), "change", buffer_px=3)
    found = repeated(city, near, Wanted(), repeats, change=True)
    lines = table(found, names, ("truth", "n", "covered", "claimed", "width", "off"))
    text += [
        "## Change from 2019Q4 to 2024Q4, the same points in both, strata of change",
        "",
        *lines,
    ]
    print("\n".join(text[-2 - len(found) :]))
    PAGE.write_text("\n".join(text) + "\n", encoding="utf-8")


def _intro(resolution: float, repeats: int) -> str:
    chance = 196 * np.sqrt(0.95 * 0.05 / repeats)
    return f"""# How often the intervals hold 区间的实际覆盖率

<!-- Written by benchmarks/sampling.py -->

SIMULATED 模拟数据: the twin, whose truth is known. A map with errors is made of it (edges one
pixel off, {_MISSED:.0%} of the trees missed, {_FALSE:.0%} of other land called trees, {_UNSEEN:.0%}
not seen; of true change {_LOST:.0%} missed, {_GHOST:.1%} of the rest imagined), at
{resolution:g} m.
{repeats} times the sample is drawn with another seed and estimated by the product's own
functions; points are read without error. *held*: per cent of the 95 % intervals that hold the truth
(chance alone moves it by ± {chance:.1f}); *held, fast*: the same from {_FAST:,} samples drawn from
counts (`estimation/simulate.py`); *width* of the interval; *mean error* of the estimate;
*claimed*: per cent of the samples that find a change.

Intervals are wider than planned, since this map is worse than the accuracies planned for (0.95 and
0.93); they hold what they promise all the same. Those of a rare change err on the side of doubt:
they allow for one more changed point than was met.

Regenerate: `python -m benchmarks.sampling`.
"""


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser(description=__doc__)
    PARSER.add_argument("--resolution", type=float, default=180.0, help="pixel of the twin, m")
    PARSER.add_argument("--repeats", type=int, default=500)
    GIVEN = PARSER.parse_args()
    main(GIVEN.resolution, GIVEN.repeats)
