"""
What each step of refinement is worth on the twin: tree cover and classes before and after.

Usage: ``python -m benchmarks.refinement [--to FOLDER]`` (about eight minutes on two cores)

Two windows of the twin at 10 m are painted in the same quarter of three years, one of them under
1.6 times the clouds of the climate too, and the product is run on each year. Every pixel that was
seen in the last is compared with what is true there. Then the same probabilities are refined again
under other settings, to choose them by. Twins and runs are kept in FOLDER. Writes the part of
``docs/validation.md`` between its two marks. All data are simulated.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.section import Section
from jinhua_rs import planning, quarter, store
from jinhua_rs.period import Period
from jinhua_rs.planning import Plan
from jinhua_rs.refine import STEPS, Look, forest_after, refine, tree_parts
from jinhua_rs.schema import FOREST_CANOPY
from jinhua_rs.settings import Refine, Settings, load_settings
from jinhua_rs.twin.build import TwinSpec, build
from jinhua_rs.twin.chronicle import Chronicle
from jinhua_rs.twin.survey import middle, states

__all__ = ["Score", "main"]

Codes = npt.NDArray[np.uint8]

YEARS = ("2022Q4", "2023Q4", "2024Q4")
WINDOWS = {
    "middle": (484_550.0, 3_210_820.0, 488_550.0, 3_214_820.0),
    "north": (478_440.0, 3_231_760.0, 483_440.0, 3_236_760.0),
}
"""16 and 25 km², in which much is built, planted and felled."""
CASES = (("middle", 1.0), ("middle", 1.6), ("north", 1.0))
"""Window and cloudiness."""
SECTION = Section("Refinement of the map on the twin", "benchmarks/refinement.py")
_SWEEP: tuple[Mapping[str, Any], ...] = (
    {},
    {"window_m": 0, "history_years": 0},
    *({"smoothness": q, "history_years": 0} for q in (0.2, 0.5, 2, 10)),
    {"history_years": 1},
    *({"line_rate": r} for r in (0.02, 0.05, 0.2, 0.3)),
    *({"change_rate": r} for r in (0.005, 0.05, 0.1, 0.2)),
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
        cells = ("—" if np.isnan(number) else f"{number:.1f}" for number in astuple(self))
        return f"| {name} | {' | '.join(cells)} |"

    @classmethod
    def mean(cls, of: Sequence["Score"]) -> "Score":
        """Average the scores of several cases, each alike."""
        return cls(*map(float, np.mean([astuple(one) for one in of], axis=0)))


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """What is true in the last year, and where its tree cover is another than in the first."""

    classes: Codes
    trees: npt.NDArray[np.bool_]
    moved: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, plan: Plan, chronicle: Chronicle) -> "Truth":
        """Read the twin's ground on the grid of a plan."""
        days = [middle(Period.parse(text)) for text in (YEARS[0], YEARS[-1])]
        first, last = states(chronicle.world, plan.geobox, chronicle.events, days)
        before, after = ((one["canopy"].to_numpy() >= FOREST_CANOPY) for one in (first, last))
        return cls(last["landcover"].to_numpy(), after, before != after)


def settings_of(folder: Path, window: str, cloudiness: float) -> Settings:
    """Build the twin, unless it is there, and return the settings of a run on it."""
    twin = folder / f"{window}-{cloudiness:g}" / "twin"
    spec = TwinSpec(
        periods=YEARS,
        window=WINDOWS[window],
        cloudiness=cloudiness,
        dates_per_period=6,
        buffer_m=300.0,
    )
    build(twin, spec, workers=2)
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
            "model.block_m": 1_000.0,
            "model.screen": "off",
            "alerts.enabled": False,
            "certificate.check": False,
            "run.workers": 1,
            "output.root": twin.with_name("outputs"),
            "report.simulated": True,
            "report.languages": ["zh"],
        },
    ).settings


def run(settings: Settings) -> Plan:
    """Run the product on each of the years; the plan of the last."""
    plans = [planning.make_plan(Period.parse(text), settings) for text in YEARS]
    for plan in plans:
        quarter.run(plan, now=datetime(2026, 1, 1, tzinfo=UTC))
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


def by_step(plan: Plan, truth: Truth) -> dict[str, Score]:
    """Compare the map after each step."""
    steps = joined(plan, "forest", "steps")
    classes = {"raw": joined(plan, "land", "landcover")}
    classes["history"] = joined(plan, "refined", "landcover")
    return {step: Score.of(forest_after(steps, step), truth, classes.get(step)) for step in STEPS}


def swept(plan: Plan, truth: Truth) -> Iterator[Score]:
    """Refine the same probabilities under other settings, before the minimum unit."""
    plans = [planning.make_plan(Period.parse(text), plan.settings) for text in YEARS]
    looks = [look_of(one) for one in plans]
    for other in _SWEEP:
        options = Refine(**other)
        rim = options.rim(10.0)
        heard = [one for one in looks if plan.period.year - one.year <= options.history_years]
        found = refine([_rimmed(one, rim) for one in heard], options, rim)
        yield Score.of(found.forest, truth, found.landcover)


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


_HEAD = """\
| {} | right | false | missed | bias | changed, found | classes right |
| --- | --: | --: | --: | --: | --: | --: |"""
_TEXT = """\
Written by `python -m benchmarks.refinement`. **Simulated data (模拟数据).** Two windows of 16 and
25 km² at 10 m, {first} to {last}, 6 passes a quarter, trained on points of the first year in the
window, scored in the last on every pixel seen. Percent: tree cover *right*; *false* of what is
none, *missed* of what is; *bias* of the mapped share, points; share *found* of the pixels whose
tree cover truly changed since the first year; ten classes right."""


def page(steps: Mapping[str, Mapping[str, Score]], sweep: Mapping[str, Sequence[Score]]) -> str:
    """Lay out the scores after each step of each case, and the mean of all cases by setting."""
    parts = [_TEXT.format(first=YEARS[0], last=YEARS[-1])]
    if missing := CASES[len(steps) :]:
        named = "; ".join(f"{window}, clouds × {cloudiness:g}" for window, cloudiness in missing)
        parts.append(f"**Not measured yet**: {named}.")
    parts += [
        "\n".join([_HEAD.format(case), *(score.row(step) for step, score in found.items())])
        for case, found in steps.items()
    ]
    rows = [
        Score.mean(scores).row(", ".join(f"`{k}` {v:g}" for k, v in other.items()) or "default")
        for other, scores in zip(_SWEEP, zip(*sweep.values(), strict=True), strict=True)
    ]
    parts.append("Other settings, mean of all cases, before the minimum unit of 1 亩:")
    parts.append("\n".join([_HEAD.format("setting"), *rows]))
    return "\n\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=Path("outputs/refinement"))
    folder = parser.parse_args(arguments).to.resolve()
    chronicle, steps, sweep = Chronicle.of(TwinSpec().seed), {}, {}
    for window, cloudiness in CASES:
        plan = run(settings_of(folder, window, cloudiness))
        truth = Truth.of(plan, chronicle)
        changed = 100 * truth.moved.mean()
        case = f"{window}, clouds × {cloudiness:g}, {changed:.1f} % changed"
        steps[case], sweep[case] = by_step(plan, truth), list(swept(plan, truth))
        SECTION.write(page(steps, sweep))


if __name__ == "__main__":
    main()
