"""
Are mines and planting parcels judged right? Scored against the truth of the twin.

Usage: ``python -m benchmarks.casework [--to FOLDER] [--workers 2] [--judge DISTRICT ...]``

Districts of the simulated city, each with mines of every kind of life; parcels of every
kind (:mod:`benchmarks.casework_truth`). Only the ground around them is painted: every Q4 from 2016
to 2024 at 10 m, both zones, clouds, shadows, haze, noise, faulty scene classification. It goes
through the ordinary recipe and the follow-up, with layers as a bureau would supply them: shifted
outlines, invented and repeated reports. The model is trained on points of all districts but the one
that is held out, as they lay in 2019, none in a parcel or a mine but for bare ground, laid over
three more years as ``[model] also`` does; quarries that are called cloud are kept (``[mask]
bare_ground``). Then mines are surveyed once more from a layer without years, which the survey must
find. Begun work is taken up where it ended. Writes the part of ``docs/validation.md`` between its
two marks. All data are simulated; nothing follows for Jinhua.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from time import monotonic
from zlib import crc32

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from benchmarks.casework_ground import (
    DATES,
    DISTRICTS,
    HELD_OUT,
    SEED,
    YEARS,
    District,
    paint,
    tell,
)
from benchmarks.casework_page import Asked, page
from benchmarks.casework_truth import RIGHT, mine_truth, recovery_from
from benchmarks.section import Section
from jinhua_rs import features, followup, landcover, mines, pieces, planning, quarter, store
from jinhua_rs.afforestation import Stage
from jinhua_rs.errors import NoDataError
from jinhua_rs.following import Place
from jinhua_rs.history import publications
from jinhua_rs.layers import open_layer
from jinhua_rs.period import Period
from jinhua_rs.schema import Land
from jinhua_rs.tasks import pool
from jinhua_rs.twin import layers
from jinhua_rs.twin.survey import states
from jinhua_rs.twin.truth import canopy_by_year

SECTION = Section("Mines and planting on the twin", "benchmarks/casework.py")
TRAINING, ALSO = Period(2019, 4), (Period(2016, 4), Period(2022, 4), Period(2024, 4))
_POINTS = 120


# --- what is seen ------------------------------------------------------------------------------


def prepared(name: str, folder: Path) -> Path:
    """Paint a district and read the features of its training points; return their table."""
    district = District.of(name, folder)
    table = district.folder / "points.csv"
    if not table.is_file():
        paint(district)
        points = _points(district)
        years = {str(one): _features(district, one, points) for one in (TRAINING, *ALSO)}
        pd.concat(years, names=["period", "point"]).reset_index().to_csv(table, index=False)
        tell(district, f"{len(points)} points of training")
    return table


def _features(district: District, period: Period, points: gpd.GeoDataFrame) -> pd.DataFrame:
    """Composite a period and read what it shows at the points; the index is theirs."""
    plan = planning.make_plan(period, district.settings(None))
    with pool(plan.settings.run, plan.settings.cluster, district.folder / "logs") as workers:
        plan, tiles = quarter.see_the_ground(plan, workers, quarter.quiet)
    ground, wanted = pieces.Ground(plan, tiles, {}), _wanted(plan)
    grid, found = plan.settings.grid, []
    names = np.array([grid.tile_id(one.x, one.y) for one in points.geometry])
    for tile in tiles:
        own = points[names == tile]
        table = pieces.features_at(ground.sources(tile, wanted), wanted, own)
        found.append(table.set_axis(own.index))
    return pd.concat(found)


def _wanted(plan: planning.Plan) -> tuple[str, ...]:
    return features.names(pieces.choice_of(plan))


def _points(district: District) -> gpd.GeoDataFrame:
    """Draw pixels of each class, as they truly lay in the middle of the quarter of training."""
    rng = np.random.default_rng([SEED, crc32(district.name.encode())])
    judged = gpd.GeoSeries([*district.cases.mines.geometry, *district.cases.parcels.geometry])
    judged, grid, tables = judged.union_all().buffer(20), district.settings(None).grid, []
    for part in shapely.get_parts(district.cases.ground):
        geobox = grid.covering(part.bounds)
        day = date(TRAINING.year, 11, 15)
        (state,) = states(district.city.world, geobox, district.city.events, [day])
        x, y = (one.ravel() for one in np.meshgrid(state.x.to_numpy(), state.y.to_numpy()))
        land = state["landcover"].to_numpy().ravel()
        free = shapely.contains_xy(part, x, y)
        free &= (land == Land.BARE) | ~shapely.contains_xy(judged, x, y)
        known = {"class": land, "canopy": state["canopy"].to_numpy().ravel(), "x": x, "y": y}
        tables.append(pd.DataFrame(known)[free])
    table = pd.concat(tables, ignore_index=True)
    at = np.concatenate(
        [
            rng.choice(places, min(_POINTS, len(places)), replace=False)
            for places in table.groupby("class").indices.values()
        ]
    )
    chosen = table.iloc[at].reset_index(drop=True)
    shapes = gpd.points_from_xy(chosen.pop("x"), chosen.pop("y"))
    return gpd.GeoDataFrame(chosen, geometry=shapes, crs="EPSG:4549")


def trained(tables: Sequence[Path], folder: Path) -> Path:
    """Train one model on the points of districts; return its folder."""
    target = folder / "model"
    if not (target / "card.json").is_file():
        seen = pd.concat([pd.read_csv(one).assign(place=n) for n, one in enumerate(tables)])
        by_year = seen.set_index(["place", "point"]).groupby("period", sort=False)
        years = [by_year.get_group(str(one)).drop(columns="period") for one in (TRAINING, *ALSO)]
        plan = planning.make_plan(TRAINING, District.of("south", folder).settings(None))
        wanted = _wanted(plan)
        options = landcover.TrainOptions(
            seed=SEED, name="casework", trees=60, block_m=600.0,
            periods=tuple(map(str, (TRAINING, *ALSO))),
            resolution_m=10.0, units=features.units(wanted), simulated=True,
            note="points of the districts",
        )  # fmt: skip
        table = landcover.laid_over(years, wanted, options)
        landcover.train(table, wanted, options).save(target)
    return target


# --- what is judged ----------------------------------------------------------------------------


def judged(name: str, folder: Path, model: Path) -> dict[str, Path]:
    """Run every Q4 of a district, follow the last one up, lay what was judged beside the truth."""
    district = District.of(name, folder)
    if not (district.folder / "scenes" / "catalog.json").is_file():
        paint(district)
    plain, compared = district.settings(model), district.settings(model, compared=True)
    for year in YEARS:
        settings = compared if year == YEARS[-1] else plain
        plan = planning.make_plan(Period(year, 4), settings)
        try:
            quarter.run(plan, now=datetime(2026, 1, 1, tzinfo=UTC))
        except NoDataError as error:  # too cloudy: that year is missing, as it would be
            tell(district, str(error))
        else:
            tell(district, f"published {year}Q4")
    place = Place.of(Period(YEARS[-1], 4), compared)
    shutil.rmtree(place.target, ignore_errors=True)  # judged by today's code, whatever stands
    books = followup.run(place, progress=lambda *_: None).folder / followup.BOOKS
    tables = {
        "parcels": _parcels(district, pd.read_csv(books / "afforestation.csv")),
        "mines": _mines(district, pd.read_csv(books / "mines.csv"), place),
    }
    paths = {}
    for title, table in tables.items():
        paths[title] = district.folder / f"{title}-judged.csv"
        table.to_csv(paths[title], index=False)
    tell(district, f"judged {len(tables['mines'])} mines and {len(tables['parcels'])} parcels")
    return paths


def _parcels(district: District, told: pd.DataFrame) -> pd.DataFrame:
    known = district.cases.parcels.set_index("parcel")
    told = told.set_index("parcel").loc[known.index]
    kinds, stages = known["kind"], [Stage(one) for one in told["stage"]]
    return pd.DataFrame(
        {
            "kind": kinds,
            "stage": [one.value for one in stages],
            "judged": [one.judged for one in stages],
            "right": [
                stage in RIGHT[row.kind]
                or (stage is Stage.WOODY and _woody(district, row.kind, row.geometry))
                for row, stage in zip(known.itertuples(), stages, strict=True)
            ],
            "twice_of": known["twice_of"],
            "duplicate_of": told["duplicate_of"].fillna(""),
            "why": told["why"],
        }
    ).reset_index()


def _woody(district: District, kind: str, shape: BaseGeometry) -> bool:
    """Tell whether a young parcel truly has a canopy of 0.10 already."""
    there, years = district.city, YEARS[-1:]
    return kind == "young" and (
        canopy_by_year(there.world, there.events, shape, years, resolution=10.0)[0] >= 0.10
    )


def _mines(district: District, told: pd.DataFrame, place: Place) -> pd.DataFrame:
    told = told.set_index("mine")
    there, found = district.city, _without_years(district, place)
    rows = [
        (
            site,
            mine_truth(there.world, there.events, site),
            told.loc[site, "status"],
            found[site].verdict.status.value,
            recovery_from(there.events, site, YEARS[0]),
            found[site].start,
            told.loc[site, "why"],
        )
        for site in district.cases.mines["site"]
    ]
    names = ["mine", "true", "status", "status_alone", "true_start", "found_start", "why"]
    return pd.DataFrame(rows, columns=names).astype({"true_start": "Int64", "found_start": "Int64"})


def _without_years(district: District, place: Place) -> Mapping[str, mines.MineRecord]:
    """Survey the mines from a layer that says nothing of years."""
    path = district.folder / "mines-silent.gpkg"
    layers.write_layer(district.cases.mines[["site", "geometry"]], path, "mines")
    layer = open_layer(path, "mines", crs="EPSG:4549", area=place.outline, check_datum=False)
    listed = mines.mines_of(layer)
    published = publications(place.settings.output.root, place.period)
    return mines.survey(listed, published, elevation=None, rules=mines.Rules())


def measure(folder: Path, workers: int, names: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train on all districts but one, run some; return what was judged of parcels and mines."""
    with ProcessPoolExecutor(workers) as team:
        tables = [team.submit(prepared, name, folder) for name in DISTRICTS if name != HELD_OUT]
        model = trained([one.result() for one in tables], folder)
        found = [team.submit(judged, name, folder, model) for name in names]
        paths = [one.result() for one in found]
    return _together(names, paths, "parcels"), _together(names, paths, "mines")


def _together(
    names: Sequence[str], paths: Sequence[Mapping[str, Path]], title: str
) -> pd.DataFrame:
    """One table of all districts, each row with the name of its own."""
    tables = [
        pd.read_csv(one[title], keep_default_na=False, na_values=[""]).assign(district=name)
        for name, one in zip(names, paths, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    """Measure, and write the page."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--to", type=Path, default=Path("outputs/casework"))
    given.add_argument("--workers", type=int, default=2)
    given.add_argument("--judge", nargs="+", choices=list(DISTRICTS), default=list(DISTRICTS))
    told = given.parse_args()
    told.to.mkdir(parents=True, exist_ok=True)
    began = monotonic()
    parcels, listed = measure(told.to.resolve(), told.workers, told.judge)
    parcels.to_csv(told.to / "parcels.csv", index=False)
    listed.to_csv(told.to / "mines.csv", index=False)
    store.write_json(told.to / "progress.json", {"judged": told.judge})
    SECTION.write(page(parcels, listed, Asked(tuple(told.judge), len(YEARS), DATES)))
    print(f"{(monotonic() - began) / 60:.0f} minutes", flush=True)


if __name__ == "__main__":
    main()
