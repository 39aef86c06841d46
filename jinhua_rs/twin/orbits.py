"""When and from where the twin is looked at: MGRS tiles, orbits with their swaths, calendar."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio import Affine
from shapely import Polygon

from jinhua_rs.errors import ConfigError
from jinhua_rs.period import Period

__all__ = [
    "ORBITS",
    "SWATH_CRS",
    "TILES",
    "Acquisition",
    "MgrsTile",
    "Processing",
    "RelativeOrbit",
    "acquisitions",
    "evenly",
    "processings",
]

SWATH_CRS = "EPSG:4549"
"""CRS in which swath edges and weather are defined, so that all tiles see the same sky."""

OFFSET_SINCE = datetime(2022, 1, 25, tzinfo=UTC)
"""From baseline 04.00 on, 1000 is added to every DN (Sentinel-2 Products Specification)."""

_SIDE = 109_800.0
_SWATH = 290_000.0
_ALTITUDE = 786_000.0
_GROUND_SPEED = 6_700.0
_CYCLE_DAYS, _CYCLE_ORBITS = 10, 143
_TRACK = math.tan(math.radians(13.5))
"""At 29 N the descending track runs 13.5 degrees west of south over the turning Earth."""
_TRACK_NORTHING = 3_220_000.0


@dataclass(frozen=True, slots=True)
class MgrsTile:
    """An MGRS tile: name, UTM zone (EPSG) and upper-left corner, metres."""

    name: str
    epsg: int
    left: float
    top: float

    def grids(self, resolution: float) -> dict[int, GeoBox]:
        """
        Whole-tile pixel grids by the native resolution of a band, 10 and 20.

        A tile stands for the real one at ``resolution`` instead of 10 m. Where that does not
        divide the tile, the grids run over its lower right edge by less than a coarse pixel;
        2 x 2 fine pixels always make one coarse pixel.
        """
        side = math.ceil(_SIDE / (2 * resolution))
        crs = f"EPSG:{self.epsg}"
        return {
            native: GeoBox(
                (side * times, side * times),
                Affine(resolution * 2 / times, 0, self.left, 0, -resolution * 2 / times, self.top),
                crs,
            )
            for native, times in ((10, 2), (20, 1))
        }


TILES: tuple[MgrsTile, ...] = (
    MgrsTile("50RQS", 32650, 699_960, 3_200_040),
    MgrsTile("50RQT", 32650, 699_960, 3_300_000),
    MgrsTile("51RTM", 32651, 199_980, 3_200_040),
    MgrsTile("51RTN", 32651, 199_980, 3_300_000),
)
"""The four tiles that hold Jinhua; neighbours share a strip of ground."""


@dataclass(frozen=True, slots=True)
class RelativeOrbit:
    """
    One of the 143 tracks that Sentinel-2 repeats every ten days.

    ``west`` and ``east`` are the eastings (m, ``SWATH_CRS``) of the swath's edges at
    northing 3,220,000; ``phase`` is a day on which the first satellite flew it and
    ``absolute`` its orbit count on that day.
    """

    number: int
    start: timedelta
    phase: date
    absolute: int
    west: float
    east: float

    def seen(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which places (m, ``SWATH_CRS``) lie in the swath; arrays of one shape."""
        along = x - (y - _TRACK_NORTHING) * _TRACK
        return np.asarray((along >= self.west) & (along < self.east))

    def outline(self, south: float, north: float) -> Polygon:
        """Swath between two northings (m, ``SWATH_CRS``)."""
        low, high = ((edge - _TRACK_NORTHING) * _TRACK for edge in (south, north))
        return Polygon(
            [
                (self.west + low, south),
                (self.east + low, south),
                (self.east + high, north),
                (self.west + high, north),
            ]
        )

    def view(self, x: float, y: float) -> tuple[float, float]:
        """Incidence angle and azimuth towards the satellite (degrees) at a place."""
        centre = (self.west + self.east) / 2 + (y - _TRACK_NORTHING) * _TRACK
        azimuth = 103.5 if x < centre else 283.5
        return math.degrees(math.atan(abs(x - centre) / _ALTITUDE)), azimuth


