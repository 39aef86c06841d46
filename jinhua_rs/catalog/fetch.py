"""Imagery at a safe distance: addresses that GDAL may open, and files fetched whole."""

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

from jinhua_rs import store
from jinhua_rs.catalog.haul import Haul, require_kind, start_of
from jinhua_rs.catalog.hrefs import Access
from jinhua_rs.catalog.profiles import Source, load_profile
from jinhua_rs.catalog.proof import HEAD, claimed, damaged, looks_wrong, wrong_content
from jinhua_rs.catalog.signing import Signer, unsigned
from jinhua_rs.catalog.static import catalogue_file
from jinhua_rs.catalog.wire import MissingError, RefusedError, Wire, plain
from jinhua_rs.errors import ConfigError, JinhuaError, NoDataError
from jinhua_rs.scene import Asset, Scene
from jinhua_rs.settings import Stac

__all__ = ["Courier", "Fetched", "access_to"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetched:
    """
    A file that is there, whole.

    ``checksum`` is the item's multihash where it could be checked, else SHA-256 as a multihash.
    """

    path: Path
    size: int
    checksum: str


def access_to(stac: Stac, source: Source | None = None) -> Access:
    """
    Return the addresses that imagery of these settings may be read from; see :class:`Access`.

    ``source`` stands in place of the profile of the settings.
    """
    profile = source or load_profile(stac.profile)
    url = stac.url or profile.url
    web = urlsplit(url).scheme in ("http", "https")
    return Access.of(profile, stac, folder=None if web else catalogue_file(url).parent)


class Courier:
    """
    Opens addresses of imagery, distrustful of where they lead; may be shared by threads.

    Parameters
    ----------
    access : Access
        Which addresses are allowed, at every hop.
    signer : Signer, optional
        Signs just before reading; a refused address (HTTP 403) is signed anew once.
    timeout_s, retries
        As in ``[stac]``.
    """

    def __init__(
        self, access: Access, signer: Signer | None = None, *, timeout_s: float, retries: int
    ) -> None:
        self._access = access
        self._signer = signer
        self._wire = Wire(access, timeout_s=timeout_s, retries=retries)
        self._signing = threading.Lock()
        self._direct: set[str] = set()

    @classmethod
    def of(cls, stac: Stac, source: Source | None = None) -> Self:
        """Make the courier of the settings; arguments and errors as for :func:`access_to`."""
        signer = Signer(source or load_profile(stac.profile), stac)
        return cls(access_to(stac, source), signer, timeout_s=stac.timeout_s, retries=stac.retries)

    def close(self) -> None:
        """Let go of idle connections."""
        self._wire.close()

    def halt(self) -> None:
        """Let what is under way in other threads end soon; what was fetched so far is kept."""
        self._wire.halt()

    def settle(self, href: str) -> str:
        """
        Return the address that GDAL may open in place of ``href``: checked, and no redirect.

        Every hop is checked and followed here, and the first bytes must be of GeoTIFF or, by
        the name, JPEG 2000. Of a file only these are looked at; an ``s3://`` address is returned
        as it is, GDAL reads it with the user's own keys. The answer may hold a token: it is for
        this process and is not to be stored. An address found to be final is not asked again.

        Raises
        ------
        IntegrityError
            If a hop is not allowed, or it is no imagery.
        NoDataError
            If it is missing (:class:`MissingError`), refused, or does not answer.
        """
        address = self._access.resolve(href)
        scheme = urlsplit(address).scheme
        if scheme == "s3":
            return address
        if scheme == "":
            _require_imagery(Path(address))
            return address
        if address in self._direct:
            return self._sign(address)

        def probe(signed: str) -> str:
            final = self._wire.patiently(
                partial(self._probe, signed), address, 4 * self._wire.timeout_s
            )
            if final == signed:
                self._direct.add(address)
            return final

        return self._as_signed(address, probe)

    def settle_scenes(
        self, scenes: Iterable[Scene], bands: Sequence[str], *, workers: int = 8
    ) -> tuple[tuple[Scene, ...], dict[str, str]]:
        """
        Settle the addresses of scenes, several at a time.

        Returns
        -------
        (tuple of Scene, dict)
            The scenes in their order, each with those assets of ``bands`` and ``scl`` alone that
            may be opened; and ``"<scene id>/<band>"`` to the reason for each that may not.
        """
        there = tuple(scenes)
        names = tuple(dict.fromkeys((*bands, "scl")))
        assets = [(scene, name, scene.assets.get(name)) for scene in there for name in names]
        with ThreadPoolExecutor(workers) as threads:
            outcomes = list(threads.map(self._settled, (asset for *_, asset in assets)))
        ready: dict[str, dict[str, Asset]] = {scene.id: {} for scene in there}
        broken = {}
        for (scene, name, _), outcome in zip(assets, outcomes, strict=True):
            if isinstance(outcome, JinhuaError):
                broken[f"{scene.id}/{name}"] = unsigned(str(outcome))
            else:
                ready[scene.id][name] = outcome
        return tuple(replace(scene, assets=ready[scene.id]) for scene in there), broken

    def download(
        self, href: str, target: Path, *, size: int | None = None, checksum: str | None = None
    ) -> Fetched:
        """
        Fetch a file whole; what a former try left is gone on with, if it is of the same file.

        A local file is linked, or copied where that cannot be. ``target`` is there whole or not
        at all; what is on its way lies beside it, in ``<target>.part``.

        Parameters
        ----------
        href : str
        target : Path
        size, checksum : optional
            Bytes and multihash (``1220…`` is SHA-256) that the item states.

        Raises
        ------
        IntegrityError
            If size or checksum is wrong, twice; and as :meth:`settle`.
        NoDataError
            As :meth:`settle`.
        ConfigError
            If the disk is full or cannot be written to, or the address is ``s3://``.
        """
        address = self._access.resolve(href)
        scheme = urlsplit(address).scheme
        if scheme == "s3":
            raise ConfigError(
                f"{address} needs keys of its own and cannot be fetched; copy it with a tool for "
                "S3, or choose a profile with https addresses",
                zh=f"{address} 需要专用密钥，无法直接下载；请用 S3 工具复制，或改用 https 数据源",
            )
        if scheme == "":
            return self._taken_over(Path(address), target, size, checksum)
        wrong = ""
        with store.Partial(target, f"{plain(address)} {size} {checksum}") as part:
            haul = Haul(self._wire, part, size, checksum)
            for _ in range(2):
                self._as_signed(address, haul.bring)
                wrong = wrong_content(part.size, part.digest, size, checksum)
                if not wrong:
                    part.finish()
                    return Fetched(target, part.size, _stated(checksum, part.sha256))
                part.restart()
            part.discard()
        raise damaged(address, wrong)

    def _settled(self, asset: Asset | None) -> Asset | JinhuaError:
        if asset is None:
            return MissingError("missing: the item has no such asset", zh="缺失：条目没有该资产")
        try:
            return replace(asset, href=self.settle(asset.href))
        except JinhuaError as error:
            return error

    def _sign(self, address: str, refused: str = "") -> str:
        """Sign; where ``refused`` is what was signed before, with a token that is newer."""
        if self._signer is None:
            return address
        with self._signing:
            signed = self._signer.sign(address)
            if signed != refused or signed == address:
                return signed
            return self._signer.sign(address, renew=True)

    def _as_signed(self, address: str, act: Callable[[str], T]) -> T:
        """Do something with the signed address; once more with a new token if it is refused."""
        signed = self._sign(address)
        try:
            return act(signed)
        except RefusedError:
            again = self._sign(address, refused=signed)
            if again == signed:
                raise
        return act(again)

    def _probe(self, href: str) -> str:
        with self._wire.asking(href, {"Range": f"bytes=0-{HEAD - 1}"}) as (answer, final):
            require_kind(href, start_of(self._wire, answer), answer.headers)
            return final

    def _taken_over(
        self, source: Path, target: Path, size: int | None, checksum: str | None
    ) -> Fetched:
        """Link or copy a local file."""
        _require_imagery(source)
        with store.whole(target) as part:
            try:
                os.link(source, part)
            except OSError:  # another file system, or one without links
                shutil.copyfile(source, part)

            def digest(algorithm: str) -> str:
                with part.open("rb") as file:
                    return hashlib.file_digest(file, algorithm).hexdigest()

            found = part.stat().st_size
            if wrong := wrong_content(found, digest, size, checksum):
                raise damaged(str(source), wrong)
            return Fetched(target, found, _stated(checksum, digest("sha256")))


def _stated(checksum: str | None, sha256: str) -> str:
    return checksum if checksum and claimed(checksum) else f"1220{sha256}"


def _require_imagery(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except FileNotFoundError as error:
        raise MissingError(f"missing: {path}", zh=f"缺失：{path}") from error
    except OSError as error:
        raise NoDataError(
            f"{path} cannot be read: {error.strerror}; check its permissions",
            zh=f"无法读取 {path}（{error.strerror}）；请检查权限",
        ) from error
    if wrong := looks_wrong(str(path), head):
        raise damaged(str(path), wrong)
