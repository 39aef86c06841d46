"""Searching an API that misbehaves, a static folder and a real server, all on this machine."""

import copy
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from fault_server import Behaviour, serving
from shapely.geometry import box

from jinhua_rs.catalog import Inventory, search
from jinhua_rs.catalog import api as api_module
from jinhua_rs.catalog import patience as patience_module
from jinhua_rs.errors import ConfigError, IntegrityError, NoDataError
from jinhua_rs.period import Period
from jinhua_rs.settings import Stac

ROOT = Path(__file__).parents[1]
Q4 = Period(2024, 4)
JINHUA = box(119.2, 28.6, 120.7, 29.6)
TEMPLATE = json.loads((ROOT / "tests" / "items" / "earth-search-c1.json").read_text("utf-8"))


def made(
    identity, when="2024-10-12T02:41:11Z", *, tile="50RQT", cloud=12.5, shift=0.0, left=699_960
):
    """Return an item; ``shift`` moves its outline, degrees, ``left`` its grid, metres."""
    item = copy.deepcopy(TEMPLATE)
    item["id"] = identity
    for asset in item["assets"].values():
        asset["proj:transform"][2] = left
    ring = item["geometry"]["coordinates"][0]
    item["geometry"]["coordinates"] = [[[x + shift, y] for x, y in ring]]
    item["bbox"] = [119.05 + shift, 28.79, 120.20 + shift, 29.80]
    item["properties"] |= {
        "datetime": when,
        "grid:code": f"MGRS-{tile}",
        "eo:cloud_cover": cloud,
        "s2:datatake_id": f"GS2B_{when}_N05.11",
    }
    return item


def quarter():
    """Twelve scenes, four a month."""
    return [
        made(f"S{month}{day:02d}", f"2024-{month}-{day:02d}T02:41:11Z")
        for month in (10, 11, 12)
        for day in (3, 8, 13, 18)
    ]


def looked(url, *, area=JINHUA, margin_days=0, season=(), **changes):
    facts = {"profile": "earth-search-c1", "url": url, "timeout_s": 2.0, "retries": 2}
    stac = Stac(**{**facts, **changes})
    return search(stac, area, Q4, margin_days=margin_days, season=season)


def paged(folder, size, name="earth-search-c1"):
    """Return the file of a profile that asks for pages of a size."""
    text = (ROOT / "stac" / "profiles" / f"{name}.toml").read_text("utf-8")
    path = folder / f"{name}.toml"
    path.write_text(text.replace("page_size = 200", f"page_size = {size}"), "utf-8")
    return str(path)


def ids(inventory):
    return [scene.id for scene in inventory.kept]


ALL = [item["id"] for item in quarter()]


MONTHS = [
    "2024-09-30T16:00:00Z/2024-10-31T16:00:00Z",
    "2024-10-31T16:00:00Z/2024-11-30T16:00:00Z",
    "2024-11-30T16:00:00Z/2024-12-31T16:00:00Z",
]


def test_a_healthy_server_is_asked_once_for_each_square_and_month():
    behaviour = Behaviour(quarter())

    with serving(behaviour) as url:
        inventory = looked(url)

    assert ids(inventory) == ALL
    assert len(inventory.decisions) == 12  # each of them was found on all four squares
    asked = [(tuple(one["bbox"]), one["datetime"]) for one in behaviour.searches]
    frames = list(dict.fromkeys(frame for frame, _ in asked))
    assert asked == [(frame, month) for frame in frames for month in MONTHS]
    assert [tuple(round(edge, 2) for edge in frame) for frame in frames] == [
        (119.2, 28.6, 120.0, 28.91),  # 50RQS
        (119.2, 28.89, 120.0, 29.6),  # 50RQT
        (120.0, 28.6, 120.7, 28.91),  # 51RTM
        (120.0, 28.89, 120.7, 29.6),  # 51RTN
    ]
    assert behaviour.searches[0]["collections"] == ["sentinel-2-c1-l2a"]
    assert (inventory.profile, inventory.source) == ("earth-search-c1", url)
    assert inventory.bounds == JINHUA.bounds


