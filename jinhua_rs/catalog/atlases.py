"""Atlases by STAC: profile, area and year in, the rasters that lie there out."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from shapely.geometry.base import BaseGeometry

from jinhua_rs.atlas import Atlas, Sheet
from jinhua_rs.catalog.api import Question
from jinhua_rs.catalog.fetch import Courier, access_to
from jinhua_rs.catalog.hrefs import Access
from jinhua_rs.catalog.items import named, pick_asset, read_asset, read_crs
from jinhua_rs.catalog.profiles import AtlasProfile, load_atlas
from jinhua_rs.catalog.search import address_of, bounds_of, find
from jinhua_rs.catalog.values import bad, read_footprint, read_instant
from jinhua_rs.errors import NoDataError
from jinhua_rs.period import ZONE
from jinhua_rs.settings import Stac

__all__ = ["find_atlas", "settle_atlas"]

_EVER = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def find_atlas(name: str, area: BaseGeometry, stac: Stac, *, year: int | None = None) -> Atlas:
    """
    Find the sheets of an atlas over an area.

    Parameters
    ----------
    name : str
        Name of a file in ``stac/atlases``, or a TOML file of your own.
    area : BaseGeometry, degrees, EPSG:4326 (longitude, latitude)
        Sheets whose outline shares ground with it are found.
    stac : Stac
        Its ``url`` (an API root, or a folder with ``catalog.json``; empty means the atlas's own
        address), patience and allow-lists are used: ``settings.atlas_stac``. Its ``profile``,
        ``collection`` and ``max_cloud`` are of imagery and are passed over.
    year : int, optional
        Year of a map of classes; the newest one that lies there by default. The year of an
        item is that of the middle of its time. Elevation has no year.

    Returns
    -------
    Atlas
        With at least one sheet; addresses are allowed, but not signed: see :func:`settle_atlas`.

    Raises
    ------
    NoDataError
        If nothing lies there, or not of that year; it names the years that do.
    IntegrityError
        If an item of the atlas is damaged: a map with a hole would pass for a whole one.
    ConfigError
        As :func:`jinhua_rs.catalog.search`.
    """
    profile, stac = load_atlas(name), stac.model_copy(update={"collection": ""})
    url = address_of(stac, profile)
    question = Question(profile.collection, "", bounds_of(area), *_EVER)
    found, _ = find(stac, url, [question], profile.page_size)
    access = access_to(stac, profile)
    sheets = {
        sheet.id: sheet
        for item, base in found
        if item.get("collection") == profile.collection or not profile.collection
        if (sheet := _sheet(item, profile, access, base)).footprint.intersection(area).area > 0
    }
    chosen = _chosen(profile, sheets, year)
    return Atlas(
        name=profile.name,
        profile=name,
        kind=profile.kind,
        year=chosen[0].year if profile.kind == "class" else None,
        nodata=profile.nodata,
        classes=dict(profile.classes),
        sheets=chosen,
        licence=profile.licence,
        attribution=profile.attribution,
    )


def settle_atlas(atlas: Atlas, stac: Stac) -> Atlas:
    """
    Return the atlas with addresses that GDAL may open: every hop checked, signed where needed.

    Do it just before reading, and store nothing of it: the addresses may hold a token.

    Parameters
    ----------
    atlas : Atlas
        As found.
    stac : Stac
        As for :func:`find_atlas`.

    Raises
    ------
    IntegrityError, NoDataError
        For the first sheet that may not or cannot be opened, as :meth:`Courier.settle`.
    """
    stac = stac.model_copy(update={"collection": ""})
    with closing(Courier.of(stac, load_atlas(atlas.profile))) as courier:
        sheets = [
            replace(sheet, asset=replace(sheet.asset, href=courier.settle(sheet.asset.href)))
            for sheet in atlas.sheets
        ]
    return replace(atlas, sheets=tuple(sheets))


def _sheet(item: Mapping[str, Any], profile: AtlasProfile, access: Access, base: str) -> Sheet:
    with named(item) as identity:
        properties = item.get("properties")
        asset = pick_asset(item, profile.asset)
        if asset is None or not isinstance(properties, Mapping):
            wanted = " or ".join(profile.asset)
            raise bad(f"it has no asset {wanted}", f"缺少资产 {wanted}")
        return Sheet(
            id=identity,
            year=_year(properties),
            asset=read_asset(asset, properties, profile.alternate, access, base),
            crs=read_crs(asset, properties),
            footprint=read_footprint(item.get("geometry")),
            simulated=properties.get("jinhua:simulated") is True,
        )


def _year(properties: Mapping[str, Any]) -> int:
    """Year that holds the middle of the time: a map of a year often ends as the next begins."""
    if properties.get("start_datetime") is None:
        return read_instant(properties.get("datetime")).astimezone(ZONE).year
    start = read_instant(properties["start_datetime"])
    stop = read_instant(properties.get("end_datetime"))
    return (start + (stop - start) / 2).astimezone(ZONE).year


def _chosen(
    profile: AtlasProfile, sheets: Mapping[str, Sheet], year: int | None
) -> tuple[Sheet, ...]:
    """Sheets of the year wanted, by id."""
    years = sorted({sheet.year for sheet in sheets.values()})
    if not years:
        raise NoDataError(
            f"atlas {profile.name}: nothing lies over the area; check [atlas] url and the "
            f"collection {profile.collection!r}",
            zh=f"参考图 {profile.name} 在该范围内没有数据；请检查 [atlas] url 与集合 "
            f"{profile.collection!r}",
        )
    wanted = years if profile.kind == "elevation" else [years[-1] if year is None else year]
    chosen = tuple(sheets[key] for key in sorted(sheets) if sheets[key].year in wanted)
    if not chosen:
        there = ", ".join(map(str, years))
        raise NoDataError(
            f"atlas {profile.name}: no map of {year}; there are {there}",
            zh=f"参考图 {profile.name} 没有 {year} 年的数据；现有年份：{there}",
        )
    return chosen
