"""A model and its card: they are written together, read together, and checked on the way in."""

import hashlib
import hmac
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Self

from pydantic import ValidationError
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.landcover.archive import Forests, pack, unpack
from jinhua_rs.landcover.card import ModelCard
from jinhua_rs.landcover.page import card_page
from jinhua_rs.store import whole

__all__ = ["Model", "package_versions", "sha256_of"]

_FOREST, _CARD, _PAGE = "model.skops", "card.json", "card.md"


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
    """

    card: ModelCard
    classifier: RandomForestClassifier | None
    regressor: RandomForestRegressor | None

    def __dask_tokenize__(self) -> tuple[str, str]:
        return ("jinhua_rs.landcover.Model", self.card.sha256)

    def save(self, folder: Path) -> None:
        """
        Write ``model.skops``, ``card.json`` and ``card.md``, all or nothing.

        A folder of that name is replaced.

        Raises
        ------
        IntegrityError
            If the forests were changed after training, so that the card no longer fits.
        ConfigError
            If the folder cannot be written.
        """
        data = pack(Forests(self.card.feature_names, self.classifier, self.regressor))
        _require_digest(data, self.card.sha256, f"model {self.card.name}")
        with whole(folder) as part:
            part.mkdir()
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
            Holds ``model.skops`` and ``card.json``.
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
        data = _read(folder / _FOREST)
        for expected in (card.sha256, sha256):
            if expected is not None:
                _require_digest(data, expected, str(folder / _FOREST))
        forests = unpack(data, str(folder / _FOREST))
        _require_card_fits(card, forests, folder)
        return cls(card, forests.classifier, forests.regressor)


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
