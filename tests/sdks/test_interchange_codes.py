"""Codes, links, tenants and providers of one side are those of the other, as users and sessions are."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from sdks.ours import Ours, form
from sdks.peers import Peer
from sdks.sides import Answer, OurSide, Side, TheirSide, parts_of
from st_wsgi import RecipeUserId
from st_wsgi.codec import to_json
from st_wsgi.recipes.multitenancy import Multitenancy, MultitenancyFunctions, ProviderConfig, TenantConfigCreateOrUpdate
from st_wsgi.recipes.passwordless import Passwordless

CODE = "/auth/signinup/code"
RESTART = {"status": "RESTART_FLOW_ERROR"}


@pytest.fixture(params=["theirs to ours", "ours to theirs"])
def sides(request: pytest.FixtureRequest, sdk: Peer, ours: Ours) -> tuple[Side, Side]:
    """The side that makes something, and the one that uses it."""
    both: list[Side] = [TheirSide(sdk), OurSide(ours)]
    return (both[0], both[1]) if request.param == "theirs to ours" else (both[1], both[0])


@pytest.fixture
def email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def post(side: Side, path: str, body: object) -> Answer:
    return side.send(path, method="POST", json=body, mode="header")


def ask(side: Side, **body: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Ask for a code, and return the ids of the attempt and the message."""
    asked = post(side, CODE, body).raw
    return {name: asked[name] for name in ("deviceId", "preAuthSessionId")}, side.mails()[-1]


def signed_in(side: Side, answer: Answer) -> str:
    """Return the user of a sign-in, after its session has opened a protected route of that side."""
    info = side.send("/sessioninfo", token=answer.held["st-access-token"])
    assert info.raw["userId"] == answer.raw["user"]["id"]
    return str(info.raw["userId"])


def test_a_code_of_one_is_taken_by_the_other(sides: tuple[Side, Side], email: str) -> None:
    """By mail and by text message, and each of them once."""
    first, second = sides
    for contact in ({"email": email}, {"phoneNumber": f"+4930{int(email[:8], 16) % 10**7:07}"}):
        ids, message = ask(first, **contact)
        typed = {**ids, "userInputCode": message["code"]}
        user = signed_in(second, post(second, f"{CODE}/consume", typed))
        for side in sides:
            assert post(side, f"{CODE}/consume", typed).raw == RESTART
        ids, message = ask(first, **contact)  # and the user whom that made is known to both
        again = post(first, f"{CODE}/consume", {**ids, "userInputCode": message["code"]})
        assert (again.raw["createdNewRecipeUser"], signed_in(first, again)) == (False, user)


def test_a_link_of_one_is_opened_at_the_other(sides: tuple[Side, Side], email: str) -> None:
    first, second = sides
    _, message = ask(first, email=email)
    user = signed_in(second, post(second, f"{CODE}/consume", parts_of(message["link"])))
    assert post(first, f"{CODE}/consume", parts_of(message["link"])).raw == RESTART
    _, message = ask(second, email=email)
    assert signed_in(first, post(first, f"{CODE}/consume", parts_of(message["link"]))) == user


def test_an_attempt_goes_on_at_the_other(sides: tuple[Side, Side], email: str) -> None:
    """With a further code, and with the tries that were used up."""
    first, second = sides
    ids, message = ask(first, email=email)
    assert post(second, f"{CODE}/resend", ids).raw == {"status": "OK"}
    further = second.mails()[-1]
    assert further["to"] == email
    counts = [
        post(side, f"{CODE}/consume", {**ids, "userInputCode": "wrong"}).raw["failedCodeInputAttemptCount"]
        for side in (first, second, first, second)
    ]
    assert counts == [1, 2, 3, 4]
    assert signed_in(first, post(first, f"{CODE}/consume", {**ids, "userInputCode": further["code"]}))

    ids, message = ask(first, email=email)
    answers = [post(side, f"{CODE}/consume", {**ids, "userInputCode": "wrong"}).raw for side in (*sides, *sides, first)]
    assert answers[-1] == RESTART
    assert post(second, f"{CODE}/consume", {**ids, "userInputCode": message["code"]}).raw == RESTART


