"""The report: one source of numbers, three outlets that agree, nothing said that is not known."""

import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import rasterio
from rasterio.transform import Affine
from shapely.geometry import box

from jinhua_rs import report
from jinhua_rs.errors import ConfigError, ContractError, IntegrityError
from jinhua_rs.estimation.trend import trend_rows
from jinhua_rs.figures import Words
from jinhua_rs.period import Period
from jinhua_rs.refine import STEPS
from jinhua_rs.report import (
    AlertArea,
    Fact,
    Gate,
    ReportData,
    SceneSummary,
    StepEffect,
    Tally,
    TargetLine,
    Unit,
    html,
    lines,
    wording,
)
from jinhua_rs.scene import Scene, SceneDecision
from jinhua_rs.schema import ROW_COLUMNS, rows
from jinhua_rs.settings import Settings

NAN = math.nan
ROOT = Path(report.__file__).parents[1]
CITY, WEST, MIDDLE, EAST = "330700", "330781", "330782", "330727"
EVIL = '=HYPERLINK("http://evil.test","点我")<script>alert(1)</script>'


def row(unit, indicator, value, low=NAN, high=NAN, *, status="ok", clear=0.974):
    measure = {
        "tree_cover_share": "%",
        "tree_cover_share_mapped": "%",
        "tree_cover_change": "points",
        "tree_cover_trend": "points/yr",
        "statutory_share_lower": "%",
        "statutory_share_upper": "%",
        "statutory_share_calibrated": "%",
        "woody_share": "%",
    }
    return dict(  # noqa: C408 - reads as the columns do
        period="2024", unit=unit, indicator=indicator, value=value, low=low, high=high,
        measure=measure.get(indicator, "ha"), status=status, n_clear_share=clear, source="test",
        n=2097 if status == "ok" else 0, test="wilson" if status == "ok" else "",
    )  # fmt: skip


def numbers():
    """A city and a county with intervals, a county with a pixel count only, one with nothing."""
    return [
        row(CITY, "tree_cover_share", 61.825, 60.91, 62.735),
        row(CITY, "tree_cover_area", 676_413.0, 666_413.0, 686_413.0),
        row(CITY, "tree_cover_share_mapped", 63.5, status="no_interval"),
        row(WEST, "tree_cover_share", 72.5, 70.0, 75.0, clear=0.9),
        row(WEST, "tree_cover_area", 95_000.0, 91_000.0, 99_000.0),
        row(MIDDLE, "tree_cover_share", 55.55, status="no_interval", clear=0.8),
        row(MIDDLE, "tree_cover_share_mapped", 55.55, status="no_interval", clear=0.8),
        row(EAST, "tree_cover_share", NAN, status="insufficient", clear=0.312),
    ]


def changes():
    return [
        row(CITY, "tree_cover_change", 0.3, -0.5, 1.1),
        row(CITY, "gain_area_mapped", 1000.0, status="no_interval"),
        row(CITY, "loss_area_mapped", 2000.0, status="no_interval"),
        row(WEST, "tree_cover_change", -1.5, -2.5, -0.5),
    ]


def make(**other):
    facts = dict(  # noqa: C408 - reads as the fields do
        period="2024",
        baseline="2019",
        run_id="3f9a1c0b77de",
        created="2025-01-12T09:30:00+08:00",
        area=Words("金华市", "Jinhua"),
        simulated=False,
        label=Words("", ""),
        units=(
            Unit(code=CITY, name=Words("金华市", "Jinhua City"), level="city", area_m2=10_942e6),
            Unit(code=WEST, name=Words("兰溪市", "Lanxi City"), level="county", area_m2=1_310e6),
            Unit(code=MIDDLE, name=Words("义乌市", "Yiwu City"), level="county", area_m2=1_105e6),
            Unit(code=EAST, name=Words("磐安县", "Pan'an County"), level="county", area_m2=1_195e6),
        ),
        rows=report.records(rows(numbers())),
        baseline_rows=(),
        change_rows=report.records(rows(changes())),
        scenes=SceneSummary(
            found=20,
            kept=12,
            failed=1,
            dropped=(Tally(Words("云量过高", "too cloudy"), 8),),
            dates=("2024-10-03", "2024-12-28"),
            platforms=("sentinel-2a",),
            source="test",
        ),
        gates=(Gate(name=Words("有效观测", "Seen"), value="97.4%", limit="≥ 60%", passed=True),),
        targets=(
            TargetLine(key="forest_cover", value=61.0, unit="%", source="规划纲要"),
            TargetLine(
                key="new_afforestation", value=151.2, unit="万亩", source="规划纲要",
                deadline="2024", alternative=15.12,
            ),
        ),
        model=(Fact(Words("类型", "Kind"), Words("随机森林", "random forest")),),
        accuracy=(),
        version="0.1.0",
        credits=(Words("含经处理的哥白尼哨兵数据", "Contains modified Copernicus Sentinel data"),),
    )  # fmt: skip
    data = ReportData(**(facts | other))
    return report.told(data)


