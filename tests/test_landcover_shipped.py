"""The model that is shipped: whole, marked, and what its card says."""

import json
from pathlib import Path

import numpy as np
import pytest

from jinhua_rs import features
from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.landcover import CURRENT, Model, current
from jinhua_rs.landcover.archive import pack
from jinhua_rs.landcover.flat import answer, flatten
from jinhua_rs.landcover.model import sha256_of
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.schema import LAND_CLASSES

MODELS = Path(__file__).parents[1] / "models" / "landcover"


@pytest.fixture(scope="module")
def model():
    return Model.load(current(MODELS))


def test_it_is_small_marked_and_whole(model):
    folder = current(MODELS)

    assert sum(path.stat().st_size for path in folder.iterdir()) < 2**20
    assert folder.name == model.card.name
    assert model.card.name.startswith("sim-twin")
    assert model.card.simulated
    assert "模拟数据" in (folder / "card.md").read_text("utf-8")
    assert sha256_of(pack(model.forests)) == model.card.sha256


def test_its_card_tells_how_it_was_made(model):
    card = model.card
    choice = features.Choice(bands=BAND_NAMES, seasons=("q1",), texture=True, terrain=True)

    assert card.feature_names == features.names(choice)
    assert card.classes == tuple(info.code for info in LAND_CLASSES)
    assert (card.periods, card.companions, card.resolution_m) == (("2024",), ("2024Q1",), 90)
    assert sum(sum(one.values()) for one in card.by_unit.values()) == card.landcover.samples
    assert card.calibration.brier_after < card.calibration.brier_before
    assert card.calibration.log_loss_after < card.calibration.log_loss_before
    (chosen,) = (one for one in card.tuning if one.chosen)
    assert (chosen.trees, chosen.depth, chosen.leaf) == (
        card.forest.trees, card.forest.depth, card.forest.leaf,
    )  # fmt: skip
    json.loads((current(MODELS) / "card.json").read_text("utf-8"))


def test_a_model_trained_anew_is_held_against_its_card(model):
    model.card.require_same(model.card.model_copy())

    with pytest.raises(IntegrityError, match=r"differs in samples, sha256 .*digest feed, was 01"):
        model.card.require_same(
            model.card.model_copy(
                update={
                    "sha256": "feed",
                    "samples": model.card.samples.model_copy(update={"used": 1}),
                }
            )
        )


def test_it_answers_as_scikit_learn_does(model):
    asked = model.training.features[:256]

    votes = model.classifier.predict_proba(asked)

    assert np.array_equal(answer(flatten(model.classifier), asked), votes)
    assert np.array_equal(
        answer(flatten(model.regressor), asked)[:, 0], model.regressor.predict(asked)
    )


def test_a_model_itself_is_current():
    folder = current(MODELS)

    assert current(folder) == folder


@pytest.mark.parametrize("name", ["", "..", "../landcover", "none", "a/b", "\\x00"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    (tmp_path / CURRENT).write_text(name)

    with pytest.raises(ConfigError, match="no model beside it"):
        current(tmp_path)
