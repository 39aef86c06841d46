"""The whole path on a little city with planted truth, and every way in which it may go wrong."""

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pandas as pd
import pytest
import rasterio
from builders import little_city

from jinhua_rs import cli, planning, quarter, store
from jinhua_rs.period import Period
from jinhua_rs.settings import load_settings


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A little city with its baseline and its current period published."""
    folder = tmp_path_factory.mktemp("city")
    config = little_city(folder)
    for period in ("2019Q4", "2024Q4"):
        process = multiprocessing.get_context("spawn").Process(target=_run, args=(period, config))
        process.start()
        process.join()
        assert process.exitcode == 0
    return config


def _run(period, config, *more):
    sys.argv = ["jinhua-rs", "run", period, "--config", str(config), *more]
    cli.main()


def folder_of(config, period="2024Q4"):
    return config.parent / "out" / period


def published_of(config, period="2024Q4"):
    return folder_of(config, period) / "published"


def test_the_planted_truth_comes_out(published):
    rows = pd.read_csv(published_of(published) / "indicators.csv", dtype={"unit": str})
    value = rows.set_index(["unit", "indicator"])["value"]
    low, high = (rows.set_index(["unit", "indicator"])[edge] for edge in ("low", "high"))

    assert set(rows["unit"]) == {"990000", "990001", "990002"}
    for unit in ("990000", "990001", "990002"):
        assert low[unit, "tree_cover_share"] <= 37.5 <= high[unit, "tree_cover_share"]
        assert value[unit, "tree_cover_share_mapped"] == pytest.approx(37.5, abs=1.0)
        assert low[unit, "tree_cover_change"] <= -12.5 <= high[unit, "tree_cover_change"]
    assert value["990000", "loss_area_mapped"] == pytest.approx(20.48, abs=1.0)
    assert value["990000", "gain_area_mapped"] == pytest.approx(0, abs=0.5)
    assert (rows["n_clear_share"] > 0.99).all()


def test_the_report_holds_its_claims_and_the_years_published_before(published):
    folder = published_of(published)

    data = json.loads((folder / "report" / "report.json").read_text("utf-8"))

    series = [(row["period"], row["unit"]) for row in data["series"]]
    assert series == [(p, u) for p in ("2019Q4", "2024Q4") for u in ("990000", "990001", "990002")]
    said = {(one["unit"], one["what"]): one for one in data["claims"]}
    assert said["990000", "tree_cover_change"]["arrow"] == "↓"
    assert said["990000", "tree_cover_share"]["verdict"] is None
    assert said["990000", "tree_cover_share"]["n"] > 0
    assert "仅 2 年，至少需要 8 年" in said["990000", "tree_cover_trend"]["sentence"]["zh"]
    receipt = json.loads((folder / "run.json").read_text("utf-8"))
    assert list(receipt["earlier"]) == ["2019Q4"]


def test_every_product_is_there_labelled_and_whole(published, jinhua):
    folder = published_of(published)
    for name in ("forest", "canopy", "ndvi", "landcover", "n_clear", "change"):
        with rasterio.open(folder / f"{name}.tif") as source:
            assert source.tags()["label"] == "SIMULATED 模拟数据"
            assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    page = (folder / "report" / "report.html").read_text()
    assert "模拟数据" in page
    assert "遥感监测森林（林木）覆盖率" in page
    assert not re.search(r'(src|href)="https?:', page)
    code, out, _ = jinhua("verify", "2024Q4", "--config", published)
    assert code == 0
    assert "完好" in out


def test_the_last_step_of_refinement_is_the_map_that_is_counted(published):
    folder = published_of(published)
    rows = pd.read_csv(folder / "indicators.csv", dtype={"unit": str})
    effects = pd.read_csv(folder / "refine_effects.csv", dtype={"unit": str})

    last = effects[effects["step"] == "minimum_unit"].set_index("unit")
    mapped = rows[rows["indicator"] == "tree_cover_share_mapped"].set_index("unit")["value"]
    assert (100 * last["tree_cover_ha"] / last["seen_ha"]).to_dict() == pytest.approx(
        mapped.to_dict(), abs=1e-6
    )
    assert "后处理影响" in (folder / "report" / "report.html").read_text()


def test_a_second_run_makes_nothing_anew_and_gives_equal_numbers(published, jinhua):
    folder = folder_of(published)
    tiles = sorted(folder.glob("tiles/*/*.zarr.json"))
    before = [(path.stat().st_mtime_ns, path.read_bytes()) for path in tiles]
    table = (folder / "published" / "indicators.csv").read_bytes()

    code, _, _ = jinhua("run", "2024Q4", "--config", published)

    assert code == 0
    assert [(path.stat().st_mtime_ns, path.read_bytes()) for path in tiles] == before
    assert (folder / "published" / "indicators.csv").read_bytes() == table


def test_what_a_killed_worker_leaves_while_others_go_on_is_swept_away(published):
    piece = folder_of(published) / "tiles" / "land" / ".e1n1.zarr.0.part"
    plan = planning.make_plan(Period(2024, 4), load_settings(published).settings)

    def leave_a_piece(*_):
        piece.mkdir(exist_ok=True)

    quarter.run(plan, now=datetime(2026, 1, 1, tzinfo=UTC), progress=leave_a_piece)

    assert not piece.exists()


def test_damage_is_found_and_named(published, jinhua, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(published.parent, copy)
    target = copy / "out" / "2024Q4" / "published" / "forest.tif"
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 0xFF
    target.write_bytes(data)

    code, _, err = jinhua("verify", "2024Q4", "--config", copy / "jinhua.toml")

    assert code == 5
    assert "forest.tif" in err


def test_status_and_plan_speak_to_machines(published, jinhua):
    code, out, _ = jinhua("--json", "status", "2024Q4", "--config", published)
    state = json.loads(out)
    assert code == 0
    assert state["state"] == "published"
    assert state["finished"]["composite"] == state["tiles"]

    code, out, _ = jinhua("--json", "plan", "2024年第四季度", "--config", published)
    assert code == 0
    assert json.loads(out)["cost"]["scenes"] == 3


def test_one_county_alone(published, jinhua):
    code, out, _ = jinhua("run", "2024Q4", "--county", "北县", "--config", published)

    assert code == 0
    assert "北县" in out
    rows = pd.read_csv(
        published_of(published, "2024Q4.990001") / "indicators.csv", dtype={"unit": str}
    )
    assert set(rows["unit"]) == {"990001"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "2024Q9"], 2, "2024Q9"),
        (["run", "2024Q4", "--county", "东县"], 2, "东县"),
        (["run", "2023Q4"], 3, "2023"),
        (["report", "2023Q4"], 3, "尚未完成"),
        (["verify", "2023Q4"], 5, "SHA256SUMS"),
    ],
)
def test_what_is_not_there_is_said(published, jinhua, arguments, code, words):
    got, _, err = jinhua(*arguments, "--config", published)

    assert got == code
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Usage"),
        (["nosuch"], "nosuch"),
        (["run"], "PERIOD"),
        (["run", "2024Q4", "--no"], "--no"),
    ],
)
def test_a_wrong_call_is_told_how_to_call(jinhua, arguments, words):
    code, out, err = jinhua(*arguments)

    assert code == 2
    assert words in out + err
    assert "Traceback" not in out + err


def change_config(config, old, new):
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def test_an_unknown_key_is_refused(tmp_path, jinhua):
    config = little_city(tmp_path / "city")
    change_config(config, "tile_size = 64", "tile_sise = 64")
    code, _, err = jinhua("run", "2024Q4", "--config", config)
    assert code == 2
    assert "area.tile_size" in err


def test_an_all_cloud_quarter_invents_nothing(tmp_path, jinhua):
    config = little_city(tmp_path / "city", cloudy=(2024,))
    code, _, err = jinhua("run", "2024Q4", "--config", config)
    assert code == 3
    assert "数据不足" in err
    assert not published_of(config).exists()


def test_a_scene_without_scene_classes_is_dropped_not_used_unmasked(tmp_path, jinhua):
    config = little_city(tmp_path / "city")
    for path in (config.parent / "items").glob("*2024*.json"):
        item = json.loads(path.read_text())
        del item["assets"]["scl"]
        path.write_text(json.dumps(item))
    code, _, err = jinhua("run", "2024Q4", "--config", config)
    assert code == 3
    assert not published_of(config).exists()
    assert "残缺" in err


def test_a_wrong_crs_stops_at_the_gate(tmp_path, jinhua):
    config = little_city(tmp_path / "city")
    for path in (config.parent / "items").glob("*2024*.json"):
        path.write_text(path.read_text().replace('"proj:epsg": 4549', '"proj:epsg": 32650'))
    code, _, err = jinhua("run", "2024Q4", "--config", config)
    assert code == 4
    assert "ledger.jsonl" in err
    assert "CRS" in (folder_of(config) / "ledger.jsonl").read_text()
    code, out, _ = jinhua("status", "2024Q4", "--config", config)
    assert code == 0
    assert out.count("文件头 S2A_") == 3 and "坐标系与条目不符" in out


def test_missing_samples_are_said_before_anything_is_computed(tmp_path, jinhua):
    config = little_city(tmp_path / "city")
    (config.parent / "samples.gpkg").unlink()
    code, _, err = jinhua("run", "2024Q4", "--config", config)
    assert code == 2
    assert "samples.gpkg" in err
    assert not (folder_of(config) / "tiles").exists()


def test_a_published_quarter_is_never_changed_a_correction_stands_beside_it(
    tmp_path, published, jinhua
):
    shutil.copytree(published.parent, tmp_path / "copy")
    config = tmp_path / "copy" / "jinhua.toml"
    former = json.loads((published_of(config) / "run.json").read_text())["run_id"]
    table = (published_of(config) / "indicators.csv").read_bytes()

    config.write_text(config.read_text() + "[gates]\nmin_clear_share = 1.0\n")
    code, _, err = jinhua("run", "2024Q4", "--config", config)
    assert code == 0 or "数据不足" in err
    change_config(config, "min_clear_share = 1.0", "min_clear_share = 0.5")
    code, _, _ = jinhua("run", "2024Q4", "--config", config)

    assert code == 0
    kept = folder_of(config) / "history" / former
    assert (kept / "indicators.csv").read_bytes() == table
    assert store.verify_sums(kept) == []
    assert json.loads((published_of(config) / "run.json").read_text())["run_id"] != former
    assert jinhua("verify", "2024Q4", "--config", config)[0] == 0
    assert jinhua("verify", "2019Q4", "--config", config)[0] == 0


def test_a_draft_does_not_stand_when_its_period_is_over(tmp_path, published):
    shutil.copytree(published.parent, tmp_path / "copy")
    config = tmp_path / "copy" / "jinhua.toml"
    plan = planning.make_plan(Period(2024, 4), load_settings(config).settings)
    page = published_of(config) / "report" / "report.html"

    quarter.run(plan, now=datetime(2024, 12, 20, tzinfo=UTC))
    early = page.read_text("utf-8")
    quarter.run(plan, now=datetime(2025, 1, 2, tzinfo=UTC))

    assert "草稿" in early
    assert "草稿" not in page.read_text("utf-8")


def test_other_questions_search_anew_and_the_address_does_not_matter(published, tmp_path, jinhua):
    shutil.copytree(published.parent, tmp_path / "copy")
    config = tmp_path / "copy" / "jinhua.toml"
    config.write_text(config.read_text().replace('url = "./"', 'url = "./gone"'))
    assert jinhua("plan", "2024Q4", "--config", config)[0] == 0
    config.write_text(config.read_text().replace('url = "./gone"', 'url = "./"\nmax_cloud = 5'))
    assert jinhua("plan", "2024Q4", "--config", config)[0] == 3


def test_an_outage_heals(tmp_path, jinhua):
    """Files that cannot be read for a while are read by the next run, not written off."""
    config = little_city(tmp_path / "city")
    config.write_text(config.read_text() + "[gates]\nmax_failed_assets = 1.0\n")
    files = sorted((config.parent / "scenes").glob("*2024*.nir.tif"))
    whole = [path.read_bytes() for path in files]
    for path in files:
        path.write_bytes(path.read_bytes()[:9_000])
    assert jinhua("run", "2024Q4", "--config", config)[0] == 3
    for path, content in zip(files, whole, strict=True):
        path.write_bytes(content)

    assert jinhua("run", "2024Q4", "--config", config)[0] == 0
    with rasterio.open(published_of(config) / "n_clear.tif") as source:
        assert source.read(1).min() == 3


def test_simulated_scenes_mark_the_products_whatever_the_settings_say(tmp_path, jinhua):
    config = little_city(tmp_path / "city", years=(2019,))
    change_config(config, "simulated = true", "simulated = false")
    for path in (config.parent / "items").glob("*.json"):
        item = json.loads(path.read_text())
        item["properties"]["jinhua:simulated"] = True
        path.write_text(json.dumps(item))

    assert jinhua("run", "2019Q4", "--config", config)[0] == 0
    assert "模拟数据" in (published_of(config, "2019Q4") / "report" / "report.html").read_text()


@pytest.mark.parametrize("limit", ["0.02", "0.5"])
def test_a_cut_file_is_listed_and_counted_against_the_gate(tmp_path, jinhua, limit):
    config = little_city(tmp_path / "city")
    config.write_text(config.read_text() + f"[gates]\nmax_failed_assets = {limit}\n")
    path = next((config.parent / "scenes").glob("*20241013*.nir.tif"))
    path.write_bytes(path.read_bytes()[:20_000])

    code, _, _ = jinhua("run", "2024Q4", "--config", config)

    ledger = (folder_of(config) / "ledger.jsonl").read_text()
    assert '"state": "failed"' in ledger
    if limit == "0.02":
        assert code == 4
        assert not published_of(config).exists()
    else:
        assert code == 0
        with rasterio.open(published_of(config) / "n_clear.tif") as source:
            looks = source.read(1)
        assert (looks.min(), looks.max()) == (2, 3)  # the tiles that the cut reaches lose one


def test_an_unwritable_output_is_said_before_anything_is_computed(tmp_path, jinhua):
    config = little_city(tmp_path / "city")
    (config.parent / "out").write_text("a file where a folder should be")
    code, _, err = jinhua("run", "2024Q4", "--config", config)
    assert code == 2
    assert "[output] root" in err


def test_no_model_is_said(tmp_path, jinhua):
    config = little_city(tmp_path / "city")
    change_config(config, 'samples = "samples.gpkg"', "")
    code, _, err = jinhua("run", "2024Q4", "--config", config)
    assert code == 2
    assert "[model]" in err


def test_a_second_run_of_the_same_period_is_refused(tmp_path, jinhua):
    config = little_city(tmp_path / "city")
    with store.locked(folder_of(config)):
        process = multiprocessing.get_context("spawn").Process(target=_run, args=("2024Q4", config))
        process.start()
        process.join()
    assert process.exitcode == 75


def test_killed_anywhere_a_rerun_gives_the_same_bytes(tmp_path, published):
    """SIGKILL at several moments; the rerun ends in the bytes of an undisturbed run."""
    config = little_city(tmp_path / "city")
    context = multiprocessing.get_context("spawn")
    for moment in (2.5, 4.0, 5.0, 6.0):
        process = context.Process(target=_run, args=("2024Q4", config))
        process.start()
        time.sleep(moment)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()
    process = context.Process(target=_run, args=("2024Q4", config))
    process.start()
    process.join()

    assert process.exitcode == 0
    ours, theirs = folder_of(config), folder_of(published)
    for path in sorted(theirs.glob("tiles/*/*.zarr")):
        assert store.digest(ours / path.relative_to(theirs)) == store.digest(path)
    table = "published/indicators.csv"
    assert (ours / table).read_bytes() == (theirs / table).read_bytes()
    assert not list(ours.rglob("*.part"))


def test_ctrl_c_ends_quietly_and_the_next_run_goes_on(tmp_path):
    """A terminal sends Ctrl-C to the run and to its workers; only the run may answer."""
    config = little_city(tmp_path / "city")
    change_config(config, "workers = 1", "workers = 2")
    command = [sys.executable, "-m", "jinhua_rs", "run", "2024Q4", "--config", str(config)]
    run = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    ledger = folder_of(config, "2019Q4") / "ledger.jsonl"
    patience = time.monotonic() + 120
    while time.monotonic() < patience and not (
        ledger.is_file() and "composite/" in ledger.read_text()
    ):
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=120)

    assert run.returncode == 130
    assert "已中断" in said
    assert "Traceback" not in said
    done = sorted(folder_of(config, "2019Q4").glob("tiles/composite/*.zarr.json"))
    assert done
    before = [path.stat().st_mtime_ns for path in done]
    assert subprocess.run(command, capture_output=True, timeout=280, check=False).returncode == 0
    assert [path.stat().st_mtime_ns for path in done] == before
