"""Windows of the twin over eight years, gone through by the ordinary recipe, quarter by quarter."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Final
from zlib import crc32

import geopandas as gpd
import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from jinhua_rs import patchwork, planning, quarter, store, watching
from jinhua_rs.following import Place
from jinhua_rs.grid import Grid
from jinhua_rs.patches import Memory, Register
from jinhua_rs.period import Period
from jinhua_rs.settings import Settings, load_settings
from jinhua_rs.twin.build import TwinSpec, build
from jinhua_rs.twin.chronicle import Chronicle

__all__ = ["BASELINE", "BETWEEN", "LAST", "SEED", "SINCE", "WINDOWS", "Quarter", "Window"]

SEED: Final = 20200101
EARLIER, BASELINE, BETWEEN, LAST = (Period(year, 4) for year in (2018, 2019, 2023, 2024))
"""
The earlier year is heard by the baseline, as where maps have been made for years: a forest does
not stand where ground lay bare the year before.
"""
SINCE, FIRST_PAINTED = Period(2020, 1), Period(2016, 4)
"""The watch begins after the baseline and learns from the twelve quarters before it."""
_POINTS = 300
_MAPS = (
    "alert", "alert_confidence", "alert_day", "alert_last", "alert_cause", "alert_size", "n_looks",
)  # fmt: skip

_COMPARED = ("landcover", "change", "change_confidence", "reason")


@dataclass(frozen=True)
class Window:
    """
    A square of the twin.

    ``corner`` (left, bottom) and ``side`` in m, EPSG:4549; ``held_out``: no rule was chosen on it.
    """

    name: str
    corner: tuple[float, float]
    side: float
    held_out: bool
    folder: Path = Path()

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        (left, bottom), side = self.corner, self.side
        return left, bottom, left + side, bottom + side

    @cached_property
    def geobox(self) -> GeoBox:
        """Its pixels, 10 m."""
        return Grid(resolution=10.0).covering(self.bounds)

    def paint(self, workers: int) -> None:
        """Paint six dates of every quarter, or what is left to paint of them."""
        periods, one = [], FIRST_PAINTED
        while not one > LAST:
            periods.append(str(one))
            one += 1
        spec = TwinSpec(
            seed=SEED, resolution=10.0, periods=tuple(periods), dates_per_period=6,
            samples_per_class=300, reference_points=400, buffer_m=300.0, window=self.bounds,
        )  # fmt: skip
        build(self.folder / "twin", spec, workers=workers)

    def run(self, chronicle: Chronicle) -> None:
        """
        Make the maps of four years, the baseline among them, and the watch.

        The model is trained on points of the window, as they truly lay at the baseline.
        """
        self._write_points(chronicle)
        for period in (EARLIER, BETWEEN, LAST):
            plan = planning.make_plan(period, self.settings(period))
            quarter.run(plan, now=datetime(2026, 1, 1, tzinfo=UTC))

    def _write_points(self, chronicle: Chronicle) -> None:
        (state,) = chronicle.states(self.geobox, [date(BASELINE.year, 11, 15)])
        rng = np.random.default_rng([SEED, crc32(self.name.encode())])
        land, chosen = state["landcover"].to_numpy().ravel(), []
        for code in np.unique(land):
            places = np.flatnonzero(land == code)
            chosen.append(rng.choice(places, min(_POINTS, places.size), replace=False))
        at = np.concatenate(chosen)
        rows, columns = np.unravel_index(at, self.geobox.shape)
        points = gpd.points_from_xy(state.x.to_numpy()[columns], state.y.to_numpy()[rows])
        known = {"class": land[at], "canopy": state["canopy"].to_numpy()[rows, columns]}
        target = self.folder / "points.gpkg"
        if not target.is_file():
            gpd.GeoDataFrame(known, geometry=points, crs="EPSG:4549").to_file(target)

    def settings(self, period: Period) -> Settings:
        """Return the settings of a run: the last is compared with the baseline, and watches."""
        units = self.folder / "units.gpkg"
        if not units.is_file():
            table = {"code": ["330700"], "name_zh": [self.name], "name_en": [self.name]}
            frame = gpd.GeoDataFrame(
                table | {"level": ["county"]}, geometry=[box(*self.bounds)], crs="EPSG:4549"
            )
            frame.to_file(units)
        last = period == LAST
        given = {
            "area.units": units, "area.level_field": "level", "area.check_datum": False,
            "area.tile_size": 512, "stac.profile": "local", "stac.url": str(self.folder / "twin"),
            "stac.allowed_roots": [str(self.folder)],
            "mask.dem": self.folder / "twin" / "layers" / "dem.tif",
            "model.samples": self.folder / "points.gpkg", "model.period": str(BASELINE),
            "model.also": (str(BETWEEN), str(LAST)), "mask.bare_ground": True,
            "model.block_m": 600.0, "certificate.check": False, "run.workers": 1,
            "output.root": self.folder / "outputs", "report.simulated": True,
            "report.languages": ["zh"], "time.baseline": str(BASELINE) if last else "",
            "alerts.enabled": last, "alerts.since": str(SINCE),
        }  # fmt: skip
        return load_settings(None, environment={}, overrides=given).settings

    def quarters(self) -> Iterator["Quarter"]:
        """Find the patches of each quarter that was watched, with the memory of those before."""
        register, settings = Register(""), self.settings(LAST)
        last = planning.make_plan(LAST, settings)
        for period in watching.quarters(last):
            tiles = [
                planning.period_folder(settings, period) / "tiles" / "alerts" / f"{tile.id}.zarr"
                for tile in last.tiles
            ]
            folder = self.folder / "quarters" / str(period)
            self._write_maps(folder, tiles, last, whole=period == LAST)
            flagged = patchwork.flags(folder, settings.patches)
            place = Place.of(period, settings)
            memory = Memory(register)
            register = patchwork.find(place, flagged, {}, memory, lambda *_: None)
            yield Quarter(period, folder, register)

    def _write_maps(
        self, folder: Path, tiles: list[Path], last: planning.Plan, *, whole: bool
    ) -> None:
        """Lay the maps of a quarter out as they are published; the last one is published."""
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "baseline").mkdir(parents=True)
        for variable in _MAPS:
            store.write_mosaic(folder / f"{variable}.tif", variable, tiles, last.geobox)
        published = last.folder / planning.PUBLISHED
        for name in ("baseline/landcover", *(_COMPARED if whole else ())):
            shutil.copy(published / f"{name}.tif", folder / f"{name}.tif")


@dataclass(frozen=True, slots=True)
class Quarter:
    """What a quarter shows: its maps and the register of its patches."""

    period: Period
    folder: Path
    register: Register

    def read(self, name: str) -> NDArray[np.uint8]:
        """Read one of its maps, dims (y, x)."""
        with rasterio.open(self.folder / f"{name}.tif") as source:
            return np.asarray(source.read(1))


def _windows() -> Mapping[str, Window]:
    """
    Lay the windows where most begins: losses from 2020 on, and plantings early enough to close.

    The first two are those on which the rules of the watch were chosen.
    """
    laid = (
        Window("a", (478_440.0, 3_231_760.0), 5_000.0, held_out=False),
        Window("b", (484_550.0, 3_210_820.0), 4_000.0, held_out=False),
        Window("c", (470_000.0, 3_207_500.0), 5_000.0, held_out=True),
        Window("d", (537_500.0, 3_210_000.0), 5_000.0, held_out=True),
        Window("e", (482_500.0, 3_242_500.0), 5_000.0, held_out=True),
    )
    return {one.name: one for one in laid}


WINDOWS: Final = _windows()
