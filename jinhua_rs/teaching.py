"""From sample rows to a stored model: labels are judged, forests trained, doubts told to people."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import pandas as pd

from jinhua_rs import landcover
from jinhua_rs.sampling import write_samples
from jinhua_rs.settings import Model

__all__ = ["DOUBTFUL", "teach"]

DOUBTFUL = "doubtful.gpkg"
"""Samples to be looked at again, beside the model; the least believed first."""


def teach(
    table: pd.DataFrame,
    features: Sequence[str],
    how: landcover.TrainOptions,
    folder: Path,
    *,
    options: Model,
    crs: str,
) -> None:
    """
    Train a model and keep it, with the samples whose labels its held-out forests do not believe.

    Parameters
    ----------
    table : DataFrame
        Sample rows, see :func:`jinhua_rs.landcover.train`; the index is 0, 1, ...
    features : sequence of str
        Columns to learn from.
    how : TrainOptions
    folder : Path
        Of the model. ``doubtful.gpkg`` is added where labels are judged and any is doubtful.
    options : settings.Model
        ``screen`` says whether labels are judged, and left out.
    crs : str
        Of ``x`` and ``y``.
    """
    found = None if options.screen == "off" else landcover.screen(table, features, how)
    dropping = options.screen == "drop" and found is not None
    kept = table.drop(index=found.dropped) if found is not None and dropping else table
    model = landcover.train(kept, features, how)
    if found is None:
        model.save(folder)
        return
    told = found.counts.model_copy(update={"dropped": dropping})
    replace(model, card=model.card.model_copy(update={"screening": told})).save(folder)
    if not found.doubtful.empty:
        rows = table.loc[found.doubtful.index].drop(columns=list(features)).join(found.doubtful)
        rows["simulated"] = how.simulated
        place = gpd.points_from_xy(rows["x"], rows["y"])
        points = gpd.GeoDataFrame(rows.drop(columns=["x", "y"]), geometry=place, crs=crs)
        write_samples(folder / DOUBTFUL, points)
