import sys
from copy import deepcopy

import dask
import dask.array
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from jinhua_rs import store
from jinhua_rs.errors import ContractError
from jinhua_rs.landcover import Model, TrainOptions, forest_of, predict, train
from jinhua_rs.landcover.calibration import calibrated
from jinhua_rs.schema import check

NAMES = ["red", "nir", "swir16"]
PROBABILITIES = [f"p{code}" for code in range(1, 11)]


def table(n=300):
    rng = np.random.default_rng(4)
    pixels = rng.uniform(0, 0.6, (n, 3)).astype(np.float32)
    return pd.DataFrame(pixels, columns=NAMES).assign(
        x=rng.uniform(0, 60_000, n),
        y=rng.uniform(0, 60_000, n),
        **{"class": np.digitize(pixels[:, 1], [0.2, 0.4]) * 3 + 1},
        canopy=np.clip(pixels[:, 1] * 2 - pixels[:, 0] / 2, 0, 1),
    )


@pytest.fixture(scope="module")
def model():
    return train(table(), NAMES, TrainOptions(seed=1, trees=12, block_m=10_000))


@pytest.fixture
def features():
    values = np.random.default_rng(6).uniform(0, 0.6, (3, 11, 17)).astype(np.float32)
    values[1, 2, 3] = np.nan
    values[0, 5, 5] = np.inf
    values[:, 10, :] = np.nan
    coords = {"feature": NAMES, "y": np.arange(11)[::-1] * 10.0, "x": np.arange(17) * 10.0}
    return xr.DataArray(values, dims=("feature", "y", "x"), coords=coords, name="features")


def test_equals_scikit_learn_and_leaves_the_unseen_empty(features, model):
    found = check(predict(features, model), "landcover", "confidence", "canopy", "forest")

    seen = np.isfinite(features.values).all(axis=0)
    pixels = features.values[:, seen].T
    shares = calibrated(model.classifier.predict_proba(pixels), model.calibration)
    canopy = model.regressor.predict(pixels).round(4).astype(np.float32)
    assert (~seen).sum() == 19
    assert np.array_equal(found.landcover.values[seen], model.classifier.predict(pixels))
    assert np.array_equal(found.confidence.values[seen], shares.max(axis=1).astype(np.float32))
    assert np.array_equal(found.canopy.values[seen], canopy)
    assert np.array_equal(found.forest.values[seen], np.where(canopy >= 0.2, 2, 1))
    assert np.all(found.landcover.values[~seen] == 0)
    assert np.all(found.forest.values[~seen] == 0)
    assert np.isnan(found.confidence.values[~seen]).all()
    assert np.isnan(found.canopy.values[~seen]).all()


def test_every_class_has_its_probability_and_the_unknown_ones_none(features, model):
    found = check(predict(features, model), *PROBABILITIES)

    seen = np.isfinite(features.values).all(axis=0)
    votes = model.classifier.predict_proba(features.values[:, seen].T)
    shares = calibrated(votes, model.calibration)
    layers = np.stack([found[name].values for name in PROBABILITIES])
    assert (layers[:, ~seen] == 255).all()
    assert np.array_equal(layers[[0, 3, 6]][:, seen], np.rint(shares.T * 250))
    assert (layers[[1, 2, 4, 5, 7, 8, 9]][:, seen] == 0).all()


def test_keeps_the_grid_and_says_which_model(features, model):
    features = features.assign_coords(spatial_ref=4549)

    found = predict(features, model)

    assert found.y.equals(features.y)
    assert found.x.equals(features.x)
    assert found.spatial_ref == 4549
    assert "feature" not in found.coords
    assert found.landcover.dims == ("y", "x")
    assert found.attrs == {"model": "landcover", "model_sha256": model.card.sha256}
    assert found.canopy.attrs["units"] == "1"


@pytest.mark.parametrize("pixels", [1, 7, 168, 169])
def test_block_size_leaves_no_trace(features, model, pixels, monkeypatch):
    whole = predict(features, model)
    monkeypatch.setattr(sys.modules[predict.__module__], "_PIXELS", pixels)

    assert predict(features, model).identical(whole)


@pytest.mark.parametrize("chunks", [{"y": 4, "x": 5}, {"feature": 1}, {"feature": 2, "y": 1}])
def test_chunks_leave_no_trace(features, model, chunks):
    lazy = predict(features.chunk(chunks), model)

    assert all(variable.chunks is not None for variable in lazy.data_vars.values())
    assert lazy.compute().identical(predict(features, model))


def test_nothing_is_computed_before_it_is_asked_for(features, model):
    def fail():
        raise AssertionError("computed too early")

    never = dask.array.from_delayed(dask.delayed(fail)(), features.shape, np.float32)

    lazy = predict(features.copy(data=never), model)

    with pytest.raises(AssertionError, match="too early"):
        lazy.forest.compute()


