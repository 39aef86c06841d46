"""A STAC API on loopback for any folder that holds an ``items.json``."""

import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from jinhua_rs.errors import ConfigError, JinhuaError

__all__ = ["serving"]

_HOST = "127.0.0.1"
_PATIENCE_S = 30.0
_PAUSE_S = 0.05


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """
    Serve the items of a folder as a STAC API for the length of a ``with`` block.

    The server is ``rustac serve`` on a free port of 127.0.0.1; it keeps all items in memory
    and makes its collections from them. Two habits to know: paging works with POST only
    (GET answers 500), and the filter and query extensions are passed over without a word,
    so a client must filter again.

    Parameters
    ----------
    folder : Path
        Holds ``items.json``, a FeatureCollection of STAC items with absolute asset hrefs.

    Yields
    ------
    str
        Address of the API root, ``http://127.0.0.1:PORT``.

    Raises
    ------
    ConfigError
        If there is no ``items.json`` or rustac is not installed.
    JinhuaError
        If the server dies or does not answer within half a minute, with what it said.
    """
    items = folder / "items.json"
    if not items.is_file():
        raise ConfigError(
            f"no items.json in {folder}; build the twin or fetch the sites first",
            zh=f"{folder} 中没有 items.json；请先生成模拟数据或下载参考站点",
        )
    port = _free_port()
    command = [_program(), "serve", "--create-collections", "-a", f"{_HOST}:{port}", str(items)]
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(  # noqa: S603  the command is our own
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            address = f"http://{_HOST}:{port}"
            if not _answers(server, address):
                said.seek(0)
                raise _silent(said.read()[-2_000:].decode("utf-8", "replace").strip())
            yield address
        finally:
            _stop(server)


def _program() -> str:
    """Find rustac beside this Python first, then on the path."""
    found = which("rustac", path=sysconfig.get_path("scripts")) or which("rustac")
    if found is None:
        raise ConfigError(
            f"rustac is not installed for {Path(sys.executable).name}; "
            "install jinhua-rs[demo], or read the static catalogue catalog.json instead",
            zh="未安装 rustac；请安装 jinhua-rs[demo]，或改用静态目录 catalog.json",
        )
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _answers(server: "subprocess.Popen[bytes]", address: str) -> bool:
    """Wait until the server answers; False if it dies or time runs out."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _PATIENCE_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with direct.open(address, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(_PAUSE_S)
    return False


def _stop(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    try:
        server.wait(timeout=5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _silent(said: str) -> JinhuaError:
    return JinhuaError(
        f"the local STAC server did not start: {said or 'it said nothing'}; "
        "check items.json, or read the static catalogue instead",
        zh=f"本地 STAC 服务未能启动：{said or '无输出'}；请检查 items.json，或改用静态目录",
    )
