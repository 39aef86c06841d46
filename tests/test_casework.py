"""Books of planting, mines and plan layers: followed up over two years of a small world."""

import json
import shutil

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
from patch_world import counties, put, square

from jinhua_rs import followup, store
from jinhua_rs.afforestation import LADDER
from jinhua_rs.following import Place
from jinhua_rs.mines import MineStatus
from jinhua_rs.period import Period
from jinhua_rs.schema import Forest, Land
from jinhua_rs.settings import load_settings

SIDE, YEARS = 90, range(2016, 2025)
PARCEL, MINE = square(20, 20, 10, 10), square(60, 60, 10, 10)
NOTE = '=HYPERLINK("http://x","树种")'


def years_of_maps():
    """Yield year and maps: fields in the north, forest in the south, a parcel and a mine grow."""
    rng = np.random.default_rng(3)
    for year in YEARS:
        ndvi = np.full((SIDE, SIDE), 0.4, "float32")
        ndvi[45:] = 0.8
        canopy = np.where(ndvi > 0.6, 0.7, 0.02).astype("float32")
        grown = max(0.0, (year - 2019) / 5)
        canopy[20:30, 20:30] = 0.02 + 0.4 * grown
        ndvi[20:30, 20:30] = 0.4 + 0.35 * grown
        healed = min(1.0, max(0.0, (year - 2017) / 5))
        ndvi[60:70, 60:70], canopy[60:70, 60:70] = 0.1 + 0.65 * healed, 0.5 * healed
        ndvi += rng.normal(0, 0.01, ndvi.shape).astype("float32")
        land = np.full((SIDE, SIDE), int(Land.CROPLAND))
        land[45:] = int(Land.CONIFER)
        land[20:30, 20:30] = int(Land.CONIFER if grown > 0.5 else Land.CROPLAND)
        land[60:70, 60:70] = int(Land.BARE if healed < 0.5 else Land.CONIFER)
        before = land.copy()
        land[80:85, 10:15] = land[5:10, 70:75] = int(Land.BARE)
        yield (
            year,
            {
                "ndvi": ndvi,
                "nbr": ndvi - np.float32(0.15),
                "canopy": canopy,
                "landcover": land.astype("uint8"),
                "baseline/landcover": before.astype("uint8"),
                "forest": np.where(canopy >= 0.2, Forest.FOREST, Forest.OTHER).astype("uint8"),
                "n_clear": np.full((SIDE, SIDE), 6, "uint16"),
                "alert": _alerts(),
            },
        )


def _alerts():
    """Loss in the forest in the south, in the mine, and in the fields; gain in the fields."""
    alert = np.ones((SIDE, SIDE), "uint8")
    alert[80:85, 10:15] = 2
    alert[62:66, 62:66] = 2
    alert[5:10, 70:75] = 2
    alert[35:40, 5:10] = 3
    return alert


def write(path, shapes, **fields):
    layer = gpd.GeoDataFrame(fields, geometry=shapes, crs="EPSG:4549")
    pyogrio.write_dataframe(layer, path)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("city")
    pyogrio.write_dataframe(counties(square(0, 0, SIDE, SIDE)).reset_index(), folder / "units.gpkg")
    write(
        folder / "parcels.gpkg", [PARCEL, square(50, 10, 6, 6)], parcel=["ZL-1", "ZL-2"],
        year=[2018, 2018], reported_mu=[15.0, 9.0], species=["杉木", NOTE],
        setting=["山地", "坡地"], type=["新造", "新造"],
    )  # fmt: skip
    write(folder / "mines.gpkg", [MINE], site=["mine-1"], name=["矿山一号"], status=["治理中"])
    write(folder / "farmland.gpkg", [square(50, 10, 3, 6)], name=["基本农田"])
    write(folder / "reserves.gpkg", [square(0, 45, 45, 45)], name=["南山"])
    (folder / "jinhua.toml").write_text(
        '[area]\nunits = "units.gpkg"\n[output]\nroot = "out"\n[report]\nsimulated = true\n'
        '[layers]\nparcels = "parcels.gpkg"\nmines = "mines.gpkg"\n'
        'basic_farmland = "farmland.gpkg"\nreserves = "reserves.gpkg"\n',
        encoding="utf-8",
    )
    for year, maps in years_of_maps():
        published = folder / "out" / str(year) / "published"
        for name, values in maps.items():
            put(published / f"{name}.tif", values)
        store.write_json(
            published / "run.json", {"run_id": f"r{year}", "label": "SIMULATED 模拟数据"}
        )
        store.write_sums(published, sorted(published.glob("*.[tj]*")))
    return folder


def follow(world, year):
    settings = load_settings(world / "jinhua.toml", environment={}).settings
    return followup.run(Place.of(Period(year), settings), progress=lambda *_: None).folder


@pytest.fixture(scope="module")
def followed(world):
    return {year: follow(world, year) / followup.BOOKS for year in (2019, 2024)}


