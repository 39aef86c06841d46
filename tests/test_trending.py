"""Maps of trends from published years: what rises, what falls, what is too short, and reruns."""

import numpy as np
import pandas as pd
import pyogrio
import pytest
from patch_world import counties, put, square
from typer.testing import CliRunner

from jinhua_rs import store, trending, upkeep
from jinhua_rs.cli import app
from jinhua_rs.errors import IntegrityError, NoDataError
from jinhua_rs.following import Place
from jinhua_rs.ledger import Entry, Ledger
from jinhua_rs.period import Period
from jinhua_rs.settings import load_settings

SIDE, YEARS = 40, range(2015, 2025)
quiet = lambda *_: None  # noqa: E731


def publish(folder, year, maps):
    published = folder / "out" / str(year) / "published"
    for name, values in maps.items():
        put(published / f"{name}.tif", values)
    store.write_json(published / "run.json", {"run_id": f"r{year}", "label": "SIMULATED 模拟数据"})
    store.write_sums(published, sorted(published.glob("*.[tj]*")))


def ndvi(year):
    """Noise; the north-west quarter rises, the south-east quarter falls, one pixel is unseen."""
    rng = np.random.default_rng(year)
    values = 0.5 + rng.normal(0, 0.002, (SIDE, SIDE))
    values[:20, :20] += 0.02 * (year - 2015)
    values[20:, 20:] -= 0.03 * (year - 2015)
    values[0, 39] = np.nan
    return values.astype("float32")


@pytest.fixture
def world(tmp_path):
    units = counties(square(0, 0, SIDE, SIDE)).reset_index()
    pyogrio.write_dataframe(units, tmp_path / "units.gpkg")
    (tmp_path / "jinhua.toml").write_text(
        '[area]\nunits = "units.gpkg"\n[output]\nroot = "out"\n[run]\nworkers = 1\n'
        '[report]\nsimulated = true\nlanguages = ["zh"]\n',
        encoding="utf-8",
    )
    for year in YEARS:
        publish(tmp_path, year, {"ndvi": ndvi(year)})
    return tmp_path


def place(world, year=2024):
    return Place.of(Period(year), load_settings(world / "jinhua.toml", environment={}).settings)


def test_what_rises_and_falls_is_found_with_its_slope(world):
    found = trending.run(place(world), progress=quiet)

    trend = store.open_map(found.folder / "ndvi_trend.tif").to_numpy()
    slope = store.open_map(found.folder / "ndvi_trend_slope.tif").to_numpy()
    assert set(np.unique(trend)) == {0, 1, 2, 3} and trend[0, 39] == 0 and np.isnan(slope[0, 39])
    assert (trend[:20, :20] == 3).mean() > 0.9 and (trend[20:, 20:] == 1).mean() > 0.9
    assert np.nanmean(trend[:20, 20:] != 2) < 0.05
    assert slope[:20, :20].mean() == pytest.approx(0.02, abs=0.001)
    assert slope[20:, 20:].mean() == pytest.approx(-0.03, abs=0.001)
    row = found.rows.iloc[0]
    assert row["rising_share"] == pytest.approx(np.mean(trend[trend > 0] == 3), abs=0.01)
    assert row["tree_cover_status"] == "insufficient" and found.years == {"ndvi": list(YEARS)}
    assert {path.name for path in found.folder.glob("*.png")} == {
        "ndvi-slope.png",
        "ndvi-trend.png",
    }


def test_the_line_is_that_of_false_discovery_over_all_tiles():
    p = np.array([0.001, 0.004, 0.012, 0.02, 0.2, 0.5, 0.9, 0.9, 1.0, 1.0])  # of ten tests
    steps = [(round(one * 10_000), 1) for one in p]

    assert trending._line([steps[:3], steps[3:]]) == 120  # 0.012 < 5 % × 3/10; 0.02 = 5 % × 4/10
    assert trending._line([[(10_000, 5)]]) == -1 and trending._line([]) == -1


def test_a_rerun_changes_nothing_and_finished_tiles_are_used_again(world):
    found = trending.run(place(world), progress=quiet)
    sums = (found.folder / store.SUMS).read_text("utf-8")
    trending.run(place(world), progress=quiet)
    for path in found.folder.iterdir():
        path.unlink()

    again = trending.run(place(world), progress=quiet)

    assert (again.folder / store.SUMS).read_text("utf-8") == sums
    states = {
        e.id: e.state for e in Ledger(place(world).folder / "ledger.jsonl").current().values()
    }
    assert set(states.values()) == {"reused"}
    assert upkeep.verify_trend(place(world)) == len(sums.splitlines())


def test_a_damaged_map_is_told_and_made_again(world):
    found = trending.run(place(world), progress=quiet)
    (found.folder / "ndvi_trend.tif").write_bytes(b"x")

    with pytest.raises(IntegrityError, match="jinhua-rs trend 2024"):
        upkeep.verify_trend(place(world))
    trending.run(place(world), progress=quiet)

    assert upkeep.verify_trend(place(world)) > 0


def test_fewer_than_eight_years_say_so(world):
    with pytest.raises(NoDataError, match=r"needs 8 years .*, 7 are published"):
        trending.run(place(world, 2021), progress=quiet)


def test_simulated_and_real_years_are_not_mixed(world):
    published = world / "out" / "2024" / "published"
    store.write_json(published / "run.json", {"run_id": "real", "label": ""})
    store.write_sums(published, sorted(published.glob("*.[tj]*")))

    with pytest.raises(NoDataError, match="1 are published"):
        trending.run(place(world), progress=quiet)


def test_the_command_tells_the_units(world):
    told = CliRunner().invoke(app, ["trend", "2024", "--config", str(world / "jinhua.toml")])

    assert told.exit_code == 0, told.output
    assert "显著上升" in told.output and "%" in told.output
    table = pd.read_csv(world / "out" / "2024" / "trend" / "trend-by-unit.csv")
    assert list(table["measure"]) == ["ndvi"] * len(table)


def test_status_tells_failures_in_the_language_that_is_asked_for(world):
    folder = place(world).folder
    (folder / "scenes.json").write_text("{}", encoding="utf-8")
    Ledger(folder / "ledger.jsonl").note(
        Entry("tile", "land/x1", "failed", "IntegrityError: damaged", "瓦片已损坏"),
        Entry("scene", "S2A_1", "dropped", "too cloudy", "云量过高"),
        Entry("asset", "S2A_1/red", "failed", "no such file"),
    )

    state = upkeep.state_of(Period(2024), place(world).settings)

    assert "瓦片 land/x1：瓦片已损坏" in state.text("zh") and "damaged" not in state.text("zh")
    assert "未采用" in state.text("zh") and "影像合成" in state.text("zh")
    assert "波段文件 S2A_1/red：文件缺失（no such file）" in state.text("zh")
    assert "tile land/x1: IntegrityError: damaged" in state.text("en")
