"""
The watch against truth and against nrt: false alerts, events found, delay, CPU.

``python -m benchmarks.alerts twin FOLDER`` takes a window twin of several years
(``TwinSpec.window``) and learns from the three years before the first quarter that is watched;
``python -m benchmarks.alerts romania`` takes the real pixels of the wheel ``nrt`` 0.2.1, learns
from 2015-2017 and watches 2018-2020. Both print JSON.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from nrt.monitor import BaseNrt
from nrt.monitor.ccdc import CCDC
from nrt.monitor.cusum import CuSum
from nrt.monitor.ewma import EWMA
from odc.geo.geobox import GeoBox
from scipy.ndimage import binary_dilation

from jinhua_rs import catalog, change, cube, masks
from jinhua_rs.change.kernels.fitting import terms
from jinhua_rs.change.series import series
from jinhua_rs.grid import Grid
from jinhua_rs.period import Period
from jinhua_rs.regions import load_units, outline, to_lonlat
from jinhua_rs.schema import TREE_CLASSES, Land
from jinhua_rs.settings import Alerts, load_settings
from jinhua_rs.sites.wheel import read_pixels
from jinhua_rs.twin.chronicle import NO_EVENT, Chronicle
from jinhua_rs.units import M2_PER_MU

OPTIONS = Alerts()
SEED, FIRST, HISTORY = 20200101, Period(2019, 4), 12
LAST = Period(2024, 4)
_EPOCH = np.datetime64("1970-01-01")
_RIVALS: dict[str, Callable[[], BaseNrt]] = {
    "nrt EWMA, defaults": lambda: EWMA(trend=False),
    "nrt EWMA, sensitivity 4, outlier 20": lambda: EWMA(
        trend=False, sensitivity=4, threshold_outlier=20
    ),
    "nrt CuSum, defaults": lambda: CuSum(trend=False),
    "nrt CCDC (OLS)": lambda: CCDC(trend=False),
}

Looks = xr.Dataset
Booleans = npt.NDArray[np.bool_]


def twin(folder: Path) -> dict[str, Any]:
    """Watch a window of the twin and score every quarter."""
    quarters, box = _read_twin(folder)
    chronicle = Chronicle.of(SEED)
    prior = chronicle.states(box, [FIRST.start.date()])[0]["landcover"].to_numpy()
    states, seconds = _watch(quarters, prior)
    truth = _Truth.of(chronicle, box, prior)
    found = {"ours": truth.score(states) | {"cpu_s": seconds, "pixels": prior.size}}
    before, after = _joined(quarters, before=True), _joined(quarters, before=False)
    for name, make in _RIVALS.items():
        alarm, spent = _rival(make(), before, after)
        found[name] = truth.score_alarms(alarm) | {"cpu_s": spent}
    return found


def _read_twin(folder: Path) -> tuple[dict[Period, Looks], GeoBox]:
    """Read the looks of every quarter as the watch does."""
    layers = folder / "layers"
    settings = load_settings(
        None,
        overrides={
            "stac.url": str(folder), "stac.allowed_roots": [str(folder)],
            "area.units": str(layers / "units.gpkg"), "area.level_field": "level",
            "mask.dem": str(layers / "dem.tif"),
        },
    ).settings  # fmt: skip
    area = outline(load_units(settings.area))
    box = Grid(resolution=10.0).covering(area.bounds)
    masker, found, period = masks.masker(settings.mask), {}, FIRST - HISTORY
    while period < LAST + 1:
        kept = catalog.search(
            settings.stac, to_lonlat(area, "EPSG:4549"), period, bands=change.BANDS
        ).kept
        found[period] = cube.read(kept, box, change.BANDS, masker).looks
        period += 1
    return found, box


def _joined(quarters: dict[Period, Looks], *, before: bool) -> Looks:
    return xr.concat(
        [looks for period, looks in quarters.items() if (period < FIRST) == before], dim="time"
    )


def _watch(
    quarters: dict[Period, Looks], prior: npt.NDArray[np.uint8]
) -> tuple[dict[Period, xr.Dataset], dict[str, float]]:
    history = _joined(quarters, before=True)
    change.begin(history.isel(x=slice(0, 4), y=slice(0, 4)), OPTIONS, prior=prior[:4, :4])  # load
    began = time.process_time()
    state = change.begin(history, OPTIONS, prior=prior)
    learnt, states = time.process_time(), {}
    for period in sorted(quarters):
        if not period < FIRST:
            states[period] = state = change.advance(state, quarters[period], OPTIONS)
    ended = time.process_time()
    return states, {"learn": round(learnt - began, 2), "watch": round(ended - learnt, 2)}


class _Truth:
    """What is true in a window, and how alerts stand against it."""

    def __init__(self, chronicle: Chronicle, box: GeoBox, prior: npt.NDArray[np.uint8]) -> None:
        latest = chronicle.latest(box, LAST.stop.date())
        self.events, self.event = chronicle.events, latest["event"].to_numpy()
        quiet = ~binary_dilation(self.event != NO_EVENT)
        self.stable = {
            "bamboo": quiet & (prior == Land.BAMBOO),
            "trees": quiet & np.isin(prior, [int(one) for one in TREE_CLASSES]),
            "all ground": quiet,
        }

    @classmethod
    def of(cls, chronicle: Chronicle, box: GeoBox, prior: npt.NDArray[np.uint8]) -> "_Truth":
        return cls(chronicle, box, prior)

    def happened(self) -> Iterator[tuple[str, date, Booleans]]:
        """Yield the events of 1 亩 or more that began while the watch was on."""
        for code in np.unique(self.event[self.event != NO_EVENT]):
            event, where = self.events[code], self.event == code
            late = event.start > LAST.start.date()
            if event.start >= FIRST.start.date() and not late and 100 * where.sum() >= M2_PER_MU:
                yield str(event.kind), event.start, where

    def score(self, states: dict[Period, xr.Dataset]) -> dict[str, Any]:
        """Tell false losses (% of stable ground, by quarter) and the share found of each event."""
        told: dict[str, Any] = {}
        for least in (1, 2, 3):
            losses = {
                period: (state["alert"] == 2).to_numpy()
                & (state["alert_confidence"] >= least).to_numpy()
                for period, state in states.items()
            }
            false = {
                name: [100 * float(loss[where].mean()) for loss in losses.values()]
                for name, where in self.stable.items()
            }
            told[f"confidence >= {least}"] = {
                "false_percent_mean": {n: round(float(np.mean(v)), 3) for n, v in false.items()},
                "false_percent_worst": {n: round(max(v), 2) for n, v in false.items()},
                "events": [self._event(one, losses) for one in self.happened()],
            }
        return told

    def _event(
        self, one: tuple[str, date, Booleans], losses: dict[Period, Booleans]
    ) -> dict[str, Any]:
        kind, start, where = one
        shares = {
            period: float(loss[where].mean())
            for period, loss in losses.items()
            if period.stop.date() > start
        }
        delays = [n for n, share in enumerate(shares.values()) if share >= 0.5]
        return {
            "kind": kind, "start": str(start), "mu": round(100 * where.sum() / M2_PER_MU, 1),
            "found": round(max(shares.values()), 2),
            "delay_quarters": delays[0] if delays else None,
        }  # fmt: skip

    def score_alarms(self, alarm: npt.NDArray[np.int32]) -> dict[str, Any]:
        """Score alarms that never end: day of each pixel's alarm, 0 = none."""
        events = []
        for kind, start, where in self.happened():
            day = (np.datetime64(start) - _EPOCH).astype(int)
            hits = float((alarm[where] >= day).mean())
            events.append({"kind": kind, "start": str(start), "found": round(hits, 2)})
        false = {n: round(100 * float((alarm[w] > 0).mean()), 2) for n, w in self.stable.items()}
        return {"false_percent_after_all_years": false, "events": events}


