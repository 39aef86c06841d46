"""Patches on their way to the people and back: what is handed out, what is taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinhua_rs import delivery, planning, store
from jinhua_rs.delivery import Handover
from jinhua_rs.errors import ConfigError
from jinhua_rs.following import Place, find_followed, known_patches
from jinhua_rs.patches import Book, by_county
from jinhua_rs.settings import Settings

__all__ = ["Taken", "hand_out", "take_back"]


@dataclass(frozen=True, slots=True)
class Taken:
    """How many answers were accepted, known already, refused; where the refused ones are listed."""

    accepted: int
    known: int
    refused: int
    listed: Path | None


def hand_out(
    place: Place, formats: Sequence[str], folder: Path | None, *, now: datetime
) -> list[Path]:
    """
    Write the patches of a period that was followed up, with the verdicts so far.

    Parameters
    ----------
    place : Place
    formats : sequence of str
        Of :data:`jinhua_rs.delivery.FORMATS`.
    folder : Path, optional
        Where to; ``outputs/<period>/handover`` if left out.
    now : datetime
        Instant with zone that the files carry.

    Raises
    ------
    ConfigError
        On a format that is not known.
    NoDataError
        If the period was not followed up.
    """
    unknown = sorted(set(formats) - set(delivery.FORMATS))
    if unknown:
        raise ConfigError(
            f"unknown format {unknown[0]!r}; known are {', '.join(delivery.FORMATS)}",
            zh=f"未知格式 {unknown[0]!r}；可用：{'、'.join(delivery.FORMATS)}",
        )
    followed, rules, book = find_followed(place), place.settings.patches, Book(place.verdicts)
    given = Handover(
        rows=list(delivery.rows(followed.register, book, rules, followed.label)),
        counties=by_county(followed.register, place.counties, rules, rejected=book.rejected),
        crs=place.settings.area.crs,
        title=f"{place.area_zh} {place.period.name_zh} 图斑",
        label=followed.label,
        rules=rules,
        now=now,
    )
    target = folder or place.folder / "handover"
    return delivery.hand_over(given, target, f"patches_{place.period}", formats)


def take_back(path: Path, settings: Settings, county: str | None, *, now: datetime) -> Taken:
    """
    Read answers from a file and write those that may stand into the book of verdicts.

    An answer that cannot stand is listed with its reason in ``refused/`` beside the book, so that
    nothing is lost; the book is written whole or not at all.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    NoDataError
        If no period was followed up yet.
    IntegrityError
        If the book or a register is damaged.
    LockedError
        If another import is at work.
    """
    unit = planning.unit_code(settings, county)
    book_path = planning.verdicts_book(settings, unit)
    answers = delivery.read_answers(path)
    with store.locked(book_path.parent):
        book = Book(book_path)
        judged = delivery.judge(answers, known_patches(settings, unit), book, now=now)
        listed = None
        if judged.refused:
            name = f"{path.stem}-{store.digest(path)[:8]}.csv"
            listed = book_path.parent / "refused" / name
            with store.whole(listed) as part:
                delivery.write_refused(part, judged.refused)
        if judged.accepted:
            book.append(judged.accepted)
    return Taken(len(judged.accepted), judged.known, len(judged.refused), listed)
