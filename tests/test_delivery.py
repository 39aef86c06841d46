"""Patches handed over and answers taken back: what each file holds, and what is refused and why."""

import csv
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import openpyxl
import pyogrio
import pytest
from patch_world import CRS, RULES, counties, follow
from test_followup import Q1, Q2, World

from jinhua_rs import delivery, store
from jinhua_rs.delivery import Handover, hand_over, judge, read_answers
from jinhua_rs.delivery.fields import ANSWERS, FIELDS
from jinhua_rs.errors import ConfigError
from jinhua_rs.patches import Book, State, Verdict, by_county

NOW = datetime(2024, 10, 8, 1, 30, tzinfo=UTC)
FORMULA = '=HYPERLINK("http://x","甲")'
A, B = "330782-2024Q1-0001", "330782-2024Q1-0002"
LABEL = "SIMULATED 模拟数据"


@pytest.fixture
def register(tmp_path):
    """Two patches of 0.9 and 1.2 亩; the first names a hostile permit and knows one overlap."""
    made = follow(tmp_path, "LLL.GGGG\nLLL.GGGG", Q1)
    first, second = made.patches
    facts = replace(
        first.facts, permit=FORMULA, parcel="<b>&\x07]]>", before=4, after=9,
        overlaps=first.facts.overlaps | {"red_line": 300.0, "reserves": 0.0},
    )  # fmt: skip
    return replace(made, patches=(replace(first, facts=facts), second))


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path / "verdicts" / "verdicts.jsonl")


def given(register, book, label=LABEL):
    return Handover(
        rows=list(delivery.rows(register, book, RULES, label)),
        counties=by_county(register, counties(), RULES, rejected=()),
        crs=CRS, title="金华市 2024年第一季度 图斑", label=label, rules=RULES, now=NOW,
    )  # fmt: skip


@pytest.fixture
def out(register, book, tmp_path):
    hand_over(given(register, book), tmp_path / "out", "patches_2024Q1", [*delivery.FORMATS])
    return tmp_path / "out"


def test_short_names_fit_a_shapefile_and_long_ones_a_filegdb():
    keys, names = [one.key for one in FIELDS], [one.zh for one in FIELDS]

    assert all(key.isascii() and key.isidentifier() and len(key) <= 10 for key in keys)
    assert all(name.isidentifier() for name in names)
    assert len(set(keys)) == len(set(names)) == len(FIELDS)


def test_patches_come_in_the_order_of_their_worth(register, book):
    found = given(register, book).rows

    assert [row.patch.id for row in found] == [A, B]  # 0.9 亩 x 2.5 x 0.5 before 1.2 x 0.5
    assert [row.worth.rank for row in found] == [1, 2]
    assert {row.label for row in found} == {LABEL}


def test_the_geopackage_brings_names_dropdowns_and_style(out):
    with closing(sqlite3.connect(out / "patches_2024Q1.gpkg")) as db:
        rows = db.execute("SELECT TBBH, MJ_MU, STHX_MU, STHX_BL, BHD_MU, CFXK_MU, XKZH, SJXZ "
                          "FROM patches ORDER BY PM").fetchall()  # fmt: skip
        names = dict(db.execute("SELECT column_name, name FROM gpkg_data_columns"))
        choices = db.execute(
            "SELECT c.value FROM gpkg_data_columns d JOIN gpkg_data_column_constraints c "
            "USING (constraint_name) WHERE d.column_name = 'XZT' ORDER BY c.rowid"
        ).fetchall()
        style, default = db.execute("SELECT styleQML, useAsDefault FROM layer_styles").fetchone()
        (title,) = db.execute(
            "SELECT description FROM gpkg_contents WHERE table_name = 'patches'"
        ).fetchone()
        extensions = {name for (name,) in db.execute("SELECT table_name FROM gpkg_extensions")}
        (sound,) = db.execute("PRAGMA integrity_check").fetchone()

    assert rows[0] == (A, 0.9, 0.45, 50.0, 0.0, None, FORMULA, LABEL)
    assert names["MJ_MU"] == "面积_亩" and len(names) == len(FIELDS)
    assert [one for (one,) in choices] == ["待核", "确认", "排除", "整改", "销号"]
    assert default == 1 and "ValueMap" in style and "图斑编号" in style and LABEL in style
    assert ET.fromstring(style.partition("\n")[2]).find("renderer-v2") is not None  # noqa: S314
    assert LABEL in title and "四邻接" in title
    assert {"gpkg_data_columns", "gpkg_data_column_constraints"} <= extensions
    assert sound == "ok"


