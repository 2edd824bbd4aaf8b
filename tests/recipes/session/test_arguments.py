"""Every argument reaches what it is for: tenants, users, checks, and what the core is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from recipes.shop import QUICK, REFRESH, Borrowed, Shop, Visitor, clears, cookies_of, front_token_of, payload_of
from st_wsgi import Override, RecipeUserId, like, replace
from st_wsgi.core_client.transport import CoreReply, CoreRequest
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import ConfigError, Unauthorised
from st_wsgi.recipes import session
from st_wsgi.recipes.session import (
    BooleanClaim,
    ClaimsValidationResult,
    InvalidClaims,
    PrimitiveClaim,
    Session,
    SessionContainer,
    SessionFunctions,
    TryRefreshToken,
)
from st_wsgi.request import current

TRY_REFRESH = {"message": "try refresh token"}


@pytest.fixture(scope="module")
def core_with_tenant() -> Iterator[EmbeddedCore]:
    with EmbeddedCore(settings=QUICK) as core:
        body = {"tenantId": "t1"}
        request = CoreRequest("PUT", "/recipe/multitenancy/tenant/v2", body=body, headers={"cdi-version": "5.4"})
        assert core.send(request).status == 200
        yield core


class Bodies:
    """A core in between that remembers what it is sent to a path, and may change the answers."""

    def __init__(self, core: Borrowed, path: str, change: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.sent: list[Any] = []
        self._core, self._path, self._change = core, path, change
        core.answer = self._answer

    def _answer(self, request: CoreRequest) -> CoreReply | None:
        if not request.path.endswith(self._path):
            return None
        self.sent.append(request.body or request.params)
        if self._change is None:
            return None
        answer = self._core.core.send(request)
        assert isinstance(answer.body, dict)
        self._change(answer.body)
        return answer


class TestTenant:
    """A session is of the tenant that it was made in, whatever is done with it."""

    @pytest.fixture
    def shop(self, core_with_tenant: EmbeddedCore) -> Iterator[Shop]:
        yield Shop(Borrowed(core_with_tenant))
        current.set_default(None)

    def test_claims_are_fetched_for_it(self, shop: Shop) -> None:
        asked: list[str] = []

        def fetch(_user_id: str, _recipe_user_id: RecipeUserId, tenant_id: str, _payload: dict[str, Any]) -> bool:
            asked.append(tenant_id)
            return True

        claim = BooleanClaim("claim", fetch_value=fetch)
        stale = BooleanClaim("other", fetch_value=fetch)
        shop.sessions.add_claim(claim)
        visitor = shop.signed_in(tenant_id="t1")
        session.create_new_session_without_request_response(tenant_id="t1", recipe_user_id=RecipeUserId("worker"))
        handle = payload_of(str(visitor.access_token))["sessionHandle"]
        shop.with_session(visitor, lambda found: found.assert_claims([stale.is_true()]))
        shop.with_session(visitor, lambda found: found.fetch_and_set_claim(claim))
        session.fetch_and_set_claim(session_handle=handle, claim=claim)
        session.remove_claim(session_handle=handle, claim=stale)
        result = session.validate_claims_for_session_handle(
            session_handle=handle, override_global_claim_validators=lambda *_: [stale.is_true()]
        )
        assert result == ClaimsValidationResult(invalid_claims=())
        assert asked == ["t1"] * 6

    def test_global_validators_are_chosen_for_it(self, core_with_tenant: EmbeddedCore) -> None:
        seen: list[tuple[str, str, RecipeUserId]] = []

        def noting(original: SessionFunctions) -> SessionFunctions:
            @like(original.get_global_claim_validators)
            def get_global_claim_validators(**about: Any) -> list[session.SessionClaimValidator]:
                seen.append((about["tenant_id"], about["user_id"], about["recipe_user_id"]))
                about["claim_validators_added_by_other_recipes"].append(BooleanClaim("adult").is_true())
                return original.get_global_claim_validators(**about)

            return replace(original, get_global_claim_validators=get_global_claim_validators)

        shop = Shop(Borrowed(core_with_tenant), sessions=Session(override=Override(functions=noting)))
        visitor = shop.signed_in(tenant_id="t1")
        for _ in range(2):  # an override that writes into the list that it gets changes nothing for the next request
            answer = visitor.visit()
            assert [error["id"] for error in (answer.json or {})["claimValidationErrors"]] == ["adult"]
        handle = payload_of(str(visitor.access_token))["sessionHandle"]
        session.validate_claims_for_session_handle(session_handle=handle)
        assert seen == [("t1", visitor.user_id, RecipeUserId(visitor.user_id))] * 3
        current.set_default(None)

    def test_it_is_read_refreshed_and_ended(self, shop: Shop) -> None:
        visitor = shop.signed_in(tenant_id="t1")
        assert shop.with_session(visitor, lambda found: found.get_tenant_id()).json == "t1"
        assert visitor.refresh().status_code == 200
        assert shop.with_session(visitor, lambda found: found.get_tenant_id()).json == "t1"
        assert session.get_all_session_handles_for_user(user_id=visitor.user_id, tenant_id="public") == []
        assert session.revoke_all_sessions_for_user(user_id=visitor.user_id, tenant_id="public") == []
        assert len(session.revoke_all_sessions_for_user(user_id=visitor.user_id, tenant_id="t1")) == 1


class TestReading:
    @pytest.fixture
    def by_token(self, core: Borrowed) -> Shop:
        return Shop(core, sessions=Session(anti_csrf="VIA_TOKEN"))

    def ended(self, shop: Shop) -> Visitor:
        visitor = shop.signed_in()
        session.revoke_all_sessions_for_user(user_id=visitor.user_id)
        return visitor

    def test_without_a_request(self, by_token: Shop) -> None:
        visitor = by_token.signed_in()
        access = str(visitor.access_token)
        read = session.get_session_without_request_response
        assert read(access_token=access, anti_csrf_check=False) is not None
        with pytest.raises(TryRefreshToken):
            read(access_token=access)
        with pytest.raises(InvalidClaims):
            read(
                access_token=access,
                anti_csrf_token=visitor.anti_csrf,
                override_global_claim_validators=lambda found, _: [*found, BooleanClaim("adult").is_true()],
            )
        ended = self.ended(by_token)
        assert read(access_token=str(ended.access_token), anti_csrf_token=ended.anti_csrf) is not None
        with pytest.raises(Unauthorised):
            read(access_token=str(ended.access_token), anti_csrf_token=ended.anti_csrf, check_database=True)

    def test_or_nothing(self, by_token: Shop) -> None:
        """get_session_or_none passes on what it is given, the request above all."""
        visitor, ended = by_token.signed_in(), self.ended(by_token)
        visitor.anti_csrf = None
        cases: list[tuple[dict[str, Any], tuple[int, int]]] = [
            ({"anti_csrf_check": False}, (200, 200)),
            ({"anti_csrf_check": True}, (401, 200)),
            ({"anti_csrf_check": False, "override_global_claim_validators": _only_adults}, (403, 403)),
            ({"anti_csrf_check": False, "check_database": True}, (200, 401)),
        ]
        for arguments, answers in cases:

            def view(environ: Any, arguments: dict[str, Any] = arguments) -> Any:
                found = session.get_session_or_none(environ, **arguments)
                return None if found is None else found.get_user_id()

            assert (by_token.during(visitor, view).status_code, by_token.during(ended, view).status_code) == answers
            assert by_token.during(by_token.visitor(), view).json is None

    def test_the_decorator_passes_on_its_arguments(self, by_token: Shop) -> None:
        visitor = by_token.signed_in()
        visitor.anti_csrf = None
        for check, status in ((None, 200), (False, 200), (True, 401)):
            view = session.verify_session(anti_csrf_check=check)(lambda environ: "in")
            assert by_token.during(visitor, view).status_code == status

    def test_every_function_takes_the_request_that_it_is_given(self, shop: Shop) -> None:
        """Not only the one in flight: one of another thread, for instance."""
        visitor, other = shop.signed_in(), shop.signed_in()
        kept: list[Any] = []
        answers: list[str] = []

        def inner(environ: Any) -> str:
            outer = kept[0]
            answers.append(session.get_session(outer).get_user_id())
            found = session.get_session_or_none(outer)
            answers.append("" if found is None else found.get_user_id())
            answers.append(session.current_session(outer).get_user_id())
            return session.get_session(environ).get_user_id()

        def outer(environ: Any) -> Any:
            kept.append(environ)
            return shop.during(other, inner).json

        assert shop.during(visitor, outer).json == other.user_id
        assert answers == [visitor.user_id] * 3

    def test_refreshing_takes_the_request_that_it_is_given(self, core: Borrowed) -> None:
        off = Override[SessionFunctions, session.SessionAPIs](apis=lambda apis: replace(apis, refresh_post=None))
        shop = Shop(core, sessions=Session(override=off))
        visitor, other = shop.signed_in(), shop.signed_in()
        kept: list[Any] = []

        def inner(environ: Any) -> str:
            return session.refresh_session(kept[0]).get_user_id()

        def outer(environ: Any) -> Any:
            kept.append(environ)
            return shop.during(other, inner).json

        before = visitor.refresh_token
        assert shop.during(visitor, outer, method="POST", path=REFRESH).json == visitor.user_id
        assert visitor.refresh_token != before

    def test_an_override_may_decide_that_there_is_no_session(self, core: Borrowed) -> None:
        def hiding(original: SessionFunctions) -> SessionFunctions:
            return replace(original, get_session=lambda **_: None)

        shop = Shop(core, sessions=Session(override=Override(functions=hiding)))
        visitor = shop.signed_in()
        answer = visitor.visit()
        assert (answer.status_code, answer.json) == (401, {"message": "unauthorised"})
        assert "Set-Cookie" not in answer.headers
        assert shop.during(visitor, lambda environ: session.get_session_or_none(environ) is None).json is True

    def test_the_function_without_a_token(self, shop: Shop) -> None:
        functions = shop.sessions.functions
        assert functions.get_session(access_token=None, session_required=False) is None
        with pytest.raises(Unauthorised) as refusal:
            functions.get_session(access_token=None)
        assert refusal.value.clear_tokens is False

    def test_the_transfer_method_is_asked_whether_a_session_is_made(self, core: Borrowed) -> None:
        asked: list[bool] = []

        def choose(_request: Any, creating: bool) -> Any:
            asked.append(creating)
            return "any"

        visitor = Shop(core, sessions=Session(get_token_transfer_method=choose)).signed_in()
        visitor.visit()
        visitor.refresh()
        assert asked[0] is True
        assert set(asked[1:]) == {False}

    def test_a_cookie_whose_name_only_ends_like_the_one_of_very_old_sdks(self, shop: Shop) -> None:
        visitor = shop.signed_in()
        cookies = visitor.cookie_header("/page") + "; xsIdRefreshToken=1; theme=sIdRefreshToken=1"
        assert visitor.visit(headers={"Cookie": cookies}).status_code == 200


def _only_adults(found: Any, _session: Any) -> Any:
    return [*found, BooleanClaim("adult").is_true()]


class TestCoreCalls:
    """What the core is told."""

    @pytest.mark.parametrize(
        ("path", "key", "call"),
        [
            (
                "/recipe/session/remove",
                "revokeSessionsForLinkedAccounts",
                lambda *given: session.revoke_all_sessions_for_user(
                    user_id="nobody", **dict(zip(["revoke_sessions_for_linked_accounts"], given, strict=False))
                ),
            ),
            (
                "/recipe/session/user",
                "fetchSessionsForAllLinkedAccounts",
                lambda *given: session.get_all_session_handles_for_user(
                    user_id="nobody", **dict(zip(["fetch_sessions_for_all_linked_accounts"], given, strict=False))
                ),
            ),
        ],
        ids=["revoke", "list"],
    )
    def test_linked_accounts(self, shop: Shop, path: str, key: str, call: Callable[..., object]) -> None:
        bodies = Bodies(shop.core, path)
        for given in ((), (True,), (False,)):
            call(*given)
        assert [str(sent[key]).lower() for sent in bodies.sent] == ["true", "true", "false"]

    @pytest.mark.parametrize(("mode", "enabled"), [("cookie", True), ("header", False)])
    def test_anti_csrf_tokens_are_for_cookies_only(self, core: Borrowed, mode: str, enabled: bool) -> None:
        visitor = Shop(core, sessions=Session(anti_csrf="VIA_TOKEN")).visitor(mode)
        made = Bodies(core, "/recipe/session")
        assert ("anti-csrf" in visitor.start_session().headers) is enabled
        refreshed = Bodies(core, "/recipe/session/refresh")
        assert ("anti-csrf" in visitor.refresh().headers) is enabled
        assert [body["enableAntiCsrf"] for body in (*made.sent, *refreshed.sent)] == [enabled] * 2

    def test_the_core_checks_and_renews_the_anti_csrf_token_as_we_do(self, core: Borrowed) -> None:
        shop = Shop(core, sessions=Session(anti_csrf="VIA_TOKEN"))
        visitor = shop.signed_in()
        visitor.refresh()
        bodies = Bodies(core, "/recipe/session/verify")
        assert visitor.visit("POST").status_code == 200
        (sent,) = bodies.sent
        assert (sent["doAntiCsrfCheck"], sent["enableAntiCsrf"], sent["checkDatabase"]) == (True, True, False)
        assert sent["antiCsrfToken"] == visitor.anti_csrf
        assert visitor.visit("POST").status_code == 200

    def test_what_the_core_renews_is_what_the_view_sees(self, shop: Shop) -> None:
        visitor = shop.signed_in(access_token_payload={"n": 1})
        handle = payload_of(str(visitor.access_token))["sessionHandle"]
        session.merge_into_access_token_payload(session_handle=handle, access_token_payload_update={"n": 2})

        def view(environ: Any) -> Any:
            found = session.get_session(environ, check_database=True)
            return [found.get_access_token_payload()["n"], found.get_access_token()]

        number, token = shop.during(visitor, view).json or []
        assert (number, token) == (2, visitor.access_token)
        told = visitor.front_token
        assert told is not None
        assert told["up"] == payload_of(token)

    def test_the_core_may_want_a_refresh(self, shop: Shop) -> None:
        visitor = shop.signed_in()
        shop.core.answer = lambda request: (
            CoreReply(200, {"status": "TRY_REFRESH_TOKEN"}) if request.path == "/recipe/session/verify" else None
        )
        answer = shop.during(visitor, lambda environ: bool(session.get_session(environ, check_database=True)))
        assert (answer.status_code, answer.json) == (401, TRY_REFRESH)

    def test_the_user_of_a_linked_account(self, core: Borrowed) -> None:
        """The frontend is told the user; the login method is the session's own affair."""

        def link(answer: dict[str, Any]) -> None:
            answer["session"]["userId"] = "primary"

        shop = Shop(core)
        visitor = shop.visitor()
        Bodies(core, "/recipe/session", link)
        seen: list[Any] = []

        def view(environ: Any) -> None:
            made = session.create_new_session(environ, recipe_user_id=RecipeUserId("login"))
            seen.extend([made.get_user_id(), made.get_recipe_user_id(), repr(made)])

        told = front_token_of(shop.during(visitor, view))
        assert told is not None
        assert told["uid"] == "primary"
        assert seen[:2] == ["primary", RecipeUserId("login")]
        assert "primary" in seen[2]


