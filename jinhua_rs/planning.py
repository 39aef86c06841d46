"""What a period would be made of: units, scenes, tiles and keys, before any pixel is read."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import pandas as pd
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from jinhua_rs import __version__, catalog, regions, store
from jinhua_rs.errors import ConfigError
from jinhua_rs.grid import Tile
from jinhua_rs.history import PUBLISHED
from jinhua_rs.period import Period
from jinhua_rs.scene import Scene
from jinhua_rs.settings import Settings

__all__ = [
    "CERTIFICATE",
    "PUBLISHED",
    "VOUCHED",
    "Cost",
    "Plan",
    "baseline_of",
    "cost_of",
    "fingerprint",
    "forecast_of",
    "forecast_screen",
    "make_plan",
    "period_folder",
    "save_inventory",
    "save_vouched",
    "sibling",
    "training_periods",
    "unit_code",
    "verdicts_book",
]


CERTIFICATE = "certificate.json"
"""File of a period's certificate, in its folder and in its publication."""
VOUCHED = "vouched.json"
"""The inventory once its scenes were looked at: ghosts and what was set aside are told there."""


def fingerprint(facts: object) -> str:
    """Hash of JSON-like facts, sixteen hex digits; equal facts give equal digits."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Plan:
    """
    A period, where its products lie, and what they are made from.

    Attributes
    ----------
    period : Period
    settings : Settings
    units : GeoDataFrame
        Reporting units in the grid's CRS; of a county run, that county alone.
    unit : str or None
        Code of the county, None for the whole area.
    inventory : Inventory
        Every item found, kept or dropped, with the reason.
    """

    period: Period
    settings: Settings
    units: gpd.GeoDataFrame
    unit: str | None
    inventory: catalog.Inventory

    @cached_property
    def folder(self) -> Path:
        """Where everything of this period and area lies."""
        return period_folder(self.settings, self.period, self.unit)

    @cached_property
    def outline(self) -> BaseGeometry:
        """The area, in the grid's CRS."""
        return regions.outline(self.units)

    @cached_property
    def geobox(self) -> GeoBox:
        """The grid of the published maps."""
        return self.settings.grid.covering(self.outline.bounds)

    @cached_property
    def tiles(self) -> tuple[Tile, ...]:
        """The tiles that share ground with the area."""
        return self.settings.grid.tiles(self.outline)

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """Scenes that may be used: those of the period, then those of the days around it."""
        return (*self.inventory.kept, *self.inventory.spare)

    def scenes_of(self, tile: Tile, without: Collection[str] = ()) -> tuple[Scene, ...]:
        """Scenes whose footprint meets a tile, but for the ids in ``without``."""
        ground = tile.geobox.geographic_extent.geom
        return tuple(
            scene
            for scene in self.scenes
            if scene.id not in without and scene.footprint.intersects(ground)
        )

    def composite_key(self, tile: Tile, without: Collection[str] = ()) -> str:
        """Hash of everything the composite of a tile is made from."""
        scenes = [scene.facts for scene in self.scenes_of(tile, without)]
        settings, mask = self.settings, self.settings.mask
        how = [
            settings.composite.model_dump(mode="json"),
            mask.model_dump(mode="json") | {"dem": self.layer_digests[mask.dem]},
        ]
        where = {
            "period": str(self.period),
            "tile": tile.id,
            "area": fingerprint(self.outline.wkt),
            "grid": _grid(self.settings),
        }
        made = {"code": __version__, "label": self.label, "scenes": scenes, "composite": how}
        return fingerprint(made | where)

    @cached_property
    def run_id(self) -> str:
        """Hash of the inputs of the period; never of the clock or of where files lie."""
        options = self.settings.model_dump(mode="json")
        return fingerprint(
            {
                "code": __version__,
                "period": str(self.period),
                "units": sorted(
                    (str(code), unit["level"], unit["name_zh"], unit["name_en"], unit.geometry.wkt)
                    for code, unit in self.units.iterrows()
                ),
                "scenes": [scene.facts for scene in self.scenes],
                "layers": [self.layer_digests[path] for path in self._layers],
                "area": options["area"] | {"units": None},
                "model": options["model"] | {"file": None, "samples": None},
                "mask": options["mask"] | {"dem": None},
                "settings": {name: options[name] for name in self.decisive},
            }
        )

    @cached_property
    def layer_digests(self) -> Mapping[Path | None, str]:
        """Digest of each of these layers; empty where there is none."""
        return {path: store.digest(path) if path and path.exists() else "" for path in self._layers}

    @property
    def _layers(self) -> tuple[Path | None, ...]:
        """Layers that change what a period says."""
        model, set_ = self.settings.model, self.settings
        return model.file, model.samples, set_.reference.file, set_.mask.dem, set_.layers.land_use

    @property
    def simulated(self) -> bool:
        """True where the settings say so, or where a single scene does."""
        return self.settings.report.simulated or any(s.simulated for s in self.scenes)

    @property
    def label(self) -> str:
        """Mark that every product of simulated data carries; empty otherwise."""
        return "SIMULATED 模拟数据" if self.simulated else ""

    @property
    def told_settings(self) -> Mapping[str, object]:
        """Everything that was set and changes what a period says, layers by their digest."""
        options = self.settings.model_dump(mode="json")
        digest = self.layer_digests
        settings = self.settings
        return {name: options[name] for name in self.decisive} | {
            "area": options["area"] | {"units": None},
            "mask": options["mask"] | {"dem": digest[settings.mask.dem]},
            "model": options["model"]
            | {"file": digest[settings.model.file], "samples": digest[settings.model.samples]},
        }

    @property
    def decisive(self) -> tuple[str, ...]:
        """Sections of the settings that change what a period says, and name no place on disk."""
        changing = "time", "composite", "certificate", "features", "refine", "alerts"
        return (*changing, "gates", "definitions", "targets", "report")


