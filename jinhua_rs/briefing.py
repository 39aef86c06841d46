"""What the report is told about a period: units, rows, scenes, gates, targets, model, credits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import hypot
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from jinhua_rs import __version__, catalog, landcover, regions, report, schema
from jinhua_rs.certificate import Certificate, SceneVerdict
from jinhua_rs.figures import Words
from jinhua_rs.ledger import Ledger
from jinhua_rs.period import ZONE, Period
from jinhua_rs.planning import CERTIFICATE, Plan
from jinhua_rs.report import (
    Fact,
    Gate,
    ReportData,
    SceneCheck,
    SceneSummary,
    StepEffect,
    TargetLine,
    Unit,
)
from jinhua_rs.scene import SceneDecision

__all__ = ["Numbers", "brief", "city_first", "headline"]

Rows = Sequence[dict[str, Any]]
"""Indicator rows, ``schema.ROW_COLUMNS``."""

_MARK = Words("模拟数据", "SIMULATED")
_NONE = Words("", "")


@dataclass(frozen=True, slots=True)
class Numbers:
    """
    The indicator rows of a period, of its baseline, and of the change between them.

    ``series`` holds the coverage rows of all years of the season, this one included.

    ``widened`` is the share of the seen pixels that needed looks from around the period, ``lost``
    the share of them that were not named, by the companion quarter that did not show them
    (or ``elevation``), 0-1.

    ``effects`` is what each step of refinement did to the map (:mod:`jinhua_rs.effects`),
    ``heard`` the earlier years that were heard; ``alerts`` the ground in alert
    (:func:`jinhua_rs.forest.alert_areas`).
    """

    rows: Rows
    baseline: Period | None
    before: Rows
    changes: Rows
    widened: float
    series: pd.DataFrame = field(default_factory=lambda: schema.rows([]))
    lost: Mapping[str, float] = field(default_factory=dict)
    effects: pd.DataFrame = field(default_factory=pd.DataFrame)
    alerts: pd.DataFrame = field(default_factory=pd.DataFrame)
    heard: tuple[int, ...] = ()


def brief(plan: Plan, numbers: Numbers, model: Path, *, run_id: str, now: datetime) -> ReportData:
    """Gather everything that the report of a period says."""
    words = plan.settings.report
    label = Words(words.label_zh or _MARK.zh, words.label or _MARK.en)
    failed = _failed(plan)
    card = landcover.Model.load(model).card
    written = _certificate(plan)
    data = ReportData(
        period=str(plan.period),
        baseline=None if numbers.baseline is None else str(numbers.baseline),
        run_id=run_id,
        created=now.astimezone(ZONE).isoformat(timespec="minutes"),
        area=_area(plan),
        simulated=plan.simulated,
        label=label if plan.simulated else _NONE,
        units=_units(plan),
        rows=report.records(schema.rows(numbers.rows)),
        baseline_rows=report.records(schema.rows(numbers.before)),
        change_rows=report.records(schema.rows(numbers.changes)),
        series=report.records(numbers.series),
        scenes=SceneSummary.of(
            _of_period(plan), catalog.REASONS, source=plan.inventory.profile, failed=failed
        ),
        gates=_gates(plan, numbers.rows, card, failed),
        targets=tuple(
            TargetLine(key=key, **target.model_dump())
            for key, target in plan.settings.targets.items()
        ),
        model=(*_model_facts(card), *_screening_facts(card), *_lost_facts(numbers.lost)),
        accuracy=_accuracy_facts(card),
        certificate=_certificate_facts(written, numbers.widened),
        checks=() if written is None else _checks(plan, written),
        refinement=_refinement_facts(plan, numbers.heard),
        effects=_effects(numbers.effects),
        alerts=report.alert_areas(numbers.alerts),
        method=report.method_facts(plan.settings),
        version=__version__,
        credits=_credits(plan),
        rules=_rules(plan),
    )
    return report.told(data)


def _refinement_facts(plan: Plan, heard: Sequence[int]) -> tuple[Fact, ...]:
    """Say how the map was refined, and which earlier years were there to be heard."""
    options, size = plan.settings.refine, plan.settings.area.resolution
    side = 2 * options.rim(size) + 1
    past = [str(replace(plan.period, year=year)) for year in heard]
    patch, hole = f"{options.min_patch_mu:g}", f"{options.fill_holes_m2:g}"
    off = Words("未启用", "off")
    return (
        Fact(
            Words("邻域平滑", "Neighbours"),
            Words(f"{side}×{side} 像元", f"{side} × {side} pixels") if side > 1 else off,
        ),
        Fact(
            Words("参考的往年同季", "Earlier years heard"),
            Words("、".join(past), ", ".join(past)) if past else Words("无", "none"),
        ),
        Fact(
            Words("最小图斑", "Minimum unit"),
            Words(
                f"{patch} 亩，四邻连通，填补小于 {hole} 平方米的空隙",
                f"{patch} mu, 4-connected, holes below {hole} m² closed",
            ),
        ),
    )


def _effects(table: pd.DataFrame) -> tuple[StepEffect, ...]:
    known = table.astype(object).where(table.notna(), None)
    return tuple(
        StepEffect(**{str(name): value for name, value in one.items()})
        for one in known.to_dict("records")
    )


def _of_period(plan: Plan) -> list[SceneDecision]:
    """Decisions on what was acquired in the period; those on the days around it are no part."""
    return [
        one
        for one in plan.inventory.decisions
        if one.scene is None or plan.period.contains(one.scene.acquired)
    ]


def _failed(plan: Plan) -> int:
    """Count the kept scenes that could not be read."""
    kept = {scene.id for scene in plan.inventory.kept}
    entries = Ledger(plan.folder / "ledger.jsonl").current().values()
    return sum(e.kind == "scene" and e.state == "failed" and e.id in kept for e in entries)


def headline(plan: Plan, rows: Rows) -> dict[str, Any]:
    """Return the row of the whole area's tree cover."""
    whole = city_first(plan).index[0]
    found = (r for r in rows if r["unit"] == whole and r["indicator"] == "tree_cover_share")
    return next(found)


