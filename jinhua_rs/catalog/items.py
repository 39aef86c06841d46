"""From a STAC item of any dialect to the one shape of the house, or a clear reason why not."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pyproj import CRS
from pyproj.exceptions import CRSError
from shapely import GeometryCollection, MultiPolygon, Polygon, force_2d, make_valid
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from jinhua_rs.catalog.hrefs import Access
from jinhua_rs.catalog.offsets import Facts, decide_offset
from jinhua_rs.catalog.profiles import Profile
from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.scene import BAND_NAMES, Asset, Scene

__all__ = ["Candidate", "read_footprint", "read_instant", "to_candidate", "to_scene"]

_SAFE_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_TILE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_BASELINE = re.compile(r"(\d{1,2})\.(\d{2})")
_TRIAL_BASELINE = 90
"""Baselines 99.xx mark trial processing without a fixed meaning."""
_MAX_WIDTH_DEG = 30.0
"""A tile is 1-10 degrees wide up to 83 N; a wider outline was torn at the antimeridian."""
_HUGE = 1e300
_FLAW_SHARE = 0.01
"""Mending an outline may change its area by this share, no more."""

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    A scene with the facts by which twins of one acquisition are told apart.

    ``datatake`` is without its baseline suffix; ``processed`` the processing time as text
    that sorts by time; both are empty where the item does not say. ``sequence`` is 0 then.
    """

    scene: Scene
    datatake: str
    processed: str
    sequence: int


def to_scene(
    item: Item,
    profile: Profile,
    *,
    access: Access | None = None,
    bands: Sequence[str] = BAND_NAMES,
    base: str = "",
) -> Scene:
    """
    Make a scene of a STAC item (1.0 or 1.1) as a plain dictionary.

    Parameters
    ----------
    item : Mapping
        The item as read from JSON; nothing in it is trusted.
    profile : Profile
        Where the provider puts its facts.
    access : Access, optional
        Which addresses are allowed; only those of the profile by default.
    bands : sequence of str
        Canonical names of the reflectance bands that the scene must have, ``scl`` beside.
    base : str
        Address or file of the item, against which relative asset addresses are resolved.

    Raises
    ------
    IntegrityError
        If the item lacks a needed fact or contradicts itself, naming the item and the fact.
    ConfigError
        If ``bands`` holds a name that is not canonical.
    """
    return to_candidate(item, profile, access=access, bands=bands, base=base).scene


def to_candidate(
    item: Item,
    profile: Profile,
    *,
    access: Access | None = None,
    bands: Sequence[str] = BAND_NAMES,
    base: str = "",
) -> Candidate:
    """Do the work of :func:`to_scene` and keep the facts for telling twins apart."""
    identity = item.get("id")
    if not isinstance(identity, str) or not _SAFE_ID.fullmatch(identity) or ".." in identity:
        shown = ascii(str(identity)[:80])
        raise IntegrityError(
            f"item id {shown} is unsafe or missing; report it to the provider",
            zh=f"影像编号 {shown} 不安全或缺失；请向数据提供方反映",
        )
    try:
        return _read(item, profile, access or Access.of(profile), _wanted(bands), base)
    except IntegrityError as error:
        raise IntegrityError(f"{identity}: {error}", zh=f"{identity}：{error.zh}") from error


def _wanted(bands: Sequence[str]) -> tuple[str, ...]:
    unknown = sorted(set(bands) - set(BAND_NAMES) - {"scl"})
    if unknown:
        raise ConfigError(
            f"unknown bands {unknown}; known are {', '.join(BAND_NAMES)}",
            zh=f"未知波段 {unknown}；可用：{'、'.join(BAND_NAMES)}",
        )
    return (*(name for name in BAND_NAMES if name in bands), "scl")


