"""Mines: metrics against series worked out by hand, the ring, the status, the record."""

import geopandas as gpd
import numpy as np
import pytest
import rioxarray  # noqa: F401 (gives arrays their .rio)
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy import nan
from shapely.geometry import box

from jinhua_rs import store
from jinhua_rs.dossier import mining
from jinhua_rs.errors import ContractError, IntegrityError, NoDataError
from jinhua_rs.figures.mine_card import _wrapped
from jinhua_rs.history import publications
from jinhua_rs.layers import Layer
from jinhua_rs.mines.judge import Course, MineStatus, judge, opening_of, slope_interval, start_of
from jinhua_rs.mines.metrics import first_sustained, recovery
from jinhua_rs.mines.record import Rules, record_of
from jinhua_rs.mines.ring import reference_ring
from jinhua_rs.mines.tables import mine_table, mines_of, roll_up, survey, yearly_table
from jinhua_rs.period import Period
from jinhua_rs.schema import Land
from jinhua_rs.terrain import terrain_of

# --- metrics -----------------------------------------------------------------------------------

KNOWN = {
    # series from the start on, target, before: delta_ir, yryr, rri, r80p, y2r
    "steady": ([0.0, 0.1, 0.2, 0.3, 0.4, 0.5], 0.5, 0.5, (0.5, 0.1, 1.0, 1.25, 4)),
    "fourth year better": ([0.1, 0.1, 0.2, 0.3, 0.5, 0.3], 0.5, 0.6, (0.2, 0.04, 0.8, 1.25, 4)),
    "never there": ([0.1, 0.1, 0.1, 0.1, 0.1, 0.1], 0.5, 0.5, (0.0, 0.0, 0.0, 0.25, nan)),
    "there at once": ([0.4, 0.4, 0.4, 0.4, 0.4, 0.4], 0.5, 0.6, (0.0, 0.0, 0.0, 1.0, 0)),
    "fifth year unseen": ([0.1, 0.2, 0.3, 0.4, 0.5, nan], 0.5, 0.5, (nan, nan, 1.0, 1.25, 3)),
    "both late years unseen": ([0.1, 0.2, 0.3, 0.4, nan, nan], 0.5, 0.5, (nan, nan, nan, nan, 3)),
    "a gap at the goal": ([0.1, 0.2, nan, nan, 0.5, 0.5], 0.5, 0.5, (0.4, 0.08, 1.0, 1.25, 4)),
    "start unseen": ([nan, 0.2, 0.3, 0.4, 0.5, 0.5], 0.5, 0.5, (nan, nan, nan, 1.25, 3)),
    "four years only": ([0.1, 0.2, 0.3, 0.4], 0.5, 0.5, (nan, nan, nan, nan, 3)),
    "nothing lost": ([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], 0.5, 0.5, (0.0, 0.0, nan, 1.25, 0)),
    "no target": ([0.1, 0.2, 0.3, 0.4, 0.5, 0.5], nan, nan, (0.4, 0.08, nan, nan, nan)),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_metrics_of_series_that_were_worked_out_by_hand(name):
    series, target, before, expected = KNOWN[name]

    found = recovery(series, target=target, before=before)

    got = (found.delta_ir, found.yryr, found.rri, found.r80p, found.y2r)
    assert [float(x) for x in got] == pytest.approx(list(expected), nan_ok=True)


def test_metrics_of_many_series_are_those_of_each():
    rng = np.random.default_rng(3)
    many = np.where(rng.random((50, 7)) < 0.2, nan, rng.random((50, 7)))

    together = recovery(many, target=np.full(50, 0.7), before=np.full(50, 0.8))

    for at, series in enumerate(many):
        alone = recovery(series, target=0.7, before=0.8)
        for name in ("delta_ir", "yryr", "rri", "r80p", "y2r"):
            one, other = getattr(together, name)[at], getattr(alone, name)
            assert one == pytest.approx(float(other), nan_ok=True)


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=9), st.floats(0.1, 1), st.floats(0.01, 2))
def test_metrics_follow_the_unit_of_the_index(series, target, factor):
    plain = recovery(series, target=target, before=target)
    scaled = recovery(np.multiply(series, factor), target=target * factor, before=target * factor)

    assert float(scaled.delta_ir) == pytest.approx(float(plain.delta_ir) * factor, abs=1e-9)
    assert float(scaled.r80p) == pytest.approx(float(plain.r80p), abs=1e-9)


