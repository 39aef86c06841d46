"""Snapshots come back exactly, and are item collections that other programs read."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import geopandas as gpd
import jsonschema
import pystac
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pystac.validation.local_validator import get_local_schema_cache
from referencing import Registry, Resource
from shapely.geometry import MultiPolygon, box

from jinhua_rs.catalog.decisions import Rules, drop, judge, keep
from jinhua_rs.catalog.inventory import Inventory
from jinhua_rs.catalog.items import Lineage
from jinhua_rs.errors import IntegrityError
from jinhua_rs.period import Period
from jinhua_rs.scene import Asset, Scene

NOON = datetime(2024, 10, 12, 2, 41, 11, 24000, tzinfo=UTC)
Q4 = Period(2024, 4)


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


def inventory(*decisions, **changes):
    facts = {
        "period": Q4,
        "profile": "mine",
        "source": "https://example.com",
        "bounds": (119.0, 28.5, 120.8, 29.7),
        "decisions": decisions,
        "attribution": "无",
    }
    return Inventory(**{**facts, **changes})


def rich():
    """Return an inventory with everything in it."""
    pieces = MultiPolygon([box(119.1, 29, 119.7, 30), box(0.1 + 0.2, 1 / 3, 0.7, 0.9)])
    full = scene(
        "rich",
        footprint=pieces,
        assets={
            "red": Asset("s3://eodata/x.jp2", (10.0, 0.0, 1 / 3, 0.0, -10.0, 2.0), (5, 6), "12", 9),
            "scl": Asset("/data/scl.tif"),
        },
        sun=(157.124529, 48.314814),
        simulated=True,
    )
    return inventory(
        keep(full),
        judge(scene("near", acquired=NOON - timedelta(days=20)), Q4, Rules()),
        drop("b", "cloud", detail="cloud cover 99 % > 80 %", detail_zh="云量", scene=scene("b")),
        drop("site", "area", scene=scene("site", tile="site-7", crs="EPSG:4549")),
        drop("../../c", "damaged", detail="no CRS", detail_zh="没有坐标系"),
        rules=Rules(max_cloud=80, margin_days=30, season=("10-01", "12-31")),
        lineage={"rich": Lineage("GS2B_1", "2024-10-12T05:51:02.000000+00:00", 1)},
    )


def test_a_snapshot_comes_back_exactly():
    before = rich()

    after = Inventory.from_json(before.to_json())

    assert after == before
    assert after.kept[0].footprint.equals_exact(before.kept[0].footprint, 0)
    assert list(after.kept[0].assets) == ["red", "scl"]
    assert after.to_json() == before.to_json()


def test_equal_inventories_are_equal_text():
    one = rich()
    turned = [
        dataclasses.replace(
            decision,
            scene=decision.scene
            and dataclasses.replace(
                decision.scene, assets=dict(reversed(decision.scene.assets.items()))
            ),
        )
        for decision in one.decisions
    ]

    other = dataclasses.replace(one, decisions=tuple(turned))

    assert other == one
    assert other.to_json() == one.to_json()


def test_unknown_cloud_comes_back_as_nan():
    text = inventory(keep(scene(cloud=float("nan")))).to_json()

    again = Inventory.from_json(text)

    assert again.kept[0].cloud != again.kept[0].cloud
    assert again.to_json() == text


@given(
    cloud=st.floats(0, 100),
    west=st.floats(-179, 178),
    seconds=st.integers(0, 10**9),
    sun=st.none() | st.tuples(st.floats(0, 360), st.floats(0, 90)),
    words=st.text(max_size=20),
)
def test_any_facts_come_back_exactly(cloud, west, seconds, sun, words):
    acquired = datetime(2015, 6, 23, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=1)
    one = scene(cloud=cloud, acquired=acquired, footprint=box(west, 29, west + 1, 30), sun=sun)
    before = inventory(
        keep(one),
        drop("gone", "ghost", detail=words, scene=scene("gone")),
        drop(words, "damaged", detail=words),
        lineage={"a": Lineage(datatake=words)},
    )

    assert Inventory.from_json(before.to_json()) == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "jinhua-rs inventory 1", "decisions": []}',
        '{"jinhua:format": "jinhua-rs inventory 1"}',
        '{"jinhua:format": "jinhua-rs inventory 2"}',
        rich().to_json().replace("2024Q4", "2024Q9"),
        rich().to_json().replace('"processing:version"', '"version"'),
        rich().to_json().replace('"MultiPolygon"', '"Blob"'),
        rich().to_json().replace('"datatake"', '"datatakes"'),
        rich().to_json().replace('"margin_days"', '"margin"'),
    ],
)
def test_a_damaged_or_old_snapshot_is_refused(text):
    with pytest.raises(IntegrityError, match=r"cannot be read .* search again") as caught:
        Inventory.from_json(text)

    assert "请重新检索" in caught.value.zh


def test_every_feature_is_a_sound_stac_item():
    schemas = get_local_schema_cache()
    base = "https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/item.json"
    registry = Registry().with_resources(
        (uri, Resource.from_contents(schema)) for uri, schema in schemas.items()
    )
    check = jsonschema.Draft7Validator(schemas[base], registry=registry)
    collection = json.loads(rich().to_json())

    complaints = [list(check.iter_errors(item)) for item in collection["features"]]

    assert complaints == [[], [], [], [], []]
    broken = {**collection["features"][0], "bbox": "none"}
    assert list(check.iter_errors(broken))


def test_what_other_programs_find_in_it():
    text = rich().to_json()
    read = pystac.ItemCollection.from_dict(json.loads(text))
    first, damaged = read.items[0], read.items[-1]

    assert first.assets["red"].extra_fields["raster:offset"] == -0.1
    assert first.assets["red"].extra_fields["file:size"] == 9
    assert "raster:scale" not in first.assets["scl"].extra_fields
    assert first.properties["grid:code"] == "MGRS-50RQT"
    assert first.properties["eo:cloud_cover"] == 12.5
    assert first.properties["view:sun_elevation"] == 48.314814
    assert "grid:code" not in read.items[3].properties
    assert (damaged.geometry, damaged.datetime) == (None, None)
    assert damaged.properties["start_datetime"] == "2024-08-31T16:00:00Z"
    header = json.loads(text)
    assert header["jinhua:period"] == "2024Q4"
    assert header["jinhua:attribution"] == "无"
    assert header["jinhua:counts"] == {"kept": 1, "spare": 1, "cloud": 1, "area": 1, "damaged": 1}


def test_a_map_program_opens_it_and_tells_the_verdicts(tmp_path):
    file = tmp_path / "scenes.json"
    file.write_text(rich().to_json(), "utf-8")

    layer = gpd.read_file(file)

    assert list(layer["jinhua:verdict"]) == ["kept", "spare", "dropped", "dropped", "dropped"]
    assert list(layer["jinhua:reason_zh"])[-1] == "没有坐标系"
    assert layer.crs.to_epsg() == 4326
    assert list(layer.geometry.isna()) == [False, False, False, False, True]
