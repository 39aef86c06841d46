"""What truly lies on the ground and what changes there, as rasters and outlines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from rasterio.features import shapes

from jinhua_rs.regions import load_units
from jinhua_rs.schema import FOREST_CANOPY
from jinhua_rs.settings import Area
from jinhua_rs.twin.effects import Event, footprints, meeting
from jinhua_rs.twin.events import draw
from jinhua_rs.twin.geography import CRS
from jinhua_rs.twin.survey import SAMPLES, inside, states
from jinhua_rs.twin.world import World, supersample
from jinhua_rs.units import mu

__all__ = ["COLUMNS", "NO_EVENT", "Chronicle"]

NO_EVENT = -1
"""Code of ground on which nothing has happened."""
COLUMNS = (
    "event", "kind", "start", "begun", "change", "area_mu", "canopy_before", "canopy_after",
    "class_before", "class_after", "simulated",
)  # fmt: skip
"""Columns of :meth:`Chronicle.patches`, beside the geometry."""
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, eq=False, slots=True)
class Chronicle:
    """
    A world and all that happens in it.

    Attributes
    ----------
    world : World
    events : tuple of Event
        The whole history; codes of rasters count into it.
    """

    world: World
    events: tuple[Event, ...]

    @classmethod
    def of(cls, seed: int) -> Self:
        """Return the chronicle of every twin of a seed (:class:`TwinSpec`), whatever its window."""
        world = World.build(seed, load_units(Area()))
        return cls(world, draw(world, seed))

    def states(self, geobox: GeoBox, days: Sequence[date]) -> list[xr.Dataset]:
        """
        Truth on a grid of EPSG:4549 on each of some days.

        Returns
        -------
        list of Dataset, dims (y, x), never empty
            ``landcover`` and ``kind`` (uint8, majority of 2 x 2 samples), ``canopy`` (float32,
            0-1, mean), ``purity`` (float32, share of the samples that show ``landcover``).
        """
        return list(states(self.world, geobox, self.events, days))

    def latest(self, geobox: GeoBox, until: date) -> xr.Dataset:
        """
        Tell the latest event that acts on each pixel on a day.

        An event acts on a pixel where at least half of its samples are ground that suits it.

        Returns
        -------
        Dataset, dims (y, x)
            ``event`` (int32): place in :attr:`events`, -1 = none. ``day`` (int32): its start,
            days since 1970-01-01, 0 = none.
        """
        fine = supersample(geobox, SAMPLES)
        base = self.world.base(fine)["kind"].to_numpy()
        event = np.full(tuple(geobox.shape), NO_EVENT, "int32")
        day = np.zeros(event.shape, "int32")
        number = {one.id: n for n, one in enumerate(self.events)}
        begun = [one for one in meeting(self.events, fine) if one.start <= until]
        for one, (rows, columns), _ in footprints(fine, base, begun):
            at, hits = np.unique(
                rows // SAMPLES * event.shape[1] + columns // SAMPLES, return_counts=True
            )
            acted = at[2 * hits >= SAMPLES**2]
            event.ravel()[acted] = number[one.id]
            day.ravel()[acted] = (one.start - _EPOCH).days
        dims = ("y", "x")
        return xr.Dataset({"event": (dims, event), "day": (dims, day)}, coords=xr_coords(geobox))

    def patches(self, geobox: GeoBox, since: date, until: date) -> gpd.GeoDataFrame:
        """
        Outline what truly changed after one day and up to another.

        That is the ground on which an event began in between, and where tree cover (canopy of
        0.20) came or went by an earlier event that goes on. Pixels of one event, of one
        change of tree cover, that share an edge are one patch.

        Returns
        -------
        GeoDataFrame of Polygons along pixel edges, EPSG:4549
            ``event`` (id), ``kind`` (of event), ``start`` (ISO), ``begun`` (bool, in between),
            ``change`` (loss, gain or empty: of tree cover), ``area_mu`` (亩), ``canopy_before``,
            ``canopy_after`` (mean, 0-1), ``class_before``, ``class_after`` (most frequent
            ``schema.Land``), ``simulated`` (True). From north to south.
        """
        before, after = self.states(geobox, [since, until])
        latest = self.latest(geobox, until)
        event = latest["event"].to_numpy()
        begun = latest["day"].to_numpy() > (since - _EPOCH).days
        was, now = (one["canopy"].to_numpy() >= FOREST_CANOPY for one in (before, after))
        moved = now.astype("int32") - was
        changed = (event != NO_EVENT) & (begun | (moved != 0))
        codes = np.where(changed, 3 * event + moved + 1, 0).astype("int32")
        rows = [
            self._row(shapely.geometry.shape(outline), int(code), (before, after), since)
            for outline, code in shapes(codes, mask=changed, transform=geobox.affine)
        ]
        return gpd.GeoDataFrame(rows, columns=[*COLUMNS, "geometry"], geometry="geometry", crs=CRS)

    def _row(
        self,
        outline: shapely.Polygon,
        code: int,
        truths: tuple[xr.Dataset, xr.Dataset],
        since: date,
    ) -> dict[str, object]:
        event = self.events[code // 3]
        at = inside(truths[0].odc.geobox, outline)
        canopy = [float(one["canopy"].to_numpy()[at].mean()) for one in truths]
        land = [int(np.bincount(one["landcover"].to_numpy()[at]).argmax()) for one in truths]
        return {
            "event": event.id,
            "kind": str(event.kind),
            "start": event.start.isoformat(),
            "begun": event.start > since,
            "change": ("loss", "", "gain")[code % 3],
            "area_mu": round(mu(outline.area), 3),
            "canopy_before": round(canopy[0], 4),
            "canopy_after": round(canopy[1], 4),
            "class_before": land[0],
            "class_after": land[1],
            "simulated": True,
            "geometry": outline,
        }
