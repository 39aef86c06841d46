"""The page on mines and planting says what was counted, how sure it is, and what was not judged."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from odc.geo.xr import xr_coords
from shapely.geometry import box

from benchmarks import casework_truth
from benchmarks.casework_page import Asked, page
from benchmarks.casework_truth import RIGHT, mine_truth, recovery_from
from jinhua_rs.afforestation import Stage
from jinhua_rs.mines import MineStatus
from jinhua_rs.schema import Land
from jinhua_rs.twin.effects import Event, EventKind
from jinhua_rs.twin.survey import inside, window
from jinhua_rs.twin.world import Kind

MINE = box(500_000, 3_220_000, 500_200, 3_220_200)
ACTIVE, RESTORED, RECOVERING = (
    status.value for status in (MineStatus.ACTIVE, MineStatus.RESTORED, MineStatus.RECOVERING)
)


def test_every_right_stage_exists_and_what_cannot_be_told_is_right_for_the_small_alone():
    assert all(stage in Stage for stages in RIGHT.values() for stage in stages)
    assert [kind for kind, stages in RIGHT.items() if Stage.TOO_SMALL in stages] == ["small"]


def test_the_page_counts_and_gives_intervals():
    mines = pd.DataFrame(
        {
            "true": [ACTIVE, RESTORED, RESTORED],
            "status": [ACTIVE, RESTORED, RECOVERING],
            "status_alone": [ACTIVE, RESTORED, RECOVERING],
            "true_start": pd.array([None, 2018, 2019], "Int64"),
            "found_start": pd.array([None, 2019, None], "Int64"),
            "district": ["south", "south", "west"],
        }
    )
    parcels = pd.DataFrame(
        {
            "kind": ["forest", "small"],
            "stage": [Stage.FOREST.value, Stage.TOO_SMALL.value],
            "judged": [True, False],
            "right": [True, True],
            "twice_of": [None, None],
            "duplicate_of": [None, None],
            "district": ["south", "west"],
        }
    )

    lines = page(parcels, mines, Asked(("south", "west"), 9, 4)).splitlines()

    def row(of):
        (found,) = (line for line in lines if line.startswith(f"| {of}"))
        return found

    assert "67% (2 of 3; 21%–94%) | **not met**" in row("mine status right, five states")
    assert "100% (3 of 3; 44%–100%) | met" in row("the same, restored and recovering as one")
    assert "50% (1 of 2;" in row("year in which recovery began")
    assert "100% (1 of 1;" in row("stage of parcels right, of those that are judged")
    assert "100% (1 of 1;" in row("cannot be judged, of young and small ones")
    assert "0% (0 of 1;" in row("cannot be judged, of all others")
    assert "100% (2 of 2;" in row("south")
    assert row("south").endswith("| yes |")
    assert "0% (0 of 1;" in row("west")
    assert row("west").endswith("| no, held out |")


@pytest.mark.parametrize(
    ("closed", "year"), [("2018-11-28", 2018), ("2020-02-20", 2019), ("2016-05-01", None)]
)
def test_recovery_begins_after_the_last_november_at_work(closed, year):
    day = pd.Timestamp(closed).date()

    assert recovery_from(life({EventKind.MINE_CLOSE: day}), "mine-01", 2016) == year


def life(dates):
    """Events of a mine that was opened in 2010."""
    opened = {EventKind.MINE_OPEN: pd.Timestamp("2010-01-01").date()}
    return [
        Event(
            id=str(kind), kind=kind, polygon=MINE, start=start, end=None, county="",
            target=Kind.MINE, canopy=0.0, growth_years=1.0, site="mine-01",
        )
        for kind, start in (opened | dates).items()
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("nbr", "canopy", "status"),
    [
        ([0.40, 0.49, 0.50], [0.1, 0.3, 0.4], RESTORED),  # 80 % of 0.6 is 0.48
        ([0.40, 0.47, 0.50], [0.1, 0.3, 0.4], RECOVERING),
        ([0.49, 0.49, 0.50], [0.1, 0.19, 0.4], RECOVERING),  # green, but hardly a tree
    ],
)
def test_a_planted_mine_is_restored_by_true_index_and_true_canopy(monkeypatch, nbr, canopy, status):
    def unclouded(_world, _events, ground):
        pixels = window(ground, 20.0)
        here = inside(pixels, MINE)
        shape = (len(nbr), *pixels.shape)
        index, trees = np.full(shape, 0.6, "float32"), np.full(shape, 0.7, "float32")
        index[:, here] = np.array(nbr, "float32")[:, None]
        trees[:, here] = np.array(canopy, "float32")[:, None]
        layers = {
            "nbr": index,
            "canopy": trees,
            "landcover": np.full(shape, int(Land.CONIFER), "uint8"),
        }
        found = xr.Dataset(
            {name: (("year", "y", "x"), values) for name, values in layers.items()},
            coords=xr_coords(pixels),
        )
        return found.assign(elevation=(("y", "x"), np.zeros(pixels.shape, "float32")))

    monkeypatch.setattr(casework_truth, "_unclouded", unclouded)
    planted = {
        EventKind.MINE_CLOSE: pd.Timestamp("2018-01-01").date(),
        EventKind.MINE_RECOVER: pd.Timestamp("2019-01-01").date(),
    }

    assert mine_truth(None, life(planted), "mine-01") == status