def table(folder, name):
    return pd.read_csv(folder / name, keep_default_na=False, na_values=[""])


def test_a_parcel_is_followed_from_too_young_to_forest(followed):
    then = table(followed[2019], "afforestation.csv").set_index("parcel")
    now = table(followed[2024], "afforestation.csv").set_index("parcel")

    assert then.loc["ZL-1", "stage"].startswith("遥感不可判")
    assert now.loc["ZL-1", "stage"] == "成林"
    assert now.loc["ZL-1", "former_stage"] == then.loc["ZL-1", "stage"]
    assert now.loc["ZL-1", "forest_mu"] == 15.0
    assert now.loc["ZL-2", "stage"] == "逾期未成林"
    assert now.loc["ZL-2", "on_farmland_mu"] == pytest.approx(2.7)
    assert now.loc["ZL-2", "conflict"]


def test_sums_in_the_workbook_are_those_of_the_ledger(followed):
    ledger = table(followed[2024], "afforestation.csv")
    book = openpyxl.load_workbook(followed[2024] / "afforestation.xlsx")

    assert book.sheetnames == [
        "说明",
        "小班台账",
        "按县（市、区）汇总",
        "按造林年度汇总",
        "按六大森林汇总",
    ]
    for name in book.sheetnames[2:]:
        head, *rows = book[name].values
        for field, heading in zip(LADDER, ("上报", "上图", "见绿", "成林"), strict=True):
            place = head.index(f"{heading}面积（亩）")
            assert sum(row[place] for row in rows) == pytest.approx(ledger[field].sum(), abs=0.1)


def test_what_a_layer_says_stays_text_in_the_workbook(followed):
    book = openpyxl.load_workbook(followed[2024] / "afforestation.xlsx")

    cells = [cell for row in book["小班台账"].iter_rows() for cell in row if cell.value == NOTE]
    assert [cell.data_type for cell in cells] == ["s"]


def test_the_plan_figure_stands_in_both_readings(followed):
    book = openpyxl.load_workbook(followed[2024] / "afforestation.xlsx")
    told = {row[0]: row[1] for row in book["说明"].values}

    assert told["数据性质"] == "SIMULATED 模拟数据"
    assert told["规划目标（原文）"].startswith("151.2 万亩；上报 0.00 万亩")
    assert told["规划目标（另一读法）"].startswith("15.12 万亩")
    assert "180万亩" in told["规划目标存疑"]


def test_a_mine_has_its_record_its_card_and_its_county(followed):
    row = table(followed[2024], "mines.csv").iloc[0]
    yearly = table(followed[2024], "mines-yearly.csv")

    assert row["status"] == MineStatus.RESTORED.value
    assert row["former_status"] in {status.value for status in MineStatus}
    assert row["county"] == 330782
    assert row["area_mu"] == 15.0
    assert row["rri_low"] <= row["rri"] <= row["rri_high"]
    assert set(yearly["year"]) == set(YEARS)
    assert (followed[2024] / "cards" / "0001.png").read_bytes()[:4] == b"\x89PNG"


def test_plan_layers_are_measured_or_say_what_they_need(followed):
    rows = table(followed[2024], "themes.csv").set_index(["theme", "feature", "indicator"])

    assert rows.loc[("reserves", "南山", "area_ha"), "value"] == pytest.approx(20.25)
    assert rows.loc[("corridors", "全部", "corridor"), "status"] == "needs layer"
    returned = rows.loc[("farmland_returned", "义乌市", "cropland_to_forest_ha")]
    assert (returned["status"], returned["value"]) == ("mapped", 0)


def test_what_no_layer_lists_is_told(followed):
    mines = table(followed[2024], "unlisted-mines.csv")
    trees = table(followed[2024], "unlisted-trees.csv")

    assert mines["area_mu"].tolist() == [3.75]  # not the known mine, not the fields
    assert mines["y"].tolist() == pytest.approx([3_219_175], abs=30)
    assert trees["area_mu"].tolist() == [3.75]


def test_following_up_again_changes_no_byte(world, followed):
    folder = followed[2024].parent
    before = (folder / store.SUMS).read_text("utf-8")

    shutil.rmtree(folder)
    follow(world, 2024)

    assert (folder / store.SUMS).read_text("utf-8") == before


def test_where_maps_are_missing_the_other_books_are_made(world):
    year = 2030
    published = world / "out" / str(year) / "published"
    for name, values in dict(years_of_maps())[2024].items():
        if name != "canopy":
            put(published / f"{name}.tif", values)
    store.write_json(published / "run.json", {"run_id": "r", "label": "SIMULATED 模拟数据"})
    store.write_sums(published, sorted(published.glob("*.[tj]*")))

    folder = follow(world, year)

    told = json.loads((folder / "run.json").read_text("utf-8"))["books"]
    assert "canopy" in told["parcels"]["not made"]
    assert "mines" in told
    assert not (folder / followup.BOOKS / "afforestation.csv").exists()
    assert (folder / followup.BOOKS / "themes.csv").exists()
