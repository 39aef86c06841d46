"""Searching: profile, area and period in, an inventory of scenes out."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from jinhua_rs.catalog.api import Question, ask, greet
from jinhua_rs.catalog.hrefs import Access
from jinhua_rs.catalog.inventory import Inventory, collapse, drop
from jinhua_rs.catalog.items import Candidate, read_footprint, read_instant, to_candidate
from jinhua_rs.catalog.profiles import Profile, load_profile
from jinhua_rs.catalog.static import catalogue_file, walk
from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.period import ZONE, Period
from jinhua_rs.scene import BAND_NAMES, SceneDecision
from jinhua_rs.settings import Stac

__all__ = ["reach", "search"]

_log = logging.getLogger(__name__)

Found = tuple[dict[str, Any], str]
"""An item as read from JSON, and its address or file."""


def search(
    stac: Stac,
    area: BaseGeometry,
    period: Period,
    *,
    bands: Sequence[str] = BAND_NAMES,
    profile: Profile | None = None,
) -> Inventory:
    """
    Find the scenes of a period over an area, each with a decision and a reason.

    A STAC API and a folder with ``catalog.json`` give the same inventory for the same items;
    dates, clouds and outlines are judged here, whatever a server does with filters. A scene
    belongs to exactly one quarter: ``start <= t < stop`` in Asia/Shanghai.

    Parameters
    ----------
    stac : Stac
    area : BaseGeometry, degrees, EPSG:4326 (longitude, latitude)
        Scenes whose outline shares ground with it are wanted.
    bands : sequence of str
        Canonical bands that a scene must have, ``scl`` beside.
    profile : Profile, optional
        Loaded from ``stac.profile`` by default.

    Raises
    ------
    ConfigError
        If the profile, the address or the area is wrong.
    NoDataError
        If the server does not answer; for an empty inventory see :meth:`Inventory.require`.
    IntegrityError
        If the answer is incomplete or damaged as a whole.
    """
    profile = profile or load_profile(stac.profile)
    bounds = _bounds(area)
    url = _address(stac, profile)
    found, folder = _find(stac, profile, bounds, period)
    access = Access.of(profile, stac, folder=folder)
    asked = _asked_for(found, stac.collection or profile.collection, period, bounds)
    read = partial(to_candidate, profile=profile, access=access, bands=bands)
    decisions = (_cloudless(one, stac.max_cloud) for one in _decided(asked, read, area))
    return Inventory(
        period=period,
        profile=profile.name,
        source=url,
        bounds=bounds,
        decisions=tuple(sorted(decisions, key=_order)),
        attribution=profile.attribution,
    )


def reach(stac: Stac) -> str:
    """Tell which catalogue the settings lead to, after opening it; raises as :func:`search`."""
    url = _address(stac, load_profile(stac.profile))
    if urlsplit(url).scheme in ("http", "https"):
        return f"{greet(stac, url)} {url}"
    return str(catalogue_file(url))


def _find(
    stac: Stac, profile: Profile, bounds: tuple[float, float, float, float], period: Period
) -> tuple[Iterator[Found], Path | None]:
    """Yield the items of an API, or those of a folder, which is named too."""
    url = _address(stac, profile)
    if urlsplit(url).scheme in ("http", "https"):
        collection = stac.collection or profile.collection
        questions = [Question(collection, bounds, *span) for span in _months(period)]
        return _online(stac, url, questions, profile.page_size), None
    root = catalogue_file(url)
    return walk(root), root.parent


def _address(stac: Stac, profile: Profile) -> str:
    url = stac.url or profile.url
    if url:
        return url
    raise ConfigError(
        f"profile {profile.name} has no address of its own; set [stac] url to an API root or a "
        "folder with catalog.json",
        zh=f"数据源 {profile.name} 没有默认地址；请在 [stac] url 中填写 API 地址或含 catalog.json "
        "的目录",
    )


def _bounds(area: BaseGeometry) -> tuple[float, float, float, float]:
    west, south, east, north = (float(bound) for bound in area.bounds or [float("nan")] * 4)
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise ConfigError(
            f"the search area must lie in longitude and latitude, got bounds {area.bounds}",
            zh=f"检索范围必须为经纬度坐标，现为 {area.bounds}",
        )
    return west, south, east, north


def _months(period: Period) -> Iterator[tuple[datetime, datetime]]:
    """Cut a period at the month's ends of Asia/Shanghai; instants in UTC."""
    start = period.start
    while start < period.stop:
        year, month = divmod(12 * start.year + start.month, 12)
        stop = datetime(year, month + 1, 1, tzinfo=ZONE)
        yield start.astimezone(UTC), stop.astimezone(UTC)
        start = stop


def _online(stac: Stac, url: str, questions: list[Question], page_size: int) -> Iterator[Found]:
    for item in ask(stac, url, questions, page_size):
        links = item.get("links")
        own = (
            str(link.get("href"))
            for link in (links if isinstance(links, list) else ())
            if isinstance(link, Mapping) and link.get("rel") == "self"
        )
        yield item, next(own, "")


def _asked_for(
    found: Iterable[Found],
    collection: str,
    period: Period,
    bounds: tuple[float, float, float, float],
) -> Iterator[Found]:
    """Pass on what was asked for and what is too damaged to tell, as an obedient server would."""
    frame = box(*bounds)
    strays = 0
    for item, base in found:
        try:
            wanted = (
                (not collection or item.get("collection") in (collection, None))
                and period.contains(read_instant(item["properties"]["datetime"]))
                and bool(read_footprint(item["geometry"]).envelope.intersects(frame))
            )
        except (IntegrityError, KeyError, TypeError):
            wanted = True
        if wanted:
            yield item, base
        strays += not wanted
    if strays:
        _log.info("%d items outside the collection, period or frame were passed over", strays)


def _decided(
    found: Iterable[Found], read: Callable[..., Candidate], area: BaseGeometry
) -> Iterator[SceneDecision]:
    """Decide on damage, place and copies."""
    usable: list[Candidate] = []
    for item, base in found:
        try:
            candidate = read(item, base=base)
        except IntegrityError as error:
            yield drop(_name(item), "damaged", detail=str(error), detail_zh=error.zh)
            continue
        if candidate.scene.footprint.intersection(area).area > 0:
            usable.append(candidate)
        else:
            yield drop(candidate.scene.id, "area", scene=candidate.scene)
    yield from collapse(usable)


def _cloudless(one: SceneDecision, max_cloud: float) -> SceneDecision:
    """Turn against a kept scene that is too cloudy; after copies, or an older one would return."""
    scene = one.scene
    if one.verdict != "kept" or scene is None or not scene.cloud > max_cloud:
        return one
    return drop(
        scene.id,
        "cloud",
        detail=f"cloud cover {scene.cloud:.1f} % > {max_cloud:g} %",
        detail_zh=f"云量 {scene.cloud:.1f}% 超过 {max_cloud:g}%",
        scene=scene,
    )


def _name(item: Mapping[str, Any]) -> str:
    return ascii(str(item.get("id", "(no id)")))[1:-1][:80]


def _order(one: SceneDecision) -> tuple[bool, str, str, str]:
    acquired = one.scene.acquired.isoformat() if one.scene else ""
    return one.verdict != "kept", acquired, one.id, one.reason
