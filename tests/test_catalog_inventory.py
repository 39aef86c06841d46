"""Decisions on copies of one acquisition, and snapshots that come back exactly."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, box

from jinhua_rs.catalog.inventory import REASONS, Inventory, collapse, drop, keep
from jinhua_rs.catalog.items import Candidate
from jinhua_rs.errors import IntegrityError, NoDataError
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
    return Candidate(scene(identity, **changes), datatake, processed, sequence)


def inventory(*decisions):
    return Inventory(
        period=Period(2024, 4),
        profile="mine",
        source="https://example.com",
        bounds=(119.0, 28.5, 120.8, 29.7),
        decisions=decisions,
        attribution="none",
    )


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


def test_snapshot_comes_back_exactly():
    pieces = MultiPolygon([box(119.1, 29, 119.7, 30), box(0.1 + 0.2, 1 / 3, 0.7, 0.9)])
    rich = scene(
        "rich",
        footprint=pieces,
        assets={
            "red": Asset("s3://eodata/x.jp2", (10.0, 0, 1 / 3, 0, -10, 2), (5, 6), "1220ab", 9),
            "scl": Asset("/data/scl.tif"),
        },
    )
    before = inventory(
        keep(rich),
        drop("b", "cloud", detail="cloud cover 99 % > 80 %", detail_zh="云量", scene=scene("b")),
        drop("c", "damaged", detail="no CRS", detail_zh="没有坐标系"),
    )

    after = Inventory.from_json(before.to_json())

    assert after == before
    assert after.kept == before.kept
    assert after.kept[0].footprint.equals_exact(pieces, 0)
    assert after.to_json() == before.to_json()


def test_unknown_cloud_comes_back_as_nan():
    text = inventory(keep(scene(cloud=float("nan")))).to_json()

    again = Inventory.from_json(text)

    assert again.kept[0].cloud != again.kept[0].cloud
    assert again.to_json() == text


@given(cloud=st.floats(0, 100), west=st.floats(-179, 178), seconds=st.integers(0, 10**9))
def test_any_numbers_come_back_exactly(cloud, west, seconds):
    acquired = datetime(2015, 6, 23, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=1)
    one = scene(cloud=cloud, acquired=acquired, footprint=box(west, 29, west + 1, 30))
    before = inventory(keep(one))

    assert Inventory.from_json(before.to_json()) == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "jinhua-rs inventory 0"}',
        '{"format": "jinhua-rs inventory 1"}',
        inventory(keep(scene())).to_json().replace("2024Q4", "2024Q9"),
        inventory(keep(scene())).to_json().replace('"baseline"', '"base"'),
        inventory(keep(scene())).to_json().replace('"Polygon"', '"Blob"'),
    ],
)
def test_a_damaged_snapshot_is_refused(text):
    with pytest.raises(IntegrityError, match="inventory cannot be read"):
        Inventory.from_json(text)


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
        drop("c", "duplicate"),
    )

    assert found.counts == {"kept": 2, "duplicate": 1}
    assert found.size == 2**30 + 2**29
    assert [one.id for one in found.dropped] == ["c"]
    assert found.describe("en").splitlines() == [
        "2024Q4: 3 found, 2 used (used 2, older copy of the same acquisition 1)",
        "assets 1.5 GiB",
        "2024-10-12  50RQT 51RTN  cloud 12%/—",
    ]
    assert "找到 3 景，采用 2 景" in found.describe("zh")


def test_size_is_unknown_if_one_asset_does_not_say():
    assert inventory(keep(scene(assets={"scl": Asset("x")}))).size is None
    assert inventory().size is None


def test_every_reason_has_both_languages_and_the_snapshot_is_plain_json():
    assert all(en and zh for en, zh in REASONS.values())
    record = json.loads(inventory(keep(scene())).to_json())
    assert record["counts"] == {"kept": 1}
    assert dataclasses.is_dataclass(Inventory)
