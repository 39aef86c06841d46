"""
Where our time goes, and what no reader could do without.

``breakdown`` times the parts of an ordinary run; ``unavoidable`` does each part once, whole: the
blocks that were read, of bands and of the classification, are decoded once and warped once, bands
into memory as large as the looks, and one pass of the estimator goes over the looks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox

from benchmarks import ground, ours
from benchmarks.measure import clocked
from jinhua_rs import catalog, composite, cube, features, masks, opening
from jinhua_rs.cube import resample, sighting
from jinhua_rs.scene import BAND_NAMES, Scene

__all__ = ["breakdown", "unavoidable"]

_PARTS: tuple[tuple[str, Any, str], ...] = (
    ("search", catalog, "search"),
    ("decode", sighting, "fetch"),
    ("warp", sighting, "write_reflectance"),
    ("warp", sighting, "write_classes"),
    ("estimator", composite, "compose"),
    ("features", features, "stack"),
)
_ASIDE = ("search", "features")
"""Parts that are no reading, masking or compositing: shown, not compared."""


class _Step(NamedTuple):
    """One asset that was read: of which scene, onto which part of the square, with what rim (m)."""

    scene: Scene
    band: str
    target: resample.Target
    rim: float


def breakdown(twin: str, square: int, n_days: int, *, method: str) -> dict[str, Any]:
    """Run our side once: CPU seconds of its parts, what is left over, and what is compared."""
    seconds: dict[str, float] = {}
    with ExitStack() as held:
        for part, module, name in _PARTS:
            held.enter_context(_timed(seconds, part, module, name))
        steps = ours.run(twin, square, n_days, method=method)
        next(steps)
        with clocked(seconds, "total"):
            next(steps)
    compared = seconds["total"] - sum(seconds[name] for name in _ASIDE)
    rest = compared - sum(seconds[name] for name in ("decode", "warp", "estimator"))
    return {**seconds, "compared": compared, "rest": rest, "dates": n_days}


def unavoidable(twin: str, square: int, n_days: int, *, method: str) -> dict[str, Any]:
    """Do what cannot be left out, each once over the whole square; CPU seconds of each."""
    seconds: dict[str, float] = {}
    box = ground.SQUARE[square].geobox
    rounds = ground.rounds(Path(twin), n_days)
    scenes = ours.scenes_for(Path(twin), box.extent.to_crs("EPSG:4326").geom, rounds)
    looks, steps = _needed(scenes, box)
    room = np.empty((len(BAND_NAMES), n_days, *box.shape), np.int16)
    days: dict[str, int] = {}
    with opening.reading():
        for step in steps:
            with clocked(seconds, "decode"):
                patch = _decoded(step)
            day = days.setdefault(step.scene.acquired.date().isoformat(), len(days))
            with clocked(seconds, "warp"):
                _warped(patch, step, room[:, day])
    with clocked(seconds, "estimator"):
        composite.compose(looks, np.ones(looks.sizes["time"], "bool"), ours.compared(method))
    return {**seconds, "compared": sum(seconds.values()), "dates": n_days}


def _needed(scenes: Sequence[Scene], box: GeoBox) -> tuple[xr.Dataset, list[_Step]]:
    """Read once: the looks, and which assets were read onto which part of the square for them."""
    steps: list[_Step] = []
    reflectance, clear = (getattr(sighting, name) for name in ("_reflectance", "_clear"))

    def band_noted(expected: Any, band: str, target: Any, out: Any) -> None:  # noqa: ANN401
        steps.append(_Step(expected.scene, band, target, 0.0))
        reflectance(expected, band, target, out)

    def mask_noted(expected: Any, target: Any, masker: masks.Masker) -> Any:  # noqa: ANN401
        steps.append(_Step(expected.scene, masker.bands[0], target, masker.rim_m))
        return clear(expected, target, masker)

    with (
        mock.patch.object(sighting, "_reflectance", band_noted),
        mock.patch.object(sighting, "_clear", mask_noted),
    ):
        masker = masks.masker(ours.COMPARED)
        return cube.read(scenes, box, BAND_NAMES, masker, only_clear=True).looks, steps


def _decoded(step: _Step) -> resample.Patch:
    """Read the window of a file that a part of the square needs."""
    with rasterio.open(step.scene.assets[step.band].href) as source:
        window = step.target.placement.window(source.transform, source.shape, step.rim)
        pixels = np.zeros((window.height + 2, window.width + 2), source.dtypes[0])
        source.read(1, window=window, out=pixels[1:-1, 1:-1])
        return resample.Patch.within(pixels, source.window_transform(window))


def _warped(patch: resample.Patch, step: _Step, day: Any) -> None:  # noqa: ANN401
    """Bring a band to where the looks of its day lie (band, y, x), or classes to a layer."""
    rows, columns = step.target.geobox.shape
    if step.band not in BAND_NAMES:
        resample.write_classes(patch, step.target, np.empty((rows, columns), np.uint8))
        return
    out = day[BAND_NAMES.index(step.band), :rows, :columns]
    resample.write_reflectance(patch, step.scene, step.target, out)


@contextmanager
def _timed(seconds: dict[str, float], part: str, module: Any, name: str) -> Iterator[None]:  # noqa: ANN401
    """Put a clock around a function of a module for as long as the block lasts."""
    plain: Callable[..., Any] = getattr(module, name)

    def clockwork(*given: Any, **named: Any) -> Any:  # noqa: ANN401
        with clocked(seconds, part):
            return plain(*given, **named)

    with mock.patch.object(module, name, clockwork):
        yield
