"""Outlines of flagged ground, and what is measured on them: worlds one can count by eye."""

import geopandas as gpd
import numpy as np
import pytest
from builders import X0, Y0
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from patch_world import CODES, CRS, counties, drawn, put, square
from pyproj import Geod
from scipy import ndimage

from jinhua_rs.causes import Cause
from jinhua_rs.errors import IntegrityError
from jinhua_rs.layers import Layer
from jinhua_rs.patches import Flags, Ground, measure, trace
from jinhua_rs.patches.trace import footprints, values_at
from jinhua_rs.units import mu


def traced(folder, flags, **options):
    path = put(folder / "alert.tif", drawn(flags) if isinstance(flags, str) else flags)
    return trace([Flags(path, CODES)], **({"min_m2": 400, "hole_m2": 400} | options))


def test_pixels_belong_together_where_they_share_a_side(tmp_path):
    found, _ = traced(
        tmp_path,
        """
        LL.....
        LL.....
        ..GGG..
        ..GGG.L
        LLL...L
        .......
        """,
    )

    assert found["kind"].tolist() == ["loss", "gain"]
    assert found.area.tolist() == [400.0, 600.0]
    assert found.geometry[0].equals(square(0, 0, 2, 2))


def test_small_holes_are_filled_and_large_ones_are_not(tmp_path):
    found, _ = traced(
        tmp_path,
        """
        LLLLLLLLL
        L.LL..LLL
        LL LL..LL
        LLLLLLLLG
        LLGLLLLLL
        """,
    )

    # two single pixels are filled; four in a square stay; the two on the edge are no holes
    assert found.area.tolist() == [100.0 * (45 - 4 - 2)]
    assert found.is_valid.all()


def test_nothing_flagged_gives_no_patch_and_nothing_is_measured(tmp_path):
    found, lattice = traced(tmp_path, np.ones((5, 5), "uint8"))

    assert len(found) == 0
    assert measure(found.geometry, lattice, Ground({}, counties(), {})) == []


@settings(max_examples=40, deadline=None)
@given(flags=arrays("uint8", (12, 9), elements=st.integers(0, 3)), min_px=st.integers(1, 8))
def test_outlines_are_the_components_that_scipy_labels(tmp_path_factory, flags, min_px):
    found, _ = traced(tmp_path_factory.mktemp("t"), flags, min_m2=100 * min_px, hole_m2=0)

    for code, kind in CODES.items():
        labels, _ = ndimage.label(flags == code)
        sizes = np.bincount(labels.ravel())[1:]
        areas = found[found["kind"] == kind].area / 100
        assert sorted(areas) == sorted(sizes[sizes >= min_px])


@settings(max_examples=40, deadline=None)
@given(flags=arrays("uint8", (12, 9), elements=st.sampled_from([1, 2, 2, 3])))
def test_patches_never_overlap_and_hold_their_own_pixels(tmp_path_factory, flags):
    found, lattice = traced(tmp_path_factory.mktemp("t"), flags)

    pixels = footprints(found.geometry, lattice)
    counted = np.bincount(pixels.owner, minlength=len(found))

    assert len(np.unique(pixels.pixels)) == len(pixels.pixels)
    assert (100 * counted).tolist() == found.area.tolist()


def test_a_damaged_or_rotated_map_is_refused(tmp_path):
    broken = tmp_path / "alert.tif"
    broken.write_bytes(b"II*\x00 and no more")

    with pytest.raises(IntegrityError, match="missing or damaged"):
        trace([Flags(broken, CODES)], min_m2=400, hole_m2=400)
    with pytest.raises(IntegrityError, match="missing or damaged"):
        trace([Flags(tmp_path / "gone.tif", CODES)], min_m2=400, hole_m2=400)


def test_a_map_of_another_grid_is_refused(tmp_path):
    found, lattice = traced(tmp_path, "LL\nLL")
    other = put(tmp_path / "other.tif", np.ones((3, 2), "uint8"))

    with pytest.raises(IntegrityError, match="does not lie on the grid"):
        values_at(other, footprints(found.geometry, lattice), lattice)


PAIR = """
    LL..GG
    LL..GG
    LL....
    """


def measured(folder, *, maps=None, units=None, layers=None):
    found, lattice = traced(folder, PAIR)
    paths = {name: (put(folder / f"{name}.tif", values),) for name, values in (maps or {}).items()}
    ground = Ground(paths, counties() if units is None else units, layers or {})
    return measure(found.geometry, lattice, ground)


def test_areas_on_the_grid_agree_with_the_ellipsoid(tmp_path):
    loss, gain = measured(tmp_path)

    around = gpd.GeoSeries([square(0, 0, 2, 3)], crs=CRS).to_crs("EPSG:4490")[0]
    assert (loss.area_m2, gain.area_m2) == (600.0, 400.0)
    assert mu(loss.area_m2) == pytest.approx(0.9)
    exact = abs(Geod(ellps="GRS80").geometry_area_perimeter(around)[0])
    assert loss.ellipsoid_m2 == pytest.approx(exact, abs=0.01)
    assert loss.ellipsoid_m2 == pytest.approx(600.0, rel=1.5e-4)


def test_what_no_map_tells_is_not_known(tmp_path):
    loss, _ = measured(tmp_path)

    assert (loss.before, loss.after, loss.confidence, loss.cause) == (0, 0, 0, 0)
    assert (loss.first_day, loss.last_day, loss.size, loss.looks) == ("", "", None, None)
    assert loss.township is None
    assert set(loss.overlaps.values()) == {None}


