"""
The second recipe: what a published period adds to what was known before, top to bottom.

Patches of changed ground are outlined, named and measured. The register that the period before
left behind and the verdicts of people are inputs; the new register goes out to
``outputs/<period>/followup/``, whole or not at all, and with it the books of planting, mines and
plan layers, made from all that was published of the season.
"""

from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd

from jinhua_rs import __version__, casework, patches, store
from jinhua_rs.casework import Case
from jinhua_rs.dossier import Brief
from jinhua_rs.errors import IntegrityError, NoDataError
from jinhua_rs.following import Followed, Place, find_followed
from jinhua_rs.history import publications
from jinhua_rs.layers import Layer
from jinhua_rs.patches import Book, Ground, Memory, Register
from jinhua_rs.planning import PUBLISHED, fingerprint
from jinhua_rs.schema import Change
from jinhua_rs.tasks import Progress

__all__ = ["BOOKS", "run"]

BOOKS = "books"
"""Folder, in what is followed up, of the books of planting, mines and plan layers."""
_ALERTS = {2: "loss", 3: "gain"}
_CHANGES = {int(Change.LOSS): "loss", int(Change.GAIN): "gain"}
_MAPS = {
    "before": "baseline/landcover.tif",
    "after": "landcover.tif",
    "first_day": "alert_day.tif",
    "last_day": "alert_last.tif",
    "confidence": "alert_confidence.tif",
    "cause": "alert_cause.tif",
    "size": "alert_size.tif",
    "looks": "n_looks.tif",
}
"""Published map of each quantity that is measured; without the map it is not known."""


def run(place: Place, *, progress: Progress) -> Followed:
    """
    Follow a published period up.

    What was followed up from the same inputs stands as it is. From other inputs (a corrected
    publication, another layer, a corrected earlier period) it is made again; the former one moves
    to ``history/``, every patch keeps its name, and one that people acted on keeps its outline.

    Raises
    ------
    NoDataError
        If the period is not published, or nothing in it tells of change.
    ConfigError
        If a layer cannot be used.
    IntegrityError
        If the publication, a register or the book of verdicts is damaged.
    LockedError
        If another run works on the period.
    """
    with store.locked(place.folder):
        raster, codes = _flags(place)
        layers, book = place.layers(), Book(place.verdicts)
        case = _case(place, layers)
        receipt = _receipt(place, raster, case, book)
        if not _stands(place.target, receipt):
            store.sweep(place.folder)
            memory = place.memory(book)
            register = _patches(place, raster, codes, layers, memory, progress)
            with store.whole(place.target) as part:
                part.mkdir()
                patches.write_register(part, register)
                stage = f"{place.period} books"
                facts = casework.work_up(
                    case, register, part / BOOKS, lambda done: progress(stage, done, 4)
                )
                store.write_json(part / "run.json", receipt | {"books": facts})
                store.write_sums(part, [path for path in part.rglob("*") if path.is_file()])
                _keep_former(place.target)
    return find_followed(place)


def _flags(place: Place) -> tuple[Path, Mapping[int, str]]:
    """Find the map that tells of change: alerts, or the comparison with the baseline."""
    place.published  # noqa: B018 - raises unless the period is published and whole
    folder = place.folder / PUBLISHED
    for path, codes in ((folder / "alert.tif", _ALERTS), (folder / "change.tif", _CHANGES)):
        if path.is_file():
            return path, codes
    raise NoDataError(
        f"{place.period} has neither alerts nor a baseline that it was compared with; "
        "set [time] baseline and run the period again",
        zh=f"{place.period} 既无预警图也无基期对比；请设置 [time] baseline 后重新运行该时段",
    )


def _maps(raster: Path) -> dict[str, Path]:
    maps = {name: raster.parent / file for name, file in _MAPS.items()}
    return {name: path for name, path in maps.items() if path.is_file()}


def _patches(
    place: Place, raster: Path, codes: Mapping[int, str], layers: Mapping[str, Layer],
    memory: Memory, progress: Progress,
) -> Register:  # fmt: skip
    """Outline, name and measure the changed ground of the period."""
    stage, rules = f"{place.period} patches", place.settings.patches
    progress(stage, 0, 3)
    found, lattice = patches.trace(raster, codes, min_m2=rules.candidate_m2, hole_m2=rules.hole_m2)
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
    facts = patches.measure(outlines, lattice, Ground(_maps(raster), place.counties, layers))
    progress(stage, 3, 3)
    return patches.register_of(seen, facts, memory, str(place.period))


def _case(place: Place, layers: Mapping[str, Layer]) -> Case:
    """Lay everything that was supplied over what was published of the season."""
    themes = casework.plan_layers(place.settings, place.outline, layers)
    opened = {**layers, **themes}.values()
    former = place.former()
    return Case(
        settings=place.settings,
        published=publications(place.settings.output.root, place.period, unit=place.unit),
        outline=place.outline,
        counties=place.counties,
        layers=layers,
        themes=themes,
        former=None if former is None else former[1] / BOOKS,
        brief=Brief(
            period=place.period,
            run_id=str(place.published.get("run_id", "")),
            label=place.label,
            credit=place.credit,
            units=place.units,
            remarks=list(dict.fromkeys(one for layer in opened for one in layer.remarks())),
        ),
    )


def _receipt(place: Place, raster: Path, case: Case, book: Book) -> dict[str, object]:
    """Say what the followup is made from; all but the verdicts decide whether it still stands."""
    former = place.former()
    maps = [raster, *_maps(raster).values()]
    made = {
        "code": __version__,
        "label": place.label,
        "maps": {path.relative_to(raster.parent).as_posix(): store.digest(path) for path in maps},
        "layers": {role: layer.digest for role, layer in case.layers.items()},
        "themes": {role: layer.digest for role, layer in case.themes.items()},
        "asked": {
            name: theme.model_dump(mode="json", exclude={"layer", "within"})
            for name, theme in place.settings.themes.items()
        },
        "history": {str(one.period): one.run_id for one in case.published},
        "dem": "" if place.settings.mask.dem is None else store.digest(place.settings.mask.dem),
        "counties": sorted(map(str, place.counties.index)),
        "patches": place.settings.patches.model_dump(mode="json"),
        "former": None if former is None else store.digest(former[1] / patches.PATCHES),
    }
    told = {
        "period": str(place.period),
        "connectivity": 4,
        "remarks": [zh for _, zh in case.brief.remarks],
        "verdicts": len(book.verdicts),
        "verdict": book.head,
    }
    return {"key": fingerprint(made)} | made | told


def _stands(target: Path, receipt: Mapping[str, object]) -> bool:
    """Tell whether what was followed up from these inputs is there and undamaged."""
    try:
        return _key(target) == receipt["key"] and not store.verify_sums(target)
    except IntegrityError:
        return False


def _key(target: Path) -> str | None:
    told = store.read_json(target / "run.json")
    return str(told.get("key")) if isinstance(told, dict) else None


def _keep_former(target: Path) -> None:
    """Move what was followed up from other inputs to ``history``, whole as it is."""
    if (target / store.SUMS).is_file():
        kept = target.parent / "history" / f"{target.name}-{_key(target)}"
        kept.parent.mkdir(exist_ok=True)
        if not kept.exists():
            target.rename(kept)
