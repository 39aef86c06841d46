"""The frame of a sample: every pixel of the units in one stratum; designs on disk; estimates."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from shapely.geometry import box

from jinhua_rs import schema
from jinhua_rs.errors import ConfigError, ContractError, IntegrityError
from jinhua_rs.estimation.design import draw
from jinhua_rs.forest import ForestMaps, change_rows, coverage_rows
from jinhua_rs.interpretation import read_design, survey, write_design
from jinhua_rs.interpretation.keeping import design_points
from jinhua_rs.interpretation.reference import reference_points, strata_by_unit, write_reference
from jinhua_rs.period import Period
from jinhua_rs.points import Drawn, read_drawn, read_points

LEFT, TOP, SIDE = 500_000.0, 3_200_000.0, 100  # 1 km x 1 km in pixels of 10 m


def write(path, pixels, **tags):
    profile = {
        "driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:4549", "nodata": 0,
        "height": SIDE, "width": SIDE, "transform": Affine(10, 0, LEFT, 0, -10, TOP),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(pixels, 1)
        target.update_tags(**tags)
    return path


@pytest.fixture
def units():
    """Two counties, A the western 60 %, B the rest, and a zone across the line."""
    shapes = {"city": (0, 1000), "A": (0, 600), "B": (600, 1000), "zone": (400, 800)}
    return gpd.GeoDataFrame(
        {"level": ["city", "county", "county", "zone"]},
        index=pd.Index(list(shapes), name="code"),
        geometry=[box(LEFT + w, TOP - 1000, LEFT + e, TOP) for w, e in shapes.values()],
        crs="EPSG:4549",
    )


@pytest.fixture
def mapped():
    """Forest in the northern 65 rows; 10 x 10 pixels were not seen."""
    pixels = np.ones((SIDE, SIDE), "uint8")
    pixels[:65] = schema.Forest.FOREST
    pixels[:10, :10] = schema.Forest.UNSEEN
    return pixels


def truth():
    """Truth: forest in the northern 60 rows."""
    return np.arange(SIDE) < 60


def test_every_pixel_is_in_one_stratum(tmp_path, units, mapped):
    path = write(tmp_path / "forest.tif", mapped, period="2024Q4", label="SIMULATED")

    frame = survey(path, units)

    assert frame.strata["pixels"].to_dict() == {
        "A:0": 100, "A:1": 35 * 60, "A:2": 65 * 60 - 100, "B:1": 35 * 40, "B:2": 65 * 40,
    }  # fmt: skip
    assert frame.areas.loc["zone"].to_dict() == {
        "A:0": 0, "A:1": 35 * 20, "A:2": 65 * 20, "B:1": 35 * 20, "B:2": 65 * 20,
    }  # fmt: skip
    assert frame.areas.loc["city"].tolist() == frame.strata["pixels"].tolist()
    assert (frame.facts.period, frame.facts.label) == ("2024Q4", "SIMULATED")
    assert (frame.facts.map, frame.facts.resolution) == ("forest", 10.0)


def test_blocks_hold_the_pixels_where_they_lie(tmp_path, units, mapped):
    frame = survey(write(tmp_path / "forest.tif", mapped), units)

    design = draw(frame, pd.Series({"B:2": 50, "A:0": 100}), 3)

    places = design.places()
    in_b = design.points["stratum"] == "B:2"
    assert (places[in_b, 0] > LEFT + 600).all()
    assert (places[in_b, 1] > TOP - 650).all()
    # All of the unseen corner: its pixels and no others.
    corner = places[~in_b]
    assert corner.min(axis=0).tolist() == [LEFT + 5, TOP - 95]
    assert corner.max(axis=0).tolist() == [LEFT + 95, TOP - 5]


def test_pixels_beside_mapped_change_are_a_stratum_of_their_own(tmp_path, units):
    pixels = np.full((SIDE, SIDE), schema.Change.STABLE_FOREST, "uint8")
    pixels[50, 50] = schema.Change.LOSS
    pixels[51, 51] = schema.Change.UNSEEN

    frame = survey(write(tmp_path / "change.tif", pixels), units, buffer_px=2)

    # A square of 5 x 5 around the loss, less the loss and what was not seen.
    assert frame.strata.at["A:near", "pixels"] == 23
    assert frame.strata.at["A:3", "pixels"] == 1
    assert frame.strata.at["A:0", "pixels"] == 1
    assert frame.strata["pixels"].sum() == SIDE * SIDE


def test_maps_that_cannot_be_the_frame_are_refused(tmp_path, units, mapped):
    wide = units.assign(geometry=units.buffer(100))
    with pytest.raises(ContractError, match="covers"):
        survey(write(tmp_path / "forest.tif", mapped), wide)
    with pytest.raises(ContractError, match="class 9"):
        survey(write(tmp_path / "forest.tif", np.full((SIDE, SIDE), 9, "uint8")), units)
    with pytest.raises(IntegrityError, match="cannot be read"):
        survey(tmp_path / "none.tif", units)


# --- on disk -----------------------------------------------------------------------------------


@pytest.fixture
def design(tmp_path, units, mapped):
    frame = survey(write(tmp_path / "forest.tif", mapped, period="2024Q4"), units)
    return draw(frame, pd.Series({"A:0": 10, "A:1": 60, "A:2": 100, "B:1": 40, "B:2": 70}), 11)


def test_a_design_comes_back_as_it_was(tmp_path, design):
    write_design(tmp_path / "design", design)

    found = read_design(tmp_path / "design")

    assert found.id == design.id
    pd.testing.assert_frame_equal(found.points, design.points)
    pd.testing.assert_frame_equal(found.areas, design.areas, check_like=True, check_names=False)
    told = gpd.read_file(tmp_path / "design" / "points.gpkg")
    assert told["weight"][told["stratum"] == "A:0"].tolist() == pytest.approx([10.0] * 10)
    strata = pd.read_csv(tmp_path / "design" / "strata.csv")
    assert strata["area_m2"].sum() == 1e6
    with pytest.raises(ConfigError, match="nothing is overwritten"):
        write_design(tmp_path / "design", design)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told | {"seed": 12},
        lambda told: told | {"points": told["points"][:-1]},
        lambda told: told | {"points": [*told["points"][:-1], told["points"][0]]},
        lambda told: (
            told | {"points": [told["points"][0] | {"point": "../x"}, *told["points"][1:]]}
        ),
        lambda told: {"id": told["id"]},
        lambda _: [],
    ],
)
def test_a_design_that_was_changed_is_refused(tmp_path, design, spoil):
    write_design(tmp_path / "design", design)
    path = tmp_path / "design" / "design.json"
    path.write_text(json.dumps(spoil(json.loads(path.read_text("utf-8")))), "utf-8")

    with pytest.raises(IntegrityError, match="was changed"):
        read_design(tmp_path / "design")


# --- estimates by the design -------------------------------------------------------------------


def judged(design, period="2024Q4", rows=truth):
    """Judge the points of a design without error."""
    points = design_points(design)
    row = ((TOP - points.geometry.y) // 10).astype(int)
    return points.assign(period=period, canopy=np.where(rows()[row], 0.6, 0.05))


def drawn_by(design):
    return Drawn(design.id, design.areas_m2)


def test_the_strata_of_the_design_hold_whatever_the_newer_map_says(tmp_path, units, design):
    sample = judged(design)
    maps = {}
    for name, forest_rows in (("drawn", 65), ("newer", 20)):
        pixels = np.ones((SIDE, SIDE), "uint8")
        pixels[:forest_rows] = 2
        (tmp_path / name).mkdir()
        maps[name] = ForestMaps(write(tmp_path / name / "forest.tif", pixels), None, None)

    found = {
        name: schema.rows(
            coverage_rows(
                one,
                units,
                sample,
                period=Period(2024, 4),
                min_clear_share=0.6,
                drawn=drawn_by(design),
            )
        ).set_index(["unit", "indicator"])
        for name, one in maps.items()
    }

    share = {name: table.xs("tree_cover_share", level=1) for name, table in found.items()}
    columns = ["value", "low", "high", "source"]
    pd.testing.assert_frame_equal(share["drawn"][columns], share["newer"][columns])
    for code in units.index:
        assert share["newer"].at[code, "low"] <= 60 <= share["newer"].at[code, "high"]
    assert f"design {design.id} (Stehman 2014)" in share["newer"].at["city", "source"]
    # Points of a county weigh as its strata do: by hand for the county without unseen ground.
    in_b = sample[sample["stratum"].str.startswith("B")]
    mean = (in_b["canopy"] > 0.2).groupby(in_b["stratum"]).mean()
    assert share["newer"].at["B", "value"] == pytest.approx(
        100 * (0.35 * mean["B:1"] + 0.65 * mean["B:2"])
    )


def test_a_panel_keeps_its_strata_too(tmp_path, units, design):
    before = judged(design, "2023Q4", lambda: np.arange(SIDE) < 62)
    sample = pd.concat([judged(design), before], ignore_index=True)
    path = write(tmp_path / "change.tif", np.full((SIDE, SIDE), 4, "uint8"))

    found = schema.rows(
        change_rows(
            path,
            units,
            sample,
            periods=(Period(2023, 4), Period(2024, 4)),
            min_clear_share=0.6,
            drawn=drawn_by(design),
        )
    ).set_index(["unit", "indicator"])

    change = found.loc[("city", "tree_cover_change")]
    assert change["low"] <= -2 <= change["high"]
    assert change["status"] == "ok"


def test_a_unit_the_sample_was_not_drawn_for_has_no_estimate(tmp_path, units, mapped, design):
    maps = ForestMaps(write(tmp_path / "forest.tif", mapped), None, None)
    moved = units.copy()
    moved.loc["zone", "geometry"] = box(LEFT, TOP - 1000, LEFT + 700, TOP)

    found = schema.rows(
        coverage_rows(
            maps,
            moved,
            judged(design),
            period=Period(2024, 4),
            min_clear_share=0.6,
            drawn=drawn_by(design),
        )
    ).set_index(["unit", "indicator"])

    assert found.loc[("zone", "tree_cover_share"), "status"] == "no_interval"
    assert "other units" in found.loc[("zone", "tree_cover_share"), "source"]
    assert found.loc[("A", "tree_cover_share"), "status"] == "ok"


def test_the_file_of_a_designed_sample_brings_its_strata(tmp_path, design):
    path = tmp_path / "reference.gpkg"
    sample = judged(design)[["point", "period", "canopy"]]

    write_reference(path, reference_points(sample, design), strata_by_unit(design))

    points = read_points(path, "EPSG:4549", any_of=("canopy",))
    found = read_drawn(path, points)
    assert found.design == design.id
    pd.testing.assert_frame_equal(
        found.areas, design.areas_m2, check_like=True, check_names=False, check_dtype=False
    )
    assert points["weight"].sum() == SIDE * SIDE
    assert sorted(points["point"]) == sorted(design.points["point"])


def test_a_plain_reference_layer_has_no_strata(tmp_path, design):
    judged(design).to_file(tmp_path / "reference.gpkg")
    points = read_points(tmp_path / "reference.gpkg", "EPSG:4549", any_of=("canopy",))

    assert read_drawn(tmp_path / "reference.gpkg", points) is None


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda table: table.drop(columns="area_m2"), "'area_m2' is missing"),
        (lambda table: table.assign(design="other"), "not of one design"),
        (lambda table: pd.concat([table, table]), "stands twice"),
        (lambda table: table.assign(area_m2=-1.0), "above 0"),
        (lambda table: table[table["stratum"] != "A:1"], "'A:1', unknown"),
    ],
)
def test_strata_that_do_not_fit_their_points_are_refused(tmp_path, design, spoil, why):
    path = tmp_path / "reference.gpkg"
    points = reference_points(judged(design)[["point", "period", "canopy"]], design)
    write_reference(path, points, spoil(strata_by_unit(design)))

    with pytest.raises(ConfigError, match=why):
        read_drawn(path, read_points(path, "EPSG:4549", any_of=("canopy",)))
