"""The ground that numbers stand on: units cut by county and class, and the points judged there."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Self

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely

from jinhua_rs.errors import ConfigError, ContractError
from jinhua_rs.period import Period
from jinhua_rs.points import Drawn
from jinhua_rs.schema import FOREST_CANOPY
from jinhua_rs.zonal import class_areas

__all__ = ["Ground", "judged"]

_MIN_PIECE = 1.0  # m²; smaller pieces are leftovers of shared borders
_SAME = 0.01  # a unit whose area is off by more is not the one the sample was drawn for


def judged(
    sample: gpd.GeoDataFrame | None, period: Period, *, keep: tuple[str, ...] = ("canopy",)
) -> gpd.GeoDataFrame:
    """
    Points judged for ``period``: ``point``, ``y`` (1: canopy of 0.20 or more, else 0), geometry.

    ``keep`` names what must have been judged of a point and is kept; so is ``stratum``, if given.
    """
    if sample is None:
        return gpd.GeoDataFrame({"point": [], "y": []}, geometry=[], crs="EPSG:4326")
    for problem, problem_zh in _faults(sample):
        raise ConfigError(
            f"reference sample: {problem}; see docs/data-dictionary.md",
            zh=f"参考样本：{problem_zh}；参见 docs/data-dictionary.md",
        )
    chosen = sample[(sample["period"].astype("str") == str(period))]
    chosen = chosen[chosen[list(keep)].notna().all(axis=1)]
    y = (chosen["canopy"] >= FOREST_CANOPY).astype("float64")
    kept = [name for name in ("point", "stratum", *keep) if name in chosen]
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


@dataclass(frozen=True, slots=True)
class Ground:
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
        with rasterio.open(self.raster, driver="GTiff") as source:
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
