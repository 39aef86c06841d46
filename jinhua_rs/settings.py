"""What a run is told: one TOML file, then environment, then command line; nothing unknown."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jinhua_rs.errors import ConfigError
from jinhua_rs.grid import Grid
from jinhua_rs.scene import BAND_NAMES

__all__ = ["ENV_PREFIX", "Settings", "Sourced", "Target", "load_settings"]

ENV_PREFIX = "JINHUA_"
"""``JINHUA_STAC_URL`` overrides ``url`` in ``[stac]``; secrets come this way only."""

Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Area(_Section):
    """Where: reporting units and the grid."""

    units: Path | None = None
    """Layer of reporting units; empty means the nine counties of Jinhua that are built in."""
    code_field: str = "code"
    """Field that holds the unit's code, unique."""
    name_field: str = "name_zh"
    """Field that holds the unit's name."""
    level_field: str = ""
    """Field that holds city/county/township/zone; empty means that all are counties."""
    check_datum: bool = True
    """Compare the layer with the built-in city outline, to catch GCJ-02 shifts."""
    crs: str = "EPSG:4549"
    """Projected CRS of the grid, in which areas are measured."""
    resolution: Annotated[float, Field(gt=0)] = 10.0
    """Side of a pixel, metres."""
    tile_size: Annotated[int, Field(ge=16, le=4096)] = 1024
    """Side of a tile, pixels: the unit of work."""


class Time(_Section):
    """Which periods are compared."""

    baseline: str = ""
    """Period with which a run is compared, same season; empty means no comparison."""


class Stac(_Section):
    """Where imagery is found."""

    profile: str = "earth-search-c1"
    """Name of a file in ``stac/profiles``."""
    url: str = ""
    """API root or folder with ``catalog.json``; empty means the profile's own address."""
    collection: str = ""
    """Collection id; empty means the profile's own."""
    max_cloud: Annotated[float, Field(ge=0, le=100)] = 80.0
    """Scenes with more cloud than this are dropped, percent."""
    timeout_s: Annotated[float, Field(gt=0)] = 30.0
    """How long one answer of the API is waited for, seconds."""
    retries: Annotated[int, Field(ge=0, le=20)] = 5
    """How often a failed request is tried again."""
    allowed_roots: tuple[Path, ...] = ()
    """Local folders from which imagery may be read; a file elsewhere is refused."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts from which imagery may be read, beside those of the profile."""


class Composite(_Section):
    """How the clear looks of a period become one image."""

    bands: tuple[str, ...] = BAND_NAMES
    """Canonical bands to composite; a model needs those it was trained on."""
    method: Literal["geomedian", "median"] = "geomedian"
    """``geomedian`` keeps real spectra; ``median`` is cheaper, band by band."""
    min_clear: Annotated[int, Field(ge=1)] = 1
    """A pixel with fewer clear looks stays empty."""
    buffer_m: Annotated[float, Field(ge=0)] = 100.0
    """Clouds and shadows are grown by this much, metres."""


class Model(_Section):
    """Where the land-cover and canopy models come from."""

    file: Path | None = None
    """Folder of a stored model; empty means: train one from ``samples``."""
    samples: Path | None = None
    """Point layer with columns ``class`` (code) and/or ``canopy`` (0-1)."""
    period: str = ""
    """Period of the samples; empty means the baseline, or the run's own."""
    seed: int = 20200101
    """Of the forests and of the dealing of blocks."""
    block_m: Annotated[float, Field(gt=0)] = 5_000.0
    """Side of the spatial blocks that are held out together, metres."""
    trees: Annotated[int, Field(ge=10, le=1000)] = 100
    """Trees of a random forest."""


class Reference(_Section):
    """Independent reference sample from which intervals are estimated."""

    file: Path | None = None
    """Point layer with columns ``point``, ``period``, ``canopy`` (0-1)."""


class Gates(_Section):
    """When a number is not published."""

    min_clear_share: Share = 0.60
    """Share of a unit's area that must be seen clear."""
    max_failed_assets: Share = 0.02
    """Share of a period's assets that may fail to be read."""


class Target(_Section):
    """A figure of the plan, with where it stands."""

    value: float
    """The figure as written in the plan."""
    unit: str
    """Its unit, such as ``%`` or ``万亩``."""
    source: str
    """Document and wording it was taken from."""
    deadline: str = ""
    """Year or date by which it is due; empty means throughout."""
    alternative: float | None = None
    """A second reading of the same figure, where the first looks like a slip."""


class Run(_Section):
    """How a run uses the machine."""

    workers: Annotated[int, Field(ge=0)] = 0
    """Worker processes; 0 means one for each core. 1 works in this very process."""
    memory_gib: Annotated[float, Field(gt=0)] = 4.0
    """Memory limit of each worker."""


class Output(_Section):
    """Where products go."""

    root: Path = Path("outputs")
    """Folder below which each period gets its own."""


class Report(_Section):
    """How people are spoken to."""

    languages: Annotated[tuple[Literal["zh", "en"], ...], Field(min_length=1)] = ("zh", "en")
    """Languages in which figures are drawn."""
    area_name: str = "Jinhua"
    """Name of the whole area, English."""
    area_name_zh: str = "金华市"
    """Name of the whole area, Chinese."""
    label: str = ""
    """Mark of simulated data, printed on every page and file; empty means SIMULATED."""
    label_zh: str = ""
    """The same mark in Chinese."""
    credits: tuple[str, ...] = ()
    """Sources that must be named beside every product, besides those the program knows."""
    simulated: bool = False
    """True for the twin: every product carries the mark."""


