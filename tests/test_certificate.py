"""The certificate end to end: five planted faults are caught, sound scenes are left alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from certificate_world import DAYS, SIDE, ground, look
from rasterio.transform import from_origin

from jinhua_rs import certificate
from jinhua_rs.catalog.offsets import Facts, decide_offset
from jinhua_rs.catalog.profiles import load_profile
from jinhua_rs.certificate.places import choose
from jinhua_rs.errors import IntegrityError
from jinhua_rs.settings import Certificate as Options

LAST = DAYS[-1]
LAND = ground()


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Four dates without fault; the fifth is each test's own."""
    folder = tmp_path_factory.mktemp("sound")
    return [look(folder, day, land=LAND, cloudy=day / 60) for day in DAYS[:-1]]


def judged(scenes, **options):
    return certificate.judge(certificate.examine(scenes), Options(**options))


def of_last(result):
    return next(one for one in result.scenes if f"202410{LAST}" in one.id)


def test_sound_scenes_are_sound(sound, tmp_path):
    result = judged([*sound, look(tmp_path, LAST, land=LAND)])

    assert {one.verdict for one in result.scenes} == {"sound"}
    assert result.set_aside == {} and result.summary.n_sound == 5
    assert result.summary.largest_shift < 0.3
    assert {one.offset_measured for one in result.scenes} == {-1000}


def test_a_missing_offset_is_caught(sound, tmp_path):
    result = judged([*sound, look(tmp_path, LAST, land=LAND, said=0)])

    assert of_last(result).codes == ("offset-missing",)
    assert list(result.set_aside) == [of_last(result).id]


def test_an_offset_applied_twice_is_caught(sound, tmp_path):
    result = judged([*sound, look(tmp_path, LAST, land=LAND, carried=0)])

    assert of_last(result).codes == ("offset-twice",)
    assert list(result.set_aside) == [of_last(result).id]


@pytest.mark.parametrize(
    ("flag", "carried", "code"), [(True, 1000, "offset-missing"), (False, 0, "offset-twice")]
)
def test_a_flag_that_lies_is_caught(sound, tmp_path, flag, carried, code):
    profile = load_profile("earth-search")
    told, because = decide_offset(profile, Facts({profile.offset.flag: flag}, "05.11", {}))
    liar = replace(
        look(tmp_path, LAST, land=LAND, said=told, carried=carried), offset_reason=because
    )

    result = judged([*sound, liar])

    assert of_last(result).codes == (code,)
    assert profile.offset.flag in of_last(result).reason


@pytest.mark.parametrize(("down", "right"), [(2, 0), (0, -2), (-1.4, 1.4)])
def test_a_shift_of_two_pixels_is_caught(sound, tmp_path, down, right):
    moved = look(tmp_path, LAST, land=ground(down=down, right=right), cloudy=0.3)

    result = judged([*sound, moved])

    assert of_last(result).codes == ("shifted",)
    assert of_last(result).shift == pytest.approx((down, right), abs=0.3)
    assert list(result.set_aside) == [of_last(result).id]


def test_a_shift_that_is_borne_is_reported(sound, tmp_path):
    result = judged([*sound, look(tmp_path, LAST, land=ground(down=1))])

    assert of_last(result).verdict == "sound"
    assert of_last(result).shift == pytest.approx((1, 0), abs=0.3)
    assert judged([*sound, look(tmp_path, LAST, land=ground(down=1))], max_shift_px=0.6).set_aside


def test_a_file_that_says_a_place_two_pixels_off_is_caught(sound, tmp_path):
    """The pixels are right, the numbers in header and item are not."""
    moved = look(tmp_path, LAST, land=LAND)
    assets = {}
    for name, asset in moved.assets.items():
        with rasterio.open(asset.href, "r+") as file:
            file.transform = from_origin(file.transform.c + 20, file.transform.f, 10, 10)
            assets[name] = replace(asset, transform=tuple(file.transform)[:6])
    moved = replace(moved, assets=assets)

    result = judged([*sound, moved])

    assert of_last(result).codes == ("shifted",)
    assert of_last(result).shift == pytest.approx((0, 2), abs=0.3)


def test_a_shifted_scene_does_not_drag_the_others_along(tmp_path):
    few = [look(tmp_path, day, land=LAND) for day in DAYS[:3]]
    moved = look(tmp_path, DAYS[3], land=ground(down=4))

    result = judged([*few, moved])

    assert list(result.set_aside) == [moved.id]
    assert all(np.hypot(*one.shift) < 0.3 for one in result.scenes if one.id != moved.id)


