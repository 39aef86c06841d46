"""
The estimators, compiled: same functions and answers as :mod:`jinhua_rs.composite.library`.

One thread, blocks of pixels side by side, int16 in and float32 inside.
"""

import numpy as np

from jinhua_rs.composite.kernels import weiszfeld
from jinhua_rs.composite.kernels.distances import distances
from jinhua_rs.composite.kernels.lanes import Booleans, Floats, Numbers
from jinhua_rs.composite.kernels.ordering import quantiles

__all__ = ["geomedian", "quantiles", "spreads"]


def geomedian(looks: Numbers, use: Booleans, tolerance: float) -> Floats:
    """Find the geometric median of the looks of each pixel: see :mod:`.weiszfeld`."""
    return weiszfeld.geomedian(looks, use, (0,) * looks.shape[0], tolerance)


def spreads(looks: Numbers, use: Booleans, centre: Floats) -> Floats:
    """Find the median cosine, Euclidean and Bray-Curtis distance: see :mod:`.distances`."""
    away = distances(looks, use, np.ascontiguousarray(centre), (0,) * looks.shape[0])
    return quantiles(away, use, (0.5,))[:, 0]
