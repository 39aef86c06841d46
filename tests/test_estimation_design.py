"""A sample is as large as it must be, drawn by chance alone, and grows without moving."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinhua_rs.errors import ConfigError, IntegrityError, NoDataError
from jinhua_rs.estimation.design import (
    Block,
    Frame,
    FrameFacts,
    draw,
    extend,
    second_readings,
)
from jinhua_rs.estimation.sizes import Wanted, allocate, half_width, points_needed, sizes

FACTS = FrameFacts(map="forest", digest="d", period="2024Q4", crs="EPSG:4549", resolution=10.0)


def frame(strata, side=40, pieces=1, facts=FACTS):
    """Return the frame of a square of pixels whose strata (by number) are given row by row."""
    codes = np.asarray(strata, "int32").reshape(side, side)
    counts = np.bincount(codes[codes >= 0])
    names = [f"A:{number}" for number in range(len(counts))]
    table = pd.DataFrame(
        {
            "county": "A",
            "name": "A",
            "class": [str(n) for n in range(len(counts))],
            "pixels": counts,
        },
        index=pd.Index(names, name="stratum"),
    )
    columns, rows = 44_000 + np.arange(side), 322_000 - np.arange(side)
    cuts = np.array_split(np.arange(side), pieces)
    blocks = [Block(codes[cut], columns, rows[cut]) for cut in cuts]
    return Frame(table, pd.DataFrame([counts], ["A"], names), lambda: iter(blocks), facts)


def square(seed=0, side=40):
    return np.random.default_rng(seed).choice(3, side * side, p=[0.6, 0.35, 0.05])


# --- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("users", "half", "n"),
    [
        ((0.93, 0.90), 0.010, 2874),
        ((0.93, 0.90), 0.008, 4491),
        ((0.95, 0.93), 0.010, 2089),
        ((0.95, 0.93), 0.008, 3264),
        ((0.95, 0.93), 0.020, 523),
        ((0.95, 0.93), 0.030, 233),
        ((0.97, 0.95), 0.010, 1394),
        ((0.97, 0.95), 0.008, 2178),
    ],
)
def test_points_for_jinhua_at_61_percent_forest(users, half, n):
    assert points_needed([0.61, 0.39], users, half) == n


def test_points_of_olofsson_2014():
    weights, users = [0.02, 0.015, 0.32, 0.645], [0.7, 0.6, 0.9, 0.95]

    assert points_needed(weights, users, 0.01 * 1.96, allocation="neyman") == 641


def counties(**pixels):
    """Strata ``other`` and ``forest`` of some counties, 39 and 61 %."""
    rows = [
        (county, name, round(share * total))
        for county, total in pixels.items()
        for name, share in (("1", 0.39), ("2", 0.61))
    ]
    table = pd.DataFrame(rows, columns=["county", "class", "pixels"])
    return table.set_index(pd.Index(table["county"] + ":" + table["class"], name="stratum"))


def test_each_county_has_what_it_needs_and_its_share_of_the_city():
    strata = counties(A=1_000_000, B=1_000_000, C=8_000_000)

    n = sizes(strata, Wanted(city=0.01, county=0.03)).groupby(strata["county"]).sum()

    assert n.to_dict() == {"A": 233, "B": 233, "C": 1672}


def test_rare_strata_have_their_minimum_and_the_county_its_width():
    strata = counties(A=1_000_000)
    strata.loc["A:0"] = ["A", "0", 1000]

    n = sizes(strata, Wanted(city=0.5, county=0.03, minimum=50))

    users = [0.93, 0.95, 0.5]
    assert n["A:0"] == 50
    assert half_width(strata["pixels"], users, n) <= 0.03 * 1.001


def test_neyman_gives_more_to_the_stratum_that_is_in_doubt():
    found = allocate([500, 500], [0.95, 0.60], 100, allocation="neyman", minimum=2)

    assert found.tolist() == [31, 69]
    assert allocate(
        [500, 500], [0.95, 0.60], 100, allocation="proportional", minimum=2
    ).tolist() == [50, 50]


@given(
    st.lists(st.integers(1, 10_000), min_size=1, max_size=9),
    st.integers(1, 3000),
    st.integers(2, 60),
)
def test_no_stratum_has_more_points_than_pixels_nor_fewer_than_the_minimum(pixels, total, minimum):
    n = allocate(pixels, [0.9] * len(pixels), total, allocation="proportional", minimum=minimum)

    least = np.minimum(pixels, minimum)
    assert (n <= pixels).all()
    assert (n >= least).all()
    assert n.sum() <= max(total, least.sum())


def test_what_cannot_be_planned_is_refused():
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Wanted(users={"1": 1.0})
    with pytest.raises(ConfigError, match="2 points or more"):
        Wanted(minimum=1)
    with pytest.raises(ConfigError, match="no accuracy"):
        sizes(counties(A=100), Wanted(users={"1": 0.9}))
    with pytest.raises(NoDataError):
        sizes(counties().astype({"pixels": int}), Wanted())


# --- the draw ----------------------------------------------------------------------------------


def test_the_draw_gives_each_stratum_its_points_once():
    wanted = pd.Series({"A:0": 30, "A:1": 20, "A:2": 10})

    design = draw(frame(square()), wanted, 5)

    assert design.points["stratum"].value_counts().to_dict() == wanted.to_dict()
    assert not design.points.duplicated(["column", "row"]).any()
    codes = square().reshape(40, 40)
    at = codes[322_000 - design.points["row"], design.points["column"] - 44_000]
    assert (design.points["stratum"] == [f"A:{code}" for code in at]).all()
    assert design.places()[0] == pytest.approx(
        [design.points["column"][0] * 10 + 5, design.points["row"][0] * 10 + 5]
    )
    assert design.inclusion["A:2"] == 10 / (square() == 2).sum()


def test_the_draw_depends_on_the_seed_and_on_nothing_else():
    wanted = pd.Series({"A:0": 30, "A:1": 20, "A:2": 10})

    first = draw(frame(square()), wanted, 5)
    again = draw(frame(square(), pieces=7), wanted, 5)
    other = draw(frame(square()), wanted, 6)

    assert first.points.equals(again.points)
    assert first.id == again.id
    assert first.id != other.id
    assert not first.points.equals(other.points)


def test_names_and_order_tell_nothing_of_stratum_or_place():
    design = draw(frame(square(side=100), side=100), pd.Series({"A:0": 500, "A:1": 500}), 5)

    number = np.arange(len(design.points))
    for told in (design.points["stratum"] == "A:0", design.points["column"], design.points["row"]):
        assert abs(np.corrcoef(number, told)[0, 1]) < 0.1


def test_every_pixel_has_the_same_chance():
    strata = np.zeros(400, int)
    times = np.zeros((20, 20))
    for seed in range(2000):
        points = draw(frame(strata, 20), pd.Series({"A:0": 40}), seed).points
        times[322_000 - points["row"], points["column"] - 44_000] += 1

    # 2000 draws of a tenth: 200 times each, and chi-square with 399 degrees of freedom.
    chi = ((times - 200) ** 2 / (200 * 0.9)).sum() * 399 / 400
    assert 399 - 4 * np.sqrt(2 * 399) < chi < 399 + 4 * np.sqrt(2 * 399)


def test_a_stratum_can_be_drawn_whole():
    strata = square()

    design = draw(frame(strata), pd.Series({"A:2": int((strata == 2).sum())}), 1)

    assert len(design.points) == (strata == 2).sum()


def test_added_points_leave_the_old_ones_alone():
    ground = frame(square())
    design = draw(ground, pd.Series({"A:0": 30, "A:1": 20, "A:2": 10}), 5)

    larger = extend(design, ground, pd.Series({"A:0": 45, "A:1": 20, "A:2": 11}))

    assert larger.points.iloc[:60].equals(design.points)
    assert larger.points["point"].tolist()[58:62] == ["P0059", "P0060", "P0061", "P0062"]
    assert larger.points["batch"].tolist() == [0] * 60 + [1] * 16
    assert larger.former == (design.id,)
    # Together they are the sample that would have been drawn at once.
    once = draw(ground, larger.strata["n"], 5).points
    assert set(zip(once["column"], once["row"], strict=True)) == set(
        zip(larger.points["column"], larger.points["row"], strict=True)
    )


def test_a_design_neither_shrinks_nor_moves_to_another_map():
    ground = frame(square())
    design = draw(ground, pd.Series({"A:0": 30, "A:1": 20}), 5)

    with pytest.raises(ConfigError, match="only grows"):
        extend(design, ground, pd.Series({"A:0": 29, "A:1": 40}))
    with pytest.raises(ConfigError, match="only grows"):
        extend(design, ground, design.strata["n"])
    with pytest.raises(IntegrityError, match="another map"):
        extend(design, frame(square(1)), pd.Series({"A:0": 40, "A:1": 40}))


def test_impossible_draws_are_refused():
    with pytest.raises(ConfigError, match="cannot hold"):
        draw(frame(square()), pd.Series({"A:2": 1000}), 5)
    with pytest.raises(ConfigError, match="seed"):
        draw(frame(square()), pd.Series({"A:2": 10}), -1)


def test_a_fifth_of_every_stratum_is_read_twice():
    design = draw(frame(square()), pd.Series({"A:0": 30, "A:1": 21, "A:2": 4}), 5)

    twice = second_readings(design, 0.2)

    assert twice.groupby(design.points["stratum"]).sum().to_dict() == {"A:0": 6, "A:1": 5, "A:2": 1}
    assert twice.equals(second_readings(design, 0.2))
