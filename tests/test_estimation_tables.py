"""Sample and strata from files as people save them; JSON and screen."""

import json

import pandas as pd
import pytest

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.estimation.accuracy import OLOFSSON, estimate
from jinhua_rs.estimation.tables import (
    read_sample,
    read_strata,
    remark_lines,
    screen_rows,
    to_json_dict,
)

SAMPLE = "stratum,map,reference\n森林,森林,森林\n其他,其他,森林\n"
ROWS = [["森林", "森林", "森林"], ["其他", "其他", "森林"]]


def saved(folder, content, name="table.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        SAMPLE,
        SAMPLE.encode("utf-8-sig"),
        SAMPLE.encode("gbk"),
        SAMPLE.replace(",", "\t").encode("utf-16"),
        SAMPLE.replace(",", ";"),
        SAMPLE.replace("\n", "\r\n") + "\r\n,,\r\n",
        SAMPLE.replace("stratum,map", " Stratum , MAP ").replace(",", ", "),
        "reference,note,map,stratum\n森林,a,森林,森林\n森林,,其他,其他\n",
        '"stratum","map","reference"\n"森林","森林","森林"\n"其他","其他","森林",\n',
    ],
    ids=["utf8", "bom", "gbk", "utf16", "semicolon", "crlf", "spaces", "order", "quoted"],
)
def test_samples_as_people_save_them(tmp_path, content):
    found = read_sample(saved(tmp_path, content))

    assert found[["stratum", "map", "reference"]].to_numpy().tolist() == ROWS


def test_names_that_look_like_something_else_stay_names(tmp_path):
    found = read_sample(saved(tmp_path, "stratum,map,reference\n01,NA,=1+1\n1.0,None,nan\n"))

    assert found.to_numpy().tolist() == [["01", "NA", "=1+1"], ["1.0", "None", "nan"]]


def test_units_and_weights(tmp_path):
    text = "stratum,map,reference,unit,weight\na,a,a,婺城区,2.5\n"

    found = read_sample(saved(tmp_path, text))

    assert found.loc[0].tolist() == ["a", "a", "a", "婺城区", 2.5]


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", NoDataError, "is empty"),
        (b"\n\n", NoDataError, "is empty"),
        (b"stratum,map,reference\n", NoDataError, "holds no row"),
        (b"stratum,map,reference\n,,\n", NoDataError, "holds no row"),
        (b"stratum,map\na,a\n", ConfigError, "column 'reference' is missing"),
        (b"stratum,map,map,reference\na,a,a,a\n", ConfigError, "'map' stands twice"),
        (b"stratum,map,reference\na,a,a\na,a,\n", ConfigError, "'reference' is empty in 1 rows.*2"),
        (b"stratum,map,reference\na,a\n", ConfigError, "row 1 has 2 cells under 3"),
        (b"stratum,map,reference\na,a,a,a\n", ConfigError, "row 1 has 4 cells under 3"),
        (b"stratum,map,reference,weight\na,a,a,\xe4\xb8\x80\n", ConfigError, "is no number"),
        (b"stratum,map,reference\n\0\0\0", ConfigError, "no text table"),
        (b"\x89PNG\r\n\x1a\n\xff\xff\xff", ConfigError, "no text table"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, kind, message):
    with pytest.raises(kind, match=message) as caught:
        read_sample(saved(tmp_path, content))
    assert caught.value.zh != str(caught.value)


def test_what_is_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(ConfigError, match="cannot read"):
            read_sample(path)


@pytest.mark.parametrize(
    ("text", "pixel_size", "area_m2", "pixels"),
    [
        ("stratum,pixels\na,100\n", 30, 90_000, 100),
        ("stratum,area_ha\na,9\n", 30, 90_000, 100),
        ("stratum,area_mu\na,15\n", 10, 10_000, 100),
        ("stratum,area_km2\na,0.01\n", 10, 10_000, 100),
        ("stratum,area_m2\na,1e4\n", 10, 10_000, 100),
        ("stratum,area_ha,pixels\na,1,100\n", 10, 10_000, 100),
        ("stratum,area_ha,pixels\na,1,100\n", None, 10_000, 100),
        ("stratum,pixels\na,0\n", 30, 0, 0),
    ],
)
def test_strata_in_units_that_are_named(tmp_path, text, pixel_size, area_m2, pixels):
    found = read_strata(saved(tmp_path, text), pixel_size)

    assert found[["area_m2", "pixels"]].loc[0].tolist() == pytest.approx([area_m2, pixels])


def test_areas_alone_leave_the_pixels_open(tmp_path):
    found = read_strata(saved(tmp_path, "stratum,area_ha,unit\na,1,u\n"))

    assert found["pixels"].isna().all()
    assert found["unit"].tolist() == ["u"]


