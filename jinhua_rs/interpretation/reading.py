"""Reading a package back: to the reference sample, or to what is still to be settled."""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from jinhua_rs import store
from jinhua_rs.estimation.agreement import FLOOR, Agreement
from jinhua_rs.estimation.design import Design
from jinhua_rs.interpretation.answers import read_answers
from jinhua_rs.interpretation.forms import write_form
from jinhua_rs.interpretation.keeping import require_new, strata_table
from jinhua_rs.interpretation.layers import write_layers
from jinhua_rs.interpretation.package import Manifest, handout
from jinhua_rs.interpretation.reference import reference_points, strata_by_unit, write_reference
from jinhua_rs.interpretation.settling import Settled, by_role, estimates, settle
from jinhua_rs.schema import FOREST_CANOPY, Forest

__all__ = ["Reading", "read_package"]


@dataclass(frozen=True)
class Reading:
    """
    What a package came to.

    ``reference`` is the sample's file, None while points are unsettled; ``table`` the estimates of
    :func:`~jinhua_rs.interpretation.settling.estimates`.
    """

    settled: Settled
    table: pd.DataFrame
    reference: Path | None


def read_package(
    folder: Path,
    design: Design,
    manifest: Manifest,
    forms: Sequence[Path],
    *,
    accepted: str,
    now: datetime,
) -> Reading:
    """
    Read forms, and write what they came to into a new folder, whole or not at all.

    The folder holds ``forms`` as they were given, ``agreement.json``, ``disagreements.csv`` and
    ``estimates.csv``; ``accuracy.csv`` and ``strata.csv`` for ``jinhua-rs estimate`` where the
    design's own map was judged; and ``reference.gpkg``, or, where points are unsettled,
    ``form-3.xlsx`` and ``points-3.gpkg`` for a third interpreter.

    Parameters
    ----------
    folder : Path
    design : Design
        The package's own, or one that grew from it, whose sizes then hold.
    manifest : Manifest
    forms : sequence of Path
        The first two forms, and the third if there is one.
    accepted : str
        Why readings are accepted although too little is agreed, or points are unsettled, which are
        then left out; empty: they are not.
    now : datetime
        Printed in the third form.

    Raises
    ------
    ConfigError
        On a form that is not of this package, or not whole and sound; if the folder exists.
    IntegrityError
        If κ is too low and nothing was accepted.
    """
    require_new(folder)
    answers = by_role([read_answers(path, manifest) for path in forms], manifest)
    settled = settle(answers)
    if not accepted:
        settled.require_agreement()
    table = estimates(settled, design)
    whole = not settled.unsettled or bool(accepted)
    with store.whole(folder) as part:
        (part / "forms").mkdir(parents=True)
        for role, one in answers.items():
            shutil.copyfile(one.path, part / "forms" / f"form-{role}{one.path.suffix.lower()}")
        store.write_json(part / "agreement.json", _agreed(settled, manifest, accepted))
        settled.open.to_csv(part / "disagreements.csv", index=False, encoding="utf-8-sig")
        labelled = table.assign(label=manifest.label) if manifest.label else table
        labelled.to_csv(part / "estimates.csv", index=False, encoding="utf-8-sig")
        judged = _by_map(settled, design)
        if not judged.empty:
            judged.to_csv(part / "accuracy.csv", index=False, encoding="utf-8-sig")
            strata_table(design).to_csv(part / "strata.csv", index=False, encoding="utf-8-sig")
        if whole:
            points = reference_points(settled.readings, design)
            write_reference(part / "reference.gpkg", points, strata_by_unit(design))
        else:
            _third(part, design, manifest, settled, now)
        store.write_sums(part, [path for path in part.rglob("*") if path.is_file()])
    return Reading(settled, table, folder / "reference.gpkg" if whole else None)


def _third(
    folder: Path, design: Design, manifest: Manifest, settled: Settled, now: datetime
) -> None:
    """Write the form of the third interpreter: the points that are open, nothing else."""
    one = handout(design, manifest, settled.unsettled, "3", "", now)
    write_form(folder / "form-3.xlsx", one)
    write_layers(folder / "points-3.gpkg", one)


def _by_map(settled: Settled, design: Design) -> pd.DataFrame:
    """
    Set what was judged beside the map the sample was drawn from.

    Columns ``stratum``, ``map``, ``reference`` (:class:`~jinhua_rs.schema.Forest`), a row a judged
    point; none for a design of change, or where its period was not judged.
    """
    found = settled.readings
    chosen = found[(found["period"] == design.facts.period) & found["canopy"].notna()]
    stratum = chosen["point"].map(design.points.set_index("point")["stratum"])
    trees = (chosen["canopy"] >= FOREST_CANOPY).map({True: Forest.FOREST, False: Forest.OTHER})
    table = pd.DataFrame(
        {
            "stratum": stratum,
            "map": stratum.map(design.strata["class"]),
            "reference": trees.astype("int64"),
        }
    )
    return table if design.facts.map == "forest" else table.iloc[:0]


def _agreed(settled: Settled, manifest: Manifest, accepted: str) -> dict[str, object]:
    return {
        "package": manifest.id,
        "design": manifest.design,
        "label": manifest.label,
        "kappa_floor": FLOOR,
        "accepted": accepted,
        "unsettled": settled.unsettled,
        "tree_cover": {period: _facts(one) for period, one in settled.trees.items()},
        "classes": {period: _facts(one) for period, one in settled.classes.items()},
    }


def _facts(found: Agreement) -> dict[str, object]:
    numbers = {"share": found.share, "kappa": found.kappa, "low": found.low, "high": found.high}
    told = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    matrix = found.matrix.rename_axis(index="first", columns="second")
    counts = {str(name): row.astype(int).to_dict() for name, row in matrix.iterrows()}
    return {"n": found.n} | told | {"matrix_first_by_second": counts}
