"""The door to the reference sample: plan it, draw it, hand it out, read it back."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from jinhua_rs import interpretation, planning
from jinhua_rs.errors import NoDataError
from jinhua_rs.estimation.design import Design, Frame, draw, extend
from jinhua_rs.estimation.sizes import EXPECTED, Wanted, expected, half_width, sizes
from jinhua_rs.period import Period
from jinhua_rs.regions import load_units, select
from jinhua_rs.settings import Settings, load_settings
from jinhua_rs.speech import Speech

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="参考样本：规划、抽样、判读包、回收 · the reference sample"
)

PeriodText = Annotated[str, typer.Argument(metavar="PERIOD", help="已发布的时段 · published")]
DesignFolder = Annotated[Path, typer.Argument(metavar="DESIGN", help="设计文件夹 · its folder")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="配置文件 · settings, TOML", show_default=False),
]
County = Annotated[
    str | None, typer.Option(help="只对一个县（市、区）· one county", show_default=False)
]
To = Annotated[Path, typer.Option("--to", metavar="DIR", help="新文件夹 · a new folder")]
OfChange = Annotated[bool, typer.Option("--change", help="按变化图分层 · strata of the change map")]


@app.command()
def plan(
    context: typer.Context,
    period: PeriodText,
    config: ConfigFile = None,
    county: County = None,
    *,
    change: OfChange = False,
) -> None:
    """要多少样点、各县区间多宽 · how many points, and how wide the intervals will be."""
    speech: Speech = context.obj
    settings = load_settings(config).settings
    frame = _frame(settings, period, county, change=change)
    wanted = _wanted(settings, county)
    n = sizes(frame.strata, wanted)
    _show(speech, frame, n, wanted, settings)


@app.command("draw")
def draw_sample(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    period: PeriodText,
    to: To,
    seed: Annotated[int, typer.Option(min=0, help="随机种子 · seed")],
    config: ConfigFile = None,
    county: County = None,
    *,
    change: OfChange = False,
) -> None:
    """按统计单元 × 地图类别分层随机抽样 · draw a stratified random sample of pixels."""
    speech: Speech = context.obj
    settings = load_settings(config).settings
    interpretation.require_new(to)
    frame = _frame(settings, period, county, change=change)
    wanted = _wanted(settings, county)
    n = sizes(frame.strata, wanted)
    design = draw(frame, n, seed)
    interpretation.write_design(to, design)
    _show(speech, frame, n, wanted, settings)
    _drawn(speech, design, to)


@app.command()
def add(
    context: typer.Context,
    design: DesignFolder,
    to: To,
    config: ConfigFile = None,
    county: County = None,
) -> None:
    """在原设计上加点，原样点不动 · add points as today's settings ask; the old ones stay."""
    speech: Speech = context.obj
    settings = load_settings(config).settings
    interpretation.require_new(to)
    former = interpretation.read_design(design)
    facts, wanted = former.facts, _wanted(settings, county)
    frame = _frame(settings, facts.period, county, change=facts.map == "change")
    n = sizes(frame.strata, wanted).clip(lower=former.strata["n"])
    larger = extend(former, frame, n)
    interpretation.write_design(to, larger)
    _show(speech, frame, n, wanted, settings)
    _drawn(speech, larger, to)


@app.command()
def package(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    design: DesignFolder,
    period: PeriodText,
    to: To,
    config: ConfigFile = None,
    county: County = None,
    *,
    added: Annotated[bool, typer.Option("--added", help="只含新加样点 · the added only")] = False,
) -> None:
    """生成盲判包：判读图、判读表、图层 · a blind package: chips, forms, layers."""
    speech: Speech = context.obj
    settings = load_settings(config).settings
    drawn, asked = interpretation.read_design(design), settings.interpretation
    order = interpretation.Order(
        readers={"1": asked.first_reader, "2": asked.second_reader},
        share=asked.second_share,
        only_added=added,
    )
    folders = [_published(settings, text, county).parent for text in _periods(settings, period)]
    looks = [interpretation.Imagery(folder, settings.grid) for folder in folders]
    with speech.progress() as told:
        made = interpretation.write_package(
            to, drawn, looks, order, now=datetime.now(UTC), progress=told
        )
    first, second = (len(made.roles[role]) for role in ("1", "2"))
    speech.tell({"folder": str(to), "package": made.id, "points": first, "read_twice": second})
    speech.say(
        f"package {made.id} in {to}: {first} points, {second} of them for a second reader too; "
        f"periods {', '.join(made.periods)}; begin with README.txt",
        f"判读包 {made.id}，见 {to}：样点 {first} 个，其中 {second} 个复判；"
        f"时段 {'、'.join(made.periods)}；请先看 README.txt",
    )


