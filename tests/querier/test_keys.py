"""The key set, fetched outside everything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from transport.cores import Answer, Seen, core, dead

from querier.scripted import KEY, Scripted, querier
from st_wsgi.core_client.transport import CoreReply, HTTPTransport
from st_wsgi.errors import CoreRefused, CoreReplyInvalid


def test_the_key_set_is_fetched_outside_everything_else() -> None:
    """No version, no key, no interceptor, hosts in order."""

    def intercept(*_: Any) -> Any:
        raise AssertionError("the interceptor has no business here")

    def keys(seen: Seen) -> Answer:
        return Answer({"keys": [{"kid": "d-1"}]}, headers=(("Cache-Control", "max-age=60, must-revalidate"),))

    with dead() as nobody, core(keys) as alive, core(keys) as other:
        transport = HTTPTransport([nobody, alive.url, other.url])
        client = querier(transport, api_key=KEY, network_interceptor=intercept)
        for _ in range(2):
            assert client.get_jwks() == ({"keys": [{"kid": "d-1"}]}, 60)
        transport.close()
        assert alive.paths == ["GET /.well-known/jwks.json"] * 2
        assert other.seen == []
        assert "api-key" not in alive.seen[0].headers
        assert "cdi-version" not in alive.seen[0].headers


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"cache-control": "max-age=60, must-revalidate"}, 60),
        ({"cache-control": "public,max-age=0"}, 0),
        ({"cache-control": "no-store"}, None),
        ({"cache-control": "s-maxage=9"}, None),
        ({"cache-control": "max-age=-5"}, None),
        ({"cache-control": "max-age=abc"}, None),
        ({}, None),
    ],
)
def test_the_age_of_a_key_set_is_what_the_core_says_or_unknown(
    scripted: Scripted, header: Mapping[str, str], seconds: int | None
) -> None:
    scripted.behave = lambda _: CoreReply(200, {"keys": []}, header)
    assert querier(scripted).get_jwks() == ({"keys": []}, seconds)


def test_a_key_set_is_bounded_in_time_and_size() -> None:
    with core(lambda _: Answer(b'{"keys": "' + b"x" * 600_000 + b'"}')) as host:
        transport = HTTPTransport(host.url)
        with pytest.raises(CoreReplyInvalid, match="larger than 524288 bytes"):
            querier(transport).get_jwks()
        transport.close()


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_key_set_that_is_not_there_is_an_error(scripted: Scripted, status: int) -> None:
    scripted.behave = lambda _: CoreReply(status, "no")
    with pytest.raises((CoreRefused, CoreReplyInvalid)):
        querier(scripted).get_jwks()
