"""Searching: profile, area and period in, an inventory of scenes out."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shapely import prepare
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from jinhua_rs.catalog.api import Question, ask, greet
from jinhua_rs.catalog.decisions import Rules, collapse, drop, judge, ordered, rank
from jinhua_rs.catalog.hrefs import Access
from jinhua_rs.catalog.inventory import Inventory
from jinhua_rs.catalog.items import Candidate, to_candidate
from jinhua_rs.catalog.mgrs import squares, tile_outline
from jinhua_rs.catalog.profiles import Source, load_profile
from jinhua_rs.catalog.static import catalogue_file, walk
from jinhua_rs.catalog.values import read_footprint, read_instant
from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.period import ZONE, Period
from jinhua_rs.scene import BAND_NAMES, Scene, SceneDecision
from jinhua_rs.settings import Stac

__all__ = ["address_of", "bounds_of", "find", "reach", "search"]

_log = logging.getLogger(__name__)

MAX_SQUARES = 400
"""An area on more squares than this is refused: it would be thousands of questions."""
_SEAM_DEG = 0.001
"""Questions reach this far beyond their square, so that nothing is lost between two."""

Bounds = tuple[float, float, float, float]
Found = tuple[dict[str, Any], str]
"""An item as read from JSON, and its address or file."""


def search(
    stac: Stac,
    area: BaseGeometry,
    period: Period,
    *,
    bands: Sequence[str] = BAND_NAMES,
    margin_days: int = 0,
    season: tuple[str, ...] = (),
) -> Inventory:
    """
    Find the scenes of a period over an area, each with a decision and a reason.

    An API is asked for each 100 km square and each month apart. A STAC API and a folder with
    ``catalog.json`` give the same inventory for the same items: dates, clouds, tiles and outlines
    are judged here, whatever a server does with filters. A scene belongs to exactly one quarter:
    ``start <= t < stop`` in Asia/Shanghai.

    Parameters
    ----------
    stac : Stac
    area : BaseGeometry, degrees, EPSG:4326 (longitude, latitude)
        Scenes whose outline shares ground with it are wanted.
    bands : sequence of str
        Canonical bands that a scene must have, ``scl`` beside.
    margin_days : int
        Days before and after the period that are searched too; sound scenes of theirs are spare.
    season : tuple of str
        First and last day of the year, ``("10-01", "12-31")``, that scenes may have; empty: any.

    Raises
    ------
    ConfigError
        If the profile, the address, the area, the margin or the season is wrong.
    NoDataError
        If the server does not answer in time; for an empty inventory see
        :meth:`Inventory.require`.
    IntegrityError
        If the answer is incomplete or damaged as a whole.
    """
    profile = load_profile(stac.profile)
    rules = Rules(max_cloud=stac.max_cloud, margin_days=margin_days, season=season)
    bounds, url = bounds_of(area), address_of(stac, profile)
    questions = _questions(stac.collection or profile.collection, area, rules.window(period))
    found, folder = find(stac, url, questions, profile.page_size)
    access = Access.of(profile, stac, folder=folder)
    read = partial(to_candidate, profile=profile, access=access, bands=bands)
    candidates, unfit = _sorted_out(_asked_for(found, questions), read, area)
    decisions = [
        judge(one.scene, period, rules) if one.verdict == "kept" and one.scene else one
        for one in collapse(candidates)
    ]
    return Inventory(
        period=period,
        profile=profile.name,
        source=url,
        bounds=bounds,
        decisions=ordered([*decisions, *unfit]),
        attribution=profile.attribution,
        rules=rules,
        lineage={one.scene.id: one.lineage for one in candidates},
    )


def reach(stac: Stac) -> str:
    """Tell which catalogue the settings lead to, after opening it; raises as :func:`search`."""
    url = address_of(stac, load_profile(stac.profile))
    if urlsplit(url).scheme in ("http", "https"):
        return f"{greet(stac, url)} {url}"
    return str(catalogue_file(url))


def _questions(
    collection: str, area: BaseGeometry, window: tuple[datetime, datetime]
) -> list[Question]:
    """
    Cut what is wanted by square and month.

    An item that is wanted shares ground with the area, so with what of it lies on some square:
    the question for that square finds it, whatever tile it calls its own.
    """
    places = squares(area)
    if len(places) > MAX_SQUARES:
        raise ConfigError(
            f"the area meets {len(places)} squares of 100 km, more than {MAX_SQUARES}; work in "
            "smaller areas",
            zh=f"范围涉及 {len(places)} 个 100 公里方格，超过 {MAX_SQUARES} 个；请分区处理",
        )
    return [
        Question(collection, place.code, _grown(place.ground.bounds), *span)
        for place in places
        for span in _months(*window)
    ]


def _grown(bounds: Bounds) -> Bounds:
    west, south, east, north = bounds
    return (
        max(west - _SEAM_DEG, -180.0),
        max(south - _SEAM_DEG, -90.0),
        min(east + _SEAM_DEG, 180.0),
        min(north + _SEAM_DEG, 90.0),
    )


def _months(start: datetime, stop: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Cut a time span at the month's ends of Asia/Shanghai; instants in UTC."""
    while start < stop:
        local = start.astimezone(ZONE)
        year, month = divmod(12 * local.year + local.month, 12)
        end = min(datetime(year, month + 1, 1, tzinfo=ZONE).astimezone(UTC), stop)
        yield start, end
        start = end


