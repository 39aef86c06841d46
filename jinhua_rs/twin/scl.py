"""
The twin's scene classification: what Sen2Cor would have made of a sky that is known.

Faults are of the kind and about the size that comparisons of cloud masks give for Sen2Cor
(clouds overlooked mostly where thin or at their edge; bright roofs and bare ground taken
for cloud; cloud shadow and terrain shadow confused): Skakun et al. 2022, Remote Sensing of
Environment 274, 112990; Baetens et al. 2019, Remote Sensing 11, 433. The rates are assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from jinhua_rs.errors import ConfigError
from jinhua_rs.twin.sky import Floats, Overcast

__all__ = ["Confusion", "MaskFaults", "SceneClass", "classify", "cloud_cut", "confusion"]

Classes = npt.NDArray[np.uint8]
Booleans = npt.NDArray[np.bool_]

_CLOUD_BLUR = 0.10
"""How far, in opacity, patches shift the limit between seen and overlooked cloud."""
_SHADOW_BLUR = 0.12
_GLARE_BLUR = 0.035
"""How far, in reflectance, patches move the limit of what is bright enough for a cloud."""
_SURE_CLOUD = 0.55
"""Nothing as opaque as this is overlooked."""
_CERTAIN = 0.75
"""Opacity from which the class is 9 (high probability) and not 8 (medium)."""


class SceneClass(IntEnum):
    """Values of the scene classification layer, Sentinel-2 Products Specification."""

    NO_DATA = 0
    SATURATED = 1
    DARK = 2
    CLOUD_SHADOW = 3
    VEGETATION = 4
    BARE = 5
    WATER = 6
    UNCLASSIFIED = 7
    CLOUD_MEDIUM = 8
    CLOUD_HIGH = 9
    CIRRUS = 10
    SNOW = 11


CLOUDY = (SceneClass.CLOUD_MEDIUM, SceneClass.CLOUD_HIGH, SceneClass.CIRRUS)


@dataclass(frozen=True, slots=True)
class MaskFaults:
    """
    Error rates of the mask, each a share 0-1.

    ``cloud_omission`` of true cloud that is overlooked (less where the sky is closed),
    ``cloud_commission`` of clear ground that is called cloud, ``shadow_omission`` of true
    cloud shadow that is overlooked, ``unclassified`` of clear ground given class 7.
    """

    cloud_omission: float = 0.15
    cloud_commission: float = 0.04
    shadow_omission: float = 0.30
    unclassified: float = 0.02

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(
                    f"{name} is a share and must lie in 0-1, got {getattr(self, name)}",
                    zh=f"{name} 是比例，必须在 0–1 之间，现为 {getattr(self, name)}",
                )


def cloud_cut(frame: Overcast, faults: MaskFaults, rng: np.random.Generator) -> tuple[float, float]:
    """
    Find the limits above which cloud and shadow are noticed, from the whole pass.

    Parameters
    ----------
    frame : Overcast
        The sky over a wide frame, so that all tiles of the pass get the same limits.
    rng : numpy.random.Generator
        Stands in for the patches, which are about N(0, 1).

    Returns
    -------
    cloud, shadow : float
        In opacity and in share of direct sun taken away, each with its blur.
    """
    blur = rng.standard_normal(frame.opacity.shape, dtype="float32")
    cloud = _limit(frame.opacity + _CLOUD_BLUR * blur, frame.cloud, faults.cloud_omission)
    shadow = _limit(frame.shadow + _SHADOW_BLUR * blur, frame.shaded, faults.shadow_omission)
    return min(cloud, _SURE_CLOUD), shadow


def _limit(score: Floats, true: Booleans, omission: float) -> float:
    return float(np.quantile(score[true], omission)) if true.any() else 0.3


def classify(
    surface: Mapping[str, Floats],
    overcast: Overcast,
    patches: Floats,
    cut: tuple[float, float],
    faults: MaskFaults,
) -> Classes:
    """
    Classify a scene with the faults of a real classification.

    Parameters
    ----------
    surface : mapping of ndarray, float32, dims (y, x), unit 1
        Cloud-free reflectance of ``blue green red nir swir16``; NaN where not observed.
    overcast : Overcast
        The sky on the same grid.
    patches : ndarray, float32, dims (y, x)
        Blotchy noise, about N(0, 1).
    cut : (float, float)
        From :func:`cloud_cut`.
    faults : MaskFaults

    Returns
    -------
    ndarray, uint8, dims (y, x)
        :class:`SceneClass`; 0 where ``surface`` is NaN.
    """
    observed = np.isfinite(surface["nir"])
    classes = _ground(surface)
    cloud, shadow = cut
    clear = overcast.clear & observed
    classes[_worst(-np.abs(patches), clear, faults.unclassified)] = SceneClass.UNCLASSIFIED
    noticed = overcast.shadow + np.float32(_SHADOW_BLUR) * patches >= shadow
    classes[noticed & (overcast.shadow > 0.05)] = SceneClass.CLOUD_SHADOW
    glare = surface["blue"] + surface["red"] + np.float32(_GLARE_BLUR) * patches
    classes[_worst(glare, clear, faults.cloud_commission)] = SceneClass.CLOUD_MEDIUM
    seen = overcast.opacity + np.float32(_CLOUD_BLUR) * patches >= cloud
    seen &= overcast.opacity > 0.15
    classes[seen] = SceneClass.CLOUD_MEDIUM
    classes[seen & (overcast.opacity >= _CERTAIN)] = SceneClass.CLOUD_HIGH
    classes[seen & (overcast.thin > 0.7 * overcast.opacity)] = SceneClass.CIRRUS
    classes[~observed] = SceneClass.NO_DATA
    return classes


def _worst(score: Floats, among: Booleans, share: float) -> Booleans:
    """Mark the ``share`` of ``among`` with the highest score."""
    if share <= 0 or not among.any():
        return np.zeros_like(among)
    return np.asarray(among & (score > np.quantile(score[among], 1 - share)))


def _ground(surface: Mapping[str, Floats]) -> Classes:
    """Ground classes by simple index rules, in the spirit of Sen2Cor's decision steps."""
    green, red, nir = surface["green"], surface["red"], surface["nir"]
    with np.errstate(invalid="ignore", divide="ignore"):
        ndvi = (nir - red) / (nir + red)
        ndwi = (green - nir) / (green + nir)
    classes = np.full(nir.shape, SceneClass.BARE, "uint8")
    classes[ndvi > 0.35] = SceneClass.VEGETATION
    classes[(nir < 0.15) & (surface["swir16"] < 0.08)] = SceneClass.DARK
    classes[(ndwi > 0.05) & (surface["swir16"] < 0.08)] = SceneClass.WATER
    return classes


@dataclass(frozen=True, slots=True)
class Confusion:
    """Pixels of a scene: in truth cloud, shadow or clear, and what the mask made of them."""

    cloud: int
    cloud_missed: int
    shadow: int
    shadow_missed: int
    clear: int
    clear_lost: int


def confusion(classes: Classes, overcast: Overcast) -> Confusion:
    """
    Count the faults of a mask against the true sky.

    A cloud is missed where its class is neither cloud nor shadow; a shadow likewise. Clear
    ground is lost where it is called cloud. Pixels that were not observed do not count.
    """
    observed = classes != SceneClass.NO_DATA
    cloudy = np.isin(classes, CLOUDY)
    masked = cloudy | (classes == SceneClass.CLOUD_SHADOW)
    cloud, shaded, clear = (
        part & observed for part in (overcast.cloud, overcast.shaded, overcast.clear)
    )
    counts = (cloud, cloud & ~masked, shaded, shaded & ~masked, clear, clear & cloudy)
    return Confusion(*(int(np.count_nonzero(part)) for part in counts))