class Visible(HTMLParser):
    """Text of a page in one language, table rows apart."""

    def __init__(self, language):
        super().__init__()
        self.hidden = "en" if language == "zh" else "zh-CN"
        self.stack, self.text, self.rows = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag in ("html", "meta", "img", "input"):
            return
        self.stack.append((tag, dict(attributes).get("lang")))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        while self.stack and self.stack.pop()[0] != tag:
            pass

    def handle_data(self, data):
        hidden = any(lang == self.hidden or tag == "style" for tag, lang in self.stack)
        if hidden:
            return
        self.text.append(data)
        if any(tag in ("td", "th") for tag, _ in self.stack):
            self.rows[-1][-1] += data


def read(page, language="zh"):
    parser = Visible(language)
    parser.feed(page)
    return re.sub(r"\s+", " ", "".join(parser.text)), [
        [cell.strip() for cell in cells] for cells in parser.rows
    ]


def county_row(page, name, language="zh"):
    return next(cells for cells in read(page, language)[1] if cells and cells[0] == name)


def sheet_rows(path, name):
    book = openpyxl.load_workbook(path)
    table = list(book[name].iter_rows(values_only=True))
    book.close()
    return table


def test_json_goes_there_and_back_and_holds_no_nan():
    data = make()

    text = report.to_json(data)

    assert report.from_json(text) == data
    assert "NaN" not in text
    assert json.loads(text)["rows"][7]["value"] is None


@pytest.mark.parametrize("harm", ["{", "[]", '{"period": 3}'])
def test_damaged_json_is_refused(harm):
    with pytest.raises(IntegrityError, match=r"report\.json"):
        report.from_json(harm)


def test_json_with_an_unknown_key_is_refused():
    text = json.dumps(json.loads(report.to_json(make())) | {"extra": 1})

    with pytest.raises(IntegrityError, match="extra"):
        report.from_json(text)


def test_tables_with_other_columns_are_refused():
    with pytest.raises(ContractError, match="n_clear_share"):
        report.records(pd.DataFrame(columns=list(ROW_COLUMNS)).drop(columns="n_clear_share"))


def test_simulated_data_need_a_mark_and_rows_a_known_unit():
    with pytest.raises(ContractError, match="mark"):
        make(simulated=True)
    with pytest.raises(ContractError, match=EAST):
        make(units=make().units[:3])


def test_the_page_says_coverage_with_interval_clear_view_and_verdict():
    text, _ = read(html.render(make(), {}))

    assert "61.83%（95% 置信区间 60.91% ~ 62.74%，样点 2097 个，有效观测占比 97.4%）" in text
    assert "林木覆盖面积：1,014.62 万亩（95% 置信区间 999.62 万亩 ~ 1,029.62 万亩" in text
    assert "不能判定" in text
    assert "区间跨越 61%" in text
    assert "未检出显著变化" in text
    assert "不是法定的“森林覆盖率”" in text


