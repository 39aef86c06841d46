"""Finished or absent: temporary name, fsync, rename, and the sidecar with the checksum last."""

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jinhua_rs.errors import ConfigError, IntegrityError

__all__ = [
    "SUMS",
    "digest",
    "is_sealed",
    "read_facts",
    "read_json",
    "require_space",
    "seal",
    "sweep",
    "unwritable",
    "verify_sums",
    "whole",
    "write_json",
    "write_sums",
]

SUMS = "SHA256SUMS"
_WINDOWS = sys.platform == "win32"
_ASIDE = re.compile(r"\.(?P<name>.+)\.\d+\.old\.part")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """
    Yield a temporary path beside ``path``; what is written there replaces ``path`` at the end.

    The body may make a file or a folder. If it raises, or the process dies, ``path`` is
    as it was before. Only a folder cannot be replaced at one blow: if the process dies just
    then, :func:`sweep` puts the old one back.

    Raises
    ------
    ConfigError
        If the folder cannot be written to or the disk is full.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _to_disk(part)
        _put_in_place(part, path)
    except OSError as error:
        if error.errno is None:
            raise
        raise unwritable(path, error) from error
    finally:
        _remove(part)


def unwritable(path: Path, error: Exception) -> ConfigError:
    """Return what to tell the user when ``error`` came of writing ``path``."""
    reason = getattr(error, "strerror", None) or error
    return ConfigError(
        f"cannot write {path}: {reason}; free space or choose another [output] root",
        zh=f"无法写入 {path}（{reason}）；请腾出空间或更换 [output] root",
    )


def _put_in_place(part: Path, path: Path) -> None:
    """Rename ``part`` to ``path``; a folder there goes aside first, for it cannot be replaced."""
    if not path.is_dir():
        part.replace(path)
        _fsync(path.parent)
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}.old.part")
    _remove(aside)
    path.replace(aside)
    try:
        part.replace(path)
    except OSError:
        aside.replace(path)
        raise
    _fsync(path.parent)
    with suppress(OSError):  # the new one is in place; `sweep` takes what cannot go yet
        _remove(aside)


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

    A folder that was put aside, and whose successor never came, is put back.
    """
    parts = list(folder.rglob(".*.part")) if folder.is_dir() else []
    for part in sorted(parts, key=_age):
        _put_back(part)
        _remove(part)
    return len(parts)


def _age(path: Path) -> int:
    """Sort key: the newest first, so that the last good folder is the one put back."""
    return -path.lstat().st_mtime_ns


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


def require_space(folder: Path, wanted: int) -> None:
    """
    Refuse to start when fewer than ``wanted`` bytes are free under ``folder``.

    Raises
    ------
    ConfigError
        With the bytes wanted and free.
    """
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise ConfigError(
            f"{folder} has {free / 1e9:.2f} GB free, the run needs about {wanted / 1e9:.2f} GB; "
            "free space or choose another [output] root",
            zh=f"{folder} 剩余 {free / 1e9:.2f} GB，约需 {wanted / 1e9:.2f} GB；"
            "请腾出空间或更换 [output] root",
        )


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
