"""How patches are scored: ground, events and alerts that one can count by hand."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from patch_world import RULES, X0, Y0, square

from benchmarks import alerts, patch_accuracy, patch_scores, romania_change
from benchmarks.patch_windows import BETWEEN
from jinhua_rs.grid import Grid
from jinhua_rs.patches import Facts, Patch, Register, Sighting
from jinhua_rs.period import Period
from jinhua_rs.schema import Land
from jinhua_rs.twin.chronicle import NO_EVENT
from jinhua_rs.twin.effects import EventKind

SIDE = 20
BOX = Grid(resolution=10.0).covering((X0, Y0 - 10 * SIDE, X0 + 10 * SIDE, Y0))
FELLED = date(2021, 2, 1)
FIRST, SECOND = Period(2021, 1), Period(2021, 2)
EVENTS = (
    SimpleNamespace(kind=EventKind.CLEAR_CUT, start=FELLED),
    SimpleNamespace(kind=EventKind.PLANTATION, start=date(2018, 2, 1)),
)


@pytest.fixture
def truth():
    """Forest with a clear-cut of 4 x 4 pixels in the north-west; a planting that closes, beside."""
    event = np.full((SIDE, SIDE), NO_EVENT, "int32")
    event[2:6, 2:6], event[12:16, 12:16] = 0, 1
    kinds = np.array([str(one.kind) for one in EVENTS] + [""], object)
    trees = np.where(event == 1, 0.05, 0.8).astype("float32")
    late = np.where(event == 0, 0.05, 0.8).astype("float32")
    canopy = dict.fromkeys((date(2018, 7, 1), date(2020, 1, 1)), trees)
    canopy |= {one.stop.date(): late for one in (FIRST, SECOND, BETWEEN)}
    day = np.where(event == 0, (FELLED - date(1970, 1, 1)).days, 0).astype("int32")
    return patch_scores.Truth(
        SimpleNamespace(events=EVENTS), SimpleNamespace(geobox=BOX), event, kinds[event], day,
        canopy, np.full((SIDE, SIDE), Land.BAMBOO, "uint8"),
    )  # fmt: skip


def quarter(period, *outlines):
    """A quarter that reports outlines, each with kind and confidence."""
    made = []
    for number, (kind, confidence, outline) in enumerate(outlines, start=1):
        facts = Facts(
            outline.area, outline.area, "330782", "义乌市", None, 0, 0, "", "", confidence, 6,
            None, None, {},
        )  # fmt: skip
        seen = (Sighting(str(period), "new", outline.area, confidence),)
        name = f"330782-{period}-{number:04d}"
        made.append(Patch(name, kind, 1, outline, facts, seen))
    return SimpleNamespace(period=period, register=Register(str(period), tuple(made)))


def test_a_patch_is_right_where_half_of_it_truly_changed(truth):
    told = patch_scores.judged(
        [
            quarter(
                FIRST,
                ("loss", 3, square(2, 2, 4, 4)),
                ("loss", 3, square(2, 14, 4, 4)),
                ("loss", 2, square(8, 2, 4, 4)),  # waits: it is no report
                ("gain", 2, square(12, 12, 4, 4)),
            )
        ],
        truth,
        RULES,
    )

    assert told["right"].tolist() == [True, False, True]
    assert told["event"].tolist() == ["clear_cut", "", "plantation"]


def test_a_patch_that_tells_of_a_loss_before_it_happened_is_wrong(truth):
    early = Period(2020, 4)
    truth.canopy[early.stop.date()] = truth.first

    told = patch_scores.judged([quarter(early, ("loss", 3, square(2, 2, 4, 4)))], truth, RULES)

    assert told["right"].tolist() == [False]


def test_a_piece_is_found_once_half_of_it_was_reported(truth):
    told = patch_scores.found(
        [quarter(FIRST), quarter(SECOND, ("loss", 3, square(2, 2, 4, 2)))], truth, RULES
    )

    loss, gain = told.to_dict("records")
    assert (loss["event"], loss["m2"], loss["share"], loss["found"]) == (
        "clear_cut", 1600.0, 0.5, True
    )  # fmt: skip
    assert loss["days"] == (SECOND.stop.date() - FELLED).days
    assert (gain["event"], gain["share"], gain["found"]) == ("plantation", 0.0, False)
    assert gain["due"]  # it had closed by the year between


def test_a_gain_of_the_last_year_is_not_due_yet(truth):
    truth.canopy[BETWEEN.stop.date()] = truth.first
    truth.canopy[date(2025, 1, 1)] = np.full((SIDE, SIDE), 0.8, "float32")

    told = patch_scores.found([quarter(FIRST), quarter(SECOND)], truth, RULES)

    assert not told[told["kind"] == "gain"]["due"].any()
    assert "| no | 0.00 | no |" in patch_accuracy._gains(told.assign(window="x"))[-1]


def test_ground_beside_an_event_is_not_called_stable(truth):
    assert truth.stable(Land.BAMBOO).sum() == SIDE**2 - 2 * 6 * 6


def test_a_share_says_its_interval_and_whether_it_is_met():
    hits = pd.Series([True] * 9 + [False])

    assert patch_accuracy._share(hits, 0.85) == "0.90 (0.60–0.98), 9 of 10, met"
    assert patch_accuracy._share(hits, 0.95).endswith("**not met**")
    assert patch_accuracy._share(hits[:0]) == "—"


# --- the watch against events, and the plain rule ---------------------------------------------


def test_alerts_are_scored_on_stable_ground_and_on_events():
    event = np.full((SIDE, SIDE), NO_EVENT, "int32")
    event[2:6, 2:6] = 0
    chronicle = SimpleNamespace(
        events=EVENTS, latest=lambda *_: {"event": xr.DataArray(event, dims=("y", "x"))}
    )
    prior = np.full((SIDE, SIDE), Land.BAMBOO, "uint8")
    loud = np.where(event == 0, 2, 1)
    loud[19, 19] = 2
    state = xr.Dataset(
        {"alert": (("y", "x"), loud), "alert_confidence": (("y", "x"), np.where(loud == 2, 2, 0))}
    )

    told = alerts._Truth.of(chronicle, BOX, prior).score({FIRST: state})

    high, highest = told["confidence >= 2"], told["confidence >= 3"]
    stable = SIDE**2 - (4 * 6 + 4 * 2)  # the event and the pixels that share a side with it
    assert high["false_percent_mean"]["bamboo"] == pytest.approx(100 / stable, abs=5e-4)
    assert high["events"] == [
        {"kind": "clear_cut", "start": "2021-02-01", "mu": 2.4, "found": 1.0, "delay_quarters": 0}
    ]
    assert highest["events"][0]["found"] == 0.0


def test_the_plain_rule_takes_whole_dates_that_are_clear():
    days = np.array(["2017-05-05", "2017-07-05", "2017-08-05", "2017-12-05"], "datetime64[ns]")
    ndvi = np.broadcast_to(np.float32([0.6, 0.8, 0.1, 0.2])[:, None, None], (4, 2, 2))
    scl = np.full((4, 2, 2), 4)
    scl[2, 0, 0] = 9  # one cloud of four pixels: the date is left out

    summer = romania_change.seasonal(ndvi, scl, days, 2017)

    assert summer == pytest.approx(np.full((2, 2), 0.7))
    assert romania_change.plain_change(summer, summer - np.float32([0.3, 0.1])).tolist() == [
        [2, 1], [2, 1]
    ]  # fmt: skip
