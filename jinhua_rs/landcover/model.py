"""A model and its card: they are written together, read together, and checked on the way in."""

import hashlib
import hmac
import lzma
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.landcover.archive import Forests, Training, pack, unpack
from jinhua_rs.landcover.card import ModelCard
from jinhua_rs.landcover.page import card_page
from jinhua_rs.store import whole

__all__ = ["CURRENT", "Model", "current", "other_versions", "package_versions", "sha256_of"]

_FOREST, _SMALL, _CARD, _PAGE = "model.skops", "model.skops.xz", "card.json", "card.md"
CURRENT = "CURRENT"
"""File of a folder of models that names the one in use."""
_MOST = 1 << 28
"""Bytes that a compressed model may unfold to, and that unfolding may take."""


@dataclass(frozen=True, eq=False)
class Model:
    """
    Random forests and the card without which they are not believed.

    Attributes
    ----------
    card : ModelCard
        Features in order, classes, held-out scores, digest, limits.
    classifier : RandomForestClassifier or None
        Features to :class:`~jinhua_rs.schema.Land` codes.
    regressor : RandomForestRegressor or None
        Features to canopy cover, 0-1.
    calibration : ndarray, float64, or None
        Table from shares of votes to probabilities, see :func:`~.calibration.calibrated`.
    training : Training or None
        Some of the training features and their scale. Models of before have neither.
    """

    card: ModelCard
    classifier: RandomForestClassifier | None
    regressor: RandomForestRegressor | None
    calibration: npt.NDArray[np.float64] | None = None
    training: Training | None = None

    def __dask_tokenize__(self) -> tuple[str, str]:
        return ("jinhua_rs.landcover.Model", self.card.sha256)

    @property
    def forests(self) -> Forests:
        """What is kept in ``model.skops``."""
        names = self.card.feature_names
        return Forests(names, self.classifier, self.regressor, self.calibration, self.training)

    def save(self, folder: Path, *, small: bool = False) -> None:
        """
        Write ``model.skops``, ``card.json`` and ``card.md``, all or nothing.

        A folder of that name is replaced. ``small`` keeps ``model.skops.xz`` instead, for models
        that travel with the package; the digest is that of the same uncompressed bytes.

        Raises
        ------
        IntegrityError
            If the forests were changed after training, so that the card no longer fits.
        ConfigError
            If the folder cannot be written.
        """
        data = pack(self.forests)
        _require_digest(data, self.card.sha256, f"model {self.card.name}")
        with whole(folder) as part:
            part.mkdir()
            if small:
                (part / _SMALL).write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
            else:
                (part / _FOREST).write_bytes(data)
            (part / _CARD).write_text(self.card.model_dump_json(indent=1) + "\n", encoding="utf-8")
            (part / _PAGE).write_text(card_page(self.card), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, sha256: str | None = None) -> Self:
        """
        Read a model that :meth:`save` wrote; nothing in the files is executed.

        Parameters
        ----------
        folder : Path
            Holds ``model.skops`` (or ``model.skops.xz``) and ``card.json``.
        sha256 : str, optional
            Digest that ``model.skops`` must have, beside the one in its own card.

        Raises
        ------
        ConfigError
            If there is no such folder, or the model was made with another scikit-learn.
        IntegrityError
            If a file is missing, damaged or not a skops file, or card and forests differ.
        """
        if not folder.is_dir():
            raise ConfigError(
                f"there is no model folder {folder}; mend [model] file, or leave it empty to train",
                zh=f"没有模型文件夹 {folder}；请修改 [model] file，或留空以重新训练",
            )
        card = _read_card(folder / _CARD)
        _require_same_scikit_learn(card)
        # Read once: what is checked is what is loaded.
        data = _read_forests(folder)
        for expected in (card.sha256, sha256):
            if expected is not None:
                _require_digest(data, expected, str(folder / _FOREST))
        forests = unpack(data, str(folder / _FOREST))
        _require_card_fits(card, forests, folder)
        kept = forests.calibration, forests.training
        return cls(card, forests.classifier, forests.regressor, *kept)


