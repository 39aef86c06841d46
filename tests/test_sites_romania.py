"""The Romanian site: its pixels are the wheel's, its layers hold apart, its measures are right."""

import hashlib
import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from jinhua_rs.catalog.hrefs import Access
from jinhua_rs.catalog.items import to_scene
from jinhua_rs.catalog.profiles import load_profile
from jinhua_rs.errors import ConfigError, ContractError, IntegrityError, NoDataError
from jinhua_rs.regions import load_units, outline
from jinhua_rs.settings import load_settings
from jinhua_rs.sites import items, measures, page, romania, validate, wheel

needs_wheel = pytest.mark.skipif(
    importlib.util.find_spec("nrt") is None, reason="the wheel nrt (extra: sites) is not installed"
)
CLEAR = (4, 5, 6, 7)
BANDS = ("blue", "green", "red", "nir", "nir08", "swir16")


@pytest.fixture(scope="module")
def pixels():
    return romania.read_pixels()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return romania.write_stac(tmp_path_factory.mktemp("romania") / "site")


@pytest.fixture(scope="module")
def served(site):
    return json.loads((site / "items.json").read_text("utf-8"))["features"]


def ndvi_of(pixels, looks):
    red, nir = (
        pixels[name].isel(time=looks).to_numpy().astype("float32") for name in ("red", "nir")
    )
    return np.median((nir - red) / (nir + red), axis=0)


def clear_share(pixels):
    return np.isin(pixels["scl"], CLEAR).mean(axis=(1, 2))


def looks_of(pixels, year, months):
    """Looks of a summer that are clear on more than 95 % of the site."""
    time = pixels["scl"].time.dt
    chosen = (time.year == year) & time.month.isin(months)
    return np.flatnonzero(chosen.to_numpy() & (clear_share(pixels) > 0.95))


# --- what the wheel holds ------------------------------------------------------------------------


@needs_wheel
class TestWheel:
    def test_dates_and_clouds(self, pixels):
        share = clear_share(pixels)

        assert len(share) == 140
        assert (share > 0.95).sum() == 59
        assert (share < 0.05).sum() == 25

    def test_digital_numbers(self, pixels):
        medians = {name: int(np.median(pixels[name])) for name in ("blue", "green", "red", "nir")}

        assert medians == {"blue": 380, "green": 576, "red": 516, "nir": 3101}
        assert {name: array.shape[1:] for name, array in pixels.items()} == {
            "blue": (100, 100), "green": (100, 100), "red": (100, 100), "nir": (100, 100),
            "nir08": (50, 50), "swir16": (50, 50), "scl": (50, 50),
        }  # fmt: skip

    def test_truth(self):
        truth = romania.tree_cover()

        assert truth.shape == (50, 50)
        assert float((truth >= 0.20).mean()) == pytest.approx(0.9420)
        assert float((truth >= 0.50).mean()) == pytest.approx(0.8224)

    def test_truth_lies_on_the_20_m_pixels(self, pixels):
        truth = romania.tree_cover()

        assert np.allclose(truth.x, pixels["scl"].x, atol=0.01)
        assert np.allclose(truth.y, pixels["scl"].y, atol=0.01)

    def test_summer_greenness_follows_density(self, pixels):
        ndvi = ndvi_of(pixels, looks_of(pixels, 2018, (6, 7, 8)))

        r = measures.correlation(measures.block_means(ndvi, 2), romania.tree_cover().to_numpy())

        assert r == pytest.approx(0.767, abs=5e-4)

    def test_gaps_and_regrowth_between_2017_and_2020(self, pixels):
        season = (5, 6, 7, 8, 9)
        before, after = (ndvi_of(pixels, looks_of(pixels, year, season)) for year in (2017, 2020))

        change = measures.ndvi_change(before, after)

        assert (change.fell, change.rose, change.n) == (272, 220, 10_000)

    def test_missing_wheel_is_named(self, monkeypatch):
        monkeypatch.setattr(wheel.importlib.util, "find_spec", lambda _: None)

        with pytest.raises(ConfigError, match=r"nrt==0\.2\.1") as caught:
            romania.tree_cover()

        assert "jinhua-rs[sites]" in caught.value.zh


