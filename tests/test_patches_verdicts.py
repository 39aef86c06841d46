"""What people decide: allowed steps, a book that tells of tampering, what to look at first."""

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patch_world import RULES, follow
from shapely.geometry import box

from jinhua_rs.errors import IntegrityError
from jinhua_rs.patches import (
    REASONS,
    ROLES,
    TRANSITIONS,
    Book,
    Facts,
    Patch,
    State,
    Verdict,
    forbidden,
    tier,
    worth,
)
from jinhua_rs.schema import Land
from jinhua_rs.units import M2_PER_MU

WHEN = "2024-10-08T09:00:00+08:00"
A, B = "330782-2024Q1-0001", "330782-2024Q1-0002"


def verdict(patch=A, before=State.OPEN, after=State.FIELD, **told):
    given = {"version": 1, "reason": "", "who": "甲", "role": "auditor", "when": WHEN}
    return Verdict(patch, before=before, after=after, **(given | told))


def test_the_way_of_a_real_violation_is_open_to_the_end():
    way = [State.OPEN, State.FIELD, State.CONFIRMED, State.REPAIR, State.CLOSED]

    for before, after in pairwise(way):
        assert forbidden(verdict(before=before, after=after, reason="felled")) is None


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"after": State.CONFIRMED, "reason": "felled"}, "open cannot become confirmed"),
        ({"after": State.OPEN}, "open cannot become open"),
        ({"before": State.FIELD, "after": State.REJECTED}, "needs one of the reasons"),
        ({"before": State.FIELD, "after": State.REJECTED, "reason": "felled"}, "needs one of"),
        ({"before": State.FIELD, "after": State.CONFIRMED, "reason": "cloud"}, "needs one of"),
        (
            {"before": State.FIELD, "after": State.CONFIRMED, "reason": "felled", "role": "x"},
            "only inspector or auditor may",
        ),
        ({"before": State.CLOSED, "after": State.FIELD, "role": "inspector"}, "only auditor may"),
        ({"who": " "}, "a name of 1-60"),
        ({"who": "甲" * 61}, "a name of 1-60"),
        ({"note": "x" * 2001}, "a note of at most 2000"),
    ],
)
def test_what_is_not_allowed_is_said(told, message):
    said = forbidden(verdict(**told))

    assert said is not None
    assert message in said[0]


def test_every_state_role_and_reason_is_of_use():
    states = {after for ways in TRANSITIONS.values() for after in ways}
    roles = {role for ways in TRANSITIONS.values() for way in ways.values() for role in way}

    assert set(TRANSITIONS) == set(State)
    assert states == set(State) - {State.OPEN}
    assert roles == set(ROLES)
    assert {state for _, _, fits in REASONS.values() for state in fits} == {
        State.CONFIRMED, State.REJECTED
    }  # fmt: skip


def test_the_book_knows_where_each_patch_stands(tmp_path):
    book = Book(tmp_path / "v" / "verdicts.jsonl")
    book = book.append([verdict(), verdict(B)])
    book = book.append([verdict(before=State.FIELD, after=State.REJECTED, reason="bamboo")])

    assert Book(book.path).states == {A: State.REJECTED, B: State.FIELD}
    assert book.state("330782-2024Q1-0003") is State.OPEN
    assert book.counts == {A: 2, B: 1}
    assert book.frozen == {A, B}
    assert book.holds(0, "0" * 64) and book.holds(3, book.head)
    assert not book.holds(2, book.head) and not book.holds(4, book.head)


@pytest.mark.parametrize(
    ("line", "harm"),
    [
        (1, lambda text: text.replace("甲", "乙")),
        (2, lambda text: text.replace('"n":2', '"n":3')),
        (2, lambda _: "{}"),
        (3, lambda _: "[1]"),
        (1, lambda _: "not JSON"),
        (3, lambda text: json.dumps(json.loads(text) | {"more": 1})),
        (2, None),
    ],
)
def test_a_line_that_was_changed_or_taken_out_is_found(tmp_path, line, harm):
    book = Book(tmp_path / "verdicts.jsonl").append([verdict(), verdict(B), verdict("C-2024-1")])
    lines = book.path.read_text("utf-8").splitlines()
    if harm is None:
        del lines[line - 1]
    else:
        lines[line - 1] = harm(lines[line - 1])
    book.path.write_text("\n".join(lines) + "\n", "utf-8")

    with pytest.raises(IntegrityError, match=f"changed at line {line}"):
        Book(book.path)


@given(st.text(max_size=50), st.text(min_size=1, max_size=50))
def test_any_text_comes_back_as_it_was(tmp_path_factory, note, who):
    path = tmp_path_factory.mktemp("b") / "verdicts.jsonl"
    given_verdict = verdict(note=note, who=who)

    assert Book(path).append([given_verdict]).verdicts == (given_verdict,)


