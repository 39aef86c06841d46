"""Training samples from maps that agree and from verdicts of reviewers."""

import json

import geopandas as gpd
import numpy as np
import pytest
from builders import Shelf
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import from_origin
from rasterio.warp import Resampling, reproject
from shapely.geometry import box
from test_followup import Q1, World
from typer.testing import CliRunner

from jinhua_rs import sampling
from jinhua_rs.cli import app
from jinhua_rs.errors import NoDataError
from jinhua_rs.grid import Grid
from jinhua_rs.patches import Book, State, Verdict
from jinhua_rs.samples import TREE, agreement, class_said, of_reviews, read_samples
from jinhua_rs.schema import Land
from jinhua_rs.settings import load_settings

CRS = "EPSG:4549"
FIRST = {10: "tree", 40: "cropland", 30: "open"}
SECOND = {2: "tree", 5: "cropland", 7: "bamboo"}


# --- agreement ---------------------------------------------------------------------------------


def test_maps_agree_where_all_leave_something_in_common():
    first = np.array([[10, 10, 10, 40, 30, 0]], np.uint8)
    second = np.array([[2, 7, 5, 5, 2, 2]], np.uint8)

    said = agreement([(first, FIRST), (second, SECOND)], edge_px=0)

    assert said.tolist() == [[TREE, 1 << Land.BAMBOO, 0, 1 << Land.CROPLAND, 0, 0]]
    assert [class_said(int(bits)) for bits in said[0]] == [None, 4, None, 7, None, None]


def test_two_pixels_are_taken_off_every_edge():
    codes = np.full((9, 12), 10, np.uint8)
    codes[:, 9:] = 40
    codes[4, 4] = 0

    said = agreement([(codes, FIRST), (codes, FIRST)])

    # rows 0-1 and 7-8, columns 0-1 are the border, 7-10 the edge at 9, 2-6 lie around the hole
    assert np.argwhere(said).tolist() == []
    codes[4, 4] = 10
    said = agreement([(codes, FIRST), (codes, FIRST)])
    assert {tuple(at) for at in np.argwhere(said)} == {
        (r, c) for r in range(2, 7) for c in range(2, 7)
    }


@settings(max_examples=40, deadline=None)
@given(data=st.data(), edge=st.integers(0, 2))
def test_every_pixel_near_one_that_is_kept_says_the_same(data, edge):
    def drawn(codes):
        cells = st.lists(st.sampled_from(codes), min_size=80, max_size=80)
        return np.array(data.draw(cells), np.uint8).reshape(8, 10)

    pair = [(drawn([10, 10, 10, 40]), FIRST), (drawn([2, 2, 2, 7]), SECOND)]
    plain = agreement(pair, edge_px=0)

    said = agreement(pair, edge_px=edge)

    for row, column in np.argwhere(said):
        around = plain[row - edge : row + edge + 1, column - edge : column + edge + 1]
        assert around.size == (2 * edge + 1) ** 2
        assert (around == said[row, column]).all()


# --- consensus ---------------------------------------------------------------------------------

GRID = GeoBox((60, 100), from_origin(440_000, 3_220_000, 10, 10), CRS)
"""A city of two counties: west crops and trees, east water and trees."""


def town(folder, *, tile_size=64):
    """Write the counties, two maps that differ in a strip, and the settings."""
    x, y = 440_000, 3_219_400
    shapes = [box(x, y, x + 500, y + 600), box(x + 500, y, x + 1_000, y + 600)]
    units = gpd.GeoDataFrame(
        {"code": ["1", "2"], "name_zh": ["西县", "东县"], "level": "county"},
        geometry=shapes,
        crs=CRS,
    )
    units.to_file(folder / "units.gpkg")
    ground = np.full(GRID.shape, 10, np.uint8)
    ground[:30, :50], ground[:30, 50:] = 40, 80
    other = np.select([ground == 10, ground == 40, ground == 80], [2, 5, 1]).astype(np.uint8)
    other[40:, :20] = 5
    shelf = Shelf(folder)
    extra = {"jinhua:simulated": True}
    shelf.put("N27E117", *in_degrees(ground), **extra)
    utm = on_utm(other)
    shelf.put("50R-2021", *utm, profile="io-lulc-annual", crs="EPSG:32650", **extra)
    config = folder / "town.toml"
    config.write_text(
        f'[area]\nunits = "units.gpkg"\ntile_size = {tile_size}\ncheck_datum = false\n'
        '[atlas]\nurl = "./"\n', "utf-8",
    )  # fmt: skip
    return config


def warped(pixels, crs, geobox):
    out = np.zeros(geobox.shape, np.uint8)
    reproject(
        pixels, out, src_transform=GRID.affine, src_crs=CRS, dst_transform=geobox.affine,
        dst_crs=crs, src_nodata=0, dst_nodata=0, resampling=Resampling.nearest,
    )  # fmt: skip
    return out


def in_degrees(pixels):
    to_wgs84 = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    west, north = to_wgs84.transform(439_900, 3_220_100)
    place = (west, north, 5e-5, 5e-5)
    return warped(pixels, "EPSG:4326", GeoBox((180, 260), from_origin(*place), "EPSG:4326")), place


def on_utm(pixels):
    to_utm = Transformer.from_crs(CRS, "EPSG:32650", always_xy=True)
    x, y = (round(value, -1) for value in to_utm.transform(439_900, 3_220_100))
    place = (x, y, 5, 5)
    return warped(
        pixels, "EPSG:32650", GeoBox((200, 280), from_origin(*place), "EPSG:32650")
    ), place


