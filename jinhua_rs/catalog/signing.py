"""Signing of addresses where a provider asks for it: a public token, kept until it expires."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.util import Retry, Timeout

from jinhua_rs.catalog.hrefs import host_allowed, is_loopback
from jinhua_rs.catalog.patience import LONGEST_WAIT_S
from jinhua_rs.catalog.profiles import Source
from jinhua_rs.catalog.values import read_instant
from jinhua_rs.errors import IntegrityError, NoDataError
from jinhua_rs.settings import Stac

__all__ = ["Signer", "unsigned"]

_MARGIN = timedelta(minutes=5)
"""A token this close to its end is not used for a new read."""
_QUERY = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]*[^\s'\":;,.)]")
_LONGEST = 65_536
"""Bytes of a token answer that are read at most."""


def utc_now() -> datetime:
    """Return the present instant, UTC."""
    return datetime.now(UTC)


class _Patience(Retry):
    """Honours ``Retry-After``, but not beyond reason."""

    def get_retry_after(self, response: Any) -> float | None:  # noqa: ANN401 - urllib3 private type
        wait = super().get_retry_after(response)
        return None if wait is None else min(wait, LONGEST_WAIT_S)


class Signer:
    """
    Makes addresses of a profile readable; does nothing where the profile asks for no signing.

    The token is asked once and kept until shortly before it expires. Scenes and snapshots
    hold plain addresses; sign just before reading, and write nothing signed to disk.

    Parameters
    ----------
    profile : Source
        Says the method and where a token is asked for.
    stac : Stac
        Collection, timeout and retries.
    clock : callable
        Returns the present instant with zone.
    """

    def __init__(
        self, profile: Source, stac: Stac, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._profile = profile
        self._stac = stac
        self._clock = clock
        self._token = ""
        self._until = datetime.min.replace(tzinfo=UTC)

    def sign(self, href: str, *, renew: bool = False) -> str:
        """
        Return the address with a token, or unchanged where none is needed.

        Only addresses on hosts of the profile get a token. Pass ``renew=True`` once after
        a read was refused (HTTP 403): a new token is then asked for.

        Raises
        ------
        NoDataError
            If the token cannot be had.
        IntegrityError
            If the answer is no token.
        """
        signing = self._profile.signing
        url = urlsplit(href)
        safe = url.scheme == "https" or is_loopback(url.hostname)
        if signing.method == "none" or not safe or not host_allowed(url, self._profile.hosts):
            return href
        if renew or self._clock() >= self._until:
            self._fetch()
        return f"{href}{'&' if url.query else '?'}{self._token}"

    def _fetch(self) -> None:
        signing = self._profile.signing
        collection = self._stac.collection or self._profile.collection
        answer = self._ask(signing.token_url.format(collection=quote(collection, safe="")))
        try:
            token = answer[signing.token_key]
            until = read_instant(answer[signing.expiry_key])
        except (KeyError, TypeError, IntegrityError) as error:
            raise self._no_token() from error
        if not isinstance(token, str) or not token or any(mark in token for mark in "?#/ \r\n"):
            raise self._no_token()
        self._token, self._until = token, until - _MARGIN

    def _ask(self, url: str) -> Any:  # noqa: ANN401 - JSON value
        retry = _Patience(
            total=self._stac.retries,
            backoff_factor=0.3,
            status_forcelist=(429, 500, 502, 503, 504),
            respect_retry_after_header=True,
            redirect=False,
        )
        timeout = Timeout(connect=self._stac.timeout_s, read=self._stac.timeout_s)
        try:
            with urllib3.PoolManager(retries=retry, timeout=timeout) as pool:
                answer = pool.request("GET", url, preload_content=False)
                body = answer.read(_LONGEST)
                answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(type(error).__name__) from error
        if answer.status != 200:
            raise self._unreachable(f"HTTP {answer.status}")
        try:
            return json.loads(body)
        except ValueError as error:
            raise self._no_token() from error

    def _unreachable(self, why: str) -> NoDataError:
        host = urlsplit(self._profile.signing.token_url).hostname
        return NoDataError(
            f"no read token from {host} ({why}); try again later or choose another profile",
            zh=f"无法从 {host} 获取读取令牌（{why}）；请稍后重试或改用其他数据源",
        )

    def _no_token(self) -> IntegrityError:
        host = urlsplit(self._profile.signing.token_url).hostname
        return IntegrityError(
            f"{host} did not answer with a read token; check [signing] of the profile",
            zh=f"{host} 返回的不是读取令牌；请检查数据源配置的 [signing]",
        )


def unsigned(text: str) -> str:
    """
    Take the query, and so the token, off every web address in a text.

    >>> unsigned("cannot read https://example.com/a.tif?sig=secret: 403")
    'cannot read https://example.com/a.tif: 403'
    """
    return _QUERY.sub(r"\1", text)
