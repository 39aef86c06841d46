"""The record of one mine: its years, its target, its recovery with intervals, its status."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

from jinhua_rs.mines.judge import Course, Verdict, judge, opening_of, start_of
from jinhua_rs.mines.metrics import Recovery, recovery
from jinhua_rs.mines.ring import reference_ring
from jinhua_rs.schema import TREE_CLASSES
from jinhua_rs.terrain import STEEP_DEG, Terrain

__all__ = ["INDICES", "MineRecord", "Rules", "Span", "record_of"]

INDICES = ("ndvi", "nbr", "ndmi", "bsi", "canopy")
"""Maps whose mean is told for every year."""
_BARE_NDVI = 0.30
_SEEN_LEAST = 0.5
"""Share of a mine that must be seen for a year to have a value."""
_RING_LOOKS = 3.0
"""Mean clear looks at the ring from which a mine that was not seen at all is taken to be bright."""
_BLOCK_M = 50.0
"""Side of the blocks that are drawn together: neighbours resemble each other."""

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How mines are measured: reach of the ring (m), draws of the bootstrap, its seed."""

    reach_m: tuple[float, float] = (100.0, 1000.0)
    draws: int = 500
    seed: int = 20200101


@dataclass(frozen=True, slots=True)
class Span:
    """A number with its 95 % interval; NaN where it is not known."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MineRecord:
    """
    What is known of a mine.

    Attributes
    ----------
    years : tuple of int
    yearly : mapping
        Mean of each of :data:`INDICES`, ``ring_nbr``, ``bare_share``, ``tree_share`` (mapped as
        trees), ``new_bare_m2`` and ``seen_share``; float64, dims (year,), NaN = not seen.
    opened, start : int or None
        Year of opening and of the start of restoration, given or seen; None: not within the years.
    target, target_source : Span, str
        V* in NBR; ``"pre-disturbance"``, ``"reference ring"`` or ``""``.
    ring_px : int
        Pixels of the reference ring.
    steep_share : float
        Share of the mine steeper than 55°, left out of everything else; NaN = slope not known.
    metrics : mapping
        Each of :class:`Recovery`, in NBR.
    covered_y2r : float
        Years until NDVI reached 80 % of its own target: covered, which is not yet forest.
    verdict : Verdict
    """

    years: tuple[int, ...]
    yearly: Mapping[str, Array]
    opened: int | None
    start: int | None
    target: Span
    target_source: str
    ring_px: int
    steep_share: float
    metrics: Mapping[str, Span]
    covered_y2r: float
    verdict: Verdict


def record_of(
    stack: xr.Dataset,
    mine: BaseGeometry,
    *,
    barred: BaseGeometry | None,
    terrain: Terrain | None,
    known: Mapping[str, int | None],
    rules: Rules,
) -> MineRecord:
    """
    Make the record of one mine from yearly same-season maps of its surroundings.

    Parameters
    ----------
    stack : Dataset, dims (year, y, x)
        ``ndvi``, ``nbr`` and those of :data:`INDICES` that are there, float32, NaN = not seen;
        ``landcover`` uint8, 0 = not seen; ``n_clear`` uint16, if known. Reaches the ring's far
        edge.
    mine : shapely geometry
        In the CRS of the stack.
    barred : shapely geometry, optional
        Ground that no reference may come from, such as other mines.
    terrain : Terrain, optional
        On the pixels of the stack.
    known : mapping
        ``opened`` and ``start``: years that the layer reports, None where it does not.
    rules : Rules

    Returns
    -------
    MineRecord
        Intervals are 95 % percentiles of a bootstrap over blocks of 50 m of the mine and of its
        ring; they tell how far the mine's ground differs within itself, not how years differ.
    """
    inside = _within(stack, mine)
    if not inside.any():  # smaller than a pixel: the one it lies on
        inside = _nearest(stack, mine)
    steep = np.zeros_like(inside) if terrain is None else terrain.slope >= STEEP_DEG
    healing = inside & ~steep if (inside & ~steep).any() else inside
    ring = reference_ring(
        stack,
        inside,
        _within(stack, barred) if barred is not None else np.zeros_like(inside),
        kind=None if terrain is None else terrain.kind,
        reach_m=rules.reach_m,
    )
    yearly = _yearly(stack, healing, ring)
    yearly["bare_share"] = np.where(_dazzling(stack, yearly, ring), 1.0, yearly["bare_share"])
    draws = _Draws.of(stack["nbr"].to_numpy(), healing, ring, _block_side(stack), rules)
    years = tuple(int(year) for year in stack["year"].to_numpy())
    canopy = yearly.get("canopy", np.full(len(years), np.nan))
    course = Course(
        years, draws.value, canopy, yearly["tree_share"], yearly["bare_share"],
        yearly["new_bare_m2"],
    )  # fmt: skip
    opened = known["opened"] if known["opened"] is not None else opening_of(course)
    start = known["start"] if known["start"] is not None else start_of(course, opened)
    target, source = _target(draws, years, opened)
    green = _ndvi_goal(stack, healing, ring, years, start)
    return MineRecord(
        years=years,
        yearly=yearly,
        opened=opened,
        start=start,
        target=target,
        target_source=source,
        ring_px=int(ring.sum()),
        steep_share=np.nan if terrain is None else float((inside & steep).sum() / inside.sum()),
        metrics=_metrics(draws, years, opened, start),
        covered_y2r=green,
        verdict=judge(course, target.value, opened=opened, start=start),
    )


def _within(stack: xr.Dataset, shape: BaseGeometry) -> Booleans:
    """Pixels whose centre lies in a shape."""
    x, y = np.meshgrid(stack.x.to_numpy(), stack.y.to_numpy())
    return np.asarray(shapely.contains_xy(shape, x, y), bool)


def _nearest(stack: xr.Dataset, shape: BaseGeometry) -> Booleans:
    point = shape.representative_point()
    found = np.zeros((stack.sizes["y"], stack.sizes["x"]), bool)
    row = np.abs(stack.y.to_numpy() - point.y).argmin()
    found[row, np.abs(stack.x.to_numpy() - point.x).argmin()] = True
    return found


def _block_side(stack: xr.Dataset) -> int:
    return max(1, round(_BLOCK_M / abs(float(stack.x[1] - stack.x[0]))))


def _yearly(stack: xr.Dataset, healing: Booleans, ring: Booleans) -> dict[str, Array]:
    """Every number that is told for a year."""
    seen = ~np.isnan(stack["nbr"].to_numpy()) & healing
    share = seen.sum(axis=(1, 2)) / healing.sum()
    enough = share >= _SEEN_LEAST
    found = {
        name: np.where(enough, _mean(stack[name].to_numpy(), healing), np.nan)
        for name in INDICES
        if name in stack
    }
    bare = (_without_haze(stack["ndvi"].to_numpy(), ring) < _BARE_NDVI) & seen
    land = stack["landcover"].to_numpy()
    named = seen & (land != 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        bare_share = bare.sum(axis=(1, 2)) / seen.sum(axis=(1, 2))
        trees = (np.isin(land, TREE_CLASSES) & named).sum(axis=(1, 2)) / named.sum(axis=(1, 2))
    pixel_m2 = abs(float(stack.x[1] - stack.x[0]) * float(stack.y[1] - stack.y[0]))
    found["ring_nbr"] = _mean(stack["nbr"].to_numpy(), ring)
    found["bare_share"] = np.where(enough, bare_share, np.nan)
    found["tree_share"] = np.where(enough, trees, np.nan)
    found["new_bare_m2"] = np.where(enough, _new_bare(bare, seen, pixel_m2), np.nan)
    found["seen_share"] = share
    return found


def _dazzling(stack: xr.Dataset, yearly: Mapping[str, Array], ring: Booleans) -> Booleans:
    """
    Years in which the mine was not seen, nor since its ring was seen three times or more.

    Clouds do not stop at the edge of a quarry on three days: it is its bright bare ground that is
    taken for cloud. Looks of successive years in which the mine was not seen count together.
    """
    if "n_clear" not in stack or not ring.any():
        return np.zeros(stack.sizes["year"], bool)
    looks = stack["n_clear"].to_numpy()[:, ring].mean(axis=1)
    unseen, so_far = yearly["seen_share"] < _SEEN_LEAST, np.zeros(len(looks))
    for at, dark in enumerate(unseen):
        so_far[at] = looks[at] + (so_far[at - 1] if at else 0.0) if dark else 0.0
    return np.asarray(unseen & (so_far >= _RING_LOOKS), bool)


def _without_haze(ndvi: NDArray[np.float32], ring: Booleans) -> NDArray[np.float32]:
    """NDVI times what the ring lost of it in the same year: haze draws both towards 0 alike."""
    around = _mean(ndvi, ring)
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = np.where(around > 0, _mean_of_years(around) / around, 1.0)
    return np.asarray(ndvi * lost[:, np.newaxis, np.newaxis].astype("float32"))


def _mean(values: NDArray[np.float32], where: Booleans) -> Array:
    """Mean over some pixels, by year; NaN where none was seen."""
    chosen = values[:, where].astype(np.float64)
    count = (~np.isnan(chosen)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nansum(chosen, axis=1) / np.where(count, count, np.nan))


def _new_bare(bare: Booleans, seen: Booleans, pixel_m2: float) -> Array:
    """Ground that is bare and was not when last seen, in 4-connected pieces of 400 m² or more."""
    found = np.zeros(len(bare))
    was, known = bare[0].copy(), seen[0].copy()
    for at in range(1, len(bare)):
        fresh = bare[at] & known & ~was
        pieces, count = ndimage.label(fresh)
        sizes = ndimage.sum_labels(fresh, pieces, np.arange(1, count + 1)) * pixel_m2
        found[at] = float(np.sum(sizes[sizes >= 400.0])) if count else 0.0
        was, known = np.where(seen[at], bare[at], was), known | seen[at]
    return found


@dataclass(frozen=True, slots=True)
class _Draws:
    """
    Yearly NBR of the mine, freed of the ring's own years, and what it would be in other draws.

    ``value`` (year,), ``drawn`` (draw, year); ``ring`` level of the ring, ``ring_drawn`` (draw,).
    """

    value: Array
    drawn: Array
    ring: float
    ring_drawn: Array

    @classmethod
    def of(
        cls, nbr: NDArray[np.float32], mine: Booleans, ring: Booleans, side: int, rules: Rules
    ) -> "_Draws":
        rng = np.random.default_rng(rules.seed)
        own, own_drawn = _block_means(nbr, mine, side, rules.draws, rng)
        seen = (~np.isnan(nbr[:, mine])).mean(axis=1) >= _SEEN_LEAST
        own, own_drawn = np.where(seen, own, np.nan), np.where(seen, own_drawn, np.nan)
        if not ring.any():
            nothing = np.full(rules.draws, np.nan)
            return cls(own, own_drawn, np.nan, nothing)
        around, around_drawn = _block_means(nbr, ring, side, rules.draws, rng)
        level, level_drawn = _mean_of_years(around), _mean_of_years(around_drawn)
        shift = np.nan_to_num(around - level)
        shift_drawn = np.nan_to_num(around_drawn - level_drawn[:, np.newaxis])
        return cls(own - shift, own_drawn - shift_drawn, float(level), level_drawn)


def _mean_of_years(values: Array) -> Array:
    count = (~np.isnan(values)).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nansum(values, axis=-1) / np.where(count, count, np.nan))


def _block_means(
    values: NDArray[np.float32], where: Booleans, side: int, draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Mean by year, and in draws of whole blocks with replacement: (year,), (draw, year)."""
    rows, columns = np.nonzero(where)
    width = where.shape[1] // side + 1
    _, block = np.unique((rows // side) * width + columns // side, return_inverse=True)
    chosen = values[:, where].astype(np.float64)
    count = int(block.max()) + 1
    sums = np.stack([np.bincount(block, np.nan_to_num(year), count) for year in chosen], axis=1)
    seen = np.stack([np.bincount(block, ~np.isnan(year), count) for year in chosen], axis=1)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums.sum(axis=0) / seen.sum(axis=0), (weights @ sums) / (weights @ seen)


def _span(value: float, drawn: Array) -> Span:
    known = drawn[np.isfinite(drawn)]
    if np.isnan(value) or known.size < drawn.size / 2:
        return Span(float(value), np.nan, np.nan)
    low, high = np.percentile(known, (2.5, 97.5))
    return Span(float(value), min(float(low), value), max(float(high), value))


def _before(years: tuple[int, ...], opened: int | None) -> NDArray[np.intp]:
    """Positions of the two years before an opening; empty where they are not in the record."""
    if opened is None or opened - 2 not in years or opened - 1 not in years:
        return np.array([], np.intp)
    return np.array([years.index(opened - 2), years.index(opened - 1)])


def _level(draws: _Draws, years: tuple[int, ...], opened: int | None) -> tuple[float, Array, str]:
    """V* and its draws: the two years before the opening, else the ring."""
    before = _before(years, opened)
    if before.size and not np.isnan(draws.value[before]).any():
        drawn = draws.drawn[:, before].mean(axis=1)
        return float(draws.value[before].mean()), drawn, "pre-disturbance"
    return draws.ring, draws.ring_drawn, "" if np.isnan(draws.ring) else "reference ring"


def _target(draws: _Draws, years: tuple[int, ...], opened: int | None) -> tuple[Span, str]:
    value, drawn, source = _level(draws, years, opened)
    return _span(value, drawn), source


def _metrics(
    draws: _Draws, years: tuple[int, ...], opened: int | None, start: int | None
) -> dict[str, Span]:
    names = [one.name for one in fields(Recovery)]
    if start is None or start not in years:
        return dict.fromkeys(names, Span(np.nan, np.nan, np.nan))
    level, level_drawn, _ = _level(draws, years, opened)
    series, drawn = _yearly_from(start, years, draws.value), _yearly_from(start, years, draws.drawn)
    best = recovery(series, target=level, before=level)
    other = recovery(drawn, target=level_drawn, before=level_drawn)
    return {name: _span(float(getattr(best, name)), getattr(other, name)) for name in names}


def _yearly_from(start: int, years: tuple[int, ...], values: Array) -> Array:
    """Values of each calendar year from ``start`` on; a year without maps is NaN."""
    wanted = range(start, years[-1] + 1)
    gap = np.full((*values.shape[:-1], 1), np.nan)
    filled = np.concatenate([values, gap], axis=-1)
    return filled[..., [years.index(year) if year in years else -1 for year in wanted]]


def _ndvi_goal(
    stack: xr.Dataset,
    healing: Booleans,
    ring: Booleans,
    years: tuple[int, ...],
    start: int | None,
) -> float:
    """Years from the start of restoration until NDVI reached 80 % of the ring's."""
    if start is None or start not in years or not ring.any():
        return np.nan
    ndvi = stack["ndvi"].to_numpy()
    level = _mean_of_years(_mean(ndvi, ring))
    own = _yearly_from(start, years, _mean(ndvi, healing))
    return float(recovery(own, target=level, before=level).y2r)
