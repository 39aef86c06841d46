import numpy as np
import pytest
from builders import X0, Y0, scene
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from jinhua_rs import cube
from jinhua_rs.errors import ContractError, NoDataError

GEOBOX = GeoBox.from_bbox((X0 + 200, Y0 - 800, X0 + 800, Y0 - 200), crs="EPSG:4549", resolution=10)
BANDS = ("red", "nir")
HERE = {"scheduler": "synchronous"}


def numbers(red, nir, shape=(110, 110)):
    return {"red": np.full(shape, red), "nir": np.full(shape, nir)}


def test_the_offset_is_removed_exactly_once(tmp_path):
    before = scene(tmp_path, numbers(300, 3300), id="before", day=1)
    after = scene(tmp_path, numbers(1300, 4300), id="after", offset=-1000, day=6)

    looks = cube.load([before, after], GEOBOX, BANDS).compute(**HERE)

    assert looks.sizes["time"] == 2
    np.testing.assert_allclose(looks["red"], 0.03, atol=1e-6)
    np.testing.assert_allclose(looks["nir"], 0.33, atol=1e-6)
    assert looks["red"].dtype == np.float32 and looks["scl"].dtype == np.uint8


def test_loading_is_lazy(tmp_path):
    looks = cube.load([scene(tmp_path, numbers(300, 3300))], GEOBOX, BANDS)

    assert all(array.chunks is not None for array in looks.data_vars.values())


def test_no_data_is_not_reflectance_zero(tmp_path):
    values = numbers(300, 3300)
    values["red"][:, :50] = 0
    looks = cube.load([scene(tmp_path, values, offset=-1000)], GEOBOX, BANDS).compute(
        scheduler="synchronous"
    )

    assert looks["red"][0, :, 0].isnull().all()
    assert looks["red"][0, :, -1].notnull().all()


def test_two_zones_of_one_day_become_one_look(tmp_path):
    """Scenes of zone 50 and 51 with different offsets, each seeing one half, fill one layer."""
    west, east = numbers(300, 3300, (140, 140)), numbers(1500, 4300, (140, 140))
    for values in west.values():
        values[:, 60:] = 0
    for values in east.values():
        values[:, :50] = 0
    scl_west = np.where(np.arange(140) < 60, 4, 0)[None, :]
    scl_east = np.where(np.arange(140) >= 50, 4, 0)[None, :]
    first = scene(tmp_path, west, id="zone50", scl=scl_west)
    second = scene(tmp_path, east, id="zone51", scl=scl_east, offset=-1000, crs="EPSG:32651")

    looks = cube.load([second, first], GEOBOX, BANDS).compute(**HERE)

    assert looks.sizes["time"] == 1
    assert looks["scl"].dtype == np.uint8
    assert np.isclose(looks["red"], 0.03).any() and np.isclose(looks["red"], 0.05).any()


def test_the_ground_stays_in_place_across_the_warp(tmp_path):
    """A bright square is found where it was put, to a tenth of a pixel."""
    values = numbers(300, 3300)
    values["red"][40:60, 40:60] = 5000
    one = scene(tmp_path, values)
    looks = cube.load([one], GEOBOX, BANDS).compute(**HERE)
    bright = looks["red"][0] > 0.25

    a, _, x, _, e, y = one.assets["red"].transform
    expected = Transformer.from_crs(one.crs, "EPSG:4549", always_xy=True).transform(
        x + a * 50, y + e * 50
    )
    found = (
        float((bright * bright.x).sum() / bright.sum()),
        float((bright * bright.y).sum() / bright.sum()),
    )
    assert found == pytest.approx(expected, abs=1.0)


def test_no_scene_and_missing_band_are_refused(tmp_path):
    with pytest.raises(NoDataError):
        cube.load([], GEOBOX, BANDS)
    with pytest.raises(ContractError, match="swir16"):
        cube.load([scene(tmp_path, numbers(1, 1))], GEOBOX, (*BANDS, "swir16"))


def test_headers_are_inspected(tmp_path):
    good = scene(tmp_path, numbers(300, 3300))
    assert cube.inspect(good, BANDS) is None

    wrong_crs = scene(tmp_path, numbers(300, 3300), id="moved")
    object.__setattr__(wrong_crs, "crs", "EPSG:32651")
    assert "CRS" in cube.inspect(wrong_crs, BANDS)

    disguised = scene(tmp_path, numbers(300, 3300), id="vrt")
    (tmp_path / "vrt.red.tif").write_text(
        "<VRTDataset rasterXSize='1' rasterYSize='1'></VRTDataset>"
    )
    assert "GTiff" in cube.inspect(disguised, BANDS)

    gone = scene(tmp_path, numbers(300, 3300), id="gone")
    (tmp_path / "gone.nir.tif").unlink()
    assert "nir" in cube.inspect(gone, BANDS)


def test_a_cut_file_is_named(tmp_path):
    rng = np.random.default_rng(0)
    noisy = {name: rng.integers(1, 9000, (110, 110)) for name in BANDS}
    good, cut = scene(tmp_path, noisy, id="good"), scene(tmp_path, noisy, id="cut")
    path = tmp_path / "cut.red.tif"
    path.write_bytes(path.read_bytes()[:9000])

    assert set(cube.broken_assets([good, cut], GEOBOX, BANDS)) == {"cut"}
