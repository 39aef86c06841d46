"""The period of a product: a calendar quarter or year in Asia/Shanghai, half-open."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo

from jinhua_rs.errors import ConfigError

__all__ = ["ZONE", "Period"]

ZONE = ZoneInfo("Asia/Shanghai")

_CHINESE_DIGITS = {"一": 1, "二": 2, "三": 3, "四": 4}
_FORMS = re.compile(
    r"""^(?P<year>\d{4})\s*年?\s*
        (?:[-_ ]?[Qq](?P<latin>[1-4]) | 第?(?P<chinese>[1-4一二三四])\s*季度?)?$""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Period:
    """
    A calendar quarter or year in Asia/Shanghai, half-open: ``start <= t < stop``.

    ``quarter`` is ``None`` for a whole year. Adding an integer moves by quarters
    (or by years for a year), so that "same quarter last year" is ``period - 4``.

    Examples
    --------
    >>> q = Period.parse("2024年第三季度")
    >>> str(q), str(q + 2), str(q - 4)
    ('2024Q3', '2025Q1', '2023Q3')
    >>> str(Period.parse("2024") - 1)
    '2023'
    """

    year: int
    quarter: int | None = None

    def __post_init__(self) -> None:
        if not 2015 <= self.year <= 2100 or self.quarter not in (None, 1, 2, 3, 4):
            raise _unknown(str(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read ``2024Q3``, ``2024``, ``2024年第三季度`` or ``2024年3季度``.

        Raises
        ------
        ConfigError
            If ``text`` is none of these or lies outside 2015-2100.
        """
        found = _FORMS.match(text.strip())
        if found is None:
            raise _unknown(text)
        mark = found["latin"] or found["chinese"]
        quarter = None if mark is None else _CHINESE_DIGITS.get(mark) or int(mark)
        return cls(int(found["year"]), quarter)

    @property
    def start(self) -> datetime:
        """First instant of the period, with zone."""
        month = 1 if self.quarter is None else 3 * self.quarter - 2
        return datetime(self.year, month, 1, tzinfo=ZONE)

    @property
    def stop(self) -> datetime:
        """First instant after the period, with zone."""
        # From plain numbers: the period after the last one is not a Period.
        years, month = divmod(12 if self.quarter is None else 3 * self.quarter, 12)
        return datetime(self.year + years, month + 1, 1, tzinfo=ZONE)

    @property
    def name_zh(self) -> str:
        """Chinese name, ``2024年第三季度``."""
        if self.quarter is None:
            return f"{self.year}年"
        return f"{self.year}年第{'一二三四'[self.quarter - 1]}季度"

    def contains(self, instant: datetime) -> bool:
        """Tell whether an instant with zone lies in the period."""
        return self.start <= instant < self.stop

    def comparable(self, other: "Period") -> bool:
        """Tell whether both are the same season, so that a change between them has meaning."""
        return self.quarter == other.quarter

    def __add__(self, steps: int) -> Self:
        if self.quarter is None:
            return type(self)(self.year + steps)
        year, index = divmod(4 * self.year + self.quarter - 1 + steps, 4)
        return type(self)(year, index + 1)

    def __sub__(self, steps: int) -> Self:
        return self + -steps

    def __lt__(self, other: "Period") -> bool:
        return (self.start, self.stop) < (other.start, other.stop)

    def __str__(self) -> str:
        return f"{self.year}" if self.quarter is None else f"{self.year}Q{self.quarter}"


def _unknown(text: str) -> ConfigError:
    return ConfigError(
        f"unknown period {text!r}; write a quarter such as 2024Q3 or 2024年第三季度, "
        "or a year such as 2024, between 2015 and 2100",
        zh=f"无法识别的时段 {text!r}；请写成 2024Q3、2024年第三季度 或 2024（2015–2100 年）",
    )
