"""
Are mines and planting parcels judged right? Scored against the truth of the twin.

Usage: ``python -m benchmarks.casework [--windows 10] [--to FOLDER]``

Windows of 2.4 km are laid around mines, of each kind of life as many. Every Q4 from 2016 to 2024
is painted at 10 m (clouds, shadows, haze, noise, faulty scene classification), and goes through the
ordinary recipe and the follow-up. Parcels and mines are the layers that a bureau would supply, with
their shifted outlines and invented reports. The model is trained on points of all windows as they
lay in 2019, 60 of each class in a window. Writes the part of ``docs/validation.md`` between its
two marks. All data are simulated; nothing follows for Jinhua.
"""

import argparse
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zlib import crc32

import geopandas as gpd
import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from benchmarks.patch_twin import Patch
from jinhua_rs import features, followup, landcover, pieces, planning, quarter, store
from jinhua_rs.afforestation import Stage
from jinhua_rs.following import Place
from jinhua_rs.grid import Grid
from jinhua_rs.mines import MineStatus
from jinhua_rs.period import Period
from jinhua_rs.regions import load_units
from jinhua_rs.schema import FOREST_CANOPY
from jinhua_rs.settings import Area, Settings, load_settings
from jinhua_rs.tasks import pool
from jinhua_rs.twin import layers
from jinhua_rs.twin.effects import Event, EventKind, meeting
from jinhua_rs.twin.events import draw
from jinhua_rs.twin.orbits import TILES, Acquisition, acquisitions, evenly
from jinhua_rs.twin.scenes import Painter
from jinhua_rs.twin.survey import states
from jinhua_rs.twin.truth import canopy_by_year
from jinhua_rs.twin.world import World

PAGE = Path(__file__).parent.parent / "docs" / "validation.md"
MARKS = "<!-- measured by benchmarks/casework.py -->", "<!-- end of casework -->"
SEED, SIDE, DATES = 20200101, 240, 4
YEARS = tuple(range(2016, 2025))
WHEN = date(2024, 11, 15)
TRAINING = Period(2019, 4)
_MARGIN_M, _POINTS = 300.0, 60
_LIVES = ("mine_open", "mine_close", "mine_recover", "mine_relapse")
_YOUNG = {Stage.TOO_YOUNG.value, Stage.GREENING.value, Stage.SITE_PREPARED.value}
_TOLD = {Stage.TOO_SMALL.value, Stage.UNSEEN.value}


@dataclass(frozen=True, slots=True)
class Window:
    """A window, the mines in it, and the patch that paints it."""

    name: str
    patch: Patch


def windows(world: World, events: Sequence[Event], count: int) -> Iterator[Window]:
    """Lay windows around mines: of each life in turn, the first by name."""
    sites: dict[str, list[Event]] = {}
    for event in events:
        if event.site and event.start <= WHEN:
            sites.setdefault(event.site, []).append(event)
    by_life: dict[str, list[str]] = {life: [] for life in _LIVES}
    for site, lived in sorted(sites.items()):
        by_life[str(max(lived, key=lambda one: one.start).kind)].append(site)
    order = [
        by_life[life][turn]
        for turn in range(max(map(len, by_life.values())))
        for life in _LIVES
        if turn < len(by_life[life])
    ]
    for site in order[:count]:
        yield Window(site, _patch(world, events, sites[site][0]))


def _patch(world: World, events: Sequence[Event], mine: Event) -> Patch:
    x, y, half = mine.polygon.centroid.x, mine.polygon.centroid.y, SIDE * 5.0
    geobox = Grid(resolution=10.0).covering((x - half, y - half, x + half, y + half))
    wanted = box(*geobox.boundingbox.bbox).buffer(_MARGIN_M, join_style="mitre")
    painter = Painter(wanted, SEED, 10.0, 1.0)
    passes = [one for year in YEARS for one in _passes(painter, year)]
    return Patch(world, meeting(events, geobox), geobox, tuple(passes), painter)


def _passes(painter: Painter, year: int) -> list[Acquisition]:
    seen = [
        one
        for one in acquisitions(Period(year, 4))
        if any(painter.window(one, tile) is not None for tile in TILES)
    ]
    return evenly(seen, [painter.cover(one) for one in seen], DATES)


