"""The register as files: one JSON line a patch, the lineage as a table; equal in, equal bytes."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

import shapely

from jinhua_rs.errors import IntegrityError
from jinhua_rs.patches.nouns import Facts, Link, Patch, Register, Sighting

__all__ = ["LINEAGE", "PATCHES", "read_register", "write_register"]

PATCHES, LINEAGE = "register.jsonl", "lineage.csv"
_COLUMNS = ("period", "parent", "child", "relation")


def write_register(folder: Path, register: Register) -> None:
    """Write ``register.jsonl`` and ``lineage.csv`` into a folder that is being made."""
    head = {"period": register.period, "patches": len(register.patches)}
    lines = [_json(head), *(_json(_record(patch)) for patch in register.patches)]
    (folder / PATCHES).write_text("\n".join(lines) + "\n", encoding="utf-8")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((one.period, one.parent, one.child, one.relation) for one in register.lineage)
    (folder / LINEAGE).write_text(table.getvalue(), encoding="utf-8")


def read_register(folder: Path) -> Register:
    """
    Read what :func:`write_register` wrote.

    Raises
    ------
    IntegrityError
        If a file is missing, or is not what was written.
    """
    try:
        text = (folder / PATCHES).read_text(encoding="utf-8")
        head, *lines = text.removesuffix("\n").split("\n")
        told = json.loads(head)
        promised = range(told["patches"])
        patches = tuple(_patch(json.loads(one)) for one, _ in zip(lines, promised, strict=True))
        table = csv.DictReader((folder / LINEAGE).read_text(encoding="utf-8").splitlines())
        lineage = tuple(Link(*(row[name] for name in _COLUMNS)) for row in table)
        return Register(told["period"], patches, lineage)
    except (OSError, ValueError, KeyError, TypeError, shapely.errors.ShapelyError) as error:
        raise IntegrityError(
            f"the register in {folder} is missing or damaged ({error}); follow the period up again",
            zh=f"{folder} 中的图斑台账缺失或已损坏；请重新执行该时段的 followup",
        ) from error


def _record(patch: Patch) -> dict[str, object]:
    record = {name: getattr(patch, name) for name in ("id", "kind", "version", "merged_into")}
    return record | {
        "withdrawn": patch.withdrawn,
        "outline": shapely.to_wkt(patch.outline, rounding_precision=3),
        "facts": asdict(patch.facts),
        "sightings": [asdict(one) for one in patch.sightings],
    }


def _patch(record: dict[str, object]) -> Patch:
    facts, sightings = record.pop("facts"), record.pop("sightings")
    outline = shapely.from_wkt(record.pop("outline"))
    if not isinstance(facts, dict) or not isinstance(sightings, list):
        raise TypeError("facts or sightings are of another kind")
    seen = tuple(Sighting(**one) for one in sightings)
    return Patch(outline=outline, facts=Facts(**facts), sightings=seen, **record)  # type: ignore[arg-type]


def _json(record: dict[str, object]) -> str:
    return json.dumps(record, ensure_ascii=False, sort_keys=True, allow_nan=False)
