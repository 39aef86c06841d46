"""The patches of a published period worked up: outlined, named, measured, and drawn for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from jinhua_rs import patches, store
from jinhua_rs.causes import CAUSE_CLASSES, Alert
from jinhua_rs.dossier import Brief
from jinhua_rs.figures import (
    CountyPatches,
    PatchPair,
    Words,
    pair_sheet,
    patch_bars,
    place_map,
)
from jinhua_rs.following import Place
from jinhua_rs.history import Publication
from jinhua_rs.layers import Layer
from jinhua_rs.patches import KINDS, TIERS, Book, Flags, Ground, Memory, Patch, Register, Worth
from jinhua_rs.schema import LAND_CLASSES, Change
from jinhua_rs.settings import Patches
from jinhua_rs.tasks import Progress
from jinhua_rs.units import mu

__all__ = ["draw", "find", "flags", "maps_of"]

_ALERTS = {int(Alert.LOSS): "loss", int(Alert.GAIN): "gain"}
_CHANGES = {int(Change.LOSS): "loss", int(Change.GAIN): "gain"}
_MAPS = {
    "before": ("baseline/landcover.tif",),
    "after": ("landcover.tif",),
    "first_day": ("alert_day.tif",),
    "last_day": ("alert_last.tif",),
    "confidence": ("alert_confidence.tif", "change_confidence.tif"),
    "cause": ("reason.tif", "alert_cause.tif"),
    "size": ("alert_size.tif",),
    "looks": ("n_looks.tif",),
}
"""
Published maps of each quantity that is measured; without any it is not known. The comparison of two
years knows what the ground became, and so more of the cause than the watch.
"""
_COLOURS = {
    ("loss", "reportable"): "#e5706a", ("gain", "reportable"): "#79a3e8",
    ("loss", "priority"): "#a3140f", ("gain", "priority"): "#163f8f",
}  # fmt: skip
"""The later lie on top of the earlier."""
_HIGHEST = 3
_CHIPS, _AROUND = 6, 1.2
_LEAST_M = 150.0
"""Ground around a patch that a chip shows at least, metres on each side."""
_LAND = {info.code: info.name_zh for info in LAND_CLASSES}
_CAUSES = {info.code: info.name_zh for info in CAUSE_CLASSES}


def flags(folder: Path, rules: Patches) -> tuple[Flags, ...]:
    """
    Find the maps of a publication that tell of change; none where there is none.

    Losses are the alerts from ``least_confidence`` on; what was seen less often waits on the map
    for its next look. Gains are those of the comparison with the baseline, as trees that grow
    slowly are no alert, and alerts of the highest confidence. Without alerts the comparison alone:
    it has no next look, and what is less sure is a candidate, see :func:`jinhua_rs.patches.tier`.
    """
    alert, change = folder / "alert.tif", folder / "change.tif"
    if not alert.is_file():
        return (Flags(change, _CHANGES),) if change.is_file() else ()
    sure, likely = folder / "alert_confidence.tif", folder / "change_confidence.tif"
    found = (
        Flags(alert, _only(_ALERTS, "loss"), (sure, rules.least_confidence)),
        Flags(change, _only(_CHANGES, "gain"), (likely, rules.report_gain)),
        Flags(alert, _only(_ALERTS, "gain"), (sure, _HIGHEST)),
    )
    return tuple(one for one in found if one.raster.is_file())


def _only(codes: Mapping[int, str], kind: str) -> Mapping[int, str]:
    return {code: name for code, name in codes.items() if name == kind}


def maps_of(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Return the maps of a publication by which patches are measured, by quantity."""
    found = {
        name: tuple(folder / file for file in files if (folder / file).is_file())
        for name, files in _MAPS.items()
    }
    return {name: paths for name, paths in found.items() if paths}


def find(
    place: Place,
    flagged: Sequence[Flags],
    layers: Mapping[str, Layer],
    memory: Memory,
    progress: Progress,
) -> Register:
    """Outline, name and measure the changed ground of a period, and write it into its register."""
    stage, rules = f"{place.period} patches", place.settings.patches
    progress(stage, 0, 3)
    found, lattice = patches.trace(flagged, min_m2=rules.candidate_m2, hole_m2=rules.hole_m2)
    progress(stage, 1, 3)
    seen = patches.identify(
        found,
        memory,
        same_share=rules.same_share,
        min_m2=rules.candidate_m2,
        pixel_m=lattice.pixel_m,
    )
    progress(stage, 2, 3)
    outlines = gpd.GeoSeries([piece.outline for piece in seen.pieces], crs=found.crs)
    ground = Ground(maps_of(flagged[0].raster.parent), place.counties, layers)
    facts = patches.measure(outlines, lattice, ground)
    progress(stage, 3, 3)
    return patches.register_of(seen, facts, memory, str(place.period))


