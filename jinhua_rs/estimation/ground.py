"""The strata of a sample: how much ground each holds, and which must be taken together."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.estimation.intervals import Array

__all__ = ["SAMPLED", "Ground", "Plan", "Remark", "few", "survey"]

SAMPLED = 0.05
"""Sampled share of a stratum's pixels above which the correction is used (Cochran 1977, 2.6)."""

_SMALL_SHARE = 0.10  # of the area may lie in strata of fewer than two points


@dataclass(frozen=True, slots=True)
class Remark:
    """Something a reader of a result must know, in both languages."""

    en: str
    zh: str

    def text(self, language: str) -> str:
        """Return the remark in ``language`` (``"zh"`` or ``"en"``)."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """
    Strata that hold two points or more.

    Attributes
    ----------
    groups : dict of str to int
        Position of the (collapsed) stratum that each stratum counts for.
    names : tuple of str
        Of the collapsed strata.
    share : array of float, dims (stratum)
        Share of the ground that was sampled; adds up to 1.
    unsampled : array of float, dims (stratum)
        Finite population correction 1 - n/N where more than 5 % was sampled, else 1.
    area_m2 : float
        All ground, the blind included.
    blind : float
        Share of the ground that holds no usable point, 0-1.
    collapsed : bool
        True if any stratum is no longer for itself.
    remarks : tuple of Remark
        What was collapsed and what is blind.
    """

    groups: dict[str, int]
    names: tuple[str, ...]
    share: Array
    unsampled: Array
    area_m2: float
    blind: float
    collapsed: bool
    remarks: tuple[Remark, ...]

    @property
    def corrected(self) -> tuple[str, ...]:
        """Strata with finite population correction."""
        pairs = zip(self.names, self.unsampled, strict=True)
        return tuple(name for name, unsampled in pairs if unsampled < 1)


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """
    Strata with some area.

    ``table`` is indexed by name: ``area_m2``, ``pixels`` (NaN if not known), perhaps ``unit``.
    """

    table: pd.DataFrame
    remarks: tuple[Remark, ...]

    @property
    def names(self) -> list[str]:
        """Names of the strata."""
        return [str(name) for name in self.table.index]

    def only(self, names: Iterable[str]) -> "Ground":
        """Keep some strata."""
        return Ground(self.table.loc[list(names)], ())

    def collapsed(self, points: pd.Series) -> Plan:
        """
        Put strata of fewer than two points together (Cochran 1977, 5A.12).

        Parameters
        ----------
        points : Series of float, index stratum
            Points by stratum; none where it is not named.

        Raises
        ------
        NoDataError
            If such strata are more than a tenth of the area.
        """
        n = points.reindex(self.table.index, fill_value=0.0)
        area = self.table["area_m2"]
        small = [str(name) for name in n.index[n < 2]]
        share = float(area[small].sum() / area.sum())
        if share > _SMALL_SHARE:
            raise NoDataError(
                f"{share:.1%} of the area lies in strata of fewer than 2 points ({few(small)}); "
                "add points there, or merge them with a like stratum in both files",
                zh=f"{share:.1%} 的面积所在分层样点不足 2 个（{few(small)}）；请补充样点，"
                "或在两个文件中将其与相近分层合并",
            )
        parts = [[str(name)] for name in n.index[n >= 2]]
        together = bool(n[small].sum() >= 2)
        parts += [small] if together else []
        areas = np.array([area[part].sum() for part in parts])
        pixels = np.array([self.table["pixels"][part].sum(skipna=False) for part in parts])
        sampled = np.nan_to_num(np.array([n[part].sum() for part in parts]) / pixels)
        return Plan(
            groups={name: at for at, part in enumerate(parts) for name in part},
            names=tuple(" + ".join(part[:5]) for part in parts),
            share=areas / areas.sum(),
            unsampled=np.where(sampled > SAMPLED, np.maximum(1 - sampled, 0.0), 1.0),
            area_m2=float(area.sum()),
            blind=0.0 if together else share,
            collapsed=bool(small),
            remarks=(*self.remarks, *_collapse_remarks(small, share, together=together)),
        )


def _collapse_remarks(small: list[str], share: float, *, together: bool) -> list[Remark]:
    if not small:
        return []
    if together:
        return [
            Remark(
                f"strata of fewer than 2 points were taken together: {few(small)} "
                f"({share:.2%} of the area)",
                f"样点不足 2 个的分层已合并估计：{few(small)}（占面积 {share:.2%}）",
            )
        ]
    return [
        Remark(
            f"{few(small)} ({share:.2%} of the area) holds fewer than 2 points: values take this "
            "ground to be like the rest, the intervals of areas and of the overall accuracy let "
            "it be anything, user's and producer's accuracies leave it out",
            f"{few(small)}（占面积 {share:.2%}）样点不足 2 个：估计值按其与其余地面相同处理，"
            "面积与总体精度的区间按任意情形放宽，用户精度与生产者精度不含该部分",
        )
    ]


def survey(strata: pd.DataFrame) -> Ground:
    """
    Check a table of strata.

    Parameters
    ----------
    strata : DataFrame
        ``stratum`` (str), ``area_m2``, ``pixels`` (float, NaN if not known), perhaps ``unit``.

    Raises
    ------
    ConfigError
        On a stratum that stands twice or has no usable area.
    NoDataError
        If all areas are 0.
    """
    twice = strata["stratum"][strata["stratum"].duplicated()]
    if not twice.empty:
        raise ConfigError(
            f"stratum {twice.iloc[0]!r} stands twice in the strata; give each one row",
            zh=f"分层表中 {twice.iloc[0]!r} 重复；每个分层只能有一行",
        )
    table = strata.set_index("stratum")
    wrong = table.index[~(np.isfinite(table["area_m2"]) & (table["area_m2"] >= 0))]
    if not wrong.empty:
        area_m2 = table["area_m2"][wrong[0]]
        raise ConfigError(
            f"stratum {wrong[0]!r} has no usable area ({area_m2}); give a number of at least 0",
            zh=f"分层 {wrong[0]!r} 的面积无效（{area_m2}）；应为不小于 0 的数",
        )
    empty = [str(name) for name in table.index[table["area_m2"] == 0]]
    table = table[table["area_m2"] > 0]
    if table.empty:
        raise NoDataError("the strata have no area", zh="分层表面积合计为 0")
    remark = Remark(
        f"strata without area were left out: {few(empty)}", f"面积为 0 的分层已略去：{few(empty)}"
    )
    return Ground(table, (remark,) if empty else ())


def few(names: Iterable[str]) -> str:
    """Name the first five, and how many more there are."""
    shown = list(names)
    return ", ".join(shown[:5]) + (f" (+{len(shown) - 5})" if len(shown) > 5 else "")
