"""
How right are the land-cover map, the canopy and the coverage? Scored against all of the twin.

Usage: ``python -m benchmarks.twin_accuracy [--to FOLDER]`` (about ten minutes on two cores)

The fourth quarter of 2024 goes through the ordinary recipe: a window at 10 m, trained on points in
every other block of 1 km and scored in the blocks between, 100 m off their edges; and the whole
city at 200 m, trained on points strewn over it. Each under the clouds of the climate and under
1.6 times as many. Every pixel that was seen is compared with what
is true there. Twins and runs are kept in FOLDER. Writes the part of ``docs/validation.md`` between
its two marks. All data are simulated; nothing follows for Jinhua.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import rasterio
from odc.geo.geobox import GeoBox

from benchmarks.section import Section
from jinhua_rs import planning, quarter
from jinhua_rs.period import Period
from jinhua_rs.regions import load_units, outline
from jinhua_rs.schema import FOREST_CANOPY, LAND_CLASSES, Land
from jinhua_rs.settings import Area, Settings, load_settings
from jinhua_rs.sites.measures import Agreement, Fit, agreement, fit
from jinhua_rs.twin.build import TwinSpec, build
from jinhua_rs.twin.chronicle import Chronicle
from jinhua_rs.twin.lattice import ground
from jinhua_rs.twin.survey import PIECE_PX, inside, middle, states

SECTION = Section("Forest map and coverage on the twin", "benchmarks/twin_accuracy.py")
PERIOD = "2024Q4"
CLOUDINESS = (1.0, 1.6)
BLOCK_M, RIM_M = 1_000.0, 100.0
SPECS = {
    "window": TwinSpec(
        window=(445_000.0, 3_195_000.0, 451_000.0, 3_201_000.0), periods=(PERIOD,),
        dates_per_period=24, samples_per_class=800, buffer_m=300.0,
    ),
    "city": TwinSpec(
        resolution=200.0, periods=(PERIOD,), dates_per_period=24, reference_points=233
    ),
}  # fmt: skip
WANTED = {"classes": 88.0, "forest": 94.0, "f1": 85.0}
"""Least percent of ten classes right, of tree cover right, and F1 of bamboo and of shrub, tea."""

Codes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Case = tuple[str, float]
"""Name of the spec, and cloudiness."""


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """What is true on a grid, dims (y, x): class, canopy (0-1), and whether of one class only."""

    classes: Codes
    canopy: Floats
    pure: Flags

    @classmethod
    def of(cls, chronicle: Chronicle, geobox: GeoBox, scored: Flags) -> "Truth":
        """Read the ground of the twin in the middle of the period, where it is to be scored."""
        day = middle(Period.parse(PERIOD))
        found = cls(
            np.zeros(geobox.shape, "uint8"),
            np.full(geobox.shape, np.nan, "float32"),
            np.zeros(geobox.shape, "bool"),
        )
        height, width = geobox.shape
        for top, left in product(range(0, height, PIECE_PX), range(0, width, PIECE_PX)):
            at = (
                slice(top, min(top + PIECE_PX, height)),
                slice(left, min(left + PIECE_PX, width)),
            )
            if scored[at].any():
                (state,) = states(chronicle.world, geobox[at], chronicle.events, [day])
                found.classes[at] = state["landcover"].to_numpy()
                found.canopy[at] = state["canopy"].to_numpy()
                found.pure[at] = state["purity"].to_numpy() > 0.99
        return found


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """
    A map against the truth, over the pixels seen.

    ``table`` and ``pure``: pixels by mapped class (row) and true class (column), all, and those
    that truly hold one class only. ``seen`` is the share of the ground, 0-1.
    """

    table: Counts
    pure: Counts
    forest: Agreement
    canopy: Fit
    seen: float


def crossed(mapped: Codes, true: Codes) -> Counts:
    """Count pixels by mapped class (row) and true class (column); 0 = not seen is left out."""
    n = max(Land)
    seen = (mapped > 0) & (true > 0)
    pairs = (mapped[seen].astype(np.int64) - 1) * n + true[seen] - 1
    return np.bincount(pairs, minlength=n * n).reshape(n, n)


def right(table: Counts) -> float:
    """Percent of the pixels on the diagonal; NaN if there are none."""
    return float(100 * np.trace(table) / table.sum()) if table.sum() else np.nan


def by_class(table: Counts) -> pd.DataFrame:
    """User's and producer's accuracy and F1 of each class, percent; NaN where it has no pixel."""
    hits, mapped, true = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    with np.errstate(invalid="ignore"):
        scores = {
            "users": hits / mapped,
            "producers": hits / true,
            "f1": 2 * hits / (mapped + true),
        }
    return pd.DataFrame(scores, index=range(1, len(table) + 1)) * 100


def confusions(table: Counts, most: int = 3) -> list[tuple[int, int, float]]:
    """List the commonest errors: true class, mapped class, percent of all pixels."""
    wrong = np.where(np.eye(len(table), dtype=bool), 0, table)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    rows, columns = np.unravel_index(order, wrong.shape)
    return [
        (int(c) + 1, int(r) + 1, float(100 * wrong[r, c] / table.sum()))
        for r, c in zip(rows, columns, strict=True)
        if wrong[r, c]
    ]


def compare(maps: Mapping[str, npt.NDArray[Any]], truth: Truth, scored: Flags) -> Found:
    """Hold published maps against the truth where it is to be ``scored``."""
    land = np.where(scored, maps["landcover"], 0)
    trees = np.where(scored & (maps["forest"] > 0), maps["forest"] == 2, np.nan)
    return Found(
        crossed(land, truth.classes),
        crossed(np.where(truth.pure, land, 0), truth.classes),
        agreement(trees, truth.canopy, FOREST_CANOPY),
        fit(np.where(scored, maps["canopy"], np.nan), truth.canopy),
        float((land > 0).sum() / scored.sum()),
    )


def held_out(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], rim_m: float = 0.0) -> Flags:
    """Tell what lies in every other block of 1 km, as on a chessboard, ``rim_m`` off its edge."""
    off = [at % BLOCK_M for at in (x, y)]
    inner = [(at >= rim_m) & (at < BLOCK_M - rim_m) for at in off]
    return ((x // BLOCK_M + y // BLOCK_M) % 2 == 1) & inner[0] & inner[1]


def coverage(indicators: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """
    Lay the published coverage of each unit beside the true one.

    Returns
    -------
    DataFrame, index unit
        ``value``, ``low``, ``high`` (percent, of the sample), ``mapped`` (pixel count),
        ``true``, ``holds`` (bool; none where nothing was published).
    """
    rows = indicators.set_index(["indicator", "unit"])
    found = rows.loc["tree_cover_share", ["value", "low", "high"]].copy()
    found["mapped"] = rows.loc["tree_cover_share_mapped", "value"]
    true = truth[(truth["indicator"] == "tree_cover_share") & (truth["period"] == PERIOD)]
    found["true"] = true.set_index("unit")["value"]
    found["holds"] = found["true"].between(found["low"], found["high"])
    return found


# --- the runs ------------------------------------------------------------------------------------


def settings_of(spec: TwinSpec, twin: Path, folder: Path) -> Settings:
    """Give the settings of a run on a twin: defaults, but for where things are."""
    given: dict[str, Any] = {
        "area.resolution": spec.resolution, "area.tile_size": 512,
        "stac.profile": "local", "stac.url": str(twin),
        "mask.dem": twin / "layers" / "dem.tif", "model.samples": twin / "samples.gpkg",
        "reference.file": twin / "reference.gpkg", "alerts.enabled": False,
        "output.root": folder, "report.simulated": True, "report.languages": ["zh"],
    }  # fmt: skip
    if spec.window is not None:
        given |= {
            "area.units": twin / "layers" / "units.gpkg", "model.block_m": BLOCK_M,
            "model.samples": _training(twin, folder / "samples.gpkg"),
        }  # fmt: skip
    return load_settings(None, environment={}, overrides=given).settings


def _training(twin: Path, path: Path) -> Path:
    """Keep the training points of a twin that do not lie in held-out blocks."""
    if not path.is_file():
        points = gpd.read_file(twin / "samples.gpkg")
        out = held_out(points.geometry.x.to_numpy(), points.geometry.y.to_numpy())
        path.parent.mkdir(parents=True, exist_ok=True)
        points[~out].to_file(path)
    return path


def published(spec: TwinSpec, twin: Path, folder: Path) -> Path:
    """Build a twin and run the period on it, as far as that is not done yet."""
    build(twin, spec, workers=2)
    plan = planning.make_plan(Period.parse(PERIOD), settings_of(spec, twin, folder))
    quarter.run(plan, now=datetime(2026, 1, 1, tzinfo=UTC))
    return plan.folder / planning.PUBLISHED


def maps_of(folder: Path) -> tuple[dict[str, npt.NDArray[Any]], GeoBox]:
    """Read the maps that are scored, and their grid."""
    found = {}
    for name in ("landcover", "forest", "canopy"):
        with rasterio.open(folder / f"{name}.tif") as raster:
            found[name] = raster.read(1)
            geobox = GeoBox(raster.shape, raster.transform, str(raster.crs))
    return found, geobox


def measure(folder: Path) -> Iterator[tuple[dict[Case, Found], dict[float, pd.DataFrame]]]:
    """Run all, and tell after each what was found of the maps and of the city's coverage so far."""
    chronicle = Chronicle.of(TwinSpec().seed)
    found: dict[Case, Found] = {}
    covered: dict[float, pd.DataFrame] = {}
    for name, spec in SPECS.items():
        truth = None
        for cloudiness in CLOUDINESS:
            own = folder / f"{name}-{cloudiness:g}"
            twin = own / "twin"
            made = published(replace(spec, cloudiness=cloudiness), twin, own / "outputs")
            maps, geobox = maps_of(made)
            scored = _scored(spec, geobox)
            truth = truth or Truth.of(chronicle, geobox, scored)
            found[name, cloudiness] = compare(maps, truth, scored)
            if spec.window is None:
                tables = (made / "indicators.csv", twin / "truth" / "truth.csv")
                read = (pd.read_csv(path, dtype={"unit": str}) for path in tables)
                covered[cloudiness] = coverage(*read)
            yield found, covered


