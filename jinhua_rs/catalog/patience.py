"""Requests to a catalogue that wait out passing faults, end by themselves and never stray."""

import json
import time
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from pystac_client.stac_api_io import StacApiIO
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from jinhua_rs.catalog.hrefs import host_allowed, is_loopback
from jinhua_rs.errors import ConfigError, IntegrityError, JinhuaError, NoDataError
from jinhua_rs.settings import Stac

__all__ = ["PatientIO"]

MAX_BYTES = 64 * 2**20
"""A page larger than this is refused."""
LONGEST_WAIT_S = 60
"""Waits asked for by ``Retry-After`` are cut to this."""
BACKOFF_S = 0.3
"""Wait before the second try; it doubles from try to try."""
BODY_TIMEOUTS = 4
"""A body may take this many times the timeout of a single read."""
_PASSING = (429, 500, 502, 503, 504)


class PatientIO(StacApiIO):
    """
    Requests that retry what passes, end in time, and never leave the catalogue's own host.

    Retried with backoff, POST too: 429 (after ``Retry-After``), 500, 502, 503, 504, resets,
    hangs, and answers with status 200 that are cut, empty or no JSON. Waits, tries, the size and
    the time of a body, and the time of all requests together are bounded (but for a server that
    drips its headers byte by byte: each read of them is waited for anew).

    Parameters
    ----------
    stac : Stac
        Timeout of a read, number of retries, hosts that may be sent on to.
    url : str
        Root of the catalogue.
    longest_s : float
        Seconds after which no request is begun or waited for any more.
    """

    about: tuple[str, str] = ("its landing page", "首页")
    """What is being asked, English and Chinese; named where it fails."""

    def __init__(self, stac: Stac, url: str, *, longest_s: float) -> None:
        super().__init__(timeout=stac.timeout_s, max_retries=None)
        self._timeout_s = stac.timeout_s
        self._tries = stac.retries + 1
        self._home = urlsplit(url)
        self._hosts = stac.allowed_hosts
        self._longest_s = longest_s
        self._end = time.monotonic() + longest_s

    def close(self) -> None:
        """Let go of open connections."""
        self.session.close()

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        """Answer of the server, checked to be a JSON object."""
        verb = (method or "GET").upper()
        request = requests.Request(
            verb,
            href,
            headers=headers,
            json=parameters if verb == "POST" else None,
            params=None if verb == "POST" else parameters,
        )
        fault = _PassingError("nothing tried")
        for attempt in range(self._tries):
            if attempt:
                self._wait(BACKOFF_S * 2 ** (attempt - 1) if fault.wait is None else fault.wait)
            try:
                return self._text(self._send(request))
            except _PassingError as error:
                fault = error
        raise self._given_up(fault)

    def _wait(self, seconds: float) -> None:
        seconds = min(seconds, LONGEST_WAIT_S)
        if seconds >= self._left():
            raise self._late()
        time.sleep(seconds)

    def _left(self) -> float:
        """Seconds that remain for everything."""
        return self._end - time.monotonic()

    def _send(self, request: requests.Request) -> requests.Response:
        """Send and follow at most three redirects, all to the catalogue's own host."""
        prepared = self.session.prepare_request(request)
        for _ in range(4):
            self._stay_home(prepared.url or "")
            options = self.session.merge_environment_settings(
                prepared.url or "", proxies={}, stream=True, verify=None, cert=None
            )
            options["allow_redirects"] = False
            if (left := self._left()) <= 0:
                raise self._late()
            try:
                answer = self.session.send(prepared, timeout=min(self._timeout_s, left), **options)
            except requests.exceptions.RequestException as error:
                raise _PassingError(type(error).__name__) from error
            if not answer.is_redirect:
                return self._accepted(answer)
            prepared.url = urljoin(prepared.url or "", answer.headers["location"])
            answer.close()
        raise _PassingError("too many redirects")

    def _accepted(self, answer: requests.Response) -> requests.Response:
        if answer.ok:
            return answer
        answer.close()
        if answer.status_code in _PASSING:
            raise _PassingError(f"HTTP {answer.status_code}", wait=_retry_after(answer))
        english, chinese = self.about
        raise ConfigError(
            f"{self._home.netloc} refused the question for {english} with HTTP "
            f"{answer.status_code}; check [stac] url and collection",
            zh=f"{self._home.netloc} 拒绝请求“{chinese}”（HTTP {answer.status_code}）；"
            "请检查 [stac] url 与 collection",
        )

    def _stay_home(self, href: str) -> None:
        url = urlsplit(href)
        same = (url.scheme, url.netloc) == (self._home.scheme, self._home.netloc)
        twin = is_loopback(url.hostname) and is_loopback(self._home.hostname)
        listed = url.scheme == "https" and host_allowed(url, self._hosts)
        if not (same or twin or listed):
            raise IntegrityError(
                f"{self._home.netloc} sends on to {url.scheme}://{url.netloc}, which is not "
                "allowed; if it is meant, add it to [stac] allowed_hosts",
                zh=f"{self._home.netloc} 转向未经允许的地址 {url.scheme}://{url.netloc}；"
                "如确需使用，请在 [stac] allowed_hosts 中登记",
            )

    def _text(self, answer: requests.Response) -> str:
        """Read the body; it must be whole and a JSON object."""
        try:
            text = self._body(answer)
            if isinstance(json.loads(text), dict):
                return text
        except HTTPError as error:
            raise _PassingError(f"a cut answer ({type(error).__name__})", garbled=True) from error
        except (ValueError, RecursionError) as error:
            raise _PassingError("an answer that is no JSON", garbled=True) from error
        raise _PassingError("an answer that is no JSON object", garbled=True)

    def _body(self, answer: requests.Response) -> str:
        end = min(time.monotonic() + BODY_TIMEOUTS * self._timeout_s, self._end)
        data = bytearray()
        with answer:
            while chunk := answer.raw.read1(1 << 16, decode_content=True):
                data += chunk
                if time.monotonic() > end:
                    raise _PassingError("a cut answer (it drips)", garbled=True)
                if len(data) > MAX_BYTES:
                    raise IntegrityError(
                        f"{self._home.netloc} gave a page of over {MAX_BYTES >> 20} MiB; "
                        "lower page_size in the profile",
                        zh=f"{self._home.netloc} 返回的页面超过 {MAX_BYTES >> 20} MiB；"
                        "请减小数据源配置的 page_size",
                    )
        return data.decode("utf-8")

    def _late(self) -> NoDataError:
        english, chinese = self.about
        return NoDataError(
            f"the catalogue {self._home.netloc} is too slow: the search was not done after "
            f"{self._longest_s:.0f} s, while asking for {english}; try again later, raise [stac] "
            "timeout_s or choose another profile",
            zh=f"目录 {self._home.netloc} 过慢：检索 {self._longest_s:.0f} 秒仍未完成，"
            f"停在“{chinese}”；请稍后重试、增大 [stac] timeout_s 或改用其他数据源",
        )

    def _given_up(self, fault: "_PassingError") -> JinhuaError:
        english, chinese = self.about
        if self._left() <= 0:
            return self._late()
        if fault.garbled:
            return IntegrityError(
                f"{self._home.netloc} gave {fault} for {english}, {self._tries} times; a proxy or "
                "log-in page may stand between, open the address in a browser",
                zh=f"{self._home.netloc} 对“{chinese}”连续 {self._tries} 次返回无效内容"
                "（可能被代理或登录页拦截）；请用浏览器打开该地址检查",
            )
        return NoDataError(
            f"the catalogue {self._home.netloc} does not answer ({fault}) for {english}, tried "
            f"{self._tries} times; try again later or choose another profile",
            zh=f"目录 {self._home.netloc} 对“{chinese}”没有应答（{fault}，已试 {self._tries} 次）；"
            "请稍后重试或改用其他数据源",
        )


class _PassingError(Exception):
    """
    A fault that may pass.

    ``garbled`` is True where the server did answer, but with something else; ``wait`` are the
    seconds that it asks to wait.
    """

    def __init__(self, why: str, *, garbled: bool = False, wait: float | None = None) -> None:
        super().__init__(why)
        self.garbled = garbled
        self.wait = wait


def _retry_after(answer: requests.Response) -> float | None:
    """Seconds of ``Retry-After``, given as a number or as a date; None where it says nothing."""
    try:
        return Retry().parse_retry_after(answer.headers["retry-after"])
    except (KeyError, InvalidHeader):
        return None
