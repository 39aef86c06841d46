"""What a worker says of a tile."""

from dataclasses import dataclass

__all__ = ["Made"]


@dataclass(frozen=True, slots=True)
class Made:
    """
    What became of a tile: ``done`` or ``reused``.

    ``broken`` names the assets (``<scene>/<band>``) that could not be read, and why;
    ``widened`` of its ``clear_pixels`` needed looks from the days around the period.
    """

    tile: str
    state: str
    broken: dict[str, str]
    clear_pixels: int
    widened: int = 0
