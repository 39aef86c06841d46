"""The door: parse, call, and turn an error into a message and an exit code."""

import json
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from jinhua_rs import explain as explaining
from jinhua_rs import followup as followup_of
from jinhua_rs import mirror as mirroring
from jinhua_rs import planning, publishing, quarter, trending, upkeep
from jinhua_rs import report as report_of
from jinhua_rs.cli_patches import app as patches_app
from jinhua_rs.cli_patches import tell as tell_patches
from jinhua_rs.cli_sample import app as sample_app
from jinhua_rs.cli_training import app as training_app
from jinhua_rs.errors import NoDataError
from jinhua_rs.estimation import accuracy, tables
from jinhua_rs.following import Place
from jinhua_rs.period import Period
from jinhua_rs.settings import Settings, load_settings
from jinhua_rs.speech import INTERRUPTED, Speech
from jinhua_rs.twin.build import TwinSpec, build

__all__ = ["app", "main"]

app = typer.Typer(
    name="jinhua-rs", add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)
config_app = typer.Typer(no_args_is_help=True, help="配置 · settings")
twin_app = typer.Typer(no_args_is_help=True, help="模拟金华 · the simulated Jinhua")
app.add_typer(config_app, name="config")
app.add_typer(patches_app, name="patches")
app.add_typer(sample_app, name="sample")
app.add_typer(training_app, name="training")
app.add_typer(twin_app, name="twin")

PeriodText = Annotated[str, typer.Argument(metavar="PERIOD", help="2024Q3, 2024, 2024年第三季度")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="配置文件 · settings, TOML", show_default=False),
]
County = Annotated[
    str | None, typer.Option(help="县（市、区）名称或代码 · county", show_default=False)
]
Cluster = Annotated[
    str | None, typer.Option(help="local | slurm | tcp://主机:端口", show_default=False)
]
Refresh = Annotated[bool, typer.Option("--refresh", help="重新检索影像 · search again")]
Lang = Annotated[str, typer.Option("--lang", envvar="JINHUA_LANG", help="zh | en")]
Json = Annotated[bool, typer.Option("--json", help="机器可读 · JSON for machines")]


@app.callback()
def main_options(context: typer.Context, lang: Lang = "zh", *, as_json: Json = False) -> None:
    """金华森林遥感监测 · forest coverage of Jinhua from Sentinel-2, with honest intervals."""
    context.obj = Speech.of(lang, as_json=as_json)


@app.command()
def doctor(context: typer.Context, config: ConfigFile = None) -> None:
    """检查运行环境 · look at everything a run needs."""
    speech: Speech = context.obj
    findings = upkeep.doctor(load_settings(config).settings)
    zh = speech.language == "zh"
    told = [(f.what_zh, f.detail_zh or f.detail) if zh else (f.what, f.detail) for f in findings]
    speech.table(
        (), [("✓" if f.good else "✗", *words) for f, words in zip(findings, told, strict=True)]
    )
    speech.tell([asdict(finding) for finding in findings])
    if not all(finding.good for finding in findings):
        raise typer.Exit(2)


@app.command()
def plan(
    context: typer.Context,
    period: PeriodText,
    config: ConfigFile = None,
    county: County = None,
    *,
    refresh: Refresh = False,
    full: Annotated[bool, typer.Option("--full", help="列出弃用影像 · list the dropped")] = False,
) -> None:
    """用哪些影像、弃哪些、代价多大 · what would be used and dropped, and the cost; no pixels."""
    speech: Speech = context.obj
    made = _plan(_settings(config), period, county, refresh=refresh)
    planning.save_inventory(made)
    found, cost, seen = made.inventory, planning.cost_of(made), planning.forecast_of(made)
    speech.say(found.describe("en", full=full), found.describe("zh", full=full))
    speech.table(*planning.forecast_screen(seen, speech.language))
    speech.say(cost.text("en"), cost.text("zh"))
    speech.tell(
        {
            "period": str(made.period),
            "cost": asdict(cost),
            "scenes": found.counts,
            "dropped": {one.id: one.reason for one in found.dropped},
            "forecast": seen.to_dict("index"),
        }
    )
    found.require()


@app.command()
def run(
    context: typer.Context,
    period: PeriodText,
    config: ConfigFile = None,
    county: County = None,
    cluster: Cluster = None,
    *,
    refresh: Refresh = False,
) -> None:
    """生成并发布一个时段的成果，可中断续跑 · make and publish a period; resumes."""
    speech: Speech = context.obj
    made = _plan(_settings(config, cluster), period, county, refresh=refresh)
    with speech.progress() as told:
        published = quarter.run(made, now=datetime.now(UTC), progress=told)
    _show(published, speech)


