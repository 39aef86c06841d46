"""
A square kilometre of broadleaf forest in Romania: real pixels to search, with ground truth.

Everything comes from the wheel ``nrt`` 0.2.1, see :mod:`jinhua_rs.sites.wheel`; what is written
here looks to the rest of the house like any provider and any customer's layers.
"""

import json
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
from shapely import box

from jinhua_rs.errors import ConfigError
from jinhua_rs.sites.items import COLLECTION, write_items
from jinhua_rs.sites.measures import block_folds
from jinhua_rs.sites.wheel import CRS, facts, outline, read_pixels, tree_cover

__all__ = [
    "COLLECTION",
    "CRS",
    "FOLDS",
    "TRUTH_PERIOD",
    "folds",
    "outline",
    "read_pixels",
    "tree_cover",
    "truth_points",
    "write_stac",
]

TRUTH_PERIOD = "2018Q3"
"""The density layer describes 2018; its summer is the period that it can judge."""
FOLDS = 5
"""Each run trains on four of them and is judged on the fifth."""

_BLOCK_CELLS = 10
"""Side of a spatial block in truth cells: 200 m."""
_RECEIPT = "site.json"


def write_stac(folder: Path) -> Path:
    """
    Write the site whole or not at all; a second call finds it there.

    ``folder`` then holds ``catalog.json`` (a STAC catalog with relative links, one item per date
    in the Earth Search Collection-1 dialect), ``items.json`` (the same items with absolute file
    addresses, for a loopback server), ``units.gpkg`` (the site and its four quadrants) and, for
    each fold of :func:`folds`, a folder ``fold-0`` … with ``samples.gpkg`` (canopy at the truth
    cells of the other folds) and ``reference.gpkg`` (canopy at every other row and column of the
    truth cells of the fold's own blocks, which no sample touches).

    Parameters
    ----------
    folder : Path
        New or empty, or written by an earlier call.

    Returns
    -------
    Path
        ``folder``, absolute.

    Raises
    ------
    ConfigError
        If the wheel is not installed, or ``folder`` holds something else, was moved, or comes
        from other pixels.
    """
    folder = folder.resolve()
    receipt = facts() | {"folder": str(folder)}
    if folder.is_dir() and any(folder.iterdir()):
        _require_same(folder, receipt)
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as aside:
        part = Path(aside) / folder.name
        part.mkdir()
        write_items(part, folder)
        _write_layers(part)
        (part / _RECEIPT).write_text(json.dumps(receipt, indent=1), encoding="utf-8")
        part.rename(folder)
    return folder


def folds() -> npt.NDArray[np.uint8]:
    """Fold of each truth cell, dims (row, column): 25 blocks of 200 m dealt to five folds."""
    truth = tree_cover()
    return block_folds((len(truth.y), len(truth.x)), block=_BLOCK_CELLS, folds=FOLDS)


def truth_points() -> gpd.GeoDataFrame:
    """
    Truth cells as points at their centres, row by row.

    Returns
    -------
    GeoDataFrame, EPSG:3035
        Columns ``canopy`` (0-1, NaN = no truth), ``fold``, ``row``, ``column``, ``geometry``.
    """
    truth = tree_cover()
    row, column = np.indices(truth.shape)
    x, y = np.meshgrid(truth.x.to_numpy(), truth.y.to_numpy())
    values = {
        "canopy": truth.to_numpy().ravel(),
        "fold": folds().ravel(),
        "row": row.ravel(),
        "column": column.ravel(),
    }
    return gpd.GeoDataFrame(values, geometry=gpd.points_from_xy(x.ravel(), y.ravel()), crs=CRS)


def _require_same(folder: Path, receipt: dict[str, object]) -> None:
    path = folder / _RECEIPT
    if not path.is_file() or json.loads(path.read_text(encoding="utf-8")) != receipt:
        raise ConfigError(
            f"{folder} is not empty and is not this site (or was moved); give a new folder",
            zh=f"{folder} 非空且不是本样地（或已被移动）；请另选新文件夹",
        )


def _write_layers(folder: Path) -> None:
    site = outline()
    west, south, east, north = site.bounds
    x, y = (west + east) / 2, (south + north) / 2
    units = [
        ("RO-0", "样地", "site", "city", site),
        ("RO-1", "西北象限", "north-west", "zone", box(west, y, x, north)),
        ("RO-2", "东北象限", "north-east", "zone", box(x, y, east, north)),
        ("RO-3", "西南象限", "south-west", "zone", box(west, south, x, y)),
        ("RO-4", "东南象限", "south-east", "zone", box(x, south, east, y)),
    ]
    columns = ["code", "name_zh", "name_en", "level", "geometry"]
    _layer(gpd.GeoDataFrame(units, columns=columns, crs=CRS), folder / "units.gpkg")
    cells = truth_points().dropna(subset=["canopy"])
    for fold in range(FOLDS):
        (folder / f"fold-{fold}").mkdir()
        _write_fold(folder / f"fold-{fold}", cells, fold)


def _write_fold(folder: Path, cells: gpd.GeoDataFrame, fold: int) -> None:
    """Write what a run that holds out ``fold`` may train on, and what may judge it."""
    held_out = cells["fold"] == fold
    sparse = (cells["row"] % 2 == 0) & (cells["column"] % 2 == 0)
    _layer(cells.loc[~held_out, ["canopy", "fold", "geometry"]], folder / "samples.gpkg")
    reference = cells[held_out & sparse].assign(period=TRUTH_PERIOD)
    reference["point"] = [f"RO-{fold}-{n:04d}" for n in range(len(reference))]
    _layer(reference[["point", "period", "canopy", "geometry"]], folder / "reference.gpkg")


def _layer(layer: gpd.GeoDataFrame, path: Path) -> None:
    layer.to_file(path, driver="GPKG", index=False)
