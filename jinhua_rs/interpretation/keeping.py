"""A design on disk: one JSON that can be checked, a point layer and a table for other tools."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from jinhua_rs import store
from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.estimation.design import Design, FrameFacts

__all__ = ["design_points", "read_design", "require_new", "strata_table", "write_design"]

_NAME = "design.json"
_POINT = re.compile(r"P\d{4,9}")  # names become names of files
_STRATA = ["county", "name", "class", "pixels", "n"]
_POINTS = ["point", "column", "row", "stratum", "batch"]


def write_design(folder: Path, design: Design) -> None:
    """
    Write a design to a new folder, whole or not at all.

    ``design.json`` is the design. ``points.gpkg`` shows the points with stratum and chance, and
    ``strata.csv`` the strata as ``jinhua-rs estimate --strata`` reads them. All three tell the
    strata: they are for whoever plans the sample, not for interpreters.

    Raises
    ------
    ConfigError
        If the folder is there already.
    """
    require_new(folder)
    with store.whole(folder) as part:
        part.mkdir(parents=True)
        store.write_json(part / _NAME, _facts(design))
        design_points(design).to_file(part / "points.gpkg", layer="points")
        strata_table(design).to_csv(part / "strata.csv", index=False, encoding="utf-8-sig")
        store.write_sums(part, sorted(path for path in part.iterdir() if path.is_file()))


def require_new(path: Path) -> None:
    """Refuse to write where something is: what people filled in is never overwritten."""
    if path.exists():
        raise ConfigError(
            f"{path} is there already; name a new place, nothing is overwritten",
            zh=f"{path} 已存在；请指定新的位置，本程序不覆盖已有文件",
        )


def read_design(folder: Path) -> Design:
    """
    Read a design.

    Raises
    ------
    ConfigError
        If the folder holds none.
    IntegrityError
        If it is not what was written.
    """
    path = folder / _NAME
    if not path.is_file():
        raise ConfigError(
            f"{folder} holds no {_NAME}; name the folder that `sample draw` made",
            zh=f"{folder} 中没有 {_NAME}；请指定 sample draw 生成的文件夹",
        )
    found: Any = store.read_json(path)
    try:
        design = _parsed(found)
    except (KeyError, TypeError, ValueError) as error:
        raise _changed(path) from error
    if design.id != found["id"] or not _as_counted(design):
        raise _changed(path)
    return design


def _changed(path: Path) -> IntegrityError:
    return IntegrityError(
        f"{path} was changed after it was written; use the folder as it was made",
        zh=f"{path} 生成后被改动；请使用原始文件夹",
    )


def _parsed(found: dict[str, Any]) -> Design:
    strata = pd.DataFrame(found["strata"]).set_index("stratum")[_STRATA]
    areas = pd.DataFrame.from_dict(found["areas"], orient="index")[strata.index]
    return Design(
        seed=found["seed"],
        facts=FrameFacts(**found["facts"]),
        strata=strata,
        areas=areas.rename_axis(index="unit", columns="stratum"),
        points=pd.DataFrame(found["points"])[_POINTS],
        former=tuple(found["former"]),
    )


def _facts(design: Design) -> dict[str, object]:
    return {
        "id": design.id,
        "former": list(design.former),
        "seed": design.seed,
        "facts": asdict(design.facts),
        "strata": design.strata.reset_index().to_dict("records"),
        "areas": {str(unit): row.to_dict() for unit, row in design.areas.iterrows()},
        "points": design.points.to_dict("records"),
    }


def _as_counted(design: Design) -> bool:
    """Tell whether each stratum has the points it says, and every point a name of its own."""
    counted = design.points["stratum"].value_counts()
    counted = counted.reindex(design.strata.index, fill_value=0)
    names = design.points["point"]
    named = names.is_unique and all(_POINT.fullmatch(name) for name in names)
    return bool((counted == design.strata["n"]).all() and named)


def design_points(design: Design) -> gpd.GeoDataFrame:
    """Points: ``stratum``, ``inclusion`` (chance to be drawn), ``weight`` (pixels), ``batch``."""
    points = design.points[["point", "stratum", "batch"]]
    inclusion = points["stratum"].map(design.inclusion)
    told = points.assign(inclusion=inclusion, weight=1 / inclusion, design=design.id)
    places = design.places()
    geometry = gpd.points_from_xy(places[:, 0], places[:, 1], crs=design.facts.crs)
    return gpd.GeoDataFrame(told.assign(label=design.facts.label), geometry=geometry)


def strata_table(design: Design) -> pd.DataFrame:
    """Tell strata: county (``unit``, ``name``), ``class``, ``pixels``, ``area_m2``, ``n``."""
    table = design.strata.rename(columns={"county": "unit"}).reset_index()
    table.insert(5, "area_m2", table["pixels"] * design.pixel_m2)
    return table.assign(label=design.facts.label) if design.facts.label else table
