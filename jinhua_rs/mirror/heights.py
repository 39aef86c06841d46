"""Elevation kept at home: one file from the sheets of an atlas, for shade and terrain."""

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from jinhua_rs import catalog, cube, store
from jinhua_rs.atlas import Atlas
from jinhua_rs.errors import ConfigError
from jinhua_rs.regions import load_units, outline
from jinhua_rs.settings import Settings

__all__ = ["Heights", "fetch_elevation"]

_REACH_M = 4_000.0
"""Fetched beyond the area, metres: hills out there throw shade into it."""
_STEP = 1 / 3600
"""Side of a pixel of GLO-30 in degrees, south of 50 N; its pixels are centred on multiples."""


@dataclass(frozen=True, slots=True)
class Heights:
    """An elevation file: how many sheets it is of, and the share of its pixels that are known."""

    path: Path
    sheets: int
    known_share: float


def fetch_elevation(settings: Settings, path: Path, *, name: str = "cop-dem-glo-30") -> Heights:
    """
    Copy the elevation of the area, and 4 km around it, from an atlas to a GeoTIFF.

    Pixels stand where those of the sheets stand and keep their values: ``[mask] dem`` reads the
    file as it would read the sheets.

    Parameters
    ----------
    settings : Settings
        Its area, and ``[atlas] url``.
    path : Path
        Ends in ``.tif``.
    name : str
        Atlas of kind "elevation".

    Raises
    ------
    ConfigError
        If the atlas holds no elevation.
    NoDataError, IntegrityError
        As :func:`jinhua_rs.catalog.find_atlas` and :func:`jinhua_rs.cube.read_atlas`.
    """
    ground = gpd.GeoSeries(
        [outline(load_units(settings.area)).buffer(_REACH_M)], crs=settings.area.crs
    )
    area = ground.to_crs("EPSG:4326").iloc[0]
    stac = settings.atlas_stac
    atlas = catalog.settle_atlas(catalog.find_atlas(name, area, stac), stac)
    if atlas.kind != "elevation":
        raise ConfigError(
            f"atlas {name} holds classes, no elevation; choose another one",
            zh=f"参考图 {name} 为分类图，不是高程；请另选",
        )
    heights = cube.read_atlas(atlas, _lattice(area.bounds))
    path.parent.mkdir(parents=True, exist_ok=True)
    store.write_raster(path, heights, tags=_tags(atlas))
    return Heights(path, len(atlas.sheets), float(np.isfinite(heights.to_numpy()).mean()))


def _lattice(bounds: tuple[float, float, float, float]) -> GeoBox:
    """Grid of pixels centred on multiples of their side, over bounds in degrees."""
    left, bottom = (int(np.floor(value / _STEP)) for value in bounds[:2])
    right, top = (int(np.ceil(value / _STEP)) for value in bounds[2:])
    corner = Affine(_STEP, 0, (left - 0.5) * _STEP, 0, -_STEP, (top + 0.5) * _STEP)
    return GeoBox((top - bottom + 1, right - left + 1), corner, "EPSG:4326")


def _tags(atlas: Atlas) -> dict[str, str]:
    label = {"label": "SIMULATED 模拟数据", "SIMULATED": "YES"} if atlas.simulated else {}
    sheets = ", ".join(sheet.id for sheet in atlas.sheets)
    return {"source": sheets, "attribution": atlas.attribution, "units": "m", **label}
