"""A claim as a report tells it: all it rests on, its verdict and its words, in both languages."""

import math
from dataclasses import dataclass
from typing import ClassVar, get_args

from pydantic import ConfigDict

from jinhua_rs.estimation.claims import Claim
from jinhua_rs.estimation.verdicts import Verdict
from jinhua_rs.figures import Language, Words
from jinhua_rs.schema import INDICATORS

__all__ = ["Said"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """
    One thing that is said; the outlets print these words and make none of their own.

    Attributes
    ----------
    what, unit, period, baseline : str
        Indicator, code of the unit, period, and what a change is measured from (or ``None``).
    value, low, high : float
        In ``measure``; ``None`` is "not known".
    n : int
        Reference points, or years of a trend.
    clear_share : float, 0-1
    test : str
        How the interval was made.
    p : float
        Of the test beside the interval, or ``None``.
    status : str
        One of ``schema.Status``.
    significant : bool
        True for a change that may be called one; ``arrow`` is empty otherwise.
    target : float
        What it was held against, or ``None``.
    verdict : str
        Chinese word of a :class:`~jinhua_rs.estimation.claims.Verdict`; ``None`` where nothing
        is judged: no target, a quarter, a change.
    reading : Words
        How the interval lies to the target; ``None`` without a target.
    cell, sentence : Words
        For a table, and in full.
    """

    what: str
    unit: str
    period: str
    baseline: str | None
    value: float | None
    low: float | None
    high: float | None
    measure: str
    n: int
    clear_share: float | None
    test: str
    p: float | None
    status: str
    significant: bool
    arrow: str
    target: float | None
    verdict: str | None
    reading: Words | None
    cell: Words
    sentence: Words

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    @classmethod
    def of(cls, claim: Claim, place: Words, *, target: float | None = None) -> "Said":
        """Tell ``claim`` about the unit called ``place``, held against ``target`` if given."""
        zh, en = get_args(Language)
        verdict = None if target is None else claim.verdict(target)
        reading = None
        if target is not None:
            reading = Words(claim.reading(target, zh), claim.reading(target, en))
        return cls(
            what=claim.what,
            unit=claim.unit,
            period=str(claim.period),
            baseline=None if claim.baseline is None else str(claim.baseline),
            value=_known(claim.value),
            low=_known(claim.low),
            high=_known(claim.high),
            measure=INDICATORS[claim.what].measure,
            n=claim.n,
            clear_share=_known(claim.clear_share),
            test=claim.test,
            p=_known(claim.p),
            status=claim.status,
            significant=claim.significant,
            arrow=claim.arrow,
            target=target,
            verdict=None if verdict is None else verdict.value,
            reading=reading,
            cell=Words(claim.cell(zh), claim.cell(en)),
            sentence=Words(claim.sentence(zh, place=place.zh), claim.sentence(en, place=place.en)),
        )

    @property
    def judged(self) -> Verdict | None:
        """The verdict, or None where nothing is judged."""
        return None if self.verdict is None else Verdict(self.verdict)


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