def test_equal_patches_give_equal_files_but_for_the_filegdb(register, book, tmp_path):
    kinds = ["gpkg", "shp", "xlsx", "kml"]

    one, two = (
        hand_over(given(register, book), tmp_path / name, "patches", kinds) for name in "ab"
    )

    assert [store.digest(path) for path in one] == [store.digest(path) for path in two]


def test_the_shapefile_has_ascii_names_utf8_and_a_key(out):
    folder = out / "patches_2024Q1_shp"

    layer = pyogrio.read_dataframe(folder / "patches_2024Q1.shp")
    key = list(csv.reader((folder / "字段对照表.csv").read_text("utf-8-sig").splitlines()))

    assert (folder / "patches_2024Q1.cpg").read_text() == "UTF-8"
    assert [*layer.columns] == [*(one.key for one in FIELDS), "geometry"]
    assert layer.loc[0, "LX"] == "林木减少" and layer.loc[0, "QDL"] == "竹林"
    assert layer["CFXK_MU"].isna().all() and layer.loc[0, "BHD_MU"] == 0
    assert [row[:2] for row in key[1:3]] == [["TBBH", "图斑编号"], ["BBH", "版本"]]


def test_a_long_text_is_cut_between_letters_in_the_shapefile_only(register, book, tmp_path):
    first, second = register.patches
    long = replace(first, facts=replace(first.facts, permit="证" * 200))
    register = replace(register, patches=(long, second))

    shp, gpkg = hand_over(given(register, book), tmp_path / "o", "p", ["shp", "gpkg"])

    assert pyogrio.read_dataframe(shp / "p.shp").loc[0, "XKZH"] == "证" * 83 + "…"
    with closing(sqlite3.connect(gpkg)) as db:
        assert db.execute("SELECT XKZH FROM patches ORDER BY PM").fetchone() == ("证" * 200,)


def test_the_filegdb_keeps_chinese_names(out):
    layer = pyogrio.read_dataframe(out / "patches_2024Q1.gdb", layer="patches")

    assert layer.loc[0, "图斑编号"] == A
    assert layer.loc[1, "面积_亩"] == 1.2
    assert layer.crs.to_epsg() == 4549


def test_the_workbook_begins_with_what_it_is_and_holds_no_formula(out):
    book = openpyxl.load_workbook(out / "patches_2024Q1.xlsx")
    sheet = book["图斑"]
    heads = [cell.value for cell in sheet[1]]
    row = dict(zip(heads, (cell for cell in sheet[2]), strict=True))

    assert book.sheetnames == ["说明", "图斑", "分县汇总", "代码表"]
    assert book["说明"]["A1"].value == LABEL
    assert heads == [one.zh for one in FIELDS]
    assert (row["采伐许可证号"].value, row["采伐许可证号"].data_type) == (FORMULA, "s")
    assert row["占采伐许可_亩"].value == "—" and row["占自然保护地_亩"].value == 0
    assert all(c.data_type != "f" for s in book for line in s.iter_rows() for c in line)
    offered = {str(one.sqref): one.formula1 for one in sheet.data_validations.dataValidation}
    assert sorted(offered.values()) == ["代码表!$A$2:$A$6", "代码表!$B$2:$B$17", "代码表!$C$2:$C$4"]
    assert [cell.value for cell in book["代码表"]["A"]][:3] == ["新状态", "待核", "确认"]


