"""Decisions on copies of one acquisition, on season, cloud and period, and what people are told."""

import dataclasses
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from jinhua_rs.catalog.decisions import REASONS, Rules, collapse, drop, judge, keep, ordered
from jinhua_rs.catalog.inventory import Inventory
from jinhua_rs.catalog.items import Candidate, Lineage
from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.period import Period
from jinhua_rs.scene import Asset, Scene

NOON = datetime(2024, 10, 12, 2, 41, 11, 24000, tzinfo=UTC)


def scene(identity="a", **changes):
    facts = {
        "id": identity,
        "acquired": NOON,
        "tile": "50RQT",
        "platform": "sentinel-2b",
        "baseline": "05.11",
        "offset": -1000,
        "offset_reason": "declared",
        "scale": 1e-4,
        "cloud": 12.5,
        "crs": "EPSG:32650",
        "footprint": box(119, 29, 120, 30),
        "assets": {"scl": Asset("https://example.com/scl.tif", size=7)},
        "provider": "mine",
    }
    return Scene(**{**facts, **changes})


def candidate(identity, *, datatake="", processed="", sequence=0, **changes):
    return Candidate(scene(identity, **changes), Lineage(datatake, processed, sequence))


def inventory(*decisions):
    return Inventory(
        period=Period(2024, 4),
        profile="mine",
        source="https://example.com",
        bounds=(119.0, 28.5, 120.8, 29.7),
        decisions=decisions,
        attribution="none",
    )


def searched(*candidates, max_cloud=80.0):
    """Return the inventory that a search of these candidates would give."""
    rules = Rules(max_cloud=max_cloud, margin_days=30)
    decisions = [
        judge(one.scene, Period(2024, 4), rules) if one.verdict == "kept" else one
        for one in collapse(candidates)
    ]
    lineage = {one.scene.id: one.lineage for one in candidates}
    return dataclasses.replace(inventory(*ordered(decisions)), rules=rules, lineage=lineage)


def codes(found):
    return {one.id: one.code for one in found.decisions}


def kept_ids(*candidates):
    return sorted(one.id for one in collapse(candidates) if one.verdict == "kept")


def test_the_newest_baseline_stays():
    old = candidate("old", baseline="02.14", processed="2099", sequence=9, datatake="T1")
    new = candidate("new", baseline="05.00", processed="2023", datatake="T1")

    decisions = {one.id: one for one in collapse([old, new])}

    assert decisions["new"].verdict == "kept"
    assert decisions["old"].code == "duplicate"
    assert decisions["old"].reason == "replaced by new (baseline 02.14 -> 05.00)"
    assert "由 new 取代" in decisions["old"].reason_zh


def test_then_processing_then_sequence():
    first = candidate("first", processed="2024-10-12", sequence=5)
    second = candidate("second", processed="2024-10-13", sequence=0)
    third = candidate("third", processed="2024-10-13", sequence=1)

    assert kept_ids(first, second, third) == ["third"]


@pytest.mark.parametrize(
    ("changes", "datatake", "together"),
    [
        ({}, "", True),
        ({"acquired": NOON + timedelta(seconds=59)}, "", True),
        ({"acquired": NOON + timedelta(seconds=61)}, "", False),
        ({"acquired": NOON + timedelta(minutes=20)}, "T1", True),
        ({"platform": "sentinel-2a"}, "", False),
        ({"tile": "51RTN"}, "T1", False),
        ({"acquired": NOON + timedelta(days=5)}, "T2", False),
    ],
)
def test_what_counts_as_one_acquisition(changes, datatake, together):
    one = candidate("one", datatake="T1")
    other = candidate("other", datatake=datatake, **changes)

    assert (len(kept_ids(one, other)) == 1) == together


