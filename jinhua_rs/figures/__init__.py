"""
Pictures for people: maps of published rasters, the choropleth, and the chart with intervals.

Every function returns PNG bytes and writes nothing. Equal inputs give equal bytes.
Every picture carries its data dates, run, sources and, for simulated data, the mark.
"""

from jinhua_rs.estimation.printed import DASH, percent, shown
from jinhua_rs.figures.alert_bars import CountyAlerts, alert_bars
from jinhua_rs.figures.bars import Bar, interval_bars
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.chips import CHIP_PX, Look, chip
from jinhua_rs.figures.choropleth import choropleth
from jinhua_rs.figures.course import Course, course_chart
from jinhua_rs.figures.estimate import MISSING, Estimate
from jinhua_rs.figures.ladder import Rungs, ladder_bars
from jinhua_rs.figures.mine_card import MineSheet, Picture, mine_card
from jinhua_rs.figures.pairs import PatchPair, pair_sheet
from jinhua_rs.figures.patch_bars import CountyPatches, patch_bars
from jinhua_rs.figures.places import Category, place_map
from jinhua_rs.figures.rasters import (
    CANOPY,
    CLEAR_LOOKS,
    NDVI,
    Ramp,
    change_map,
    class_map,
    index_map,
)
from jinhua_rs.figures.sheet import font_file

__all__ = [
    "CANOPY",
    "CHIP_PX",
    "CLEAR_LOOKS",
    "DASH",
    "MISSING",
    "NDVI",
    "Bar",
    "Caption",
    "Category",
    "CountyAlerts",
    "CountyPatches",
    "Course",
    "Estimate",
    "Language",
    "Look",
    "MineSheet",
    "PatchPair",
    "Picture",
    "Ramp",
    "Rungs",
    "Words",
    "alert_bars",
    "change_map",
    "chip",
    "choropleth",
    "class_map",
    "course_chart",
    "font_file",
    "index_map",
    "interval_bars",
    "ladder_bars",
    "mine_card",
    "pair_sheet",
    "patch_bars",
    "percent",
    "place_map",
    "shown",
]