def test_the_kml_is_wgs84_and_escaped(out):
    root = ET.parse(out / "patches_2024Q1.kml").getroot()  # noqa: S314
    space = {"k": "http://www.opengis.net/kml/2.2"}

    names = [one.text for one in root.iterfind(".//k:Placemark/k:name", space)]
    data = {
        one.get("name"): one.findtext("k:value", namespaces=space)
        for one in root.find(".//k:Placemark", space).iterfind(".//k:Data", space)
    }
    x, y = root.findtext(".//k:coordinates", namespaces=space).split()[0].split(",")

    assert names == [A, B]
    assert LABEL in root.findtext(".//k:Document/k:name", namespaces=space)
    assert data["DKBH"] == "<b>&]]>" and data["CFXK_MU"] == "—" and data["XKZH"] == FORMULA
    assert (float(x), float(y)) == (
        pytest.approx(119.383, abs=0.01),
        pytest.approx(29.09, abs=0.01),
    )


# --- answers -----------------------------------------------------------------------------------


def answer(patch=A, **told):
    blank = {field.key: "" for field in ANSWERS}
    return blank | {"TBBH": patch, "BBH": "1", "XZT": "待核", "HCR": "甲", "HCJS": "判读员"} | told


def judged(register, book, *answers):
    return judge(answers, register.by_id, book, now=NOW)


