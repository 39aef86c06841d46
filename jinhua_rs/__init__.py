"""Sentinel-2 scenes found through STAC, turned into numbers that a city can be judged by."""

__version__ = "0.1.0"
