"""
The twin's ground: a simulated Jinhua as a function of ground coordinates, known everywhere.

How it is used, from ground to picture::

    world = World.build(seed, units)  # once; small, travels to worker processes
    terrain = world.terrain(geobox)  # at pixel size
    fine = supersample(geobox, 2)  # 2 x 2 sample points in each pixel
    state = world.base(fine)  # what lies at every sample point
    state = events.apply(state, fine, ...)  # what happened since: writes kind and canopy
    truth = aggregate(state, 2)  # landcover (majority), canopy (mean) at pixel size
    bands = spectra.surface(state, terrain, when, seed=world.seed)

A *state* is a dataset on the fine geobox, dims ``(y, x)``: ``kind`` (uint8, :class:`Kind`),
``landcover`` (uint8, ``schema.Land``; always ``LAND_OF_KIND[kind]``) and ``canopy`` (float32,
0-1). It is never empty anywhere: the twin knows all of its ground, beyond the city too.
Whoever changes ``kind`` or ``canopy`` makes a new state with :func:`state_of`.

Two geoboxes of one pixel size see the same ground, whatever their CRS and extent. On coarser
pixels, detail that they could not show is left out before anything is decided.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import odc.geo.xr  # noqa: F401  registers the .odc accessor that geoboxes are read from
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from jinhua_rs.errors import ContractError, GridMismatch
from jinhua_rs.schema import described
from jinhua_rs.twin.balance import Thresholds, balanced, nine_counties, water_levels
from jinhua_rs.twin.cover import Scores, canopy_of, decide, scores
from jinhua_rs.twin.kinds import LAND_OF_KIND, Kind
from jinhua_rs.twin.lattice import ground, lattice_under, pixel_size, read, strips
from jinhua_rs.twin.relief import relief

__all__ = ["LAND_OF_KIND", "Kind", "World", "aggregate", "state_of", "supersample"]


@dataclass(frozen=True, eq=False, slots=True)
class World:
    """
    A simulated Jinhua.

    Attributes
    ----------
    seed : int
        Decides everything; equal seeds and units give equal worlds.
    levels : tuple of float, unit m
        Water levels of the reservoirs.
    thresholds : Thresholds
        Forest propensity from which ground is forest, so that counties hold their shares.
    """

    seed: int
    levels: tuple[float, ...]
    thresholds: Thresholds

    @classmethod
    def build(cls, seed: int, units: gpd.GeoDataFrame) -> Self:
        """
        Make the world of a seed.

        Parameters
        ----------
        seed : int
            Any integer.
        units : GeoDataFrame
            Index ``code``; must hold the nine counties of Jinhua. Others are not looked at.

        Raises
        ------
        ConfigError
            If a county is missing.
        """
        counties = nine_counties(units)
        levels = water_levels(seed)
        return cls(seed, levels, balanced(seed, levels, counties))

    def terrain(self, geobox: GeoBox) -> xr.Dataset:
        """
        Terrain at the pixel centres.

        Parameters
        ----------
        geobox : GeoBox
            Any CRS, not rotated.

        Returns
        -------
        Dataset, float32, dims (y, x), never NaN
            ``elevation`` (m), ``slope`` (degrees from level) and ``aspect`` (degrees
            clockwise from grid north of EPSG:4549, which true north leaves by less than
            0.5 degrees in Jinhua; the way that the slope faces; 0 where level).
        """
        x, y = ground(geobox)
        lattice = lattice_under(x, y, pixel_size(geobox))
        found = relief(lattice, self.seed, self.levels)
        east, north = found.slopes(lattice.step)
        height, east, north = read(lattice, (found.elevation, east, north), x, y)
        slope = np.degrees(np.arctan(np.hypot(east, north)))
        aspect = np.degrees(np.arctan2(-east, -north)) % np.float32(360)
        layers = {"elevation": (height, "m"), "slope": (slope, "deg"), "aspect": (aspect, "deg")}
        return xr.Dataset(
            {
                name: (("y", "x"), values.astype(np.float32), {"units": units})
                for name, (values, units) in layers.items()
            },
            coords=xr_coords(geobox),
        )

    def base(self, geobox: GeoBox) -> xr.Dataset:
        """
        State before any event, one sample at every pixel centre of ``geobox``.

        Returns
        -------
        Dataset, dims (y, x), never empty
            ``kind`` and ``landcover`` uint8, ``canopy`` float32, 0-1. Call it on
            ``supersample(geobox, s)`` for mixed pixels.
        """
        x, y = ground(geobox)
        lattice = lattice_under(x, y, pixel_size(geobox))
        found = scores(lattice, relief(lattice, self.seed, self.levels), self.seed)
        forest = found.forest - self.thresholds.on(lattice)
        fields = [forest if layer is found.forest else layer for layer in found.fields()]
        kind = np.empty(tuple(geobox.shape), np.uint8)
        canopy = np.empty(kind.shape, np.float32)
        for rows in strips(*kind.shape):
            part = (x, y[rows]) if x.shape[0] == 1 else (x[rows], y[rows])
            at = Scores(*read(lattice, fields, *part))
            kind[rows] = decide(at)
            canopy[rows] = canopy_of(kind[rows], at)
        return state_of(kind, canopy, geobox)


def supersample(geobox: GeoBox, s: int = 2) -> GeoBox:
    """
    Geobox with ``s`` x ``s`` sample points in every pixel of ``geobox``, same outline.

    Raises
    ------
    ContractError
        If ``s`` is less than 1.
    """
    if s < 1:
        raise ContractError(
            f"a pixel needs at least one sample, got {s}",
            zh=f"每个像元至少需要一个采样点，现为 {s}",
        )
    rows, columns = geobox.shape
    return GeoBox((rows * s, columns * s), geobox.affine * Affine.scale(1 / s), geobox.crs)


def state_of(
    kind: npt.NDArray[np.uint8], canopy: npt.NDArray[np.float32], geobox: GeoBox
) -> xr.Dataset:
    """
    Make a state: ``kind`` and ``canopy`` as given, ``landcover`` derived from ``kind``.

    Parameters
    ----------
    kind : ndarray, uint8, dims (y, x)
        Codes of :class:`Kind`.
    canopy : ndarray, float32, dims (y, x), unit 1
        Tree canopy cover, 0-1, no NaN.
    geobox : GeoBox
        Of that shape.

    Raises
    ------
    GridMismatch
        If a shape differs from the geobox.
    """
    for name, array in (("kind", kind), ("canopy", canopy)):
        if array.shape != tuple(geobox.shape):
            raise GridMismatch(
                f"{name} has shape {array.shape} but the geobox has {tuple(geobox.shape)}",
                zh=f"{name} 的大小为 {array.shape}，而格网为 {tuple(geobox.shape)}",
            )
    return _on(geobox, {"kind": kind, "landcover": LAND_OF_KIND[kind], "canopy": canopy})


def aggregate(state: xr.Dataset, s: int = 2) -> xr.Dataset:
    """
    Truth at pixel size from ``s`` x ``s`` samples per pixel.

    Returns
    -------
    Dataset, dims (y, x)
        ``landcover`` and ``kind`` (uint8): the one that most samples show, on a tie the one
        that comes first in reading order; ``kind`` is the most frequent kind of all, so its
        class may differ from ``landcover``. ``canopy`` (float32): mean of the samples.

    Raises
    ------
    GridMismatch
        If the state's rows or columns are no multiple of ``s``.
    """
    fine: GeoBox = state.odc.geobox
    rows, columns = fine.shape
    if rows % s or columns % s:
        raise GridMismatch(
            f"{rows} x {columns} samples do not make whole pixels of {s} x {s}",
            zh=f"{rows} × {columns} 个采样点不能组成 {s} × {s} 的整像元",
        )
    coarse = GeoBox((rows // s, columns // s), fine.affine * Affine.scale(s), fine.crs)
    found = {name: _majority(state[name].to_numpy(), s) for name in ("kind", "landcover")}
    return _on(coarse, {**found, "canopy": _mean(state["canopy"].to_numpy(), s)})


def _samples(array: npt.NDArray[np.generic], s: int) -> list[npt.NDArray[np.generic]]:
    return [array[row::s, column::s] for row in range(s) for column in range(s)]


def _majority(codes: npt.NDArray[np.uint8], s: int) -> npt.NDArray[np.uint8]:
    samples = _samples(codes, s)
    best = samples[0].astype(np.uint8)
    most = np.zeros(best.shape, np.uint16)
    for sample in samples:
        votes = np.zeros(best.shape, np.uint16)
        for other in samples:
            votes += sample == other
        more = votes > most
        np.copyto(best, sample, where=more, casting="same_kind")
        np.copyto(most, votes, where=more)
    return best


def _mean(values: npt.NDArray[np.float32], s: int) -> npt.NDArray[np.float32]:
    total = np.zeros((values.shape[0] // s, values.shape[1] // s), np.float32)
    for sample in _samples(values, s):
        total += sample.astype(np.float32, copy=False)
    total /= np.float32(s * s)
    return total


def _on(geobox: GeoBox, layers: Mapping[str, npt.NDArray[np.generic]]) -> xr.Dataset:
    data = xr.Dataset(
        {name: (("y", "x"), values) for name, values in layers.items()}, coords=xr_coords(geobox)
    )
    for name in ("landcover", "canopy"):
        data[name] = described(data[name], name)
    data["kind"].attrs = {"units": "class", "long_name": "kind of ground in the simulated world"}
    return data
