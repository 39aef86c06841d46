"""What is measured on: the twin of a county on the zone line, its items, squares and dates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pystac
from odc.geo.geobox import GeoBox
from shapely.geometry import shape

from jinhua_rs.grid import Grid
from jinhua_rs.period import Period
from jinhua_rs.twin.build import TwinSpec

__all__ = [
    "COUNTY",
    "CRS",
    "PERIOD",
    "SPEC",
    "SQUARE",
    "ZONES",
    "Round",
    "Square",
    "items",
    "load_transformations",
    "moved",
    "rounds",
    "whole_days",
]

CRS = "EPSG:4549"
ZONES = ("EPSG:32650", "EPSG:32651")
COUNTY = "330782"
"""Yiwu: 1102 km², 11.0 million pixels of 10 m, on both sides of 120° E."""
PERIOD = Period.parse("2024Q4")
SPEC = TwinSpec(resolution=10.0, periods=("2024Q4",), unit=COUNTY, dates_per_period=24)


@dataclass(frozen=True, slots=True)
class Square:
    """A window of the 10 m grid: its south-west corner (m, EPSG:4549) and size (pixels)."""

    left: float
    bottom: float
    columns: int
    rows: int

    @property
    def geobox(self) -> GeoBox:
        """Pixel grid of the window."""
        size = Grid(CRS).resolution
        right, top = self.left + self.columns * size, self.bottom + self.rows * size
        return Grid(CRS, size).covering((self.left, self.bottom, right, top))

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.columns * self.rows


_RIM_DEG = 1e-3
"""Outlines are simplified: a rim of about 100 m may look unseen."""

SQUARE = {
    1: Square(491_040, 3_230_080, 1_024, 1_024),
    2: Square(491_040, 3_230_080, 2_048, 1_024),
    4: Square(491_040, 3_230_080, 2_048, 2_048),
}
"""One, two and four squares of 1024 pixels: all painted, 120° E (x = 500 km) through each."""


def load_transformations() -> None:
    """Have PROJ look up, once a process, how the grid and the zones lie to each other."""
    for zone in ZONES:
        SQUARE[1].geobox.extent.to_crs(zone).to_crs(CRS)


def whole_days(twin: Path) -> tuple[str, ...]:
    """List the days (ISO) on which the largest square is seen from edge to edge in a zone."""
    wanted = SQUARE[4].geobox.extent.to_crs("EPSG:4326").geom.buffer(-_RIM_DEG)
    seen = {
        item.datetime.date().isoformat()
        for item in map(_item, _files(twin))
        if item.datetime and shape(item.geometry).covers(wanted)
    }
    return tuple(sorted(seen))


Round = Mapping[str, str]
"""Days of the twin (ISO), and the days that they are said to be of."""


def rounds(twin: Path, number: int) -> list[Round]:
    """
    Choose ``number`` looks at the squares: days of the twin, and the days they are said to be of.

    Up to as many as there are, spread evenly; beyond that the same passes are read once more
    under other days (a quarter has no more passes), which is the same work.

    Returns
    -------
    list of Round
    """
    every = whole_days(twin)
    found: list[Round] = []
    left, shift = number, 0
    while left > 0:
        n = min(left, len(every))
        chosen = [every[(2 * k + 1) * len(every) // (2 * n)] for k in range(n)]
        found.append({day: _later(day, shift) for day in chosen})
        left, shift = left - n, shift + 1
    return found


def items(twin: Path, chosen: Sequence[Round]) -> list[pystac.Item]:
    """Read the STAC items of the looks of :func:`rounds`, in order of time."""
    every = [_item(path) for path in _files(twin)]
    found = [
        _moved(item, days[item.datetime.date().isoformat()])
        for days in chosen
        for item in every
        if item.datetime and item.datetime.date().isoformat() in days
    ]
    return sorted(found, key=lambda item: (item.datetime, item.id))


def moved(instant: datetime, day: str) -> datetime:
    """Give an instant another date (ISO)."""
    return datetime.combine(date.fromisoformat(day), instant.timetz())


def _later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def _moved(item: pystac.Item, day: str) -> pystac.Item:
    if item.datetime is None or item.datetime.date().isoformat() == day:
        return item
    copy = item.clone()
    copy.id, copy.datetime = f"{item.id}-{day}", moved(item.datetime, day)
    return copy


def _item(path: Path) -> pystac.Item:
    item = pystac.Item.from_file(str(path))
    item.make_asset_hrefs_absolute()
    return item


def _files(twin: Path) -> list[Path]:
    return sorted((twin / "items").glob("*.json"))
