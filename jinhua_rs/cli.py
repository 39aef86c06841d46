"""The door: parse, call, and turn an error into a message and an exit code."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from jinhua_rs import __version__, planning, publishing, quarter, upkeep
from jinhua_rs.errors import IntegrityError, JinhuaError
from jinhua_rs.period import Period
from jinhua_rs.settings import Sourced, load_settings
from jinhua_rs.tasks import Progress as Told
from jinhua_rs.twin import build as twin_build

__all__ = ["app", "main", "shown_progress"]

INTERRUPTED = 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="金华森林遥感监测 · forest coverage of Jinhua from Sentinel-2, with honest intervals.",
)
config_app = typer.Typer(no_args_is_help=True, help="配置 · settings")
twin_app = typer.Typer(no_args_is_help=True, help="模拟金华 · the simulated Jinhua")
app.add_typer(config_app, name="config")
app.add_typer(twin_app, name="twin")


@dataclass(frozen=True, slots=True)
class Speech:
    """How this call speaks: language, machine or human, and on which console."""

    language: str
    as_json: bool
    out: Console
    err: Console

    def say(self, en: str, zh: str) -> None:
        """Print a line to people; machines are told nothing but the result."""
        if not self.as_json:
            self.out.print(zh if self.language == "zh" else en, highlight=False, markup=False)

    def tell(self, facts: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Print the result to machines."""
        if self.as_json:
            self.out.print_json(json.dumps(facts, ensure_ascii=False, default=str))


PeriodText = Annotated[str, typer.Argument(metavar="PERIOD", help="2024Q3, 2024, 2024年第三季度")]
ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="配置文件 TOML · settings")]
County = Annotated[str | None, typer.Option(help="县（市、区）名称或代码 · county name or code")]
Json = Annotated[bool, typer.Option("--json", help="机器可读输出 · JSON for machines")]
Refresh = Annotated[bool, typer.Option(help="重新检索影像 · search again, forget the inventory")]
Language = Annotated[str, typer.Option("--lang", envvar="JINHUA_LANG", help="zh | en")]


@contextmanager
def shown_progress(speech: Speech) -> Iterator[Told]:
    """Show a bar for each stage: pieces done, pieces in all, time passed, time left."""
    columns = (
        TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("剩余" if speech.language == "zh" else "left"), TimeRemainingColumn(),
    )  # fmt: skip
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=speech.err, disable=speech.as_json) as shown:

        def told(stage: str, done: int, total: int) -> None:
            if stage not in bars:
                bars[stage] = shown.add_task(stage, total=total)
            shown.update(bars[stage], completed=done, total=total)

        yield told


def speech_of(language: str, *, as_json: bool) -> Speech:
    """Return how a call speaks; an unknown language is English."""
    chosen = "zh" if language.lower().startswith("zh") else "en"
    return Speech(chosen, as_json, Console(), Console(stderr=True))


@app.command()
def doctor(config: ConfigFile = None, *, as_json: Json = False, lang: Language = "zh") -> None:
    """检查运行环境 · look at everything a run needs."""
    speech = speech_of(lang, as_json=as_json)
    findings = upkeep.doctor(load_settings(config).settings)
    table = Table(show_header=False, box=None)
    for finding in findings:
        name = finding.what_zh if speech.language == "zh" else finding.what
        table.add_row("[green]✓[/]" if finding.good else "[red]✗[/]", name, finding.detail)
    if not as_json:
        speech.out.print(table)
    speech.tell([asdict(finding) for finding in findings])
    if not all(finding.good for finding in findings):
        raise typer.Exit(2)


@app.command()
def plan(
    period: PeriodText,
    config: ConfigFile = None,
    county: County = None,
    *,
    refresh: Refresh = False,
    as_json: Json = False,
    lang: Language = "zh",
) -> None:
    """将使用哪些影像、需要多少资源 · what would be used and dropped, and the cost; no pixels."""
    speech = speech_of(lang, as_json=as_json)
    made = planning.make_plan(
        Period.parse(period), load_settings(config).settings, county=county, refresh=refresh
    )
    cost = planning.cost_of(made)
    speech.say(made.inventory.describe("en"), made.inventory.describe("zh"))
    speech.say(cost.text("en"), cost.text("zh"))
    speech.tell({"period": str(made.period), "cost": asdict(cost), "scenes": made.inventory.counts})
    made.inventory.require()


@app.command()
def run(
    period: PeriodText,
    config: ConfigFile = None,
    county: County = None,
    *,
    refresh: Refresh = False,
    as_json: Json = False,
    lang: Language = "zh",
) -> None:
    """生成一个时段的全部成果 · make and publish a period; unfinished runs are resumed."""
    speech = speech_of(lang, as_json=as_json)
    made = planning.make_plan(
        Period.parse(period), load_settings(config).settings, county=county, refresh=refresh
    )
    with shown_progress(speech) as told:
        published = quarter.run(made, now=datetime.now(UTC), progress=told)
    _show(published, speech)


