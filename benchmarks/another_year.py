"""
What becomes of a model in another year? Samples laid over one year, over two; quarries seen or not.

Usage: ``python -m benchmarks.another_year [--to FOLDER]``

The valley of the demo, 9 km² of the twin at 10 m, six passes an autumn: the ordinary recipe, with
the settings of ``workflows/demo_valley.toml``, maps 2019 and 2024 with samples of 2019; each map
is held against the truth of its year. Prints the table of decision 0031. All data are simulated.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr

from jinhua_rs import planning, quarter
from jinhua_rs.grid import Grid
from jinhua_rs.period import Period
from jinhua_rs.schema import FOREST_CANOPY
from jinhua_rs.settings import load_settings
from jinhua_rs.twin.build import TwinSpec, build
from jinhua_rs.twin.chronicle import Chronicle
from jinhua_rs.units import M2_PER_MU

CONFIG = Path(__file__).parent.parent / "workflows" / "demo_valley.toml"
WINDOW = (485_100.0, 3_216_600.0, 488_100.0, 3_219_600.0)
PERIODS = ("2019Q4", "2024Q4")
CASES: Mapping[str, Mapping[str, Any]] = {
    "one year, quarries not seen": {"mask.bare_ground": False, "model.also": ()},
    "one year": {"mask.bare_ground": True, "model.also": ()},
    "both years": {"mask.bare_ground": True, "model.also": PERIODS[1:]},
}


def main(folder: Path) -> Iterator[str]:
    """Map both autumns in each of the ways, and yield the lines of the table."""
    spec = TwinSpec(window=WINDOW, buffer_m=300.0, periods=PERIODS, dates_per_period=6)
    build(folder / "valley", spec, workers=2)
    box = Grid(resolution=10.0).covering(WINDOW)
    true = Chronicle.of(spec.seed).states(box, [date(2019, 11, 15), date(2024, 11, 15)])
    yield (
        "| samples | year | seen % | bare ground seen % | canopy RMSE | bias | false | missed "
        "| classes right % | gain, true, 亩 | loss, true, 亩 |"
    )
    yield "| --- | --- " + "| --: " * 9 + "|"
    for number, (name, choice) in enumerate(CASES.items()):
        root = folder / str(number)
        mapped = [_published(period, root, folder / "valley", choice) for period in PERIODS]
        for period, maps, state in zip(PERIODS, mapped, true, strict=True):
            yield f"| {name} | {period} | {_scores(maps, state)} | {_changes(maps, true)} |"


def _published(period: str, root: Path, twin: Path, choice: Mapping[str, Any]) -> Path:
    supplied = {"parcels", "mines", "basic_farmland", "red_line", "reserves"}
    given = {
        "stac.url": str(twin), "stac.allowed_roots": [str(twin)], "output.root": root,
        "area.units": twin / "layers" / "units.gpkg", "mask.dem": twin / "layers" / "dem.tif",
        "model.samples": twin / "samples.gpkg", "reference.file": twin / "reference.gpkg",
        **{f"layers.{role}": None for role in supplied},
    }  # fmt: skip
    settings = load_settings(CONFIG, overrides={**given, **choice}).settings
    plan = planning.make_plan(Period.parse(period), settings)
    return quarter.run(plan, now=datetime(2026, 1, 1, tzinfo=UTC)).report.parent.parent


def _scores(maps: Path, true: xr.Dataset) -> str:
    """Hold canopy and classes against the truth, over what was seen."""
    canopy, land = _band(maps / "canopy.tif"), _band(maps / "landcover.tif")
    truth, classes = true["canopy"].to_numpy(), true["landcover"].to_numpy()
    seen = np.isfinite(canopy) & (canopy <= 1)
    off = (canopy - truth)[seen]
    mapped, trees = canopy >= FOREST_CANOPY, truth >= FOREST_CANOPY
    bare = classes == 9
    numbers = (
        100 * seen.mean(), 100 * seen[bare].mean(), np.sqrt((off**2).mean()), off.mean(),
        100 * mapped[seen & ~trees].mean(), 100 * (~mapped)[seen & trees].mean(),
        100 * (land == classes)[seen].mean(),
    )  # fmt: skip
    forms = ("{:.1f}", "{:.1f}", "{:.3f}", "{:+.3f}", "{:.1f}", "{:.1f}", "{:.1f}")
    return " | ".join(form.format(one) for form, one in zip(forms, numbers, strict=True))


def _changes(maps: Path, true: tuple[xr.Dataset, ...]) -> str:
    """Tell the ground of gain and loss that was mapped, and that which is true."""
    if not (maps / "change.tif").is_file():
        return "— | —"
    codes = _band(maps / "change.tif")
    before, after = (state["canopy"].to_numpy() >= FOREST_CANOPY for state in true)
    pairs = (codes == 2, ~before & after), (codes == 3, before & ~after)
    return " | ".join(
        " of which ".join(_mu(m) for m in (f, f & t)) + f", {_mu(t)}" for f, t in pairs
    )


def _mu(found: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    return f"{found.sum() * 100 / M2_PER_MU:,.0f}"


def _band(path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    with rasterio.open(path) as source:
        return source.read(1).astype("float64")


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser(description=__doc__)
    PARSER.add_argument("--to", type=Path, help="keeps twin and maps here")
    KEPT = PARSER.parse_args().to
    with tempfile.TemporaryDirectory() as SPARE:
        for line in main(KEPT or Path(SPARE)):
            print(line, flush=True)
