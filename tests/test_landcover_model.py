import io
import json
import lzma
import os
import shutil
import sys
import zipfile
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LinearRegression

from jinhua_rs.errors import ConfigError, IntegrityError, NoDataError
from jinhua_rs.landcover import Model, ModelCard, TrainOptions, other_versions, train
from jinhua_rs.landcover.archive import Forests, pack, unpack
from jinhua_rs.landcover.model import sha256_of

NAMES = ["red", "nir", "elevation"]
OPTIONS = TrainOptions(
    seed=7,
    trees=10,
    block_m=10_000,
    note="drawn | by\nthe test",
    periods=("2024Q4",),
    units=(("elevation", "m"),),
    simulated=True,
)


def table(n=240):
    """Half the samples bright in nir: forest of class 4 with 0.6 canopy, else cropland."""
    rng = np.random.default_rng(3)
    nir = rng.uniform(0.1, 0.5, n)
    green = nir > 0.3
    return pd.DataFrame(
        {
            "x": rng.uniform(0, 60_000, n),
            "y": rng.uniform(0, 60_000, n),
            "red": rng.uniform(0, 0.2, n),
            "nir": nir,
            "elevation": rng.uniform(20, 900, n),
            "class": np.where(green, 4, 7),
            "canopy": np.where(green, 0.6, 0.05),
        }
    )


@pytest.fixture(scope="module")
def model():
    return train(table(), NAMES, OPTIONS)


@pytest.fixture(scope="module")
def stored(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "2024.1"
    model.save(folder)
    return folder


@pytest.fixture
def folder(stored, tmp_path):
    """A copy of the stored model that a test may spoil."""
    return shutil.copytree(stored, tmp_path / "model")


def forge(folder, data=None, **changes):
    """Replace the forests and/or entries of the card; the digest is made to fit."""
    card = json.loads((folder / "card.json").read_text("utf-8"))
    if data is not None:
        (folder / "model.skops").write_bytes(data)
        changes["sha256"] = sha256_of(data)
    (folder / "card.json").write_text(json.dumps(card | changes), "utf-8")


def test_an_easy_rule_is_learnt_and_written_down(model):
    card = model.card

    assert card.name == "sim-landcover"
    assert card.kind == "landcover+canopy"
    assert card.feature_names == tuple(NAMES)
    assert [feature.units for feature in card.features] == ["1", "1", "m"]
    assert card.classes == (4, 7)
    assert card.landcover.accuracy > 0.95
    assert card.landcover.samples == sum(map(sum, card.landcover.confusion)) == 240
    assert card.canopy.rmse < 0.08
    assert card.canopy.forest_agreement > 0.95
    assert card.landcover.held_out.folds == 5
    assert card.versions.keys() == {"python", "numpy", "scikit-learn", "skops"}
    assert any("模拟" in limit for limit in card.limits)
    assert model.classifier.max_depth == 20
    assert model.classifier.class_weight == "balanced_subsample"


def test_equal_samples_in_any_order_give_equal_bytes(model):
    rows = table().sample(frac=1, random_state=9)
    rows = pd.concat([rows, rows.iloc[[5]]])

    again = train(rows, NAMES, OPTIONS)

    assert again.card.sha256 == model.card.sha256
    assert again.card.samples.duplicates == 1
    changed = again.card.model_copy(update={"samples": model.card.samples})
    assert changed == model.card


def test_another_seed_gives_another_model(model):
    options = TrainOptions(seed=8, trees=10, block_m=10_000)

    assert train(table(), NAMES, options).card.sha256 != model.card.sha256


@pytest.mark.parametrize(("label", "other"), [("class", "canopy"), ("canopy", "class")])
def test_one_label_makes_one_forest(label, other, tmp_path):
    model = train(table().drop(columns=other), NAMES, OPTIONS)
    model.save(tmp_path / "one")

    loaded = Model.load(tmp_path / "one")

    assert (loaded.classifier is None, loaded.regressor is None) == (
        label != "class",
        label != "canopy",
    )
    assert loaded.card.kind == {"class": "landcover", "canopy": "canopy"}[label]


def test_a_class_in_one_block_is_named_as_a_limit():
    rows = table()
    rows.loc[rows.index[:20], ["class", "x", "y"]] = [10, 500.0, 500.0]

    card = train(rows, NAMES, OPTIONS).card

    assert any("水域" in limit and "'water'" in limit for limit in card.limits)
    assert card.landcover.scores[-1].producers_accuracy == 0.0


def test_degrees_instead_of_metres_are_noticed():
    rows = table().assign(x=lambda t: 119 + t.x / 1e5, y=lambda t: 29 + t.y / 1e5)

    with pytest.raises(NoDataError, match="x and y are metres"):
        train(rows, NAMES, OPTIONS)


@pytest.mark.parametrize(
    "changes",
    [{"trees": 0}, {"block_m": 0}, {"block_m": float("nan")}, {"name": "a b"}, {"name": "sim-x"}],
)
def test_options_out_of_range(changes):
    with pytest.raises(ConfigError):
        TrainOptions(seed=1, **changes)


def test_card_survives_json(model):
    assert ModelCard.model_validate_json(model.card.model_dump_json()) == model.card


def test_what_is_loaded_predicts_like_what_was_saved(model, stored):
    pixels = table(500)[NAMES].to_numpy(np.float32)

    loaded = Model.load(stored, sha256=model.card.sha256.upper())

    assert loaded.card == model.card
    assert np.array_equal(
        loaded.classifier.predict_proba(pixels), model.classifier.predict_proba(pixels)
    )
    assert np.array_equal(loaded.regressor.predict(pixels), model.regressor.predict(pixels))


def test_saving_what_was_loaded_changes_no_byte(stored, tmp_path):
    Model.load(stored).save(tmp_path / "copy")

    for name in ("model.skops", "card.json", "card.md"):
        assert (tmp_path / "copy" / name).read_bytes() == (stored / name).read_bytes()


def test_saving_replaces_a_model_and_leaves_no_scraps(model, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "old").write_text("x")

    model.save(tmp_path / "m")

    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "card.json",
        "card.md",
        "m",
        "model.skops",
    ]


