"""The door to the patches: show them, hand them out, take answers back."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from jinhua_rs import handing
from jinhua_rs.delivery import FORMATS
from jinhua_rs.errors import PartialError
from jinhua_rs.following import Followed, Place, find_followed
from jinhua_rs.patches import Book, by_county, screen
from jinhua_rs.period import Period
from jinhua_rs.settings import load_settings
from jinhua_rs.speech import Speech

__all__ = ["app", "tell"]

app = typer.Typer(no_args_is_help=True, help="图斑：查看、导出、导入核查结果 · patches")

PeriodText = Annotated[str, typer.Argument(metavar="PERIOD", help="已发布的时段 · published")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="配置文件 · settings, TOML", show_default=False),
]
County = Annotated[
    str | None, typer.Option(help="县（市、区）名称或代码 · county", show_default=False)
]


@app.command()
def show(
    context: typer.Context, period: PeriodText, config: ConfigFile = None, county: County = None
) -> None:
    """各县图斑数量与面积 · number and area of patches by county."""
    place = _place(period, config, county)
    tell(place, find_followed(place), context.obj)


@app.command()
def export(
    context: typer.Context,
    period: PeriodText,
    formats: Annotated[
        str, typer.Option("--as", metavar=",".join(FORMATS), help="格式，逗号分隔 · formats")
    ] = "gpkg,xlsx",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="文件夹 · folder", show_default=False)
    ] = None,
    config: ConfigFile = None,
    county: County = None,
) -> None:
    """导出图斑供核查 · hand the patches out: GeoPackage, Shapefile, FileGDB, workbook, KML."""
    speech: Speech = context.obj
    wanted = [one.strip() for one in formats.split(",")]
    made = handing.hand_out(_place(period, config, county), wanted, to, now=datetime.now(UTC))
    speech.tell([str(path) for path in made])
    for path in made:
        speech.say(str(path), str(path))


@app.command("import")
def take_back(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="填好的 .xlsx 或 .gpkg")],
    config: ConfigFile = None,
    county: County = None,
) -> None:
    """导入核查结果，冲突逐条列出 · take answers back; conflicts are listed, nothing is lost."""
    speech: Speech = context.obj
    settings = load_settings(config).settings
    taken = handing.take_back(file, settings, county, now=datetime.now(UTC))
    speech.tell(asdict(taken))
    speech.say(
        f"{taken.accepted} accepted, {taken.known} known already, {taken.refused} refused",
        f"接受 {taken.accepted} 条，已有 {taken.known} 条，未接受 {taken.refused} 条",
    )
    if taken.refused:
        raise PartialError(
            f"{taken.refused} answers were refused, with the reason of each: {taken.listed}",
            zh=f"{taken.refused} 条核查结果未接受，原因见 {taken.listed}",
        )


def tell(place: Place, followed: Followed, speech: Speech) -> None:
    """Print patches by county, remarks on layers, and later periods to be followed up again."""
    rejected = Book(place.verdicts).rejected
    table = by_county(followed.register, place.counties, place.settings.patches, rejected=rejected)
    speech.tell(
        {
            "folder": str(followed.folder),
            "outdated": followed.outdated,
            "remarks": followed.remarks,
            "counties": table.to_dict("index"),
        }
    )
    if followed.label:
        speech.say(followed.label, followed.label)
    speech.table(*screen(table, speech.language))
    for remark in followed.remarks:
        speech.say(f"layers: {remark}", f"图层说明：{remark}")
    for name in followed.outdated:
        again = f"jinhua-rs followup {name}"
        speech.say(f"outdated, do again: {again}", f"已过期，请重做：{again}")
    speech.say(f"register: {followed.folder}", f"图斑台账：{followed.folder}")


def _place(period: str, config: Path | None, county: str | None) -> Place:
    return Place.of(Period.parse(period), load_settings(config).settings, county)
