"""The twin on disk: one small build of one county, looked at from all sides."""

import hashlib
import json
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import pystac_client
import pytest
import rasterio
from odc.geo.geobox import GeoBox

from jinhua_rs.errors import ConfigError, JinhuaError, NoDataError
from jinhua_rs.regions import load_units
from jinhua_rs.settings import Area
from jinhua_rs.twin import build as building
from jinhua_rs.twin import light, spectra
from jinhua_rs.twin.build import TwinSpec, build
from jinhua_rs.twin.serve import serving
from jinhua_rs.twin.world import World

SPEC = TwinSpec(
    seed=20200101,
    resolution=240.0,
    periods=("2020Q4", "2024Q4"),
    unit="330782",
    dates_per_period=2,
    samples_per_class=5,
    reference_points=10,
)


def no_world(*_):
    raise AssertionError("the ground is made again although everything is there")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def told():
    return []


@pytest.fixture(scope="session")
def twin(tmp_path_factory, told):
    folder = tmp_path_factory.mktemp("twin") / "yiwu"
    build(folder, SPEC, progress=lambda *step: told.append(step))
    return folder


@pytest.fixture(scope="session")
def items(twin):
    return {
        path.stem: json.loads(path.read_text("utf-8")) for path in sorted(twin.glob("items/*.json"))
    }


def test_progress_counts_to_the_end(told, twin):
    assert twin.is_dir()
    total = told[0][1]
    assert [step[:2] for step in told] == [(done, total) for done in range(1, total + 1)]


def test_the_static_catalogue_is_read_by_pystac(twin, items):
    catalogue = pystac.Catalog.from_file(str(twin / "catalog.json"))

    found = {item.id: item for item in catalogue.get_items(recursive=True)}

    assert set(found) == set(items)
    assert len(items) >= 10
    for item in found.values():
        assert item.get_collection().id == "sentinel-2-c1-l2a"
        for asset in item.assets.values():
            assert Path(asset.get_absolute_href()).is_file()
    for part in (catalogue, next(catalogue.get_children())):
        part.stac_extensions = []
        part.validate()
    assert "SIMULATED" in next(catalogue.get_children()).description


def test_what_items_say_of_their_files_is_true(twin, items):
    for name, entry in items.items():
        for asset in entry["assets"].values():
            path = twin / "items" / asset["href"]
            assert asset["file:checksum"] == "1220" + sha256(path)
            assert asset["file:size"] == path.stat().st_size
            with rasterio.open(path) as raster:
                assert list(raster.shape) == asset["proj:shape"]
                assert list(raster.transform)[:6] == asset["proj:transform"]
                assert raster.crs.to_epsg() == entry["properties"]["proj:epsg"]
                assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert not list((twin / "scenes" / name).glob(".*"))


def test_nothing_is_computed_far_from_the_county(twin, items):
    (name, entry), *_ = items.items()

    with rasterio.open(twin / "scenes" / name / "red.tif") as raster:
        share = np.count_nonzero(raster.read(1)) / raster.width / raster.height

    assert 0 < share < 0.25
    assert entry["properties"]["s2:nodata_pixel_percentage"] == pytest.approx(
        100 * (1 - share), abs=0.01
    )


def test_two_processings_of_one_pass_differ_by_the_offset_alone(twin, items):
    old = next(name for name in items if name.endswith("_N0214"))
    new = old.removesuffix("_N0214")
    declared = [items[name]["assets"]["nir"]["raster:bands"][0]["offset"] for name in (old, new)]

    with (
        rasterio.open(twin / "scenes" / old / "nir.tif") as before,
        rasterio.open(twin / "scenes" / new / "nir.tif") as after,
    ):
        first, second = (raster.read(1).astype(int) for raster in (before, after))

    assert declared == [0, -0.1]
    assert items[old]["properties"]["datetime"] == items[new]["properties"]["datetime"]
    assert np.array_equal(first > 0, second > 0)
    bright = first > 1
    assert bright.any()
    assert np.all(second[bright] - first[bright] == 1000)


