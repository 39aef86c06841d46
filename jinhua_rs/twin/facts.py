"""What stands beside the scenes: layers, training points, reference points, and the truth."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np

from jinhua_rs.regions import select
from jinhua_rs.twin import layers, truth
from jinhua_rs.twin.effects import Event
from jinhua_rs.twin.samples import reference_sample, training_samples
from jinhua_rs.twin.spec import TwinSpec
from jinhua_rs.twin.survey import Memory, middle
from jinhua_rs.twin.world import World

__all__ = ["MARK", "write_facts"]

MARK = "reference.gpkg"
"""Written last, so that where it is all the rest is."""


def write_facts(
    folder: Path,
    spec: TwinSpec,
    world: World,
    history: Sequence[Event],
    units: gpd.GeoDataFrame,
) -> None:
    """
    Write ``layers/``, ``truth/``, ``samples.gpkg`` and ``reference.gpkg`` into a folder.

    Training points show the ground in the middle of the first period, reference points the
    same places in all periods. A twin of one county keeps to that county; its layers still
    hold the whole city.

    Raises
    ------
    NoDataError
        If a land-cover class does not occur at this resolution.
    """
    periods = spec.spans
    around = units if spec.unit is None else select(units, spec.unit)
    here = [event for event in history if spec.unit is None or event.county in around.index]
    ground = Memory(world)
    table = truth.truth_table(ground, history, around, periods, resolution=spec.resolution)
    told = layers.write(
        folder / "layers",
        world,
        history,
        when=periods[-1].stop.date(),
        rng=np.random.default_rng([spec.seed, 11]),
    )
    parcels = told if spec.unit is None else told[told["county"].isin(around.index)]
    truth.write(folder / "truth", ground, here, parcels, table, resolution=spec.resolution)
    _write_points(folder, spec, ground, history, None if spec.unit is None else list(around.index))


def _write_points(
    folder: Path,
    spec: TwinSpec,
    ground: Memory,
    history: Sequence[Event],
    codes: list[str] | None,
) -> None:
    """Draw training and reference points, in some counties or (``None``) in all of them."""
    periods = spec.spans
    samples, references = (
        number if codes is None else dict.fromkeys(codes, number)
        for number in (spec.samples_per_class, spec.reference_points)
    )
    points = training_samples(
        ground,
        history,
        middle(periods[0]),
        resolution=spec.resolution,
        n_per_class=samples,
        rng=np.random.default_rng([spec.seed, 12]),
    )
    layers.write_layer(points, folder / "samples.gpkg", "训练样本")
    reference = reference_sample(
        ground,
        history,
        periods,
        resolution=spec.resolution,
        per_county=references,
        rng=np.random.default_rng([spec.seed, 13]),
    )
    partial = folder / "truth" / MARK
    layers.write_layer(reference, partial, "参考样本")
    partial.replace(folder / MARK)
