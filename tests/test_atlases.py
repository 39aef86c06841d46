"""Atlases: found by STAC, from a folder and from an API, and read onto the grid."""

import json
import os
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from asset_server import Files, serving_files
from builders import WGS84, X0, Y0, Shelf, outline
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import from_origin
from rasterio.windows import Window
from scipy.ndimage import map_coordinates
from shapely.geometry import box
from typer.testing import CliRunner

from jinhua_rs.catalog import atlas_names, find_atlas, load_atlas, settle_atlas
from jinhua_rs.cli import app
from jinhua_rs.cube import read_atlas
from jinhua_rs.errors import ConfigError, IntegrityError, NoDataError
from jinhua_rs.mirror import fetch_elevation
from jinhua_rs.settings import Settings, Stac
from jinhua_rs.twin.serve import serving

SHARED = Path(os.environ.get("JINHUA_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
DEM = SHARED / "dem" / "los_angeles_dem_geoid.tif"
GRID = GeoBox((20, 30), from_origin(X0, Y0, 10, 10), "EPSG:4549")


CRS = "EPSG:4549"
AREA = outline(GRID.boundingbox, "EPSG:4549")


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


def lonlat(column, row, grid=GRID):
    """Longitude and latitude of a corner of pixels of a grid."""
    x, y = grid.affine * (column, row)
    return Transformer.from_crs("EPSG:4549", WGS84, always_xy=True).transform(x, y)


def halves(shelf, left=40, right=10):
    """Put two sheets of one lattice side by side, which meet in the middle of the grid."""
    west, north = lonlat(-5, -5)
    step = 1e-4
    middle = west + step * round((lonlat(15, 0)[0] - west) / step)
    columns = round((middle - west) / step)
    shelf.put("N27E117", np.full((40, columns), left, "uint8"), (west, north, step, step))
    return shelf.put("N27E120", np.full((40, 40), right, "uint8"), (middle, north, step, step))


# --- profiles ----------------------------------------------------------------------------------


def test_three_atlases_come_along_with_their_terms():
    assert atlas_names() == ("cop-dem-glo-30", "esa-worldcover", "io-lulc-annual")
    assert all(load_atlas(name).licence and load_atlas(name).attribution for name in atlas_names())


def test_both_maps_know_trees_crops_built_bare_and_water():
    said = [set(load_atlas(name).classes.values()) for name in ("esa-worldcover", "io-lulc-annual")]

    assert said[0] & said[1] == {"tree", "open", "cropland", "built", "bare", "water"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('10 = "tree"', '10 = "bamboo"', "bamboo"),
        ('10 = "tree"', '0 = "tree"', "classes"),
        ('kind = "class"', 'kind = "elevation"', "belongs to an atlas of kind"),
        ("nodata = 0", "no_data = 0", "did you mean 'nodata'"),
    ],
)
def test_a_wrong_profile_is_refused_with_a_hint(tmp_path, old, new, message):
    folder = Path(__file__).parents[1] / "stac" / "atlases"
    text = (folder / "esa-worldcover.toml").read_text("utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")

    with pytest.raises(ConfigError, match=message):
        load_atlas(str(path))


def test_a_profile_of_ones_own_is_found_again_when_it_is_settled(shelf, tmp_path):
    stac = halves(shelf)
    source = Path(__file__).parents[1] / "stac" / "atlases" / "esa-worldcover.toml"
    shutil.copy(source, tmp_path / "mine.toml")

    atlas = find_atlas(str(tmp_path / "mine.toml"), AREA, stac)

    assert atlas.name == "mine"
    assert len(settle_atlas(atlas, stac).sheets) == 2


# --- finding -----------------------------------------------------------------------------------


def test_the_newest_year_is_taken_unless_one_is_named(shelf):
    place = (*lonlat(-5, -5), 1e-4, 1e-4)
    for year in (2020, 2021, 2019):
        stac = shelf.put(f"map-{year}", np.full((40, 60), 10, "uint8"), place, year=year)

    assert find_atlas("esa-worldcover", AREA, stac).year == 2021
    assert [sheet.id for sheet in find_atlas("esa-worldcover", AREA, stac, year=2019).sheets] == [
        "map-2019"
    ]
    with pytest.raises(NoDataError, match="no map of 2030; there are 2019, 2020, 2021"):
        find_atlas("esa-worldcover", AREA, stac, year=2030)


def test_other_places_and_other_collections_are_passed_over(shelf):
    shelf.put("far", np.full((4, 4), 10, "uint8"), (100.0, 30.0, 1e-3, 1e-3))
    stac = shelf.put(
        "other", np.full((40, 60), 2, "uint8"), (*lonlat(-5, -5), 1e-4, 1e-4),
        profile="io-lulc-annual",
    )  # fmt: skip

    with pytest.raises(NoDataError, match="nothing lies over the area"):
        find_atlas("esa-worldcover", AREA, stac)
    assert find_atlas("io-lulc-annual", AREA, stac).sheets[0].id == "other"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "../../etc"}, "unsafe"),
        ({"geometry": None}, "footprint is missing"),
        ({"assets": {}}, "no asset map"),
        ({"assets": {"map": {"href": "/etc/passwd"}}}, "outside the allowed folders"),
        ({"assets": {"map": {"href": "https://elsewhere.example/a.tif"}}}, "not allowed"),
        ({"assets": {"map": {"href": "/vsicurl/http://10.0.0.1/a.tif"}}}, "refused address"),
        ({"properties": {"datetime": None}}, "datetime"),
        ({"properties": {"datetime": "2021-05-01T00:00:00Z", "proj:code": "EPSG:1"}}, "CRS"),
    ],
)
def test_a_damaged_item_stops_the_search(shelf, change, message):
    halves(shelf)
    shelf.items[0] |= change

    with pytest.raises(IntegrityError, match=message):
        find_atlas("esa-worldcover", AREA, shelf.save())


