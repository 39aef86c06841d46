"""Trouble with the disk in words: what is full or forbidden, what is needed, what to do."""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from jinhua_rs.errors import ConfigError

__all__ = ["of_writing", "require_space", "unwritable"]

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (*_FULL, errno.EROFS, errno.EFBIG, errno.EIO, errno.EACCES, errno.EPERM)
"""What a disk answers that does not take what it is given."""


def of_writing(error: OSError, folder: Path) -> bool:
    """Tell trouble with what lies in ``folder`` from that with anything else, as an input."""
    if isinstance(error.filename, str | os.PathLike):
        return Path(error.filename).is_relative_to(folder)
    return error.errno in _REFUSED


def unwritable(path: Path, error: Exception) -> ConfigError:
    """Return what to tell the user when ``error`` came of writing ``path``."""
    reason = getattr(error, "strerror", None) or error
    # GDAL has no number for a full disk: what it says may mean one.
    if isinstance(error, OSError) and error.errno not in (None, *_FULL):
        return ConfigError(
            f"cannot write {path}: {reason}; correct that or choose another [output] root",
            zh=f"无法写入 {path}（{reason}）；请排除该问题或更换 [output] root",
        )
    free, begun = (f"{size / 1e6:,.1f} MB" for size in (_free(path), _begun(path)))
    return ConfigError(
        f"cannot write {path}: {reason}; {free} are free and more than {begun} needed for this "
        "piece alone (`jinhua-rs plan` tells for the whole period); free space or choose another "
        "[output] root, and run again: finished pieces are kept",
        zh=f"无法写入 {path}（{reason}）：磁盘剩余 {free}，仅此一项即需 {begun} 以上"
        "（整个时段所需见 jinhua-rs plan）；请腾出空间或更换 [output] root 后重新运行，"
        "已完成的部分保留",
    )


def _free(path: Path) -> int:
    """Bytes free where ``path`` is to be; 0 where that cannot be told."""
    with suppress(OSError):
        return shutil.disk_usage(path.parent).free
    return 0


def _begun(path: Path) -> int:
    """Bytes of the unfinished pieces of ``path``, which lie beside it as long as it is written."""
    begun = [path.with_name(path.name + ".part"), *path.parent.glob(f".{path.name}.*.part")]
    with suppress(OSError):  # another run sweeps
        members = (member for piece in begun for member in (piece, *piece.rglob("*")))
        return sum(member.stat().st_size for member in members if member.is_file())
    return 0


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