def test_strips_of_one_datatake_are_both_kept_and_their_old_copies_go():
    west, east = box(119, 29, 119.6, 30), box(119.5, 29, 120, 30)
    strips = [
        candidate(f"{name}-{baseline}", datatake="T1", baseline=baseline, footprint=outline)
        for baseline in ("02.14", "05.00")
        for name, outline in (("west", west), ("east", east))
    ]

    assert kept_ids(*strips) == ["east-05.00", "west-05.00"]


def test_an_old_part_inside_the_new_whole_goes_and_an_old_whole_stays():
    part, whole = box(119, 29, 119.5, 30), box(119, 29, 120, 30)

    old_part = candidate("old", baseline="02.14", footprint=part)
    old_whole = candidate("old", baseline="02.14", footprint=whole)

    assert kept_ids(old_part, candidate("new", footprint=whole)) == ["new"]
    assert kept_ids(old_whole, candidate("new", footprint=part)) == ["new", "old"]


@given(st.permutations(range(4)), st.sampled_from(["02.14", "05.00"]))
def test_the_order_of_items_does_not_matter(order, baseline):
    items = [
        candidate("a", baseline=baseline, datatake="T1"),
        candidate("b", datatake="T1"),
        candidate("c", datatake="T1", footprint=box(119, 28, 120, 29)),
        candidate("d", tile="51RTN"),
    ]

    assert kept_ids(*(items[index] for index in order)) == ["b", "c", "d"]


# --- season, cloud and period ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "kept"),
        ({"cloud": 80.0}, "kept"),
        ({"cloud": float("nan")}, "kept"),
        ({"cloud": 80.1}, "cloud"),
        ({"acquired": Period(2024, 4).start}, "kept"),
        ({"acquired": Period(2024, 4).start - timedelta(microseconds=1)}, "spare"),
        ({"acquired": Period(2024, 4).stop - timedelta(microseconds=1)}, "kept"),
        ({"acquired": Period(2024, 4).stop}, "spare"),
        ({"acquired": Period(2024, 4).stop, "cloud": 99.0}, "cloud"),
    ],
)
def test_what_is_asked_of_a_sound_scene(changes, code):
    decision = judge(scene(**changes), Period(2024, 4), Rules(max_cloud=80))

    assert decision.code == code
    assert decision.verdict == (code if code in ("kept", "spare") else "dropped")
    assert decision.reason_zh


@given(instant=st.datetimes(datetime(2015, 6, 23), datetime(2098, 1, 1), timezones=st.just(UTC)))
def test_a_scene_is_kept_in_exactly_one_quarter(instant):
    quarters = [Period(instant.year, 1) + step for step in range(6)]

    verdicts = [judge(scene(acquired=instant), one, Rules()).verdict for one in quarters]

    assert sorted(verdicts) == ["kept"] + ["spare"] * 5


@pytest.mark.parametrize(
    ("season", "inside", "outside"),
    [
        ((), ["2024-01-01", "2024-07-15", "2024-12-31"], []),
        (("10-01", "12-31"), ["2024-10-01", "2024-12-31"], ["2024-09-30", "2024-01-01"]),
        (("11-15", "02-29"), ["2024-11-15", "2023-02-28", "2024-02-29"], ["2024-03-01"]),
        (("06-01", "06-01"), ["2024-06-01"], ["2024-05-31", "2024-06-02"]),
    ],
)
def test_a_season_has_both_its_ends(season, inside, outside):
    rules = Rules(season=season)

    assert all(rules.in_season(date.fromisoformat(day)) for day in inside)
    assert not any(rules.in_season(date.fromisoformat(day)) for day in outside)


def test_the_season_goes_by_the_day_in_shanghai():
    late = scene(acquired=datetime(2024, 10, 31, 16, tzinfo=UTC))

    decision = judge(late, Period(2024, 4), Rules(season=("10-01", "10-31")))

    assert decision.code == "season"
    assert decision.reason == "2024-11-01 is outside the season 10-01 – 10-31"


