"""
The second recipe: what a published period adds to what was known before, top to bottom.

Patches of changed ground are outlined, named and measured. The register that the period before
left behind and the verdicts of people are inputs; the new register goes out to
``outputs/<period>/followup/``, whole or not at all, and with it the books of planting, mines and
plan layers, made from all that was published of the season.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinhua_rs import __version__, casework, patches, patchwork, store
from jinhua_rs.casework import Case
from jinhua_rs.dossier import Brief
from jinhua_rs.errors import IntegrityError, NoDataError
from jinhua_rs.following import Followed, Place, find_followed
from jinhua_rs.history import publications
from jinhua_rs.layers import Layer
from jinhua_rs.patches import Book, Flags
from jinhua_rs.planning import PUBLISHED, fingerprint
from jinhua_rs.tasks import Progress

__all__ = ["BOOKS", "run"]

BOOKS = "books"
"""Folder, in what is followed up, of the books of planting, mines and plan layers."""


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
        If another run works on the period, or on the patches and verdicts of the area.
    """
    with store.locked(place.folder), store.locked(place.verdicts.parent):
        flagged = _flags(place)
        (layers, refused), book = place.layers(), Book(place.verdicts)
        case = _case(place, layers, refused)
        receipt = _receipt(place, flagged, case, book)
        if not _stands(place.target, receipt):
            store.sweep(place.folder)
            memory = place.memory(book)
            register = patchwork.find(place, flagged, layers, memory, progress)
            with store.whole(place.target) as part:
                part.mkdir()
                patches.write_register(part, register)
                patchwork.draw(place, register, book, part, case.brief, case.published)
                stage = f"{place.period} books"
                facts = casework.work_up(
                    case, register, part / BOOKS, lambda done: progress(stage, done, 4)
                )
                store.write_json(part / "run.json", receipt | {"books": facts})
                store.write_sums(part, [path for path in part.rglob("*") if path.is_file()])
                _keep_former(place.target)
    return find_followed(place)


def _flags(place: Place) -> tuple[Flags, ...]:
    """Find the maps that tell of change in a publication that is whole."""
    place.published  # noqa: B018 - raises unless the period is published and whole
    found = patchwork.flags(place.folder / PUBLISHED, place.settings.patches)
    if not found:
        raise NoDataError(
            f"{place.period} has neither alerts nor a baseline that it was compared with; "
            "set [time] baseline and run the period again",
            zh=f"{place.period} 既无预警图也无基期对比；请设置 [time] baseline 后重新运行该时段",
        )
    return found


def _case(place: Place, layers: Mapping[str, Layer], refused: tuple[tuple[str, str], ...]) -> Case:
    """Lay everything that was supplied over what was published of the season."""
    themes, more = casework.plan_layers(place.settings, place.outline, layers)
    opened = {**layers, **themes}.values()
    former = place.former()
    published = publications(place.settings.output.root, place.period, unit=place.unit)
    return Case(
        settings=place.settings,
        published=published,
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
            remarks=list(
                dict.fromkeys(
                    [*refused, *more, *(one for layer in opened for one in layer.remarks())]
                )
            ),
            ground=published[-1].map("landcover"),
        ),
    )


def _receipt(place: Place, flagged: Sequence[Flags], case: Case, book: Book) -> dict[str, object]:
    """Say what the followup is made from; all but the verdicts decide whether it still stands."""
    former = place.former()
    folder = place.folder / PUBLISHED
    maps = {one.raster for one in flagged}.union(*patchwork.maps_of(folder).values())
    made = {
        "code": __version__,
        "label": place.label,
        "maps": {path.relative_to(folder).as_posix(): store.digest(path) for path in sorted(maps)},
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
    if not (target / "run.json").is_file():
        return None
    told = store.read_json(target / "run.json")
    return str(told.get("key")) if isinstance(told, dict) else None


def _keep_former(target: Path) -> None:
    """Copy what was followed up from other inputs to ``history``, where it is kept whole."""
    kept = target.parent / "history" / f"{target.name}-{_key(target)}"
    if (target / store.SUMS).is_file() and not kept.exists():
        with store.whole(kept) as part:
            shutil.copytree(target, part)
