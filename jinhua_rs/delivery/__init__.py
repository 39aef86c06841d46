"""Patches handed over to those who look at the ground, and their answers taken back."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jinhua_rs import store
from jinhua_rs.delivery.answers import Answer, Judged, judge, read_answers, write_refused
from jinhua_rs.delivery.fields import FIELDS, Field, Handover, Row, rows, table
from jinhua_rs.delivery.files import write_filegdb, write_kml, write_shapefile
from jinhua_rs.delivery.geopackage import LAYER, write_geopackage
from jinhua_rs.delivery.workbook import write_workbook

__all__ = [
    "FIELDS",
    "FORMATS",
    "LAYER",
    "Answer",
    "Field",
    "Handover",
    "Judged",
    "Row",
    "hand_over",
    "judge",
    "read_answers",
    "rows",
    "write_refused",
]

FORMATS: Mapping[str, str] = {
    "gpkg": ".gpkg",
    "shp": "_shp",
    "gdb": ".gdb",
    "xlsx": ".xlsx",
    "kml": ".kml",
}
"""What may be asked for, and how the name of the file or folder ends."""


def hand_over(given: Handover, folder: Path, name: str, formats: Sequence[str]) -> list[Path]:
    """
    Write patches in the formats asked for, each whole or not at all.

    Parameters
    ----------
    given : Handover
    folder : Path
        Made if it is not there; files of the same name are replaced.
    name : str
        Stem of the files, ASCII.
    formats : sequence of str
        Of ``FORMATS``.

    Returns
    -------
    list of Path
        The file or folder of each format, in order.

    Raises
    ------
    ConfigError
        If the folder cannot be written to.
    """
    short = table(given, {field.key: field.key for field in FIELDS})
    long = table(given, {field.key: field.zh for field in FIELDS})
    writers: dict[str, Callable[[Path], None]] = {
        "gpkg": lambda part: write_geopackage(part, short, given),
        "shp": lambda part: write_shapefile(part, short, name),
        "gdb": lambda part: write_filegdb(part, long),
        "xlsx": lambda part: write_workbook(part, short, given),
        "kml": lambda part: write_kml(part, short, given),
    }
    made = []
    for kind in formats:
        path = folder / f"{name}{FORMATS[kind]}"
        with store.whole(path) as part:
            kept = part.with_name(path.name)  # GDAL wants to see the suffix
            writers[kind](kept)
            kept.rename(part)
        made.append(path)
    return made