@pytest.mark.parametrize(
    ("low", "high", "zh", "en"),
    [
        (61.0, 63.0, "达到", "met"),
        (58.0, 60.99, "未达到", "not met"),
        (60.9, 63.0, "不能判定", "cannot be decided"),
    ],
)
def test_three_states_of_the_verdict(low, high, zh, en):
    only = rows([row(CITY, "tree_cover_share", (low + high) / 2, low, high)])

    page = html.render(make(rows=report.records(only)), {})

    chip = re.search(r'class="verdict \w+">(.*?)</span></span>', page)
    shown = re.findall(r">([^<>]+)<", f">{chip[0]}")
    assert shown[:2] == [zh, en]


def test_a_pixel_count_is_context_in_grey_and_never_judged():
    only = rows([row(CITY, "tree_cover_share_mapped", 63.5, status="no_interval")])

    page = html.render(make(rows=report.records(only), change_rows=()), {})

    text, table = read(page)
    assert 'class="verdict open"' in page
    assert "没有可用的区间" in text
    assert "像元统计（仅供参考，不作评价）" in text
    assert county_row(page, "金华市")[1:3] == ["63.50%", "—"]
    assert ["forest_cover"] not in table
    assert 'class="context whole"' in page


def test_below_the_gate_no_pixel_count_stands_in():
    gated = rows(
        [
            row(CITY, "tree_cover_share", 61.8, 60.9, 62.7),
            row(EAST, "tree_cover_share", NAN, status="insufficient", clear=0.05),
            row(EAST, "tree_cover_share_mapped", 77.7, status="no_interval", clear=0.05),
        ]
    )

    page = html.render(make(rows=report.records(gated), change_rows=()), {})

    assert county_row(page, "磐安县")[1:] == [
        "—", "—", "—", "不能判定", "—", "—", "—", "5.0%", "数据不足",
    ]  # fmt: skip
    assert "77.7" not in page


def test_what_is_not_known_is_a_dash_and_never_zero():
    page = html.render(make(), {})

    assert county_row(page, "磐安县") == [
        "磐安县", "—", "—", "—", "不能判定", "—", "—", "—", "31.2%", "数据不足",
    ]  # fmt: skip
    assert county_row(page, "兰溪市")[5].split() == ["↓", "−1.50−2.50", "~", "−0.50"]
    assert county_row(page, "金华市")[6:8] == ["15,000", "30,000"]


def test_without_a_baseline_no_change_is_spoken_of():
    page = html.render(make(baseline=None, change_rows=()), {})

    assert county_row(page, "兰溪市")[5] == "—"
    assert "未设基期" in read(page)[0]


def test_the_json_holds_every_claim_with_all_it_rests_on():
    claims = json.loads(report.to_json(make()))["claims"]

    coverage = next(c for c in claims if (c["unit"], c["what"]) == (CITY, "tree_cover_share"))
    assert (coverage["value"], coverage["n"]) == (61.825, 2097)
    assert (coverage["low"], coverage["high"], coverage["test"]) == (60.91, 62.735, "wilson")
    assert (coverage["target"], coverage["verdict"]) == (61.0, "不能判定")
    assert coverage["reading"]["zh"] == "区间跨越 61%"
    said = {(c["unit"], c["what"]): (c["verdict"], c["arrow"]) for c in claims}
    assert said == {
        (CITY, "tree_cover_share"): ("不能判定", ""),
        (CITY, "tree_cover_area"): (None, ""),
        (CITY, "tree_cover_change"): (None, ""),
        (WEST, "tree_cover_share"): ("达到", ""),
        (WEST, "tree_cover_area"): (None, ""),
        (WEST, "tree_cover_change"): (None, "↓"),
        (MIDDLE, "tree_cover_share"): ("不能判定", ""),
        (EAST, "tree_cover_share"): ("不能判定", ""),
    }