def test_the_offset_is_in_every_scene_since_2022(twin, items):
    since = [
        name for name, entry in items.items() if entry["properties"]["datetime"] > "2022-01-25"
    ]
    assert since

    for name in since:
        assert items[name]["assets"]["red"]["raster:bands"][0]["offset"] == -0.1
        assert items[name]["properties"]["s2:processing_baseline"] >= "04.00"
        with rasterio.open(twin / "scenes" / name / "swir22.tif") as raster:
            numbers = raster.read(1)
        assert np.percentile(numbers[numbers > 0], 1) > 900


def test_the_sun_in_the_items_is_the_sun_that_lit_the_ground(items):
    for name, entry in items.items():
        start = datetime.strptime(name.split("_")[2] + "+0000", "%Y%m%dT%H%M%S%z")
        over_city = start + timedelta(minutes=8)
        lit = light.sun(over_city, *spectra.OVER)
        told = entry["properties"]
        assert told["view:sun_azimuth"] == pytest.approx(lit.azimuth, abs=1e-5)
        assert told["view:sun_elevation"] == pytest.approx(90 - lit.zenith, abs=1e-5)
        assert 25 < told["view:sun_elevation"] < 60


def test_the_elevation_is_that_of_the_relief_and_covers_what_is_painted(twin, items):
    with rasterio.open(twin / "layers" / "dem.tif") as raster:
        heights, edges, transform = raster.read(1), raster.bounds, raster.transform
        assert raster.tags()["SIMULATED"] == "YES"
    world = World.build(SPEC.seed, load_units(Area()))
    spot = GeoBox((40, 50), transform, "EPSG:4326")

    expected = world.terrain(spot)["elevation"].to_numpy()

    assert np.abs(heights[:40, :50] - expected).max() <= 1 / 32
    assert heights.max() - heights.min() > 300
    for entry in items.values():
        west, south, east, north = entry["bbox"]
        assert edges.left < west < east < edges.right
        assert edges.bottom < south < north < edges.top


def test_an_elevation_that_an_older_build_lacks_is_added(twin, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(twin, folder)
    (folder / "layers" / "dem.tif").unlink()
    before = {path: path.stat().st_mtime_ns for path in folder.glob("scenes/*/*.tif")}

    build(folder, SPEC)

    assert sha256(folder / "layers" / "dem.tif") == sha256(twin / "layers" / "dem.tif")
    assert {path: path.stat().st_mtime_ns for path in folder.glob("scenes/*/*.tif")} == before


def test_masks_err_but_not_wildly(twin, items):
    faults = pd.read_csv(twin / "truth" / "scenes.csv").set_index("scene")

    assert set(faults.index) == set(items)
    total = faults.sum()
    assert 0.03 < total["cloud_missed"] / total["cloud"] < 0.20
    assert 0.03 < total["clear_lost"] / total["clear"] < 0.07


def test_everything_says_that_it_is_simulated(twin, items):
    for entry in items.values():
        assert entry["properties"]["jinhua:simulated"] is True
        assert "SIMULATED" in entry["properties"]["title"]
    assert "模拟" in (twin / "README.md").read_text("utf-8")
    assert json.loads((twin / "twin.json").read_text("utf-8"))["simulated"] is True
    for name in ("samples", "reference"):
        assert gpd.read_file(twin / f"{name}.gpkg")["simulated"].all()


def test_samples_and_truth_lie_in_the_county(twin):
    samples = gpd.read_file(twin / "samples.gpkg")
    reference = gpd.read_file(twin / "reference.gpkg")
    truth = pd.read_csv(twin / "truth" / "truth.csv", dtype={"unit": str})

    assert set(samples["county"]) == set(reference["unit"]) == set(truth["unit"]) == {"330782"}
    assert len(reference) == 2 * SPEC.reference_points
    assert set(reference["period"]) == set(SPEC.periods)
    assert {path.stem for path in (twin / "layers").glob("*.gpkg")} >= {"parcels", "mines"}


def test_a_second_build_finds_everything_done(twin, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in twin.glob("scenes/*/*.tif")}
    monkeypatch.setattr(building.World, "build", no_world)

    build(twin, SPEC)

    assert {path: path.stat().st_mtime_ns for path in twin.glob("scenes/*/*.tif")} == before


def test_a_lost_scene_is_painted_again_to_the_same_bytes(twin, items, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(twin, folder)
    lost = sorted(items)[:2]
    shutil.rmtree(folder / "scenes" / lost[0])
    (folder / "items" / f"{lost[1]}.json").unlink()
    (folder / "scenes" / f".{lost[1]}.4711").mkdir()

    build(folder, SPEC, workers=2)

    for name in lost:
        again = json.loads((folder / "items" / f"{name}.json").read_text("utf-8"))
        assert again == items[name]
        assert sha256(folder / "scenes" / name / "red.tif") == sha256(
            twin / "scenes" / name / "red.tif"
        )
    assert (folder / "collection.json").read_bytes() == (twin / "collection.json").read_bytes()
    assert not list((folder / "scenes").glob(".*"))
    assert not (folder / ".work").exists()


def test_another_spec_is_refused_and_told_apart(twin):
    with pytest.raises(ConfigError, match=r"resolution 240.0 -> 60.0") as caught:
        build(twin, replace(SPEC, resolution=60.0))

    assert caught.value.exit_code == 2
    assert str(twin) in str(caught.value)
    assert "换" in caught.value.zh


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")

    with pytest.raises(ConfigError, match="not empty"):
        build(tmp_path, SPEC)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"unit": "999999"}, ConfigError, "999999"),
        ({"periods": ("2015Q1",)}, NoDataError, "2015Q1"),
        ({"periods": ("soon",)}, ConfigError, "soon"),
    ],
)
def test_a_wrong_spec_leaves_nothing_behind(tmp_path, changes, kind, says):
    with pytest.raises(kind, match=says):
        build(tmp_path / "new", replace(SPEC, **changes))

    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("changes", [{"resolution": 5.0}, {"periods": ()}, {"cloudiness": -1.0}])
