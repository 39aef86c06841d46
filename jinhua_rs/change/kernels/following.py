"""Going on from a state, look after look, compiled."""

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["DOUBT", "GAIN", "LOSS", "follow"]

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Days = npt.NDArray[np.int32]
State = tuple[Bytes, Bytes, Bytes, Days, Days, Floats, npt.NDArray[np.uint16]]

DOUBT, LOSS, GAIN = 1, 2, 3
"""What a look says: 0 as ever, DOUBT nothing (not seen, haze, shade, water), LOSS, GAIN."""

_MOST = 65_535

compiled = numba.njit(cache=True, nogil=True)


@compiled
def follow(
    votes: Bytes,
    drops: Floats,
    days: Days,
    state: State,
    rule: tuple[int, int, int, int],
) -> None:
    """
    Take one look after another and write the state in place.

    A vote opens a run where there is none, and confirms one of its own direction if it comes
    at least ``gap`` days after the last confirmation. A run ends with ``patience`` looks in a
    row that do not vote for it, a firm one (``firm`` hits) with ``firm_patience``.

    Parameters
    ----------
    votes : ndarray, uint8, dims (look, pixel)
        0, ``DOUBT`` (passed over), ``LOSS`` or ``GAIN``.
    drops : ndarray, float32, dims (look, pixel)
        NDVI minus its history; read where there is a vote.
    days : ndarray, int32, dims (look,)
        Days since 1970-01-01, upward.
    state : tuple of ndarray, dims (pixel,)
        ``run`` (0, ``LOSS``, ``GAIN``), ``hits`` and ``calm`` (looks in a row without a vote for
        it), uint8; ``first`` and ``last`` (days of the first and of the last hit), int32;
        ``size`` (mean drop of the hits), float32; ``looks``, uint16.
    rule : (int, int, int, int)
        ``gap``, ``patience``, ``firm``, ``firm_patience``.
    """
    looks = state[6]
    for look in range(days.size):
        for pixel in range(looks.size):
            if votes[look, pixel] != DOUBT:
                looks[pixel] += looks[pixel] < _MOST
                _take(votes[look, pixel], drops[look, pixel], days[look], pixel, state, rule)


@compiled
def _take(
    vote: int, drop: float, day: int, at: int,
    state: State,
    rule: tuple[int, int, int, int],
) -> None:  # fmt: skip
    """Take one look at one pixel into account."""
    run, hits, calm, first, last, size, _ = state
    gap, patience, firm, firm_patience = rule
    if vote != 0 and run[at] == 0:
        run[at], hits[at], calm[at], size[at] = vote, 1, 0, drop
        first[at] = last[at] = day
    elif vote != 0 and vote == run[at]:
        calm[at] = 0
        if day - last[at] >= gap:
            last[at] = day
            hits[at] += hits[at] < 255
            size[at] += (drop - size[at]) / np.float32(hits[at])
    elif run[at] != 0:
        calm[at] += 1
        if calm[at] >= (firm_patience if hits[at] >= firm else patience):
            run[at] = hits[at] = calm[at] = 0
            first[at] = last[at] = 0
            size[at] = 0