def test_a_forest_changed_after_training_is_not_saved(model, tmp_path):
    other = train(table(), NAMES, TrainOptions(seed=8, trees=10, block_m=10_000))

    with pytest.raises(IntegrityError, match="changed after training"):
        Model(model.card, other.classifier, other.regressor).save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_card_page_is_readable(stored, model):
    text = (stored / "card.md").read_text("utf-8")

    assert text.startswith("# 模型卡 Model card: sim-landcover")
    assert "SIMULATED" in text
    assert "竹林 bamboo" in text
    assert model.card.sha256 in text
    assert "drawn \\| by the test" in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 9
    for lines in tables:
        assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_a_flipped_byte_is_found(folder):
    data = bytearray((folder / "model.skops").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.skops").write_bytes(data)

    with pytest.raises(IntegrityError, match="digest") as caught:
        Model.load(folder)
    assert caught.value.exit_code == 5


def test_the_pinned_digest_counts_too(stored):
    with pytest.raises(IntegrityError, match="expected 000000000000"):
        Model.load(stored, sha256="0" * 64)


def test_a_pickle_is_refused_and_not_run(folder, tmp_path):
    trace = tmp_path / "trace"
    forge(folder, f"cos\nsystem\n(S'touch {trace}'\ntR.".encode())

    with pytest.raises(IntegrityError, match="never pickle"):
        Model.load(folder)
    assert not trace.exists()


def test_a_joblib_file_alone_is_no_model(folder):
    (folder / "model.skops").rename(folder / "model.joblib")

    with pytest.raises(IntegrityError, match="joblib"):
        Model.load(folder)


def hostile(content, **options):
    return skops.io.dumps({"features": NAMES, "classifier": None, "regressor": None} | content,
                          **options)  # fmt: skip


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({"classifier": partial(os.system, "true")}, "holds the types"),
        ({"regressor": LinearRegression()}, "where RandomForestRegressor should be"),
        ({}, "holds no forest"),
        ({"features": 3}, "TypeError"),
    ],
)
def test_foreign_content_is_refused(content, word):
    with pytest.raises(IntegrityError, match=word):
        unpack(hostile(content), "model.skops")


def test_compressed_files_are_refused():
    data = hostile({}, compression=zipfile.ZIP_DEFLATED)

    with pytest.raises(IntegrityError, match="compressed"):
        unpack(data, "model.skops")


@pytest.mark.parametrize("schema", [b"[]", b"{", b'{"protocol": 99}', b'{"protocol": 2}'])
def test_a_broken_schema_is_refused(schema):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr("schema.json", schema)

    with pytest.raises(IntegrityError, match="not a model"):
        unpack(buffer.getvalue(), "model.skops")


