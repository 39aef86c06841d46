"""Layers as they come, through the door of followup: each fault is told, the rest goes on."""

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
from patch_world import counties, put, square
from shapely import affinity
from shapely.geometry import Polygon

from jinhua_rs import followup, store
from jinhua_rs.following import Place
from jinhua_rs.period import Period
from jinhua_rs.schema import Land
from jinhua_rs.settings import load_settings

SIDE, YEARS = 90, (2022, 2023, 2024)
CRS = "EPSG:4549"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Three years of a quiet little city: fields, and forest in the south."""
    folder = tmp_path_factory.mktemp("city")
    pyogrio.write_dataframe(counties(square(0, 0, SIDE, SIDE)).reset_index(), folder / "units.gpkg")
    ndvi = np.full((SIDE, SIDE), 0.4, "float32")
    ndvi[45:] = 0.8
    land = np.where(ndvi > 0.6, int(Land.CONIFER), int(Land.CROPLAND)).astype("uint8")
    maps = {
        "ndvi": ndvi,
        "nbr": ndvi - np.float32(0.15),
        "canopy": np.where(ndvi > 0.6, 0.7, 0.02).astype("float32"),
        "landcover": land,
        "n_clear": np.full((SIDE, SIDE), 6, "uint16"),
        "alert": np.ones((SIDE, SIDE), "uint8"),
    }
    for year in YEARS:
        there = folder / "out" / str(year) / "published"
        for name, values in maps.items():
            put(there / f"{name}.tif", values)
        store.write_json(there / "run.json", {"run_id": f"r{year}", "label": "SIMULATED 模拟数据"})
        store.write_sums(there, sorted(there.glob("*.[tj]*")))
    return folder


@pytest.fixture
def follow(published, tmp_path):
    """Follow 2024 up with layers; return the folder of its books and what the receipt remarks."""

    def run(**layers):
        settings = load_settings(
            None,
            environment={},
            overrides={
                "area.units": published / "units.gpkg",
                "output.root": published / "out",
                "report.simulated": True,
            }
            | {f"layers.{role}": path for role, path in layers.items()},
        ).settings
        found = followup.run(Place.of(Period(2024), settings), progress=lambda *_: None)
        receipt = store.read_json(found.folder / "run.json")
        return found.folder / followup.BOOKS, receipt

    return run


def save(path, shapes, **fields):
    layer = gpd.GeoDataFrame(fields, geometry=shapes, crs=CRS)
    pyogrio.write_dataframe(layer, path, **({"encoding": "GBK"} if path.suffix == ".shp" else {}))
    return path


def told(books, name):
    """Lines of the first sheet of a workbook."""
    sheet = openpyxl.load_workbook(books / name)["说明"]
    return "\n".join(str(row[1]) for row in sheet.values)


def parcels(books):
    table = pd.read_csv(books / "afforestation.csv", keep_default_na=False)
    return table.set_index("parcel")


def bow_tie(column, row):
    left, bottom, right, top = square(column, row, 10, 10).bounds
    return Polygon([(left, bottom), (right, top), (right, bottom), (left, top)])


def test_a_parcel_that_crosses_itself_is_mended_and_judged(follow, tmp_path):
    layer = save(
        tmp_path / "p.gpkg", [bow_tie(10, 10), square(30, 10, 10, 10)],
        parcel=["crossed", "sound"], year=[2020, 2020], reported_mu=[7.5, 15.0],
    )  # fmt: skip

    books, receipt = follow(parcels=layer)

    table = parcels(books)
    assert table.loc["crossed", "drawn_mu"] == pytest.approx(7.5)
    assert set(table["stage"]) == {"未见成效"}
    assert "1 个自相交，已修复" in told(books, "afforestation.xlsx")
    assert any("自相交" in line for line in receipt["remarks"])


def test_ground_under_two_parcels_counts_once_and_the_second_names_the_first(follow, tmp_path):
    layer = save(
        tmp_path / "p.gpkg", [square(10, 10, 10, 10), square(12, 10, 10, 10)],
        parcel=["first", "second"], year=[2020, 2021], reported_mu=[15.0, 15.0],
    )  # fmt: skip

    table = parcels(follow(parcels=layer)[0])

    assert table["mapped_mu"].to_dict() == {"first": 15.0, "second": 3.0}
    assert table["duplicate_of"].to_dict() == {"first": "", "second": "first"}


def test_a_parcel_without_a_year_and_one_whose_id_stands_twice_keep_their_rows(follow, tmp_path):
    layer = save(
        tmp_path / "p.gpkg", [square(column, 10, 10, 10) for column in (10, 30, 50)],
        parcel=["a", "a", "b"], year=["2020", "2020", "去年"], reported_mu=[15.0, 15.0, 15.0],
    )  # fmt: skip

    books, _ = follow(parcels=layer)

    table, lines = parcels(books), told(books, "afforestation.xlsx")
    assert sorted(table.index) == ["a", "a#2", "b"]
    assert table.loc["b", "stage"] == "遥感不可判（无造林年度）"
    assert table.loc["a#2", "stage"] == "未见成效"
    assert "编号 a 重复" in lines
    assert "1 个没有有效的造林年度" in lines


def test_a_layer_that_ends_before_the_period_says_so(follow, tmp_path):
    shape = [square(10, 10, 10, 10)]
    old = save(tmp_path / "old.gpkg", shape, parcel=["a"], year=[2020])
    new = save(tmp_path / "new.gpkg", shape, parcel=["a"], year=[2024])

    late, _ = follow(parcels=old)
    assert "图层止于 2020 年" in told(late, "afforestation.xlsx")
    books, _ = follow(parcels=new)
    assert "图层止于" not in told(books, "afforestation.xlsx")


def test_a_shapefile_in_gbk_with_chinese_field_names_is_understood(follow, tmp_path):
    path = save(
        tmp_path / "p.shp", [square(10, 10, 10, 10)],
        小班号=["甲一"], 造林年度=["2020"], 造林面积=[15.0], 树种=["油茶"],
    )  # fmt: skip
    path.with_suffix(".cpg").unlink()

    table = parcels(follow(parcels=path)[0])

    row = table.loc["甲一"]
    assert (row["year"], row["reported_mu"], row["species"]) == (2020, 15.0, "油茶")


def test_a_mine_outside_the_area_is_left_out_and_told(follow, tmp_path):
    far = affinity.translate(square(60, 60, 10, 10), 30_000, 0)
    layer = save(tmp_path / "m.gpkg", [square(60, 60, 10, 10), far], site=["in", "out"])

    books, receipt = follow(mines=layer)

    assert pd.read_csv(books / "mines.csv")["mine"].tolist() == ["in"]
    assert "1 个在区域之外，未使用" in told(books, "mines.xlsx")
    assert any("在区域之外" in line for line in receipt["remarks"])


def test_a_layer_in_gcj02_is_left_out_and_told_and_the_rest_goes_on(follow, tmp_path):
    inside = [square(column, row, 8, 8) for column in range(0, 90, 10) for row in range(0, 90, 10)]
    moved = [affinity.translate(shape, 440, -305) for shape in inside]
    mines = save(tmp_path / "m.gpkg", moved, site=[str(n) for n in range(len(moved))])
    parcels = save(tmp_path / "p.gpkg", [square(10, 50, 20, 20)], id=["P1"], year=[2018])

    books, receipt = follow(mines=mines, parcels=parcels)

    assert not (books / "mines.csv").exists()
    assert len(pd.read_csv(books / "afforestation.csv")) == 1
    (line,) = [one for one in receipt["remarks"] if "火星坐标" in one]
    assert "m.gpkg" in line and "area.check_datum" in line
    assert line in told(books, "afforestation.xlsx")