_TARGETS = {
    "forest_cover": Target(
        value=61.0, unit="%", source="规划纲要（2020–2035，征求意见稿）：森林覆盖率稳定在61%以上"
    ),
    "new_afforestation": Target(
        value=151.2,
        unit="万亩",
        deadline="2024",
        source="规划纲要（2020–2035，征求意见稿）：到2024年完成新增造林151.2万亩",
        alternative=15.12,
    ),
}


class Settings(_Section):
    """Everything a run is told. Unknown keys are refused."""

    area: Area = Area()
    time: Time = Time()
    stac: Stac = Stac()
    composite: Composite = Composite()
    model: Model = Model()
    reference: Reference = Reference()
    gates: Gates = Gates()
    targets: dict[str, Target] = _TARGETS
    run: Run = Run()
    output: Output = Output()
    report: Report = Report()

    @property
    def grid(self) -> Grid:
        """The pixel grid of ``[area]``."""
        return Grid(self.area.crs, self.area.resolution, self.area.tile_size)


class Sourced(_Section):
    """Settings together with where each value came from."""

    settings: Settings
    sources: dict[str, str]
    """``"stac.url" -> "file jinhua.toml" | "environment JINHUA_STAC_URL" | "command line"``."""

    def table(self) -> list[tuple[str, str, str]]:
        """Key, effective value and source of every setting, in order."""
        found = []
        for section, values in self.settings.model_dump(mode="json").items():
            for key, value in values.items():
                name = f"{section}.{key}"
                found.append((name, str(value), self.sources.get(name, "default")))
        return found

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Wrap settings made in code."""
        return cls(settings=settings, sources={})


def load_settings(
    path: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Sourced:
    """
    Read settings: defaults, then the file, then the environment, then ``overrides``.

    Parameters
    ----------
    path : Path, optional
        TOML file. Relative paths inside it are relative to its folder.
    environment : Mapping, optional
        Defaults to the process environment.
    overrides : Mapping, optional
        ``{"area.resolution": 60}``, from the command line.

    Raises
    ------
    ConfigError
        On a file that cannot be read, an unknown key (with a hint) or a wrong value.
    """
    variables = os.environ if environment is None else environment
    layers = (*_of_file(path), *_of_environment(variables), *_of_command_line(overrides or {}))
    merged: dict[str, dict[str, Any]] = {}
    sources: dict[str, str] = {}
    for section in () if path is None else _read(path):
        merged[section] = {}  # an empty table is meant: [targets] alone clears the targets
    for section, key, value, source in layers:
        merged.setdefault(section, {})[key] = value
        sources[f"{section}.{key}"] = source
    where = path.name if path else "settings"
    _refuse_unknown(merged, where)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{where}: {name}: {first['msg']}; see docs/configuration.md",
            zh=f"{where}：{name} 的值无效（{first['msg']}）；参见 docs/configuration.md",
        ) from error
    return Sourced(settings=settings, sources=sources)


Given = tuple[str, str, object, str]


def _of_file(path: Path | None) -> Iterator[Given]:
    if path is not None:
        for section, values in _read(path).items():
            for key, value in values.items():
                anchored = _anchored(section, key, value, path.parent)
                yield section, key, anchored, f"file {path.name}"


def _of_environment(variables: Mapping[str, str]) -> Iterator[Given]:
    for name, value in sorted(variables.items()):
        section, _, key = name.removeprefix(ENV_PREFIX).lower().partition("_")
        if name.startswith(ENV_PREFIX) and section in Settings.model_fields:
            yield section, key, value, f"environment {name}"


def _of_command_line(overrides: Mapping[str, object]) -> Iterator[Given]:
    for name, value in overrides.items():
        section, _, key = name.partition(".")
        yield section, key, value, "command line"


_PATHS = {
    ("area", "units"),
    ("model", "file"),
    ("model", "samples"),
    ("reference", "file"),
    ("output", "root"),
}


def _anchored(section: str, key: str, value: object, folder: Path) -> object:
    """Make the paths in a file relative to the file's own folder."""
    if (section, key) in _PATHS and isinstance(value, str):
        return (folder / value).resolve()
    if (section, key) == ("stac", "allowed_roots") and isinstance(value, list):
        return [(folder / str(item)).resolve() for item in value]
    if (section, key) == ("stac", "url") and isinstance(value, str) and value.startswith("."):
        return str((folder / value).resolve())
    return value


def _read(path: Path) -> dict[str, dict[str, object]]:
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror}; give --config FILE",
            zh=f"无法读取配置文件 {path}（{error.strerror}）；请用 --config 指定",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path.name} is not valid TOML: {error}", zh=f"{path.name} 不是有效的 TOML：{error}"
        ) from error
    loose = [key for key, value in raw.items() if not isinstance(value, dict)]
    if loose:
        _refuse(path.name, loose[0], list(Settings.model_fields))
    return raw


def _refuse_unknown(merged: Mapping[str, Mapping[str, object]], where: str) -> None:
    for section, values in merged.items():
        if section not in Settings.model_fields:
            _refuse(where, section, list(Settings.model_fields))
        kind = Settings.model_fields[section].annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for key in values:
                if key not in kind.model_fields:
                    _refuse(
                        where, f"{section}.{key}", [f"{section}.{k}" for k in kind.model_fields]
                    )


def _refuse(where: str, key: str, known: list[str]) -> None:
    close = get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"
    raise ConfigError(
        f"{where}: unknown key {key!r}; {hint}",
        zh=f"{where}：未知的配置项 {key!r}；"
        + (f"是否想写 {close[0]!r}？" if close else f"可用：{'、'.join(known)}"),
    )
