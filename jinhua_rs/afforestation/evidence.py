"""What the maps show of one parcel: greening against like ground, canopy, and clear looks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage, stats
from shapely.geometry.base import BaseGeometry

from jinhua_rs.afforestation.standing import SEALED, standing, wooded
from jinhua_rs.schema import FOREST_CANOPY, TREE_CLASSES, Land
from jinhua_rs.units import M2_PER_MU

__all__ = ["LEAST_PX", "Evidence", "evidence_of"]

LEAST_PX = 7
"""Pixels below which nothing is said of a parcel (1 亩 at 10 m, the least that is forest)."""
_CONTROLS = 5
_CONTROLS_LEAST = 3
_CONTROL_PX = 64
"""A control need not be larger than this to have a steady mean."""
_SEEN_LEAST = 0.5
_GREENED = 0.05
"""Rise of NDVI beyond that of like ground from which a pixel has greened."""
_WOODY = (*TREE_CLASSES, Land.SHRUB, Land.ORCHARD)

Booleans = NDArray[np.bool_]
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    What is known of a parcel in a period; shares are of its counted ground, NaN = not known.

    Attributes
    ----------
    px : int
        Pixels of the counted ground.
    seen_share : float, 0-1
        Seen in the period.
    n_clear : float
        Mean number of clear looks in the period.
    gap, gap_p : float
        NDVI since the year before planting, less that of controls; one-sided p that it is not
        above 0 (difference in differences over five controls).
    controls : int
        Controls found.
    canopy : float, 0-1
        Mean canopy cover in the period.
    greened_share, forest_share, wooded_share : float, 0-1
        Pixels that greened; that are forest (:func:`~jinhua_rs.afforestation.standing.standing`),
        in pieces of 1 亩 or more; that are wooded in this year alone.
    stood_share : float, 0-1
        Best share that was forest in an earlier year after that of planting; 0 where none was.
    was_forest_share, was_woody_share : float, 0-1
        Pixels with a canopy of 0.20 or more in the year before planting; pixels of a class of
        trees, shrub or orchard in any year before it.
    sealed_share : float, 0-1
        Pixels that are built-up or bare.
    """

    px: int
    seen_share: float
    n_clear: float
    gap: float
    gap_p: float
    controls: int
    canopy: float
    greened_share: float
    forest_share: float
    wooded_share: float
    stood_share: float
    was_forest_share: float
    was_woody_share: float
    sealed_share: float


def evidence_of(
    stack: xr.Dataset,
    ground: BaseGeometry,
    *,
    barred: BaseGeometry,
    planted: int,
    kind: NDArray[np.int16] | None,
    rng: np.random.Generator,
) -> Evidence:
    """
    Gather the evidence on one parcel in the last year of a stack.

    Parameters
    ----------
    stack : Dataset, dims (year, y, x)
        ``ndvi``, ``canopy`` float32 (NaN = not seen), ``landcover`` uint8, of the parcel and of
        the ground around it from which controls are drawn; one season. ``n_clear`` uint16, dims
        (y, x), of the last year.
    ground : shapely geometry
        The counted ground.
    barred : shapely geometry
        Ground that no control may come from: all parcels.
    planted : int
        Year of planting.
    kind : ndarray, int16, dims (y, x), optional
        Terrain class; controls then lie on that of most of the parcel.
    rng : Generator
        Draws the controls; the same for a parcel in every period.

    Returns
    -------
    Evidence
    """
    x, y = np.meshgrid(stack.x.to_numpy(), stack.y.to_numpy())
    inside = np.asarray(shapely.contains_xy(ground, x, y), bool)
    years = [int(year) for year in stack["year"].to_numpy()]
    ndvi, canopy = (stack[one].to_numpy() for one in ("ndvi", "canopy"))
    land, now = stack["landcover"].to_numpy(), len(years) - 1
    px = int(inside.sum())
    if px < LEAST_PX:
        return _nothing(px)
    seen = ~np.isnan(ndvi[now]) & inside
    before = years.index(planted - 1) if planted - 1 in years else None
    greened, gap = np.zeros_like(inside), _Gap(np.nan, np.nan, 0, np.nan)
    if before is not None:
        pool = _pool(land[before], inside, kind) & ~shapely.contains_xy(barred, x, y)
        gap = _gap(ndvi[now] - ndvi[before], inside, pool, rng)
        if not np.isnan(gap.control):
            greened = inside & (ndvi[now] - ndvi[before] - gap.control >= _GREENED)
    stood = _since_planting(canopy, land, years, planted)
    forest = inside & _pieces(stood[-1], _pixel_m2(stack))
    was = (
        np.nan
        if before is None
        else _share(canopy[before] >= FOREST_CANOPY, inside, canopy[before])
    )
    return Evidence(
        px=px,
        seen_share=float(seen.sum() / px),
        n_clear=float(stack["n_clear"].to_numpy()[inside].mean()),
        gap=gap.value,
        gap_p=gap.p,
        controls=gap.controls,
        canopy=_mean(canopy[now], inside),
        greened_share=_share(greened | forest, inside, ndvi[now]),
        forest_share=_share(forest, inside, ndvi[now]),
        wooded_share=_share(wooded(canopy[now], land[now]), inside, ndvi[now]),
        stood_share=float(stood[:-1, inside].sum(axis=1).max(initial=0) / px),
        was_forest_share=was,
        was_woody_share=_was_woody(land[: np.searchsorted(years, planted)], inside),
        sealed_share=_share(np.isin(land[now], SEALED), inside, ndvi[now]),
    )


