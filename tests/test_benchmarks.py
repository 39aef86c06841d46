"""The benchmarks' own tools: what is measured is what happened."""

import json
import time

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr

from benchmarks import composite_steps, county, ground, measure, page, peers, sampling
from jinhua_rs.estimation.sizes import Wanted
from jinhua_rs.grid import Grid
from jinhua_rs.twin.publish import write_json


def test_time_and_memory_of_all_processes_count():
    work = measure.Work(
        "busy", "tests.bench_work:busy", {"seconds": 0.5, "mib": 200, "children": 1}
    )

    found = measure.run(work, timeout_s=60)

    assert found.facts == {"held": 200}
    assert 0.95 < found.cpu_s < 2.0
    assert found.wall_s >= 0.95
    assert 195 < found.peak_mib - found.base_mib < 300


def test_what_is_prepared_is_not_measured_and_what_lives_on_is():
    found = measure.run(
        measure.Work("prepared", "tests.bench_work:prepared", {"seconds": 0.5}), timeout_s=60
    )

    assert found.facts == {"done": True}
    assert 0.95 < found.cpu_s < 1.4, "half a second here, half in a child that is not waited for"


def test_work_that_fails_says_why():
    with pytest.raises(RuntimeError, match="out of squares"):
        measure.run(measure.Work("fails", "tests.bench_work:fails", {}), timeout_s=60)


def test_pieces_of_work_take_turns(monkeypatch):
    order = []
    monkeypatch.setattr(measure, "run", lambda work: order.append(work.name))

    found = measure.interleaved([measure.Work(name, "", {}) for name in "AB"], 2)

    assert order == ["A", "B", "A", "B"]
    assert {name: len(runs) for name, runs in found.items()} == {"A": 2, "B": 2}


def test_clocks_add_up():
    seconds = {}

    for _ in range(2):
        with measure.clocked(seconds, "spin"):
            start = time.process_time()
            while time.process_time() - start < 0.05:
                pass

    assert 0.1 <= seconds["spin"] < 0.2


def test_squares_lie_on_the_grid_and_on_the_zone_line():
    for times, square in ground.SQUARE.items():
        box = square.geobox
        left, bottom, right, top = box.boundingbox.bbox
        assert (box.shape.y, box.shape.x) == (square.rows, square.columns)
        assert square.pixels == times * 1_024**2
        assert left < 500_000 < right
        assert left % 10 == bottom % 10 == right % 10 == top % 10 == 0


@pytest.fixture
def catalogue(tmp_path):
    """Items of four days; on the last only a corner of the squares is seen."""
    west, east = 119.8, 120.3
    for day, edge in (("2024-10-04", east), ("2024-11-08", east), ("2024-12-03", east),
                      ("2024-12-23", 119.95)):  # fmt: skip
        outline = [[west, 28.9], [edge, 28.9], [edge, 29.6], [west, 29.6], [west, 28.9]]
        entry = {
            "type": "Feature", "stac_version": "1.0.0", "id": f"S2A_{day}", "assets": {},
            "geometry": {"type": "Polygon", "coordinates": [outline]},
            "bbox": [west, 28.9, edge, 29.6], "links": [],
            "properties": {"datetime": f"{day}T02:43:51Z"},
        }  # fmt: skip
        write_json(tmp_path / "items" / f"S2A_{day}.json", entry)
    return tmp_path


def test_days_that_see_only_a_part_are_left_out(catalogue):
    assert ground.whole_days(catalogue) == ("2024-10-04", "2024-11-08", "2024-12-03")


def test_more_dates_than_there_are_read_the_same_passes_again(catalogue):
    items = ground.items(catalogue, ground.rounds(catalogue, 5))

    found = [item.datetime.date().isoformat() for item in items]

    assert found == ["2024-10-04", "2024-10-05", "2024-11-08", "2024-12-03", "2024-12-04"]
    assert len({item.id for item in items}) == 5


def test_the_peers_clouds_are_grown_by_a_disk_and_unseen_is_not_clear():
    scl = np.full((1, 40, 40), 4, np.uint8)
    scl[0, 20, 20] = 9
    scl[0, 0, :] = 0

    clear = peers._clear_block(scl)[0]

    y, x = np.mgrid[:40, :40]
    away = np.hypot(y - 20, x - 20) > 10
    assert np.array_equal(clear, away & (y > 0))


def test_differences_are_counted_where_both_see():
    one = {name: np.array([[100, 200, -32_768]], np.int16) for name in county.BAND_NAMES}
    other = {name: np.array([[100, 203, 300]], np.int16) for name in county.BAND_NAMES}
    one["n_clear"], other["n_clear"] = np.array([[3, 4, 0]]), np.array([[3, 5, 1]])

    found = county._compared(one, other)

    assert found["all"] == {"equal": 0.5, "within_1": 0.5, "p99": 3.0, "max": 3}
    assert found["same looks"]["max"] == 0
    assert found["same_looks"] == pytest.approx(1 / 3)
    assert found["same_seen"] == pytest.approx(2 / 3)


def runs(cpu_s, **facts):
    told = {"pixels": 2_000_000, "dates": 12, **facts}
    return [{"wall_s": cpu_s, "cpu_s": cpu_s, "peak_mib": 500.0, "base_mib": 200.0, "facts": told}]


