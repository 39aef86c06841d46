"""The 100 km squares of the Military Grid: which ones an area meets, and where a code lies."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import floor

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from shapely import segmentize
from shapely.affinity import translate
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from shapely.ops import transform, unary_union

from jinhua_rs.errors import ConfigError

__all__ = ["Square", "is_tile", "squares", "tile_bounds", "tile_crs", "tile_outline"]

Bounds = tuple[float, float, float, float]
Numbers = NDArray[np.float64]

_SIDE = 100_000
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
"""Latitude bands of 8 degrees from 80 S; X reaches 12 degrees, to 84 N."""
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")
"""Column letters eastward from 100 km, by zone modulo three."""
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
"""Row letters northward from the equator, again every 2000 km; even zones start at F."""
_CYCLE = _SIDE * len(_ROWS)
_SOUTH = 10_000_000
"""False northing of the southern hemisphere, a multiple of the cycle."""
_LIMIT = 84.0
"""Degrees; the grid ends at 84 N and 80 S, here the squares of band C go on to 84 S."""
_CODE = re.compile(r"([0-9]{1,2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])")
_STEP_M, _STEP_DEG = 10_000, 0.1
"""Edges are bent from one system into the other at points this far apart."""
_SLACK_M = 100
"""More than an edge can lie beside its points."""
_EARTH = box(-180, -90, 180, 90)
_WEST_M, _EAST_M, _SOUTH_M, _NORTH_M = 40, 109_800, 109_800, 40
"""
How far a Sentinel-2 tile can reach from the upper-left corner of its square, metres.

