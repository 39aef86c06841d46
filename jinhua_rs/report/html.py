"""The report as one HTML file: no request to anywhere, no script, both languages."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from jinhua_rs.errors import ContractError
from jinhua_rs.estimation.verdicts import Verdict
from jinhua_rs.figures import DASH, Words, percent, shown
from jinhua_rs.report import wording
from jinhua_rs.report.alerted import alert_lines
from jinhua_rs.report.crosswalk import crosswalk
from jinhua_rs.report.data import ReportData
from jinhua_rs.report.lines import Line, headline_unit, lines
from jinhua_rs.report.saying import COVER_TARGET
from jinhua_rs.report.steps import STEP_NAMES, step_lines

__all__ = ["FIGURES", "render"]

FIGURES: dict[str, Words] = {
    "choropleth": Words("分县（市、区）林木覆盖率", "Tree cover by county"),
    "bars": Words("分县（市、区）覆盖率与95%区间", "Coverage with 95 % intervals"),
    "course": Words("分县（市、区）历年覆盖率", "Coverage over the years by county"),
    "forest": Words("林木覆盖图", "Tree cover"),
    "landcover": Words("土地覆盖图", "Land cover"),
    "canopy": Words("林冠覆盖度图", "Canopy cover"),
    "ndvi": Words("植被指数（NDVI）图", "NDVI"),
    "change": Words("林木变化图", "Change of tree cover"),
    "alert": Words("植被变化预警图", "Alerts of the watch"),
    "alerts": Words("分县（市、区）预警面积与置信度", "Ground in alert by county and confidence"),
    "n_clear": Words("晴空观测次数图", "Clear looks"),
}
"""Pictures that a report knows, by name, with their titles; ``change`` needs a baseline."""

_SECTIONS = {
    "counties": ("choropleth", "bars"),
    "years": ("course",),
    "quality": ("n_clear",),
    "watch": ("alert", "alerts"),
}
_MAPS = ("forest", "landcover", "canopy", "ndvi", "change")
_CONTEXT = Words("像元统计（仅供参考，不作评价）", "Pixel counts (context only, not judged)")
_EMPTY = Words("数据不足（不给出覆盖率）", "Insufficient data (no figure is given)")
_TONES = {Verdict.MET: "met", Verdict.NOT_MET: "notmet", Verdict.UNDECIDED: "open"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in the page: its title and the PNG as data URI in each language."""

    title: Words
    source: Words


def render(data: ReportData, pictures: Mapping[str, bytes]) -> str:
    """
    Render the page.

    Parameters
    ----------
    data : ReportData
        The one source of every number.
    pictures : Mapping of ``"name.zh"`` or ``"name.en"`` to PNG bytes
        Names of :data:`FIGURES`. A picture that is there in one language only stands in both.

    Returns
    -------
    str
        HTML, UTF-8; every text from outside is escaped.

    Raises
    ------
    ContractError
        If a picture has an unknown name.
    """
    shown_pictures = _pictures(pictures)
    main = headline_unit(data)
    cover = next((target for target in data.targets if target.key == COVER_TARGET), None)
    told = None if main is None or not main.whole else main.told
    return _template().render(
        data=data,
        w=wording,
        percent=percent,
        shown=shown,
        signed=_signed,
        css=_css_text,
        main=main,
        groups=_groups(lines(data)),
        set_aside=[one for one in data.checks if not one.passed],
        steps=step_lines(data),
        alerts=alert_lines(data.alerts, data.names, {one.code: one.area_m2 for one in data.units}),
        watch=_chosen(shown_pictures, _SECTIONS["watch"]),
        step_names=STEP_NAMES,
        sampled=any(line.share.judged for line in lines(data)),
        coverage=wording.coverage_said(data, main),
        change=wording.change_said(data, main),
        cover=cover,
        told=told,
        tones=_TONES,
        counties=_chosen(shown_pictures, _SECTIONS["counties"]),
        years=_chosen(shown_pictures, _SECTIONS["years"]),
        trend=None if main is None else main.trend,
        trends=[line for line in lines(data) if line.trend and line.trend.value is not None],
        cross=crosswalk(data),
        maps=_chosen(shown_pictures, _MAPS),
        quality=_chosen(shown_pictures, _SECTIONS["quality"]),
    )


@cache
def _template() -> Template:
    """Load the template; ``autoescape`` is on and an unknown name is an error."""
    text = (files("jinhua_rs.report") / "templates" / "report.html").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text)


def _css_text(text: str) -> Markup:
    r"""
    Write a text as CSS escapes, so that nothing in it can end the string or the style sheet.

    >>> print(_css_text('a"'))
    \000061\000022
    """
    return Markup("".join(f"\\{ord(letter):06x}" for letter in text))  # noqa: S704 - hex digits only


def _pictures(pictures: Mapping[str, bytes]) -> dict[str, Picture]:
    addresses: dict[str, dict[str, str]] = {}
    for key, png in pictures.items():
        name, _, language = key.partition(".")
        if name not in FIGURES or language not in ("zh", "en"):
            raise ContractError(
                f"unknown picture {key!r}; known are {', '.join(FIGURES)}, each with .zh or .en",
                zh=f"未知图件 {key!r}；可用：{'、'.join(FIGURES)}，后缀 .zh 或 .en",
            )
        encoded = "data:image/png;base64," + b64encode(png).decode("ascii")
        addresses.setdefault(name, {})[language] = encoded
    return {
        name: Picture(
            FIGURES[name], Words(found.get("zh", found.get("en", "")), found.get("en", ""))
        )
        for name, found in addresses.items()
    }


def _signed(number: float | None) -> str:
    """Print a number of a claim with its sign; a dash where it is not known."""
    return DASH if number is None else shown(number, signed=True)


def _groups(found: tuple[Line, ...]) -> list[tuple[Words | None, list[Line]]]:
    """Units with an interval first, then pixel counts, then those without data; none empty."""
    groups: list[tuple[Words | None, list[Line]]] = [
        (None, [line for line in found if line.share.judged]),
        (_CONTEXT, [line for line in found if line.share.context_only]),
        (
            _EMPTY,
            [line for line in found if not (line.share.judged or line.share.context_only)],
        ),
    ]
    return [(title, members) for title, members in groups if members]


def _chosen(pictures: Mapping[str, Picture], names: tuple[str, ...]) -> list[Picture]:
    return [pictures[name] for name in names if name in pictures]
