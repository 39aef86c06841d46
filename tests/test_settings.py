import pytest

from jinhua_rs.errors import ConfigError
from jinhua_rs.settings import load_settings


def write(tmp_path, text):
    path = tmp_path / "jinhua.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_value_knows_where_it_came_from(tmp_path):
    path = write(tmp_path, '[area]\nresolution = 60\nunits = "layers/units.gpkg"\n')

    sourced = load_settings(
        path,
        environment={"JINHUA_STAC_MAX_CLOUD": "50", "OTHER": "x"},
        overrides={"run.workers": 1},
    )

    table = {key: (value, source) for key, value, source in sourced.table()}
    assert table["area.resolution"] == ("60.0", "file jinhua.toml")
    assert table["area.units"] == (str(tmp_path / "layers/units.gpkg"), "file jinhua.toml")
    assert table["stac.max_cloud"] == ("50.0", "environment JINHUA_STAC_MAX_CLOUD")
    assert table["run.workers"] == ("1", "command line")
    assert table["area.crs"] == ("EPSG:4549", "default")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[area]\nresolutoin = 60\n", "did you mean 'area.resolution'"),
        ("[aera]\nresolution = 60\n", "did you mean 'area'"),
        ("resolution = 60\n", "unknown key 'resolution'"),
        ("[area]\nresolution = -1\n", "area.resolution"),
        ("[stac]\nmax_cloud = 'many'\n", "stac.max_cloud"),
        ("[area\n", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_a_hint(tmp_path, text, hint):
    with pytest.raises(ConfigError, match=hint) as caught:
        load_settings(write(tmp_path, text), environment={})
    assert caught.value.exit_code == 2


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings(tmp_path / "none.toml", environment={})


def test_targets_are_data_with_a_source():
    targets = load_settings(environment={}).settings.targets

    assert targets["forest_cover"].value == 61.0
    assert targets["new_afforestation"].alternative == 15.12
    assert all(target.source for target in targets.values())
