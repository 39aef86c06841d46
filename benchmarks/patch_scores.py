"""What truly changed in a window of the twin, and how patches and yearly change stand to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from odc.geo.xr import xr_coords
from rasterio.features import rasterize
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

from benchmarks.patch_windows import (
    BASELINE,
    BETWEEN,
    LAST,
    SINCE,
    Quarter,
    Window,
)
from jinhua_rs import change, patches, planning, store
from jinhua_rs.grid import Tile
from jinhua_rs.patches import Patch
from jinhua_rs.schema import FOREST_CANOPY, Change, Land
from jinhua_rs.settings import Patches
from jinhua_rs.twin.chronicle import NO_EVENT, Chronicle
from jinhua_rs.twin.effects import EventKind
from jinhua_rs.units import M2_PER_MU

__all__ = ["SIZES", "Truth", "found", "judged", "on_stable", "yearly"]

Booleans = NDArray[np.bool_]

LOSSES: Final = (
    EventKind.CLEAR_CUT, EventKind.BAMBOO_HARVEST, EventKind.CONSTRUCTION, EventKind.MINE_OPEN,
    EventKind.MINE_RELAPSE,
)  # fmt: skip
"""Events that take trees or bamboo."""
_LAYING_BARE: Final = (*LOSSES, EventKind.PLANTATION, EventKind.NATURAL_RETURN)
"""Events that take vegetation: ground is cleared before it is planted."""
_LEARNT, _LATEST, _HALF = date(2018, 7, 1), date(2024, 9, 30), 0.5
_LEAST_RISE = 0.10
_PIXEL_M2 = 100.0
SIZES: Final = {"≥ 1 亩": M2_PER_MU, "≥ 1 ha": 10_000.0}


@dataclass(frozen=True, eq=False)
class Truth:
    """
    What truly happened in a window.

    ``event`` (place in ``chronicle.events``, -1 = none) and ``day`` of it; ``trees`` at the
    beginning of the watch; ``canopy`` at the end of each quarter; dims (y, x).
    """

    chronicle: Chronicle
    window: Window
    event: NDArray[np.int32]
    kind: NDArray[np.object_]
    day: NDArray[np.int32]
    canopy: dict[date, NDArray[np.float32]]
    land: NDArray[np.uint8]

    @classmethod
    def of(cls, chronicle: Chronicle, window: Window, days: Sequence[date]) -> "Truth":
        """Read the truth of a window on some days."""
        latest = chronicle.latest(window.geobox, LAST.stop.date())
        event = latest["event"].to_numpy()
        kinds = np.array([str(one.kind) for one in chronicle.events] + [""], object)
        states = chronicle.states(window.geobox, [_LEARNT, SINCE.start.date(), *days])
        canopy = dict(
            zip(
                [_LEARNT, SINCE.start.date(), *days],
                [one["canopy"].to_numpy() for one in states],
                strict=True,
            )
        )
        land = states[1]["landcover"].to_numpy()
        return cls(chronicle, window, event, kinds[event], latest["day"].to_numpy(), canopy, land)

    def changed(self, kind: str, until: date) -> Booleans:
        """Ground that truly changed up to a day, in a direction."""
        if kind == "gain":
            least = np.minimum(self.canopy[_LEARNT], self.first)
            return np.asarray(self.canopy[until] - least >= _LEAST_RISE)
        since = date(SINCE.year - 1, 10, 1)  # what was laid bare just before shows after
        begun = (self.day >= _days(since)) & (self.day < _days(until))
        return np.asarray(begun & np.isin(self.kind, [str(one) for one in _LAYING_BARE]))

    def stable(self, code: Land) -> Booleans:
        """Ground of a class on which nothing has ever happened, nor on the pixels around."""
        quiet = ~ndimage.binary_dilation(self.event != NO_EVENT, np.ones((3, 3)))
        return np.asarray(quiet & (self.land == code))

    def pieces(self, kind: str) -> Iterator[tuple[str, date, Booleans]]:
        """Yield kind, first day and each 4-connected piece of tree cover that an event moved."""
        before, after = (canopy >= FOREST_CANOPY for canopy in (self.first, self.last))
        wanted = before if kind == "loss" else after & ~before
        for code in np.unique(self.event[wanted & (self.event != NO_EVENT)]):
            event = self.chronicle.events[code]
            meant = event.kind in LOSSES and SINCE.start.date() <= event.start <= _LATEST
            if kind == "gain" or meant:
                labels, n = ndimage.label(wanted & (self.event == code))
                yield from (
                    (str(event.kind), event.start, labels == piece) for piece in range(1, n + 1)
                )

    def grown(self, where: Booleans) -> bool:
        """Tell whether half of a piece had the canopy of trees a year before the last map."""
        trees = self.canopy[BETWEEN.stop.date()][where] >= FOREST_CANOPY
        return bool(trees.mean() >= _HALF)

    @property
    def first(self) -> NDArray[np.float32]:
        """Canopy as the watch begins."""
        return self.canopy[SINCE.start.date()]

    @property
    def last(self) -> NDArray[np.float32]:
        """Canopy in the end."""
        return self.canopy[max(self.canopy)]


def _days(day: date) -> int:
    return (day - date(1970, 1, 1)).days


# --- scoring -----------------------------------------------------------------------------------


def judged(quarters: Sequence[Quarter], truth: Truth, rules: Patches) -> pd.DataFrame:
    """
    Judge every patch when it is first reported, and when it is first reported with 1 ha.

    Right: half of it lies on ground, or beside it by a pixel, that truly changed so by then.
    """
    rows, done = [], set()
    for one in quarters:
        until = one.period.stop.date()
        ground = {
            kind: ndimage.binary_dilation(truth.changed(kind, until), np.ones((3, 3)))
            for kind in ("loss", "gain")
        }
        for patch in reported(one, rules):
            for size, least in SIZES.items():
                if patch.facts.area_m2 < least or (patch.id, size) in done:
                    continue
                done.add((patch.id, size))
                inside = pixels(patch.outline, truth)
                kinds = truth.kind[inside & (truth.event != NO_EVENT)]
                rows.append(
                    {
                        "kind": patch.kind, "size": size, "quarter": str(one.period),
                        "confidence": patch.facts.confidence, "cause": patch.facts.cause,
                        "right": ground[patch.kind][inside].mean() >= _HALF,
                        "event": pd.Series(kinds, dtype=object).mode().get(0, ""),
                        "land": int(np.bincount(truth.land[inside]).argmax()),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def reported(one: Quarter, rules: Patches) -> list[Patch]:
    """List the patches that a quarter reports: seen now, and no mere candidates."""
    return [p for p in one.register.seen_now if patches.tier(p, rules) != "candidate"]


def pixels(outline: BaseGeometry, truth: Truth) -> Booleans:
    """Pixels whose centre lies in an outline, dims (y, x)."""
    box = truth.window.geobox
    return rasterize([outline], tuple(box.shape), transform=box.affine).astype(bool)


def found(quarters: Sequence[Quarter], truth: Truth, rules: Patches) -> pd.DataFrame:
    """Tell of each true piece how much of it was reported, and after how long half of it."""
    stops = [one.period.stop.date() for one in quarters]
    rows = []
    for kind in ("loss", "gain"):
        layers = [_covered(one, kind, truth, rules) for one in quarters]
        for event, start, where in truth.pieces(kind):
            if _PIXEL_M2 * where.sum() >= M2_PER_MU:
                late = [n for n, stop in enumerate(stops) if stop > start]
                seen = np.logical_or.accumulate([layers[n][where] for n in late]).mean(axis=1)
                first = next((n for n, share in zip(late, seen, strict=True) if share >= _HALF), -1)
                rows.append(
                    {
                        "kind": kind, "event": event, "start": start,
                        "m2": _PIXEL_M2 * where.sum(), "share": seen[-1], "found": first >= 0,
                        "days": (stops[first] - start).days if first >= 0 else None,
                        "due": kind == "loss" or truth.grown(where),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def _covered(one: Quarter, kind: str, truth: Truth, rules: Patches) -> Booleans:
    """Ground of the patches of a kind that a quarter reports, dims (y, x)."""
    ground = np.zeros(tuple(truth.window.geobox.shape), bool)
    for patch in reported(one, rules):
        if patch.kind == kind:
            ground |= pixels(patch.outline, truth)
    return ground


def on_stable(quarters: Sequence[Quarter], truth: Truth, rules: Patches) -> pd.DataFrame:
    """Area in alert of loss on stable bamboo and its patches, percent of it, by quarter."""
    bamboo, rows = truth.stable(Land.BAMBOO), []
    for one in quarters:
        loss, sure = one.read("alert") == 2, one.read("alert_confidence")
        share = {f">= {n}": 100 * float((loss & (sure >= n))[bamboo].mean()) for n in (1, 2, 3)}
        ground = _covered(one, "loss", truth, rules)
        rows.append(
            {"quarter": str(one.period), **share, "patches": 100 * float(ground[bamboo].mean()),
             "ha": bamboo.sum() / 100}
        )  # fmt: skip
    return pd.DataFrame(rows)


def yearly(window: Window, truth: Truth) -> pd.DataFrame:
    """Score what each step of the yearly change adds: hectares mapped, and right, by direction."""
    plan = planning.make_plan(LAST, window.settings(LAST))
    folders = [
        planning.period_folder(plan.settings, period) / "tiles"
        for period in (BASELINE, BETWEEN, LAST)
    ]
    first, last = (canopy >= FOREST_CANOPY for canopy in (truth.first, truth.last))
    rows = []
    for tile in plan.tiles:
        before, between, after = (_cover(folder, tile.id) for folder in folders)
        watch = store.open_tile(folders[2] / "alerts" / f"{tile.id}.zarr").load()
        steps = {
            "codes and margin": lambda b=before, a=after: _plain(b, a),
            "and likely": lambda b=before, a=after: change.tree_change(b, a, change.Evidence()),
            "and the year between (2023Q4)": lambda b=before, a=after, m=between: (
                change.tree_change(b, a, change.Evidence(m))
            ),
            "and the watch": lambda b=before, a=after, m=between, w=watch: change.tree_change(
                b, a, change.Evidence(m, w)
            ),
        }
        was, now = (_on(layer, window, tile) for layer in (first, last))
        for name, step in steps.items():
            told = step()["change"].to_numpy()
            seen = told != Change.UNSEEN
            for kind, code, true in (
                ("loss", Change.LOSS, was & ~now), ("gain", Change.GAIN, now & ~was),
            ):  # fmt: skip
                mapped = told == code
                rows.append(
                    (
                        name,
                        kind,
                        mapped.sum(),
                        (mapped & true).sum(),
                        (true & seen).sum(),
                        true.sum(),
                    )
                )
    table = pd.DataFrame(rows, columns=["step", "kind", "mapped", "right", "seen", "true"])
    return table.groupby(["step", "kind"], sort=False).sum().reset_index()


def _plain(before: xr.Dataset, after: xr.Dataset) -> xr.Dataset:
    return change.forest_change(before, after).to_dataset(name="change")


def _cover(folder: Path, tile: str) -> xr.Dataset:
    """Land of a tile with the forest map made of it, as the yearly change reads it."""
    land, forest = (store.open_tile(folder / name / f"{tile}.zarr") for name in ("land", "forest"))
    return land.drop_vars("forest", errors="ignore").assign(forest=forest["forest"]).load()


def _on(layer: Booleans, window: Window, tile: Tile) -> Booleans:
    """Lay a layer of the window on a tile; False beyond the window."""
    data = xr.DataArray(layer, dims=("y", "x"), coords=xr_coords(window.geobox))
    grid = xr_coords(tile.geobox)
    return np.asarray(
        data.reindex(x=grid["x"], y=grid["y"], fill_value=False, method="nearest", tolerance=1.0)
    )
