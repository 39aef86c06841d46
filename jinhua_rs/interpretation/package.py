"""The blind package: chips, forms and layers for interpreters, without a trace of the map."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from pyproj import Transformer

from jinhua_rs import figures, store
from jinhua_rs.errors import ConfigError, GridMismatch, IntegrityError
from jinhua_rs.estimation.design import Design, second_readings
from jinhua_rs.interpretation.forms import ROLES, Handout, guide, write_form
from jinhua_rs.interpretation.imagery import Imagery
from jinhua_rs.interpretation.keeping import require_new
from jinhua_rs.interpretation.layers import write_layers

__all__ = ["Manifest", "Order", "handout", "read_manifest", "write_package"]

_NAME = "package.json"
_LONLAT = "EPSG:4490"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    How a package is to be made.

    ``readers`` are names by role, as given, possibly empty; ``share`` of the points is read twice,
    0.2 or above; ``only_added``: the points added last, not all of the design.
    """

    readers: dict[str, str]
    share: float = 0.2
    only_added: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a package is: its design, its periods, the points of each role in order."""

    design: str
    periods: tuple[str, ...]
    roles: dict[str, list[str]]
    label: str

    @property
    def id(self) -> str:
        """Twelve hex digits of all of it."""
        facts = [self.design, self.periods, self.roles, self.label]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]

    def number(self, role: str) -> str:
        """Return the number of the form of a role."""
        return f"{self.id}-{role}"


def write_package(
    folder: Path,
    design: Design,
    looks: Sequence[Imagery],
    order: Order,
    *,
    now: datetime,
    progress: Progress,
) -> Manifest:
    """
    Write a package for two interpreters to a new folder, whole or not at all.

    Parameters
    ----------
    folder : Path
    design : Design
    looks : sequence of Imagery
        The periods to be judged, the earlier first.
    order : Order
    now : datetime
        Printed in the files.
    progress : callable
        Told the stage, chips done, chips in all.

    Returns
    -------
    Manifest
        ``package.json``: of what is in the folder nothing else is needed to read answers back.

    Raises
    ------
    ConfigError
        If the folder is there already, or fewer than a fifth are to be read twice.
    GridMismatch
        If the imagery lies on another grid than the design.
    """
    require_new(folder)
    if order.share < 0.2:
        raise ConfigError(
            f"{order.share:.0%} of the points read twice are too few; at least 20 % are needed",
            zh=f"复判比例 {order.share:.0%} 过低；不得少于 20%",
        )
    if any((x.grid.crs, x.grid.resolution) != _grid_of(design) for x in looks):
        raise GridMismatch(
            f"the imagery is not on the grid of design {design.id}, {_grid_of(design)}; package it "
            "with the settings it was drawn with",
            zh=f"影像格网与设计 {design.id} 不一致（{_grid_of(design)}）；请使用抽样时的配置",
        )
    manifest = _manifest(design, looks, order)
    with store.whole(folder) as part:
        (part / "chips").mkdir(parents=True)
        _draw(part / "chips", design, manifest, looks, progress)
        given = {
            role: handout(design, manifest, points, role, order.readers.get(role, ""), now)
            for role, points in manifest.roles.items()
        }
        for role, one in given.items():
            write_form(part / f"form-{role}.xlsx", one)
            write_layers(part / f"points-{role}.gpkg", one)
        first = given["1"]
        (part / "index.html").write_text(_page(manifest, first), encoding="utf-8")
        (part / "README.txt").write_text(_readme(manifest, first), encoding="utf-8-sig")
        store.write_json(part / _NAME, _facts(manifest))
        store.write_sums(part, [path for path in part.rglob("*") if path.is_file()])
    return manifest


def _grid_of(design: Design) -> tuple[str, float]:
    return design.facts.crs, design.facts.resolution


def _manifest(design: Design, looks: Sequence[Imagery], order: Order) -> Manifest:
    points = design.points
    chosen = points["batch"] == points["batch"].max() if order.only_added else points["batch"] >= 0
    twice = chosen & second_readings(design, order.share)
    return Manifest(
        design=design.id,
        periods=tuple(look.period for look in looks),
        roles={"1": points["point"][chosen].tolist(), "2": points["point"][twice].tolist()},
        label=design.facts.label,
    )


def handout(
    design: Design, manifest: Manifest, points: Sequence[str], role: str, reader: str, now: datetime
) -> Handout:
    """Gather what the interpreter of ``role`` is given."""
    way = Transformer.from_crs(design.facts.crs, _LONLAT, always_xy=True)
    places = pd.DataFrame(design.places(), design.points["point"], ["x", "y"]).loc[list(points)]
    lon, lat = way.transform(places["x"].to_numpy(), places["y"].to_numpy())
    return Handout(
        number=manifest.number(role),
        role=role,
        reader=reader,
        periods=manifest.periods,
        points=places.assign(lon=lon, lat=lat).reset_index(),
        resolution=design.facts.resolution,
        crs=design.facts.crs,
        label=manifest.label,
        created=now,
    )


def _draw(
    folder: Path,
    design: Design,
    manifest: Manifest,
    looks: Sequence[Imagery],
    progress: Progress,
) -> None:
    """Draw the chips, neighbours one after the other, so that a tile is read once."""
    points = design.points[design.points["point"].isin(manifest.roles["1"])]
    far = points.assign(east=points["column"] // 1024, north=points["row"] // 1024)
    ordered = far.sort_values(["north", "east", "row"])
    places = ordered[["column", "row"]].to_numpy()
    for done, (point, (column, row)) in enumerate(zip(ordered["point"], places, strict=True), 1):
        shown = [look.look(int(column), int(row)) for look in looks]
        png = figures.chip(point, shown, resolution=design.facts.resolution, mark=manifest.label)
        (folder / f"{point}.png").write_bytes(png)
        progress("chips", done, len(points))


def _facts(manifest: Manifest) -> dict[str, object]:
    return {
        "package": manifest.id,
        "design": manifest.design,
        "periods": list(manifest.periods),
        "roles": manifest.roles,
        "label": manifest.label,
    }


def read_manifest(folder: Path, design: Design) -> Manifest:
    """
    Read what a package is, and make sure that it is of this design.

    Raises
    ------
    ConfigError
        If the folder holds no package, or one of another design.
    IntegrityError
        If it is not what was written.
    """
    path = folder / _NAME
    if not path.is_file():
        raise ConfigError(
            f"{folder} holds no {_NAME}; name the folder that `sample package` made",
            zh=f"{folder} 中没有 {_NAME}；请指定 sample package 生成的文件夹",
        )
    found: Any = store.read_json(path)
    try:
        manifest = Manifest(
            found["design"], tuple(found["periods"]), found["roles"], found["label"]
        )
        sound = manifest.id == found["package"]
    except (KeyError, TypeError, ValueError) as error:
        raise _changed(path) from error
    if not sound:
        raise _changed(path)
    if manifest.design not in (design.id, *design.former):
        raise ConfigError(
            f"package {manifest.id} is of design {manifest.design}, not of {design.id}; read it "
            "with the design it was made from",
            zh=f"判读包 {manifest.id} 属于设计 {manifest.design}，不是 {design.id}；"
            "请用它自己的设计回收",
        )
    return manifest


def _changed(path: Path) -> IntegrityError:
    return IntegrityError(
        f"{path} was changed after it was written; use the package as it was made",
        zh=f"{path} 生成后被改动；请使用原始判读包",
    )


# --- pages -------------------------------------------------------------------------------------


def _page(manifest: Manifest, first: Handout) -> str:
    text = files("jinhua_rs.interpretation").joinpath("templates", "index.html").read_text("utf-8")
    made = Environment(autoescape=True, undefined=StrictUndefined).from_string(text)
    return made.render(
        package=manifest.id,
        periods="、".join(manifest.periods),
        label=manifest.label,
        points=first.points.to_dict("records"),
        twice=f"其中 {len(manifest.roles['2'])} 个由{ROLES['2']}复判。",
    )


def _readme(manifest: Manifest, first: Handout) -> str:
    first_n, second_n = (len(manifest.roles[role]) for role in ("1", "2"))
    lines = [
        f"样点判读包 {manifest.id}" + (f"　【{manifest.label}】" if manifest.label else ""),
        "",
        f"时段：{'、'.join(manifest.periods)}　样点：{first_n} 个，其中 {second_n} 个两人各判一次",
        "",
        "文件",
        f"  form-1.xlsx、points-1.gpkg   {ROLES['1']}，全部 {first_n} 个样点",
        f"  form-2.xlsx、points-2.gpkg   {ROLES['2']}，{second_n} 个样点",
        "  index.html、chips/           判读图，真彩色、标准假彩色、植被指数",
        "  package.json、SHA256SUMS     清单与校验和，请勿改动",
        "",
        "每人在 XLSX（Excel、WPS）与 GPKG（QGIS）中任选一种填写，只交一份。",
        "甲、乙两人须独立判读。填好后将文件交回，由 jinhua-rs sample read 汇总。",
        "",
        "判读要点",
        *(f"  {key}：{text}" for key, text in guide(first)),
        "",
    ]
    return "\r\n".join(lines)