def test_a_recovery_without_a_year_is_refused():
    with pytest.raises(ContractError, match="one year at least"):
        recovery(np.empty((3, 0)), target=0.5, before=0.5)


def test_sustained_needs_two_of_three_years():
    assert first_sustained([0.1, 0.9, 0.1, 0.9], 0.8) == 1
    assert first_sustained([0.1, 0.9, 0.1, 0.1, 0.9], 0.8) is None
    assert first_sustained([nan, 0.9, nan, 0.9], 0.8) == 1
    assert first_sustained([0.9], 0.8) is None


# --- the status --------------------------------------------------------------------------------

YEARS = tuple(range(2016, 2025))


def course(value, bare, *, canopy=None, trees=None, new_bare=None):
    none = [nan] * len(YEARS)
    return Course(
        YEARS,
        np.array(value, float),
        np.array(none if canopy is None else canopy, float),
        np.array(none if trees is None else trees, float),
        np.array(bare, float),
        np.array([0.0] * len(YEARS) if new_bare is None else new_bare, float),
    )


OPEN = course([0.0] * 9, [0.95] * 9)
OPENED_2020 = course(
    [0.6] * 4 + [0.0] * 5, [0.0] * 4 + [0.9] * 5, new_bare=[0.0] * 4 + [9000.0] + [0.0] * 4
)
GREENED = course(
    [0, 0, 0, 0.2, 0.3, 0.4, 0.5, 0.52, 0.53], [0.9] * 3 + [0.4, 0.1] + [0.0] * 4,
    canopy=[0, 0, 0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45],
)  # fmt: skip
GRASSED = course(
    [0, 0, 0, 0.45, 0.46, 0.45, 0.46, 0.45, 0.46], [0.9] * 3 + [0.0] * 6,
    canopy=[0, 0, 0, 0.10, 0.10, 0.11, 0.10, 0.11, 0.10],
)  # fmt: skip
RISING = course(
    [0, 0, 0, 0, 0.2, 0.25, 0.3, 0.33, 0.36], [0.9] * 4 + [0.2] + [0.0] * 4,
    canopy=[0, 0, 0, 0, 0.05, 0.08, 0.12, 0.15, 0.19],
)  # fmt: skip
LOST_AGAIN = course(
    [0, 0, 0.2, 0.3, 0.4, 0.42, 0.0, 0.0, 0.0], [0.9] * 2 + [0.2] + [0.0] * 3 + [0.9] * 3,
    new_bare=[0.0] * 6 + [5000.0, 0.0, 0.0],
)  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "opened", "start", "status"),
    [
        (OPEN, None, None, MineStatus.ACTIVE),
        (OPENED_2020, 2020, None, MineStatus.ACTIVE),
        (GREENED, None, 2018, MineStatus.RESTORED),
        (GRASSED, None, 2018, MineStatus.STALLED),
        (RISING, None, 2019, MineStatus.RECOVERING),
        (LOST_AGAIN, None, 2017, MineStatus.RELAPSED),
    ],
)
def test_status_of_lives_that_mines_lead(seen, opened, start, status):
    found_opening = opening_of(seen)
    found_start = start_of(seen, found_opening)

    verdict = judge(seen, 0.55, opened=found_opening, start=found_start)

    assert (found_opening, found_start) == (opened, start)
    assert verdict.status is status
    assert verdict.why
    assert verdict.why_zh


def test_grass_reaches_the_goal_but_without_canopy_it_is_no_forest():
    verdict = judge(GRASSED, 0.5, opened=None, start=2018)

    assert (GRASSED.value[3:] >= 0.8 * 0.5).all()
    assert verdict.status is MineStatus.STALLED


@pytest.mark.parametrize(
    ("trees", "status"), [(0.4, MineStatus.STALLED), (0.6, MineStatus.RESTORED)]
)
def test_canopy_that_is_not_mapped_as_trees_is_no_forest(trees, status):
    mistaken = course(
        GRASSED.value, GRASSED.bare, canopy=[0.0] * 3 + [0.24, 0.25] * 3, trees=[trees] * 9
    )

    assert judge(mistaken, 0.5, opened=None, start=2018).status is status


