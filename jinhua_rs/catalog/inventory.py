"""The inventory of a period: every item found, whether it is used, and why."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import Self

from shapely.errors import ShapelyError

from jinhua_rs.catalog import snapshot
from jinhua_rs.catalog.decisions import REASONS, Rules, collapse, drop, judge, keep, ordered
from jinhua_rs.catalog.items import Candidate, Lineage
from jinhua_rs.catalog.sizes import estimated_bytes, stated_bytes
from jinhua_rs.errors import IntegrityError, JinhuaError, NoDataError
from jinhua_rs.period import ZONE, Period
from jinhua_rs.scene import Scene, SceneDecision

__all__ = ["REASONS", "Inventory", "drop", "keep"]

_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, ShapelyError)
_COPIES = frozenset({"kept", "spare", "cloud", "season", "certificate", "duplicate"})
"""Codes of the scenes among which the best copy of an acquisition was chosen."""


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
        One for each item: kept, spare, dropped, each part sorted by acquisition and id.
    attribution : str
        What must be printed beside products.
    rules : Rules
        By which sound scenes were judged.
    lineage : Mapping of str to Lineage
        By scene id: the facts by which copies of one acquisition are told apart.
    """

    period: Period
    profile: str
    source: str
    bounds: tuple[float, float, float, float]
    decisions: tuple[SceneDecision, ...]
    attribution: str = ""
    rules: Rules = field(default_factory=Rules)
    lineage: Mapping[str, Lineage] = field(default_factory=dict)

    @property
    def kept(self) -> tuple[Scene, ...]:
        """Scenes of the period to use, sorted by acquisition, tile and id."""
        return self._scenes("kept")

    @property
    def spare(self) -> tuple[Scene, ...]:
        """Sound scenes from the days around the period, sorted likewise; never among `kept`."""
        return self._scenes("spare")

    def _scenes(self, verdict: str) -> tuple[Scene, ...]:
        scenes = (one.scene for one in self.decisions if one.verdict == verdict and one.scene)
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
        return stated_bytes(self.kept)

    @property
    def estimated_size(self) -> int:
        """Bytes of the wanted assets of the kept scenes, estimated where items do not say."""
        return estimated_bytes(self.kept)

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

    def without(self, ghosts: Mapping[str, str]) -> Self:
        """
        Return the inventory without scenes whose files turned out not to be there.

        They are dropped with code ``ghost``, and the choice between copies is made anew: the
        older copy that a ghost had replaced takes its place, if season and cloud allow. Look at
        the files of what has returned, too.

        Parameters
        ----------
        ghosts : Mapping of str to str
            Scene id to what was found; ids that are no scene of the inventory are passed over.
        """
        living = (
            Candidate(one.scene, self.lineage.get(one.id, Lineage()))
            for one in self.decisions
            if one.scene and one.code in _COPIES and one.id not in ghosts
        )
        again = {one.id: one for one in collapse(living)}

        def anew(one: SceneDecision) -> SceneDecision:
            if one.scene is None or one.code not in _COPIES:
                return one
            if one.id in ghosts:
                return _ghost(one, ghosts[one.id])
            if again[one.id].code == "duplicate":
                return again[one.id]
            returned = one.code == "duplicate"
            return judge(one.scene, self.period, self.rules) if returned else one

        return self._with(anew)

    def aside(self, reasons: Mapping[str, tuple[str, str]]) -> Self:
        """
        Return the inventory without scenes that measurement has found unfit.

        They are dropped with code ``certificate``. An older copy does not return, as it does not
        for a cloudy scene: it shows the same ground at the same instant, and was not measured.

        Parameters
        ----------
        reasons : Mapping of str to (str, str)
            Scene id to the reason, English and Chinese; only kept and spare scenes are concerned.
        """

        def anew(one: SceneDecision) -> SceneDecision:
            if one.verdict == "dropped" or one.id not in reasons:
                return one
            why, why_zh = reasons[one.id]
            return drop(one.id, "certificate", detail=why, detail_zh=why_zh, scene=one.scene)

        return self._with(anew)

    def _with(self, anew: Callable[[SceneDecision], SceneDecision]) -> Self:
        return replace(self, decisions=ordered(map(anew, self.decisions)))

    def _tally(self, language: str, codes: Iterable[str] = REASONS) -> str:
        names = {code: zh if language == "zh" else en for code, (en, zh) in REASONS.items()}
        if not self.decisions:
            return "没有找到任何影像" if language == "zh" else "nothing was found"
        counts = self.counts
        return ", ".join(f"{names[code]} {counts[code]}" for code in codes if code in counts)

    def describe(self, language: str, *, full: bool = False) -> str:
        """
        Tell a person who plans a run what was found: counts, bytes, dates and clouds.

        ``full`` adds every item that was dropped, with its reason.
        """
        chinese = language == "zh"
        lines = [self._headline(language)]
        if self.kept:
            size, about = self.size, self.estimated_size
            lines.append(
                f"{'数据量' if chinese else 'assets'} {_bytes(size)}"
                if size is not None
                else f"数据量约 {_bytes(about)}（估算）"
                if chinese
                else f"assets about {_bytes(about)} (estimated)"
            )
        lines += _days(self.kept, chinese=chinese)
        if self.spare:
            lines.append("时段前后的备用影像：" if chinese else "spare, around the period:")
            lines += _days(self.spare, chinese=chinese)
        if full and self.dropped:
            lines.append("未采用：" if chinese else "dropped:")
            whys = ((one.id, one.reason_zh if chinese else one.reason) for one in self.dropped)
            lines += [f"{identity}  {why}" for identity, why in whys]
        return "\n".join(lines)

    def _headline(self, language: str) -> str:
        total, used, near, out = map(len, (self.decisions, self.kept, self.spare, self.dropped))
        why = self._tally(language, [code for code in REASONS if code not in ("kept", "spare")])
        if language == "zh":
            reasons = f"（{why}）" if why else ""
            return (
                f"{self.period.name_zh}：找到 {total} 景，采用 {used} 景，前后备用 {near} 景，"
                f"未采用 {out} 景{reasons}"
            )
        reasons = f" ({why})" if why else ""
        return f"{self.period}: {total} found, {used} used, {near} spare, {out} dropped{reasons}"

    def to_json(self) -> str:
        """
        Snapshot as a STAC item collection, always the same for the same inventory.

        A GeoJSON file that QGIS opens: one feature for each decision, ``jinhua:verdict``,
        ``jinhua:code`` and ``jinhua:reason`` among its properties, no geometry where the item
        was too damaged to tell.
        """
        start, stop = self.rules.window(self.period)
        header = {
            "period": str(self.period),
            "profile": self.profile,
            "source": self.source,
            "bounds": self.bounds,
            "window": [f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{stop:%Y-%m-%dT%H:%M:%SZ}"],
            "rules": asdict(self.rules),
            "attribution": self.attribution,
            "counts": self.counts,
        }
        return snapshot.dump(header, self.decisions, self.lineage)

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
            header, decisions, lineage = snapshot.load(text)
            west, south, east, north = map(float, header["bounds"])
            rules = header["rules"]
            return cls(
                period=Period.parse(header["period"]),
                profile=header["profile"],
                source=header["source"],
                bounds=(west, south, east, north),
                attribution=header["attribution"],
                rules=Rules(**rules | {"season": tuple(rules["season"])}),
                decisions=decisions,
                lineage=lineage,
            )
        except (*_UNREADABLE, JinhuaError) as error:
            raise IntegrityError(
                f"the scene inventory cannot be read ({error!r:.120}); search again",
                zh=f"影像清单无法读取（{error!r:.120}）；请重新检索",
            ) from error


def _ghost(one: SceneDecision, why: str) -> SceneDecision:
    english, chinese = REASONS["ghost"]
    return drop(
        one.id,
        "ghost",
        detail=f"{english}: {why}",
        detail_zh=f"{chinese}：{why}",
        scene=one.scene,
    )


def _days(scenes: Iterable[Scene], *, chinese: bool) -> Iterator[str]:
    """One line for each day in Asia/Shanghai: tiles and clouds."""
    for day, group in groupby(scenes, key=lambda scene: scene.acquired.astimezone(ZONE).date()):
        there = list(group)
        tiles = " ".join(sorted({scene.tile for scene in there}))
        clouds = "/".join(_percent(scene.cloud) for scene in there)
        yield f"{day}  {tiles}  {'云量' if chinese else 'cloud'} {clouds}"


def _bytes(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def _percent(cloud: float) -> str:
    return "—" if math.isnan(cloud) else f"{cloud:.0f}%"