@pytest.mark.parametrize(
    ("text", "pixel_size", "message"),
    [
        ("stratum,area\na,5\n", None, "without its unit"),
        ("stratum,area_ha,area_km2\na,5,0.05\n", None, "exactly one of"),
        ("stratum,pixels\na,5\n", None, "--pixel-size"),
        ("stratum,pixels\na,5\n", 0, "no length"),
        ("stratum,pixels\na,5\n", float("nan"), "no length"),
        ("stratum,area_ha,pixels\na,5,5\n", 30, "differ by over 1 %"),
        ('stratum,pixels\na,"1,234"\n', 30, "is no number"),
        ("stratum;area_ha\na;1234,5\n", None, "is no number"),
        ("stratum,area_ha\na,nan\n", None, "is no number"),
        ("stratum,area_ha\na,inf\n", None, "is no number"),
    ],
)
def test_bad_strata_are_refused(tmp_path, text, pixel_size, message):
    with pytest.raises(ConfigError, match=message):
        read_strata(saved(tmp_path, text), pixel_size)


def test_negative_areas_reach_the_estimate_and_are_refused_there(tmp_path):
    strata = read_strata(saved(tmp_path, "stratum,area_ha\n森林,-1\n其他,2\n"))
    sample = read_sample(saved(tmp_path, SAMPLE, "sample.csv"))

    with pytest.raises(ConfigError, match="no usable area"):
        estimate(sample, strata)


# --- writing -----------------------------------------------------------------------------------


@pytest.fixture
def estimated(tmp_path):
    rows = ["A:f,f,f,A"] * 40 + ["A:f,f,o,A"] * 10 + ["A:o,o,o,A"] * 30 + ["B:f,f,f,B"] * 25
    sample = saved(tmp_path, "stratum,map,reference,unit\n" + "\n".join(rows), "sample.csv")
    strata = saved(tmp_path, "stratum,pixels\nA:f,6000\nA:o,3000\nB:f,1000\n")
    return estimate(read_sample(sample), read_strata(strata, 10), by_unit=True)


def test_json(estimated):
    found = to_json_dict(estimated, pixel_size=10, language="zh")

    assert json.loads(json.dumps(found, allow_nan=False)) == found
    row = found["classes"]["f"]
    # 10,000 pixels of 0.01 ha; strata of 60, 30 and 10 ha with 0.8, 0 and 1 of f.
    assert row["area_ha"] == pytest.approx(60 * 0.8 + 10)
    assert row["area_se_ha"] == pytest.approx(60 * (0.8 * 0.2 / 49) ** 0.5)
    half = 1.96 * row["area_se_ha"]
    assert row["area_ci95_ha"] == pytest.approx([row["area_ha"] - half, row["area_ha"] + half])
    assert (row["ua"], row["pa"], row["pa_se"]) == (pytest.approx(58 / 70), 1.0, 0.0)
    assert found["oa"] == pytest.approx(0.88)
    assert (found["n"], found["estimator"], found["area_unit"]) == (105, "stehman-2014", "ha")
    assert found["total_area_ha"] == pytest.approx(100)
    a, b = found["units"]["A"], found["units"]["B"]
    assert (a["n"], a["estimator"], a["total_area_known"]) == (80, OLOFSSON, True)
    assert b["classes"]["o"]["ua"] is None
    assert b["classes"]["o"]["ua_ci95"] is None
    assert any("标准误为 0" in warning for warning in b["warnings"])


def test_screen(estimated):
    headings, lines = screen_rows(estimated, "zh")

    assert headings[:3] == ("单元", "类别", "面积（公顷）")
    assert [line[:2] for line in lines] == [(u, c) for u in ("全部", "A", "B") for c in "fo"]
    assert all(len(line) == len(headings) for line in lines)
    assert lines[0][2:4] == ("58.0 ± 6.7", "0.09")
    assert lines[-1][4] == "—"
    assert screen_rows(estimated, "en")[1][0][0] == "all"
    said = [zh for _, zh in remark_lines(estimated)]
    assert said[0].startswith("stehman-2014：样点 105 个，总体精度 0.880±")
    assert any(line.startswith("! B: ") and "标准误为 0" in line for line in said)


def test_units_without_an_estimate_are_dashes(tmp_path):
    sample = pd.DataFrame(
        {"stratum": "s", "map": "f", "reference": "f", "unit": ["u"] * 20 + ["v"]}
    )
    strata = pd.DataFrame({"stratum": ["s"], "area_m2": [1e6], "pixels": [None]})

    found = estimate(sample, strata.astype({"pixels": "float64"}), by_unit=True)

    told = to_json_dict(found, pixel_size=None, language="en")["units"]["v"]
    assert (told["oa"], told["estimator"], told["total_area_ha"]) == (None, None, None)
    assert screen_rows(found, "en")[1][-1] == ("v", "f", *["—"] * 4)


def test_a_million_rows(tmp_path):
    rows = "1,1,1\n1,1,2\n2,2,2\n2,2,2\n2,2,1\n" * 200_000

    sample = read_sample(saved(tmp_path, "stratum,map,reference\n" + rows))
    found = estimate(sample, read_strata(saved(tmp_path, "stratum,area_ha\n1,10\n2,10\n", "s.csv")))

    assert found.n == 1_000_000
    assert found.classes["ua"].tolist() == pytest.approx([1 / 2, 2 / 3])
