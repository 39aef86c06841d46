"""Finished or absent: temporary name, fsync, rename, and the sidecar with the checksum last."""

import errno
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from jinhua_rs.errors import IntegrityError
from jinhua_rs.store.trouble import of_writing, unwritable

__all__ = [
    "SUMS",
    "digest",
    "is_sealed",
    "read_facts",
    "read_json",
    "seal",
    "sweep",
    "verify_sums",
    "whole",
    "write_json",
    "write_sums",
]

SUMS = "SHA256SUMS"
_WINDOWS = sys.platform == "win32"
_ASIDE = re.compile(r"\.(?P<name>.+)\.\w+\.old\.part")
_SWEPT = ".swept"
_OWNER, _NEW = "owner", "new.part"
"""In the temporary folder of a piece: the proof that nobody swept it, and the piece."""
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_TRIES = 5


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """
    Yield a temporary path beside ``path``; what is written there replaces ``path`` at the end.

    The body may make a file or a folder. If it raises, or the process dies, ``path`` is
    as it was before. Only a folder cannot be replaced at one blow: if the process dies just
    then, :func:`sweep` puts the old one back. Two processes may make the same piece at once, as
    when a worker outlives its run: what was swept away under a writer is not put in place.

    Raises
    ------
    ConfigError
        If the folder cannot be written to or the disk is full. An OSError of the body that is of
        something else, such as an input that is missing, stays as it is.
    IntegrityError
        If :func:`sweep` of another run took the temporary path away.
    """
    room: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        room = Path(mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
        (room / _OWNER).touch()
        yield room / _NEW
        _to_disk(room / _NEW)
        _require_owned(room, path)
        _put_in_place(room / _NEW, path)
    except OSError as error:
        if not of_writing(error, path.parent):
            raise
        raise unwritable(path, error) from error
    finally:
        if room is not None:
            _remove(room)


def _require_owned(room: Path, path: Path) -> None:
    """
    Raise unless the room is still the one that was made.

    Libraries make missing folders anew: after a sweep in mid-write there is a room again, with
    the second half of the piece only.
    """
    if not (room / _OWNER).exists():
        raise IntegrityError(
            f"another run began while {path} was written, and took over; nothing was put in place",
            zh=f"写入 {path} 期间另一个运行已接手；本次写入未生效",
        )


def _put_in_place(part: Path, path: Path) -> None:
    """Rename ``part`` to ``path``, unless an equal folder is there by now."""
    for _ in range(_TRIES):
        if _equal(part, path) or _replaced(part, path):
            return
    raise OSError(errno.EBUSY, "others keep writing there", str(path))


def _equal(part: Path, path: Path) -> bool:
    """Tell whether both are folders of equal content; one that vanishes is not."""
    if not part.is_dir() or not path.is_dir() or path.is_symlink():
        return False
    try:
        return digest(part) == digest(path)
    except FileNotFoundError:
        return False


def _replaced(part: Path, path: Path) -> bool:
    """
    Try once to rename ``part`` to ``path``; a folder there goes aside first.

    False if another process was quicker and put a folder there.
    """
    aside = path.with_name(part.parent.name.removesuffix(".part") + ".old.part")
    try:
        if path.is_dir():
            path.replace(aside)
        part.replace(path)
    except OSError as error:
        if error.errno in _TAKEN or (isinstance(error, FileNotFoundError) and part.exists()):
            _remove(aside)  # what went aside is older than what is there now
            return False
        if aside.exists():
            aside.replace(path)
        raise
    _fsync(path.parent)
    with suppress(OSError):  # the new one is in place; `sweep` takes what cannot go yet
        _remove(aside)
    return True


def _to_disk(path: Path) -> None:
    for member in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if member.is_file():
            _fsync(member)


def _fsync(path: Path) -> None:
    """Flush a file or folder; Windows cannot flush a folder, nor a file opened to be read."""
    if _WINDOWS and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if _WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()


def sweep(folder: Path) -> int:
    """
    Clear away the temporary pieces that killed runs left in ``folder``; return how many.

    A folder that was put aside, and whose successor never came, is put back. A worker of a dead
    run may still be writing: its piece is taken away at one blow, so that it cannot be finished.
    """
    parts = _parts(folder)
    for part in sorted(parts, key=_age):
        _put_back(part)
        _cast_off(part)
    return len(parts)


def _parts(folder: Path) -> list[Path]:
    """Temporary pieces in a folder in which others may be at work."""
    found = []
    for where, folders, files in os.walk(folder):
        names = [n for n in (*folders, *files) if n.startswith(".") and n.endswith(".part")]
        found += [Path(where, name) for name in names]
        folders[:] = [name for name in folders if name not in names]
    return found


def _age(path: Path) -> int:
    """Sort key: the newest first, so that the last good folder is the one put back."""
    try:
        return -path.lstat().st_mtime_ns
    except FileNotFoundError:  # its writer has finished
        return 0


def _cast_off(part: Path) -> None:
    """Rename a piece, so that its writer finds it gone as a whole; then delete it."""
    swept = part.with_name(part.name.removesuffix(".part").removesuffix(_SWEPT) + _SWEPT + ".part")
    try:
        if swept != part:
            _remove(swept)
            part.replace(swept)
    except FileNotFoundError:  # its writer has finished, or the piece was put back
        return
    _remove(swept)


def _put_back(part: Path) -> None:
    """Give a folder that was put aside its name again, if nothing has that name."""
    aside = _ASIDE.fullmatch(part.name)
    if aside and part.exists() and not (path := part.with_name(aside["name"])).exists():
        part.replace(path)


def digest(path: Path) -> str:
    """
    SHA-256 of a file, or of a folder's files with their relative names, in hex.

    Equal content gives an equal digest wherever it lies and whenever it was written.
    """
    if path.is_dir():
        total = hashlib.sha256()
        for member in sorted(p for p in path.rglob("*") if p.is_file()):
            total.update(f"{member.relative_to(path).as_posix()}\n{digest(member)}\n".encode())
        return total.hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, content: object) -> None:
    """Write JSON whole or not at all: UTF-8, sorted keys, NaN refused."""
    with whole(path) as part:
        text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
        part.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> object:
    """
    Read JSON that this package wrote.

    Raises
    ------
    IntegrityError
        If the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IntegrityError(
            f"{path} is missing or damaged: {error}; run the period again",
            zh=f"{path} 缺失或已损坏；请重新运行该时段",
        ) from error


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def seal(path: Path, key: str, facts: Mapping[str, object] | None = None) -> None:
    """
    Declare ``path`` finished: write the sidecar with its checksum, the last act of a task.

    Parameters
    ----------
    path : Path
        A file or folder that :func:`whole` has put in place.
    key : str
        Hash of everything the piece was made from.
    facts : Mapping, optional
        What else is worth keeping, JSON values.
    """
    write_json(_sidecar(path), {"sha256": digest(path), "key": key} | dict(facts or {}))


def is_sealed(path: Path, key: str) -> bool:
    """Tell whether ``path`` is finished, undamaged, and made from the inputs of ``key``."""
    if not path.exists() or not _sidecar(path).exists():
        return False
    try:
        sidecar = read_json(_sidecar(path))
    except IntegrityError:
        return False
    return (
        isinstance(sidecar, dict)
        and sidecar.get("key") == key
        and sidecar.get("sha256") == digest(path)
    )


def read_facts(path: Path) -> dict[str, Any]:
    """
    Read the sidecar of a finished piece.

    Raises
    ------
    IntegrityError
        If there is none, or it is not what :func:`seal` writes.
    """
    facts = read_json(_sidecar(path))
    if not isinstance(facts, dict) or "sha256" not in facts:
        raise IntegrityError(
            f"{_sidecar(path)} is not a sidecar; run the period again",
            zh=f"{_sidecar(path)} 不是有效的校验文件；请重新运行该时段",
        )
    return facts


def write_sums(folder: Path, members: list[Path]) -> None:
    """Write ``SHA256SUMS`` over ``members`` (files or folders under ``folder``)."""
    lines = [f"{digest(path)}  {path.relative_to(folder).as_posix()}" for path in sorted(members)]
    with whole(folder / SUMS) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def verify_sums(folder: Path) -> list[str]:
    """
    Check a folder against its ``SHA256SUMS``.

    Returns
    -------
    list of str
        Names that are missing or damaged; empty when all is well.

    Raises
    ------
    IntegrityError
        If the folder has no list to check against, or the list points outside the folder.
    """
    sums = folder / SUMS
    if not sums.is_file():
        raise IntegrityError(
            f"{folder} has no {SUMS}: the period is not finished; run it again",
            zh=f"{folder} 没有 {SUMS}：该时段尚未完成，请重新运行",
        )
    damaged = []
    for line in sums.read_text(encoding="utf-8").splitlines():
        expected, _, name = line.partition("  ")
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise IntegrityError(
                f"{sums} names {name!r} outside the folder", zh=f"{sums} 指向文件夹之外：{name!r}"
            )
        if not path.exists() or digest(path) != expected:
            damaged.append(name)
    return damaged
