"""
What each step of refinement is worth on the twin: tree cover and classes before and after.

Usage: ``python -m benchmarks.refinement FOLDER [--cloudiness 1.0 1.6] [--sweep]``

A window of the twin at 10 m is painted in the same quarter of three years, and the product is run
on each. Every pixel that was seen in the last is compared with what is true there. ``--sweep``
refines the same probabilities again under other settings, to choose them by. The twin is kept in
FOLDER for the next time.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jinhua_rs import planning, quarter, store
from jinhua_rs.period import Period
from jinhua_rs.planning import Plan
from jinhua_rs.refine import STEPS, Look, forest_after, refine, tree_parts
from jinhua_rs.regions import load_units
from jinhua_rs.schema import FOREST_CANOPY
from jinhua_rs.settings import Area, Refine, Settings, load_settings
from jinhua_rs.twin.build import TwinSpec, build
from jinhua_rs.twin.events import draw
from jinhua_rs.twin.survey import middle, states
from jinhua_rs.twin.world import World

__all__ = ["Score", "main"]

Codes = npt.NDArray[np.uint8]

YEARS = ("2022Q4", "2023Q4", "2024Q4")
WINDOW = (474_000.0, 3_180_000.0, 480_000.0, 3_186_000.0)
"""36 km² in the south of which 3 % change in these years: building, planting, felling."""
_SWEEP: tuple[Mapping[str, Any], ...] = (
    {"window_m": 0, "history_years": 0},
    *({"window_m": 30, "smoothness": q, "history_years": 0} for q in (0.5, 2, 10)),
    *({"smoothness": q, "history_years": 0} for q in (0.2, 0.5, 1, 2, 5, 10, 20)),
    *({"smoothness": q, "neigh_fraction": 1.0, "history_years": 0} for q in (0.5, 2, 10)),
    *({"window_m": 0, "change_rate": r} for r in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)),
    {},
)


@dataclass(frozen=True, slots=True)
class Score:
    """
    A map against the truth, over the pixels seen, in percent.

    ``right`` pixels of tree cover; ``false`` forest among what is none, ``missed`` among what is;
    ``bias`` of the mapped share of tree cover, points; ``turned``: share found of the pixels that
    truly changed since the first year; ``classes`` right among the ten, NaN where not measured.
    """

    right: float
    false: float
    missed: float
    bias: float
    turned: float
    classes: float

    @classmethod
    def of(cls, forest: Codes, truth: "Truth", classes: Codes | None = None) -> "Score":
        """Compare a tree-cover map, and the land cover if it is given."""
        seen = forest > 0
        found, true, moved = forest[seen] == 2, truth.trees[seen], truth.moved[seen]
        named = np.nan if classes is None else 100 * np.mean(classes[seen] == truth.classes[seen])
        return cls(
            100 * np.mean(found == true),
            100 * np.mean(found[~true]),
            100 * np.mean(~found[true]),
            100 * (found.mean() - true.mean()),
            100 * np.mean(found[moved] == true[moved]),
            float(named),
        )

    def row(self, name: str) -> str:
        """Print as a row of a table."""
        numbers = (self.right, self.false, self.missed, self.bias, self.turned, self.classes)
        return f"| {name} | " + " | ".join(f"{number:.2f}" for number in numbers) + " |"


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """What is true in the last year, and where its tree cover is another than in the first."""

    classes: Codes
    trees: npt.NDArray[np.bool_]
    moved: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, plan: Plan) -> "Truth":
        """Read the twin's ground on the grid of a plan."""
        world = World.build(20200101, load_units(Area()))
        days = [middle(Period.parse(text)) for text in (YEARS[0], YEARS[-1])]
        first, last = states(world, plan.geobox, draw(world, world.seed), days)
        before, after = ((one["canopy"].to_numpy() >= FOREST_CANOPY) for one in (first, last))
        return cls(last["landcover"].to_numpy(), after, before != after)


def settings_of(folder: Path, cloudiness: float) -> Settings:
    """Build the twin, unless it is there, and return the settings of a run on it."""
    twin = folder / f"twin-{cloudiness:g}"
    spec = TwinSpec(
        periods=YEARS, window=WINDOW, cloudiness=cloudiness, dates_per_period=8, buffer_m=300.0
    )
    build(twin, spec, workers=2, progress=lambda *_: None)
    return load_settings(
        environment={},
        overrides={
            "area.units": twin / "layers" / "units.gpkg",
            "area.tile_size": 512,
            "stac.profile": "local",
            "stac.url": str(twin),
            "mask.dem": twin / "layers" / "dem.tif",
            "model.samples": twin / "samples.gpkg",
            "model.period": YEARS[0],
            "output.root": folder / f"out-{cloudiness:g}",
            "report.simulated": True,
        },
    ).settings