class TestCookies:
    @pytest.mark.parametrize("mode", ["cookie", "header"])
    def test_ending_a_session_clears_the_transport_in_use(self, shop: Shop, mode: str) -> None:
        answer = shop.with_session(shop.signed_in(mode), SessionContainer.revoke_session, method="POST")
        other = {"cookie": "header", "header": "cookie"}[mode]
        assert clears(answer, mode)
        assert not clears(answer, other)
        assert ("Set-Cookie" in answer.headers) is (mode == "cookie")

    def test_the_cookie_of_very_old_sdks_is_cleared_where_ours_are(self, core: Borrowed) -> None:
        visitor = Shop(core, sessions=Session(cookie_domain="shop.example")).visitor()
        answer = visitor.refresh(headers={"Cookie": "sIdRefreshToken=x"})
        assert "Domain=shop.example" in cookies_of(answer)["sIdRefreshToken"]

    def test_doubled_access_cookies_do_not_matter_where_tokens_are_in_headers(self, core: Borrowed) -> None:
        for choice in ("header", lambda _request, _creating: "header"):
            shop = Shop(core, sessions=Session(get_token_transfer_method=choice))
            visitor = shop.signed_in("header")
            assert visitor.refresh(headers={"Cookie": "sAccessToken=a; sAccessToken=b"}).status_code == 200

    @pytest.mark.parametrize("status", [200, 302, 399, 600])
    def test_a_refusal_has_the_status_of_a_refusal(self, status: int) -> None:
        for name in ("session_expired_status_code", "invalid_claim_status_code"):
            with pytest.raises(ConfigError, match="an HTTP status from 400 to 599"):
                Session(**{name: status})  # type: ignore[arg-type]


def test_a_claim_is_built_on_what_is_there_already(core: Borrowed) -> None:
    shop = Shop(core)
    seen: list[dict[str, Any]] = []
    shop.sessions.add_claim(PrimitiveClaim[str]("first", fetch_value=lambda *_: "one"))
    shop.sessions.add_claim(PrimitiveClaim[str]("second", fetch_value=lambda *about: seen.append(about[3])))
    shop.sessions.add_claim(shop.sessions.claims[1])  # twice is once
    shop.signed_in(access_token_payload={"mine": 1})
    (payload,) = seen
    assert payload["mine"] == 1
    assert payload["first"]["v"] == "one"
    assert payload["iss"] == "https://api.shop.example/auth"
