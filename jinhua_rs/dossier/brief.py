"""What every book says of itself: period, run, mark, sources, and what was wrong with a layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd

from jinhua_rs.figures import Caption, Words
from jinhua_rs.period import Period

__all__ = ["Brief"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """
    What stands on every sheet and picture.

    Attributes
    ----------
    period : Period
    run_id : str
        Of the publication that was measured.
    label : str
        Mark of simulated data; empty for real ones.
    credit : Words
        Sources that must be named.
    units : GeoDataFrame
        Reporting units: index code, ``name_zh``, ``name_en``, ``level``.
    remarks : sequence of (str, str)
        What was wrong with the layers and what became of it, in English and Chinese.
    ground : Path, optional
        Published map of classes (``schema.Land``), laid palely under maps of places.
    """

    period: Period
    run_id: str
    label: str
    credit: Words
    units: gpd.GeoDataFrame
    remarks: Sequence[tuple[str, str]]
    ground: Path | None = None

    def caption(self, title: Words) -> Caption:
        """Return the words around a picture."""
        when = Words(self.period.name_zh, str(self.period))
        mark = Words(self.label, self.label) if self.label else None
        return Caption(title=title, when=when, run_id=self.run_id, credit=self.credit, mark=mark)

    def name_of(self, code: str) -> str:
        """Chinese name of a unit; its code where the units do not hold it."""
        return str(self.units.loc[code, "name_zh"]) if code in self.units.index else code

    @property
    def about(self) -> Mapping[str, str]:
        """Lines that the first sheet of a workbook opens with."""
        lines = {"时段": self.period.name_zh, "运行编号": self.run_id, "数据来源": self.credit.zh}
        if self.label:
            lines = {"数据性质": self.label} | lines
        return lines | {f"图层说明 {n}": zh for n, (_, zh) in enumerate(self.remarks, start=1)}