def paint(window: Window, folder: Path) -> None:
    """Paint a window, if that is not done yet."""
    scenes = folder / window.name / "scenes"
    if not (scenes / "catalog.json").is_file():
        shutil.rmtree(scenes, ignore_errors=True)
        window.patch.paint(scenes)


def trained(chosen: Sequence[Window], folder: Path, supplied: Path) -> Path:
    """Train one model on points of all windows; return its folder."""
    target, tables, wanted = folder / "model", [], ()
    if (target / "card.json").is_file():
        return target
    for window in chosen:
        settings = _settings(window, folder, None, supplied, window.patch.geobox)[YEARS[0]]
        plan = planning.make_plan(TRAINING, settings)
        with pool(settings.run, settings.cluster, folder / "logs") as workers:
            plan, tiles = quarter.see_the_ground(plan, workers, quarter.quiet)
        ground, wanted = pieces.Ground(plan, tiles, {}), features.names(pieces.choice_of(plan))
        points = _points(window)
        names = np.array([plan.settings.grid.tile_id(one.x, one.y) for one in points.geometry])
        tables += [
            pieces.features_at(ground.sources(tile, wanted), wanted, points[names == tile])
            for tile in tiles
        ]
    options = landcover.TrainOptions(
        seed=SEED, name="casework", block_m=600.0, periods=(str(TRAINING),), resolution_m=10.0,
        units=features.units(wanted), simulated=True, note="points of the windows",
    )  # fmt: skip
    landcover.train(pd.concat(tables, ignore_index=True), wanted, options).save(target)
    return target


def _points(window: Window) -> gpd.GeoDataFrame:
    """Draw up to 60 pixels of each class, as they truly lay in the middle of the quarter."""
    patch = window.patch
    (state,) = states(patch.world, patch.geobox, patch.events, [date(TRAINING.year, 11, 15)])
    rng = np.random.default_rng([SEED, crc32(window.name.encode())])
    land, chosen = state["landcover"].to_numpy().ravel(), []
    for code in np.unique(land):
        places = np.flatnonzero(land == code)
        chosen.append(rng.choice(places, min(_POINTS, places.size), replace=False))
    rows, columns = np.unravel_index(np.concatenate(chosen), patch.geobox.shape)
    x, y = state.x.to_numpy()[columns], state.y.to_numpy()[rows]
    known = {
        "class": land[np.concatenate(chosen)],
        "canopy": state["canopy"].to_numpy()[rows, columns],
    }
    return gpd.GeoDataFrame(known, geometry=gpd.points_from_xy(x, y), crs="EPSG:4549")


def followed(window: Window, folder: Path, model: Path, supplied: Path) -> Path:
    """Run every Q4 of a window, follow the last one up; return the books."""
    geobox = window.patch.geobox
    settings = _settings(window, folder, model, supplied, geobox)
    for year in YEARS:
        period = Period(year, 4)
        quarter.run(
            planning.make_plan(period, settings[year]), now=datetime(2026, 1, 1, tzinfo=UTC)
        )
    last = Place.of(Period(YEARS[-1], 4), settings[YEARS[-1]])
    return followup.run(last, progress=lambda *_: None).folder / followup.BOOKS


def _settings(
    window: Window, folder: Path, model: Path | None, supplied: Path, geobox: GeoBox
) -> dict[int, Settings]:
    units = folder / window.name / "units.gpkg"
    table = {"code": ["330700"], "name_zh": [window.name], "level": ["county"]}
    shape = box(*geobox.boundingbox.bbox)
    gpd.GeoDataFrame(table, geometry=[shape], crs="EPSG:4549").to_file(units)
    given = {
        "area.units": units, "area.level_field": "level", "area.check_datum": False,
        "area.tile_size": 256, "stac.profile": "local",
        "stac.url": str(folder / window.name / "scenes"),
        "stac.allowed_roots": [str(folder)],
        "mask.dem": folder / window.name / "scenes" / "dem.tif",
        "model.file": model, "certificate.check": False, "composite.min_clear": 1, "run.workers": 1,
        "output.root": folder / window.name / "outputs", "report.simulated": True,
        "report.languages": ["zh"], "layers.parcels": supplied / "parcels.gpkg",
        "layers.mines": supplied / "mines.gpkg",
        "layers.basic_farmland": supplied / "farmland.gpkg",
    }  # fmt: skip
    plain = load_settings(None, environment={}, overrides=given).settings
    compared = load_settings(
        None, environment={}, overrides=given | {"time.baseline": f"{YEARS[0]}Q4"}
    ).settings
    return {year: compared if year == YEARS[-1] else plain for year in YEARS}