def test_every_outlet_prints_the_words_of_the_claims(tmp_path):
    data = make()

    paths = report.write(tmp_path / "report", data, {})

    page = paths.html.read_text("utf-8")
    (city,) = (c for c in data.claims if (c.unit, c.what) == (CITY, "tree_cover_share"))
    (fall,) = (c for c in data.claims if (c.unit, c.what) == (WEST, "tree_cover_change"))
    for language in ("zh", "en"):
        assert city.sentence.to(language) in read(page, language)[0]
    assert city.sentence.zh in str(sheet_rows(paths.xlsx, "说明"))
    assert [cells[4] for cells in sheet_rows(paths.xlsx, "结论")[1:]] == [
        one.sentence.zh for one in data.claims
    ]
    columns, *counties = sheet_rows(paths.xlsx, "分县数据")
    west = dict(zip(columns, counties[1], strict=True))
    assert west["变化结论\nwhat may be said"] == fall.cell.zh == "↓ −1.50"
    assert west["对照目标\nagainst target"] == "达到"
    headings, table = report.screen(data, "zh")
    assert dict(zip(headings, table[1], strict=True))["变化"] == "↓ −1.50"
    assert dict(zip(headings, table[0], strict=True))["对照目标"] == "不能判定"


def test_a_quarter_is_told_but_not_held_against_the_target():
    quarter = rows([row(CITY, "tree_cover_share", 63.0, 62.0, 64.0) | {"period": "2024Q4"}])

    page = html.render(
        make(period="2024Q4", baseline=None, rows=report.records(quarter), change_rows=()), {}
    )

    assert 'class="verdict' not in page
    assert "63.00%（95% 置信区间 62.00% ~ 64.00%" in read(page)[0]
    assert "不作判定（季度值不与年度目标比较）" in read(page)[0]
    assert county_row(page, "金华市")[4] == "—"


def test_a_quarter_is_never_compared_with_another_season():
    with pytest.raises(ConfigError, match="different seasons"):
        make(baseline="2023Q2")


def test_only_the_claims_make_sentences_of_numbers():
    makers = {"change_sentence", "verdict", "arrow", "leaves_0_out"}
    outlets = [*ROOT.glob("report/*.py"), *ROOT.glob("figures/*.py"), ROOT / "briefing.py"]

    borrowed = {
        path.name: names
        for path in outlets
        for line in re.findall(r"estimation\.verdicts import (.+)", path.read_text("utf-8"))
        if (names := makers & {name.strip() for name in line.split(",")})
    }

    assert borrowed == {}


def years_of(unit, first=2016, last=2024, step=0.4):
    """Coverage rows of one unit over the years, with intervals."""
    return [
        row(unit, "tree_cover_share", v := 60 + step * (year - first), v - 1, v + 1)
        | {"period": str(year)}
        for year in range(first, last + 1)
    ]


def test_a_trend_over_nine_years_is_told_with_slope_interval_and_p():
    series = rows(years_of(CITY) + years_of(WEST, step=0.0))
    now = rows([*numbers(), *trend_rows(series, Period(2024))])

    page = html.render(
        make(rows=report.records(now), series=report.records(series)), {"course.zh": b"PNG"}
    )

    text, table = read(page)
    assert "自2016年起" in text and "↑ 增加 0.40 个百分点/年" in text
    cells = [cells for cells in table if len(cells) == 6 and cells[0] in ("金华市", "兰溪市")]
    assert cells[0][1:4] == ["9", "+0.40", "+0.40 ~ +0.40"]
    assert cells[1][5] == "未检出显著变化"


def test_with_fewer_years_the_report_says_why_there_is_no_trend():
    series = rows(years_of(CITY, first=2022))
    now = rows([*numbers(), *trend_rows(series, Period(2024))])

    page = html.render(make(rows=report.records(now), series=report.records(series)), {})

    assert "同季可用数据仅 3 年，至少需要 8 年，不作趋势判断" in read(page)[0]
    assert "Mann" not in read(page)[0]


def by_definition(unit, lower, upper, woody, *, status="ok", known=False):
    """Rows of the definitions of one unit, with two areas; all three with land use known."""
    shares = {"statutory_share_lower": lower, "statutory_share_upper": upper, "woody_share": woody}
    areas = {"bamboo_area": 60_000.0, "shrub_area": 80_000.0} | ({"tea_area": 9e3} if known else {})
    width = NAN if status != "ok" else 1.0
    return [
        row(unit, name, value, value - width, value + width, status=status)
        for name, value in (shares | areas).items()
    ]


