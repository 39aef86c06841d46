"""The paper a figure is drawn on: font, title, footer, mark, and the way to PNG bytes."""

import io
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from matplotlib.text import Text
from PIL import Image

from jinhua_rs.errors import ConfigError, ContractError
from jinhua_rs.figures.caption import Caption, Language, Words

__all__ = ["DPI", "GREY", "INK", "RED", "WIDTH_IN", "font_file", "new_sheet", "stamp", "to_png"]

DPI = 200
"""1600 px across: twice the width at which a page shows a figure, so text stays crisp."""
WIDTH_IN = 8.0
INK = "#1f2a2e"
GREY = "#6b7478"
RED = "#b3261e"

_TOP_IN, _FOOT_IN = 0.86, 0.52
_FONT = "NotoSansSC-Regular.ttf"
_COLOURS = 256
_INTERNAL = Words("内部工作用图", "For internal use")


@cache
def font_file() -> Path:
    """
    Path of Noto Sans SC (SIL Open Font License), from the installed package ``zhplot``.

    The package itself is not imported: importing it changes matplotlib's settings.

    Raises
    ------
    ConfigError
        If the package or the font is not there.
    """
    spec = find_spec("zhplot")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        path = Path(folder) / "fonts" / _FONT
        if path.is_file():
            return path
    raise ConfigError(
        f"the font {_FONT} is missing; install the package zhplot",
        zh=f"缺少中文字体 {_FONT}；请安装 zhplot 包",
    )


def new_sheet(caption: Caption, language: Language, body_in: float) -> tuple[Figure, float, float]:
    """
    Start a figure with title and footer around a body ``body_in`` inches high.

    Returns
    -------
    figure : Figure
        ``WIDTH_IN`` inches wide, off-screen.
    bottom, top : float
        Edges of the body in inches from the bottom of the figure.
    """
    height = _TOP_IN + body_in + _FOOT_IN
    figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI, facecolor="white")
    left = 0.25 / WIDTH_IN
    title = figure.text(
        left, 1 - 0.20 / height, caption.title.to(language), size=15, color=INK, va="top"
    )
    title.set_path_effects([Stroke(linewidth=0.5, foreground=INK), Normal()])
    figure.text(left, 1 - 0.54 / height, caption.when.to(language), size=8.5, color=GREY, va="top")
    run = Words(f"运行编号 {caption.run_id}", f"Run {caption.run_id}").to(language)
    foot = f"{_INTERNAL.to(language)} · {run}\n{caption.credit.to(language)}"
    figure.text(left, 0.10 / height, foot, size=6.5, color=GREY, va="bottom", linespacing=1.5)
    if caption.mark is not None:
        _tag(figure, caption.mark.to(language), height)
    return figure, _FOOT_IN, _FOOT_IN + body_in


def stamp(
    axes: Axes, caption: Caption, language: Language, *, zorder: float, size: float = 32
) -> None:
    """Write the mark of simulated data across ``axes``, under whatever has a higher ``zorder``."""
    if caption.mark is None:
        return
    text = axes.text(
        0.5,
        0.5,
        caption.mark.to(language),
        transform=axes.transAxes,
        size=size,
        color=RED,
        alpha=0.36,
        rotation=24,
        ha="center",
        va="center",
        zorder=zorder,
    )
    text.set_path_effects([Stroke(linewidth=2.5, foreground="white", alpha=0.4), Normal()])


def to_png(figure: Figure) -> bytes:
    """
    Render a figure as PNG with a palette of 256 colours and no date or software inside.

    Equal figures give equal bytes. Text is drawn as written: ``$`` starts no formula.

    Raises
    ------
    ContractError
        If a character is missing from the font, naming it: no box is ever printed for it.
    """
    font = font_file()
    canvas = FigureCanvasAgg(figure)
    for artist in figure.findobj():
        if isinstance(artist, Text):
            _dress(artist, font)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Glyph", category=UserWarning)
        try:
            canvas.draw()  # type: ignore[no-untyped-call]
        except UserWarning as warning:
            raise ContractError(
                f"the figure font lacks a character: {warning}; mend the name that holds it",
                zh=f"图件字体缺字：{warning}；请修改含该字的名称",
            ) from warning
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3]  # type: ignore[no-untyped-call]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    palette = image.quantize(_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    target = io.BytesIO()
    palette.save(target, "PNG", optimize=True, dpi=(DPI, DPI))
    return target.getvalue()


def _dress(text: Text, font: Path) -> None:
    """Give a text the Chinese font without registering it for the whole process."""
    properties = text.get_fontproperties().copy()
    properties.set_file(str(font))
    text.set_fontproperties(properties)
    text.set_parse_math(False)


def _tag(figure: Figure, mark: str, height: float) -> None:
    figure.text(
        1 - 0.25 / WIDTH_IN,
        1 - 0.34 / height,
        mark,
        size=11,
        color="white",
        ha="right",
        va="center",
        bbox={"boxstyle": "square,pad=0.45", "facecolor": RED, "edgecolor": "none"},
    )
