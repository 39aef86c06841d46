"""
Forests as bytes and back: equal forests give equal bytes, and nothing in them is executed.

The bytes are a skops file (https://skops.readthedocs.io). As skops writes it, members are
named after memory addresses and stamped with the time; here they are named after their own
content and stamped with nothing, so that the digest of a model can be reproduced.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import skops.io
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.tree._tree import Tree
from skops.io.exceptions import UntrustedTypesFoundException

from jinhua_rs.errors import IntegrityError

__all__ = ["KNOTS", "TRUSTED", "Forests", "Training", "pack", "unpack"]

KNOTS = 101
"""Entries of a calibration table, for shares 0, 0.01 .. 1."""

TRUSTED = ("sklearn.tree._tree.Tree",)
"""The one type beyond skops' own list that a model may hold."""

_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_DAMAGE = (
    UntrustedTypesFoundException,
    zipfile.BadZipFile,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What reading a file that skops did not write may raise."""


@dataclass(frozen=True, eq=False)
class Training:
    """
    What is kept of the training samples, to tell ground that is unlike all of them.

    Attributes
    ----------
    features : ndarray, float32, (row, feature)
        Some of the samples, drawn at random; a few thousand at most.
    mean, scale : ndarray, float64, (feature,)
        Of all samples; ``scale`` is the standard deviation, 1 where a feature never varies.
    importances : ndarray, float64, (feature,)
        Mean decrease of impurity in the first forest, sums to 1 (or all 0).
    fold : ndarray, int64, (row,), or None
        In which each was held out; None in models of before.
    """

    features: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    importances: npt.NDArray[np.float64]
    fold: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Forests:
    """
    What a model file holds: the forests, and the names by which they know their columns.

    ``calibration`` is the table of :mod:`jinhua_rs.landcover.calibration`, ``training`` what is
    kept of the training samples; both None in models of before.
    """

    features: tuple[str, ...]
    classifier: RandomForestClassifier | None
    regressor: RandomForestRegressor | None
    calibration: npt.NDArray[np.float64] | None = None
    training: Training | None = None


def pack(forests: Forests) -> bytes:
    """
    Write forests as a skops file.

    Returns
    -------
    bytes
        Stored, not compressed: what a compressor makes differs between machines.
    """
    content = {
        "features": list(forests.features),
        "classifier": forests.classifier,
        "regressor": forests.regressor,
    }
    if forests.calibration is not None:
        content["calibration"] = forests.calibration
    if forests.training is not None:
        kept = vars(forests.training)  # what a model of before has not is not written either
        content["training"] = {name: one for name, one in kept.items() if one is not None}
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(content))) as source:
        schema = json.loads(source.read(_SCHEMA))
        members = {
            name: _without_padding(source.read(name))
            for name in source.namelist()
            if name != _SCHEMA
        }
    names = {old: f"{hashlib.sha256(data).hexdigest()}.npy" for old, data in members.items()}
    number = count(1)
    for node in _nodes(schema):
        if "__id__" in node:
            node["__id__"] = next(number)
        if "file" in node:
            node["file"] = names[node["file"]]
    unique = {names[old]: data for old, data in members.items()}
    unique[_SCHEMA] = json.dumps(schema).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_STORED) as target:
        for name, data in sorted(unique.items()):
            target.writestr(zipfile.ZipInfo(name, date_time=_EPOCH), data)
    return buffer.getvalue()


def _without_padding(data: bytes) -> bytes:
    """Zero the bytes between the fields of tree nodes: they hold whatever memory held."""
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is None:
        return data
    clean = np.zeros(array.shape, dtype=array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


def _nodes(value: object) -> Iterator[dict[str, Any]]:
    """Walk the objects of a skops schema in the order in which it lists them."""
    if isinstance(value, dict):
        yield value
        for child in list(value.values()):
            yield from _nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from _nodes(child)


def unpack(data: bytes, where: str) -> Forests:
    """
    Read forests that :func:`pack` wrote, trusting nothing in ``data``.

    Parameters
    ----------
    data : bytes
        Content of a model file.
    where : str
        How the file is called in messages.

    Raises
    ------
    IntegrityError
        If the bytes are no skops file, are compressed (a small file could unfold to any
        size), hold a type that is not trusted, or trees whose branches lead out of the tree.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source:
            if any(member.compress_type != zipfile.ZIP_STORED for member in source.infolist()):
                raise _refused(where, "it is compressed")
        foreign = sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED))
        if foreign:
            raise _refused(where, f"it holds the types {foreign[:3]}")
        content = skops.io.loads(data, trusted=list(TRUSTED))
        kept = content.get("training")
        forests = Forests(
            tuple(content["features"]),
            content["classifier"],
            content["regressor"],
            content.get("calibration"),
            None if kept is None else Training(**kept),
        )
        _require_sound(forests, where)
        _require_sound_tables(forests, where)
    except _DAMAGE as error:
        raise _refused(where, f"{type(error).__name__}: {error}") from error
    return forests