def test_what_was_planted_less_than_three_years_ago_is_not_restored_yet():
    early = course(
        [0, 0, 0, 0, 0, 0, 0, 0.45, 0.46], [0.9] * 6 + [0.2, 0, 0], canopy=[0] * 6 + [0.1, 0.4, 0.4]
    )

    assert judge(early, 0.5, opened=None, start=2022).status is MineStatus.RECOVERING
    assert judge(early, 0.5, opened=None, start=2021).status is MineStatus.RESTORED


def test_the_leap_to_the_first_green_is_no_trend_but_what_comes_after_it_is():
    leapt = course([0, 0, 0, 0, 0.38, 0.39, 0.38, 0.38, 0.39], [0.9] * 4 + [0.0] * 5)
    grown = course([0, 0, 0, 0, 0.36, 0.37, 0.39, 0.40, 0.42], [0.9] * 4 + [0.0] * 5)
    young = course([0, 0, 0, 0, 0, 0, 0.36, 0.37, 0.38], [0.9] * 6 + [0.0] * 3)
    slowly = course([0, 0, 0, 0, 0.1, 0.3, 0.41, 0.40, 0.41], [0.9] * 5 + [0.5] + [0.0] * 3)
    lately = course([0, 0, 0, 0, 0.1, 0.1, 0.2, 0.40, 0.41], [0.9] * 6 + [0.5] + [0.0] * 2)

    assert judge(leapt, 0.6, opened=None, start=2019).status is MineStatus.STALLED
    assert judge(grown, 0.6, opened=None, start=2019).status is MineStatus.RECOVERING
    assert judge(young, 0.6, opened=None, start=2021).why == "fewer than four years seen"
    assert judge(slowly, 0.6, opened=None, start=2019).status is MineStatus.STALLED
    assert judge(lately, 0.6, opened=None, start=2019).why == "green for fewer than three years"


def test_where_canopy_is_not_known_the_index_alone_decides():
    without = course(GRASSED.value, GRASSED.bare)

    assert judge(without, 0.5, opened=None, start=2018).status is MineStatus.RESTORED


def test_new_bare_ground_in_the_last_year_is_a_mine_at_work():
    at_work = course(RISING.value, RISING.bare, canopy=RISING.canopy, new_bare=[0.0] * 8 + [400.0])
    spared = course(RISING.value, RISING.bare, canopy=RISING.canopy, new_bare=[0.0] * 8 + [399.0])

    assert judge(at_work, 0.55, opened=None, start=2019).status is MineStatus.ACTIVE
    assert judge(spared, 0.55, opened=None, start=2019).status is MineStatus.RECOVERING


def test_restored_and_fallen_below_seventy_percent_is_relapsed():
    fell = course([0.5] * 8 + [0.34], [0.0] * 9)
    sagged = course([0.5] * 8 + [0.36], [0.0] * 9)

    assert judge(fell, 0.5, opened=None, start=None).status is MineStatus.RELAPSED
    assert judge(sagged, 0.5, opened=None, start=None).status is MineStatus.RESTORED


def test_without_a_clear_year_or_a_target_nothing_is_decided():
    unseen = course([nan] * 9, [nan] * 9)

    assert judge(unseen, 0.5, opened=None, start=None).status is MineStatus.UNKNOWN
    assert judge(RISING, nan, opened=None, start=2019).status is MineStatus.UNKNOWN


def test_a_slope_needs_three_years():
    assert np.isnan(slope_interval([2020, 2021], np.array([0.1, 0.2]))).all()
    slope, low, high = slope_interval([2019, 2020, 2021, 2022], np.array([0.1, 0.21, 0.29, 0.4]))
    assert slope == pytest.approx(0.098)
    assert low < slope < high


# --- ring and record ---------------------------------------------------------------------------

SIDE = 60
MINE = box(440_250, 3_219_650, 440_350, 3_219_750)
RULES = Rules(reach_m=(50.0, 250.0), draws=100)


