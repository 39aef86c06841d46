"""What the certificate of a period says of one scene."""

from dataclasses import asdict
from typing import Any

from jinhua_rs.certificate import Certificate, SceneVerdict
from jinhua_rs.explain.desk import Line

__all__ = ["certificate_facts", "certificate_lines", "verdict_of"]


def verdict_of(certificate: Certificate | None, scene: str) -> SceneVerdict | None:
    """Return what was found of a scene; None if it was not examined."""
    found = [] if certificate is None else [v for v in certificate.scenes if v.id == scene]
    return found[0] if found else None


def certificate_facts(certificate: Certificate | None, scene: str) -> dict[str, Any] | None:
    """Return everything that was measured on a scene, and its steps to others of the same day."""
    verdict = verdict_of(certificate, scene)
    if certificate is None or verdict is None:
        return None
    steps = [asdict(one) for one in certificate.steps if scene in (one.first, one.second)]
    return asdict(verdict) | {"steps": steps}


def certificate_lines(certificate: Certificate | None, scene: str) -> list[Line]:
    """Tell the verdict, the offset and the shift that were measured, remarks and steps."""
    verdict = verdict_of(certificate, scene)
    if certificate is None or verdict is None:
        return []
    names = {"sound": "合格", "unmeasured": "未能全部测定，可用", "set aside": "不予采用"}
    why, why_zh = verdict.reason, verdict.reason_zh
    lines = [
        (
            f"  certificate  {verdict.verdict}" + (f": {why}" if why else ""),
            f"  合格证  {names[verdict.verdict]}" + (f"：{why_zh}" if why_zh else ""),
        ),
        *_measured(verdict),
        *((f"  certificate  {note.en}", f"  合格证  {note.zh}") for note in verdict.remarks),
    ]
    for step in certificate.steps:
        if scene in (step.first, step.second):
            other = step.second if step.first == scene else step.first
            numbers = f"red {_number(step.red)}, nir {_number(step.nir)} DN"
            lines.append((f"  step to {other}  {numbers}", f"  与 {other} 的接边差  {numbers}"))
    return lines


def _measured(verdict: SceneVerdict) -> list[Line]:
    said, offset = verdict.offset_said, _number(verdict.offset_measured)
    place = "—"
    if verdict.shift is not None:
        down, right = verdict.shift
        place = f"{down:+.2f}, {right:+.2f} px"
    return [
        (f"  offset said {said}, measured {offset}", f"  辐射偏移：元数据 {said}，实测 {offset}"),
        (f"  shift down, right {place}", f"  配准偏差（下、右）{place}"),
    ]


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:g}"