def _require_sound(forests: Forests, where: str) -> None:
    if forests.classifier is None and forests.regressor is None:
        raise _refused(where, "it holds no forest")
    for forest, kind, tree_kind in (
        (forests.classifier, RandomForestClassifier, DecisionTreeClassifier),
        (forests.regressor, RandomForestRegressor, DecisionTreeRegressor),
    ):
        if forest is None:
            continue
        if type(forest) is not kind or forest.n_features_in_ != len(forests.features):
            raise _refused(where, f"{type(forest).__name__} where {kind.__name__} should be")
        n_values = len(forest.classes_) if kind is RandomForestClassifier else 1
        members: Sequence[Any] = forest.estimators_
        if not members or not all(
            type(member) is tree_kind and _sound(member.tree_, len(forests.features), n_values)
            for member in members
        ):
            raise _refused(where, f"a tree of the {kind.__name__} is malformed")


def _require_sound_tables(forests: Forests, where: str) -> None:
    table, kept, width = forests.calibration, forests.training, len(forests.features)
    if table is not None and not (
        _numbers(table, np.float64, (KNOTS,))
        and table[0] >= 0
        and table[-1] <= 1
        and bool((np.diff(table) > 0).all())
    ):
        raise _refused(where, "its calibration table does not rise from 0 to 1")
    if kept is not None and not (
        _numbers(kept.features, np.float32, (len(kept.features), width))
        and all(_numbers(one, np.float64, (width,)) for one in (kept.mean, kept.importances))
        and _numbers(kept.scale, np.float64, (width,))
        and (kept.fold is None or _numbers(kept.fold, np.int64, (len(kept.features),)))
        and bool((kept.scale > 0).all())
    ):
        raise _refused(where, "what it keeps of its training samples is malformed")


def _numbers(array: object, dtype: type, shape: tuple[int, ...]) -> bool:
    return (
        isinstance(array, np.ndarray)
        and array.dtype == dtype
        and array.shape == shape
        and bool(np.isfinite(array).all())
    )


def _sound(tree: Tree, n_features: int, n_values: int) -> bool:
    """
    Tell whether a walk down the tree stays inside it and ends.

    scikit-learn walks without looking: a branch that leads beyond the nodes, or back up,
    would read foreign memory or never stop. It numbers children after their parent.
    """
    left, right = tree.children_left, tree.children_right
    inner = left != -1
    order = np.arange(tree.node_count)[inner]
    branches = all(
        bool(np.all((side[inner] > order) & (side[inner] < tree.node_count)))
        for side in (left, right)
    )
    columns = tree.feature[inner]
    return (
        branches
        and bool(np.all((columns >= 0) & (columns < n_features)))
        and tree.value.shape == (tree.node_count, 1, n_values)
        and bool(np.isfinite(tree.value).all())
    )


def _refused(where: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"{where} is not a model of this package: {why}; only model.skops files written by "
        "Model.save are read, never pickle or joblib: train the model again or fetch it afresh",
        zh=f"{where} 不是本软件的模型文件（{why}）；只读取 Model.save 写出的 model.skops，"
        "不接受 pickle 或 joblib；请重新训练或重新获取模型",
    )
