"""What a twin is built from, and the folder that holds it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinhua_rs.errors import ConfigError
from jinhua_rs.period import Period
from jinhua_rs.twin.items import Dialect
from jinhua_rs.twin.publish import write_json

__all__ = ["TwinSpec", "claim"]

_RECIPE = 1
"""Raise it when the same spec would give other pixels, so that old folders are not reused."""
_SPEC_FILE = "twin.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinSpec:
    """
    What is to be built; equal specs give equal bytes.

    Attributes
    ----------
    seed : int
        Of ground, history, weather and noise.
    resolution : float
        Pixel size (m) of the bands that are 10 m in truth; the others have twice that.
    periods : tuple of str
        ``("2019Q4", "2024Q4")``.
    unit : str or None
        Code of the county whose surroundings are painted; ``None`` is the whole city.
    window : tuple of float or None
        Left, bottom, right, top (m, EPSG:4549): this box is painted instead of a county, and is
        the one unit of truth and samples (``layers/units.gpkg``).
    dates_per_period : int or None
        At most so many passes in each period, shared out among the relative orbits that see
        the place; ``None`` is all of them.
    cloudiness : float
        Factor on the monthly mean of cloud cover; 0 is never a cloud.
    samples_per_class : int
        Training points of each land-cover class.
    reference_points : int
        Reference points of each county.
    dialect : str
        Collection of Earth Search v1 whose habits the items have.
    buffer_m : float
        Painted beyond the outline of city, county or window, metres.
    """

    seed: int = 20200101
    resolution: float = 10.0
    periods: tuple[str, ...] = ("2019Q4", "2024Q4")
    unit: str | None = None
    dates_per_period: int | None = 8
    cloudiness: float = 1.0
    samples_per_class: int = 300
    reference_points: int = 100
    dialect: Dialect = "sentinel-2-c1-l2a"
    buffer_m: float = 3_000.0
    window: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.resolution < 10 or not self.periods or self.cloudiness < 0:
            raise ConfigError(
                "a twin needs a resolution of 10 m or more, a period and a cloudiness of 0 or "
                f"more, got {self.resolution}, {self.periods}, {self.cloudiness}",
                zh=f"模拟数据的分辨率须不小于 10 米、至少一个时段、云量系数不小于 0，现为 "
                f"{self.resolution}、{self.periods}、{self.cloudiness}",
            )
        if self.window is not None:
            self._require_window(*self.window)

    def _require_window(self, left: float, bottom: float, right: float, top: float) -> None:
        if self.unit is not None or not (left < right and bottom < top):
            raise ConfigError(
                "the window of a twin is left, bottom, right, top in metres of EPSG:4549, and "
                f"stands instead of a county, got {self.window} and unit {self.unit}",
                zh="模拟数据的窗口为左、下、右、上（EPSG:4549，米），且不能与县（市、区）同时给出，"
                f"现为 {self.window}、{self.unit}",
            )

    @property
    def spans(self) -> list[Period]:
        """The periods in order of time."""
        return sorted(map(Period.parse, set(self.periods)))

    @property
    def facts(self) -> dict[str, Any]:
        """The spec as JSON holds it, with the number of the recipe; no window is not told."""
        told = {name: value for name, value in asdict(self).items() if name != "window" or value}
        return dict(json.loads(json.dumps(told | {"recipe": _RECIPE})))

    @property
    def sha256(self) -> str:
        """Digest of the facts."""
        return hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()


def claim(folder: Path, spec: TwinSpec) -> None:
    """
    Take possession of a folder for a spec.

    Raises
    ------
    ConfigError
        If it holds a twin of another spec, naming what differs, or something else.
    """
    file = folder / _SPEC_FILE
    if file.is_file():
        held = json.loads(file.read_text("utf-8"))["spec"]
        wanted = spec.facts
        differ = [
            f"{name} {held.get(name)!r} -> {wanted.get(name)!r}"
            for name in sorted({*held, *wanted})
            if held.get(name) != wanted.get(name)
        ]
        if differ:
            raise ConfigError(
                f"{folder} holds another twin: {'; '.join(differ)}; give another folder",
                zh=f"{folder} 中已有另一份模拟数据（{'；'.join(differ)}）；请换一个文件夹",
            )
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(
            f"{folder} is not empty and holds no twin; give a new folder",
            zh=f"{folder} 不是空文件夹，也不是模拟数据；请换一个文件夹",
        )
    write_json(file, {"simulated": True, "spec": spec.facts, "sha256": spec.sha256})