def city_first(plan: Plan) -> gpd.GeoDataFrame:
    """Return the units of a plan, the city first."""
    order = plan.units["level"].map(regions.LEVELS.index)
    ordered: gpd.GeoDataFrame = plan.units.assign(order=order).sort_values("order", kind="stable")
    return ordered


def _area(plan: Plan) -> Words:
    """Name of the area: as set, or of the one unit that the run is about."""
    words = plan.settings.report
    if plan.unit is None:
        return Words(words.area_name_zh, words.area_name)
    return Words(str(plan.units["name_zh"].iloc[0]), str(plan.units["name_en"].iloc[0]))


def _units(plan: Plan) -> tuple[Unit, ...]:
    return tuple(
        Unit(
            code=str(code),
            name=Words(str(unit["name_zh"]), str(unit["name_en"])),
            level=str(unit["level"]),
            area_m2=float(unit["geometry"].area),
        )
        for code, unit in city_first(plan).iterrows()
    )


def _gates(plan: Plan, rows: Rows, card: landcover.ModelCard, failed: int) -> tuple[Gate, ...]:
    gates, clear = plan.settings.gates, headline(plan, rows)["n_clear_share"]
    share = failed / len(plan.inventory.kept)
    return (
        Gate(
            name=Words("全域有效观测占比", "Area seen clear"),
            value=f"{clear:.1%}",
            limit=f"≥ {gates.min_clear_share:.0%}",
            passed=clear >= gates.min_clear_share,
        ),
        Gate(
            name=Words("读取失败的影像占比", "Scenes that could not be read"),
            value=f"{share:.1%}",
            limit=f"≤ {gates.max_failed_assets:.0%}",
            passed=share <= gates.max_failed_assets,
        ),
        Gate(
            name=Words("模型与本期同季", "Model of the same season"),
            value=", ".join(card.periods),
            limit=f"Q{plan.period.quarter}" if plan.period.quarter else "年度 year",
            passed=all(plan.period.comparable(Period.parse(text)) for text in card.periods),
        ),
        *_resolution_gate(plan, card),
    )


def _resolution_gate(plan: Plan, card: landcover.ModelCard) -> Iterator[Gate]:
    """Tell whether the model knows pixels of this size; models of before do not say."""
    if card.resolution_m is not None:
        yield Gate(
            name=Words("模型与本期同分辨率", "Model of the same pixel size"),
            value=f"{card.resolution_m:g} m",
            limit=f"{plan.settings.area.resolution:g} m",
            passed=card.resolution_m == plan.settings.area.resolution,
        )


def _model_facts(card: landcover.ModelCard) -> tuple[Fact, ...]:
    spans = (*card.periods, *card.companions)
    periods = "、".join(spans), ", ".join(spans)
    others = ", ".join(
        f"{name} {made} → {here}" for name, (made, here) in landcover.other_versions(card).items()
    )
    told = (
        Fact(Words("训练环境与当前不同", "Trained with other versions"), Words(others, others)),
    )
    return (
        *(told if others else ()),
        Fact(Words("模型", "Model"), Words(card.name, card.name)),
        Fact(Words("摘要", "SHA-256"), Words(card.sha256[:16], card.sha256[:16])),
        Fact(Words("训练时段", "Trained on"), Words(*periods)),
        Fact(
            Words("训练样本", "Samples"), Words(f"{card.samples.used} 个", f"{card.samples.used}")
        ),
    )


def _screening_facts(card: landcover.ModelCard) -> Iterator[Fact]:
    """Tell how far the labels of the samples were believed."""
    found = card.screening
    if found is not None:
        clean, look, drop = (
            sum(getattr(one, name) for one in found.classes) for name in ("clean", "look", "drop")
        )
        done = ("已剔除", "left out") if found.dropped else ("仅列出、未剔除", "told, not left out")
        yield Fact(
            Words("样本标签筛查", "Labels screened"),
            Words(
                f"可信 {clean}、建议复核 {look}、存疑 {drop}（{done[0]}）",
                f"{clean} clean, {look} to look at again, {drop} doubtful ({done[1]})",
            ),
        )


