"""
The ground of the benchmark of mines and planting: districts of the twin, and scenes of them.

What is painted stays, and is taken up where it ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from benchmarks.casework_truth import WHEN, Cases
from jinhua_rs.period import Period
from jinhua_rs.regions import load_units
from jinhua_rs.settings import Area, Settings, load_settings
from jinhua_rs.twin import elevation, layers
from jinhua_rs.twin.effects import Event
from jinhua_rs.twin.events import draw
from jinhua_rs.twin.items import Product, catalog, collection
from jinhua_rs.twin.orbits import TILES, Acquisition, MgrsTile, acquisitions, evenly, processings
from jinhua_rs.twin.plots import Plot, lay, plots
from jinhua_rs.twin.publish import publish, published, read_item, write_json
from jinhua_rs.twin.scenes import Painter, moment
from jinhua_rs.twin.world import World

__all__ = ["DATES", "DISTRICTS", "HELD_OUT", "SEED", "YEARS", "District", "paint", "tell"]

SEED, DATES = 20200101, 4
YEARS = tuple(range(2016, 2025))
DISTRICTS = {
    "south": (509.5e3, 3_194.5e3, 518.5e3, 3_198e3),
    "north": (466e3, 3_233e3, 490.5e3, 3_249e3),
    "middle": (486e3, 3_216e3, 507e3, 3_232e3),
    "west": (439e3, 3_183e3, 464e3, 3_199e3),
}
HELD_OUT = "west"
"""No point of training lies there, and no rule was chosen on it; of the windows of 25 x 16 km
beside the others it is the one with the most mines."""
_DIALECT = "sentinel-2-c1-l2a"
_MARGIN_M = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class City:
    """The simulated city, its history, and the parcels and mines as reported."""

    world: World
    events: tuple[Event, ...]
    told: tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]


@cache
def city(folder: Path) -> City:
    """Draw the city and what its bureau reports, once a process."""
    world = World.build(SEED, load_units(Area()))
    events = draw(world, SEED)
    rng = np.random.default_rng([SEED, 11])
    parcels = layers.write(folder / "layers", world, events, when=WHEN, rng=rng)
    return City(world, events, (layers.mines(events, WHEN), parcels))


@dataclass(frozen=True, slots=True, eq=False)
class District:
    """A district: its cases, and the folder in which everything about it is made."""

    name: str
    city: City
    cases: Cases
    folder: Path

    @classmethod
    def of(cls, name: str, folder: Path) -> "District":
        """Choose the cases of a district and write its layers."""
        there, here = city(folder / name), folder / name
        cases = Cases.of(there.world, there.events, there.told, DISTRICTS[name])
        kept = cases.parcels.drop(columns=[*layers.TRUTH_COLUMNS, "kind", "twice_of"])
        for title, table in (("parcels", kept), ("mines", cases.mines)):
            layers.write_layer(table, here / f"{title}.gpkg", title)
        county = {"code": ["330700"], "name_zh": [name], "level": ["county"], "simulated": True}
        outline = gpd.GeoDataFrame(county, geometry=[cases.ground], crs="EPSG:4549")
        layers.write_layer(outline, here / "units.gpkg", "units")
        return cls(name, there, cases, here)

    def settings(self, model: Path | None, *, compared: bool = False) -> Settings:
        """Return the settings of its runs; the last period is compared with the first."""
        given = {
            "area.units": self.folder / "units.gpkg", "area.level_field": "level",
            "area.check_datum": False, "area.tile_size": 128, "stac.profile": "local",
            "stac.url": str(self.folder / "scenes"), "stac.allowed_roots": [str(self.folder)],
            "mask.dem": self.folder / "scenes" / elevation.FILE, "model.file": model,
            "mask.bare_ground": True,
            "certificate.check": False, "composite.min_clear": 1, "run.workers": 1,
            "output.root": self.folder / "outputs", "report.simulated": True,
            "report.languages": ["zh"], "layers.parcels": self.folder / "parcels.gpkg",
            "layers.mines": self.folder / "mines.gpkg",
        }  # fmt: skip
        given |= {"time.baseline": f"{YEARS[0]}Q4"} if compared else {}
        return load_settings(None, environment={}, overrides=given).settings


def paint(district: District) -> None:
    """Paint every pass over the ground of the cases; what is painted stays."""
    scenes, ground = district.folder / "scenes", district.cases.ground
    world, events = district.city.world, district.city.events
    painter = Painter(ground.buffer(_MARGIN_M), SEED, 10.0, 1.0)
    chosen = [one for year in YEARS for one in _passes(painter, year)]
    days = sorted({moment(one).date() for one in chosen})
    scenes.mkdir(exist_ok=True)
    elevation.write(scenes / elevation.FILE, world, painter.wanted, 10.0)
    names = []
    for tile in TILES:
        strips = [
            strip
            for n, part in enumerate(_parts(painter))
            for strip in _strips(tile, part, scenes / f"ground-{n}")
        ]
        for strip in strips:
            lay(world, events, days, strip)
        for one in chosen:
            if strips and painter.window(one, tile) is not None:
                product = Product(one, processings(one)[-1], tile, _DIALECT)
                if not published(scenes, product):
                    painted = painter.paint(one, tile, strips)
                    publish(scenes, product, painted, 10.0, overviews=False)
                names.append(product.id)
        tell(district, f"painted {tile.name}: {len(names)} products so far")
    items = [read_item(scenes, name) for name in sorted(names)]
    write_json(scenes / "collection.json", collection(_DIALECT, items))
    write_json(scenes / "catalog.json", catalog())


def _parts(painter: Painter) -> Sequence[shapely.Polygon]:
    return tuple(shapely.get_parts(painter.wanted))


def _strips(tile: MgrsTile, part: shapely.Polygon, folder: Path) -> tuple[Plot, ...]:
    folder.mkdir(exist_ok=True)
    return plots(tile, 10.0, part, folder)


def _passes(painter: Painter, year: int) -> list[Acquisition]:
    seen = [
        one
        for one in acquisitions(Period(year, 4))
        if any(painter.window(one, tile) is not None for tile in TILES)
    ]
    return evenly(seen, [painter.cover(one) for one in seen], DATES)


def tell(district: District, what: str) -> None:
    """Say how far a district is."""
    print(f"{district.name}: {what}", flush=True)
