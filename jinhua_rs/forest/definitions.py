"""
Three definitions of forest side by side, never mixed (口径): by law, with all shrubs, by canopy.

* 法定口径估计 ``statutory_share``: tree stands and bamboo of canopy ≥ 0.20, shrub that the state
  names (tea, oil-camellia on forest land), trees outside stands by stems. Which shrub lies on
  forest land only a land-use layer knows; without one there is a lower and an upper bound.
* 林木口径 ``woody_share``: the same with all shrub.
* 遥感树冠口径 ``tree_cover_share``: canopy ≥ 0.20, from :mod:`jinhua_rs.forest.cover`.

Sources: the statistics dictionary and 林资发〔2004〕14号 (docs/methods.md has the rules and their
limits); land-use codes of the third national land survey (三调).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from jinhua_rs.errors import ConfigError
from jinhua_rs.estimation.area import coverage, panel_change
from jinhua_rs.forest.ground import Ground, judged
from jinhua_rs.forest.unit_rows import UnitRows, ratio
from jinhua_rs.layers import Layer, column
from jinhua_rs.period import Period
from jinhua_rs.points import Drawn
from jinhua_rs.schema import FOREST_CANOPY, Change, Forest, Land, rows
from jinhua_rs.settings import Definitions
from jinhua_rs.units import hectares
from jinhua_rs.zonal import transitions_by_zone

__all__ = ["Judged", "calibrated_rows", "definition_rows", "land_uses", "statutory_change_rows"]

_SHARES = ("statutory_share_lower", "statutory_share_upper", "woody_share")
_STANDS = (Land.EVERGREEN_BROADLEAF, Land.CONIFER, Land.DECIDUOUS)
_USE_FIELDS = ("DLBM", "dlbm_sd", "land_use", "code")

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """
    What a period is estimated from: units, points, and the layer of land uses.

    ``sample`` is the reference sample (or ``None``); it is used where it has a column ``class``
    (``schema.Land``) beside ``canopy``. ``drawn`` is its design, ``uses`` from
    :func:`land_uses` (``None``: not known), ``min_clear_share`` the gate of clear ground, 0-1.
    """

    units: gpd.GeoDataFrame
    sample: gpd.GeoDataFrame | None
    drawn: Drawn | None
    uses: gpd.GeoDataFrame | None
    min_clear_share: float

    def points(self, period: Period) -> gpd.GeoDataFrame:
        """Points of a period with ``land``, ``dense`` (canopy ≥ 0.20) and ``use``."""
        sample = self.sample
        if sample is not None and "class" not in sample:
            sample = None
        found = judged(sample, period, keep=("canopy", "class"))
        if sample is None:
            return found.assign(land=[], dense=[], use=[])
        found = found.assign(
            land=found["class"].astype("int64"), dense=found["canopy"] >= FOREST_CANOPY, use=""
        )
        if self.uses is None:
            return found
        inside = found.to_crs(self.uses.crs).sjoin(self.uses, predicate="intersects", rsuffix="of")
        kind = inside[~inside.index.duplicated()]["use_of"]
        return found.assign(use=kind.reindex(found.index).fillna(""))


def land_uses(layer: Layer) -> gpd.GeoDataFrame:
    """
    Make of a land-use layer the kinds that matter here.

    Parameters
    ----------
    layer : Layer
        Polygons with the code of the third land survey in ``DLBM`` (or ``land_use``, ``code``).

    Returns
    -------
    GeoDataFrame
        Its polygons of ``use`` ``"forest"`` (03xx), ``"tea"`` (0202) or ``"garden"`` (other 02xx
        but orchards); other land is left out.

    Raises
    ------
    ConfigError
        If no field holds such codes, or none of them is of forest or garden land.
    """
    codes = column(layer.frame, *_USE_FIELDS) or []
    kinds = pd.Series([_kind(code) for code in codes], dtype="object")
    if not kinds.astype(bool).any():
        raise ConfigError(
            f"layer {layer.role}: no field {', '.join(_USE_FIELDS)} with codes of the third land "
            "survey such as 0301 or 0202; mend [layers] land_use",
            zh=f"图层 {layer.role}：缺少三调地类编码字段（{'、'.join(_USE_FIELDS)}，"
            "取值如 0301、0202）；请修改 [layers] land_use",
        )
    kept = layer.frame[["geometry"]].assign(use=kinds.to_numpy())
    return kept[kept["use"] != ""].reset_index(drop=True)


def _kind(code: str) -> str:
    if code.startswith("03"):
        return "forest"
    if code.startswith("0202"):
        return "tea"
    return "garden" if code.startswith("02") and not code.startswith("0201") else ""


def definition_rows(
    landcover: Path, forest: Path, on: Judged, *, period: Period, rules: Definitions
) -> list[dict[str, object]]:
    """
    Rows of the shares by law and with all shrubs, and of the area that each rule moves.

    Parameters
    ----------
    landcover, forest : Path
        Published class maps on one grid: ``schema.Land`` and ``schema.Forest``.
    on : Judged
    period : Period
        Of the maps; only points judged for it are used.
    rules : Definitions

    Returns
    -------
    list of dict
        Rows of ``schema.ROW_COLUMNS``: shares in %, areas in ha. With points that carry classes
        an interval by design; else the map count as ``no_interval``. Bounds are equal where land
        uses are known. Trees outside stands are in the shares, and in no interval.

    Raises
    ------
    ConfigError
        If the sample cannot be used.
    GridMismatch
        If the maps do not lie on one grid.
    """
    ground = Ground.survey(forest, on.units, Forest).drawn_by(on.drawn)
    points = ground.locate(on.points(period))
    mapped = _mapped(landcover, forest, ground, on.uses)
    flags = _counted(points, rules, known=on.uses is not None)
    counts = _counted(mapped, rules, known=on.uses is not None)
    found: list[dict[str, object]] = []
    for indicator, counted in counts.items():
        own = points.assign(y=flags[indicator].astype("float64"))
        estimates = coverage(own, ground.strata).to_dict("index")
        sums = (mapped["m2"] * counted).groupby(mapped["unit"]).sum()
        for code, areas in ground.classes.iterrows():
            total, seen = float(areas.sum()), float(areas.drop(Forest.UNSEEN).sum())
            clear = seen / total
            unit = UnitRows(str(period), str(code), clear, on.min_clear_share, ground.design)
            figure = unit.headline(estimates[code], ratio(float(sums.get(code, 0.0)), seen))
            if indicator in _SHARES:
                stems = rules.roadside_stems.get(str(code), 0.0)
                figure = figure.plus(stems / rules.stems_per_ha / hectares(total))
                found.append(unit.row(indicator, figure, 100.0))
            else:
                found.append(unit.row(indicator, figure, hectares(total)))
    rows(found)
    return found


def statutory_change_rows(
    change: Path, on: Judged, *, periods: tuple[Period, Period], rules: Definitions
) -> list[dict[str, object]]:
    """
    Rows of the change of what surely counts by law, from points judged in both periods.

    Parameters
    ----------
    change : Path
        Class raster of ``schema.Change``, for the strata.
    on : Judged
    periods : tuple of Period
        Baseline and current period, of one season.
    rules : Definitions

    Returns
    -------
    list of dict
        Rows of ``schema.ROW_COLUMNS``, percentage points; ``insufficient`` without points.
    """
    ground = Ground.survey(change, on.units, Change).drawn_by(on.drawn)
    before, after = (_sure(on, one, rules) for one in periods)
    panel = after.merge(before[["point", "y"]], on="point", suffixes=("", "_before"))
    points = ground.locate(panel).rename(columns={"y_before": "before", "y": "after"})
    estimates = panel_change(points, ground.strata).to_dict("index")
    found = []
    for code, areas in ground.classes.iterrows():
        clear = 1 - float(areas[Change.UNSEEN] / areas.sum())
        unit = UnitRows(str(periods[1]), str(code), clear, on.min_clear_share, ground.design)
        found.append(unit.row("statutory_change", unit.headline(estimates[code], np.nan), 100.0))
    return found


def calibrated_rows(
    changes: list[dict[str, object]], city: str, baseline: Period, rules: Definitions
) -> list[dict[str, object]]:
    """
    Carry the official figure of the base year on by the measured change: a row, or none.

    The interval is that of the change: the official figure comes without one. It stands beside
    the estimate and never replaces it.
    """
    if not rules.calibrate or str(baseline) != rules.official_period:
        return []
    chosen = [r for r in changes if (r["indicator"], r["unit"]) == ("statutory_change", city)]
    return [
        row
        | {
            "indicator": "statutory_share_calibrated",
            "measure": "%",
            "source": f"{rules.official_source} + {row['source']}",
        }
        | {name: rules.official_share + float(str(row[name])) for name in ("value", "low", "high")}
        for row in chosen
    ]


def _sure(on: Judged, period: Period, rules: Definitions) -> gpd.GeoDataFrame:
    points = on.points(period)
    flags = _counted(points, rules, known=on.uses is not None)
    return points.assign(y=flags["statutory_share_lower"].astype("float64"))


def _mapped(
    landcover: Path, forest: Path, ground: Ground, uses: gpd.GeoDataFrame | None
) -> pd.DataFrame:
    """Ground by ``unit``, ``land``, ``dense`` and ``use``, ``m2``."""
    if uses is None:
        uses = gpd.GeoDataFrame({"use": []}, geometry=[], crs=ground.pieces.crs)
    zones = uses.rename(columns={"use": "zone"})
    areas = transitions_by_zone(landcover, forest, ground.pieces, zones)
    use, land, tree_cover = (areas.columns.get_level_values(one) for one in ("zone", "was", "now"))
    count = len(areas)
    return pd.DataFrame(
        {
            "unit": ground.pieces["unit"].to_numpy().repeat(len(areas.columns)),
            "use": np.tile(use, count),
            "land": np.tile(land, count),
            "dense": np.tile(tree_cover == Forest.FOREST, count),
            "m2": areas.to_numpy().ravel(),
        }
    )


def _counted(table: pd.DataFrame, rules: Definitions, *, known: bool) -> dict[str, Flags]:
    """Tell of each row of ``land``, ``dense``, ``use`` what it counts for, by indicator."""
    land, dense, use = (table[name].to_numpy() for name in ("land", "dense", "use"))
    dense = dense.astype(bool)
    stand = np.isin(land, _STANDS) & dense
    bamboo, shrub = (land == Land.BAMBOO) & dense, land == Land.SHRUB
    orchard = land == Land.ORCHARD
    parts: Mapping[str, tuple[Flags, bool]] = {
        "forest_shrub_area": (shrub & (use == "forest"), rules.special_shrub),
        "tea_area": (shrub & (use == "tea"), rules.tea),
        "oil_camellia_area": (shrub & (use == "garden"), rules.oil_camellia),
    }
    nothing = np.zeros_like(shrub)
    sure = stand | (bamboo if rules.bamboo else nothing) | (orchard if rules.orchard else nothing)
    legal = nothing
    for part, counts in parts.values():
        legal |= part & counts
    possible = shrub if any(counts for _, counts in parts.values()) else nothing
    found = {
        "statutory_share_lower": sure | legal,
        "statutory_share_upper": sure | (legal if known else possible),
        "woody_share": sure | shrub,
        "stand_area": stand,
        "bamboo_area": bamboo,
        "shrub_area": shrub,
        "orchard_area": orchard,
    }
    return found | ({name: part for name, (part, _) in parts.items()} if known else {})
