"""A small textured world for the tests of the certificate: fields, forest and a lake, any grid."""

from dataclasses import replace

import builders
import numpy as np
from pyproj import Transformer

from jinhua_rs.scene import Scene

SIDE = 256
"""Pixels along a side: four chips of 128."""
DAYS = (1, 6, 11, 16, 21)
NUMBERS = {
    "blue": (150, 700, 350),
    "red": (280, 950, 300),
    "nir": (3200, 2500, 120),
    "swir22": (450, 1900, 60),
}
"""DN without offset over forest, fields and water."""


def ground(crs="EPSG:32650", *, down=0.0, right=0.0, side=SIDE):
    """Class of each pixel (0 forest, 1 field, 2 water), what it shows moved by so many pixels."""
    forth = Transformer.from_crs("EPSG:4549", crs, always_xy=True)
    x0, y0 = (round(value, -1) for value in forth.transform(builders.X0, builders.Y0))
    columns, rows = np.meshgrid(np.arange(side) + 0.5 - right, np.arange(side) + 0.5 - down)
    back = Transformer.from_crs(crs, "EPSG:4549", always_xy=True)
    x, y = back.transform(x0 + 10 * columns, y0 - 10 * rows)
    x, y = x - builders.X0, y - builders.Y0
    rng = np.random.default_rng(11)
    height = np.zeros(x.shape)
    for length in np.geomspace(90, 1500, 14):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        along = x * np.cos(angle) + y * np.sin(angle)
        height += length**0.3 * np.sin(2 * np.pi * along / length + phase)
    lake = np.hypot(x - 700, y + 700) < 250
    return np.where(lake, 2, (height > 0).astype(int))


def look(
    folder,
    day,
    *,
    said=-1000,
    carried=1000,
    land=None,
    cloudy=0.0,
    crs="EPSG:32650",
    haze=0,
    scl=None,
) -> Scene:
    """
    Write one scene.

    ``said`` is the offset of the item, ``carried`` what the pixels have too much; the northern
    share ``cloudy`` is bright cloud. ``haze`` brightens blue by so much, red by 0.75 of it.
    """
    rng = np.random.default_rng(day)
    land = ground(crs) if land is None else land
    cloud = np.arange(land.shape[0])[:, np.newaxis] < cloudy * land.shape[0]
    numbers = {}
    for name, levels in NUMBERS.items():
        clean = np.asarray(levels)[land] + rng.normal(0, 15 + day, land.shape)
        clean = clean + {"blue": haze, "red": 0.75 * haze}.get(name, 0)
        clean = np.where(cloud, 4000 + rng.normal(0, 300, land.shape), clean)
        numbers[name] = np.clip(clean + carried, 1, 65535).astype("uint16")
    classes = np.where(cloud, 9, np.asarray((4, 5, 6))[land]) if scl is None else scl
    tile = "50RQT" if crs.endswith("50") else "51RTN"
    name = f"S2A_T{tile}_202410{day:02d}_L2A"
    made = builders.scene(folder, numbers, scl=classes, offset=said, day=day, id=name, crs=crs)
    return replace(made, offset_reason="the asset declares it", cloud=100.0 * cloudy)
