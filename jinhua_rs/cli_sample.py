"""The door to the reference sample: plan it, draw it, hand it out, read it back."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from jinhua_rs import interpretation, planning
from jinhua_rs.errors import NoDataError
from jinhua_rs.estimation.design import Design, Frame, draw, extend
from jinhua_rs.estimation.sizes import EXPECTED, Wanted, expected, half_width, sizes
from jinhua_rs.period import Period
from jinhua_rs.regions import load_units
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
To = Annotated[Path, typer.Option("--to", metavar="DIR", help="新文件夹 · a new folder")]
OfChange = Annotated[bool, typer.Option("--change", help="按变化图分层 · strata of the change map")]


@app.command()
def plan(
    context: typer.Context,
    period: PeriodText,
    config: ConfigFile = None,
    *,
    change: OfChange = False,
) -> None:
    """要多少样点、各县区间多宽 · how many points, and how wide the intervals will be."""
    speech: Speech = context.obj
    settings = load_settings(config).settings
    frame, wanted = _frame(settings, period, change=change), _wanted(settings)
    n = sizes(frame.strata, wanted)
    _show(speech, frame, n, wanted, settings)


@app.command("draw")
def draw_sample(
    context: typer.Context,
    period: PeriodText,
    to: To,
    seed: Annotated[int, typer.Option(min=0, help="随机种子 · seed")],
    config: ConfigFile = None,
    *,
    change: OfChange = False,
) -> None:
    """按统计单元 × 地图类别分层随机抽样 · draw a stratified random sample of pixels."""
    speech: Speech = context.obj
    settings = load_settings(config).settings
    interpretation.require_new(to)
    frame, wanted = _frame(settings, period, change=change), _wanted(settings)
    n = sizes(frame.strata, wanted)
    design = draw(frame, n, seed)
    interpretation.write_design(to, design)
    _show(speech, frame, n, wanted, settings)
    _drawn(speech, design, to)


@app.command()
def add(context: typer.Context, design: DesignFolder, to: To, config: ConfigFile = None) -> None:
    """在原设计上加点，原样点不动 · add points as today's settings ask; the old ones stay."""
    speech: Speech = context.obj
    settings = load_settings(config).settings
    interpretation.require_new(to)
    former = interpretation.read_design(design)
    facts, wanted = former.facts, _wanted(settings)
    frame = _frame(settings, facts.period, change=facts.map == "change")
    n = sizes(frame.strata, wanted).clip(lower=former.strata["n"])
    larger = extend(former, frame, n)
    interpretation.write_design(to, larger)
    _show(speech, frame, n, wanted, settings)
    _drawn(speech, larger, to)


def _wanted(settings: Settings) -> Wanted:
    asked = settings.interpretation
    users = {"2": asked.accuracy_forest, "4": asked.accuracy_forest, "1": asked.accuracy_other}
    return Wanted(
        city=asked.city_points / 100,
        county=asked.county_points / 100,
        users=EXPECTED | users,
        allocation=asked.allocation,
        minimum=asked.minimum,
    )


def _published(settings: Settings, period: str) -> Path:
    """Folder of a publication, which must be there."""
    when = Period.parse(period)
    folder = planning.period_folder(settings, when) / planning.PUBLISHED
    if not folder.is_dir():
        raise NoDataError(
            f"{when} is not published; run `jinhua-rs run {when}` first",
            zh=f"{when} 尚未发布；请先执行 jinhua-rs run {when}",
        )
    return folder


def _frame(settings: Settings, period: str, *, change: bool) -> Frame:
    folder, units = _published(settings, period), load_units(settings.area)
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
