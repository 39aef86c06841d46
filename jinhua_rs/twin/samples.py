"""
Points read from the twin's truth: for training, and for the independent reference.

The reference sample stands for visual interpretation of fine imagery. Both are read at the
centres of the pixels of the grid, on the pixel's own truth (mean canopy, majority class).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.period import Period
from jinhua_rs.schema import LAND_CLASSES
from jinhua_rs.twin.effects import Event
from jinhua_rs.twin.geography import CRS
from jinhua_rs.twin.lattice import ground as centres
from jinhua_rs.twin.places import counties
from jinhua_rs.twin.survey import PIECE_PX, HasBase, inside, middle, states, window

__all__ = ["Quota", "misread", "reference_sample", "training_samples"]

Quota: TypeAlias = int | Mapping[str, int] | gpd.GeoDataFrame
"""
One number for the nine counties, or county code -> number for those named, or a layer of other
units (index ``code``, EPSG:4549) with its ``points``.
"""

_WINDOW_PX = 48
_ROUNDS = 60
_ENOUGH = 2.0
_PIXELS_A_POINT = 2_500
"""Opening one more window costs about as much as reading so many pixels."""


def training_samples(
    world: HasBase,
    events: Sequence[Event],
    when: date,
    *,
    resolution: float,
    n_per_class: Quota,
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """
    Draw training points, stratified by class and spread over the counties.

    Small windows are read at random places of every county until each class has twice the
    points it needs; the points are then drawn from them, the counties taking turns.

    Parameters
    ----------
    world : HasBase
        ``World`` or ``survey.Memory``.
    when : date
        Day on which class and canopy are read.
    resolution : float, m
        Pixel size; the points are pixel centres of the grid of EPSG:4549.
    n_per_class : int or Mapping
        Points of each class in all counties together; a mapping gives county code -> points
        of each class in that county. Rare classes may get fewer; those that do not occur in
        a layer of other units are left out.

    Returns
    -------
    GeoDataFrame of points, EPSG:4549
        ``class`` (``schema.Land`` code), ``canopy`` (0-1), ``county``, ``date`` (ISO),
        ``source`` ("simulated"), ``confidence`` (3 where all four samples of the pixel
        show the class, 2 where three do, else 1) and ``simulated`` (True).

    Raises
    ------
    NoDataError
        If a class is not met in any window of the counties.
    """
    wanted, shapes = _quota(n_per_class, spread=True)
    need = sum(wanted.values())
    found: list[pd.DataFrame] = []
    for _ in range(_ROUNDS):
        for code, shape in shapes.items():
            box = _random_window(shape, resolution, rng)
            found.append(_read_window(world, events, when, box, shape).assign(county=code))
        met = pd.concat(found)["class"].value_counts()
        if all(met.get(info.code, 0) >= _ENOUGH * need for info in LAND_CLASSES):
            break
    pool = pd.concat(found, ignore_index=True).drop_duplicates(["x", "y"])
    missing = [info for info in LAND_CLASSES if info.code not in set(pool["class"])]
    if missing and not isinstance(n_per_class, gpd.GeoDataFrame):
        raise NoDataError(
            f"no {missing[0].name} at {resolution:g} m in the counties {', '.join(wanted)}; "
            "use a finer resolution or more counties",
            zh=f"{resolution:g} 米分辨率下所选县（市、区）内没有{missing[0].name_zh}；"
            "请提高分辨率或增加县数",
        )
    chosen = _in_turns(pool, need, rng)
    return gpd.GeoDataFrame(
        {
            "class": chosen["class"].astype("int64"),
            "canopy": chosen["canopy"],
            "county": chosen["county"],
            "date": when.isoformat(),
            "source": "simulated",
            "confidence": chosen["confidence"],
            "simulated": True,
        },
        geometry=gpd.points_from_xy(chosen["x"], chosen["y"]),
        crs=CRS,
    )


def reference_sample(
    world: HasBase,
    events: Sequence[Event],
    periods: Sequence[Period],
    *,
    resolution: float,
    per_county: Quota = 240,
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """
    Draw the reference: a simple random sample of pixel centres in each county.

    Every pixel whose centre lies in the county has the same chance, none comes twice, and
    the same points are read in the middle of each period (a panel), without error; see
    :func:`misread`.

    Parameters
    ----------
    world : HasBase
        ``World`` or ``survey.Memory``.
    resolution : float, m
        Pixel size; the points are pixel centres of the grid of EPSG:4549.
    per_county : int or Mapping
        Points of each county; a mapping gives county code -> points.

    Returns
    -------
    GeoDataFrame of points, EPSG:4549, one row for each point and period
        ``point`` (id), ``unit`` (county code), ``period``, ``date`` (ISO, when it was read),
        ``canopy`` (0-1), ``class`` (``schema.Land`` code), ``simulated`` (True).

    Raises
    ------
    ConfigError
        If a county is unknown or has fewer pixels than points are wanted.
    """
    wanted, shapes = _quota(per_county, spread=False)
    points = pd.concat(
        [
            _random_centres(shape, resolution, wanted[code], rng).assign(unit=code)
            for code, shape in shapes.items()
        ],
        ignore_index=True,
    )
    points["point"] = [f"{code}-{n:05d}" for n, code in enumerate(points["unit"], start=1)]
    days = [middle(period) for period in periods]
    readings = pd.concat(_read_points(world, events, points, resolution, days))
    table = points.merge(readings, left_index=True, right_index=True)
    table = table.sort_values(["point", "step"], ignore_index=True)
    return gpd.GeoDataFrame(
        {
            "point": table["point"],
            "unit": table["unit"],
            "period": [str(periods[step]) for step in table["step"]],
            "date": [days[step].isoformat() for step in table["step"]],
            "canopy": table["canopy"],
            "class": table["class"],
            "simulated": True,
        },
        geometry=gpd.points_from_xy(table["x"], table["y"]),
        crs=CRS,
    )


def misread(
    sample: gpd.GeoDataFrame, *, canopy_sd: float, rng: np.random.Generator
) -> gpd.GeoDataFrame:
    """
    Return a sample as an interpreter with a shaky eye would read it.

    Parameters
    ----------
    canopy_sd : float, 0-1
        Standard deviation of the normal error of each reading of ``canopy``, which stays
        in 0-1. 0 returns the readings as they are.
    """
    error = rng.normal(0, 1, len(sample)) * canopy_sd
    return sample.assign(canopy=np.clip(sample["canopy"] + error, 0, 1))


def _quota(numbers: Quota, *, spread: bool) -> tuple[dict[str, int], gpd.GeoSeries]:
    """Points and outline of each unit; ``spread`` shares one number out among the nine."""
    if isinstance(numbers, gpd.GeoDataFrame):
        return {str(code): int(n) for code, n in numbers["points"].items()}, numbers.geometry
    shapes = counties().geometry
    known = list(shapes.index)
    if isinstance(numbers, int):
        share = -(-numbers // len(known)) if spread else numbers
        numbers = dict.fromkeys(known, share)
    unknown = sorted(set(numbers) - set(known))
    if unknown or not numbers or min(numbers.values()) < 1:
        raise ConfigError(
            f"points are wanted for {dict(numbers)}, known counties are {', '.join(known)}; "
            "give each named county at least one point",
            zh=f"样点数 {dict(numbers)} 无效；可用的县（市、区）代码：{'、'.join(known)}，"
            "每个至少 1 个点",
        )
    return dict(numbers), shapes[list(numbers)]


def _random_window(shape: BaseGeometry, resolution: float, rng: np.random.Generator) -> GeoBox:
    """Window of 48 x 48 pixels somewhere in the bounds of a shape."""
    whole = window(shape, resolution)
    rows, cols = whole.shape
    side = min(_WINDOW_PX, rows, cols)
    row, col = (int(rng.integers(0, n - side + 1)) for n in (rows, cols))
    return whole[row : row + side, col : col + side]


def _read_window(
    world: HasBase, events: Sequence[Event], when: date, box: GeoBox, shape: BaseGeometry
) -> pd.DataFrame:
    """Read the truth of the pixels of a window that lie in a shape, one row each."""
    (truth,) = states(world, box, events, [when])
    at = inside(box, shape)
    x, y = np.broadcast_arrays(*centres(box))
    return pd.DataFrame(
        {
            "x": x[at],
            "y": y[at],
            "class": truth["landcover"].to_numpy()[at],
            "canopy": truth["canopy"].to_numpy()[at],
            "confidence": np.clip(np.rint(4 * truth["purity"].to_numpy()[at]) - 1, 1, 3),
        }
    )


def _in_turns(pool: pd.DataFrame, need: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw at most ``need`` rows of each class, counties taking turns, in random order."""
    mixed = pool.iloc[rng.permutation(len(pool))]
    turn = mixed.groupby(["class", "county"]).cumcount()
    ordered = mixed.assign(turn=turn).sort_values(["class", "turn"], kind="stable")
    return ordered.groupby("class").head(need).reset_index(drop=True)


