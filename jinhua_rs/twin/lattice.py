"""
From a geobox in any CRS to the lattice on which the twin's fields are computed.

Smooth fields are computed at lattice nodes, which stand on multiples of a step in EPSG:4549
whatever the window, and are read off between nodes at the pixel centres. So every window, in
whatever CRS, reads the same fields; only the pixel size decides how fine the lattice is.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from jinhua_rs.errors import ContractError
from jinhua_rs.twin.geography import CRS

__all__ = [
    "METRES_PER_DEGREE",
    "Lattice",
    "ground",
    "lattice_under",
    "pixel_size",
    "read",
    "step_for",
    "strips",
]

Field = npt.NDArray[np.float32]
Coordinates = npt.NDArray[np.float64]

FINEST_STEP: Final = 20.0
"""Step of the finest lattice, m: no edge in the twin is crisper than this."""
METRES_PER_DEGREE: Final = 104_000.0
"""Mean of a degree of latitude and of longitude at 29 N, for geoboxes in degrees."""
_KNOT_M: Final = 1_000.0
"""Spacing of the knots at which coordinates are transformed exactly, m."""
_MARGIN: Final = 3


@dataclass(frozen=True, eq=False, slots=True)
class Lattice:
    """
    A block of lattice nodes.

    ``x`` and ``y`` are the node positions, float64, EPSG:4549 metres, both ascending;
    ``step`` is their spacing and ``finest`` the shortest wavelength worth computing, m.
    """

    x: Coordinates
    y: Coordinates
    step: float

    @property
    def finest(self) -> float:
        """Shortest wavelength that the lattice can carry, m."""
        return 2.0 * self.step


def pixel_size(geobox: GeoBox) -> float:
    """
    Size of a pixel on the ground, metres; for degrees a fixed mean at 29 N.

    Raises
    ------
    ContractError
        If the geobox has no CRS or is rotated.
    """
    size = float(np.sqrt(abs(geobox.resolution.x * geobox.resolution.y)))
    return size * (METRES_PER_DEGREE if _crs(geobox).geographic else 1.0)


def _crs(geobox: GeoBox) -> Any:  # noqa: ANN401  odc-geo carries no types
    if geobox.crs is None or not geobox.axis_aligned:
        raise ContractError(
            "the twin needs a geobox with a CRS and axes along its rows and columns; make one "
            "with GeoBox.from_bbox",
            zh="模拟世界需要带坐标系、且行列与坐标轴平行的格网；请用 GeoBox.from_bbox 建立",
        )
    return geobox.crs


def step_for(size: float) -> float:
    """
    Step of the lattice for pixels of ``size`` metres, m: the nearest 20 m times a power of two.

    >>> [step_for(size) for size in (10, 20, 30, 60, 90)]
    [20.0, 20.0, 40.0, 80.0, 80.0]
    """
    return float(FINEST_STEP * 2.0 ** max(0, round(math.log2(size / FINEST_STEP))))


def lattice_under(x: Coordinates, y: Coordinates, size: float) -> Lattice:
    """
    Lattice block that holds all ground positions, for pixels of ``size`` metres.

    See :func:`step_for`.
    """
    step = step_for(size)

    def axis(values: Coordinates) -> Coordinates:
        first = int(np.floor(values.min() / step)) - _MARGIN
        last = int(np.floor(values.max() / step)) + 1 + _MARGIN
        nodes: Coordinates = np.arange(first, last + 1, dtype=np.float64)
        return nodes * step

    return Lattice(axis(x), axis(y), step)


def ground(geobox: GeoBox) -> tuple[Coordinates, Coordinates]:
    """
    Ground coordinates of the pixel centres.

    Returns
    -------
    x, y : ndarray, float64, dims (y, x), unit m, EPSG:4549
        Exact at knots 1 km apart that stand on multiples of the CRS's own unit, linear
        between them: within 2 cm for UTM, and the same whatever the window. For a geobox
        already in EPSG:4549 the arrays are broadcast views of shape (1, x) and (y, 1).
    """
    crs = _crs(geobox)
    affine = geobox.affine
    across = np.arange(geobox.shape.x, dtype=np.float64)
    down = np.arange(geobox.shape.y, dtype=np.float64)
    across, down = (across + 0.5) * affine.a + affine.c, (down + 0.5) * affine.e + affine.f
    if crs.epsg == int(CRS.partition(":")[2]):
        return across[None, :], down[:, None]
    unit = _KNOT_M / (METRES_PER_DEGREE if crs.geographic else 1.0)
    i, s, columns = _knots(across, unit)
    j, t, rows = _knots(down, unit)
    transformer = _transformer(str(crs))
    exact = transformer.transform(*np.meshgrid(columns, rows))
    x, y = (_bilinear(np.asarray(part), (i, s), (j, t)) for part in exact)
    return x, y


@lru_cache(maxsize=16)
def _transformer(crs: str) -> Transformer:
    """Make the way to the ground once for each CRS: making it costs more than using it."""
    return Transformer.from_crs(crs, CRS, always_xy=True)


def _knots(
    values: Coordinates, unit: float
) -> tuple[npt.NDArray[np.int64], Coordinates, Coordinates]:
    position = values / unit
    index = np.floor(position)
    knots = np.arange(index.min(), index.max() + 2)
    return (index - knots[0]).astype(np.int64), position - index, knots * unit


def _bilinear(
    knots: Coordinates,
    along: tuple[npt.NDArray[np.int64], Coordinates],
    down: tuple[npt.NDArray[np.int64], Coordinates],
) -> Coordinates:
    i, s = along
    j, t = down
    rows = knots[:, i] + (knots[:, i + 1] - knots[:, i]) * s
    found: Coordinates = rows[j] + (rows[j + 1] - rows[j]) * t[:, None]
    return found


def strips(rows: int, columns: int, *, cells: int = 1 << 19) -> Iterator[slice]:
    """Cut rows into strips of about ``cells`` pixels, to keep memory modest."""
    height = max(1, cells // max(1, columns))
    for start in range(0, rows, height):
        yield slice(start, min(rows, start + height))


def read(lattice: Lattice, fields: Sequence[Field], x: Coordinates, y: Coordinates) -> list[Field]:
    """
    Read fields between the nodes, bilinear.

    Parameters
    ----------
    lattice : Lattice
        Must hold all positions.
    fields : sequence of ndarray, float32, dims (y, x) of the lattice
    x, y : ndarray, float64, unit m, EPSG:4549
        Ground positions, broadcast against each other.

    Returns
    -------
    list of ndarray, float32, shape of ``x`` and ``y`` broadcast
    """
    i, s = _place(x, lattice.x, lattice.step)
    j, t = _place(y, lattice.y, lattice.step)
    if x.shape[0] == 1 and y.shape[1] == 1:
        return [_read_axes(field, (i[0], s), (j[:, 0], t)) for field in fields]
    first = j * lattice.x.size + i
    corners = [first, first + 1, first + lattice.x.size, first + lattice.x.size + 1]
    return [_read_points(field.ravel(), corners, s, t) for field in fields]


def _place(
    values: Coordinates, nodes: Coordinates, step: float
) -> tuple[npt.NDArray[np.int64], Field]:
    position = values / step
    index = np.floor(position)
    cell = index.astype(np.int64) - round(nodes[0] / step)
    return cell, (position - index).astype(np.float32)


def _read_axes(
    field: Field,
    along: tuple[npt.NDArray[np.int64], Field],
    down: tuple[npt.NDArray[np.int64], Field],
) -> Field:
    (i, s), (j, t) = along, down
    rows = field[:, i]
    rows += s * (field[:, i + 1] - rows)
    low = rows[j]
    low += t * (rows[j + 1] - low)
    return low


def _read_points(
    field: Field, corners: Sequence[npt.NDArray[np.int64]], s: Field, t: Field
) -> Field:
    a, b, c, d = (field.take(corner) for corner in corners)
    a += s * (b - a)
    c += s * (d - c)
    a += t * (c - a)
    return a