def test_three_definitions_stand_side_by_side_in_every_outlet(tmp_path):
    found = [
        *numbers(),
        *by_definition(CITY, 58.25, 63.5, 65.0),
        *by_definition(WEST, 70.0, 70.0, 74.0, status="no_interval"),
    ]

    paths = report.write(
        tmp_path / "report", make(rows=report.records(rows(found)), rules=Words("计入", "in")), {}
    )

    page = paths.html.read_text("utf-8")
    cells = [cells for cells in read(page)[1] if cells and cells[0] == "金华市"][1]
    assert cells[1:4] == ["58.25–63.5057.25–64.50", "65.0064.00–66.00", "61.8360.91–62.74"]
    assert cells[4:] == ["90.00", "120.00"]
    assert "缺少土地利用图层" in read(page)[0]
    head, city, west, *_ = sheet_rows(paths.xlsx, "口径对照")
    told = dict(zip(head, city, strict=True))
    assert told["法定口径上限，95%区间上限"] == pytest.approx(0.645)
    assert dict(zip(head, west, strict=True))["状态\nstatus"] == "仅供参考"
    claims = report.from_json(paths.json.read_text("utf-8")).claims
    assert {c.what for c in claims} >= {"statutory_share_lower", "woody_share"}


def test_with_land_use_no_bounds_are_spoken_of_and_a_calibrated_figure_stands_beside():
    found = [*numbers(), *by_definition(CITY, 60.0, 60.0, 65.0, known=True)]
    found.append(row(CITY, "statutory_share_calibrated", 62.12, 61.0, 63.2))

    text, table = read(html.render(make(rows=report.records(rows(found))), {}))

    assert "缺少土地利用图层" not in text
    assert "校准值（与上表并列，不替代监测值）" in text
    assert "62.12%（95% 置信区间 61.00% ~ 63.20%" in text
    assert [cells for cells in table if cells and cells[0] == "金华市"][1][1].startswith("60.00")


def test_without_classes_there_is_no_table_of_definitions(tmp_path):
    paths = report.write(tmp_path / "report", make(), {})

    assert "三种口径对照" not in paths.html.read_text("utf-8")


def test_the_doubtful_target_carries_its_warning_in_every_outlet(tmp_path):
    paths = report.write(tmp_path / "report", make(), {})

    for language, words in (
        ("zh", "疑为 15.12万亩"),
        ("en", "15.12 万亩 (0.92%) is probably meant"),
    ):
        assert words in read(paths.html.read_text("utf-8"), language)[0]
    assert "疑为 15.12万亩" in report.from_json(paths.json.read_text("utf-8")).targets[1].warning.zh
    said = " ".join(str(cell) for cells in sheet_rows(paths.xlsx, "说明") for cell in cells)
    assert "9.21%" in said
    assert "疑为 15.12万亩" in said


def effects():
    """What the steps did to the city, and to a county of which too little was seen."""
    seen = [(700_000.0, None, None), (699_000.0, -1000.0, 0.01), (699_000.0, 0.0, 0.0)]
    seen.append((700_500.0, 1500.0, 0.0025))
    return tuple(
        StepEffect(
            unit=unit,
            step=step,
            tree_cover_ha=area if unit == CITY else None,
            difference_ha=moved if unit == CITY else None,
            changed_share=share if unit == CITY else None,
            seen_ha=1_000_000.0,
        )
        for unit in (CITY, EAST)
        for step, (area, moved, share) in zip(STEPS, seen, strict=True)
    )


