"""
Forest rows: tree cover and its change by reporting unit, from published maps and a sample.

A number with an interval comes from the reference sample (:mod:`jinhua_rs.estimation.area`);
the map gives it the strata: county by map class, ground not seen included. A sample that was
drawn by a design keeps the strata and areas of its design, whatever today's map says. Without a
sample the map count stands in, marked ``no_interval``. Below the gate of clear ground no row has
a number.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely

from jinhua_rs.errors import ConfigError, ContractError
from jinhua_rs.estimation.area import coverage, panel_change
from jinhua_rs.period import Period
from jinhua_rs.points import Drawn
from jinhua_rs.schema import FOREST_CANOPY, INDICATORS, Change, Forest, Status, rows
from jinhua_rs.units import hectares
from jinhua_rs.zonal import class_areas, means

__all__ = ["ForestMaps", "change_rows", "coverage_rows"]

_MIN_PIECE = 1.0  # m²; smaller pieces are leftovers of shared borders
_SAME = 0.01  # a unit whose area is off by more is not the one the sample was drawn for


@dataclass(frozen=True, slots=True)
class ForestMaps:
    """
    Published maps of one period: class raster ``forest``, shares ``canopy``, index ``ndvi``.

    ``canopy`` is ``None`` if the model names classes only, ``ndvi`` without the bands for it.
    """

    forest: Path
    canopy: Path | None
    ndvi: Path | None


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
    ground = _Ground.survey(maps.forest, units, Forest).drawn_by(drawn)
    points = ground.locate(_judged(sample, period))
    estimates = coverage(points, ground.strata).to_dict("index")
    layers = {"mean_ndvi": maps.ndvi, "mean_canopy": maps.canopy}
    averages = {
        indicator: means(raster, units)["mean"].to_dict()
        for indicator, raster in layers.items()
        if raster is not None
    }
    found: list[dict[str, object]] = []
    for code, areas in ground.classes.iterrows():
        total, seen = float(areas.sum()), float(areas.drop(Forest.UNSEEN).sum())
        unit = _Unit(str(period), str(code), seen / total, min_clear_share, ground.design)
        mapped = _ratio(float(areas[Forest.FOREST]), seen)
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
    rows(found)
    return found


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
    ground = _Ground.survey(change, units, Change).drawn_by(drawn)
    panel = _judged(sample, period).merge(
        _judged(sample, baseline)[["point", "y"]], on="point", suffixes=("", "_before")
    )
    points = ground.locate(panel).rename(columns={"y_before": "before", "y": "after"})
    estimates = panel_change(points, ground.strata).to_dict("index")
    found: list[dict[str, object]] = []
    for code, areas in ground.classes.iterrows():
        seen = float(areas.drop(Change.UNSEEN).sum())
        clear = seen / float(areas.sum())
        unit = _Unit(str(period), str(code), clear, min_clear_share, ground.design)
        mapped = _ratio(float(areas[Change.GAIN] - areas[Change.LOSS]), seen)
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


# --- the sample --------------------------------------------------------------------------------


def _judged(sample: gpd.GeoDataFrame | None, period: Period) -> gpd.GeoDataFrame:
    """Points judged for ``period``: ``point``, ``y`` (0 or 1), geometry, ``stratum`` if given."""
    if sample is None:
        return gpd.GeoDataFrame({"point": [], "y": []}, geometry=[], crs="EPSG:4326")
    for problem, problem_zh in _faults(sample):
        raise ConfigError(
            f"reference sample: {problem}; see docs/data-dictionary.md",
            zh=f"参考样本：{problem_zh}；参见 docs/data-dictionary.md",
        )
    chosen = sample[(sample["period"].astype("str") == str(period)) & sample["canopy"].notna()]
    y = (chosen["canopy"] >= FOREST_CANOPY).astype("float64")
    kept = [name for name in ("point", "stratum") if name in chosen]
    return chosen[[*kept, chosen.geometry.name]].assign(y=y).reset_index(drop=True)


def _faults(sample: gpd.GeoDataFrame) -> Iterator[tuple[str, str]]:
    missing = {"point", "period", "canopy"} - set(sample.columns)
    if missing:
        yield f"column {sorted(missing)[0]!r} is missing", f"缺少字段 {sorted(missing)[0]!r}"
        return
    if sample.crs is None:
        yield "it states no CRS", "未声明坐标系"
    if not (sample.geom_type == "Point").all():
        yield "its geometry must be points", "几何类型须为点"
    if sample.duplicated(["point", "period"]).any():
        yield "a point stands twice in one period", "同一时段内样点编号重复"
    if not sample["canopy"].dropna().between(0, 1).all():
        yield "canopy must be a share from 0 to 1", "canopy 须为 0–1 的比例"


# --- the ground --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ground:
    """
    A class raster cut by unit and county: the strata of every unit.

    ``pieces`` holds ``unit``, ``county`` and the geometry they share; ``classes`` m² by unit
    and class code; ``strata`` m² by unit and stratum, named ``county:class``. A stratum is the
    same whichever unit it is seen from, so a sample drawn by county stays valid for the city
    and for zones across county lines. ``design`` names the design the strata are from, if any.
    """

    raster: Path
    pieces: gpd.GeoDataFrame
    classes: pd.DataFrame
    strata: pd.DataFrame
    design: str = ""

    @classmethod
    def survey(cls, raster: Path, units: gpd.GeoDataFrame, kind: type[IntEnum]) -> Self:
        """Measure the classes of ``kind`` in each unit and stratum."""
        pieces = _cut_by_county(units)
        areas = class_areas(raster, pieces)
        unknown = sorted(set(areas.columns) - {member.value for member in kind})
        if unknown:
            raise ContractError(
                f"{raster.name} holds class {unknown[0]}, no {kind.__name__}; make it again",
                zh=f"{raster.name} 含未知类别 {unknown[0]}；请重新生成",
            )
        areas = areas.reindex(columns=[member.value for member in kind], fill_value=0.0)
        named = areas.assign(unit=pieces["unit"], county=pieces["county"]).melt(
            ["unit", "county"], var_name="class", value_name="m2"
        )
        named["stratum"] = named["county"] + ":" + named["class"].astype("str")
        strata = named.groupby(["unit", "stratum"])["m2"].sum().unstack(fill_value=0)
        classes = areas.groupby(pieces["unit"]).sum()
        return cls(raster, pieces, classes.loc[units.index], strata.loc[units.index])

    def drawn_by(self, drawn: Drawn | None) -> Self:
        """Take the strata of a design; a unit it does not know as it is now has none of them."""
        if drawn is None:
            return self
        areas = drawn.areas.reindex(self.classes.index, fill_value=0.0)
        off = (areas.sum(axis=1) / self.classes.sum(axis=1) - 1).abs()
        areas[off > _SAME] = 0.0
        return replace(self, strata=areas, design=drawn.design)

    def locate(self, points: gpd.GeoDataFrame) -> pd.DataFrame:
        """Give each point the units it lies in (a row each) and its stratum in them."""
        placed = points.to_crs(self.pieces.crs)
        if self.design:
            inside = placed.sjoin(self.pieces[["unit", "geometry"]], predicate="intersects")
            found = inside.drop_duplicates(["point", "unit"])
            return pd.DataFrame(found.drop(columns=[placed.geometry.name, "index_right"]))
        with rasterio.open(self.raster) as source:
            places = shapely.get_coordinates(placed.geometry.to_numpy())
            codes = [value.filled(0)[0] for value in source.sample(places, masked=True)]
        placed = placed.assign(code=np.array(codes, dtype="int64").astype("str"))
        inside = placed.sjoin(self.pieces, predicate="intersects").drop_duplicates(
            ["point", "unit"]
        )
        return pd.DataFrame(
            inside.assign(stratum=inside["county"] + ":" + inside["code"]).drop(
                columns=[placed.geometry.name, "index_right", "code", "county"]
            )
        )


def _cut_by_county(units: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Cut every unit along the county lines; ground of no county has the county ``""``."""
    own = units[["geometry"]].rename_axis("unit").reset_index()
    counties = own[units["level"].to_numpy() == "county"].rename(columns={"unit": "county"})
    if counties.empty:
        return own.assign(county="")
    taken = shapely.Polygon()
    for row, shape in counties.geometry.items():
        counties.loc[row, "geometry"] = shape.difference(taken)
        taken = taken.union(shape)
    pieces = own.overlay(counties, how="identity", keep_geom_type=True)
    pieces = pieces[pieces.area > _MIN_PIECE].reset_index(drop=True)
    return pieces.fillna({"county": ""})


