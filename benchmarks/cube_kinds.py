"""The two ways of keeping a quarterly cube that `cube_store.py` compares."""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import icechunk
import numpy as np
import xarray as xr
import zarr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from zarr.codecs import BloscCodec

from jinhua_rs import store
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.schema import VARIABLES

LAYERS = (*BAND_NAMES, "smad", "emad", "bcmad", "n_clear")
KEY, BATCH = "hash of what the tiles are made from", 8


@dataclass(frozen=True)
class Folders:
    """A Zarr folder for each tile: temporary name, fsync, rename; sidecar with SHA-256 and key."""

    root: Path
    side: int
    size: int

    def tile(self, at: int) -> xr.Dataset:
        """Return what tile ``at`` holds: smooth land with noise, 2 % not seen."""
        rng, steps, (row, column) = np.random.default_rng(at), np.arange(self.size), divmod(at, 8)
        land = 0.2 + 0.1 * np.sin(steps / 40)[:, None] * np.cos(steps / 55)
        unseen, layers = rng.random(land.shape) < 0.02, {}
        for name in LAYERS:
            values = np.where(unseen, np.nan, land + rng.normal(0, 0.01, land.shape))
            whole = VARIABLES[name].dtype == "uint16"
            values = np.where(unseen, 0, 9) if whole else values
            layers[name] = (("y", "x"), values.astype(VARIABLES[name].dtype))
        left, bottom, side = 440_000 + 10_000 * column, 3_200_000 + 10_000 * row, 10 * self.size
        bounds = (left, bottom, left + side, bottom + side)
        box = GeoBox.from_bbox(bounds, crs="EPSG:4549", resolution=10, tight=True)
        return xr.Dataset(layers, coords=xr_coords(box))

    def path(self, at: int) -> Path:
        """Folder of a tile."""
        return self.root / f"{at:04d}.zarr"

    def make(self, todo: list[int]) -> float:
        """Make tiles in this process; return the CPU seconds."""
        start = process_time()
        for at in todo:
            store.write_tile(self.path(at), self.tile(at))
            store.seal(self.path(at), KEY)
        return process_time() - start

    def write(self, todo: list[int], workers: ProcessPoolExecutor) -> float:
        """Make tiles on two workers; return their CPU seconds."""
        return sum(workers.map(self.make, [todo[::2], todo[1::2]]))

    def missing(self) -> list[int]:
        """Tiles that have to be made: all bytes of the others are read and compared."""
        return [at for at in range(self.side**2) if not store.is_sealed(self.path(at), KEY)]

    def read(self, at: int) -> xr.Dataset:
        """Read a tile, all layers."""
        return store.open_tile(self.path(at)).load()

    def layer(self, name: str) -> list[np.ndarray]:
        """Read one layer of all tiles."""
        return [store.open_tile(self.path(at))[name].to_numpy() for at in range(self.side**2)]

    def right(self, at: int) -> bool:
        """Tell whether a tile is read as it was written, but for rounding to 1e-4."""
        got, meant = self.read(at), self.tile(at)
        return all(np.allclose(got[n], meant[n], atol=6e-5, equal_nan=True) for n in LAYERS)


@dataclass(frozen=True)
class Repository(Folders):
    """Icechunk: workers write chunks into forks of a session, the driver merges and commits."""

    def open(self) -> icechunk.Repository:
        """Open the repository; make one with an empty cube if there is none."""
        storage = icechunk.local_filesystem_storage(str(self.root))
        if icechunk.Repository.exists(storage):
            return icechunk.Repository.open(storage)
        made = icechunk.Repository.create(storage)
        session, pixels = made.writable_session("main"), self.side * self.size
        for name in LAYERS:
            whole = VARIABLES[name].dtype == "uint16"
            array = zarr.create_array(
                session.store, name=name, shape=(pixels, pixels), chunks=(self.size, self.size),
                dtype="uint16" if whole else "int16", fill_value=0 if whole else -32768,
                compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
                dimension_names=("y", "x"),
            )  # fmt: skip
            if not whole:
                array.attrs.update(scale_factor=1e-4, add_offset=0.0, _FillValue=-32768)
        session.commit("an empty cube")
        return made

    def window(self, at: int) -> dict[str, slice]:
        """Where a tile lies in the cube."""
        starts = zip("yx", divmod(at, self.side), strict=True)
        return {dim: slice(n * self.size, (n + 1) * self.size) for dim, n in starts}

    def make(self, todo: list[int], workers: ProcessPoolExecutor | None = None) -> float:
        """Make tiles, with a commit after each batch; return the CPU seconds of the workers."""
        repo, spent = self.open(), 0.0
        for first in range(0, len(todo), BATCH):
            session, some = repo.writable_session("main"), todo[first : first + BATCH]
            halves = [some[::2], some[1::2]]
            forks = [session.fork() for _ in halves]
            for fork, seconds in (workers.map if workers else map)(self.fill, forks, halves):
                session.merge(fork)
                spent += seconds
            session.commit(f"{len(some)} tiles")
        return spent

    write = make

    def fill(self, fork: icechunk.ForkSession, todo: list[int]) -> tuple[object, float]:
        """Write tiles into a fork of the session and hand it back."""
        start = process_time()
        for at in todo:
            fresh = self.tile(at).drop_vars(("y", "x", "spatial_ref"))
            fresh.to_zarr(fork.store, region=self.window(at), mode="r+", consolidated=False)
        return fork, process_time() - start

    def missing(self) -> list[int]:
        """Tiles without a chunk in some layer; the bytes of the others are not looked at."""
        session = self.open().readonly_session("main")

        async def there(name: str) -> set[int]:
            found = [chunk async for chunk in session.chunk_coordinates(f"/{name}")]
            return {row * self.side + column for row, column in found}

        have = set.intersection(*(asyncio.run(there(name)) for name in LAYERS))
        return sorted(set(range(self.side**2)) - have)

    def opened(self) -> xr.Dataset:
        """Open the newest snapshot."""
        cube = self.open().readonly_session("main").store
        return xr.open_zarr(cube, consolidated=False, chunks=None)

    def read(self, at: int) -> xr.Dataset:
        """Read a tile, all layers."""
        return self.opened().isel(self.window(at)).load()

    def layer(self, name: str) -> list[np.ndarray]:
        """Read one layer of the cube."""
        return [self.opened()[name].to_numpy()]
