"""
Sun and slopes: where the sun stands over Jinhua and what it leaves on a hillside.

Sources: solar position by the Fourier series of J. W. Spencer (1971), "Fourier series
representation of the position of the sun", Search 2(5), in the form of NOAA's "General Solar
Position Calculations"; incidence angle of the cosine correction, P. M. Teillet et al. (1982),
Canadian Journal of Remote Sensing 8(2).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import xarray as xr

from jinhua_rs.errors import ContractError

__all__ = ["Sun", "cosine_of_incidence", "illumination", "sun"]

RESIDUAL: Final = 0.30
"""Share of the terrain effect that a processor's correction leaves in the reflectance."""
_SHADE_BELOW: Final = 0.12
_SHADE: Final = 0.55
"""Brightness that is left on ground that the sun does not reach."""


@dataclass(frozen=True, slots=True)
class Sun:
    """Direction to the sun: ``azimuth`` clockwise from north and ``zenith``, degrees."""

    azimuth: float
    zenith: float


def sun(when: datetime, longitude: float, latitude: float) -> Sun:
    """
    Position of the sun, to about half a degree.

    Parameters
    ----------
    when : datetime
        With zone.
    longitude, latitude : float, unit deg

    Returns
    -------
    Sun
        Without refraction; ``zenith`` above 90 is night.

    Raises
    ------
    ContractError
        If ``when`` has no zone.

    Examples
    --------
    >>> noon = sun(datetime(2024, 6, 21, 4, 2, tzinfo=UTC), 120.0, 29.1)
    >>> round(noon.zenith)
    6
    """
    instant = utc(when)
    hour = instant.hour + instant.minute / 60 + instant.second / 3600
    day = instant.timetuple().tm_yday
    year = 2 * np.pi / 365 * (day - 1 + (hour - 12) / 24)
    sin, cos = np.sin(year), np.cos(year)
    sin2, cos2 = np.sin(2 * year), np.cos(2 * year)
    minutes = 229.18 * (
        0.000075 + 0.001868 * cos - 0.032077 * sin - 0.014615 * cos2 - 0.040849 * sin2
    )
    declination = (
        0.006918
        - 0.399912 * cos
        + 0.070257 * sin
        - 0.006758 * cos2
        + 0.000907 * sin2
        - 0.002697 * np.cos(3 * year)
        + 0.00148 * np.sin(3 * year)
    )
    angle = np.radians((hour * 60 + minutes + 4 * longitude) / 4 - 180)
    place = np.radians(latitude)
    up = np.sin(place) * np.sin(declination) + np.cos(place) * np.cos(declination) * np.cos(angle)
    east = -np.cos(declination) * np.sin(angle)
    north = np.cos(place) * np.sin(declination) - np.sin(place) * np.cos(declination) * np.cos(
        angle
    )
    azimuth = float(np.degrees(np.arctan2(east, north))) % 360
    return Sun(azimuth, float(np.degrees(np.arccos(np.clip(up, -1, 1)))))


def utc(when: datetime) -> datetime:
    """
    Return an instant in UTC.

    Raises
    ------
    ContractError
        If ``when`` has no zone.
    """
    if when.tzinfo is None:
        raise ContractError(
            f"{when} has no time zone; give the sensing time in UTC",
            zh=f"时间 {when} 没有时区；请给出 UTC 成像时间",
        )
    return when.astimezone(UTC)


def cosine_of_incidence(terrain: xr.Dataset, at: Sun) -> xr.DataArray:
    """
    Cosine of the angle between the sun and the normal of the slope.

    Parameters
    ----------
    terrain : Dataset, dims (y, x)
        ``slope`` and ``aspect``, degrees, see ``World.terrain``.
    at : Sun

    Returns
    -------
    DataArray, float32, dims (y, x), unit 1
        1 facing the sun, negative where the slope turns its back on it.
    """
    slope, aspect = np.radians(terrain["slope"]), np.radians(terrain["aspect"])
    zenith, azimuth = np.float32(np.radians(at.zenith)), np.float32(np.radians(at.azimuth))
    level = np.cos(zenith) * np.cos(slope)
    found: xr.DataArray = level + np.sin(zenith) * np.sin(slope) * np.cos(azimuth - aspect)
    return found.astype("float32")


def illumination(terrain: xr.Dataset, at: Sun) -> xr.DataArray:
    """
    Brightness that relief leaves in terrain-corrected reflectance.

    ``1 + r (cos i / cos z - 1)`` with ``r`` = 0.30, and a smooth fall to 0.55 of it where the
    sun comes in flatter than ``cos i`` = 0.12 or not at all. Shadow thrown by other slopes is
    not traced.

    Returns
    -------
    DataArray, float32, dims (y, x), unit 1
        1 on level ground; multiplies reflectance. Never NaN.

    Raises
    ------
    ContractError
        If the sun is below the horizon.
    """
    if at.zenith >= 90:
        raise ContractError(
            f"the sun stands {at.zenith:.0f} degrees from the zenith: no image at night; "
            "give the sensing time in UTC",
            zh=f"太阳天顶角为 {at.zenith:.0f} 度：夜间没有影像，请给出 UTC 成像时间",
        )
    incidence = cosine_of_incidence(terrain, at)
    flat = np.float32(max(0.15, np.cos(np.radians(at.zenith))))
    kept = 1 + np.float32(RESIDUAL) * (incidence.clip(0, None) / flat - 1)
    lit = (incidence / np.float32(_SHADE_BELOW)).clip(0, 1)
    shade = np.float32(_SHADE) + np.float32(1 - _SHADE) * lit * lit * (3 - 2 * lit)
    return (kept * shade).astype("float32").rename("illumination")
