"""Measure the house on real pixels and rewrite docs/validation.md (about ten minutes)."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from jinhua_rs import planning, quarter
from jinhua_rs.errors import NoDataError
from jinhua_rs.period import Period
from jinhua_rs.settings import load_settings
from jinhua_rs.sites import page, romania, validate
from jinhua_rs.twin.serve import serving

HERE = Path(__file__).parent
ROOT = HERE.parent / "outputs" / "romania"
COMMAND = "python workflows/validate_real_pixels.py"


def run(period: str, url: str, *, fold: int = 0, root: str = "all", baseline: str = "") -> Path:
    """Make one period by the ordinary recipe; a quarter without data publishes nothing."""
    given = {"stac.url": url, "output.root": ROOT / root, "time.baseline": baseline}
    for name, layer in {"model.samples": "samples", "reference.file": "reference"}.items():
        given[name] = ROOT / "site" / f"fold-{fold}" / f"{layer}.gpkg"
    settings = load_settings(HERE / "romania.toml", overrides=given).settings
    with suppress(NoDataError):  # the page lists such a quarter as not published
        quarter.run(planning.make_plan(Period.parse(period), settings), now=datetime.now(UTC))
    return planning.period_folder(settings, Period.parse(period)) / planning.PUBLISHED


if __name__ == "__main__":
    quarters = [f"{year}Q{number}" for year in range(2016, 2021) for number in (1, 2, 3, 4)]
    with serving(romania.write_stac(ROOT / "site")) as url:
        folds = [run("2018Q3", url, fold=k, root=f"fold-{k}") for k in range(romania.FOLDS)]
        seasons = {period: run(period, url) for period in quarters}
        run("2020Q3", url, baseline="2017Q3")
    page.write_validation(
        HERE.parent / "docs" / "validation.md", validate.measure(folds, seasons), command=COMMAND
    )