# --- the truth ---------------------------------------------------------------------------------


def mine_truth(world: World, events: Sequence[Event], site: str) -> str:
    """
    Tell the true state of a mine from its life and its true canopy alone.

    Open: active. Closed for three years without trees: stalled, before that recovering. Trees
    planted: recovering, and restored once the mean canopy was 0.20 in two years. Laid bare again:
    relapsed.
    """
    lived = sorted((one for one in events if one.site == site and one.start <= WHEN), key=_start)
    latest = lived[-1].kind
    if latest is EventKind.MINE_OPEN:
        return MineStatus.ACTIVE.value
    if latest is EventKind.MINE_RELAPSE:
        return MineStatus.RELAPSED.value
    if latest is EventKind.MINE_CLOSE:
        old = (WHEN - lived[-1].start).days > 3 * 365.25
        return (MineStatus.STALLED if old else MineStatus.RECOVERING).value
    canopy = canopy_by_year(world, events, lived[0].polygon, YEARS[-2:], resolution=10.0)
    healed = min(canopy) >= FOREST_CANOPY
    return (MineStatus.RESTORED if healed else MineStatus.RECOVERING).value


def _start(event: Event) -> date:
    return event.start


def parcel_truth(
    world: World, events: Mapping[str, Event], parcel: Mapping[str, object]
) -> tuple[str, frozenset[str]]:
    """
    Tell what a parcel is, and the stages that are right for it.

    Forest: age 3, true mean canopy 0.20 in two years. Overdue: age 5 and below it. Woody: age 2 and
    canopy 0.10. Before age 3: young, of which it may be said that it cannot be judged, or what is
    seen. Then failing, or greening where something was planted. Tea and oil-camellia: greening,
    or not.
    """
    age = YEARS[-1] - int(str(parcel["year"]))
    event = events.get(str(parcel["event"]))
    kind = None if event is None else event.kind
    shape = parcel["geometry"]
    canopy = canopy_by_year(
        world,
        list(events.values()),
        shape,
        YEARS[-2:],
        resolution=10.0,
        kind=kind,  # type: ignore[arg-type]
    )
    economic = "油茶" in str(parcel["species"])
    if age < 3:
        return "young", frozenset(_YOUNG | {Stage.WOODY.value} if canopy[-1] >= 0.08 else _YOUNG)
    if economic:
        return "economic", frozenset({Stage.GREENING.value, Stage.FAILING.value})
    if min(canopy) >= FOREST_CANOPY:
        return "forest", frozenset({Stage.FOREST.value})
    if age >= 5 and canopy[-1] < FOREST_CANOPY:
        return "overdue", frozenset({Stage.OVERDUE.value})
    if canopy[-1] >= 0.10:
        return "woody", frozenset({Stage.WOODY.value})
    return "failing", frozenset({Stage.FAILING.value, Stage.GREENING.value})


# --- the page ----------------------------------------------------------------------------------


