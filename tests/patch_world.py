"""A little world of patches: flags drawn as text, maps on the grid, registers period by period."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
from builders import X0, Y0
from rasterio.transform import from_origin
from shapely.geometry import box

from jinhua_rs import patches
from jinhua_rs.patches import Flags, Ground, Memory, Register
from jinhua_rs.settings import Patches

CRS = "EPSG:4549"
CODES = {2: "loss", 3: "gain"}
RULES = Patches()
SIGNS = {".": 1, "L": 2, "G": 3, " ": 0}


def drawn(text):
    """Turn lines of ``.`` (none), ``L`` (loss), ``G`` (gain) and blanks (not seen) into flags."""
    lines = [line for line in text.splitlines() if line.strip()]
    indent = min(len(line) - len(line.lstrip()) for line in lines)
    width = max(len(line) for line in lines) - indent
    return np.array([[SIGNS[s] for s in line[indent:].ljust(width)] for line in lines], "uint8")


def put(path: Path, values, resolution=10.0):
    """Write a map whose upper left corner is that of the little world."""
    values = np.asarray(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff", "dtype": values.dtype, "count": 1, "crs": CRS,
        "height": values.shape[0], "width": values.shape[1],
        "transform": from_origin(X0, Y0, resolution, resolution),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(values, 1)
    return path


def square(column, row, wide=1, high=1):
    """Ground of pixels, counted from the corner."""
    left, top = X0 + 10 * column, Y0 - 10 * row
    return box(left, top - 10 * high, left + 10 * wide, top)


def counties(*shapes):
    """Counties 330782, 330783, …; one of 100 km² if none is drawn."""
    shapes = shapes or (square(-500, -500, 1000, 1000),)
    codes = [str(330782 + n) for n in range(len(shapes))]
    names = ["义乌市", "东阳市", "永康市"][: len(shapes)]
    table = {"name_zh": names, "name_en": names, "level": "county"}
    return gpd.GeoDataFrame(
        table, index=pd.Index(codes, name="code"), geometry=list(shapes), crs=CRS
    )


def follow(folder, flags, period, memory=None, *, units=None, maps=None, rules=RULES):
    """Follow up a period from its flags."""
    flags = drawn(flags) if isinstance(flags, str) else flags
    raster = put(folder / f"{period}.tif", flags)
    found, lattice = patches.trace(
        [Flags(raster, CODES)], min_m2=rules.candidate_m2, hole_m2=rules.hole_m2
    )
    memory = memory or Memory(Register(""))
    seen = patches.identify(
        found, memory, same_share=rules.same_share, min_m2=rules.candidate_m2, pixel_m=10.0
    )
    outlines = gpd.GeoSeries([piece.outline for piece in seen.pieces], crs=CRS)
    ground = Ground(maps or {}, counties() if units is None else units, {})
    return patches.register_of(seen, patches.measure(outlines, lattice, ground), memory, period)
