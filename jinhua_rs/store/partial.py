"""A file that grows aside, survives its process, and takes its place when it is whole."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.store.atomic import read_json, whole, write_json
from jinhua_rs.store.trouble import unwritable

__all__ = ["Partial"]

CHECKPOINT = 8 * 2**20
"""Bytes after which what has grown is flushed to disk and proven."""
_CHUNK = 2**20


class Partial:
    """
    The part of ``path`` that is there so far, in ``<path>.part``.

    ``<path>.part.json`` proves a beginning of it: its length, its SHA-256, and where it came
    from. A killed process, or a power cut, loses what was not proven and nothing else. Use it as
    a context, which proves what is there at its end; one process at a time.

    Parameters
    ----------
    path : Path
        Where the whole file will stand.
    source : str
        What the bytes are; a part of another source is not continued.
    """

    def __init__(self, path: Path, source: str) -> None:
        self.path = path
        self.source = source
        self.validator = ""
        """What a server said about the version of these bytes; empty if nothing."""
        self.size = 0
        """Bytes so far."""
        self._part = path.with_name(path.name + ".part")
        self._proof = path.with_name(path.name + ".part.json")
        self._sum = hashlib.sha256()
        self._proven = 0
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._part.touch()
            self._file = self._part.open("r+b")
        except OSError as error:
            raise unwritable(self.path, error) from error
        if not self._taken_up():
            self.restart()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        try:
            self.prove()
        except ConfigError:
            if error is None:
                raise
        finally:
            with suppress(OSError):  # a full disk; the proof says how far the part is good
                self._file.close()
            self._file = None
            if not self.size:
                self._remove()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, hex."""
        return self._sum.hexdigest()

    def restart(self, validator: str = "") -> None:
        """Begin again from nothing; ``validator`` says which version of the source follows."""
        self._open.seek(0)
        self._open.truncate()
        self._sum = hashlib.sha256()
        self.size = self._proven = 0
        self.validator = validator
        self._proof.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """
        Append bytes.

        Raises
        ------
        ConfigError
            If the disk is full or cannot be written to.
        """
        try:
            self._open.write(data)
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._sum.update(data)
        self.size += len(data)
        if self.size - self._proven >= CHECKPOINT:
            self.prove()

    def prove(self) -> None:
        """Flush what is there and say so beside it: a later run goes on from here."""
        if self.size == self._proven:
            return
        try:
            self._open.flush()
            os.fsync(self._open.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error
        said = {"source": self.source, "validator": self.validator}
        write_json(self._proof, said | {"bytes": self.size, "sha256": self.sha256})
        self._proven = self.size

    def finish(self) -> None:
        """Flush the whole file and put it in place; nothing of the part is left."""
        self.prove()
        self._open.close()
        self._file = None
        with whole(self.path) as place:
            self._part.replace(place)
        self._proof.unlink(missing_ok=True)

    def digest(self, algorithm: str) -> str:
        """Digest of the bytes so far by any algorithm of :mod:`hashlib`, hex."""
        if algorithm == "sha256":
            return self.sha256
        self.prove()
        with self._part.open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest()

    def discard(self) -> None:
        """Remove the part and its proof; nothing can be written any more."""
        self._open.close()
        self._file = None
        self._remove()

    def _remove(self) -> None:
        self._part.unlink(missing_ok=True)
        self._proof.unlink(missing_ok=True)

    @property
    def _open(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("a Partial is used inside its context")
        return self._file

    def _taken_up(self) -> bool:
        """Go on from the proven beginning of a former run, if it is of this source and sound."""
        try:
            said = read_json(self._proof) if self._proof.exists() else None
        except IntegrityError:
            said = None
        if not isinstance(said, dict) or said.get("source") != self.source:
            return False
        wanted = said.get("bytes")
        while isinstance(wanted, int) and self.size < wanted:
            data = self._open.read(min(_CHUNK, wanted - self.size))
            if not data:
                return False
            self._sum.update(data)
            self.size += len(data)
        if said.get("sha256") != self.sha256:
            return False
        self._open.truncate()
        self._proven = self.size
        self.validator = str(said.get("validator", ""))
        return True
