"""From finished tiles to a publication: one folder of maps, rows, report and checksums."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from jinhua_rs import __version__, causes, effects, forest, report, schema, store
from jinhua_rs.briefing import Numbers, brief, city_first, headline
from jinhua_rs.errors import IntegrityError, NoDataError
from jinhua_rs.estimation.trend import trend_rows
from jinhua_rs.history import Publication, publications
from jinhua_rs.layers import open_layer
from jinhua_rs.planning import CERTIFICATE, PUBLISHED, Plan, fingerprint
from jinhua_rs.points import Drawn, read_drawn, read_points
from jinhua_rs.refine import STEP_CLASSES
from jinhua_rs.report import ReportData
from jinhua_rs.schema import Status
from jinhua_rs.tasks import Progress

__all__ = ["Products", "Published", "publish"]

_MAPS = {
    "n_clear": ("composite", ()),
    "window": ("composite", schema.WINDOW_CLASSES),
    "ndvi": ("land", ()),
    "nbr": ("land", ()),
    "ndmi": ("land", ()),
    "bsi": ("land", ()),
    "canopy": ("land", ()),
    "applicable": ("land", schema.APPLICABLE_CLASSES),
    "landcover": ("refined", schema.LAND_CLASSES),
    "forest": ("forest", schema.FOREST_CLASSES),
    "steps": ("forest", STEP_CLASSES),
    "change": ("change", schema.CHANGE_CLASSES),
    "reason": ("change", causes.CAUSE_CLASSES),
    "change_confidence": ("change", causes.EVIDENCE_CLASSES),
    "alert": ("alerts", causes.ALERT_CLASSES),
    "alert_confidence": ("alerts", causes.CONFIDENCE_CLASSES),
    "alert_cause": ("alerts", causes.CAUSE_CLASSES),
    "alert_day": ("alerts", ()),
    "alert_last": ("alerts", ()),
    "alert_size": ("alerts", ()),
    "n_looks": ("alerts", ()),
}
"""Variable of each published map: the product that holds it, and its classes."""


@dataclass(frozen=True, slots=True)
class Products:
    """A period's finished tiles, product name to tile id to folder, and the model behind them."""

    plan: Plan
    tiles: Mapping[str, Mapping[str, Path]]
    model: Path


@dataclass(frozen=True, slots=True)
class Published:
    """Where a publication lies, its report page, and what the report says."""

    folder: Path
    report: Path
    data: ReportData


def publish(
    products: Products, baseline: Products | None, *, now: datetime, progress: Progress
) -> Published:
    """
    Publish a period: a folder that is whole or is not there.

    A publication from the same inputs that is undamaged stands as it is. One from other inputs
    is never changed: it moves to ``history/<run id>`` as the new one takes its place.

    Raises
    ------
    NoDataError
        If too little of the area was seen: nothing is published, what stood stands.
    """
    plan, target = products.plan, products.plan.folder / PUBLISHED
    earlier = _earlier(plan)
    run_id = _run_id(products, baseline, earlier, over=now >= plan.period.stop)
    if _stands(target, run_id):
        return _opened(target)
    with store.whole(target) as part:
        part.mkdir()
        maps = _write_maps(products, part, run_id, progress)
        numbers = _with_trend(plan, _numbers(products, baseline, maps, progress), earlier)
        numbers = replace(
            numbers,
            effects=_effects(plan, maps),
            heard=_heard(products.tiles["refined"]),
            alerts=_alerts(plan, maps),
        )
        _require_seen(plan, numbers)
        data = brief(plan, numbers, products.model, run_id=run_id, now=now)
        progress(f"{plan.period} report", 0, 1)
        pictures = report.draw(data, maps, plan.units, plan.settings.report.languages)
        report.write(part / "report", data, pictures)
        schema.rows([*numbers.rows, *numbers.changes]).to_csv(part / "indicators.csv", index=False)
        numbers.effects.to_csv(part / "refine_effects.csv", index=False)
        (part / "scenes.json").write_text(plan.inventory.to_json(), encoding="utf-8")
        if plan.settings.certificate.check:
            shutil.copyfile(plan.folder / CERTIFICATE, part / CERTIFICATE)
        shutil.copytree(products.model, part / "model")
        store.write_json(part / "run.json", _receipt(products, baseline, earlier, run_id))
        store.write_sums(part, [path for path in part.rglob("*") if path.is_file()])
        _keep_former(target, run_id)
    progress(f"{plan.period} report", 1, 1)
    return _opened(target)


def _earlier(plan: Plan) -> tuple[Publication, ...]:
    """Earlier publications of the same season of the year: simulated beside simulated only."""
    season = plan.settings.composite.season
    found = publications(plan.settings.output.root, plan.period, unit=plan.unit)
    return tuple(
        one
        for one in found
        if one.period != plan.period and one.label == plan.label and one.season == season
    )