def measure(folder: Path, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run every window and lay what was judged beside what is true: parcels and mines."""
    world = World.build(SEED, load_units(Area()))
    events = draw(world, SEED)
    supplied = folder / "layers"
    told = layers.write(supplied, world, events, when=WHEN, rng=np.random.default_rng([SEED, 11]))
    truths = {str(row["parcel"]): row for _, row in told.iterrows()}
    by_id = {event.id: event for event in events}
    parcels, mines = [], []
    chosen = list(windows(world, events, count))
    for window in chosen:
        paint(window, folder)
    model = trained(chosen, folder, supplied)
    for number, window in enumerate(chosen, start=1):
        books = followed(window, folder, model, supplied)
        for row in _rows(books / "mines.csv"):
            whole = gpd.read_file(supplied / "mines.gpkg").set_index("site").loc[row["mine"]]
            inside = box(*window.patch.geobox.boundingbox.bbox).contains(whole.geometry)
            if inside:
                true = mine_truth(world, events, str(row["mine"]))
                mines.append((row["mine"], true, row["status"], row["why"]))
        for row in _rows(books / "afforestation.csv"):
            truth = truths[str(row["parcel"])]
            if box(*window.patch.geobox.boundingbox.bbox).contains(truth["geometry"]):
                kind, right = parcel_truth(world, by_id, truth)
                unjudged = row["stage"] in _TOLD
                parcels.append((row["parcel"], kind, row["stage"], row["stage"] in right, unjudged))
        store.write_json(folder / "progress.json", {"done": number, "of": count})
    return (
        pd.DataFrame(parcels, columns=["parcel", "true", "stage", "right", "unjudged"]),
        pd.DataFrame(mines, columns=["mine", "true", "status", "why"]),
    )


def _rows(table: Path) -> list[dict[str, object]]:
    """Read a table of the books; none where the window holds nothing of the kind."""
    return pd.read_csv(table).to_dict("records") if table.is_file() else []


def page(parcels: pd.DataFrame, mines: pd.DataFrame, windows: int) -> str:
    """Write what was found, as Markdown."""
    parcels, mines = parcels.drop_duplicates("parcel"), mines.drop_duplicates("mine")
    judged = parcels[~parcels["unjudged"]]
    right = mines["true"] == mines["status"]
    four = mines.replace({MineStatus.RESTORED.value: MineStatus.RECOVERING.value})
    loose = four["true"] == four["status"]
    few = len(parcels) - len(judged)
    command = f"python -m benchmarks.casework --windows {windows}"
    counts = f"{len(mines)} mines and {len(parcels)} reported parcels in {windows} windows"
    lines = [
        f"Written by `{command}`. **Simulated data (模拟数据).**",
        "",
        f"{counts}; {len(YEARS)} fourth quarters of at most {DATES} passes each; of {few} parcels",
        "the ledger says that they are too small or were not seen. So few say little.",
        "",
        "| target | measured | |",
        "| --- | --- | --- |",
        _target("mine status right, five states", right, 0.85),
        _target("mine status right, restored and recovering as one", loose, 0.85),
        _target("stage of parcels right, of those that can be judged", judged["right"], 0.85),
        "",
        "Mines, true state against judged:",
        "",
        *_crossed(mines["true"], mines["status"]),
        "",
        "Parcels, what they are against the stage in the ledger:",
        "",
        *_crossed(parcels["true"], parcels["stage"]),
    ]
    return "\n".join(lines) + "\n"


def _target(what: str, hits: pd.Series, least: float) -> str:
    share = float(hits.mean()) if len(hits) else float("nan")
    met = "met" if share >= least else "**not met**"
    return (
        f"| {what}: at least {least:.0%} | {share:.0%} ({int(hits.sum())} of {len(hits)}) | {met} |"
    )


def _crossed(true: pd.Series, told: pd.Series) -> list[str]:
    pairs = Counter(zip(true, told, strict=True))
    rows, columns = sorted(set(true)), sorted(set(told))
    head = ["| true, judged | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 1) + "|"]
    body = [
        f"| {row} | " + " | ".join(str(pairs[row, one]) for one in columns) + " |" for row in rows
    ]
    return [*head, *body]


def write(text: str) -> None:
    """Put the text between its marks at the end of the page of validation."""
    old = PAGE.read_text(encoding="utf-8")
    before, mark, rest = old.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    head = before if mark else f"{before.rstrip()}\n\n## Mines and planting on the twin\n\n"
    PAGE.write_text(f"{head}{MARKS[0]}\n\n{text}\n{MARKS[1]}{after or chr(10)}", encoding="utf-8")


def main() -> None:
    """Measure, and write the page."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--windows", type=int, default=10)
    given.add_argument("--to", type=Path, default=Path("outputs/casework"))
    told = given.parse_args()
    told.to.mkdir(parents=True, exist_ok=True)
    parcels, mines = measure(told.to.resolve(), told.windows)
    parcels.to_csv(told.to / "parcels.csv", index=False)
    mines.to_csv(told.to / "mines.csv", index=False)
    write(page(parcels, mines, told.windows))


if __name__ == "__main__":
    main()
