"""The door to training samples: look at them before they teach anything."""

from pathlib import Path
from typing import Annotated

import typer

from jinhua_rs.regions import load_units, outline
from jinhua_rs.samples import by_class_and_unit, read_samples, sift
from jinhua_rs.schema import LAND_CLASSES
from jinhua_rs.settings import load_settings
from jinhua_rs.speech import Speech

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="训练样本：检查、由参考图提取 · training samples")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="配置文件 · settings, TOML", show_default=False),
]


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
