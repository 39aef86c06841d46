"""What stands beside the scenes: layers, training points, reference points, and the truth."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np

from jinhua_rs.grid import Grid
from jinhua_rs.twin import cadastre, layers, truth
from jinhua_rs.twin.chronicle import Chronicle
from jinhua_rs.twin.effects import Event
from jinhua_rs.twin.geography import CRS
from jinhua_rs.twin.place import reported
from jinhua_rs.twin.samples import Quota, reference_sample, training_samples
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
    same places in all periods. A twin of one county or of a window keeps to it; its layers
    still hold the whole city, but for the land survey. A window is its own reporting unit
    (``layers/units.gpkg``), and what changed in it from the first to the last day is outlined
    (``truth/patches.gpkg``).

    Raises
    ------
    NoDataError
        If a land-cover class does not occur at this resolution.
    """
    periods = spec.spans
    around = reported(spec, units)
    whole = around is units
    here = [event for event in history if whole or _lies_in(event, spec, around)]
    ground = Memory(world)
    table = truth.truth_table(ground, history, around, periods, resolution=spec.resolution)
    told = layers.write(
        folder / "layers",
        world,
        history,
        when=periods[-1].stop.date(),
        rng=np.random.default_rng([spec.seed, 11]),
    )
    used = cadastre.land_use(ground, history, around, resolution=spec.resolution)
    layers.write_layer(used, folder / "layers" / "land_use.gpkg", "国土调查地类")
    if spec.window is not None:
        parcels = told[told.intersects(around.geometry.iloc[0])]
        _write_window(folder, spec, Chronicle(world, tuple(history)), around)
    else:
        parcels = told if whole else told[told["county"].isin(around.index)]
    truth.write(folder / "truth", ground, here, parcels, table, resolution=spec.resolution)
    _write_points(folder, spec, ground, history, None if whole else around)


def _lies_in(event: Event, spec: TwinSpec, around: gpd.GeoDataFrame) -> bool:
    """Tell whether an event belongs to a county, or touches a window."""
    if spec.window is None:
        return event.county in around.index
    return bool(event.polygon.intersects(around.geometry.iloc[0]))


def _write_window(
    folder: Path, spec: TwinSpec, chronicle: Chronicle, around: gpd.GeoDataFrame
) -> None:
    """Write a window as a layer of units, and the outlines of what changed in it."""
    units = around.reset_index().assign(simulated=True)
    layers.write_layer(units, folder / "layers" / "units.gpkg", "报告单元")
    box = Grid(CRS, spec.resolution).covering(around.total_bounds)
    since, until = spec.spans[0].start.date(), spec.spans[-1].stop.date()
    changed = chronicle.patches(box, since, until)
    (folder / "truth").mkdir(exist_ok=True)
    layers.write_layer(changed, folder / "truth" / "patches.gpkg", "真实变化图斑")


def _write_points(
    folder: Path,
    spec: TwinSpec,
    ground: Memory,
    history: Sequence[Event],
    around: gpd.GeoDataFrame | None,
) -> None:
    """Draw training and reference points, in some units or (``None``) in all counties."""
    periods = spec.spans
    samples, references = (
        _points(number, spec, around) for number in (spec.samples_per_class, spec.reference_points)
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


def _points(number: int, spec: TwinSpec, around: gpd.GeoDataFrame | None) -> Quota:
    """So many points: in all counties, in one, or in the window."""
    if around is None:
        return number
    if spec.window is None:
        return dict.fromkeys(map(str, around.index), number)
    return around.assign(points=number)