Tiles are 109.8 km wide; their corner is that of the square brought to the 60 m pixel grid, so
it lies up to 40 m west and north of it (tile table of the Sentinel-2 Level-1 product grid).
"""


@dataclass(frozen=True, slots=True)
class Square:
    """
    One square of 100 km and what of an area lies on it.

    Attributes
    ----------
    code : str
        Zone, band, column and row, ``"50RQT"``.
    crs : str
        UTM zone in which it is a square, ``"EPSG:32650"``.
    ground : BaseGeometry
        The part of the area on it, degrees, EPSG:4326.
    """

    code: str
    crs: str
    ground: BaseGeometry


def squares(area: BaseGeometry) -> tuple[Square, ...]:
    """
    Return the squares that share ground with an area; together they hold all of it.

    Squares end where their zone and band end, as on the printed grid (Norway and Svalbard with
    their wider zones; NGA.STND.0037, Universal Grids and Grid Reference Systems, 2014), so that
    no ground lies on two.

    Parameters
    ----------
    area : BaseGeometry, degrees, EPSG:4326

    Returns
    -------
    tuple of Square, sorted by code

    Raises
    ------
    ConfigError
        If the area reaches beyond 84 degrees north or south.

    Examples
    --------
    >>> [one.code for one in squares(box(119.9, 29.0, 120.1, 29.1))]
    ['50RQT', '51RTN']
    >>> [one.code for one in squares(box(2.9, 60.0, 3.1, 60.1))]
    ['31VDG', '32VJM']
    """
    west, south, east, north = area.bounds
    if south < -_LIMIT or north > _LIMIT:
        raise ConfigError(
            f"the area reaches from {south:g} to {north:g} degrees north; imagery is searched "
            f"between {_LIMIT:g} S and {_LIMIT:g} N only",
            zh=f"范围纬度为 {south:g}° 至 {north:g}°；仅支持南北纬 {_LIMIT:g}° 以内的检索",
        )
    found = (
        square
        for zone, band, cell in _cells((west, south, east, north))
        for square in _within(zone, band, area.intersection(box(*cell)))
    )
    return tuple(sorted(found, key=lambda square: square.code))


def is_tile(code: str) -> bool:
    """
    Tell whether a name is the code of a square that exists.

    >>> is_tile("50RQT"), is_tile("50QQT"), is_tile("site-7")
    (True, False, False)
    """
    return _corner(code) is not None


def tile_crs(code: str) -> str | None:
    """
    Return the UTM zone of a tile, None for what is no code of a square.

    >>> tile_crs("50RQT"), tile_crs("35LND"), tile_crs("site-7")
    ('EPSG:32650', 'EPSG:32735', None)
    """
    found = _CODE.fullmatch(code)
    return _crs(int(found[1]), found[2]) if found and is_tile(code) else None


def tile_bounds(code: str) -> Bounds | None:
    """
    Return ``(left, bottom, right, top)`` of a tile, metres in its zone; None for no code.

    >>> tile_bounds("50RQT")
    (699960, 3190200, 809800, 3300040)
    """
    corner = _corner(code)
    if corner is None:
        return None
    left, top = corner
    return left - _WEST_M, top - _SOUTH_M, left + _EAST_M, top + _NORTH_M


@lru_cache(maxsize=256)
def tile_outline(code: str) -> BaseGeometry | None:
    """
    Return the ground that a Sentinel-2 tile can show, degrees; None for no code of a square.

    The tile reaches 9.8 km beyond its square to the east and south, and beyond its zone; at
    the antimeridian it has a part on either side.

    >>> [round(bound, 3) for bound in tile_outline("50RQT").bounds]
    [119.049, 28.802, 120.205, 29.815]
    """
    bounds, crs = tile_bounds(code), tile_crs(code)
    if bounds is None or crs is None:
        return None
    whole = _lonlat(bounds, crs)
    turns = (translate(whole, xoff=turn) for turn in (-360, 0, 360))
    return unary_union([turned.intersection(_EARTH) for turned in turns])


def _cells(bounds: Bounds) -> Iterator[tuple[int, str, Bounds]]:
    """Yield zone, band and ``(west, south, east, north)`` of the grid zones that bounds meet."""
    west, south, east, north = bounds
    for number, band in enumerate(_BANDS):
        bottom = -80.0 + 8 * number if number else -_LIMIT
        top = -72.0 + 8 * number if band != "X" else _LIMIT
        if not (bottom < north and south < top):
            continue
        for zone in range(1, 61):
            left, right = _meridians(zone, band)
            if left < right and left < east and west < right:
                yield zone, band, (left, bottom, right, top)


_ODD: dict[tuple[int, str], tuple[float, float]] = {
    (31, "V"): (0, 3), (32, "V"): (3, 12),
    (31, "X"): (0, 9), (32, "X"): (0, 0), (33, "X"): (9, 21), (34, "X"): (0, 0),
    (35, "X"): (21, 33), (36, "X"): (0, 0), (37, "X"): (33, 42),
}  # fmt: skip
"""Western and eastern meridian of the zones that are not 6 degrees wide; equal: there is none."""


def _meridians(zone: int, band: str) -> tuple[float, float]:
    return _ODD.get((zone, band), (6.0 * zone - 186, 6.0 * zone - 180))


def _within(zone: int, band: str, piece: BaseGeometry) -> Iterator[Square]:
    """Cut what of the area lies in one grid zone into squares."""
    if not piece.area:
        return
    crs = _crs(zone, band)
    left, bottom, right, top = transform(
        _between("EPSG:4326", crs).transform, segmentize(piece, _STEP_DEG)
    ).bounds
    for column in range(_index(left - _SLACK_M), _index(right + _SLACK_M) + 1):
        for row in range(_index(bottom - _SLACK_M), _index(top + _SLACK_M) + 1):
            edges = (column * _SIDE, row * _SIDE, (column + 1) * _SIDE, (row + 1) * _SIDE)
            ground = piece.intersection(_lonlat(edges, crs))
            if ground.area:
                yield Square(_name(zone, band, column, row), crs, ground)


def _index(metres: float) -> int:
    return floor(metres / _SIDE)


def _name(zone: int, band: str, column: int, row: int) -> str:
    letters = _COLUMNS[zone % 3]
    shift = 0 if zone % 2 else 5
    return f"{zone:02d}{band}{letters[column - 1]}{_ROWS[(row + shift) % len(_ROWS)]}"


@lru_cache(maxsize=1024)
def _corner(code: str) -> tuple[int, int] | None:
    """
    Upper-left corner of a square, metres in its zone; None where no such square exists.

    A square that lies across the edge of a band is found by the letter of either band.
    """
    found = _CODE.fullmatch(code)
    if found is None or not 1 <= int(found[1]) <= 60:
        return None
    zone, band = int(found[1]), found[2]
    column = _COLUMNS[zone % 3].find(found[3]) + 1
    row = (_ROWS.index(found[4]) - (0 if zone % 2 else 5)) % len(_ROWS)
    lowest, highest = _northings(band)
    first = row * _SIDE + _CYCLE * -(-(lowest - _SIDE - row * _SIDE) // _CYCLE)
    if not column or first > highest:
        return None
    return column * _SIDE, first + _SIDE


@lru_cache(maxsize=32)
def _northings(band: str) -> tuple[int, int]:
    """Least and greatest northing within a band, metres, on the meridian and at the edge."""
    number = _BANDS.index(band)
    bottom = -80.0 + 8 * number if number else -_LIMIT
    top = -72.0 + 8 * number if band != "X" else _LIMIT
    crs = _crs(31, band)
    edges = ((lon, lat) for lon in (3.0, 0.0) for lat in (bottom, top))
    values = [_between("EPSG:4326", crs).transform(*edge)[1] for edge in edges]
    return floor(min(values)), floor(max(values))


def _crs(zone: int, band: str) -> str:
    return f"EPSG:{326 if band >= 'N' else 327}{zone:02d}"


def _lonlat(edges: Bounds, crs: str) -> BaseGeometry:
    """Bring a square to longitude and latitude, in one piece: beyond 180 degrees where need be."""
    outline = segmentize(box(*edges), _STEP_M)
    middle = 6.0 * int(crs[-2:]) - 183

    def bend(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        lon, lat = _between(crs, "EPSG:4326").transform(x, y)
        return (np.asarray(lon) - middle + 180) % 360 + middle - 180, lat

    return transform(bend, outline)


@lru_cache(maxsize=128)
def _between(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)