PASSING = ("429", "500", "502", "503", "504", "reset", "html", "empty", "deep", "cut")


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_changes_nothing(fault):
    behaviour = Behaviour(quarter(), faults=[fault])

    with serving(behaviour) as url:
        inventory = looked(url)

    assert ids(inventory) == ALL
    assert not behaviour.faults


def test_a_hang_that_passes_changes_nothing():
    behaviour = Behaviour(quarter(), faults=["hang"])

    with serving(behaviour) as url:
        assert ids(looked(url, timeout_s=0.5)) == ALL

    assert not behaviour.faults


def test_retry_after_is_honoured():
    behaviour = Behaviour(quarter(), faults=["429"], retry_after="1")

    with serving(behaviour) as url:
        start = time.monotonic()
        looked(url)
        waited = time.monotonic() - start

    assert waited >= 1.0


@pytest.mark.parametrize(
    ("fault", "kind", "complaint"),
    [
        ("503", NoDataError, r"does not answer \(HTTP 503\)"),
        ("429", NoDataError, r"does not answer \(HTTP 429\)"),
        ("reset", NoDataError, r"does not answer \(ConnectionError\)"),
        ("html", IntegrityError, "gave an answer that is no JSON for .*, 2 times"),
        ("deep", IntegrityError, "gave an answer that is no JSON for .*, 2 times"),
        ("cut", IntegrityError, "cut answer"),
        ("404", ConfigError, "HTTP 404"),
        ("403", ConfigError, "HTTP 403"),
    ],
)
def test_a_fault_that_stays_ends_with_its_reason(fault, kind, complaint):
    behaviour = Behaviour(quarter(), faults=[fault] * 50)

    with serving(behaviour) as url, pytest.raises(kind, match=complaint) as caught:
        looked(url, retries=1)

    for text in (str(caught.value), caught.value.zh):
        assert "127.0.0.1" in text
        assert "sentinel-2-c1-l2a 50RQS 2024-10-01/2024-11-01" in text
    tries = 1 if kind is ConfigError else 2
    assert len(behaviour.faults) == 50 - tries


@pytest.mark.parametrize(
    ("faults", "retry_after"),
    [(["hang"] * 99, "0"), (["503"] * 99, "0"), (["429"] * 99, "1"), (["drip"] * 99, "0")],
)
def test_a_whole_search_ends_in_time(faults, retry_after):
    behaviour = Behaviour(quarter(), faults=faults, retry_after=retry_after)

    with serving(behaviour) as url:
        start = time.monotonic()
        with pytest.raises(NoDataError, match="too slow: the search was not done") as caught:
            looked(url, timeout_s=0.05, retries=20)  # 12 questions: 0.05 s x (20 + 1 + 12)
        took = time.monotonic() - start

    assert took < 2.5
    assert "sentinel-2-c1-l2a 50RQS 2024-10-01/2024-11-01" in str(caught.value)
    assert "过慢" in caught.value.zh


def test_a_wait_that_would_end_too_late_is_not_begun():
    behaviour = Behaviour(quarter(), faults=["429"], retry_after="3600")

    with serving(behaviour) as url:
        start = time.monotonic()
        with pytest.raises(NoDataError, match="too slow"):
            looked(url, timeout_s=0.5)

    assert time.monotonic() - start < 2


