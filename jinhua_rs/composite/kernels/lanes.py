"""
Pixels side by side: what the compiled estimators share.

Estimators work in blocks of :data:`LANES` neighbouring pixels. The arrays of a block are
float32 and end in the lanes, so that one instruction serves several pixels (8 on AVX2); loops
over lanes have no branch. Values are the integers of ``reflectance`` (1e-4 of reflectance),
which float32 holds exactly.

Compiled code is kept on disk, and numba notices a change of the file of the called function
only. So a compiled function calls compiled functions of its own file alone, and this file
holds none.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["LANES", "NOTHING", "ONE", "ZERO", "Booleans", "Floats", "Numbers", "compiled"]

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int16]
Function = TypeVar("Function", bound=Callable[..., Any])

LANES = 64
"""Pixels in a block: 24 looks of 10 bands are 60 KiB, which stays in a level-2 cache."""
ZERO, ONE, NOTHING = np.float32(0), np.float32(1), np.float32(np.inf)
"""Typed, for a bare ``0.0`` would turn a whole loop into float64."""

_FREEDOMS = {"contract", "reassoc", "nsz"}
"""What the compiler may do with sums; NaN and infinity keep their meaning."""


def compiled(function: Function) -> Function:
    """
    Compile for the CPU at first call; the machine code is kept beside the module.

    Division by zero gives infinity as in NumPy, and the interpreter's lock is let go.
    """
    wrap = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FREEDOMS)
    return cast("Function", wrap(function))