def _scored(spec: TwinSpec, geobox: GeoBox) -> Flags:
    """Tell which pixels are scored: those in the city, or in held-out blocks of the window."""
    if spec.window is None:
        return inside(geobox, outline(load_units(Area())))
    x, y = np.broadcast_arrays(*ground(geobox))
    left, bottom, right, top = spec.window
    return held_out(x, y, RIM_M) & (x > left) & (x < right) & (y > bottom) & (y < top)


# --- the page ------------------------------------------------------------------------------------

_HEAD = """\
Written by `python -m benchmarks.twin_accuracy`. **Simulated data (模拟数据): no accuracy over
Jinhua follows.** {period} by the ordinary recipe with its defaults (no companion), {passes}
of its 37 passes, under the clouds of the climate (× 1) and 1.6 times as many. *Window*:
{side:.0f} km at 10 m, trained on points in every other block of {block:.0f} m, compared in the
blocks between, {rim:.0f} m off their edges. *City*: {city:.0f} m, trained on {points} points of
each class strewn over it. All pixels seen are compared, so there is no sampling error. What is true
of a pixel is the class of most of 2 x 2 points in it, and their mean canopy; *mixed* is a pixel
whose points are of more than one class."""


def page(found: Mapping[Case, Found], covered: Mapping[float, pd.DataFrame]) -> str:
    """Lay out what was found, as Markdown."""
    city, (left, _, right_, _) = SPECS["city"], SPECS["window"].window or (0, 0, 0, 0)
    head = _HEAD.format(
        period=PERIOD, passes=city.dates_per_period, side=(right_ - left) / 1_000, block=BLOCK_M,
        rim=RIM_M, city=city.resolution, points=city.samples_per_class,
    )  # fmt: skip
    parts = [head, *_missing(found), _told(found), _summary(found), _judged(found)]
    parts += [
        *_reasons(found),
        _classes(found),
        _errors(found),
        *([_intervals(covered)] if covered else []),
    ]
    return "\n\n".join(parts) + "\n"


