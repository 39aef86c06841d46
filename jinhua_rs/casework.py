"""Parcels, mines and plan layers of a published period: measured, compared, written as books."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from jinhua_rs import afforestation, greenspace, masks, mines
from jinhua_rs.dossier import Brief, write_mines, write_planting, write_themes, write_unlisted
from jinhua_rs.errors import IntegrityError, NoDataError
from jinhua_rs.figures import Picture
from jinhua_rs.grid import Grid
from jinhua_rs.history import Publication, series
from jinhua_rs.interpretation import Imagery
from jinhua_rs.layers import Layer, open_all, open_layer
from jinhua_rs.patches import Patch, Register
from jinhua_rs.schema import TREE_CLASSES, Land
from jinhua_rs.settings import Settings, Target
from jinhua_rs.units import M2_PER_MU, mu, ten_thousand_mu

__all__ = ["Case", "plan_layers", "work_up"]

_AROUND_M = 250.0
_WOODED = (*TREE_CLASSES, Land.SHRUB)
_LISTED = 0.1
"""Share of a patch on listed ground from which it is no news."""
_PICTURES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    A published period and all that is laid over it.

    Attributes
    ----------
    settings : Settings
    published : tuple of Publication
        Of one season, oldest first; the last is the period itself.
    outline : shapely geometry
        The area, in the CRS of the grid.
    counties : GeoDataFrame
        By which things are counted; index code.
    layers : mapping
        Opened layers by role of ``[layers]``.
    themes : mapping
        Opened layers by theme, see :func:`plan_layers`.
    former : Path, optional
        Folder of the books of the period before.
    brief : Brief
    """

    settings: Settings
    published: tuple[Publication, ...]
    outline: BaseGeometry
    counties: gpd.GeoDataFrame
    layers: Mapping[str, Layer]
    themes: Mapping[str, Layer]
    former: Path | None
    brief: Brief

    def county_of(self, shape: BaseGeometry) -> str:
        """Code of the county that holds most of a shape; empty where none does."""
        shared = self.counties.intersection(shape).area
        return str(shared.idxmax()) if shared.max() > 0 else ""

    @property
    def elevation(self) -> Callable[[GeoBox], NDArray[np.float32]] | None:
        """Elevation on a window, from ``[mask] dem``; None where there is none."""
        path = self.settings.mask.dem
        return None if path is None else partial(_height, path)


def _height(path: Path, geobox: GeoBox) -> NDArray[np.float32]:
    height, rim = masks.elevation(path, geobox)
    return height[rim:-rim, rim:-rim]


def plan_layers(
    settings: Settings, outline: BaseGeometry, layers: Mapping[str, Layer]
) -> tuple[dict[str, Layer], tuple[tuple[str, str], ...]]:
    """
    Open the layers of the plan's themes, by name of the theme, and ``<name>.within``.

    A theme without a layer of its own takes the one of its name from ``[layers]``. One in another
    datum is left out and told, see :func:`jinhua_rs.layers.open_all`.

    Raises
    ------
    ConfigError
        Naming the first that cannot be used.
    """
    found = {name: layers[name] for name in settings.themes if name in layers}
    opening, area = {}, settings.area
    for name, theme in settings.themes.items():
        kind = "LineString" if theme.rule == "corridor" else "Polygon"
        for key, path in ((name, theme.layer), (f"{name}.within", theme.within)):
            if path is not None:
                opening[key] = partial(
                    open_layer, path, f"themes.{key}", crs=area.crs, area=outline,
                    kind="Polygon" if key.endswith(".within") else kind,
                    check_datum=area.check_datum,
                )  # fmt: skip
    opened, told = open_all(opening)
    return found | opened, told