def _run_id(
    products: Products, baseline: Products | None, earlier: Sequence[Publication], *, over: bool
) -> str:
    """
    Hash of all inputs, and of the tiles that came of them: a healed scene makes other tiles.

    A period that is not ``over`` gives a draft, which does not stand when it is.
    """
    card = store.digest(products.model / "card.json")
    made = [[one.plan.run_id, _digests(one)] for one in (products, baseline) if one is not None]
    years = [[str(one.period), one.run_id] for one in earlier]
    return fingerprint([made, card, products.plan.label, years, *([] if over else ["draft"])])


def _digests(products: Products) -> dict[str, dict[str, str]]:
    """Digest of every tile, by product and tile."""
    return {
        product: {tile: str(store.read_facts(path)["sha256"]) for tile, path in tiles.items()}
        for product, tiles in products.tiles.items()
    }


def _stands(target: Path, run_id: str) -> bool:
    """Tell whether a publication from these inputs is there and undamaged."""
    try:
        return _former_id(target) == run_id and not store.verify_sums(target)
    except IntegrityError:
        return False


def _former_id(target: Path) -> str | None:
    if not (target / "run.json").is_file():
        return None
    receipt = store.read_json(target / "run.json")
    return str(receipt["run_id"]) if isinstance(receipt, dict) and "run_id" in receipt else None


def _opened(target: Path) -> Published:
    text = (target / "report" / "report.json").read_text(encoding="utf-8")
    return Published(target, target / "report" / "report.html", report.from_json(text))


def _keep_former(target: Path, run_id: str) -> None:
    """Move a publication from other inputs to ``history``; one of the same inputs is replaced."""
    try:
        former = _former_id(target)
    except IntegrityError:
        former = None
    kept = target.parent / "history" / str(former)
    if former and former != run_id and not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        target.rename(kept)


def _write_maps(
    products: Products, folder: Path, run_id: str, progress: Progress
) -> dict[str, Path]:
    """Join the tiles to one Cloud-Optimised GeoTIFF a variable."""
    plan = products.plan
    holds = {
        product: store.tile_variables(next(iter(tiles.values())))
        for product, tiles in products.tiles.items()
    }
    wanted = [name for name, (product, _) in _MAPS.items() if name in holds.get(product, ())]
    stage = f"{plan.period} maps"
    progress(stage, 0, len(wanted))
    tags = {"period": str(plan.period), "run_id": run_id, "label": plan.label}
    for done, variable in enumerate(wanted, start=1):
        product, classes = _MAPS[variable]
        tiles = products.tiles[product].values()
        path = folder / f"{variable}.tif"
        store.write_mosaic(path, variable, tiles, plan.geobox, classes=classes, tags=tags)
        progress(stage, done, len(wanted))
    return {variable: folder / f"{variable}.tif" for variable in wanted}


def _numbers(
    products: Products, baseline: Products | None, maps: Mapping[str, Path], progress: Progress
) -> Numbers:
    """Turn maps and reference sample into indicator rows."""
    plan, reference = products.plan, _reference(products.plan)
    on = _judged(plan, reference)
    rows = _coverage(plan, maps, reference) + _by_definition(plan, maps, on)
    widened, lost = _widened(products.tiles["composite"]), _lost(products)
    if baseline is None:
        return Numbers(rows, None, [], [], widened, lost=lost)
    folder = maps["forest"].parent / "baseline"
    folder.mkdir()
    before = _write_maps(baseline, folder, baseline.plan.run_id, progress)
    changes = forest.change_rows(
        maps["change"],
        plan.units,
        reference.points,
        periods=(baseline.plan.period, plan.period),
        min_clear_share=plan.settings.gates.min_clear_share,
        drawn=reference.drawn,
    )
    earlier = _coverage(baseline.plan, before, reference)
    rules, periods = plan.settings.definitions, (baseline.plan.period, plan.period)
    if reference.points is not None and "class" in reference.points:
        changes += forest.statutory_change_rows(maps["change"], on, periods=periods, rules=rules)
        city = str(headline(plan, rows)["unit"])
        rows += forest.calibrated_rows(changes, city, baseline.plan.period, rules)
    return Numbers(rows, baseline.plan.period, earlier, changes, widened, lost=lost)


def _with_trend(plan: Plan, numbers: Numbers, earlier: Sequence[Publication]) -> Numbers:
    """Add the years that were published before, and the trend over all of them."""
    period, known = plan.period, {one.period for one in earlier}
    before = [] if numbers.baseline in known else numbers.before
    tables = [*(one.table() for one in earlier), schema.rows([*before, *numbers.rows])]
    series = pd.concat(tables, ignore_index=True)
    series = series[series["indicator"] == "tree_cover_share"].reindex(
        columns=list(schema.ROW_COLUMNS)
    )
    series = series[series["unit"].isin(map(str, plan.units.index))].fillna({"n": 0, "test": ""})
    return replace(numbers, rows=[*numbers.rows, *trend_rows(series, period)], series=series)


def _widened(tiles: Mapping[str, Path]) -> float:
    """Share of the seen pixels that needed looks from around the period, 0-1."""
    facts = [store.read_facts(path) for path in tiles.values()]
    widened, seen = (sum(int(one[key]) for one in facts) for key in ("widened", "clear_pixels"))
    return widened / max(1, seen)


