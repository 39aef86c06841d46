"""
A patch of the twin, some kilometres wide, whose cloud-free ground is known for every pass.

Every pass around a quarter is painted over the patch at 10 m (both UTM zones, clouds, shadows,
haze, noise, faulty scene classification), written as the twin writes it, so that the house reads
it through its catalogue. What no house could know is answered from the same world: the ground
without sky, and the true sky.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from jinhua_rs.grid import Grid
from jinhua_rs.period import Period
from jinhua_rs.regions import load_units
from jinhua_rs.scene import BAND_NAMES, Scene
from jinhua_rs.settings import Area
from jinhua_rs.twin import elevation, spectra
from jinhua_rs.twin.effects import Event, course, meeting
from jinhua_rs.twin.events import draw
from jinhua_rs.twin.items import Product, catalog, collection
from jinhua_rs.twin.lattice import ground
from jinhua_rs.twin.orbits import TILES, Acquisition, acquisitions, processings
from jinhua_rs.twin.plots import SAMPLES, lay, plots
from jinhua_rs.twin.publish import publish, read_item, write_json
from jinhua_rs.twin.scenes import Painter, moment
from jinhua_rs.twin.world import World, state_of, supersample

__all__ = ["Patch"]

Floats = npt.NDArray[np.float32]

_DIALECT: Final = "sentinel-2-c1-l2a"
_MARGIN_M = 1_500.0
"""Painted beyond the patch, so that nothing at its rim depends on where painting ends."""


@dataclass(frozen=True, eq=False, slots=True)
class Patch:
    """
    A patch and all that is true in it.

    Attributes
    ----------
    geobox : GeoBox
        Its pixels, 10 m, EPSG:4549.
    passes : tuple of Acquisition
        All that see it, in order of time.
    """

    world: World
    events: tuple[Event, ...]
    geobox: GeoBox
    passes: tuple[Acquisition, ...]
    painter: Painter

    @classmethod
    def around(
        cls, centre: tuple[float, float], side: int, span: tuple[Period, int], *, cloudiness: float
    ) -> "Patch":
        """
        Choose a square of ``side`` pixels around a point (m, EPSG:4549).

        ``span`` is the period and the days before and after it whose passes are painted too.
        """
        half, (x, y) = side * 5.0, centre
        geobox = Grid(resolution=10.0).covering((x - half, y - half, x + half, y + half))
        wanted = box(*geobox.boundingbox.bbox).buffer(_MARGIN_M, join_style="mitre")
        world = World.build(20200101, load_units(Area()))
        events = meeting(draw(world, world.seed), geobox)
        painter = Painter(wanted, world.seed, 10.0, cloudiness)
        passes = tuple(
            one
            for one in _around(*span)
            if any(painter.window(one, tile) is not None for tile in TILES)
        )
        return cls(world, events, geobox, passes, painter)

    @property
    def dem(self) -> str:
        """Name of the elevation file in the folder of :meth:`paint`."""
        return elevation.FILE

    def paint(self, folder: Path) -> None:
        """Paint all passes into a folder that the house can search as a static catalogue."""
        work, names = folder / "ground", []
        work.mkdir(parents=True)
        elevation.write(folder / self.dem, self.world, self.painter.wanted, 10.0)
        days = sorted({moment(one).date() for one in self.passes})
        for tile in TILES:
            strips = plots(tile, 10.0, self.painter.wanted, work)
            for strip in strips:
                lay(self.world, self.events, days, strip)
            for one in self.passes:
                if strips and self.painter.window(one, tile) is not None:
                    product = Product(one, processings(one)[-1], tile, _DIALECT)
                    publish(folder, product, self.painter.paint(one, tile, strips), 10.0)
                    names.append(product.id)
        items = [read_item(folder, name) for name in sorted(names)]
        write_json(folder / "collection.json", collection(_DIALECT, items))
        write_json(folder / "catalog.json", catalog())

    def bare(self, days: Sequence[Acquisition]) -> Iterator[dict[str, Floats]]:
        """Yield the ground as each pass would see it without sky and noise, on the patch."""
        terrain = self.world.terrain(self.geobox)
        samples = supersample(self.geobox, SAMPLES)
        base = self.world.base(samples)
        dates = [moment(one).date() for one in days]
        for one, (kind, canopy) in zip(
            days, course(base, samples, self.events, dates), strict=True
        ):
            state = state_of(kind, canopy, samples)
            seen = spectra.surface(state, terrain, moment(one), seed=self.world.seed)
            yield {name: seen[name].to_numpy() for name in BAND_NAMES}

    def sky(self, scene: Scene, grid: GeoBox) -> npt.NDArray[np.bool_]:
        """Tell where the sky over a scene was truly clear, on any grid."""
        (one,) = (one for one in self.passes if scene.id.startswith(_stem(one, scene)))
        x, y = (np.broadcast_to(axis, tuple(grid.shape)) for axis in ground(grid))
        return self.painter.sky(one).over(np.ascontiguousarray(x), np.ascontiguousarray(y)).clear


def _stem(one: Acquisition, scene: Scene) -> str:
    return f"{one.unit}_T{scene.tile}_{one.start:%Y%m%dT%H%M%S}"


def _around(period: Period, days: int) -> Iterator[Acquisition]:
    """List the passes of a period and of some days before and after it, in order of time."""
    first = (period.start - timedelta(days=days)).date()
    last = (period.stop + timedelta(days=days)).date()
    for quarter in (period - 1, period, period + 1):
        for one in acquisitions(quarter):
            if first <= _day(one) < last:
                yield one


def _day(one: Acquisition) -> date:
    return moment(one).date()
