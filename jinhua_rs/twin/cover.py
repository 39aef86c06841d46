"""
What lies on the twin's ground: continuous scores on a lattice, decided at each position.

A score is positive where its cover claims the ground and near zero at the edge of a patch.
Scores are read between lattice nodes before they are compared, so that edges are smooth lines
through the pixels. Where several claim a place, :func:`decide` gives it to the first of
water, road, town, village, mine, bare, forest; what is left is farmed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from jinhua_rs.twin.geography import ROADS, TOWNS
from jinhua_rs.twin.kinds import Kind
from jinhua_rs.twin.lattice import FINEST_STEP, Lattice
from jinhua_rs.twin.noise import fractal, salt, spots
from jinhua_rs.twin.relief import Relief, bent, off_segment

__all__ = ["Scores", "canopy_of", "decide", "scores"]

Field = npt.NDArray[np.float32]
Kinds = npt.NDArray[np.uint8]

_ROAD_HALF_M: Final = 19.0
_SLOPE_SCALING: Final = 0.2
"""Mean slope falls as this power of the lattice step, found by sampling 20 to 320 m."""


@dataclass(frozen=True, eq=False, slots=True)
class Scores:
    """
    Scores of a block or of positions, each float32, dims (y, x), unit 1 unless given.

    ``upland`` runs from 0 on flat floors upward; ``district`` and ``parcel`` choose among
    crops; ``vigour`` (mean 0, deviation 1) drives canopy; ``thin`` is positive in open woodland.
    """

    river: Field
    reservoir: Field
    road: Field
    town: Field
    village: Field
    mine: Field
    bare: Field
    forest: Field
    broadleaf: Field
    conifer: Field
    deciduous: Field
    bamboo: Field
    upland: Field
    district: Field
    parcel: Field
    vigour: Field
    thin: Field

    def fields(self) -> tuple[Field, ...]:
        """All scores in the order of the class."""
        return tuple(getattr(self, name) for name in self.__slots__)


def scores(lattice: Lattice, terrain: Relief, seed: int) -> Scores:
    """
    Compute all scores on a lattice.

    ``forest`` is a propensity still without a threshold: the world subtracts one for each
    county.
    """

    def noise(name: str, longest: float, shortest: float, gain: float = 0.5) -> Field:
        span = (longest, shortest)
        key = salt(seed, name)
        return fractal(lattice.x, lattice.y, span, key, finest=lattice.finest, gain=gain)

    def stand(name: str) -> Field:
        return np.float32(0.5) * noise(name + " region", 30_000.0, 8_000.0) + noise(
            name, 5_000.0, 80.0, 0.7
        )

    # finer lattices see steeper ground: bring slopes (%) to those of a lattice of 160 m
    scale = 100 * (lattice.step / 160) ** _SLOPE_SCALING
    slope = np.hypot(*terrain.slopes(lattice.step)) * np.float32(scale)
    height = np.log1p(np.maximum(terrain.above, 0) / 40)
    town, road = _towns_and_roads(lattice, seed)
    ragged = noise("ragged", 1_200.0, 50.0, 0.66)
    gaps = np.maximum(-1.5 - noise("gaps", 900.0, 60.0, 0.6), 0)
    town = town - slope / 25 + np.float32(0.22) * ragged - 4 * gaps
    forest = (
        np.float32(0.75) * height
        + np.float32(0.55) * np.minimum(slope, 60) / 20
        + np.float32(0.70) * (terrain.spur - 0.6)
        + np.float32(0.95) * noise("wood", 5_000.0, 60.0, 0.68)
        + np.float32(0.35) * np.minimum(terrain.river, 2_500) / 2_500
        - np.float32(0.45) * np.maximum(town + np.float32(0.6), 0)
    )
    mine, bare = _diggings(lattice, seed, slope, town, ragged)
    high: Field = (terrain.elevation - np.float32(450)) / np.float32(350)
    crest = terrain.spur - np.float32(0.6)
    return Scores(
        river=-terrain.river + np.float32(4) * ragged,
        reservoir=np.maximum(terrain.flood, _ponds(lattice, seed, slope, town)),
        road=np.where(slope < 30, road, np.float32(-1)),
        town=town,
        village=_villages(lattice, seed, slope, terrain.river, ragged),
        mine=mine,
        bare=bare,
        forest=forest,
        broadleaf=stand("broadleaf") - np.float32(0.15) * high * high + np.float32(0.10),
        conifer=stand("conifer") + np.float32(0.9) * crest,
        deciduous=stand("deciduous") + _deciduous_ground(high, crest),
        bamboo=stand("bamboo") + _bamboo_ground(high, crest),
        upland=slope / 20 + height / 2 + np.float32(0.30) * noise("upland", 1_800.0, 150.0),
        district=noise("district", 9_000.0, 1_000.0),
        parcel=noise("parcel", 900.0, 100.0, 0.45),
        vigour=noise("vigour", 2_400.0, 50.0, 0.65),
        thin=noise("thin", 1_100.0, 60.0, 0.55) - np.float32(1.9),
    )


def _deciduous_ground(high: Field, crest: Field) -> Field:
    above = np.clip(high, np.float32(-1), np.float32(2))
    return np.float32(0.35) * above + np.float32(0.4) * crest - np.float32(0.75)


def _bamboo_ground(high: Field, crest: Field) -> Field:
    ground = np.float32(1.1) * crest + np.float32(0.4) * np.maximum(high, -high)
    return (-ground - 0.35).astype(np.float32)


def _towns_and_roads(lattice: Lattice, seed: int) -> tuple[Field, Field]:
    """Town score (1 in the centre, 0 at the radius) and distance inside main roads, m."""
    x, y = bent(lattice, seed)
    town = np.full(x.shape, -3, np.float32)
    for place in TOWNS:
        apart = np.hypot(x - np.float32(place.x), y - np.float32(place.y))
        town = np.maximum(town, 1 - apart / np.float32(place.radius))
    road = np.full(x.shape, -1, np.float32)
    if lattice.step <= FINEST_STEP:  # on coarser lattices a road would break into dots
        for start, stop in ROADS:
            square, _ = off_segment(x, y, TOWNS[start].position, TOWNS[stop].position)
            road = np.maximum(road, np.float32(_ROAD_HALF_M) - 1000 * np.sqrt(square))
    return town, road


def _villages(lattice: Lattice, seed: int, slope: Field, river: Field, ragged: Field) -> Field:
    """Villages of 60 to 300 m radius, dense on valley floors, none on steep ground; m inside."""
    distance, size = spots(lattice.x, lattice.y, 950.0, salt(seed, "village"), share=0.75)
    radius: Field = 45 + 250 * size * size
    shrink = np.float32(6) * np.maximum(slope - 7, 0) + np.minimum(river, 4_000) / 60
    found: Field = radius - shrink - distance + (np.float32(14) + radius / np.float32(4)) * ragged
    return found


def _ponds(lattice: Lattice, seed: int, slope: Field, town: Field) -> Field:
    """Village ponds of the basin, 25 to 90 m radius; m inside."""
    distance, size = spots(lattice.x, lattice.y, 1_150.0, salt(seed, "pond"), share=0.6)
    wet = (25 + 65 * size**2) - distance - 14 * slope
    found: Field = np.where(town < 0.1, wet, np.float32(-1))
    return found


def _diggings(
    lattice: Lattice, seed: int, slope: Field, town: Field, ragged: Field
) -> tuple[Field, Field]:
    """Quarries in the hills and building land around towns; m inside."""
    distance, size = spots(lattice.x, lattice.y, 5_200.0, salt(seed, "mine"), share=0.22)
    hilly = np.abs(slope - 26) - 20
    mine = (90 + 260 * size) - distance - 6 * np.maximum(hilly, 0) + 30 * ragged
    apart, wide = spots(lattice.x, lattice.y, 2_100.0, salt(seed, "bare"), share=0.5)
    outskirts = np.abs(town + 0.15) * 160
    bare = (60 + 180 * wide) - apart - outskirts - 5 * slope + 30 * ragged
    return mine, bare


def _farmland(at: Scores) -> Kinds:
    """Kind of the ground that nothing else claims."""
    dry = at.upland + np.float32(0.16) * at.parcel
    crop = np.where(at.district + at.parcel > 0.9, Kind.RAPE_ROTATION, Kind.PADDY)
    crop = np.where((at.parcel - at.district > 1.25) | (dry > 0.62), Kind.DRY_CROP, crop)
    hill = np.where(at.parcel + np.float32(0.7) * at.district > 0.55, Kind.TEA, Kind.OTHER_SHRUB)
    hill = np.where(at.parcel - np.float32(0.8) * at.district > 0.60, Kind.OIL_CAMELLIA, hill)
    garden = np.where(np.abs(at.parcel + np.float32(0.2)) < 0.42, Kind.ORCHARD, hill)
    found = np.where(dry < 0.85, crop, np.where(dry < 1.9, garden, hill))
    return found.astype(np.uint8)


def decide(at: Scores) -> Kinds:
    """
    Give every position to one kind.

    Returns
    -------
    ndarray, uint8, dims (y, x)
        Codes of :class:`~jinhua_rs.twin.kinds.Kind`; never 0.
    """
    kind = _farmland(at)
    woods = np.stack([at.broadleaf, at.conifer, at.deciduous, at.bamboo]).argmax(axis=0) + 1
    wooded = at.forest > 0
    np.copyto(kind, woods.astype(np.uint8), where=wooded)
    for score, code in (
        (at.bare, Kind.BARE),
        (at.mine, Kind.MINE),
        (at.village, Kind.VILLAGE),
        (at.town, Kind.BUILT_DENSE),
        (at.road, Kind.BUILT_DENSE),
        (at.reservoir, Kind.RESERVOIR),
        (at.river, Kind.RIVER),
    ):
        np.copyto(kind, np.uint8(code), where=score > 0)
    return kind


_CANOPY: Final[dict[Kind, tuple[float, float, float, float]]] = {
    # mean, per unit of vigour, least, most
    Kind.EVERGREEN_BROADLEAF: (0.76, 0.11, 0.36, 0.95),
    Kind.CONIFER: (0.66, 0.12, 0.35, 0.92),
    Kind.DECIDUOUS: (0.68, 0.12, 0.35, 0.93),
    Kind.MOSO_BAMBOO: (0.80, 0.08, 0.42, 0.95),
    Kind.TEA: (0.03, 0.03, 0.0, 0.12),
    Kind.OIL_CAMELLIA: (0.09, 0.04, 0.0, 0.15),
    Kind.OTHER_SHRUB: (0.08, 0.05, 0.0, 0.15),
    Kind.ORCHARD: (0.13, 0.04, 0.04, 0.19),
    Kind.PADDY: (0.005, 0.005, 0.0, 0.02),
    Kind.DRY_CROP: (0.02, 0.02, 0.0, 0.08),
    Kind.RAPE_ROTATION: (0.005, 0.005, 0.0, 0.02),
    Kind.BUILT_DENSE: (0.04, 0.03, 0.0, 0.12),
    Kind.VILLAGE: (0.09, 0.04, 0.0, 0.15),
    Kind.BARE: (0.01, 0.01, 0.0, 0.05),
    Kind.MINE: (0.0, 0.0, 0.0, 0.0),
    Kind.RIVER: (0.0, 0.0, 0.0, 0.0),
    Kind.RESERVOIR: (0.0, 0.0, 0.0, 0.0),
}
_TABLE: Final = np.zeros((max(Kind) + 1, 4), np.float32)
for _kind, _row in _CANOPY.items():
    _TABLE[_kind] = _row


def canopy_of(kind: Kinds, at: Scores) -> Field:
    """
    Tree canopy cover at each position, 0-1, float32, dims (y, x).

    Stands thin out over the last steps to their edge; open woodland has 0.05 to 0.19.
    """
    mean, gain, least, most = (_TABLE[:, column].take(kind) for column in range(4))
    wooded = kind <= Kind.MOSO_BAMBOO
    edge = np.where(wooded, np.float32(0.16) * np.exp(-np.maximum(at.forest, 0) / 0.12), 0)
    canopy: Field = np.clip(mean + gain * at.vigour - edge, least, most).astype(np.float32)
    open_wood = wooded & (at.thin > 0)
    np.copyto(canopy, np.clip(0.19 - 0.25 * at.thin, 0.05, 0.19), where=open_wood)
    return canopy