def current(folder: Path) -> Path:
    """
    Find the model that a folder of models names in its file ``CURRENT``.

    Returns
    -------
    Path
        ``folder`` itself where there is no such file: it is a model already.

    Raises
    ------
    ConfigError
        If the file holds no name of a model that lies beside it.
    """
    named = folder / CURRENT
    if not named.is_file():
        return folder
    name = named.read_bytes()[:200].decode("utf-8", "replace").strip()
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name) or not (folder / name).is_dir():
        raise ConfigError(
            f"{named} names {name!r}, which is no model beside it; write the name of one of the "
            "folders there",
            zh=f"{named} 中的 {name!r} 不是同目录下的模型；请写入其中一个文件夹的名称",
        )
    return folder / name


def other_versions(card: ModelCard) -> dict[str, tuple[str, str]]:
    """Say, of packages whose version is not the one that the model was made with, both versions."""
    here = package_versions()
    return {
        name: (made, here[name])
        for name, made in sorted(card.versions.items())
        if here.get(name, made) != made
    }


def package_versions() -> dict[str, str]:
    """Versions that a model depends on, by package name; ``python`` among them."""
    packages = ("numpy", "scikit-learn", "skops")
    return {"python": python_version()} | {package: version(package) for package in packages}


def sha256_of(data: bytes) -> str:
    """SHA-256 of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise IntegrityError(
            f"cannot read {path}: {error.strerror}; a model folder holds model.skops and "
            "card.json together (pickle and joblib files are never read)",
            zh=f"无法读取 {path}（{error.strerror}）；模型文件夹须同时有 model.skops 和 card.json"
            "（不读取 pickle 或 joblib 文件）",
        ) from error


def _read_forests(folder: Path) -> bytes:
    """Read ``model.skops``, or unfold ``model.skops.xz`` to at most 256 MiB."""
    if (folder / _FOREST).exists() or not (folder / _SMALL).exists():
        return _read(folder / _FOREST)
    try:
        unfolding = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MOST)
        data = unfolding.decompress(_read(folder / _SMALL), max_length=_MOST)
    except lzma.LZMAError as error:
        raise _no_xz(folder, str(error)) from error
    if not unfolding.eof or unfolding.unused_data:
        raise _no_xz(folder, "it is cut off, too large, or followed by something else")
    return data


def _no_xz(folder: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{folder / _SMALL} cannot be unfolded: {why}; fetch the model afresh or train it again",
        zh=f"{folder / _SMALL} 无法解压（{why}）；请重新获取模型或重新训练",
    )


def _read_card(path: Path) -> ModelCard:
    text = _read(path)
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "file"
        raise IntegrityError(
            f"{path} is damaged: {place}: {first['msg']}; train the model again or fetch it afresh",
            zh=f"模型卡 {path} 已损坏（{place}：{first['msg']}）；请重新训练或重新获取模型",
        ) from error


def _require_digest(data: bytes, expected: str, what: str) -> None:
    found = sha256_of(data)
    if not hmac.compare_digest(found.encode(), expected.strip().lower().encode()):
        raise IntegrityError(
            f"{what} has the digest {found[:12]}…, expected {expected[:12]}…: it was changed after "
            "training, or the digest is of another model; train again or fetch it afresh",
            zh=f"{what} 的摘要为 {found[:12]}…，应为 {expected[:12]}…：模型在训练后被改动，"
            "或摘要属于另一个模型；请重新训练或重新获取",
        )


def _require_same_scikit_learn(card: ModelCard) -> None:
    made, here = card.versions.get("scikit-learn", "unknown"), version("scikit-learn")
    if made.split(".")[:2] != here.split(".")[:2]:
        raise ConfigError(
            f"model {card.name} was made with scikit-learn {made}, here is {here}: other versions "
            f"may read its trees differently; install scikit-learn {made} or train again",
            zh=f"模型 {card.name} 由 scikit-learn {made} 训练，当前版本为 {here}，可能误读；"
            f"请安装 scikit-learn {made} 或重新训练",
        )


def _require_card_fits(card: ModelCard, forests: Forests, folder: Path) -> None:
    classifier = forests.classifier
    classes = () if classifier is None else tuple(int(code) for code in classifier.classes_)
    facts = (
        ("features", card.feature_names, forests.features),
        ("classes", card.classes, classes),
        ("canopy forest", card.canopy is not None, forests.regressor is not None),
    )
    for what, said, found in facts:
        if said != found:
            raise IntegrityError(
                f"card and forests in {folder} differ in {what}: {said} and {found}; "
                "the card is of another model: train again or fetch both afresh",
                zh=f"{folder} 中模型卡与模型的 {what} 不一致（{said} 与 {found}）；"
                "请重新训练或重新获取两者",
            )
