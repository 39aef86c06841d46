"""Land cover and canopy cover by random forest, every model with its card and held-out scores."""

from jinhua_rs.landcover.card import CanopyTest, LandcoverTest, ModelCard
from jinhua_rs.landcover.model import Model
from jinhua_rs.landcover.predict import predict
from jinhua_rs.landcover.train import TrainOptions, train

__all__ = [
    "CanopyTest",
    "LandcoverTest",
    "Model",
    "ModelCard",
    "TrainOptions",
    "predict",
    "train",
]
