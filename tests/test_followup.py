"""Following periods up: memory, reruns, corrections, what is refused, kills, the command line."""

import json
import multiprocessing
import os
import shutil
import signal
import time

import numpy as np
import pyogrio
import pytest
from patch_world import counties, drawn, put, square

from jinhua_rs import followup, patches, store, upkeep
from jinhua_rs.errors import ConfigError, IntegrityError, LockedError, NoDataError
from jinhua_rs.following import Place, find_followed
from jinhua_rs.patches import Book, State, Verdict
from jinhua_rs.period import Period
from jinhua_rs.settings import load_settings

Q1, Q2, Q3 = "2024Q1", "2024Q2", "2024Q3"
WIDE = "." * 12
FLAGS = {
    Q1: ["LLLL........", "LLLL........", WIDE, ".........GGG", ".........GGG"],
    Q2: ["LLLLLLLL....", "LLLLLLLL....", WIDE, WIDE, WIDE],
    Q3: ["LLLL.LLL....", "LLLL.LLL....", WIDE, WIDE, "GGGG........"],
}


class World:
    """A city of one county whose periods are published by hand."""

    def __init__(self, folder):
        self.folder = folder
        units = counties(square(0, 0, 12, 5)).reset_index()
        pyogrio.write_dataframe(units, folder / "units.gpkg")
        text = '[area]\nunits = "units.gpkg"\n[output]\nroot = "out"\n[report]\nsimulated = true\n'
        self.config = folder / "jinhua.toml"
        self.config.write_text(text, encoding="utf-8")

    def publish(self, period, flags=None, **maps):
        folder = self.folder / "out" / period / "published"
        put(folder / "alert.tif", drawn("\n".join(flags or FLAGS[period])))
        for name, values in maps.items():
            put(folder / f"{name}.tif", values)
        store.write_json(folder / "run.json", {"run_id": period, "label": "SIMULATED 模拟数据"})
        store.write_sums(folder, sorted(folder.glob("*.[tj]*")))

    def place(self, period):
        return Place.of(Period.parse(period), load_settings(self.config, environment={}).settings)

    def follow(self, period, progress=lambda *_: None):
        return followup.run(self.place(period), progress=progress)

    def decide(self, *names, after=State.FIELD):
        book = Book(self.place(Q1).verdicts)
        return book.append(
            [
                Verdict(one, 1, book.state(one), after, "", "甲", "auditor", "2024-05-01T00:00Z")
                for one in names
            ]
        )

    def sums(self, period):
        return (self.place(period).target / store.SUMS).read_text("utf-8")


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("year"))
    for period in FLAGS:
        world.publish(period)
        world.follow(period)
    return world


@pytest.fixture
def year(followed, tmp_path):
    """A year that was followed up, a copy for each test."""
    shutil.copytree(followed.folder, tmp_path, dirs_exist_ok=True)
    return World(tmp_path)


def test_a_year_is_followed_with_memory(year):
    register = year.follow(Q3).register

    told = {p.id[7:]: [s.relation for s in p.sightings] for p in register.patches}
    assert told == {
        "2024Q1-0001": ["new", "growth", "split"],
        "2024Q1-0002": ["new"],
        "2024Q3-0001": ["split"],
        "2024Q3-0002": ["new"],
    }
    assert [link.relation for link in register.lineage] == ["split"]
    assert (year.place(Q3).target / "lineage.csv").read_text("utf-8").splitlines()[1] == (
        "2024Q3,330782-2024Q1-0001,330782-2024Q3-0001,split"
    )


def test_a_rerun_changes_no_byte_and_neither_does_a_start_from_nothing(year):
    before = year.sums(Q2)
    stamp = (year.place(Q2).target / store.SUMS).stat().st_mtime_ns

    year.follow(Q2)

    assert (year.place(Q2).target / store.SUMS).stat().st_mtime_ns == stamp
    year.place(Q2).target.rename(year.folder / "away")
    year.follow(Q2)
    assert year.sums(Q2) == before


def test_the_receipt_tells_what_it_was_made_from(year):
    receipt = json.loads((year.place(Q2).target / "run.json").read_text("utf-8"))

    assert receipt["label"] == "SIMULATED 模拟数据"
    assert receipt["connectivity"] == 4
    assert receipt["patches"]["hole_m2"] == 400.0
    assert receipt["former"] == store.digest(year.place(Q1).target / "register.jsonl")
    assert set(receipt["maps"]) == {"alert.tif"}