def test_every_outlet_tells_what_refinement_did(tmp_path):
    heard = Fact(Words("参考的往年同季", "Earlier years heard"), Words("2023Q4", "2023Q4"))
    strange = row(CITY, "unlike_training_share", 3.25, status="no_interval")
    data = make(
        effects=effects(),
        refinement=(heard,),
        rows=report.records(rows([*numbers(), strange | {"measure": "%"}])),
    )

    text, table = read(html.render(data, {}))
    paths = report.write(tmp_path / "report", data, {})

    assert "参考的往年同季：2023Q4" in text
    city = next(cells for cells in table if "1,050.00" in cells[1:2])
    assert [cell.strip() for cell in city] == [
        "金华市", "1,050.00", "−15,0001.00%", "00.00%", "+22,5000.25%", "1,050.75", "3.3%",
    ]  # fmt: skip
    dark = [c for c in table if c and c[0] == "磐安县" and len(c) == 7]
    assert dark == [["磐安县", "—", "——", "——", "——", "—", "—"]]
    sheet = openpyxl.load_workbook(paths.xlsx)["后处理影响"]
    assert [cell.value for cell in sheet[3]][4:] == [699_000, -1000, -15_000, 0.01, 1_000_000]
    assert [cell.value for cell in sheet[6]][4:8] == ["—"] * 4
    assert report.from_json(paths.json.read_text(encoding="utf-8")).effects == data.effects


def watched(unit, loss, gain):
    return AlertArea(unit=unit, watched_ha=100.0, loss_ha=loss, gain_ha=gain)


def test_every_outlet_tells_the_ground_in_alert_by_confidence(tmp_path):
    areas = (watched(CITY, (3.0, 2.0, 1.0), (0.0, 0.5, 0.0)), watched(EAST, (0.0,) * 3, (0.0,) * 3))
    data = make(alerts=areas)

    text, table = read(html.render(data, {}))
    paths = report.write(tmp_path / "report", data, {})

    assert "植被变化预警" in text and "不得用于评价" in text
    city = next(cells for cells in table if "45.0" in cells[1:2])
    assert [cell.strip() for cell in city][:7] == [
        "金华市", "45.0", "30.0", "15.0", "0.0", "7.5", "0.0",
    ]  # fmt: skip
    sheet = openpyxl.load_workbook(paths.xlsx)["预警面积"]
    assert [cell.value for cell in sheet[2]][1:] == [CITY, "金华市", 100, 45, 30, 15, 0, 7.5, 0]
    assert report.from_json(paths.json.read_text(encoding="utf-8")).alerts == areas
    dark = replace(areas[1], watched_ha=0.0)
    _, table = read(html.render(make(alerts=(dark,)), {}))
    assert ["磐安县", *["—"] * 6, "0.0%"] in table  # not watched is not 0
    assert "植被变化预警（本期监测）" not in read(html.render(make(), {}))[0]


def test_the_page_asks_nothing_of_anyone_and_runs_nothing():
    page = html.render(make(), {"bars.zh": b"\x89PNG", "bars.en": b"\x89PNG2"})

    assert re.findall(r'(?:src|href)="(?!data:image/png;base64,)', page) == []
    assert "<script" not in page
    assert "url(" not in page
    assert "default-src 'none'" in page
    assert page.count("data:image/png;base64,") == 2


def test_names_from_outside_stay_text(tmp_path):
    units = (replace(make().units[0], name=Words(EVIL, EVIL)), *make().units[1:])

    paths = report.write(tmp_path / "report", make(units=units), {})

    page = paths.html.read_text("utf-8")
    assert "<script" not in page
    assert county_row(page, EVIL)[1] == "61.83%"
    book = openpyxl.load_workbook(paths.xlsx)
    cell = book["分县数据"]["C2"]
    assert (cell.value, cell.data_type, cell.hyperlink) == (EVIL, "s", None)
    assert all(c.data_type != "f" for sheet in book for cells in sheet for c in cells)
    book.close()


def test_simulated_data_are_marked_on_page_sheets_and_rows(tmp_path):
    data = make(simulated=True, label=Words("模拟数据", "SIMULATED"))

    paths = report.write(tmp_path / "report", data, {})

    page = paths.html.read_text("utf-8")
    for language in ("zh", "en"):
        assert read(page, language)[0].count("模拟数据 · SIMULATED") >= 4
    assert "<title>[模拟数据 · SIMULATED]" in page
    book = openpyxl.load_workbook(paths.xlsx)
    assert all("模拟数据 · SIMULATED" in sheet.oddHeader.center.text for sheet in book)
    for name in ("分县数据", "结论", "指标行", "影像清单"):
        natures = {cells[0] for cells in sheet_rows(paths.xlsx, name)[1:]}
        assert natures == {"模拟数据 · SIMULATED"}
    book.close()


