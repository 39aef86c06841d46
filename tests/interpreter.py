"""A little published period, and people who fill in forms about it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import geopandas as gpd
import numpy as np
import openpyxl
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_zeros
from shapely.geometry import box

from jinhua_rs import store

LEFT, TOP, SIDE = 500_000.0, 3_200_000.0, 100  # 1 km x 1 km in pixels of 10 m, on tiles of 50
NOW = datetime(2026, 11, 25, tzinfo=UTC)
LABEL = "SIMULATED 模拟数据"

CONFIG = """
[area]
units = "units.gpkg"
tile_size = 50
check_datum = false
[time]
baseline = "2023Q4"
[output]
root = "out"
[report]
simulated = true
[interpretation]
city_points = 5
county_points = 7
minimum = 6
first_reader = "=cmd|'/c calc'!A1"
"""


def truth(period):
    """Canopy cover, dims (y, x): dense in the north, bare in the south; 3 rows less in 2024."""
    rows = np.arange(SIDE)[:, None] * np.ones((1, SIDE))
    return np.where(rows < (62 if period == "2023Q4" else 59), 0.7, 0.05)


def publish(folder):
    """Write a configuration, units, and two published periods of a map with errors."""
    folder.mkdir(exist_ok=True)
    (folder / "jinhua.toml").write_text(CONFIG)
    gpd.GeoDataFrame(
        {"code": ["A", "B"], "name_zh": ["东县", "西县"]},
        geometry=[
            box(LEFT + 600, TOP - 1000, LEFT + 1000, TOP),
            box(LEFT, TOP - 1000, LEFT + 600, TOP),
        ],
        crs="EPSG:4549",
    ).to_file(folder / "units.gpkg")
    for period in ("2023Q4", "2024Q4"):
        _publish(folder / "out" / period, period)
    return folder / "jinhua.toml"


def _publish(folder, period):
    mapped = np.where(np.roll(truth(period), 4, axis=0) >= 0.2, 2, 1).astype("uint8")
    mapped[:5, :5] = 0
    (folder / "published").mkdir(parents=True)
    _write(folder / "published" / "forest.tif", mapped, period)
    change = np.where(mapped == 2, 4, 1).astype("uint8")
    change[60:63] = 3
    _write(folder / "published" / "change.tif", change, period)
    digests = {}
    for column in range(2):
        for row in range(2):
            left, top = LEFT + 500 * column, TOP - 500 * row
            box_ = GeoBox((50, 50), Affine(10, 0, left, 0, -10, top), "EPSG:4549")
            part = truth(period)[50 * row : 50 * row + 50, 50 * column : 50 * column + 50]
            empty = xr_zeros(box_, dtype="float32")
            bands = {
                name: empty + np.where(part > 0.2, wooded, bare).astype("float32")
                for name, wooded, bare in (
                    ("blue", 0.02, 0.08), ("green", 0.04, 0.10), ("red", 0.03, 0.12),
                    ("nir", 0.35, 0.20),
                )
            }  # fmt: skip
            tile = f"e{round(left / 500):04d}n{round(top / 500) - 1:04d}"
            path = folder / "tiles" / "composite" / f"{tile}.zarr"
            store.write_tile(path, empty.to_dataset(name="ndvi").assign(bands), LABEL)
            store.seal(path, "key")
            digests[tile] = store.read_facts(path)["sha256"]
    receipt = {"period": period, "tiles": {"composite": digests}, "run_id": "0"}
    store.write_json(folder / "published" / "run.json", receipt)


def _write(path, pixels, period):
    profile = {
        "driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:4549", "nodata": 0,
        "height": SIDE, "width": SIDE, "transform": Affine(10, 0, LEFT, 0, -10, TOP),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(pixels, 1)
        target.update_tags(period=period, label=LABEL)


def reader(design, *, errs=0.0, seed=0, unsure=()):
    """Return what an interpreter says of a point and period: canopy (%), class, how sure."""
    places = dict(zip(design.points["point"], design.places(), strict=True))
    rng = np.random.default_rng(seed)

    def say(point, period):
        if point in unsure:
            return None, None, "none"
        x, y = places[point]
        cover = truth(period)[int((TOP - y) // 10), int((x - LEFT) // 10)]
        if rng.random() < errs:
            cover = 0.75 - cover
        return round(100 * float(cover)), "2" if cover > 0.2 else "7", "high"

    return say


LABELS = {
    "2": "2 针叶林", "7": "7 耕地",
    "high": "高", "medium": "中", "low": "低（拿不准）", "none": "无法判读",
}  # fmt: skip


def fill_workbook(form, target, say, periods=("2023Q4", "2024Q4"), spoil=lambda _: None):
    """Fill in a form as a workbook, and save it as ``target``."""
    book = openpyxl.load_workbook(form)
    sheet = book["判读表"]
    for row in range(2, sheet.max_row + 1):
        for at, period in enumerate(periods):
            canopy, kind, sure = say(sheet.cell(row, 1).value, period)
            sheet.cell(row, 4 + 3 * at).value = canopy
            sheet.cell(row, 5 + 3 * at).value = LABELS.get(kind)
            sheet.cell(row, 6 + 3 * at).value = LABELS[sure]
    spoil(sheet)
    book.save(target)
    return target


def fill_layer(form, target, say, periods=("2023Q4", "2024Q4")):
    """Fill in a form as a GeoPackage, as QGIS would write it."""
    target.write_bytes(form.read_bytes())
    with closing(sqlite3.connect(target)) as base, base:
        for (name,) in base.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            base.execute(f'DROP TRIGGER "{name}"')  # they need functions that GDAL brings
        for (point,) in base.execute("SELECT point FROM points").fetchall():
            for period in periods:
                canopy, kind, sure = say(point, period)
                base.execute(
                    f'UPDATE points SET "canopy_{period}" = ?, "class_{period}" = ?, '  # noqa: S608
                    f'"sure_{period}" = ? WHERE point = ?',
                    (canopy, kind, sure, point),
                )
    return target
