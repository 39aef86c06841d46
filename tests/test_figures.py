"""Pictures: what is drawn where, what is refused, and that nothing is drawn twice differently."""

import io
import math

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import font_manager, rcParams
from PIL import Image
from rasterio.transform import Affine
from shapely.geometry import box

from jinhua_rs import figures
from jinhua_rs.errors import ContractError, GridMismatch, IntegrityError, NoDataError
from jinhua_rs.figures import Bar, Caption, Estimate, Words, rasters
from jinhua_rs.figures.base import MapSheet, map_sheet
from jinhua_rs.schema import FOREST_CLASSES, LAND_CLASSES, Land, Status

LEFT, BOTTOM, SIDE, STEP = 450_000.0, 3_200_000.0, 20_000.0, 100.0
NAN = math.nan
# the body of a map: 0.25 in from the left, 5.95 in wide, foot 0.52 in, 200 px an inch
MAP_LEFT, MAP_WIDTH, FOOT = 50, 1190, 104


def caption(mark=None):
    return Caption(
        title=Words("测试图", "Test"),
        when=Words("2024年第四季度", "2024Q4"),
        run_id="abc123",
        credit=Words("来源：测试", "Source: test"),
        mark=mark,
    )


def three_units(names=("东一县", "东二县", "东三县")):
    """Return a city and its three square counties, west to east, 20 km each."""
    squares = [box(LEFT + i * SIDE, BOTTOM, LEFT + (i + 1) * SIDE, BOTTOM + SIDE) for i in range(3)]
    rows = {
        "code": ["1", "11", "12", "13"],
        "name_zh": ["某市", *names],
        "name_en": ["City", "First", "Second", "Third"],
        "level": ["city", "county", "county", "county"],
        "geometry": [box(LEFT, BOTTOM, LEFT + 3 * SIDE, BOTTOM + SIDE), *squares],
    }
    return gpd.GeoDataFrame(rows, crs="EPSG:4549").set_index("code")


def raster(path, array, *, nodata=0, crs="EPSG:4549", east=0.0, scale=None):
    with rasterio.open(
        path, "w", driver="GTiff", height=array.shape[0], width=array.shape[1], count=1,
        dtype=array.dtype, crs=crs, nodata=nodata, tiled=True, blockxsize=256, blockysize=256,
        transform=Affine(STEP, 0, LEFT + east, 0, -STEP, BOTTOM + SIDE),
    ) as target:  # fmt: skip
        target.write(array, 1)
        if scale is not None:
            target.scales = (scale,)
        target.build_overviews([2, 4], rasterio.enums.Resampling.nearest)
    return path


def by_county(*values, dtype="uint8"):
    """Return 200 x 600 pixels of 100 m, one value a county."""
    return np.repeat(np.array(values, dtype=dtype), 200)[None, :].repeat(200, axis=0)


def picture(png):
    return Image.open(io.BytesIO(png)).convert("RGB")


def at(png, county, share_y=0.8):
    """Colour inside the county (0, 1, 2), 15 % from its western edge, ``share_y`` up."""
    image = picture(png)
    span = 3 * SIDE * 1.07
    east = (county + 0.15) * SIDE + 0.035 * 3 * SIDE
    north = span / 2 / 2 + (share_y - 0.5) * SIDE
    x = MAP_LEFT + east / span * MAP_WIDTH
    y = image.height - FOOT - north / span * MAP_WIDTH
    return image.getpixel((round(x), round(y)))


def close(colour, wanted, tolerance=14):
    wanted = tuple(int(wanted[i : i + 2], 16) for i in (1, 3, 5))
    return all(abs(a - b) <= tolerance for a, b in zip(colour, wanted, strict=True))


def test_class_map_puts_the_colour_of_a_class_on_its_ground_and_hatches_what_is_not_seen(tmp_path):
    path = raster(tmp_path / "forest.tif", by_county(2, 1, 0))
    colours = {info.code: info.color for info in FOREST_CLASSES}

    png = figures.class_map(path, FOREST_CLASSES, three_units(), caption())

    assert close(at(png, 0), colours[2])
    assert close(at(png, 1), colours[1])
    assert not close(at(png, 2), colours[1])
    assert min(at(png, 2)) > 160
    assert picture(png).width == 1600
    assert len(png) < 600_000


def test_equal_inputs_give_equal_bytes_without_date_or_software(tmp_path):
    path = raster(tmp_path / "forest.tif", by_county(2, 1, 0))

    first, second = (
        figures.class_map(path, FOREST_CLASSES, three_units(), caption()) for _ in "ab"
    )

    assert first == second
    assert set(Image.open(io.BytesIO(first)).info) <= {"dpi", "transparency"}


