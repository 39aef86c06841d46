"""What a change of tree cover means: the most plausible reason from the land before and after."""

import numpy as np
import numpy.typing as npt

from jinhua_rs.causes import Cause
from jinhua_rs.schema import TREE_CLASSES, Change, Land

__all__ = ["reasons"]

Bytes = npt.NDArray[np.uint8]

_LOST_TO = {
    Land.BUILT: Cause.CONSTRUCTION,
    Land.CROPLAND: Cause.FARMING,
    Land.ORCHARD: Cause.FARMING,
    Land.SHRUB: Cause.FELLING,
    Land.BARE: Cause.CLEARED,
    Land.UNSEEN: Cause.CLEARED,
} | dict.fromkeys(TREE_CLASSES, Cause.FELLING)
_GAINED_FROM = {
    Land.BARE: Cause.RESTORATION,
    Land.CROPLAND: Cause.PLANTING,
    Land.ORCHARD: Cause.PLANTING,
    Land.SHRUB: Cause.NATURAL_RETURN,
}
_CODES = len(Land)


def reasons(codes: Bytes, before: Bytes, after: Bytes) -> Bytes:
    """
    Name the reason of each change from the classes before and after.

    A loss to built ground is construction, to crops or orchards farming, to shrub a felling that
    grows again, to bare ground a clearing whose use is not known yet; bamboo that stays bamboo
    or other trees was harvested. A gain on bare ground or in a mine is restoration, on fields and
    orchards planting, in shrub natural return. A planting among shrub looks like a natural return:
    what the bureau reported tells them apart, not the satellite.

    Parameters
    ----------
    codes : ndarray, uint8, dims (y, x)
        ``schema.Change``.
    before, after : ndarray, uint8, dims (y, x)
        ``schema.Land``.

    Returns
    -------
    ndarray, uint8, dims (y, x)
        ``causes.Cause``; 0 where nothing changed.
    """
    lost, gained = (
        np.array([table.get(Land(code), rest) for code in range(_CODES)], np.uint8)
        for table, rest in ((_LOST_TO, Cause.OTHER_LOSS), (_GAINED_FROM, Cause.GREENING))
    )
    thinned = (before == Land.BAMBOO) & (after <= Land.BAMBOO) & (after > 0)
    loss = np.where(thinned, np.uint8(Cause.BAMBOO_HARVEST), lost[after])
    found = np.where(codes == Change.GAIN, gained[before], np.uint8(Cause.NONE))
    return np.where(codes == Change.LOSS, loss, found).astype(np.uint8)
