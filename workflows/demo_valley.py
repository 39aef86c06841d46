"""The second half of the demo: what changed in a simulated valley, from one autumn to the next."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from jinhua_rs import cli_patches, followup, planning, quarter
from jinhua_rs.following import Place
from jinhua_rs.period import Period
from jinhua_rs.settings import load_settings
from jinhua_rs.speech import Speech
from jinhua_rs.twin.build import TwinSpec, build
from jinhua_rs.twin.serve import serving

CONFIG = Path(__file__).with_name("demo_valley.toml")
TWIN = Path(__file__).parent.parent / "demo" / "valley"
WINDOW = (485_100.0, 3_216_600.0, 488_100.0, 3_219_600.0)
"""9 km² with a quarry, plantings and fellings; metres, EPSG:4549."""
AUTUMNS = ("2019Q4", "2021Q4", "2022Q4", "2023Q4", "2024Q4")


def main(speech: Speech) -> None:
    """Map five autumns at 10 m; follow the last two up, the second by the names of the first."""
    spec = TwinSpec(window=WINDOW, buffer_m=300.0, periods=AUTUMNS, dates_per_period=6)
    with speech.progress() as told:
        build(TWIN, spec, workers=2, progress=lambda done, total, _: told("valley", done, total))
    with serving(TWIN) as url:
        settings = load_settings(CONFIG, overrides={"stac.url": url}).settings
        with speech.progress() as told:
            plans = [planning.make_plan(Period.parse(text), settings) for text in AUTUMNS]
            for plan in plans:
                quarter.run(plan, now=datetime.now(UTC), progress=told)
            for plan in plans[-2:]:
                place = Place.of(plan.period, settings)
                followed = followup.run(place, progress=told)
                cli_patches.tell(place, followed, speech)


if __name__ == "__main__":
    SPEECH = Speech.of(os.environ.get("JINHUA_LANG", "zh"), as_json=False)
    sys.exit(SPEECH.guarded(lambda: main(SPEECH)))