ORBITS: tuple[RelativeOrbit, ...] = (
    RelativeOrbit(
        number=89,
        start=timedelta(hours=2, minutes=35, seconds=51),
        phase=date(2019, 10, 16),
        absolute=22_537,
        west=445_000.0,
        east=445_000.0 + _SWATH,
    ),
    RelativeOrbit(
        number=132,
        start=timedelta(hours=2, minutes=45, seconds=51),
        phase=date(2019, 10, 19),
        absolute=22_580,
        west=490_000.0 - _SWATH,
        east=490_000.0,
    ),
)
"""
The two tracks over Jinhua. The west of the city is seen by 132 only, the east by 89 only,
a strip of 45 km between them by both. The place of the edges is the twin's own.
"""


@dataclass(frozen=True, slots=True)
class _Flight:
    """A satellite in one of the two ten-day slots, for as long as it holds it."""

    platform: str
    slot: int
    since: date
    until: date
    orbits_ahead: int


_FLIGHTS: tuple[_Flight, ...] = (
    _Flight("sentinel-2a", 0, date(2015, 7, 1), date(2025, 1, 21), 0),
    _Flight("sentinel-2b", 5, date(2017, 7, 1), date(2101, 1, 1), -8_908),
    _Flight("sentinel-2c", 0, date(2025, 1, 21), date(2101, 1, 1), -48_174),
)


@dataclass(frozen=True, slots=True)
class Acquisition:
    """
    One pass of one satellite: a Sentinel-2 datatake.

    ``start`` is its first instant (UTC, with zone) and ``absolute`` the orbit count.
    """

    platform: str
    orbit: RelativeOrbit
    start: datetime
    absolute: int

    @property
    def key(self) -> tuple[int, int]:
        """Two numbers that no other pass has: for seeding generators."""
        return self.start.toordinal(), self.orbit.number

    @property
    def unit(self) -> str:
        """Name of the satellite in product names, ``S2A``."""
        return "S2" + self.platform[-1].upper()

    def sensed(self, tile: MgrsTile) -> datetime:
        """Sensing time of a tile (UTC): the satellite comes from the north-east."""
        delay = 420 + (3_700_000 - tile.top) / _GROUND_SPEED + (tile.epsg == 32650) * 4
        return self.start + timedelta(seconds=round(delay, 3))

    def datatake(self, baseline: str) -> str:
        """Datatake identifier of a product, ``GS2A_20191016T023551_022537_N05.00``."""
        return f"G{self.unit}_{self.start:%Y%m%dT%H%M%S}_{self.absolute:06d}_N{baseline}"


def acquisitions(period: Period, orbits: Iterable[RelativeOrbit] = ORBITS) -> list[Acquisition]:
    """
    All passes of a period in order of time.

    Two satellites, five days apart, each back after ten days (one satellite before July
    2017); Sentinel-2C takes the place of Sentinel-2A on 2025-01-21.
    """
    passes = [
        one
        for orbit in orbits
        for flight in _FLIGHTS
        for one in _passes(period, orbit, flight)
        if period.contains(one.start)
    ]
    return sorted(passes, key=lambda one: one.start)


def _passes(period: Period, orbit: RelativeOrbit, flight: _Flight) -> Iterator[Acquisition]:
    first = max(flight.since, period.start.astimezone(UTC).date())
    last = min(flight.until, period.stop.astimezone(UTC).date() + timedelta(days=1))
    anchor = orbit.phase + timedelta(days=flight.slot)
    day = first + timedelta(days=(anchor - first).days % _CYCLE_DAYS)
    while day < last:
        elapsed = (day - orbit.phase).days
        absolute = orbit.absolute + flight.orbits_ahead + elapsed * _CYCLE_ORBITS // _CYCLE_DAYS
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        yield Acquisition(flight.platform, orbit, midnight + orbit.start, absolute)
        day += timedelta(days=_CYCLE_DAYS)