# --- the rows ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Figure:
    """A number with its interval (NaN: none), its status and what it was made from."""

    value: float
    low: float
    high: float
    status: str
    source: str
    n: int = 0
    test: str = ""


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else np.nan


@dataclass(frozen=True, slots=True)
class _Unit:
    """
    The unit and period a row is about.

    ``clear`` is the share of the unit that was seen clear, ``gate`` the least that is needed,
    ``design`` the design of the sample, if it has one.
    """

    period: str
    code: str
    clear: float
    gate: float
    design: str = ""

    @property
    def dim(self) -> bool:
        """True where too little of the unit was seen, or nothing, for a number to be given."""
        return self.clear < self.gate or self.clear == 0

    def context(self, value: float, source: str) -> _Figure:
        """Make a figure that is shown but never judged; NaN is insufficient data."""
        if self.dim:
            value, source = np.nan, f"seen clear {self.clear:.0%}, needed {self.gate:.0%}"
        status = Status.INSUFFICIENT if np.isnan(value) else Status.NO_INTERVAL
        return _Figure(float(value), np.nan, np.nan, status, source)

    def headline(self, estimate: Mapping[Hashable, Any], mapped: float) -> _Figure:
        """Choose what may be said: nothing below the gate, the estimate, else the map count."""
        if self.dim or np.isnan(estimate["value"]):
            return self.context(mapped, f"map count; no estimate: {estimate['reason']}")
        value, low, high = (float(estimate[name]) for name in ("value", "low", "high"))
        source = f"reference sample, {estimate['n']} points, {estimate['method']} interval"
        if self.design:
            source += f", strata of design {self.design} (Stehman 2014)"
        n, test = int(estimate["n"]), str(estimate["method"])
        return _Figure(value, low, high, Status.OK, source, n, test)

    def row(self, indicator: str, figure: _Figure, factor: float = 1.0) -> dict[str, object]:
        """Write a figure, times ``factor`` to the indicator's measure, as a row of the schema."""
        return {
            "period": self.period,
            "unit": self.code,
            "indicator": indicator,
            "value": figure.value * factor,
            "low": figure.low * factor,
            "high": figure.high * factor,
            "measure": INDICATORS[indicator].measure,
            "status": figure.status,
            "n_clear_share": self.clear,
            "n": figure.n,
            "test": figure.test,
            "source": figure.source,
        }