def test_real_data_bear_no_mark(tmp_path):
    paths = report.write(tmp_path / "report", make(), {})

    assert "模拟" not in paths.html.read_text("utf-8")
    assert "模拟" not in str(sheet_rows(paths.xlsx, "分县数据"))


def test_a_report_of_a_period_that_is_not_over_is_a_draft(tmp_path):
    data = make()
    stop = Period.parse(data.period).stop
    early = replace(data, created=(stop - timedelta(minutes=1)).isoformat(timespec="minutes"))

    paths = report.write(tmp_path / "early", early, {})
    done = report.write(tmp_path / "done", replace(data, created=stop.isoformat()), {})

    assert "<title>[草稿]" in paths.html.read_text("utf-8")
    assert "草稿：本期尚未结束" in paths.html.read_text("utf-8")
    assert sheet_rows(paths.xlsx, "说明")[0][0].startswith("草稿：本期尚未结束")
    assert "草稿" not in done.html.read_text("utf-8")
    assert "草稿" not in str(sheet_rows(done.xlsx, "说明"))


def test_the_workbook_is_ready_to_work_with(tmp_path):
    paths = report.write(tmp_path / "report", make(), {})

    book = openpyxl.load_workbook(paths.xlsx)
    assert book.sheetnames == ["说明", "分县数据", "结论", "指标行", "影像清单", "图表"]
    counties = book["分县数据"]
    assert counties.freeze_panes == "E2"
    assert len(counties.conditional_formatting) >= 1
    assert all(not sheet.merged_cells.ranges for sheet in book)
    assert len(book["图表"]._charts) == 1
    assert counties["F2"].number_format == "0.00%"
    assert counties["F2"].value == pytest.approx(0.61825)
    assert counties["F5"].value == "—"
    book.close()


def test_every_outlet_tells_the_same_numbers(tmp_path):
    paths = report.write(tmp_path / "report", make(), {})

    page = paths.html.read_text("utf-8")
    data = report.from_json(paths.json.read_text("utf-8"))
    sheet = {cells[2]: cells for cells in sheet_rows(paths.xlsx, "分县数据")[1:]}
    for line in lines.lines(data):
        name = line.unit.name.zh
        printed, booked = county_row(page, name), sheet[name]
        assert printed[1] == wording.percent(line.share.value)
        assert printed[3] == wording.shown(wording.wan_mu_of(line.area.value))
        for cell, value in ((booked[5], line.share.value / 100), (booked[11], line.area.value)):
            assert cell == ("—" if math.isnan(value) else pytest.approx(value))
    tidy = sheet_rows(paths.xlsx, "指标行")
    assert len(tidy) == 1 + len(data.rows) + len(data.change_rows)
    assert tidy[1][6] == data.rows[0].value


def test_equal_data_give_equal_files(tmp_path):
    first, second = (
        report.write(tmp_path / name, make(), {"bars.zh": b"\x89PNG"}) for name in ("a", "b")
    )

    for part in ("json", "html", "xlsx"):
        assert getattr(first, part).read_bytes() == getattr(second, part).read_bytes()
    assert report.from_json(first.json.read_text("utf-8")).figures == ("figures/bars.zh.png",)


