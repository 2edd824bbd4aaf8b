"""Whatever comes in, the core answers in the protocol's form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from embedded.conftest import QUICK
from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.call import Endpoint
from st_wsgi.embedded.core import ENDPOINTS

FLAGS = """
    checkDatabase doAntiCsrfCheck emailPasswordEnabled enableAntiCsrf force removeAllLinkedAccounts skipValidation
    revokeAcrossAllTenants useDynamicSigningKey useStaticSigningKey
    userPresence
"""
OBJECTS = "config coreConfig credential metadataUpdate payload userDataInDatabase userDataInJWT"
LISTS = "firstFactors permissions requiredSecondaryFactors sessionHandles supportedAlgorithmIDs userIds"
TEXTS = """
    accessToken algorithm antiCsrfToken appId connectionUriDomain deviceName email externalUserId externalUserIdInfo
    hashingAlgorithm jwksDomain licenseKey method newEmail newPassword origin password passwordHash recipeUserId
    refreshToken relyingPartyId relyingPartyName role secretKey sessionHandle sessionId superTokensUserId tenantId
    thirdPartyId token totp userId userIdType userVerification validity webauthnGeneratedOptionsId
"""
NUMBERS = "period skew timeout"
PARAMETERS = """
    doUnionOfAccountInfo email fetchAcrossAllTenants includeAllTenants includeRecipeIds limit paginationToken permission
    phone phoneNumber pid provider role sessionHandle since thirdPartyId thirdPartyUserId timeJoinedOrder userId
    sessionId token userIdType webauthnCredentialId webauthnGeneratedOptionsId recipeUserId
"""

TELLING = [
    "",
    " ",
    "public",
    "a@example.com",
    "token",
    "RS256",
    "EXTERNAL",
    "true",
    "ASC",
    "emailpassword",
    "https://example.com",
    "\ud800",
    "\0",
]

texts = st.sampled_from(TELLING) | st.text(max_size=20) | st.just("x" * 5000)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
keys = texts | st.sampled_from(["thirdPartyId", "clients", "clientId", "access_token_validity", "api_keys", "sub"])
objects = st.dictionaries(keys, values, max_size=4)
plausible = {
    **dict.fromkeys(FLAGS.split(), st.booleans()),
    **dict.fromkeys(OBJECTS.split(), objects),
    **dict.fromkeys(LISTS.split(), st.lists(texts, max_size=3)),
    **dict.fromkeys(TEXTS.split(), texts),
    **dict.fromkeys(NUMBERS.split(), st.integers(-1, 100)),
}
# Mostly with every field there and of its type, so that the work behind the checks is reached; or anything at all.
bodies = (
    st.fixed_dictionaries(plausible)
    | st.fixed_dictionaries({}, optional=plausible)
    | st.dictionaries(st.sampled_from(sorted(plausible)), values, max_size=8)
    | st.none()
)
parameters = st.dictionaries(st.sampled_from(PARAMETERS.split()), texts, max_size=6)
headers = st.fixed_dictionaries({}, optional={"cdi-version": texts, "api-key": texts, "rid": texts})


@pytest.fixture(scope="module")
def core(request: pytest.FixtureRequest) -> Iterator[EmbeddedCore]:
    """One core on each engine for all examples, so that what some store others find."""
    address = "sqlite://" if request.param == "memory" else request.getfixturevalue("cluster").address()
    with EmbeddedCore.open(address, settings=QUICK) as core:
        core.send(CoreRequest("PUT", "/recipe/multitenancy/tenant/v2", body={"tenantId": "t1"}))
        yield core


@settings(max_examples=250, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(
    endpoint=st.sampled_from(ENDPOINTS),
    body=bodies,
    params=parameters,
    sent=headers,
    prefix=st.sampled_from(["", "", "/t1", "/ghost", "/appid-ghost"]),
)
def test_endpoints_take_anything(
    core: EmbeddedCore, *, endpoint: Endpoint, body: Any, params: dict[str, str], sent: dict[str, str], prefix: str
) -> None:
    """No body, parameter, header or prefix makes an endpoint fail in a way that the protocol does not know."""
    method: Any = endpoint.method
    answer = core.send(CoreRequest(method, prefix + endpoint.path, body=body, params=params, headers=sent))
    assert answer.status in (200, 400, 403, 404)
    if answer.status == 200 and isinstance(answer.body, dict):
        json.dumps(answer.body, allow_nan=False)
    else:
        assert isinstance(answer.body, str)
        assert answer.body


@settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.text(max_size=30) | st.text("/-abcidpul", max_size=30), method=st.sampled_from(["GET", "POST", "PATCH", ""])
)
def test_any_path(core: EmbeddedCore, *, path: str, method: str) -> None:
    """Any path and method has an answer."""
    answer = core.send(CoreRequest(method, path, body={}))  # type: ignore[arg-type]  # any method
    assert answer.status in (200, 400, 403, 404, 405)
