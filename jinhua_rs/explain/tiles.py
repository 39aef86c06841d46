"""A tile: what was made of it, from which scenes, and how often its ground was seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geom import Geometry
from odc.geo.xr import rasterize

from jinhua_rs import store
from jinhua_rs.certificate.document import SET_ASIDE
from jinhua_rs.explain.desk import (
    Desk,
    Explanation,
    Line,
    as_facts,
    broken_assets,
    history_lines,
)
from jinhua_rs.explain.vouchers import verdict_of
from jinhua_rs.grid import Tile
from jinhua_rs.ledger import in_chinese
from jinhua_rs.period import ZONE
from jinhua_rs.scene import Scene
from jinhua_rs.schema import Window

__all__ = ["explain_tile"]

_STATES = {"finished": "已完成", "damaged": "已损坏，下次运行将重做", "missing": "未生成"}
_LOOKS = {
    "used": "采用", "in reserve": "备用", "left out": "未用", "not yet": "尚未处理",
}  # fmt: skip


def explain_tile(desk: Desk, tile: Tile) -> Explanation:
    """Say what became of a tile: products, looks, scenes used and left out, history."""
    period, products = (
        desk.plan.period,
        {name: _product(desk, name, tile) for name in desk.products},
    )
    scenes = [_look(desk, tile, scene) for scene in desk.plan.scenes_of(tile)]
    seen = _seen(desk, tile) if products["composite"]["state"] == "finished" else None
    history = desk.about_tile(tile.id)
    left, bottom, right, top = tile.geobox.boundingbox.bbox
    place = f"x {left:.0f}–{right:.0f}, y {bottom:.0f}–{top:.0f} m, {desk.plan.settings.area.crs}"
    facts = {
        "subject": tile.id,
        "kind": "tile",
        "period": str(period),
        "bounds": [left, bottom, right, top],
        "crs": desk.plan.settings.area.crs,
        "products": products,
        "scenes": scenes,
        "seen": seen,
        "ledger": as_facts(history),
    }
    lines = [
        (f"tile {tile.id} of {period}: {place}", f"{period.name_zh}瓦片 {tile.id}：{place}"),
        *(_product_line(name, product) for name, product in products.items()),
        *_seen_lines(seen),
        *(_look_line(look) for look in scenes),
        *history_lines(history),
    ]
    return Explanation(tile.id, "tile", facts, tuple(lines))


def _product(desk: Desk, name: str, tile: Tile) -> dict[str, Any]:
    """State of one piece, with everything that its sidecar says; every byte is checked."""
    sidecar = desk.sidecar(name, tile.id)
    if not sidecar:
        return {"state": "missing"}
    whole = store.is_sealed(desk.piece(name, tile.id), str(sidecar.get("key")))
    return {"state": "finished" if whole else "damaged"} | sidecar


def _product_line(name: str, product: Mapping[str, Any]) -> Line:
    en, zh = str(product["state"]), _STATES[product["state"]]
    if "key" in product:
        facts = f"key {product['key']}, SHA-256 {str(product['sha256'])[:12]}…"
        en, zh = f"{en}, {facts}", f"{zh}，{facts}"
    if "clear_pixels" in product:
        en += f", {product['clear_pixels']} clear pixels"
        zh += f"，晴空像元 {product['clear_pixels']} 个"
    return f"  {name:<10}{en}", f"  {name:<10}{zh}"


def _look(desk: Desk, tile: Tile, scene: Scene) -> dict[str, str]:
    """
    Say what became of a scene on a tile whose ground it shows.

    A scene of the days around the period is ``in reserve``: read only where looks are few.
    """
    sidecar = desk.sidecar("composite", tile.id)
    trouble, trouble_zh = _trouble(desk, sidecar, scene)
    state = "left out" if trouble else "not yet"
    if scene.id in sidecar.get("scenes", ()):
        state = "used" if desk.plan.period.contains(scene.acquired) else "in reserve"
        trouble = trouble_zh = ""
    day = f"{scene.acquired.astimezone(ZONE):%Y-%m-%d}"
    said = {"state": state, "reason": trouble, "reason_zh": trouble_zh}
    return {"id": scene.id, "day": day} | said


def _trouble(desk: Desk, sidecar: Mapping[str, Any], scene: Scene) -> tuple[str, str]:
    """Say why a tile does without a scene, English and Chinese; empty if nothing is known."""
    broken = "; ".join(broken_assets(sidecar, scene.id))
    if broken:
        return broken, in_chinese(broken)
    verdict = verdict_of(desk.certificate, scene.id)
    if verdict is not None and verdict.verdict == SET_ASIDE:
        return verdict.reason, verdict.reason_zh
    noted = [entry for entry in desk.about_scene(scene.id) if entry.reason]
    if noted:
        return noted[-1].reason, noted[-1].chinese
    if sidecar:
        return "not among the scenes that the tile was made from", "瓦片生成时未包含该影像"
    return "", ""


def _look_line(look: Mapping[str, str]) -> Line:
    en = f"  ({look['reason']})" if look["reason"] else ""
    zh = f"：{look['reason_zh']}" if look["reason_zh"] else ""
    return (
        f"  {look['day']}  {look['state']:<10}  {look['id']}{en}",
        f"  {look['day']}  {_LOOKS[look['state']]}  {look['id']}{zh}",
    )


def _seen(desk: Desk, tile: Tile) -> dict[str, Any] | None:
    """Count the clear looks at the tile's pixels inside the area; None if there are none."""
    data = store.open_tile(desk.piece("composite", tile.id))
    ground = Geometry(desk.plan.outline, tile.geobox.crs)
    inside = rasterize(ground, tile.geobox, all_touched=True).to_numpy()
    looks: NDArray[np.uint16] = data["n_clear"].to_numpy()[inside]
    if not looks.size:
        return None
    spread = {"min": int(looks.min()), "median": float(np.median(looks)), "max": int(looks.max())}
    seen = {
        "pixels": int(looks.size),
        "n_clear": spread,
        "never_clear_share": float((looks == 0).mean()),
    }
    if "window" in data:
        widened = data["window"].to_numpy()[inside] == Window.WIDENED
        seen["widened_share"] = float(widened.mean())
    return seen


def _seen_lines(seen: Mapping[str, Any] | None) -> list[Line]:
    if seen is None:
        return []
    spread, never = seen["n_clear"], f"{seen['never_clear_share']:.1%}"
    looks = f"{spread['min']} / {spread['median']:g} / {spread['max']}"
    en = f"  clear looks {looks} (min / median / max) on {seen['pixels']} pixels, never {never}"
    zh = f"  晴空观测 {looks} 次（最少/中位/最多），像元 {seen['pixels']} 个，从未晴空 {never}"
    if "widened_share" in seen:
        share = f"{seen['widened_share']:.1%}"
        en += f", from the days around the period {share}"
        zh += f"，借用时段前后日期 {share}"
    return [(en, zh)]
