"""Reading the twin's truth in small pieces, so that memory stays small at any resolution."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Protocol

import geopandas as gpd
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from jinhua_rs.grid import Grid, Tile
from jinhua_rs.period import Period
from jinhua_rs.regions import outline
from jinhua_rs.twin.effects import Event, course, meeting
from jinhua_rs.twin.geography import CRS
from jinhua_rs.twin.world import aggregate, state_of, supersample

__all__ = [
    "PIECE_PX",
    "SAMPLES",
    "HasBase",
    "Memory",
    "inside",
    "middle",
    "pieces",
    "states",
    "window",
]

SAMPLES = 2
"""Samples along each side of a pixel from which its truth is made."""
PIECE_PX = 256
"""Side of a piece of ground, pixels."""


class HasBase(Protocol):
    """Whatever knows the state of the ground before any event: ``World`` or :class:`Memory`."""

    def base(self, geobox: GeoBox) -> xr.Dataset:
        """State at the pixel centres of ``geobox``, see ``World.base``."""


class Memory:
    """
    Remembers the base state of whole pieces, so that a second reading costs nothing.

    Windows inside a remembered piece are cut out of it; others are passed on to ``ground``.

    Parameters
    ----------
    ground : HasBase
        Where to read what is not remembered.
    most : int
        Samples kept at most (5 bytes each); later pieces are read but not kept.
    """

    def __init__(self, ground: HasBase, *, most: int = 80_000_000) -> None:
        self._ground = ground
        self._room = most
        self._kept: dict[tuple[float, int, int], tuple[GeoBox, xr.Dataset]] = {}

    def base(self, geobox: GeoBox) -> xr.Dataset:
        """State at the pixel centres of ``geobox``, from memory where it is there."""
        key = _piece_of(geobox)
        if key is not None and key in self._kept:
            whole, state = self._kept[key]
            left, top = ~whole.affine * (geobox.affine.c, geobox.affine.f)
            row, col = round(top), round(left)
            rows, cols = geobox.shape
            return state.isel(y=slice(row, row + rows), x=slice(col, col + cols))
        state = self._ground.base(geobox)
        is_whole = tuple(geobox.shape) == (PIECE_PX * SAMPLES,) * 2
        if key is not None and is_whole and state["kind"].size <= self._room:
            self._room -= state["kind"].size
            self._kept[key] = (geobox, state)
        return state


def _piece_of(geobox: GeoBox) -> tuple[float, int, int] | None:
    """Sample size and place of the piece that holds ``geobox``; ``None`` where none does."""
    if str(geobox.crs) != CRS:
        return None
    step = float(geobox.affine.a)
    side = step * SAMPLES * PIECE_PX
    left, bottom, right, top = (edge / side for edge in geobox.boundingbox)
    slack = 0.25 / (SAMPLES * PIECE_PX)
    column, row = int(np.floor(left + slack)), int(np.floor(bottom + slack))
    if right > column + 1 + slack or top > row + 1 + slack:
        return None
    return step, column, row


def pieces(units: gpd.GeoDataFrame, resolution: float) -> tuple[Tile, ...]:
    """Cut the ground of ``units`` (EPSG:4549) into squares of 256 pixels on the grid."""
    return Grid(CRS, resolution, PIECE_PX).tiles(outline(units))


def window(shape: BaseGeometry, resolution: float) -> GeoBox:
    """Smallest window of the grid that holds a shape in EPSG:4549."""
    return Grid(CRS, resolution).covering(shape.bounds)


def states(
    ground: HasBase, geobox: GeoBox, events: Sequence[Event], days: Sequence[date]
) -> Iterator[xr.Dataset]:
    """
    Yield the truth of a window at pixel size, one dataset for each day.

    Yields
    ------
    Dataset, dims (y, x), never empty
        ``landcover`` and ``kind`` (uint8, majority of 2 x 2 samples), ``canopy`` (float32,
        0-1, their mean), ``purity`` (float32, share of the samples that show ``landcover``).
    """
    fine = supersample(geobox, SAMPLES)
    base = ground.base(fine)
    near = meeting(events, fine)
    for kind, canopy in course(base, fine, near, days):
        state = state_of(kind, canopy, fine)
        truth = aggregate(state, SAMPLES)
        most = np.kron(truth["landcover"].to_numpy(), np.ones((SAMPLES, SAMPLES), "uint8"))
        same = (state["landcover"].to_numpy() == most).astype("float32")
        blocks = same.reshape(geobox.shape.y, SAMPLES, geobox.shape.x, SAMPLES)
        yield truth.assign(purity=(("y", "x"), blocks.mean(axis=(1, 3))))


def middle(period: Period) -> date:
    """Day in the middle of a period, on which its truth is read."""
    return (period.start + (period.stop - period.start) / 2).date()


def inside(geobox: GeoBox, shape: BaseGeometry) -> NDArray[np.bool_]:
    """Tell which pixel centres of a window lie in a shape (CRS of the window), dims (y, x)."""
    return np.asarray(
        rasterize([(shape, 1)], tuple(geobox.shape), transform=geobox.affine, dtype="uint8") == 1
    )