def test_order_of_dims_leaves_no_trace(features, model):
    turned = predict(features.transpose("x", "feature", "y"), model)

    assert turned.identical(predict(features, model))


def test_ground_unlike_anything_in_training_is_told(features, model):
    strange = features.copy(data=features.values + np.float32(3))

    found, far = (check(predict(one, model), "applicable") for one in (features, strange))

    seen = np.isfinite(features.values).all(axis=0)
    assert (found.applicable.values[seen] == 2).mean() > 0.9
    assert (far.applicable.values[seen] == 1).all()
    assert (found.applicable.values[~seen] == 0).all()
    assert "applicable" not in predict(features, model, likeness=False)


def test_classes_alone_give_forest_by_tree_classes(features, model):
    alone = Model(model.card, model.classifier, None)

    found = predict(features, alone)

    assert set(found) == {"landcover", "confidence", "forest", *PROBABILITIES}
    by_code = {0: 0, 1: 2, 4: 2, 7: 1}
    assert set(np.unique(found.landcover)) == set(by_code)
    assert np.array_equal(found.forest, np.vectorize(by_code.get)(found.landcover))


def test_canopy_alone_gives_no_classes(features, model):
    found = predict(features, Model(model.card, None, model.regressor))

    assert set(found) == {"canopy", "forest"}
    assert found.canopy.equals(predict(features, model).canopy)


def test_canopy_of_exactly_a_fifth_is_forest(features):
    rows = table().assign(canopy=lambda t: np.where(t.nir > 0.3, 0.2, 0.0)).drop(columns="class")
    rows = rows.assign(**dict.fromkeys(NAMES, rows["nir"]))  # whichever a tree looks at
    model = train(rows, NAMES, TrainOptions(seed=1, trees=12, block_m=10_000))
    bright = xr.full_like(features, 0.5)

    found = predict(bright, model)

    assert np.all(found.canopy == np.float32(0.2))
    assert np.all(found.forest == 2)


@pytest.mark.parametrize(("canopy", "code"), [(0.19994, 1), (0.19996, 2), (0.2, 2), (0.20004, 2)])
def test_forest_is_cut_on_the_canopy_that_is_kept(features, model, tmp_path, canopy, code):
    leaves = deepcopy(model.regressor)
    for tree in leaves.estimators_:
        tree.tree_.value[:] = canopy
    named = predict(features, Model(model.card, None, leaves))

    store.write_tile(tmp_path / "land.zarr", named)
    kept = store.open_tile(tmp_path / "land.zarr")

    assert kept.canopy.equals(named.canopy)
    cut = np.where(kept.canopy >= np.float32(0.2), 2, 1)
    assert np.array_equal(kept.forest, np.where(kept.canopy.isnull(), 0, cut))
    assert np.all(named.forest.values[named.forest.values != 0] == code)


def test_every_canopy_that_is_kept_comes_back_the_same(tmp_path):
    steps = np.round(np.arange(10_001) / 10_000, 4).astype(np.float32).reshape(73, 137)
    canopy = xr.DataArray(steps, dims=("y", "x"), name="canopy")

    store.write_tile(tmp_path / "land.zarr", canopy.to_dataset())

    assert np.array_equal(store.open_tile(tmp_path / "land.zarr").canopy, steps)


def test_an_empty_tile_is_an_empty_map(features, model):
    found = predict(xr.full_like(features, np.nan), model)

    assert not found.landcover.any()
    assert not found.forest.any()
    assert found.canopy.isnull().all()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: f.astype("float64"),
        lambda f: f.rename(feature="band"),
        lambda f: f.isel(y=0),
        lambda f: f.expand_dims("time"),
        lambda f: f.isel(feature=[1, 0, 2]),
        lambda f: f.isel(feature=[0, 1]),
        lambda f: f.drop_vars("feature"),
    ],
    ids=["float64", "renamed", "no y", "time", "order", "too few", "unnamed"],
)
def test_features_that_break_the_contract(features, model, spoil):
    with pytest.raises(ContractError) as caught:
        predict(spoil(features), model)
    assert caught.value.zh


@pytest.mark.parametrize(
    ("canopy", "before", "after"),
    [
        (0.19, 2, 2), (0.18, 2, 2), (0.1799, 2, 1), (0.21, 1, 1), (0.22, 1, 2), (0.2199, 1, 1),
        (0.19, 0, 1), (0.20, 0, 2), (np.nan, 2, 0),
    ],
)  # fmt: skip
def test_a_pixel_changes_sides_only_beyond_the_margin(canopy, before, after):
    cover = xr.DataArray(np.array([[canopy]], np.float32), coords={"y": [0.0], "x": [0.0]})
    earlier = cover.copy(data=np.array([[before]], np.uint8))

    assert forest_of(cover, earlier).item() == after
    assert forest_of(cover, earlier).dtype == np.uint8
