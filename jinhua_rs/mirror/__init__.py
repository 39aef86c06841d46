"""A period's imagery in a folder of one's own, for machines that reach no network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jinhua_rs import catalog, store
from jinhua_rs.catalog.static import catalogue_file
from jinhua_rs.catalog.wire import MissingError
from jinhua_rs.errors import ConfigError, JinhuaError, PartialError
from jinhua_rs.mirror.assets import Want, fetch, recheck, wants
from jinhua_rs.mirror.book import book_of, enter, tell
from jinhua_rs.mirror.heights import Heights, fetch_elevation
from jinhua_rs.scene import Scene
from jinhua_rs.settings import Stac
from jinhua_rs.tasks import Progress

__all__ = ["Heights", "Mirrored", "fetch_elevation", "mirror", "recheck"]


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A mirror of a period: its scenes and assets, their bytes, and how many were there before."""

    folder: Path
    scenes: int
    assets: int
    bytes: int
    reused: int


def mirror(
    inventory: catalog.Inventory,
    stac: Stac,
    bands: Sequence[str],
    folder: Path,
    *,
    workers: int = 4,
    progress: Progress,
) -> Mirrored:
    """
    Copy the assets of a period's kept and spare scenes, and a catalogue of them.

    ``<folder>/scenes/<scene id>/<band>.tif`` (or ``.jp2``) holds the files as they came, each
    with its seal beside it; ``<folder>/items`` and ``<folder>/catalog.json`` a static STAC
    catalogue. A run with ``[stac] profile = "local"`` and ``url = "<folder>"`` finds the same
    scenes with the same offsets and checksums, and so makes the same pixels. The catalogue is
    written last: as long as a period is incomplete, it is not in it. One folder may hold many
    periods; what is there already is not fetched again.

    Parameters
    ----------
    inventory : Inventory
        What :func:`jinhua_rs.catalog.search` found with ``stac``.
    stac : Stac
        Where it was found.
    bands : sequence of str
        Canonical reflectance bands; ``scl`` is added.
    folder : Path
    workers : int
        Files that are fetched at a time.
    progress : callable
        Told about every asset.

    Raises
    ------
    NoDataError
        If the inventory holds no scene to use.
    ConfigError
        If the folder is no place for a mirror, the disk is full, or the addresses are ``s3://``.
    PartialError
        If assets failed twice; the others are kept for the next try.
    LockedError
        If another run works on the folder.
    IntegrityError
        If a scene cannot be told in the local dialect without loss.
    """
    inventory.require()
    folder = folder.resolve()
    _require_place(folder, stac, (*inventory.kept, *inventory.spare))
    with store.locked(folder):
        store.sweep(folder)
        fetched = 0
        while True:
            scenes = (*inventory.kept, *inventory.spare)
            wanted = [want for scene in scenes for want in wants(scene, bands, folder)]
            missing = [want for want in wanted if not want.stands()]
            _require_room(folder, missing)
            failed = fetch(missing, stac, folder, workers, progress)
            fetched += len(missing) - len(failed)
            ghosts = _ghosts(failed, wanted)
            if not ghosts:
                break
            inventory = inventory.without(ghosts).require()
        if failed:
            raise _partial(failed, len(wanted), inventory)
        tell(inventory, wanted, folder)
        enter(inventory, folder)
    size = sum(store.read_facts(want.path)["size"] for want in wanted)
    return Mirrored(folder, len(scenes), len(wanted), size, len(wanted) - fetched)


def _ghosts(failed: Mapping[str, JinhuaError], wanted: Sequence[Want]) -> dict[str, str]:
    """Scenes of which every asset is gone; an older copy may stand in for them."""
    gone = {want.id for want in wanted if isinstance(failed.get(want.id), MissingError)}
    scenes = {want.scene for want in wanted} - {
        want.scene for want in wanted if want.id not in gone
    }
    return {scene: f"missing: no file of {scene} is there any more" for scene in sorted(scenes)}


def _require_place(folder: Path, stac: Stac, scenes: Sequence[Scene]) -> None:
    """Refuse a folder that holds another catalogue, and addresses that cannot be copied."""
    book_of(folder)
    local = stac.url and urlsplit(stac.url).scheme in ("", "file")
    if local and catalogue_file(stac.url).parent == folder:
        raise ConfigError(
            f"{folder} is the very catalogue that is read; choose another folder for the mirror",
            zh=f"{folder} 就是正在读取的目录；请为镜像选择其他目录",
        )
    hrefs = [asset.href for scene in scenes for asset in scene.assets.values()]
    away = next((href for href in hrefs if urlsplit(href).scheme == "s3"), None)
    if away is not None:
        raise ConfigError(
            f"{away} needs keys of its own and cannot be mirrored; copy it with a tool for S3, "
            "or choose a profile with https addresses",
            zh=f"{away} 需要专用密钥，无法镜像；请用 S3 工具复制，或改用 https 数据源",
        )


def _require_room(folder: Path, missing: Sequence[Want]) -> None:
    """Refuse to begin what cannot end; local files are linked and take no room."""
    far = [want.asset.size or 0 for want in missing if urlsplit(want.asset.href).scheme]
    store.require_space(folder, sum(far))


def _partial(
    failed: Mapping[str, JinhuaError], total: int, inventory: catalog.Inventory
) -> PartialError:
    name, first = next(iter(failed.items()))
    return PartialError(
        f"{len(failed)} of {total} assets of {inventory.period} could not be mirrored, first "
        f"{name}: {first}; what is finished is kept, run again",
        zh=f"{inventory.period.name_zh}：{total} 个文件中有 {len(failed)} 个未能镜像，首个为 "
        f"{name}（{first.zh}）；已完成部分保留，请重新运行",
    )
