"""The inventory of a period: every item found, whether it is used, and why."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Self

from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape

from jinhua_rs.catalog.items import Candidate
from jinhua_rs.errors import IntegrityError, JinhuaError, NoDataError
from jinhua_rs.period import ZONE, Period
from jinhua_rs.scene import Asset, Scene, SceneDecision

__all__ = ["REASONS", "Inventory", "collapse", "drop", "keep"]

REASONS: Mapping[str, tuple[str, str]] = {
    "kept": ("used", "采用"),
    "cloud": ("too cloudy", "云量过高"),
    "area": ("outside the area", "不在监测范围内"),
    "duplicate": ("older copy of the same acquisition", "同一次成像的旧版本"),
    "damaged": ("damaged or incomplete item", "元数据残缺或有误"),
}
"""Code of a decision to its English and Chinese name, in the order in which they are listed."""

_FORMAT = "jinhua-rs inventory 1"
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, ShapelyError)
_SAME_INSTANT = timedelta(minutes=1)
_SAME_PLACE = 0.9
"""Copies whose outlines share this much of their union show the same ground."""
_COVERED = 0.99
"""An older copy is needless where the newer one covers this share of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """
    What a search found for a period.

    Attributes
    ----------
    period : Period
    profile : str
        Name of the profile, for provenance.
    source : str
        Address of the catalogue.
    bounds : (west, south, east, north)
        Of the area asked for, degrees, EPSG:4326.
    decisions : tuple of SceneDecision
        One for each item, kept ones first, each part sorted by acquisition and id.
    attribution : str
        What must be printed beside products.
    """

    period: Period
    profile: str
    source: str
    bounds: tuple[float, float, float, float]
    decisions: tuple[SceneDecision, ...]
    attribution: str = ""

    @property
    def kept(self) -> tuple[Scene, ...]:
        """Scenes to use, sorted by acquisition, tile and id."""
        scenes = (one.scene for one in self.decisions if one.verdict == "kept" and one.scene)
        return tuple(sorted(scenes, key=lambda scene: (scene.acquired, scene.tile, scene.id)))

    @property
    def dropped(self) -> tuple[SceneDecision, ...]:
        """Decisions against an item."""
        return tuple(one for one in self.decisions if one.verdict == "dropped")

    @property
    def counts(self) -> dict[str, int]:
        """Number of items by reason code, in the order of :data:`REASONS`; zeros left out."""
        found = Counter(one.code for one in self.decisions)
        return {code: found[code] for code in REASONS if found[code]}

    @property
    def size(self) -> int | None:
        """Bytes of the wanted assets of the kept scenes; None where one does not say."""
        sizes = [asset.size for scene in self.kept for asset in scene.assets.values()]
        known = [size for size in sizes if size is not None]
        return sum(known) if sizes and len(known) == len(sizes) else None

    def require(self) -> Self:
        """
        Return the inventory if it holds a scene to use.

        Raises
        ------
        NoDataError
            Naming period, profile, area and what was dropped.
        """
        if self.kept:
            return self
        place = ", ".join(f"{bound:.2f}" for bound in self.bounds)
        raise NoDataError(
            f"no usable scene for {self.period} in {self.profile} (area {place}): "
            f"{self._tally('en')}; look at the plan, then raise [stac] max_cloud, choose another "
            "period or mend the source",
            zh=f"{self.period.name_zh}在数据源 {self.profile} 中没有可用影像（范围 {place}）："
            f"{self._tally('zh')}；请查看计划，然后放宽 [stac] max_cloud、更换时段或检查数据源",
        )

    def _tally(self, language: str) -> str:
        names = {code: zh if language == "zh" else en for code, (en, zh) in REASONS.items()}
        if not self.decisions:
            return "没有找到任何影像" if language == "zh" else "nothing was found"
        return ", ".join(f"{names[code]} {count}" for code, count in self.counts.items())

    def describe(self, language: str) -> str:
        """Tell a person who plans a run what was found: counts, dates, clouds and bytes."""
        chinese = language == "zh"
        total, used = len(self.decisions), len(self.kept)
        lines = [
            f"{self.period.name_zh}：找到 {total} 景，采用 {used} 景（{self._tally('zh')}）"
            if chinese
            else f"{self.period}: {total} found, {used} used ({self._tally('en')})"
        ]
        if self.kept and self.size is not None:
            lines.append(f"{'数据量' if chinese else 'assets'} {_bytes(self.size)}")
        for day, scenes in groupby(
            self.kept, key=lambda scene: scene.acquired.astimezone(ZONE).date()
        ):
            there = list(scenes)
            tiles = " ".join(sorted({scene.tile for scene in there}))
            clouds = "/".join(_percent(scene.cloud) for scene in there)
            lines.append(f"{day}  {tiles}  {'云量' if chinese else 'cloud'} {clouds}")
        return "\n".join(lines)

    def to_json(self) -> str:
        """Snapshot as JSON text, always the same for the same inventory."""
        record = {
            "format": _FORMAT,
            "period": str(self.period),
            "profile": self.profile,
            "source": self.source,
            "bounds": self.bounds,
            "attribution": self.attribution,
            "counts": self.counts,
            "decisions": [
                {
                    "id": one.id,
                    "verdict": one.verdict,
                    "code": one.code,
                    "reason": one.reason,
                    "reason_zh": one.reason_zh,
                    "scene": _scene_record(one.scene) if one.scene else None,
                }
                for one in self.decisions
            ],
        }
        return json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """
        Read a snapshot; the scenes are exactly those that were written.

        Raises
        ------
        IntegrityError
            If the text is no snapshot of this format.
        """
        try:
            record = _record_of(text)
            west, south, east, north = map(float, record["bounds"])
            return cls(
                period=Period.parse(record["period"]),
                profile=record["profile"],
                source=record["source"],
                bounds=(west, south, east, north),
                attribution=record["attribution"],
                decisions=tuple(_decision_of(one) for one in record["decisions"]),
            )
        except (*_UNREADABLE, JinhuaError) as error:
            raise IntegrityError(
                f"the scene inventory cannot be read ({error!r:.120}); search again",
                zh=f"影像清单无法读取（{error!r:.120}）；请重新检索",
            ) from error


