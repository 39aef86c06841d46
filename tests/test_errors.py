import re

import pytest
from distributed.protocol.pickle import dumps, loads

from jinhua_rs import errors
from jinhua_rs.errors import JinhuaError

KINDS = [getattr(errors, name) for name in errors.__all__]
LINE = re.compile(r"^    (?P<lead>[│├└─ ]*)(?P<name>\w+) +(?P<code>\d+)   \S", re.MULTILINE)


def drawn():
    """Read the tree of the module's docstring: name -> (name of the parent, exit code)."""
    tree, above = {}, []
    for line in LINE.finditer(errors.__doc__):
        depth = len(line["lead"]) // 4
        above = [*above[:depth], line["name"]]
        tree[line["name"]] = (above[-2] if depth else None, int(line["code"]))
    return tree


def test_the_tree_that_is_drawn_is_the_tree_of_the_classes():
    found = {
        kind.__name__: (
            None if kind is JinhuaError else kind.__mro__[1].__name__,
            kind.exit_code,
        )
        for kind in KINDS
    }

    assert drawn() == found


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_speaks_both_languages_and_survives_the_journey_between_processes(kind):
    error = kind("no scene in 2024Q3; widen the period", zh="2024Q3 没有影像；请放宽时段")

    back = loads(dumps(error))

    assert type(back) is kind
    assert back.text("en") == str(error) == "no scene in 2024Q3; widen the period"
    assert back.text("zh") == "2024Q3 没有影像；请放宽时段"
    assert back.exit_code == kind.exit_code


def test_an_error_without_chinese_cannot_be_made():
    with pytest.raises(TypeError, match="zh"):
        JinhuaError("no scene")