def _read(
    item: Item, profile: Profile, access: Access, wanted: tuple[str, ...], base: str
) -> Candidate:
    properties = item.get("properties")
    if not isinstance(properties, Mapping):
        raise _bad("it has no properties", "没有属性")
    fields = profile.fields_
    raw = {name: _pick(item, profile, name) for name in wanted}
    baseline = _baseline(_first(properties, fields.baseline))
    declared = {name: _declared(asset) for name, asset in raw.items() if name != "scl"}
    offset, reason = decide_offset(profile, Facts(properties, baseline, declared))
    scene = Scene(
        id=item["id"],
        acquired=read_instant(properties.get("datetime")),
        tile=_tile(_first(properties, fields.tile)),
        platform=str(_first(properties, fields.platform) or "").lower().replace(" ", "-"),
        baseline=baseline,
        offset=offset,
        offset_reason=reason,
        scale=profile.scale,
        cloud=_number(_first(properties, fields.cloud)),
        crs=_crs(properties, raw),
        footprint=read_footprint(item.get("geometry")),
        assets={
            name: _asset(asset, properties, profile, access, base) for name, asset in raw.items()
        },
        provider=profile.name,
        simulated=properties.get("jinhua:simulated") is True,
    )
    sequence = str(_first(properties, fields.sequence) or "")
    return Candidate(
        scene=scene,
        datatake=re.sub(r"_N\d\d\.\d\d$", "", str(_first(properties, fields.datatake) or "")),
        processed=_processed(_first(properties, fields.processed)),
        sequence=int(sequence) if sequence.isdecimal() else 0,
    )


def _processed(value: object) -> str:
    """Write a time so that it sorts as text; empty where there is none to read."""
    try:
        return read_instant(value).isoformat(timespec="microseconds")
    except IntegrityError:
        return ""


def _first(properties: Item, names: Sequence[str]) -> Any:  # noqa: ANN401 - JSON value
    return next((properties[name] for name in names if properties.get(name) is not None), None)


def _pick(item: Item, profile: Profile, band: str) -> Item:
    """Find the asset of a canonical band by the names of the profile, the best first."""
    assets = item.get("assets")
    names = profile.bands[band]
    found = (assets.get(name) for name in names) if isinstance(assets, Mapping) else ()
    asset = next((asset for asset in found if isinstance(asset, Mapping)), None)
    if asset is None:
        kind, kind_zh = ("scene classification", "场景分类") if band == "scl" else ("band", "波段")
        raise _bad(
            f"{kind} {band!r} is missing (asset {' or '.join(names)})",
            f"缺少{kind_zh} {band}（资产 {'/'.join(names)}）",
        )
    return asset


def _asset(asset: Item, properties: Item, profile: Profile, access: Access, base: str) -> Asset:
    alternates = asset.get("alternate")
    other = alternates.get(profile.alternate) if isinstance(alternates, Mapping) else None
    href = (other if isinstance(other, Mapping) else asset).get("href")
    if not isinstance(href, str) or not href:
        raise _bad("an asset has no address", "资产没有地址")
    checksum, size = asset.get("file:checksum"), asset.get("file:size")
    return Asset(
        href=access.resolve(href, base),
        transform=_transform(asset.get("proj:transform", properties.get("proj:transform"))),
        shape=_shape(asset.get("proj:shape", properties.get("proj:shape"))),
        checksum=checksum if isinstance(checksum, str) else None,
        size=size if isinstance(size, int) and size >= 0 else None,
    )


def _transform(value: object) -> tuple[float, ...] | None:
    if value is None:
        return None
    good = isinstance(value, list) and len(value) in (6, 9)
    numbers = tuple(_number(entry) for entry in value[:6]) if good else ()  # type: ignore[index]
    if not numbers or any(map(math.isnan, numbers)) or not numbers[0]:
        raise _bad(f"proj:transform is {value!r:.80}", f"proj:transform 无效（{value!r:.80}）")
    return numbers


def _shape(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    match value:
        case [int(rows), int(columns)] if rows > 0 and columns > 0:
            return rows, columns
    raise _bad(f"proj:shape is {value!r:.80}", f"proj:shape 无效（{value!r:.80}）")


def _declared(asset: Item) -> tuple[float | None, float | None]:
    """Read scale and offset: ``raster:bands`` in STAC 1.0; flat, or in ``bands``, in 1.1."""
    places: list[tuple[Any, str]] = [(asset, "raster:")]
    for key, prefix in (("bands", "raster:"), ("raster:bands", "")):
        entries = asset.get(key)
        if isinstance(entries, list) and entries and isinstance(entries[0], Mapping):
            places.append((entries[0], prefix))
    found: dict[str, float] = {}
    for place, prefix in places:
        for name in ("scale", "offset"):
            value = place.get(f"{prefix}{name}")
            if value is not None and name not in found:
                found[name] = _number(value)
    if any(map(math.isnan, found.values())):
        raise _bad("scale or offset is not a number", "缩放或偏移量不是数字")
    return found.get("scale"), found.get("offset")


def _baseline(value: object) -> str:
    found = _BASELINE.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) >= _TRIAL_BASELINE:
        raise _bad(
            f"processing baseline {value!r:.40} is unknown", f"处理基线未知（{value!r:.40}）"
        )
    return f"{int(found[1]):02d}.{found[2]}"


