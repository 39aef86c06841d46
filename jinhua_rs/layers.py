"""The one door by which layers that people supply come in: read, checked, mended, counted."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import ConfigError, DatumError

__all__ = [
    "Layer",
    "column",
    "mended",
    "open_all",
    "open_layer",
    "read_vector",
    "shifted",
    "text",
    "told_apart",
    "year_of",
]

_MAX_FEATURES = 3_000_000
_MAGIC = {
    ".gpkg": b"SQLite format 3\x00",
    ".shp": b"\x00\x00'\n",
    ".fgb": b"fgb",
    ".geojson": b"{",
    ".json": b"{",
    ".kml": b"<",
}
"""First bytes by suffix: a file is what its name says, since GDAL would open anything else too."""
_FAR_M = 200_000.0
"""A layer of the city may well have nothing in one of its counties; one from afar is mistaken."""
_LIKE_GCJ02 = (440.0, -305.0)
"""Metres east and north by which GCJ-02 moves Jinhua (389-490, 277-336)."""


@dataclass(frozen=True, slots=True)
class Layer:
    """
    A layer that passed the door.

    ``frame`` holds the features that lie in the area, none where the layer lies elsewhere: fields
    as supplied, valid geometry in the CRS of the grid, index 0, 1, ... in the order of the file.
    ``digest`` is the SHA-256 of the file. Counts of features: ``n_mended`` crossed themselves and
    were mended, ``n_empty`` have no usable geometry, ``n_outside`` lie outside the area; the last
    two are left out.
    """

    role: str
    frame: gpd.GeoDataFrame
    digest: str
    n_mended: int = 0
    n_empty: int = 0
    n_outside: int = 0

    def remarks(self) -> tuple[tuple[str, str], ...]:
        """Tell what staff should know of the layer, in English and Chinese; empty when sound."""
        told = (
            (self.n_mended, "crossed themselves and were mended", "个自相交，已修复"),
            (self.n_empty, "have no usable geometry and were left out", "个无有效图形，未使用"),
            (self.n_outside, "lie outside the area and were left out", "个在区域之外，未使用"),
        )
        return tuple(
            (f"{self.role}: {count} features {en}", f"图层 {self.role}：{count} {zh}")
            for count, en, zh in told
            if count
        )


def open_layer(
    path: Path,
    role: str,
    *,
    crs: str,
    area: BaseGeometry,
    kind: str = "Polygon",
    check_datum: bool = True,
) -> Layer:
    """
    Read a layer, check it, mend what can be mended, and bring it to the grid's CRS.

    Parameters
    ----------
    path : Path
        GeoPackage, Shapefile (fields in UTF-8 or GBK), FileGDB, FlatGeobuf, GeoJSON or KML with
        one spatial layer.
    role : str
        What the layer is for, its key in ``[layers]``; told in errors and remarks.
    crs : str
        CRS of the grid.
    area : shapely geometry
        Outline of the area in ``crs``; features that do not reach it are left out.
    kind : str
        ``"Polygon"``, ``"LineString"`` or ``"Point"``; their multiple forms are meant too.
    check_datum : bool
        Refuse a layer that fits into the area only when GCJ-02's shift is taken back.

    Raises
    ------
    ConfigError
        On a file that cannot be read or is not what its name says, without CRS, without features
        of the kind, far from the area, or that looks like GCJ-02.
    """
    raw = read_vector(path, role)
    parts = raw.geometry.to_numpy()
    sound = np.array([_usable(one, kind) for one in parts], dtype=bool)
    if not sound.any():
        raise _refused(path, role, f"holds no {kind.lower()}", f"没有 {kind} 类要素")
    kept = raw[sound]
    crossing = ~shapely.is_valid(kept.geometry.to_numpy())
    kept = kept.set_geometry(mended(kept.geometry.to_numpy(), kind), crs=raw.crs).to_crs(crs)
    finite = np.isfinite(kept.geometry.bounds.to_numpy()).all(axis=1) & ~kept.geometry.is_empty
    kept, crossing = kept[finite], crossing[finite.to_numpy()]
    if check_datum:
        _refuse_shifted(kept, area, path, role)
    shapely.prepare(area)
    inside = shapely.intersects(area, kept.geometry.to_numpy())
    if not inside.any() and area.distance(shapely.box(*kept.total_bounds)) > _FAR_M:
        what = f"lies more than {_FAR_M / 1000:.0f} km from the area; check its CRS"
        raise _refused(path, role, what, f"距区域 {_FAR_M / 1000:.0f} 公里以上，请检查坐标系")
    return Layer(
        role=role,
        frame=kept[inside].reset_index(drop=True),
        digest=_digest(path),
        n_mended=int(crossing[inside].sum()),
        n_empty=len(raw) - len(kept),
        n_outside=int((~inside).sum()),
    )


def open_all(
    opening: Mapping[str, Callable[[], Layer]],
) -> tuple[dict[str, Layer], tuple[tuple[str, str], ...]]:
    """
    Open layers by role; one in another datum is left out as if it were not supplied, and told.

    Returns
    -------
    layers : dict of Layer
    told : tuple of (str, str)
        Why a layer was left out, in English and in Chinese.

    Raises
    ------
    ConfigError
        Naming the first that cannot be used for another reason.
    """
    found, told = {}, []
    for role, opened in opening.items():
        try:
            found[role] = opened()
        except DatumError as error:
            told.append((str(error), error.zh))
    return found, tuple(told)


def mended(geometries: Sequence[BaseGeometry], kind: str = "Polygon") -> list[BaseGeometry]:
    """Make geometries flat and valid, and keep of each the parts of its own kind."""
    flat = shapely.force_2d(np.asarray(geometries, dtype=object))
    wrong = ~shapely.is_valid(flat)
    flat[wrong] = [_of_kind(one, kind) for one in shapely.make_valid(flat[wrong])]
    return list(flat)


def text(value: object) -> str:
    """Write a field's value as text: numbers without decimals, missing values as nothing."""
    if value is None or value != value:  # noqa: PLR0124 (NaN differs from itself)
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def column(frame: gpd.GeoDataFrame, *names: str) -> list[str] | None:
    """Values, as text, of the first field that has one of ``names`` in any case; None without."""
    fields = {str(field).casefold(): field for field in frame.columns}
    for name in names:
        if name.casefold() in fields:
            return [text(value) for value in frame[fields[name.casefold()]]]
    return None