def find(
    stac: Stac, url: str, questions: list[Question], page_size: int
) -> tuple[Iterator[Found], Path | None]:
    """Yield the items of an API, or those of a folder, which is named too."""
    if urlsplit(url).scheme in ("http", "https"):
        return _online(stac, url, questions, page_size), None
    root = catalogue_file(url)
    return walk(root), root.parent


def address_of(stac: Stac, profile: Source) -> str:
    """Address of the catalogue: that of the settings, else the profile's own."""
    url = stac.url or profile.url
    if url:
        return url
    raise ConfigError(
        f"profile {profile.name} has no address of its own; set [stac] url to an API root or a "
        "folder with catalog.json",
        zh=f"数据源 {profile.name} 没有默认地址；请在 [stac] url 中填写 API 地址或含 catalog.json "
        "的目录",
    )


def bounds_of(area: BaseGeometry) -> Bounds:
    """Bounds of an area, checked to be longitudes and latitudes."""
    west, south, east, north = (float(bound) for bound in area.bounds or [float("nan")] * 4)
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise ConfigError(
            f"the search area must lie in longitude and latitude, got bounds {area.bounds}",
            zh=f"检索范围必须为经纬度坐标，现为 {area.bounds}",
        )
    return west, south, east, north


def _online(stac: Stac, url: str, questions: list[Question], page_size: int) -> Iterator[Found]:
    for item in ask(stac, url, questions, page_size):
        links = item.get("links")
        own = (
            str(link.get("href"))
            for link in (links if isinstance(links, list) else ())
            if isinstance(link, Mapping) and link.get("rel") == "self"
        )
        yield item, next(own, "")


def _asked_for(found: Iterable[Found], questions: Sequence[Question]) -> Iterator[Found]:
    """Pass on what was asked for and what is too damaged to tell, as an obedient server would."""
    if not questions:
        return
    collection = questions[0].collection
    start = min(question.start for question in questions)
    stop = max(question.stop for question in questions)
    frame = unary_union([box(*question.bounds) for question in questions])
    prepare(frame)
    strays = 0
    for item, base in found:
        try:
            wanted = (
                (not collection or item.get("collection") in (collection, None))
                and start <= read_instant(item["properties"]["datetime"]) < stop
                and bool(frame.intersects(read_footprint(item["geometry"])))
            )
        except (IntegrityError, KeyError, TypeError):
            wanted = True
        if wanted:
            yield item, base
        strays += not wanted
    if strays:
        _log.info("%d items outside the collection, period or frame were passed over", strays)


def _sorted_out(
    found: Iterable[Found], read: Callable[..., Candidate], area: BaseGeometry
) -> tuple[list[Candidate], list[SceneDecision]]:
    """Sort the sound scenes of the area from the damaged, the distant and the repeated."""
    usable: dict[str, Candidate] = {}
    unfit = []
    for item, base in found:
        try:
            candidate = read(item, base=base)
        except IntegrityError as error:
            unfit.append(drop(_name(item), "damaged", detail=str(error), detail_zh=error.zh))
            continue
        scene = candidate.scene
        if away := _away(scene, area):
            unfit.append(away)
            continue
        if scene.id in usable:
            unfit.append(_repeated(scene.id))
            candidate = max(usable[scene.id], candidate, key=rank)
        usable[scene.id] = candidate
    return list(usable.values()), unfit


def _away(scene: Scene, area: BaseGeometry) -> SceneDecision | None:
    """Decide against a scene that shows nothing of the area, or says so by its tile."""
    if not scene.footprint.intersection(area).area > 0:
        return drop(scene.id, "area", scene=scene)
    tile = tile_outline(scene.tile)
    if tile is None or tile.intersects(area):
        return None
    return drop(
        scene.id,
        "area",
        detail=f"tile {scene.tile} does not meet the area, though the outline does",
        detail_zh=f"瓦片 {scene.tile} 不涉及监测范围（轮廓却涉及）",
        scene=scene,
    )


def _repeated(identity: str) -> SceneDecision:
    return drop(
        identity,
        "duplicate",
        detail="the same id a second time; the newest processing of it is used",
        detail_zh="编号重复；采用其中处理最新者",
    )


def _name(item: Mapping[str, Any]) -> str:
    return ascii(str(item.get("id", "(no id)")))[1:-1][:80]