def test_an_api_finds_what_the_folder_finds(shelf):
    stac = halves(shelf)
    for item in shelf.items:
        asset = item["assets"]["map"]
        asset["href"] = (shelf.folder / asset["href"]).as_uri()
    (shelf.folder / "items.json").write_text(
        json.dumps({"type": "FeatureCollection", "features": shelf.items})
    )

    with serving(shelf.folder) as address:
        online = find_atlas(
            "esa-worldcover", AREA, Stac(url=address, allowed_roots=(shelf.folder,)), year=2021
        )

    folder = find_atlas("esa-worldcover", AREA, stac)
    assert online.facts == folder.facts
    assert np.array_equal(read_atlas(online, GRID), read_atlas(folder, GRID))


def test_sheets_are_read_over_http_once_their_addresses_are_settled(shelf):
    folder = find_atlas("esa-worldcover", AREA, halves(shelf))
    files = Files({f"/{path.name}": path.read_bytes() for path in shelf.folder.glob("*.tif")})
    files.faults["/N27E120.tif"] = ["503"]
    with serving_files(files) as server:
        for item in shelf.items:
            asset = item["assets"]["map"]
            asset["href"] = f"{server}/{Path(asset['href']).name}"
        collection = {"type": "FeatureCollection", "features": shelf.items}
        (shelf.folder / "items.json").write_text(json.dumps(collection), "utf-8")
        with serving(shelf.folder) as address:
            stac = Stac(url=address, allowed_hosts=(server.removeprefix("http://"),))
            atlas = settle_atlas(find_atlas("esa-worldcover", AREA, stac), stac)
            codes = read_atlas(atlas, GRID)

    assert all(sheet.asset.href.startswith(server) for sheet in atlas.sheets)
    assert np.array_equal(codes, read_atlas(folder, GRID))


def test_settings_lead_atlases_to_their_own_address():
    told = Settings.model_validate(
        {"stac": {"url": "https://a.example", "retries": 1}, "atlas": {"url": "/mirror"}}
    )

    assert (told.atlas_stac.url, told.atlas_stac.retries) == ("/mirror", 1)
    assert Settings.model_validate({"stac": {"url": "https://a.example"}}).atlas_stac.url == ""


# --- reading classes ---------------------------------------------------------------------------


def test_sheets_of_one_lattice_are_joined_without_a_gap(shelf):
    stac = halves(shelf)

    codes = read_atlas(settle_atlas(find_atlas("esa-worldcover", AREA, stac), stac), GRID)

    assert codes.dtype == np.uint8
    assert codes.shape == (20, 30)
    assert set(np.unique(codes)) == {10, 40}
    assert codes.attrs["year"] == 2021
    assert codes.odc.geobox == GRID


