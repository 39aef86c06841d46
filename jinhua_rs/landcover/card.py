"""What a model says of itself: features, samples, held-out scores, digest and limits."""

from math import pi, sqrt
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jinhua_rs.errors import IntegrityError

__all__ = [
    "SIMULATED_PREFIX",
    "CalibrationTest",
    "CanopyTest",
    "ClassScore",
    "ClassScreening",
    "Feature",
    "ForestShape",
    "HeldOut",
    "LandcoverTest",
    "ModelCard",
    "ReliabilityBin",
    "SampleCounts",
    "Screening",
    "Trial",
]

SIMULATED_PREFIX = "sim-"
"""Every model that learnt from simulated ground carries this in its name, and no other does."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Feature(_Part):
    """One input of the model; its place in the card is its place in the model."""

    name: Annotated[str, Field(min_length=1)]
    units: str
    """Unit, ``"1"`` for reflectance and indices, ``"not stated"`` where nobody said."""


class SampleCounts(_Part):
    """What became of the rows of the sample table."""

    given: Count
    incomplete: Count
    """Dropped: a feature or a coordinate is missing or infinite."""
    unlabelled: Count
    """Dropped: neither a class nor a canopy cover."""
    duplicates: Count
    """Dropped: equal to another row in every column that counts."""
    contradictions: Count
    """Kept: same place and same features as another row, but another label."""
    alike: Count = 0
    """Kept in one block: features equal another row's elsewhere to the last digit, as copies do."""
    used: Count


class ClassScreening(_Part):
    """
    Labels of one class, judged by held-out forests: clean, to be looked at again, to be dropped.

    ``judged`` is False where samples of the class lie in one block only: all count as clean then.
    """

    code: Annotated[int, Field(ge=1)]
    clean: Count
    look: Count
    drop: Count
    judged: bool


class Screening(_Part):
    """How far the labels of the samples were believed before training."""

    classes: tuple[ClassScreening, ...]
    dropped: bool = False
    """True where samples to be dropped were left out; else they were only told."""


class HeldOut(_Part):
    """How blocks were held out: square blocks of ``side_m``, never split between folds."""

    side_m: Annotated[float, Field(gt=0)]
    blocks: Annotated[int, Field(ge=2)]
    folds: Annotated[int, Field(ge=2)]


class ClassScore(_Part):
    """
    One class among the held-out samples.

    ``users_accuracy`` is ``None`` where the class was never predicted. A class that lies in
    one block only can never be found while that block is held out: its scores are then 0.
    """

    code: Annotated[int, Field(ge=1)]
    samples: Count
    blocks: Count
    users_accuracy: Share | None
    producers_accuracy: Share


class LandcoverTest(_Part):
    """
    Classes of block-held-out samples. Not the accuracy of a map, which needs its own sample.

    ``confusion[i][j]`` counts samples predicted as the i-th class that are of the j-th class.
    """

    held_out: HeldOut
    samples: Count
    accuracy: Share
    fold_accuracy: tuple[Share, ...]
    confusion: tuple[tuple[Count, ...], ...]
    scores: tuple[ClassScore, ...]


class CanopyTest(_Part):
    """
    Canopy cover (0-1) of block-held-out samples. Not the accuracy of a map.

    ``bias`` is the mean of predicted minus true; ``r2`` is ``None`` where all samples are
    alike. ``forest_confusion`` is for canopy ≥ 0.20: rows predicted, columns true, other
    land first; ``forest_agreement`` its diagonal share.
    """

    held_out: HeldOut
    samples: Count
    rmse: Annotated[float, Field(ge=0)]
    bias: float
    r2: Annotated[float, Field(le=1)] | None
    fold_rmse: tuple[Annotated[float, Field(ge=0)], ...]
    forest_agreement: Share
    forest_confusion: tuple[tuple[Count, Count], tuple[Count, Count]]
    line_slope: Annotated[float, Field(gt=0)] | None = None
    """Slope of :attr:`slope`, fitted to the samples; None in models of before."""

    @property
    def slope(self) -> float:
        """
        How fast the chance of true canopy ≥ 0.20 rises with the canopy predicted, per unit.

        Of the logistic curve through ½ at 0.20 that fits the held-out samples best; in models of
        before that with the spread of the errors, ``π / (√3 · RMSE)``.
        """
        return self.line_slope or pi / (sqrt(3) * max(self.rmse, 0.01))


class ReliabilityBin(_Part):
    """Probabilities of about one size: what was said on average, and how often it was so."""

    said: Share
    found: Share
    cases: Count


class CalibrationTest(_Part):
    """
    Class probabilities of block-held-out samples, before and after the calibration table.

    Each fold is scored by a table of the others. The curves pool all classes.
    """

    samples: Count
    brier_before: Annotated[float, Field(ge=0, le=2)]
    brier_after: Annotated[float, Field(ge=0, le=2)]
    log_loss_before: Annotated[float, Field(ge=0)]
    log_loss_after: Annotated[float, Field(ge=0)]
    curve_before: tuple[ReliabilityBin, ...]
    curve_after: tuple[ReliabilityBin, ...]


