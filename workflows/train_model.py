"""
Train the shipped model anew: on the simulated Jinhua of 2024, into ``models/landcover``.

Usage: ``python workflows/train_model.py [--check]``. Equal versions of the packages give the digest
that the shipped card names; other versions another one, and the card says which. ``--check`` trains
aside, changes nothing, and fails if digest or card are not those of the shipped model.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from jinhua_rs import landcover, planning, quarter, store
from jinhua_rs.period import Period
from jinhua_rs.settings import load_settings
from jinhua_rs.speech import Speech
from jinhua_rs.twin.build import TwinSpec, build

CONFIG = Path(__file__).with_name("train_model.toml")
ROOT = Path(__file__).parent.parent
TWIN = ROOT / "demo" / "twin-2024"
MODELS = ROOT / "models" / "landcover"
SPEC = TwinSpec(
    resolution=90.0, periods=("2024Q1", "2024Q4"), dates_per_period=8, samples_per_class=400
)


def main(speech: Speech, outputs: dict[str, str], *, check: bool) -> None:
    """Build the city, see its year, learn, and put the model where ``[model] file`` finds it."""
    with speech.progress() as told:
        build(TWIN, SPEC, workers=2, progress=lambda done, total, _: told("twin", done, total))
    settings = load_settings(CONFIG, overrides={"stac.url": str(TWIN), **outputs}).settings
    with speech.progress() as told:
        folder = quarter.train(planning.make_plan(Period(2024), settings), progress=told)
    model = landcover.Model.load(folder)
    if check:
        landcover.Model.load(landcover.current(MODELS)).card.require_same(model.card)
    else:
        model.save(MODELS / model.card.name, small=True)
        with store.whole(MODELS / landcover.CURRENT) as part:
            part.write_text(f"{model.card.name}\n", encoding="utf-8")
    speech.say(f"{model.card.name}: {model.card.sha256}", f"{model.card.name}：{model.card.sha256}")


if __name__ == "__main__":
    SPEECH, CHECK = Speech.of(os.environ.get("JINHUA_LANG", "zh"), as_json=False), sys.argv[1:]
    with TemporaryDirectory() as aside:
        PLACE = {"output.root": aside} if CHECK == ["--check"] else {}
        sys.exit(SPEECH.guarded(lambda: main(SPEECH, PLACE, check=bool(PLACE))))