def test_a_report_that_fails_leaves_the_former_one_whole(tmp_path, monkeypatch):
    folder = tmp_path / "report"
    report.write(folder, make(), {"bars.zh": b"\x89PNG"})
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def fail(path, data):
        raise RuntimeError("power cut")

    monkeypatch.setattr(report, "write_workbook", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        report.write(folder, make(run_id="ffff"), {})

    assert {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_pictures_of_unknown_name_are_refused(tmp_path):
    with pytest.raises(ContractError, match=r"mystery\.zh"):
        report.write(tmp_path / "report", make(), {"mystery.zh": b""})


def test_every_known_picture_has_a_place_on_the_page():
    pictures = {f"{name}.zh": name.encode() for name in report.FIGURES}

    assert html.render(make(), pictures).count("<img") == len(report.FIGURES)


def test_a_run_of_one_county_is_reported_but_not_judged_against_the_citys_target():
    units = make().units[1:2]
    only = report.records(rows([row(WEST, "tree_cover_share", 72.5, 70.0, 75.0)]))

    page = html.render(make(units=units, rows=only, change_rows=()), {})

    assert "兰溪市遥感监测森林（林木）覆盖率：72.50%" in read(page)[0]
    assert 'class="verdict' not in page


def test_the_summary_counts_scenes_by_what_became_of_them():
    def scene(hour):
        return Scene(
            id="a", acquired=datetime(2024, 10, 3, hour, tzinfo=UTC), tile="50RQT",
            platform="sentinel-2a", baseline="05.11", offset=-1000, offset_reason="", scale=1e-4,
            cloud=1.0, crs="EPSG:32650", footprint=box(0, 0, 1, 1), assets={}, provider="x",
        )  # fmt: skip

    decisions = [
        SceneDecision("a", "kept", "", scene(2), "kept"),
        SceneDecision("b", "kept", "", scene(20), "kept"),
        SceneDecision("c", "dropped", "cloud 90 %", None, "cloud"),
    ]

    found = SceneSummary.of(decisions, {"cloud": ("too cloudy", "云量过高")}, source="s", failed=1)

    assert (found.found, found.kept, found.failed) == (3, 2, 1)
    assert found.dates == ("2024-10-03", "2024-10-04")
    assert found.dropped == (Tally(Words("云量过高", "too cloudy"), 1),)


def test_draw_makes_the_pictures_that_the_rows_and_maps_allow(tmp_path):
    squares = [box(x, 3.2e6, x + 2e4, 3.22e6) for x in (4.5e5, 4.7e5, 4.9e5)]
    units = gpd.GeoDataFrame(
        {
            "code": [CITY, WEST, MIDDLE, EAST],
            "name_zh": ["金华市", "兰溪市", "义乌市", "磐安县"],
            "name_en": ["Jinhua City", "Lanxi City", "Yiwu City", "Pan'an County"],
            "level": ["city", "county", "county", "county"],
            "geometry": [box(4.5e5, 3.2e6, 5.1e5, 3.22e6), *squares],
        },
        crs="EPSG:4549",
    ).set_index("code")
    with rasterio.open(
        tmp_path / "forest.tif", "w", driver="GTiff", height=200, width=600, count=1,
        dtype="uint8", nodata=0, crs="EPSG:4549", transform=Affine(100, 0, 4.5e5, 0, -100, 3.22e6),
    ) as target:  # fmt: skip
        target.write(np.full((200, 600), 2, dtype="uint8"), 1)
    rasters = {"forest": tmp_path / "forest.tif", "composite": tmp_path / "nothing"}

    pictures = report.draw(make(), rasters, units, languages=("zh",))

    assert sorted(pictures) == ["bars.zh", "choropleth.zh", "forest.zh"]
    assert all(png.startswith(b"\x89PNG") for png in pictures.values())
    report.write(tmp_path / "report", make(), pictures)
    assert (tmp_path / "report" / "figures" / "forest.zh.png").read_bytes() == pictures["forest.zh"]


def test_the_method_is_told_as_the_run_was_set():
    settings = Settings.model_validate(
        {
            "mask": {"buffer_m": 60},
            "composite": {"min_clear": 4, "widen_days": 0},
            "refine": {"window_m": 0, "min_patch_mu": 2.5},
            "gates": {"min_clear_share": 0.7},
        }
    )

    text, _ = read(html.render(make(method=report.method_facts(settings)), {}))

    for told in ("60 米", "4 次", "2.5 亩，四邻连通", "70%"):
        assert told in text
    facts = {fact.name.en: fact.text.zh for fact in report.method_facts(settings)}
    assert facts["Days around the period"] == facts["Smoothing window"] == "未启用"
    assert "默认 1 亩" not in text
