"""The land survey (国土调查) of the twin: what each piece of forest and garden land is used for."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry.base import BaseGeometry

from jinhua_rs.twin.effects import Event
from jinhua_rs.twin.geography import CRS
from jinhua_rs.twin.kinds import Kind
from jinhua_rs.twin.survey import HasBase, inside, pieces, states

__all__ = ["SURVEYED", "land_use"]

SURVEYED: Final = date(2019, 12, 31)
"""Day for which the third national land survey (三调) speaks."""
_CODES: Final[Mapping[Kind, str]] = {
    Kind.EVERGREEN_BROADLEAF: "0301",
    Kind.CONIFER: "0301",
    Kind.DECIDUOUS: "0301",
    Kind.MOSO_BAMBOO: "0302",
    Kind.OTHER_SHRUB: "0305",
    Kind.TEA: "0202",
    Kind.OIL_CAMELLIA: "0204",
    Kind.ORCHARD: "0201",
}
_NAMES: Final = {
    "0201": "果园", "0202": "茶园", "0204": "其他园地",
    "0301": "乔木林地", "0302": "竹林地", "0305": "灌木林地",
}  # fmt: skip


def land_use(
    ground: HasBase, events: Sequence[Event], units: gpd.GeoDataFrame, *, resolution: float
) -> gpd.GeoDataFrame:
    """
    Survey the forest and garden land of some units, as it was used at the end of 2019.

    Parameters
    ----------
    ground : HasBase
        State before any event; a ``Memory`` that has seen these pixels makes this cheap.
    units : GeoDataFrame, EPSG:4549
    resolution : float, m
        Of the pixels whose edges the outlines follow.

    Returns
    -------
    GeoDataFrame, EPSG:4549
        ``DLBM`` (code of the third land survey), ``DLMC`` (its name), ``simulated``; outlines
        end at squares of 256 pixels. Other land is left out.
    """
    codes = np.array(sorted(set(_CODES.values())))
    number = np.zeros(max(Kind) + 1, "uint8")
    for kind, code in _CODES.items():
        number[kind] = 1 + np.searchsorted(codes, code)
    found = list(_outlines(ground, events, units, resolution, number))
    named = codes[[n - 1 for _, n in found]]
    return gpd.GeoDataFrame(
        {"DLBM": named, "DLMC": [_NAMES[code] for code in named], "simulated": True},
        geometry=[shape for shape, _ in found],
        crs=CRS,
    )


def _outlines(
    ground: HasBase,
    events: Sequence[Event],
    units: gpd.GeoDataFrame,
    resolution: float,
    number: NDArray[np.uint8],
) -> Iterator[tuple[BaseGeometry, int]]:
    """Yield outlines with the number of their code, square by square."""
    city = shapely.union_all(units.geometry.to_numpy())
    for piece in pieces(units, resolution):
        (state,) = states(ground, piece.geobox, events, [SURVEYED])
        used = number[state["kind"].to_numpy()] * inside(piece.geobox, city)
        for shape, code in shapes(used, mask=used > 0, transform=piece.geobox.affine):
            yield shapely.geometry.shape(shape), int(code)