def told_apart(ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """
    Make ids unique: a missing one is named after its place, a repeated one carries a number.

    Returns
    -------
    list of str, list of str
        The ids in their order, and those that stood more than once.

    Examples
    --------
    >>> told_apart(["a", "", "a"])
    (['a', '#2', 'a#2'], ['a'])
    """
    seen: Counter[str] = Counter()
    unique = []
    for place, given in enumerate(ids, start=1):
        name = given or f"#{place}"
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return unique, [name for name, count in seen.items() if count > 1]


def year_of(value: str) -> int | None:
    """
    Year that a field begins with; None where it begins with none between 1900 and 2100.

    >>> year_of("2018"), year_of("2018-05-01"), year_of("二〇一八"), year_of("0018")
    (2018, 2018, None, None)
    """
    digits = value[:4]
    if len(digits) < 4 or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits) if 1900 <= int(digits) <= 2100 else None


def read_vector(path: Path, role: str) -> gpd.GeoDataFrame:
    """
    Read a file of one spatial layer that is what its name says, states its CRS and holds features.

    Raises
    ------
    ConfigError
        As :func:`open_layer`; ``role`` is a key of ``[layers]``, or a setting such as
        ``"[model] samples"``.
    """
    _require_kind(path, role)
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        if len(layers) != 1:
            what = f"one spatial layer is needed, found {layers[:9]}"
            raise _refused(path, role, what, f"须恰有一个空间图层，现有 {layers[:9]}")
        encoding = _encoding(path)
        info: dict[str, Any] = pyogrio.read_info(path, layer=layers[0], encoding=encoding)
        if info["crs"] is None:
            what = "does not state its CRS; define it (e.g. EPSG:4490) and save again"
            raise _refused(path, role, what, "未声明坐标系；请先定义（如 EPSG:4490）再保存")
        if not 0 < info["features"] <= _MAX_FEATURES:
            what = f"{info['features']} features; leave the setting out if there are none"
            what_zh = f"要素数为 {info['features']}；没有要素时请不要设置该图层"
            raise _refused(path, role, what, what_zh)
        return pyogrio.read_dataframe(path, layer=layers[0], encoding=encoding)
    except (DataSourceError, DataLayerError, UnicodeDecodeError) as error:
        raise _refused(path, role, f"cannot be read ({error})", "无法读取") from error


