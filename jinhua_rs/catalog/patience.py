"""Requests to a catalogue that wait out passing faults, end by themselves and never stray."""

import json
import time
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from pystac_client.stac_api_io import StacApiIO
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from jinhua_rs.catalog.hrefs import host_allowed, is_loopback
from jinhua_rs.errors import ConfigError, IntegrityError, NoDataError
from jinhua_rs.settings import Stac

__all__ = ["PatientIO"]

MAX_BYTES = 64 * 2**20
"""A page larger than this is refused."""
LONGEST_WAIT_S = 60
"""Waits asked for by ``Retry-After`` are cut to this."""
BACKOFF_S = 0.3
_PASSING = (429, 500, 502, 503, 504)


class _Patience(Retry):
    """Honours ``Retry-After``, but not beyond reason."""

    def get_retry_after(self, response: Any) -> float | None:  # noqa: ANN401 - urllib3 private type
        wait = super().get_retry_after(response)
        return None if wait is None else min(wait, LONGEST_WAIT_S)


class PatientIO(StacApiIO):
    """
    Requests that retry what passes and never leave the catalogue's own host.

    Retried with backoff: 429, 500, 502, 503, 504, resets and hangs (by urllib3, POST too),
    and answers with status 200 that are cut or no JSON (here). Each request ends by itself:
    the waits, the number of tries, the size and the time of a body are all bounded.
    """

    def __init__(self, stac: Stac, url: str) -> None:
        retry = _Patience(
            total=stac.retries,
            backoff_factor=BACKOFF_S,
            status_forcelist=_PASSING,
            allowed_methods=None,
            respect_retry_after_header=True,
            redirect=0,
        )
        super().__init__(timeout=stac.timeout_s, max_retries=retry)
        self._tries = stac.retries + 1
        self._home = urlsplit(url)
        self._hosts = stac.allowed_hosts
        self._longest_s = stac.timeout_s * 4

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
        fault = ""
        for attempt in range(self._tries):
            time.sleep(BACKOFF_S * 2 ** (attempt - 1) if attempt else 0.0)
            try:
                answer = self._send(request)
                text = self._body(answer)
                if isinstance(json.loads(text), dict):
                    return text
                fault = "an answer that is no JSON object"
            except (HTTPError, _SlowBodyError) as error:
                fault = f"a cut answer ({type(error).__name__})"
            except ValueError:
                fault = "an answer that is no JSON"
        raise IntegrityError(
            f"{self._home.netloc} gave {fault} {self._tries} times; a proxy or log-in page may "
            "stand between, open the address in a browser",
            zh=f"{self._home.netloc} 连续 {self._tries} 次返回无效内容（可能被代理或登录页拦截）；"
            "请用浏览器打开该地址检查",
        )

    def _send(self, request: requests.Request) -> requests.Response:
        """Send and follow at most three redirects, all to the catalogue's own host."""
        prepared = self.session.prepare_request(request)
        for _ in range(4):
            self._stay_home(prepared.url or "")
            options = self.session.merge_environment_settings(
                prepared.url or "", proxies={}, stream=True, verify=None, cert=None
            )
            options["allow_redirects"] = False
            try:
                answer = self.session.send(prepared, timeout=self.timeout, **options)
            except requests.exceptions.RequestException as error:
                raise _silent(self._home.netloc, type(error).__name__) from error
            if not answer.is_redirect:
                return self._accepted(answer)
            prepared.url = urljoin(prepared.url or "", answer.headers["location"])
            answer.close()
        raise _silent(self._home.netloc, "too many redirects")

    def _accepted(self, answer: requests.Response) -> requests.Response:
        if answer.ok:
            return answer
        answer.close()
        if answer.status_code in _PASSING:
            raise _silent(self._home.netloc, f"HTTP {answer.status_code}")
        raise ConfigError(
            f"{self._home.netloc} refused the question with HTTP {answer.status_code}; check "
            "[stac] url and collection",
            zh=f"{self._home.netloc} 拒绝请求（HTTP {answer.status_code}）；"
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

    def _body(self, answer: requests.Response) -> str:
        end = time.monotonic() + self._longest_s
        data = bytearray()
        with answer:
            while chunk := answer.raw.read1(1 << 16, decode_content=True):
                data += chunk
                if time.monotonic() > end:
                    raise _SlowBodyError
                if len(data) > MAX_BYTES:
                    raise IntegrityError(
                        f"{self._home.netloc} gave a page of over {MAX_BYTES >> 20} MiB; "
                        "lower page_size in the profile",
                        zh=f"{self._home.netloc} 返回的页面超过 {MAX_BYTES >> 20} MiB；"
                        "请减小数据源配置的 page_size",
                    )
        return data.decode("utf-8")


class _SlowBodyError(Exception):
    """A body that drips longer than its time."""


def _silent(host: str, why: str) -> NoDataError:
    return NoDataError(
        f"the catalogue {host} does not answer ({why}); try again later or choose another profile",
        zh=f"目录 {host} 没有应答（{why}）；请稍后重试或改用其他数据源",
    )