@app.command("read")
def read_forms(
    context: typer.Context,
    design: DesignFolder,
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="判读包 · the package")],
    forms: Annotated[list[Path], typer.Argument(metavar="FORM...", help="填好的表 · filled in")],
    to: To,
    accept: Annotated[str, typer.Option(metavar="REASON", help="仍采用的理由 · why")] = "",
) -> None:
    """回收判读表：检查、一致性、裁定、参考样本 · check answers, agreement, reference sample."""
    speech: Speech = context.obj
    drawn = interpretation.read_design(design)
    manifest = interpretation.read_manifest(package, drawn)
    found = interpretation.read_package(
        to, drawn, manifest, forms, accepted=accept, now=datetime.now(UTC)
    )
    speech.tell(interpretation.reading_facts(found))
    for en, zh in interpretation.reading_lines(found):
        speech.say(en, zh)
    speech.table(*interpretation.reading_table(found, speech.language))
    left = len(found.settled.unsettled)
    if found.reference is None:
        raise NoDataError(
            f"{left} points wait for a third reading: have {to / 'form-3.xlsx'} filled in and read "
            "all three forms again; or --accept REASON to leave them out",
            zh=f"{left} 个样点待第三人裁定：请填写 {to / 'form-3.xlsx'} 后三份表一并回收；"
            "或以 --accept 写明理由后略去",
        )
    file = found.reference
    speech.say(f'[reference] file = "{file}"', f'参考样本：[reference] file = "{file}"')


@app.command()
def join(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="reference.gpkg")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="新文件 · a new file")],
) -> None:
    """合并同一设计的判读结果，如两期 · join readings of one design, as of two periods."""
    speech: Speech = context.obj
    count = interpretation.join(files, to)
    speech.tell({"file": str(to), "rows": count})
    speech.say(f"{to}: {count} readings", f"{to}：共 {count} 条判读结果")


def _periods(settings: Settings, period: str) -> list[str]:
    """Periods to be judged: the baseline too, where one is set."""
    baseline = settings.time.baseline
    same = baseline and Period.parse(baseline) == Period.parse(period)
    return [period] if same or not baseline else [baseline, period]


def _wanted(settings: Settings, county: str | None) -> Wanted:
    """Say how wide intervals may be; where a county stands alone there is no city to ask for."""
    asked = settings.interpretation
    whole = asked.city_points if county is None else asked.county_points
    users = {"2": asked.accuracy_forest, "4": asked.accuracy_forest, "1": asked.accuracy_other}
    return Wanted(
        city=whole / 100,
        county=asked.county_points / 100,
        users=EXPECTED | users,
        allocation=asked.allocation,
        minimum=asked.minimum,
    )


def _published(settings: Settings, period: str, county: str | None) -> Path:
    """Folder of a publication, which must be there; a county has its own, or that of the city."""
    when, unit = Period.parse(period), planning.unit_code(settings, county)
    for code in dict.fromkeys((unit, None)):
        folder = planning.period_folder(settings, when, code) / planning.PUBLISHED
        if folder.is_dir():
            return folder
    option = "" if unit is None else f" --county {unit}"
    raise NoDataError(
        f"{when} is not published; run `jinhua-rs run {when}{option}` first",
        zh=f"{when} 尚未发布；请先执行 jinhua-rs run {when}{option}",
    )


def _frame(settings: Settings, period: str, county: str | None, *, change: bool) -> Frame:
    folder, units = _published(settings, period, county), load_units(settings.area)
    units = units if county is None else select(units, county)
    if not change:
        return interpretation.survey(folder / "forest.tif", units)
    buffer_px = settings.interpretation.buffer_px
    return interpretation.survey(folder / "change.tif", units, buffer_px=buffer_px)


def _show(speech: Speech, frame: Frame, n: pd.Series, wanted: Wanted, settings: Settings) -> None:
    """Print points and expected interval of each county and of the city."""
    names = load_units(settings.area)["name_zh" if speech.language == "zh" else "name_en"]
    users = expected(frame.strata, wanted)
    whole = [("", frame.strata.index)]
    parts = [*whole, *frame.strata.groupby("county").groups.items()]
    rows = [
        {
            "unit": str(county),
            "strata": len(index),
            "points": int(n[index].sum()),
            "half_width_points": 100
            * half_width(frame.strata["pixels"][index], users[index], n[index]),
        }
        for county, index in parts
    ]
    speech.tell({"map": asdict(frame.facts), "units": rows, "strata": n.to_dict()})
    zh = speech.language == "zh"
    everything = "全部" if zh else "all"
    speech.table(
        ("单元", "层数", "样点", "预期区间") if zh else ("unit", "strata", "points", "expected"),
        [
            (
                str(names.get(row["unit"], everything)),
                str(row["strata"]),
                f"{row['points']:,}",
                f"± {row['half_width_points']:.2f}",
            )
            for row in rows
        ],
    )


def _drawn(speech: Speech, design: Design, to: Path) -> None:
    batch, count = design.points["batch"], len(design.points)
    new = int((batch == batch.max()).sum())
    speech.say(
        f"design {design.id}: {count} points, {new} of them new, in {to}; it tells the strata, so "
        "keep it from interpreters",
        f"设计 {design.id}：共 {count} 个样点，新抽 {new} 个，见 {to}；"
        "该文件夹含分层信息，勿交判读人",
    )
