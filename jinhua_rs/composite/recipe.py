"""One image from the clear looks of a period: its spread, its range, and what it is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import numpy.typing as npt
import xarray as xr

from jinhua_rs.composite import library
from jinhua_rs.composite.screening import chosen, screened, witnesses
from jinhua_rs.errors import ContractError
from jinhua_rs.schema import described
from jinhua_rs.settings import Composite

__all__ = ["compose", "layer_names"]

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int16]

_NOT_SEEN = -32768
_TOLERANCE = 1e-5
"""Step at which the search ends; docs/decisions/0006 has error and speed of the choices."""
_STRIP = {"compiled": 2**20, "library": 2**17}
"""Values (band x date x pixel) worked on at once; the library needs many copies of them."""
_SPREADS = ("smad", "emad", "bcmad")
_PERCENTILES = (10, 50, 90)
_INDICES = {"ndvi": ("nir", "red"), "nbr": ("nir08", "swir22"), "ndmi": ("nir08", "swir16")}


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What every strip is made by."""

    bands: tuple[str, ...]
    own: Booleans
    options: Composite
    engine: ModuleType


def layer_names(bands: tuple[str, ...]) -> tuple[str, ...]:
    """
    Names of the float layers that ``bands`` allow, in their order.

    >>> layer_names(("red", "nir"))
    ('red', 'nir', 'smad', 'emad', 'bcmad', 'ndvi_p10', 'ndvi_p50', 'ndvi_p90')
    """
    ranges = (f"{index}_p{at}" for index in _indices(bands) for at in _PERCENTILES)
    return (*bands, *_SPREADS, *ranges)


def compose(looks: xr.Dataset, own: Booleans, options: Composite) -> xr.Dataset:
    """
    Reduce the clear looks of each pixel to one spectrum, its spread and its range.

    A pixel with fewer than ``widen_below`` clear looks of its own period uses those around it
    too, and says so. Looks far off the pixel's median are then screened out, and what remains
    becomes a geometric median (Roberts, Mueller, McIntyre 2017, doi
    10.1109/TGRS.2017.2723896), which keeps the proportions of a real spectrum, or a median
    band by band. Nothing is filled in.

    Parameters
    ----------
    looks : Dataset
        ``reflectance``, int16, dims (band, time, y, x), 1e-4 of reflectance, -32768 = not
        seen; ``clear``, bool, dims (time, y, x); coordinates ``band`` (names), ``y``, ``x``.
    own : ndarray, bool, dims (time,)
        True for days of the period, False for days around it.
    options : settings.Composite
        ``method``, ``min_clear``, ``widen_below``, ``screen_mads`` and ``engine`` are read.

    Returns
    -------
    Dataset, dims (y, x)
        The bands (reflectance), ``smad``, ``emad``, ``bcmad`` around it, and percentiles 10,
        50 and 90 of NDVI, NBR and NDMI over the same looks where their bands are given
        (float32, NaN = not seen); ``n_clear`` (uint16), looks that were used; ``window``
        (uint8), 0 where the pixel is empty, 1 where all its looks are of the period, 2 where
        some are not. A pixel with fewer than ``min_clear`` looks is empty, but counted.

    Raises
    ------
    ContractError
        If ``looks`` is not of this form, or ``own`` not as long as time.
    """
    reflectance, clear = _checked(looks, own)
    bands = tuple(str(name) for name in looks["band"].to_numpy())
    recipe = _Recipe(bands, np.asarray(own), options, _engine(options.engine))
    shape = clear.shape[1:]
    layers = {name: np.full(shape, np.nan, np.float32) for name in layer_names(bands)}
    layers |= {"n_clear": np.zeros(shape, np.uint16), "window": np.zeros(shape, np.uint8)}
    for rows in _strips(reflectance.shape, _STRIP[options.engine]):
        strip = np.ascontiguousarray(reflectance[:, :, rows]).reshape(*reflectance.shape[:2], -1)
        seen = clear[:, rows].reshape(clear.shape[0], -1) & (strip != _NOT_SEEN).all(axis=0)
        for name, values in _strip(strip, seen, recipe):
            layers[name][rows] = values.reshape(-1, shape[1])
    frame = looks["clear"].drop_vars(("band", "time"), errors="ignore").coords
    coords = {name: at for name, at in frame.items() if set(at.dims) <= {"y", "x"}}
    names = list(layers)
    found = {
        name: described(xr.DataArray(layers.pop(name), dims=("y", "x"), coords=coords), name)
        for name in names
    }
    return xr.Dataset(found)