def test_sheets_of_two_zones_fill_one_grid(shelf):
    def utm(crs, column):
        to_utm = Transformer.from_crs("EPSG:4549", crs, always_xy=True)
        x, y = to_utm.transform(*(GRID.affine * (column, -5)))
        return round(x, -1), round(y, -1), 10, 10

    for name, crs, column, code in (("50R", "EPSG:32650", -5, 2), ("51R", "EPSG:32651", 12, 5)):
        stac = shelf.put(
            name, np.full((40, 25), code, "uint8"), utm(crs, column), profile="io-lulc-annual",
            crs=crs,
        )  # fmt: skip

    codes = read_atlas(find_atlas("io-lulc-annual", AREA, stac), GRID)

    assert set(np.unique(codes)) == {2, 5}
    assert (codes[:, :10] == 2).all()
    assert (codes[:, -5:] == 5).all()


def test_no_data_and_ground_without_a_sheet_are_zero(shelf):
    pixels = np.full((40, 10), 40, "uint8")
    pixels[:20] = 0

    codes = read_atlas(
        find_atlas("esa-worldcover", AREA, shelf.put("a", pixels, (*lonlat(-5, -5), 1e-4, 1e-4))),
        GRID,
    )

    assert (codes[:5] == 0).all()
    assert (codes[:, 20:] == 0).all()
    assert (codes == 40).any()


def test_simulated_sheets_say_so(shelf):
    stac = shelf.put(
        "a", np.full((40, 60), 10, "uint8"), (*lonlat(-5, -5), 1e-4, 1e-4),
        **{"jinhua:simulated": True},
    )  # fmt: skip

    atlas = find_atlas("esa-worldcover", AREA, stac)

    assert atlas.simulated
    assert read_atlas(atlas, GRID).attrs["label"] == "SIMULATED 模拟数据"


# --- files that are not what they should be ----------------------------------------------------


def test_a_vrt_in_disguise_is_not_opened(shelf):
    stac = halves(shelf)
    (shelf.folder / "N27E117.tif").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>")
    atlas = find_atlas("esa-worldcover", AREA, stac)

    with pytest.raises(IntegrityError, match="of no GeoTIFF"):
        settle_atlas(atlas, stac)
    with pytest.raises(NoDataError, match="is no GTiff file"):
        read_atlas(atlas, GRID)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        ({"dtype": "float32"}, "holds float32"),
        ({"count": 3}, "holds 3 bands"),
        ({"crs": "EPSG:32650"}, "CRS is"),
        ({"transform": from_origin(10.0, 10.0, 1e-4, 1e-4)}, "footprint elsewhere"),
        ({"crs": None}, "states no CRS"),
    ],
)
def test_a_sheet_that_is_not_what_its_item_says_stops_the_reading(shelf, write, message):
    atlas = find_atlas("esa-worldcover", AREA, halves(shelf))
    path = shelf.folder / "N27E117.tif"
    with rasterio.open(path) as source:
        profile = source.profile | write
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.ones((profile["count"], *target.shape), profile["dtype"]))

    with pytest.raises(NoDataError, match=message) as caught:
        read_atlas(atlas, GRID)

    assert "N27E117" in str(caught.value)
    assert "图幅" in caught.value.zh


def test_a_missing_sheet_is_named(shelf):
    stac = halves(shelf)
    (shelf.folder / "N27E120.tif").unlink()
    atlas = find_atlas("esa-worldcover", AREA, stac)

    with pytest.raises(NoDataError, match=r"N27E120.*missing"):
        read_atlas(atlas, GRID)


# --- elevation ---------------------------------------------------------------------------------


def plane(shelf, *, split=0, **kwargs):
    """Put an inclined plane, 1 m a pixel eastward, in one sheet or in two."""
    west, north = lonlat(-20, -20)
    step = 1 / 3600
    heights = np.broadcast_to(np.arange(40, dtype="float32"), (40, 40)).copy()
    parts = [(0, split), (split, 40)] if split else [(0, 40)]
    for left, right in parts:
        stac = shelf.put(
            f"dem{left}", heights[:, left:right], (west + left * step, north, step, step),
            profile="cop-dem-glo-30", **kwargs,
        )  # fmt: skip
    return stac


def test_elevation_is_bilinear_in_metres(shelf):
    heights = read_atlas(find_atlas("cop-dem-glo-30", AREA, plane(shelf)), GRID)
    x = np.array([lonlat(column + 0.5, 10.5)[0] for column in range(30)])
    expected = (x - lonlat(-20, -20)[0]) * 3600 - 0.5

    assert heights.dtype == np.float32
    assert heights.attrs["units"] == "m"
    assert "year" not in heights.attrs
    assert np.abs(heights[10].to_numpy() - expected).max() < 0.02