@pytest.mark.parametrize(
    "facts",
    [
        {"season": ("10-01",)},
        {"season": ("10-01", "13-01")},
        {"season": ("10-1", "12-31")},
        {"season": ("02-30", "12-31")},
        {"season": ("1001", "1231")},
        {"season": ("10-01", "11-01", "12-01")},
        {"margin_days": -1},
        {"margin_days": 400},
    ],
)
def test_rules_that_make_no_sense_are_refused(facts):
    with pytest.raises(ConfigError, match=r"mend \[composite\]"):
        Rules(**facts)


# --- ghosts, and scenes set aside --------------------------------------------------------------


def generations():
    return [
        candidate(f"v{number}", baseline=f"05.0{number}", datatake="T1", processed=f"2024-{number}")
        for number in (1, 2, 3)
    ]


def test_the_older_copy_returns_when_the_newer_is_a_ghost():
    found = searched(*generations())

    once = found.without({"v3": "HTTP 404"})
    twice = once.without({"v2": "HTTP 404"})

    assert codes(found) == {"v3": "kept", "v2": "duplicate", "v1": "duplicate"}
    assert codes(once) == {"v3": "ghost", "v2": "kept", "v1": "duplicate"}
    assert codes(twice) == {"v3": "ghost", "v2": "ghost", "v1": "kept"}
    reasons = {one.id: one for one in once.decisions}
    assert reasons["v1"].reason == "replaced by v2 (baseline 05.01 -> 05.02)"
    assert reasons["v3"].reason == "listed, but its files cannot be had: HTTP 404"
    assert "HTTP 404" in reasons["v3"].reason_zh
    assert once.decisions[0].id == "v2"


def test_ghosts_at_once_or_one_by_one_are_the_same():
    found = searched(*generations())

    at_once = found.without({"v2": "dead", "v3": "dead"})

    assert at_once == found.without({"v3": "dead"}).without({"v2": "dead"})
    assert at_once == at_once.without({"v2": "again", "v3": "again", "stranger": "?"})


def test_what_a_ghost_makes_room_for_is_judged_again():
    cloudy = candidate("old", baseline="02.14", datatake="T1", cloud=90.0)
    before = candidate(
        "early", baseline="02.14", datatake="T2", acquired=Period(2024, 4).start - timedelta(1)
    )
    newer = [
        candidate("new", datatake="T1"),
        candidate("late", datatake="T2", acquired=before.scene.acquired),
    ]

    found = searched(cloudy, before, *newer).without({"new": "dead", "late": "dead"})

    assert codes(found) == {"new": "ghost", "late": "ghost", "old": "cloud", "early": "spare"}
    assert [one.id for one in found.spare] == ["early"]


def test_ghosts_survive_the_snapshot():
    found = searched(*generations())

    kept = Inventory.from_json(found.to_json())

    assert kept == found
    assert kept.without({"v3": "dead"}) == found.without({"v3": "dead"})
    assert codes(kept.without({"v3": "dead"}))["v2"] == "kept"


def test_a_scene_set_aside_stays_out_and_so_do_its_copies():
    found = searched(*generations(), candidate("other", tile="51RTN"))

    aside = found.aside({"v3": ("shifted 3 px", "偏移 3 个像元"), "v1": ("x", "x")})

    assert codes(aside) == {
        "other": "kept", "v3": "certificate", "v2": "duplicate", "v1": "duplicate",
    }  # fmt: skip
    decision = next(one for one in aside.dropped if one.id == "v3")
    assert (decision.reason, decision.reason_zh) == ("shifted 3 px", "偏移 3 个像元")
    assert aside.without({"other": "dead"}).kept == ()
    assert codes(aside.without({"v3": "dead"}))["v2"] == "kept"


# --- what people are told ----------------------------------------------------------------------


def test_kept_is_sorted_by_time_tile_and_id():
    later = NOON + timedelta(days=1)
    made = inventory(
        keep(scene("c", acquired=later)),
        keep(scene("b", tile="51RTN")),
        keep(scene("a2")),
        keep(scene("a1")),
    )

    assert [one.id for one in made.kept] == ["a1", "a2", "b", "c"]


