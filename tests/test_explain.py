"""What is said about a tile, a scene and a county, on a period laid out by hand."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from builders import little_city
from odc.geo.xr import xr_coords

from jinhua_rs import explain, planning, store
from jinhua_rs.certificate import Certificate, SceneVerdict, Summary
from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.ledger import Entry, Ledger
from jinhua_rs.period import Period
from jinhua_rs.schema import ROW_COLUMNS
from jinhua_rs.settings import load_settings

PERIOD = Period.parse("2019Q4")
FIRST, SECOND, THIRD = (f"S2A_T50RQT_201910{day}T024000_L2A" for day in ("03", "13", "23"))


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """Settings and plan of a city with one finished tile, one made with a scene left out."""
    config = little_city(tmp_path_factory.mktemp("city"), years=(2019,))
    settings = load_settings(config).settings
    plan = planning.make_plan(PERIOD, settings)
    planning.save_inventory(plan)
    whole, cut = plan.tiles[0], plan.tiles[1]
    _make(plan, whole, scenes=[FIRST, SECOND, THIRD], broken={})
    _make(plan, cut, scenes=[FIRST, THIRD], broken={f"{SECOND}/nir": "TIFFReadEncodedTile failed"})
    Ledger(plan.folder / "ledger.jsonl").note(
        Entry("header", f"{FIRST} 0123456789abcdef", "sound"),
        Entry("tile", f"composite/{whole.id}", "failed", "OSError: disk gone"),
        Entry("tile", f"composite/{whole.id}", "done"),
        Entry("tile", f"composite/{whole.id}", "reused"),
        Entry("tile", f"composite/{whole.id}", "reused"),
        Entry("asset", f"{SECOND}/nir", "failed", "TIFFReadEncodedTile failed"),
    )
    return settings, plan


def _make(plan, tile, *, scenes, broken):
    """Write a composite whose looks are 0, 1 and 5 by column, and widened where they are 1."""
    columns = np.arange(tile.geobox.shape.x) % 4
    looks = np.broadcast_to(np.array([0, 1, 5, 5], "uint16")[columns], tile.geobox.shape)
    window = np.broadcast_to(np.array([0, 2, 1, 1], "uint8")[columns], tile.geobox.shape)
    layers = {"n_clear": (("y", "x"), looks), "window": (("y", "x"), window)}
    path = plan.folder / "tiles" / "composite" / f"{tile.id}.zarr"
    store.write_tile(path, xr.Dataset(layers, coords=xr_coords(tile.geobox)))
    store.seal(path, "thekey", {"scenes": scenes, "broken": broken, "clear_pixels": 7})


def about(city, subject):
    settings, _ = city
    return explain.explain(subject, PERIOD, settings)


def test_a_tile_says_what_it_was_made_from_and_how_often_it_was_seen(city):
    tile = city[1].tiles[0]

    told = about(city, tile.id)

    assert told.kind == "tile"
    composite = told.facts["products"]["composite"]
    assert (composite["state"], composite["key"]) == ("finished", "thekey")
    assert told.facts["products"]["land"] == {"state": "missing"}
    assert "alerts" not in told.facts["products"], "nobody watches"
    seen = told.facts["seen"]
    assert (seen["n_clear"]["min"], seen["n_clear"]["max"]) == (0, 5)
    assert seen["never_clear_share"] == pytest.approx(0.25)
    assert seen["widened_share"] == pytest.approx(0.25)
    assert [look["state"] for look in told.facts["scenes"]] == ["used"] * 3
    assert "已完成，key thekey" in told.text("zh")
    assert "failed (OSError: disk gone), done, reused ×2" in told.text("en")
    assert "失败：磁盘空间不足或无法写入（OSError: disk gone），完成，沿用 ×2" in told.text("zh")


def test_a_scene_that_a_tile_could_not_read_is_named_with_the_reason(city):
    told = about(city, city[1].tiles[1].id)

    left_out = {look["id"]: look["reason"] for look in told.facts["scenes"] if look["reason"]}
    assert left_out == {SECOND: "nir: TIFFReadEncodedTile failed"}
    assert f"2019-10-13  未用  {SECOND}：nir：无法读取（TIFFReadEncodedTile failed）" in told.text(
        "zh"
    )


def test_a_tile_that_was_not_made_yet_says_so(city):
    told = about(city, city[1].tiles[2].id)

    assert {product["state"] for product in told.facts["products"].values()} == {"missing"}
    states = {look["id"]: look["state"] for look in told.facts["scenes"]}
    assert states == {FIRST: "not yet", SECOND: "left out", THIRD: "not yet"}
    assert "未生成" in told.text("zh")


def test_damage_is_seen(city, tmp_path):
    settings, plan = city
    tile = plan.tiles[3]
    _make(plan, tile, scenes=[FIRST], broken={})
    chunk = max(
        (plan.folder / "tiles" / "composite" / f"{tile.id}.zarr").rglob("c/*/*"),
        key=lambda path: path.stat().st_size,
    )
    data = bytearray(chunk.read_bytes())
    data[-1] ^= 1
    chunk.write_bytes(data)

    told = explain.explain(tile.id, PERIOD, settings)

    assert told.facts["products"]["composite"]["state"] == "damaged"
    assert told.facts["seen"] is None
    assert "已损坏" in told.text("zh")


def test_a_scene_says_its_verdict_its_offset_and_its_tiles(city):
    _, plan = city

    told = about(city, SECOND)

    assert told.kind == "scene"
    assert told.facts["verdict"] == "kept"
    assert told.facts["scene"]["offset"] == 0
    assert told.facts["scene"]["offset_reason"]
    assert told.facts["tiles"]["used"] == [plan.tiles[0].id]
    assert list(told.facts["tiles"]["left_out"]) == [plan.tiles[1].id]
    assert told.facts["certificate"] is None
    assert "北京时间 2019-10-13 10:40" in told.text("zh")
    assert f"瓦片 {plan.tiles[1].id} 未用" in told.text("zh")


def test_the_ledger_of_a_scene_holds_its_headers(city):
    assert [entry["state"] for entry in about(city, FIRST).facts["ledger"]] == ["sound"]


CERTIFIED = {
    "tile": "50RQT", "codes": (), "reason": "", "reason_zh": "", "offset_said": 0,
    "offset_measured": 12, "offset_because": "baseline 02.13", "dark": {}, "forest_ndvi": 0.8,
    "lowest": 210, "shift": (0.25, -1.5), "shift_quality": 0.4, "shift_spread": 0.1,
    "n_chips": 9, "classes": {"4": 1.0}, "remarks": (),
}  # fmt: skip


@pytest.fixture
def certificate(city):
    """The first scene is sound, the last is set aside."""
    bad = {"verdict": "set aside", "codes": ("shift",), "reason": "moved", "reason_zh": "错位"}
    written = Certificate(
        summary=Summary(
            n_scenes=2, n_sound=1, n_unmeasured=0, n_set_aside=1, by_code={"shift": 1},
            median_shift=None, largest_shift=None, n_steps=0, n_steps_too_large=0,
            largest_step=None, remark="", remark_zh="",
        ),
        scenes=(
            SceneVerdict(**CERTIFIED | {"id": FIRST, "verdict": "sound"}),
            SceneVerdict(**CERTIFIED | {"id": THIRD} | bad),
        ),
        steps=(),
    )  # fmt: skip
    path = city[1].folder / planning.CERTIFICATE
    path.write_text(written.to_json())
    yield path
    path.unlink()


def test_a_scene_says_what_was_measured_on_it(city, certificate):
    told = about(city, FIRST)

    assert told.facts["certificate"]["offset_measured"] == 12
    assert json.loads(json.dumps(told.facts))["certificate"]["shift"] == [0.25, -1.5]
    assert "辐射偏移：元数据 0，实测 12" in told.text("zh")
    assert "shift down, right +0.25, -1.50 px" in told.text("en")


def test_a_scene_that_its_pixels_contradict_is_named_at_its_tiles(city, certificate):
    told = about(city, city[1].tiles[2].id)

    looks = {look["id"]: (look["state"], look["reason_zh"]) for look in told.facts["scenes"]}
    assert looks[THIRD] == ("left out", "错位")
    assert looks[FIRST] == ("not yet", "")
    assert "不予采用：错位" in about(city, THIRD).text("zh")


def test_a_damaged_certificate_is_passed_over(city, certificate):
    certificate.write_text("{")

    assert about(city, FIRST).facts["certificate"] is None


def test_a_county_says_how_far_it_is_and_what_was_published(city):
    _, plan = city
    row = ("2019Q4", "990001", "tree_cover_share", 37.5, 36.1, 38.8, "%", "ok", 1.0)
    row += (500, "wilson", None, "sample")
    other = ("2019Q4", "990002", *row[2:])
    (plan.folder / "published").mkdir()
    table = pd.DataFrame([row, other], columns=list(ROW_COLUMNS))
    table.to_csv(plan.folder / "published" / "indicators.csv", index=False)

    told = about(city, "北县")

    assert (told.subject, told.kind) == ("990001", "unit")
    assert [one["value"] for one in told.facts["published"]] == [37.5]
    tiles = set(told.facts["tiles"])
    assert set(told.facts["missing"]["land"]) == tiles
    assert 0 < len(tiles) <= len(plan.tiles)
    assert "37.50 [36.10, 38.80] %" in told.text("zh")


def test_what_is_told_to_machines_is_json(city):
    for subject in (city[1].tiles[0].id, FIRST, "990002"):
        facts = about(city, subject).facts
        assert json.loads(json.dumps(facts, allow_nan=False)) == facts


@pytest.mark.parametrize(
    "subject", ["../../etc/passwd", "e1375n99999", "", "S2A_nothing", "x\n\x1b[31m", "a" * 10_000]
)
def test_an_unknown_name_is_refused(city, subject):
    with pytest.raises(ConfigError) as refused:
        about(city, subject)

    assert len(str(refused.value)) < 400
    assert "\x1b" not in str(refused.value)


def test_close_names_are_offered(city):
    meant = city[1].tiles[0].id

    with pytest.raises(ConfigError, match=meant):
        about(city, meant[:-1] + "x")


def test_a_period_that_was_never_planned_is_said(city):
    with pytest.raises(NoDataError, match="jinhua-rs plan 2024Q4"):
        explain.explain("x", Period.parse("2024Q4"), city[0])


def test_the_watch_is_told_of_where_it_is(city):
    plan = city[1]
    (plan.folder / "tiles" / "alerts").mkdir(parents=True)

    told = about(city, plan.tiles[0].id)

    assert told.facts["products"]["alerts"] == {"state": "missing"}
