"""
What each step of the composite is worth: its error against the cloud-free ground of the twin.

Usage: ``python -m benchmarks.composite_steps [--side 512] [--cloudiness 1.0 1.6]``

The truth is the median, band by band, over all passes of the quarter, of the ground as each pass
would have seen it without cloud, shadow, haze or noise. A step is switched on or off by the same
settings that a user has. Writes the part of ``docs/composite.md`` between its two marks.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.geobox import GeoBox

from benchmarks.patch_twin import Patch
from jinhua_rs import catalog, composite, cube, masks
from jinhua_rs.period import Period
from jinhua_rs.scene import BAND_NAMES, Scene
from jinhua_rs.settings import Composite, Mask, Stac

__all__ = ["Score", "Step", "days_of", "main", "masker_of", "scenes_of", "scores", "truth_of"]

Floats = npt.NDArray[np.float32]
Booleans = npt.NDArray[np.bool_]

PAGE = Path(__file__).parent.parent / "docs" / "composite.md"
MARKS = "<!-- measured by benchmarks/composite_steps.py -->", "<!-- end of what is measured -->"
PERIOD = Period.parse("2024Q4")
CENTRE = (504_000.0, 3_222_000.0)
"""Foothills of Yiwu: forest on slopes, fields, villages and the edge of the town."""
_SURE = 3
"""Looks from which one odd look among them does not decide a median."""
_SHOWN = ("blue", "red", "nir", "swir16")


class _Everything:
    """The mask of who has none: whatever was seen."""

    bands = ("scl",)
    rim_m = 0.0

    def clear(
        self,
        layers: Mapping[str, npt.NDArray[Any]],
        scene: Scene,  # noqa: ARG002
        geobox: GeoBox,  # noqa: ARG002
    ) -> Booleans:
        """See the ``Masker`` protocol."""
        return np.asarray(layers["scl"] != 0)


@dataclass(frozen=True, slots=True)
class _Perfect:
    """The mask that nobody has: the true sky of the twin."""

    patch: Patch
    bands = ("scl",)
    rim_m = 0.0

    def clear(
        self, layers: Mapping[str, npt.NDArray[Any]], scene: Scene, geobox: GeoBox
    ) -> Booleans:
        """See the ``Masker`` protocol."""
        return np.asarray(layers["scl"] != 0) & self.patch.sky(scene, geobox)


@dataclass(frozen=True, slots=True)
class Step:
    """One row: its name, its mask (settings, or ``"none"``, or ``"true sky"``) and its options."""

    name: str
    mask: Mask | str
    options: Composite


@dataclass(frozen=True, slots=True)
class Score:
    """
    Error of a composite against the truth, over the pixels that it shows.

    ``seen`` share 0-1; the others by band and ``ndvi``: root mean square, mean, and the 95th
    percentile of the size of the error; bands in 1/10000, NDVI in 1/1000. ``sure`` is the share
    of pixels with at least three looks, ``sure_rmse`` the mean over the ten bands there.
    """

    seen: float
    sure: float
    sure_rmse: float
    rmse: dict[str, float]
    bias: dict[str, float]
    p95: dict[str, float]


def steps(dem: Path) -> list[Step]:
    """List the rows: one step more each time, then the whole without one step each time."""
    bare = Mask(opening_m=0.0, buffer_m=0.0)
    plain = Composite(method="median", widen_days=0, screen_mads=0.0, min_clear=1)
    opened = bare.model_copy(update={"opening_m": Mask().opening_m})
    grown = opened.model_copy(update={"buffer_m": Mask().buffer_m})
    terrain = grown.model_copy(update={"dem": dem})
    screened = plain.model_copy(update={"screen_mads": Composite().screen_mads})
    geomedian = screened.model_copy(update={"method": "geomedian"})
    widened = geomedian.model_copy(update={"widen_days": Composite().widen_days})
    whole = widened.model_copy(update={"min_clear": Composite().min_clear})
    return [
        Step("no mask, median", "none", plain),
        Step("+ SCL", bare, plain),
        Step("+ opening 40 m", opened, plain),
        Step("+ buffer 100 m", grown, plain),
        Step("+ terrain shade (class 2)", terrain, plain),
        Step("+ outlier screen", terrain, screened),
        Step("+ geometric median", terrain, geomedian),
        Step("+ widened window", terrain, widened),
        Step("+ two looks at least = **the product**", terrain, whole),
        Step("product, three looks at least", terrain, whole.model_copy(update={"min_clear": 3})),
        Step("product without opening", terrain.model_copy(update={"opening_m": 0.0}), whole),
        Step("product without buffer", terrain.model_copy(update={"buffer_m": 0.0}), whole),
        Step("product without terrain shade", grown, whole),
        Step(
            "product without outlier screen",
            terrain,
            whole.model_copy(update={"screen_mads": 0.0}),
        ),
        Step(
            "product with band-wise median", terrain, whole.model_copy(update={"method": "median"})
        ),
        Step("true sky, median", "true sky", plain),
        Step("true sky, geometric median", "true sky", geomedian),
    ]


def scores(patch: Patch, scenes: Sequence[Scene], dem: Path) -> Iterator[tuple[Step, Score]]:
    """Yield every row with its error, for the scenes that the patch was painted into."""
    truth, own = truth_of(patch), sorted(days_of(scenes))
    for step in steps(dem):
        looks = cube.read(scenes, patch.geobox, BAND_NAMES, masker_of(step.mask, patch)).looks
        of_period = np.isin(looks["time"].to_numpy().astype("datetime64[D]"), own)
        if not step.options.widen_days:
            looks, of_period = looks.isel(time=of_period), of_period[of_period]
        yield step, _score(composite.compose(looks, of_period, step.options), truth)


def truth_of(patch: Patch) -> dict[str, Floats]:
    """Median over the passes of the quarter of the ground without sky, by band and NDVI."""
    passes = [one for one in patch.passes if PERIOD.contains(one.start)]
    grounds = list(patch.bare(passes))
    truth = {name: np.median([one[name] for one in grounds], axis=0) for name in BAND_NAMES}
    return truth | {"ndvi": _ndvi(truth)}


def scenes_of(patch: Patch, folder: Path) -> list[Scene]:
    """Search the scenes of a painted patch, in the quarter and around it, as the house does."""
    stac = Stac(profile="earth-search-c1", url=str(folder), allowed_roots=(folder,))
    area = patch.geobox.extent.to_crs("EPSG:4326").geom
    quarters = (PERIOD - 1, PERIOD, PERIOD + 1)
    return [scene for one in quarters for scene in catalog.search(stac, area, one).kept]


def days_of(scenes: Sequence[Scene]) -> set[np.datetime64]:
    """Days of the quarter on which there is a scene (the same in UTC and in solar time here)."""
    return {
        np.datetime64(scene.acquired.date().isoformat(), "D")
        for scene in scenes
        if PERIOD.contains(scene.acquired)
    }


def masker_of(mask: Mask | str, patch: Patch) -> masks.Masker:
    """Return the masker of settings; of a name, one that settings cannot ask for."""
    if isinstance(mask, Mask):
        return masks.masker(mask)
    return _Everything() if mask == "none" else _Perfect(patch)


def _ndvi(bands: Mapping[str, Floats]) -> Floats:
    return (bands["nir"] - bands["red"]) / (bands["nir"] + bands["red"])


def _score(image: xr.Dataset, truth: Mapping[str, Floats]) -> Score:
    bands = {name: image[name].to_numpy() for name in BAND_NAMES}
    seen = np.isfinite(bands["red"])
    sure = seen & (image["n_clear"].to_numpy() >= _SURE)
    score = Score(float(seen.mean()), float(sure.mean()), 0.0, {}, {}, {})
    within = []
    for name, values in (bands | {"ndvi": _ndvi(bands)}).items():
        unit = 1e3 if name == "ndvi" else 1e4
        error = unit * (values.astype("float64") - truth[name])
        score.rmse[name] = float(np.sqrt(np.mean(error[seen] ** 2)))
        score.bias[name] = float(np.mean(error[seen]))
        score.p95[name] = float(np.percentile(np.abs(error[seen]), 95))
        if name in BAND_NAMES and sure.any():
            within.append(np.sqrt(np.mean(error[sure] ** 2)))
    return replace(score, sure_rmse=float(np.mean(within)) if within else float("nan"))


def _table(rows: Sequence[tuple[Step, Score]]) -> str:
    """Markdown table: the mean over the ten bands, four bands and NDVI."""
    head = [
        "step",
        "seen %",
        "3 looks %",
        "RMSE there",
        "all bands RMSE",
        "p95",
        *(f"{n} RMSE / bias" for n in _SHOWN),
    ]
    head += ["NDVI RMSE", "bias", "p95"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " --: |" * (len(head) - 1)]
    for step, score in rows:
        cells = [step.name, f"{100 * score.seen:.1f}", f"{100 * score.sure:.1f}"]
        cells.append(f"{score.sure_rmse:.0f}")
        cells += [f"{np.mean([d[n] for n in BAND_NAMES]):.0f}" for d in (score.rmse, score.p95)]
        cells += [f"{score.rmse[n]:.0f} / {score.bias[n]:+.0f}" for n in _SHOWN]
        cells += [f"{score.rmse['ndvi']:.0f}", f"{score.bias['ndvi']:+.0f}"]
        cells.append(f"{score.p95['ndvi']:.0f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _section(
    patch: Patch, cloudiness: float, scenes: Sequence[Scene], rows: Sequence[tuple[Step, Score]]
) -> str:
    within, side = days_of(scenes), patch.geobox.shape.x
    around = {scene.acquired.date() for scene in scenes if not PERIOD.contains(scene.acquired)}
    return (
        f"### Cloudiness x {cloudiness:g}\n\n"
        f"{side} x {side} pixels of 10 m; {len(within)} days with at most {Stac().max_cloud:g} % "
        f"cloud in {PERIOD}, {len(around)} in the {Composite().widen_days} days around it.\n\n"
        f"{_table(rows)}\n"
    )


def _page(sections: Sequence[str], command: str) -> str:
    intro = (
        "SIMULATED ground (the twin), foothills of Yiwu, both UTM zones. Error of the composite "
        "against the median, over the passes of the quarter, of the ground without cloud, "
        "shadow, haze and noise; over the pixels that the composite shows. Bands in 1/10000 of "
        "reflectance, NDVI in 1/1000; *p95* is the 95th percentile of the size of the error; "
        "*3 looks* is the share of pixels with at least three looks, and *RMSE there* the error "
        "of these, all bands: where fewer looks are left, a cloud that the mask has overlooked "
        "is the answer, so a stricter mask can make the error over all pixels larger. "
        "The error under the true sky is what resampling, noise, haze and the change of the "
        "season within the quarter leave to the best of masks.\n\n"
        f"Regenerate: `{command}`.\n"
    )
    return "\n".join([MARKS[0], "", intro, *sections, MARKS[1]])


def write_page(path: Path, text: str) -> None:
    """Put text between the marks of a page; at its end where it has none."""
    page = path.read_text("utf-8") if path.is_file() else "# The composite, measured\n\n"
    head, found, rest = page.partition(MARKS[0])
    tail = rest.partition(MARKS[1])[2] if found else "\n"
    path.write_text(head + text + tail, "utf-8")


def main(side: int, levels: Sequence[float]) -> None:
    """Paint, measure, print, and write the page."""
    sections = []
    for cloudiness in levels:
        patch = Patch.around(CENTRE, side, (PERIOD, Composite().widen_days), cloudiness=cloudiness)
        with tempfile.TemporaryDirectory() as folder:
            patch.paint(Path(folder))
            scenes = scenes_of(patch, Path(folder))
            rows = list(scores(patch, scenes, Path(folder) / patch.dem))
        sections.append(_section(patch, cloudiness, scenes, rows))
        print(sections[-1], flush=True)
    command = "python -m benchmarks.composite_steps"
    write_page(PAGE, _page(sections, command))


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser(description=__doc__)
    PARSER.add_argument("--side", type=int, default=512, help="side of the patch, pixels")
    PARSER.add_argument("--cloudiness", type=float, nargs="+", default=[1.0, 1.6])
    GIVEN = PARSER.parse_args()
    main(GIVEN.side, GIVEN.cloudiness)
