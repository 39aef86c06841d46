"""How the numbers of a period were made: the settings of its own run, in words."""

from jinhua_rs.figures import Words
from jinhua_rs.report.data import Fact
from jinhua_rs.settings import Settings

__all__ = ["method_facts"]

_OFF = Words("未启用", "off")
_ALL_YEAR = Words("全时段", "all days of the period")


def method_facts(settings: Settings) -> tuple[Fact, ...]:
    """Tell what decides about the map, as it was set for this run; nothing is a constant here."""
    mask, made, refined, gates = settings.mask, settings.composite, settings.refine, settings.gates
    season = " – ".join(made.season)
    window, patch = f"{refined.window_m:g}", f"{refined.min_patch_mu:g}"
    told = (
        (
            Words("云与云影外扩", "Clouds and shadows grown by"),
            Words(f"{mask.buffer_m:g} 米", f"{mask.buffer_m:g} m"),
        ),
        (
            Words("像元最少晴空观测", "Least clear looks of a pixel"),
            Words(f"{made.min_clear} 次", f"{made.min_clear}"),
        ),
        (
            Words("借用时段前后观测", "Days around the period"),
            Words(
                f"晴空观测少于 {made.widen_below} 次时，前后各 {made.widen_days} 天",
                f"{made.widen_days} days each way, for fewer than {made.widen_below} clear looks",
            )
            if made.widen_below and made.widen_days
            else _OFF,
        ),
        (
            Words("剔除离群观测", "Looks screened out beyond"),
            Words(f"偏离中位数 {made.screen_mads:g} 倍离差", f"{made.screen_mads:g} deviations")
            if made.screen_mads
            else _OFF,
        ),
        (Words("季节限制", "Season"), Words(season, season) if season else _ALL_YEAR),
        (
            Words("邻域平滑窗口", "Smoothing window"),
            Words(f"{window} 米", f"{window} m") if refined.window_m else _OFF,
        ),
        (
            Words("最小图斑（林木覆盖图）", "Minimum unit (map of tree cover)"),
            Words(f"{patch} 亩，四邻连通", f"{patch} mu, 4-connected")
            if refined.min_patch_mu
            else _OFF,
        ),
        (
            Words("单元有效观测门限", "Least share of a unit seen clear"),
            Words(f"{gates.min_clear_share:.0%}", f"{gates.min_clear_share:.0%}"),
        ),
    )
    return tuple(Fact(name, text) for name, text in told)
