"""The one shape in which imagery enters the house: a Sentinel-2 scene with canonical bands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shapely.geometry.base import BaseGeometry

__all__ = ["BANDS", "BAND_NAMES", "Asset", "Band", "Scene", "SceneDecision"]


@dataclass(frozen=True, slots=True)
class Band:
    """A canonical band: its Sentinel-2 name, native pixel size (m) and centre (nm)."""

    name: str
    sensor_name: str
    resolution: int
    wavelength: int | None


BANDS: tuple[Band, ...] = (
    Band("blue", "B02", 10, 490),
    Band("green", "B03", 10, 560),
    Band("red", "B04", 10, 665),
    Band("rededge1", "B05", 20, 705),
    Band("rededge2", "B06", 20, 740),
    Band("rededge3", "B07", 20, 783),
    Band("nir", "B08", 10, 842),
    Band("nir08", "B8A", 20, 865),
    Band("swir16", "B11", 20, 1610),
    Band("swir22", "B12", 20, 2190),
    Band("scl", "SCL", 20, None),
)
BAND_NAMES: tuple[str, ...] = tuple(band.name for band in BANDS if band.wavelength)
"""The ten reflectance bands, in their canonical order; ``scl`` is apart."""


@dataclass(frozen=True, slots=True)
class Asset:
    """
    Where one band of a scene lies and on which grid its pixels stand.

    ``transform`` is the six-number affine ``(a, b, c, d, e, f)`` and ``shape`` is
    ``(rows, columns)``; both are ``None`` where the item does not say.
    ``checksum`` is the multihash and ``size`` the bytes of the STAC file extension, where given.
    """

    href: str
    transform: tuple[float, ...] | None = None
    shape: tuple[int, int] | None = None
    checksum: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """
    One Sentinel-2 L2A acquisition over one tile, whatever provider it came from.

    Reflectance is ``(DN + offset) * scale`` where DN is not 0; DN 0 is "not seen".

    Attributes
    ----------
    id : str
        The provider's item id, checked against ``[A-Za-z0-9_.-]+``.
    acquired : datetime
        Sensing time, UTC, with zone.
    tile : str
        MGRS tile such as ``50RQT`` (or a site's own tile name).
    platform : str
        ``sentinel-2a`` … ``sentinel-2c``.
    baseline : str
        Processing baseline, ``"05.11"``; two digits, dot, two digits.
    offset : int
        DN to add before scaling: ``-1000`` or ``0``. Decided once, in ``catalog``.
    offset_reason : str
        Why that offset was decided.
    scale : float
        Reflectance per DN, ``1e-4``.
    cloud : float
        Scene cloud cover, percent, NaN where the item does not say.
    crs : str
        ``"EPSG:32650"``.
    footprint : BaseGeometry
        Outline of valid data in longitude and latitude (EPSG:4326).
    assets : Mapping[str, Asset]
        By canonical band name; always holds ``scl``.
    provider : str
        Name of the profile, for provenance only: no code may branch on it.
    simulated : bool
        True where the item says that its pixels were made, not seen.
    sun : (float, float) or None
        Azimuth (degrees, clockwise from north) and elevation (degrees above the horizon) of the
        sun at the scene's centre; None where the item does not say.
    """

    id: str
    acquired: datetime
    tile: str
    platform: str
    baseline: str
    offset: int
    offset_reason: str
    scale: float
    cloud: float
    crs: str
    footprint: BaseGeometry
    assets: Mapping[str, Asset]
    provider: str
    simulated: bool = False
    sun: tuple[float, float] | None = None

    @property
    def facts(self) -> tuple[object, ...]:
        """Everything about the scene that its pixels in a product depend on, as JSON holds it."""
        sums = sorted((band, asset.checksum or "") for band, asset in self.assets.items())
        place = self.acquired.isoformat(), self.crs, self.footprint.wkt
        return self.id, self.offset, self.scale, self.baseline, self.sun, *place, sums


@dataclass(frozen=True, slots=True)
class SceneDecision:
    """
    What became of one item of a search: ``kept``, or ``dropped`` with the reason.

    ``verdict`` is ``kept``, ``spare`` (sound, but from the days around the period: see
    ``[composite] widen_days``) or ``dropped``. ``code`` is the short form of the reason that
    is counted by; ``reason_zh`` is the reason in Chinese.
    """

    id: str
    verdict: str
    reason: str
    scene: Scene | None
    code: str = ""
    reason_zh: str = ""
