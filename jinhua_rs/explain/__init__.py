"""What happened to a tile, a scene or a county of a period, and why: from what lies on disk."""

from difflib import get_close_matches

from jinhua_rs import regions
from jinhua_rs.errors import ConfigError
from jinhua_rs.explain.desk import Desk, Explanation, open_desk
from jinhua_rs.explain.scenes import explain_scene
from jinhua_rs.explain.tiles import explain_tile
from jinhua_rs.explain.units import explain_unit
from jinhua_rs.period import Period
from jinhua_rs.settings import Settings

__all__ = ["Explanation", "explain"]


def explain(
    subject: str, period: Period, settings: Settings, county: str | None = None
) -> Explanation:
    """
    Say what became of a tile (``e0024n0157``), a scene (its id) or a county (name or code).

    Nothing is searched, made or changed: the scenes are those of the period's inventory, tiles
    and their sidecars are read and checked, no clock is asked.

    Parameters
    ----------
    subject : str
    period : Period
    settings : Settings
    county : str, optional
        Unit of a run of one county.

    Raises
    ------
    NoDataError
        If the period was never planned.
    ConfigError
        If nothing of that name is known; close names are given.
    """
    desk, wanted = open_desk(period, settings, county), subject.strip()
    for tile in desk.plan.tiles:
        if tile.id == wanted:
            return explain_tile(desk, tile)
    for decision in desk.plan.inventory.decisions:
        if decision.id == wanted:
            return explain_scene(desk, decision)
    try:
        unit = regions.select(desk.plan.units, wanted)
    except ConfigError as error:
        raise _unknown(desk, wanted) from error
    return explain_unit(desk, unit)


def _unknown(desk: Desk, wanted: str) -> ConfigError:
    plan = desk.plan
    known = [*(tile.id for tile in plan.tiles), *(one.id for one in plan.inventory.decisions)]
    close = get_close_matches(wanted, [*known, *plan.units.index, *plan.units["name_zh"]], n=3)
    shown = repr(wanted[:80])
    hint = f"did you mean {', '.join(close)}?" if close else "give a tile, a scene or a county"
    hint_zh = f"是否想写 {'、'.join(close)}？" if close else "请给出瓦片编号、影像编号或县名"
    return ConfigError(
        f"{plan.period} knows no tile, scene or county {shown}; {hint}",
        zh=f"{plan.period} 中没有名为 {shown} 的瓦片、影像或县；{hint_zh}",
    )
