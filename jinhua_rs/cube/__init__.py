"""
The only room that reads imagery: from scenes to reflectance and clear sky on one grid.

An asset passes the door (:mod:`jinhua_rs.opening`) whenever it is opened; the window that the grid
needs is read once (``fetching``), brought onto the grid by the lattice of ``placement`` and the
kernels of ``warp`` or by GDAL (``resample``), ranked by how well it shows each pixel
(``sighting``), and laid with the others of its day into one layer (``looks``). Atlases
(``atlases``) pass the same door and are resampled by the same means.
"""

from jinhua_rs.cube.atlases import read_atlas
from jinhua_rs.cube.fetching import inspect
from jinhua_rs.cube.looks import Read, read
from jinhua_rs.cube.resample import Engine

__all__ = ["Engine", "Read", "inspect", "read", "read_atlas"]