def drawn(config, **kwargs):
    told = load_settings(config, environment={}).settings
    names = ["esa-worldcover", "io-lulc-annual"]
    return sampling.consensus(names, told, progress=lambda *_: None, **({"each": 20} | kwargs))


def test_as_many_of_every_class_are_drawn_in_every_county(tmp_path):
    found = drawn(town(tmp_path))

    by_cell = found.assign(known=found["class"].fillna(0)).groupby(["county", "known"]).size()
    assert by_cell.to_dict() == {("1", 0.0): 20, ("1", 7.0): 20, ("2", 0.0): 20, ("2", 10.0): 20}
    assert found.loc[found["class"].isna(), "tree"].eq(1).all()
    assert found["simulated"].all()
    assert set(found["source"]) == {"consensus esa-worldcover 2021 + io-lulc-annual 2021"}
    assert not found.geometry.duplicated().any()


def test_samples_keep_away_from_edges_and_from_where_maps_differ(tmp_path):
    found = drawn(town(tmp_path), each=10_000)
    column = (found.geometry.x - 440_000) // 10
    row = (3_220_000 - found.geometry.y) // 10

    assert ((column <= 48) | (column >= 51))[row < 30].all()
    assert ((row <= 28) | (row >= 31)).all()
    assert not ((row > 41) & (column < 18)).any()
    assert len(found) > 4_000


def test_the_draw_depends_on_the_seed_and_not_on_tiles(tmp_path):
    config = town(tmp_path)
    found = drawn(config)
    text = config.read_text("utf-8")

    config.write_text(text.replace("tile_size = 64", "tile_size = 25"), "utf-8")
    other_tiles = drawn(config)
    config.write_text(text + "[model]\nseed = 5\n", "utf-8")
    other_seed = drawn(config)

    assert found.equals(other_tiles)
    assert not found.geometry.equals(other_seed.geometry)


def test_maps_of_another_year_are_no_data(tmp_path):
    with pytest.raises(NoDataError, match="no map of 2015"):
        drawn(town(tmp_path), year=2015)


def test_what_is_written_is_read_as_samples(tmp_path):
    config, path = town(tmp_path), tmp_path / "new" / "consensus.gpkg"

    done = CliRunner().invoke(
        app, ["training", "consensus", "--to", str(path), "--config", str(config), "--each", "5"]
    )
    found = read_samples(path, Grid())

    assert done.exit_code == 0, done.output
    assert "模拟数据：样本 20 个" in done.output
    assert "林木，类型待判" in done.output
    assert len(found.frame) == 20
    assert found.simulated
    assert set(found.frame["confidence"]) == {2.0}


def test_one_map_alone_agrees_with_nobody(tmp_path):
    config = town(tmp_path)
    arguments = [
        "--to",
        str(tmp_path / "a.gpkg"),
        "--config",
        str(config),
        "--atlas",
        "io-lulc-annual",
    ]

    done = CliRunner().invoke(app, ["training", "consensus", *arguments])

    assert done.exit_code != 0
    assert "--atlas" in str(done.exception)


# --- verdicts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "reason", "expected"),
    [
        ("confirmed", "built", (8, 3)),
        ("confirmed", "mined", (9, 3)),
        ("confirmed", "felled", (5, 2)),
        ("rejected", "bamboo", (4, 3)),
        ("rejected", "farming", (7, 3)),
        ("rejected", "permitted", (5, 2)),
        ("rejected", "nothing", (1, 2)),
        ("rejected", "season", (1, 2)),
        ("rejected", "not_forest", None),
    ],
)
def test_a_verdict_says_what_stands_there_or_nothing(verdict, reason, expected):
    review = {"patch": "p", "verdict": verdict, "reason": reason, "before": 1, "after": 5}
    row = review | {"day": "2024-11-01", "who": "甲"}

    found = of_reviews(gpd.GeoDataFrame([row], geometry=[box(0, 0, 9, 9)], crs=CRS))

    told = [(row["class"], row["confidence"]) for row in found.to_dict("records")]
    assert told == ([expected] if expected else [])


def test_a_class_that_is_not_known_gives_no_sample():
    review = {"patch": "p", "verdict": "confirmed", "reason": "felled", "before": 0, "after": 0}
    row = review | {"day": "2024-11-01", "who": "甲"}

    assert of_reviews(gpd.GeoDataFrame([row], geometry=[box(0, 0, 9, 9)], crs=CRS)).empty


def test_verdicts_of_a_period_become_samples(tmp_path):
    world = World(tmp_path)
    world.publish(Q1)
    world.follow(Q1)
    with pytest.raises(NoDataError, match="no verdict"):
        sampling.reviewed(world.place(Q1))
    first, second = (patch.id for patch in world.follow(Q1).register.patches)
    world.decide(first, second)
    by = ("乙", "auditor")
    verdicts = [
        Verdict(first, 1, State.FIELD, State.CONFIRMED, "built", *by, "2024-06-01T00:00Z"),
        Verdict(second, 1, State.FIELD, State.REJECTED, "not_forest", *by, "2024-06-02T00:00Z"),
    ]  # fmt: skip
    Book(world.place(Q1).verdicts).append(verdicts)
    path = tmp_path / "reviewed.gpkg"

    done = CliRunner().invoke(
        app,
        ["--json", "training", "reviewed", Q1, "--to", str(path), "--config", str(world.config)],
    )
    found = read_samples(path, Grid())

    assert json.loads(done.output)["classes"] == {"8": 1}
    assert set(found.frame["group"]) | set(found.aside["group"]) == {first}
    assert set(found.frame["date"]) | set(found.aside["date"]) == {"2024-06-01"}
    assert json.loads(done.output)["simulated"]