def _write_on(path):
    book = Book(path)
    while True:
        book = book.append([verdict(patch=f"330782-2024Q1-{len(book.verdicts):04d}")])


def test_a_kill_in_mid_write_leaves_a_whole_book(tmp_path):
    path = tmp_path / "verdicts.jsonl"
    written = 0
    for pause in (0.05, 0.11, 0.17):
        process = multiprocessing.get_context("fork").Process(target=_write_on, args=(path,))
        process.start()
        time.sleep(pause)
        os.kill(process.pid, signal.SIGKILL)
        process.join()

        book = Book(path)

        assert len(book.verdicts) >= written
        assert [one.patch[-4:] for one in book.verdicts] == [
            f"{n:04d}" for n in range(len(book.verdicts))
        ]
        written = len(book.verdicts)


# --- what to see first -------------------------------------------------------------------------


def test_tiers_begin_at_their_limits():
    limits = (M2_PER_MU - 0.01, M2_PER_MU, 9_999.99, 10_000.0)

    assert [tier(sized(area), RULES) for area in limits] == [
        "candidate", "reportable", "reportable", "priority"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "confidence", "told"),
    [
        ("loss", 0, "priority"), ("loss", 1, "candidate"), ("loss", 2, "candidate"),
        ("loss", 3, "priority"), ("gain", 1, "candidate"), ("gain", 2, "priority"),
    ],
)  # fmt: skip
def test_what_is_not_sure_enough_waits_whatever_its_size(kind, confidence, told):
    assert tier(sized(50_000.0, kind, confidence), RULES) == told


def sized(area, kind="loss", confidence=0):
    facts = Facts(
        area, area, "330782", "义乌市", None, 0, 0, "", "", confidence, 0, None, None, {}
    )  # fmt: skip
    return Patch("330782-2024Q1-0001", kind, 1, box(0, 0, 1, 1), facts, ())


@pytest.fixture
def two(tmp_path):
    """A register of two patches of 600 m² (0.9 亩)."""
    return follow(tmp_path, "LLL.LLL\nLLL.LLL", "2024Q1")


def with_facts(register, name, **facts):
    patches = [
        replace(p, facts=replace(p.facts, **facts)) if p.id == name else p
        for p in register.patches
    ]  # fmt: skip
    return replace(register, patches=tuple(patches))


def test_value_is_probability_times_area_times_weight(two, tmp_path):
    overlaps = dict.fromkeys(two.patches[0].facts.overlaps) | {"red_line": 300.0, "permits": 0.0}
    register = with_facts(two, B, confidence=3, overlaps=overlaps)

    found = worth(register, Book(tmp_path / "v.jsonl"), RULES)

    assert found[A].value == pytest.approx(0.5 * 0.9)
    assert (found[B].probable, found[B].weight) == (0.9, 2.5)
    assert found[B].value == pytest.approx(0.9 * 0.9 * 2.5)
    assert (found[A].rank, found[B].rank) == (2, 1)


def test_verdicts_on_like_patches_teach_the_probability(two, tmp_path):
    book = Book(tmp_path / "v.jsonl").append(
        [
            verdict(),
            verdict(before=State.FIELD, after=State.REJECTED, reason="bamboo"),
        ]
    )

    found = worth(two, book, RULES)

    assert found[B].probable == pytest.approx(10 * 0.5 / 11)
    assert (found[A].rank, found[B].rank) == (0, 1)


def test_a_patch_wholly_explained_keeps_a_little_weight(two, tmp_path):
    overlaps = dict.fromkeys(two.patches[0].facts.overlaps, 600.0) | {
        "basic_farmland": None, "red_line": None, "reserves": None
    }  # fmt: skip

    found = worth(with_facts(two, A, overlaps=overlaps), Book(tmp_path / "v.jsonl"), RULES)

    assert found[A].weight == 0.1


@pytest.mark.parametrize(
    ("kind", "before", "told"),
    [
        ("loss", Land.BAMBOO, "priority"),
        ("loss", Land.SHRUB, "priority"),
        ("loss", Land.CROPLAND, "candidate"),
        ("loss", 0, "priority"),
        ("gain", Land.BAMBOO, "candidate"),
        ("gain", Land.CONIFER, "priority"),
        ("gain", Land.CROPLAND, "priority"),
        ("gain", 0, "priority"),
    ],
)
def test_a_loss_where_no_trees_stood_waits_and_a_gain_of_bamboo(kind, before, told):
    patch = sized(50_000.0, kind, 3)

    assert tier(replace(patch, facts=replace(patch.facts, before=int(before))), RULES) == told