@pytest.mark.parametrize("text", ["soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_wait_that_is_past_or_no_time_is_none(text):
    behaviour = Behaviour(quarter(), faults=["429"], retry_after=text)

    with serving(behaviour) as url:
        assert ids(looked(url)) == ALL


def test_a_body_that_drips_is_given_up():
    behaviour = Behaviour(quarter(), faults=["drip"] * 9)

    with serving(behaviour) as url, pytest.raises(IntegrityError, match="cut answer"):
        looked(url, retries=0, timeout_s=0.1)


def test_no_server_at_all():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    with pytest.raises(NoDataError, match="does not answer"):
        looked(f"http://127.0.0.1:{port}", retries=0)


def test_packed_and_chunked_answers_are_read():
    with serving(Behaviour(quarter(), packed=True)) as url:
        assert ids(looked(url)) == ALL


def test_an_oversized_answer_is_refused(monkeypatch):
    monkeypatch.setattr(patience_module, "MAX_BYTES", 10_000)

    with (
        serving(Behaviour(quarter())) as url,
        pytest.raises(IntegrityError, match="gave a page of over"),
    ):
        looked(url)


@pytest.mark.parametrize("count", [True, False])
def test_pages_are_followed(count):
    with serving(Behaviour(quarter(), page=1, count=count)) as url:
        assert ids(looked(url)) == ALL


@pytest.mark.parametrize("count", [True, False])
def test_lost_pages_are_asked_for_again_in_parts(count, tmp_path):
    behaviour = Behaviour(quarter(), page=2, lose_next=True, count=count)

    with serving(behaviour) as url:
        inventory = looked(url, profile=paged(tmp_path, 2))

    assert ids(inventory) == ALL
    assert len(behaviour.searches) > 12


def test_a_page_that_hides_its_items_is_asked_for_again():
    behaviour = Behaviour(quarter(), faults=["void"])

    with serving(behaviour) as url:
        assert ids(looked(url)) == ALL

    with (
        serving(Behaviour(quarter(), faults=["void"] * 99)) as url,
        pytest.raises(IntegrityError, match="incomplete: 0 of 4 items"),
    ):
        looked(url)


def test_a_message_in_place_of_items_is_no_empty_answer():
    with (
        serving(Behaviour(quarter(), faults=["message"])) as url,
        pytest.raises(IntegrityError, match="no item collection"),
    ):
        looked(url)


def test_lost_pages_that_stay_lost_are_an_error():
    same_instant = [made(f"S{n}", "2024-10-12T02:41:11Z") for n in range(4)]

    with (
        serving(Behaviour(same_instant, page=2, lose_next=True)) as url,
        pytest.raises(IntegrityError, match="incomplete: 2 of 4 items") as caught,
    ):
        looked(url)

    assert "以免缺景" in caught.value.zh


def test_a_next_link_that_goes_in_circles_is_an_error():
    with (
        serving(Behaviour(quarter(), page=1, loop=True)) as url,
        pytest.raises(IntegrityError, match="pages repeat items"),
    ):
        looked(url)


def test_pages_without_end_are_an_error(monkeypatch):
    monkeypatch.setattr(api_module, "MAX_PAGES", 5)

    with (
        serving(Behaviour(quarter(), endless=True, count=False)) as url,
        pytest.raises(IntegrityError, match="does not end after 5 pages"),
    ):
        looked(url)


def test_more_items_than_can_be_are_an_error(monkeypatch):
    monkeypatch.setattr(api_module, "MAX_ITEMS", 5)

    for page in (200, 1):
        with (
            serving(Behaviour(quarter(), page=page)) as url,
            pytest.raises(IntegrityError, match="more than 5 items"),
        ):
            looked(url)


def test_a_server_that_ignores_filters_changes_nothing():
    strays = [
        made("early", "2024-09-30T15:59:59Z"),
        made("late", "2024-12-31T16:00:00Z"),
        made("far", shift=20.0),
        {**made("other"), "collection": "sentinel-2-l1c"},
    ]

    with serving(Behaviour([*strays, *quarter()], obey=False)) as url:
        inventory = looked(url)

    assert ids(inventory) == ALL
    assert len(inventory.decisions) == 12


def test_clouds_outlines_and_damage_are_judged_here():
    broken = made("broken", "2024-10-20T02:41:11Z")
    del broken["assets"]["scl"]
    unsafe = {**made("x", "2024-10-21T02:41:11Z"), "id": "../../x"}
    items = [
        made("clear", "2024-10-01T02:41:11Z"),
        made("cloudy", "2024-10-06T02:41:11Z", cloud=80.1),
        made("unknown", "2024-10-07T02:41:11Z", cloud=None),
        made("beside", "2024-10-11T02:41:11Z", shift=0.3),
        made("elsewhere", "2024-10-12T02:41:11Z", tile="50RPT", left=600_000),
        broken,
        unsafe,
    ]
    # The outline of "beside" lies in the frame of the two spots, and shows neither.
    spots = box(119.2, 28.9, 119.3, 28.91).union(box(119.36, 29.79, 119.365, 29.795))

    with serving(Behaviour(items)) as url:
        inventory = looked(url, area=spots)

    verdicts = {one.id: one.code for one in inventory.decisions}
    assert verdicts == {
        "clear": "kept",
        "unknown": "kept",
        "cloudy": "cloud",
        "beside": "area",
        "elsewhere": "damaged",
        "broken": "damaged",
        "../../x": "damaged",
    }
    reasons = {one.id: one for one in inventory.dropped}
    assert reasons["cloudy"].reason == "cloud cover 80.1 % > 80 %"
    assert "scene classification" in reasons["broken"].reason
    assert "场景分类" in reasons["broken"].reason_zh


def test_an_older_copy_does_not_return_because_the_newest_is_cloudy():
    old, new = made("old", cloud=79.0), made("new", cloud=81.0)
    old["properties"]["s2:processing_baseline"] = "05.00"

    with serving(Behaviour([old, new])) as url:
        inventory = looked(url)

    assert {one.id: one.code for one in inventory.decisions} == {"old": "duplicate", "new": "cloud"}


def test_an_instant_between_two_quarters_belongs_to_the_second():
    border = made("border", "2024-09-30T16:00:00Z")

    with serving(Behaviour([border])) as url:
        stac = Stac(url=url, retries=0)
        before, after = (search(stac, JINHUA, quarter) for quarter in (Q4 - 1, Q4))
        wide = search(stac, JINHUA, Q4 - 1, margin_days=1)

    assert (ids(before), ids(after)) == ([], ["border"])
    assert before.decisions == ()
    assert (ids(wide), [one.id for one in wide.spare]) == ([], ["border"])


def test_the_days_around_the_period_give_spare_scenes():
    items = [
        made("too-early", "2024-08-31T15:59:59Z"),
        made("before", "2024-09-10T02:41:11Z"),
        made("murky", "2024-09-15T02:41:11Z", cloud=99.0),
        *quarter(),
        made("after", "2025-01-20T02:41:11Z"),
        made("too-late", "2025-01-30T16:00:00Z"),
    ]
    old = made("old", "2025-01-20T02:41:11Z")
    old["properties"]["s2:processing_baseline"] = "05.00"
    behaviour = Behaviour([*items, old])

    with serving(behaviour) as url:
        narrow, wide = looked(url), looked(url, margin_days=30)

    assert ids(wide) == ids(narrow) == ALL
    assert narrow.spare == ()
    assert [one.id for one in wide.spare] == ["before", "after"]
    assert {one.id: one.code for one in wide.dropped} == {"murky": "cloud", "old": "duplicate"}
    assert [one.verdict for one in wide.decisions] == (
        ["kept"] * 12 + ["spare"] * 2 + ["dropped"] * 2
    )
    assert behaviour.searches[12]["datetime"] == "2024-08-31T16:00:00Z/2024-09-30T16:00:00Z"
    assert behaviour.searches[16]["datetime"] == "2024-12-31T16:00:00Z/2025-01-30T16:00:00Z"


def test_only_the_days_of_the_season_are_used():
    with serving(Behaviour(quarter())) as url:
        inventory = looked(url, season=("11-01", "12-08"))

    assert ids(inventory) == ["S1103", "S1108", "S1113", "S1118", "S1203", "S1208"]
    assert inventory.counts == {"kept": 6, "season": 6}
    assert inventory.dropped[0].reason_zh == "2024-10-03 不在所选季节（11-01 – 12-08）"


def test_a_tile_that_cannot_show_the_area_is_not_believed():
    # The outline covers the area, the grid is the tile's own, but tile 50RPT ends 2 km west of it.
    item = made("odd", tile="50RPT", shift=-0.5, left=600_000)
    area = box(119.2, 29.0, 119.3, 29.1)

    with serving(Behaviour([item])) as url:
        inventory = looked(url, area=area)

    assert [one.code for one in inventory.decisions] == ["area"]
    assert "tile 50RPT does not meet the area" in inventory.dropped[0].reason


def test_an_id_given_twice_is_one_scene(tmp_path):
    old, new = made("twin", cloud=1.0), made("twin", cloud=2.0)
    old["properties"]["s2:processing_baseline"] = "05.00"
    for name, items in (("a", [old, new]), ("b", [new, old])):
        folder = local(copy.deepcopy(items), tmp_path / name, merged=True)

        inventory = looked(str(folder), profile="local")

        assert [scene.cloud for scene in inventory.kept] == [2.0]
        assert inventory.counts == {"kept": 1, "duplicate": 1}
        assert Inventory.from_json(inventory.to_json()) == inventory


def test_an_area_of_too_many_squares_is_refused():
    with pytest.raises(ConfigError, match="more than 400"):
        looked("http://127.0.0.1:9", area=box(90, 20, 120, 50))


def test_a_catalogue_without_item_search_is_refused():
    with (
        serving(Behaviour([], conforms=False)) as url,
        pytest.raises(ConfigError, match="no STAC API with item search"),
    ):
        looked(url)


@pytest.mark.parametrize("how", ["next", "redirect"])
def test_a_server_may_not_send_us_elsewhere(how):
    with serving(Behaviour(quarter())) as other:
        away = other.replace("http://127.0.0.1", "http://169.254.169.254")
        faults = ["redirect"] if how == "redirect" else []

        with (
            serving(Behaviour(quarter(), page=1, away=away, faults=faults)) as url,
            pytest.raises(IntegrityError, match=r"169\.254\.169\.254"),
        ):
            looked(url)


def test_a_page_of_bad_shape_is_no_answer():
    with (
        serving(Behaviour([1, 2], obey=False)) as url,  # type: ignore[list-item]
        pytest.raises(IntegrityError, match="no item collection"),
    ):
        looked(url)


# --- a static folder gives the same ------------------------------------------------------------


def local(items, folder, *, merged=False):
    """Files beside the items, relative addresses; ``merged`` writes one file of all items."""
    for item in items:
        for name, asset in item["assets"].items():
            asset["href"] = f"{'.' if merged else '..'}/scenes/{item['id']}/{name}.tif"
    (folder / "items").mkdir(parents=True)
    if merged:
        text = json.dumps({"type": "FeatureCollection", "features": items})
        (folder / "catalog.json").write_text(text, "utf-8")
        return folder
    links = []
    for item in items:
        (folder / "items" / f"{item['id']}.json").write_text(json.dumps(item), "utf-8")
        links.append({"rel": "item", "href": f"./items/{item['id']}.json"})
    collection = {"type": "Collection", "id": "c", "links": links}
    (folder / "collection.json").write_text(json.dumps(collection), "utf-8")
    root = {"type": "Catalog", "links": [{"rel": "child", "href": "./collection.json"}]}
    (folder / "catalog.json").write_text(json.dumps(root), "utf-8")
    return folder


def test_a_folder_gives_the_same_inventory_as_an_api(tmp_path):
    old = made("old", "2024-10-03T02:41:40Z")
    old["properties"]["s2:processing_baseline"] = "05.00"
    items = [*quarter(), old, made("stray", "2024-01-01T00:00:00Z"), made("murky", cloud=99)]
    with serving(Behaviour(copy.deepcopy(items))) as url:
        online = looked(url)

    folder = local(items, tmp_path / "sim")
    static = looked(str(folder), profile="local")
    named = looked((folder / "catalog.json").as_uri(), profile="local")

    def verdicts(one):
        return [(d.id, d.verdict, d.reason) for d in one.decisions]

    assert verdicts(static) == verdicts(online) == verdicts(named)
    assert static.lineage == online.lineage
    assert static.counts == {"kept": 12, "cloud": 1, "duplicate": 1}
    assert static.kept[0].assets["red"].href == str(folder / "scenes" / "S1003" / "red.tif")


def test_an_item_collection_is_a_catalogue_too(tmp_path):
    items = quarter()
    for item in items:
        for name, asset in item["assets"].items():
            asset["href"] = f"{name}.tif"
    file = tmp_path / "items.json"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": items}), "utf-8")

    assert ids(looked(str(file), profile="local")) == ALL


def test_files_elsewhere_need_an_allowed_root(tmp_path):
    items = quarter()[:1]
    folder = local(items, tmp_path / "sim")
    item = json.loads((folder / "items" / "S1003.json").read_text("utf-8"))
    for name, asset in item["assets"].items():
        asset["href"] = (tmp_path / "pixels" / f"{name}.tif").as_uri()
    (folder / "items" / "S1003.json").write_text(json.dumps(item), "utf-8")

    refused = looked(str(folder), profile="local")
    allowed = looked(str(folder), profile="local", allowed_roots=(tmp_path / "pixels",))

    assert refused.counts == {"damaged": 1}
    assert "outside the allowed folders" in refused.dropped[0].reason
    assert allowed.kept[0].assets["red"].href == str(tmp_path / "pixels" / "red.tif")


@pytest.mark.parametrize(
    "href", ["../outside.json", "https://evil.example/item.json", "/etc/hostname", "none.json", ""]
)
def test_a_static_catalogue_may_not_lead_out(tmp_path, href):
    (tmp_path / "outside.json").write_text(json.dumps(made("x")), "utf-8")
    folder = tmp_path / "sim"
    folder.mkdir()
    root = {"type": "Catalog", "links": [{"rel": "item", "href": href}]}
    (folder / "catalog.json").write_text(json.dumps(root), "utf-8")

    with pytest.raises(IntegrityError, match="static catalogue"):
        looked(str(folder), profile="local")


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"type": "Blob"}', '{"type": "FeatureCollection"}', "[" * 100_000]
)
def test_a_static_catalogue_of_bad_shape_is_refused(tmp_path, text):
    (tmp_path / "catalog.json").write_text(text, "utf-8")

    with pytest.raises(IntegrityError, match="static catalogue"):
        looked(str(tmp_path), profile="local")


