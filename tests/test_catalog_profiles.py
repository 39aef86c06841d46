"""Profiles are data: complete, of one vocabulary, and never named by code."""

import ast
from pathlib import Path

import pytest

from jinhua_rs import catalog
from jinhua_rs.catalog import load_profile, profile_names
from jinhua_rs.errors import ConfigError
from jinhua_rs.scene import BAND_NAMES

SOURCE = Path(catalog.__file__).parent
PROFILES = SOURCE.parents[1] / "stac" / "profiles"


def test_five_profiles_come_along():
    assert profile_names() == (
        "cdse",
        "earth-search",
        "earth-search-c1",
        "local",
        "planetary-computer",
    )


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_gives_the_same_canonical_bands(name):
    profile = load_profile(name)

    assert set(profile.bands) == {*BAND_NAMES, "scl"}
    assert profile.name == name
    assert profile.licence
    assert profile.attribution
    assert profile.scale == 1e-4
    assert profile.fields_.baseline
    assert profile.fields_.tile


def test_no_code_compares_with_the_name_of_a_profile():
    names = set(profile_names())
    compared = {
        (path.name, node.lineno)
        for path in SOURCE.parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Compare | ast.MatchValue)
        for leaf in ast.walk(node)
        if isinstance(leaf, ast.Constant) and leaf.value in names
    }

    assert not compared


def test_an_unknown_name_gets_a_hint():
    with pytest.raises(ConfigError, match="did you mean 'earth-search-c1'") as caught:
        load_profile("earth-serch-c1")

    assert "是否想写" in caught.value.zh


@pytest.mark.parametrize("name", ["../profiles/cdse", "CDSE", "", "a/b"])
def test_a_name_is_no_path(name):
    with pytest.raises(ConfigError, match="unknown profile"):
        load_profile(name)


def edited(folder: Path, old: str, new: str) -> str:
    text = (PROFILES / "earth-search-c1.toml").read_text("utf-8")
    assert old in text
    path = folder / "mine.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return str(path)


def test_a_file_of_ones_own_is_read(tmp_path):
    profile = load_profile(edited(tmp_path, "page_size = 200", "page_size = 7"))

    assert (profile.name, profile.page_size) == ("mine", 7)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("page_size", "page_sise", "unknown key 'page_sise'; did you mean 'page_size'"),
        (
            'rule = "declared"',
            'ruel = "declared"',
            "unknown key 'offset.ruel'; did you mean 'rule'",
        ),
        ('cloud = ["eo', 'clouds = ["eo', "unknown key 'fields.clouds'; did you mean 'cloud'"),
        ('rule = "declared"', 'rule = "guess"', "offset.rule: Input should be"),
        ('rule = "declared"', 'rule = "flag-then-baseline"', "needs the name of the flag"),
        ('red = ["red"]\n', "", r"canonical bands; look at \['red'\]"),
        ('red = ["red"]', 'red = ["red"]\npurple = ["B99"]', r"look at \['purple'\]"),
        ('red = ["red"]', "red = []", "names no asset"),
        ("page_size = 200", "page_size = 0", "page_size: Input should be greater"),
        ("scale = 0.0001", "scale = [", "cannot read the profile mine.toml"),
        ("[fields]", '[signing]\nmethod = "sas"\n\n[fields]', "needs an https token_url"),
        (
            "[fields]",
            '[signing]\nmethod = "sas"\ntoken_url = "http://example.com/t"\n\n[fields]',
            "needs an https token_url",
        ),
    ],
)
def test_a_wrong_profile_is_refused_with_the_reason(tmp_path, old, new, complaint):
    with pytest.raises(ConfigError, match=complaint) as caught:
        load_profile(edited(tmp_path, old, new))

    assert "mine.toml" in caught.value.zh


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the profile"):
        load_profile(str(tmp_path / "none.toml"))
