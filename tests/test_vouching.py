"""What is found out about scenes before they are used, from the command line to the report."""

import json

import pytest
import rasterio
from builders import little_city


@pytest.fixture
def city(tmp_path):
    """A little city of one year; no model of another year is needed."""
    config = little_city(tmp_path, years=(2024,))
    text = config.read_text().replace('[time]\nbaseline = "2019Q4"\n', "")
    config.write_text(text)
    return config


def items_of(city):
    return sorted((city.parent / "items").glob("*.json"))


def changed(path, change):
    """Change an item and write it back."""
    item = json.loads(path.read_text())
    change(item)
    path.write_text(json.dumps(item))


def added(city, item):
    """Put another item into the catalogue."""
    (city.parent / "items" / f"{item['id']}.json").write_text(json.dumps(item))
    catalog = json.loads((city.parent / "catalog.json").read_text())
    catalog["links"].append({"rel": "item", "href": f"./items/{item['id']}.json"})
    (city.parent / "catalog.json").write_text(json.dumps(catalog))


def published_of(city):
    return city.parent / "out" / "2024Q4" / "published"


def verdicts_of(city):
    found = json.loads((published_of(city) / "scenes.json").read_text())
    return {one["id"]: one["properties"]["jinhua:code"] for one in found["features"]}


def used_by_tiles(city):
    seals = (city.parent / "out" / "2024Q4" / "tiles" / "composite").glob("*.zarr.json")
    return {scene for seal in seals for scene in json.loads(seal.read_text())["scenes"]}


def test_a_scene_whose_pixels_deny_its_offset_is_set_aside_and_listed(city, jinhua):
    liar, *others = items_of(city)

    def lie(item):
        for name in ("red", "nir"):
            item["assets"][name]["raster:bands"] = [{"scale": 1e-4, "offset": 0}]

    changed(liar, lie)

    code, _, err = jinhua("run", "2024Q4", "--config", city)

    assert code == 0, err
    assert verdicts_of(city) == {liar.stem: "certificate"} | {
        other.stem: "kept" for other in others
    }
    assert used_by_tiles(city) == {other.stem for other in others}
    report = json.loads((published_of(city) / "report" / "report.json").read_text())
    (denied,) = [one for one in report["checks"] if not one["passed"]]
    assert denied["scene"] == liar.stem
    assert denied["offset"] == "0 / -1000"
    assert liar.stem in (published_of(city) / "report" / "report.html").read_text()
    code, out, _ = jinhua("explain", "2024Q4", liar.stem, "--config", city)
    assert code == 0
    assert "-1000" in out


def test_a_ghost_gives_its_place_back_to_the_older_copy(city, jinhua):
    older = items_of(city)[0]
    ghost = json.loads(older.read_text())
    ghost["id"] = f"{older.stem}_N0512"
    ghost["properties"]["s2:processing_baseline"] = "05.12"
    for asset in ghost["assets"].values():
        asset["href"] = asset["href"].replace(".tif", ".gone.tif")
    added(city, ghost)

    code, _, err = jinhua("run", "2024Q4", "--config", city)

    assert code == 0, err
    found = verdicts_of(city)
    assert found.pop(ghost["id"]) == "ghost"
    assert set(found.values()) == {"kept"}
    assert older.stem in used_by_tiles(city)


def test_a_ghost_without_another_copy_counts_against_the_gate(city, jinhua):
    for name in ("red", "nir", "scl"):
        (city.parent / "scenes" / f"{items_of(city)[0].stem}.{name}.tif").unlink()

    code, _, err = jinhua("--lang", "en", "run", "2024Q4", "--config", city)

    assert code == 4
    assert "could not be read" in err
    assert not published_of(city).exists()


def test_a_window_that_had_to_be_widened_is_marked_and_told(city, jinhua):
    around = json.loads(items_of(city)[0].read_text())
    around["id"] = "S2A_T50RQT_20240921T024000_L2A"
    around["properties"] |= {"datetime": "2024-09-21T02:40:00Z", "s2:datatake_id": "GS2A_around"}
    added(city, around)
    city.write_text(city.read_text().replace("[composite]\n", "[composite]\nwiden_below = 4\n"))

    code, _, err = jinhua("run", "2024Q4", "--config", city)

    assert code == 0, err
    assert verdicts_of(city)[around["id"]] == "spare"
    with (
        rasterio.open(published_of(city) / "window.tif") as window,
        rasterio.open(published_of(city) / "n_clear.tif") as looks,
    ):
        assert (window.read(1) == 2).mean() > 0.95
        assert looks.read(1).max() == 4
    report = json.loads((published_of(city) / "report" / "report.json").read_text())
    told = {fact["name"]["en"]: fact["text"]["en"] for fact in report["certificate"]}
    assert told["Pixels of a widened window"] == "100.0%"


def test_a_mirror_gives_the_same_bytes_without_the_source(city, jinhua, tmp_path):
    jinhua("run", "2024Q4", "--config", city)
    before = (published_of(city) / "forest.tif").read_bytes()
    mirror = tmp_path / "mirror"

    code, _, err = jinhua("mirror", "2024Q4", "--config", city, "--to", mirror)

    assert code == 0, err
    (city.parent / "scenes").rename(city.parent / "elsewhere")
    text = city.read_text().replace('url = "./"', f'url = "{mirror}"')
    city.write_text(text.replace('root = "out"', 'root = "again"'))
    code, _, err = jinhua("run", "2024Q4", "--config", city)
    assert code == 0, err
    again = city.parent / "again" / "2024Q4" / "published"
    assert (again / "forest.tif").read_bytes() == before
