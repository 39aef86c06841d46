"""All mines of a layer: their records as tables that staff and programs read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import NoDataError
from jinhua_rs.history import Publication, series
from jinhua_rs.layers import Layer, column, told_apart, year_of
from jinhua_rs.mines.judge import MineStatus
from jinhua_rs.mines.metrics import Recovery
from jinhua_rs.mines.record import INDICES, MineRecord, Rules, record_of
from jinhua_rs.terrain import terrain_of
from jinhua_rs.units import mu

__all__ = ["Elevation", "Mines", "mine_table", "mines_of", "roll_up", "survey", "yearly_table"]

Elevation = Callable[[GeoBox], NDArray[np.float32]]
"""Gives elevation (m, NaN = not known) on a window of the grid."""

_ID = ("mine", "site", "id", "KSBH", "矿山编号", "编号")
_NAME = ("name", "name_zh", "KSMC", "矿山名称", "名称")
_REPORTED = ("status", "ZLZT", "治理状态", "状态")
_YEARS = {
    "opened": ("opened", "KCNF", "开采年份"),
    "start": ("restored_from", "ZLNF", "治理年份"),
}


@dataclass(frozen=True, slots=True)
class Mines:
    """
    Mines of a layer that can be told apart.

    ``frame`` has ``mine`` (id, unique), ``name``, ``reported`` (status as the layer has it),
    ``opened`` and ``start`` (years, missing where the layer is silent) and the geometry;
    ``remarks`` tell, in English and Chinese, what was wrong with the layer and what became of it.
    """

    frame: gpd.GeoDataFrame
    remarks: tuple[tuple[str, str], ...]


def mines_of(layer: Layer) -> Mines:
    """
    Read the fields of a layer of mines, in any of the names that bureaus use.

    A mine without an id is named after its place in the file; of several with one id the second
    and further ones are told apart by a number, and that is remarked. A year that is none is
    taken for missing, and remarked.
    """
    frame, remarks = layer.frame, list(layer.remarks())
    ids, repeated = told_apart(column(frame, *_ID) or [""] * len(frame))
    if repeated:
        en = f"mines: id {repeated[0]!r} stands more than once; later ones carry a number"
        remarks.append((en, f"矿山编号 {repeated[0]} 重复，后者已加序号区分"))
    found: dict[str, list[object]] = {
        "mine": list(ids),
        "name": list(column(frame, *_NAME) or ids),
        "reported": list(column(frame, *_REPORTED) or [""] * len(frame)),
    }
    for role, names in _YEARS.items():
        given = column(frame, *names) or [""] * len(frame)
        found[role] = [year_of(one) for one in given]
        wrong = [one for one, year in zip(given, found[role], strict=True) if one and year is None]
        if wrong:
            en = f"mines: {len(wrong)} values of {role} are no year, such as {wrong[0]!r}; left out"
            remarks.append((en, f"矿山图层：{len(wrong)} 个 {role} 不是年份（{wrong[0]}），未使用"))
    table = gpd.GeoDataFrame(found, geometry=frame.geometry.to_numpy(), crs=frame.crs)
    table = table.astype(dict.fromkeys(_YEARS, "Int64")).sort_values("mine", ignore_index=True)
    return Mines(table, tuple(remarks))


def survey(
    mines: Mines,
    published: tuple[Publication, ...],
    *,
    elevation: Elevation | None,
    rules: Rules,
) -> dict[str, MineRecord]:
    """
    Make the record of every mine from what was published of one season.

    Parameters
    ----------
    mines : Mines
    published : tuple of Publication
        Of one season, oldest first, with the maps ``ndvi``, ``nbr`` and ``landcover``.
    elevation : callable, optional
        Elevation on a window; without it rings are not matched by terrain and steep faces are
        not told apart.
    rules : Rules

    Returns
    -------
    dict
        Record by mine, in the order of ``mines.frame``.

    Raises
    ------
    NoDataError
        If no publication holds the maps.
    """
    everything = mines.frame.geometry.union_all()
    records = {}
    for row in mines.frame.itertuples():
        around = row.geometry.buffer(rules.reach_m[1])
        stack = _stack(published, around)
        others = everything.difference(row.geometry.buffer(1.0)).intersection(around)
        terrain = (
            None if elevation is None else terrain_of(elevation(stack.odc.geobox), _side(stack))
        )
        records[str(row.mine)] = record_of(
            stack,
            row.geometry,
            barred=None if others.is_empty else others,
            terrain=terrain,
            known={"opened": _known(row.opened), "start": _known(row.start)},
            rules=rules,
        )
    return records


def _known(year: Any) -> int | None:  # noqa: ANN401 (a cell of a table)
    return None if pd.isna(year) else int(year)


def _stack(published: tuple[Publication, ...], area: BaseGeometry) -> xr.Dataset:
    found = {name: series(published, name, area) for name in (*INDICES, "landcover", "n_clear")}
    needed = {name: found[name] for name in ("ndvi", "nbr", "landcover")}
    years = set.intersection(*(set(one["year"].to_numpy().tolist()) for one in needed.values()))
    if not years:
        raise NoDataError(
            "no publication holds the maps ndvi, nbr and landcover that mines are judged by; run a "
            "period with the bands nir08, swir22, red and nir and with a model of classes",
            zh="没有包含 ndvi、nbr、landcover 图的已发布时段；请先用含相应波段与地类模型的配置运行",
        )
    kept = sorted(years)
    told = {
        name: one.sel(year=kept)
        for name, one in found.items()
        if years <= set(one["year"].to_numpy())
    }
    return xr.Dataset(told)


def _side(stack: xr.Dataset) -> float:
    return abs(float(stack.odc.geobox.resolution.x))


def mine_table(
    mines: Mines, records: dict[str, MineRecord], county_of: Callable[[BaseGeometry], str]
) -> gpd.GeoDataFrame:
    """
    One row a mine: what is reported, what was measured, what it is judged to be, and why.

    Returns
    -------
    GeoDataFrame
        ``mine``, ``name``, ``county`` (code), ``area_mu`` (亩), ``reported``, ``status``
        (:class:`~jinhua_rs.mines.judge.MineStatus`), ``why``, ``why_zh``, ``opened``, ``start``,
        ``last_year``, ``seen_share`` of it, ``bare_share``, ``canopy``, ``target`` and each metric
        with ``_low`` and ``_high``, ``target_source``, ``ring_px``, ``steep_share``,
        ``covered_y2r``. NaN and None = not known.
    """
    metrics = list(Recovery.__dataclass_fields__)
    rows = []
    for row in mines.frame.itertuples():
        record = records[str(row.mine)]
        now = _last_seen(record)
        spans = {"target": record.target} | {name: record.metrics[name] for name in metrics}
        rows.append(
            {
                "mine": row.mine,
                "name": row.name,
                "county": county_of(row.geometry),
                "area_mu": round(mu(row.geometry.area), 2),
                "reported": row.reported,
                "status": record.verdict.status.value,
                "why": record.verdict.why,
                "why_zh": record.verdict.why_zh,
                "opened": record.opened,
                "start": record.start,
                "last_year": None if now is None else record.years[now],
            }
            | {name: _now(record, name, now) for name in ("seen_share", "bare_share", "canopy")}
            | {
                f"{name}{end}": getattr(span, part)
                for name, span in spans.items()
                for end, part in (("", "value"), ("_low", "low"), ("_high", "high"))
            }
            | {
                "target_source": record.target_source,
                "ring_px": record.ring_px,
                "steep_share": record.steep_share,
                "covered_y2r": record.covered_y2r,
            }
        )
    shapes = mines.frame.geometry.to_numpy()
    table = gpd.GeoDataFrame(rows, geometry=shapes, crs=mines.frame.crs)
    return table.astype(dict.fromkeys(("opened", "start", "last_year"), "Int64"))


def _last_seen(record: MineRecord) -> int | None:
    seen = np.flatnonzero(~np.isnan(record.yearly["nbr"]))
    return int(seen[-1]) if seen.size else None


def _now(record: MineRecord, name: str, at: int | None) -> float:
    values = record.yearly.get(name)
    return float("nan") if at is None or values is None else float(values[at])


def yearly_table(records: dict[str, MineRecord]) -> pd.DataFrame:
    """Long table: ``mine``, ``year``, ``measure``, ``value`` (NaN = not seen)."""
    return pd.DataFrame(
        [
            (mine, year, measure, float(value))
            for mine, record in records.items()
            for measure, values in record.yearly.items()
            for year, value in zip(record.years, values, strict=True)
        ],
        columns=["mine", "year", "measure", "value"],
    )


def roll_up(table: pd.DataFrame) -> pd.DataFrame:
    """
    Count mines and their area (亩) by county and status, every status a column, 0 where none.

    Returns
    -------
    DataFrame, index county
        ``<status>`` counts and ``<status>_mu`` areas, ``total``, ``total_mu``.
    """
    statuses = [status.value for status in MineStatus]
    counts = table.groupby(["county", "status"])["mine"].count().unstack(fill_value=0)
    areas = table.groupby(["county", "status"])["area_mu"].sum().unstack(fill_value=0)
    counts = counts.reindex(columns=statuses, fill_value=0)
    areas = areas.reindex(columns=statuses, fill_value=0.0).add_suffix("_mu")
    return counts.assign(total=counts.sum(axis=1)).join(
        areas.assign(total_mu=areas.sum(axis=1).round(2))
    )
