"""From samples to a stored model: features read, labels judged, forests trained, doubts told."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import cast

import geopandas as gpd
import pandas as pd

from jinhua_rs import __version__, features, landcover, pieces, planning, store
from jinhua_rs.crew import carry_out, ledger_of
from jinhua_rs.errors import ConfigError
from jinhua_rs.ledger import Entry
from jinhua_rs.pieces import Ground, Sources, choice_of
from jinhua_rs.planning import Plan, fingerprint
from jinhua_rs.samples import read_samples, sift
from jinhua_rs.sampling import write_samples
from jinhua_rs.settings import Model
from jinhua_rs.tasks import Pool, Progress, Task

__all__ = ["DOUBTFUL", "learn", "no_model", "teach"]

DOUBTFUL = "doubtful.gpkg"
"""Samples to be looked at again, beside the model; the least believed first."""


def learn(grounds: Sequence[Ground], workers: Pool, progress: Progress) -> Path:
    """
    Return the folder of the model: the one that is set, or one trained on the samples.

    The first ground is of the samples' own period; over the others they are laid as well.
    """
    plan = grounds[0].plan
    wanted = features.names(choice_of(plan))
    options = plan.settings.model
    if options.file is not None:
        return landcover.current(options.file)
    if options.samples is None:
        raise no_model()
    samples = store.digest(options.samples)
    shared = planning.period_folder(plan.settings, plan.period) / "model"
    if plan.unit is not None and _trained_on(shared, samples, wanted):
        return shared  # a county is mapped by the model of the city, so that both agree on it
    folder = plan.folder / "model"
    laid = [{tile: one.sources(tile, wanted) for tile in one.own} for one in grounds]
    inputs = [
        [one.facts(s) for s in sources.values()] for one, sources in zip(grounds, laid, strict=True)
    ]
    choices = options.model_dump(exclude={"samples", "file", "hysteresis", "also"})
    key = fingerprint([__version__, plan.label, inputs, samples, choices, wanted])
    if store.is_sealed(folder, key):
        return folder
    points = _samples(options.samples, plan)
    years = [
        _features(one.plan, sources, wanted, points, workers, progress)
        for one, sources in zip(grounds, laid, strict=True)
    ]
    spans = [one.plan.period for one in grounds]
    companions = [plan.settings.features.companions(span).values() for span in spans]
    how = landcover.TrainOptions(
        name=options.name,
        seed=options.seed,
        trees=options.trees,
        block_m=options.block_m,
        tune=options.tune,
        note=options.samples.name,
        periods=tuple(map(str, spans)),
        companions=tuple(map(str, chain(*companions))),
        resolution_m=plan.settings.area.resolution,
        units=features.units(wanted),
        simulated=plan.simulated,
    )
    table = landcover.laid_over(years, wanted, how)
    teach(table, wanted, how, folder, options=options, crs=plan.settings.area.crs)
    store.seal(folder, key, {"samples": samples})
    return folder


def _features(
    plan: Plan,
    sources: Mapping[str, Sources],
    wanted: Sequence[str],
    points: gpd.GeoDataFrame,
    workers: Pool,
    progress: Progress,
) -> pd.DataFrame:
    """Read the features of the samples in a period's tiles; the index is that of ``points``."""
    own = [points[points["tile"] == tile] for tile in sources]
    tasks = [
        Task(tile, pieces.features_at, (its_sources, wanted, its_points))
        for (tile, its_sources), its_points in zip(sources.items(), own, strict=True)
    ]
    tables = carry_out(plan, "samples", tasks, workers, progress)
    indexed = [table.set_axis(its.index) for table, its in zip(tables, own, strict=True)]
    return cast("pd.DataFrame", pd.concat(indexed))


def _trained_on(folder: Path, samples: str, wanted: Sequence[str]) -> bool:
    """Tell whether a model of these samples and these features is there."""
    if not (folder / "card.json").is_file():
        return False
    known = landcover.Model.load(folder).card.feature_names
    return store.read_facts(folder).get("samples") == samples and known == tuple(wanted)


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


def _samples(path: Path, plan: Plan) -> gpd.GeoDataFrame:
    """Read and sift the training samples; each says its tile and its unit."""
    grid, datum = plan.settings.grid, plan.settings.area.check_datum
    raw = read_samples(path, grid)
    found = sift(raw, grid, plan.outline, plan.units, check_datum=datum)
    told = [
        Entry("samples", f"{path.name}/{n}", "told", en, zh)
        for n, (en, zh) in enumerate(found.remarks)
    ]
    ledger_of(plan).note(*told)
    tiles = [grid.tile_id(point.x, point.y) for point in found.frame.geometry]
    points = found.frame.assign(tile=tiles, unit="")
    shapes = plan.units.geometry
    for code in shapes.area.sort_values(ascending=False).index:  # where units overlap: the smallest
        points.loc[points.intersects(shapes[code]), "unit"] = str(code)
    return points


def no_model() -> ConfigError:
    """Say that there is neither a model nor what one is trained on."""
    return ConfigError(
        "no model: set [model] file to a stored model, or [model] samples to a point layer",
        zh="没有模型：请在 [model] 中设置 file（已有模型）或 samples（训练样本点图层）",
    )
