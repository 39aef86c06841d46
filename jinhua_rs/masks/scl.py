"""Clear looks by Sen2Cor's scene classification, cleaned, grown, and aware of the terrain."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from jinhua_rs.errors import GridMismatch
from jinhua_rs.masks.growing import grown, opened
from jinhua_rs.masks.sun import sun_position
from jinhua_rs.masks.terrain import elevation, in_shade
from jinhua_rs.scene import Scene

__all__ = ["SclMasker"]

Booleans = npt.NDArray[np.bool_]

_NOT_SEEN, _DEFECTIVE, _DARK, _SNOW = 0, 1, 2, 11
_CLOUDY = (3, 8, 9, 10)
"""Cloud shadow, cloud of medium and high probability, thin cirrus."""
_BRIGHT = (8, 9)
"""Cloud of medium and high probability: what bright ground is taken for."""
_REDDER = 1.2
"""
Times that red is brighter than blue, and SWIR 1.6 µm than red, over soil and rock. Cloud water is
white (red about as blue) and darker in SWIR than in red; a veil over trees is as red as blue.
"""
_PIXEL_M = 20.0
"""Of the classification; radii are rounded to whole pixels."""


@dataclass(frozen=True, slots=True)
class SclMasker:
    """
    Drop classes 1, 3, 8, 9, 10 and 11; class 0 is not seen. See :class:`.Masker`.

    * Clouds and their shadows (3, 8, 9, 10) into which no disk of ``opening_m`` fits are taken
      for bright roofs and river banks, and kept.
    * What remains, and snow (11), is grown by ``buffer_m``: its edge is mixed.
    * Snow is not opened: between trees it lies in small patches. A defective pixel (1) is
      dropped for itself, and neither opened nor grown: it says nothing about its neighbours.
    * With ``bare_ground``, a cloud (8, 9) with the colour of soil or rock is none: a quarry is
      called cloud at every date, and would never be seen.
    * Dark ground (2) is clear, or winter would lose the northern slopes; but with ``dem`` it
      is dropped where the terrain throws shade.

    Attributes
    ----------
    opening_m, buffer_m : float
        Radii of opening (rounded to pixels) and growth (rounded up), metres.
    dem : Path or None
        Elevation, metres.
    bare_ground : bool
        Whether blue, red and SWIR are read, to tell bare ground from cloud.
    """

    opening_m: float
    buffer_m: float
    dem: Path | None = None
    bare_ground: bool = False

    @property
    def bands(self) -> tuple[str, ...]:
        """The classification, and what tells bare ground."""
        return ("scl", "blue", "red", "swir16") if self.bare_ground else ("scl",)

    @property
    def rim_m(self) -> float:
        """Growth, and twice the opening (erosion, then growth) with its rounding, metres."""
        return self.buffer_m + (2 * self.opening_m + _PIXEL_M if self.opening_m else 0)

    def clear(
        self, layers: Mapping[str, npt.NDArray[Any]], scene: Scene, geobox: GeoBox
    ) -> Booleans:
        """
        Tell which pixels are seen and clear.

        Raises
        ------
        GridMismatch
            If the classification does not lie on ``geobox``.
        ConfigError
            If the elevation cannot be read.
        """
        scl = layers["scl"]
        require_shape(scl, geobox, scene)
        pixel = abs(geobox.resolution.x)
        unseen = scl == _NOT_SEEN
        cloudy = np.isin(scl, _CLOUDY)
        if self.bare_ground:
            cloudy &= ~(np.isin(scl, _BRIGHT) & _bare(layers, scene.offset))
        cloudy = opened(cloudy, round(self.opening_m / pixel), unknown=unseen)
        cloudy = grown(cloudy | (scl == _SNOW), ceil(self.buffer_m / pixel))
        clear: Booleans = ~(cloudy | unseen | (scl == _DEFECTIVE))
        rows, columns = np.nonzero(clear & (scl == _DARK))
        if self.dem is not None and rows.size:
            height, rim = elevation(self.dem, geobox)
            sun = _sun(scene, geobox)
            shade = in_shade(height, rows + rim, columns + rim, pixel=pixel, sun=sun)
            clear[rows[shade], columns[shade]] = False
        return clear


def _bare(layers: Mapping[str, npt.NDArray[Any]], offset: int) -> Booleans:
    """Tell the colour of soil and rock, where all bands are seen."""
    blue, red, swir = (layers[name].astype(np.float32) for name in ("blue", "red", "swir16"))
    seen = (blue != 0) & (red != 0) & (swir != 0)
    blue, red, swir = (band + np.float32(offset) for band in (blue, red, swir))
    bare: Booleans = seen & (red > _REDDER * blue) & (swir > _REDDER * red)
    return bare


def require_shape(layer: npt.NDArray[Any], geobox: GeoBox, scene: Scene) -> None:
    """Raise :class:`GridMismatch` unless a layer has the shape of ``geobox``."""
    if layer.shape != tuple(geobox.shape):
        raise GridMismatch(
            f"mask of {scene.id}: layer has {layer.shape} pixels, its grid {tuple(geobox.shape)}; "
            "read both on one window",
            zh=f"{scene.id} 的掩膜：图层为 {layer.shape} 像元，格网为 {tuple(geobox.shape)}；"
            "请在同一窗口上读取",
        )


def _sun(scene: Scene, geobox: GeoBox) -> tuple[float, float]:
    """Azimuth and elevation as the scene says, else computed for the middle of the window."""
    if scene.sun is not None:
        return scene.sun
    middle = geobox.extent.centroid.to_crs("EPSG:4326")
    longitude, latitude = middle.coords[0]
    return sun_position(scene.acquired, longitude, latitude)
