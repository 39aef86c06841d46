"""What reviewers decided of patches, as samples: a model learns from the errors of the last."""

from collections.abc import Mapping

import geopandas as gpd

from jinhua_rs.schema import Land

__all__ = ["COLUMNS", "of_reviews"]

COLUMNS = ("patch", "verdict", "reason", "before", "after", "day", "who")
"""
What is known of a reviewed patch, beside its outline: its id; ``confirmed`` or ``rejected``; the
code of the reason; the map's class before and after (0: not known); day of the verdict, ISO; name.
"""

_TOLD: Mapping[str, Land] = {
    "built": Land.BUILT,
    "mined": Land.BARE,
    "tilled": Land.CROPLAND,
    "farming": Land.CROPLAND,
    "bamboo": Land.BAMBOO,
    "water": Land.WATER,
}
"""Reasons by which somebody who looked says what stands there."""
_UNCHANGED = frozenset({"season", "cloud", "shift", "nothing"})
"""Reasons for a rejection that leave the ground as the map had it before."""
_SURE, _FAIR = 3, 2


def of_reviews(reviews: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """
    Turn reviewed patches into samples.

    The class is the one that the reason names (confidence 3). Else a confirmed change vouches for
    the map's class after it, and a rejection because nothing changed for its class before it
    (confidence 2). Other verdicts say nothing about the class and give no sample.

    Parameters
    ----------
    reviews : GeoDataFrame
        Polygons with :data:`COLUMNS`.

    Returns
    -------
    GeoDataFrame
        Polygons with ``id``, ``group`` (the patch), ``class``, ``date``, ``source``,
        ``interpreter`` and ``confidence``.
    """
    told = [_class_of(row) for row in reviews[list(COLUMNS)].to_dict("records")]
    known = [code is not None for code, _ in told]
    kept = reviews[known]
    return gpd.GeoDataFrame(
        {
            "id": kept["patch"].astype(str),
            "group": kept["patch"].astype(str),
            "class": [code for code, _ in told if code is not None],
            "date": kept["day"].astype(str),
            "source": "review",
            "interpreter": kept["who"].astype(str),
            "confidence": [level for code, level in told if code is not None],
        },
        geometry=kept.geometry,
        crs=reviews.crs,
    ).reset_index(drop=True)


def _class_of(review: Mapping[str, object]) -> tuple[int | None, int]:
    """Class and confidence that a verdict stands for; None where it says nothing of the class."""
    reason = str(review["reason"])
    if reason in _TOLD:
        return int(_TOLD[reason]), _SURE
    changed = review["verdict"] == "confirmed" or reason == "permitted"
    if not changed and reason not in _UNCHANGED:
        return None, _FAIR
    code = int(str(review["after" if changed else "before"]))
    return code or None, _FAIR
