import sqlite3
from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from jinhua_rs.errors import ConfigError
from jinhua_rs.grid import Grid
from jinhua_rs.period import Period
from jinhua_rs.regions import load_units, outline
from jinhua_rs.settings import Area
from jinhua_rs.twin import cadastre, layers, truth
from jinhua_rs.twin.events import EventKind, draw
from jinhua_rs.twin.survey import Memory, middle, pieces, states
from jinhua_rs.twin.world import Kind, World, supersample

PERIODS = [Period.parse("2019Q4"), Period.parse("2024Q4")]
COUNTY = "330703"
COARSE = 200
WHEN = date(2024, 12, 31)


@pytest.fixture(scope="module")
def units():
    return load_units(Area())


@pytest.fixture(scope="module")
def world(units):
    return Known(World.build(7, units))


class Known(Memory):
    """A world that remembers what the tests read again and again."""

    def __init__(self, world):
        super().__init__(world)
        self.terrain, self.seed = world.terrain, world.seed


@pytest.fixture(scope="module")
def events(world, units):
    return draw(world, 7, units=units.loc[[COUNTY, "330782"]])


@pytest.fixture(scope="module")
def written(tmp_path_factory, world, events, units):
    folder = tmp_path_factory.mktemp("layers")
    told = layers.write(
        folder,
        world,
        events,
        when=WHEN,
        rng=np.random.default_rng(5),
        units=units.loc[[COUNTY, "330782"]],
    )
    return folder, told


@pytest.fixture(scope="module")
def table(world, events, units):
    return truth.truth_table(world, events, units.loc[[COUNTY]], PERIODS, resolution=COARSE)


@pytest.fixture(scope="module")
def reference(world, events):
    return layers.reference_sample(
        world, events, PERIODS, resolution=COARSE, per_county={COUNTY: 3000},
        rng=np.random.default_rng(2),
    )  # fmt: skip


def test_every_layer_is_readable_and_says_that_it_is_simulated(written):
    folder, _ = written
    names = {"parcels", "mines", "farmland", "red_line", "reserves", "gardens", "rivers"}

    assert {path.stem for path in folder.iterdir()} == names
    for name in names:
        layer = gpd.read_file(folder / f"{name}.gpkg")
        assert len(layer) > 0, name
        assert layer.crs == "EPSG:4549"
        assert layer["simulated"].all()
        assert layer.is_valid.all()
        with sqlite3.connect(folder / f"{name}.gpkg") as file:
            (mark,) = file.execute("select group_concat(metadata) from gpkg_metadata").fetchone()
        file.close()
        assert "SIMULATED" in mark


def test_no_truth_column_is_written(written):
    folder, told = written

    layer = gpd.read_file(folder / "parcels.gpkg")

    assert set(layers.TRUTH_COLUMNS) <= set(told.columns)
    assert not set(layers.TRUTH_COLUMNS) & set(layer.columns)
    assert set(layer["setting"]) <= set(layers.SETTINGS)
    assert set(layer["type"]) == {"新造", "更新", "补植"}
    assert layer["year"].max() <= WHEN.year


def test_some_parcels_are_double_some_invented_some_on_farmland(written):
    _, told = written
    double = told[told["duplicate_of"] != ""]
    invented = told[told["event"] == ""]
    by_id = told.set_index("parcel")

    assert 0 < len(double) < 0.15 * len(told)
    assert 0 < len(invented) < 0.15 * len(told)
    assert (told["on_farmland_mu"] > 0).any()
    for row in double.itertuples():
        first = by_id.loc[row.duplicate_of]
        assert first["year"] < row.year
        assert row.geometry.intersection(first.geometry).area > 0.5 * row.geometry.area


def test_invented_parcels_lie_where_nothing_happened(written, events):
    _, told = written
    everything = shapely.union_all([one.polygon for one in events])

    invented = told[told["event"] == ""]

    # outlines are off by a few metres, so edges may touch an event but no more
    assert (invented.intersection(everything).area < 0.1 * invented.area).all()


def test_equal_layers_are_equal_bytes(tmp_path, events):
    layer = layers.mines(events, WHEN)

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        layers.write_layer(layer, tmp_path / name / "mines.gpkg", "矿山")

    first, second = ((tmp_path / name / "mines.gpkg").read_bytes() for name in ("a", "b"))
    assert first == second


