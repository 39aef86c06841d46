"""Reading a static catalogue from a folder: every item below it, and nothing beside it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jinhua_rs.errors import ConfigError, IntegrityError

__all__ = ["catalogue_file", "walk"]

MAX_BYTES = 256 * 2**20
MAX_FILES = 200_000


def catalogue_file(url: str) -> Path:
    """
    Find the root file of a catalogue named by a folder, a file or a ``file://`` address.

    Raises
    ------
    ConfigError
        If there is none.
    """
    path = Path(unquote(urlsplit(url).path) if url.startswith("file:") else url)
    path = path / "catalog.json" if path.is_dir() else path
    if not path.is_file():
        raise ConfigError(
            f"no catalogue at {path}; give an API root or a folder with catalog.json in [stac] url",
            zh=f"{path} 处没有目录文件；请在 [stac] url 中填写 API 地址或含 catalog.json 的目录",
        )
    return path.resolve()


def walk(root: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """
    Yield every item below a catalogue, collection or item collection, with its file.

    Each file is read once; links that leave the folder of ``root`` are refused.

    Raises
    ------
    IntegrityError
        If a file is missing, no JSON, no STAC, or lies outside the folder.
    """
    waiting, seen = [root], {root}
    while waiting:
        file = waiting.pop()
        record = _read(file)
        kind = record.get("type")
        if kind == "Feature":
            yield record, str(file)
        elif kind == "FeatureCollection":
            yield from ((item, str(file)) for item in _features(record, file))
        elif kind in ("Catalog", "Collection"):
            found = [link for link in _linked(record, file, root.parent) if link not in seen]
            seen.update(found)
            waiting += reversed(found)
        else:
            raise _damaged(file, f"type {kind!r} is no STAC")
        if len(seen) > MAX_FILES:
            raise _damaged(root, f"more than {MAX_FILES} files")


def _features(record: dict[str, Any], file: Path) -> list[dict[str, Any]]:
    features = record.get("features")
    if not isinstance(features, list) or not all(isinstance(one, dict) for one in features):
        raise _damaged(file, "features are no list of items")
    return features


def _linked(record: dict[str, Any], file: Path, folder: Path) -> Iterator[Path]:
    links = record.get("links")
    for link in links if isinstance(links, list) else ():
        if not isinstance(link, dict) or link.get("rel") not in ("child", "item", "items"):
            continue
        href = str(link.get("href") or "")
        url = urlsplit(href)
        text = unquote(url.path) if url.scheme == "file" else href
        if url.scheme not in ("", "file") or not text or "\x00" in text:
            raise _damaged(file, f"link {href!r:.80} is no file")
        path = (file.parent / text).resolve()
        if not path.is_relative_to(folder):
            raise _damaged(file, f"link {href!r:.80} leaves the catalogue's folder")
        yield path


def _read(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise _damaged(file, f"larger than {MAX_BYTES >> 20} MiB")
        record = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(file, f"{type(error).__name__}: {error}") from error
    if not isinstance(record, dict):
        raise _damaged(file, "no JSON object")
    return record


def _damaged(file: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"static catalogue, {file.name}: {why}; write the catalogue again",
        zh=f"静态目录文件 {file.name} 有误（{why}）；请重新生成目录",
    )
