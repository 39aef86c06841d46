"""Chips: what a satellite saw around one pixel, for people who judge it; no map class is shown."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from jinhua_rs.errors import ContractError
from jinhua_rs.figures.rasters import NDVI
from jinhua_rs.figures.sheet import GREY, INK, RED, font_file

__all__ = ["CHIP_PX", "Look", "chip", "mixed"]

CHIP_PX = 51
"""Pixels of the ground along a side of a chip; odd, so that one lies in the middle."""

_ZOOM, _GAP, _HEAD, _ROW_HEAD, _FOOT = 7, 16, 52, 60, 66
_SIDE = CHIP_PX * _ZOOM
_WIDTH = 3 * _SIDE + 4 * _GAP
_EMPTY = (214, 218, 219)
_FRAME = "#ffd400"
_VISIBLE, _INFRARED = (0.0, 0.16), (0.0, 0.50)
"""Reflectance shown as black and as white, the same for all chips, so that they compare."""
_GAMMA = 0.75
_TITLES = ("真彩色（红、绿、蓝）", "标准假彩色（近红外、红、绿）", "植被指数 NDVI")
_TRUE, _FALSE = ("red", "green", "blue"), ("nir", "red", "green")

Band = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Look:
    """
    One period around a point.

    ``when`` is what stands above the row; ``bands`` holds reflectance by band name, float32, dims
    (y, x), ``CHIP_PX`` pixels a side, NaN where nothing was seen. A band may be missing.
    """

    when: str
    bands: dict[str, Band]


def chip(point: str, looks: Sequence[Look], *, resolution: float, mark: str = "") -> bytes:
    """
    Draw the chips of a point: a row a period, true colour, standard false colour and NDVI.

    Parameters
    ----------
    point : str
        Name of the point.
    looks : sequence of Look
        The earlier period first.
    resolution : float, m
        Side of a pixel, which is framed in the middle.
    mark : str
        Mark of simulated data, or empty.

    Returns
    -------
    bytes
        PNG. North (of the grid) is up. Grey: not seen, or the bands are not in the composite.

    Raises
    ------
    ContractError
        If a band has another size, or a character is missing from the font.
    """
    height = _HEAD + len(looks) * (_ROW_HEAD + _SIDE) + _FOOT
    sheet = Image.new("RGB", (_WIDTH, height), "white")
    pen = ImageDraw.Draw(sheet)
    _write(pen, (_GAP, 14), f"样点 {point}", 24)
    if mark:
        _write(pen, (_WIDTH - _GAP, 18), mark, 18, RED, "ra")
    for number, look in enumerate(looks):
        top = _HEAD + number * (_ROW_HEAD + _SIDE)
        _write(pen, (_GAP, top + 10), look.when, 16)
        pictures = (_colours(look.bands, _TRUE), _colours(look.bands, _FALSE), _index(look.bands))
        for column, (title, picture) in enumerate(zip(_TITLES, pictures, strict=True)):
            left = _GAP + column * (_SIDE + _GAP)
            _write(pen, (left, top + 34), title, 14, GREY)
            _panel(sheet, pen, (left, top + _ROW_HEAD), picture)
    _foot(pen, height - _FOOT, resolution)
    target = io.BytesIO()
    sheet.save(target, "PNG", optimize=False, compress_level=3)
    return target.getvalue()


def _panel(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    picture: Image.Image | None,
) -> None:
    """Paste a picture and frame the pixel in its middle; without one, say so."""
    left, top = corner
    box = (left, top, left + _SIDE - 1, top + _SIDE - 1)
    if picture is None:
        pen.rectangle(box, fill=_EMPTY)
        middle = (left + _SIDE // 2, top + _SIDE // 2)
        _write(pen, middle, "本期合成不含所需波段", 14, GREY, "mm")
        return
    sheet.paste(picture.resize((_SIDE, _SIDE), Image.Resampling.NEAREST), corner)
    edge = CHIP_PX // 2 * _ZOOM
    inner = (left + edge - 1, top + edge - 1, left + edge + _ZOOM, top + edge + _ZOOM)
    pen.rectangle([inner[0] - 1, inner[1] - 1, inner[2] + 1, inner[3] + 1], outline="black")
    pen.rectangle(inner, outline=_FRAME)
    pen.rectangle(box, outline="#8a9194")


def mixed(bands: Mapping[str, Band], names: Sequence[str] = _TRUE) -> Band | None:
    """
    Mix three bands to a picture, stretched alike for every period and place; else true colour.

    Parameters
    ----------
    bands : mapping
        Reflectance by band name, float32, dims (y, x), NaN = not seen.
    names : sequence of str
        Bands shown as red, green and blue.

    Returns
    -------
    ndarray, float32, dims (y, x, 3), 0-1, or None
        NaN where a band was not seen; None where one is missing.
    """
    if any(name not in bands for name in names):
        return None
    shown = []
    for name in names:
        low, high = _INFRARED if name == "nir" else _VISIBLE
        shown.append(np.clip((bands[name] - low) / (high - low), 0, 1) ** _GAMMA)
    return np.stack(shown, axis=-1).astype("float32")


def _colours(bands: Mapping[str, Band], names: Sequence[str]) -> Image.Image | None:
    found = mixed({name: _sized(band) for name, band in bands.items()}, names)
    return None if found is None else _picture(found)


def _index(bands: dict[str, Band]) -> Image.Image | None:
    if "red" not in bands or "nir" not in bands:
        return None
    red, nir = _sized(bands["red"]), _sized(bands["nir"])
    total = np.where(red + nir > 0, red + nir, np.nan)
    scaled = np.clip(((nir - red) / total - NDVI.low) / (NDVI.high - NDVI.low), 0, 1)
    rgb = _ramp()(np.nan_to_num(scaled))[..., :3]
    return _picture(np.where(np.isnan(scaled)[..., None], np.nan, rgb))


@cache
def _ramp() -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list("ndvi", NDVI.colours, N=128)


@cache
def _scale() -> tuple[tuple[int, int, int], ...]:
    """Colours of the index from low to high, a pixel of the sheet each."""
    steps = (255 * _ramp()(np.linspace(0, 1, _SIDE))).round().astype(int).tolist()
    return tuple((red, green, blue) for red, green, blue, _ in steps)


def _sized(band: Band) -> Band:
    if band.shape != (CHIP_PX, CHIP_PX):
        raise ContractError(
            f"a chip is {CHIP_PX} pixels a side, got {band.shape}; cut it around the point",
            zh=f"判读图边长应为 {CHIP_PX} 像元，实为 {band.shape}",
        )
    return band


def _picture(rgb: NDArray[np.floating]) -> Image.Image:
    unseen = np.isnan(rgb).any(axis=-1)
    pixels = (np.nan_to_num(rgb) * 255).round().astype("uint8")
    pixels[unseen] = _EMPTY
    return Image.fromarray(pixels)


def _foot(pen: ImageDraw.ImageDraw, top: int, resolution: float) -> None:
    """Scale bar, north arrow, what the frame is, and the colours of the index."""
    bar = 10 * _ZOOM
    pen.rectangle((_GAP, top + 30, _GAP + bar, top + 36), fill=INK)
    pen.rectangle((_GAP + bar, top + 30, _GAP + 2 * bar, top + 36), outline=INK)
    _write(pen, (_GAP, top + 10), f"0 – {20 * resolution:,.0f} 米", 13)
    x = _GAP + 2 * bar + 34
    pen.polygon([(x, top + 12), (x - 7, top + 38), (x, top + 32), (x + 7, top + 38)], fill=INK)
    _write(pen, (x + 14, top + 15), "北", 15)
    _write(
        pen,
        (x + 58, top + 10),
        f"黄框为样点像元（{resolution:g} 米 × {resolution:g} 米），只判框内",
        13,
    )
    _write(pen, (x + 58, top + 30), "灰色为未观测；仅供判读，图上不含任何分类结果", 13, GREY)
    left = _WIDTH - _GAP - _SIDE
    for step, colour in enumerate(_scale()):
        pen.line((left + step, top + 14, left + step, top + 26), fill=colour)
    for share, anchor in ((0.0, "la"), (0.5, "ma"), (1.0, "ra")):
        value = NDVI.low + share * (NDVI.high - NDVI.low)
        _write(pen, (left + round(share * _SIDE), top + 30), f"{value:g}", 13, GREY, anchor)


def _write(
    pen: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    size: int,
    colour: str = INK,
    anchor: str = "la",
) -> None:
    missing = [letter for letter in text if ord(letter) not in _letters()]
    if missing:
        raise ContractError(
            f"the figure font lacks {missing[0]!r}; mend the name that holds it",
            zh=f"图件字体缺字 {missing[0]!r}；请修改含该字的名称",
        )
    pen.text(at, text, font=_font(size), fill=colour, anchor=anchor)


@cache
def _letters() -> frozenset[int]:
    return frozenset(FT2Font(str(font_file())).get_charmap())


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font_file()), size)
