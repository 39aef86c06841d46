"""One image from the clear looks of a period."""

from jinhua_rs.composite.recipe import compose, layer_names

__all__ = ["compose", "layer_names"]