def test_a_correction_keeps_reviewed_patches_and_says_what_is_outdated(year):
    name = "330782-2024Q1-0001"
    year.decide(name)
    year.publish(Q1, [WIDE, WIDE, WIDE, WIDE, ".GGGG......."])

    followed = year.follow(Q1)

    kept = followed.register.by_id
    # as Q3 showed it when it was judged: its third outline
    assert (kept[name].outline.area, kept[name].version, kept[name].stands) == (800.0, 3, True)
    assert kept["330782-2024Q1-0002"].withdrawn
    assert "330782-2024Q3-0002" in kept  # what Q3 found there has its name already
    assert followed.outdated == (Q2, Q3)
    assert list((year.folder / "out" / Q1 / "history").glob("followup-*"))
    assert year.follow(Q2).outdated == (Q3,)
    assert year.follow(Q3).outdated == ()
    final = year.follow(Q3).register.by_id
    assert final[name].outline.area == 800.0
    assert [s.relation for s in final[name].sightings] == ["frozen", "frozen", "frozen"]


def test_other_layers_make_it_anew_and_names_stay(year):
    before = find_followed(year.place(Q2)).register
    zone = counties(square(0, 0, 6, 1)).reset_index()
    pyogrio.write_dataframe(zone, year.folder / "red.gpkg")
    with year.config.open("a") as file:
        file.write('[layers]\nred_line = "red.gpkg"\n')

    after = year.follow(Q2).register

    assert list(after.by_id) == list(before.by_id)
    assert after.patches[0].facts.overlaps["red_line"] == 600.0
    assert before.patches[0].facts.overlaps["red_line"] is None


def test_layers_that_have_nothing_in_the_area_stop_nothing(world):
    ones = np.ones((5, 12), "uint8")
    world.publish(Q1, landcover=ones, forest=2 * ones)
    away = counties(square(2_000, 0, 5, 5)).reset_index()
    roles = ("parcels", "mines", "permits", "townships", "reserves", "red_line")
    for role in roles:
        pyogrio.write_dataframe(away, world.folder / f"{role}.gpkg")
    with world.config.open("a") as file:
        file.write("[layers]\n" + "".join(f'{role} = "{role}.gpkg"\n' for role in roles))

    (patch, _) = world.follow(Q1).register.patches

    assert (patch.facts.overlaps["permits"], patch.facts.permit) == (0.0, "")
    assert patch.facts.township == ""


def test_the_comparison_with_the_baseline_serves_where_there_are_no_alerts(world):
    world.publish(Q1)
    folder = world.folder / "out" / Q1 / "published"
    (folder / "alert.tif").unlink()
    put(folder / "change.tif", np.array([[3, 3, 1], [3, 3, 4], [2, 2, 2], [2, 4, 4]], "uint8"))
    put(folder / "landcover.tif", np.array([[9] * 3, [9] * 3, [4] * 3, [4] * 3], "uint8"))
    (folder / "baseline").mkdir()
    put(folder / "baseline" / "landcover.tif", np.full((4, 3), 4, "uint8"))
    store.write_sums(folder, sorted(folder.rglob("*.[tj]*")))

    register = world.follow(Q1).register

    told = [(p.kind, p.facts.area_m2, p.facts.before, p.facts.after) for p in register.patches]
    assert told == [("loss", 400.0, 4, 9), ("gain", 400.0, 4, 4)]


def test_what_cannot_be_followed_up_is_refused(world):
    with pytest.raises(NoDataError, match="is not published"):
        world.follow(Q1)
    with pytest.raises(NoDataError, match="was not followed up"):
        find_followed(world.place(Q1))
    world.publish(Q1)
    (world.folder / "out" / Q1 / "published" / "alert.tif").write_bytes(b"x")
    with pytest.raises(IntegrityError, match="is damaged"):
        world.follow(Q1)
    (world.folder / "out" / Q1 / "published" / "alert.tif").unlink()
    folder = world.folder / "out" / Q1 / "published"
    store.write_sums(folder, [folder / "run.json"])
    with pytest.raises(NoDataError, match="neither alerts nor a baseline"):
        world.follow(Q1)


