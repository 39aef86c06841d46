"""Values of an item as read from JSON: each is checked where it is read, none is trusted."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from shapely import GeometryCollection, MultiPolygon, Polygon, force_2d, make_valid
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from jinhua_rs.errors import IntegrityError

__all__ = ["bad", "number", "read_footprint", "read_instant", "read_shape", "read_transform"]

_MAX_WIDTH_DEG = 30.0
"""A tile is 1-10 degrees wide up to 83 N; a wider outline was torn at the antimeridian."""
_HUGE = 1e300
_MALFORMED = (
    ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError,
)  # fmt: skip
_FLAW_SHARE = 0.01
"""Mending an outline may change its area by this share, no more."""


def number(value: object) -> float:
    """Read a number of a JSON value, NaN where it is none (``true``, text, infinity)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if -_HUGE < value < _HUGE else math.nan


def read_transform(value: object) -> tuple[float, ...] | None:
    """Affine of six numbers, a nine-number one without its last row; None where there is none."""
    if value is None:
        return None
    good = isinstance(value, list) and len(value) in (6, 9)
    numbers = tuple(number(entry) for entry in value[:6]) if good else ()  # type: ignore[index]
    if not numbers or any(map(math.isnan, numbers)) or not numbers[0]:
        raise bad(f"proj:transform is {value!r:.80}", f"proj:transform 无效（{value!r:.80}）")
    return numbers


def read_shape(value: object) -> tuple[int, int] | None:
    """Rows and columns, both above 0; None where there is none."""
    if value is None:
        return None
    match value:
        case [int(rows), int(columns)] if rows > 0 and columns > 0:
            return rows, columns
    raise bad(f"proj:shape is {value!r:.80}", f"proj:shape 无效（{value!r:.80}）")


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
        if instant is not None and instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # told below, like a text without zone
    raise bad(f"datetime {value!r:.40} is missing or wrong", f"成像时间缺失或有误（{value!r:.40}）")


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
    except _MALFORMED as error:
        raise bad(f"footprint is malformed ({error!r:.80})", "轮廓格式错误") from error
    if not isinstance(outline, Polygon | MultiPolygon) or outline.is_empty:
        raise bad("footprint is missing or has no area", "轮廓缺失或没有面积")
    left, bottom, right, top = outline.bounds
    inside = -180 <= left < right <= 180 and -90 <= bottom < top <= 90
    if not inside or right - left > _MAX_WIDTH_DEG:
        raise bad(
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
        raise bad("footprint crosses itself", "轮廓自相交")
    return areal


def bad(what: str, what_zh: str) -> IntegrityError:
    """Error that says what is wrong with an item, in English and in Chinese."""
    return IntegrityError(
        f"{what}; the item is left out, report it to the provider",
        zh=f"{what_zh}；该影像不予使用，请向数据提供方反映",
    )
