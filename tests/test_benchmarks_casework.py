"""The page on mines and planting says what was counted, how sure it is, and what was not judged."""

import pandas as pd
import pytest
from shapely.geometry import box

from benchmarks import casework
from benchmarks.casework_truth import RIGHT, recovery_from
from jinhua_rs.afforestation import Stage
from jinhua_rs.mines import MineStatus
from jinhua_rs.twin.effects import Event, EventKind
from jinhua_rs.twin.world import Kind

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
        }
    )

    lines = casework.page(parcels, mines, ["south"]).splitlines()

    def row(of):
        (found,) = (line for line in lines if line.startswith(f"| {of}"))
        return found

    assert "67% (2 of 3; 21%–94%) | **not met**" in row("mine status right, five states")
    assert "100% (3 of 3; 44%–100%) | met" in row("the same, restored and recovering as one")
    assert "50% (1 of 2;" in row("year in which recovery began")
    assert "100% (1 of 1;" in row("stage of parcels right, of those that are judged")
    assert "100% (1 of 1;" in row("cannot be judged, of young and small ones")
    assert "0% (0 of 1;" in row("cannot be judged, of all others")


@pytest.mark.parametrize(
    ("closed", "year"), [("2018-11-28", 2018), ("2020-02-20", 2019), ("2016-05-01", None)]
)
def test_recovery_begins_after_the_last_november_at_work(closed, year):
    day = pd.Timestamp(closed).date()
    life = [
        Event(
            id=str(kind), kind=kind, polygon=box(0, 0, 9, 9), start=start, end=None, county="",
            target=Kind.MINE, canopy=0.0, growth_years=1.0, site="mine-01",
        )
        for kind, start in (
            (EventKind.MINE_OPEN, pd.Timestamp("2010-01-01").date()),
            (EventKind.MINE_CLOSE, day),
        )
    ]  # fmt: skip

    assert recovery_from(life, "mine-01", 2016) == year