def _random_centres(
    shape: BaseGeometry, resolution: float, n: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw ``n`` different pixel centres in a shape, all with the same chance."""
    box = window(shape, resolution)
    rows, cols = box.shape
    sought = n * rows * cols * resolution**2 / shape.area
    tried = min(rows * cols, 64 + int(1.3 * sought))
    while True:
        cells = rng.choice(rows * cols, tried, replace=False)
        east, north = np.broadcast_arrays(*centres(box))
        x, y = east[cells // cols, cells % cols], north[cells // cols, cells % cols]
        kept = np.flatnonzero(shapely.contains_xy(shape, x, y))[:n]
        if len(kept) == n:
            return pd.DataFrame({"x": x[kept], "y": y[kept]})
        if tried == rows * cols:
            raise ConfigError(
                f"{n} points are wanted but a county has only {len(kept)} pixels at "
                f"{resolution:g} m; ask for fewer points or a finer resolution",
                zh=f"{resolution:g} 米分辨率下某县仅有 {len(kept)} 个像元，不足 {n} 个样点；"
                "请减少样点或提高分辨率",
            )
        tried = min(rows * cols, 2 * tried)


def _read_points(
    world: HasBase,
    events: Sequence[Event],
    points: pd.DataFrame,
    resolution: float,
    days: Sequence[date],
) -> Iterator[pd.DataFrame]:
    """Yield class and canopy of the points, indexed as they are, with the ``step`` (day)."""
    side = PIECE_PX * resolution
    for _, piece in points.groupby([points["y"] // side, points["x"] // side]):
        for near in _close_together(piece, resolution):
            box = window(shapely.MultiPoint(near[["x", "y"]].to_numpy()), resolution)
            left, top = box.affine.c, box.affine.f
            cols = ((near["x"].to_numpy() - left) / resolution).astype("int64")
            at = ((top - near["y"].to_numpy()) / resolution).astype("int64"), cols
            for step, truth in enumerate(states(world, box, events, days)):
                yield pd.DataFrame(
                    {
                        "step": step,
                        "class": truth["landcover"].to_numpy()[at].astype("int64"),
                        "canopy": truth["canopy"].to_numpy()[at],
                    },
                    index=near.index,
                )


def _close_together(points: pd.DataFrame, resolution: float) -> Iterator[pd.DataFrame]:
    """Split points until reading the window around each group is cheap for what it gives."""
    width, height = np.ptp(points[["x", "y"]].to_numpy(), axis=0) / resolution + 1
    if len(points) == 1 or width * height <= _PIXELS_A_POINT * len(points):
        yield points
        return
    longer = "x" if width >= height else "y"
    order = points.sort_values(longer)
    half = len(order) // 2
    yield from _close_together(order.iloc[:half], resolution)
    yield from _close_together(order.iloc[half:], resolution)