def world(values, *, forest=0.6, years=YEARS, seed=1):
    """Return years of a square of forest with a mine in its middle that has ``values``."""
    rng = np.random.default_rng(seed)
    x, y = 440_005.0 + 10 * np.arange(SIDE), 3_219_995.0 - 10 * np.arange(SIDE)
    here = (np.abs(x - 440_300) < 50)[None, :] & (np.abs(y - 3_219_700) < 50)[:, None]
    nbr = np.full((len(years), SIDE, SIDE), forest, "float32")
    nbr[:, here] = np.asarray(values, "float32")[:, None]
    nbr += rng.normal(0, 0.01, nbr.shape).astype("float32")
    ndvi = nbr + np.float32(0.2)
    land = np.where(nbr < 0.15, int(Land.BARE), int(Land.CONIFER)).astype("uint8")
    layers = {"nbr": nbr, "ndvi": ndvi, "canopy": np.clip(nbr, 0, 1), "landcover": land}
    return xr.Dataset(
        {name: (("year", "y", "x"), values) for name, values in layers.items()},
        coords={"year": list(years), "y": y, "x": x},
    )


def made(stack, **changes):
    given = {"barred": None, "terrain": None, "known": {"opened": None, "start": None}}
    return record_of(stack, MINE, **(given | changes), rules=RULES)


def test_a_hazy_year_lays_no_ground_bare_and_hides_no_mine():
    green, hazy = world([0.5] * 9), 4
    at_work = world([0.5] * 4 + [0.0] * 5)
    for stack in (green, at_work):
        stack["ndvi"][hazy] *= 0.4  # 0.7 reads 0.28, below what counts as bare

    assert made(green).yearly["bare_share"].max() == 0
    assert made(at_work).yearly["bare_share"][hazy] == 1
    assert made(at_work).opened == YEARS[hazy]


