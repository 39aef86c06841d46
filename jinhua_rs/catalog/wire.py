"""Requests for imagery: every hop is allowed, what passes is tried again, all of it ends."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from jinhua_rs.catalog.hrefs import Access, host_allowed, is_loopback
from jinhua_rs.catalog.signing import unsigned
from jinhua_rs.errors import IntegrityError, NoDataError

__all__ = ["MissingError", "PassingError", "RefusedError", "Wire", "host_of", "plain"]

MAX_HOPS = 5
"""An address that sends on more often than this leads nowhere."""
BACKOFF_S = 0.3
"""Pause before the second try; doubled before each further one."""
LONGEST_WAIT_S = 60.0
"""Pauses, and waits asked for by ``Retry-After``, are cut to this."""
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

T = TypeVar("T")


class MissingError(NoDataError):
    """The server has no such file (HTTP 404 or 410)."""


class RefusedError(NoDataError):
    """The server refuses the address as signed (HTTP 401 or 403): renew the token once."""


class PassingError(Exception):
    """
    A fault that may pass.

    ``wait_s`` is the pause that the server asks for, 0 where it asks for none; ``gained`` tells
    that the try brought bytes all the same, and so does not count as one in vain.
    """

    def __init__(self, reason: str, *, wait_s: float = 0.0, gained: bool = False) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.gained = gained


class Wire:
    """
    Connections under one list of allowed addresses; may be shared by threads.

    Redirects are followed here, one by one, because GDAL and its curl follow any redirect to
    any host and have no option against it (GDAL 3.10, measured). Proxies are taken from the
    environment, as by curl.

    Parameters
    ----------
    access : Access
        Which addresses may be opened; asked for every hop.
    timeout_s : float
        How long connecting, or one piece of an answer, is waited for, seconds.
    retries : int
        How often a fault that may pass is tried again.
    """

    def __init__(self, access: Access, *, timeout_s: float, retries: int) -> None:
        self.access = access
        self.timeout_s = timeout_s
        self.retries = retries
        self._halted = threading.Event()
        self._counting = threading.Lock()
        self._open: list[requests.Response] = []
        self._session = requests.Session()

    def close(self) -> None:
        """Let go of idle connections."""
        self._session.close()

    def halt(self) -> None:
        """Let what other threads read or wait for end at once; what they ask for, in time."""
        self._halted.set()
        with self._counting:
            for answer in self._open:
                with suppress(ValueError, RuntimeError):  # it has ended just now
                    answer.raw.shutdown()

    def patiently(self, act: Callable[[], T], what: str, longest_s: float) -> T:
        """
        Return what ``act`` returns once no :class:`PassingError` comes of it.

        Raises
        ------
        NoDataError
            After ``retries`` tries in vain, or when the time ``longest_s`` is over.
        """
        end, vain = time.monotonic() + longest_s, 0
        while True:
            try:
                return act()
            except PassingError as fault:
                vain = 0 if fault.gained else vain + 1
                pause = min(max(BACKOFF_S * 2.0**vain / 2, fault.wait_s), LONGEST_WAIT_S)
                if vain > self.retries or time.monotonic() + pause > end:
                    raise _silent(what, str(fault)) from fault
            if self._halted.wait(pause):
                raise _silent(what, "stopped")

    @contextmanager
    def asking(
        self, href: str, headers: Mapping[str, str]
    ) -> Iterator[tuple[requests.Response, str]]:
        """
        Ask for an address; yield the answer (200, 206 or 416), unread, and its final address.

        Nothing is sent to an address that is not allowed.

        Raises
        ------
        PassingError
            On a fault that may pass.
        MissingError, RefusedError
            On 404 and 410, 401 and 403.
        IntegrityError
            If a hop leads to an address that is not allowed, or there are too many.
        NoDataError
            On any other status.
        """
        answer, final = self._followed(href, headers)
        with closing(answer):
            with self._counting:
                self._open.append(answer)
            try:
                yield answer, final
            finally:
                with self._counting:
                    self._open.remove(answer)

    def read(self, answer: requests.Response, most: int) -> bytes:
        """
        Read the next piece of a body, at most ``most`` bytes; empty at its end.

        Raises
        ------
        PassingError
            If the connection breaks or hangs, or everything is to halt.
        """
        try:
            data = bytes(answer.raw.read1(most, decode_content=False))
        except (HTTPError, OSError) as error:
            raise PassingError(type(error).__name__) from error
        if self._halted.is_set():  # what was read may end where the connection was shut
            raise PassingError("stopped")
        return data

    def _followed(self, href: str, headers: Mapping[str, str]) -> tuple[requests.Response, str]:
        here = self.access.resolve(href)
        for _ in range(MAX_HOPS + 1):
            answer = self._send(here, headers)
            if answer.status_code not in _REDIRECTS:
                return _accepted(answer, here), here
            answer.close()
            here = self._hop(here, answer.headers.get("location", ""))
        raise IntegrityError(
            f"{plain(href)} sends on more than {MAX_HOPS} times; report it to the provider",
            zh=f"{plain(href)} 重定向超过 {MAX_HOPS} 次；请向数据提供方反映",
        )

    def _send(self, href: str, headers: Mapping[str, str]) -> requests.Response:
        request = requests.Request("GET", href, headers={"Accept-Encoding": "identity", **headers})
        prepared = self._session.prepare_request(request)
        options = self._session.merge_environment_settings(
            href, proxies={}, stream=True, verify=None, cert=None
        )
        # not Session.send: it reads the body of a redirect, however long, and keeps cookies
        adapter = self._session.get_adapter(href)
        try:
            return adapter.send(prepared, timeout=self.timeout_s, **options)
        except (requests.exceptions.RequestException, HTTPError) as error:
            raise PassingError(type(error).__name__) from error

    def _hop(self, here: str, location: str) -> str:
        """
        Check where a redirect leads: the rules for addresses, and no step inward.

        Another port of this machine must be on the list, even where loopback may be read.
        """
        try:
            there = urljoin(here, location)
            old, new = urlsplit(here), urlsplit(there)
            listed = new.netloc == old.netloc or host_allowed(new, self.access.hosts)
            inward = is_loopback(new.hostname) and not listed
            if location and new.scheme in ("http", "https") and not inward:
                return self.access.resolve(there)
        except (ValueError, IntegrityError):
            pass  # said below: the refused address itself may hold a token
        raise _astray(here, location)


def host_of(href: str) -> str:
    """Host of an address, with its port; empty for a file."""
    return urlsplit(href).netloc


def plain(href: str) -> str:
    """Address without its query, and so without a token, fit to be shown and kept."""
    return href.partition("?")[0] if urlsplit(href).scheme in ("http", "https") else href


def _accepted(answer: requests.Response, href: str) -> requests.Response:
    status = answer.status_code
    if status in (200, 206, 416):
        return answer
    asked = answer.headers.get("retry-after")
    answer.close()
    if status in _PASSING:
        raise PassingError(f"HTTP {status}", wait_s=_wait(asked))
    raise _refusal(status, plain(href))


def _wait(asked: str | None) -> float:
    """Seconds that ``Retry-After`` asks for, as a number or a date; 0 where it cannot be read."""
    try:
        return 0.0 if asked is None else float(Retry().parse_retry_after(asked))
    except (HTTPError, ValueError):
        return 0.0


def _refusal(status: int, href: str) -> NoDataError:
    if status in (404, 410):
        return MissingError(
            f"missing: {href} (HTTP {status}); search again with --refresh",
            zh=f"缺失：{href}（HTTP {status}）；请用 --refresh 重新检索",
        )
    if status in (401, 403):
        return RefusedError(
            f"refused: {href} (HTTP {status}): the signed address has run out, or the file is not "
            "public; choose another profile",
            zh=f"拒绝访问：{href}（HTTP {status}）：签名地址已失效或文件未公开；请改用其他数据源",
        )
    return NoDataError(
        f"{href} cannot be had (HTTP {status}); report it to the provider",
        zh=f"无法获取 {href}（HTTP {status}）；请向数据提供方反映",
    )


def _silent(what: str, why: str) -> NoDataError:
    return NoDataError(
        f"{plain(what)} cannot be read ({unsigned(why)}); try again later",
        zh=f"无法读取 {plain(what)}（{unsigned(why)}）；请稍后重试",
    )


def _astray(here: str, location: str) -> IntegrityError:
    shown = ascii(location.partition("?")[0][:120])
    return IntegrityError(
        f"{host_of(here)} sends on to {shown}, which is not allowed; if it is meant, add its host "
        "to [stac] allowed_hosts",
        zh=f"{host_of(here)} 转向未经允许的地址 {shown}；如确需使用，请在 [stac] allowed_hosts "
        "中登记",
    )
