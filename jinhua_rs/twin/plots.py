"""The ground under the scenes of one tile, computed once, kept in strips, read by every pass."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from odc.geo.xr import xr_coords
from shapely.geometry.base import BaseGeometry

from jinhua_rs.twin.effects import Event, course
from jinhua_rs.twin.orbits import SWATH_CRS, MgrsTile
from jinhua_rs.twin.world import World, state_of, supersample

__all__ = [
    "SAMPLES",
    "Ground",
    "Plot",
    "Window",
    "finer",
    "lay",
    "pieces",
    "plots",
    "reprojected",
    "shared",
    "window",
    "within",
]

SAMPLES = 2
"""Each fine pixel is a mixture of ``SAMPLES`` x ``SAMPLES`` points."""

_STRIP_PIXELS = 400_000
_LEAST_PIXELS = 100
"""A smaller corner of a tile (coarse pixels) makes no product."""
_LAYERS = ("elevation", "slope", "aspect")

Window = tuple[slice, slice]


def reprojected(shape: BaseGeometry, crs: str, to: str) -> BaseGeometry:
    """Bring an outline into another CRS, with vertices every 5 km so that edges stay true."""
    return Geometry(shapely.segmentize(shape, 5_000), crs).to_crs(to).geom


def window(tile: MgrsTile, resolution: float, wanted: BaseGeometry) -> Window | None:
    """
    Rows and columns of a tile's coarse grid (2 x ``resolution``) that hold an outline.

    ``wanted`` is in ``SWATH_CRS``; ``None`` where it does not reach the tile.
    """
    grid = tile.grids(resolution)[20]
    return _fitting(grid, reprojected(wanted, SWATH_CRS, str(grid.crs)))


def _fitting(grid: GeoBox, outline: BaseGeometry) -> Window | None:
    """Rows and columns that hold what of an outline lies on a grid, both in its CRS."""
    part = outline.intersection(grid.extent.geom)
    if part.area < _LEAST_PIXELS * grid.resolution.x**2:
        return None
    west, south, east, north = part.bounds
    (left, bottom), (right, top) = (
        ~grid.affine * corner for corner in ((west, south), (east, north))
    )
    rows = slice(max(0, int(top)), min(grid.shape.y, int(np.ceil(bottom))))
    columns = slice(max(0, int(left)), min(grid.shape.x, int(np.ceil(right))))
    return rows, columns


@dataclass(frozen=True, slots=True)
class Plot:
    """A strip of a tile's ground: rows and columns of the coarse grid, and where it is kept."""

    tile: MgrsTile
    resolution: float
    window: Window
    folder: Path

    @property
    def fine(self) -> GeoBox:
        """Pixel grid of the strip."""
        return self.tile.grids(self.resolution)[10][finer(self.window, 2)]

    @property
    def name(self) -> str:
        """Tile and first row, ``50RQT-00120``."""
        return f"{self.tile.name}-{self.window[0].start:05d}"

    @property
    def file(self) -> Path:
        """Archive of the strip."""
        return self.folder / f"{self.name}.npz"


@dataclass(frozen=True, eq=False, slots=True)
class Ground:
    """
    A piece of ground.

    ``state`` on the sample grid ``samples``, on the day that was asked for; ``terrain`` on the
    pixel grid; ``window`` on the coarse grid.
    """

    window: Window
    samples: GeoBox
    state: xr.Dataset
    terrain: xr.Dataset


def plots(
    tile: MgrsTile, resolution: float, wanted: BaseGeometry, folder: Path
) -> tuple[Plot, ...]:
    """Cut the wanted ground of a tile into strips, each only as wide as it is wanted."""
    grid = tile.grids(resolution)[20]
    outline = reprojected(wanted, SWATH_CRS, str(grid.crs))
    found = _fitting(grid, outline)
    if found is None:
        return ()
    rows, columns = found
    height = max(1, _STRIP_PIXELS // (4 * (columns.stop - columns.start)))
    strips = []
    for start in range(rows.start, rows.stop, height):
        here = slice(start, min(start + height, rows.stop))
        fit = _fitting(grid[here, :], outline)
        if fit is not None:
            strips.append(Plot(tile, resolution, (here, fit[1]), folder))
    return tuple(strips)


def lay(world: World, events: Sequence[Event], days: Sequence[date], plot: Plot) -> None:
    """
    Compute the ground of a strip and keep it, unless that is done already.

    Kept are the state before any event and, for each day on which a satellite passes, the
    samples that differ from it: drawing footprints is dear, looking them up is not.
    """
    if plot.file.exists():
        return
    terrain = world.terrain(plot.fine)
    samples = supersample(plot.fine, SAMPLES)
    state = world.base(samples)
    layers: dict[str, Any] = {name: terrain[name].values for name in _LAYERS}
    layers |= {name: state[name].values for name in ("kind", "canopy")}
    for day, (kind, canopy) in zip(days, course(state, samples, events, days), strict=True):
        at = np.flatnonzero((kind != layers["kind"]) | (canopy != layers["canopy"]))
        layers |= {
            f"at-{day}": at.astype("uint32"),
            f"kind-{day}": kind.ravel()[at],
            f"canopy-{day}": canopy.ravel()[at],
        }
    partial = plot.file.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(file, **layers)
    partial.replace(plot.file)


def pieces(strips: Sequence[Plot], wanted: Window, day: date) -> Iterator[Ground]:
    """Read the ground of a window on a day, strip by strip; there may be gaps between them."""
    for plot in strips:
        part = shared(plot.window, wanted)
        if part is not None:
            yield _read(plot, part, day)


def _read(plot: Plot, part: Window, day: date) -> Ground:
    """Cut a piece out of a strip, as it is on a day."""
    pixels = finer(within(part, plot.window), 2)
    points = finer(pixels, SAMPLES)
    fine = plot.fine[pixels]
    samples = supersample(fine, SAMPLES)
    with np.load(plot.file) as kept:
        kind, canopy = kept["kind"], kept["canopy"]
        at = kept[f"at-{day}"]
        kind.ravel()[at], canopy.ravel()[at] = kept[f"kind-{day}"], kept[f"canopy-{day}"]
        state = state_of(kind[points], canopy[points], samples)
        terrain = xr.Dataset(
            {name: (("y", "x"), kept[name][pixels]) for name in _LAYERS}, coords=xr_coords(fine)
        )
    return Ground(part, samples, state, terrain)


def shared(one: Window, other: Window) -> Window | None:
    """Rows and columns that are in both of two windows; ``None`` where there are none."""
    rows, columns = (
        slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def within(inner: Window, outer: Window) -> Window:
    """Place of a window counted from the corner of another that holds it."""
    rows, columns = (
        slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True)
    )
    return rows, columns


def finer(coarse: Window, times: int) -> Window:
    """Return the same window on a grid ``times`` as fine."""
    rows, columns = (slice(times * part.start, times * part.stop) for part in coarse)
    return rows, columns