def _checked(looks: xr.Dataset, own: Booleans) -> tuple[Numbers, Booleans]:
    """Take the arrays out of ``looks``, in the order of dimensions that is worked in."""
    reflectance = looks["reflectance"].transpose("band", "time", "y", "x")
    clear = looks["clear"].transpose("time", "y", "x")
    if reflectance.dtype != np.int16 or clear.dtype != np.bool_:
        raise ContractError(
            f"composite needs int16 reflectance and bool clear, got {reflectance.dtype} and "
            f"{clear.dtype}; hand over what cube.read returns",
            zh=f"合成需要 int16 反射率和布尔型晴空掩膜，实为 {reflectance.dtype} 与 "
            f"{clear.dtype}；请传入 cube.read 的结果",
        )
    if np.shape(own) != (clear.sizes["time"],):
        raise ContractError(
            f"composite needs one flag for each of {clear.sizes['time']} days, got "
            f"{np.shape(own)}; say of each time layer whether it is of the period",
            zh=f"合成需要为 {clear.sizes['time']} 个时相逐一标明是否属于本期，实为 {np.shape(own)}",
        )
    return reflectance.to_numpy(), clear.to_numpy()


def _engine(name: str) -> ModuleType:
    if name == "library":
        return library
    from jinhua_rs.composite import kernels  # noqa: PLC0415 - numba takes half a second

    return kernels


def _strips(shape: tuple[int, ...], values: int) -> Iterator[slice]:
    """Cut the rows of (band, time, y, x) into strips; none if there is nothing to see."""
    bands, dates, height, width = shape
    if not bands * dates * width:
        return
    rows = max(1, values // (bands * dates * width))
    yield from (slice(top, min(top + rows, height)) for top in range(0, height, rows))


def _strip(
    looks: Numbers, seen: Booleans, recipe: _Recipe
) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    """Compose pixels side by side: name and values (pixel,) of each layer."""
    bands, options, engine = recipe.bands, recipe.options, recipe.engine
    use = chosen(seen, recipe.own, options.widen_below)
    if options.screen_mads > 0 and witnesses(bands):
        at, signs = zip(*witnesses(bands), strict=True)
        use = screened(looks[list(at)], signs, use, options.screen_mads, engine.quantiles)
    n_clear = use.sum(axis=0)
    yield "n_clear", n_clear
    use &= n_clear >= options.min_clear
    yield "window", np.where(use[~recipe.own].any(axis=0), 2, use.any(axis=0))
    if options.method == "geomedian":
        centre = engine.geomedian(looks, use, _TOLERANCE)
    else:
        centre = engine.quantiles(looks, use, (0.5,))[:, 0] * np.float32(1e-4)
    yield from zip(bands, centre, strict=True)
    yield from zip(_SPREADS, engine.spreads(looks, use, centre), strict=True)
    for name, (plus, minus) in _indices(bands).items():
        index = _normalised(looks[bands.index(plus)], looks[bands.index(minus)])
        shares = tuple(at / 100 for at in _PERCENTILES)
        (ranges,) = engine.quantiles(index[np.newaxis], use, shares)
        yield from zip((f"{name}_p{at}" for at in _PERCENTILES), ranges, strict=True)


def _indices(bands: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    return {name: pair for name, pair in _INDICES.items() if set(pair) <= set(bands)}


def _normalised(plus: Numbers, minus: Numbers) -> Floats:
    """Normalised difference, -1..1, NaN where the bands do not sum to more than 0."""
    total = plus.astype(np.float32)
    differ = total - minus
    total += minus
    total[total <= 0] = np.nan
    index: Floats = np.clip(np.divide(differ, total, out=differ), -1, 1)
    return index
