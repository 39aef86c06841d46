"""Tokens: asked once, kept until they expire, renewed on demand, given to no stranger."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fault_server import Behaviour, serving

from jinhua_rs.catalog import load_profile, to_scene, unsigned
from jinhua_rs.catalog.profiles import Signing
from jinhua_rs.catalog.signing import Signer
from jinhua_rs.errors import IntegrityError, NoDataError
from jinhua_rs.settings import Stac

START = datetime(2024, 10, 12, 8, tzinfo=UTC)
HREF = "https://sentinel2l2a01.blob.core.windows.net/a.tif"
STAC = Stac(retries=1, timeout_s=2)


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


def profile(url):
    signing = Signing(method="sas", token_url=f"{url}/token/{{collection}}")
    return load_profile("planetary-computer").model_copy(update={"signing": signing})


def token(**changes):
    return {"msft:expiry": (START + timedelta(minutes=45)).isoformat(), **changes}


def test_one_token_serves_until_shortly_before_it_expires():
    behaviour, clock = Behaviour([], token=token()), Clock()

    with serving(behaviour) as url:
        signer = Signer(profile(url), STAC, clock=clock)
        first = signer.sign(HREF)
        clock.now = START + timedelta(minutes=39)
        second = signer.sign(f"{HREF}?a=1")
        clock.now = START + timedelta(minutes=40)
        third = signer.sign(HREF)

    assert first == f"{HREF}?sig=secret1"
    assert second == f"{HREF}?a=1&sig=secret1"
    assert third == f"{HREF}?sig=secret2"


def test_renewal_on_demand_asks_once():
    behaviour = Behaviour([], token=token())
    item = json.loads(
        (Path(__file__).parent / "items" / "planetary-computer.json").read_text("utf-8")
    )

    with serving(behaviour) as url:
        mine = profile(url)
        signer = Signer(mine, STAC, clock=Clock())
        plain = [asset.href for asset in to_scene(item, mine).assets.values()]
        first = [signer.sign(href) for href in plain]
        renewed = [signer.sign(plain[0], renew=True), *(signer.sign(href) for href in plain[1:])]

    assert behaviour.tokens_given == 2
    assert len(plain) == 11
    assert all(href.endswith(".tif?sig=secret1") for href in first)
    assert all(href.endswith(".tif?sig=secret2") for href in renewed)
    assert [unsigned(href) for href in renewed] == plain


@pytest.mark.parametrize(
    "href",
    ["https://evil.example/a.tif", HREF.replace("https", "http"), "/data/a.tif", "s3://eodata/a"],
)
def test_strangers_get_no_token(href):
    behaviour = Behaviour([], token=token())

    with serving(behaviour) as url:
        assert Signer(profile(url), STAC, clock=Clock()).sign(href) == href

    assert behaviour.tokens_given == 0


def test_a_profile_without_signing_asks_nobody():
    signer = Signer(load_profile("earth-search-c1"), STAC)

    assert signer.sign(HREF) == HREF


def test_a_fault_that_passes_is_waited_out():
    behaviour = Behaviour([], token=token(), token_faults=["503"])

    with serving(behaviour) as url:
        assert "sig=" in Signer(profile(url), STAC, clock=Clock()).sign(HREF)


@pytest.mark.parametrize("faults", [["403"], ["503"] * 9, ["500"] * 9])
def test_no_token_is_no_data(faults):
    behaviour = Behaviour([], token=token(), token_faults=faults)

    with (
        serving(behaviour) as url,
        pytest.raises(NoDataError, match=r"no read token from 127\.0\.0\.1") as caught,
    ):
        Signer(profile(url), STAC, clock=Clock()).sign(HREF)

    assert "读取令牌" in caught.value.zh


@pytest.mark.parametrize(
    "answer",
    [
        {},
        token(token=""),
        token(token=7),
        {**token(), "token": "a#b"},
        {"msft:expiry": "soon"},
    ],
)
def test_what_is_no_token_is_refused(answer):
    with (
        serving(Behaviour([], token=answer)) as url,
        pytest.raises(IntegrityError, match="did not answer with a read token"),
    ):
        Signer(profile(url), STAC, clock=Clock()).sign(HREF)