class Trial(_Part):
    """
    One size of forest that was tried on held-out blocks.

    ``visits`` are nodes passed by one pixel in the classifier (or the regressor, without one):
    what its answer costs. ``accuracy`` is of classes, ``rmse`` of canopy; ``None`` without such
    samples. ``max_features`` is the share of features looked at in a split of the classifier,
    ``None`` for the square root of their number.
    """

    trees: Annotated[int, Field(ge=1)]
    depth: Annotated[int, Field(ge=1)]
    leaf: Annotated[int, Field(ge=1)]
    max_features: Annotated[float, Field(gt=0, le=1)] | None
    visits: Annotated[float, Field(ge=0)]
    accuracy: Share | None
    rmse: Annotated[float, Field(ge=0)] | None
    equal: bool
    """True where it is as good as the best, by the rule of :mod:`jinhua_rs.landcover.tuning`."""
    chosen: bool


class ForestShape(_Part):
    """How the random forests were grown; ``max_features`` as in :class:`Trial`."""

    trees: Annotated[int, Field(ge=1)]
    depth: Annotated[int, Field(ge=1)]
    leaf: Annotated[int, Field(ge=1)]
    seed: int
    max_features: Annotated[float, Field(gt=0, le=1)] | None = None


class ModelCard(_Part):
    """
    All that must be known of a model before its map is believed; travels as ``card.json``.

    Attributes
    ----------
    layout : int
        Version of this form; cards of the first have none of the fields with a default.
    name : str
        ``[A-Za-z0-9_.-]+``, beginning with ``sim-`` if and only if ``simulated``.
    kind : str
        Which forests there are.
    features : tuple[Feature, ...]
        Inputs, in the order of the model.
    classes : tuple[int, ...]
        :class:`jinhua_rs.schema.Land` codes in the order of the classifier; empty without one.
    periods : tuple[str, ...]
        Periods of the imagery that the features came from.
    samples : SampleCounts
        Rows given, dropped and used.
    landcover, canopy : LandcoverTest, CanopyTest or None
        Held-out scores, ``None`` where there is no such forest.
    forest : ForestShape
        Trees, depth, leaf size and seed.
    versions : dict[str, str]
        Of ``python``, ``numpy``, ``scikit-learn`` and ``skops``.
    sha256 : str
        Digest of ``model.skops``; equal samples and options give an equal digest.
    note : str
        Where the samples came from, in the words of who trained the model.
    limits : tuple[str, ...]
        What the model cannot do, found while training; Chinese, then English.
    simulated : bool
        True if it learnt from the simulated city.
    companions : tuple[str, ...]
        Companion quarters of the imagery.
    resolution_m : float or None
        Pixel size of the imagery.
    by_unit : dict
        Samples used by reporting unit and class code; "" where no unit is known.
    calibration : CalibrationTest or None
        How far probabilities can be believed.
    tuning : tuple[Trial, ...]
        Sizes of forest that were tried; empty where the size was given.
    screening : Screening or None
        How far the labels were believed; None where nobody asked.

    Examples
    --------
    >>> len(ModelCard.model_fields)
    21
    """

    layout: Literal[1, 2] = 2
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    kind: Literal["landcover", "canopy", "landcover+canopy"]
    features: Annotated[tuple[Feature, ...], Field(min_length=1)]
    classes: tuple[int, ...]
    periods: tuple[str, ...]
    samples: SampleCounts
    landcover: LandcoverTest | None
    canopy: CanopyTest | None
    forest: ForestShape
    versions: dict[str, str]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    note: str
    limits: tuple[str, ...]
    simulated: bool
    companions: tuple[str, ...] = ()
    resolution_m: Annotated[float, Field(gt=0)] | None = None
    by_unit: dict[str, dict[int, Count]] = {}
    calibration: CalibrationTest | None = None
    tuning: tuple[Trial, ...] = ()
    screening: Screening | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the order of the model."""
        return tuple(feature.name for feature in self.features)

    def require_same(self, other: "ModelCard") -> None:
        """
        Make sure that a model which was trained anew is this one: same digest, same facts.

        Raises
        ------
        IntegrityError
            Naming the fields of the card that differ.
        """
        differ = [
            name for name in type(self).model_fields if getattr(self, name) != getattr(other, name)
        ]
        if differ:
            raise IntegrityError(
                f"model {self.name} trained anew differs in {', '.join(differ)} "
                f"(digest {other.sha256}, was {self.sha256}); compare the package versions of both "
                "cards, then train and keep the new one",
                zh=f"重新训练的模型与 {self.name} 不一致：{'、'.join(differ)}"
                f"（摘要 {other.sha256}，原为 {self.sha256}）；"
                "请核对两张模型卡的软件版本，再决定是否更新模型",
            )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.name.startswith(SIMULATED_PREFIX) != self.simulated:
            raise ValueError(f"name {self.name!r} does not fit simulated = {self.simulated}")
        if len(set(self.feature_names)) != len(self.features):
            raise ValueError("a feature occurs twice")
        if bool(self.classes) != (self.landcover is not None):
            raise ValueError("classes and their held-out test must come together")
        if self.kind != "+".join(self._forests()):
            raise ValueError(f"kind {self.kind!r} does not fit the tests of the card")
        return self

    def _forests(self) -> list[str]:
        tests = {"landcover": self.landcover, "canopy": self.canopy}
        return [name for name, test in tests.items() if test is not None]
