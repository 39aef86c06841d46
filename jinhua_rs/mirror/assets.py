"""The files of a mirror: which are wanted, which stand, and how the others come."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from jinhua_rs import catalog, store
from jinhua_rs.catalog.fetch import Courier
from jinhua_rs.catalog.static import walk
from jinhua_rs.catalog.wire import MissingError
from jinhua_rs.errors import ConfigError, IntegrityError, JinhuaError, NoDataError
from jinhua_rs.ledger import Entry, Ledger
from jinhua_rs.planning import fingerprint
from jinhua_rs.scene import Asset, Scene
from jinhua_rs.settings import Stac
from jinhua_rs.tasks import Progress

__all__ = ["Want", "fetch", "recheck", "wants"]

GIVE_UP = 20
"""When so many assets in a row got no answer, the others will not either."""


@dataclass(frozen=True, slots=True)
class Want:
    """One asset, where it shall stand, and the key of what it is."""

    scene: str
    band: str
    asset: Asset
    path: Path
    key: str

    @property
    def id(self) -> str:
        """Scene and band, as the ledger names it."""
        return f"{self.scene}/{self.band}"

    def stands(self) -> bool:
        """Tell by the seal and the length, without reading the file, whether it is there."""
        try:
            facts = store.read_facts(self.path)
            return bool(facts["key"] == self.key and facts["size"] == self.path.stat().st_size)
        except (IntegrityError, OSError, KeyError):
            return False


def wants(scene: Scene, bands: Sequence[str], folder: Path) -> Iterator[Want]:
    """
    Yield what is wanted of a scene.

    Raises
    ------
    IntegrityError
        If its id, or a link that lies there, leads out of the folder.
    """
    home = folder / "scenes" / scene.id
    item = folder / "items" / f"{scene.id}.json"
    if home.resolve().parent != folder / "scenes" or item.resolve().parent != folder / "items":
        raise IntegrityError(
            f"scene id {scene.id!a} leads out of the mirror; report it to the provider",
            zh=f"影像编号 {scene.id!a} 指向镜像目录之外；请向数据提供方反映",
        )
    for band in dict.fromkeys((*bands, "scl")):
        asset = scene.assets[band]
        jp2 = PurePosixPath(urlsplit(asset.href).path).suffix.lower() == ".jp2"
        path = home / f"{band}{'.jp2' if jp2 else '.tif'}"
        # what is the same by its checksum is the same wherever it comes from
        key = fingerprint([asset.checksum or asset.href, asset.size])
        yield Want(scene.id, band, asset, path, key)


def fetch(
    missing: Sequence[Want], stac: Stac, folder: Path, workers: int, progress: Progress
) -> Mapping[str, JinhuaError]:
    """
    Fetch what is missing, and once more what failed; return what failed again, by its id.

    When nothing answers any more, the rest is not tried, and counts as failed.
    """
    ledger = Ledger(folder / "ledger.jsonl")
    courier = Courier.of(stac)
    failed: dict[str, JinhuaError] = {}
    try:
        for stage in ("mirror", "mirror again"):
            tried = {want.id: want for want in missing if not failed or want.id in failed}
            failed, vain = {}, 0
            for want, error in _outcomes(list(tried.values()), courier, workers, stage, progress):
                ledger.note(_entry(want, error))
                tried.pop(want.id)
                if error is not None:
                    failed[want.id] = error
                    vain += isinstance(error, NoDataError) and not isinstance(error, MissingError)
                    if vain == GIVE_UP:
                        return failed | dict.fromkeys(tried, error)
                else:
                    vain = 0
            if not failed:
                break
    finally:
        courier.halt()
        courier.close()
    return failed


def _outcomes(
    wanted: Sequence[Want],
    courier: Courier,
    workers: int,
    stage: str,
    progress: Progress,
) -> Iterator[tuple[Want, JinhuaError | None]]:
    """Yield each asset as it is there, or with what went wrong; trouble with the disk ends all."""
    progress(stage, 0, len(wanted))
    with ThreadPoolExecutor(workers) as threads:
        futures = {threads.submit(_bring, courier, want): want for want in wanted}
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                yield futures[future], _trouble(future)
                progress(stage, done, len(wanted))
        except BaseException:  # Ctrl-C too: do not wait for what is under way
            courier.halt()
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _trouble(future: Future[None]) -> JinhuaError | None:
    """Return what is wrong with one asset; raise what is wrong with the disk or the program."""
    try:
        future.result()
    except ConfigError:
        raise
    except JinhuaError as error:
        return error
    return None


def _bring(courier: Courier, want: Want) -> None:
    got = courier.download(
        want.asset.href, want.path, size=want.asset.size, checksum=want.asset.checksum
    )
    store.seal(want.path, want.key, {"size": got.size, "checksum": got.checksum})


def _entry(want: Want, error: JinhuaError | None) -> Entry:
    if error is None:
        return Entry("asset", want.id, "done")
    told = catalog.unsigned(str(error)), catalog.unsigned(error.zh)
    return Entry("asset", want.id, "failed", *told)


def recheck(folder: Path, *, progress: Progress) -> tuple[str, ...]:
    """
    Read every asset of a mirror again and compare it with its seal.

    Returns
    -------
    tuple of str
        ``<scene id>/<file>`` of what is damaged or gone. Its seal is taken off, as far as the
        folder can be written to, so that the next :func:`mirror` fetches it again.

    Raises
    ------
    IntegrityError
        If an item of the catalogue cannot be read.
    """
    paths = sorted(_sealed(folder) | _named(folder))
    damaged = []
    for done, path in enumerate(paths):
        progress("verify", done, len(paths))
        if not store.is_sealed(path, _key_of(path)):
            damaged.append(f"{path.parent.name}/{path.name}")
            with suppress(OSError):
                path.with_name(f"{path.name}.json").unlink()
    progress("verify", len(paths), len(paths))
    return tuple(damaged)


def _sealed(folder: Path) -> set[Path]:
    """Files that were finished once, also of periods that are not in the catalogue yet."""
    seals = (folder / "scenes").resolve().glob("*/*.json")
    return {seal.with_suffix("") for seal in seals if not seal.name.endswith(".part.json")}


def _named(folder: Path) -> set[Path]:
    """Files that the items of the catalogue name."""
    if not (folder / "catalog.json").is_file():
        return set()
    items = walk((folder / "catalog.json").resolve())
    return {
        (Path(file).parent / asset["href"]).resolve()
        for item, file in items
        for asset in item["assets"].values()
    }


def _key_of(path: Path) -> str:
    try:
        return str(store.read_facts(path).get("key"))
    except IntegrityError:
        return ""
