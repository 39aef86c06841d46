"""What each step of refinement did to the mapped tree cover of every unit."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from jinhua_rs.refine import STEPS
from jinhua_rs.units import hectares
from jinhua_rs.zonal import class_areas

__all__ = ["EFFECT_COLUMNS", "step_effects"]

EFFECT_COLUMNS = ("unit", "step", "tree_cover_ha", "difference_ha", "changed_share", "seen_ha")
"""
Columns of the table of effects, one row for each unit and step of :data:`refine.STEPS`.

``tree_cover_ha`` is the mapped area after the step, ``difference_ha`` what the step added,
``changed_share`` the share of the seen ground whose code it changed, 0-1 (gains and losses do not
cancel); both are NaN for ``raw``, the map as the model has it. All but ``seen_ha`` are NaN for a
unit of which too little was seen. Map counts: context, not judged.
"""


def step_effects(steps: Path, units: gpd.GeoDataFrame, *, min_clear_share: float) -> pd.DataFrame:
    """
    Measure the mapped tree cover after each step, by unit.

    Parameters
    ----------
    steps : Path
        Published map ``steps`` (:data:`refine.STEPS`), in the CRS of the units.
    units : GeoDataFrame
        From :func:`jinhua_rs.regions.load_units`; may overlap.
    min_clear_share : float
        Share of a unit that must be seen for its numbers to be given, 0-1.

    Returns
    -------
    DataFrame
        :data:`EFFECT_COLUMNS`, units in their order.
    """
    areas = class_areas(steps, units) * hectares(1.0)
    unseen, areas = areas[0], areas.drop(columns=0)
    seen = areas.sum(axis="columns")
    bright = (seen > 0) & (seen >= min_clear_share * (seen + unseen))
    areas = areas.where(bright, np.nan, axis="index")
    bits, found = areas.columns.to_numpy() - 1, []
    for n, step in enumerate(STEPS):
        after = bits >> n & 1
        row = pd.DataFrame({"step": step, "order": n, "seen_ha": seen}, index=units.index)
        row["tree_cover_ha"] = areas.mul(after, axis="columns").sum(axis="columns", skipna=False)
        if n:
            moved = after - (bits >> n - 1 & 1)
            row["difference_ha"] = areas.mul(moved, axis="columns").sum(
                axis="columns", skipna=False
            )
            changed = areas.mul(abs(moved), axis="columns").sum(axis="columns", skipna=False)
            row["changed_share"] = changed / seen.where(bright, np.nan)
        found.append(row)
    table = pd.concat(found).rename_axis("unit").reset_index()
    place = table["unit"].map({code: at for at, code in enumerate(units.index)})
    ordered = table.assign(place=place).sort_values(["place", "order"], kind="stable")
    return ordered[list(EFFECT_COLUMNS)].reset_index(drop=True)