def test_a_catalogue_that_names_itself_ends(tmp_path):
    root = {"type": "Catalog", "links": [{"rel": "child", "href": "catalog.json"}]}
    (tmp_path / "catalog.json").write_text(json.dumps(root), "utf-8")

    assert looked(str(tmp_path), profile="local").decisions == ()


def test_wrong_settings_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"set \[stac\] url"):
        looked("", profile="local")
    with pytest.raises(ConfigError, match="no catalogue at"):
        looked(str(tmp_path / "none"), profile="local")
    with pytest.raises(ConfigError, match="longitude and latitude"):
        search(Stac(), box(500_000, 3_200_000, 600_000, 3_300_000), Q4)
    with pytest.raises(ConfigError, match="longitude and latitude"):
        search(Stac(), box(0, 0, 1, 1).difference(box(0, 0, 1, 1)), Q4)


# --- the server of the demo --------------------------------------------------------------------


def rustac():
    beside = Path(sys.executable).with_name("rustac")
    return str(beside) if beside.is_file() else shutil.which("rustac")


@pytest.mark.skipif(rustac() is None, reason="rustac is not installed (extra: demo)")
def test_a_real_server_of_local_files(tmp_path):
    items = quarter()
    for item in items:
        for name, asset in item["assets"].items():
            asset["href"] = (tmp_path / item["id"] / f"{name}.tif").as_uri()
    file = tmp_path / "items.json"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": items}), "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    server = subprocess.Popen(
        [rustac(), "serve", "--create-collections", "-a", address, str(file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://{address}/")
        inventory = looked(
            f"http://{address}", profile=paged(tmp_path, 3, "local"), allowed_roots=(tmp_path,)
        )
    finally:
        server.terminate()
        server.wait(10)

    assert ids(inventory) == ALL
    assert inventory.kept[0].assets["red"].href == str(tmp_path / "S1003" / "red.tif")


def wait_for(url):
    for _ in range(100):
        try:
            with urlopen(url, timeout=1):  # noqa: S310 - loopback
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{url} did not come up")
