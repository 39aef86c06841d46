"""Identity of patches through time: split, merge, growth, reruns, corrections, frozen ground."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from patch_world import counties, drawn, follow, square
from scipy import ndimage

from jinhua_rs.errors import IntegrityError
from jinhua_rs.patches import Link, Memory, Register, read_register, write_register

Q1, Q2, Q3 = "2024Q1", "2024Q2", "2024Q3"


def ids(register):
    return [patch.id for patch in register.patches if patch.stands]


def history(register, name):
    return [(one.period, one.relation) for one in register.by_id[name].sightings]


def chain(folder, *flags, frozen=()):
    register = Register("")
    for number, one in enumerate(flags, start=1):
        memory = Memory(register, frozen=frozenset(frozen if number > 1 else ()))
        register = follow(folder, one, f"2024Q{number}", memory)
    return register


def test_new_patches_are_numbered_by_county_from_north_to_south(tmp_path):
    flags = "....LL\n....LL\nLL....\nLL....\nLL..GG\n....GG"

    register = follow(tmp_path, flags, Q3, units=counties(square(0, 0, 3, 9), square(3, 0, 9, 9)))

    assert ids(register) == ["330782-2024Q3-0001", "330783-2024Q3-0001", "330783-2024Q3-0002"]
    assert [patch.kind for patch in register.patches] == ["loss", "loss", "gain"]


def test_the_same_ground_keeps_its_name_and_version(tmp_path):
    register = chain(tmp_path, "LLL\nLLL", "LLL\nLLL")

    assert ids(register) == ["330782-2024Q1-0001"]
    assert register.patches[0].version == 1
    assert history(register, "330782-2024Q1-0001") == [(Q1, "new"), (Q2, "same")]


@pytest.mark.parametrize(
    ("after", "relation"), [("LLLLLL\nLLLLLL", "growth"), ("LL....\nLL....", "shrink")]
)
def test_growth_and_shrink_keep_the_name_and_count_a_version(tmp_path, after, relation):
    register = chain(tmp_path, "LLLL..\nLLLL..", after)

    (patch,) = register.patches
    assert (patch.id, patch.version) == ("330782-2024Q1-0001", 2)
    assert patch.sightings[-1].relation == relation
    assert patch.facts.area_m2 == patch.outline.area


def test_ground_that_is_not_seen_again_stays_known(tmp_path):
    register = chain(tmp_path, "LLL\nLLL", "...\n...")

    assert ids(register) == ["330782-2024Q1-0001"]
    assert register.patches[0].last_period == Q1
    assert register.seen_now == ()


def test_loss_and_gain_on_one_ground_are_two_patches(tmp_path):
    register = chain(tmp_path, "LLL\nLLL", "GGG\nGGG")

    assert [(p.id, p.kind) for p in register.patches] == [
        ("330782-2024Q1-0001", "loss"), ("330782-2024Q2-0001", "gain")
    ]  # fmt: skip


def test_split_the_larger_part_keeps_the_name(tmp_path):
    register = chain(tmp_path, "LLLLLLLL\nLLLLLLLL", "LLLL.LLL\nLLLL.LLL")

    old, child = register.patches
    assert (old.id, old.outline.area) == ("330782-2024Q1-0001", 800.0)
    assert (child.id, child.outline.area) == ("330782-2024Q2-0001", 600.0)
    assert register.lineage == (Link(Q2, old.id, child.id, "split"),)
    assert (old.sightings[-1].relation, child.sightings[-1].relation) == ("split", "split")


def test_merge_the_larger_patch_keeps_the_name_and_the_other_is_kept_on_record(tmp_path):
    register = chain(tmp_path, "LLLL.LLL\nLLLL.LLL", "LLLLLLLL\nLLLLLLLL")

    large, small = register.patches
    assert large.sightings[-1].relation == "merge"
    assert (small.merged_into, small.stands) == (large.id, False)
    assert register.lineage == (Link(Q2, small.id, large.id, "merge"),)
    assert ids(register) == [large.id]


@pytest.mark.parametrize(
    ("after", "n"),
    [
        ("...LLLLLL...", 1),  # half of it is shared
        ("....LLLLLL..", 1),  # a third, but half if the patch were a pixel wider
        (".....LLLLLL.", 2),  # a sixth: too little
        ("......LLLLLL", 2),  # they only touch
    ],
)
def test_half_of_the_smaller_one_makes_it_the_same(tmp_path, after, n):
    register = chain(tmp_path, "LLLLLL......\nLLLLLL......", f"{after}\n{after}")

    assert len(register.patches) == n


def test_a_near_miss_counts_only_where_there_is_no_better_partner(tmp_path):
    register = chain(tmp_path, "LLLLLL......\nLLLLLL......", "LLL.LLLLLL..\nLLL.LLLLLL..")

    assert [p.sightings[-1].relation for p in register.patches] == ["shrink", "new"]
    assert register.lineage == ()


def jittered(labels, rng):
    """Shift every patch by up to one pixel, as registration does from quarter to quarter."""
    out = np.ones_like(labels, dtype="uint8")
    for number in range(1, labels.max() + 1):
        shift = rng.integers(-1, 2, 2)
        out[np.roll(labels == number, shift, (0, 1))] = 2
    return out


def test_identity_is_kept_through_eight_quarters_of_drift(tmp_path):
    rng = np.random.default_rng(5)
    labels = np.zeros((300, 300), int)
    for number in range(100):
        row, column = 30 * (number // 10) + 8, 30 * (number % 10) + 8
        labels[row : row + rng.integers(3, 12), column : column + rng.integers(3, 12)] = number + 1
    register = Register("")
    first = {}

    for quarter in range(8):
        period = f"{2023 + quarter // 4}Q{quarter % 4 + 1}"
        register = follow(tmp_path, jittered(labels, rng), period, Memory(register))
        first = first or {patch.id: patch for patch in register.patches}

    kept = [name for name in first if len(register.by_id[name].sightings) == 8]
    assert len(first) == 100
    assert len(kept) >= 95
    assert len(register.patches) <= 105


BLOCKS = arrays("uint8", (14, 14), elements=st.sampled_from([1, 1, 2, 2, 3])).map(
    lambda a: ndimage.grey_opening(a, (2, 2))
)


@settings(max_examples=30, deadline=None)
@given(flags=st.lists(BLOCKS, min_size=3, max_size=3), judged=st.randoms(use_true_random=False))
def test_laws_of_the_register(tmp_path_factory, flags, judged):
    folder = tmp_path_factory.mktemp("r")
    first = follow(folder, flags[0], Q1)
    names = [patch.id for patch in first.patches]
    frozen = frozenset(judged.sample(names, len(names) // 2))
    memory = Memory(first, frozen=frozen)
    second = follow(folder, flags[1], Q2, memory)

    again = follow(folder, flags[1], Q2, replace(memory, own=second))
    corrected = follow(folder, flags[2], Q2, replace(memory, own=second))
    back = follow(folder, flags[2], Q2, replace(memory, own=corrected))

    assert again == second  # a rerun is the same
    assert back == corrected
    for register in (second, corrected):
        everyone = register.by_id
        assert set(names) <= set(everyone)  # nothing is lost
        assert all(everyone[one].outline == first.by_id[one].outline for one in frozen)
        assert all(everyone[one].facts == first.by_id[one].facts for one in frozen)
        assert all(everyone[one].version == 1 for one in frozen)
        standing = [p for p in register.patches if p.stands and p.last_period == Q2]
        for kind in ("loss", "gain"):  # no ground is counted twice
            shapes = [p.outline for p in standing if p.kind == kind]
            moving = [p for p in standing if p.kind == kind and p.id not in frozen]
            total = sum(p.outline.area for p in moving)
            assert total == pytest.approx(sum(p.facts.area_m2 for p in moving))
            assert all(
                a.intersection(b).area == 0
                for at, a in enumerate(shapes) for b in shapes[at + 1 :]
            )  # fmt: skip
    assert set(second.by_id) <= set(corrected.by_id)  # a name is never taken back


def test_a_reviewed_patch_stays_as_it_is_and_what_is_new_stands_beside_it(tmp_path):
    name = "330782-2024Q1-0001"

    register = chain(
        tmp_path, "LLL....\nLLL....\n.......", "LL.....\nLL.....\n.......", frozen=[name]
    )

    (patch,) = register.patches
    assert (patch.outline.area, patch.version, patch.facts.area_m2) == (600.0, 1, 600.0)
    newest = patch.sightings[-1]
    assert (newest.period, newest.relation, newest.area_m2) == (Q2, "frozen", 400.0)


def test_a_rim_of_shifted_edges_round_a_reviewed_patch_founds_nothing(tmp_path):
    name = "330782-2024Q1-0001"
    before = "......\n.LLLL.\n.LLLL.\n.LLLL.\n......"

    register = chain(tmp_path, before, "LLLLLL\n" * 5, frozen=[name])

    (patch,) = register.patches
    assert patch.sightings[-1].beside_m2 == 1800.0
    assert patch.outline.area == 1200.0


def test_growth_beyond_a_reviewed_patch_is_a_patch_of_its_own(tmp_path):
    name = "330782-2024Q1-0001"

    register = chain(tmp_path, "LLL.....\nLLL.....", "LLLLLLLL\nLLLLLLLL", frozen=[name])

    old, new = register.patches
    assert (old.id, old.outline.area) == (name, 600.0)
    assert (new.id, new.outline.area) == ("330782-2024Q2-0001", 1000.0)
    assert register.lineage == (Link(Q2, name, new.id, "growth"),)


def test_a_rerun_that_no_longer_finds_a_patch_withdraws_it_and_keeps_its_number(tmp_path):
    first = follow(tmp_path, "LL.LL.\nLL.LL.", Q1)

    second = follow(tmp_path, "......\nLL...L\nLL...L\n....LL", Q1, Memory(Register(""), own=first))

    assert [(p.id[-4:], p.withdrawn) for p in second.patches] == [
        ("0001", False), ("0002", True), ("0003", False)
    ]  # fmt: skip
    assert second.by_id[f"330782-{Q1}-0001"].version == 2


def test_a_withdrawn_patch_that_is_found_again_has_its_old_name(tmp_path):
    first = follow(tmp_path, "LL\nLL", Q1)
    second = follow(tmp_path, "..\n..", Q1, Memory(Register(""), own=first))

    third = follow(tmp_path, "LL\nLL", Q1, Memory(Register(""), own=second))

    assert second.patches[0].withdrawn
    assert ids(third) == ids(first)


def test_a_corrected_earlier_period_recognises_what_later_ones_found(tmp_path):
    first = follow(tmp_path, "..\n..", Q1)
    second = follow(tmp_path, "LL\nLL", Q2, Memory(first))

    corrected = follow(tmp_path, "LL\nLL", Q1, Memory(Register(""), own=first, later=(second,)))
    after = follow(tmp_path, "LL\nLL", Q2, Memory(corrected, own=second))

    assert ids(corrected) == ids(after) == [f"330782-{Q2}-0001"]
    assert history(after, f"330782-{Q2}-0001") == [(Q1, "new"), (Q2, "same")]


def test_a_reviewed_patch_survives_a_correction_that_no_longer_finds_it(tmp_path):
    name = f"330782-{Q1}-0001"
    first = follow(tmp_path, "LL\nLL", Q1)

    again = follow(tmp_path, "..\n..", Q1, Memory(Register(""), first, frozen=frozenset([name])))

    (patch,) = again.patches
    assert (patch.id, patch.withdrawn, patch.outline.area) == (name, False, 400.0)
    assert patch.sightings[-1].area_m2 == 0.0


def test_a_patch_stays_as_it_was_judged_when_a_period_before_that_is_corrected(tmp_path):
    name = f"330782-{Q1}-0001"
    first = follow(tmp_path, "LL......\nLL......", Q1)
    second = follow(tmp_path, "LLLL....\nLLLL....", Q2, Memory(first))
    third = follow(tmp_path, "LLLL....\nLLLL....", Q3, Memory(second))
    frozen = frozenset([name])  # judged as Q3 showed it, 800 m²

    corrected = follow(tmp_path, "LLL.....\nLLL.....", Q2, Memory(first, second, (third,), frozen))
    after = follow(tmp_path, "LLLL....\nLLLL....", Q3, Memory(corrected, third, (), frozen))

    for register in (corrected, after):
        assert register.by_id[name].outline.equals(third.by_id[name].outline)
        assert register.by_id[name].version == 2
    assert history(after, name) == [(Q1, "new"), (Q2, "frozen"), (Q3, "frozen")]


def test_a_frozen_patch_of_which_little_is_seen_does_not_count_for_the_period(tmp_path):
    name = f"330782-{Q1}-0001"

    register = chain(tmp_path, "LLLLLL\nLLLLLL", "LL....\nLL....", frozen=[name])

    assert register.by_id[name].sightings[-1].area_m2 == 400.0
    assert register.seen_now == ()


def test_a_register_is_read_as_it_was_written_and_damage_is_noticed(tmp_path):
    register = chain(tmp_path, "LLLLLLLL\nLLLLLLLL", "LLLL.LLL\nLLLL.LLL")
    write_register(tmp_path, register)
    text = (tmp_path / "register.jsonl").read_text("utf-8")

    assert read_register(tmp_path) == register
    for damage in (text[:-20], text.replace("POLYGON", "POLYGONE"), text.splitlines()[0] + "\n"):
        (tmp_path / "register.jsonl").write_text(damage, "utf-8")
        with pytest.raises(IntegrityError, match="missing or damaged"):
            read_register(tmp_path)


def test_the_drawing_is_what_it_says():
    assert drawn("L.\n G").tolist() == [[2, 1], [0, 3]]


def test_a_child_gives_way_to_the_patch_that_it_split_from(tmp_path):
    whole, parted = "LLLLLLLL\nLLLLLLLL", "LLLL.LLL\nLLLL.LLL"
    mostly_right = "....LLLLL\n...LLLLLL"

    register = chain(tmp_path, whole, parted, mostly_right, whole)

    assert ids(register) == ["330782-2024Q1-0001"]
    assert history(register, "330782-2024Q1-0001")[-1] == ("2024Q4", "merge")
