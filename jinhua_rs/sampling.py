"""Where training samples come from beside the field: maps that agree, and verdicts of reviewers."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from odc.geo.xr import rasterize

from jinhua_rs import catalog, cube, store
from jinhua_rs.atlas import Atlas
from jinhua_rs.errors import NoDataError
from jinhua_rs.estimation.design import lasting
from jinhua_rs.following import Place, find_followed
from jinhua_rs.patches import Book, State
from jinhua_rs.qgis import dated
from jinhua_rs.regions import load_units, outline
from jinhua_rs.samples import EDGE_PX, TREE, agreement, class_said, of_reviews
from jinhua_rs.schema import Land
from jinhua_rs.settings import Settings
from jinhua_rs.tasks import Progress

__all__ = ["consensus", "reviewed", "write_samples"]

_FAIR = 2
_NO_DAY = "2000-01-01T00:00:00.000Z"
"""Stamped into the file in place of the day: equal samples make equal bytes."""
_WANTED = [TREE, *(1 << land for land in Land if land)]
"""What is drawn: pixels of one class, and of trees not told apart."""
_STREAM = 100
"""Of the lasting numbers: not those of the reference sample, which must know nothing of these."""
_VERDICTS = {State.CONFIRMED: "confirmed", State.REPAIR: "confirmed", State.REJECTED: "rejected"}
"""States that say what stands there now; a patch that was struck off has changed since."""


def consensus(
    names: Sequence[str],
    settings: Settings,
    *,
    each: int,
    year: int | None = None,
    progress: Progress,
) -> gpd.GeoDataFrame:
    """
    Draw samples where reference maps agree: so many of every class in every county.

    Every pixel has a lasting random number, made of ``[model] seed`` and its place; of the pixels
    of a class in a county those with the lowest are drawn. The draw does not depend on tiles.

    Parameters
    ----------
    names : sequence of str
        Atlases of kind "class", two at least; a map of forest types of one's own may be among
        them and tells the trees apart.
    each : int
        Samples of a class in a county, at most.
    year : int, optional
        Of all maps; the newest of each by default.

    Returns
    -------
    GeoDataFrame
        Points in the CRS of the grid: ``id``, ``class`` (NaN = trees of a kind that no map
        tells: for an interpreter to fill in), ``tree`` (0, 1), ``county``, ``date``, ``source``,
        ``confidence`` (2) and ``simulated``.

    Raises
    ------
    NoDataError
        If maps are missing, or agree nowhere.
    """
    units = load_units(settings.area)
    area, counties = outline(units), units[units["level"] == "county"]
    degrees = gpd.GeoSeries([area], crs=units.crs).to_crs("EPSG:4326").iloc[0]
    stac = settings.atlas_stac
    atlases = [
        catalog.settle_atlas(catalog.find_atlas(name, degrees, stac, year=year), stac)
        for name in names
    ]
    tiles = settings.grid.tiles(area)
    drawn = pd.DataFrame()
    for done, tile in enumerate(tiles, start=1):
        found = _agreed(atlases, tile.geobox, counties, settings.model.seed)
        drawn = _lowest(pd.concat([drawn, *found]), each)
        progress("samples", done, len(tiles))
    if drawn.empty:
        raise NoDataError(
            f"the maps {', '.join(names)} agree nowhere in the area; check [atlas] url and years",
            zh=f"参考图 {'、'.join(names)} 在该范围内没有一致之处；请检查 [atlas] url 与年份",
        )
    return _as_samples(drawn, atlases, settings)


def _agreed(
    atlases: Sequence[Atlas], geobox: GeoBox, counties: gpd.GeoDataFrame, seed: int
) -> Iterator[pd.DataFrame]:
    """Yield the pixels of a tile on which the maps agree, with their lasting numbers, by county."""
    wide = geobox.pad(EDGE_PX)
    codes = [(cube.read_atlas(atlas, wide).to_numpy(), atlas.classes) for atlas in atlases]
    said = agreement(codes)[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX]
    said = np.where(np.isin(said, _WANTED), said, 0)
    side = abs(geobox.resolution.x)
    left, top = round(geobox.affine.c / side), round(geobox.affine.f / side)
    for code, shape in counties.geometry.items():
        inside = rasterize(Geometry(shape, geobox.crs), geobox).to_numpy() & (said > 0)
        rows, columns = np.nonzero(inside)
        place = pd.DataFrame({"column": left + columns, "row": top - 1 - rows})
        number = lasting(place["column"].to_numpy(), place["row"].to_numpy(), seed, _STREAM)
        yield place.assign(county=str(code), said=said[rows, columns], chance=number)


def _lowest(pixels: pd.DataFrame, each: int) -> pd.DataFrame:
    """Keep the pixels with the lowest numbers, so many of every class in every county."""
    ordered = pixels.sort_values("chance", kind="stable")
    return ordered.groupby(["county", "said"]).head(each)


def _as_samples(
    drawn: pd.DataFrame, atlases: Sequence[Atlas], settings: Settings
) -> gpd.GeoDataFrame:
    table = drawn.sort_values(["county", "said", "chance"], ignore_index=True)
    said = [int(bits) for bits in table["said"]]
    side = settings.area.resolution
    source = " + ".join(f"{atlas.name} {atlas.year}" for atlas in atlases)
    simulated = any(atlas.simulated for atlas in atlases)
    return gpd.GeoDataFrame(
        {
            "id": [f"C{number:05d}" for number in range(1, len(table) + 1)],
            "class": [float(class_said(bits) or np.nan) for bits in said],
            "tree": [int(bits & TREE > 0) for bits in said],
            "county": table["county"],
            "date": f"{max(atlas.year or 0 for atlas in atlases)}-07-01",
            "source": f"consensus {source}",
            "confidence": _FAIR,
            "simulated": simulated,
        },
        geometry=gpd.points_from_xy((table["column"] + 0.5) * side, (table["row"] + 0.5) * side),
        crs=settings.area.crs,
    )


def reviewed(place: Place) -> gpd.GeoDataFrame:
    """
    Gather what reviewers decided of the patches of a period, as sample polygons.

    Returns
    -------
    GeoDataFrame
        See :func:`jinhua_rs.samples.of_reviews`; ``simulated`` beside.

    Raises
    ------
    NoDataError
        If the period was not followed up, or no verdict says what stands there.
    """
    register, book = find_followed(place).register, Book(place.verdicts)
    final = (State.CONFIRMED, State.REJECTED)
    judged = {one.patch: one for one in book.verdicts if one.after in final}
    states = book.states
    rows = [
        {
            "patch": patch.id,
            "verdict": _VERDICTS[states[patch.id]],
            "reason": judged[patch.id].reason,
            "before": patch.facts.before,
            "after": patch.facts.after,
            "day": judged[patch.id].when[:10],
            "who": judged[patch.id].who,
            "geometry": patch.outline,
        }
        for patch in register.patches
        if patch.stands and patch.id in judged and states[patch.id] in _VERDICTS
    ]
    found = of_reviews(gpd.GeoDataFrame(rows, crs=place.settings.area.crs)) if rows else None
    if found is None or found.empty:
        raise NoDataError(
            f"no verdict on a patch of {place.period} says what stands there; review patches first",
            zh=f"{place.period.name_zh}没有可用作样本的图斑核查结论；请先核查图斑",
        )
    return found.assign(simulated=place.settings.report.simulated)


def write_samples(path: Path, samples: gpd.GeoDataFrame) -> Mapping[str, int]:
    """Write samples as a GeoPackage, whole or not at all; return how many there are by class."""
    with store.whole(path) as part:
        draft = part.with_suffix(".gpkg")
        with dated(_NO_DAY):
            pyogrio.write_dataframe(samples, draft, layer="samples", driver="GPKG")
        draft.rename(part)
    counts = samples["class"].value_counts(dropna=False).sort_index()
    return {str(int(code)) if code == code else "": int(n) for code, n in counts.items()}  # noqa: PLR0124
