"""What differs between providers, as data: one TOML file below ``stac`` for each."""

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jinhua_rs.errors import ConfigError
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.schema import TREE_CLASSES, Land

__all__ = [
    "AtlasProfile",
    "Fields",
    "OffsetRule",
    "Profile",
    "Signing",
    "Source",
    "atlas_names",
    "load_atlas",
    "load_profile",
    "profile_names",
]

Names = tuple[str, ...]
S = TypeVar("S", bound="Source")
BaselineText = Annotated[str, Field(pattern=r"^\d{2}\.\d{2}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class OffsetRule(_Part):
    """
    How to tell what must be added to a DN, see :mod:`jinhua_rs.catalog.offsets`.

    From baseline 04.00 on, Level-2A products carry ``BOA_ADD_OFFSET = -1000`` (Sentinel-2
    Products Specification Document, S2-PDGS-TAS-DI-PSD, issue 14.9 and later).
    """

    rule: Literal["declared", "flag-then-baseline", "baseline"]
    flag: str = ""
    """Item property that is true where the provider has already shifted the pixels."""
    since: BaselineText = "04.00"
    """First processing baseline whose products carry the offset."""
    dn: int = -1000
    """The offset of those products, DN."""

    @model_validator(mode="after")
    def _flag_named(self) -> Self:
        if self.rule.startswith("flag") and not self.flag:
            raise ValueError(f"rule {self.rule!r} needs the name of the flag property")
        return self


class Fields(_Part):
    """Item properties in which a fact is looked for, the best first."""

    baseline: Names
    tile: Names
    platform: Names = ("platform",)
    datatake: Names = ()
    cloud: Names = ("eo:cloud_cover",)
    processed: Names = ()
    sequence: Names = ()
    sun_azimuth: Names = ("view:sun_azimuth",)
    """Degrees, clockwise from north."""
    sun_elevation: Names = ("view:sun_elevation",)
    """Degrees above the horizon."""
    sun_zenith: Names = ()
    """Degrees from the zenith, asked where there is no elevation."""


class Signing(_Part):
    """How an address is made readable; ``sas`` appends a token asked from ``token_url``."""

    method: Literal["none", "sas"] = "none"
    token_url: str = ""
    """Address that answers JSON with the token; ``{collection}`` is filled in."""
    token_key: str = "token"  # noqa: S105 - a key in the answer, no secret
    expiry_key: str = "msft:expiry"

    @model_validator(mode="after")
    def _token_url_safe(self) -> Self:
        url = urlsplit(self.token_url)
        local = url.scheme == "http" and url.hostname in ("127.0.0.1", "::1", "localhost")
        if self.method != "none" and not (url.hostname and (url.scheme == "https" or local)):
            raise ValueError(f"signing needs an https token_url, got {self.token_url!r}")
        return self


class Source(_Part):
    """
    Where something is found by STAC, and under which terms.

    ``hosts`` may hold ``name``, ``*.name`` (any subdomain), ``name:port`` and ``s3://bucket``.
    """

    name: str
    """File name without ending; provenance only, no code may branch on it."""
    title: str
    url: str = ""
    """API root; empty means that the settings must give one."""
    collection: str = ""
    """Collection id; empty means any."""
    page_size: Annotated[int, Field(ge=1, le=1000)] = 200
    hosts: Names
    alternate: str = ""
    """Name of the alternate address to prefer (alternate-assets extension); empty: the main one."""
    licence: str
    attribution: str
    signing: Signing = Signing()


class Profile(Source):
    """A provider of Sentinel-2 L2A, in words the rest of the house does not need to know."""

    scale: Annotated[float, Field(gt=0)]
    """Reflectance per DN."""
    bands: dict[str, Names]
    """Canonical band name to asset names, the best first."""
    offset: OffsetRule
    fields_: Annotated[Fields, Field(alias="fields")]

    @model_validator(mode="after")
    def _all_bands(self) -> Self:
        wanted = {*BAND_NAMES, "scl"}
        if set(self.bands) != wanted:
            wrong = sorted(wanted ^ set(self.bands))
            raise ValueError(f"[bands] must name exactly the canonical bands; look at {wrong}")
        empty = sorted(band for band, assets in self.bands.items() if not assets)
        if empty:
            raise ValueError(f"[bands] names no asset for {empty}")
        return self


_SAYS = {"tree", "open", *(land.name.lower() for land in Land if land and land not in TREE_CLASSES)}
"""What a code of a reference map may stand for; see :class:`jinhua_rs.atlas.Atlas`."""


class AtlasProfile(Source):
    """An atlas: a map of classes, or elevation."""

    asset: Annotated[Names, Field(min_length=1)]
    """Asset names, the best first."""
    kind: Literal["class", "elevation"]
    nodata: float | None = None
    """Number that stands for "not seen" beside what a file itself declares."""
    classes: dict[Annotated[int, Field(ge=1, le=255)], str] = {}
    """Code to ``tree``, ``open`` or a land-cover class; see :class:`jinhua_rs.atlas.Atlas`."""

    @model_validator(mode="after")
    def _classes_fit(self) -> Self:
        if (self.kind == "class") != bool(self.classes):
            raise ValueError("[classes] belongs to an atlas of kind 'class', and only there")
        unknown = sorted(set(self.classes.values()) - _SAYS)
        if unknown:
            raise ValueError(f"[classes] says {unknown}; known are {', '.join(sorted(_SAYS))}")
        return self


def profile_names(folder: Path | None = None) -> tuple[str, ...]:
    """Names of the imagery profiles at hand, sorted."""
    return _names(folder or _folder("profiles"))


def atlas_names(folder: Path | None = None) -> tuple[str, ...]:
    """Names of the atlases at hand, sorted."""
    return _names(folder or _folder("atlases"))


def load_profile(name: str, *, folder: Path | None = None) -> Profile:
    """
    Read ``stac/profiles/<name>.toml``, or the file itself where ``name`` ends in ``.toml``.

    Parameters
    ----------
    name : str
        Profile name such as ``"earth-search-c1"``, or a path of your own TOML file.
    folder : Path, optional
        Folder of profiles; the ones that come with the package by default.

    Raises
    ------
    ConfigError
        On an unknown name or key (with a hint), bad TOML or a wrong value.

    Examples
    --------
    >>> load_profile("planetary-computer").bands["nir"]
    ('B08',)
    """
    return _load(Profile, name, folder or _folder("profiles"))


def load_atlas(name: str, *, folder: Path | None = None) -> AtlasProfile:
    """
    Read ``stac/atlases/<name>.toml``, or the file itself; as :func:`load_profile`.

    Examples
    --------
    >>> load_atlas("esa-worldcover").classes[10]
    'tree'
    """
    return _load(AtlasProfile, name, folder or _folder("atlases"))


def _load(kind: type[S], name: str, folder: Path) -> S:
    path = Path(name) if name.endswith(".toml") else _named(name, folder)
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"cannot read the profile {path.name}: {error}; mend it or choose another profile",
            zh=f"无法读取数据源配置 {path.name}（{error}）；请修正文件或改用其他数据源",
        ) from error
    try:
        return kind.model_validate({**raw, "name": path.stem})
    except ValidationError as error:
        raise _wrong(kind, path.name, error) from error


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def _folder(kind: str) -> Path:
    """Profiles of the installed package, or of the source tree beside it."""
    packaged = Path(__file__).with_name(f"_{kind}")
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "stac" / kind


def _named(name: str, folder: Path) -> Path:
    known = _names(folder)
    if re.fullmatch(r"[a-z0-9-]+", name) and name in known:
        return folder / f"{name}.toml"
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"
    hint_zh = f"是否想写 {close[0]!r}？" if close else f"可用：{'、'.join(known)}"
    raise ConfigError(f"unknown profile {name!r}; {hint}", zh=f"未知的数据源 {name!r}；{hint_zh}")


def _wrong(kind: type[Source], file: str, error: ValidationError) -> ConfigError:
    """Turn the first complaint into a message with a hint; a misspelt key comes first."""
    first = min(error.errors(), key=lambda complaint: complaint["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"]) or "profile"
    if first["type"] != "extra_forbidden":
        message = first["msg"]
        return ConfigError(
            f"{file}: {key}: {message}; see stac/README.md",
            zh=f"{file}：{key} 的值无效（{message}）；参见 stac/README.md",
        )
    known = _keys(kind, tuple(str(part) for part in first["loc"][:-1]))
    close = get_close_matches(str(first["loc"][-1]), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"
    hint_zh = f"是否想写 {close[0]!r}？" if close else f"可用：{'、'.join(known)}"
    return ConfigError(
        f"{file}: unknown key {key!r}; {hint}", zh=f"{file}：未知的配置项 {key!r}；{hint_zh}"
    )


def _keys(kind: type[Source], section: tuple[str, ...]) -> list[str]:
    sections: dict[tuple[str, ...], type[_Part]] = {
        (): kind,
        ("offset",): OffsetRule,
        ("fields",): Fields,
        ("signing",): Signing,
    }
    fields = sections[section].model_fields
    return sorted((info.alias or name) for name, info in fields.items() if name != "name")
