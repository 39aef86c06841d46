"""The watch over one tile: a history or the state before, the looks of a quarter, a new state."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from odc.geo.xr import rasterize, xr_coords
from shapely.geometry.base import BaseGeometry

from jinhua_rs import catalog, change, cube, masks, opening, store
from jinhua_rs.causes import Alert
from jinhua_rs.grid import Tile
from jinhua_rs.scene import Scene
from jinhua_rs.settings import Alerts, Mask, Stac

__all__ = ["WatchJob", "Watched", "alert_tile"]

_LOOKS_BYTES = 1 << 30
_LOOK_BYTES = 40
"""Of one look of one pixel: five bands as read, six series, votes."""
_BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class WatchJob:
    """
    Everything a worker needs to watch one tile for one quarter.

    ``scenes`` are those of the quarter; ``history`` those before it, and ``prior`` the land
    tile before it, both without use where there is a ``former`` state.
    """

    path: Path
    key: str
    tile: Tile
    scenes: tuple[Scene, ...]
    former: Path | None
    history: tuple[Scene, ...]
    prior: Path | None
    area: BaseGeometry
    stac: Stac
    mask: Mask
    options: Alerts
    label: str


@dataclass(frozen=True, slots=True)
class Watched:
    """
    What became of a tile: ``done`` or ``reused``; pixels watched, and in alert.

    ``broken`` names the assets (``<scene>/<band>``) that could not be read, and why.
    """

    tile: str
    state: str
    broken: dict[str, str]
    watched: int
    alerts: int


def alert_tile(job: WatchJob) -> Watched:
    """
    Watch one tile for one quarter, unless that is done already.

    Only the scenes of the quarter are read where there is a former state; else the history is
    read too. A scene of which an asset cannot be read is left out of the tile and reported.
    """
    facts = store.read_facts(job.path) if store.is_sealed(job.path, job.key) else {}
    if facts and not facts[_BROKEN]:
        return Watched(job.tile.id, "reused", {}, int(facts["watched"]), int(facts["alerts"]))
    inside = rasterize(Geometry(job.area, job.tile.geobox.crs), job.tile.geobox, all_touched=True)
    bands = dict.fromkeys((*masks.masker(job.mask).bands, *change.BANDS))
    scenes, broken = _courier(job.stac).settle_scenes((*job.history, *job.scenes), tuple(bands))
    while True:
        lost = {asset.split("/")[0] for asset in broken}
        readable = [scene for scene in scenes if scene.id not in lost]
        made, found = _watched(job, readable, inside)
        if not found:
            break
        broken |= {asset: catalog.unsigned(reason) for asset, reason in found.items()}
    watched = int((made["alert"] != Alert.UNSEEN).sum())
    alerts = int((made["alert"] > Alert.NONE).sum())
    store.write_tile(job.path, made, job.label)
    told = {"watched": watched, "alerts": alerts, _BROKEN: broken}
    store.seal(job.path, job.key, told | {"scenes": [s.id for s in job.scenes if s.id not in lost]})
    return Watched(job.tile.id, "done", broken, watched, alerts)


def _watched(
    job: WatchJob, scenes: Sequence[Scene], inside: xr.DataArray
) -> tuple[xr.Dataset, dict[str, str]]:
    """Watch a tile block row by block row; stop where an asset breaks."""
    own = {scene.id for scene in job.scenes}
    now = [scene for scene in scenes if scene.id in own]
    before = [scene for scene in scenes if scene.id not in own]
    states = []
    for rows in _strips(inside.shape[0], change.BLOCK_PX):
        wanted = inside[rows]
        state, broken = _state(job, before, wanted, rows)
        if broken:
            return state, broken
        looks, broken = _looks(job, now, wanted)
        if broken:
            return state, broken
        states.append(change.advance(state, looks, job.options))
    return xr.concat(states, dim="y") if len(states) > 1 else states[0], {}


def _state(
    job: WatchJob, scenes: Sequence[Scene], wanted: xr.DataArray, rows: slice
) -> tuple[xr.Dataset, dict[str, str]]:
    """Return the state to go on from: the one of the quarter before, or what a history gives."""
    if job.former is not None:
        return store.open_tile(job.former).isel(y=rows).load(), {}
    prior = _prior(job, rows)
    days = max(1, len({scene.acquired.date() for scene in scenes}))
    height = max(1, _LOOKS_BYTES // (_LOOK_BYTES * wanted.shape[1] * days))
    parts = []
    for some in _strips(wanted.shape[0], height):
        looks, broken = _looks(job, scenes, wanted[some])
        if broken:
            return looks, broken
        known = None if prior is None else prior[some]
        parts.append(change.begin(looks, job.options, prior=known))
    return xr.concat(parts, dim="y") if len(parts) > 1 else parts[0], {}


def _prior(job: WatchJob, rows: slice) -> npt.NDArray[np.uint8] | None:
    if job.prior is None:
        return None
    classes: npt.NDArray[np.uint8] = store.open_tile(job.prior)["landcover"].to_numpy()[rows]
    return classes


def _looks(
    job: WatchJob, scenes: Sequence[Scene], wanted: xr.DataArray
) -> tuple[xr.Dataset, dict[str, str]]:
    """Read looks, cloudy pixels too: what a mask takes for cloud may be fresh bare ground."""
    geobox: GeoBox = wanted.odc.geobox
    if not wanted.to_numpy().any():
        return _nothing(geobox), {}
    with opening.reading():
        read = cube.read(scenes, geobox, change.BANDS, masks.masker(job.mask))
    looks = read.looks
    looks["clear"] = looks["clear"] & wanted.to_numpy()
    return looks, dict(read.broken)


def _nothing(geobox: GeoBox) -> xr.Dataset:
    """Make looks of no day, for ground outside the area."""
    shape = tuple(geobox.shape)
    return xr.Dataset(
        {
            "reflectance": (
                ("band", "time", "y", "x"), np.zeros((len(change.BANDS), 0, *shape), np.int16)
            ),
            "clear": (("time", "y", "x"), np.zeros((0, *shape), np.bool_)),
        },
        coords={
            "band": list(change.BANDS),
            "time": np.array([], "datetime64[ns]"),
            **xr_coords(geobox),
        },
    )  # fmt: skip


def _strips(height: int, rows: int) -> Iterator[slice]:
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


@lru_cache(maxsize=2)
def _courier(stac: Stac) -> catalog.Courier:
    """Keep one courier, and so its connections and its token, per worker."""
    return catalog.Courier.of(stac)