@settings(max_examples=8, deadline=None)
@given(split=st.integers(8, 30))
def test_where_sheets_are_cut_makes_no_difference(tmp_path_factory, split):
    whole, parts = (Shelf(tmp_path_factory.mktemp("dem")) for _ in range(2))

    one = read_atlas(find_atlas("cop-dem-glo-30", AREA, plane(whole)), GRID)
    two = read_atlas(find_atlas("cop-dem-glo-30", AREA, plane(parts, split=split)), GRID)

    assert np.array_equal(one, two, equal_nan=True)


def test_elevation_of_any_year_is_found(shelf):
    stac = plane(shelf, year=2013)

    assert find_atlas("cop-dem-glo-30", AREA, stac, year=2024).year is None


def test_fillers_are_not_known_though_nobody_declared_them(shelf):
    stac = plane(shelf)
    path = shelf.folder / "dem0.tif"
    with rasterio.open(path, "r+") as target:
        heights = target.read(1)
        heights[:] = -32767
        heights[:, 12:] = 0
        target.write(heights, 1)

    read = read_atlas(find_atlas("cop-dem-glo-30", AREA, stac), GRID)

    assert np.isnan(read[:, 0]).all()
    assert set(np.unique(read[:, -5:])) == {0.0}


def test_the_elevation_of_an_area_is_kept_as_it_stands_in_the_sheets(shelf):
    ground = box(439_000, 3_218_000, 442_000, 3_222_000)
    west, _, _, north = outline(ground.bounds, CRS).bounds
    step = 1 / 3600
    left, top = (round(west / step) - 200.5) * step, (round(north / step) + 200.5) * step
    heights = np.random.default_rng(2).uniform(20, 1300, (600, 600)).astype("float32")
    shelf.put("dem", heights, (left, top, step, step), profile="cop-dem-glo-30")
    unit = {"code": ["1"], "name_zh": ["县"], "level": ["county"]}
    gpd.GeoDataFrame(unit, geometry=[ground], crs=CRS).to_file(shelf.folder / "units.gpkg")
    config, path = shelf.folder / "town.toml", shelf.folder / "home" / "dem.tif"
    config.write_text(
        '[area]\nunits = "units.gpkg"\ncheck_datum = false\n[atlas]\nurl = "./"\n', "utf-8"
    )

    told = CliRunner().invoke(
        app, ["--json", "elevation", "--to", str(path), "--config", str(config)]
    )

    assert told.exit_code == 0, told.output
    assert json.loads(told.output)["known_share"] == 1.0
    with rasterio.open(path) as kept:
        column, row = round((kept.bounds.left - left) / step), round((top - kept.bounds.top) / step)
        there = heights[row : row + kept.height, column : column + kept.width]
        assert np.abs(kept.read(1) - there).max() < 0.01
        assert kept.bounds.left < west - 0.03
        assert "DLR" in kept.tags()["attribution"]


def test_a_map_of_classes_is_no_elevation(shelf):
    told = Settings.model_validate({"atlas": {"url": halves(shelf).url}})

    with pytest.raises(ConfigError, match="no elevation"):
        fetch_elevation(told, shelf.folder / "dem.tif", name="esa-worldcover")


needs_dem = pytest.mark.skipif(not DEM.is_file(), reason=f"no real elevation at {DEM}")


@needs_dem
def test_a_real_patch_cut_in_two_reads_as_interpolated_at_exact_places(shelf):
    with rasterio.open(DEM) as source:
        heights, affine = source.read(1), source.transform
        for left, width in ((0, 180), (180, 181)):
            corner = source.window_transform(Window(left, 0, width, 361))
            stac = shelf.put(
                f"dem{left}", heights[:, left : left + width],
                (corner.c, corner.f, corner.a, -corner.e), profile="cop-dem-glo-30",
            )  # fmt: skip
    grid = GeoBox.from_bbox((404_000, 3_762_000, 411_000, 3_764_000), "EPSG:32611", resolution=10)
    x, y = np.meshgrid(*(grid.coordinates[name].values for name in ("x", "y")))
    lon, lat = Transformer.from_crs("EPSG:32611", WGS84, always_xy=True).transform(x, y)
    column, row = ~affine * (lon, lat)
    expected = map_coordinates(heights.astype(float), [row - 0.5, column - 0.5], order=1)

    atlas = find_atlas("cop-dem-glo-30", outline(grid.boundingbox, "EPSG:32611"), stac)
    read = read_atlas(atlas, grid).to_numpy()

    assert len(atlas.sheets) == 2
    assert np.ptp(read) > 100
    assert np.abs(read - expected).max() < 0.1
