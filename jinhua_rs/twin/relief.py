"""
The twin's terrain: basin, rim mountains, rivers and their valleys, on a lattice.

Height is the valley floor plus the relief of the ranges, cut by the rivers. The horizontal
sketch of ``geography`` is bent by noise first, so that crests wind and rivers meander.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from jinhua_rs.twin.geography import CENTRE, RANGES, RESERVOIRS, RIVERS, Line
from jinhua_rs.twin.lattice import Lattice
from jinhua_rs.twin.noise import fractal, salt, valleys

__all__ = ["Relief", "bent", "near_line", "relief"]

Field = npt.NDArray[np.float32]

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
        north, east = np.gradient(self.elevation, np.float32(step))
        return east, north


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


def near_line(x: Field, y: Field, line: Line) -> tuple[Field, Field, Field]:
    """
    Distance to a polyline and the line's two values at the nearest place.

    Returns
    -------
    distance : ndarray, float32, unit km
    first, second : ndarray, float32
        Interpolated along the line.
    """
    distance = np.full(x.shape, np.inf, np.float32)
    first, second = np.zeros_like(distance), np.zeros_like(distance)
    for k in range(len(line.points) - 1):
        (ax, ay), (bx, by) = line.points[k], line.points[k + 1]
        dx, dy = bx - ax, by - ay
        place = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
        apart = np.hypot(x - ax - place * dx, y - ay - place * dy)
        closer = apart < distance
        np.copyto(distance, apart, where=closer)
        for found, values in ((first, line.first), (second, line.second)):
            np.copyto(found, values[k] + place * (values[k + 1] - values[k]), where=closer)
    return distance, first, second


def _crests(x: Field, y: Field) -> Field:
    """Height of the ranges above the floor, m: a soft maximum over all of them."""
    total = np.zeros(x.shape, np.float32)
    for line in RANGES:
        distance, crest, width = near_line(x, y, line)
        total += (crest * np.exp(-((distance / width) ** 2) * np.float32(0.7))) ** 3
    return np.cbrt(total)


def _rivers(x: Field, y: Field, widen_m: float) -> tuple[Field, Field, Field]:
    """Distance beyond the bank (m), valley floor (m), and how far the relief is left (0-1)."""
    beyond = np.full(x.shape, np.inf, np.float32)
    floor, weights = np.zeros(x.shape, np.float32), np.zeros(x.shape, np.float32)
    left = np.ones(x.shape, np.float32)
    for line in RIVERS:
        nearest = np.full(x.shape, np.inf, np.float32)
        for k in range(len(line.points) - 1):
            distance, height, half = near_line(x, y, line.piece(k))
            weight = (half + 20) / (distance * distance + np.float32(0.3)) ** 2
            floor += weight * height
            weights += weight
            beyond = np.minimum(beyond, distance * 1000 - np.maximum(half, np.float32(widen_m)))
            reach = np.float32(_VALLEY_KM) * np.sqrt(half / 100) + np.float32(0.05)
            nearest = np.minimum(nearest, (distance / reach) ** 2)
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
    hills = np.float32(14) * (1 + noise("hills", 3_200.0, 200.0)).clip(0, 4)
    above = left * (_crests(x, y) * (np.float32(0.16) + np.float32(0.92) * spur) + hills)
    height = floor + above
    if levels is None:
        return Relief(height, above, spur, river, np.full_like(height, _UNFLOODED))
    flood, level = _flood(x, y, height, levels)
    return Relief(np.where(flood > 0, level, height), above, spur, river, flood)
