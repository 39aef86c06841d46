"""What the city's plan asks for, as data: targets with their source, themes with their rule."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["TARGETS", "THEMES", "Section", "Target", "Theme"]


class Section(BaseModel):
    """Frozen, and nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Target(Section):
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
    doubt: str = ""
    """Why the first is doubted, with the source; printed wherever the target stands."""


class Theme(Section):
    """Something the plan asks of a place, measured by a rule on a layer that is supplied."""

    rule: Literal["zone", "corridor", "service", "conversion"]
    """``zone`` cover, gain, loss inside; ``corridor`` woody share along; ``service`` radius."""
    title: str
    """Name that staff read."""
    layer: Path | None = None
    """Layer it is measured on; empty takes the one of the same name in ``[layers]``, if any."""
    within: Path | None = None
    """Of a service radius: the residential ground that is to be served."""
    name_field: str = "name"
    """Field with the name of a feature."""
    buffer_m: Annotated[float, Field(gt=0)] = 100.0
    """Half width of a corridor, or radius of service, metres."""
    least_m2: Annotated[float, Field(ge=0)] = 0.0
    """Of a service radius: a park smaller than this serves nobody."""
    source: str = ""
    """Document and wording it was taken from."""


TARGETS = {
    "forest_cover": Target(
        value=61.0, unit="%", source="规划纲要（2020–2035，征求意见稿）：森林覆盖率稳定在61%以上"
    ),
    "new_afforestation": Target(
        value=151.2,
        unit="万亩",
        deadline="2024",
        source="规划纲要（2020–2035，征求意见稿）：到2024年完成新增造林151.2万亩",
        alternative=15.12,
        doubt="全省2020—2024年国土绿化目标共180万亩（浙江省新增百万亩国土绿化行动方案）；"
        "磐安县五年任务2.36万亩；全市2020年任务约4.2万亩",
    ),
}


_PLAN = "规划纲要（2020–2035，征求意见稿）"
THEMES = {
    "corridors": Theme(
        rule="corridor",
        title="八廊（金华江、武义江、东阳江、浦阳江、兰江、衢江、南江、文溪）",
        source=f"{_PLAN}：一带两屏八廊",
    ),
    "reserves": Theme(
        rule="zone", title="自然保护地", source=f"{_PLAN}：自然保护地不少于陆域面积的10.5%"
    ),
    "red_line": Theme(
        rule="zone", title="生态保护红线", source=f"{_PLAN}：面积不减少、功能不降低、性质不改变"
    ),
    "mountain_parks": Theme(rule="zone", title="十大名山公园", source=f"{_PLAN}：十大名山公园"),
    "screens": Theme(rule="zone", title="一带两屏", source=f"{_PLAN}：一带两屏"),
    "park_service": Theme(
        rule="service",
        title="公园绿地服务半径覆盖率",
        buffer_m=500.0,
        least_m2=5_000.0,
        source=f"{_PLAN}：2025年公园绿地服务半径覆盖率90%",
    ),
    "farmland_returned": Theme(
        rule="conversion", title="退耕还林还草还湿", source=f"{_PLAN}：退耕还林还草还湿"
    ),
}
