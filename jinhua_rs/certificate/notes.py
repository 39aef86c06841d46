"""A remark or reason in both languages, with a short code to count by."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Note", "joined"]


@dataclass(frozen=True, slots=True)
class Note:
    """What was found: ``code`` such as ``offset-missing``, and the same in English and Chinese."""

    code: str
    en: str
    zh: str


def joined(notes: Iterable[Note]) -> tuple[str, str]:
    """
    English and Chinese text of several notes, one sentence each.

    >>> joined([Note("a", "one", "一"), Note("b", "two", "二")])
    ('one; two', '一；二')
    """
    listed = tuple(notes)
    return "; ".join(note.en for note in listed), "；".join(note.zh for note in listed)
