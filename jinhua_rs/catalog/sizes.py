"""How many bytes scenes have: as their items say, or estimated from the ground they show."""

from collections.abc import Iterable, Iterator
from math import radians

import numpy as np
from numpy.typing import NDArray
from shapely import transform
from shapely.geometry.base import BaseGeometry

from jinhua_rs.scene import BANDS, Asset, Scene

__all__ = ["estimated_bytes", "on_sphere", "stated_bytes"]

Pairs = NDArray[np.float64]

_EARTH_M = 6_371_007.2
"""Radius of the sphere with the surface of the ellipsoid GRS 80 (Moritz 1980), metres."""
_BAND_BYTES, _CLASS_BYTES = 1.9, 0.1
"""
Bytes of a pixel that is seen, in a cloud-optimised GeoTIFF with DEFLATE: band, SCL.

Measured: the twin at 10 m 1.66-2.15 and 0.01-0.15; one recorded Earth Search item 1.98-2.27 and
0.22. (JPEG 2000 as at CDSE has about half: six recorded items 0.90-1.37 and 0.01-0.08.)
"""
_NATIVE_M = {band.name: band.resolution for band in BANDS}


def stated_bytes(scenes: Iterable[Scene]) -> int | None:
    """Sum of the sizes of all assets; None where one is not stated, or there is none."""
    sizes = [asset.size for scene in scenes for asset in scene.assets.values()]
    known = [size for size in sizes if size is not None]
    return sum(known) if sizes and len(known) == len(sizes) else None


def estimated_bytes(scenes: Iterable[Scene]) -> int:
    """
    Sum of the sizes of all assets, estimated where they are not stated.

    An asset is taken for the pixels under the footprint times what such a pixel was measured to
    take; compression varies, so it is right within some 20 % (JPEG 2000: twice too much).
    """
    return round(sum(size for scene in scenes for size in _sizes(scene)))


def _sizes(scene: Scene) -> Iterator[float]:
    ground = on_sphere(scene.footprint).area
    for band, asset in scene.assets.items():
        if asset.size is not None:
            yield asset.size
            continue
        rate = _CLASS_BYTES if band == "scl" else _BAND_BYTES
        yield ground / _pixel_m(band, asset) ** 2 * rate


def _pixel_m(band: str, asset: Asset) -> float:
    """Side of a pixel; a transform in degrees says less than the band's own resolution."""
    stated = abs(asset.transform[0]) if asset.transform else 0.0
    return stated if stated >= 1 else _NATIVE_M[band]


def on_sphere(ground: BaseGeometry) -> BaseGeometry:
    """
    Bring degrees to metres so that areas are true: Lambert's cylindrical equal-area projection.

    ``x = R lon``, ``y = R sin(lat)`` (Snyder 1987, Map Projections: A Working Manual, p. 76);
    on the sphere of equal surface areas are right within 0.5 % everywhere.
    """

    def bend(degrees: Pairs) -> Pairs:
        lon, lat = degrees[:, 0], degrees[:, 1]
        return _EARTH_M * np.column_stack([lon * radians(1), np.sin(np.radians(lat))])

    bent: BaseGeometry = transform(ground, bend)
    return bent
