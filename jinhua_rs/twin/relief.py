"""
The twin's terrain: basin, rim mountains, rivers and their valleys, on a lattice.

Height is the valley floor plus the relief of the ranges, cut by the rivers. The horizontal
sketch of ``geography`` is bent by noise first, so that crests wind and rivers meander.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from jinhua_rs.twin.geography import CENTRE, RANGES, RESERVOIRS, RIVERS
from jinhua_rs.twin.lattice import Lattice
from jinhua_rs.twin.noise import fractal, salt, valleys

__all__ = ["Relief", "bent", "off_segment", "relief"]

Field = npt.NDArray[np.float32]
Point = tuple[float, float]

_VALLEY_KM: Final = 1.1
"""Half-width of the flat floor that a river of 100 m cuts, km."""
_UNFLOODED: Final = -1_000.0


@dataclass(frozen=True, eq=False, slots=True)
class Relief:
    """
    Terrain on a lattice, each float32, dims (y, x).

    Attributes
    ----------
    elevation : unit m
        Reservoirs filled.
    above : unit m
        Height above the valley floor around.
    spur : unit 1
        0 in side valleys to 1 on spurs and crests.
    river : unit m
        Distance beyond the bank of the nearest river; negative in the water.
    flood : unit m
        Depth of water in reservoirs; negative on dry ground.
    """

    elevation: Field
    above: Field
    spur: Field
    river: Field
    flood: Field

    def slopes(self, step: float) -> tuple[Field, Field]:
        """Rise towards east and towards north, m/m, central differences over two steps."""
        rise = self.elevation / np.float32(step)
        return np.gradient(rise, axis=1), np.gradient(rise, axis=0)


def bent(lattice: Lattice, seed: int) -> tuple[Field, Field]:
    """
    Positions of the nodes in the sketch, bent by noise.

    Returns
    -------
    x, y : ndarray, float32, dims (y, x), unit km east and north of ``CENTRE``
    """
    across = ((lattice.x - CENTRE[0]) / 1000).astype(np.float32)[None, :]
    up = ((lattice.y - CENTRE[1]) / 1000).astype(np.float32)[:, None]
    span = (8_000.0, 500.0)
    bend = [
        fractal(lattice.x, lattice.y, span, salt(seed, name), finest=lattice.finest, gain=0.48)
        for name in ("bend east", "bend north")
    ]
    return across + np.float32(0.85) * bend[0], up + np.float32(0.85) * bend[1]


def off_segment(x: Field, y: Field, start: Point, stop: Point) -> tuple[Field, Field]:
    """
    Squared distance to a straight segment, and the place along it that is nearest.

    Parameters
    ----------
    x, y : ndarray, float32, one shape, unit km
    start, stop : tuple of float, unit km

    Returns
    -------
    square : ndarray, float32, unit km²
    place : ndarray, float32, unit 1
        0 at ``start`` to 1 at ``stop``.
    """
    dx, dy = np.float32(stop[0] - start[0]), np.float32(stop[1] - start[1])
    east: Field = x - np.float32(start[0])
    north: Field = y - np.float32(start[1])
    place: Field = dx * east + dy * north
    place /= dx * dx + dy * dy
    np.clip(place, 0, 1, out=place)
    east -= dx * place
    north -= dy * place
    east *= east
    north *= north
    east += north
    return east, place


def _crests(x: Field, y: Field) -> Field:
    """Height of the ranges above the floor, m: a soft maximum over all of them."""
    total = np.zeros(x.shape, np.float32)
    for line in RANGES:
        highest = np.zeros(x.shape, np.float32)
        for start, stop in pairwise(line):
            square, place = off_segment(x, y, start.position, stop.position)
            width = start.second + np.float32(stop.second - start.second) * place
            square *= np.float32(-0.7)
            square /= width * width
            crest = start.first + np.float32(stop.first - start.first) * place
            crest *= np.exp(square, out=square)
            np.maximum(highest, crest, out=highest)
        total += highest**3
    return np.cbrt(total)


def _rivers(x: Field, y: Field, widen_m: float) -> tuple[Field, Field, Field]:
    """Distance beyond the bank (m), valley floor (m), and how far the relief is left (0-1)."""
    beyond = np.full(x.shape, np.inf, np.float32)
    floor, weights = np.zeros(x.shape, np.float32), np.zeros(x.shape, np.float32)
    left = np.ones(x.shape, np.float32)
    for line in RIVERS:
        nearest = np.full(x.shape, np.inf, np.float32)
        for start, stop in pairwise(line):
            square, place = off_segment(x, y, start.position, stop.position)
            half = start.second + np.float32(stop.second - start.second) * place
            weight = (half + 20) / (square + np.float32(0.3)) ** 2
            weights += weight
            weight *= start.first + np.float32(stop.first - start.first) * place
            floor += weight
            bank = np.sqrt(square) * 1000 - np.maximum(half, np.float32(widen_m))
            np.minimum(beyond, bank, out=beyond)
            square /= np.float32(_VALLEY_KM**2 / 100) * half + np.float32(0.02)
            np.minimum(nearest, square, out=nearest)
        left *= (1 - np.exp(-nearest)) * (1 - np.float32(0.6) * np.exp(-nearest / 9))
    return beyond, floor / weights, left


def _flood(x: Field, y: Field, height: Field, levels: tuple[float, ...]) -> tuple[Field, Field]:
    """Depth of reservoir water (m; negative when dry) and the level that it stands at."""
    depth = np.full(x.shape, _UNFLOODED, np.float32)
    level_here = np.zeros_like(depth)
    for place, level in zip(RESERVOIRS, levels, strict=True):
        inside = (place.radius - np.hypot(x - place.x, y - place.y)) * 100
        here = np.minimum(inside, np.float32(level) - height)
        deeper = here > depth
        np.copyto(depth, here, where=deeper)
        np.copyto(level_here, np.float32(level), where=deeper)
    return depth, level_here


def relief(lattice: Lattice, seed: int, levels: tuple[float, ...] | None) -> Relief:
    """
    Compute the terrain on a lattice.

    Parameters
    ----------
    lattice : Lattice
    seed : int
        Seed of the world.
    levels : tuple of float, optional, unit m
        Water levels of ``geography.RESERVOIRS``; ``None`` leaves the valleys dry.
    """
    x, y = bent(lattice, seed)

    def noise(name: str, longest: float, shortest: float) -> Field:
        span = (longest, shortest)
        return fractal(lattice.x, lattice.y, span, salt(seed, name), finest=lattice.finest)

    river, floor, left = _rivers(x, y, 0.3 * lattice.step)
    spur = valleys(
        lattice.x, lattice.y, (9_000.0, 110.0), salt(seed, "valleys"), finest=lattice.finest
    )
    hills = np.float32(14) * np.clip(1 + noise("hills", 3_200.0, 200.0), 0, 4)
    above: Field = left * (_crests(x, y) * (np.float32(0.16) + np.float32(0.92) * spur) + hills)
    height: Field = floor + above
    if levels is None:
        return Relief(height, above, spur, river, np.full_like(height, _UNFLOODED))
    flood, level = _flood(x, y, height, levels)
    return Relief(np.where(flood > 0, level, height), above, spur, river, flood)
