"""A sample handed out blind and read back: what people cannot see, must fill in, and agree on."""

import io
import json
import sqlite3
from contextlib import closing
from zipfile import ZIP_DEFLATED, ZipFile

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
from interpreter import LABEL, LEFT, NOW, TOP, fill_layer, fill_workbook, publish, reader, truth
from PIL import Image
from typer.testing import CliRunner

from jinhua_rs import cli_sample, schema, store
from jinhua_rs.cli import app
from jinhua_rs.errors import ConfigError, ContractError, GridMismatch, IntegrityError
from jinhua_rs.estimation import accuracy, tables
from jinhua_rs.estimation.agreement import agreement
from jinhua_rs.estimation.design import draw, extend
from jinhua_rs.figures import CHIP_PX, Look, chip
from jinhua_rs.forest import ForestMaps, coverage_rows
from jinhua_rs.grid import Grid
from jinhua_rs.interpretation import (
    Imagery,
    Order,
    join,
    read_design,
    read_manifest,
    read_package,
    survey,
    write_design,
    write_package,
)
from jinhua_rs.period import Period
from jinhua_rs.points import read_drawn, read_points
from jinhua_rs.regions import load_units
from jinhua_rs.settings import load_settings

PERIODS = ("2023Q4", "2024Q4")
SIZES = pd.Series({"A:1": 25, "A:2": 35, "B:0": 6, "B:1": 30, "B:2": 44})


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A published city, a design of 140 points, and its package."""
    folder = tmp_path_factory.mktemp("world")
    settings = load_settings(publish(folder)).settings
    units = load_units(settings.area)
    frame = survey(folder / "out" / "2024Q4" / "published" / "forest.tif", units)
    design = draw(frame, SIZES, 8)
    write_design(folder / "design", design)
    looks = [Imagery(folder / "out" / period, settings.grid) for period in PERIODS]
    order = Order(readers={"1": "=cmd|'/c calc'!A1"})
    seen = []
    manifest = write_package(
        folder / "package", design, looks, order, now=NOW, progress=lambda *told: seen.append(told)
    )
    assert seen[-1] == ("chips", 140, 140)
    return folder, units, frame, design, manifest


def filled(world, target, *, first=None, second=None):
    """Fill in both forms, the first as a workbook and the second as a layer."""
    folder, _, _, design, _ = world
    one, two = first or reader(design), second or reader(design)
    package = folder / "package"
    return [
        fill_workbook(package / "form-1.xlsx", target / "甲.xlsx", one),
        fill_layer(package / "points-2.gpkg", target / "乙.gpkg", two),
    ]


def back(world, target, forms, **more):
    *_, design, manifest = world
    return read_package(
        target / "reading", design, manifest, forms, **{"accepted": "", "now": NOW} | more
    )


# --- the package -------------------------------------------------------------------------------


def test_the_package_holds_what_readers_need_and_no_map_class(world):
    folder, _, _, design, manifest = world
    package = folder / "package"

    assert {path.name for path in package.iterdir()} == {
        "README.txt", "SHA256SUMS", "chips", "form-1.xlsx", "form-2.xlsx", "index.html",
        "package.json", "points-1.gpkg", "points-2.gpkg",
    }  # fmt: skip
    assert {path.stem for path in (package / "chips").iterdir()} == set(design.points["point"])
    assert store.verify_sums(package) == []
    told = json.loads((package / "package.json").read_text("utf-8"))
    assert set(told) == {"package", "design", "periods", "roles", "label"}
    layer = gpd.read_file(package / "points-1.gpkg", layer="points")
    assert set(layer.columns) == {
        "point", "lon", "lat", "form", "basis", "note", "label", "geometry",
        *(f"{name}_{period}" for name in ("canopy", "class", "sure") for period in PERIODS),
    }  # fmt: skip
    assert layer["point"].tolist() == manifest.roles["1"]
    for page in ("README.txt", "index.html"):
        assert LABEL in (package / page).read_text("utf-8")


def test_a_fifth_is_read_twice_and_nobody_can_tell_a_stratum_from_the_order(world):
    *_, design, manifest = world

    assert len(manifest.roles["2"]) == 5 + 7 + 2 + 6 + 9
    assert set(manifest.roles["2"]) < set(manifest.roles["1"])
    strata = design.points.set_index("point").loc[manifest.roles["1"], "stratum"]
    forest = strata.str.endswith(":2").to_numpy()
    assert abs(np.corrcoef(np.arange(len(forest)), forest)[0, 1]) < 0.25


def test_the_workbook_offers_lists_and_holds_no_formula(world):
    folder, *_, manifest = world

    book = openpyxl.load_workbook(folder / "package" / "form-1.xlsx")

    sheet = book["判读表"]
    assert [cell.value for cell in sheet[1]] == [
        "样点", "经度", "纬度", "林冠覆盖度（%）\n2023Q4", "地类\n2023Q4", "把握\n2023Q4",
        "林冠覆盖度（%）\n2024Q4", "地类\n2024Q4", "把握\n2024Q4", "依据", "备注", "表号（勿改）",
    ]  # fmt: skip
    checks = {str(one.sqref): one for one in sheet.data_validations.dataValidation}
    assert (checks["D2:D141"].type, checks["D2:D141"].formula2) == ("decimal", "100")
    assert checks["E2:E141"].formula1 == "'选项'!$A$2:$A$11"
    assert [cell.value for cell in book["选项"]["A"]][1:3] == ["1 常绿阔叶林", "2 针叶林"]
    cells = [cell for one in book for row in one.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]
    about = {row[0].value: row[1].value for row in book["说明"].iter_rows(min_row=2)}
    assert about["判读人"] == "甲（第一判读人） =cmd|'/c calc'!A1"
    assert "20%" in about["林冠覆盖度"]
    assert about["表号"] == manifest.number("1")
    # Given cells are locked, the others are not.
    assert [sheet.cell(2, at).protection.locked for at in (1, 4, 11, 12)] == [
        True,
        False,
        False,
        True,
    ]


def test_the_layer_brings_its_drop_downs_and_names(world):
    folder, *_ = world

    with closing(sqlite3.connect(folder / "package" / "points-1.gpkg")) as base:
        enum = base.execute(
            "SELECT c.column_name, k.value, k.description FROM gpkg_data_columns c "
            "JOIN gpkg_data_column_constraints k USING (constraint_name) "
            "WHERE k.constraint_type = 'enum' AND c.column_name = 'sure_2024Q4'"
        ).fetchall()
        limits = base.execute(
            "SELECT min, max FROM gpkg_data_column_constraints WHERE constraint_type = 'range'"
        ).fetchall()
        styles = dict(base.execute("SELECT f_table_name, styleQML FROM layer_styles").fetchall())
        extensions = base.execute(
            "SELECT count(*) FROM gpkg_extensions WHERE extension_name = 'gpkg_schema'"
        ).fetchone()
        when = base.execute("SELECT DISTINCT last_change FROM gpkg_contents").fetchall()

    assert enum[0] == ("sure_2024Q4", "high", "高")
    assert limits == [(0, 100), (0, 100)]
    assert 'type="ValueMap"' in styles["points"]
    assert 'name="林冠覆盖度（%） 2024Q4"' in styles["points"]
    assert extensions == (2,)
    assert when == [("2026-11-25T00:00:00.000Z",)]
    frames = gpd.read_file(folder / "package" / "points-1.gpkg", layer="pixels")
    assert frames.area.round(6).eq(100.0).all()


def test_a_package_is_not_made_twice_nor_with_too_few_second_readings(world, tmp_path):
    folder, _, _, design, _ = world
    looks = [Imagery(folder / "out" / "2024Q4", Grid(tile_size=50))]

    coarse = [Imagery(folder / "out" / "2024Q4", Grid(resolution=20.0, tile_size=50))]
    with pytest.raises(GridMismatch, match="not on the grid"):
        write_package(
            tmp_path / "p", design, coarse, Order(readers={}), now=NOW, progress=lambda *_: None
        )
    with pytest.raises(ConfigError, match="nothing is overwritten"):
        write_package(
            folder / "package", design, looks, Order(readers={}), now=NOW, progress=lambda *_: None
        )
    with pytest.raises(ConfigError, match="at least 20 %"):
        write_package(
            tmp_path / "p", design, looks, Order(readers={}, share=0.1), now=NOW,
            progress=lambda *_: None,
        )  # fmt: skip


# --- chips -------------------------------------------------------------------------------------


def test_chips_show_the_ground_around_the_pixel(world):
    folder, *_ = world
    imagery = Imagery(folder / "out" / "2024Q4", Grid(tile_size=50))
    column, row = round(LEFT / 10) + 49, round(TOP / 10) - 1 - 58  # across four tiles

    look = imagery.look(column, row)

    half = CHIP_PX // 2
    expected = np.where(
        truth("2024Q4")[58 - half : 58 + half + 1, 49 - half : 49 + half + 1] > 0.2, 0.35, 0.2
    )
    assert look.bands["nir"] == pytest.approx(expected, abs=1e-3)
    assert look.when.startswith("2024年第四季度（2024-10-01 至 2024-12-31")
    beyond = imagery.look(round(LEFT / 10), row)
    assert np.isnan(beyond.bands["nir"][:, :half]).all()
    assert not np.isnan(beyond.bands["nir"][:, half:]).any()


def test_tiles_that_are_not_the_published_ones_are_refused(world, tmp_path):
    folder, *_ = world
    there = tmp_path / "2024Q4"
    (there / "published").mkdir(parents=True)
    receipt = json.loads((folder / "out/2024Q4/published/run.json").read_text("utf-8"))
    (there / "tiles").symlink_to(folder / "out/2024Q4/tiles")
    digests = dict.fromkeys(receipt["tiles"]["composite"], "0")
    store.write_json(there / "published" / "run.json", receipt | {"tiles": {"composite": digests}})

    with pytest.raises(IntegrityError, match="not the tile that was published"):
        Imagery(there, Grid(tile_size=50)).look(round(LEFT / 10) + 5, round(TOP / 10) - 5)


def looks(**bands):
    return [
        Look("2024年", {k: np.full((CHIP_PX, CHIP_PX), v, "float32") for k, v in bands.items()})
    ]


def test_a_chip_frames_the_middle_pixel_and_greys_what_was_not_seen():
    seen = looks(red=0.03, green=0.04, blue=0.02, nir=0.4)
    seen[0].bands["red"][0, 0] = np.nan

    picture = Image.open(io.BytesIO(chip("P0001", seen, resolution=10.0)))

    assert chip("P0001", seen, resolution=10.0) == chip("P0001", seen, resolution=10.0)
    yellow = np.argwhere((np.asarray(picture) == (255, 212, 0)).all(axis=-1))
    left = yellow[yellow[:, 1] < 400]
    assert left.max(axis=0) - left.min(axis=0) == pytest.approx(8)  # the pixel and its outline
    middle = left.mean(axis=0)[::-1]
    assert middle == pytest.approx([16 + 51 * 7 / 2, 112 + 51 * 7 / 2], abs=1)
    assert picture.getpixel((18, 114)) == (214, 218, 219)


def test_chips_that_cannot_be_drawn_are_refused():
    with pytest.raises(ContractError, match="pixels a side"):
        chip(
            "P0001",
            [Look("2024", {"red": np.zeros((3, 3)), "nir": np.zeros((3, 3))})],
            resolution=10,
        )
    with pytest.raises(ContractError, match="font lacks"):
        chip("P0001\u0e01", looks(red=0.1), resolution=10)


# --- reading back ------------------------------------------------------------------------------


def test_the_round_trip_covers_the_truth(world, tmp_path):
    folder, units, _, design, _ = world

    found = back(world, tmp_path, filled(world, tmp_path))

    points = read_points(found.reference, "EPSG:4549", any_of=("canopy",))
    drawn = read_drawn(found.reference, points)
    assert len(points) == 2 * 140
    published = folder / "out" / "2024Q4" / "published"
    rows = schema.rows(
        coverage_rows(
            ForestMaps(published / "forest.tif", None, None),
            units,
            points,
            period=Period(2024, 4),
            min_clear_share=0.6,
            drawn=drawn,
        )
    ).set_index(["unit", "indicator"])
    for code in units.index:
        share = rows.loc[(code, "tree_cover_share")]
        assert share["low"] <= 59 <= share["high"]
        assert f"design {design.id}" in share["source"]
    told = found.table.set_index(["period", "unit"])
    city = rows.loc[("city", "tree_cover_share")]
    assert told.loc[("2024Q4", ""), "value"] * 100 == pytest.approx(city["value"])
    assert told.loc[("2024Q4", ""), "low"] * 100 == pytest.approx(city["low"])
    assert told.loc[("2023Q4", ""), "low"] <= 0.62 <= told.loc[("2023Q4", ""), "high"]
    assert found.settled.trees["2024Q4"].kappa == 1.0
    # What `jinhua-rs estimate` makes of the same points is the same, and tells the map's accuracy.
    folder = found.reference.parent
    strata = tables.read_strata(folder / "strata.csv")
    by_map = accuracy.estimate(tables.read_sample(folder / "accuracy.csv"), strata)
    assert by_map.classes.at["2", "area_m2"] / 1e6 == pytest.approx(city["value"] / 100)
    assert by_map.classes.at["2", "pa"] == pytest.approx(1.0, abs=0.05)
    assert by_map.classes.at["2", "ua"] == pytest.approx(59 / 63, abs=0.1)
    assert set(points["label"]) == {LABEL}
    assert store.verify_sums(found.reference.parent) == []
    strata = pd.read_csv(found.reference.parent / "estimates.csv")
    assert set(strata["label"]) == {LABEL}


def test_where_two_differ_a_third_decides(world, tmp_path):
    *_, design, manifest = world
    twice = manifest.roles["2"]
    said = reader(design)

    def first(point, period):
        return (80, "2", "high") if point == twice[0] else said(point, period)

    def second(point, period):
        return (3, "7", "high") if point == twice[0] else said(point, period)

    forms = filled(world, tmp_path, first=first, second=second)
    found = back(world, tmp_path, forms)

    assert found.reference is None
    assert found.settled.unsettled == [twice[0]]
    third = fill_workbook(
        tmp_path / "reading" / "form-3.xlsx", tmp_path / "丙.xlsx", lambda *_: (45, "2", "medium")
    )
    settled = read_package(
        tmp_path / "settled", design, manifest, [*forms, third], accepted="", now=NOW
    )
    points = gpd.read_file(settled.reference, layer="reference").set_index(["point", "period"])
    assert points.loc[(twice[0], "2024Q4"), "canopy"] == 0.45
    assert points.loc[(twice[0], "2024Q4"), ["readers", "decided"]].tolist() == [3, "3"]
    assert points.loc[(twice[1], "2024Q4"), ["readers", "decided"]].tolist() == [2, "1"]
    assert {path.name for path in (tmp_path / "settled" / "forms").iterdir()} == {
        "form-1.xlsx", "form-2.gpkg", "form-3.xlsx",
    }  # fmt: skip
    strange = fill_workbook(
        tmp_path / "reading" / "form-3.xlsx", tmp_path / "x.xlsx", lambda *_: (45, "2", "high"),
        spoil=lambda sheet: sheet.__setitem__("A2", twice[1]),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="was not asked"):
        read_package(tmp_path / "no", design, manifest, [*forms, strange], accepted="", now=NOW)


def test_people_who_disagree_on_everything_are_refused_unless_accepted(world, tmp_path):
    *_, design, manifest = world
    forms = filled(world, tmp_path, second=reader(design, errs=1.0))

    with pytest.raises(IntegrityError, match=r"kappa -.* is below 0\.6"):
        back(world, tmp_path, forms)

    assert not (tmp_path / "reading").exists()
    found = back(world, tmp_path, forms, accepted="训练用")
    told = json.loads((tmp_path / "reading" / "agreement.json").read_text("utf-8"))
    assert told["accepted"] == "训练用"
    assert len(told["unsettled"]) == len(manifest.roles["2"])
    # What they differ on is left out, and the bounds say what that could mean.
    city = found.table.set_index(["period", "unit"]).loc[("2024Q4", "")]
    assert city["n"] == 140 - len(manifest.roles["2"])
    assert city["all_trees"] - city["all_other"] > 0.15


def test_unsure_points_count_and_are_bounded(world, tmp_path):
    *_, design, manifest = world
    said = reader(design)
    b2 = design.points["point"][design.points["stratum"] == "B:2"].tolist()
    once = [point for point in b2 if point not in manifest.roles["2"]][:2]

    def first(point, period):
        if point == once[0]:
            return 90, "2", "low"
        return (None, None, "none") if point == once[1] else said(point, period)

    found = back(world, tmp_path, filled(world, tmp_path, first=first))

    county = found.table.set_index(["period", "unit"]).loc[("2024Q4", "B")]
    assert (county["unsure"], county["unjudged"], county["n"]) == (1, 1, 79)
    # By hand: B:2 is 3535 of the county's 6000 pixels, two of its 44 points are in doubt.
    assert county["all_trees"] - county["all_other"] == pytest.approx(3535 / 6000 * 2 / 44)
    assert county["all_other"] < county["value"] <= county["all_trees"] + 0.02


@pytest.mark.parametrize(
    ("cell", "value", "why"),
    [
        ("D3", 120, r"row 3, column 林冠覆盖度（%） 2023Q4: 120.0 is no number from 0 to 100"),
        ("D3", -1, "no number from 0 to 100"),
        ("D3", 0.35, "below 1 %"),
        ("D3", "一半", "no number"),
        ("D3", None, "row 3, column 林冠覆盖度（%） 2023Q4: is empty"),
        ("G4", "=D4+1", "row 4, column 林冠覆盖度（%） 2024Q4: a formula"),
        ("K4", "=1+1", "row 4, column 备注: a formula"),
        ("E5", "11 沼泽", "row 5, column 地类 2023Q4: '11 沼泽' is none of"),
        ("F5", "也许", "is none of"),
        ("F5", None, "is empty"),
        ("F5", "无法判读", "must be empty"),
        ("A6", "P9999", "P9999 was not asked for"),
        ("A6", None, "the point is missing"),
        ("A6", "=A7", "a formula"),
        ("L7", "0123456789ab-1", "not of package"),
        ("D1", "覆盖度", "must stand there once"),
    ],
)
def test_wrong_cells_are_named_by_row_and_column(world, tmp_path, cell, value, why):
    folder, _, _, design, _ = world
    forms = filled(world, tmp_path)
    forms[0] = fill_workbook(
        folder / "package" / "form-1.xlsx", tmp_path / "甲.xlsx", reader(design),
        spoil=lambda sheet: sheet.__setitem__(cell, value),
    )  # fmt: skip

    with pytest.raises(ConfigError, match=why):
        back(world, tmp_path, forms)


def test_rows_that_are_missing_or_double_are_named(world, tmp_path):
    folder, _, _, design, _ = world
    whole = filled(world, tmp_path)

    def form(spoil):
        return fill_workbook(
            folder / "package" / "form-1.xlsx", tmp_path / "甲.xlsx", reader(design), spoil=spoil
        )

    with pytest.raises(ConfigError, match="2 points are missing, first P0004"):
        back(world, tmp_path, [form(lambda sheet: sheet.delete_rows(5, 2)), whole[1]])
    with pytest.raises(ConfigError, match="row 6, column 样点: P0002 stands in row 3 too"):
        back(world, tmp_path, [form(lambda sheet: sheet.__setitem__("A6", "P0002")), whole[1]])
    with pytest.raises(ConfigError, match="the same form"):
        back(world, tmp_path, [whole[1], whole[1]])
    with pytest.raises(ConfigError, match="is missing; both"):
        back(world, tmp_path, whole[1:])


def test_files_that_are_no_forms_are_refused(world, tmp_path):
    (tmp_path / "text.xlsx").write_text("no zip")
    (tmp_path / "form.csv").write_text("a,b")
    with ZipFile(tmp_path / "bomb.xlsx", "w", ZIP_DEFLATED) as parts:
        parts.writestr("xl/worksheets/sheet1.xml", b" " * (201 * 2**20))
    with closing(sqlite3.connect(tmp_path / "view.gpkg")) as base, base:
        base.execute("CREATE VIEW points AS SELECT 1")
    (tmp_path / "text.gpkg").write_text("no database")

    for name, why in (
        ("text.xlsx", "cannot be read"), ("form.csv", "no .xlsx or"), ("none.xlsx", "no .xlsx or"),
        ("bomb.xlsx", "too large"), ("view.gpkg", "no layer"), ("text.gpkg", "cannot be read"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=why):
            back(world, tmp_path, [tmp_path / name])


def test_answers_to_another_design_are_refused(world, tmp_path):
    folder, _, frame, design, manifest = world
    other = draw(frame, SIZES, 9)

    with pytest.raises(ConfigError, match=f"of design {design.id}, not of {other.id}"):
        read_manifest(folder / "package", other)

    # A design that grew from this one knows it.
    larger = extend(design, frame, SIZES + 5)
    assert read_manifest(folder / "package", larger) == manifest
    (tmp_path / "package.json").write_text(
        (folder / "package" / "package.json").read_text("utf-8").replace("P0001", "P0002")
    )
    with pytest.raises(IntegrityError, match="was changed"):
        read_manifest(tmp_path, design)
    with pytest.raises(ConfigError, match=r"holds no package\.json"):
        read_manifest(tmp_path / "none", design)


def test_added_points_are_read_alone_and_joined(world, tmp_path):
    folder, _, frame, design, manifest = world
    larger = extend(design, frame, SIZES + 5)
    looks = [Imagery(folder / "out" / period, Grid(tile_size=50)) for period in PERIODS]
    added = write_package(
        tmp_path / "added", larger, looks, Order(readers={}, only_added=True), now=NOW,
        progress=lambda *_: None,
    )  # fmt: skip
    forms = [
        fill_workbook(tmp_path / "added" / f"form-{n}.xlsx", tmp_path / f"{n}.xlsx", reader(larger))
        for n in (1, 2)
    ]

    new = read_package(tmp_path / "new", larger, added, forms, accepted="", now=NOW)
    old = read_package(
        tmp_path / "old", larger, manifest, filled(world, tmp_path), accepted="", now=NOW
    )

    assert len(added.roles["1"]) == 25
    count = join([old.reference, new.reference], tmp_path / "reference.gpkg")
    assert count == 2 * 165
    points = read_points(tmp_path / "reference.gpkg", "EPSG:4549", any_of=("canopy",))
    assert read_drawn(tmp_path / "reference.gpkg", points).design == larger.id
    assert points["weight"][points["period"] == "2024Q4"].sum() == pytest.approx(10_000)
    with pytest.raises(ConfigError, match="each point once"):
        join([old.reference, old.reference], tmp_path / "again.gpkg")


def test_equal_packages_are_equal(world, tmp_path):
    folder, _, _, design, manifest = world
    looks = [Imagery(folder / "out" / period, Grid(tile_size=50)) for period in PERIODS]
    again = write_package(
        tmp_path / "p", design, looks, Order(readers={"1": "=cmd|'/c calc'!A1"}),
        now=NOW, progress=lambda *_: None,
    )  # fmt: skip

    assert again == manifest
    names = ("chips", "form-1.xlsx", "index.html", "README.txt", "package.json")
    before, after = (
        [store.digest(p / n) for n in names] for p in (folder / "package", tmp_path / "p")
    )
    assert before == after


# --- agreement ---------------------------------------------------------------------------------


def test_kappa_of_fleiss_1981():
    # Fleiss 1981, Statistical Methods for Rates and Proportions, p. 213: kappa .676, error .088.
    table = [[75, 1, 4], [5, 4, 1], [0, 0, 10]]
    pairs = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]

    found = agreement([i for i, _ in pairs], [j for _, j in pairs])

    assert found.kappa == pytest.approx(0.6765, abs=5e-5)
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(0.0877, abs=5e-5)
    assert found.share == 0.89
    assert found.matrix.to_numpy().tolist() == table


def test_kappa_at_its_ends():
    assert agreement([1, 0, 1, 0], [0, 1, 0, 1]).kappa == -1
    whole = agreement([1, 0] * 10, [1, 0] * 10)
    assert whole.kappa == whole.high == 1
    assert 0.6 < whole.low < 0.8
    alike = agreement([1, 1], [1, 1])
    assert np.isnan(alike.kappa)
    assert alike.share == 1


# --- the door ----------------------------------------------------------------------------------


def test_the_commands_lead_from_a_map_to_a_reference_sample(world, tmp_path, monkeypatch):
    folder, *_ = world
    monkeypatch.chdir(tmp_path)

    def call(*words):
        found = CliRunner().invoke(app, ["--json", "sample", *map(str, words)])
        assert found.exception is None, found.exception
        return json.loads(found.stdout)

    config = ("-c", folder / "jinhua.toml")
    asked = call("plan", "2024Q4", *config, "--change")
    made = call("draw", "2024Q4", *config, "--seed", 4, "--to", "design")
    design = read_design(tmp_path / "design")
    packed = call("package", "design", "2024Q4", *config, "--to", "package")
    forms = [
        fill_workbook(
            tmp_path / "package" / f"form-{n}.xlsx", tmp_path / f"{n}.xlsx", reader(design)
        )
        for n in (1, 2)
    ]
    read = call("read", "design", "package", *forms, "--to", "reading")
    joined = call("join", "reading/reference.gpkg", "--to", "reference.gpkg")

    assert any(name.endswith("near") for name in asked["strata"])
    assert made["units"][0]["points"] == packed["points"] == len(design.points)
    assert made["units"][0]["half_width_points"] <= 5.01
    assert read["kappa"] == {"2023Q4": 1.0, "2024Q4": 1.0}
    assert joined["rows"] == 2 * len(design.points)
    (folder / "jinhua.toml").write_text(
        (folder / "jinhua.toml").read_text().replace("county_points = 7", "county_points = 6")
    )
    larger = call("add", "design", *config, "--to", "larger")
    assert larger["units"][0]["points"] > len(design.points)
    assert read_design(tmp_path / "larger").former == (design.id,)


def test_a_county_alone_is_drawn_packaged_and_given_more_points(world, tmp_path, monkeypatch):
    folder, units, *_ = world
    monkeypatch.chdir(tmp_path)
    config = ("-c", folder / "jinhua.toml")
    own = ("--county", str(units.loc["B", "name_zh"]))

    def call(*words):
        found = CliRunner().invoke(app, ["--json", "sample", *map(str, words)])
        assert found.exception is None, found.exception
        return json.loads(found.stdout)

    asked = call("plan", "2024Q4", *config, *own)
    made = call("draw", "2024Q4", *config, *own, "--seed", 4, "--to", "design")
    packed = call("package", "design", "2024Q4", *config, *own, "--to", "package")
    design = read_design(tmp_path / "design")

    assert asked["strata"] == made["strata"] and {one[0] for one in asked["strata"]} == {"B"}
    assert list(design.strata["county"].unique()) == ["B"]
    assert packed["points"] == len(design.points) > 0
    refused = CliRunner().invoke(app, ["sample", "plan", "2020Q4", *map(str, config), *own])
    assert "jinhua-rs run 2020Q4 --county B" in str(refused.exception)


def test_a_county_with_its_own_publication_is_drawn_from_that(world, tmp_path):
    folder, *_ = world
    settings = load_settings(folder / "jinhua.toml").settings
    whole, own = (folder / "out" / name / "published" for name in ("2024Q4", "2024Q4.B"))

    assert cli_sample._published(settings, "2024Q4", "B") == whole
    own.mkdir(parents=True)
    try:
        assert cli_sample._published(settings, "2024Q4", "B") == own
        assert cli_sample._published(settings, "2024Q4", "A") == whole
    finally:
        own.rmdir()
        own.parent.rmdir()
