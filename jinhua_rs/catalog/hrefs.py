"""The door for addresses: an item may name any address, but only allowed ones are ever opened."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from jinhua_rs.catalog.profiles import Source
from jinhua_rs.errors import IntegrityError
from jinhua_rs.settings import Stac

__all__ = ["Access", "host_allowed", "is_loopback"]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f<>\\\"`{}|^]")
"""Control characters, spaces, and what opens inline XML or a template."""


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name means this very machine."""
    return host in _LOOPBACK


def host_allowed(url: SplitResult, allowed: tuple[str, ...]) -> bool:
    """
    Tell whether a web address is on the list.

    ``*.example.com`` allows every subdomain but not ``example.com`` itself; an address with
    a port that is not 443 needs an entry ``host:port``.

    >>> host_allowed(urlsplit("https://a.example.com/x.tif"), ("*.example.com",))
    True
    >>> host_allowed(urlsplit("https://badexample.com/x.tif"), ("*.example.com",))
    False
    """
    host = (url.hostname or "").lower()
    name = host if url.port in (None, 443) else f"{host}:{url.port}"
    wildcards = (entry[1:].lower() for entry in allowed if entry.startswith("*."))
    return name in {entry.lower() for entry in allowed} or any(
        name.endswith(suffix) and name != suffix for suffix in wildcards
    )


@dataclass(frozen=True, slots=True)
class Access:
    """
    Which addresses imagery may be read from.

    Attributes
    ----------
    hosts : tuple of str
        Web hosts and ``s3://bucket`` entries.
    roots : tuple of Path
        Folders from which local files may be read.
    loopback : bool
        True where the catalogue itself is served on loopback: plain http is then
        allowed, on loopback only.
    """

    hosts: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    loopback: bool = False

    @classmethod
    def of(cls, profile: Source, stac: Stac | None = None, *, folder: Path | None = None) -> Self:
        """Hosts of the profile and the settings; roots of the settings and a local catalogue."""
        stac = stac or Stac()
        roots = (*stac.allowed_roots, *((folder,) if folder else ()))
        return cls(
            hosts=(*profile.hosts, *stac.allowed_hosts),
            roots=tuple(root.resolve() for root in roots),
            loopback=is_loopback(urlsplit(stac.url or profile.url).hostname),
        )

    def resolve(self, href: str, base: str = "") -> str:
        """
        Return the full address, or refuse it.

        Parameters
        ----------
        href : str
            As the item says; may be relative.
        base : str
            Address or file of the item itself, for relative ones.

        Returns
        -------
        str
            ``https://…``, ``s3://…`` or an absolute file path; never ``/vsi…``.

        Raises
        ------
        IntegrityError
            If the address is malformed or not allowed.
        """
        try:
            full = href if urlsplit(href).scheme or not _web(base) else urljoin(base, href)
            url = urlsplit(full)
            port = url.port
        except ValueError as error:
            raise _refused(href, f"malformed address ({error})", "地址格式错误") from error
        if url.scheme in ("", "file"):
            return self._local(href, full, base)
        if _FORBIDDEN.search(full) or ".." in unquote(unquote(url.path)).split("/"):
            raise _refused(href, "malformed address", "地址格式错误")
        if url.username or url.password:
            raise _refused(href, "address with user name", "地址含用户信息")
        if url.scheme == "s3":
            ok = f"s3://{url.netloc}" in self.hosts
        elif url.scheme == "http":
            ok = self.loopback and is_loopback(url.hostname) and port is not None
        else:
            ok = url.scheme == "https" and host_allowed(url, self.hosts)
        if not ok:
            raise _refused(href, "host or scheme not allowed", "主机或协议不在允许范围")
        return full

    def _local(self, href: str, full: str, base: str) -> str:
        url = urlsplit(full)
        text = unquote(url.path) if url.scheme else full
        broken = re.search(r"[\x00-\x1f<>]", text) or url.netloc not in ("", "localhost")
        if broken or not text or "/vsi" in f"/{text}".lower().replace("//", "/"):
            raise _refused(href, "malformed path", "路径格式错误")
        try:
            path = (Path(base).parent / text if base and not _web(base) else Path(text)).resolve()
        except OSError as error:
            raise _refused(href, f"malformed path ({error})", "路径格式错误") from error
        if not any(path.is_relative_to(root) for root in self.roots):
            raise _refused(href, "file outside the allowed folders", "文件不在允许的目录内")
        return str(path)


def _web(base: str) -> bool:
    return urlsplit(base).scheme in ("http", "https", "s3")


def _refused(href: str, why: str, why_zh: str) -> IntegrityError:
    shown = ascii(href[:120])
    return IntegrityError(
        f"refused address {shown}: {why}; if it is meant, add its host to [stac] allowed_hosts "
        "or its folder to [stac] allowed_roots",
        zh=f"拒绝访问地址 {shown}：{why_zh}；如确需使用，请在 [stac] allowed_hosts 或 "
        "allowed_roots 中登记",
    )
