"""The work on a tile after its land is named: neighbours and earlier years heard, patches kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from jinhua_rs import morphology, refine, store
from jinhua_rs.errors import ContractError
from jinhua_rs.grid import require_same_grid
from jinhua_rs.pieces import Made
from jinhua_rs.refine import STEPS, Look
from jinhua_rs.schema import TREE_CLASSES, Forest, Land, described
from jinhua_rs.settings import Refine
from jinhua_rs.units import M2_PER_MU

__all__ = ["Around", "RefineJob", "keep_units", "refine_tile"]

Codes = npt.NDArray[np.uint8]

Around = Mapping[tuple[int, int], Path]
"""Named tiles of a period around a place, by tiles down and to the right; it is at (0, 0)."""

_CLASSES = tuple(f"p{kind:d}" for kind in Land if kind)


@dataclass(frozen=True, slots=True)
class RefineJob:
    """
    Everything a worker needs to refine one tile.

    ``looks`` are by year, the last in hand; ``rim`` is how many pixels around it are heard.
    """

    path: Path
    key: str
    looks: tuple[tuple[int, Around], ...]
    options: Refine
    rim: int
    label: str


def refine_tile(job: RefineJob) -> Made:
    """Smooth one tile's probabilities and make them consistent with those of earlier years."""
    tile = job.path.stem
    if store.is_sealed(job.path, job.key):
        return Made(tile, "reused", {}, int(store.read_facts(job.path)["clear_pixels"]))
    own = store.open_tile(job.looks[-1][1][0, 0])
    for _, around in job.looks:
        _require_kin(store.open_tile(around[0, 0]), own, job.label)
    found = refine.refine(
        [_look(year, around, job.rim) for year, around in job.looks], job.options, job.rim
    )
    named = {name: own[name].to_numpy() for name in ("landcover", "confidence") if name in own}
    if found.landcover is not None and found.confidence is not None:
        named = {"landcover": found.landcover, "confidence": found.confidence}
    layers = named | {
        "forest": found.forest,
        "steps": refine.packed(found.raw, found.smoothed, found.forest, found.forest),
    }
    store.write_tile(job.path, _laid_like(own["forest"], layers), job.label)
    clear_pixels = int((found.forest != Forest.UNSEEN).sum())
    heard = [year for year, _ in job.looks[:-1]]
    store.seal(job.path, job.key, {"clear_pixels": clear_pixels, "heard": heard})
    return Made(tile, "done", {}, clear_pixels)


def _require_kin(past: xr.Dataset, own: xr.Dataset, label: str) -> None:
    """Raise unless a tile of an earlier year lies on the same grid and is as real."""
    require_same_grid(past["forest"], own["forest"])
    if past.attrs.get("label", "") != label:
        raise ContractError(
            "simulated and real periods lie in one output root; they must not hear each other: "
            "choose another [output] root for one of them, or set [refine] history_years = 0",
            zh="同一成果根目录内既有模拟又有真实时段，二者不得互相参考；"
            "请为其一更换 [output] root，或设 [refine] history_years = 0",
        )


def _look(year: int, around: Around, rim: int) -> Look:
    """Read a tile of probabilities with a rim from its neighbours; beyond them nothing is seen."""
    parts = {
        place: _parts(path, *(_of_neighbour(step, rim) for step in place))
        for place, path in around.items()
        if rim or place == (0, 0)
    }
    trees, classes = parts[0, 0]
    size = tuple(side + 2 * rim for side in trees.shape)
    whole = np.full(size, refine.UNSEEN, np.uint8)
    named = None if classes is None else np.full((len(classes), *size), refine.UNSEEN, np.uint8)
    for place, (some, some_classes) in parts.items():
        at = tuple(_in_whole(step, rim) for step in place)
        whole[at] = some
        if named is not None and some_classes is not None:
            named[:, *at] = some_classes
    return Look(year, whole, named)


def _of_neighbour(step: int, rim: int) -> slice:
    """Rows or columns that a tile lends to the one ``-step`` tiles off."""
    return (slice(None), slice(None, rim), slice(-rim, None))[step]