def test_mines_have_a_status_that_fits_their_life(events):
    now, early = layers.mines(events, WHEN), layers.mines(events, date(2014, 12, 31))

    assert {"在采", "关闭", "已治理"} <= set(now["status"])
    assert set(early["status"]) == {"在采"}
    assert (now["restored_from"].dropna() >= now["closed"][now["restored_from"].notna()]).all()
    assert now["name"].str.fullmatch(r"矿山\d\d").all()


def test_river_corridors_follow_the_water(written, world):
    folder, _ = written
    lines = gpd.read_file(folder / "rivers.gpkg").set_index("name").geometry

    assert set(lines.index) >= {"东阳江", "南江"}
    main = lines["东阳江"]
    box = Grid("EPSG:4549", 40).covering(main.bounds)
    wet = np.isin(world.base(box)["kind"].to_numpy(), (Kind.RIVER, Kind.RESERVOIR))
    rows, cols = np.nonzero(wet)
    left, top = box.affine.c, box.affine.f
    water = shapely.points(left + 40 * (cols + 0.5), top - 40 * (rows + 0.5))
    tree = shapely.STRtree(water)
    along = shapely.line_interpolate_point(main, np.linspace(0.1, 0.9, 40), normalized=True)
    _, away = tree.query_nearest(along, return_distance=True, all_matches=False)
    assert np.median(away) < 250


def test_truth_adds_up(table, units):
    facts = table.pivot_table(index="period", columns="indicator", values="value")
    whole_ha = units.geometry[COUNTY].area / 1e4

    total = facts.filter(regex="^area_").sum(axis=1)

    assert total.to_numpy() == pytest.approx([whole_ha] * 2, rel=0.01)
    before, after = facts["tree_cover_area"].to_numpy()
    later = facts.iloc[1]
    assert after - before == pytest.approx(later["gain_area"] - later["loss_area"])
    assert later["gain_area"] > 0
    assert later["loss_area"] > 0
    assert facts["tree_cover_share"].between(30, 60).all()


def test_city_truth_is_the_sum_of_its_counties(world, events, units):
    both = units.loc[[COUNTY, "330782"]]
    joint = gpd.GeoDataFrame(
        {"level": ["city"]}, index=["330700"], geometry=[outline(both)], crs=units.crs
    )
    together = pd.concat([joint, both])

    found = truth.truth_table(world, events, together, PERIODS[:1], resolution=400)

    trees = found[found["indicator"] == "tree_cover_area"].set_index("unit")["value"]
    assert trees["330700"] == pytest.approx(trees[[COUNTY, "330782"]].sum(), rel=0.002)


def test_the_reference_sample_is_a_panel_at_pixel_centres(reference, units):
    assert reference.groupby("point").size().eq(2).all()
    assert set(reference["period"]) == {"2019Q4", "2024Q4"}
    x, y = reference.geometry.x.to_numpy(), reference.geometry.y.to_numpy()
    assert ((x % COARSE == COARSE / 2) & (y % COARSE == COARSE / 2)).all()
    assert shapely.contains_xy(units.geometry[COUNTY], x, y).all()
    first = reference[reference["period"] == "2019Q4"]
    assert not first.geometry.duplicated().any()
    assert reference["canopy"].between(0, 1).all()
    assert set(reference["unit"]) == {COUNTY}


def test_the_reference_sample_is_unbiased(reference, table):
    for period in ("2019Q4", "2024Q4"):
        read = reference[reference["period"] == period]["canopy"] >= 0.20
        at = (table["period"] == period) & (table["indicator"] == "tree_cover_share")
        known = table[at]["value"].item() / 100
        error = np.sqrt(known * (1 - known) / len(read))
        assert abs(read.mean() - known) < 3 * error


def test_the_reference_is_read_from_the_truth(reference, world, events, units):
    piece = pieces(units.loc[[COUNTY]], COARSE)[0]
    days = [middle(period) for period in PERIODS]
    for period, day in zip(PERIODS, days, strict=True):
        (known,) = states(world, piece.geobox, events, [day])
        here = reference[reference["period"] == str(period)]
        here = here.cx[slice(*known["x"][[0, -1]].values), slice(*known["y"][[-1, 0]].values)]
        for row in here.head(20).itertuples():
            there = known.sel(x=row.geometry.x, y=row.geometry.y)
            assert row.canopy == pytest.approx(float(there["canopy"]))


def test_more_points_than_pixels_are_refused(world, events):
    with pytest.raises(ConfigError, match="pixels"):
        layers.reference_sample(
            world, events, PERIODS, resolution=5_000, per_county={COUNTY: 500},
            rng=np.random.default_rng(1),
        )  # fmt: skip