def _require_kind(path: Path, role: str) -> None:
    """Raise unless the file is there and begins as files of its suffix do."""
    if path.suffix.lower() == ".gdb" and path.is_dir():
        return
    magic = _MAGIC.get(path.suffix.lower())
    if magic is None:
        what = f"is no GeoPackage, Shapefile, FileGDB, {', '.join([*_MAGIC][2:])}"
        raise _refused(path, role, what, "不是可用的矢量格式")
    try:
        with path.open("rb") as file:
            start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip(b" \r\n\t")
    except OSError as error:
        raise _refused(path, role, f"cannot be read ({error.strerror})", "无法读取") from error
    if not start.startswith(magic) or start.startswith(b"<OGRVRT"):
        raise _refused(path, role, "is not what its name says", "内容与扩展名不符")


def _encoding(path: Path) -> str | None:
    """Tell how a Shapefile is written that does not say so, or says UTF-8: so, else in GBK."""
    if path.suffix.lower() != ".shp":
        return None
    stated = path.with_suffix(".cpg")
    if stated.is_file() and stated.read_text("ascii", "replace").strip().upper() != "UTF-8":
        return None
    try:
        pyogrio.read_dataframe(path, encoding="UTF-8", read_geometry=False)
    except UnicodeDecodeError:
        return "GB18030"
    return "UTF-8"


def _usable(geometry: BaseGeometry | None, kind: str) -> bool:
    """Tell whether there is a geometry of the kind, with coordinates that are numbers."""
    if geometry is None or geometry.is_empty or not geometry.geom_type.endswith(kind):
        return False
    return bool(np.isfinite(shapely.get_coordinates(geometry)).all())


def _of_kind(geometry: BaseGeometry, kind: str) -> BaseGeometry:
    """Keep the parts of a mixed collection that are of the kind."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return shapely.union_all([part for part in parts if part.geom_type == kind])


def _digest(path: Path) -> str:
    """SHA-256 of a layer: of its file, or of all files that belong to it."""
    shapefile = path.suffix.lower() == ".shp"
    members = sorted(path.parent.glob(path.stem + ".*")) if shapefile else [path]
    members = sorted(path.rglob("*")) if path.is_dir() else members
    total = sha256()
    for member in (one for one in members if one.is_file()):
        total.update(member.name.encode() + b"\n" + sha256(member.read_bytes()).digest())
    return total.hexdigest()


def shifted(frame: gpd.GeoDataFrame, area: BaseGeometry) -> tuple[float, float] | None:
    """
    Find a layer of which parts stick out of the area that would not if GCJ-02 were undone.

    Layers of a bureau end at its border. One in GCJ-02 sticks out to the south-east and would
    fit once moved back; one that goes on beyond the border on all sides passes, and so does one
    that lies well inside, of which nothing can be told.

    Returns
    -------
    (float, float) or None
        Shares of vertices outside, as they are and moved back; None where nothing looks shifted.
    """
    near = area.buffer(100)
    shapely.prepare(near)
    points, owner = shapely.get_coordinates(frame.geometry.to_numpy(), return_index=True)
    east, north = _LIKE_GCJ02
    out = ~shapely.contains_xy(near, points)
    back = ~shapely.contains_xy(near, points - (east, north))
    few = out.sum() < 0.002 * len(points) or len(np.unique(owner[out])) < 5
    if few or back.sum() > 0.1 * out.sum():
        return None
    return float(out.mean()), float(back.mean())


def _refuse_shifted(frame: gpd.GeoDataFrame, area: BaseGeometry, path: Path, role: str) -> None:
    found = shifted(frame, area)
    if found is None:
        return
    out, back = found
    raise _refused(
        path,
        role,
        f"{out:.1%} of its vertices lie outside the area, and {back:.1%} would if it "
        "were moved 440 m west and 305 m north: this looks like GCJ-02; convert it to CGCS2000, "
        "or set area.check_datum = false if it is meant so",
        f"有 {out:.1%} 的节点超出区域，而整体西移 440 米、北移 305 米后"
        f"仅 {back:.1%}，疑为 GCJ-02（火星坐标）；请转换为 CGCS2000，"
        "确需使用时设 area.check_datum = false",
        kind=DatumError,
    )


def _refused(
    path: Path, role: str, what: str, what_zh: str, *, kind: type[ConfigError] = ConfigError
) -> ConfigError:
    setting = f"[layers] {role}" if role.islower() and role.isidentifier() else role
    return kind(
        f"layer {role}, {path.name}: {what}; mend {setting}",
        zh=f"图层 {role}（{path.name}）：{what_zh}；请修改 {setting}",
    )