def _lost(products: Products) -> dict[str, float]:
    """Share of the seen pixels that were not named, by the input that did not show them, 0-1."""
    land = [store.read_facts(path) for path in products.tiles["land"].values()]
    seen = sum(
        int(store.read_facts(path)["clear_pixels"]) for path in products.tiles["composite"].values()
    )
    pixels: dict[str, int] = {}
    for facts in land:
        for name, number in facts["lost"].items():
            pixels[name] = pixels.get(name, 0) + int(number)
    return {name: number / max(1, seen) for name, number in sorted(pixels.items())}


def _effects(plan: Plan, maps: Mapping[str, Path]) -> pd.DataFrame:
    gate = plan.settings.gates.min_clear_share
    return effects.step_effects(maps["steps"], plan.units, min_clear_share=gate)


def _alerts(plan: Plan, maps: Mapping[str, Path]) -> pd.DataFrame:
    """Measure the ground in alert; city first, as the report orders units."""
    if not {"alert", "alert_confidence"} <= set(maps):
        return pd.DataFrame()
    return forest.alert_areas(maps["alert"], maps["alert_confidence"], city_first(plan))


def _heard(tiles: Mapping[str, Path]) -> tuple[int, ...]:
    """Name the earlier years that some tile heard."""
    years = {int(year) for path in tiles.values() for year in store.read_facts(path)["heard"]}
    return tuple(sorted(years))


@dataclass(frozen=True, slots=True)
class _Reference:
    """The reference sample and the design it was drawn by, as far as there are any."""

    points: gpd.GeoDataFrame | None = None
    drawn: Drawn | None = None


def _reference(plan: Plan) -> _Reference:
    path = plan.settings.reference.file
    if path is None:
        return _Reference()
    points = read_points(path, plan.settings.area.crs, any_of=("canopy",))
    return _Reference(points, read_drawn(path, points))


def _coverage(
    plan: Plan, maps: Mapping[str, Path], reference: _Reference
) -> list[dict[str, object]]:
    return forest.coverage_rows(
        forest.ForestMaps(
            maps["forest"], maps.get("canopy"), maps.get("ndvi"), maps.get("applicable")
        ),
        plan.units,
        reference.points,
        period=plan.period,
        min_clear_share=plan.settings.gates.min_clear_share,
        drawn=reference.drawn,
    )


def _judged(plan: Plan, reference: _Reference) -> forest.Judged:
    """Gather what the definitions of forest are estimated from."""
    path, area = plan.settings.layers.land_use, plan.settings.area
    uses = None
    if path is not None:
        layer = open_layer(
            path, "land_use", crs=area.crs, area=plan.outline, check_datum=area.check_datum
        )
        uses = forest.land_uses(layer)
    return forest.Judged(
        units=plan.units,
        sample=reference.points,
        drawn=reference.drawn,
        uses=uses,
        min_clear_share=plan.settings.gates.min_clear_share,
    )


def _by_definition(
    plan: Plan, maps: Mapping[str, Path], on: forest.Judged
) -> list[dict[str, object]]:
    """Rows of the three definitions, where the model names classes."""
    if "landcover" not in maps:
        return []
    return forest.definition_rows(
        maps["landcover"],
        maps["forest"],
        on,
        period=plan.period,
        rules=plan.settings.definitions,
    )


def _require_seen(plan: Plan, numbers: Numbers) -> None:
    """Stop when the area as a whole was not seen clearly enough."""
    whole = headline(plan, numbers.rows)
    if whole["status"] == Status.INSUFFICIENT:
        share, limit = whole["n_clear_share"], plan.settings.gates.min_clear_share
        raise NoDataError(
            f"{plan.period}: only {share:.1%} of the area was seen clear (gate {limit:.0%}); "
            "nothing is published; run again later with --refresh for more scenes, "
            "or lower [gates] min_clear_share",
            zh=f"{plan.period.name_zh}：仅 {share:.1%} 的面积有晴空观测（门限 {limit:.0%}），"
            "数据不足，未发布任何结果；请稍后加 --refresh 重新检索，或调整 [gates] min_clear_share",
        )


def _receipt(
    products: Products,
    baseline: Products | None,
    earlier: Sequence[Publication],
    run_id: str,
) -> dict[str, Any]:
    """Say what the publication was made from, for whoever must make it again."""
    plan, names = products.plan, ("numba", "numpy", "rasterio", "scikit-learn", "xarray")
    return {
        "run_id": run_id,
        "period": str(plan.period),
        "baseline": None if baseline is None else str(baseline.plan.period),
        "earlier": {str(one.period): one.run_id for one in earlier},
        "unit": plan.unit,
        "units": sorted(map(str, plan.units.index)),
        "scenes": len(plan.inventory.kept),
        "tiles": _digests(products),
        "settings": plan.told_settings,
        "software": {"jinhua-rs": __version__} | {name: version(name) for name in names},
        "unnamed_share": _lost(products),
        "label": plan.label,
    }
