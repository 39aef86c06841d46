"""Looking after what runs leave behind: how far a period is, and whether it is whole."""

import importlib.metadata
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import rasterio

from jinhua_rs import catalog, figures, planning, regions, report, schema, store
from jinhua_rs.errors import IntegrityError, JinhuaError
from jinhua_rs.following import TREND, Place
from jinhua_rs.ledger import Ledger
from jinhua_rs.patches import Book
from jinhua_rs.period import Period
from jinhua_rs.settings import Settings

__all__ = ["Finding", "State", "doctor", "state_of", "verify", "verify_followed", "verify_trend"]

STAGES = {
    "composite": "影像合成", "land": "地类识别", "refined": "后处理", "forest": "林木图",
    "alerts": "变化预警", "change": "两期变化",
}  # fmt: skip
"""Products that a period is made of, in order, with their Chinese names."""
_KINDS = {"scene": "影像", "asset": "波段文件", "tile": "瓦片", "header": "文件头"}
_FATES = {"used": "采用", "spare": "备用", "dropped": "未采用", "failed": "读取失败"}
_ONLY_WATCHED = "alerts"


@dataclass(frozen=True, slots=True)
class State:
    """How far a period is: ``new``, ``begun`` or ``published``; tiles finished by stage."""

    period: str
    folder: str
    state: str
    tiles: int
    finished: Mapping[str, int]
    scenes: Mapping[str, int]
    failures: tuple[str, ...]
    failures_zh: tuple[str, ...] = ()

    def text(self, language: str) -> str:
        """Tell people."""
        zh = language == "zh"
        names = {"new": "未开始", "begun": "进行中", "published": "已发布"}
        lines = [f"{self.period}  {names[self.state] if zh else self.state}  {self.folder}"]
        for stage, done in self.finished.items():
            name = STAGES[stage] if zh else stage
            lines.append(f"  {name:<10} {done}/{self.tiles} {'块' if zh else 'tiles'}")
        for kind, count in self.scenes.items():
            name = _FATES.get(kind, kind) if zh else kind
            lines.append(f"  {'影像' if zh else 'scenes'} {name:<8} {count}")
        lines += [f"  {failure}" for failure in (self.failures_zh if zh else self.failures)]
        return "\n".join(lines)


def state_of(period: Period, settings: Settings, county: str | None = None) -> State:
    """Tell how far a period is, from what lies on disk; nothing is searched or read anew."""
    unit = planning.unit_code(settings, county)
    folder = planning.period_folder(settings, period, unit)
    if not (folder / "scenes.json").is_file():
        return State(str(period), str(folder), "new", 0, {}, {}, ())
    units = regions.load_units(settings.area)
    units = units if unit is None else regions.select(units, unit)
    tiles = settings.grid.tiles(regions.outline(units))
    ledger = Ledger(folder / "ledger.jsonl")
    published = (folder / planning.PUBLISHED / store.SUMS).is_file()
    # What stopped a run before its first tile are headers; what was published stands without them.
    troubles = {"failed"} if published else {"failed", "unsound"}
    failed = [entry for entry in ledger.current().values() if entry.state in troubles]
    finished = {
        stage: sum((folder / "tiles" / stage / f"{tile.id}.zarr.json").is_file() for tile in tiles)
        for stage in STAGES
        if stage != _ONLY_WATCHED or settings.alerts.enabled or (folder / "tiles" / stage).is_dir()
    }
    return State(
        period=str(period),
        folder=str(folder),
        state="published" if published else "begun",
        tiles=len(tiles),
        finished=finished,
        scenes=dict(ledger.counts("scene")),
        failures=tuple(f"{one.kind} {one.id}: {one.reason}" for one in failed),
        failures_zh=tuple(
            f"{_KINDS.get(one.kind, one.kind)} {one.id}：{one.chinese}" for one in failed
        ),
    )


def verify(folder: Path) -> int:
    """
    Check a publication: checksums, indicator table, maps, and that the counts agree.

    Returns
    -------
    int
        Number of files that were checked.

    Raises
    ------
    IntegrityError
        Naming everything that is missing or damaged.
    """
    damaged = store.verify_sums(folder)
    if not damaged:
        damaged = [name for name in map(_wrong_map, sorted(folder.rglob("*.tif"))) if name]
        damaged += _disagreements(folder)
    if damaged:
        raise IntegrityError(
            f"{folder}: {len(damaged)} damaged: {', '.join(damaged[:10])}; "
            "delete these and run the period again",
            zh=f"{folder}：{len(damaged)} 项损坏：{'、'.join(damaged[:10])}；"
            "请删除后重新运行该时段",
        )
    return len((folder / store.SUMS).read_text(encoding="utf-8").splitlines())