@app.command()
def followup(
    context: typer.Context, period: PeriodText, config: ConfigFile = None, county: County = None
) -> None:
    """已发布时段新增了什么：图斑台账 · what a published period adds: patches with memory."""
    speech: Speech = context.obj
    place = Place.of(Period.parse(period), _settings(config), county)
    with speech.progress() as told:
        followed = followup_of.run(place, progress=told)
    tell_patches(place, followed, speech)


@app.command()
def trend(
    context: typer.Context, period: PeriodText, config: ConfigFile = None, county: County = None
) -> None:
    """历年同季逐像元趋势图（至少 8 年）· trends over the published years, as maps."""
    speech: Speech = context.obj
    place = Place.of(Period.parse(period), _settings(config), county)
    with speech.progress() as told:
        found = trending.run(place, progress=told)
    rows = found.rows.to_json(orient="records")
    speech.tell({"folder": str(found.folder), "years": found.years, "rows": json.loads(rows)})
    speech.table(*trending.screen(found, speech.language))
    speech.say(f"maps and pictures: {found.folder}", f"趋势图与图件：{found.folder}")


@app.command()
def report(
    context: typer.Context, period: PeriodText, config: ConfigFile = None, county: County = None
) -> None:
    """查看已发布成果，损坏或过期则重写 · show a published period; mend it if need be."""
    state = upkeep.state_of(Period.parse(period), _settings(config), county)
    if state.state != "published":
        raise NoDataError(
            f"{state.period} is not finished; run `jinhua-rs run {state.period}` first",
            zh=f"{state.period} 尚未完成；请先执行 jinhua-rs run {state.period}",
        )
    run(context, period, config, county, refresh=False)


@app.command()
def status(
    context: typer.Context, period: PeriodText, config: ConfigFile = None, county: County = None
) -> None:
    """进度与失败原因 · how far a period is, and what failed."""
    speech: Speech = context.obj
    state = upkeep.state_of(Period.parse(period), _settings(config), county)
    speech.tell(asdict(state))
    speech.say(state.text("en"), state.text("zh"))


@app.command()
def explain(
    context: typer.Context,
    period: PeriodText,
    subject: Annotated[str, typer.Argument(help="瓦片、影像或县 · tile, scene or county")],
    config: ConfigFile = None,
    county: County = None,
) -> None:
    """某瓦片、影像或县发生了什么、为什么 · what happened to a tile, scene or county, and why."""
    speech: Speech = context.obj
    found = explaining.explain(subject, Period.parse(period), _settings(config), county)
    speech.tell(found.facts)
    speech.say(found.text("en"), found.text("zh"))


@app.command()
def mirror(
    context: typer.Context,
    period: PeriodText,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="镜像目录 · folder")],
    config: ConfigFile = None,
    county: County = None,
    *,
    verify: Annotated[bool, typer.Option("--verify", help="先校验已有文件 · hash all")] = False,
) -> None:
    """把一个时段的影像存到本地，可续传 · copy a period's imagery for nodes without internet."""
    speech: Speech = context.obj
    settings = _settings(config)
    made = _plan(settings, period, county, refresh=False)
    with speech.progress() as told:
        for damaged in mirroring.recheck(to, progress=told) if verify else ():
            speech.say(f"damaged, fetched again: {damaged}", f"已损坏，重新获取：{damaged}")
        bands = settings.composite.bands
        kept = mirroring.mirror(made.inventory, settings.stac, bands, to, progress=told)
    speech.tell(asdict(kept))
    use = f'[stac] profile = "local", url = "{kept.folder}"'
    size = f"{kept.bytes / 1e9:.2f} GB"
    speech.say(
        f"{kept.scenes} scenes, {kept.assets} files, {size} ({kept.reused} were there): {use}",
        f"{kept.scenes} 景、{kept.assets} 个文件、{size}（其中 {kept.reused} 个已有）：{use}",
    )


@app.command()
def elevation(
    context: typer.Context,
    to: Annotated[Path, typer.Option("--to", metavar="FILE.tif", help="新文件 · a new file")],
    config: ConfigFile = None,
    atlas: Annotated[str, typer.Option(help="高程图 · in stac/atlases")] = "cop-dem-glo-30",
) -> None:
    """经 STAC 取区域高程，供 [mask] dem 使用 · fetch the area's elevation for [mask] dem."""
    speech: Speech = context.obj
    found = mirroring.fetch_elevation(load_settings(config).settings, to, name=atlas)
    speech.tell(asdict(found))
    speech.say(
        f'{found.sheets} sheets, {found.known_share:.1%} known: [mask] dem = "{to}"',
        f'{found.sheets} 幅，{found.known_share:.1%} 有值：[mask] dem = "{to}"',
    )


