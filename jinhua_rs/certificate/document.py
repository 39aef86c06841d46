"""The certificate: what was found of each scene and of the quarter, as values and as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from jinhua_rs.certificate.notes import Note
from jinhua_rs.errors import IntegrityError

__all__ = [
    "SET_ASIDE",
    "SOUND",
    "UNMEASURED",
    "Certificate",
    "SceneVerdict",
    "StepVerdict",
    "Summary",
    "SurfaceNumbers",
]

SOUND, UNMEASURED, SET_ASIDE = "sound", "unmeasured", "set aside"


@dataclass(frozen=True, slots=True)
class SurfaceNumbers:
    """Pixels, 1st percentile and median of a kind of ground, DN as stored."""

    n: int
    p1: float
    p50: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneVerdict:
    """
    What became of one scene.

    Attributes
    ----------
    id, tile : str
    verdict : str
        ``sound`` (offset and registration were measured and are right), ``unmeasured`` (one of
        them could not be, nothing speaks against the scene; it is used) or ``set aside``.
    codes : tuple of str
        Short forms of the reasons, the weightiest first; empty for a sound scene.
    reason, reason_zh : str
        The reasons in words.
    offset_said, offset_measured : int, int or None
        DN; None is "not measured".
    offset_because : str
        Why the catalogue decided on what the item says.
    dark : mapping of SurfaceNumbers
        Evidence by surface, such as ``red.vegetation``.
    forest_ndvi : float or None
        Median NDVI of the densest vegetation with the offset said, 1.
    lowest : int or None
        Smallest DN seen.
    shift : (float, float) or None
        Down and right, pixels; None is "not measured".
    shift_quality : float
        Share of the spectrum that agrees, 0-1.
    shift_spread : float or None
        Median distance of the chips from their median, pixels.
    n_chips : int
        Chips that could be matched.
    classes : mapping of str to float
        Share of the seen pixels by scene class, 0-1.
    remarks : tuple of Note
        Worth knowing, no reason to set aside.
    """

    id: str
    tile: str
    verdict: str
    codes: tuple[str, ...]
    reason: str
    reason_zh: str
    offset_said: int
    offset_measured: int | None
    offset_because: str
    dark: Mapping[str, SurfaceNumbers]
    forest_ndvi: float | None
    lowest: int | None
    shift: tuple[float, float] | None
    shift_quality: float
    shift_spread: float | None
    n_chips: int
    classes: Mapping[str, float]
    remarks: tuple[Note, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepVerdict:
    """Step between two scenes of one day: DN and pixels, second less first; None not measured."""

    first: str
    second: str
    red: float | None
    nir: float | None
    shift: tuple[float, float] | None
    n_pixels: int
    too_large: bool
    remark: str
    remark_zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """
    The period in a few numbers.

    ``largest_shift`` (pixels) and ``largest_step`` (DN) are those of the scenes that are not set
    aside; None where none was measured. ``remark`` speaks where most scenes contradict their items.
    """

    n_scenes: int
    n_sound: int
    n_unmeasured: int
    n_set_aside: int
    by_code: Mapping[str, int]
    median_shift: float | None
    largest_shift: float | None
    n_steps: int
    n_steps_too_large: int
    largest_step: float | None
    remark: str
    remark_zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """
    Scenes sorted by id, steps in the order of the pairs, and the summary.

    Numbers are kept to four decimals, so that what is read back is equal to what was written.
    """

    summary: Summary
    scenes: tuple[SceneVerdict, ...]
    steps: tuple[StepVerdict, ...]

    @property
    def set_aside(self) -> dict[str, str]:
        """Scene id to the reason, English."""
        return {one.id: one.reason for one in self.scenes if one.verdict == SET_ASIDE}

    @property
    def set_aside_zh(self) -> dict[str, str]:
        """Scene id to the reason, Chinese."""
        return {one.id: one.reason_zh for one in self.scenes if one.verdict == SET_ASIDE}

    def to_json(self) -> str:
        """Return the same text for the same certificate."""
        return json.dumps(
            asdict(self), ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> "Certificate":
        """
        Read what :meth:`to_json` wrote.

        Raises
        ------
        IntegrityError
            If the text is damaged or is no certificate.
        """
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise IntegrityError(
                f"certificate is damaged at {where or 'its start'}: {first['msg']}; "
                "run the period again",
                zh=f"影像合格证已损坏（{where or '开头'}）：{first['msg']}；请重新运行该时段",
            ) from error
