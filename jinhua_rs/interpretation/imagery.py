"""What the composites of a period show around a point."""

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jinhua_rs import store
from jinhua_rs.errors import IntegrityError
from jinhua_rs.figures import CHIP_PX, Look
from jinhua_rs.grid import Grid
from jinhua_rs.period import Period

__all__ = ["Imagery"]

_BANDS = ("blue", "green", "red", "nir")
_KEPT = 8  # tiles in memory: 17 MB each at 1024 pixels a side

Places = NDArray[np.int64]
Bands = Mapping[str, NDArray[np.float32]]


class Imagery:
    """
    The composite tiles of a published period.

    Parameters
    ----------
    folder : Path
        The period's folder, with ``tiles`` and ``published``.
    grid : Grid
        The grid the tiles lie on.

    Raises
    ------
    IntegrityError
        If the publication does not say which tiles it is made of.
    """

    def __init__(self, folder: Path, grid: Grid) -> None:
        receipt = store.read_json(folder / "published" / "run.json")
        if not isinstance(receipt, dict) or "composite" not in receipt.get("tiles", {}):
            raise IntegrityError(
                f"{folder} does not say which tiles it is made of; run the period again",
                zh=f"{folder} 未记录所用瓦片；请重新运行该时段",
            )
        self._period = Period.parse(str(receipt["period"]))
        self._digests: dict[str, str] = receipt["tiles"]["composite"]
        self._tiles, self.grid = folder / "tiles" / "composite", grid
        self._open = lru_cache(_KEPT)(self._opened)

    @property
    def period(self) -> str:
        """The period."""
        return str(self._period)

    @property
    def when(self) -> str:
        """What stands above its chips."""
        first, last = self._period.start, self._period.stop - timedelta(days=1)
        return f"{self._period.name_zh}（{first:%Y-%m-%d} 至 {last:%Y-%m-%d} 多期合成）"

    def look(self, column: int, row: int) -> Look:
        """Cut the chip around a pixel, counted east and north from the origin of the CRS."""
        half = CHIP_PX // 2
        columns = np.arange(column - half, column + half + 1)
        return Look(self.when, self.cut(columns, np.arange(row + half, row - half - 1, -1)))

    def cut(self, columns: Places, rows: Places) -> dict[str, NDArray[np.float32]]:
        """
        Cut blue, green, red and near infrared, as far as they are there.

        Parameters
        ----------
        columns, rows : ndarray, int
            Pixels counted east and north from the origin of the CRS; rows from north to south.

        Returns
        -------
        dict
            Reflectance by band, float32, dims (y, x), NaN = not seen; empty where no tile is.
        """
        cut: dict[str, NDArray[np.float32]] = {}
        side = self.grid.tile_size
        for tile_row in np.unique(rows // side):
            for tile_column in np.unique(columns // side):
                inside = np.ix_(rows // side == tile_row, columns // side == tile_column)
                x, y = (np.array([tile_column, tile_row]) + 0.5) * side * self.grid.resolution
                for name, band in self._open(self.grid.tile_id(float(x), float(y))).items():
                    lines = side - 1 - rows[rows // side == tile_row] % side
                    part = band[np.ix_(lines, columns[columns // side == tile_column] % side)]
                    cut.setdefault(name, np.full((len(rows), len(columns)), np.nan, "float32"))
                    cut[name][inside] = part
        return cut

    def _opened(self, tile: str) -> Bands:
        """Read a tile; one that the publication does not know is empty."""
        if tile not in self._digests:
            return {}
        path = self._tiles / f"{tile}.zarr"
        if store.read_facts(path)["sha256"] != self._digests[tile]:
            raise IntegrityError(
                f"{path} is not the tile that was published; run the period again",
                zh=f"{path} 不是已发布成果所用的瓦片；请重新运行该时段",
            )
        data = store.open_tile(path)
        return {name: data[name].to_numpy() for name in _BANDS if name in data}
