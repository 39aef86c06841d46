"""Areas after each step, by unit, from one map of codes."""

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from builders import X0, Y0, band
from odc.geo.xr import xr_coords
from shapely.geometry import box

from jinhua_rs import store
from jinhua_rs.effects import EFFECT_COLUMNS, step_effects
from jinhua_rs.grid import Grid
from jinhua_rs.refine import STEPS, packed
from jinhua_rs.schema import described


@pytest.fixture
def steps(tmp_path):
    """Ten by four pixels of 100 m²: what became of each after four steps."""
    raw = np.array([[2] * 6 + [1] * 4] * 4, np.uint8)
    smoothed, history, unit = raw.copy(), raw.copy(), raw.copy()
    smoothed[0, 0], smoothed[0, 9] = 1, 2  # one lost, one gained
    history[:] = smoothed
    unit[:] = history
    unit[:, 9] = 1
    covers = np.stack([raw, smoothed, history, unit])
    covers[..., 3] = 0
    codes = band(packed(*covers)).astype("uint8")
    geobox = Grid().covering((X0, Y0 - 40, X0 + 100, Y0))
    tile = xr.DataArray(codes.to_numpy(), xr_coords(geobox), ("y", "x"))
    store.write_tile(tmp_path / "t.zarr", described(tile, "steps").to_dataset(name="steps"))
    store.write_mosaic(tmp_path / "steps.tif", "steps", [tmp_path / "t.zarr"], geobox)
    return tmp_path / "steps.tif"


def test_areas_before_and_after_each_step(steps):
    halves = [box(X0, Y0 - 40, X0 + 50, Y0), box(X0 + 50, Y0 - 40, X0 + 100, Y0)]
    both = [*halves, box(X0, Y0 - 40, X0 + 100, Y0), box(X0 + 30, Y0 - 40, X0 + 40, Y0)]
    units = gpd.GeoDataFrame(index=["west", "east", "all", "dark"], geometry=both, crs="EPSG:4549")

    table = step_effects(steps, units, min_clear_share=0.6)

    assert tuple(table.columns) == EFFECT_COLUMNS
    assert table["unit"].tolist() == [u for u in units.index for _ in STEPS]
    found = table.set_index(["unit", "step"])
    assert found.loc["west", "tree_cover_ha"].tolist() == pytest.approx([0.16, 0.15, 0.15, 0.15])
    assert found.loc["east", "tree_cover_ha"].tolist() == pytest.approx([0.04, 0.05, 0.05, 0.04])
    assert found.loc["all", "difference_ha"].tolist()[1:] == pytest.approx([0.0, 0.0, -0.01])
    assert found.loc["all", "changed_share"].tolist()[1:] == pytest.approx([2 / 36, 0, 1 / 36])
    assert np.isnan(found.loc[("all", "raw"), ["difference_ha", "changed_share"]].tolist()).all()
    assert found.loc["dark", "seen_ha"].tolist() == [0] * 4
    assert found.loc["dark", ["tree_cover_ha", "changed_share"]].isna().all(axis=None)
    dim = step_effects(steps, units, min_clear_share=0.95).set_index("unit")
    assert dim.loc["all", "tree_cover_ha"].isna().all()
    assert dim.loc["all", "seen_ha"].tolist() == pytest.approx([0.36] * 4)
