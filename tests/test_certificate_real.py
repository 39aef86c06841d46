"""The certificate on real pixels: wooded mountains in Romania, three summer months of 2020."""

import importlib.util
from dataclasses import replace
from datetime import UTC

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from pyproj import Transformer

from jinhua_rs import certificate
from jinhua_rs.scene import Asset, Scene
from jinhua_rs.settings import Certificate as Options
from jinhua_rs.sites import wheel

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("nrt") is None, reason="the wheel nrt (extra: sites) is not installed"
)
HAZY = "2020-09-03"
"""Thin cirrus lifts red over forest to 1000-1200 DN here, where there is no offset."""


@pytest.fixture(scope="module")
def pixels():
    return wheel.read_pixels()


def scenes(pixels, folder, *, down=None, added=0):
    """Write the dates of 2020Q3; ``down`` moves one of them (date, pixels) southward."""
    folder.mkdir()
    times = pixels["scl"]["time"].to_index()
    return [
        one_scene(pixels, folder, at, down=(down or {}).get(str(time.date()), 0), added=added)
        for at, time in enumerate(times)
        if pd.Timestamp("2020-07-01") <= time < pd.Timestamp("2020-10-01")
    ]


def one_scene(pixels, folder, at, *, down, added):
    time = pixels["scl"]["time"].to_index()[at]
    assets = {}
    for name in ("blue", "red", "nir", "scl"):
        layer = pixels[name].isel(time=at)
        steps = round(down * 10 / wheel.PIXEL_M[name])
        values = np.roll(layer.to_numpy(), steps, axis=0)
        dtype = "uint8" if name == "scl" else "uint16"
        if name != "scl":
            values = np.where(values > 0, values + added, 0)
        path = folder / f"{time:%Y%m%d}.{name}.tif"
        step = wheel.affine(layer)
        with rasterio.open(
            path, "w", driver="GTiff", height=layer.shape[0], width=layer.shape[1], count=1,
            dtype=dtype, nodata=0, crs=wheel.CRS, transform=step,
        ) as file:  # fmt: skip
            file.write(values.astype(dtype), 1)
        assets[name] = Asset(str(path), tuple(step)[:6], layer.shape)
    return Scene(
        id=f"{time:%Y-%m-%d}", acquired=time.to_pydatetime().replace(tzinfo=UTC), tile="34TER",
        platform="sentinel-2a", baseline="02.13", offset=0, offset_reason="before 2022",
        scale=1e-4, cloud=float("nan"), crs=wheel.CRS, footprint=footprint(),
        assets=assets, provider="test",
    )  # fmt: skip


def footprint():
    forth = Transformer.from_crs(wheel.CRS, "EPSG:4326", always_xy=True)
    return shapely.transform(
        wheel.outline(), lambda points: np.column_stack(forth.transform(*points.T))
    )


def judged(listed):
    return certificate.judge(certificate.examine(listed), Options())


def test_real_scenes_are_not_set_aside_and_lie_within_a_pixel_and_a_half(pixels, tmp_path):
    result = judged(scenes(pixels, tmp_path / "a"))

    assert result.set_aside == {}
    assert result.summary.n_scenes == 10 and result.summary.n_sound >= 5
    assert result.summary.largest_shift < 1.5
    assert {one.offset_measured for one in result.scenes if one.verdict == "sound"} == {0}


def test_real_haze_is_not_taken_for_a_forgotten_offset(pixels, tmp_path):
    result = judged(scenes(pixels, tmp_path / "a"))

    (hazy,) = (one for one in result.scenes if one.id == HAZY)
    assert hazy.dark["red.vegetation"].p50 > 1100
    assert hazy.verdict == "unmeasured" and "offset-unsettled" in hazy.codes


def test_an_offset_that_is_told_but_not_there_is_caught_on_real_pixels(pixels, tmp_path):
    listed = [replace(one, offset=-1000) for one in scenes(pixels, tmp_path / "a")]

    result = judged(listed)

    measured = [one for one in result.scenes if one.offset_measured == 0]
    assert len(measured) >= 8
    assert {one.codes for one in measured} == {("offset-twice",)}


def test_an_offset_that_is_there_but_not_told_is_caught_on_real_pixels(pixels, tmp_path):
    result = judged(scenes(pixels, tmp_path / "a", added=1000))

    assert result.summary.by_code["offset-missing"] >= 6


def test_a_real_scene_moved_by_four_pixels_is_caught(pixels, tmp_path):
    before = judged(scenes(pixels, tmp_path / "a"))
    plain = max((one for one in before.scenes if one.shift), key=lambda one: one.shift_quality)

    after = judged(scenes(pixels, tmp_path / "b", down={plain.id: 4}))

    (moved,) = (one for one in after.scenes if one.id == plain.id)
    assert after.set_aside.keys() == {plain.id}
    assert np.subtract(moved.shift, plain.shift) == pytest.approx((4, 0), abs=0.3)
