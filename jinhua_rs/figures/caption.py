"""What stands on every figure beside the data: titles, dates, run, credit and the mark."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Caption", "Language", "Words"]

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Words:
    """
    One text in both languages.

    Examples
    --------
    >>> Words("金华市", "Jinhua").to("en")
    'Jinhua'
    """

    zh: str
    en: str

    def to(self, language: Language) -> str:
        """Return the text in ``language``."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """
    The words around a figure.

    Attributes
    ----------
    title : Words
        What is shown, ``Words("林木覆盖图", "Tree cover")``.
    when : Words
        Period and data dates, printed under the title.
    run_id : str
        The run the figure was made by, printed at the foot.
    credit : Words
        Sources that must be named wherever the figure goes.
    mark : Words or None
        Mark of simulated data; printed across the map and in a red tag. ``None`` for real data.
    """

    title: Words
    when: Words
    run_id: str
    credit: Words
    mark: Words | None = None

    def titled(self, title: Words) -> "Caption":
        """Return the same caption under another title."""
        return Caption(
            title=title, when=self.when, run_id=self.run_id, credit=self.credit, mark=self.mark
        )