def test_a_sound_answer_is_a_verdict(register, book):
    found = judged(register, book, answer(BZ="见照片", HCRQ="2024-10-01"), answer(B))

    assert found.refused == ()
    assert found.accepted[0] == Verdict(
        A, 1, State.OPEN, State.FIELD, "", "甲", "interpreter", "2024-10-01", "见照片"
    )
    assert found.accepted[1].when == "2024-10-08T01:30:00+00:00"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"patch": "330782-2024Q1-0099"}, "没有编号"),
        ({"patch": "../../etc/passwd"}, "没有编号"),
        ({"BBH": "2"}, "核查时为第 2 版，现已是第 1 版"),
        ({"BBH": "一"}, "填写有误"),
        ({"XZT": "确认", "XYY": "无证采伐"}, "“待判”不能改为“确认”"),
        ({"XZT": "排除", "HCJS": "审核员"}, "须选择原因"),
        ({"XZT": "排除", "XYY": "采矿采石", "HCJS": "审核员"}, "须选择原因"),
        ({"XZT": "通过"}, "填写有误"),
        ({"HCJS": "主任"}, "填写有误"),
        ({"HCR": ""}, "姓名"),
        ({"HCRQ": "昨天"}, "填写有误"),
        ({"HCRQ": "2024-10-09"}, "晚于今天"),
        ({"BZ": "x" * 2001}, "备注"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(register, book, told, reason):
    found = judged(register, book, answer(**told))

    assert found.accepted == ()
    assert reason in found.refused[0][2]


def test_two_answers_on_one_patch_are_both_refused(register, book):
    found = judged(register, book, answer(), answer(BZ="还是"), answer(B))

    assert [one.patch for one in found.accepted] == [B]
    assert [zh for _, _, zh in found.refused] == ["文件中该图斑有多行结论"] * 2


def test_the_same_file_again_changes_nothing_and_an_outdated_one_is_a_conflict(register, book):
    book = book.append(judged(register, book, answer()).accepted)

    again = judged(register, book, answer())
    rival = judged(register, book, answer(BZ="另一人"))

    assert (again.known, again.accepted, again.refused) == (1, (), ())
    assert "现已是第 2 版" in rival.refused[0][2]


def test_a_patch_that_merged_or_was_withdrawn_takes_no_answer(register, book):
    first, second = register.patches
    gone = replace(
        register, patches=(replace(first, merged_into=B), replace(second, withdrawn=True))
    )

    found = judged(gone, book, answer(), answer(B))

    assert [zh for _, _, zh in found.refused] == [f"已并入图斑 {B}", "已因成果更正撤回"]


@pytest.fixture
def world(tmp_path):
    """A world whose first quarter was followed up and handed out."""
    world = World(tmp_path)
    world.publish(Q1)
    world.follow(Q1)
    return world


def fill_workbook(path, told, row=2):
    book = openpyxl.load_workbook(path)
    sheet = book["图斑"]
    columns = {cell.value: cell.column for cell in sheet[1]}
    for name, value in told.items():
        sheet.cell(row, columns[name], value)
    book.save(path)


SENT = {"新状态": "待核", "核查人": "甲", "角色": "核查员", "备注": "=1+1"}


def test_a_workbook_makes_the_round(world, jinhua):
    config = ("--config", world.config)
    path = world.folder / "out" / Q1 / "handover" / "patches_2024Q1.xlsx"

    assert jinhua("patches", "export", Q1, *config)[0] == 0
    fill_workbook(path, SENT | {"核查日期": datetime(2024, 10, 1)})
    code, out, _ = jinhua("patches", "import", path, *config)
    (verdict,) = Book(world.place(Q1).verdicts).verdicts

    assert code == 0 and "接受 1 条" in out
    assert (verdict.after, verdict.when) == (State.FIELD, "2024-10-01")
    world.publish(Q2)
    register = world.follow(Q2).register
    assert register.by_id[verdict.patch].version == 1  # it grew, and is frozen
    assert jinhua("patches", "import", path, *config)[0] == 0  # known already


def test_a_geopackage_makes_the_round_and_conflicts_are_listed(world, jinhua):
    config = ("--config", world.config)
    jinhua("patches", "export", Q1, "--as", "gpkg", *config)
    path = world.folder / "out" / Q1 / "handover" / "patches_2024Q1.gpkg"
    layer = pyogrio.read_dataframe(path, layer="patches")
    loss = layer["LX"] == "林木减少"
    layer["XZT"] = loss.map({True: "待核", False: "确认"})
    layer["HCR"] = loss.map({True: "甲", False: "=cmd"})
    layer["HCJS"] = "核查员"
    path = world.folder / "back.gpkg"
    pyogrio.write_dataframe(layer, path, layer="patches")

    code, out, err = jinhua("patches", "import", path, *config)
    (listed,) = (world.place(Q1).verdicts.parent / "refused").iterdir()
    (_, row) = csv.reader(listed.read_text("utf-8-sig").splitlines())

    assert code == 4 and "接受 1 条" in out and "1 条核查结果未接受" in err
    assert row[0] == B and row[4] == "'=cmd" and "不能改为" in row[-2]
    assert Book(world.place(Q1).verdicts).states == {A: State.FIELD}


def test_unknown_formats_and_periods_are_refused(world, jinhua):
    config = ("--config", world.config)

    assert jinhua("patches", "export", Q1, "--as", "dwg", *config)[0] == 2
    assert jinhua("patches", "export", Q2, *config)[0] == 3
    assert jinhua("patches", "import", world.folder / "gone.xlsx", *config)[0] == 2


def hostile_view(path):
    with closing(sqlite3.connect(path)) as db, db:
        keys = ", ".join(f"'x' AS {key}" for key in ("TBBH", "BBH", *(f.key for f in ANSWERS)))
        db.execute(f"CREATE VIEW patches AS SELECT {keys}")


def no_sheet(path):
    book = openpyxl.Workbook()
    book.save(path)


def no_column(path):
    book = openpyxl.Workbook()
    book.create_sheet("图斑")
    book.save(path)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.gpkg", hostile_view),
        ("a.gpkg", lambda path: path.write_bytes(b"SQLite format 3\x00" + b"x" * 500)),
        ("a.gpkg", lambda path: path.write_text("not a database")),
        ("a.xlsx", lambda path: path.write_text("no zip")),
        ("a.xlsx", no_sheet),
        ("a.xlsx", no_column),
        ("a.csv", lambda path: path.write_text("TBBH")),
    ],
    ids=["view", "torn", "text", "no zip", "no sheet", "no column", "csv"],
)
def test_a_file_that_was_never_handed_over_is_refused(tmp_path, name, make):
    make(tmp_path / name)

    with pytest.raises(ConfigError, match="answers a"):
        read_answers(tmp_path / name)


def test_a_file_too_large_is_refused_packed_or_not(tmp_path, out, monkeypatch):
    monkeypatch.setattr("jinhua_rs.delivery.answers._MAX_BYTES", 20_000)

    with pytest.raises(ConfigError, match="too large once unpacked"):
        read_answers(out / "patches_2024Q1.xlsx")
    with pytest.raises(ConfigError, match="is too large"):
        read_answers(out / "patches_2024Q1.gpkg")