def test_an_unknown_county_is_refused(world, events):
    with pytest.raises(ConfigError, match="330799"):
        layers.reference_sample(
            world, events, PERIODS, resolution=COARSE, per_county={"330799": 5},
            rng=np.random.default_rng(1),
        )  # fmt: skip


def test_a_misreading_eye_errs_as_told(reference):
    same = layers.misread(reference, canopy_sd=0, rng=np.random.default_rng(1))
    off = layers.misread(reference, canopy_sd=0.1, rng=np.random.default_rng(1))

    assert (same["canopy"] == reference["canopy"]).all()
    middling = reference["canopy"].between(0.4, 0.6)
    assert 0.08 < (off["canopy"] - reference["canopy"])[middling].std() < 0.12
    assert off["canopy"].between(0, 1).all()


def test_training_samples_are_stratified_at_pixel_centres(world, events):
    made = [
        layers.training_samples(
            world, events, date(2019, 11, 15), resolution=60,
            n_per_class={COUNTY: 10, "330782": 10}, rng=np.random.default_rng(3),
        )
        for _ in range(2)
    ]  # fmt: skip
    sample = made[0]

    assert made[0].equals(made[1])
    counts = sample["class"].value_counts()
    assert set(counts.index) == set(range(1, 11))
    assert counts.max() == 20
    assert counts.drop([9, 10]).min() == 20
    assert (sample["source"] == "simulated").all()
    assert set(sample["confidence"]) <= {1, 2, 3}
    assert sample["canopy"][sample["class"] <= 4].mean() > 0.4
    x = sample.geometry.x.to_numpy()
    assert (x % 60 == 30).all()
    assert set(sample["county"]) == {COUNTY, "330782"}


def test_memory_gives_what_the_ground_gives(world, units):
    piece = pieces(units.loc[[COUNTY]], 60)[0].geobox
    part = supersample(piece[40:60, 100:130], 2)

    known = world._ground.base(part)
    world.base(supersample(piece, 2))
    remembered = world.base(part)

    np.testing.assert_array_equal(remembered["kind"], known["kind"])
    np.testing.assert_allclose(remembered["canopy"], known["canopy"], atol=1e-5)


def test_what_became_of_parcels_and_mines(tmp_path, written, world, events, table):
    _, told = written
    some = told.groupby("type").head(12)

    paths = truth.write(tmp_path, world, events, some, table, resolution=COARSE)

    assert [path.name for path in paths] == ["truth.csv", "events.csv", "mines.csv", "parcels.csv"]
    fate = pd.read_csv(tmp_path / "parcels.csv", dtype={"event": "str"})
    by_id = {one.id: one for one in events}
    lost = fate[fate["planted"] & ~fate["succeeds"]]
    assert lost["greened"].isna().all()
    assert len(lost)
    grown = fate[fate["succeeds"] & fate["event"].map(lambda i: _age(by_id, i) > 6)]
    assert grown["greened"].notna().mean() > 0.9
    mines = pd.read_csv(tmp_path / "mines.csv")
    assert len(mines) == len({one.site for one in events if one.site})
    listed = pd.read_csv(tmp_path / "events.csv")
    assert len(listed) == len(events)
    assert set(listed["kind"]) <= {str(kind) for kind in EventKind}
    assert set(listed["county"].astype("str")) == {COUNTY, "330782"}


def _age(by_id, identity):
    return 2027 - by_id[identity].start.year if identity in by_id else 0


def test_the_land_survey_follows_the_ground_as_it_lay_at_the_end_of_2019(world, events, units):
    one = units.loc[[COUNTY]]

    found = cadastre.land_use(world, events, one, resolution=COARSE)

    assert found["simulated"].all()
    assert found["DLBM"].isin(["0201", "0202", "0204", "0301", "0302", "0305"]).all()
    piece = max(pieces(one, COARSE), key=lambda each: each.geobox.boundingbox.polygon.area)
    (state,) = states(world, piece.geobox, events, [cadastre.SURVEYED])
    kind = state["kind"].to_numpy()
    county = one.geometry.iloc[0]
    x, y = np.meshgrid(state.x.to_numpy(), state.y.to_numpy())
    for code, kinds in (("0202", [Kind.TEA]), ("0302", [Kind.MOSO_BAMBOO])):
        own = shapely.union_all(found.loc[found["DLBM"] == code, "geometry"].to_numpy())
        true = np.isin(kind, kinds) & shapely.contains_xy(county, x, y)
        assert true.any()
        assert (shapely.contains_xy(own, x, y) == true).all()
