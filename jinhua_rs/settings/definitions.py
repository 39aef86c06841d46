"""The section that says what counts as forest, beside the canopy that a satellite sees (口径)."""

from typing import Annotated

from pydantic import Field

from jinhua_rs.settings.plan import Section

__all__ = ["Definitions"]

Count = Annotated[float, Field(ge=0)]


class Definitions(Section):
    """What counts as forest (口径): switches, trees outside stands, the official base year."""

    bamboo: bool = True
    """Bamboo stands of canopy density 0.20 or more count."""
    special_shrub: bool = True
    """Shrub crops (tea, oil-camellia, torreya) on forest land count, as shrub the state names."""
    tea: bool = False
    """Shrub crops on tea gardens (land use 0202) count as well."""
    oil_camellia: bool = False
    """Shrub crops on other garden land (land use 02xx but 0201, 0202) count as well."""
    orchard: bool = False
    """Orchards count as well."""
    roadside_stems: dict[str, Count] = Field(default_factory=dict)
    """Trees outside stands (四旁), stems by code of unit; the city needs a figure of its own."""
    stems_per_ha: Annotated[float, Field(gt=0)] = 1650.0
    """Stems that make a hectare of such trees; the ratio is the province's."""
    calibrate: bool = False
    """Carry the official figure of its year on by the measured change, beside our own figure."""
    official_share: Annotated[float, Field(ge=0, le=100)] = 61.82
    """The official coverage of the whole area, %."""
    official_period: str = "2019"
    """Period that it is of; a run is calibrated if this is its baseline."""
    official_source: str = "金华市森林覆盖率61.82%（2019年末，2020-01-03 公开报道）"
    """Where it was published."""
