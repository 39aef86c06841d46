"""From a STAC item of any dialect to the one shape of the house, or a clear reason why not."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pyproj import CRS
from pyproj.exceptions import CRSError

from jinhua_rs.catalog.ground import check_ground
from jinhua_rs.catalog.hrefs import Access
from jinhua_rs.catalog.offsets import Facts, decide_offset
from jinhua_rs.catalog.profiles import Fields, Profile
from jinhua_rs.catalog.values import (
    bad,
    number,
    read_footprint,
    read_instant,
    read_shape,
    read_transform,
)
from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.scene import BAND_NAMES, Asset, Scene

__all__ = [
    "Candidate",
    "Lineage",
    "named",
    "pick_asset",
    "read_asset",
    "read_crs",
    "to_candidate",
    "to_scene",
]

_SAFE_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_TILE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_BASELINE = re.compile(r"([0-9]{1,2})\.([0-9]{2})")
_SEQUENCE = re.compile(r"[0-9]{1,9}")
_TRIAL_BASELINE = 90
"""Baselines 99.xx mark trial processing without a fixed meaning."""

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lineage:
    """
    The facts by which copies of one acquisition are told apart.

    ``datatake`` is without its baseline suffix; ``processed`` the processing time as text
    that sorts by time; both are empty where the item does not say. ``sequence`` is 0 then.
    """

    datatake: str = ""
    processed: str = ""
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sound scene that may have copies."""

    scene: Scene
    lineage: Lineage


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
    """Do the work of :func:`to_scene` and keep the facts for telling copies apart."""
    with named(item):
        return _read(item, profile, access or Access.of(profile), _wanted(bands), base)


@contextmanager
def named(item: Item) -> Iterator[str]:
    """
    Yield the id of an item, once it is known to be safe; what goes wrong with it bears the name.

    Raises
    ------
    IntegrityError
        If the id is missing or could be something else than a name.
    """
    identity = item.get("id")
    if not isinstance(identity, str) or not _SAFE_ID.fullmatch(identity) or ".." in identity:
        shown = ascii(str(identity)[:80])
        raise IntegrityError(
            f"item id {shown} is unsafe or missing; report it to the provider",
            zh=f"影像编号 {shown} 不安全或缺失；请向数据提供方反映",
        )
    try:
        yield identity
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
        raise bad("it has no properties", "没有属性")
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
        cloud=number(_first(properties, fields.cloud)),
        crs=_crs(properties, raw),
        footprint=read_footprint(item.get("geometry")),
        assets={
            name: read_asset(asset, properties, profile.alternate, access, base)
            for name, asset in raw.items()
        },
        provider=profile.name,
        simulated=properties.get("jinhua:simulated") is True,
        sun=_sun(properties, fields),
    )
    check_ground(scene)
    sequence = str(_first(properties, fields.sequence) or "")
    lineage = Lineage(
        datatake=re.sub(r"_N\d\d\.\d\d$", "", str(_first(properties, fields.datatake) or "")),
        processed=_processed(_first(properties, fields.processed)),
        sequence=int(sequence) if _SEQUENCE.fullmatch(sequence) else 0,
    )
    return Candidate(scene, lineage)


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
    names = profile.bands[band]
    asset = pick_asset(item, names)
    if asset is None:
        kind, kind_zh = ("scene classification", "场景分类") if band == "scl" else ("band", "波段")
        raise bad(
            f"{kind} {band!r} is missing (asset {' or '.join(names)})",
            f"缺少{kind_zh} {band}（资产 {'/'.join(names)}）",
        )
    return asset


def pick_asset(item: Item, names: Sequence[str]) -> Item | None:
    """Find an asset by its names, the best first; None where the item has none of them."""
    assets = item.get("assets")
    found = (assets.get(name) for name in names) if isinstance(assets, Mapping) else ()
    return next((asset for asset in found if isinstance(asset, Mapping)), None)


def read_asset(asset: Item, properties: Item, alternate: str, access: Access, base: str) -> Asset:
    """
    Read one asset of an item; its address is resolved, and refused where it is not allowed.

    ``alternate`` names the address to prefer (alternate-assets extension); empty: the main one.
    """
    alternates = asset.get("alternate")
    other = alternates.get(alternate) if isinstance(alternates, Mapping) else None
    href = (other if isinstance(other, Mapping) else asset).get("href")
    if not isinstance(href, str) or not href:
        raise bad("an asset has no address", "资产没有地址")
    checksum, size = asset.get("file:checksum"), asset.get("file:size")
    return Asset(
        href=access.resolve(href, base),
        transform=read_transform(asset.get("proj:transform", properties.get("proj:transform"))),
        shape=read_shape(asset.get("proj:shape", properties.get("proj:shape"))),
        checksum=checksum if isinstance(checksum, str) else None,
        size=size if isinstance(size, int) and size >= 0 else None,
    )


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
                found[name] = number(value)
    if any(map(math.isnan, found.values())):
        raise bad("scale or offset is not a number", "缩放或偏移量不是数字")
    return found.get("scale"), found.get("offset")


def _baseline(value: object) -> str:
    found = _BASELINE.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) >= _TRIAL_BASELINE:
        raise bad(f"processing baseline {value!r:.40} is unknown", f"处理基线未知（{value!r:.40}）")
    return f"{int(found[1]):02d}.{found[2]}"


def _tile(value: object) -> str:
    name = str(value or "").removeprefix("MGRS-")
    if not _TILE.fullmatch(name):
        raise bad(
            f"tile name {name!r:.40} is missing or unsafe", f"瓦片号缺失或无效（{name!r:.40}）"
        )
    return name


def _sun(properties: Item, fields: Fields) -> tuple[float, float] | None:
    """Azimuth and elevation, degrees; the zenith distance is ninety less the elevation."""
    azimuth = _first(properties, fields.sun_azimuth)
    elevation = _first(properties, fields.sun_elevation)
    if elevation is None and (zenith := _first(properties, fields.sun_zenith)) is not None:
        elevation = 90.0 - number(zenith)
    if azimuth is None or elevation is None:
        return None
    sun = number(azimuth), number(elevation)
    if not (0 <= sun[0] <= 360 and 0 <= sun[1] <= 90):
        raise bad(
            f"the sun stands at azimuth {azimuth!r:.20}, elevation {elevation!r:.20}",
            f"太阳方位角 {azimuth!r:.20} 或高度角 {elevation!r:.20} 无效",
        )
    return sun


def _crs(properties: Item, assets: Mapping[str, Item]) -> str:
    """Read the one CRS of all assets."""
    found = {code for asset in assets.values() if (code := read_crs(asset, properties))}
    if len(found) != 1:
        raise bad(f"it states {len(found) or 'no'} CRS", f"坐标系缺失或不唯一（{len(found)} 个）")
    return found.pop()


def read_crs(asset: Item, properties: Item) -> str:
    """CRS that the asset, or else the item, states by the projection extension; empty if none."""
    code = _code(asset) or _code(properties)
    if code and not _known_crs(code):
        raise bad(f"CRS {code!r:.40} is unknown", f"未知的坐标系 {code!r:.40}")
    return code


def _code(holder: Item) -> str:
    """CRS of the projection extension, 1.x ``proj:epsg`` or 2.x ``proj:code``."""
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
