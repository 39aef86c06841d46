"""Zonal statistics against areas that can be worked out by hand."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from shapely.geometry import box

from jinhua_rs import zonal
from jinhua_rs.errors import GridMismatch, IntegrityError

LEFT, TOP = 500_000.0, 3_200_000.0


@pytest.fixture
def save(tmp_path):
    def write(pixels, *, nodata=None, crs="EPSG:4549", transform=None, name="raster.tif"):
        path = tmp_path / name
        profile = {
            "driver": "GTiff", "count": 1, "dtype": pixels.dtype, "crs": crs, "nodata": nodata,
            "height": pixels.shape[0], "width": pixels.shape[1],
            "transform": transform or Affine(10, 0, LEFT, 0, -10, TOP),
        }  # fmt: skip
        with rasterio.open(path, "w", **profile) as target:
            target.write(pixels, 1)
        return path

    return write


def units(**boxes):
    """Boxes in metres east and south of the raster's corner."""
    shapes = [box(LEFT + w, TOP - s, LEFT + e, TOP - n) for w, n, e, s in boxes.values()]
    return gpd.GeoDataFrame(
        index=pd.Index(list(boxes), name="code"), geometry=shapes, crs="EPSG:4549"
    )


@pytest.fixture
def classes():
    pixels = np.zeros((10, 10), "uint8")
    pixels[:5] = 1
    pixels[5:, :5] = 2
    return pixels


@pytest.mark.parametrize("nodata", [None, 0, 255])
def test_areas_count_fractions_of_pixels_and_the_unseen(save, classes, nodata):
    raster = save(classes, nodata=nodata)

    areas = zonal.class_areas(raster, units(b=(3, 5, 97, 94), a=(55, 60, 65, 70), c=(0, 0, 50, 50)))

    assert areas.index.tolist() == ["b", "a", "c"]
    assert areas.columns.tolist() == [0, 1, 2]
    assert areas.loc["b"].tolist() == pytest.approx([47 * 44, 94 * 45, 47 * 44])
    assert areas.loc["a"].tolist() == pytest.approx([100, 0, 0])
    assert areas.loc["c"].tolist() == pytest.approx([0, 2500, 0])


def test_ground_beyond_the_raster_is_unseen(save, classes):
    areas = zonal.class_areas(save(classes), units(half=(-50, 0, 50, 50), far=(900, 900, 950, 950)))

    assert areas.loc["half"].to_dict() == pytest.approx({0: 2500, 1: 2500})
    assert areas.loc["far"].to_dict() == pytest.approx({0: 2500, 1: 0})


def test_no_class_seen_at_all(save):
    areas = zonal.class_areas(save(np.zeros((4, 4), "uint8"), nodata=0), units(a=(0, 0, 20, 20)))

    assert areas.to_dict() == {0: {"a": pytest.approx(400.0)}}


def test_a_declared_nodata_other_than_zero_is_unseen(save, classes):
    classes[0] = 255

    areas = zonal.class_areas(save(classes, nodata=255), units(a=(0, 0, 100, 20)))

    assert areas.loc["a"].to_dict() == pytest.approx({0: 1000, 1: 1000})


def test_areas_of_overlapping_units_and_parts_add_up(save):
    rng = np.random.default_rng(7)
    raster = save(rng.integers(0, 4, (50, 60)).astype("uint8"), nodata=0)
    whole = shapely.Point(LEFT + 300, TOP - 250).buffer(230)
    west, east = (whole.intersection(box(*b)) for b in (
        (LEFT, TOP - 600, LEFT + 303, TOP), (LEFT + 303, TOP - 600, LEFT + 700, TOP),
    ))  # fmt: skip
    layer = gpd.GeoDataFrame(index=["all", "west", "east"], geometry=[whole, west, east], crs=4549)

    areas = zonal.class_areas(raster, layer)

    assert areas.sum(axis="columns").to_numpy() == pytest.approx(layer.area.to_numpy())
    assert (areas.loc["west"] + areas.loc["east"]).to_numpy() == pytest.approx(
        areas.loc["all"], rel=1e-6
    )


def test_chunks_do_not_change_the_result(save, classes, monkeypatch):
    raster, layer = save(np.tile(classes, (20, 20))), units(a=(3, 3, 1991, 1997))
    whole = zonal.class_areas(raster, layer)
    monkeypatch.setattr(zonal, "_MAX_CELLS", 500)

    assert zonal.class_areas(raster, layer).loc["a"].tolist() == pytest.approx(
        whole.loc["a"].tolist()
    )


def test_means_leave_out_what_was_not_seen(save):
    pixels = np.full((10, 10), np.nan, "float32")
    pixels[0], pixels[1] = 0.2, 0.8

    found = zonal.means(save(pixels, nodata=np.nan), units(a=(0, 5, 100, 40), b=(0, 50, 100, 60)))

    assert found.columns.tolist() == ["mean", "seen_share"]
    assert found.loc["a", "mean"] == pytest.approx((0.5 * 0.2 + 0.8) / 1.5)
    assert found.loc["a", "seen_share"] == pytest.approx(15 / 35)
    assert np.isnan(found.loc["b", "mean"])
    assert found.loc["b", "seen_share"] == 0


def test_nan_without_declared_nodata_is_still_unseen(save):
    pixels = np.full((2, 2), np.nan, "float32")
    pixels[0, 0] = 0.6

    found = zonal.means(save(pixels), units(a=(0, 0, 20, 20)))

    assert found.loc["a"].tolist() == pytest.approx([0.6, 0.25])


def test_another_crs_is_refused(save, classes):
    with pytest.raises(GridMismatch, match="EPSG:32651"):
        zonal.class_areas(save(classes, crs="EPSG:32651"), units(a=(0, 0, 10, 10)))
    with pytest.raises(GridMismatch):
        zonal.means(save(classes), units(a=(0, 0, 10, 10)).set_crs(None, allow_override=True))


def test_damaged_and_rotated_rasters_are_refused(save, classes, tmp_path):
    (tmp_path / "broken.tif").write_bytes(b"II*\0 no raster")

    with pytest.raises(IntegrityError, match=r"broken\.tif cannot be read"):
        zonal.class_areas(tmp_path / "broken.tif", units(a=(0, 0, 10, 10)))
    with pytest.raises(IntegrityError, match="rotated"):
        zonal.class_areas(
            save(classes, transform=Affine(10, 1, LEFT, 1, -10, TOP)), units(a=(0, 0, 10, 10))
        )
