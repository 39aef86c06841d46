"""
The report of a period: ``report.json`` is the source of every number, HTML and Excel follow.

Pictures are drawn by :func:`draw`, everything is written by :func:`write`, whole or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from jinhua_rs.report.alerted import AlertArea, alert_areas
from jinhua_rs.report.data import (
    Fact,
    Gate,
    ReportData,
    Row,
    SceneCheck,
    SceneSummary,
    StepEffect,
    Tally,
    TargetLine,
    Unit,
    from_json,
    records,
    to_json,
)
from jinhua_rs.report.excel import write_workbook
from jinhua_rs.report.html import FIGURES, render
from jinhua_rs.report.method import method_facts
from jinhua_rs.report.pictures import draw
from jinhua_rs.report.said import Said
from jinhua_rs.report.saying import told
from jinhua_rs.report.screen import screen
from jinhua_rs.store import whole

__all__ = [
    "FIGURES",
    "AlertArea",
    "Fact",
    "Gate",
    "ReportData",
    "ReportPaths",
    "Row",
    "Said",
    "SceneCheck",
    "SceneSummary",
    "StepEffect",
    "Tally",
    "TargetLine",
    "Unit",
    "alert_areas",
    "draw",
    "from_json",
    "method_facts",
    "records",
    "screen",
    "to_json",
    "told",
    "write",
]


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Where the parts of a report lie."""

    json: Path
    html: Path
    xlsx: Path
    figures: tuple[Path, ...]


def write(folder: Path, data: ReportData, figures: Mapping[str, bytes]) -> ReportPaths:
    """
    Write a report: the whole folder or nothing.

    Parameters
    ----------
    folder : Path
        Replaced as a whole; what a former report left there goes.
    data : ReportData
        Its ``figures`` are set from ``figures``.
    figures : Mapping of ``"name.zh"`` or ``"name.en"`` to PNG bytes
        As :func:`draw` returns.

    Returns
    -------
    ReportPaths

    Raises
    ------
    ContractError
        If a picture has an unknown name.
    ConfigError
        If the folder cannot be written to.
    """
    names = tuple(f"figures/{name}.png" for name in sorted(figures))
    data = replace(data, figures=names)
    page = render(data, figures)
    with whole(folder) as part:
        (part / "figures").mkdir(parents=True)
        for name in figures:
            (part / "figures" / f"{name}.png").write_bytes(figures[name])
        (part / "report.json").write_text(to_json(data), encoding="utf-8")
        (part / "report.html").write_text(page, encoding="utf-8")
        write_workbook(part / "report.xlsx", data)
    return ReportPaths(
        folder / "report.json",
        folder / "report.html",
        folder / "report.xlsx",
        tuple(folder / name for name in names),
    )
