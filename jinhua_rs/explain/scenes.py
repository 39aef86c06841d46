"""A scene: why it was kept or dropped, what was measured on it, and which tiles used it."""

from collections.abc import Sequence
from math import isnan
from typing import Any

from jinhua_rs.explain.desk import (
    Desk,
    Explanation,
    Line,
    as_facts,
    broken_assets,
    history_lines,
)
from jinhua_rs.explain.vouchers import certificate_facts, certificate_lines
from jinhua_rs.period import ZONE
from jinhua_rs.scene import Scene, SceneDecision

__all__ = ["explain_scene"]

_VERDICTS = {"kept": "采用", "spare": "备用（时段前后）", "dropped": "未采用"}


def explain_scene(desk: Desk, decision: SceneDecision) -> Explanation:
    """Say what became of a scene: verdict, offset, certificate, tiles, history."""
    used, left_out = _tiles_of(desk, decision.id)
    history = desk.about_scene(decision.id)
    facts = {
        "subject": decision.id,
        "kind": "scene",
        "period": str(desk.plan.period),
        "verdict": decision.verdict,
        "code": decision.code,
        "reason": decision.reason,
        "reason_zh": decision.reason_zh,
        "scene": _facts(decision.scene),
        "certificate": certificate_facts(desk.certificate, decision.id),
        "tiles": {"used": used, "left_out": left_out},
        "ledger": as_facts(history),
    }
    lines = [
        _verdict_line(desk, decision),
        *_scene_lines(decision.scene),
        *certificate_lines(desk.certificate, decision.id),
        (f"  used in {len(used)} tiles  {_few(used)}", f"  用于 {len(used)} 块瓦片  {_few(used)}"),
        *((f"  left out of {t}  ({r})", f"  瓦片 {t} 未用（{r}）") for t, r in left_out.items()),
        *history_lines(history),
    ]
    return Explanation(decision.id, "scene", facts, tuple(lines))


def _verdict_line(desk: Desk, decision: SceneDecision) -> Line:
    period, verdict = desk.plan.period, decision.verdict
    en = f"scene {decision.id} of {period}: {verdict} ({decision.reason})"
    why = decision.reason_zh or decision.reason
    zh = f"{period.name_zh}影像 {decision.id}：{_VERDICTS.get(verdict, verdict)}（{why}）"
    return en, zh


def _tiles_of(desk: Desk, scene: str) -> tuple[list[str], dict[str, str]]:
    """Tiles whose composite used a scene, and those that left it out, with the reason."""
    sidecars = {tile.id: desk.sidecar("composite", tile.id) for tile in desk.plan.tiles}
    used = [tile for tile, facts in sidecars.items() if scene in facts.get("scenes", ())]
    broken = {tile: broken_assets(facts, scene) for tile, facts in sidecars.items()}
    return used, {tile: "; ".join(why) for tile, why in broken.items() if why}


def _facts(scene: Scene | None) -> dict[str, Any] | None:
    if scene is None:
        return None
    names = ("tile", "platform", "baseline", "offset", "offset_reason", "scale", "provider")
    return {name: getattr(scene, name) for name in names} | {
        "acquired": scene.acquired.isoformat(),
        "cloud": None if isnan(scene.cloud) else scene.cloud,
        "simulated": scene.simulated,
    }


def _scene_lines(scene: Scene | None) -> list[Line]:
    if scene is None:
        return [("  its metadata say no more", "  元数据没有更多信息")]
    when = f"{scene.acquired.astimezone(ZONE):%Y-%m-%d %H:%M}"
    cloud = "—" if isnan(scene.cloud) else f"{scene.cloud:.0f}%"
    sensor, offset = f"{scene.platform}  {scene.tile}", f"{scene.offset} ({scene.offset_reason})"
    en = f"  {when} UTC+8  {sensor}  baseline {scene.baseline}  cloud {cloud}"
    zh = f"  北京时间 {when}  {sensor}  处理基线 {scene.baseline}  云量 {cloud}"
    return [(en, zh), (f"  offset {offset}", f"  辐射偏移 {offset}")]


def _few(names: Sequence[str], most: int = 8) -> str:
    more = f" … (+{len(names) - most})" if len(names) > most else ""
    return " ".join(names[:most]) + more