def _in_whole(step: int, rim: int) -> slice:
    """Where these lie in a tile with its rim."""
    return (slice(rim, -rim or None), slice(-rim, None), slice(None, rim))[step]


def _parts(path: Path, rows: slice, columns: slice) -> tuple[Codes, Codes | None]:
    """Probabilities of tree cover and of the classes, 1/250, on a part of a named tile."""
    data = store.open_tile(path).isel(y=rows, x=columns)
    forest, classes = data["forest"].to_numpy(), None
    if set(_CLASSES) <= set(data):
        classes = np.stack([data[name].to_numpy() for name in _CLASSES])
    if "canopy" in data:
        slope = float(store.read_facts(path)["canopy_slope"])
        return refine.tree_parts(forest, data["canopy"].to_numpy(), slope), classes
    if classes is None:
        return refine.sided(forest, 250 * (forest == Forest.FOREST)), None
    trees = classes[[kind - 1 for kind in TREE_CLASSES]].sum(axis=0, dtype=np.uint16)
    return refine.sided(forest, trees), classes


def _laid_like(like: xr.DataArray, layers: Mapping[str, npt.NDArray[Any]]) -> xr.Dataset:
    """Lay layers on the grid of another."""
    return xr.Dataset(
        {name: described(like.copy(data=values), name) for name, values in layers.items()}
    )


def keep_units(
    tiles: Mapping[str, Path], folder: Path, key: str, options: Refine, label: str
) -> Made:
    """
    Bring the tree cover of all tiles, as one map, to its minimum mapping unit.

    Parameters
    ----------
    tiles : Mapping
        Refined tiles by id.
    folder : Path
        Where the tiles of ``forest`` and ``steps`` are written, sealed with ``key``.
    """
    made = {tile: folder / f"{tile}.zarr" for tile in tiles}
    if all(store.is_sealed(path, key) for path in made.values()):
        found = (int(store.read_facts(path)["clear_pixels"]) for path in made.values())
        return Made("map", "reused", {}, sum(found))
    steps = {tile: store.open_tile(path)["steps"] for tile, path in tiles.items()}
    places, size = _places(list(steps.values()))
    whole = np.zeros(size, np.uint8)
    for layer, place in zip(steps.values(), places, strict=True):
        whole[place] = layer.to_numpy()
    came = [refine.forest_after(whole, step) for step in STEPS[:-1]]
    kept = morphology.minimum_unit(
        came[-1],
        _side(next(iter(steps.values()))) ** 2,
        patch_m2=options.min_patch_mu * M2_PER_MU,
        hole_m2=options.fill_holes_m2,
    )
    whole = refine.packed(*came, kept)
    clear_pixels = 0
    for (tile, path), place in zip(made.items(), places, strict=True):
        layers = {"forest": kept[place], "steps": whole[place]}
        store.write_tile(path, _laid_like(steps[tile], layers), label)
        seen = int((kept[place] != Forest.UNSEEN).sum())
        store.seal(path, key, {"clear_pixels": seen})
        clear_pixels += seen
    return Made("map", "done", {}, clear_pixels)


def _places(layers: Sequence[xr.DataArray]) -> tuple[list[tuple[slice, slice]], tuple[int, int]]:
    """Rows and columns of each tile in the map of them all, and the size of that map."""
    side = _side(layers[0])
    left, top = min(float(one.x[0]) for one in layers), max(float(one.y[0]) for one in layers)
    places = []
    for one in layers:
        row, column = round((top - float(one.y[0])) / side), round((float(one.x[0]) - left) / side)
        places.append((slice(row, row + one.sizes["y"]), slice(column, column + one.sizes["x"])))
    return places, (
        max(rows.stop for rows, _ in places),
        max(columns.stop for _, columns in places),
    )


def _side(layer: xr.DataArray) -> float:
    """Side of a pixel, m."""
    return float(layer.x[1] - layer.x[0])