def _missing(found: Mapping[Case, Found]) -> list[str]:
    """Name the cases that the command has not come to, if it was stopped."""
    missing = [_case(*key) for key in product(SPECS, CLOUDINESS) if key not in found]
    return [f"**Not measured yet**: {'; '.join(missing)}."] if missing else []


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _case(name: str, cloudiness: float) -> str:
    return f"{name}, × {cloudiness:g}"


def _summary(found: Mapping[Case, Found]) -> str:
    cases = [*found.values()]
    f1 = [by_class(one.table)["f1"] for one in cases]
    mixed = [100 - 100 * one.pure.sum() / one.table.sum() for one in cases]
    mixtures = [right(one.table - one.pure) for one in cases]
    rows = {
        "ground seen %": [100 * one.seen for one in cases],
        "ten classes right %": [right(one.table) for one in cases],
        "of pixels of one class %": [right(one.pure) for one in cases],
        "of mixed pixels %": mixtures,
        "share of mixed pixels %": mixed,
        "F1 of bamboo %": [one[Land.BAMBOO] for one in f1],
        "F1 of shrub, tea, oil-camellia %": [one[Land.SHRUB] for one in f1],
        "forest or not (canopy ≥ 0.20) right %": [100 * one.forest.overall for one in cases],
        "user's, producer's of forest %": [
            f"{100 * one.forest.users:.1f}, {100 * one.forest.producers:.1f}" for one in cases
        ],
        "share of forest, mapped less true, points": [
            f"{100 * (one.forest.map_share - one.forest.truth_share):+.1f}" for one in cases
        ],
        "canopy RMSE": [f"{one.canopy.rmse:.3f}" for one in cases],
        "canopy bias": [f"{one.canopy.bias:+.3f}" for one in cases],
    }
    return _table(
        ["", *(_case(*key) for key in found)],
        [
            [name, *(one if isinstance(one, str) else f"{one:.1f}" for one in row)]
            for name, row in rows.items()
        ],
    )


