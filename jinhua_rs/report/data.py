"""The one source of every number in a report, and its way to JSON and back."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd
from pydantic import ConfigDict, TypeAdapter, ValidationError

from jinhua_rs.errors import ContractError, IntegrityError
from jinhua_rs.figures import Estimate, Words
from jinhua_rs.period import ZONE
from jinhua_rs.report.alerted import AlertArea
from jinhua_rs.report.said import Said
from jinhua_rs.scene import SceneDecision
from jinhua_rs.schema import ROW_COLUMNS

__all__ = [
    "Fact",
    "Gate",
    "ReportData",
    "Row",
    "SceneCheck",
    "SceneSummary",
    "StepEffect",
    "Tally",
    "TargetLine",
    "Unit",
    "from_json",
    "records",
    "to_json",
]

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    One indicator row (:data:`jinhua_rs.schema.ROW_COLUMNS`); ``None`` is "not known".

    ``value``, ``low`` and ``high`` are in ``measure``; ``n_clear_share`` is 0-1.
    """

    period: str
    unit: str
    indicator: str
    value: float | None
    low: float | None
    high: float | None
    measure: str
    status: str
    n_clear_share: float | None
    source: str
    n: int = 0
    test: str = ""
    p: float | None = None

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    @property
    def estimate(self) -> Estimate:
        """The numbers of the row, NaN where not known."""
        numbers = (self.value, self.low, self.high)
        value, low, high = (math.nan if number is None else number for number in numbers)
        clear = math.nan if self.n_clear_share is None else self.n_clear_share
        return Estimate(value, low, high, self.status, clear)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A reporting unit; ``level`` is city, county, township or zone; ``area_m2`` its land."""

    code: str
    name: Words
    level: str
    area_m2: float


@dataclass(frozen=True, slots=True)
class Tally:
    """How many scenes met one fate."""

    reason: Words
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSummary:
    """
    What a search found and what became of it.

    ``dates`` are the local days of the scenes used, ``YYYY-MM-DD``, sorted; ``failed`` counts kept
    scenes that could not be read.
    """

    found: int
    kept: int
    failed: int
    dropped: tuple[Tally, ...]
    dates: tuple[str, ...]
    platforms: tuple[str, ...]
    source: str

    @classmethod
    def of(
        cls,
        decisions: Iterable[SceneDecision],
        reasons: Mapping[str, tuple[str, str]],
        *,
        source: str,
        failed: int = 0,
    ) -> "SceneSummary":
        """
        Sum up the decisions of an inventory.

        Parameters
        ----------
        decisions : iterable of SceneDecision
            One for each item found; spare ones, of the days around, are not counted.
        reasons : Mapping
            Code of a decision to its English and Chinese name; other codes stand as they are.
        source : str
            Where the scenes were found.
        failed : int
            Kept scenes that could not be read.
        """
        everything = tuple(one for one in decisions if one.verdict != "spare")
        kept = [one.scene for one in everything if one.verdict == "kept" and one.scene]
        counts = Counter(one.code or one.reason for one in everything if one.verdict != "kept")
        dropped = (Tally(_reason(code, reasons), counts[code]) for code in sorted(counts))
        return cls(
            found=len(everything),
            kept=len(kept),
            failed=failed,
            dropped=tuple(dropped),
            dates=tuple(sorted({f"{scene.acquired.astimezone(ZONE):%Y-%m-%d}" for scene in kept})),
            platforms=tuple(sorted({scene.platform for scene in kept})),
            source=source,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A condition of publishing; ``value`` and ``limit`` as printed, e.g. ``"97.4%"``."""

    name: Words
    value: str
    limit: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLine:
    """
    A figure of the plan, for the whole city.

    ``key`` is its name in the settings (``forest_cover`` is the one that is judged);
    ``alternative`` a second reading where the first looks like a slip, ``doubt`` why, and
    ``warning`` what is then printed wherever the target stands
    (:func:`jinhua_rs.report.told`).
    """

    key: str
    value: float
    unit: str
    source: str
    deadline: str = ""
    alternative: float | None = None
    doubt: str = ""
    warning: Words | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of a summary: what it is and what it says, e.g. of the model card."""

    name: Words
    text: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneCheck:
    """
    What the certificate says of one scene, as printed.

    ``offset`` is what the metadata say and what the pixels carry, ``shift`` how far the scene lies
    off the others of its tile; "—" is "not measurable". ``passed`` is False for a scene set aside.
    """

    scene: str
    day: str
    tile: str
    offset: str
    shift: str
    passed: bool
    verdict: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEffect:
    """
    What a step of refinement did to the mapped tree cover of a unit; ``None`` is "not known".

    ``step`` is one of :data:`jinhua_rs.refine.STEPS`; see :mod:`jinhua_rs.effects`.
    """

    unit: str
    step: str
    tree_cover_ha: float | None
    difference_ha: float | None
    changed_share: float | None
    seen_ha: float

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """
    Everything that a report of one period says.

    Attributes
    ----------
    period, baseline : str
        ``2024Q4``; ``baseline`` is ``None`` where nothing is compared.
    run_id : str
        Hash of the inputs.
    created : str
        ISO 8601 with zone; handed in, because nothing here looks at a clock.
    area : Words
        Name of the whole area.
    simulated : bool
        True for data that were made, not seen; ``label`` then stands on every page.
    label : Words
        The mark; empty for real data.
    units : tuple of Unit
        The city first. Units may overlap, so nothing is ever summed over them.
    rows, baseline_rows, change_rows : tuple of Row
        Indicator rows of the period, of the baseline, and of the change between them.
    rules : Words
        What counts by the statutory definition as it is set; empty where none was applied.
    series : tuple of Row
        Coverage of every year of the season that was published, this period's included.
    scenes : SceneSummary
    gates, targets : tuple
        Conditions of publishing with their outcome; figures of the plan.
    model, accuracy : tuple of Fact
        Summaries of the model card and of the accuracy assessment; may be empty.
    certificate : tuple of Fact
        Summary of what was measured on the scenes; empty where nothing was measured.
    checks : tuple of SceneCheck
        The certificate scene by scene.
    refinement : tuple of Fact
        Which steps the map went through, and which years were heard.
    effects : tuple of StepEffect
        What each of these steps did, by unit.
    alerts : tuple of AlertArea
        Ground watched and in alert, by unit; empty where the watch was off.
    method : tuple of Fact
        Settings of the run that decide about the map.
    version : str
        Of the software.
    credits : tuple of Words
        Sources that must be named.
    claims : tuple of Said
        All that is said of the numbers; from :func:`jinhua_rs.report.told`.
    figures : tuple of str
        Paths of the pictures, relative to the report's folder.
    """

    period: str
    baseline: str | None
    run_id: str
    created: str
    area: Words
    simulated: bool
    label: Words
    units: tuple[Unit, ...]
    rows: tuple[Row, ...]
    baseline_rows: tuple[Row, ...]
    change_rows: tuple[Row, ...]
    scenes: SceneSummary
    gates: tuple[Gate, ...]
    targets: tuple[TargetLine, ...]
    model: tuple[Fact, ...]
    accuracy: tuple[Fact, ...]
    version: str
    credits: tuple[Words, ...]
    certificate: tuple[Fact, ...] = ()
    checks: tuple[SceneCheck, ...] = ()
    refinement: tuple[Fact, ...] = ()
    effects: tuple[StepEffect, ...] = ()
    alerts: tuple[AlertArea, ...] = ()
    method: tuple[Fact, ...] = ()
    claims: tuple[Said, ...] = ()
    series: tuple[Row, ...] = ()
    rules: Words = Words("", "")  # noqa: RUF009 - frozen
    figures: tuple[str, ...] = ()

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def __post_init__(self) -> None:
        if self.simulated and not (self.label.zh and self.label.en):
            raise ContractError(
                "simulated data without a mark; set [report] label and label_zh",
                zh="模拟数据缺少标记；请设置 [report] label 与 label_zh",
            )
        known = {unit.code for unit in self.units}
        strange = {row.unit for row in self.rows + self.change_rows} - known
        if strange:
            raise ContractError(
                f"rows of units that the report does not know: {sorted(strange)}",
                zh=f"指标表含有未列出的统计单元：{sorted(strange)}",
            )

    @property
    def names(self) -> dict[str, Words]:
        """Name of each unit, by code."""
        return {unit.code: unit.name for unit in self.units}

    @property
    def mark(self) -> Words | None:
        """The mark of simulated data, in both languages at once; ``None`` for real data."""
        if not self.simulated:
            return None
        label = self.label
        joint = label.zh if label.en in label.zh else f"{label.zh} · {label.en}"
        return Words(joint, joint)


def records(table: pd.DataFrame) -> tuple[Row, ...]:
    """
    Turn an indicator table (:func:`jinhua_rs.schema.rows`) into rows, NaN to ``None``.

    Raises
    ------
    ContractError
        If a column is missing or unknown.
    """
    if set(table.columns) != set(ROW_COLUMNS):
        raise ContractError(
            f"indicator table: columns {sorted(set(table.columns) ^ set(ROW_COLUMNS))} "
            "missing or unknown; see docs/data-dictionary.md",
            zh="指标表的列不合规范；参见 docs/data-dictionary.md",
        )
    rows = [
        {str(name): _plain(value) for name, value in record.items()}
        for record in table.to_dict("records")
    ]
    return TypeAdapter(tuple[Row, ...]).validate_python(rows)


def to_json(data: ReportData) -> str:
    """Write ``data`` as JSON text: UTF-8, no NaN, equal data to equal text."""
    return _adapter().dump_json(data, indent=1).decode() + "\n"


def from_json(text: str) -> ReportData:
    """
    Read what :func:`to_json` wrote.

    Raises
    ------
    IntegrityError
        If the text is damaged, or is the report of another version.
    """
    try:
        return _adapter().validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise IntegrityError(
            f"report.json is damaged or of another version ({where}: {first['msg']}); "
            "write the report again",
            zh=f"report.json 已损坏或版本不符（{where}）；请重新生成报告",
        ) from error


def _adapter() -> TypeAdapter[ReportData]:
    return TypeAdapter(ReportData)


def _plain(value: object) -> object:
    """Return a plain Python value; NaN becomes ``None``."""
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    return value


def _reason(code: str, reasons: Mapping[str, tuple[str, str]]) -> Words:
    english, chinese = reasons.get(code, (code, code))
    return Words(chinese, english)