def test_codes_and_users_of_functions(sdk: Peer, ours: Ours, email: str) -> None:
    """Those that the backend's own code makes."""
    made = sdk.call("create_code", email=email, tenant_id="public")
    body = {"preAuthSessionId": made["pre_auth_session_id"], "linkCode": made["link_code"]}
    user = signed_in(OurSide(ours), post(OurSide(ours), f"{CODE}/consume", body))
    assert sdk.call("passwordless_sign_in_up", email=email, tenant_id="public")["user"]["id"] == user
    functions = ours.st.services.get(Passwordless).functions
    code = functions.create_code(email=email)
    body = {"preAuthSessionId": code.pre_auth_session_id, "linkCode": code.link_code}
    assert signed_in(TheirSide(sdk), post(TheirSide(sdk), f"{CODE}/consume", body)) == user
    other = f"other-{email}"
    user = sdk.call("passwordless_sign_in_up", email=other, tenant_id="public")["user"]["id"]
    _, message = ask(OurSide(ours), email=other)
    assert signed_in(OurSide(ours), post(OurSide(ours), f"{CODE}/consume", parts_of(message["link"]))) == user


class TheirTenants:
    """The functions for tenants of an official SDK."""

    def __init__(self, sdk: Peer) -> None:
        self._sdk = sdk

    def create(self, tenant_id: str, first_factors: list[str] | None) -> bool:
        return bool(self._sdk.call("create_tenant", tenant_id=tenant_id, first_factors=first_factors)["created_new"])

    def first_factors(self, tenant_id: str) -> list[str] | None:
        factors: list[str] | None = self._sdk.call("first_factors", tenant_id=tenant_id)
        return factors

    def delete(self, tenant_id: str) -> bool:
        return bool(self._sdk.call("delete_tenant", tenant_id=tenant_id)["did_exist"])

    def associate(self, tenant_id: str, user_id: str) -> None:
        assert self._sdk.call("associate", tenant_id=tenant_id, user_id=user_id)["status"] == "OK"

    def disassociate(self, tenant_id: str, user_id: str) -> None:
        assert self._sdk.call("disassociate", tenant_id=tenant_id, user_id=user_id)["was_associated"]


class OurTenants:
    """The same of ours."""

    def __init__(self, functions: MultitenancyFunctions) -> None:
        self._functions = functions

    def create(self, tenant_id: str, first_factors: list[str] | None) -> bool:
        config = TenantConfigCreateOrUpdate(first_factors=first_factors)
        return self._functions.create_or_update_tenant(tenant_id=tenant_id, config=config).created_new

    def first_factors(self, tenant_id: str) -> list[str] | None:
        found = self._functions.get_tenant(tenant_id=tenant_id)
        return None if found is None or found.first_factors is None else list(found.first_factors)

    def delete(self, tenant_id: str) -> bool:
        return self._functions.delete_tenant(tenant_id=tenant_id).did_exist

    def associate(self, tenant_id: str, user_id: str) -> None:
        outcome = self._functions.associate_user_to_tenant(recipe_user_id=RecipeUserId(user_id), tenant_id=tenant_id)
        assert outcome.status == "OK"

    def disassociate(self, tenant_id: str, user_id: str) -> None:
        assert self._functions.disassociate_user_from_tenant(
            recipe_user_id=RecipeUserId(user_id), tenant_id=tenant_id
        ).was_associated


def test_a_tenant_of_one_is_a_tenant_of_the_other(sides: tuple[Side, Side], sdk: Peer, ours: Ours, email: str) -> None:
    """Its factors, its users, and who is a user of several tenants; until it is deleted."""
    first, second = sides
    both: list[TheirTenants | OurTenants] = [
        TheirTenants(sdk),
        OurTenants(ours.st.services.get(Multitenancy).functions),
    ]
    one, other = both if isinstance(first, TheirSide) else reversed(both)
    tenant = f"t-{uuid.uuid4().hex[:12]}"
    assert one.create(tenant, ["otp-email"])
    assert other.first_factors(tenant) == ["otp-email"]
    ways = [side.send(f"/auth/{tenant}/loginmethods") for side in sides]
    assert ways[0] == ways[1]
    assert ways[0].raw["firstFactors"] == ["otp-email"]
    assert post(second, f"/auth/{tenant}/signup", form(email)).status == 401

    code = f"/auth/{tenant}/signinup/code"
    asked = post(second, code, {"email": email}).raw
    assert (asked["flowType"], second.mails()[-1].get("link") or "") == ("USER_INPUT_CODE", "")
    typed = {**asked, "userInputCode": second.mails()[-1]["code"]}
    del typed["status"], typed["flowType"]
    signed = post(first, f"{code}/consume", typed)
    user = signed_in(first, signed)
    found = second.send("/sessioninfo", token=signed.held["st-access-token"]).raw
    assert (found["userId"], found["claims"]["tId"]) == (user, tenant)
    assert not other.create(tenant, ["otp-email", "emailpassword"])
    assert one.first_factors(tenant) == ["otp-email", "emailpassword"]

    one.associate("public", user)
    _, message = ask(second, email=email)
    assert signed_in(second, post(second, f"{CODE}/consume", parts_of(message["link"]))) == user
    other.disassociate("public", user)
    exists = f"/auth/passwordless/email/exists?email={email}"
    assert [side.send(exists).raw["exists"] for side in sides] == [False, False]
    assert one.delete(tenant)
    assert other.first_factors(tenant) is None


