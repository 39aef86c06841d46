"""Where a period is followed up: its products, the registers before and after it, the verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
from shapely.geometry.base import BaseGeometry

from jinhua_rs import patches, planning, regions, store
from jinhua_rs.errors import ConfigError, IntegrityError, NoDataError
from jinhua_rs.figures import Words
from jinhua_rs.layers import Layer, open_all, open_layer
from jinhua_rs.patches import Book, Memory, Patch, Register
from jinhua_rs.period import Period
from jinhua_rs.planning import PUBLISHED
from jinhua_rs.settings import Settings

__all__ = ["FOLLOWUP", "TREND", "Followed", "Place", "find_followed", "known_patches"]

FOLLOWUP = "followup"
"""Folder of a period that holds what was followed up."""
TREND = "trend"
"""Folder of a period that holds the maps of trends that end with it."""


@dataclass(frozen=True)
class Place:
    """
    A period over an area.

    ``units`` are the reporting units in the CRS of the grid, of a county run that county alone;
    ``unit`` its code, None for the whole area.
    """

    period: Period
    settings: Settings
    units: gpd.GeoDataFrame
    unit: str | None

    @classmethod
    def of(cls, period: Period, settings: Settings, county: str | None = None) -> "Place":
        """Find the place of a period; a county may be given by name or code."""
        units, unit = regions.load_units(settings.area), planning.unit_code(settings, county)
        return cls(period, settings, units if unit is None else regions.select(units, unit), unit)

    @property
    def folder(self) -> Path:
        """Folder of the period."""
        return planning.period_folder(self.settings, self.period, self.unit)

    @property
    def target(self) -> Path:
        """Folder of what is followed up."""
        return self.folder / FOLLOWUP

    @property
    def verdicts(self) -> Path:
        """Book of the verdicts of the area, one for all its periods."""
        return planning.verdicts_book(self.settings, self.unit)

    @property
    def area_zh(self) -> str:
        """Chinese name of the area."""
        whole = self.unit is None
        return self.settings.report.area_name_zh if whole else str(self.units["name_zh"].iloc[0])

    @cached_property
    def outline(self) -> BaseGeometry:
        """The area, in the CRS of the grid."""
        return regions.outline(self.units)

    @property
    def counties(self) -> gpd.GeoDataFrame:
        """The units by which patches are counted: counties, else whatever lies below the city."""
        for chosen in (self.units["level"] == "county", self.units["level"] != "city"):
            if chosen.any():
                return self.units[chosen]
        return self.units

    @cached_property
    def published(self) -> Mapping[str, object]:
        """
        What the publication of the period says it was made from; it is checked to be whole.

        Raises
        ------
        NoDataError
            If the period is not published.
        IntegrityError
            If the publication is damaged.
        """
        folder = self.folder / PUBLISHED
        if not (folder / store.SUMS).is_file():
            raise NoDataError(
                f"{self.period} is not published; run `jinhua-rs run {self.period}` first",
                zh=f"{self.period} 尚未发布；请先执行 jinhua-rs run {self.period}",
            )
        damaged = store.verify_sums(folder)
        receipt = store.read_json(folder / "run.json")
        if damaged or not isinstance(receipt, dict):
            raise IntegrityError(
                f"{folder} is damaged ({', '.join(damaged[:5])}); run the period again",
                zh=f"{folder} 已损坏（{'、'.join(damaged[:5])}）；请重新运行该时段",
            )
        return receipt

    @property
    def label(self) -> str:
        """Mark of simulated data; empty for real ones."""
        return str(self.published.get("label", ""))

    @property
    def credit(self) -> Words:
        """Sources that the publication names, in one line."""
        path = self.folder / PUBLISHED / "report" / "report.json"
        report = store.read_json(path) if path.is_file() else {}
        named = report.get("credits", []) if isinstance(report, dict) else []
        return Words(
            "；".join(str(one["zh"]) for one in named), "; ".join(str(one["en"]) for one in named)
        )

    def layers(self) -> tuple[dict[str, Layer], tuple[tuple[str, str], ...]]:
        """
        Open the layers that ``[layers]`` names, by role; see :func:`jinhua_rs.layers.open_all`.

        Raises
        ------
        ConfigError
            Naming the first that cannot be used.
        """
        wanted, area = self.settings.layers.model_dump(), self.settings.area
        how = {"crs": area.crs, "area": self.outline, "check_datum": area.check_datum}
        return open_all(
            {
                role: partial(open_layer, path, role, **how)
                for role, path in wanted.items()
                if path is not None
            }
        )

    def others(self) -> dict[str, Path]:
        """Folders of the periods of the same kind that were followed up, but for this, by name."""
        return {
            str(period): folder
            for period, folder in _followed(self.settings, self.unit).items()
            if period != self.period and (period.quarter is None) == (self.period.quarter is None)
        }

    def former(self) -> tuple[str, Path] | None:
        """Name and folder of the newest period before this one that was followed up."""
        before = [item for item in self.others().items() if item[0] < str(self.period)]
        return max(before, default=None)

    def memory(self, book: Book) -> Memory:
        """
        Gather what is known: the registers before, of, and after the period, and the verdicts.

        Raises
        ------
        IntegrityError
            If a register is damaged, or verdicts that it knew are no longer in the book.
        """
        now, others, former = str(self.period), self.others(), self.former()
        before = Register("") if former is None else _register(former[1], book)
        own = _register(self.target, book) if (self.target / store.SUMS).is_file() else None
        later = tuple(_register(others[name], book) for name in sorted(others) if name > now)
        return Memory(before, own, later, book.frozen)


@dataclass(frozen=True, slots=True)
class Followed:
    """
    What was followed up: its folder, the register, the mark of simulated data.

    ``outdated`` are later periods that were made from a former register than this; ``remarks``
    what is to be known of the supplied layers, in Chinese.
    """

    folder: Path
    register: Register
    label: str
    outdated: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def find_followed(place: Place) -> Followed:
    """
    Open what was followed up.

    Raises
    ------
    NoDataError
        If the period was not followed up yet.
    IntegrityError
        If it is damaged.
    """
    if not (place.target / store.SUMS).is_file():
        raise NoDataError(
            f"{place.period} was not followed up; run `jinhua-rs followup {place.period}` first",
            zh=f"{place.period} 尚无图斑台账；请先执行 jinhua-rs followup {place.period}",
        )
    register = _register(place.target, None)
    facts = _facts(place.target)
    remarks = tuple(map(str, facts.get("remarks", ())))
    return Followed(place.target, register, facts["label"], _outdated(place), remarks)


def known_patches(settings: Settings, unit: str | None) -> dict[str, Patch]:
    """
    Every patch of an area as the newest quarter and the newest year know it, by id.

    Raises
    ------
    NoDataError
        If no period of the area was followed up yet.
    IntegrityError
        If a register is damaged.
    """
    found = _followed(settings, unit)
    newest = {period.quarter is None: found[period] for period in sorted(found)}
    if not newest:
        raise NoDataError(
            "no period was followed up yet; run `jinhua-rs followup PERIOD` first",
            zh="尚无图斑台账；请先执行 jinhua-rs followup 时段",
        )
    return {
        name: p for folder in newest.values() for name, p in _register(folder, None).by_id.items()
    }


def _followed(settings: Settings, unit: str | None) -> dict[Period, Path]:
    """Folders of all periods of an area that were followed up."""
    suffix = "" if unit is None else f".{unit}"
    found = {}
    for sums in settings.output.root.glob(f"*/{FOLLOWUP}/{store.SUMS}"):
        name = sums.parent.parent.name
        period = _period(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if period is not None:
            found[period] = sums.parent
    return found


def _register(folder: Path, book: Book | None) -> Register:
    """Read a register from a folder that is whole; its verdicts must still be in the book."""
    damaged = store.verify_sums(folder)
    if damaged:
        raise IntegrityError(
            f"{folder} is damaged ({', '.join(damaged[:5])}); put back a copy, or delete the "
            "folder and follow the period up again",
            zh=f"{folder} 已损坏（{'、'.join(damaged[:5])}）；"
            "请用备份恢复，或删除该文件夹后重新执行 followup",
        )
    facts = _facts(folder)
    if book is not None and not book.holds(int(facts["verdicts"]), str(facts["verdict"])):
        raise IntegrityError(
            f"{book.path} lacks verdicts that {folder} was made with; put back a copy of it",
            zh=f"{book.path} 缺少 {folder} 生成时已有的核查记录；请用备份恢复",
        )
    return patches.read_register(folder)


def _facts(folder: Path) -> dict[str, Any]:
    """Read what a folder was made from."""
    receipt = store.read_json(folder / "run.json")
    if not isinstance(receipt, dict) or not {"former", "label", "verdict"} <= set(receipt):
        raise IntegrityError(
            f"{folder} has no receipt of a followup; delete it and follow the period up again",
            zh=f"{folder} 缺少生成记录；请删除后重新执行 followup",
        )
    return receipt


def _outdated(place: Place) -> tuple[str, ...]:
    """Later periods that were made from another register than the one before them has now."""
    chain = sorted([*place.others().items(), (str(place.period), place.target)])
    for at, ((_, before), (name, folder)) in enumerate(pairwise(chain), start=1):
        known = _facts(folder)["former"]
        if name > str(place.period) and known != store.digest(before / patches.PATCHES):
            return tuple(later for later, _ in chain[at:])
    return ()


def _period(name: str) -> Period | None:
    try:
        return Period.parse(name)
    except ConfigError:
        return None
