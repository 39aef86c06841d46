"""Tiles refined beside their neighbours and after their own past: no seam, no stale piece."""

import numpy as np
import pytest
import xarray as xr
from builders import band

from jinhua_rs import refining, store
from jinhua_rs.errors import ContractError, GridMismatch
from jinhua_rs.grid import Grid
from jinhua_rs.refining import RefineJob, keep_units, refine_tile
from jinhua_rs.schema import described
from jinhua_rs.settings import Refine

SIDE = 24
SLOPE = 15.0


def named(path, canopy, *, label="", slope=SLOPE):
    """Write a tile of named land with the canopy cover given; NaN is not seen."""
    canopy = described(canopy, "canopy")
    forest = xr.where(canopy.isnull(), 0, xr.where(canopy >= 0.2, 2, 1))
    land = xr.where(canopy.isnull(), 0, xr.where(canopy >= 0.2, 1, 7))
    data = {"forest": described(forest, "forest"), "landcover": described(land, "landcover")}
    store.write_tile(path, xr.Dataset(data | {"canopy": canopy}), label)
    store.seal(path, "key", {"clear_pixels": 0, "canopy_slope": slope})
    return path


@pytest.fixture
def canopy():
    """Two by two tiles of ground, woods and fields with specks, a cloud across the seams."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[: 2 * SIDE, : 2 * SIDE]
    values = np.where((x + y) % 30 < 17, 0.7, 0.05) + rng.normal(0, 0.15, (2 * SIDE, 2 * SIDE))
    values[20:26, 21:30] = np.nan
    return band(values.clip(0, 1).round(4))


def cut(canopy, folder, **more):
    """Write the four tiles; by their place."""
    halves = slice(None, SIDE), slice(SIDE, None)
    return {
        (down, right): named(
            folder / f"{down}{right}.zarr", canopy[halves[down], halves[right]], **more
        )
        for down in (0, 1)
        for right in (0, 1)
    }


def around(tiles, place):
    """Tiles as seen from one of them."""
    return {(at[0] - place[0], at[1] - place[1]): path for at, path in tiles.items()}


def refined(folder, years, options, *, label=""):
    """Refine each of four tiles, with the same tiles of earlier years."""
    made = {}
    for place in next(iter(years.values())):
        looks = tuple((year, around(tiles, place)) for year, tiles in years.items())
        job = RefineJob(
            folder / f"{place[0]}{place[1]}.zarr", "k", looks, options, options.rim(10.0), label
        )
        assert refine_tile(job).state == "done"
        assert refine_tile(job).state == "reused"
        made[place] = job.path
    return made


def joined(tiles, name):
    opened = {at: store.open_tile(path)[name].to_numpy() for at, path in tiles.items()}
    return np.block([[opened[down, right] for right in (0, 1)] for down in (0, 1)])


@pytest.mark.parametrize("window", [3, 7])
def test_four_tiles_are_one_map_without_a_seam(tmp_path, canopy, window):
    options = Refine(window_m=10 * window, smoothness=2.0)
    past = canopy.copy(data=np.roll(canopy, 3, axis=0))
    tiles = {2023: cut(past, tmp_path / "past"), 2024: cut(canopy, tmp_path / "now")}
    alone = {
        2023: {(0, 0): named(tmp_path / "past.zarr", past)},
        2024: {(0, 0): named(tmp_path / "now.zarr", canopy)},
    }

    pieces = refined(tmp_path / "pieces", tiles, options)
    whole = store.open_tile(refined(tmp_path / "whole", alone, options)[0, 0])

    for name in ("forest", "steps"):
        assert (joined(pieces, name) == whole[name].to_numpy()).all()
    assert len(np.unique(whole["steps"])) > 4
    assert ((whole["forest"] == 0).to_numpy() == np.isnan(canopy).to_numpy()).all()


def test_without_steps_the_cover_is_the_one_that_was_named(tmp_path, canopy):
    options = Refine(window_m=0, history_years=0, min_patch_mu=0, fill_holes_m2=0)
    tiles = cut(canopy, tmp_path)

    made = refined(tmp_path / "out", {2024: tiles}, options)
    kept = kept_of(tmp_path, made, options)

    assert (joined(kept, "forest") == joined(tiles, "forest")).all()
    assert (joined(made, "landcover") == joined(tiles, "landcover")).all()
    assert set(np.unique(joined(kept, "steps"))) == {0, 1, 16}


def kept_of(folder, made, options):
    """Bring refined tiles to their minimum mapping unit; the tiles of that, by place."""
    named_tiles = {f"{at[0]}{at[1]}": path for at, path in made.items()}
    assert keep_units(named_tiles, folder / "forest", "key", options, "").state == "done"
    assert keep_units(named_tiles, folder / "forest", "key", options, "").state == "reused"
    return {at: folder / "forest" / f"{at[0]}{at[1]}.zarr" for at in made}


def test_a_patch_across_a_seam_is_one_patch(tmp_path):
    cover = np.full((2 * SIDE, 2 * SIDE), 0.0)
    cover[SIDE - 4 : SIDE + 4, 10] = 0.9  # eight pixels, four in each tile
    cover[SIDE - 3 : SIDE + 3, 40] = 0.9  # six
    options = Refine(window_m=0)
    made = refined(tmp_path / "out", {2024: cut(band(cover), tmp_path)}, options)

    kept = kept_of(tmp_path, made, options)

    assert (joined(kept, "forest") == 2).sum() == 8
    assert (joined(kept, "steps") == 1 + 1 + 2 + 4).sum() == 6  # tree cover until the last step


def test_a_past_of_another_grid_is_refused(tmp_path, canopy):
    here = named(tmp_path / "now.zarr", canopy)
    there = named(tmp_path / "past.zarr", canopy.assign_coords(x=canopy.x + 10))
    looks = (2023, {(0, 0): there}), (2024, {(0, 0): here})

    with pytest.raises(GridMismatch):
        refine_tile(RefineJob(tmp_path / "out.zarr", "k", looks, Refine(), 3, ""))


def test_simulated_years_do_not_speak_for_real_ones(tmp_path, canopy):
    here = named(tmp_path / "now.zarr", canopy)
    there = named(tmp_path / "past.zarr", canopy, label="SIMULATED")
    looks = (2023, {(0, 0): there}), (2024, {(0, 0): here})

    with pytest.raises(ContractError, match="output root"):
        refine_tile(RefineJob(tmp_path / "out.zarr", "k", looks, Refine(), 3, ""))


def test_a_model_of_classes_alone_has_its_cover_smoothed_too(tmp_path):
    forest = np.full((9, 9), 2, np.uint8)
    forest[4, 4], forest[0, 0] = 1, 0
    layer = described(band(forest), "forest")
    path = tmp_path / "now.zarr"
    store.write_tile(path, xr.Dataset({"forest": layer}))
    store.seal(path, "key", {"canopy_slope": None})

    refine_tile(RefineJob(tmp_path / "out.zarr", "k", ((2024, {(0, 0): path}),), Refine(), 3, ""))

    found = store.open_tile(tmp_path / "out.zarr")["forest"].to_numpy()
    assert (found[4, 4], found[0, 0]) == (2, 0)


def test_neighbours_lie_where_the_grid_says():
    grid = Grid(tile_size=SIDE)
    tile = grid.tiles(grid.covering((440_001, 3_220_001, 440_200, 3_220_200)).extent.geom)[0]
    ids = grid.around(tile)

    assert ids[0, 0] == tile.id
    assert len(set(ids.values())) == 9
    box = tile.geobox.boundingbox
    assert ids[1, -1] == grid.tile_id(box.left - 1, box.bottom - 1)


def test_rims_are_cut_from_the_side_that_is_near():
    rows = np.arange(10)

    assert rows[refining._of_neighbour(-1, 3)].tolist() == [7, 8, 9]
    assert rows[refining._of_neighbour(1, 3)].tolist() == [0, 1, 2]
    assert rows[refining._in_whole(0, 3)].tolist() == [3, 4, 5, 6]
