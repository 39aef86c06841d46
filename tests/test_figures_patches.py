"""Charts and sheets of patches: pictures that say what they were given, and the same each time."""

import io

import numpy as np
import pytest
from patch_world import square
from PIL import Image

from jinhua_rs.errors import NoDataError
from jinhua_rs.figures import (
    Caption,
    CountyPatches,
    MineSheet,
    PatchPair,
    Picture,
    Words,
    mine_card,
    pair_sheet,
    patch_bars,
)

CAPTION = Caption(
    title=Words("图斑", "Patches"), when=Words("2024年第三季度", "2024Q3"), run_id="0123456789ab",
    credit=Words("来源", "source"), mark=Words("模拟数据", "SIMULATED"),
)  # fmt: skip
YIWU = CountyPatches(Words("义乌市", "Yiwu"), (12, 0), (345.6, 0.0))
LANXI = CountyPatches(Words("兰溪市", "Lanxi"), (0, 3), (0.0, 7.5))
LOSS, GAIN = (209, 52, 43), (47, 111, 208)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def near(image, colour):
    return int((np.abs(image - colour).max(axis=-1) < 12).sum())


@pytest.mark.parametrize("language", ["zh", "en"])
def test_bars_are_as_long_as_their_area(language):
    image = pixels(patch_bars([YIWU, LANXI], CAPTION, language=language))

    assert image.shape[1] == 1600
    assert near(image, LOSS) > 20 * near(image, GAIN) > 0


def test_a_period_without_patches_is_a_chart_too():
    none = CountyPatches(Words("义乌市", "Yiwu"), (0, 0), (0.0, 0.0))

    assert near(pixels(patch_bars([none], CAPTION)), LOSS) < 2_000  # the key alone


def chip(**told):
    ndvi = np.full((30, 30), 0.9)
    ndvi[10:20, 10:20] = np.nan
    given = {
        "title": Words("1. 330782-2024Q3-0001　义乌市", "1"), "lines": Words("3.0 亩", "3 mu"),
        "outline": square(10, 10, 10, 10), "before": ndvi, "after": None,
        "when": ("2023Q3", "2024Q3"), "extent": square(0, 0, 30, 30).bounds, "loss": True,
    }  # fmt: skip
    left, bottom, right, top = given["extent"]
    return PatchPair(**(given | {"extent": (left, right, bottom, top)} | told))


def test_chips_stand_two_a_row_and_a_missing_image_is_hatched():
    one, three = (pixels(pair_sheet([chip()] * n, CAPTION)) for n in (1, 3))

    assert three.shape[0] - one.shape[0] == pytest.approx(2.39 * 200, abs=1)
    left, right = (greenish(one[:, columns]) for columns in (slice(50, 415), slice(430, 795)))
    assert left > 20_000
    assert right < 200


def greenish(image):
    return int((image[..., 1] > image[..., [0, 2]].max(axis=-1) + 15).sum())


def test_equal_input_gives_equal_pictures():
    assert pair_sheet([chip()], CAPTION) == pair_sheet([chip()], CAPTION)
    assert patch_bars([YIWU], CAPTION) == patch_bars([YIWU], CAPTION)


def test_nothing_to_draw_is_said():
    with pytest.raises(NoDataError, match="no unit"):
        patch_bars([], CAPTION)
    with pytest.raises(NoDataError, match="no patch"):
        pair_sheet([], CAPTION)


def card(*bands):
    left, bottom, right, top = square(0, 0, 30, 30).bounds
    pictures = [
        Picture(2016 + n, np.full((30, 30), 0.9), (left, right, bottom, top), one)
        for n, one in enumerate(bands)
    ]
    series = np.linspace(0.1, 0.6, 3)
    sheet = MineSheet(
        years=(2016, 2017, 2018), value=series, ring=series, canopy=series, bare=1 - series,
        target=0.6, start=2016, status=Words("恢复中", "recovering"), lines=[],
        outline=square(10, 10, 10, 10), pictures=pictures,
    )  # fmt: skip
    return pixels(mine_card(sheet, CAPTION))


def test_a_mine_card_shows_colour_in_one_stretch_where_the_composite_is_kept():
    soil = {name: np.full((30, 30), value) for name, value in
            (("red", 0.16), ("green", 0.08), ("blue", 0.0))}  # fmt: skip

    plain, coloured = card({}), card(soil, {})

    assert coloured.shape[0] - plain.shape[0] == pytest.approx(2.6 * 200, abs=2)
    assert near(coloured, (255, round(255 * 0.5**0.75), 0)) > 50_000
    assert near(plain, (255, round(255 * 0.5**0.75), 0)) == 0
