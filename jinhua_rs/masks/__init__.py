"""Which looks are clear: one door for all ways to tell."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from jinhua_rs.masks.omni import OmniMasker, predictor
from jinhua_rs.masks.scl import SclMasker
from jinhua_rs.masks.terrain import elevation
from jinhua_rs.scene import Scene
from jinhua_rs.settings import Mask

__all__ = ["Masker", "OmniMasker", "SclMasker", "elevation", "masker"]


class Masker(Protocol):
    """
    Tells what is clear in one scene, on its native pixels.

    Attributes
    ----------
    bands : tuple of str
        Canonical names of the layers that it must be given; the first sets the grid.
    rim_m : float
        How far beyond the window it needs to see, metres.
    """

    @property
    def bands(self) -> tuple[str, ...]:
        """Canonical names of the layers that it must be given."""
        ...

    @property
    def rim_m(self) -> float:
        """How far beyond the window it needs to see, metres."""
        ...

    def clear(
        self, layers: Mapping[str, npt.NDArray[Any]], scene: Scene, geobox: GeoBox
    ) -> npt.NDArray[np.bool_]:
        """
        Tell which pixels are seen and clear.

        Parameters
        ----------
        layers : mapping of ndarray, dims (y, x) of ``geobox``
            By canonical name, as stored, 0 = not seen: ``scl`` as uint8, reflectance bands as
            int16 (offset not removed, clipped to 32767), those of other native pixels brought
            onto ``geobox``.
        scene : Scene
            Where the layers are from: its sun and its time may be asked.
        geobox : GeoBox
            Native pixels of the first band, in the scene's CRS; the rim is included as far as the
            scene goes.

        Returns
        -------
        ndarray, bool, dims (y, x) of ``geobox``
            False where not seen.
        """
        ...


def masker(options: Mask) -> Masker:
    """
    Make the masker that the settings ask for.

    Raises
    ------
    ConfigError
        If it needs a package that is not installed.
    """
    if options.source == "omnicloudmask":
        predictor()
        return OmniMasker(options.buffer_m)
    return SclMasker(options.opening_m, options.buffer_m, options.dem, options.bare_ground)