def _rival(
    monitor: BaseNrt, before: Looks, after: Looks
) -> tuple[npt.NDArray[np.int32], dict[str, float]]:
    """Run a monitor of nrt on NDVI of the same clear looks; day of the alarm of each pixel."""
    history, new = ndvi_of(before), ndvi_of(after)
    began = time.process_time()
    monitor.fit(dataarray=history, method="OLS", screen_outliers="Shewhart", L=5)
    learnt = time.process_time()
    for at in range(new.sizes["time"]):
        day = new["time"][at].to_numpy().astype("datetime64[us]").item()
        monitor.monitor(array=new[at].to_numpy(), date=day)
    ended = time.process_time()
    alarm = np.where(monitor.mask == 3, monitor.detection_date, 0).astype(np.int32)
    return alarm, {"learn": round(learnt - began, 2), "watch": round(ended - learnt, 2)}


def ndvi_of(looks: Looks) -> xr.DataArray:
    """NDVI of the clear looks, dims (time, y, x), NaN elsewhere."""
    shape = looks["clear"].shape
    ndvi = series(looks)[0].reshape(shape)
    return looks["clear"].astype("float32").copy(data=np.where(looks["clear"], ndvi, np.nan))


_SEEN_SCL = (4, 5, 6, 7)
_SUMMER = (6, 7, 8)
_PLAIN_DROP = 0.10


