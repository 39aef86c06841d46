"""Native pixels of one asset over the grid: one window, and once more if that fails."""

from collections.abc import Sequence

import numpy as np
from affine import Affine

from jinhua_rs.cube.placement import Placement
from jinhua_rs.cube.resample import Patch
from jinhua_rs.errors import ContractError
from jinhua_rs.opening import Expected, Unusable, once_more, opened, reading
from jinhua_rs.scene import Scene

__all__ = ["fetch", "inspect", "may_meet", "require_bands"]


def fetch(expected: Expected, band: str, placement: Placement, rim: float = 0.0) -> Patch | None:
    """
    Read what a grid needs of one asset.

    Parameters
    ----------
    expected : Expected
        The scene, and what its assets must agree with.
    band : str
        Canonical name.
    placement : Placement
        The grid's place in the scene's CRS.
    rim : float
        Metres around the grid that are read too.

    Returns
    -------
    Patch or None
        Digital numbers as stored, 0 = not seen; None where the raster does not meet the grid.

    Raises
    ------
    Unusable
        If the asset failed twice, the second time past GDAL's cache.
    """
    try:
        return _fetch(expected, band, placement, rim)
    except Unusable:
        with once_more(expected.scene.assets[band]):
            return _fetch(expected, band, placement, rim)


def _fetch(expected: Expected, band: str, placement: Placement, rim: float) -> Patch | None:
    with opened(expected, band) as source:
        window = placement.window(source.transform, source.shape, rim)
        if window is None:
            return None
        pixels = np.zeros((window.height + 2, window.width + 2), source.dtypes[0])
        source.read(1, window=window, out=pixels[1:-1, 1:-1])
        if source.nodata:
            pixels[pixels == source.nodata] = 0
        return Patch.within(pixels, source.window_transform(window))


def inspect(scene: Scene, bands: Sequence[str]) -> dict[str, str]:
    """
    Look at the headers of a scene's assets; no pixel is read.

    Checks the magic bytes of local files, that the file is GeoTIFF or JPEG 2000 and nothing
    else (a VRT could read other files), its CRS, size, grid, type, number of bands, and that
    the scene's footprint lies on it. The same checks are made again whenever it is opened.

    Parameters
    ----------
    scene : Scene
        With addresses that are allowed, and signed where they must be.
    bands : sequence of str
        Canonical names, those of the mask included.

    Returns
    -------
    dict
        The reason for each band that cannot be used; empty when all are sound. A reason begins
        with ``missing`` where the asset does not exist (any more).

    Raises
    ------
    ContractError
        If the scene lacks one of the bands.
    """
    require_bands(scene, bands)
    expected = Expected.of(scene)
    found = {}
    with reading():
        for band in dict.fromkeys(bands):
            try:
                _look(expected, band)
            except Unusable as reason:
                found[band] = str(reason)
    return found


def _look(expected: Expected, band: str) -> None:
    try:
        with opened(expected, band):
            return
    except Unusable:
        with once_more(expected.scene.assets[band]), opened(expected, band):
            return


def may_meet(expected: Expected, bands: Sequence[str], placement: Placement) -> bool:
    """Tell whether a scene can show any of a grid, from its item alone."""
    if not expected.near(placement.bounds):
        return False
    for band in bands:
        asset = expected.scene.assets[band]
        if asset.transform and asset.shape:
            return placement.window(Affine(*asset.transform), asset.shape) is not None
    return True


def require_bands(scene: Scene, bands: Sequence[str]) -> None:
    """
    Raise unless a scene has all bands.

    Raises
    ------
    ContractError
        Naming the scene and the bands that it lacks.
    """
    missing = sorted(set(bands) - set(scene.assets))
    if missing:
        raise ContractError(
            f"scene {scene.id} lacks {missing}; leave these out of [composite] bands",
            zh=f"影像 {scene.id} 缺少波段 {missing}；请从 [composite] bands 中去掉",
        )