def _nothing(px: int) -> Evidence:
    nothing: Mapping[str, float] = dict.fromkeys(
        set(Evidence.__dataclass_fields__) - {"px", "controls"}, np.nan
    )
    return Evidence(px=px, controls=0, **nothing)


def _pixel_m2(stack: xr.Dataset) -> float:
    x, y = stack.x.to_numpy(), stack.y.to_numpy()
    return float(abs((x[1] - x[0]) * (y[1] - y[0])))


def _mean(values: NDArray[np.float32], where: Booleans) -> float:
    """Mean of the seen pixels; NaN where fewer than half of them were seen."""
    chosen = values[where]
    known = chosen[~np.isnan(chosen)]
    return float(known.mean()) if known.size >= _SEEN_LEAST * chosen.size else np.nan


def _share(flag: Booleans, where: Booleans, seen: NDArray[np.float32]) -> float:
    """Share of the seen pixels that carry a flag; NaN where fewer than half were seen."""
    known = where & ~np.isnan(seen)
    if known.sum() < _SEEN_LEAST * where.sum():
        return np.nan
    return float((flag & known).sum() / known.sum())


def _pool(land: NDArray[np.uint8], inside: Booleans, kind: NDArray[np.int16] | None) -> Booleans:
    """Ground of the class, and of the terrain, that most of the parcel was before planting."""
    pool = ~inside & (land == _commonest(land[inside & (land != 0)]))
    if kind is not None:
        pool &= kind == _commonest(kind[inside])
    return np.asarray(pool & (land != 0), bool)


def _commonest(values: NDArray[np.integer]) -> int:
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()]) if found.size else -1


@dataclass(frozen=True, slots=True)
class _Gap:
    value: float
    p: float
    controls: int
    control: float


def _gap(
    change: NDArray[np.float32], inside: Booleans, pool: Booleans, rng: np.random.Generator
) -> _Gap:
    """
    Difference in differences of a parcel against up to five controls of its size.

    The controls differ among themselves as parcels on which nothing was done would: their spread,
    times the root of 1 + 1/k, is the standard error, with k - 1 degrees of freedom.
    """
    own = _mean(change, inside)
    found = [_mean(change, control) for control in _controls(inside, pool & ~np.isnan(change), rng)]
    others: Array = np.array([one for one in found if not np.isnan(one)])
    if np.isnan(own) or others.size < _CONTROLS_LEAST:
        return _Gap(np.nan, np.nan, int(others.size), np.nan)
    value = own - others.mean()
    error = max(float(others.std(ddof=1)), 1e-6) * np.sqrt(1 + 1 / others.size)
    p = float(stats.t.sf(value / error, others.size - 1))
    return _Gap(float(value), p, int(others.size), float(others.mean()))


def _controls(inside: Booleans, pool: Booleans, rng: np.random.Generator) -> list[Booleans]:
    """Draw patches of the pool, each of as many pixels as the parcel, next to a random pixel."""
    places, found = np.argwhere(pool), []
    size = min(int(inside.sum()), _CONTROL_PX)
    for _ in range(_CONTROLS):
        if len(places) < size:
            break
        seedling = places[rng.integers(len(places))]
        near = np.argpartition(((places - seedling) ** 2).sum(axis=1), size - 1)[:size]
        control = np.zeros_like(inside)
        control[tuple(places[near].T)] = True
        found.append(control)
        places = np.delete(places, near, axis=0)
    return found


def _since_planting(
    canopy: NDArray[np.float32], land: NDArray[np.uint8], years: list[int], planted: int
) -> Booleans:
    """Forest at the end of each year after that of planting; one empty year if there is none."""
    first = int(np.searchsorted(years, planted, side="right"))
    stood = standing(canopy[first:], land[first:], years[first:])
    return stood if len(stood) else np.zeros((1, *canopy.shape[1:]), bool)


def _pieces(forest: Booleans, pixel_m2: float) -> Booleans:
    """Ground in 4-connected pieces of 1 亩 or more."""
    pieces, count = ndimage.label(forest)
    if count == 0:
        return forest
    sizes = np.bincount(pieces.ravel()) * pixel_m2
    sizes[0] = 0
    return np.asarray(sizes[pieces] >= M2_PER_MU, bool)


def _was_woody(land: NDArray[np.uint8], inside: Booleans) -> float:
    """Share that was seen and woody in any of some years; NaN where there is none."""
    if not len(land):
        return np.nan
    return float(np.isin(land[:, inside], _WOODY).any(axis=0).mean())
