"""Where the sun stands."""

from datetime import UTC, datetime
from math import asin, atan2, cos, degrees, radians, sin

__all__ = ["sun_position"]

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def sun_position(instant: datetime, longitude: float, latitude: float) -> tuple[float, float]:
    """
    Find the position of the sun's centre, without refraction.

    The Astronomical Almanac's low-precision formula (Michalsky 1988, Solar Energy 40, 227-235,
    doi 10.1016/0038-092X(88)90045-X), within 0.01 degree in 1950-2050.

    Parameters
    ----------
    instant : datetime
        With zone.
    longitude, latitude : float
        Degrees, east and north positive.

    Returns
    -------
    azimuth, elevation : float
        Degrees, clockwise from north and above the horizon.

    Examples
    --------
    The worked example of NREL's Solar Position Algorithm (Reda and Andreas 2004) has
    194.340 and 39.872:

    >>> azimuth, elevation = sun_position(
    ...     datetime(2003, 10, 17, 19, 30, 30, tzinfo=UTC), -105.1786, 39.742476
    ... )
    >>> abs(azimuth - 194.340) < 0.02, abs(elevation - 39.872) < 0.02
    (True, True)
    """
    days = (instant - _J2000).total_seconds() / 86_400
    anomaly = radians(357.528 + 0.9856003 * days)
    ecliptic = radians(280.460 + 0.9856474 * days + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly))
    tilt = radians(23.439 - 4e-7 * days)
    ascension = atan2(cos(tilt) * sin(ecliptic), cos(ecliptic))
    declination = asin(sin(tilt) * sin(ecliptic))
    sidereal = radians(15 * (18.697375 + 24.0657098242 * days) + longitude)
    hour, north = sidereal - ascension, radians(latitude)
    elevation = asin(sin(declination) * sin(north) + cos(declination) * cos(north) * cos(hour))
    azimuth = atan2(
        -sin(hour) * cos(declination),
        sin(declination) * cos(north) - cos(declination) * sin(north) * cos(hour),
    )
    return degrees(azimuth) % 360, degrees(elevation)
