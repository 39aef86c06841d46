"""
Labels of real ground elsewhere: German polygons held out by region, points in Leipzig by block.

Usage: ``python -m benchmarks.real_labels``

The data do not travel with the project: they are looked for below ``JINHUA_SHARED_DATA`` (default
``../shared/data``). Where they are missing it says so, and the page keeps what was measured before.
Features and forest are the product's own, as far as one image gives the features. Writes the part
of ``docs/validation.md`` between its two marks.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from benchmarks import leaks
from benchmarks.section import Section
from jinhua_rs import features
from jinhua_rs.estimation.intervals import wilson
from jinhua_rs.features.catalogue import INDICES
from jinhua_rs.landcover import TrainOptions
from jinhua_rs.landcover.blocks import assign_folds, block_of, held_out
from jinhua_rs.landcover.growing import classifier_of

SECTION = Section("Labels of other places, real pixels", "benchmarks/real_labels.py")
DATA = Path(os.environ.get("JINHUA_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
GERMANY = DATA / "labels" / "germany_s2_landcover_pixels.parquet"
LEIPZIG = DATA / "s2" / "leipzig_mlr3spatial" / "leipzig_points.gpkg"
GERMAN_BANDS = {
    "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge1", "B06": "rededge2",
    "B07": "rededge3", "B08": "nir", "B8A": "nir08", "B11": "swir16", "B12": "swir22",
}  # fmt: skip
LEIPZIG_BANDS = {
    "b02": "blue", "b03": "green", "b04": "red", "b06": "rededge2", "b07": "rededge3",
    "b08": "nir", "b11": "swir16",
}  # fmt: skip
BLOCK_M, SEED = 250.0, 1

Texts = npt.NDArray[np.str_]
Integers = npt.NDArray[np.int64]


def features_of(table: pd.DataFrame, bands: Mapping[str, str]) -> npt.NDArray[np.float32]:
    """Make the features of one image (bands and indices) from digital numbers × 10,000."""
    image = xr.Dataset(
        {
            name: (("y", "x"), table[[column]].to_numpy("float32") / np.float32(10_000))
            for column, name in bands.items()
        },
        coords={"y": np.arange(len(table), dtype=float), "x": [0.0]},
    )
    choice = features.Choice(bands=tuple(bands.values()))
    wanted = [name for name in features.names(choice) if name in image or name in INDICES]
    return features.stack(image, wanted).to_numpy()[:, :, 0].T.copy()


def named(pixels: npt.NDArray[np.float32], labels: Texts, fold: Integers) -> Texts:
    """Name every row by a forest of the product that saw nothing of its fold."""
    codes, place = np.unique(labels, return_inverse=True)
    forest = classifier_of(TrainOptions(seed=SEED))
    return codes[held_out(forest, pixels, place.astype(np.int64), fold)]


def right(true: Texts, said: Texts) -> tuple[float, float, float, int]:
    """Percent right, with its Wilson interval of 95 %, and the number of rows."""
    share, n = np.float64(np.mean(true == said)), len(true)
    low, high = wilson(share, n, 1.96)
    return 100 * float(share), 100 * float(low), 100 * float(high), n


def by_region() -> str:
    """Say how right German labels are in a region that no sample came from."""
    table = pd.read_parquet(GERMANY).drop_duplicates(list(GERMAN_BANDS)).reset_index(drop=True)
    regions, fold = np.unique(table["Region"], return_inverse=True)
    true = table["Label"].to_numpy(str)
    said = named(features_of(table, GERMAN_BANDS), true, fold.astype(np.int64))
    woods = [np.char.find(one, "Forest") >= 0 for one in (true, said)]
    rows = []
    for name in (*regions, "all"):
        at = np.ones(len(table), bool) if name == "all" else (table["Region"] == name).to_numpy()
        shares = (
            np.mean(true[at] == said[at]),
            np.mean(woods[0][at] == woods[1][at]),
            np.mean(woods[0][at & woods[1]]),
            np.mean(woods[1][at & woods[0]]),
        )
        cells = " | ".join(f"{100 * one:.1f}" for one in shares)
        rows.append(f"| {name} | {at.sum()} | {cells} |")
    head = (
        "| region held out | pixels | ten classes right % | forest or not % | user's (forest) % | "
        "producer's (forest) % |\n| --- | --: | --: | --: | --: | --: |"
    )
    return "\n".join([head, *rows])


def in_leipzig() -> str:
    """Say how right the points of Leipzig are in blocks that no sample came from."""
    points = gpd.read_file(LEIPZIG)
    true = points["land_cover"].to_numpy(str)
    blocks = block_of(points.geometry.x.to_numpy(), points.geometry.y.to_numpy(), BLOCK_M)
    codes = np.unique(true, return_inverse=True)[1].astype(np.int64)
    said = named(features_of(points, LEIPZIG_BANDS), true, assign_folds(blocks, codes, seed=SEED))
    forest = [one == "forest" for one in (true, said)]
    whole, woods = right(true, said), right(*(one.astype(str) for one in forest))
    crossed = pd.crosstab(said, true)
    told = (
        f"{len(points)} points, {len(np.unique(blocks))} blocks of {BLOCK_M:g} m. Four classes "
        f"right: {whole[0]:.1f} % (95 % interval {whole[1]:.1f} - {whole[2]:.1f}); forest or not: "
        f"{woods[0]:.1f} % ({woods[1]:.1f} - {woods[2]:.1f})."
    )
    lines = [
        told,
        "",
        "| named as, true | " + " | ".join(crossed.columns) + " |",
        "| --- |" + " --: |" * len(crossed.columns),
        *(f"| {name} | " + " | ".join(map(str, row)) + " |" for name, row in crossed.iterrows()),
    ]
    return "\n".join(lines)


def page() -> str:
    """Measure, and lay out what was found."""
    return f"""\
Written by `python -m benchmarks.real_labels` from data that do not travel with the project (contain
modified Copernicus Sentinel data). One image each: its bands and indices, no season, no texture, no
terrain; forest, blocks and features are the product's own. Ground of central Europe: no accuracy
over Jinhua follows.

Germany: pixels of polygons in four regions (OpenGeoHub 2021 tutorial; repeated rows left out), each
region named by a forest that learnt from the other three. The forests of Muenster were seen without
leaves, those of the others with leaves: what a model has not seen in its season it does not find.

{by_region()}

The same labels, held out in three ways (a full-grown forest, bands only): a random split flatters.

{chr(10).join(leaks.report(GERMANY))}

Leipzig: points of the R package mlr3spatial on one image, 2 km wide.

{in_leipzig()}
"""


def main() -> int:
    """Measure, and write the page; say it where the data are missing."""
    absent = [path for path in (GERMANY, LEIPZIG) if not path.is_file()]
    if absent:
        print(
            f"no {', '.join(map(str, absent))}: set JINHUA_SHARED_DATA to the folder of the shared "
            "data; the section of docs/validation.md stays as it was",
            file=sys.stderr,
        )
        return 0
    SECTION.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
