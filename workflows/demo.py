"""The whole product on the simulated Jinhua: build it, serve it, run two years, report."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from jinhua_rs import planning, quarter, report
from jinhua_rs.period import Period
from jinhua_rs.settings import load_settings
from jinhua_rs.speech import Speech
from jinhua_rs.twin.build import TwinSpec, build
from jinhua_rs.twin.serve import serving

CONFIG = Path(__file__).with_name("demo.toml")
TWIN = Path(__file__).parent.parent / "demo" / "twin"
PERIODS = ("2019", "2024")
QUARTERS = tuple(f"{year}{quarter}" for year in PERIODS for quarter in ("Q1", "Q4"))


def main(speech: Speech) -> None:
    """Make the baseline and the current year of the simulated city, and show the table."""
    spec = TwinSpec(
        resolution=100.0, periods=PERIODS + QUARTERS, dates_per_period=6, reference_points=233
    )
    with speech.progress() as told:
        build(TWIN, spec, workers=2, progress=lambda done, total, _: told("twin", done, total))
    with serving(TWIN) as url:
        settings = load_settings(CONFIG, overrides={"stac.url": url}).settings
        with speech.progress() as told:
            plans = [planning.make_plan(Period.parse(text), settings) for text in PERIODS]
            *_, published = [quarter.run(p, now=datetime.now(UTC), progress=told) for p in plans]
    speech.say("SIMULATED data, not the real Jinhua", "以下为模拟数据，不是金华的真实情况")
    speech.table(*report.screen(published.data, speech.language))
    speech.say(f"report: {published.report}", f"报告：{published.report}")


if __name__ == "__main__":
    SPEECH = Speech.of(os.environ.get("JINHUA_LANG", "zh"), as_json=False)
    sys.exit(SPEECH.guarded(lambda: main(SPEECH)))