def _told(found: Mapping[Case, Found]) -> str:
    cases = "；".join(
        f"{name}、云量 × {cloudiness:g}：十类 {right(one.table):.1f}%，"
        f"林/非林 {100 * one.forest.overall:.1f}%，林冠 RMSE {one.canopy.rmse:.3f}"
        for (name, cloudiness), one in found.items()
    )
    return f"**摘要（模拟数据）** 全部已观测像元与真值逐一比较。{cases}。以上不是金华的精度。"


def _judged(found: Mapping[Case, Found]) -> str:
    """Say of each bar whether it is met, in every case."""
    bars = {
        "ten classes right": ("classes", lambda one: right(one.table)),
        "forest or not right": ("forest", lambda one: 100 * one.forest.overall),
        "F1 of bamboo": ("f1", lambda one: by_class(one.table)["f1"][Land.BAMBOO]),
        "F1 of shrub, tea, oil-camellia": (
            "f1", lambda one: by_class(one.table)["f1"][Land.SHRUB]
        ),
    }  # fmt: skip
    rows = [
        [f"{name}: at least {WANTED[bar]:g} %"]
        + ["met" if of(one) >= WANTED[bar] else "**not met**" for one in found.values()]
        for name, (bar, of) in bars.items()
    ]
    return _table(["wanted", *(_case(*key) for key in found)], rows)


def _reasons(found: Mapping[Case, Found]) -> list[str]:
    """Say where the ten classes fall short what mixed pixels have to do with it."""
    lines = [
        f"{_case(*key)} falls short in the ten classes: "
        f"{100 - 100 * one.pure.sum() / one.table.sum():.0f} % of its pixels are mixed, of which "
        f"{right(one.table - one.pure):.0f} % are right; of the others {right(one.pure):.0f} %."
        for key, one in found.items()
        if right(one.table) < WANTED["classes"]
    ]
    return [" ".join(lines)] if lines else []


def _classes(found: Mapping[Case, Found]) -> str:
    scores = [by_class(one.table) for one in found.values()]
    rows = [
        [info.name]
        + [f"{one['users'][info.code]:.0f}, {one['producers'][info.code]:.0f}" for one in scores]
        for info in LAND_CLASSES
    ]
    head = ["user's, producer's accuracy %", *(_case(*key) for key in found)]
    return _table(head, rows).replace("nan", "—")


def _errors(found: Mapping[Case, Found]) -> str:
    names = {info.code: info.name for info in LAND_CLASSES}
    lines = []
    for key, one in found.items():
        worst = [f"{names[a]} as {names[b]} {share:.1f}" for a, b, share in confusions(one.table)]
        lines.append(f"* {_case(*key)}: {'; '.join(worst)}")
    return "\n".join(["Commonest errors, true class as mapped, % of all pixels:", "", *lines])


def _intervals(covered: Mapping[float, pd.DataFrame]) -> str:
    """Say how far the coverage of the city and each county is off, and if its interval holds."""
    units = load_units(Area())
    head, rows = ["coverage %", "true"], {}
    for cloudiness, table in covered.items():
        head += [f"× {cloudiness:g}: estimate", "95 % interval", "off", "holds", "pixel count off"]
        for code, row in table.iterrows():
            cells = rows.setdefault(code, [units["name_zh"][code], f"{row['true']:.1f}"])
            if np.isnan(row["low"]):
                cells += ["—"] * 5
                continue
            cells += [
                f"{row['value']:.1f}", f"{row['low']:.1f} - {row['high']:.1f}",
                f"{row['value'] - row['true']:+.1f}", "yes" if row["holds"] else "no",
                f"{row['mapped'] - row['true']:+.1f}",
            ]  # fmt: skip
    held = sum(int(table["holds"].sum()) for table in covered.values())
    told = sum(int(table["low"].notna().sum()) for table in covered.values())
    points = SPECS["city"].reference_points
    note = (
        f"{held} of {told} intervals hold the truth. They come of {points} points of each county, "
        "read without error, the same under all clouds. How often intervals hold over many draws: "
        "[sampling.md](sampling.md). *Pixel count* is the uncorrected map."
    )
    return f"{_table(head, [*rows.values()])}\n\n{note}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the page."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--to", type=Path, default=Path("outputs/twin-accuracy"))
    for found, covered in measure(given.parse_args(arguments).to.resolve()):
        SECTION.write(page(found, covered))


if __name__ == "__main__":
    main()