def test_a_mine_that_is_masked_while_its_ring_is_clear_is_bright_bare_ground():
    dark, bright = ([0.6] * 3 + [nan] * 2 + [0.2, 0.3, 0.4, 0.45] for _ in range(2))
    looks = xr.DataArray(np.full((9, SIDE, SIDE), 4, "uint16"), dims=("year", "y", "x"))

    unknown, told = made(world(dark)), made(world(bright).assign(n_clear=looks))
    few = made(world(bright).assign(n_clear=looks // 4))
    soon = made(world(bright).assign(n_clear=looks // 2))

    assert np.isnan(unknown.yearly["bare_share"][3:5]).all()
    assert told.yearly["bare_share"][3:5].tolist() == [1, 1]
    assert np.isnan(told.yearly["nbr"][3:5]).all()
    assert np.isnan(few.yearly["bare_share"][3:5]).all()
    assert np.isnan(soon.yearly["bare_share"][3])  # two looks; with those of the next year four
    assert soon.yearly["bare_share"][4] == 1


def test_a_restored_mine_that_lies_bare_is_relapsed_whatever_year_the_layer_reports():
    seen = course([0.0, 0.3, 0.4] + [0.45] * 4 + [nan] * 2, [0.9] + [0.1] * 6 + [1.0] * 2)

    verdict = judge(seen, 0.7, opened=None, start=2018)

    assert verdict.status is MineStatus.RELAPSED
    assert verdict.why == "bare share up by 90% again"


def test_the_ring_is_stable_forest_at_its_distance_and_on_like_ground():
    stack = world([0.0] * 9)
    stack["nbr"][4, :, :10] = 0.1  # cleared once, in the west
    stack["landcover"][:, :10, :] = int(Land.CROPLAND)  # fields in the north
    inside = np.zeros((SIDE, SIDE), bool)
    inside[25:35, 25:35] = True
    height = np.tile(np.where(np.arange(SIDE) < 45, 0.0, 5.0 * (np.arange(SIDE) - 45)), (SIDE, 1))
    terrain = terrain_of(height.astype("float32"), 10.0)
    barred = np.zeros_like(inside)
    barred[50:, :] = True

    ring = reference_ring(stack, inside, barred, kind=terrain.kind, reach_m=(50.0, 250.0))

    assert ring.sum() > 50
    assert not ring[:, :10].any(), "was cleared"
    assert not ring[:10].any(), "is no forest"
    assert not ring[50:].any(), "was barred"
    assert not ring[:, 47:].any(), "is steep, and the mine is flat"
    assert not ring[22:38, 22:38].any(), "too near"


def test_terrain_tells_slope_and_where_it_looks_to():
    east = terrain_of(np.tile(-10.0 * np.arange(9, dtype="float32"), (9, 1)), 10.0)
    north = terrain_of(np.tile(10.0 * np.arange(9, dtype="float32")[:, None], (1, 9)), 10.0)

    assert east.slope[4, 4] == pytest.approx(45.0)
    assert (east.kind[4, 4] - 1) % 4 == 1  # quadrants from north: 0 N, 1 E, 2 S, 3 W
    assert (north.kind[4, 4] - 1) % 4 == 0


def test_the_record_of_a_mine_that_greened():
    record = made(world([0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55]))

    assert record.verdict.status is MineStatus.RESTORED
    assert (record.opened, record.start) == (None, 2018)
    assert record.target_source == "reference ring"
    assert record.target.value == pytest.approx(0.6, abs=0.01)
    assert record.metrics["delta_ir"].value == pytest.approx(0.5, abs=0.02)
    assert record.metrics["y2r"].value == 5
    assert record.yearly["bare_share"][0] == pytest.approx(1.0)
    for name, span in record.metrics.items():
        assert span.low <= span.value <= span.high, name


def test_the_target_is_what_was_there_before_where_that_was_seen():
    record = made(world([0.5, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]))

    assert record.opened == 2019
    assert record.target_source == "pre-disturbance"
    assert record.target.value == pytest.approx(0.5, abs=0.02)
    assert record.verdict.status is MineStatus.ACTIVE


def test_a_bad_year_of_the_whole_scene_is_taken_off_by_the_ring():
    hazy = world([0.3] * 9)
    hazy["nbr"][5] -= 0.1

    record = made(hazy)

    assert record.verdict.status is MineStatus.STALLED
    assert record.yearly["nbr"][5] == pytest.approx(0.2, abs=0.01)  # told as it was seen
    assert record.target.value == pytest.approx(0.6 - 0.1 / 9, abs=0.01)


def test_years_that_were_not_seen_are_gaps_and_not_bare():
    stack = world([0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55])
    for name in ("nbr", "ndvi", "canopy"):
        stack[name][6] = np.nan
    stack["landcover"][6] = 0

    record = made(stack)

    assert np.isnan(record.yearly["nbr"][6])
    assert np.isnan(record.yearly["bare_share"][6])
    assert record.yearly["seen_share"][6] == 0
    assert record.verdict.status is MineStatus.RESTORED


def test_without_enough_ground_to_compare_with_there_is_no_verdict():
    stack = world([0.3] * 9)
    stack["landcover"][:] = int(Land.CROPLAND)

    record = made(stack)

    assert record.ring_px == 0
    assert record.target_source == ""
    assert record.verdict.status is MineStatus.UNKNOWN


def test_the_same_seed_gives_the_same_record():
    stack = world([0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55])

    assert made(stack).metrics == made(stack).metrics


def test_a_mine_smaller_than_a_pixel_is_the_pixel_below_it():
    speck = MINE.centroid.buffer(1)

    record = record_of(
        world([0.0] * 9), speck, barred=None, terrain=None,
        known={"opened": None, "start": None}, rules=RULES,
    )  # fmt: skip

    assert record.verdict.status is MineStatus.ACTIVE


@pytest.mark.parametrize(
    ("values", "known", "told"),
    [
        ([0.0] * 9, None, {"ΔIR": "未见恢复起点，不能算", "Y2R": "未见恢复起点，不能算"}),
        (
            [0.0] * 6 + [0.1, 0.2, 0.3],
            2021,
            {"ΔIR": "恢复满 5 年后可算", "R80P": "恢复满 4 年后可算"},
        ),
        ([0.0] * 3 + [0.1, 0.2] + [0.3] * 4, 2018, {"ΔIR": "0.30（", "Y2R": "尚未达标"}),
    ],
)
def test_a_card_says_why_a_number_is_not_known(values, known, told):
    record = made(world(values), known={"opened": None, "start": known})

    lines = [line.zh for line in mining._lines(record)]

    for name, what in told.items():
        (line,) = (one for one in lines if one.startswith(name))
        assert what in line
    assert not any("—" in line for line in lines)


def test_a_line_of_a_card_breaks_in_no_number():
    parts = list(_wrapped("NBR 无显著上升：年变化 +0.040（-0.008 ~ +0.089）"))

    assert len(parts) == 2
    assert all(number in "|".join(parts) for number in ("+0.040", "-0.008", "+0.089"))


# --- a layer of mines --------------------------------------------------------------------------


def layer(**fields):
    count = len(next(iter(fields.values())))
    shapes = [box(440_250 + 200 * n, 3_219_650, 440_350 + 200 * n, 3_219_750) for n in range(count)]
    return Layer("mines", gpd.GeoDataFrame(fields, geometry=shapes, crs="EPSG:4549"), "0" * 64)


def test_mines_are_read_in_the_names_that_bureaus_use_and_told_apart():
    found = mines_of(
        layer(KSBH=["k1", "k1", ""], 矿山名称=["甲", "乙", "丙"], 治理年份=["2018", "x", ""])
    )

    assert found.frame["mine"].tolist() == ["#3", "k1", "k1#2"]
    assert found.frame["name"].tolist() == ["丙", "甲", "乙"]
    assert found.frame["start"].fillna(0).tolist() == [0, 2018, 0]
    assert any("'k1' stands more than once" in en for en, _ in found.remarks)
    assert any("no year, such as 'x'" in en for en, _ in found.remarks)


def publish(root, stack):
    """Write a stack as publications, a folder a year, as the recipe leaves them."""
    for year in stack["year"].to_numpy():
        folder = root / f"{year}" / "published"
        folder.mkdir(parents=True)
        for name, values in stack.sel(year=year).data_vars.items():
            raster = values.drop_vars("year").rio.write_crs("EPSG:4549")
            raster.rio.to_raster(folder / f"{name}.tif")
        (folder / "run.json").write_text('{"label": "SIMULATED"}', encoding="utf-8")
        store.write_sums(folder, [path for path in folder.rglob("*") if path.is_file()])


def test_records_come_from_what_was_published_and_add_up_by_county(tmp_path):
    publish(tmp_path, world([0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55]))
    mines = mines_of(layer(site=["m1"], status=["治理中"]))
    published = publications(tmp_path, Period(2024))

    records = survey(mines, published, elevation=None, rules=RULES)
    table = mine_table(mines, records, lambda _: "330782")

    assert [one.period.year for one in published] == list(YEARS)
    assert {one.label for one in published} == {"SIMULATED"}
    row = table.iloc[0]
    assert (row["status"], row["start"], row["county"]) == ("已恢复（持续）", 2018, "330782")
    assert row["area_mu"] == 15.0
    assert row["delta_ir_low"] <= row["delta_ir"] <= row["delta_ir_high"]
    assert roll_up(table).loc["330782", ["total", "total_mu"]].tolist() == [1, 15.0]
    assert yearly_table(records).query("measure == 'nbr'")["year"].tolist() == list(YEARS)


def test_only_the_season_and_what_is_whole_counts_as_published(tmp_path):
    publish(tmp_path, world([0.3] * 2, years=(2022, 2023)))
    (tmp_path / "2021" / "published").mkdir(parents=True)  # never finished
    (tmp_path / "2020Q4" / "published").mkdir(parents=True)
    (tmp_path / "2022.330782" / "published").mkdir(parents=True)

    found = publications(tmp_path, Period(2022))

    assert [str(one.period) for one in found] == ["2022"]


def test_a_map_that_was_changed_after_publishing_is_refused(tmp_path):
    publish(tmp_path, world([0.3], years=(2022,)))
    path = tmp_path / "2022" / "published" / "nbr.tif"
    path.write_bytes(path.read_bytes()[:-1] + b"!")

    with pytest.raises(IntegrityError, match="is not what was published"):
        survey(
            mines_of(layer(site=["m1"])),
            publications(tmp_path, Period(2022)),
            elevation=None,
            rules=RULES,
        )


def test_publications_without_the_maps_say_what_is_missing(tmp_path):
    publish(tmp_path, world([0.3], years=(2022,))[["ndvi"]])

    with pytest.raises(NoDataError, match="ndvi, nbr and landcover"):
        survey(
            mines_of(layer(site=["m1"])),
            publications(tmp_path, Period(2022)),
            elevation=None,
            rules=RULES,
        )
