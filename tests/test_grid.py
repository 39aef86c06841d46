import numpy as np
import pytest
from builders import X0, Y0, band
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from jinhua_rs.errors import ConfigError, GridMismatch
from jinhua_rs.grid import Grid, require_same_grid


def test_tiles_stand_on_a_fixed_origin_and_cover_the_area():
    area = box(X0, Y0 - 30_000, X0 + 25_000, Y0)
    tiles = Grid(tile_size=1024).tiles(area)

    for tile in tiles:
        left, bottom, right, top = tile.geobox.boundingbox
        assert left % 10_240 == 0 and top % 10_240 == 0
        assert (right - left, top - bottom) == (10_240, 10_240)
    covered = box(*tiles[0].geobox.boundingbox)
    for tile in tiles[1:]:
        covered = covered.union(box(*tile.geobox.boundingbox))
    assert covered.covers(area)
    assert len({tile.id for tile in tiles}) == len(tiles)


def test_a_tile_that_only_touches_is_left_out():
    assert len(Grid(tile_size=1000).tiles(box(440_000, 3_210_000, 450_000, 3_220_000))) == 1


@given(st.floats(400_000, 600_000), st.floats(3_100_000, 3_300_000))
def test_a_point_lies_on_the_tile_that_its_id_names(x, y):
    grid = Grid(tile_size=256)
    tiles = {tile.id: tile for tile in grid.tiles(box(x - 1, y - 1, x + 1, y + 1))}
    left, bottom, right, top = tiles[grid.tile_id(x, y)].geobox.boundingbox

    assert left <= x <= right
    assert bottom <= y <= top


def test_a_map_is_snapped_to_multiples_of_the_resolution():
    geobox = Grid(resolution=60).covering((440_001, 3_200_013, 499_999, 3_259_000))

    assert all(edge % 60 == 0 for edge in geobox.boundingbox)


def test_grids_that_differ_by_a_hair_are_refused():
    red, nir = band(np.ones((3, 3))), band(np.ones((3, 3)), "nir")
    nir = nir.assign_coords(x=nir.x + 1e-7)

    with pytest.raises(GridMismatch, match="'x'"):
        require_same_grid(red, nir)


@pytest.mark.parametrize("wrong", [{"resolution": 0}, {"resolution": -10}, {"tile_size": 0}])
def test_an_impossible_grid_is_refused(wrong):
    with pytest.raises(ConfigError):
        Grid(**wrong)
