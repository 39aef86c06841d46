"""What was published before: the maps of one season, period by period, checked before use."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from shapely.geometry.base import BaseGeometry

from jinhua_rs import store
from jinhua_rs.errors import ConfigError, GridMismatch, IntegrityError
from jinhua_rs.grid import require_same_grid
from jinhua_rs.period import Period

__all__ = ["PUBLISHED", "Publication", "publications", "series"]

PUBLISHED = "published"
"""Folder of a period's publication, inside the period's folder."""


@dataclass(frozen=True, slots=True)
class Publication:
    """
    A published period: its folder of maps, and the mark of simulated data (or empty).

    ``run_id`` names the inputs it was made from, ``season`` the days of the year that were used
    (``[composite] season``; empty is all).
    """

    period: Period
    folder: Path
    label: str
    run_id: str
    season: tuple[str, ...] = ()

    def table(self) -> pd.DataFrame:
        """Read the indicator rows of the publication (``schema.ROW_COLUMNS``)."""
        path = self.folder / "indicators.csv"
        return pd.read_csv(path, dtype={"unit": str, "period": str})

    def map(self, name: str) -> Path | None:
        """
        Return the file of a map, or None where the publication has none of that name.

        Raises
        ------
        IntegrityError
            If the file is not what was published.
        """
        path = self.folder / f"{name}.tif"
        if not path.is_file():
            return None
        state = path.stat()
        if not _is_as_published(path, state.st_mtime_ns, state.st_size):
            raise IntegrityError(
                f"{path} is not what was published; run `jinhua-rs verify {self.period}` and "
                "publish the period again",
                zh=f"{path} 与发布时不一致；请用 jinhua-rs verify {self.period} 检查并重新发布",
            )
        return path


@lru_cache(maxsize=1024)
def _is_as_published(path: Path, _changed: int, _size: int) -> bool:
    """Compare a file with the list of checksums, once for each state of the file."""
    sums = (path.parent / store.SUMS).read_text(encoding="utf-8").splitlines()
    known = {name: expected for expected, _, name in (line.partition("  ") for line in sums)}
    return known.get(path.name) == store.digest(path)


def publications(root: Path, until: Period, *, unit: str | None = None) -> tuple[Publication, ...]:
    """
    List what was published of one season, oldest first.

    Parameters
    ----------
    root : Path
        ``[output] root``.
    until : Period
        Last period wanted; only periods of its season are listed.
    unit : str, optional
        Code of the unit of a county run; None is the whole area.

    Returns
    -------
    tuple of Publication
        Those that are whole; empty where there is none.
    """
    ending = "" if unit is None else f".{unit}"
    found = []
    for folder in root.glob(f"*/{PUBLISHED}") if root.is_dir() else ():
        name = folder.parent.name
        if not name.endswith(ending) or not (folder / store.SUMS).is_file():
            continue
        period = _period(name.removesuffix(ending) if ending else name)
        if period is None or not period.comparable(until) or until < period:
            continue
        receipt = store.read_json(folder / "run.json")
        facts = receipt if isinstance(receipt, dict) else {}
        season = facts.get("settings", {}).get("composite", {}).get("season", ())
        label, run_id = (str(facts.get(name, "")) for name in ("label", "run_id"))
        found.append(Publication(period, folder, label, run_id, tuple(season)))
    return tuple(sorted(found, key=lambda one: one.period.start))


def _period(name: str) -> Period | None:
    """Return the period that a folder is named after; None for any other folder."""
    try:
        period = Period.parse(name)
    except ConfigError:
        return None
    return period if str(period) == name else None


def series(published: tuple[Publication, ...], name: str, area: BaseGeometry) -> xr.DataArray:
    """
    Cut one map of every publication along the bounds of an area, and stack the years.

    Parameters
    ----------
    published : tuple of Publication
        Of one season, as :func:`publications` lists them.
    name : str
        Map, such as ``"nbr"``.
    area : shapely geometry
        In the CRS of the maps.

    Returns
    -------
    DataArray, dims (year, y, x), float32 or uint8 (classes), in memory
        Pixels whose centre lies within the bounds; NaN (0 for classes) = not seen. Years without
        the map are left out.

    Raises
    ------
    GridMismatch
        If the maps do not lie on one grid.
    IntegrityError
        If a map is damaged.
    """
    left, bottom, right, top = area.bounds
    layers: dict[int, xr.DataArray] = {}
    for one in published:
        path = one.map(name)
        if path is not None:
            cut = store.open_map(path).sel(x=slice(left, right), y=slice(top, bottom))
            layers[one.period.year] = cut.load()
    if not layers:
        return xr.DataArray(
            np.empty((0, 0, 0), np.float32), dims=("year", "y", "x"), coords={"year": []}, name=name
        )
    first = next(iter(layers.values()))
    for year, layer in layers.items():
        try:
            require_same_grid(first, layer)
        except GridMismatch as error:
            raise GridMismatch(
                f"the {name} map of {year} lies on another grid than that of {min(layers)}; "
                "publish all years with one [area]",
                zh=f"{year} 年的 {name} 图与 {min(layers)} 年的格网不同；请用同一 [area] 重新发布",
            ) from error
    stacked = xr.concat(list(layers.values()), dim="year", combine_attrs="drop", join="exact")
    return stacked.assign_coords(year=list(layers)).rename(name)
