"""From finished tiles to what is published: maps, indicator rows, report, checksums last."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import geopandas as gpd

from jinhua_rs import __version__, forest, report, schema, store
from jinhua_rs.briefing import Numbers, brief, headline
from jinhua_rs.errors import NoDataError
from jinhua_rs.planning import Plan, fingerprint
from jinhua_rs.points import read_points
from jinhua_rs.report import ReportData
from jinhua_rs.schema import Status
from jinhua_rs.tasks import Progress

__all__ = ["Products", "Published", "publish"]

_MAPS = {
    "n_clear": ("composite", ()),
    "ndvi": ("land", ()),
    "canopy": ("land", ()),
    "landcover": ("land", schema.LAND_CLASSES),
    "forest": ("land", schema.FOREST_CLASSES),
    "change": ("change", schema.CHANGE_CLASSES),
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
    """Where a period's products lie, its report, and what the report says."""

    folder: Path
    report: Path
    data: ReportData


def publish(
    products: Products, baseline: Products | None, *, now: datetime, progress: Progress
) -> Published:
    """
    Publish a period: maps, indicator rows, report, and the list of checksums last.

    What was published before from other inputs is kept in ``history/``.

    Raises
    ------
    NoDataError
        If too little of the area was seen: nothing is published.
    """
    plan = products.plan
    maps = _write_maps(products, progress)
    numbers = _numbers(products, baseline, maps, progress)
    _require_seen(plan, numbers)
    data = brief(plan, numbers, products.model, now)
    progress(f"{plan.period} report", 0, 1)
    _keep_former(plan)
    pictures = report.draw(data, maps, plan.units, plan.settings.report.languages)
    paths = report.write(plan.folder / "report", data, pictures)
    with store.whole(plan.folder / "indicators.csv") as part:
        schema.rows([*numbers.rows, *numbers.changes]).to_csv(part, index=False)
    store.write_json(plan.folder / "run.json", _receipt(products, baseline))
    named = ("indicators.csv", "run.json", "scenes.json", "report")
    tiles = [path for product in products.tiles.values() for path in product.values()]
    store.write_sums(plan.folder, [*(plan.folder / n for n in named), *maps.values(), *tiles])
    progress(f"{plan.period} report", 1, 1)
    return Published(plan.folder, paths.html, data)


def _write_maps(products: Products, progress: Progress) -> dict[str, Path]:
    """Join the tiles to one Cloud-Optimised GeoTIFF a variable, unless that is done already."""
    plan = products.plan
    holds = {
        product: store.tile_variables(next(iter(tiles.values())))
        for product, tiles in products.tiles.items()
    }
    wanted = [name for name, (product, _) in _MAPS.items() if name in holds.get(product, ())]
    stage = f"{plan.period} maps"
    progress(stage, 0, len(wanted))
    for done, variable in enumerate(wanted, start=1):
        product, classes = _MAPS[variable]
        tiles = tuple(products.tiles[product].values())
        path = plan.folder / f"{variable}.tif"
        key = fingerprint([variable, *(store.read_facts(tile)["sha256"] for tile in tiles)])
        if not store.is_sealed(path, key):
            tags = {"period": str(plan.period), "run_id": plan.run_id, "label": plan.label}
            store.write_mosaic(path, variable, tiles, plan.geobox, classes=classes, tags=tags)
            store.seal(path, key)
        progress(stage, done, len(wanted))
    return {variable: plan.folder / f"{variable}.tif" for variable in wanted}


def _numbers(
    products: Products, baseline: Products | None, maps: Mapping[str, Path], progress: Progress
) -> Numbers:
    """Turn maps and reference sample into indicator rows."""
    plan, sample = products.plan, _reference(products.plan)
    rows = _coverage(plan, maps, sample)
    if baseline is None:
        return Numbers(rows, None, [], [])
    before = _coverage(baseline.plan, _write_maps(baseline, progress), sample)
    changes = forest.change_rows(
        maps["change"],
        plan.units,
        sample,
        periods=(baseline.plan.period, plan.period),
        min_clear_share=plan.settings.gates.min_clear_share,
    )
    return Numbers(rows, baseline.plan.period, before, changes)


def _reference(plan: Plan) -> gpd.GeoDataFrame | None:
    path = plan.settings.reference.file
    return None if path is None else read_points(path, plan.settings.area.crs, any_of=("canopy",))


def _coverage(
    plan: Plan, maps: Mapping[str, Path], sample: gpd.GeoDataFrame | None
) -> list[dict[str, object]]:
    return forest.coverage_rows(
        forest.ForestMaps(maps["forest"], maps["canopy"], maps["ndvi"]),
        plan.units,
        sample,
        period=plan.period,
        min_clear_share=plan.settings.gates.min_clear_share,
    )


def _require_seen(plan: Plan, numbers: Numbers) -> None:
    """Stop when the area as a whole was not seen clearly enough."""
    whole = headline(plan, numbers.rows)
    if whole["status"] == Status.INSUFFICIENT:
        share, limit = whole["n_clear_share"], plan.settings.gates.min_clear_share
        raise NoDataError(
            f"{plan.period}: only {share:.1%} of the area was seen clear (gate {limit:.0%}); "
            "nothing is published; wait for more scenes, or lower [gates] min_clear_share",
            zh=f"{plan.period.name_zh}：仅 {share:.1%} 的面积有晴空观测（门限 {limit:.0%}），"
            "数据不足，未发布任何结果；请等待更多影像或调整 [gates] min_clear_share",
        )


def _keep_former(plan: Plan) -> None:
    """Move what was published from other inputs to ``history/<run id>``, whole."""
    receipt = plan.folder / "run.json"
    if not receipt.is_file():
        return
    former = store.read_json(receipt)
    run_id = former.get("run_id") if isinstance(former, dict) else None
    if run_id and run_id != plan.run_id:
        with store.whole(plan.folder / "history" / str(run_id)) as part:
            part.mkdir()
            for name in ("run.json", "indicators.csv", "report"):
                if (plan.folder / name).exists():
                    shutil.move(plan.folder / name, part / name)


def _receipt(products: Products, baseline: Products | None) -> dict[str, Any]:
    """Say what the period was made from, for whoever must make it again."""
    plan = products.plan
    return {
        "run_id": plan.run_id,
        "period": str(plan.period),
        "baseline": None if baseline is None else str(baseline.plan.period),
        "unit": plan.unit,
        "scenes": len(plan.inventory.kept),
        "tiles": {name: len(tiles) for name, tiles in products.tiles.items()},
        "model": store.digest(products.model),
        "settings": plan.settings.model_dump(mode="json", exclude={"output", "run"}),
        "software": {"jinhua-rs": __version__}
        | {
            name: version(name)
            for name in ("numpy", "odc-stac", "rasterio", "scikit-learn", "xarray")
        },
        "label": plan.label,
    }