def test_a_damaged_register_or_a_book_cut_short_stops_the_next_period(year):
    year.decide("330782-2024Q1-0001")
    year.publish(Q2, FLAGS[Q1])
    year.follow(Q2)
    book = year.place(Q1).verdicts
    kept = book.read_bytes()
    book.unlink()
    year.publish(Q3, FLAGS[Q1])
    with pytest.raises(IntegrityError, match="lacks verdicts"):
        year.follow(Q3)
    book.write_bytes(kept)
    with (year.place(Q2).target / "register.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(IntegrityError, match="is damaged"):
        year.follow(Q3)


def test_verify_looks_at_the_register_and_at_the_chain_of_verdicts(year):
    year.decide("330782-2024Q1-0001")

    assert upkeep.verify_followed(year.place(Q3)) > 5
    assert upkeep.verify_followed(year.place("2025Q1")) == 0
    book = year.place(Q1).verdicts
    book.write_text(book.read_text("utf-8").replace("甲", "乙"), "utf-8")
    with pytest.raises(IntegrityError, match="changed at line 1"):
        upkeep.verify_followed(year.place(Q3))


def test_another_run_holds_the_period(world):
    world.publish(Q1)

    place = world.place(Q1)
    for held in (place.folder, place.verdicts.parent):
        with store.locked(held), pytest.raises(LockedError):
            world.follow(Q1)


def _follow_slowly(world, period, pause):
    store_sums = store.write_sums

    def slow(folder, members):
        time.sleep(pause)
        store_sums(folder, members)
        time.sleep(pause)

    store.write_sums = slow
    world.follow(period)


def test_a_kill_in_mid_write_leaves_the_former_register_and_a_rerun_ends_equal(year, tmp_path):
    expected = year.sums(Q2)
    whole = year.place(Q2).target.rename(year.folder / "whole")
    for pause in (0.1, 0.3, 0.6):
        process = multiprocessing.get_context("fork").Process(
            target=_follow_slowly, args=(year, Q2, 5.0)
        )
        process.start()
        time.sleep(pause)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert not year.place(Q2).target.exists()

    year.follow(Q2)

    assert year.sums(Q2) == expected
    assert store.verify_sums(whole) == []
    assert not list(year.place(Q2).folder.glob(".*.part"))


def test_the_command_line_shows_patches_by_county(world, jinhua):
    world.publish(Q1)

    code, out, _ = jinhua("followup", Q1, "--config", world.config)
    again, told, _ = jinhua("--json", "patches", "show", Q1, "--config", world.config)

    assert (code, again) == (0, 0)
    assert "义乌市" in out and "合计" in out and "1.2" in out
    assert json.loads(told)["counties"]["330782"]["loss_mu"] == pytest.approx(1.2)
    assert jinhua("patches", "show", Q2, "--config", world.config)[0] == 3


def test_counties_add_up_to_all_patches(year):
    place, register = year.place(Q1), find_followed(year.place(Q1)).register

    rules = place.settings.patches
    table = patches.by_county(register, place.counties, rules, rejected=())
    without = patches.by_county(register, place.counties, rules, rejected=["330782-2024Q1-0001"])

    assert table["loss_mu"].sum() == pytest.approx(800 * 15 / 1e4)
    assert table["gain_candidate_n"].sum() == 1
    assert table["gain_n"].sum() == 0
    assert without["loss_mu"].sum() == 0


def test_a_hole_as_large_as_a_patch_is_no_setting(world):
    with world.config.open("a") as file:
        file.write("[patches]\nhole_m2 = 900\n")

    with pytest.raises(ConfigError, match="hole_m2 must not exceed candidate_m2"):
        world.place(Q1)


def test_pictures_and_table_go_out_with_the_register(year):
    folder = year.place(Q3).target
    table = (folder / "patches-by-county.csv").read_text("utf-8").splitlines()

    assert not (folder / "patches-chips.png").exists()  # there is no NDVI to show
    for name in ("map", "counties"):
        assert (folder / f"patches-{name}.png").read_bytes().startswith(b"\x89PNG")
    assert table[0].startswith("code,name,loss_n") and table[1].startswith("330782,义乌市,")


def test_the_foremost_patches_are_shown_before_and_after(world, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "jinhua_rs.patchwork.pair_sheet", lambda chips, _: shown.extend(chips) or b""
    )
    ndvi = np.full((5, 12), 0.8, "float32")
    world.publish("2023Q1", [WIDE] * 5, ndvi=ndvi)
    world.publish(Q1, ndvi=np.where(drawn("\n".join(FLAGS[Q1])) == 2, 0.2, 0.8).astype("float32"))

    world.follow(Q1)

    loss, gain = shown
    assert (loss.when, loss.loss, gain.loss) == (("2023Q1", Q1), True, False)
    assert np.nanmin(loss.before) == pytest.approx(0.8)
    assert np.nanmin(loss.after) == pytest.approx(0.2)
    assert np.isnan(loss.after).any()  # beyond the map