def _grid(settings: Settings) -> Mapping[str, object]:
    return {"crs": settings.area.crs, "m": settings.area.resolution, "px": settings.area.tile_size}


def period_folder(settings: Settings, period: Period, unit: str | None = None) -> Path:
    """Return ``<root>/2024Q4``, or ``<root>/2024Q4.330782`` for one unit."""
    name = str(period) if unit is None else f"{period}.{unit}"
    return settings.output.root / name


def verdicts_book(settings: Settings, unit: str | None = None) -> Path:
    """Return where the verdicts on an area's patches are kept, one book for all its periods."""
    name = "verdicts" if unit is None else f"verdicts.{unit}"
    return settings.output.root / name / "verdicts.jsonl"


def make_plan(
    period: Period, settings: Settings, *, county: str | None = None, refresh: bool = False
) -> Plan:
    """
    Find out what a period would be made of; no pixel is read.

    The inventory of an earlier plan or run that asked the same is used again, so that a rerun
    gives the same bytes, unless ``refresh`` searches anew.

    Raises
    ------
    ConfigError
        On an unknown county, a layer that cannot be used, or no way to the STAC API.
    """
    units = regions.load_units(settings.area)
    unit = None
    if county is not None:
        units = regions.select(units, county)
        unit = str(units.index[0])
    area = regions.to_lonlat(regions.outline(units), settings.area.crs)
    snapshot = period_folder(settings, period, unit) / "scenes.json"
    if not refresh and store.is_sealed(snapshot, _question(settings, area)):
        inventory = catalog.Inventory.from_json(snapshot.read_text(encoding="utf-8"))
    else:
        options = settings.composite
        inventory = catalog.search(
            settings.stac,
            area,
            period,
            bands=options.bands,
            margin_days=options.widen_days if options.widen_below else 0,
            season=options.season,
        )
    return Plan(period, settings, units, unit, inventory)


def _question(settings: Settings, area: BaseGeometry) -> str:
    """Hash of what a search asks for, but for the address of the server."""
    stac, options = settings.stac, settings.composite
    days = options.widen_days if options.widen_below else 0
    asked = [stac.profile, stac.collection, stac.max_cloud, options.bands, days, options.season]
    return fingerprint([*asked, area.wkt])


def sibling(plan: Plan, period: Period) -> Plan:
    """Return the plan of another period over the same area, or ``plan`` itself."""
    if period == plan.period:
        return plan
    settings = plan.settings
    if not period.comparable(plan.period):  # a companion quarter is a season of its own
        settings = settings.all_year
    return make_plan(period, settings, county=plan.unit)


def save_vouched(plan: Plan) -> None:
    """Keep what became of the inventory once the scenes were looked at, for whoever asks why."""
    with store.whole(plan.folder / VOUCHED) as part:
        part.write_text(plan.inventory.to_json(), encoding="utf-8")


def save_inventory(plan: Plan) -> None:
    """Keep the inventory with the period, for the runs that follow."""
    snapshot = plan.folder / "scenes.json"
    area = regions.to_lonlat(plan.outline, plan.settings.area.crs)
    text = plan.inventory.to_json()
    if not snapshot.is_file() or snapshot.read_text(encoding="utf-8") != text:
        with store.whole(snapshot) as part:
            part.write_text(text, encoding="utf-8")
    store.seal(snapshot, _question(plan.settings, area))