def _tile(value: object) -> str:
    name = str(value or "").removeprefix("MGRS-")
    if not _TILE.fullmatch(name):
        raise _bad(
            f"tile name {name!r:.40} is missing or unsafe", f"瓦片号缺失或无效（{name!r:.40}）"
        )
    return name


def _number(value: object) -> float:
    """Read a number of a JSON value, NaN where it is none (``true``, text, infinity)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if -_HUGE < value < _HUGE else math.nan


def _crs(properties: Item, assets: Mapping[str, Item]) -> str:
    """CRS of the projection extension, 1.x ``proj:epsg`` or 2.x ``proj:code``, item or asset."""
    found = {code for asset in assets.values() if (code := _code(asset) or _code(properties))}
    if len(found) != 1:
        raise _bad(f"it states {len(found) or 'no'} CRS", f"坐标系缺失或不唯一（{len(found)} 个）")
    code = found.pop()
    if not _known_crs(code):
        raise _bad(f"CRS {code!r:.40} is unknown", f"未知的坐标系 {code!r:.40}")
    return code


def _code(holder: Item) -> str:
    code, epsg = holder.get("proj:code"), holder.get("proj:epsg")
    if isinstance(code, str):
        return code
    return f"EPSG:{epsg}" if isinstance(epsg, int) and not isinstance(epsg, bool) else ""


@lru_cache(maxsize=64)
def _known_crs(code: str) -> bool:
    if not re.fullmatch(r"[A-Z]+:[0-9]+", code):
        return False
    try:
        CRS.from_string(code)
    except CRSError:
        return False
    return True


def read_instant(value: object) -> datetime:
    """
    Instant of an RFC 3339 text, in UTC.

    Raises
    ------
    IntegrityError
        If it is missing, malformed or without zone.
    """
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise _bad(
            f"datetime {value!r:.40} is missing or wrong", f"成像时间缺失或有误（{value!r:.40}）"
        )
    return instant.astimezone(UTC)


def read_footprint(value: object) -> BaseGeometry:
    """
    Polygon or multipolygon in longitude and latitude of a GeoJSON geometry.

    Small flaws of the ring (self-contact) are mended; an outline that mending would change
    by more than 1 % of its area is refused.

    Raises
    ------
    IntegrityError
        If it is missing, not areal, empty, badly broken or no place on Earth.
    """
    try:
        outline = force_2d(shape(value)) if isinstance(value, Mapping) else None
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise _bad(f"footprint is malformed ({error!r:.80})", "轮廓格式错误") from error
    if not isinstance(outline, Polygon | MultiPolygon) or outline.is_empty:
        raise _bad("footprint is missing or has no area", "轮廓缺失或没有面积")
    left, bottom, right, top = outline.bounds
    inside = -180 <= left < right <= 180 and -90 <= bottom < top <= 90
    if not inside or right - left > _MAX_WIDTH_DEG:
        raise _bad(
            f"footprint {left:g}, {bottom:g}, {right:g}, {top:g} is no place on Earth or is torn "
            "at the antimeridian",
            "轮廓超出经纬度范围或跨越180°经线",
        )
    return outline if outline.is_valid else _mended(outline)


def _mended(outline: BaseGeometry) -> BaseGeometry:
    whole = make_valid(outline)
    parts = whole.geoms if isinstance(whole, GeometryCollection) else [whole]
    areal = unary_union([part for part in parts if isinstance(part, Polygon | MultiPolygon)])
    if areal.is_empty or abs(areal.area - outline.area) > _FLAW_SHARE * areal.area:
        raise _bad("footprint crosses itself", "轮廓自相交")
    return areal


def _bad(what: str, what_zh: str) -> IntegrityError:
    return IntegrityError(
        f"{what}; the item is left out, report it to the provider",
        zh=f"{what_zh}；该影像不予使用，请向数据提供方反映",
    )