@app.command()
def report(
    period: PeriodText,
    config: ConfigFile = None,
    county: County = None,
    *,
    as_json: Json = False,
    lang: Language = "zh",
) -> None:
    """由已完成的瓦片重写报告 · write the report again from finished tiles."""
    run(period, config, county, as_json=as_json, lang=lang)


@app.command()
def status(
    period: PeriodText,
    config: ConfigFile = None,
    county: County = None,
    *,
    as_json: Json = False,
    lang: Language = "zh",
) -> None:
    """进度与失败原因 · how far a period is, and what failed."""
    speech = speech_of(lang, as_json=as_json)
    state = upkeep.state_of(Period.parse(period), load_settings(config).settings, county)
    speech.tell(asdict(state))
    names = {"new": "未开始", "begun": "进行中", "published": "已发布"}
    speech.say(
        f"{state.period}: {state.state} ({state.folder})",
        f"{state.period}：{names[state.state]}（{state.folder}）",
    )
    for stage, done in state.finished.items():
        speech.say(
            f"  {stage:<10} {done}/{state.tiles} tiles", f"  {stage:<10} {done}/{state.tiles} 块"
        )
    for kind, count in state.scenes.items():
        speech.say(f"  scenes {kind:<8} {count}", f"  影像 {kind:<8} {count}")
    for failure in state.failures:
        speech.say(f"  failed: {failure}", f"  失败：{failure}")


@app.command()
def verify(
    period: PeriodText,
    config: ConfigFile = None,
    county: County = None,
    *,
    as_json: Json = False,
    lang: Language = "zh",
) -> None:
    """校验已发布成果 · check checksums, tables and maps of a published period."""
    speech = speech_of(lang, as_json=as_json)
    settings = load_settings(config).settings
    unit = planning.unit_code(settings, county)
    folder = planning.period_folder(settings, Period.parse(period), unit)
    checked = upkeep.verify(folder)
    speech.tell({"folder": str(folder), "checked": checked, "damaged": 0})
    speech.say(f"{folder}: {checked} files and tiles are whole", f"{folder}：{checked} 项全部完好")


@config_app.command("show")
def config_show(config: ConfigFile = None, *, as_json: Json = False, lang: Language = "zh") -> None:
    """有效配置及其来源 · effective values and where each came from."""
    speech = speech_of(lang, as_json=as_json)
    sourced = load_settings(config)
    speech.tell(
        [dict(zip(("key", "value", "source"), row, strict=True)) for row in sourced.table()]
    )
    if not as_json:
        table = Table("key", "value", "source", box=None)
        for row in sourced.table():
            table.add_row(*row)
        speech.out.print(table)


@twin_app.command("build")
def twin_build_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    periods: Annotated[str, typer.Option(help="逗号分隔 · comma separated")] = "2019Q4,2024Q4",
    county: County = None,
    resolution: Annotated[float, typer.Option(help="米 · metres")] = 60.0,
    dates: Annotated[int, typer.Option(help="每时段日期数 · dates per period")] = 8,
    seed: Annotated[int, typer.Option()] = 1,
    *,
    as_json: Json = False,
    lang: Language = "zh",
) -> None:
    """生成模拟金华 · build the simulated Jinhua: scenes, items, layers, truth."""


def _show(published: publishing.Published, speech: Speech) -> None:
    """Print the one-screen table and where the report is."""
    speech.tell(
        {
            "folder": str(published.folder),
            "report": str(published.report),
            "rows": published.records(),
        }
    )
    if not speech.as_json:
        headings, lines = published.summary(speech.language)
        table = Table(*headings, box=None)
        for line in lines:
            table.add_row(*line)
        speech.out.print(table)
    speech.say(f"report: {published.report}", f"报告：{published.report}")


def main() -> None:
    """Run the command line; every expected trouble ends in its message and exit code."""
    language = os.environ.get("JINHUA_LANG", "zh")
    if "--lang" in sys.argv[:-1]:
        language = sys.argv[sys.argv.index("--lang") + 1]
    speech = speech_of(language, as_json="--json" in sys.argv)
    try:
        app(standalone_mode=False)
    except JinhuaError as error:
        _complain(speech, error.text(speech.language), error.exit_code)
    except KeyboardInterrupt:
        text = (
            "已中断；已完成部分保留，再次运行即可继续"
            if speech.language == "zh"
            else "interrupted; finished pieces are kept, run again to go on"
        )
        _complain(speech, text, INTERRUPTED)
    except click.exceptions.Abort:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(2)


def _complain(speech: Speech, text: str, code: int) -> None:
    if speech.as_json:
        speech.out.print_json(json.dumps({"error": text, "exit_code": code}, ensure_ascii=False))
    else:
        speech.err.print(text, style="red", highlight=False, markup=False)
    sys.exit(code)
