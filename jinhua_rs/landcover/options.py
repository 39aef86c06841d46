"""How a model is trained: everything that, with the samples, decides its bytes and its card."""

import re
from dataclasses import dataclass

from jinhua_rs.errors import ConfigError
from jinhua_rs.landcover.card import SIMULATED_PREFIX

__all__ = ["TrainOptions"]

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """
    How a model is trained; everything that, with the samples, decides its bytes and its card.

    Attributes
    ----------
    seed : int
        Of the forests and of the dealing of blocks.
    trees, depth, leaf : int
        Number of trees, greatest depth, fewest samples in a leaf.
    block_m : float
        Side of the spatial blocks that are held out together, metres.
    name : str
        ``[A-Za-z0-9_.-]+``; a simulated model gets ``sim-`` in front if it is not there.
    note : str
        Where the samples came from.
    periods : tuple[str, ...]
        Periods of the imagery that the features came from.
    companions : tuple[str, ...]
        Companion quarters of that imagery.
    resolution_m : float or None
        Its pixel size.
    units : tuple[tuple[str, str], ...]
        Feature name and unit, for features that the schema does not know.
    max_features : float or None
        Share of the features looked at in a split of the classifier; None is the square root of
        their number. The regressor looks at a third.
    tune : bool
        Choose trees (at most ``trees``), depth, leaf and max_features by blocks instead, see
        :mod:`jinhua_rs.landcover.tuning`.
    kept_rows : int
        Training samples that are kept with the model.
    simulated : bool
        True if samples or imagery are simulated.
    """

    seed: int
    trees: int = 100
    depth: int = 20
    leaf: int = 5
    block_m: float = 5_000.0
    name: str = "landcover"
    note: str = ""
    periods: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    resolution_m: float | None = None
    units: tuple[tuple[str, str], ...] = ()
    simulated: bool = False
    max_features: float | None = None
    tune: bool = False
    kept_rows: int = 1000

    def __post_init__(self) -> None:
        if min(self.trees, self.depth, self.leaf) < 1 or not self.block_m > 0:
            raise ConfigError(
                f"trees, depth, leaf and block_m must be positive, got {self.trees}, {self.depth}, "
                f"{self.leaf} and {self.block_m}; mend [model]",
                zh=f"树数、深度、叶样本数和块边长必须为正（现为 {self.trees}、{self.depth}、"
                f"{self.leaf}、{self.block_m}）；请修改 [model]",
            )
        if not _NAME.fullmatch(self.name) or (
            self.name.startswith(SIMULATED_PREFIX) and not self.simulated
        ):
            raise ConfigError(
                f"model name {self.name!r} must be letters, digits, '_', '.', '-', and begin with "
                f"{SIMULATED_PREFIX!r} only if the model is simulated",
                zh=f"模型名 {self.name!r} 只能含字母、数字、“_”“.”“-”，且只有模拟模型可以 "
                f"{SIMULATED_PREFIX!r} 开头",
            )

    @property
    def full_name(self) -> str:
        """Name of the model, marked if it is simulated."""
        marked = not self.simulated or self.name.startswith(SIMULATED_PREFIX)
        return self.name if marked else f"{SIMULATED_PREFIX}{self.name}"