def draw(
    place: Place,
    register: Register,
    book: Book,
    folder: Path,
    brief: Brief,
    published: Sequence[Publication],
) -> None:
    """
    Write the table by county, the map, the chart and the foremost patches before and after.

    The last is left out where no map of NDVI was published.

    Parameters
    ----------
    place : Place
    register : Register
    book : Book
        Verdicts so far: what was judged is not among the foremost.
    folder : Path
        Is being made.
    brief : Brief
        Words of every picture.
    published : sequence of Publication
        Of the season, oldest first; the last is the period itself.
    """
    rules = place.settings.patches
    table = patches.by_county(register, place.counties, rules, rejected=book.rejected)
    table.to_csv(folder / "patches-by-county.csv")
    english = place.counties["name_en"].to_dict()
    rows = [
        CountyPatches(
            Words(str(row["name"]), str(english[code])),
            (int(row["loss_n"]), int(row["gain_n"])),
            (float(row["loss_mu"]), float(row["gain_mu"])),
        )
        for code, row in table.iterrows()
    ]
    title = Words("分县图斑数量与面积", "Patches by county")
    (folder / "patches-counties.png").write_bytes(patch_bars(rows, brief.caption(title)))
    (folder / "patches-map.png").write_bytes(_map(place, register, book, brief))
    values = patches.worth(register, book, rules)
    seen = [p for p in register.seen_now if values[p.id].rank]
    foremost = sorted(seen, key=lambda patch: values[patch.id].rank)[:_CHIPS]
    pair = _pair(place, published)
    if foremost and any(path for _, path in pair):
        chips = [_chip(patch, values[patch.id], pair) for patch in foremost]
        title = Words("优先核查图斑前后对比（NDVI，褐低绿高）", "Foremost patches, NDVI")
        (folder / "patches-chips.png").write_bytes(pair_sheet(chips, brief.caption(title)))


def _map(place: Place, register: Register, book: Book, brief: Brief) -> bytes:
    """Draw the patches that may be reported and were not rejected, by kind and tier."""
    rules = place.settings.patches
    seen = [patch for patch in register.seen_now if patch.id not in book.rejected]
    kinds = [(p.kind, patches.tier(p, rules)) for p in seen]
    layer = gpd.GeoDataFrame(
        {"category": [f"{kind} {size}" for kind, size in kinds]},
        geometry=[p.outline for p in seen],
        crs=place.settings.area.crs,
    )
    categories = {
        f"{kind} {size}": (
            Words(f"{KINDS[kind][0]}·{TIERS[size][0]}", f"{kind}, {size}"),
            colour,
        )
        for (kind, size), colour in _COLOURS.items()
    }
    title = Words("图斑分布图", "Patches")
    return place_map(layer, categories, brief.units, brief.caption(title), ground=brief.ground)


Pair = tuple[tuple[str, Path | None], tuple[str, Path | None]]
"""Period and NDVI map before and after; None where there is no map."""


def _pair(place: Place, published: Sequence[Publication]) -> Pair:
    """Find NDVI before and after: of the baseline, or else of the same season before."""
    now = published[-1].folder
    after, before = now / "ndvi.tif", now / "baseline" / "ndvi.tif"
    named = str(place.published.get("baseline") or "")
    if not before.is_file() and len(published) > 1:
        named, before = str(published[-2].period), published[-2].folder / "ndvi.tif"
    return (
        (named if before.is_file() else "—", before if before.is_file() else None),
        (str(place.period), after if after.is_file() else None),
    )


def _chip(patch: Patch, worth: Worth, pair: Pair) -> PatchPair:
    """Cut NDVI before and after around a patch."""
    left, bottom, right, top = patch.outline.bounds
    half = max(_AROUND * max(right - left, top - bottom) / 2, _LEAST_M)
    x, y = (left + right) / 2, (bottom + top) / 2
    extent = (x - half, x + half, y - half, y + half)
    facts = patch.facts
    known = facts.before or facts.after
    classes = " → ".join(_LAND.get(code, "—") for code in (facts.before, facts.after) if known)
    cause = _CAUSES.get(facts.cause, "")
    told = "　".join(filter(None, (f"{mu(facts.area_m2):.1f} 亩", classes, cause)))
    return PatchPair(
        title=Words(f"{worth.rank}. {patch.id}　{facts.county_name}", f"{worth.rank}. {patch.id}"),
        lines=Words(told, f"{mu(facts.area_m2):.1f} mu, expected value {worth.value:.1f}"),
        outline=patch.outline,
        before=None if pair[0][1] is None else _cut(pair[0][1], extent),
        after=None if pair[1][1] is None else _cut(pair[1][1], extent),
        when=(pair[0][0], pair[1][0]),
        extent=extent,
        loss=patch.kind == "loss",
    )


def _cut(path: Path, extent: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """Cut a map along an extent, NaN beyond its edges."""
    left, right, _, top = extent
    data = store.open_map(path)
    step = float(data.x[1] - data.x[0])
    n = round((right - left) / step)
    xs = left + step * (np.arange(n) + 0.5)
    ys = top - step * (np.arange(n) + 0.5)
    cut = data.reindex(x=xs, y=ys, method="nearest", tolerance=step)
    return np.asarray(cut.to_numpy(), dtype="float32")
