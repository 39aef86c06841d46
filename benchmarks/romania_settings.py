"""What settings of the watch do on real residuals: the Romanian square as a chessboard."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from benchmarks.alerts import OPTIONS
from jinhua_rs import change

__all__ = ["SETTINGS", "Judged", "lines", "watched"]

Booleans = NDArray[np.bool_]
FROM, SUMMER = np.datetime64("2018-01-01"), np.datetime64("2020-08-15")
_SQUARE_PX = 25
SETTINGS: Final[Mapping[str, Mapping[str, float]]] = {
    "as set": {},
    "all dates (`in_leaf` 0)": {"in_leaf": 0},
    "`in_leaf` 0.5": {"in_leaf": 0.5},
    "`in_leaf` 0.7": {"in_leaf": 0.7},
    "`in_leaf` 0.9": {"in_leaf": 0.9},
    "`deviations` 3.5": {"deviations": 3.5},
    "`deviations` 5": {"deviations": 5.0},
    "`gap_days` 10": {"gap_days": 10},
    "least steps 0.12 and 0.10": {"least_ndvi": 0.12, "least_moisture": 0.10},
    "least steps 0.15 and 0.12": {"least_ndvi": 0.15, "least_moisture": 0.12},
}


@dataclass(frozen=True, slots=True)
class Judged:
    """Where NDVI fell by the plain rule, and where it is as before; dims (y, x)."""

    lost: Booleans
    still: Booleans


def watched(learnt: xr.Dataset, looks: xr.Dataset, **given: float) -> tuple[xr.Dataset, xr.Dataset]:
    """Go on from what was learnt, with some settings: the state in the last summer, and at last."""
    time, options = looks["time"].to_numpy(), OPTIONS.model_copy(update=given)
    early, late = (time >= FROM) & (time < SUMMER), time >= SUMMER
    summer = change.advance(learnt, looks.isel(time=early), options)
    return summer, change.advance(summer, looks.isel(time=late), options)


def lines(learnt: xr.Dataset, looks: xr.Dataset, judged: Judged) -> Iterator[str]:
    """Yield a table: each setting on the black squares and on the white ones."""
    row, column = np.indices(judged.lost.shape) // _SQUARE_PX
    black = (row + column) % 2 == 0
    yield (
        "| | "
        + " | ".join(
            f"{half}: false %, August, end | lost, found, August, end"
            for half in ("black", "white")
        )
        + " |"
    )
    yield "| --- | --- | --- | --- | --- |"
    for name, given in SETTINGS.items():
        states = watched(learnt, looks, **given)
        cells = [_cell(states, judged, half) for half in (black, ~black)]
        yield f"| {name} | {' | '.join(cells)} |"


def _cell(states: tuple[xr.Dataset, ...], judged: Judged, half: Booleans) -> str:
    false, found = [], []
    for state in states:
        alert, sure = state["alert"].to_numpy(), state["alert_confidence"].to_numpy()
        false.append(100 * float(((alert > 1) & (sure >= 2))[judged.still & half].mean()))
        found.append(int(((alert == 2) & (sure >= 2) & judged.lost & half).sum()))
    told = ", ".join(f"{share:.2f}" for share in false)
    return f"{told} | {found[0]}, {found[1]} of {(judged.lost & half).sum()}"
