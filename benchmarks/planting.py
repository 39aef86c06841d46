"""
How long does the planting ledger of a whole city take? Measured in fresh processes, by turns.

Usage: ``python -m benchmarks.planting [--to FOLDER]``

A square of 20 km of smooth noise stands for yearly maps (no class or canopy means anything).
Parcels of 6 ha lie on it as densely as on the 10,942 km² of Jinhua if 1,800 are reported, then
four times as densely. *By parcel* reads each year's maps for every parcel, *by block* is
the ledger as it is, which reads them once for the parcels of a square of 10 km. CPU seconds and
peak MiB of a process. Writes its section of
``benchmarks/README.md``.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from rasterio.transform import from_origin
from scipy import ndimage

from benchmarks import page
from benchmarks.county import MEASURED, PAGE
from benchmarks.measure import Work, run
from jinhua_rs import afforestation, store
from jinhua_rs.history import publications
from jinhua_rs.layers import Layer
from jinhua_rs.period import Period

SIDE_M, LEFT, TOP = 20_000.0, 480_000.0, 3_250_000.0
CITY_KM2, CITY_PARCELS, CITY_YEARS = 10_942.0, 1_800, 9
CASES = ((1, 9, True), (4, 9, False), (1, 3, True))
"""Density of parcels in those of the city; years; whether by parcel too, which is slow."""


def maps(root: Path, years: int) -> None:
    """Publish maps of smooth noise for some years, unless that is done."""
    rng, n = np.random.default_rng(5), int(SIDE_M / 10)
    for year in range(2025 - years, 2025):
        folder = root / str(year) / "published"
        if (folder / store.SUMS).is_file():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        coarse = ndimage.zoom(rng.random((n // 20, n // 20), dtype="float32"), 20, order=1)
        noisy = (coarse + 0.05 * rng.standard_normal((n, n), dtype="float32")).astype("float32")
        layers = {
            "ndvi": noisy,
            "canopy": np.clip(noisy, 0, 1),
            "landcover": (1 + 9 * np.clip(coarse, 0, 0.99)).astype("uint8"),
            "n_clear": np.full((n, n), 6, "uint16"),
        }
        for name, values in layers.items():
            _write(folder / f"{name}.tif", values)
        store.write_json(folder / "run.json", {"run_id": str(year), "label": "SIMULATED 模拟数据"})
        store.write_sums(folder, sorted(folder.glob("*.[tj]*")))


def _write(path: Path, values: np.ndarray) -> None:
    profile = {
        "driver": "COG", "dtype": values.dtype, "count": 1, "crs": "EPSG:4549",
        "height": values.shape[0], "width": values.shape[1], "compress": "DEFLATE",
        "transform": from_origin(LEFT, TOP, 10, 10),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(values, 1)


def parcels(times: int) -> gpd.GeoDataFrame:
    """Strew parcels over the square, so many times as dense as in the city."""
    rng = np.random.default_rng(7)
    count = round(times * CITY_PARCELS * SIDE_M**2 / (CITY_KM2 * 1e6))
    x, y = rng.uniform(500, SIDE_M - 500, (2, count))
    shapes = shapely.box(LEFT + x, TOP - y - 245, LEFT + x + 245, TOP - y)
    fields = {"parcel": [f"p{n}" for n in range(count)], "year": "2018", "species": "杉木"}
    return gpd.GeoDataFrame(fields, geometry=shapes, crs="EPSG:4549")


def judged(root: str, *, times: int, years: int, by: str) -> Iterator[dict[str, int]]:
    """Prepare, then make the ledger by block, or parcel by parcel."""
    table = parcels(times)
    read = [table] if by == "block" else [table.iloc[[n]] for n in range(len(table))]
    groups = [
        afforestation.parcels_of(Layer("parcels", one.reset_index(drop=True), "")) for one in read
    ]
    published = publications(Path(root), Period(2024))[-years:]
    for one in published:
        for path in sorted(one.folder.glob("*.tif")):
            one.map(path.stem)  # checks the sums once
    yield {}
    rows = 0
    for group in groups:
        found = afforestation.ledger(
            group, published, county_of=lambda _: "330700", farmland=None, elevation=None, seed=1
        )
        rows += len(found)
    yield {"parcels": rows}


def main() -> None:
    """Measure, keep the numbers, write the page."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--to", type=Path, default=Path("outputs/planting"))
    root = asked.parse_args().to.resolve()
    maps(root, max(years for _, years, _ in CASES))
    rows: list[dict[str, float]] = []
    for times, years, both in CASES:
        given = {"root": str(root), "times": times, "years": years}
        row: dict[str, float] = {"years": years}
        for by in ("block", "parcel") if both else ("block",):
            one = run(Work(by, "benchmarks.planting:judged", given | {"by": by}))
            row |= {"parcels": one.facts["parcels"], by: one.cpu_s, f"{by}_mib": one.peak_mib}
        row["city"] = row["block"] * CITY_KM2 * 1e6 / SIDE_M**2
        rows.append(row)
        print(row, flush=True)
    numbers = json.loads(MEASURED.read_text("utf-8")) | {"planting": rows}
    MEASURED.write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    PAGE.write_text(page.render(numbers), "utf-8")


if __name__ == "__main__":
    main()