def keep(scene: Scene) -> SceneDecision:
    """Decide for a scene."""
    return SceneDecision(scene.id, "kept", "used", scene, "kept", "采用")


def drop(
    identity: str, code: str, *, detail: str = "", detail_zh: str = "", scene: Scene | None = None
) -> SceneDecision:
    """Decide against an item, by a code of :data:`REASONS`; without ``detail`` the code's name."""
    english, chinese = REASONS[code]
    return SceneDecision(
        identity, "dropped", detail or english, scene, code, detail_zh or detail or chinese
    )


def collapse(candidates: Iterable[Candidate]) -> tuple[SceneDecision, ...]:
    """
    Keep one copy of every acquisition: the newest baseline, then processing, then sequence.

    Copies are scenes of one tile and one datatake (or one platform within a minute) that
    show the same ground; strips of one datatake that show different ground are both kept.
    """
    chosen: list[Candidate] = []
    decisions = []
    for one in sorted(candidates, key=_rank, reverse=True):
        better = next((other for other in chosen if _supersedes(other, one)), None)
        if better is None:
            chosen.append(one)
            decisions.append(keep(one.scene))
            continue
        newer, older = better.scene, one.scene
        decisions.append(
            drop(
                older.id,
                "duplicate",
                detail=f"replaced by {newer.id} (baseline {older.baseline} -> {newer.baseline})",
                detail_zh=f"由 {newer.id} 取代（处理基线 {older.baseline} → {newer.baseline}）",
                scene=older,
            )
        )
    return tuple(decisions)


def _rank(one: Candidate) -> tuple[str, str, int, str]:
    return one.scene.baseline, one.processed, one.sequence, one.scene.id


def _supersedes(newer: Candidate, older: Candidate) -> bool:
    first, second = newer.scene, older.scene
    if first.tile != second.tile:
        return False
    same_take = bool(newer.datatake) and newer.datatake == older.datatake
    same_look = (
        first.platform == second.platform and abs(first.acquired - second.acquired) <= _SAME_INSTANT
    )
    if not (same_take or same_look):
        return False
    common = first.footprint.intersection(second.footprint).area
    union = first.footprint.area + second.footprint.area - common
    return bool(common >= _SAME_PLACE * union or common >= _COVERED * second.footprint.area)


def _bytes(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def _percent(cloud: float) -> str:
    return "—" if math.isnan(cloud) else f"{cloud:.0f}%"


def _scene_record(scene: Scene) -> dict[str, Any]:
    facts = {name: getattr(scene, name) for name in _PLAIN}
    return facts | {
        "acquired": scene.acquired.isoformat(),
        "cloud": None if math.isnan(scene.cloud) else scene.cloud,
        "footprint": mapping(scene.footprint),
        "assets": {name: asdict(asset) for name, asset in scene.assets.items()},
    }


_PLAIN: Sequence[str] = (
    "id", "tile", "platform", "baseline", "offset", "offset_reason", "scale", "crs", "provider",
    "simulated",
)  # fmt: skip


def _record_of(text: str) -> Any:  # noqa: ANN401 - JSON value
    record = json.loads(text)
    if record["format"] != _FORMAT:
        raise ValueError(f"format {record['format']!r}")
    return record


def _decision_of(record: Mapping[str, Any]) -> SceneDecision:
    scene = record["scene"]
    return SceneDecision(
        id=record["id"],
        verdict=record["verdict"],
        reason=record["reason"],
        scene=_scene_of(scene) if scene else None,
        code=record["code"],
        reason_zh=record["reason_zh"],
    )


def _scene_of(record: Mapping[str, Any]) -> Scene:
    return Scene(
        **{name: record[name] for name in _PLAIN},
        acquired=datetime.fromisoformat(record["acquired"]),
        cloud=float("nan") if record["cloud"] is None else record["cloud"],
        footprint=shape(record["footprint"]),
        assets={name: _asset_of(asset) for name, asset in record["assets"].items()},
    )


def _asset_of(record: Mapping[str, Any]) -> Asset:
    transform, rows = record["transform"], record["shape"]
    return Asset(
        href=record["href"],
        transform=tuple(transform) if transform else None,
        shape=(rows[0], rows[1]) if rows else None,
        checksum=record["checksum"],
        size=record["size"],
    )
