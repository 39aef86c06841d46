"""Asking a STAC API, distrustful of its pages: what may be incomplete is asked again in parts."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from pystac import Link, STACError
from pystac_client import Client, ConformanceClasses, ItemSearch
from pystac_client.exceptions import APIError
from pystac_client.warnings import PystacClientWarning

from jinhua_rs.catalog.patience import PatientIO
from jinhua_rs.errors import ConfigError, IntegrityError, JinhuaError
from jinhua_rs.period import ZONE
from jinhua_rs.settings import Stac

__all__ = ["Question", "ask", "greet"]

MAX_PAGES = 50
"""A question answered in more pages than this is refused."""
MAX_SPLITS = 3
"""How often the time span of a question is halved when an answer looks incomplete."""
MAX_ITEMS = 100_000
"""A search that finds more items than this is refused: the nine counties have some 200 a year."""

Page = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """
    What is asked: a collection (empty: any), a place and a time span, UTC.

    ``place`` is the name of the square, ``bounds`` are ``(west, south, east, north)`` of what is
    wanted on it.
    """

    collection: str
    place: str
    bounds: tuple[float, float, float, float]
    start: datetime
    stop: datetime

    def halves(self) -> "tuple[Question, Question]":
        """Cut the time span in the middle."""
        middle = (self.start + (self.stop - self.start) / 2).replace(microsecond=0)
        return replace(self, stop=middle), replace(self, start=middle)

    def __str__(self) -> str:
        span = f"{self.start.astimezone(ZONE):%Y-%m-%d}/{self.stop.astimezone(ZONE):%Y-%m-%d}"
        return " ".join(part for part in (self.collection, self.place, span) if part)


Asking = Callable[[Question], tuple[list[Page], str]]
"""Ask a question once: the items, and why there may be more (empty: these are all)."""


def ask(stac: Stac, url: str, questions: list[Question], page_size: int) -> Iterator[Page]:
    """
    Yield every item that a STAC API holds for the questions, each id once.

    Incomplete answers (a lost ``next`` link, fewer items than ``numberMatched``, a page that
    repeats items) are asked again in halves of their time span. All questions together may take
    as long as if each took one whole timeout, and one of them all its retries.

    Raises
    ------
    ConfigError
        If the address is no STAC API with item search, or refuses the question.
    NoDataError
        If it does not answer after the retries, or not in time.
    IntegrityError
        If answers stay incomplete, endless, or are no STAC.
    """
    with closing(_patient(stac, url, len(questions))) as io:
        client = _open(io, url)
        seen: set[str] = set()
        for question in questions:
            io.about = (str(question), str(question))
            asking = partial(_pages, io, client, page_size)
            for item in _complete(asking, question, MAX_SPLITS):
                if _key(item) not in seen:
                    seen.add(_key(item))
                    yield item
            if len(seen) > MAX_ITEMS:
                raise _too_many()


def _patient(stac: Stac, url: str, questions: int) -> PatientIO:
    return PatientIO(stac, url, longest_s=stac.timeout_s * (stac.retries + 1 + questions))


def greet(stac: Stac, url: str) -> str:
    """Open an API and return its title; errors as for :func:`ask`."""
    with closing(_patient(stac, url, 1)) as io:
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


def _complete(asking: Asking, question: Question, splits: int) -> list[Page]:
    items, doubt = asking(question)
    if not doubt:
        return items
    if not splits or (question.stop - question.start).total_seconds() < 2:
        raise IntegrityError(
            f"the catalogue's answer for {question} is incomplete: {doubt}; try again later or "
            "choose another profile, a part of the scenes would be missing",
            zh=f"目录对“{question}”的应答不完整（{doubt}）；请稍后重试或改用其他数据源，以免缺景",
        )
    first, second = question.halves()
    return [
        *_complete(asking, first, splits - 1),
        *_complete(asking, second, splits - 1),
    ]


def _pages(
    io: PatientIO, client: Client, page_size: int, question: Question
) -> tuple[list[Page], str]:
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
    for number, page in enumerate(_readable(io, search), start=1):
        features = _features(page)
        new = {_key(item) for item in features} - seen
        if len(new) < len(features):
            return items, "pages repeat items"
        if number == MAX_PAGES:
            raise _endless(question)
        seen |= new
        items += features
        if len(items) > MAX_ITEMS:
            raise _too_many()
        matched = _matched(page) if matched is None else matched
        if _next(page) is None and matched is None and len(features) >= page_size:
            return items, "the last page is full and has no next link"
    if matched is not None and len(items) < matched:
        return items, f"{len(items)} of {matched} items"
    return items, ""


def _readable(io: PatientIO, search: ItemSearch) -> Iterator[Page]:
    """
    Yield the pages; a page whose links or features have no STAC shape is an error of ours.

    The client's own loop would pass over a page without items, and with it over a message in
    place of a page and over a count that says that there are some.
    """
    asked = search.get_parameters()
    try:
        page = io.read_json(search.url, method=search.method, parameters=asked)
        yield page
        while page.get("features") and (link := _next(page)):
            page = io.read_json(Link.from_dict(dict(link)), parameters=asked)
            yield page
    except (STACError, KeyError, TypeError, AttributeError) as error:
        raise _no_items() from error


def _key(item: Page) -> str:
    return f"{item.get('collection')}/{item.get('id')}"


def _features(page: Page) -> list[Page]:
    features = page.get("features")
    if not isinstance(features, list) or not all(isinstance(one, dict) for one in features):
        raise _no_items()
    return features


def _next(page: Page) -> Mapping[str, Any] | None:
    links = page.get("links")
    return next(
        (
            link
            for link in (links if isinstance(links, list) else ())
            if isinstance(link, Mapping) and link.get("rel") == "next"
        ),
        None,
    )


def _matched(page: Page) -> int | None:
    context = page.get("context")
    counts = (
        page.get("numberMatched"),
        context.get("matched") if isinstance(context, dict) else None,
    )
    return next((count for count in counts if isinstance(count, int)), None)


def _endless(question: Question) -> IntegrityError:
    return IntegrityError(
        f"the catalogue's answer for {question} does not end after {MAX_PAGES} pages; raise "
        "page_size in the profile or choose another",
        zh=f"目录对“{question}”的应答超过 {MAX_PAGES} 页仍未结束；"
        "请增大 page_size 或改用其他数据源",
    )


def _too_many() -> IntegrityError:
    return IntegrityError(
        f"the catalogue answers with more than {MAX_ITEMS} items; check [stac] collection and "
        "the area, or search a smaller one",
        zh=f"目录返回超过 {MAX_ITEMS} 个条目；请检查 [stac] collection 与范围，或缩小范围",
    )


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
