"""Land cover and canopy cover by random forest, every model with its card and held-out scores."""

from jinhua_rs.landcover.archive import Training
from jinhua_rs.landcover.card import CanopyTest, LandcoverTest, ModelCard
from jinhua_rs.landcover.migrating import laid_over
from jinhua_rs.landcover.model import CURRENT, Model, current, other_versions
from jinhua_rs.landcover.options import TrainOptions
from jinhua_rs.landcover.predict import forest_of, predict
from jinhua_rs.landcover.screening import screen
from jinhua_rs.landcover.train import train

__all__ = [
    "CURRENT",
    "CanopyTest",
    "LandcoverTest",
    "Model",
    "ModelCard",
    "TrainOptions",
    "Training",
    "current",
    "forest_of",
    "laid_over",
    "other_versions",
    "predict",
    "screen",
    "train",
]