@dataclass(frozen=True, slots=True)
class Cost:
    """
    What a run of a period would take: tiles, pixels, looks, bytes to read, bytes to keep.

    ``exact`` is False where items do not say their size and ``read_bytes`` is an estimate.
    """

    tiles: int
    pixels: int
    scenes: int
    looks: int
    read_bytes: int
    disk_bytes: int
    exact: bool

    def text(self, language: str) -> str:
        """Tell people."""
        read, disk = f"{self.read_bytes / 1e9:.2f}", f"{self.disk_bytes / 1e9:.2f}"
        if language == "zh":
            return (
                f"瓦片 {self.tiles} 块，像元 {self.pixels / 1e6:.1f} 百万，影像 {self.scenes} 景，"
                f"瓦片读取 {self.looks} 次；需读取{'' if self.exact else '约'} {read} GB，"
                f"约占磁盘 {disk} GB"
            )
        return (
            f"{self.tiles} tiles, {self.pixels / 1e6:.1f} million pixels, {self.scenes} scenes "
            f"in {self.looks} tile reads; {'' if self.exact else 'about '}{read} GB to read, "
            f"about {disk} GB of disk"
        )


_BYTES_A_PIXEL = 90
"""Tiles and maps of one period, before compression."""


def forecast_of(plan: Plan) -> pd.DataFrame:
    """
    Foretell how often each unit will be seen clear; no pixel is read.

    Returns
    -------
    DataFrame, index as the units
        ``name_zh``, ``name_en``, and the columns of :func:`jinhua_rs.catalog.forecast`.
    """
    found = catalog.forecast(plan.inventory, plan.units.to_crs("EPSG:4326"))
    return pd.DataFrame(plan.units[["name_zh", "name_en"]]).join(found)


def forecast_screen(seen: pd.DataFrame, language: str) -> tuple[list[str], list[list[str]]]:
    """Lay out what :func:`forecast_of` returns for a screen: headings and lines."""
    heads, name = (
        (["单元", "成像日", "预计晴空次数", "前后可借用"], "name_zh")
        if language == "zh"
        else (["unit", "days", "clear looks, forecast", "spare, around"], "name_en")
    )
    columns = seen[name], seen["days"], seen["clear_looks"], seen["spare_looks"]
    lines = [
        [str(unit), str(days), f"{clear:.1f}", f"{spare:.1f}"]
        for unit, days, clear, spare in zip(*columns, strict=True)
    ]
    return heads, lines


def cost_of(plan: Plan) -> Cost:
    """Estimate what a run would take; no pixel is read. Finished tiles need no disk again."""
    side = plan.settings.area.tile_size
    done = sum(_finished(plan.folder, tile) for tile in plan.tiles)
    pixels = len(plan.tiles) * side**2
    return Cost(
        tiles=len(plan.tiles),
        pixels=pixels,
        scenes=len(plan.inventory.kept),
        looks=sum(len(plan.scenes_of(tile)) for tile in plan.tiles),
        read_bytes=plan.inventory.estimated_size,
        exact=plan.inventory.size is not None,
        disk_bytes=(len(plan.tiles) - done) * side**2 * _BYTES_A_PIXEL,
    )


def _finished(folder: Path, tile: Tile) -> bool:
    return (folder / "tiles" / "land" / f"{tile.id}.zarr.json").is_file()


def unit_code(settings: Settings, county: str | None) -> str | None:
    """Return the code of a county given by name or code; None for the whole area."""
    if county is None:
        return None
    return str(regions.select(regions.load_units(settings.area), county).index[0])


def baseline_of(plan: Plan) -> Period | None:
    """
    Return the period with which ``plan`` is compared, or None.

    Raises
    ------
    ConfigError
        If the baseline is another season, or not earlier.
    """
    if not plan.settings.time.baseline:
        return None
    baseline = Period.parse(plan.settings.time.baseline)
    if baseline == plan.period:
        return None
    if not baseline.comparable(plan.period) or not baseline < plan.period:
        raise ConfigError(
            f"{plan.period} cannot be compared with {baseline}: a change has meaning only between "
            "an earlier and a later period of the same season; mend [time] baseline",
            zh=f"{plan.period} 不能与 {baseline} 比较：只能与更早的同一季节比较；"
            "请修改 [time] baseline",
        )
    return baseline


def training_periods(plan: Plan) -> tuple[Period, ...]:
    """Return the periods over whose composites the training samples are laid, their own first."""
    model = plan.settings.model
    own = Period.parse(model.period) if model.period else baseline_of(plan) or plan.period
    laid = (own, *map(Period.parse, model.also)) if model.file is None else (plan.period,)
    return tuple(dict.fromkeys(laid))
