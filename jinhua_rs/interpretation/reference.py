"""Readings as a reference sample: the file that ``[reference] file`` expects, strata included."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

from jinhua_rs import store
from jinhua_rs.errors import ConfigError
from jinhua_rs.estimation.design import Design
from jinhua_rs.interpretation.keeping import design_points, require_new
from jinhua_rs.points import STRATA_LAYER, read_points

__all__ = ["join", "reference_points", "strata_by_unit", "write_reference"]

_LAYER = "reference"


def reference_points(readings: pd.DataFrame, design: Design) -> gpd.GeoDataFrame:
    """
    Put readings on the map.

    Parameters
    ----------
    readings : DataFrame
        ``point``, ``period``, ``canopy`` (0-1, NaN = could not be judged), ``class``
        (:class:`~jinhua_rs.schema.Land`, 0 = not known) and whatever else is to be kept.
    design : Design

    Returns
    -------
    GeoDataFrame
        In the CRS of the design, with ``stratum``, ``weight`` (pixels a point stands for),
        ``design`` and ``label``.
    """
    points = design_points(design)[["point", "stratum", "weight", "design", "label", "geometry"]]
    return gpd.GeoDataFrame(readings.merge(points, on="point"), crs=points.crs)


def strata_by_unit(design: Design) -> pd.DataFrame:
    """Tell the strata of each unit: ``design``, ``unit``, ``stratum``, ``pixels``, ``area_m2``."""
    table = design.areas.melt(ignore_index=False, var_name="stratum", value_name="pixels")
    table = table[table["pixels"] > 0].rename_axis("unit").reset_index()
    table.insert(0, "design", design.id)
    return table.assign(area_m2=table["pixels"] * design.pixel_m2)


def write_reference(path: Path, points: gpd.GeoDataFrame, strata: pd.DataFrame) -> None:
    """Write a reference layer with the table of its strata beside it, whole or not at all."""
    with store.whole(path) as part:
        draft = part.with_suffix(".gpkg")
        points.to_file(draft, layer=_LAYER, driver="GPKG")
        pyogrio.write_dataframe(strata, draft, layer=STRATA_LAYER, driver="GPKG")
        draft.rename(part)


def join(files: Sequence[Path], path: Path) -> int:
    """
    Join reference layers of one design, as of two periods, or of first and added points.

    Returns
    -------
    int
        Rows in the joined layer.

    Raises
    ------
    ConfigError
        If they are of different designs, hold a point twice in one period, or ``path`` exists.
    """
    require_new(path)
    layers = [read_points(file, "EPSG:4549", any_of=("canopy",)) for file in files]
    found = gpd.GeoDataFrame(pd.concat(layers, ignore_index=True), crs=layers[0].crs)
    if found["design"].nunique() != 1 or found.duplicated(["point", "period"]).any():
        raise ConfigError(
            "only readings of one design, each point once a period, can be joined",
            zh="只能合并同一设计的判读结果，且同一时段内每个样点只出现一次",
        )
    strata = pyogrio.read_dataframe(files[0], layer=STRATA_LAYER, read_geometry=False)
    write_reference(path, found, strata)
    return len(found)