def romania() -> dict[str, Any]:
    """
    Watch real pixels from 2018-08 on, after three years; nobody has mapped what truly changed.

    The site has no B12: B11 stands in, so that NDMI votes twice. The plain rule compares the
    medians of NDVI of the summers 2017 and 2020 and calls 0.10 a change.
    """
    looks = read_romania()
    days = looks["time"].to_numpy().astype("datetime64[D]")
    start = np.datetime64("2018-08-01")
    ndvi = ndvi_of(looks)
    summers = {
        year: ndvi[
            [d.astype(object).year == year and d.astype(object).month in _SUMMER for d in days]
        ]
        .median("time")
        .to_numpy()
        for year in (2017, 2018, 2019, 2020)
    }
    moved = summers[2020] - summers[2017]
    lost, gained = moved <= -_PLAIN_DROP, moved >= _PLAIN_DROP
    state = change.begin(looks.isel(time=days < start), OPTIONS, prior=None)
    told = change.advance(state, looks.isel(time=days >= start), OPTIONS)
    alert, sure = told["alert"].to_numpy(), told["alert_confidence"].to_numpy()
    stable = np.abs(moved) < _PLAIN_DROP / 2
    residual = residuals(state, looks.isel(time=days >= start))
    return {
        "looks": int(looks.sizes["time"]),
        "watched_percent": round(100 * float((alert > 0).mean()), 1),
        "plain_rule": {"lost": int(lost.sum()), "gained": int(gained.sum())},
        "alert_loss": {f">= {n}": int(((alert == 2) & (sure >= n)).sum()) for n in (1, 2, 3)},
        "alert_gain": {f">= {n}": int(((alert == 3) & (sure >= n)).sum()) for n in (1, 2, 3)},
        "lost_by_both": int((lost & (alert == 2) & (sure >= 2)).sum()),
        "false_percent_where_ndvi_is_as_before": {
            f">= {n}": round(100 * float(((alert > 1) & (sure >= n))[stable].mean()), 2)
            for n in (1, 2, 3)
        },
        "residual_ndvi": residual,
        "lost_since_2018": int((summers[2020] - summers[2018] <= -_PLAIN_DROP).sum()),
    }


def residuals(state: xr.Dataset, looks: Looks) -> dict[str, float]:
    """Spread and memory of what is left of NDVI: white noise would have a correlation of 0."""
    ndvi = ndvi_of(looks).to_numpy()
    course = state["history"].to_numpy()[0]
    basis = terms(looks["time"].to_numpy().astype("datetime64[D]").astype(np.int32))
    left = ndvi - np.einsum("tyx,lt->lyx", course, basis)
    seen = np.isfinite(left)
    pairs: list[tuple[float, float]] = []
    for row, column in np.argwhere(np.isfinite(course[0]))[::7]:
        one = left[:, row, column][seen[:, row, column]]
        pairs += list(pairwise(one))
    a, b = np.array(pairs).T
    kept = (np.abs(a) < 0.2) & (np.abs(b) < 0.2)
    return {
        "standard_deviation": round(float(a[kept].std()), 4),
        "correlation_of_neighbours_in_time": round(float(np.corrcoef(a[kept], b[kept])[0, 1]), 3),
        "history_spread": round(float(np.nanmedian(state["history_spread"].to_numpy()[0])), 4),
    }


def read_romania() -> Looks:
    """Read the real pixels of the wheel as the watch does; B11 stands in for B12."""
    pixels = read_pixels()
    shape = pixels["red"].shape
    fine = {
        name: layer.to_numpy().repeat(2, 1).repeat(2, 2)
        if layer.shape != shape
        else layer.to_numpy()
        for name, layer in pixels.items()
    }
    bands = [fine[name] for name in ("red", "nir", "nir08", "swir16", "swir16")]
    numbers = np.stack([np.where(b == 0, -32768, np.minimum(b, 32767)) for b in bands])
    clear = np.isin(fine["scl"], _SEEN_SCL) & (numbers > 0).all(axis=0)
    clear = clear & ~np.stack([binary_dilation(~day, iterations=5) for day in clear])
    return xr.Dataset(
        {
            "reflectance": (("band", "time", "y", "x"), numbers.astype(np.int16)),
            "clear": (("time", "y", "x"), clear),
        },
        coords={
            "band": list(change.BANDS), "time": pixels["red"]["time"].to_numpy(),
            "y": pixels["red"]["y"].to_numpy(), "x": pixels["red"]["x"].to_numpy(),
        },
    )  # fmt: skip


if __name__ == "__main__":
    FOUND = romania() if sys.argv[1] == "romania" else twin(Path(sys.argv[2]))
    print(json.dumps(FOUND, indent=1))