def test_maps_are_read_inside_each_patch_only(tmp_path):
    def cells(loss, other, kind):
        grid = np.full((3, 6), other, kind)
        grid[:, :2] = np.reshape(loss, (3, 2))
        return grid

    maps = {
        "before": cells([1, 1, 0, 0, 4, 0], 7, "uint8"),  # 0 is not seen: it never wins
        "after": cells([9, 8, 8, 9, 0, 0], 7, "uint8"),  # of equals the smaller
        "confidence": cells([3, 2, 2, 2, 1, 1], 1, "uint8"),
        "first_day": cells([0, 20_000, 19_723, 0, 0, 0], 1, "int32"),
        "last_day": cells([0, 20_000, 19_723, 0, 0, 0], 1, "int32"),
        "size": cells([0.5, 0.3, np.nan, np.nan, 0.1, 0.1], 1, "float32"),
        "looks": cells([3, 4, 5, 6, 7, 8], 1, "uint16"),
    }

    loss, gain = measured(tmp_path, maps=maps)

    assert (loss.before, loss.after, loss.confidence) == (1, 8, 2)
    assert (loss.first_day, loss.last_day) == ("2024-01-01", "2024-10-04")
    assert loss.size == pytest.approx(0.25)
    assert loss.looks == 5
    assert (gain.before, gain.after) == (7, 7)


def test_a_patch_belongs_to_the_county_with_most_of_it_or_to_none(tmp_path):
    west, east = square(-100, -100, 101, 300), square(1, -100, 2, 300)

    loss, gain = measured(tmp_path, units=counties(west, east))

    assert (loss.county, loss.county_name) == ("330782", "义乌市")  # of equals the first
    assert gain is None


def layer(role, *shapes, **columns):
    return Layer(role, gpd.GeoDataFrame(columns, geometry=list(shapes), crs=CRS), "")


def test_overlaps_count_doubled_features_once_and_missing_layers_not_at_all(tmp_path):
    nowhere = layer("basic_farmland")
    twice = layer("red_line", square(0, 0, 2, 1), square(0, 0, 1, 2), square(90, 90))
    none = layer("reserves", square(3, 0))

    loss, gain = measured(
        tmp_path, layers={"red_line": twice, "reserves": none, "basic_farmland": nowhere}
    )

    assert loss.overlaps["red_line"] == 300.0
    assert gain.overlaps["red_line"] == 0.0
    assert loss.overlaps["reserves"] == loss.overlaps["basic_farmland"] == 0.0
    assert loss.overlaps["permits"] is None


def test_township_parcel_and_permit_are_named_by_the_largest_share(tmp_path):
    towns = layer("townships", square(0, 0, 1, 3), square(1, 0, 9, 3), XZQMC=["甲镇", "乙镇"])
    permits = layer("permits", square(0, 0), square(0, 1, 2, 2), 许可证号=["采字1", "采字2"])

    loss, gain = measured(tmp_path, layers={"townships": towns, "permits": permits})

    assert (loss.township, gain.township) == ("甲镇", "乙镇")
    assert (loss.permit, gain.permit) == ("采字2", "")


def test_pixels_of_an_outline_beyond_the_map_are_left_out(tmp_path):
    _, lattice = traced(tmp_path, "LL\nLL")

    found = footprints(gpd.GeoSeries([square(-1, -1, 2, 2), square(50, 50)]), lattice)

    assert found.pixels.tolist() == [0]
    assert (lattice.left, lattice.top) == (X0, Y0)


# --- which ground is flagged -------------------------------------------------------------------


def test_what_is_less_sure_is_no_part_of_a_patch(tmp_path):
    path = put(tmp_path / "flags.tif", drawn("LLLL\nLLLL"))
    sure = put(tmp_path / "sure.tif", np.array([[3, 2, 1, 1], [2, 2, 1, 3]], "uint8"))

    found, _ = trace([Flags(path, CODES, (sure, 2))], min_m2=400, hole_m2=400)

    assert [one.area for one in found.geometry] == [400.0], "a pixel alone is too small"


def test_a_second_map_counts_where_the_first_flags_nothing(tmp_path):
    first = put(tmp_path / "first.tif", drawn("LL....\nLL...."))
    second = put(tmp_path / "second.tif", np.array([[9, 9, 9, 9, 0, 0]] * 2, "uint8"))

    found, _ = trace([Flags(first, CODES), Flags(second, {9: "gain"})], min_m2=400, hole_m2=400)

    assert list(zip(found["kind"], found.geometry.area, strict=True)) == [
        ("loss", 400.0), ("gain", 400.0)
    ]  # fmt: skip


# --- what a patch is about ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mine", "cause", "told"),
    [
        (square(0, 0, 2, 3), Cause.CLEARED, Cause.MINING),
        (square(3, 0, 1, 3), Cause.FELLING, Cause.MINING),  # beside the mapped outline
        (square(-9, 0, 2, 3), Cause.CLEARED, Cause.CLEARED),
        (square(0, 0, 2, 3), Cause.BAMBOO_HARVEST, Cause.BAMBOO_HARVEST),
    ],
)
def test_ground_laid_bare_in_a_mine_is_mining(tmp_path, mine, cause, told):
    layer = Layer("mines", gpd.GeoDataFrame(geometry=[mine], crs=CRS), "d")
    causes = {"cause": np.full((3, 6), cause, "uint8")}

    loss, _ = measured(tmp_path, maps=causes, layers={"mines": layer})

    assert loss.cause == told