def test_a_file_that_is_not_what_its_item_says_is_not_looked_at(sound, tmp_path):
    moved = look(tmp_path, LAST, land=LAND)
    with rasterio.open(moved.assets["blue"].href, "r+") as file:
        file.transform = from_origin(file.transform.c + 20, file.transform.f, 10, 10)

    result = judged([*sound, moved])

    assert of_last(result).codes == ("unread",)
    assert "transform is" in of_last(result).reason


def test_a_file_that_would_read_others_is_not_opened(sound, tmp_path):
    trap = look(tmp_path, LAST, land=LAND)
    other = trap.assets["red"].href
    Path(trap.assets["blue"].href).write_text(
        '<VRTDataset rasterXSize="256" rasterYSize="256"><VRTRasterBand dataType="UInt16" band="1">'
        f"<SimpleSource><SourceFilename>{other}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )

    result = judged([*sound, trap])

    assert of_last(result).codes == ("unread",)
    assert "is no GTiff file" in of_last(result).reason


def test_a_whole_collection_that_lies_is_said_so(tmp_path):
    result = judged([look(tmp_path, day, land=LAND, said=0) for day in DAYS[:3]])

    assert result.summary.n_set_aside == 3
    assert "3 of 3 scenes contradict their items" in result.summary.remark
    assert result.summary.by_code == {"offset-missing": 3}


def test_what_cannot_be_measured_is_said_and_not_set_aside(sound, tmp_path):
    overcast = look(tmp_path, LAST, land=LAND, cloudy=1.0)

    result = judged([*sound, overcast])

    assert of_last(result).verdict == "unmeasured"
    assert of_last(result).codes == ("offset-unmeasured", "shift-unmeasured")
    assert [note.code for note in of_last(result).remarks] == ["scl-one-class"]


@pytest.mark.parametrize("band", ["red", "nir", "scl"])
def test_a_scene_that_cannot_be_read_is_returned_and_not_raised(sound, tmp_path, band):
    broken = look(tmp_path, LAST, land=LAND)
    Path(broken.assets[band].href).write_bytes(b"no raster")

    result = judged([*sound, broken])

    assert of_last(result).verdict == "unmeasured"
    assert of_last(result).reason.startswith("cannot be read: ")
    assert {one.verdict for one in result.scenes if one != of_last(result)} == {"sound"}


def test_a_file_in_another_format_is_not_opened(sound, tmp_path):
    vrt = tmp_path / "red.vrt"
    vrt.write_text("<VRTDataset rasterXSize='1' rasterYSize='1'></VRTDataset>")
    sly = look(tmp_path, LAST, land=LAND)
    sly = replace(sly, assets=sly.assets | {"red": replace(sly.assets["red"], href=str(vrt))})

    assert Path(sly.assets["red"].href).is_file()
    assert of_last(judged([*sound, sly])).codes == ("unread",)


@pytest.mark.parametrize(
    ("scl", "code"),
    [
        (np.where(LAND == 2, 4, 6), "scl-vegetation"),  # water called forest
        (np.where(LAND == 0, 9, 5), "scl-cloud"),  # forest called cloud
        (np.where(LAND == 0, 4, 77), "scl-unknown"),
    ],
)
def test_a_classification_that_is_nonsense_is_caught(sound, tmp_path, scl, code):
    found = of_last(judged([*sound, look(tmp_path, LAST, land=LAND, scl=scl)]))

    assert found.verdict == "set aside" and code in found.codes


def test_a_classification_that_is_odd_is_remarked(sound, tmp_path):
    fields_called_cloud = np.where(LAND == 1, 9, 4 + LAND)

    found = of_last(judged([*sound, look(tmp_path, LAST, land=LAND, scl=fields_called_cloud)]))

    assert found.verdict == "sound"
    assert "scl-cloud-odd" in [note.code for note in found.remarks]


def test_cloud_cover_far_from_the_items_is_remarked(sound, tmp_path):
    wrong = replace(look(tmp_path, LAST, land=LAND), cloud=90.0)

    found = of_last(judged([*sound, wrong]))

    assert found.verdict == "sound"
    assert [note.code for note in found.remarks] == ["cloud-cover"]


# --- the seam ----------------------------------------------------------------------------------


def seam(folder, **second):
    first = look(folder, 1, land=LAND)
    return first, look(folder, 1, crs="EPSG:32651", **second)


def test_two_zones_of_one_day_join(tmp_path):
    first, second = seam(tmp_path)

    (pair,) = certificate.pairs([second, first])
    step = certificate.measure_step(*pair)

    assert pair == (first, second)
    assert abs(step.red) < 10 and abs(step.nir) < 20 and step.n_pixels > 20_000
    assert step.shift.length < 0.2


def test_a_step_and_a_shift_between_zones_are_measured(tmp_path):
    first, second = seam(tmp_path, said=0, land=ground("EPSG:32651", right=2))

    step = certificate.measure_step(first, second)

    assert step.red == pytest.approx(1000, abs=15)
    # the zones are turned against one another by 3 degrees: 2 px east is almost 2 px east
    assert step.shift.dx == pytest.approx(2, abs=0.2) and abs(step.shift.dy) < 0.3


def test_the_side_that_was_not_measured_sound_is_blamed_for_a_step(sound, tmp_path):
    alone = look(tmp_path, DAYS[0], crs="EPSG:32651", land=ground("EPSG:32651", right=3))
    evidence = [*certificate.examine(sound), *certificate.examine([alone])]
    steps = [certificate.measure_step(*pair) for pair in certificate.pairs([*sound, alone])]

    result = certificate.judge(evidence, Options(), steps)

    assert [one.too_large for one in result.steps] == [True]
    assert list(result.set_aside) == [alone.id]
    assert "does not join S2A_T50RQT_20241001_L2A" in result.set_aside[alone.id]


def test_scenes_of_other_days_or_one_tile_are_no_pair(sound, tmp_path):
    assert certificate.pairs(sound) == ()
    assert certificate.pairs([sound[0], look(tmp_path, 2, crs="EPSG:32651")]) == ()


def test_a_step_that_cannot_be_read_is_returned(tmp_path):
    first, second = seam(tmp_path)
    Path(second.assets["nir"].href).unlink()

    step = certificate.measure_step(first, second)

    assert step.problem.code == "unread" and step.red is None


# --- places and paper --------------------------------------------------------------------------


def test_places_are_the_same_whatever_the_order(sound):
    places = choose(sound)

    assert places == choose(sound[::-1])
    assert places.size == 128 and len(places.corners) == 4


def test_every_scene_gets_a_place_though_footprints_differ(sound):
    west, south, east, north = sound[0].footprint.bounds
    middle = (west + east) / 2
    halves = [
        replace(sound[0], footprint=shapely.box(west, south, middle + 1e-4, north)),
        replace(sound[1], footprint=shapely.box(middle - 1e-4, south, east, north)),
    ]

    places = choose(halves)
    west_ones = [x for x, _ in places.corners if x < (place_of(sound[0]) + 1280)]

    assert places.size == 64 and len(places.corners) == 9
    assert len(west_ones) in (4, 5)


def place_of(scene):
    """Western edge of a scene, metres."""
    return scene.assets["red"].transform[2]


def test_a_scene_without_any_ground_has_no_place(sound):
    nowhere = replace(sound[0], footprint=shapely.Polygon())

    assert choose([nowhere]) is None and choose([]) is None


def test_what_is_written_is_read_back_and_written_alike(sound, tmp_path):
    evidence = certificate.examine([*sound, look(tmp_path, LAST, land=LAND, said=0)])
    result = certificate.judge(evidence, Options())

    text = result.to_json()

    assert certificate.Certificate.from_json(text) == result
    assert certificate.Certificate.from_json(text).to_json() == text
    assert certificate.judge(evidence[::-1], Options()).to_json() == text
    assert json.loads(text)["summary"]["n_set_aside"] == 1


@pytest.mark.parametrize("text", ["", "{}", '{"summary": 1}', b"\xff"])
def test_a_damaged_certificate_is_refused(text):
    with pytest.raises(IntegrityError, match="certificate is damaged") as caught:
        certificate.Certificate.from_json(text)

    assert "合格证" in caught.value.zh


def test_nothing_to_judge_is_an_empty_certificate():
    result = certificate.judge(certificate.examine([]), Options())

    assert result.summary.n_scenes == 0 and result.scenes == ()


def test_the_world_is_as_large_as_it_says():
    assert LAND.shape == (SIDE, SIDE) and set(np.unique(LAND)) == {0, 1, 2}
