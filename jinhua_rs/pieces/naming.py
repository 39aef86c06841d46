"""Naming one tile: the features of its ground, its land cover, and what changed since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr

from jinhua_rs import change, features, landcover, masks, store
from jinhua_rs.pieces.made import Made
from jinhua_rs.pieces.sources import Sources
from jinhua_rs.schema import Window

__all__ = ["LandJob", "change_tile", "classify_tile", "features_at"]


def features_at(sources: Sources, wanted: Sequence[str], points: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Read the features of a tile at points.

    Returns
    -------
    DataFrame
        One row a point: the features (NaN = not seen), ``x``, ``y`` (metres, CRS of the
        grid), and ``class``, ``canopy``, ``id``, ``group``, ``confidence`` and ``unit`` as far as
        the points have them.
    """
    if points.empty:
        return pd.DataFrame()
    own, companions = _ground(sources, wanted)
    x, y = points.geometry.x.to_numpy(), points.geometry.y.to_numpy()
    at = {"x": xr.DataArray(x, dims="point"), "y": xr.DataArray(y, dims="point")}
    near = {season: data.sel(at, method="nearest") for season, data in companions.items()}
    stacked = features.stack(own.sel(at, method="nearest"), wanted, near)
    table = pd.DataFrame(stacked.to_numpy().T, columns=list(wanted))
    wanted = ("class", "canopy", "id", "group", "confidence", "unit")
    known = [name for name in wanted if name in points]
    return table.assign(x=x, y=y, **{name: points[name].to_numpy() for name in known})


def _ground(sources: Sources, wanted: Sequence[str]) -> tuple[xr.Dataset, Mapping[str, xr.Dataset]]:
    """Open what features are made from: the tile with what surrounds it, and its companions."""
    needs = features.needs(wanted)
    own = store.open_tile(sources.own).load()
    if needs.texture:
        own = own.assign(features.texture(_rimmed(own["nir"], sources), own["nir"]))
    if needs.terrain and sources.dem is not None:
        geobox = own.odc.geobox
        height, rim = masks.elevation(sources.dem, geobox)
        inner = slice(rim - 1, 1 - rim)
        own = own.assign(
            features.terrain(height[inner, inner], abs(geobox.resolution.x), own["n_clear"])
        )
    companions = dict(sources.companions)
    return own, {season: store.open_tile(companions[season]).load() for season in needs.seasons}


_BEFORE = {-1: slice(-features.RIM, None), 0: slice(None), 1: slice(None, features.RIM)}
"""The part of a neighbour that is the rim of a tile: its last pixels, all of them, or its first."""
_RIM = {-1: slice(None, features.RIM), 0: slice(features.RIM, -features.RIM), 1: _BEFORE[-1]}
"""Where that part lies around the tile."""


def _rimmed(nir: xr.DataArray, sources: Sources) -> np.ndarray[tuple[int, int], np.dtype[Any]]:
    """Lay a rim of the neighbours around a tile; NaN where there is none."""
    whole = np.pad(nir.to_numpy(), features.RIM, constant_values=np.nan)
    for down, right, path in sources.around:
        beside = store.open_tile(path)["nir"][_BEFORE[down], _BEFORE[right]]
        whole[_RIM[down], _RIM[right]] = beside.to_numpy()
    return whole


@dataclass(frozen=True, slots=True)
class LandJob:
    """
    Everything a worker needs to name the land of one tile.

    ``before`` is the land tile of the baseline, against which ``hysteresis`` (canopy, 0-1)
    holds the forest line steady. ``likeness`` marks ground unlike anything in training.
    """

    path: Path
    key: str
    sources: Sources
    model: Path
    label: str
    before: Path | None = None
    hysteresis: float = 0.0
    likeness: bool = True


_ROWS = 256
"""Rows that are named at once: their features are the most memory that naming takes."""


def classify_tile(job: LandJob) -> Made:
    """
    Name the land and its canopy cover on one tile, from its composite and what belongs to it.

    A pixel that was seen in the period but not in a companion quarter (or whose elevation is
    not known) is not named: its features are not those that the model has learnt. How many
    there are of them is told with the tile, by the input that was missing.
    """
    if store.is_sealed(job.path, job.key):
        facts = store.read_facts(job.path)
        return Made(job.path.stem, "reused", {}, int(facts["clear_pixels"]))
    trained = _model(job.model, store.digest(job.model / "card.json"))
    wanted = trained.card.feature_names
    own, companions = _ground(job.sources, wanted)
    strips = []
    for top in range(0, own.sizes["y"], _ROWS):
        rows = {"y": slice(top, top + _ROWS)}
        there = {season: data.isel(rows) for season, data in companions.items()}
        stacked = features.stack(own.isel(rows), wanted, there)
        strips.append(landcover.predict(stacked, trained, likeness=job.likeness))
    named = xr.concat(strips, dim="y").assign(features.index_maps(own))
    if job.before is not None and job.hysteresis and "canopy" in named:
        earlier = store.open_tile(job.before)["forest"].load()
        named["forest"] = landcover.forest_of(named["canopy"], earlier, margin=job.hysteresis)
    store.write_tile(job.path, named, job.label)
    clear_pixels = int((named["forest"] != 0).sum())
    canopy = trained.card.canopy
    facts = {
        "clear_pixels": clear_pixels,
        "canopy_slope": None if canopy is None else canopy.slope,
        "lost": _lost(own, companions),
    }
    store.seal(job.path, job.key, facts)
    return Made(job.path.stem, "done", {}, clear_pixels)


def _lost(own: xr.Dataset, companions: Mapping[str, xr.Dataset]) -> dict[str, int]:
    """Count the pixels that were seen in the period and not in what belongs to it, by input."""
    seen = own["window"] != Window.UNSEEN
    unseen = {name: data["window"] == Window.UNSEEN for name, data in companions.items()}
    if "slope" in own:
        unseen["elevation"] = own["slope"].isnull()
    return {name: int((seen & there).sum()) for name, there in unseen.items()}


@lru_cache(maxsize=2)
def _model(folder: Path, card: str) -> landcover.Model:  # noqa: ARG001 - tells models apart
    """Load a model once per worker, and again where it was trained anew: ``card`` is its digest."""
    return landcover.Model.load(folder)


Cover = tuple[Path, Path]
"""Tiles of one place and period: the refined tree cover, and the named land with its canopy."""
Heard = tuple[Path | None, Path | None]
"""Land of a year between, and the state of the watch, of one place; None where there is none."""


def change_tile(
    path: Path, key: str, before: Cover, after: Cover, heard: Heard, label: str
) -> Made:
    """Compare the tree cover of one tile with its baseline, and hear what else is known."""
    if store.is_sealed(path, key):
        return Made(path.stem, "reused", {}, int(store.read_facts(path)["clear_pixels"]))
    between, watch = (None if one is None else store.open_tile(one).load() for one in heard)
    evidence = change.Evidence(between, watch)
    compared = change.tree_change(_cover(before), _cover(after), evidence)
    store.write_tile(path, compared, label)
    clear_pixels = int((compared["change"] != 0).sum())
    store.seal(path, key, {"clear_pixels": clear_pixels})
    return Made(path.stem, "done", {}, clear_pixels)


def _cover(tiles: Cover) -> xr.Dataset:
    forest, land = (store.open_tile(path) for path in tiles)
    return land.drop_vars("forest", errors="ignore").assign(forest=forest["forest"]).load()
