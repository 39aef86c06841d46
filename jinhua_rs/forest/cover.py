"""
Forest rows: tree cover and its change by reporting unit, from published maps and a sample.

A number with an interval comes from the reference sample (:mod:`jinhua_rs.estimation.area`);
the map gives it the strata: county by map class, ground not seen included. A sample that was
drawn by a design keeps the strata and areas of its design, whatever today's map says. Without a
sample the map count stands in, marked ``no_interval``. Below the gate of clear ground no row has
a number.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd

from jinhua_rs.errors import ConfigError
from jinhua_rs.estimation.area import coverage, panel_change
from jinhua_rs.forest.ground import Ground, judged
from jinhua_rs.forest.unit_rows import UnitRows, ratio
from jinhua_rs.period import Period
from jinhua_rs.points import Drawn
from jinhua_rs.schema import Applicable, Change, Forest, rows
from jinhua_rs.units import hectares
from jinhua_rs.zonal import class_areas, means

__all__ = ["ForestMaps", "change_rows", "coverage_rows"]


@dataclass(frozen=True, slots=True)
class ForestMaps:
    """
    Published maps of one period: class raster ``forest``, shares ``canopy``, index ``ndvi``.

    ``canopy`` is ``None`` if the model names classes only, ``ndvi`` without the bands for it,
    ``applicable`` if nothing is known of the training samples.
    """

    forest: Path
    canopy: Path | None
    ndvi: Path | None
    applicable: Path | None = None


def coverage_rows(
    maps: ForestMaps,
    units: gpd.GeoDataFrame,
    sample: gpd.GeoDataFrame | None,
    *,
    period: Period,
    min_clear_share: float,
    drawn: Drawn | None = None,
) -> list[dict[str, object]]:
    """
    Rows of tree cover, and of mapped cover, NDVI and canopy as context, for each unit.

    Parameters
    ----------
    maps : ForestMaps
        In the CRS of the units. A map that is ``None`` has no rows.
    units : GeoDataFrame
        From :func:`jinhua_rs.regions.load_units`; may overlap.
    sample : GeoDataFrame, optional
        Reference points in any CRS: ``point``, ``period``, ``canopy`` (0-1, NaN = not judged).
    period : Period
        Only points judged for this period are used.
    min_clear_share : float
        Share of a unit that must be seen for its numbers to be given, 0-1. Below it every row
        is ``insufficient``, context as well: a glimpse of a unit does not speak for it.
    drawn : Drawn, optional
        The design the sample was drawn by, whose strata and areas then hold; the sample has a
        column ``stratum``. Without it the strata are those of the map.

    Returns
    -------
    list of dict
        Rows of ``schema.ROW_COLUMNS``; shares in %, areas in ha.

    Raises
    ------
    ConfigError
        If the sample lacks a column, a CRS, or holds a point twice in one period.
    """
    ground = Ground.survey(maps.forest, units, Forest).drawn_by(drawn)
    points = ground.locate(judged(sample, period))
    estimates = coverage(points, ground.strata).to_dict("index")
    layers = {"mean_ndvi": maps.ndvi, "mean_canopy": maps.canopy}
    averages = {
        indicator: means(raster, units)["mean"].to_dict()
        for indicator, raster in layers.items()
        if raster is not None
    }
    unlike = {} if maps.applicable is None else _unlike(maps.applicable, units)
    found: list[dict[str, object]] = []
    for code, areas in ground.classes.iterrows():
        total, seen = float(areas.sum()), float(areas.drop(Forest.UNSEEN).sum())
        unit = UnitRows(str(period), str(code), seen / total, min_clear_share, ground.design)
        mapped = ratio(float(areas[Forest.FOREST]), seen)
        share = unit.headline(estimates[code], mapped)
        found += [
            unit.row("tree_cover_share", share, 100.0),
            unit.row("tree_cover_area", share, hectares(total)),
            unit.row("tree_cover_share_mapped", unit.context(mapped, "map count"), 100.0),
        ]
        found += [
            unit.row(indicator, unit.context(average[code], "mean of seen pixels"))
            for indicator, average in averages.items()
        ]
        if unlike:
            strange = unit.context(unlike[code], "dissimilarity index over seen pixels")
            found.append(unit.row("unlike_training_share", strange, 100.0))
    rows(found)
    return found


def _unlike(applicable: Path, units: gpd.GeoDataFrame) -> Mapping[Hashable, float]:
    """Share of the seen ground of each unit that is unlike anything in training, 0-1."""
    areas = class_areas(applicable, units).reindex(
        columns=[kind.value for kind in Applicable], fill_value=0.0
    )
    unlike, like = areas[Applicable.UNLIKE], areas[Applicable.LIKE]
    return dict((unlike / (unlike + like).where(unlike + like > 0)).items())


def change_rows(
    change: Path,
    units: gpd.GeoDataFrame,
    sample: gpd.GeoDataFrame | None,
    *,
    periods: tuple[Period, Period],
    min_clear_share: float,
    drawn: Drawn | None = None,
) -> list[dict[str, object]]:
    """
    Rows of the change of tree cover since a baseline, and of mapped gain and loss, by unit.

    Parameters
    ----------
    change : Path
        Class raster of ``schema.Change``, in the CRS of the units.
    units, sample, drawn
        As for :func:`coverage_rows`; the change is estimated from points judged in both periods.
    periods : tuple of Period
        Baseline and current period, of one season.
    min_clear_share : float
        Share of a unit that must be seen in both periods, 0-1.

    Returns
    -------
    list of dict
        Rows of ``schema.ROW_COLUMNS`` under the current period; change in percentage points,
        areas in ha. ``n_clear_share`` is the share seen in both periods.

    Raises
    ------
    ConfigError
        If the periods are of different seasons, or the sample is not usable.
    """
    baseline, period = periods
    if not period.comparable(baseline):
        raise ConfigError(
            f"{baseline} and {period} are different seasons; compare with the same quarter",
            zh=f"{baseline} 与 {period} 季节不同，变化没有意义；请与同一季度比较",
        )
    ground = Ground.survey(change, units, Change).drawn_by(drawn)
    panel = judged(sample, period).merge(
        judged(sample, baseline)[["point", "y"]], on="point", suffixes=("", "_before")
    )
    points = ground.locate(panel).rename(columns={"y_before": "before", "y": "after"})
    estimates = panel_change(points, ground.strata).to_dict("index")
    found: list[dict[str, object]] = []
    for code, areas in ground.classes.iterrows():
        seen = float(areas.drop(Change.UNSEEN).sum())
        clear = seen / float(areas.sum())
        unit = UnitRows(str(period), str(code), clear, min_clear_share, ground.design)
        mapped = ratio(float(areas[Change.GAIN] - areas[Change.LOSS]), seen)
        shift = unit.headline(estimates[code], mapped)
        source = f"map count since {baseline}"
        gain, loss = (unit.context(areas[kind], source) for kind in (Change.GAIN, Change.LOSS))
        found += [
            unit.row("tree_cover_change", shift, 100.0),
            unit.row("gain_area_mapped", gain, hectares(1.0)),
            unit.row("loss_area_mapped", loss, hectares(1.0)),
        ]
    rows(found)
    return found