def verify_followed(place: Place) -> int:
    """
    Check what was followed up, if anything was, and the book of verdicts.

    Returns
    -------
    int
        Number of files that were checked; 0 where nothing was followed up.

    Raises
    ------
    IntegrityError
        Naming what is damaged, the first line of the book that was changed, or that the book lacks
        verdicts which the register knew.
    """
    if not (place.target / store.SUMS).is_file():
        return 0
    place.memory(Book(place.verdicts))
    return len((place.target / store.SUMS).read_text(encoding="utf-8").splitlines())


def verify_trend(place: Place) -> int:
    """
    Check the maps of trends, if there are any; errors as :func:`verify_followed`.

    Returns
    -------
    int
        Number of files that were checked.
    """
    folder = place.folder / TREND
    if not (folder / store.SUMS).is_file():
        return 0
    damaged = store.verify_sums(folder)
    if damaged:
        raise IntegrityError(
            f"{folder} is damaged ({', '.join(damaged[:5])}); "
            f"run `jinhua-rs trend {place.period}` again",
            zh=f"{folder} 已损坏（{'、'.join(damaged[:5])}）；"
            f"请重新执行 jinhua-rs trend {place.period}",
        )
    return len((folder / store.SUMS).read_text(encoding="utf-8").splitlines())


def _disagreements(folder: Path) -> list[str]:
    """Say where indicator table, report and receipt of a publication differ."""
    table = pd.read_csv(folder / "indicators.csv", dtype={"unit": str, "period": str})
    records = table.to_dict("records")
    schema.rows([{str(name): value for name, value in one.items()} for one in records])
    said = report.from_json((folder / "report" / "report.json").read_text(encoding="utf-8"))
    receipt = store.read_json(folder / "run.json")
    facts = receipt if isinstance(receipt, dict) else {}
    wrong = []
    if len(table) != len(said.rows) + len(said.change_rows):
        wrong.append("indicators.csv and report.json differ in rows")
    if sorted(set(table["unit"])) != facts.get("units") or said.run_id != facts.get("run_id"):
        wrong.append("run.json is of another run")
    if facts.get("scenes") != said.scenes.kept:
        wrong.append("run.json and report.json differ in scenes")
    return wrong


def _wrong_map(path: Path) -> str:
    """Say what is wrong with a published map; empty when it is a tiled GeoTIFF of the schema."""
    with rasterio.open(path, driver="GTiff") as source:
        variable = source.tags().get("variable", "")
        known = schema.VARIABLES.get(variable)
        if known is None or source.dtypes[0] != known.dtype:
            return f"{path.name} is no map of the schema"
        if not source.profile.get("tiled"):
            return f"{path.name} is not tiled"
    return ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the doctor looked at."""

    what: str
    what_zh: str
    good: bool
    detail: str
    detail_zh: str = ""


def doctor(settings: Settings) -> list[Finding]:
    """Look at everything a run needs: libraries, font, disk, units, profile, STAC address."""
    root = settings.output.root
    writable = root if root.exists() else root.parent
    free = shutil.disk_usage(writable if writable.exists() else Path.cwd()).free
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("xarray", "rasterio", "numba", "scikit-learn")
    )
    return [
        Finding("libraries", "软件库", good=True, detail=versions),
        _tried("Chinese font", "中文字体", lambda: figures.font_file().name),
        Finding("free disk", "磁盘空间", good=free > 5e9, detail=f"{free / 1e9:.1f} GB"),
        Finding("output folder", "输出目录", good=os.access(writable, os.W_OK), detail=str(root)),
        _tried("reporting units", "统计单元", lambda: f"{len(regions.load_units(settings.area))}"),
        _tried("STAC source", "影像目录", lambda: catalog.reach(settings.stac)),
    ]


def _tried(what: str, what_zh: str, look: Callable[[], str]) -> Finding:
    """Run one look; a refusal is a finding, not an end."""
    try:
        return Finding(what, what_zh, good=True, detail=look())
    except JinhuaError as error:
        return Finding(what, what_zh, good=False, detail=str(error), detail_zh=error.zh)
