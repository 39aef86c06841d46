"""Where the pixels of a grid lie in the CRS of a scene: exact at nodes, linear between them."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.windows import Window

from jinhua_rs.cube.warp import Nodes
from jinhua_rs.errors import ContractError
from jinhua_rs.opening import pixel_size

__all__ = ["COARSE", "Placement"]

COARSE = 1.5
"""Onto pixels larger than this many source pixels we average; below it bilinear is right."""

_WIDEST = 256
_TOLERANCE = 5e-5
"""Largest error of the lattice, pixels of the grid: below 1 DN between any two neighbours."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placement:
    """
    A lattice over a grid, transformed exactly into another CRS.

    Attributes
    ----------
    crs : str
        The other CRS.
    rows, columns : ndarray, int64
        Pixels of the grid that are nodes, from 0 to the last.
    x, y : ndarray, float64, dims (rows, columns), unit of ``crs``
        Where the centres of these pixels lie.
    pitch : float
        Side of a pixel of the grid, unit of ``crs``.
    """

    crs: str
    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    x: _Floats
    y: _Floats
    pitch: float

    @classmethod
    def of(cls, geobox: GeoBox, crs: str) -> Self:
        """
        Place a grid in a CRS; nodes are set closer until what lies between them is right.

        Interpolation along an edge of a cell is worst in the middle of the edge, where it is
        compared with the exact transformation; inside a cell the errors of two edges add up.
        (In the middle of a square cell those of a conformal projection cancel: it proves nothing.)

        Raises
        ------
        ContractError
            If the grid has no place in that CRS.
        """
        step = _WIDEST
        while True:
            rows, columns = _nodes(geobox.shape.y, step), _nodes(geobox.shape.x, step)
            x, y = _transformed(geobox, crs, rows, columns)
            pitch = float(np.hypot(x[0, 1] - x[0, 0], y[0, 1] - y[0, 0]) / columns[1])
            across = _transformed(geobox, crs, rows, _midway(columns))
            down = _transformed(geobox, crs, _midway(rows), columns)
            error = _distance(_midway(x.T).T, _midway(y.T).T, across) + _distance(
                _midway(x), _midway(y), down
            )
            if error <= _TOLERANCE * pitch or step == 1:
                return cls(crs, rows, columns, x, y, pitch)
            step //= 2

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top of the grid's pixels, to half a pixel outward, in ``crs``."""
        rim = self.pitch
        return (
            float(self.x.min()) - rim,
            float(self.y.min()) - rim,
            float(self.x.max()) + rim,
            float(self.y.max()) + rim,
        )

    def nodes(self, transform: Affine) -> Nodes:
        """Place the lattice in a raster with this transform; whole numbers are pixel centres."""
        column, row = _moved(~transform, self.x, self.y)
        return Nodes(self.rows, self.columns, column - 0.5, row - 0.5)

    def window(self, transform: Affine, shape: tuple[int, int], rim: float = 0.0) -> Window | None:
        """
        Window of a raster that holds all that the grid needs, and ``rim`` (CRS unit) around it.

        Returns
        -------
        Window or None
            In whole pixels, within the raster; None where the grid does not meet it.
        """
        _, _, column, row = self.nodes(transform)
        side = min(pixel_size(transform))
        margin = ceil(self.pitch / side) + ceil(rim / side)
        left, right = _span(column, margin, shape[1])
        top, bottom = _span(row, margin, shape[0])
        if left >= right or top >= bottom:
            return None
        return Window(left, top, right - left, bottom - top)

    def is_coarse(self, transform: Affine) -> bool:
        """Tell whether the grid is so much coarser than a raster that pixels must be averaged."""
        return self.pitch > COARSE * max(pixel_size(transform))


def _nodes(size: int, step: int) -> npt.NDArray[np.int64]:
    """
    Set nodes every ``step`` pixels and on the last; two at least, so that there is a cell.

    >>> _nodes(11, 4), _nodes(1, 4)
    (array([ 0,  4,  8, 10]), array([0, 1]))
    """
    last = max(size - 1, 1)
    return np.append(np.arange(0, last, step), last)


def _midway(values: npt.NDArray[Any]) -> _Floats:
    """Halfway between each row and the next."""
    middle: _Floats = (values[:-1] + values[1:]) / 2
    return middle


def _distance(x: _Floats, y: _Floats, exact: tuple[_Floats, _Floats]) -> float:
    """Largest distance between points and where they should be."""
    return float(np.hypot(x - exact[0], y - exact[1]).max())


def _transformed(
    geobox: GeoBox, crs: str, rows: npt.NDArray[Any], columns: npt.NDArray[Any]
) -> tuple[_Floats, _Floats]:
    column, row = np.meshgrid(columns + 0.5, rows + 0.5)
    own = _moved(geobox.affine, column, row)
    x, y = _transformer(str(geobox.crs), crs).transform(*own)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ContractError(
            f"the grid in {geobox.crs} has no place in {crs}; leave scenes of that CRS out",
            zh=f"格网（{geobox.crs}）无法转换到 {crs}；请剔除该坐标系的影像",
        )
    return x, y


def _moved(affine: Affine, x: _Floats, y: _Floats) -> tuple[_Floats, _Floats]:
    return (
        affine.a * x + affine.b * y + affine.c,
        affine.d * x + affine.e * y + affine.f,
    )


def _span(at: _Floats, margin: int, size: int) -> tuple[int, int]:
    """First pixel and the one after the last, of ``size``, around the nodes' positions."""
    return max(floor(at.min()) - margin, 0), min(ceil(at.max()) + 1 + margin, size)


@lru_cache(maxsize=16)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)