def test_a_spec_that_makes_no_sense_is_refused(changes):
    with pytest.raises(ConfigError, match="a twin needs"):
        replace(SPEC, **changes)


def test_the_digest_is_of_the_spec_alone():
    assert SPEC.sha256 == replace(SPEC).sha256
    assert SPEC.sha256 != replace(SPEC, seed=1).sha256


def test_the_api_answers_searches_page_by_page(twin, items):
    with serving(twin) as address:
        assert address.startswith("http://127.0.0.1:")
        client = pystac_client.Client.open(address)
        every = client.search(collections=["sentinel-2-c1-l2a"], limit=3, method="POST")
        autumn = client.search(
            collections=["sentinel-2-c1-l2a"],
            datetime="2024-10-01/2024-12-31",
            bbox=[119.9, 29.0, 120.3, 29.5],
            method="POST",
        )

        assert {item.id for item in every.items()} == set(items)
        found = list(autumn.items())

    assert found
    assert all(item.datetime.year == 2024 for item in found)
    assert found[0].assets["red"].href.startswith("file:///")


def test_the_api_pages_through_hundreds_of_items(items, tmp_path):
    (entry, *_) = items.values()
    many = [entry | {"id": f"scene-{number:03d}", "links": []} for number in range(230)]
    (tmp_path / "items.json").write_text(
        json.dumps({"type": "FeatureCollection", "features": many}), "utf-8"
    )

    with serving(tmp_path) as address:
        client = pystac_client.Client.open(address)
        search = client.search(collections=[entry["collection"]], limit=100, method="POST")
        found = [item.id for item in search.items()]

    assert sorted(found) == [part["id"] for part in many]


def test_a_server_that_cannot_start_says_why(tmp_path):
    (tmp_path / "items.json").write_text('{"type": "Feature', "utf-8")

    with pytest.raises(JinhuaError, match=r"did not start.*EOF"), serving(tmp_path):
        pass
    with pytest.raises(ConfigError, match=r"no items\.json"), serving(tmp_path / "void"):
        pass
