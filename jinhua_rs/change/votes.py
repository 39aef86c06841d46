"""What each look says of each pixel: as ever, loss, gain, or nothing because of haze and shade."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jinhua_rs.change.kernels.following import DOUBT, GAIN, LOSS
from jinhua_rs.change.series import NDMI, NDVI, NIR, RED, SWIR, Floats
from jinhua_rs.settings import Alerts

__all__ = ["BLOCK_PX", "Said", "judge"]

Booleans = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

BLOCK_PX = 512
"""Side of a block whose pixels are asked together whether a whole scene is off."""

_WHOLE_SHARE = 0.30
"""More votes than this in a block are a fault of the scene, or its weather: no ground does that."""
_LEAST_WATCHED = 400
_HAZE_OF_SWIR = 0.3
_HAZE_MARGIN = 0.01
"""
Haze and cloud brighten near infrared at least half as much as SWIR (spectra of thin and thick
water cloud over forest: 0.9-1.7 times); soil, rock and roofs laid bare do not (0.2 at most).
"""
_DARKER = 0.03
_BARE_DROP = 0.20
_BARE_RED = 0.05
"""
Ground laid bare: NDVI falls and red rises by so much; rock that greens the other way round, though
its near infrared may fall.
"""


@dataclass(frozen=True, eq=False, slots=True)
class Said:
    """
    What looks say.

    Attributes
    ----------
    votes : ndarray, uint8, dims (look, pixel)
        0 as ever, ``DOUBT``, ``LOSS``, ``GAIN``.
    haze, shade, flood, fault : ndarray, uint8, dims (pixel,)
        Looks that were passed over for that reason.
    """

    votes: Bytes
    haze: Bytes
    shade: Bytes
    flood: Bytes
    fault: Bytes


def judge(
    residuals: Floats, spread: Floats, clear: Booleans, shape: tuple[int, int], options: Alerts
) -> Said:
    """
    Judge looks against the usual course.

    An index counts where it is off its course by ``deviations`` spreads and by the least step.
    Two of NDVI, NBR and NDMI that fall are a loss, two that rise a gain. One that is off alone
    says nothing: haze lowers NDVI only, a gap that greens leaves NBR low. A fall is passed over
    where red and near infrared brighten together more than SWIR explains (haze), where near
    infrared darkens and red does not brighten (shade), where NDMI rises (flood). A look that
    the mask calls cloudy counts only where it shows bare ground beyond doubt: masks take fresh
    bare ground for cloud, at every date.

    Parameters
    ----------
    residuals : ndarray, float32, dims (series, look, pixel)
        Series less their course; NaN = not seen, or not watched.
    spread : ndarray, float32, dims (series, pixel)
    clear : ndarray, bool, dims (look, pixel)
    shape : (int, int)
        Rows and columns of the pixels.
    """
    least = np.array([options.least_ndvi, *[options.least_moisture] * 2], np.float32)
    limits = np.maximum(options.deviations * spread[:3], least[:, None])
    looks, pixels = clear.shape
    said = Said(np.zeros((looks, pixels), np.uint8), *np.zeros((4, pixels), np.uint8))
    blocks = _blocks(shape)
    for look in range(looks):
        now = residuals[:, look]
        with np.errstate(invalid="ignore"):
            vote = _vote(now, limits, clear[look], said)
        vote[np.isnan(now[NDVI])] = DOUBT
        _set_aside(vote, blocks, said.fault)
        said.votes[look] = vote
    return said


def _vote(now: Floats, limits: Floats, clear: Booleans, said: Said) -> Bytes:
    """Judge one look, and count what is passed over."""
    below, above = (now[:3] < -limits).sum(axis=0), (now[:3] > limits).sum(axis=0)
    red, nir, swir = now[RED], now[NIR], now[SWIR]
    greener = ((red < 0.01) & (nir > 0)) | ((red < -_BARE_RED) & (now[NDVI] > _BARE_DROP))
    vote = np.where(below >= 2, LOSS, np.where((above >= 2) & greener, GAIN, 0)).astype(np.uint8)
    alone = (below + above > 0) & (vote == 0)
    vote[alone] = DOUBT
    flood = (now[NDVI] < -limits[NDVI]) & (now[NDMI] > limits[NDMI])
    haze = (below >= 2) & (red > 0.01) & (nir > _HAZE_OF_SWIR * swir - _HAZE_MARGIN)
    shade = (below >= 2) & (red < 0.01) & (nir < -_DARKER)
    for why, count in ((flood, said.flood), (haze & clear, said.haze), (shade, said.shade)):
        count[...] += why & (count < 255)
        vote[why] = DOUBT
    bare = (now[NDVI] < -_BARE_DROP) & (red > _BARE_RED) & (nir < _HAZE_OF_SWIR * swir)
    vote[~clear & ~(bare & (vote == LOSS))] = DOUBT
    return vote


def _blocks(shape: tuple[int, int]) -> list[npt.NDArray[np.intp]]:
    """Pixels of each block."""
    places = np.arange(shape[0] * shape[1]).reshape(shape)
    return list(_cut(places))


def _cut(places: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[np.intp]]:
    for row in range(0, places.shape[0], BLOCK_PX):
        for column in range(0, places.shape[1], BLOCK_PX):
            yield places[row : row + BLOCK_PX, column : column + BLOCK_PX].ravel()


def _set_aside(vote: Bytes, blocks: list[npt.NDArray[np.intp]], fault: Bytes) -> None:
    """Pass a look over in the blocks that are off as a whole."""
    for block in blocks:
        here = vote[block]
        watched = np.count_nonzero(here != DOUBT)
        moved = (here == LOSS) | (here == GAIN)
        if watched >= _LEAST_WATCHED and np.count_nonzero(moved) > _WHOLE_SHARE * watched:
            vote[block] = DOUBT
            fault[block[moved]] += fault[block[moved]] < 255
