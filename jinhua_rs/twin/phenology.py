"""
How every kind of ground looks through the year: pure spectra and a calendar of mixtures.

Reflectances are round numbers of the size that published spectra of such ground have, set
down for the simulation; they are not measurements. Calendars follow the farming and forest
year of central Zhejiang.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from jinhua_rs.period import ZONE
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.twin.kinds import Kind
from jinhua_rs.twin.light import utc

__all__ = ["MOSO_TURNED", "PURE", "spectra_on"]

Field = npt.NDArray[np.float32]
Calendar = tuple[tuple[int, Mapping[str, float]], ...]

MOSO_TURNED: Final = max(Kind) + 1
"""Row of the tables for moso stands whose leaf change falls in the other year."""

# blue, green, red, rededge1, rededge2, rededge3, nir, nir08, swir16, swir22; per mille
_PURE_PER_MILLE: Final[dict[str, tuple[int, ...]]] = {
    "broadleaf": (18, 38, 24, 66, 218, 282, 310, 324, 132, 57),
    "broadleaf flush": (22, 52, 31, 85, 245, 305, 330, 345, 150, 68),
    "conifer": (17, 33, 24, 59, 168, 210, 228, 240, 107, 48),
    "deciduous": (20, 46, 26, 80, 262, 345, 368, 386, 166, 72),
    "deciduous autumn": (31, 58, 66, 102, 195, 235, 255, 270, 200, 108),
    "twigs": (46, 64, 80, 103, 138, 155, 168, 182, 212, 132),
    "bamboo": (22, 57, 31, 101, 282, 358, 388, 402, 170, 72),
    "bamboo pale": (31, 74, 55, 122, 262, 322, 350, 364, 200, 95),
    "tea": (26, 57, 38, 93, 226, 274, 296, 310, 178, 92),
    "tea flush": (28, 74, 44, 110, 250, 300, 325, 340, 190, 98),
    "camellia": (22, 45, 33, 80, 205, 252, 274, 288, 156, 76),
    "shrub": (28, 56, 44, 92, 205, 250, 270, 285, 186, 100),
    "grass": (31, 66, 50, 103, 225, 270, 292, 306, 196, 107),
    "dry grass": (50, 74, 88, 118, 165, 186, 206, 222, 262, 172),
    "litter": (40, 56, 70, 92, 126, 142, 158, 172, 204, 130),
    "citrus": (25, 54, 36, 90, 240, 296, 320, 336, 174, 84),
    "rice": (24, 57, 34, 92, 268, 350, 380, 394, 160, 70),
    "ripe rice": (42, 86, 84, 134, 225, 262, 288, 302, 224, 130),
    "flooded": (62, 79, 72, 74, 66, 65, 62, 58, 34, 19),
    "stubble": (56, 80, 104, 134, 166, 184, 204, 218, 268, 186),
    "red soil": (72, 108, 202, 224, 240, 252, 270, 282, 338, 282),
    "damp soil": (52, 74, 106, 126, 144, 155, 170, 182, 228, 176),
    "rape": (23, 60, 37, 100, 272, 360, 392, 404, 164, 74),
    "rape flower": (42, 122, 104, 168, 282, 332, 362, 374, 180, 86),
    "vegetables": (31, 66, 50, 102, 226, 276, 298, 312, 198, 108),
    "maize": (26, 58, 40, 94, 246, 316, 344, 358, 186, 88),
    "roofs": (108, 126, 140, 150, 160, 168, 178, 184, 198, 180),
    "asphalt": (76, 86, 94, 100, 108, 114, 122, 128, 146, 132),
    "tiles": (82, 104, 130, 146, 162, 174, 186, 196, 208, 178),
    "rock": (138, 172, 204, 216, 226, 232, 242, 250, 292, 268),
    "river": (58, 78, 62, 56, 32, 30, 26, 23, 12, 8),
    "lake": (32, 44, 25, 22, 17, 16, 15, 13, 7, 4),
}
PURE: Final[dict[str, Field]] = {
    name: np.array(values, np.float32) / np.float32(1000)
    for name, values in _PURE_PER_MILLE.items()
}
"""Reflectance of pure ground, float32, dims (band,) in the order of ``BAND_NAMES``."""

# day of year -> what the ground under open sky is made of (for tree classes: the canopy)
_CALENDARS: Final[dict[int, Calendar]] = {
    Kind.EVERGREEN_BROADLEAF: (
        (30, {"broadleaf": 1.0}),
        (100, {"broadleaf": 0.55, "broadleaf flush": 0.45}),
        (130, {"broadleaf flush": 0.7, "broadleaf": 0.3}),
        (200, {"broadleaf": 0.8, "broadleaf flush": 0.2}),
        (300, {"broadleaf": 1.0}),
    ),
    Kind.CONIFER: (
        (20, {"conifer": 0.93, "litter": 0.07}),
        (150, {"conifer": 0.88, "broadleaf": 0.12}),
        (250, {"conifer": 0.92, "broadleaf": 0.08}),
        (330, {"conifer": 0.95, "litter": 0.05}),
    ),
    Kind.DECIDUOUS: (
        (80, {"twigs": 0.86, "broadleaf": 0.14}),
        (110, {"deciduous": 0.75, "twigs": 0.25}),
        (135, {"deciduous": 1.0}),
        (258, {"deciduous": 1.0}),
        (298, {"deciduous autumn": 0.6, "deciduous": 0.4}),
        (322, {"deciduous autumn": 0.85, "twigs": 0.15}),
        (345, {"twigs": 0.86, "broadleaf": 0.14}),
    ),
    Kind.MOSO_BAMBOO: (
        (1, {"bamboo": 0.75, "bamboo pale": 0.25}),
        (95, {"bamboo": 0.8, "bamboo pale": 0.2}),
        (150, {"bamboo": 0.95, "bamboo pale": 0.05}),
        (240, {"bamboo": 1.0}),
        (365, {"bamboo": 0.75, "bamboo pale": 0.25}),
    ),
    MOSO_TURNED: (
        (1, {"bamboo": 0.75, "bamboo pale": 0.25}),
        (95, {"bamboo": 0.45, "bamboo pale": 0.55}),
        (125, {"bamboo pale": 0.9, "twigs": 0.1}),
        (160, {"bamboo": 0.75, "bamboo pale": 0.25}),
        (240, {"bamboo": 1.0}),
        (365, {"bamboo": 0.75, "bamboo pale": 0.25}),
    ),
    Kind.TEA: (
        (40, {"tea": 0.72, "damp soil": 0.28}),
        (95, {"tea flush": 0.72, "tea": 0.08, "damp soil": 0.2}),
        (140, {"tea": 0.22, "twigs": 0.4, "red soil": 0.38}),
        (215, {"tea": 0.66, "tea flush": 0.1, "red soil": 0.24}),
        (300, {"tea": 0.76, "damp soil": 0.24}),
    ),
    Kind.OIL_CAMELLIA: (
        (30, {"camellia": 0.72, "litter": 0.18, "red soil": 0.1}),
        (150, {"camellia": 0.72, "grass": 0.2, "red soil": 0.08}),
        (300, {"camellia": 0.76, "dry grass": 0.12, "red soil": 0.12}),
    ),
    Kind.OTHER_SHRUB: (
        (40, {"shrub": 0.5, "dry grass": 0.5}),
        (130, {"shrub": 0.55, "grass": 0.42, "litter": 0.03}),
        (250, {"shrub": 0.6, "grass": 0.4}),
        (320, {"shrub": 0.58, "dry grass": 0.36, "grass": 0.06}),
    ),
    Kind.ORCHARD: (
        (45, {"citrus": 0.5, "red soil": 0.34, "damp soil": 0.16}),
        (120, {"citrus": 0.56, "grass": 0.16, "red soil": 0.28}),
        (220, {"citrus": 0.62, "grass": 0.12, "red soil": 0.26}),
        (320, {"citrus": 0.56, "red soil": 0.34, "dry grass": 0.1}),
    ),
    Kind.PADDY: (
        (60, {"stubble": 0.35, "grass": 0.3, "damp soil": 0.35}),
        (130, {"damp soil": 0.55, "grass": 0.35, "stubble": 0.1}),
        (158, {"flooded": 0.92, "damp soil": 0.08}),
        (176, {"flooded": 0.84, "rice": 0.16}),
        (222, {"rice": 1.0}),
        (255, {"rice": 0.85, "ripe rice": 0.15}),
        (292, {"ripe rice": 0.95, "stubble": 0.05}),
        (316, {"stubble": 0.8, "damp soil": 0.2}),
    ),
    Kind.DRY_CROP: (
        (20, {"vegetables": 0.42, "damp soil": 0.58}),
        (110, {"vegetables": 0.55, "damp soil": 0.25, "red soil": 0.2}),
        (155, {"maize": 0.45, "red soil": 0.55}),
        (215, {"maize": 0.82, "red soil": 0.18}),
        (262, {"stubble": 0.5, "red soil": 0.5}),
        (320, {"vegetables": 0.5, "damp soil": 0.5}),
    ),
    Kind.RAPE_ROTATION: (
        (20, {"rape": 0.5, "damp soil": 0.5}),
        (60, {"rape": 0.92, "damp soil": 0.08}),
        (78, {"rape flower": 0.85, "rape": 0.15}),
        (94, {"rape flower": 0.95, "rape": 0.05}),
        (112, {"rape flower": 0.25, "rape": 0.75}),
        (136, {"ripe rice": 0.55, "stubble": 0.45}),
        (164, {"flooded": 0.9, "damp soil": 0.1}),
        (184, {"flooded": 0.72, "rice": 0.28}),
        (228, {"rice": 1.0}),
        (264, {"rice": 0.8, "ripe rice": 0.2}),
        (300, {"ripe rice": 0.7, "stubble": 0.3}),
        (325, {"damp soil": 0.8, "rape": 0.2}),
    ),
    Kind.BUILT_DENSE: (
        (30, {"roofs": 0.5, "asphalt": 0.38, "broadleaf": 0.12}),
        (210, {"roofs": 0.5, "asphalt": 0.36, "broadleaf": 0.14}),
    ),
    Kind.VILLAGE: (
        (30, {"tiles": 0.62, "asphalt": 0.16, "damp soil": 0.1, "broadleaf": 0.12}),
        (210, {"tiles": 0.62, "asphalt": 0.16, "grass": 0.08, "broadleaf": 0.14}),
    ),
    Kind.BARE: (
        (30, {"red soil": 0.88, "dry grass": 0.12}),
        (210, {"red soil": 0.85, "grass": 0.15}),
    ),
    Kind.MINE: ((30, {"rock": 0.9, "red soil": 0.1}), (210, {"rock": 0.92, "red soil": 0.08})),
    Kind.RIVER: ((30, {"river": 0.8, "lake": 0.2}), (175, {"river": 1.0})),
    Kind.RESERVOIR: ((30, {"lake": 1.0}), (190, {"lake": 0.85, "river": 0.15})),
}
# what is seen between the crowns of the tree classes
_FLOOR: Final[Calendar] = (
    (45, {"dry grass": 0.4, "litter": 0.45, "shrub": 0.15}),
    (130, {"grass": 0.4, "shrub": 0.35, "litter": 0.25}),
    (240, {"grass": 0.35, "shrub": 0.4, "litter": 0.25}),
    (330, {"dry grass": 0.35, "litter": 0.4, "shrub": 0.25}),
)
_BAMBOO_FLOOR: Final[Calendar] = (
    (45, {"litter": 0.7, "shrub": 0.3}),
    (200, {"litter": 0.45, "shrub": 0.35, "grass": 0.2}),
)


def _mixture(parts: Mapping[str, float]) -> Field:
    total = np.zeros(len(BAND_NAMES), np.float32)
    for name, share in parts.items():
        total += np.float32(share) * PURE[name]
    return total


def _on(calendar: Calendar, day: float) -> Field:
    """Spectrum on a day of the year; eased between the dates of the calendar, round the year."""
    days = [entry for entry, _ in calendar]
    after = int(np.searchsorted(days, day, side="right")) % len(days)
    before = after - 1
    span = (days[after] - days[before]) % 365 or 365
    place = ((day - days[before]) % 365) / span
    weight = np.float32((1 - np.cos(np.pi * place)) / 2)
    first, second = _mixture(calendar[before][1]), _mixture(calendar[after][1])
    return first + weight * (second - first)


def spectra_on(when: datetime, *, days_late: float = 0.0) -> tuple[Field, Field]:
    """
    Spectra of all kinds at an instant.

    Parameters
    ----------
    when : datetime
        With zone; the day is counted in Asia/Shanghai.
    days_late : float, unit d
        How far the season lags behind the calendar.

    Returns
    -------
    cover, floor : ndarray, float32, dims (kind, band), unit 1 (reflectance)
        Row number is the kind's code; row 0 is unused; the last row is ``MOSO_TURNED``.
        ``cover`` is the canopy of tree classes and the whole ground of the others; ``floor``
        is what shows between crowns (equal to ``cover`` for classes without trees).
        Moso stands change leaves every second year: rows ``MOSO_BAMBOO`` in odd years,
        ``MOSO_TURNED`` in even years.
    """
    local = utc(when).astimezone(ZONE)
    day = (local.timetuple().tm_yday - days_late - 1) % 365 + 1
    cover = np.zeros((MOSO_TURNED + 1, len(BAND_NAMES)), np.float32)
    floor = np.zeros_like(cover)
    for kind, calendar in _CALENDARS.items():
        cover[kind] = floor[kind] = _on(calendar, day)
    for kind in (Kind.EVERGREEN_BROADLEAF, Kind.CONIFER, Kind.DECIDUOUS):
        floor[kind] = _on(_FLOOR, day)
    for kind in (Kind.MOSO_BAMBOO, MOSO_TURNED):
        floor[kind] = _on(_BAMBOO_FLOOR, day)
    if local.year % 2:
        pair = [Kind.MOSO_BAMBOO, MOSO_TURNED]
        cover[pair] = cover[pair[::-1]]
    return cover, floor