def _lost_facts(lost: Mapping[str, float]) -> Iterator[Fact]:
    """Tell how much was seen in the period but not named, and what did not show it."""
    for name, share in lost.items():
        what = Words("高程", "elevation") if name == "elevation" else Words(*[name.upper()] * 2)
        yield Fact(
            Words(f"本期可见而 {what.zh} 未见，未分类", f"Seen, but not in {what.en}: not named"),
            Words(f"{share:.1%}", f"{share:.1%}"),
        )


def _accuracy_facts(card: landcover.ModelCard) -> tuple[Fact, ...]:
    """Scores of samples in held-out blocks, named as such: they are not the map's accuracy."""
    facts = []
    if card.landcover is not None:
        score = f"{card.landcover.accuracy:.1%}"
        facts.append(
            Fact(
                Words(
                    "地类总体精度（空间块留出样本）", "Classes, overall (block-held-out samples)"
                ),
                Words(score, score),
            )
        )
    if card.canopy is not None:
        score = f"RMSE {card.canopy.rmse:.3f}"
        facts.append(
            Fact(
                Words("林冠覆盖度（空间块留出样本）", "Canopy cover (block-held-out samples)"),
                Words(score, score),
            )
        )
    return tuple(facts)


def _rules(plan: Plan) -> Words:
    """Say what counts by the statutory definition, as it is set."""
    rules = plan.settings.definitions
    switches = (
        (True, "乔木林", "tree stands"),
        (rules.bamboo, "竹林", "bamboo"),
        (rules.special_shrub, "林地上灌木经济林", "shrub crops on forest land"),
        (rules.tea, "茶园", "tea gardens"),
        (rules.oil_camellia, "其他园地上灌木经济林", "shrub crops on other gardens"),
        (rules.orchard, "果园", "orchards"),
        (bool(rules.roadside_stems), "四旁树折算", "trees outside stands"),
    )
    counted, left = ([one for one in switches if one[0] is on] for on in (True, False))
    names = [
        ("、".join(zh for _, zh, _ in part) or "无", ", ".join(en for *_, en in part) or "none")
        for part in (counted, left)
    ]
    return Words(
        f"本次法定口径计入：{names[0][0]}；不计：{names[1][0]}。",
        f"By law, as set here, counted: {names[0][1]}; not counted: {names[1][1]}.",
    )


def _certificate(plan: Plan) -> Certificate | None:
    """Read what was measured on the scenes; None where that was switched off."""
    if not plan.settings.certificate.check:
        return None
    return Certificate.from_json((plan.folder / CERTIFICATE).read_text(encoding="utf-8"))


def _certificate_facts(written: Certificate | None, widened: float) -> tuple[Fact, ...]:
    share = f"{widened:.1%}"
    window = Fact(
        Words("借用前后观测的像元占比", "Pixels of a widened window"), Words(share, share)
    )
    if written is None:
        return (window,)
    found = written.summary
    shift, step = (
        _number(found.largest_shift, "{:.2f} px"),
        _number(found.largest_step, "{:.0f} DN"),
    )
    told = (
        ("实测合格的影像", "Scenes measured sound", f"{found.n_sound} / {found.n_scenes}"),
        ("未能实测（照用）", "Not measurable (used)", f"{found.n_unmeasured}"),
        ("停用的影像", "Scenes set aside", f"{found.n_set_aside}"),
        ("采用影像的最大位移", "Largest shift among the used", shift),
        ("相邻图幅同日最大阶差", "Largest step between tiles of one day", step),
    )
    facts = [Fact(Words(zh, en), Words(text, text)) for zh, en, text in told]
    if found.remark:
        facts.append(Fact(Words("注意", "Mind"), Words(found.remark_zh, found.remark)))
    return (*facts, window)


def _checks(plan: Plan, written: Certificate) -> tuple[SceneCheck, ...]:
    days = {
        one.scene.id: f"{one.scene.acquired.astimezone(ZONE):%Y-%m-%d}"
        for one in plan.inventory.decisions
        if one.scene is not None
    }
    return tuple(_check(one, days.get(one.id, "—")) for one in written.scenes)


def _check(one: SceneVerdict, day: str) -> SceneCheck:
    shift = None if one.shift is None else hypot(*one.shift)
    verdict = _VERDICTS[one.verdict]
    return SceneCheck(
        scene=one.id,
        day=day,
        tile=one.tile,
        offset=f"{one.offset_said} / {_number(one.offset_measured, '{:d}')}",
        shift=_number(shift, "{:.2f}"),
        passed=one.verdict != "set aside",
        verdict=Words(one.reason_zh or verdict.zh, one.reason or verdict.en),
    )


_VERDICTS = {
    "sound": Words("合格", "sound"),
    "unmeasured": Words("未能实测", "not measurable"),
    "set aside": Words("停用", "set aside"),
}


def _number(value: float | None, form: str) -> str:
    return "—" if value is None else form.format(value)


def _credits(plan: Plan) -> tuple[Words, ...]:
    texts = [*plan.settings.report.credits, plan.inventory.attribution]
    if plan.settings.area.units is None:
        texts.append(regions.ATTRIBUTION)
    return tuple(Words(text, text) for text in texts if text)
