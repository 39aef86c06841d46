"""One run at a time in a folder: a lock that the system takes back when its holder dies."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from jinhua_rs.errors import ConfigError, LockedError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["locked"]


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
            _take(file)
        except (BlockingIOError, PermissionError) as error:
            raise LockedError(
                f"another run holds {folder}; wait for it to end",
                zh=f"另一个运行正在使用 {folder}；请等待其结束",
            ) from error
        try:
            yield
        finally:
            _free(file)


if sys.platform == "win32":

    def _take(file: IO[str]) -> None:
        """Lock the first byte, which need not exist; PermissionError at once if it is held."""
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _free(file: IO[str]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:

    def _take(file: IO[str]) -> None:
        """Lock the file; BlockingIOError at once if it is held."""
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _free(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