def work_up(
    case: Case, register: Register, folder: Path, told: Callable[[int], None]
) -> dict[str, object]:
    """
    Write the books of a period into a folder that is being made.

    Parameters
    ----------
    case : Case
    register : Register
        All patches known at the end of the period.
    folder : Path
        Is made; gets ``afforestation.*`` where parcels were supplied, ``mines.*`` and ``cards/``
        where mines were, ``themes.*``, and ``unlisted*`` of what no layer lists.
    told : callable
        Told after each book how many of four are done.

    Returns
    -------
    dict
        Numbers of parcels by stage, of mines and plan figures by status; where the maps that a book
        needs were not published, why it was not made.
    """
    folder.mkdir()
    books = {"parcels": _planting, "mines": _mines, "themes": _themes}
    facts: dict[str, object] = {}
    for done, (name, write) in enumerate(books.items(), start=1):
        if name == "themes" or (name in case.layers and len(case.layers[name].frame)):
            try:
                facts[name] = write(case, folder)
            except NoDataError as error:  # the other books do not wait for these maps
                facts[name] = {"not made": str(error), "未生成": error.zh}
        told(done)
    facts["unlisted"] = _unlisted(case, register, folder)
    told(len(books) + 1)
    return facts


def _planting(case: Case, folder: Path) -> dict[str, int]:
    parcels = afforestation.parcels_of(case.layers["parcels"])
    farmland = case.layers.get("basic_farmland")
    found = afforestation.ledger(
        parcels,
        case.published,
        county_of=case.county_of,
        farmland=None if farmland is None else farmland.frame,
        elevation=case.elevation,
        seed=case.settings.model.seed,
    )
    found = _since(found, case.former, "afforestation.csv", ("parcel", "stage"))
    sums = {by: afforestation.sums(found, [by]) for by in ("county", "year", "setting")}
    late = afforestation.ended(parcels, case.published[-1].period.year)
    brief = _remarked(case.brief, (*parcels.remarks, *late))
    write_planting(folder, brief, found, sums, _progress(case.settings.targets, found))
    return {str(stage): int(count) for stage, count in found["stage"].value_counts().items()}


def _remarked(brief: Brief, remarks: tuple[tuple[str, str], ...]) -> Brief:
    return replace(brief, remarks=[*brief.remarks, *remarks])


def _since(
    found: gpd.GeoDataFrame, former: Path | None, name: str, fields: tuple[str, str]
) -> gpd.GeoDataFrame:
    """Say beside each row what its state was in the period before; empty where it is new."""
    key, state = fields
    if former is None or not (former / name).is_file():
        return found.assign(**{f"former_{state}": ""})
    table = pd.read_csv(former / name, dtype=str, keep_default_na=False)
    known = table.set_index(key)[state].to_dict()
    return found.assign(**{f"former_{state}": [known.get(str(one), "") for one in found[key]]})


def _progress(targets: Mapping[str, Target], found: pd.DataFrame) -> dict[str, str]:
    """Hold the ladder against the plan's figure, in both of its readings."""
    target = targets.get("new_afforestation")
    if target is None or target.unit != "万亩":
        return {}
    until = int(target.deadline) if target.deadline.isdigit() else None
    counted = found if until is None else found[(found["year"] <= until).fillna(value=False)]
    rungs = {"上报": "reported_mu", "上图": "mapped_mu", "成林": "forest_mu"}
    sums = {
        name: ten_thousand_mu(counted[field].sum() * M2_PER_MU) for name, field in rungs.items()
    }
    readings = {"原文": target.value}
    if target.alternative is not None:
        readings["另一读法"] = target.alternative
    lines = {
        f"规划目标（{name}）": f"{value:g} 万亩；"
        + "；".join(
            f"{rung} {total:.2f} 万亩（{total / value:.1%}）" for rung, total in sums.items()
        )
        for name, value in readings.items()
    }
    doubt = {"规划目标存疑": target.doubt} if target.doubt else {}
    return lines | doubt | {"规划目标出处": target.source}


def _mines(case: Case, folder: Path) -> dict[str, int]:
    listed = mines.mines_of(case.layers["mines"])
    rules = mines.Rules(seed=case.settings.model.seed)
    records = mines.survey(listed, case.published, elevation=case.elevation, rules=rules)
    table = mines.mine_table(listed, records, case.county_of)
    table = _since(table, case.former, "mines.csv", ("mine", "status"))
    mines.yearly_table(records).to_csv(folder / "mines-yearly.csv", index=False)
    by_county = mines.roll_up(table)
    by_county.to_csv(folder / "mines-by-county.csv")
    pictures = {str(row.mine): _pictures(case, row.geometry) for row in listed.frame.itertuples()}
    write_mines(folder, _remarked(case.brief, listed.remarks), table, records, by_county, pictures)
    return {str(status): int(count) for status, count in table["status"].value_counts().items()}


