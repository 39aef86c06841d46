"""Finished or absent: temporary name, fsync, rename, and the sidecar with the checksum last."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jinhua_rs.errors import ConfigError, IntegrityError, LockedError

__all__ = [
    "SUMS",
    "digest",
    "is_sealed",
    "locked",
    "read_facts",
    "read_json",
    "require_space",
    "seal",
    "sweep",
    "verify_sums",
    "whole",
    "write_json",
    "write_sums",
]

SUMS = "SHA256SUMS"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """
    Yield a temporary path beside ``path``; what is written there replaces ``path`` at the end.

    The body may make a file or a folder. If it raises, or the process dies, ``path`` is
    as it was before.

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
        if path.is_dir():
            _remove(path)
        part.replace(path)
        _fsync(path.parent)
    except OSError as error:
        if error.errno is None:
            raise
        raise ConfigError(
            f"cannot write {path}: {error.strerror}; free space or choose another [output] root",
            zh=f"无法写入 {path}（{error.strerror}）；请腾出空间或更换 [output] root",
        ) from error
    finally:
        _remove(part)


def _to_disk(path: Path) -> None:
    for member in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if member.is_file():
            _fsync(member)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def sweep(folder: Path) -> int:
    """Remove the temporary pieces that killed runs left in ``folder``; return how many."""
    parts = list(folder.rglob(".*.part")) if folder.is_dir() else []
    for part in parts:
        _remove(part)
    return len(parts)


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


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """
    Hold ``folder`` for one run; the lock of a killed run frees itself.

    Raises
    ------
    LockedError
        If another process holds it (exit code 75).
    ConfigError
        If the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("a")
    except OSError as error:
        raise ConfigError(
            f"cannot write to {folder}: {error.strerror}; choose another [output] root",
            zh=f"无法写入 {folder}（{error.strerror}）；请更换 [output] root",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(
                f"another run holds {folder}; wait for it to end",
                zh=f"另一个运行正在使用 {folder}；请等待其结束",
            ) from error
        yield


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