def test_require_names_period_profile_area_and_reasons():
    found = inventory(drop("b", "cloud"), drop("c", "damaged"), drop("d", "cloud"))

    with pytest.raises(NoDataError) as caught:
        found.require()

    for part in ("2024Q4", "mine", "119.00, 28.50, 120.80, 29.70", "too cloudy 2", "item 1"):
        assert part in str(caught.value)
    for part in ("2024年第四季度", "mine", "云量过高 2", "元数据残缺或有误 1"):
        assert part in caught.value.zh
    with pytest.raises(NoDataError, match="nothing was found"):
        inventory().require()
    full = inventory(keep(scene()))
    assert full.require() is full


def test_counts_size_and_plan_for_people():
    found = inventory(
        keep(scene("a", assets={"red": Asset("x", size=2**30), "scl": Asset("y", size=2**29)})),
        keep(scene("b", tile="51RTN", cloud=float("nan"), assets={"scl": Asset("z", size=0)})),
        judge(scene("d", acquired=NOON - timedelta(days=30)), Period(2024, 4), Rules()),
        drop("c", "duplicate"),
        drop("e", "damaged", detail="no CRS", detail_zh="缺少坐标系"),
    )

    assert found.counts == {"kept": 2, "spare": 1, "duplicate": 1, "damaged": 1}
    assert found.size == 2**30 + 2**29
    assert [one.id for one in found.dropped] == ["c", "e"]
    why = "older copy of the same acquisition 1, damaged or incomplete item 1"
    plain = [
        f"2024Q4: 5 found, 2 used, 1 spare, 2 dropped ({why})",
        "assets 1.5 GiB",
        "2024-10-12  50RQT 51RTN  cloud 12%/—",
        "spare, around the period:",
        "2024-09-12  50RQT  cloud 12%",
    ]
    assert found.describe("en").splitlines() == plain
    assert found.describe("en", full=True).splitlines() == [
        *plain, "dropped:", "c  older copy of the same acquisition", "e  no CRS",
    ]  # fmt: skip
    assert "找到 5 景，采用 2 景，前后备用 1 景，未采用 2 景（同一次成像的旧版本 1" in (
        found.describe("zh")
    )
    assert found.describe("zh", full=True).endswith(
        "未采用：\nc  同一次成像的旧版本\ne  缺少坐标系"
    )


def test_size_is_unknown_if_one_asset_does_not_say():
    assert inventory(keep(scene(assets={"scl": Asset("x")}))).size is None
    assert inventory().size is None


def test_a_size_that_is_not_stated_is_estimated_from_the_ground():
    # 0.1 x 0.1 degrees on the equator: 11.12 km square, 1.2364 million pixels of 10 m.
    ground = box(0, 0, 0.1, 0.1)
    stated = {"red": Asset("x", size=5), "scl": Asset("y", size=7)}
    native = {"red": Asset("x"), "scl": Asset("y")}
    thinned = {"red": Asset("x", (20.0, 0.0, 0.0, 0.0, -20.0, 0.0)), "scl": Asset("y", size=0)}

    def estimate(assets):
        return inventory(keep(scene(footprint=ground, assets=assets))).estimated_size

    assert estimate(stated) == 12
    assert estimate(native) == pytest.approx(1.2364e6 * (1.9 + 0.1 / 4), rel=1e-3)
    assert estimate(thinned) == pytest.approx(1.2364e6 * 1.9 / 4, rel=1e-3)
    assert inventory().estimated_size == 0
    described = inventory(keep(scene(footprint=ground, assets=native))).describe
    assert "assets about 2.3 MiB (estimated)" in described("en")
    assert "数据量约 2.3 MiB（估算）" in described("zh")


def test_every_reason_has_both_languages():
    assert all(en and zh for en, zh in REASONS.values())
    assert dataclasses.is_dataclass(Inventory)
