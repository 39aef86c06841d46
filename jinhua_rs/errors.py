"""
The error tree: one base to catch, one exit code per kind of trouble.

::

    JinhuaError                 1   anything this package raises on purpose
    ├── ConfigError             2   a setting, argument or layer that the user must change
    │   └── DatumError          2   a layer whose coordinates look as if they were in GCJ-02
    ├── NoDataError             3   nothing to judge by: no scene, no clear pixel, no sample
    ├── PartialError            4   some tiles or assets failed; the rest is kept for the next run
    │   └── PoisonError         4   a piece of work whose worker dies of it each time
    ├── IntegrityError          5   something is damaged or is not what it claims to be
    │   └── ContractError       5   a stage was handed an array that breaks the schema
    │       └── GridMismatch    5   two arrays do not lie on one grid
    └── LockedError            75   another run holds the period

Every message says what is wrong, where, and what to do next, in English and in Chinese.
"""

from typing import ClassVar

__all__ = [
    "ConfigError",
    "ContractError",
    "DatumError",
    "GridMismatch",
    "IntegrityError",
    "JinhuaError",
    "LockedError",
    "NoDataError",
    "PartialError",
    "PoisonError",
]


class JinhuaError(Exception):
    """
    Base of all errors raised on purpose.

    Parameters
    ----------
    message : str
        What, where and what to do next, in English.
    zh : str
        The same in Chinese.

    Examples
    --------
    >>> error = NoDataError("no scene in 2024Q3", zh="2024Q3 没有影像")
    >>> str(error), error.text("zh"), error.exit_code
    ('no scene in 2024Q3', '2024Q3 没有影像', 3)
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, zh: str) -> None:
        super().__init__(message)
        self.zh = zh

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the journey between processes, both languages included."""
        return _rebuild, (type(self), str(self), self.zh)

    def text(self, language: str) -> str:
        """Return the message in ``language`` (``"zh"`` or ``"en"``)."""
        return self.zh if language == "zh" else str(self)


def _rebuild(kind: type[JinhuaError], message: str, zh: str) -> JinhuaError:
    return kind(message, zh=zh)


class ConfigError(JinhuaError):
    """A setting, an argument or a supplied layer must be changed."""

    exit_code = 2


class DatumError(ConfigError):
    """A layer whose coordinates look as if they were in another datum."""


class NoDataError(JinhuaError):
    """Nothing to judge by: no scene, no clear pixel, no sample."""

    exit_code = 3


class PartialError(JinhuaError):
    """Some tiles or assets failed; what is finished is kept."""

    exit_code = 4


class PoisonError(PartialError):
    """A piece of work whose worker dies of it each time; its neighbours are not harmed."""


class IntegrityError(JinhuaError):
    """A file, item or model is damaged or is not what it claims to be."""

    exit_code = 5


class ContractError(IntegrityError):
    """An array breaks the schema: wrong name, dtype, dims or unit."""


class GridMismatch(ContractError):  # noqa: N818 - the field's own word
    """Two arrays do not lie on one grid."""


class LockedError(JinhuaError):
    """Another run holds the lock of this period."""

    exit_code = 75
