"""What bytes must look like before they are taken for imagery: kind, length and checksum."""

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from jinhua_rs.errors import IntegrityError

__all__ = ["HEAD", "claimed", "damaged", "looks_wrong", "web_page", "wrong_content"]

HEAD = 16
"""Bytes at the start of a file by which its kind is told."""
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JP2 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_MULTIHASH = {"1220": "sha256", "1340": "sha512", "1114": "sha1", "d50110": "md5"}
"""Code and length that a multihash begins with (multiformats table) to the algorithm."""
_LENGTH = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32}


def looks_wrong(href: str, head: bytes) -> str:
    r"""
    Say why the first bytes of a file are not those that its name promises; empty if they are.

    A name that ends in ``.jp2`` promises JPEG 2000 (ISO/IEC 15444-1, annex I), any other
    TIFF or BigTIFF. A VRT, which could make GDAL read other files, is neither.

    >>> looks_wrong("https://example.com/a.tif", b"II*\0....")
    ''
    >>> looks_wrong("https://example.com/a.tif", b"<VRTDataset raste")
    "its first bytes b'<VRTDataset rast' are of no GeoTIFF"
    """
    path = urlsplit(href).path if "://" in href else href
    jp2 = PurePosixPath(unquote(path)).suffix.lower() in (".jp2", ".j2k")
    if head.startswith(_JP2 if jp2 else _TIFF):
        return ""
    return f"its first bytes {head[:HEAD]!r} are of no {'JPEG 2000' if jp2 else 'GeoTIFF'}"


def web_page(head: bytes, content_type: str) -> bool:
    """Tell a page for people, such as a log-in page, from data."""
    shown = head.lstrip().lower().startswith((b"<!doctype h", b"<html", b"<head"))
    return shown or content_type.lower().startswith("text/html")


def claimed(checksum: str | None) -> tuple[str, str] | None:
    """
    Return algorithm and hex digest of a multihash; None where it is none that can be checked.

    >>> claimed("d50110" + "0" * 32)
    ('md5', '00000000000000000000000000000000')
    """
    text = (checksum or "").lower()
    for prefix, algorithm in _MULTIHASH.items():
        digest = text.removeprefix(prefix)
        if digest != text and re.fullmatch(rf"[0-9a-f]{{{_LENGTH[algorithm]}}}", digest):
            return algorithm, digest
    return None


def wrong_content(
    found: int, digest: Callable[[str], str], size: int | None, checksum: str | None
) -> str:
    """
    Compare what was got with what the item says; empty if all agrees.

    Parameters
    ----------
    found : int
        Bytes that were got.
    digest : callable
        Gives their hex digest by the name of an algorithm.
    size, checksum : optional
        Bytes and multihash of the item.
    """
    if size is not None and found != size:
        return f"{found} bytes instead of {size}"
    stated = claimed(checksum)
    if stated and digest(stated[0]) != stated[1]:
        return f"{stated[0]} differs from file:checksum"
    return ""


def damaged(href: str, what: str) -> IntegrityError:
    """Return what to tell the user about a file that is not what it should be."""
    shown = href.partition("?")[0]
    return IntegrityError(
        f"{shown}: {what}; report it to the provider or choose another profile",
        zh=f"{shown} 内容有误（{what}）；请向数据提供方反映或改用其他数据源",
    )