def run(settings: Settings) -> Plan:
    """Run the product on each of the years; the plan of the last."""
    plans = [planning.make_plan(Period.parse(text), settings) for text in YEARS]
    for plan in plans:
        quarter.run(plan, now=datetime.now(UTC))
    return plans[-1]


def joined(plan: Plan, product: str, name: str) -> npt.NDArray[Any]:
    """Lay the tiles of a product on the grid of the plan."""
    geobox = plan.geobox
    whole = np.zeros(geobox.shape, np.float32 if name == "canopy" else np.uint8)
    for tile in plan.tiles:
        layer = store.open_tile(plan.folder / "tiles" / product / f"{tile.id}.zarr")[name]
        row = round((geobox.boundingbox.top - float(layer.y[0])) / 10 - 0.5)
        column = round((float(layer.x[0]) - geobox.boundingbox.left) / 10 - 0.5)
        rows = slice(max(0, row), min(whole.shape[0], row + layer.sizes["y"]))
        columns = slice(max(0, column), min(whole.shape[1], column + layer.sizes["x"]))
        part = layer.to_numpy()[
            rows.start - row : rows.stop - row, columns.start - column : columns.stop - column
        ]
        whole[rows, columns] = part
    return whole


def by_step(plan: Plan, truth: Truth) -> Iterator[str]:
    """Compare the map after each step."""
    steps = joined(plan, "forest", "steps")
    classes = {"raw": joined(plan, "land", "landcover")}
    classes["history"] = joined(plan, "refined", "landcover")
    for step in STEPS:
        yield Score.of(forest_after(steps, step), truth, classes.get(step)).row(step)


def swept(plan: Plan, truth: Truth) -> Iterator[str]:
    """Refine the same probabilities under other settings, before the minimum unit."""
    plans = [planning.make_plan(Period.parse(text), plan.settings) for text in YEARS]
    looks = [look_of(one) for one in plans]
    for other in _SWEEP:
        options = Refine(**other)
        rim = options.rim(10.0)
        heard = [one for one in looks if plan.period.year - one.year <= options.history_years]
        found = refine([_rimmed(one, rim) for one in heard], options, rim)
        yield Score.of(found.forest, truth, found.landcover).row(str(dict(other)))


def look_of(plan: Plan) -> Look:
    """Lay the probabilities of a period on the grid of the plan."""
    tile = plan.folder / "tiles" / "land" / f"{plan.tiles[0].id}.zarr"
    slope = float(store.read_facts(tile)["canopy_slope"])
    forest = joined(plan, "land", "forest")
    canopy = joined(plan, "land", "canopy")
    classes = np.stack([joined(plan, "land", f"p{kind}") for kind in range(1, 11)])
    classes[:, forest == 0] = 255
    return Look(plan.period.year, tree_parts(forest, canopy, slope), classes.astype(np.uint8))


def _rimmed(look: Look, rim: int) -> Look:
    """Put a rim of ground not seen around a look."""
    trees = np.pad(look.trees, rim, constant_values=255)
    if look.classes is None:
        return Look(look.year, trees, None)
    around = ((0, 0), (rim, rim), (rim, rim))
    return Look(look.year, trees, np.pad(look.classes, around, constant_values=255))


_HEAD = """| step | right | false | missed | bias | changed, found | classes right |
| --- | --- | --- | --- | --- | --- | --- |"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cloudiness", type=float, nargs="+", default=[1.0, 1.6])
    parser.add_argument("--sweep", action="store_true")
    asked = parser.parse_args(arguments)
    for cloudiness in asked.cloudiness:
        plan = run(settings_of(asked.folder, cloudiness))
        truth = Truth.of(plan)
        print(f"\ncloudiness {cloudiness:g}, changed {100 * truth.moved.mean():.2f} %\n\n{_HEAD}")
        for row in (swept if asked.sweep else by_step)(plan, truth):
            print(row, flush=True)


if __name__ == "__main__":
    main()