def test_a_raster_is_read_at_the_size_of_the_picture(tmp_path, monkeypatch):
    fine = np.ones((3000, 9000), dtype="uint8")
    path = tmp_path / "fine.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=3000, width=9000, count=1, dtype="uint8",
        crs="EPSG:4549", nodata=0, tiled=True, compress="deflate",
        transform=Affine(20 / 3, 0, LEFT, 0, -20 / 3, BOTTOM + SIDE),
    ) as target:  # fmt: skip
        target.write(fine, 1)
    sizes = []
    show = rasters._show
    monkeypatch.setattr(
        rasters,
        "_show",
        lambda sheet, rgba, extent: (sizes.append(rgba.shape), show(sheet, rgba, extent)),
    )

    figures.class_map(path, FOREST_CLASSES, three_units(), caption())

    assert sizes[0][1] <= 1190
    assert sizes[0][1] > 1000


def test_index_map_applies_the_scale_and_leaves_unseen_ground_hatched(tmp_path):
    path = raster(
        tmp_path / "ndvi.tif", by_county(0, 10000, -1, dtype="int16"), nodata=-1, scale=1e-4
    )

    png = figures.index_map(path, figures.NDVI, three_units(), caption())

    assert close(at(png, 0), figures.NDVI.colours[0])
    assert close(at(png, 1), figures.NDVI.colours[-1])
    assert min(at(png, 2)) > 160


def test_never_seen_clear_is_not_the_lowest_colour(tmp_path):
    path = raster(tmp_path / "n_clear.tif", by_county(0, 1, 15, dtype="uint16"), nodata=None)

    png = figures.index_map(path, figures.CLEAR_LOOKS, three_units(), caption())

    assert close(at(png, 2), figures.CLEAR_LOOKS.colours[-1])
    assert not close(at(png, 0), figures.CLEAR_LOOKS.colours[0], tolerance=8)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_change_map_shows_gain_and_loss(tmp_path, language):
    path = raster(tmp_path / "change.tif", by_county(2, 3, 4))

    png = figures.change_map(path, three_units(), caption(), language=language)

    assert close(at(png, 0), "#2f6fd0")
    assert close(at(png, 1), "#d1342b")


def test_change_map_says_what_is_too_small_to_be_seen_only_where_something_is(
    tmp_path, monkeypatch
):
    said = []
    monkeypatch.setattr(MapSheet, "say", lambda _, text, **__: said.append(text))
    path = raster(tmp_path / "change.tif", by_county(2, 3, 4))
    wide = three_units()
    wide["geometry"] = wide.geometry.scale(4, 4, origin=(LEFT, BOTTOM))

    figures.change_map(path, three_units(), caption())
    assert said == []  # 54 m to a pixel of the picture, 100 m to one of the map

    figures.change_map(path, wide, caption())
    assert said == ["小于约 220 米的图斑\n在本图上可能不可见，\n面积以表格为准。"]


def test_choropleth_tells_estimate_from_pixel_count_from_nothing():
    values = {
        "11": Estimate(84.0, 80.0, 88.0, Status.OK, 0.97),
        "12": Estimate(84.0, NAN, NAN, Status.NO_INTERVAL, 0.97),
    }

    png = figures.choropleth(three_units(), values, caption())

    green, grey, empty = (at(png, county) for county in range(3))
    assert close(green, "#0f5a35")
    assert max(grey) - min(grey) <= 6
    assert min(empty) > 160


def test_bars_are_as_long_as_their_values_and_the_target_is_a_red_line():
    bars = [
        Bar(Words("某市", "City"), Estimate(50.0, 48.0, 52.0, Status.OK, 0.9), whole=True),
        Bar(Words("东一县", "First"), figures.MISSING),
    ]

    image = picture(figures.interval_bars(bars, caption(), target=80.0))

    left, width = 1.25 * 200, (8 - 1.25 - 2.75) * 200
    row = round((0.86 + 0.22 + 0.34 / 2) * 200)
    assert close(image.getpixel((round(left + 0.40 * width), row + 10)), "#4f9a63")
    assert close(image.getpixel((round(left + 0.56 * width), row + 10)), "#ffffff")
    column = [image.getpixel((round(left + 0.80 * width), y)) for y in range(row - 30, row + 30)]
    assert any(r > 150 and g < 110 for r, g, _ in column)


def test_the_mark_of_simulated_data_is_red_across_the_map_and_in_a_tag(tmp_path):
    path = raster(tmp_path / "forest.tif", by_county(1, 1, 1))
    mark = Words("模拟数据 · SIMULATED", "模拟数据 · SIMULATED")

    plain, marked = (
        np.asarray(
            picture(figures.class_map(path, FOREST_CLASSES, three_units(), caption(m)))
        ).astype(int)
        for m in (None, mark)
    )

    def red(pixels):
        return int(((pixels[..., 0] - pixels[..., 1] > 60) & (pixels[..., 0] > 130)).sum())

    assert red(plain) == 0
    assert red(marked[:150, 1000:]) > 5_000
    assert red(marked[200:, :1200]) > 3_000


def test_a_character_without_a_glyph_is_refused_by_name():
    with pytest.raises(ContractError, match="134071") as refusal:
        figures.choropleth(three_units(("𠮷县", "东二县", "东三县")), {}, caption())

    assert "缺字" in refusal.value.zh


