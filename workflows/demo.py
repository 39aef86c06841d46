"""The whole product on the simulated Jinhua: cover of the city, then what changed in a valley."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from jinhua_rs import cli_patches, followup, planning, quarter, report
from jinhua_rs.following import Place
from jinhua_rs.period import Period
from jinhua_rs.publishing import Published
from jinhua_rs.settings import Settings, load_settings
from jinhua_rs.speech import Speech
from jinhua_rs.twin.build import TwinSpec, build
from jinhua_rs.twin.serve import serving

HERE = Path(__file__).parent
YEARS = ("2019", "2024")
QUARTERS = tuple(f"{year}{quarter}" for year in YEARS for quarter in ("Q1", "Q4"))
CITY = TwinSpec(
    resolution=100.0, periods=YEARS + QUARTERS, dates_per_period=6, reference_points=233
)
AUTUMNS = ("2019Q4", "2021Q4", "2022Q4", "2023Q4", "2024Q4")
VALLEY = TwinSpec(
    window=(485_100.0, 3_216_600.0, 488_100.0, 3_219_600.0),
    buffer_m=300.0, periods=AUTUMNS, dates_per_period=6,
)  # fmt: skip
"""A quarry, plantings and fellings on 9 km², at 10 m."""


def main(speech: Speech) -> None:
    """Report two years of the city; follow five autumns of the valley up, the last two by name."""
    speech.say("SIMULATED data, not the real Jinhua", "以下为模拟数据，不是金华的真实情况")
    with simulated("twin", CITY, HERE / "demo.toml", speech) as settings:
        *_, published = publish(YEARS, settings, speech)
    speech.table(*report.screen(published.data, speech.language))
    speech.say(f"report: {published.report}", f"报告：{published.report}")
    with simulated("valley", VALLEY, HERE / "demo_valley.toml", speech) as settings:
        publish(AUTUMNS, settings, speech)
        for autumn in AUTUMNS[-2:]:  # the second knows again what the first has named
            follow_up(Place.of(Period.parse(autumn), settings), speech)


@contextmanager
def simulated(name: str, spec: TwinSpec, config: Path, speech: Speech) -> Iterator[Settings]:
    """Build a twin in ``demo/`` and serve it on loopback; give the settings to run it with."""
    twin = HERE.parent / "demo" / name
    with speech.progress() as told:
        build(twin, spec, workers=2, progress=lambda done, total, _: told(name, done, total))
    with serving(twin) as url:
        yield load_settings(config, overrides={"stac.url": url}).settings


def publish(periods: Sequence[str], settings: Settings, speech: Speech) -> list[Published]:
    """Run one period after the other."""
    with speech.progress() as told:
        plans = [planning.make_plan(Period.parse(text), settings) for text in periods]
        return [quarter.run(p, now=datetime.now(UTC), progress=told) for p in plans]


def follow_up(place: Place, speech: Speech) -> None:
    """Find the patches of a period, work up planting and mines, and show the table."""
    with speech.progress() as told:
        followed = followup.run(place, progress=told)
    cli_patches.tell(place, followed, speech)


if __name__ == "__main__":
    SPEECH = Speech.of(os.environ.get("JINHUA_LANG", "zh"), as_json=False)
    sys.exit(SPEECH.guarded(lambda: main(SPEECH)))
