"""The one shape in which reference rasters enter the house: an atlas, sheets of one band each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shapely.geometry.base import BaseGeometry

from jinhua_rs.scene import Asset

__all__ = ["Atlas", "Sheet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """
    One raster of an atlas.

    Attributes
    ----------
    id : str
        The provider's item id, checked against ``[A-Za-z0-9_.-]+``.
    year : int
        Year in Asia/Shanghai that holds the middle of the time that the item speaks of.
    asset : Asset
        Where it lies.
    crs : str
        ``"EPSG:4326"``; empty where the item does not say.
    footprint : BaseGeometry
        Outline in longitude and latitude (EPSG:4326).
    simulated : bool
        True where the item says that its pixels were made, not measured.
    """

    id: str
    year: int
    asset: Asset
    crs: str
    footprint: BaseGeometry
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Atlas:
    """
    A reference raster over an area, in sheets: a map of classes, or elevation.

    Attributes
    ----------
    name : str
        Name of its profile.
    profile : str
        The profile as it was asked for: a name, or a TOML file.
    kind : {"class", "elevation"}
        What its pixels are: codes (uint8), or metres.
    year : int or None
        Year of its sheets; None where an atlas has none (elevation).
    nodata : float or None
        Number that stands for "not seen" beside what a file itself declares.
    classes : mapping of int to str
        Code to ``"tree"``, ``"open"`` (no trees, none of our classes) or the name of a land-cover
        class in lower case; codes that are not in it say nothing. Empty for elevation.
    sheets : tuple of Sheet
        In the order in which they are laid: the first that holds a pixel decides.
    licence, attribution : str
        For people; the attribution is printed beside what is made of the atlas.
    """

    name: str
    profile: str
    kind: Literal["class", "elevation"]
    year: int | None
    nodata: float | None
    classes: Mapping[int, str]
    sheets: tuple[Sheet, ...]
    licence: str
    attribution: str

    @property
    def simulated(self) -> bool:
        """True where any of its sheets was made, not measured."""
        return any(sheet.simulated for sheet in self.sheets)

    @property
    def facts(self) -> tuple[object, ...]:
        """Everything about the atlas that its pixels depend on, as JSON holds it; no address."""
        sheets = [
            (sheet.id, sheet.year, sheet.crs, sheet.footprint.wkt, sheet.asset.checksum or "")
            for sheet in self.sheets
        ]
        return self.name, self.kind, self.nodata, sorted(self.classes.items()), sheets
