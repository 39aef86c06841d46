"""Reading the settings: defaults, one TOML file, then environment, then command line."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ValidationError

from jinhua_rs.errors import ConfigError
from jinhua_rs.settings.sections import Section, Settings

__all__ = ["ENV_PREFIX", "Sourced", "load_settings"]

ENV_PREFIX = "JINHUA_"
"""``JINHUA_STAC_URL`` overrides ``url`` in ``[stac]``; secrets come this way only."""


class Sourced(Section):
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
    ("mask", "dem"),
    ("model", "file"),
    ("model", "samples"),
    ("reference", "file"),
    ("output", "root"),
}


def _anchored(section: str, key: str, value: object, folder: Path) -> object:
    """Make the paths in a file relative to the file's own folder."""
    if (section == "layers" or (section, key) in _PATHS) and isinstance(value, str):
        return (folder / value).resolve()
    if section == "themes" and isinstance(value, dict):
        return {
            name: (folder / one).resolve() if name in ("layer", "within") else one
            for name, one in value.items()
        }
    if (section, key) == ("stac", "allowed_roots") and isinstance(value, list):
        return [(folder / str(item)).resolve() for item in value]
    if (
        (section, key) in (("stac", "url"), ("atlas", "url"))
        and isinstance(value, str)
        and value.startswith(".")
    ):
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


_MOVED = {"composite.buffer_m": "mask.buffer_m"}
"""Keys of former versions, and where they are now."""


def _refuse(where: str, key: str, known: list[str]) -> None:
    close = [_MOVED[key]] if key in _MOVED else get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"
    raise ConfigError(
        f"{where}: unknown key {key!r}; {hint}",
        zh=f"{where}：未知的配置项 {key!r}；"
        + (f"是否想写 {close[0]!r}？" if close else f"可用：{'、'.join(known)}"),
    )
