"""Planting parcels as reported: their fields, and which ground is reported more than once."""

import math
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from jinhua_rs.layers import Layer, column, told_apart, year_of
from jinhua_rs.units import mu

__all__ = ["SETTINGS", "Parcels", "ended", "overlap_mu", "parcels_of"]

SETTINGS = ("山地", "坡地", "城市", "乡村", "通道", "沿江")
"""The six settings of afforestation that the plan names (六大森林)."""
_NO_SETTING = "未注明"
_FIELDS = {
    "parcel": ("parcel", "id", "XBH", "小班号", "编号"),
    "year": ("year", "ZLND", "造林年度", "年度", "造林年份"),
    "reported_mu": ("reported_mu", "ZLMJ", "上报面积", "造林面积", "面积亩"),
    "species": ("species", "SZ", "树种"),
    "setting": ("setting", "SLLX", "森林类型", "类型"),
    "type": ("type", "ZLFS", "造林类别", "造林方式"),
}
_ECONOMIC = ("油茶", "茶", "香榧", "果", "桑", "梨", "桃", "柑", "橘", "杨梅", "枇杷")
"""Species whose canopy stays low by design: canopy cover does not judge them."""
_TWICE = 0.5
"""Share of the smaller parcel that two must share to be one ground reported twice."""


@dataclass(frozen=True, slots=True)
class Parcels:
    """
    Reported parcels.

    Attributes
    ----------
    frame : GeoDataFrame
        ``parcel`` (id, unique), ``year`` (Int64, missing where not reported), ``reported_mu`` (亩,
        NaN = not reported), ``species``, ``setting`` (one of :data:`SETTINGS` or 未注明), ``type``
        (as reported), ``economic`` (bool), ``drawn_mu`` (亩 of the outline), ``duplicate_of``
        (parcel that was reported first on this ground, else empty), ``counted_mu`` (亩 of the
        outline that no earlier parcel covers) and the outline; ``counted`` is that ground.
    remarks : tuple of (str, str)
        What was wrong with the layer and what became of it, in English and Chinese.
    """

    frame: gpd.GeoDataFrame
    remarks: tuple[tuple[str, str], ...]


def parcels_of(layer: Layer) -> Parcels:
    """
    Read the fields of a layer of parcels, in any of the names that bureaus use.

    Ground is counted once, for the parcel that reported it first (by year, then by id); parcels
    without a year come last. Of several parcels with one id the later ones carry a number.
    """
    frame, remarks = layer.frame, list(layer.remarks())
    given = {name: column(frame, *names) for name, names in _FIELDS.items()}
    cells = {name: values or [""] * len(frame) for name, values in given.items()}
    ids, repeated = told_apart(cells["parcel"])
    if repeated:
        en = f"parcels: id {repeated[0]!r} stands more than once; later ones carry a number"
        remarks.append((en, f"造林小班编号 {repeated[0]} 重复，后者已加序号区分"))
    years = [year_of(one) for one in cells["year"]]
    areas = [_area(one) for one in cells["reported_mu"]]
    for name, wrong in {
        "year": sum(year is None for year in years),
        "reported_mu": sum(math.isnan(area) for area in areas),
    }.items():
        if wrong:
            en = f"parcels: {wrong} without a usable {name}"
            zh = "造林年度" if name == "year" else "上报面积"
            remarks.append((en, f"造林小班：{wrong} 个没有有效的{zh}"))
    table = gpd.GeoDataFrame(
        {
            "parcel": ids,
            "year": pd.array(years, dtype="Int64"),
            "reported_mu": areas,
            "species": cells["species"],
            "setting": [one if one in SETTINGS else _NO_SETTING for one in cells["setting"]],
            "type": cells["type"],
            "economic": [any(word in one for word in _ECONOMIC) for one in cells["species"]],
        },
        geometry=frame.geometry.to_numpy(),
        crs=frame.crs,
    )
    table = table.sort_values(["year", "parcel"], na_position="last", ignore_index=True)
    return Parcels(_counted_once(table), tuple(remarks))


def ended(parcels: Parcels, year: int) -> tuple[tuple[str, str], ...]:
    """Remark, in two languages, that a layer holds no planting of a year; empty if it does."""
    last = parcels.frame["year"].max()
    if pd.isna(last) or last >= year:
        return ()
    en = f"parcels: the layer ends in {last}; plantings up to {year} are not in it"
    return ((en, f"造林小班：图层止于 {last} 年，此后至 {year} 年的造林未列入"),)


def _area(cell: str) -> float:
    """Area that a cell states; NaN where it states none, or none that can be."""
    try:
        value = float(cell.replace(",", ""))
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and value > 0 else math.nan


def _counted_once(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Give each parcel the ground that no earlier one covers, and name the one reported before."""
    shapes = table.geometry.to_numpy()
    tree = shapely.STRtree(shapes)
    later, earlier = tree.query(shapes, predicate="intersects")
    counted, first = list(shapes), [""] * len(shapes)
    for place in np.unique(later[earlier < later]):
        before = np.sort(earlier[(later == place) & (earlier < place)])
        counted[place] = shapes[place].difference(shapely.union_all(shapes[before]))
        shared = shapely.area(shapely.intersection(shapes[before], shapes[place]))
        smaller = np.minimum(shapely.area(shapes[before]), shapes[place].area)
        same = before[shared >= _TWICE * smaller]
        first[place] = str(table["parcel"].iloc[same[0]]) if same.size else ""
    return table.assign(
        drawn_mu=mu(1.0) * shapely.area(shapes),
        duplicate_of=first,
        counted_mu=mu(1.0) * shapely.area(np.array(counted, dtype=object)),
        counted=gpd.GeoSeries(counted, crs=table.crs),
    )


def overlap_mu(frame: gpd.GeoDataFrame, zones: gpd.GeoDataFrame | None) -> np.ndarray:
    """
    Area that each parcel shares with zones, each ground once.

    Parameters
    ----------
    frame : GeoDataFrame
    zones : GeoDataFrame, optional
        In the CRS of the parcels; None where the layer was not supplied.

    Returns
    -------
    ndarray, float64, dims (parcel,), 亩
        NaN where there are no zones to lay them over, which is not 0.
    """
    if zones is None:
        return np.full(len(frame), np.nan)
    shapes, others = frame.geometry.to_numpy(), zones.geometry.to_numpy()
    parcel, zone = shapely.STRtree(others).query(shapes, predicate="intersects")
    shared = np.zeros(len(frame))
    for place in np.unique(parcel):
        ground = shapely.union_all(others[zone[parcel == place]])
        shared[place] = mu(shapes[place].intersection(ground).area)
    return shared
