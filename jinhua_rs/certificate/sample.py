"""A cheap look at a scene: a coarse view of the whole, and a few squares at full resolution."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from jinhua_rs.certificate.notes import Note
from jinhua_rs.certificate.places import CHIP_BANDS, Places
from jinhua_rs.ledger import in_chinese
from jinhua_rs.opening import Expected, Unusable, opened, reading
from jinhua_rs.scene import Scene

__all__ = ["CLEAR_CLASSES", "Chip", "SceneSample", "View", "sample_scene", "warped_chip"]

CLEAR_CLASSES = (2, 4, 5, 6, 7)
"""Scene classes that show ground: dark, vegetation, bare, water, unclassified."""

_VIEW_SIDE = 700
"""The coarse view has at most so many pixels along a side: 160 m for a whole MGRS tile."""
_VIEW_BANDS = (("blue",), ("red",), ("nir", "nir08"), ("swir22", "swir16"))
"""Bands of the coarse view; of each group the first that the scene has."""
TROUBLE = (Unusable, KeyError)
"""What reading may end in; KeyError: an asset that must not be opened is gone from its scene."""


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """
    Coarse view of a scene, dims (y, x), true digital numbers (nearest pixel of an overview).

    Attributes
    ----------
    bands : mapping of ndarray, uint16, DN
        By canonical name, offset not removed; 0 is "not seen".
    scl : ndarray, uint8
        Scene classification; 0 is "not seen".
    """

    bands: Mapping[str, npt.NDArray[np.uint16]]
    scl: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, slots=True)
class Chip:
    """
    A square at full resolution, dims (y, x).

    Attributes
    ----------
    values : ndarray, uint16, DN
        Offset not removed; 0 is "not seen".
    clear : ndarray, bool
        Seen, and of a class that shows ground.
    beside : (float, float)
        How far, pixels down and right, the square lies beside its place, because the file's
        pixel edges are elsewhere; under half a pixel each.
    """

    values: npt.NDArray[np.uint16]
    clear: npt.NDArray[np.bool_]
    beside: tuple[float, float]


@dataclass(frozen=True, eq=False, slots=True)
class SceneSample:
    """
    What was read of a scene.

    Attributes
    ----------
    view : View or None
        None where it could not be read.
    chips : tuple of (Chip or None)
        One for each place; None where the scene does not show it.
    problem : Note or None
        Why something could not be read: then the scene is "not measured".
    """

    view: View | None
    chips: tuple[Chip | None, ...]
    problem: Note | None


def sample_scene(scene: Scene, places: Places | None) -> SceneSample:
    """
    Read the coarse view and the chips of a scene.

    A whole MGRS tile costs 2 to 10 MB: overviews of five files, and at each place one block of two.
    Files without overviews cost as much as they hold.

    Parameters
    ----------
    scene : Scene
    places : Places or None
        Chosen for all scenes of the tile; None, or those of another CRS, means no chips.

    Returns
    -------
    SceneSample
        Trouble with reading is told in ``problem``, not raised.
    """
    view: View | None = None
    chips: tuple[Chip | None, ...] = ()
    try:
        with reading():
            expected = Expected.of(scene)
            view = _view(expected)
            if places is not None and places.crs == scene.crs:
                chips = _chips(expected, places)
    except TROUBLE as error:
        return SceneSample(view, (), _unread(error))
    return SceneSample(view, chips, None)


def warped_chip(
    scene: Scene, band: str, places: Places, at: int
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """
    Read one band and the clear mask of a scene at a place that may be in another CRS.

    Returns
    -------
    (ndarray uint16, ndarray bool), dims (y, x)
        DN (bilinear), 0 where not seen; and where it shows ground (nearest).

    Raises
    ------
    Unusable
        If a file cannot be read, or is not what its item says.
    """
    with reading():
        expected = Expected.of(scene)
        values = _warped(expected, band, places, at, Resampling.bilinear)
        classes = _warped(expected, "scl", places, at, Resampling.nearest)
    return values, np.isin(classes, CLEAR_CLASSES) & (values > 0)


def _view(expected: Expected) -> View:
    there = expected.scene.assets
    names = [next((name for name in group if name in there), None) for group in _VIEW_BANDS]
    wanted = [name for name in names if name is not None]
    with opened(expected, wanted[0] if wanted else "scl") as source:
        shape = _coarse(source.shape)
    layers = {name: _whole(expected, name, shape) for name in (*wanted, "scl")}
    scl = layers.pop("scl").astype("uint8")
    return View({name: _numbers(layer) for name, layer in layers.items()}, scl)


def _numbers(layer: npt.NDArray[np.generic]) -> npt.NDArray[np.uint16]:
    """Digital numbers without sign: what is below 0 in a file is not seen."""
    numbers: npt.NDArray[np.uint16] = np.maximum(layer, 0).astype("uint16")
    return numbers


def _coarse(shape: tuple[int, int]) -> tuple[int, int]:
    """Halve a shape until it is small enough: overviews come in powers of two."""
    factor = 1
    while max(shape) / factor > _VIEW_SIDE:
        factor *= 2
    return -(-shape[0] // factor), -(-shape[1] // factor)


def _whole(expected: Expected, band: str, shape: tuple[int, int]) -> npt.NDArray[np.generic]:
    with opened(expected, band) as source:
        layer: npt.NDArray[np.generic] = source.read(
            1, out_shape=shape, resampling=Resampling.nearest
        )
    return layer


def _chips(expected: Expected, places: Places) -> tuple[Chip | None, ...]:
    band = next((name for name in CHIP_BANDS if name in expected.scene.assets), None)
    if band is None:
        return ()
    with opened(expected, band) as fine, opened(expected, "scl") as classes:
        return tuple(_chip(fine, classes, places, corner) for corner in places.corners)


def _chip(
    fine: rasterio.DatasetReader,
    classes: rasterio.DatasetReader,
    places: Places,
    corner: tuple[float, float],
) -> Chip | None:
    """Read a square by its coordinates; None where it is not wholly within the file."""
    step = fine.transform
    exact = ((corner[1] - step.f) / step.e, (corner[0] - step.c) / step.a)
    row, column = round(exact[0]), round(exact[1])
    size = places.size
    inside = 0 <= row <= fine.height - size and 0 <= column <= fine.width - size
    if not inside or abs(step.a - places.pixel) > 0.01 * places.pixel:
        return None
    values = fine.read(1, window=Window(column, row, size, size))
    grid = classes.transform
    x, y = step.c + column * step.a, step.f + row * step.e
    within = Window(
        (x - grid.c) / grid.a,
        (y - grid.f) / grid.e,
        size * step.a / grid.a,
        size * step.e / grid.e,
    )
    scl = classes.read(1, window=within, out_shape=(size, size), resampling=Resampling.nearest)
    clear = np.isin(scl, CLEAR_CLASSES) & (values > 0)
    return Chip(_numbers(values), clear, (row - exact[0], column - exact[1]))


def _warped(
    expected: Expected, band: str, places: Places, at: int, resampling: Resampling
) -> npt.NDArray[np.uint16]:
    x, y = places.corners[at]
    transform = rasterio.Affine(places.pixel, 0, x, 0, -places.pixel, y)
    with (
        opened(expected, band) as source,
        WarpedVRT(
            source,
            crs=places.crs,
            transform=transform,
            width=places.size,
            height=places.size,
            resampling=resampling,
            src_nodata=0,
            nodata=0,
        ) as warped,
    ):
        return _numbers(warped.read(1))


def _unread(error: Exception) -> Note:
    text = " ".join(str(error).split())
    return Note("unread", f"cannot be read: {text}", f"无法读取：{in_chinese(text)}")
