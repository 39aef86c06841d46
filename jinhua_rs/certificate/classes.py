"""Whether the scene classification fits the pixels and the item: nonsense, and remarks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jinhua_rs.certificate.notes import Note
from jinhua_rs.certificate.sample import View

__all__ = ["ClassEvidence", "inspect"]

_HIGHEST = 11
_LEAST_PIXELS = 100
_ONE_CLASS = 0.999
"""From this share of one class on a scene counts as of that class alone."""
_CLOUDS, _HIGH_CLOUD, _VEGETATION = (8, 9, 10), 9, 4
_NO_PLANTS, _FEW_PLANTS = 0.10, 0.30
"""Median NDVI of the vegetation class: below the first it is nonsense, below the second odd."""
_NO_CLOUD, _THIN_CLOUD = 400, 1200
"""Median blue of the class of certain cloud, DN after removal: nonsense, and odd."""
_ODD = "-odd"
"""End of the code of what is no more than odd."""
_CLOUD_POINTS = 40.0
"""Percent points by which the item's cloud cover may differ; it speaks of the whole tile."""


@dataclass(frozen=True, slots=True)
class ClassEvidence:
    """
    What was found of a scene classification.

    Attributes
    ----------
    shares : mapping of str to float
        Share of the seen pixels by class code, 0-1.
    nonsense : tuple of Note
        Such that the classification cannot be used: the scene is set aside.
    remarks : tuple of Note
        Worth knowing, no more.
    """

    shares: Mapping[str, float]
    nonsense: tuple[Note, ...]
    remarks: tuple[Note, ...]


def inspect(view: View, offset: int, cloud: float) -> ClassEvidence:
    """
    Compare a scene classification with the pixels under it.

    Parameters
    ----------
    view : View
    offset : int
        What is added to a DN, by the pixels' own word where they give one: a wrong offset is
        told elsewhere and must not be told twice.
    cloud : float
        Cloud cover that the item says, percent; NaN where it does not.
    """
    seen = view.scl[view.scl > 0]
    codes, counts = np.unique(seen, return_counts=True)
    shares = {str(code): float(n) / seen.size for code, n in zip(codes, counts, strict=True)}
    doubts = [_unknown(codes), _vegetation(view, offset), _cloud(view, offset)]
    nonsense = [note for note in doubts if note and not note.code.endswith(_ODD)]
    odd = [note for note in doubts if note and note.code.endswith(_ODD)]
    remarks = [*odd, *_one_class(shares), *_against_item(shares, cloud)]
    return ClassEvidence(shares, tuple(nonsense), tuple(remarks))


def _unknown(codes: npt.NDArray[np.uint8]) -> Note | None:
    strange = [int(code) for code in codes if code > _HIGHEST]
    if not strange:
        return None
    return Note("scl-unknown", f"unknown scene classes {strange}", f"未知的场景分类编码 {strange}")


def _vegetation(view: View, offset: int) -> Note | None:
    nir = view.bands.get("nir", view.bands.get("nir08"))
    red = view.bands.get("red")
    if nir is None or red is None:
        return None
    where = (view.scl == _VEGETATION) & (red > 0) & (nir > 0)
    if np.count_nonzero(where) < _LEAST_PIXELS:
        return None
    low, high = red[where].astype(float) + offset, nir[where].astype(float) + offset
    index = float(np.median((high - low) / np.maximum(high + low, 1)))
    if index >= _FEW_PLANTS:
        return None
    code = "scl-vegetation" if index < _NO_PLANTS else f"scl-vegetation{_ODD}"
    return Note(
        code,
        f"the vegetation class has a median NDVI of {index:.2f}",
        f"植被类的 NDVI 中位数仅为 {index:.2f}",
    )


def _cloud(view: View, offset: int) -> Note | None:
    blue = view.bands.get("blue")
    if blue is None:
        return None
    values = blue[(view.scl == _HIGH_CLOUD) & (blue > 0)]
    if values.size < _LEAST_PIXELS:
        return None
    middle = float(np.median(values)) + offset
    if middle >= _THIN_CLOUD:
        return None
    code = "scl-cloud" if middle < _NO_CLOUD else f"scl-cloud{_ODD}"
    return Note(
        code,
        f"the class of certain cloud is dark: median blue reflectance {middle / 1e4:.3f}",
        f"高概率云类偏暗：蓝光反射率中位数 {middle / 1e4:.3f}",
    )


def _one_class(shares: Mapping[str, float]) -> list[Note]:
    return [
        Note(
            "scl-one-class", f"all pixels are of scene class {code}", f"全部像元同为场景类别 {code}"
        )
        for code, share in shares.items()
        if share >= _ONE_CLASS
    ]


def _against_item(shares: Mapping[str, float], cloud: float) -> list[Note]:
    found = 100 * sum(shares.get(str(code), 0.0) for code in _CLOUDS)
    if not shares or not abs(found - cloud) > _CLOUD_POINTS:
        return []
    return [
        Note(
            "cloud-cover",
            f"{found:.0f} % of the seen pixels are cloud, the item says {cloud:.0f} %",
            f"可见像元中云占 {found:.0f}%，元数据为 {cloud:.0f}%",
        )
    ]
