"""
One period, step by step, for analysts who want to stand in the middle of it.

Usage: ``python workflows/run_quarter.py 2024Q4 [CONFIG.toml]``. It is the body of `jinhua-rs run`;
change a step here, or call the stages of `jinhua_rs` by themselves on any tile.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from jinhua_rs import planning, quarter, report
from jinhua_rs.period import Period
from jinhua_rs.settings import load_settings
from jinhua_rs.speech import Speech


def main(speech: Speech, period: str, config: Path | None = None) -> None:
    """Plan a period, run it, and show the table."""
    settings = load_settings(config).settings

    plan = planning.make_plan(Period.parse(period), settings)
    speech.say(plan.inventory.describe("en"), plan.inventory.describe("zh"))

    with speech.progress() as told:
        published = quarter.run(plan, now=datetime.now(UTC), progress=told)
    speech.table(*report.screen(published.data, speech.language))
    speech.say(f"report: {published.report}", f"报告：{published.report}")


if __name__ == "__main__":
    SPEECH = Speech.of("zh", as_json=False)
    PERIOD, *CONFIG = sys.argv[1:] or [""]
    sys.exit(SPEECH.guarded(lambda: main(SPEECH, PERIOD, *map(Path, CONFIG))))
