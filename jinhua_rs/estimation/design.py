"""
A stratified random sample of pixels: drawn from a seed, without replacement, open to more points.

Every pixel of the grid has a lasting random number, made from the seed and its place. The n points
of a stratum are the n pixels with the smallest numbers. So the sample does not depend on how the
map was cut into blocks, a larger one holds the smaller, and points never move.

Sources
-------
Fan, Muller and Rezucha 1962, Journal of the American Statistical Association 57; Ohlsson 1995, in
Business Survey Methods: sequential simple random sampling by permanent random numbers.
Steele, Lea and Flood 2014, OOPSLA: SplitMix64. Olofsson et al. 2014, Remote Sensing of Environment
148: strata and sizes; Olofsson et al. 2020, RSE 236: a stratum beside mapped change.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jinhua_rs.errors import ConfigError, IntegrityError

__all__ = ["Block", "Design", "Frame", "FrameFacts", "draw", "extend", "lasting", "second_readings"]

_GOLDEN, _MASK = 0x9E3779B97F4A7C15, 2**64 - 1
_PIXEL, _NAME, _SECOND = 1, 2, 3
"""Streams of chance: which pixels are drawn, in which order they are named, who is read twice."""

Numbers = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Block:
    """
    A piece of the sampling frame.

    ``stratum`` (int, dims (y, x)) counts rows of the frame's strata, -1 outside; ``column`` and
    ``row`` (int, dims (x) and (y)) count pixels from the origin of the CRS, east and north: the
    centre of a pixel is ``((column + 0.5) * resolution, (row + 0.5) * resolution)``.
    """

    stratum: NDArray[np.int32]
    column: NDArray[np.int64]
    row: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFacts:
    """
    What strata were made from.

    ``map`` is the name of the class raster and ``digest`` its SHA-256, ``period`` its period,
    ``buffer_px`` the width of the stratum beside mapped change (0: none), ``label`` the mark of
    simulated data or empty.
    """

    map: str
    digest: str
    period: str
    crs: str
    resolution: float
    buffer_px: int = 0
    label: str = ""


@dataclass(frozen=True)
class Frame:
    """
    All pixels a sample may be drawn from.

    Attributes
    ----------
    strata : DataFrame, index stratum (``county:class``)
        ``county`` and its ``name``, ``class`` (str), ``pixels`` (int > 0), in the order in which
        blocks count them.
    areas : DataFrame of int, index unit, columns stratum
        Pixels of each stratum in each reporting unit.
    blocks : callable
        Yields the frame's blocks, each pixel once; called anew for each pass.
    facts : FrameFacts
    """

    strata: pd.DataFrame
    areas: pd.DataFrame
    blocks: Callable[[], Iterator[Block]]
    facts: FrameFacts


@dataclass(frozen=True)
class Design:
    """
    A drawn sample and what is needed to estimate from it.

    Attributes
    ----------
    seed : int
    facts : FrameFacts
    strata : DataFrame, index stratum
        ``county``, ``name``, ``class``, ``pixels``, ``n``.
    areas : DataFrame of int, index unit, columns stratum
        Pixels.
    points : DataFrame
        ``point`` (name that says nothing), ``column``, ``row``, ``stratum``, ``batch``: 0 for the
        first points, 1 for those that were added first, …
    former : tuple of str
        Ids of the designs this one grew from, the oldest first.
    """

    seed: int
    facts: FrameFacts
    strata: pd.DataFrame
    areas: pd.DataFrame
    points: pd.DataFrame
    former: tuple[str, ...] = field(default=())

    @cached_property
    def id(self) -> str:
        """Twelve hex digits of strata, sizes, seed and map: equal designs have equal ids."""
        strata = self.strata[["pixels", "n"]].reset_index().to_numpy().tolist()
        text = json.dumps([self.seed, asdict(self.facts), strata], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def pixel_m2(self) -> float:
        """Area of a pixel."""
        return self.facts.resolution**2

    @property
    def areas_m2(self) -> pd.DataFrame:
        """Area of each stratum (columns) in each reporting unit (index), m²."""
        return self.areas * self.pixel_m2

    @property
    def inclusion(self) -> pd.Series:
        """Chance of a pixel of each stratum to be drawn: n / N."""
        return self.strata["n"] / self.strata["pixels"]

    def places(self) -> NDArray[np.float64]:
        """Centres of the points' pixels, dims (point, x/y), metres in the design's CRS."""
        return (self.points[["column", "row"]].to_numpy() + 0.5) * self.facts.resolution


def draw(frame: Frame, n: pd.Series, seed: int) -> Design:
    """
    Draw a sample.

    Parameters
    ----------
    frame : Frame
    n : Series of int, index stratum
        Points of each stratum; 0 leaves a stratum without any.
    seed : int
        Where chance comes from, 0 or above: the same seed and map give the same points.

    Returns
    -------
    Design
        Points are named in an order of chance, ``P0001``, …: neither name nor order tells stratum
        or place.

    Raises
    ------
    ConfigError
        If a stratum is given more points than it has pixels, or a seed is negative.
    """
    wanted = n.reindex(frame.strata.index, fill_value=0).astype("int64")
    _require_possible(frame.strata, wanted, seed)
    chosen = _selected(frame, wanted.to_numpy(dtype="int64"), seed)
    order = np.argsort(_chance_of(chosen, seed, _NAME))
    points = chosen.iloc[order].reset_index(drop=True).assign(batch=0)
    points.insert(0, "point", _names(1, len(points)))
    return Design(seed, frame.facts, frame.strata.assign(n=wanted), frame.areas, points)


def extend(design: Design, frame: Frame, n: pd.Series) -> Design:
    """
    Add points to a design, so that strata hold ``n``; the points that are there stay as they are.

    Raises
    ------
    IntegrityError
        If the frame is not the one the design was drawn from.
    ConfigError
        If a stratum would lose points, or none is added.
    """
    same = design.facts == frame.facts and design.strata["pixels"].equals(frame.strata["pixels"])
    if not same:
        raise IntegrityError(
            f"design {design.id} was drawn from another map; points can only be added to it on the "
            "map it was drawn from, else draw a new one",
            zh=f"设计 {design.id} 由另一幅地图抽取；只能在原地图上加点，否则请重新抽样",
        )
    wanted = n.reindex(frame.strata.index, fill_value=0).astype("int64")
    if (wanted < design.strata["n"]).any() or (wanted == design.strata["n"]).all():
        raise ConfigError(
            "a design only grows: ask for more points than it has in some stratum, and for fewer "
            "in none",
            zh="设计只能增加样点：至少一层须多于现有数，任何一层不得减少",
        )
    larger = draw(frame, wanted, design.seed)
    key = ["column", "row"]
    known = larger.points.set_index(key).index.isin(design.points.set_index(key).index)
    added = larger.points[~known].assign(batch=int(design.points["batch"].max()) + 1)
    added["point"] = _names(len(design.points) + 1, len(added))
    points = pd.concat([design.points, added], ignore_index=True)
    return replace(larger, points=points, former=(*design.former, design.id))


def second_readings(design: Design, share: float) -> pd.Series:
    """
    Points that a second interpreter reads too, ``share`` of every stratum, by chance.

    Returns
    -------
    Series of bool, index as ``design.points``
    """
    points = design.points
    table = points.assign(chance=_chance_of(points, design.seed, _SECOND))
    chance = table.groupby(["stratum", "batch"])["chance"]
    most = np.ceil(share * chance.transform("size") - 1e-9)
    chosen: pd.Series = chance.rank(method="first") <= most
    return chosen


# --- chance ------------------------------------------------------------------------------------


def _require_possible(strata: pd.DataFrame, n: pd.Series, seed: int) -> None:
    wrong = ((n > strata["pixels"]) | (n < 0)).to_numpy()
    if wrong.any():
        at = int(np.argmax(wrong))
        name, pixels, asked = strata.index[at], strata["pixels"].iloc[at], n.iloc[at]
        raise ConfigError(
            f"stratum {name} of {pixels} pixels cannot hold {asked} points",
            zh=f"分层 {name} 共 {pixels} 个像元，不能抽取 {asked} 个样点",
        )
    if seed < 0 or n.sum() == 0:
        raise ConfigError(
            "a sample needs a seed of 0 or above, and at least one point",
            zh="抽样种子须为非负整数，且至少抽取一个样点",
        )


def _selected(frame: Frame, n: NDArray[Any], seed: int) -> pd.DataFrame:
    """Return the ``n`` pixels of each stratum that have the smallest numbers."""
    pixels = frame.strata["pixels"].to_numpy()
    room = n + 8 * np.sqrt(n) + 32
    while True:
        found = _below(frame, np.minimum(1.0, room / pixels) * (n > 0), seed)
        place = found.groupby("code")["chance"].rank(method="first")
        kept = found[place <= n[found["code"]]]
        if (np.bincount(kept["code"], minlength=len(n)) == n).all():
            names = frame.strata.index.to_numpy()[kept["code"]]
            return kept[["column", "row"]].assign(stratum=names)
        if (room >= pixels).all():
            raise IntegrityError(
                "the map changed while points were drawn; draw again",
                zh="抽样过程中地图发生了变化；请重新抽样",
            )
        room = room * 4


def _below(frame: Frame, limit: NDArray[np.float64], seed: int) -> pd.DataFrame:
    """Return the pixels whose number is below their stratum's ``limit``, a share of all numbers."""
    highest = np.append(
        np.minimum(limit * 2.0**64, float(_MASK - 2048)).astype("uint64"), 0
    )  # the last: outside
    highest[:-1][limit >= 1] = _MASK
    parts = []
    for block in frame.blocks():
        chance = lasting(block.column[np.newaxis, :], block.row[:, np.newaxis], seed, _PIXEL)
        rows, columns = np.nonzero(chance < highest[block.stratum])
        parts.append(
            pd.DataFrame(
                {
                    "column": block.column[columns],
                    "row": block.row[rows],
                    "code": block.stratum[rows, columns].astype("int64"),
                    "chance": chance[rows, columns],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def lasting(column: NDArray[np.int64], row: NDArray[np.int64], seed: int, stream: int) -> Numbers:
    """Lasting random number of each pixel (of the grid, by column and row), uint64."""
    key = (seed * _GOLDEN + stream) & _MASK
    lines = _mixed(np.asarray(row, dtype="int64").astype("uint64") + _mixed(np.array([key], "u8")))
    return _mixed(lines + np.asarray(column, dtype="int64").astype("uint64"))


def _chance_of(points: pd.DataFrame, seed: int, stream: int) -> Numbers:
    return lasting(points["column"].to_numpy(), points["row"].to_numpy(), seed, stream)


def _mixed(numbers: Numbers) -> Numbers:
    """SplitMix64: a one-to-one scrambling of 64-bit numbers."""
    z = numbers + np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _names(first: int, count: int) -> list[str]:
    return [f"P{number:04d}" for number in range(first, first + count)]
