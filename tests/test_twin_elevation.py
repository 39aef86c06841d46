"""The twin's elevation model: where it lies, what it says, how it is marked."""

import numpy as np
import rasterio
import xarray as xr
from pyproj import Transformer
from shapely.geometry import box

from jinhua_rs.twin import elevation
from jinhua_rs.twin.lattice import ground, pixel_size, step_for

GROUND = box(500_000, 3_215_000, 512_000, 3_226_000)


class Ramp:
    """Ground that rises 1 m in 100 m eastward and 1 m in 50 m northward."""

    def terrain(self, geobox):
        x, y = ground(geobox)
        rise = (x - 480_000) / 100 + (y - 3_200_000) / 50
        return xr.Dataset({"elevation": (("y", "x"), rise.astype("float32"))})


def written(path, resolution=10.0):
    elevation.write(path, Ramp(), GROUND, resolution)
    with rasterio.open(path) as raster:
        return raster.read(1), raster.transform, raster.profile, raster.tags()


def test_heights_stand_where_the_ground_has_them(tmp_path):
    heights, transform, profile, _ = written(tmp_path / "dem.tif")

    to_degrees = Transformer.from_crs("EPSG:4549", "EPSG:4326", always_xy=True)
    for x, y in ((503_210, 3_218_040), (511_700, 3_225_600), (499_000, 3_214_000)):
        column, row = ~transform * to_degrees.transform(x, y)
        found = heights[int(row), int(column)]
        # half a pixel of 20 m on this ramp is 0.3 m at most
        assert abs(found - ((x - 480_000) / 100 + (y - 3_200_000) / 50)) < 0.35
    assert profile["crs"] == "EPSG:4326"
    assert profile["dtype"] == "float32"
    assert np.isfinite(heights).all()


def test_it_reaches_beyond_the_ground(tmp_path):
    heights, transform, *_ = written(tmp_path / "dem.tif")
    to_degrees = Transformer.from_crs("EPSG:4549", "EPSG:4326", always_xy=True)
    left, bottom, right, top = GROUND.buffer(elevation.REACH_M - 50).bounds

    for x in (left, right):
        for y in (bottom, top):
            column, row = ~transform * to_degrees.transform(x, y)
            assert 0 <= row < heights.shape[0]
            assert 0 <= column < heights.shape[1]


def test_strips_meet_without_a_seam(tmp_path, monkeypatch):
    whole, *_ = written(tmp_path / "whole.tif")

    monkeypatch.setattr(elevation, "_STRIP_CELLS", 1)
    striped, *_ = written(tmp_path / "striped.tif")

    assert whole.shape[0] > 512
    assert np.array_equal(whole, striped)


def test_it_says_that_it_is_simulated_and_leaves_nothing_beside(tmp_path):
    *_, tags = written(tmp_path / "layers" / "dem.tif")

    assert tags["SIMULATED"] == "YES"
    assert [path.name for path in (tmp_path / "layers").iterdir()] == ["dem.tif"]


def test_its_pixels_see_the_lattice_by_which_scenes_are_lit():
    for resolution in (10.0, 20.0, 60.0, 90.0):
        size = pixel_size(elevation.grid(GROUND, resolution))
        assert step_for(size) == step_for(resolution)
        assert abs(size - step_for(resolution)) < 1e-6
