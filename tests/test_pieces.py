"""One tile as a worker makes it."""

from dataclasses import replace

import pytest
import xarray as xr
from builders import little_city

from jinhua_rs import cube, pieces, planning, store
from jinhua_rs.period import Period
from jinhua_rs.pieces import looking
from jinhua_rs.settings import load_settings


@pytest.fixture
def job(tmp_path):
    settings = load_settings(little_city(tmp_path, years=(2024,))).settings
    plan = planning.make_plan(Period.parse("2024Q4"), settings)
    tile = plan.tiles[0]
    return pieces.CompositeJob(
        path=tmp_path / "whole.zarr",
        key="key",
        tile=tile,
        scenes=plan.scenes_of(tile),
        period=plan.period,
        area=plan.outline,
        stac=settings.stac,
        mask=settings.mask,
        options=settings.composite,
        label="",
    )


def test_a_tile_of_too_many_looks_is_made_in_strips_and_is_the_same(job, monkeypatch):
    pieces.composite_tile(job)
    read, rows = cube.read, []

    def noted(scenes, geobox, *given, **named):
        rows.append(geobox.shape.y)
        return read(scenes, geobox, *given, **named)

    monkeypatch.setattr(cube, "read", noted)
    row_bytes = 2 * job.tile.geobox.shape.x * len(job.scenes) * len(job.options.bands)
    monkeypatch.setattr(looking, "_LOOKS_BYTES", 10 * row_bytes)
    pieces.composite_tile(replace(job, path=job.path.with_name("strips.zarr")))

    assert rows == [20, 20, 8], "ten rows of the tile fit, twice that of its half in the area"
    whole, strips = (store.open_tile(job.path.with_name(f"{n}.zarr")) for n in ("whole", "strips"))
    assert int(whole["n_clear"].max()) == 3
    xr.testing.assert_allclose(strips.load(), whole.load(), atol=2e-4)