PROVIDER: dict[str, Any] = {
    "thirdPartyId": "school",
    "name": "The school",
    "clients": [
        {
            "clientId": "id-of-web",
            "clientSecret": "secret of web",
            "clientType": "web",
            "scope": ["openid", "email"],
            "forcePKCE": True,
            "additionalConfig": {"teamId": "blue", "numbers": [1, 2.5], "nothing": None},
        },
        {"clientId": "id-of-app", "clientType": "app", "forcePKCE": False},
    ],
    "authorizationEndpoint": "https://login.school.example/authorize",
    "authorizationEndpointQueryParams": {"prompt": "consent", "access_type": None},
    "tokenEndpoint": "https://login.school.example/token",
    "tokenEndpointBodyParams": {"audience": "shop"},
    "userInfoEndpoint": "https://login.school.example/me",
    "userInfoEndpointQueryParams": {"fields": "id,email"},
    "userInfoEndpointHeaders": {"X-School": "blue"},
    "jwksURI": "https://login.school.example/keys",
    "oidcDiscoveryEndpoint": "https://login.school.example/.well-known/openid-configuration",
    "userInfoMap": {
        "fromIdTokenPayload": {"userId": "sub", "email": "email", "emailVerified": "email_verified"},
        "fromUserInfoAPI": {"userId": "me.id", "email": "me.mail", "emailVerified": "me.verified"},
    },
    "requireEmail": False,
}


def without_none(value: Any) -> Any:
    """Return a JSON value without members that are null: some SDKs write them, others leave them out."""
    if isinstance(value, dict):
        return {name: without_none(member) for name, member in value.items() if member is not None}
    return [without_none(item) for item in value] if isinstance(value, list) else value


def providers_at_ours(functions: MultitenancyFunctions, tenant_id: str) -> tuple[ProviderConfig, ...]:
    found = functions.get_tenant(tenant_id=tenant_id)
    return () if found is None else found.third_party_providers


def test_providers_of_one_are_those_of_the_other(sdk: Peer, ours: Ours) -> None:
    """Everything that there is to set, secrets and parameters that are null included."""
    functions = ours.st.services.get(Multitenancy).functions
    tenants = [f"p-{uuid.uuid4().hex[:12]}" for _ in range(2)]
    for tenant_id in tenants:
        functions.create_or_update_tenant(tenant_id=tenant_id)
    assert sdk.call("set_provider", tenant_id=tenants[0], config=PROVIDER)["created_new"]
    [found] = providers_at_ours(functions, tenants[0])
    assert without_none(to_json(found)) == without_none(PROVIDER)
    assert functions.create_or_update_third_party_config(tenant_id=tenants[1], config=found).created_new
    [theirs], [same] = (sdk.call("providers", tenant_id=tenant_id) for tenant_id in tenants)
    assert without_none(theirs) == without_none(same)
    assert without_none(theirs)["clients"] == without_none(PROVIDER)["clients"]
    assert found.authorization_endpoint_query_params == PROVIDER["authorizationEndpointQueryParams"]
    assert sdk.call("delete_provider", tenant_id=tenants[1], third_party_id="school")["did_config_exist"]
    assert providers_at_ours(functions, tenants[1]) == ()
    assert functions.delete_third_party_config(tenant_id=tenants[0], third_party_id="school").did_config_exist
    assert sdk.call("providers", tenant_id=tenants[0]) == []