def _pictures(case: Case, shape: BaseGeometry) -> list[Picture]:
    """Cut NDVI, and colour where it is kept, of the first, a middle and the last year."""
    stack = series(case.published, "ndvi", shape.buffer(_AROUND_M))
    years = stack["year"].to_numpy()
    if not years.size:
        return []
    chosen = sorted(set(np.linspace(0, len(years) - 1, _PICTURES).round().astype(int).tolist()))
    folders = {one.period.year: one.folder.parent for one in case.published}
    side = case.settings.area.resolution
    pixels = tuple(np.floor(stack[axis].to_numpy() / side).astype(int) for axis in ("x", "y"))
    return [
        Picture(
            int(years[at]),
            stack.isel(year=at).to_numpy(),
            _extent(stack),
            _bands(folders[int(years[at])], case.settings.grid, pixels),
        )
        for at in chosen
    ]


def _bands(
    folder: Path, grid: Grid, pixels: tuple[NDArray[np.int64], ...]
) -> Mapping[str, NDArray[np.float32]]:
    """Cut the composite of a period; nothing where it is not kept as it was published."""
    try:
        return Imagery(folder, grid).cut(*pixels)
    except IntegrityError:  # tiles may be cleared away once published: colour is an extra
        return {}


def _extent(stack: xr.DataArray) -> tuple[float, float, float, float]:
    half = abs(float(stack.x[1] - stack.x[0])) / 2
    return (
        float(stack.x[0]) - half, float(stack.x[-1]) + half,
        float(stack.y[-1]) - half, float(stack.y[0]) + half,
    )  # fmt: skip


def _themes(case: Case, folder: Path) -> dict[str, int]:
    now = case.published[-1]
    landcover, forest = now.map("landcover"), now.map("forest")
    if landcover is None or forest is None:
        return {}
    before = now.folder / "baseline" / "landcover.tif"
    rows = greenspace.theme_rows(
        case.settings.themes,
        {name: layer.frame for name, layer in case.themes.items() if len(layer.frame)},
        case.brief.units,
        greenspace.Maps(landcover, forest, now.map("change"), before if before.is_file() else None),
        gate=case.settings.gates.min_clear_share,
    )
    titles = {name: theme.title for name, theme in case.settings.themes.items()}
    write_themes(folder, case.brief, rows, titles)
    return {str(status): int(count) for status, count in rows["status"].value_counts().items()}


def _unlisted(case: Case, register: Register, folder: Path) -> dict[str, int]:
    """List new bare ground in forest that is no known mine, and trees outside all parcels."""
    large = [p for p in register.patches if p.stands and p.facts.area_m2 >= M2_PER_MU]
    listed = case.layers.get("mines")
    known = shapely.Polygon() if listed is None else listed.frame.geometry.union_all()
    bared = [
        p
        for p in large
        if p.kind == "loss"
        and p.facts.before in _WOODED
        and p.facts.after == Land.BARE
        and p.outline.intersection(known).area < _LISTED * p.facts.area_m2
    ]
    mines_found, trees = _listed(bared), None
    if "parcels" in case.layers:
        trees = _listed(
            [
                p
                for p in large
                if p.kind == "gain" and _shared(p, "parcels") < _LISTED * p.facts.area_m2
            ]
        )
    write_unlisted(folder, case.brief, mines_found, trees)
    return {"mines": len(mines_found), "trees": 0 if trees is None else len(trees)}


def _shared(patch: Patch, role: str) -> float:
    return patch.facts.overlaps.get(role) or 0.0


def _listed(found: Sequence[Patch]) -> pd.DataFrame:
    rows = [
        (
            p.id, p.facts.county_name, round(mu(p.facts.area_m2), 2), p.facts.first_day,
            p.facts.last_day, p.facts.confidence, *_inside(p),
        )
        for p in found
    ]  # fmt: skip
    names = ["patch", "county_name", "area_mu", "first_day", "last_day", "confidence", "x", "y"]
    return pd.DataFrame(rows, columns=names)


def _inside(patch: Patch) -> tuple[float, float]:
    point = patch.outline.representative_point()
    return round(point.x), round(point.y)
