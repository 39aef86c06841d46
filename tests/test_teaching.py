"""From sample rows to a stored model, with the doubtful ones told to people."""

import pyogrio
import pytest
from test_landcover_screening import FEATURES, HOW, samples

from jinhua_rs import briefing, landcover, store
from jinhua_rs.grid import Grid
from jinhua_rs.samples import read_samples
from jinhua_rs.settings import Model
from jinhua_rs.teaching import DOUBTFUL, teach

WRONG = list(range(0, 300, 10))


def taught(folder, screen, **more):
    table = samples(wrong=WRONG, id=[f"s{n}" for n in range(300)], confidence=2.0, **more)
    teach(table, FEATURES, HOW, folder, options=Model(screen=screen), crs="EPSG:4549")
    return landcover.Model.load(folder).card


def test_doubtful_samples_are_told_and_kept(tmp_path):
    card = taught(tmp_path / "model", "tell")

    told = read_samples(tmp_path / "model" / DOUBTFUL, Grid()).frame
    counts = card.screening.classes
    assert card.samples.used == 300
    assert not card.screening.dropped
    assert len(told) == sum(one.look + one.drop for one in counts)
    assert set(told["verdict"]) <= {"look", "drop"}
    assert {"id", "suggested", "belief", "confidence"} <= set(told.columns)
    assert told["belief"].is_monotonic_increasing
    assert "标签筛查" in (tmp_path / "model" / "card.md").read_text("utf-8")


def test_what_is_to_be_dropped_is_left_out(tmp_path):
    card = taught(tmp_path / "model", "drop")

    assert card.screening.dropped
    assert card.samples.used == 300 - sum(one.drop for one in card.screening.classes) < 300


def test_nobody_asks_where_it_is_switched_off(tmp_path):
    card = taught(tmp_path / "model", "off")

    assert card.screening is None
    assert not (tmp_path / "model" / DOUBTFUL).exists()


def test_equal_samples_make_equal_bytes(tmp_path):
    for name in ("one", "two"):
        taught(tmp_path / name, "tell")

    files = {path.name for path in (tmp_path / "one").iterdir()}
    assert DOUBTFUL in files
    for name in files:
        assert store.digest(tmp_path / "one" / name) == store.digest(tmp_path / "two" / name)


@pytest.mark.parametrize("note", ["=cmd|'/c calc'!A1", "林场 / 甲"])
def test_ids_stay_text(tmp_path, note):
    table = samples(wrong=WRONG, id=[note] * 300)

    teach(table, FEATURES, HOW, tmp_path / "model", options=Model(), crs="EPSG:4549")

    told = pyogrio.read_dataframe(tmp_path / "model" / DOUBTFUL)
    assert set(told["id"]) == {note}


def test_the_report_tells_how_far_labels_were_believed(tmp_path):
    card = taught(tmp_path / "model", "tell")

    (fact,) = briefing._screening_facts(card)

    names = ("clean", "look", "drop")
    told = [sum(getattr(one, name) for one in card.screening.classes) for name in names]
    assert fact.text.zh == f"可信 {told[0]}、建议复核 {told[1]}、存疑 {told[2]}（仅列出、未剔除）"
    assert not list(briefing._screening_facts(card.model_copy(update={"screening": None})))
