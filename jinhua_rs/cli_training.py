"""The door to training samples: gather them, and look at them before they teach anything."""

from pathlib import Path
from typing import Annotated

import geopandas as gpd
import typer

from jinhua_rs import sampling
from jinhua_rs.errors import ConfigError
from jinhua_rs.following import Place
from jinhua_rs.period import Period
from jinhua_rs.regions import load_units, outline
from jinhua_rs.samples import by_class_and_unit, read_samples, sift
from jinhua_rs.schema import LAND_CLASSES
from jinhua_rs.settings import load_settings
from jinhua_rs.speech import Speech

__all__ = ["app"]

_MAPS = ("esa-worldcover", "io-lulc-annual")

app = typer.Typer(no_args_is_help=True, help="训练样本：检查、由参考图提取 · training samples")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="配置文件 · settings, TOML", show_default=False),
]
To = Annotated[Path, typer.Option("--to", metavar="FILE.gpkg", help="新文件 · a new file")]


@app.command()
def check(
    context: typer.Context,
    samples: Annotated[Path, typer.Argument(metavar="SAMPLES", help="GPKG, Parquet, CSV …")],
    config: ConfigFile = None,
) -> None:
    """检查训练样本：弃用、矛盾、欠缺 · what is set aside and why, and what is thin."""
    speech: Speech = context.obj
    settings = load_settings(config).settings
    units = load_units(settings.area)
    raw = read_samples(samples, settings.grid, role="SAMPLES")
    datum = settings.area.check_datum
    found = sift(raw, settings.grid, outline(units), units, check_datum=datum)
    table = by_class_and_unit(found.frame, units)
    speech.tell(
        {
            "used": len(found.frame),
            "aside": found.aside["why"].value_counts().to_dict(),
            "by_unit": table.to_dict("index"),
            "remarks": [en for en, _ in found.remarks],
        }
    )
    zh = speech.language == "zh"
    names = {info.code: info.name_zh if zh else info.name for info in LAND_CLASSES}
    named = units["name_zh" if zh else "name_en"]
    speech.table(
        ("县（市、区）" if zh else "county", *(names[int(code)] for code in table.columns)),
        [
            (named[unit], *map(str, row))
            for unit, row in zip(table.index, table.to_numpy(), strict=True)
        ],
    )
    mark = ("", "") if not found.simulated else ("SIMULATED: ", "模拟数据：")
    for en, told in (
        (f"{len(found.frame)} samples can be used", f"可用样本 {len(found.frame)} 个"),
        *found.remarks,
    ):
        speech.say(mark[0] + en, mark[1] + told)


@app.command()
def consensus(
    context: typer.Context,
    to: To,
    config: ConfigFile = None,
    atlas: Annotated[
        list[str] | None, typer.Option(help="参考图（可重复）· stac/atlases, repeatable")
    ] = None,
    year: Annotated[int | None, typer.Option(help="年份 · year of the maps")] = None,
    each: Annotated[int, typer.Option(min=1, help="每县每类个数 · a class in a county")] = 30,
) -> None:
    """在多幅参考图一致处抽取样本 · draw samples where reference maps agree, away from edges."""
    speech: Speech = context.obj
    settings, names = load_settings(config).settings, atlas or list(_MAPS)
    if len(names) < 2:
        raise ConfigError(
            "maps agree or not where there are two: give --atlas twice or more",
            zh="至少两幅参考图才谈得上一致：请至少给出两个 --atlas",
        )
    with speech.progress() as told:
        found = sampling.consensus(names, settings, each=each, year=year, progress=told)
    _written(speech, to, found)


@app.command()
def reviewed(
    context: typer.Context,
    period: Annotated[str, typer.Argument(metavar="PERIOD", help="已建台账的时段 · followed up")],
    to: To,
    config: ConfigFile = None,
) -> None:
    """由图斑核查结论生成样本 · make samples of what reviewers decided of patches."""
    settings = load_settings(config).settings
    _written(context.obj, to, sampling.reviewed(Place.of(Period.parse(period), settings)))


def _written(speech: Speech, to: Path, samples: gpd.GeoDataFrame) -> None:
    """Write samples, and say how many there are by class."""
    counts = sampling.write_samples(to, samples)
    speech.tell({"file": str(to), "classes": counts, "simulated": bool(samples["simulated"].any())})
    zh = speech.language == "zh"
    unknown = "林木，类型待判" if zh else "trees of a kind to be told"
    names = {str(info.code): info.name_zh if zh else info.name for info in LAND_CLASSES}
    speech.table((), [(names.get(code, unknown), str(n)) for code, n in counts.items()])
    mark = ("SIMULATED: ", "模拟数据：") if samples["simulated"].any() else ("", "")
    speech.say(f"{mark[0]}{len(samples)} samples: {to}", f"{mark[1]}样本 {len(samples)} 个：{to}")