@app.command()
def verify(
    context: typer.Context, period: PeriodText, config: ConfigFile = None, county: County = None
) -> None:
    """校验已发布成果与图斑台账 · check a published period, its patches and the verdicts."""
    speech: Speech = context.obj
    place = Place.of(Period.parse(period), _settings(config), county)
    folder = place.folder / planning.PUBLISHED
    checked = upkeep.verify(folder) + upkeep.verify_followed(place) + upkeep.verify_trend(place)
    speech.tell({"folder": str(folder), "checked": checked, "damaged": 0})
    speech.say(f"{folder}: {checked} files are whole", f"{folder}：{checked} 项全部完好")


@app.command("estimate")
def estimate_sample(
    context: typer.Context,
    sample: Annotated[Path, typer.Argument(metavar="SAMPLE.csv")],
    strata: Annotated[Path, typer.Option(help="分层面积 · pixels or area_ha by stratum")],
    pixel_size: Annotated[
        float | None, typer.Option(help="像元边长，米 · metres", show_default=False)
    ] = None,
    by: Annotated[
        Literal["unit"] | None, typer.Option(help="按单元 · by unit", show_default=False)
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """由参考样本估计各类面积与精度 · areas and accuracies from a reference sample."""
    speech: Speech = replace(context.obj, as_json=context.obj.as_json or as_json)
    ground = tables.read_strata(strata, pixel_size)
    found = accuracy.estimate(tables.read_sample(sample), ground, by_unit=by == "unit")
    speech.tell(tables.to_json_dict(found, pixel_size=pixel_size, language=speech.language))
    speech.table(*tables.screen_rows(found, speech.language))
    for en, zh in tables.remark_lines(found):
        speech.say(en, zh)


@config_app.command("show")
def config_show(context: typer.Context, config: ConfigFile = None) -> None:
    """有效配置及其来源 · effective values and where each came from."""
    speech: Speech = context.obj
    rows = load_settings(config).table()
    speech.tell([dict(zip(("key", "value", "source"), row, strict=True)) for row in rows])
    speech.table(("key", "value", "source"), rows)


@twin_app.command("build")
def twin_build(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    periods: Annotated[str, typer.Option(help="逗号分隔 · comma separated")] = "2019Q4,2024Q4",
    county: County = None,
    resolution: Annotated[float, typer.Option(help="米 · metres")] = 60.0,
    dates: Annotated[int, typer.Option(help="每时段日期数 · dates a period")] = 8,
) -> None:
    """生成模拟金华 · build the simulated Jinhua: scenes, STAC items, layers, truth."""
    speech: Speech = context.obj
    spec = TwinSpec(
        resolution=resolution,
        periods=tuple(str(Period.parse(text)) for text in periods.split(",")),
        unit=planning.unit_code(Settings(), county),
        dates_per_period=dates,
    )
    with speech.progress() as told:
        catalog = build(
            folder, spec, workers=2, progress=lambda done, total, _: told("twin", done, total)
        )
    speech.tell({"catalog": str(catalog)})
    speech.say(f"SIMULATED Jinhua: {catalog}", f"模拟金华（非真实数据）：{catalog}")


def _settings(config: Path | None, cluster: str | None = None) -> Settings:
    given = {"cluster.kind": cluster} if cluster else {}
    return load_settings(config, overrides=given).settings


def _plan(settings: Settings, period: str, county: str | None, *, refresh: bool) -> planning.Plan:
    return planning.make_plan(Period.parse(period), settings, county=county, refresh=refresh)


def _show(published: publishing.Published, speech: Speech) -> None:
    """Print the one-screen table and where the report is."""
    speech.tell({"folder": str(published.folder), "report": str(published.report)})
    speech.table(*report_of.screen(published.data, speech.language))
    speech.say(f"report: {published.report}", f"报告：{published.report}")


def _parsed() -> int:
    """Run what the arguments ask for; typer says what is wrong with them and exits by itself."""
    try:
        app()
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            raise KeyboardInterrupt from None
        return int(ended.code or 0)
    return 0


def main() -> None:
    """Run the command line; every expected trouble ends in its message and exit code."""
    sys.exit(Speech.of_arguments(sys.argv[1:]).guarded(_parsed))
