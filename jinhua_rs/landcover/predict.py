"""Features to land cover, confidence, canopy cover and tree cover, pixel by pixel."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from jinhua_rs.errors import ContractError
from jinhua_rs.grid import require_same_grid
from jinhua_rs.landcover.archive import Training
from jinhua_rs.landcover.calibration import calibrated
from jinhua_rs.landcover.card import ModelCard
from jinhua_rs.landcover.flat import answer, flatten
from jinhua_rs.landcover.likeness import Likeness
from jinhua_rs.landcover.model import Model
from jinhua_rs.schema import FOREST_CANOPY, TREE_CLASSES, VARIABLES, Applicable, Forest, described

__all__ = ["canopy_cover", "class_probabilities", "forest_of", "predict"]

_PIXELS = 65_536
"""Pixels handed to a forest at once; bounds memory at about 20 MB beside the tile."""

_DECIMALS = 4
"""Canopy cover is kept in steps of 1e-4 (:func:`jinhua_rs.store.write_tile`)."""

_PROBABILITIES = {f"p{code}": code for code in range(1, 11)}
"""Layer of each class."""
_PARTS = 250
"""Probabilities are kept in parts of this."""

Pixels = npt.NDArray[np.float32]
Arrays = tuple[npt.NDArray[Any], ...]


def predict(features: xr.DataArray, model: Model, *, likeness: bool = True) -> xr.Dataset:
    """
    Classify pixels and estimate their canopy cover.

    Equal to scikit-learn's own ``predict`` and (before calibration) ``predict_proba``, whatever
    the chunks; canopy cover is rounded to four decimals, as it is kept, so that ``forest`` is the
    cut of what is published.

    Parameters
    ----------
    features : DataArray, float32, dims (feature, y, x) in any order
        Names in the coordinate ``feature``, those of ``model.card`` in its order. A pixel
        with NaN or infinity in any feature counts as not seen. May be lazy (dask).
    model : Model
        With a classifier, a regressor or both.
    likeness : bool
        Tell too where the ground is unlike anything in training, if the model knows.

    Returns
    -------
    Dataset, dims (y, x), lazy if ``features`` is
        ``landcover`` uint8, :class:`~jinhua_rs.schema.Land` code, 0 = not seen, and
        ``confidence`` float32, calibrated probability of that class, NaN = not seen;
        ``p1`` .. ``p10`` uint8, probability of each class in 1/250, 255 = not seen (a class
        that the model does not know is 0); all only with a classifier.
        ``canopy`` float32, 0-1 in steps of 0.0001, NaN = not seen; only with a regressor.
        ``forest`` uint8, :class:`~jinhua_rs.schema.Forest` code, 0 = not seen: canopy ≥ 0.20,
        or without a regressor one of the tree classes.
        ``applicable`` uint8, :class:`~jinhua_rs.schema.Applicable` code, 0 = not seen.

    Raises
    ------
    ContractError
        If dims, dtype, names or their order are not those of the model.
    """
    _require_contract(features, model.card)
    names = _outputs(model, likeness=likeness)
    whole = features if features.chunks is None else features.chunk({"feature": -1})
    arrays = xr.apply_ufunc(
        _tile,
        whole,
        kwargs={"model": model, "names": names},
        input_core_dims=[["feature"]],
        output_core_dims=[[] for _ in names],
        output_dtypes=[np.dtype(VARIABLES[name].dtype) for name in names],
        dask="parallelized",
    )
    found = {
        name: described(array.transpose("y", "x"), name)
        for name, array in zip(names, arrays, strict=True)
    }
    origin = {"model": model.card.name, "model_sha256": model.card.sha256}
    return xr.Dataset(found, attrs=origin)


def forest_of(canopy: xr.DataArray, before: xr.DataArray, *, margin: float = 0.02) -> xr.DataArray:
    """
    Tell forest from other land by canopy cover, holding on to what was there before.

    A pixel changes sides only if its canopy passes 0.20 by ``margin``: noise around the line is
    then no change. Where nothing is known of before, the line is 0.20.

    Parameters
    ----------
    canopy : DataArray, float32, dims (y, x)
        0-1, NaN = not seen.
    before : DataArray, uint8, dims (y, x)
        :class:`~jinhua_rs.schema.Forest` code of the earlier period, 0 = not seen.
    margin : float
        0.02 is 0.18 for what was forest, 0.22 for what was not.

    Returns
    -------
    DataArray, uint8, dims (y, x)
        :class:`~jinhua_rs.schema.Forest` code, 0 where canopy is NaN.

    Raises
    ------
    GridMismatch
        If both do not lie on one grid.
    """
    require_same_grid(canopy, before)
    shift = np.array([0.0, margin, -margin], np.float32)[before.to_numpy()]
    # Compared in the steps in which canopy is kept, so that 0.22 itself passes.
    line = (np.float32(FOREST_CANOPY) + shift).round(_DECIMALS)
    is_forest = np.where(canopy.to_numpy() >= line, Forest.FOREST, Forest.OTHER)
    known = np.where(canopy.isnull(), Forest.UNSEEN, is_forest).astype(np.uint8)
    return described(canopy.copy(data=known), "forest")


def class_probabilities(
    classifier: RandomForestClassifier, pixels: Pixels
) -> npt.NDArray[np.float64]:
    """
    Ask a classifier; with :func:`canopy_cover` the only place where pixels meet a forest.

    Parameters
    ----------
    classifier : RandomForestClassifier
        Fitted on features in the order of the columns of ``pixels``.
    pixels : ndarray, float32, (pixel, feature)
        Finite, at least one.

    Returns
    -------
    ndarray, float64, (pixel, class)
        Mean over trees of the class shares in the leaf, classes as in ``classes_``.
    """
    return answer(flatten(classifier), pixels)


def canopy_cover(regressor: RandomForestRegressor, pixels: Pixels) -> npt.NDArray[np.float64]:
    """
    Ask a regressor for the canopy cover, 0-1, of finite ``pixels`` (pixel, feature).

    Returns
    -------
    ndarray, float64, (pixel,)
        Mean over trees of the leaf.
    """
    return answer(flatten(regressor), pixels)[:, 0]


def _outputs(model: Model, *, likeness: bool) -> tuple[str, ...]:
    classes = () if model.classifier is None else ("landcover", "confidence", *_PROBABILITIES)
    canopy = () if model.regressor is None else ("canopy",)
    known = model.training is not None and model.training.fold is not None
    return (*classes, *canopy, "forest", *(("applicable",) if likeness and known else ()))


@lru_cache(maxsize=2)
def _likeness(training: Training) -> Likeness:
    """Measure the training samples of a model once per worker."""
    return Likeness.of(training)


def _tile(stack: Pixels, *, model: Model, names: Sequence[str]) -> Arrays:
    """Predict ``stack`` (..., feature), only where it is finite, a bounded number at a time."""
    shape = stack.shape[:-1]
    found = {name: np.full(shape, _empty(name), dtype=VARIABLES[name].dtype) for name in names}
    seen = np.flatnonzero(np.isfinite(stack).all(axis=-1))
    for start in range(0, seen.size, _PIXELS):
        place = np.unravel_index(seen[start : start + _PIXELS], shape)
        pixels = np.ascontiguousarray(stack[place])
        for name, values in _block(pixels, model).items():
            found[name][place] = values
        if "applicable" in found and model.training is not None:
            like = _likeness(model.training).like(pixels)
            found["applicable"][place] = np.where(like, Applicable.LIKE, Applicable.UNLIKE)
    return tuple(found.values())


def _empty(name: str) -> float:
    return float(VARIABLES[name].empty)


def _block(pixels: Pixels, model: Model) -> dict[str, npt.NDArray[Any]]:
    found: dict[str, npt.NDArray[Any]] = {}
    if model.classifier is not None:
        shares = class_probabilities(model.classifier, pixels)
        # The class is the first of the greatest shares, as in scikit-learn: one pass, not two.
        best = shares.argmax(axis=1)
        shares = calibrated(shares, model.calibration)
        found["landcover"] = model.classifier.classes_[best].astype(np.uint8)
        found["confidence"] = np.take_along_axis(shares, best[:, None], axis=1)[:, 0]
        found |= dict.fromkeys(_PROBABILITIES, np.zeros(len(pixels), np.uint8))
        for code, parts in zip(model.classifier.classes_, np.rint(shares.T * _PARTS), strict=True):
            found[f"p{int(code)}"] = parts.astype(np.uint8)
    if model.regressor is not None:
        # Cut what is published, so that whoever cuts the published canopy finds the same.
        rounded = canopy_cover(model.regressor, pixels).round(_DECIMALS)
        found["canopy"] = rounded.astype(np.float32)
        is_forest = found["canopy"] >= np.float32(FOREST_CANOPY)
    else:
        is_forest = np.isin(found["landcover"], [int(code) for code in TREE_CLASSES])
    found["forest"] = np.where(is_forest, Forest.FOREST, Forest.OTHER)
    return found


def _require_contract(features: xr.DataArray, card: ModelCard) -> None:
    if sorted(map(str, features.dims)) != ["feature", "x", "y"] or features.dtype != np.float32:
        raise ContractError(
            f"predict needs float32 features with dims (feature, y, x), got {features.dtype} with "
            f"{tuple(map(str, features.dims))}; use features.stack",
            zh=f"预测需要 float32、维度为 (feature, y, x) 的特征，实为 {features.dtype}、"
            f"{tuple(map(str, features.dims))}；请用 features.stack 生成",
        )
    given = tuple(map(str, features["feature"].values)) if "feature" in features.coords else ()
    if given != card.feature_names:
        raise ContractError(
            f"model {card.name} was trained on {list(card.feature_names)} in this order, got "
            f"{list(given)}; stack the same features or choose another model",
            zh=f"模型 {card.name} 的训练特征依次为 {list(card.feature_names)}，"
            f"实际为 {list(given)}；请按同样顺序生成特征或更换模型",
        )