@pytest.mark.parametrize(
    ("branch", "value"),
    [("children_left", 10_000_000), ("children_right", 0), ("feature", 3), ("feature", -2)],
)
def test_trees_that_lead_astray_are_refused(model, stored, branch, value):
    forests = unpack((stored / "model.skops").read_bytes(), "model.skops")
    getattr(forests.regressor.estimators_[-1].tree_, branch)[0] = value

    with pytest.raises(IntegrityError, match="malformed"):
        unpack(pack(forests), "model.skops")


def test_features_in_another_order_are_found(folder, stored):
    features = json.loads((stored / "card.json").read_text("utf-8"))["features"]
    forge(folder, features=features[::-1])

    with pytest.raises(IntegrityError, match="differ in features"):
        Model.load(folder)


def test_classes_in_another_order_are_found(folder):
    forge(folder, classes=[7, 4])

    with pytest.raises(IntegrityError, match="differ in classes"):
        Model.load(folder)


def test_forests_under_a_foreign_card_are_found(folder, model):
    forge(folder, pack(Forests(tuple(NAMES), model.classifier, None)))

    with pytest.raises(IntegrityError, match="canopy forest"):
        Model.load(folder)


@pytest.mark.parametrize(
    "changes",
    [{"layout": 3}, {"name": "landcover"}, {"extra": 1}, {"sha256": "abc"}, {"kind": "canopy"}],
)
def test_a_damaged_card_is_found(folder, changes):
    forge(folder, **changes)

    with pytest.raises(IntegrityError, match="is damaged"):
        Model.load(folder)


def test_another_scikit_learn_is_refused(folder, model):
    forge(folder, versions=model.card.versions | {"scikit-learn": "1.3.2"})

    with pytest.raises(ConfigError, match=r"made with scikit-learn 1\.3\.2"):
        Model.load(folder)


def test_no_folder_is_a_matter_of_settings(tmp_path):
    with pytest.raises(ConfigError, match="no model folder"):
        Model.load(tmp_path / "none")


def test_a_small_model_unfolds_to_the_same_bytes(model, stored, tmp_path):
    model.save(tmp_path / "small", small=True)

    again = Model.load(tmp_path / "small")
    assert not (tmp_path / "small" / "model.skops").exists()
    assert pack(again.forests) == (stored / "model.skops").read_bytes()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"not xz", "unfolded"),
        (lzma.compress(bytes(100))[:-9], "cut off"),
        (lzma.compress(bytes(100)) + b"more", "followed"),
        (lzma.compress(bytes(100)), "digest"),
    ],
)
def test_a_spoilt_small_model_is_refused(folder, data, word):
    (folder / "model.skops").unlink()
    (folder / "model.skops.xz").write_bytes(data)

    with pytest.raises(IntegrityError, match=word):
        Model.load(folder)


def test_a_small_model_may_not_unfold_to_any_size(folder, monkeypatch):
    monkeypatch.setattr(sys.modules[Model.__module__], "_MOST", 1 << 20)
    (folder / "model.skops").unlink()
    (folder / "model.skops.xz").write_bytes(lzma.compress(bytes(1 << 22), preset=0))

    with pytest.raises(IntegrityError, match="too large"):
        Model.load(folder)


def test_models_of_before_are_still_read(folder, stored, model):
    old = Forests(tuple(NAMES), model.classifier, model.regressor)
    card = json.loads((stored / "card.json").read_text("utf-8"))
    for name in ("companions", "resolution_m", "by_unit", "calibration", "tuning"):
        del card[name]
    (folder / "card.json").write_text(json.dumps(card), "utf-8")
    forge(folder, pack(old), layout=1)

    again = Model.load(folder)

    assert again.calibration is None
    assert again.training is None
    assert again.card.by_unit == {}


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("calibration", lambda one: one[::-1].copy()),
        ("calibration", lambda one: one[:-1]),
        ("calibration", lambda one: one.astype(np.float32)),
        ("training", lambda one: replace(one, mean=one.mean[:-1])),
        ("training", lambda one: replace(one, scale=one.scale * 0)),
        ("training", lambda one: replace(one, features=one.features * np.nan)),
    ],
)
def test_spoilt_tables_are_refused(model, name, spoil):
    forests = replace(model.forests, **{name: spoil(getattr(model, name))})

    with pytest.raises(IntegrityError, match=r"calibration table|training samples"):
        unpack(pack(forests), "model.skops")


def test_other_versions_are_told(model):
    card = model.card.model_copy(update={"versions": model.card.versions | {"numpy": "1.0"}})

    assert set(other_versions(card)) == {"numpy"}
    assert other_versions(card)["numpy"][0] == "1.0"
    assert other_versions(model.card) == {}
