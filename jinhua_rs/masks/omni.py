"""Clear looks by OmniCloudMask, a neural network that is installed apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from jinhua_rs.errors import ConfigError, ContractError
from jinhua_rs.masks.growing import grown
from jinhua_rs.masks.scl import require_shape
from jinhua_rs.scene import Scene

__all__ = ["OmniMasker"]

Booleans = npt.NDArray[np.bool_]

_CLEAR = 0
"""Of the classes 0 clear, 1 thick cloud, 2 thin cloud, 3 cloud shadow."""
_CONTEXT_M = 3_000.0
"""Half the overlap of the network's own patches (300 pixels of 20 m): its edge is unsure."""


@dataclass(frozen=True, slots=True)
class OmniMasker:
    """
    Drop thick and thin cloud and cloud shadow as OmniCloudMask sees them.

    Remote Sensing of Environment 2025, article S0034425725000987. Specks are not opened away
    (the network knows roofs); clouds and shadows are grown by ``buffer_m``. This is a door:
    it was tried with a stand-in of the same call, ``predict_from_array(array)`` with red,
    green and near infrared (3, y, x) in and classes (1, y, x) out, not with the network,
    which fetches its weights from the internet at first use. See :class:`.Masker`.

    Attributes
    ----------
    buffer_m : float
        Growth, rounded up to pixels, metres.
    """

    buffer_m: float

    @property
    def bands(self) -> tuple[str, ...]:
        """Red, green, near infrared, as the network takes them."""
        return ("red", "green", "nir08")

    @property
    def rim_m(self) -> float:
        """Growth, and what the network needs to see around a pixel, metres."""
        return self.buffer_m + _CONTEXT_M

    def clear(
        self, layers: Mapping[str, npt.NDArray[Any]], scene: Scene, geobox: GeoBox
    ) -> Booleans:
        """
        Tell which pixels are seen and clear.

        Raises
        ------
        GridMismatch
            If a layer does not lie on ``geobox``.
        ConfigError
            If OmniCloudMask is not installed.
        ContractError
            If it answers with another shape than it says.
        """
        for name in self.bands:
            require_shape(layers[name], geobox, scene)
        stacked = np.stack([layers[name] for name in self.bands]).astype(np.float32)
        classes = np.asarray(predictor()(stacked))
        if classes.shape != (1, *stacked.shape[1:]):
            raise ContractError(
                f"omnicloudmask answered with {classes.shape} for {stacked.shape}; "
                "use version 1.8 or set [mask] source to scl",
                zh=f"omnicloudmask 对 {stacked.shape} 的输入返回了 {classes.shape}；"
                "请使用 1.8 版，或将 [mask] source 设为 scl",
            )
        unseen = (stacked == 0).any(axis=0)
        radius = ceil(self.buffer_m / abs(geobox.resolution.x))
        clear: Booleans = ~grown((classes[0] != _CLEAR) & ~unseen, radius) & ~unseen
        return clear


def predictor() -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.uint8]]:
    """
    Find the network's function.

    Raises
    ------
    ConfigError
        If the package is not installed.
    """
    try:
        found: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.uint8]] = import_module(
            "omnicloudmask"
        ).predict_from_array
    except ImportError as error:
        raise ConfigError(
            "[mask] source = omnicloudmask needs the package omnicloudmask; install it with "
            "pip install 'jinhua-rs[clouds]', or set the source to scl",
            zh="[mask] source = omnicloudmask 需要软件包 omnicloudmask；请运行 "
            "pip install 'jinhua-rs[clouds]' 安装，或将 source 改为 scl",
        ) from error
    return found