def evenly(
    passes: Sequence[Acquisition], covers: Sequence[float], cap: int | None
) -> list[Acquisition]:
    """
    Keep at most ``cap`` passes, spread over the period and shared out among the orbits.

    The passes of an orbit are cut into as many stretches as it may keep. Odd stretches give
    their clearest pass and even ones their middle pass, so that clouds stay in the data
    and every place is seen clear at least sometimes.

    Parameters
    ----------
    passes : sequence of Acquisition
        In order of time.
    covers : sequence of float
        Cloud cover of each pass, 0-1.
    cap : int or None
        ``None`` keeps all.

    Raises
    ------
    ConfigError
        If ``cap`` is below 1.
    """
    if cap is None:
        return list(passes)
    if cap < 1:
        raise ConfigError(
            f"at least one date per period is needed, got {cap}; give a larger number",
            zh=f"每个时段至少需要一个日期，现为 {cap}；请给出更大的数",
        )
    kept: list[int] = []
    numbers = sorted({one.orbit.number for one in passes})
    for turn, number in enumerate(numbers):
        own = [i for i, one in enumerate(passes) if one.orbit.number == number]
        share = min(len(own), (cap + len(numbers) - 1 - turn) // len(numbers))
        stretches = np.array_split(np.array(own), share) if share else []
        for order, stretch in enumerate(stretches):
            clearest = min(stretch, key=lambda i: covers[i])
            kept.append(int(stretch[len(stretch) // 2] if order % 2 else clearest))
    return [passes[i] for i in sorted(kept)]


@dataclass(frozen=True, slots=True)
class Processing:
    """
    One processing of an acquisition: baseline, DN added to reflectance x 10000, and when made.

    ``superseded`` marks the older of two processings of one acquisition.
    """

    baseline: str
    offset: int
    generated: datetime
    superseded: bool = False


_BASELINES: tuple[tuple[date, str], ...] = (
    (date(2015, 7, 1), "02.06"),
    (date(2018, 11, 6), "02.11"),
    (date(2019, 5, 6), "02.12"),
    (date(2019, 7, 16), "02.13"),
    (date(2020, 2, 5), "02.14"),
    (date(2021, 3, 30), "03.00"),
    (date(2021, 7, 1), "03.01"),
    (date(2022, 1, 25), "04.00"),
    (date(2022, 12, 6), "05.09"),
    (date(2023, 12, 13), "05.10"),
    (date(2024, 7, 23), "05.11"),
)
_REPROCESSED = datetime(2023, 6, 13, 21, 27, tzinfo=UTC)


def processings(acquisition: Acquisition) -> tuple[Processing, ...]:
    """
    Products that exist of an acquisition, oldest processing first.

    From 2022-01-25 on there is one, with offset 1000. Earlier passes come in turn as
    originally processed (no offset) together with a reprocessing to 05.00 (offset 1000),
    as the reprocessing alone, and as the original alone: what archives really hold.
    """
    day = acquisition.start.date()
    baseline = next(name for since, name in reversed(_BASELINES) if since <= day)
    generated = acquisition.start + timedelta(hours=9, minutes=17)
    if acquisition.start >= OFFSET_SINCE:
        return (Processing(baseline, 1000, generated),)
    again = Processing("05.00", 1000, _REPROCESSED + timedelta(minutes=day.toordinal() % 50_000))
    turn = (day - acquisition.orbit.phase).days // 5 % 3
    if turn == 0:
        return (Processing(baseline, 0, generated, superseded=True), again)
    return (again,) if turn == 1 else (Processing(baseline, 0, generated),)
