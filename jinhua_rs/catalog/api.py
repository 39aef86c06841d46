"""Asking a STAC API, distrustful of its pages: what may be incomplete is asked again in parts."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pystac import STACError
from pystac_client import Client, ConformanceClasses, ItemSearch
from pystac_client.exceptions import APIError
from pystac_client.warnings import PystacClientWarning

from jinhua_rs.catalog.patience import PatientIO
from jinhua_rs.errors import ConfigError, IntegrityError, JinhuaError
from jinhua_rs.settings import Stac

__all__ = ["Question", "ask", "greet"]

MAX_PAGES = 50
"""A question answered in more pages than this is refused."""
MAX_SPLITS = 3
"""How often the time span of a question is halved when an answer looks incomplete."""

Page = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: collection (empty: any), ``(west, south, east, north)``, and a time span."""

    collection: str
    bounds: tuple[float, float, float, float]
    start: datetime
    stop: datetime

    def halves(self) -> "tuple[Question, Question]":
        """Cut the time span in the middle."""
        middle = (self.start + (self.stop - self.start) / 2).replace(microsecond=0)
        return (
            Question(self.collection, self.bounds, self.start, middle),
            Question(self.collection, self.bounds, middle, self.stop),
        )


def ask(stac: Stac, url: str, questions: list[Question], page_size: int) -> Iterator[Page]:
    """
    Yield every item that a STAC API holds for the questions, each id once.

    Incomplete answers (a lost ``next`` link, fewer items than ``numberMatched``, a page that
    repeats items) are asked again in halves of their time span.

    Raises
    ------
    ConfigError
        If the address is no STAC API with item search, or refuses the question.
    NoDataError
        If it does not answer after the retries.
    IntegrityError
        If answers stay incomplete, endless, or are no STAC.
    """
    with closing(PatientIO(stac, url)) as io:
        client = _open(io, url)
        seen: set[str] = set()
        for question in questions:
            for item in _complete(client, question, page_size, MAX_SPLITS):
                if _key(item) not in seen:
                    seen.add(_key(item))
                    yield item


def greet(stac: Stac, url: str) -> str:
    """Open an API and return its title; errors as for :func:`ask`."""
    with closing(PatientIO(stac, url)) as io:
        client = _open(io, url)
        return client.title or client.id


def _open(io: PatientIO, url: str) -> Client:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=PystacClientWarning)
        try:
            client = Client.open(url, stac_io=io, timeout=io.timeout)
        except JinhuaError:
            raise
        except (APIError, STACError, PystacClientWarning, KeyError, TypeError, ValueError) as error:
            raise _no_api(url) from error
    if not client.conforms_to(ConformanceClasses.ITEM_SEARCH):
        raise _no_api(url)
    return client


def _complete(client: Client, question: Question, page_size: int, splits: int) -> list[Page]:
    items, doubt = _pages(client, question, page_size)
    if not doubt:
        return items
    if not splits or (question.stop - question.start).total_seconds() < 2:
        span = f"{question.start:%Y-%m-%d}/{question.stop:%Y-%m-%d}"
        raise IntegrityError(
            f"the catalogue's answer for {span} is incomplete: {doubt}; try again later or choose "
            "another profile, a part of the scenes would be missing",
            zh=f"目录对 {span} 的应答不完整（{doubt}）；请稍后重试或改用其他数据源，以免缺景",
        )
    first, second = question.halves()
    return [
        *_complete(client, first, page_size, splits - 1),
        *_complete(client, second, page_size, splits - 1),
    ]


def _pages(client: Client, question: Question, page_size: int) -> tuple[list[Page], str]:
    """Items of one question, and why the answer may be incomplete (empty: it is complete)."""
    search = client.search(
        method="POST",
        collections=[question.collection] if question.collection else None,
        bbox=question.bounds,
        datetime=(question.start, question.stop),
        limit=page_size,
    )
    items: list[Page] = []
    seen: set[str] = set()
    matched: int | None = None
    for number, page in enumerate(_readable(search), start=1):
        features = _features(page)
        new = {_key(item) for item in features} - seen
        if len(new) < len(features):
            return items, "pages repeat items"
        if number == MAX_PAGES:
            raise IntegrityError(
                f"the catalogue's answer does not end after {MAX_PAGES} pages; raise page_size in "
                "the profile or choose another",
                zh=f"目录应答超过 {MAX_PAGES} 页仍未结束；请增大 page_size 或改用其他数据源",
            )
        seen |= new
        items += features
        matched = _matched(page) if matched is None else matched
        if not _has_next(page) and matched is None and len(features) >= page_size:
            return items, "the last page is full and has no next link"
    if matched is not None and len(items) < matched:
        return items, f"{len(items)} of {matched} items"
    return items, ""


def _readable(search: ItemSearch) -> Iterator[Page]:
    """Yield the pages; a page whose links or features have no STAC shape is an error of ours."""
    try:
        yield from search.pages_as_dicts()
    except (STACError, KeyError, TypeError, AttributeError) as error:
        raise _no_items() from error


def _key(item: Page) -> str:
    return f"{item.get('collection')}/{item.get('id')}"


def _features(page: Page) -> list[Page]:
    features = page.get("features")
    if not isinstance(features, list) or not all(isinstance(one, dict) for one in features):
        raise _no_items()
    return features


def _has_next(page: Page) -> bool:
    links = page.get("links")
    return isinstance(links, list) and any(
        isinstance(link, Mapping) and link.get("rel") == "next" for link in links
    )


def _matched(page: Page) -> int | None:
    context = page.get("context")
    counts = (
        page.get("numberMatched"),
        context.get("matched") if isinstance(context, dict) else None,
    )
    return next((count for count in counts if isinstance(count, int)), None)


def _no_items() -> IntegrityError:
    return IntegrityError(
        "the catalogue answered with something that is no item collection; check [stac] url",
        zh="目录返回的不是影像条目集合；请检查 [stac] url",
    )


def _no_api(url: str) -> ConfigError:
    return ConfigError(
        f"{url} is no STAC API with item search; give an API root or a local folder with "
        "catalog.json in [stac] url",
        zh=f"{url} 不是支持检索的 STAC API；请在 [stac] url 填写 API 地址或含 catalog.json 的目录",
    )
