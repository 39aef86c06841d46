"""
Where our time goes, and what no reader could do without.

``breakdown`` times the parts of an ordinary run; ``unavoidable`` does each part once, whole: the
blocks of the bands that were read are decoded once and warped once, and one pass of the estimator
goes over the looks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox

from benchmarks import ground, ours
from benchmarks.measure import clocked
from jinhua_rs import composite, cube, features, masks, opening
from jinhua_rs.cube import resample, sighting
from jinhua_rs.cube.placement import Placement
from jinhua_rs.opening import Expected
from jinhua_rs.scene import BAND_NAMES, Scene

__all__ = ["breakdown", "unavoidable"]

_ONE_BAND = "_reflectance"
"""The function of ``sighting`` that reads one band of one scene onto the grid."""
_PARTS: tuple[tuple[str, Any, str], ...] = (
    ("decode", sighting, "fetch"),
    ("warp", sighting, "write_reflectance"),
    ("warp", sighting, "write_classes"),
    ("estimator", composite, "compose"),
    ("features", features, "stack"),
)


def breakdown(twin: str, square: int, n_days: int, *, method: str) -> dict[str, Any]:
    """Run our side once and give the CPU seconds of its parts; what is left over is ``rest``."""
    seconds: dict[str, float] = {}
    with ExitStack() as held:
        for part, module, name in _PARTS:
            held.enter_context(_timed(seconds, part, module, name))
        steps = ours.run(twin, square, n_days, method=method)
        next(steps)
        with clocked(seconds, "total"):
            next(steps)
    rest = seconds["total"] - sum(value for name, value in seconds.items() if name != "total")
    return {**seconds, "rest": rest, "dates": n_days}


def unavoidable(twin: str, square: int, n_days: int, *, method: str) -> dict[str, Any]:
    """Do what cannot be left out, each once over the whole square; CPU seconds of each."""
    seconds: dict[str, float] = {}
    box = ground.SQUARE[square].geobox
    rounds = ground.rounds(Path(twin), n_days)
    scenes = ours.scenes_for(Path(twin), box.extent.to_crs("EPSG:4326").geom, rounds)
    looks, used = _needed(scenes, box)
    with opening.reading():
        for expected, band, target in used:
            with clocked(seconds, "decode"):
                patch = _decoded(expected.scene.assets[band].href, target.placement)
            out = np.empty(tuple(target.geobox.shape), np.int16)
            with clocked(seconds, "warp"):
                resample.write_reflectance(patch, expected.scene, target, out)
    with clocked(seconds, "estimator"):
        composite.compose(looks, np.ones(looks.sizes["time"], "bool"), ours.compared(method))
    return {**seconds, "total": sum(seconds.values()), "dates": n_days}


def _needed(
    scenes: Sequence[Scene], box: GeoBox
) -> tuple[xr.Dataset, list[tuple[Expected, str, resample.Target]]]:
    """Read once: the looks, and which bands were read onto which part of the square for them."""
    used: list[tuple[Expected, str, resample.Target]] = []
    plain = getattr(sighting, _ONE_BAND)

    def noted(expected: Expected, band: str, target: resample.Target, out: Any) -> None:  # noqa: ANN401
        used.append((expected, band, target))
        plain(expected, band, target, out)

    with mock.patch.object(sighting, _ONE_BAND, noted):
        masker = masks.masker(ours.COMPARED)
        return cube.read(scenes, box, BAND_NAMES, masker, only_clear=True).looks, used


def _decoded(href: str, place: Placement) -> resample.Patch:
    """Read the window of a file that a part of the square needs."""
    with rasterio.open(href) as source:
        window = place.window(source.transform, source.shape)
        return resample.Patch.around(source.read(1, window=window), source.window_transform(window))


@contextmanager
def _timed(seconds: dict[str, float], part: str, module: Any, name: str) -> Iterator[None]:  # noqa: ANN401
    """Put a clock around a function of a module for as long as the block lasts."""
    plain: Callable[..., Any] = getattr(module, name)

    def clockwork(*given: Any, **named: Any) -> Any:  # noqa: ANN401
        with clocked(seconds, part):
            return plain(*given, **named)

    with mock.patch.object(module, name, clockwork):
        yield