def test_the_page_says_what_is_met_and_what_is_not():
    names = ("peer A", "peer B", "ours, median", "ours, geometric median")
    rows = dict(zip(names, map(runs, (60.0, 20.0, 10.0, 12.0)), strict=True))
    text = page.render({"machine": {"processor": "x"}, "peers": rows})

    assert "| at least 5 times peer A per CPU second | 6.00 | met |" in text
    assert "| at least 3 times peer B per CPU second | 2.00 | **not met** |" in text
    assert "| peer B | 20.0 | 20.0 | 10.00 | 500 | 2.00 |" in text


def test_a_projection_is_called_one():
    facts = {"county_pixels": 10_940_000, "tiles": 20, "scenes": 40}
    facts |= {"start_s": 3.0}
    rows = {"1 worker": runs(200.0, **facts), "2 workers": runs(100.0, **facts)}
    rows |= {"each of 2 processes": [*runs(104.0, **facts), *runs(110.0, **facts)]}
    rows["2 workers"][0]["cpu_s"] = 256.0

    text = page.render({"machine": {"processor": "x"}, "county": rows})

    # ten times the 256 CPU seconds of the county on two cores that are fully used
    assert "| at least 1.7 times faster on two workers | 2.00 | met |" in text
    assert "did the whole in 110 s, which is 1.82 times as fast" in " ".join(text.split())
    assert "**Projection, not measured**" in text
    assert "would take 21 minutes on 2 cores and 1.3 minutes on 32" in " ".join(text.split())


def test_parts_are_compared_without_search_and_features():
    least = {"decode": 1.0, "warp": 0.5, "estimator": 0.5, "compared": 2.0, "dates": 12}
    ours = least | {"rest": 0.5, "search": 9.0, "features": 7.0, "compared": 2.5, "total": 18.5}
    rows = {
        f"{what}, {method}": [{"facts": facts}]
        for method in ("median", "geomedian")
        for what, facts in (("breakdown", ours), ("unavoidable", least))
    }

    text = page.render({"machine": {"processor": "x"}, "parts": rows})

    assert "| ours, median | 1.00 | 0.50 | 0.50 | 0.50 | 9.00 | 7.00 | 2.50 |" in text
    assert "| at most 1.5 times the unavoidable (median) | 1.25 | met |" in text


def test_what_is_measured_replaces_what_was_between_the_marks(tmp_path):
    file = tmp_path / "composite.md"
    first, last = composite_steps.MARKS
    file.write_text(f"# Page\n\nBefore.\n{first}\nold\n{last}\nAfter.\n", "utf-8")

    composite_steps.write_page(file, f"{first}\nnew\n{last}")

    assert file.read_text("utf-8") == f"# Page\n\nBefore.\n{first}\nnew\n{last}\nAfter.\n"


def test_the_error_of_a_composite_is_told_in_small_units():
    truth = {name: np.full((1, 4), 0.1, np.float32) for name in county.BAND_NAMES}
    truth["ndvi"] = np.zeros((1, 4), np.float32)
    found = np.array([[0.11, 0.09, 0.12, np.nan]], np.float32)
    image = xr.Dataset(dict.fromkeys(county.BAND_NAMES, (("y", "x"), found)))
    image["n_clear"] = ("y", "x"), np.array([[3, 4, 1, 0]], np.uint16)

    score = composite_steps._score(image, truth)

    assert score.seen == 0.75
    assert score.sure == 0.5
    assert score.sure_rmse == pytest.approx(100, abs=0.01)
    assert score.bias["nir"] == pytest.approx((100 - 100 + 200) / 3, abs=0.01)
    assert score.rmse["nir"] == pytest.approx(np.sqrt((1 + 1 + 4) / 3) * 100, abs=0.01)
    assert score.rmse["ndvi"] == 0


def test_the_numbers_that_are_kept_make_the_page_that_is_kept():
    if not county.MEASURED.is_file():
        pytest.skip("nothing has been measured yet: python -m benchmarks.county")
    numbers = json.loads(county.MEASURED.read_text("utf-8"))
    assert county.PAGE.read_text("utf-8") == page.render(numbers)


def test_the_designed_sample_is_drawn_and_judged_again_and_again():
    rng = np.random.default_rng(1)
    box = Grid(resolution=10.0).covering((500_000, 3_200_000, 501_000, 3_201_000))
    before = np.add.outer(np.arange(100), np.arange(100)) < 110
    reach = {"city": (0, 1000), "A": (0, 500), "B": (500, 1000)}
    units = gpd.GeoDataFrame(
        {"level": ["city", "county", "county"]},
        index=list(reach),
        geometry=[
            shapely.box(5e5 + west, 3_200_000, 5e5 + east, 3_201_000)
            for west, east in reach.values()
        ],
        crs="EPSG:4549",
    )
    city = sampling.City(units, box, before, before & (rng.random(before.shape) > 0.1))
    frame = sampling.framed(city, sampling.mapped(city.after, rng), "forest")

    found = sampling.repeated(city, frame, Wanted(city=0.05, county=0.1), 40, change=False)

    assert found["truth"]["city"] == pytest.approx(city.after.mean())
    assert found["covered"].min() > 0.8
    assert found["off"].abs().max() < 0.03
    lines = sampling.table(found, pd.Series("城", found.index), ("truth", "n"))
    assert len(list(lines)) == 2 + 3
