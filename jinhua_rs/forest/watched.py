"""Ground in alert by unit: how much was watched, and how much is in alert, by confidence."""

from pathlib import Path

import geopandas as gpd
import pandas as pd

from jinhua_rs import zonal
from jinhua_rs.causes import CONFIDENCE_CLASSES, Alert
from jinhua_rs.units import hectares

__all__ = ["alert_areas"]


def alert_areas(alert: Path, confidence: Path, units: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Measure the ground in alert.

    Parameters
    ----------
    alert, confidence : Path
        Published maps (:class:`jinhua_rs.causes.Alert`; confidence 1 to 3) on one grid.
    units : GeoDataFrame
        Polygons in the CRS of the maps.

    Returns
    -------
    DataFrame, float64, index as ``units``, ha
        ``watched``, then ``loss_1`` .. ``loss_3`` and ``gain_1`` .. ``gain_3`` by confidence. A
        pixel counts where its centre lies; counted pixels, without interval: context only.

    Raises
    ------
    GridMismatch
        If maps and units do not fit.
    """
    areas = zonal.transitions(alert, confidence, units).map(hectares)
    seen = areas.drop(columns=int(Alert.UNSEEN), level="was")
    found = {"watched": seen.sum(axis="columns")}
    for name, kind in (("loss", Alert.LOSS), ("gain", Alert.GAIN)):
        for info in CONFIDENCE_CLASSES:
            found[f"{name}_{info.code}"] = areas[int(kind), info.code]
    return pd.DataFrame(found, index=units.index)
