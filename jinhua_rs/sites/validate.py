"""
How well the published maps of the Romanian site agree with ground truth held out from training.

Everything is read from what ordinary runs have published (``canopy.tif``, ``ndvi.tif``,
``indicators.csv``, ``scenes.json``): one run of 2018Q3 for each fold, trained on the samples of
the other folds, and one run of every quarter. The page that is written holds no number that was
not measured in the same call, and no date.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from jinhua_rs.errors import IntegrityError
from jinhua_rs.schema import FOREST_CANOPY
from jinhua_rs.sites import measures, romania, wheel
from jinhua_rs.sites.measures import Agreement, Bin, Fit, NdviChange
from jinhua_rs.store import open_map

__all__ = ["Accuracy", "Greenness", "Season", "Trial", "Validation", "measure"]

DENSE = 0.50
"""The second cut: dense forest, the class of the site that is least one-sided."""
_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_SUMMERS = ("2017", "2018", "2019", "2020")
_SITE = "RO-0"

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """
    The canopy map on truth cells that its training never saw.

    ``rival`` is a straight line from the map's own NDVI to density, held out in the same way:
    a model that does not beat it is not worth its trees.
    """

    overall: Fit
    folds: tuple[Fit, ...]
    rival: Fit
    bins: tuple[Bin, ...]
    forest: Agreement
    dense: Agreement


@dataclass(frozen=True, slots=True)
class Greenness:
    """
    Greenness of the summers, pixel by pixel.

    ``r`` is the correlation of NDVI 2018Q3 with density. ``since`` counts, for 2018Q3, 2019Q3 and
    2020Q3, the pixels changed since 2017Q3; ``lasting`` is the share of the fallen ones of each
    that are still low in 2020Q3, NaN where none had fallen. ``gain_ha`` and ``loss_ha`` are the
    published change of forest since 2017Q3 (pixel count), NaN where it was not published.
    """

    r: float
    since: Mapping[str, NdviChange]
    lasting: Mapping[str, float]
    gain_ha: float
    loss_ha: float


@dataclass(frozen=True, slots=True)
class Trial:
    """One published tree-cover share (percent) of the site, and what the truth layer says."""

    fold: int
    value: float
    low: float
    high: float
    truth: float

    @property
    def holds(self) -> bool:
        """Whether the interval holds the truth; False where there is none."""
        return self.low <= self.truth <= self.high


@dataclass(frozen=True, slots=True)
class Season:
    """One quarter: items found and used, and the published share of the site (percent) or NaN."""

    period: str
    found: int
    kept: int
    seen: float
    mapped: float
    status: str


@dataclass(frozen=True, slots=True)
class Validation:
    """All that was measured."""

    accuracy: Accuracy
    greenness: Greenness
    trials: tuple[Trial, ...]
    seasons: tuple[Season, ...]


def measure(folds: Sequence[Path], seasons: Mapping[str, Path]) -> Validation:
    """
    Measure published runs against the truth.

    Parameters
    ----------
    folds : sequence of Path
        Period folder of 2018Q3 for each fold of :func:`jinhua_rs.sites.romania.folds`, in order.
    seasons : mapping
        Period to its folder, the summers (Q3) of 2017 to 2020 among them. A folder without
        ``indicators.csv`` is a quarter for which nothing was published.

    Raises
    ------
    IntegrityError
        If a map is missing, or the folds are not all there.
    NoDataError
        If maps and truth have no cell in common.
    """
    if len(folds) != romania.FOLDS:
        raise IntegrityError(
            f"{len(folds)} runs for {romania.FOLDS} folds; run every fold",
            zh=f"共 {romania.FOLDS} 折，只有 {len(folds)} 次运行；请补齐",
        )
    return Validation(
        accuracy=_accuracy([open_map(folder / "canopy.tif") for folder in folds], folds[0]),
        greenness=_greenness({year: seasons[f"{year}Q3"] for year in _SUMMERS}),
        trials=tuple(_trial(fold, folder) for fold, folder in enumerate(folds)),
        seasons=tuple(_season(name, seasons[name]) for name in sorted(seasons)),
    )


def _accuracy(maps: Sequence[xr.DataArray], ground: Path) -> Accuracy:
    truth, dealt = wheel.tree_cover().to_numpy(), romania.folds()
    cells = np.stack([wheel.to_truth_cells(layer) for layer in maps])
    predicted = np.take_along_axis(cells, dealt[np.newaxis].astype(np.intp), axis=0)[0]
    ndvi = wheel.to_truth_cells(open_map(ground / "ndvi.tif"))
    return Accuracy(
        overall=measures.fit(predicted, truth),
        folds=measures.per_fold(predicted, truth, dealt),
        rival=measures.fit(measures.held_out(_straight_line(ndvi, truth), dealt), truth),
        bins=measures.by_truth(predicted, truth, _EDGES),
        forest=measures.agreement(predicted, truth, FOREST_CANOPY),
        dense=measures.agreement(predicted, truth, DENSE),
    )


def _straight_line(feature: Floats, truth: Floats) -> Callable[[Bools], Floats]:
    """Least squares of truth on one feature, cut to 0-1."""

    def predict(training: Bools) -> Floats:
        known = training & np.isfinite(feature) & np.isfinite(truth)
        slope, level = np.polyfit(feature[known], truth[known], 1)
        line: Floats = np.clip(slope * feature + level, 0.0, 1.0)
        return line

    return predict


def _greenness(summers: Mapping[str, Path]) -> Greenness:
    ndvi = {year: open_map(folder / "ndvi.tif") for year, folder in summers.items()}
    values = {year: layer.to_numpy() for year, layer in ndvi.items()}
    first, *later = _SUMMERS
    last = later[-1]
    return Greenness(
        r=measures.correlation(wheel.to_truth_cells(ndvi["2018"]), wheel.tree_cover().to_numpy()),
        since={year: measures.ndvi_change(values[first], values[year]) for year in later},
        lasting={
            year: measures.persistence(values[first], values[year], values[last])
            for year in later[:-1]
        },
        gain_ha=_value(summers[last], "gain_area_mapped"),
        loss_ha=_value(summers[last], "loss_area_mapped"),
    )


def _trial(fold: int, folder: Path) -> Trial:
    row = _row(folder, "tree_cover_share")
    truth = wheel.tree_cover().to_numpy()
    share = 100 * float((truth[np.isfinite(truth)] >= FOREST_CANOPY).mean())
    if row is None:
        return Trial(fold, np.nan, np.nan, np.nan, share)
    return Trial(fold, float(row["value"]), float(row["low"]), float(row["high"]), share)


def _season(name: str, folder: Path) -> Season:
    decisions = _decisions(folder.parent / "scenes.json")
    used = sum(decision["jinhua:verdict"] == "kept" for decision in decisions)
    row = _row(folder, "tree_cover_share_mapped")
    if row is None:
        return Season(name, len(decisions), used, np.nan, np.nan, "not published")
    seen, mapped = float(row["n_clear_share"]), float(row["value"])
    return Season(name, len(decisions), used, seen, mapped, str(row["status"]))


def _decisions(path: Path) -> list[dict[str, object]]:
    if not path.is_file():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))["features"]
    return [item["properties"] for item in found if item["properties"]["jinhua:verdict"] != "spare"]


def _value(folder: Path, indicator: str) -> float:
    row = _row(folder, indicator)
    return np.nan if row is None else float(row["value"])


def _row(folder: Path, indicator: str) -> pd.Series | None:
    path = folder / "indicators.csv"
    if not path.is_file():
        return None
    table = pd.read_csv(path, dtype={"unit": str})
    found = table[(table["unit"] == _SITE) & (table["indicator"] == indicator)]
    return None if found.empty else found.iloc[0]
