"""The section that says when a look at the ground is an alert."""

from typing import Annotated

from pydantic import Field

from jinhua_rs.settings.plan import Section

__all__ = ["Alerts"]


class Alerts(Section):
    """The watch over the ground between two yearly maps."""

    enabled: bool = False
    """Watch the ground with every period that is a quarter."""
    since: str = ""
    """First quarter that is watched; empty means the quarter that is run first."""
    history_quarters: Annotated[int, Field(ge=4, le=24)] = 12
    """Quarters before the first one from which the usual course of each pixel is learnt."""
    min_looks: Annotated[int, Field(ge=8)] = 12
    """Clear looks of the history that a pixel needs to be watched."""
    two_harmonics_from: Annotated[int, Field(ge=12)] = 24
    """Clear looks from which the half-year is fitted beside the year."""
    deviations: Annotated[float, Field(gt=0)] = 4.0
    """An index must be this many deviations of its history off its course to count."""
    least_ndvi: Annotated[float, Field(gt=0)] = 0.10
    """And at least this much for NDVI."""
    least_moisture: Annotated[float, Field(gt=0)] = 0.08
    """And at least this much for NBR and NDMI."""
    in_leaf: Annotated[float, Field(ge=0, le=1)] = 0.8
    """
    Woody plants that shed their leaves are judged from this share of their year's swing of NDVI on;
    a look with fewer leaves neither shows a loss nor ends one. 0 judges them at all dates.
    """
    gap_days: Annotated[int, Field(ge=1)] = 5
    """Days between two looks that confirm each other."""
    first_day: Annotated[int, Field(ge=1, le=366)] = 1
    """First day of the year on which a look may count, 100 is 10 April."""
    last_day: Annotated[int, Field(ge=1, le=366)] = 366
    """Last day of the year on which a look may count, 330 is 26 November."""