# --- what is written -----------------------------------------------------------------------------


@needs_wheel
class TestStac:
    def test_pixels_are_untouched(self, pixels, served):
        for index, item in enumerate(served):
            for name, array in pixels.items():
                with rasterio.open(item["assets"][name]["href"]) as file:
                    assert np.array_equal(file.read(1), array[index]), (item["id"], name)

    def test_files_say_where_they_lie(self, served):
        sizes = {}
        for name, asset in served[70]["assets"].items():
            with rasterio.open(asset["href"]) as file:
                sizes[name] = file.res[0]
                assert file.crs.to_epsg() == 3035
                assert file.nodata == 0
                assert list(file.transform)[:6] == pytest.approx(asset["proj:transform"], abs=1e-6)
                assert list(file.shape) == asset["proj:shape"]

        assert sizes == wheel.PIXEL_M

    def test_catalog_is_whole_and_relative(self, site):
        catalog = pystac.Catalog.from_file(str(site / "catalog.json"))

        found = list(catalog.get_items(recursive=True))

        assert len(found) == 140
        first = json.loads(
            (site / items.COLLECTION / found[0].id / f"{found[0].id}.json").read_text()
        )
        hrefs = [link["href"] for link in first["links"]]
        hrefs += [asset["href"] for asset in first["assets"].values()]
        assert all(href.startswith(".") for href in hrefs)
        assert all(Path(a.get_absolute_href()).is_file() for a in found[0].assets.values())

    def test_checksum_is_of_the_file(self, site, served):
        asset = served[3]["assets"]["nir"]
        data = (site / items.COLLECTION / served[3]["id"] / "B08.tif").read_bytes()

        assert asset["file:checksum"] == "1220" + hashlib.sha256(data).hexdigest()
        assert asset["file:size"] == len(data)

    def test_the_house_takes_every_item(self, site, served):
        profile, access = load_profile("local"), Access(roots=(site,))

        scenes = [to_scene(item, profile, access=access, bands=BANDS) for item in served]

        assert len({scene.id for scene in scenes}) == 140
        assert {(s.offset, s.baseline, s.crs, s.tile) for s in scenes} == {
            (0, "00.00", "EPSG:3035", "34TER")
        }
        assert all(scene.footprint.is_valid for scene in scenes)

    def test_dates_are_those_of_the_wheel(self, served, pixels):
        dates = [item["properties"]["datetime"] for item in served]

        assert dates == [f"{str(day)[:10]}T00:00:00Z" for day in pixels["scl"].time.to_numpy()]

    def test_second_satellite_only_after_its_launch(self, served):
        flown = {"sentinel-2a": [], "sentinel-2b": []}
        for item in served:
            flown[item["properties"]["platform"]].append(item["properties"]["datetime"][:10])

        assert len(flown["sentinel-2b"]) == 54
        assert min(flown["sentinel-2b"]) == "2017-06-06"

    def test_cloud_cover_counts_clouds_shadows_and_cirrus(self, served, pixels):
        scl = pixels["scl"].to_numpy()
        expected = 100 * ((scl == 3) | (scl == 8) | (scl == 9) | (scl == 10)).mean(axis=(1, 2))

        cloud = [item["properties"]["eo:cloud_cover"] for item in served]

        assert cloud == pytest.approx(list(expected), abs=1e-3)
        assert (min(cloud), max(cloud)) == (0.0, 100.0)

    def test_second_call_finds_it(self, site):
        before = (site / "items.json").stat().st_mtime_ns

        assert romania.write_stac(site) == site
        assert (site / "items.json").stat().st_mtime_ns == before

    def test_other_content_is_left_alone(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("mine")

        with pytest.raises(ConfigError, match="not this site"):
            romania.write_stac(tmp_path)

        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

    def test_moved_site_is_refused(self, site, tmp_path):
        (tmp_path / "site.json").write_text((site / "site.json").read_text())

        with pytest.raises(ConfigError, match="was moved"):
            romania.write_stac(tmp_path)

    def test_nothing_is_left_of_a_failure(self, tmp_path, monkeypatch):
        def full(part, home):
            (part / "half.tif").write_bytes(b"II")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(romania, "write_items", full)

        with pytest.raises(OSError, match="No space"):
            romania.write_stac(tmp_path / "site")

        assert list(tmp_path.iterdir()) == []


@needs_wheel
class TestLayers:
    def test_units_are_the_site_and_its_quarters(self, site):
        area = load_settings(Path("workflows/romania.toml"), environment={}).settings.area
        units = load_units(area.model_copy(update={"units": site / "units.gpkg"}))

        assert list(units["level"]) == ["city", *["zone"] * 4]
        assert outline(units).area == pytest.approx(1e6, rel=1e-9)
        assert units[units["level"] == "zone"].area.tolist() == pytest.approx([250_000] * 4)

    def test_training_and_reference_never_meet(self, site):
        for fold in range(romania.FOLDS):
            samples = gpd.read_file(site / f"fold-{fold}" / "samples.gpkg")
            reference = gpd.read_file(site / f"fold-{fold}" / "reference.gpkg")

            assert (len(samples), len(reference)) == (2000, 125)
            assert samples.crs == reference.crs == "EPSG:3035"
            nearest = reference.geometry.apply(lambda point, s=samples: s.distance(point).min())
            assert nearest.min() >= 20 - 1e-6
            assert reference["point"].is_unique
            assert set(reference["period"]) == {"2018Q3"}
            assert samples["canopy"].between(0, 1).all()

    def test_every_block_is_held_out_once(self, site):
        points = pd.concat(
            gpd.read_file(site / f"fold-{fold}" / "reference.gpkg") for fold in range(romania.FOLDS)
        )

        truth = romania.tree_cover().to_numpy()[::2, ::2]

        assert len(points) == truth.size == 625
        assert np.sort(points["canopy"]) == pytest.approx(np.sort(truth.ravel()))

    def test_configuration_names_what_is_written(self, site):
        told = load_settings(Path("workflows/romania.toml"), environment={}).settings
        written = {str(path.relative_to(site)) for path in site.rglob("*.gpkg")}

        named = [told.area.units, told.model.samples, told.reference.file]

        assert {str(path).partition("romania/site/")[2] for path in named} <= written
        assert told.stac.collection == items.COLLECTION
        assert set(told.composite.bands) == set(wheel.PIXEL_M) - {"scl"}
        assert told.model.period == romania.TRUTH_PERIOD


# --- measures ------------------------------------------------------------------------------------


class TestMeasures:
    @given(st.integers(1, 6), st.sampled_from([3, 5, 7]), st.integers(3, 40))
    @settings(deadline=None, max_examples=40)
    def test_blocks_of_one_fold_share_no_side(self, block, folds, size):
        dealt = measures.block_folds((size, size), block=block, folds=folds)

        blocks = dealt[::block, ::block]
        assert (dealt == np.kron(blocks, np.ones((block, block), int))[:size, :size]).all()
        assert (blocks[1:] != blocks[:-1]).all()
        assert (blocks[:, 1:] != blocks[:, :-1]).all()

    @pytest.mark.parametrize(("block", "folds"), [(0, 5), (1, 4), (1, 1)])
    def test_bad_folds_are_refused(self, block, folds):
        with pytest.raises(ConfigError, match="odd number"):
            measures.block_folds((4, 4), block=block, folds=folds)

    def test_block_means(self):
        values = np.array([[1.0, 3, 5, np.nan], [1, 3, 5, 7]])

        means = measures.block_means(values, 2)

        assert means[0, 0] == 2
        assert np.isnan(means[0, 1])
        with pytest.raises(ContractError, match="squares of 3"):
            measures.block_means(values, 3)

    def test_fit_in_the_head(self):
        truth = np.array([0.0, 0.5, 1.0, np.nan])

        found = measures.fit(truth + 0.1, truth)

        assert (found.n, found.rmse, found.bias) == (3, pytest.approx(0.1), pytest.approx(0.1))
        assert found.r2 == pytest.approx(1 - 0.03 / 0.5)
        assert found.r == pytest.approx(1)

    def test_constant_truth_has_no_r2(self):
        found = measures.fit(np.array([0.1, 0.2]), np.array([0.5, 0.5]))

        assert np.isnan(found.r2)
        assert np.isnan(found.r)

    def test_agreement_in_the_head(self):
        predicted, truth = np.array([0.1, 0.3, 0.3, 0.9, 0.0]), np.array([0.2, 0.2, 0.1, 0.9, 0.0])

        cut = measures.agreement(predicted, truth, 0.2)

        assert (cut.truth_share, cut.map_share, cut.overall) == (0.6, 0.6, 0.6)
        assert (cut.users, cut.producers) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
        assert (cut.users_other, cut.producers_other) == (0.5, 0.5)

    def test_agreement_without_forest(self):
        cut = measures.agreement(np.zeros(3), np.zeros(3), 0.2)

        assert cut.overall == 1
        assert np.isnan(cut.users)
        assert np.isnan(cut.producers)

    def test_bins_hold_both_ends(self):
        bins = measures.by_truth(np.full(4, 0.5), np.array([0, 0.49, 0.5, 1.0]), (0, 0.5, 1.0))

        assert [(b.n, b.predicted) for b in bins] == [(2, 0.5), (2, 0.5)]
        assert bins[1].truth == 0.75

    def test_empty_bin_says_nothing(self):
        (empty, _) = measures.by_truth(np.ones(1), np.ones(1), (0, 0.5, 1.0))

        assert empty.n == 0
        assert np.isnan(empty.predicted)

    def test_held_out_model_never_sees_its_fold(self):
        dealt = measures.block_folds((5, 5), block=1, folds=5)
        truth = np.arange(25.0).reshape(5, 5)
        seen = []

        def predict(training):
            seen.append(training.copy())
            return np.where(training, np.nan, truth)

        assert np.array_equal(measures.held_out(predict, dealt), truth)
        assert [int(training.sum()) for training in seen] == [20] * 5
        assert (np.sum(seen, axis=0) == 4).all()

    def test_change_and_persistence(self):
        before, between = np.full(4, 0.8), np.array([0.8, 0.5, 0.5, np.nan])
        after = np.array([0.8, 0.5, 0.8, 0.1])

        change = measures.ndvi_change(before, between)

        assert (change.n, change.fell, change.rose) == (3, 2, 0)
        assert measures.persistence(before, between, after) == 0.5
        assert np.isnan(measures.persistence(before, before, after))

    def test_nothing_in_common(self):
        with pytest.raises(NoDataError, match="no cell"):
            measures.fit(np.array([np.nan]), np.array([1.0]))

    def test_shapes_must_agree(self):
        with pytest.raises(ContractError, match="cannot be compared"):
            measures.correlation(np.ones(2), np.ones(3))

    @given(st.integers(0, 2**32 - 1))
    @settings(deadline=None, max_examples=30)
    def test_r2_never_exceeds_squared_correlation(self, seed):
        draw = np.random.default_rng(seed)
        truth = draw.random(30)

        found = measures.fit(truth + draw.normal(0, 0.3, 30), truth)

        assert found.r2 <= found.r**2 + 1e-12
        assert found.rmse >= abs(found.bias)


@needs_wheel
class TestOnRealPixels:
    def test_forest_beats_the_mean_where_it_never_trained(self, pixels):
        looks = looks_of(pixels, 2018, (7, 8, 9))
        fine = [pixels[name].isel(time=looks).median("time").to_numpy() for name in BANDS[:4]]
        coarse = [pixels[name].isel(time=looks).median("time").to_numpy() for name in BANDS[4:]]
        layers = np.stack([*(measures.block_means(band, 2) for band in fine), *coarse], axis=-1)
        truth = romania.tree_cover().to_numpy()

        def predict(training):
            forest = RandomForestRegressor(20, min_samples_leaf=5, random_state=1, n_jobs=1)
            forest.fit(layers[training], truth[training])
            return forest.predict(layers.reshape(-1, layers.shape[-1])).reshape(truth.shape)

        predicted = measures.held_out(predict, romania.folds())

        found = measures.fit(predicted, truth)
        assert found.n == 2500
        assert 0.80 < found.r2 < 0.95
        assert found.rmse < 0.10
        assert abs(found.bias) < 0.02
        assert measures.agreement(predicted, truth, 0.2).overall > 0.93

    def test_house_pixels_are_shared_out_by_area(self):
        """Truth cells begin 2.5766 m east of a pixel edge: weights 7.4234, 10 and 2.5766."""
        truth = romania.tree_cover()
        west = 10 * np.floor(float(truth.x[0] - 10) / 10)
        north = 10 * np.ceil(float(truth.y[0] + 10) / 10)
        x = west + 5 + 10 * np.arange(102)
        y = north - 5 - 10 * np.arange(102)
        columns = np.broadcast_to(np.arange(1.0, 103.0), (102, 102))

        cells = wheel.to_truth_cells(xr.DataArray(columns, {"y": y, "x": x}, ("y", "x")))

        assert cells[:, 0] == pytest.approx((7.4234 + 2 * 10 + 3 * 2.5766) / 20, abs=1e-4)
        assert np.diff(cells, axis=1) == pytest.approx(2.0, abs=1e-3)

    def test_unseen_pixels_do_not_count(self):
        truth = romania.tree_cover()
        layer = truth.where(truth.x > float(truth.x[0]))

        cells = wheel.to_truth_cells(layer)

        assert np.isnan(cells[:, 0]).all()
        assert cells[:, 1:] == pytest.approx(truth.to_numpy()[:, 1:])


# --- from published maps to the page -------------------------------------------------------------


def publish(period, canopy, ndvi, rows=()):
    folder = period / "published"
    folder.mkdir(parents=True)
    west, _, _, north = romania.outline().bounds
    for name, values in {"canopy": canopy, "ndvi": ndvi}.items():
        with rasterio.open(
            folder / f"{name}.tif", "w", driver="GTiff", height=100, width=100, count=1,
            dtype="float32", nodata=np.nan, crs=romania.CRS,
            transform=rasterio.Affine(10, 0, west, 0, -10, north),
        ) as file:  # fmt: skip
            file.write(values.astype("float32"), 1)
    pd.DataFrame(rows).to_csv(folder / "indicators.csv", index=False)
    items = [{"properties": {"jinhua:verdict": told}} for told in ("kept", "kept", "dropped")]
    (period / "scenes.json").write_text(json.dumps({"features": items}))
    return folder


def row(indicator, value, low, high, status):
    return {
        "unit": "RO-0", "indicator": indicator, "value": value, "low": low, "high": high,
        "status": status, "n_clear_share": 0.75,
    }  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Maps that equal the truth in each held-out fold and are wrong everywhere else."""
    root = tmp_path_factory.mktemp("published")
    truth, dealt = romania.tree_cover().to_numpy(), romania.folds()
    folds = []
    for fold in range(romania.FOLDS):
        canopy = np.kron(np.where(dealt == fold, truth, 1 - truth), np.ones((2, 2)))
        shares = [row("tree_cover_share", 94.0, 93.0, 94.1 + 0.1 * fold, "ok")]
        ndvi = np.kron(truth, np.ones((2, 2)))
        folds.append(publish(root / f"fold-{fold}" / "2018Q3", canopy, ndvi, shares))
    seasons = {"2016Q1": root / "2016Q1"}
    for year, fallen in {2017: 0, 2018: 10, 2019: 20, 2020: 5}.items():
        ndvi = np.full((100, 100), 0.9)
        ndvi.ravel()[:fallen] = 0.4
        mapped = [row("tree_cover_share_mapped", 95.5, np.nan, np.nan, "no_interval")]
        mapped += [row("loss_area_mapped", 1.25, np.nan, np.nan, "no_interval")][
            : int(year == 2020)
        ]
        seasons[f"{year}Q3"] = publish(root / f"{year}Q3", np.ones((100, 100)), ndvi, mapped)
    return validate.measure(folds, seasons), folds, seasons


@needs_wheel
class TestMeasure:
    def test_only_held_out_cells_count(self, measured):
        accuracy = measured[0].accuracy

        assert accuracy.overall.n == 2500
        assert accuracy.overall.rmse == pytest.approx(0, abs=1e-6)
        assert accuracy.forest.overall == accuracy.dense.overall == 1
        assert accuracy.rival.r == pytest.approx(1)

    def test_greenness(self, measured):
        greenness = measured[0].greenness

        assert {year: c.fell for year, c in greenness.since.items()} == {
            "2018": 10, "2019": 20, "2020": 5,
        }  # fmt: skip
        assert greenness.lasting == {"2018": 0.5, "2019": 0.25}
        assert greenness.loss_ha == 1.25
        assert np.isnan(greenness.gain_ha)

    def test_intervals_are_held_against_the_truth(self, measured):
        trials = measured[0].trials

        assert [trial.truth for trial in trials] == pytest.approx([94.2] * 5)
        assert [trial.holds for trial in trials] == [False, True, True, True, True]

    def test_quarter_without_result(self, measured):
        empty, *others = measured[0].seasons

        assert (empty.period, empty.status, empty.found) == ("2016Q1", "not published", 0)
        assert np.isnan(empty.mapped)
        assert [(s.found, s.kept, s.mapped, s.seen) for s in others] == [(3, 2, 95.5, 0.75)] * 4

    def test_missing_fold_and_missing_map(self, measured, tmp_path):
        _, folds, seasons = measured

        with pytest.raises(IntegrityError, match="4 runs for 5 folds"):
            validate.measure(folds[:4], seasons)
        with pytest.raises(IntegrityError, match=r"canopy\.tif is missing"):
            validate.measure([*folds[:4], tmp_path], seasons)

    def test_page_holds_what_was_measured(self, measured, tmp_path):
        path = tmp_path / "validation.md"
        others = "## On the twin\n\n<!-- measured by others.py -->\n\n42\n\n<!-- end -->\n"
        path.write_text(f"# Old\n\n## Canopy\n\n{others}", "utf-8")

        page.write_validation(path, measured[0], command="measure --now")

        text = path.read_text("utf-8")
        assert text.endswith(f"\n\n{others}")
        assert "# Old" not in text
        assert "`measure --now`" in text
        assert "| 0 | 94.0 | 93.0 - 94.1 | 94.2 | no |" in text
        assert "| 2018Q3 | 10000 | 10 | 0 | 50.0% |" in text
        assert "| 2016Q1 | 0 | 0 | — | — | not published |" in text
        assert "gain — ha, loss 1.25 ha" in text
        assert "Romania is not Jinhua" in text
        assert "5 次估计中有 4 次" in text
        assert "Over 4 summers the mapped share runs from 95.5 to 95.5 %" in text
        assert "nan" not in text.lower()

    def test_page_is_the_same_again_and_bears_no_date(self, measured):
        once, again = (page.validation_page(measured[0], command="x") for _ in range(2))

        assert once == again
        assert not re.search(r"\d{4}-\d{2}-\d{2}", once)

    def test_page_follows_the_numbers(self, measured):
        worse = replace(
            measured[0],
            accuracy=replace(
                measured[0].accuracy, overall=replace(measured[0].accuracy.overall, rmse=0.123)
            ),
        )

        assert "| all cells | 2500 | 12.3% |" in page.validation_page(worse, command="x")
