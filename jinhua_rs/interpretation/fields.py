"""What is asked of an interpreter at a point: the columns of a form, and what may stand in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from jinhua_rs.schema import LAND_CLASSES

__all__ = ["FORM", "POINT", "SURE", "Field", "answers", "canopy", "fields", "land", "sure"]

POINT, FORM = "point", "form"

SURE = (("high", "高"), ("medium", "中"), ("low", "低（拿不准）"), ("none", "无法判读"))
"""How sure an interpreter is. ``low`` counts, but is told apart; ``none`` is left out."""
_LAND = tuple((str(info.code), f"{info.code} {info.name_zh}") for info in LAND_CLASSES)
_BASIS = (
    ("chip", "本包判读图"), ("fine", "高分影像"), ("field", "实地"), ("other", "其他"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """
    A column of the form.

    ``key`` is its name in a GeoPackage, ``title`` what stands above it in a workbook, ``width`` in
    characters. ``choices`` are what may be chosen, key and label. ``asked`` is False for what is
    given; ``number`` is True for a percentage.
    """

    key: str
    title: str
    width: int
    choices: tuple[tuple[str, str], ...] = ()
    asked: bool = True
    number: bool = False


def canopy(period: str) -> str:
    """Key of the canopy cover in a period, %."""
    return f"canopy_{period}"


def land(period: str) -> str:
    """Key of the land-cover class in a period."""
    return f"class_{period}"


def sure(period: str) -> str:
    """Key of how sure the interpreter is of a period."""
    return f"sure_{period}"


def fields(periods: Sequence[str]) -> tuple[Field, ...]:
    """All columns of a form, in order; three a period are to be answered."""
    given = (
        Field(POINT, "样点", 9, asked=False),
        Field("lon", "经度", 12, asked=False),
        Field("lat", "纬度", 12, asked=False),
    )
    asked = (
        (
            Field(canopy(period), f"林冠覆盖度（%）\n{period}", 16, number=True),
            Field(land(period), f"地类\n{period}", 18, _LAND),
            Field(sure(period), f"把握\n{period}", 14, SURE),
        )
        for period in periods
    )
    rest = (
        Field("basis", "依据", 13, _BASIS),
        Field("note", "备注", 30),
        Field(FORM, "表号（勿改）", 20, asked=False),
    )
    return (*given, *(field for three in asked for field in three), *rest)


def answers(periods: Sequence[str]) -> tuple[Field, ...]:
    """Return the columns that are read back."""
    return tuple(one for one in fields(periods) if one.asked or one.key in (POINT, FORM))