def test_names_are_drawn_as_written_not_as_formulas():
    png = figures.choropleth(three_units((r"a$\frac{b$", "x_{1}", "<b>")), {}, caption())

    assert picture(png).width == 1600


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(rcParams), len(font_manager.fontManager.ttflist)

    figures.choropleth(three_units(), {}, caption())

    assert (dict(rcParams), len(font_manager.fontManager.ttflist)) == before


def test_refuses_another_crs(tmp_path):
    path = raster(tmp_path / "utm.tif", by_county(1, 1, 1), crs="EPSG:32650")

    with pytest.raises(GridMismatch, match="EPSG:32650"):
        figures.class_map(path, FOREST_CLASSES, three_units(), caption())


def test_refuses_a_raster_elsewhere_a_missing_one_and_a_damaged_one(tmp_path):
    away = raster(tmp_path / "away.tif", by_county(1, 1, 1), east=1e6)
    torn = tmp_path / "torn.tif"
    torn.write_bytes(b"II*\0")

    with pytest.raises(NoDataError, match="does not reach"):
        figures.class_map(away, FOREST_CLASSES, three_units(), caption())
    for path in (torn, tmp_path / "none.tif"):
        with pytest.raises(IntegrityError, match="cannot read"):
            figures.class_map(path, FOREST_CLASSES, three_units(), caption())


def test_refuses_to_draw_nothing():
    with pytest.raises(NoDataError):
        figures.choropleth(three_units().iloc[:0], {}, caption())
    with pytest.raises(NoDataError):
        figures.interval_bars([], caption())


@given(st.floats(-1e9, 1e9), st.integers(0, 4))
def test_a_printed_number_is_within_half_a_step(value, digits):
    printed = figures.shown(value, digits, signed=True)

    back = float(printed.replace(",", "").replace("−", "-"))
    assert abs(back - value) <= 0.5 * 10**-digits + 1e-6
    assert printed[0] in "+−0"


def test_half_rounds_away_from_zero_and_nothing_is_a_dash():
    assert [figures.shown(v) for v in (61.825, -0.125, 0.005, NAN, math.inf)] == [
        "61.83",
        "−0.13",
        "0.01",
        "—",
        "—",
    ]
    assert figures.shown(-0.001) == "0.00"


def course(name, values, status="ok"):
    years = {2016 + at: Estimate(v, v - 1, v + 1, status, 0.9) for at, v in enumerate(values)}
    return figures.Course(Words(name, name), years, Words("未检出显著变化", "none"))


def test_the_chart_over_the_years_is_the_same_each_time_and_shows_a_gap():
    whole, gap = course("某市", [60.0, 61.0, 62.0]), course("东一县", [60.0, 61.0, 62.0])
    del gap.years[2017]

    first, again, other = (
        figures.course_chart([one], caption(), target=61.0) for one in (whole, whole, gap)
    )

    assert first == again != other
    assert Image.open(io.BytesIO(first)).width == 1600


def test_years_without_any_value_are_no_chart():
    with pytest.raises(NoDataError, match="no year"):
        figures.course_chart([course("某市", [NAN], Status.INSUFFICIENT)], caption())


def test_scale_bar_and_arrow_find_room_beside_a_square():
    square = three_units().loc[["11"]]

    filled = map_sheet(square, caption(), "zh").bounds
    long = map_sheet(three_units(), caption(), "zh").bounds

    west, south, _, north = square.total_bounds
    assert filled[0] == pytest.approx(west - 0.035 * SIDE)
    assert filled[3] == pytest.approx(north + 0.035 * SIDE)
    assert south - filled[1] == pytest.approx((0.035 + 1.07 * 0.52 / 5.95) * SIDE)
    assert long[3] - north == pytest.approx(BOTTOM - long[1])  # there is room enough as it is


def test_places_lie_on_the_classes_of_the_ground_drawn_pale(tmp_path):
    classes = raster(tmp_path / "landcover.tif", by_county(Land.WATER, Land.BAMBOO, 0))
    place = gpd.GeoDataFrame(
        {"category": ["a"]}, geometry=[box(LEFT, BOTTOM, LEFT + SIDE / 2, BOTTOM + SIDE / 2)],
        crs="EPSG:4549",
    )  # fmt: skip
    known = {"a": (Words("图斑", "patch"), "#a01410")}

    plain = figures.place_map(place, known, three_units(), caption())
    pale = figures.place_map(place, known, three_units(), caption(), ground=classes)

    assert at(pale, 0, share_y=0.2) == at(plain, 0, share_y=0.2) == (0xA0, 0x14, 0x10)
    for county, land in ((0, Land.WATER), (1, Land.BAMBOO)):
        full = [int(LAND_CLASSES[land - 1].color[n : n + 2], 16) for n in (1, 3, 5)]
        assert at(pale, county) == pytest.approx([255 - 0.3 * (255 - one) for one in full], abs=2)
    assert at(pale, 2) == at(plain, 2)  # not seen: the plain ground is left
