"""Which checks are made in which order, what they ask of the core, and how views are protected."""

from __future__ import annotations

import inspect
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bottle  # type: ignore[import-untyped]  # it has no types
import flask
import pytest
from public_names import public_names
from toy import Browser
from werkzeug.test import TestResponse, create_environ

from recipes.shop import Borrowed, Clock, Shop, Visitor, clears_nothing, cookies_of, header_of, payload_of
from st_wsgi import Override, RecipeUserId, replace
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import session
from st_wsgi.recipes.session import PrimitiveClaim, Session

TRY_REFRESH = {"message": "try refresh token"}
UNAUTHORISED = {"message": "unauthorised"}


def asked(shop: Shop, before: list[str]) -> list[str]:
    return shop.core.calls[len(before) :]


def test_a_test_that_moves_the_time_of_the_process_moves_its_sessions(
    core: Borrowed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages that freeze the time put a function of theirs in the place of time.time."""
    visitor = Shop(core).signed_in()
    assert visitor.visit().status_code == 200
    in_two_hours = time.time() + 7200
    monkeypatch.setattr(time, "time", lambda: in_two_hours)
    assert visitor.visit().json == TRY_REFRESH


class TestCoreCalls:
    def test_a_verified_token_asks_nothing_of_the_core(self, shop: Shop) -> None:
        visitor = shop.signed_in()
        visitor.visit()
        before = list(shop.core.calls)
        for method in ("GET", "POST", "GET"):
            assert visitor.visit(method).status_code == 200
        assert asked(shop, before) == []

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": "Bearer a.b.c"},
            {"Cookie": "sAccessToken=x"},
            {"Cookie": "sAccessToken=x; sAccessToken=y"},
            {"Cookie": "sIdRefreshToken=x"},
        ],
    )
    def test_what_is_refused_by_its_form_never_reaches_the_core(self, core: Borrowed, headers: dict[str, str]) -> None:
        """Not even for the keys, of which a new instance has none yet."""
        made = Shop(core)
        before = list(core.calls)
        assert made.visitor().visit("POST", headers=headers).status_code == 401
        assert asked(made, before) == []

    def test_nor_does_what_is_refused_before_its_key_is_looked_up(self, core: Borrowed) -> None:
        visitor = Shop(core).signed_in()
        for made, headers in (
            (Shop(core, sessions=Session(anti_csrf="VIA_CUSTOM_HEADER")), {"rid": None}),
            (Shop(core, sessions=Session(use_dynamic_access_token_signing_key=False)), {}),
        ):
            before = list(core.calls)
            visitor.shop = made
            assert visitor.visit("POST", headers=headers).json == TRY_REFRESH
            assert asked(made, before) == []

    def test_the_keys_are_asked_for_once(self, core: Borrowed) -> None:
        visitor = Shop(core).signed_in()
        visitor.shop = Shop(core)
        before = list(core.calls)
        for _ in range(3):
            visitor.visit()
        assert asked(visitor.shop, before) == ["GET /.well-known/jwks.json"]

    def test_a_token_right_after_a_refresh_is_made_final_by_its_first_use(self, shop: Shop) -> None:
        visitor = shop.signed_in()
        visitor.visit()
        visitor.refresh()
        assert payload_of(str(visitor.access_token))["parentRefreshTokenHash1"] is not None
        before = list(shop.core.calls)
        answer = visitor.visit()
        assert asked(shop, before) == ["POST /recipe/session/verify"]
        assert answer.json == {"userId": visitor.user_id}
        assert answer.headers["Cache-Control"] == "no-store"
        assert "sAccessToken" in cookies_of(answer)
        assert "sRefreshToken" not in cookies_of(answer)
        assert payload_of(str(visitor.access_token))["parentRefreshTokenHash1"] is None
        before = list(shop.core.calls)
        visitor.visit()
        assert asked(shop, before) == []

    def test_a_revoked_session_is_good_until_the_database_is_asked(self, shop: Shop) -> None:
        """W-078."""
        visitor = shop.signed_in()
        session.revoke_all_sessions_for_user(user_id=visitor.user_id)
        assert visitor.visit().status_code == 200

        def check(environ: Any) -> str:
            return session.get_session(environ, check_database=True).get_user_id()

        assert shop.during(visitor, check).json == UNAUTHORISED


class TestKeys:
    @pytest.mark.parametrize(("dynamic", "prefix"), [(True, "d-"), (False, "s-")])
    def test_sessions_are_signed_with_the_kind_of_key_that_was_asked_for(
        self, core: Borrowed, dynamic: bool, prefix: str
    ) -> None:
        made = Shop(core, sessions=Session(use_dynamic_access_token_signing_key=dynamic))
        visitor = made.signed_in()
        header = header_of(str(visitor.access_token))
        assert header["kid"].startswith(prefix)
        assert header.keys() == {"alg", "typ", "kid", "version"}
        assert visitor.visit().status_code == 200
        visitor.refresh()
        assert header_of(str(visitor.access_token))["kid"].startswith(prefix)
        assert visitor.visit().status_code == 200

    def test_after_the_kind_of_key_was_changed_a_refresh_brings_a_token_of_the_new_kind(self, core: Borrowed) -> None:
        visitor = Shop(core).signed_in()
        visitor.shop = Shop(core, sessions=Session(use_dynamic_access_token_signing_key=False))
        assert visitor.visit().json == TRY_REFRESH
        assert visitor.refresh().status_code == 200
        assert visitor.visit().status_code == 200

    def test_a_key_that_is_rotated_in_is_found(self, timed_core: Borrowed, clock: Clock) -> None:
        made = Shop(timed_core, clock=clock)
        old = made.signed_in()
        assert old.visit().status_code == 200
        clock.wait(8 * 24 * 3600)
        new = made.signed_in()
        assert header_of(str(new.access_token))["kid"] != header_of(str(old.access_token))["kid"]
        assert new.visit().status_code == 200
        assert old.visit().json == TRY_REFRESH
        assert old.refresh().status_code == 200
        assert old.visit().status_code == 200


class TestExpiry:
    @pytest.mark.parametrize("mode", ["cookie", "header"])
    def test_an_expired_token_is_renewed_by_a_refresh(self, timed_core: Borrowed, clock: Clock, mode: str) -> None:
        visitor = Shop(timed_core, clock=clock).signed_in(mode)
        clock.wait(3598)
        assert visitor.visit().status_code == 200
        clock.wait(2)
        answer = visitor.visit()
        assert (answer.json, clears_nothing(answer)) == (TRY_REFRESH, True)
        assert visitor.refresh().json == {}
        assert visitor.visit().json == {"userId": visitor.user_id}

    def test_after_a_hundred_days_without_a_refresh_the_session_is_gone(
        self, timed_core: Borrowed, clock: Clock
    ) -> None:
        visitor = Shop(timed_core, clock=clock).signed_in()
        clock.wait(99 * 24 * 3600)
        assert visitor.refresh().status_code == 200
        clock.wait(101 * 24 * 3600)
        answer = visitor.refresh()
        assert (answer.status_code, answer.json) == (401, UNAUTHORISED)
        assert visitor.refresh_token is None


class TestOptional:
    def test_without_a_token_there_is_none(self, shop: Shop) -> None:
        assert shop.during(shop.visitor(), session.get_session_or_none).json is None
        text = {"Authorization": "Bearer some-api-key", "Cookie": "sAccessToken=x"}
        answer = shop.during(shop.visitor(), session.get_session_or_none, headers=text)
        assert answer.json is None

    def test_with_one_there_is_one(self, shop: Shop) -> None:
        visitor = shop.signed_in()

        def view(environ: Any) -> str | None:
            found = session.get_session_or_none(environ)
            return None if found is None else found.get_user_id()

        assert shop.during(visitor, view).json == visitor.user_id

    def test_an_expired_one_is_still_to_be_renewed(self, timed_core: Borrowed, clock: Clock) -> None:
        made = Shop(timed_core, clock=clock)
        visitor = made.signed_in()
        clock.wait(4000)
        answer = made.during(visitor, lambda environ: str(session.get_session_or_none(environ)))
        assert answer.json == TRY_REFRESH


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_options_and_trace_never_look_at_tokens(shop: Shop, method: str) -> None:
    visitor = shop.signed_in()
    extra = {"Cookie": visitor.cookie_header("/page") + "; sIdRefreshToken=x"}
    answer = visitor.visit(method, headers=extra)
    assert (answer.status_code, answer.json) == (401, UNAUTHORISED)
    found = shop.during(visitor, session.get_session_or_none, method=method, headers=extra)
    assert found.json is None


class TestSurface:
    """SuperTokens' own names, so that its documentation stays usable (frontend driver interface, session)."""

    @pytest.mark.parametrize(
        "name",
        [
            *("create_new_session", "create_new_session_without_request_response", "get_session"),
            *("get_session_without_request_response", "refresh_session", "refresh_session_without_request_response"),
            *("revoke_session", "revoke_multiple_sessions", "revoke_all_sessions_for_user"),
            *("get_all_session_handles_for_user", "get_session_information", "update_session_data_in_database"),
            *("merge_into_access_token_payload", "validate_claims_for_session_handle", "fetch_and_set_claim"),
            *("get_claim_value", "set_claim_value", "remove_claim", "create_jwt", "get_jwks"),
            *("get_open_id_discovery_configuration", "verify_session"),
        ],
    )
    def test_a_function_for_users(self, name: str) -> None:
        assert name in public_names(session)
        assert inspect.getdoc(getattr(session, name))
        assert "self" not in inspect.signature(getattr(session, name)).parameters

    @pytest.mark.parametrize(
        "name",
        [
            *("get_user_id", "get_recipe_user_id", "get_tenant_id", "get_handle", "get_access_token"),
            *("get_access_token_payload", "get_all_session_tokens_dangerously", "revoke_session"),
            *("get_session_data_from_database", "update_session_data_in_database", "merge_into_access_token_payload"),
            *("get_time_created", "get_expiry", "assert_claims", "fetch_and_set_claim", "set_claim_value"),
            *("get_claim_value", "remove_claim", "attach_to_request_response"),
        ],
    )
    def test_a_method_of_a_session(self, name: str) -> None:
        assert callable(getattr(session.SessionContainer, name))

    def test_a_session_that_is_not_required_in_the_words_of_other_sdks(self, shop: Shop) -> None:
        def view(environ: Any) -> str | None:
            found = session.get_session(environ, session_required=False)
            return None if found is None else found.get_user_id()

        visitor = shop.signed_in()
        assert shop.during(visitor, view).json == visitor.user_id
        assert shop.during(shop.visitor(), view).json is None

    def test_jwts_are_made_and_verified_by_the_functions_of_the_recipes_below(self, shop: Shop) -> None:
        made = session.create_jwt(payload={"a": 1})
        assert made.status == "OK"
        assert session.get_jwks().keys
        assert session.get_open_id_discovery_configuration().issuer == "https://api.shop.example/auth"


class TestTokenTossing:
    """W-061: cookies that another site below the same domain has set."""

    @pytest.mark.parametrize(
        "more",
        [
            "; sAccessToken=evil",
            "; sAccessToken=",
            "; sAccessToken=a=b",
            ';sAccessToken="x"',
            ";  sAccessToken=%22",
        ],
    )
    def test_a_second_cookie_of_the_name_is_noticed_before_either_is_judged(self, shop: Shop, more: str) -> None:
        visitor = shop.signed_in()
        cookie = visitor.cookie_header("/page")
        for header in (cookie + more, more.strip("; ") + "; " + cookie):
            assert visitor.visit(headers={"Cookie": header}).json == TRY_REFRESH

    @pytest.mark.parametrize(
        "more",
        ["; SACCESSTOKEN=x", "; sAccessToken2=x", "; xsAccessToken=x", "; s%41ccessToken=x", "; a=sAccessToken=x"],
    )
    def test_another_name_is_another_cookie(self, shop: Shop, more: str) -> None:
        visitor = shop.signed_in()
        assert visitor.visit(headers={"Cookie": visitor.cookie_header("/page") + more}).status_code == 200

    def test_a_value_in_double_quotes_is_the_value(self, shop: Shop) -> None:
        visitor = shop.signed_in()
        assert visitor.visit(headers={"Cookie": f'sAccessToken="{visitor.access_token}"'}).status_code == 200

    def test_a_cookie_header_of_any_length_is_answered(self, shop: Shop) -> None:
        visitor = shop.signed_in()
        crowd = "; ".join(f"c{number}=x" for number in range(20_000))
        assert visitor.visit(headers={"Cookie": crowd}).status_code == 401


class TestProtectedViews:
    """The decorator, on views of frameworks."""

    def app(self, shop: Shop, **settings: Any) -> Visitor:
        made = flask.Flask(__name__)

        @made.route("/page", methods=["GET", "POST", "OPTIONS"])
        @session.verify_session(**settings)
        def page() -> dict[str, Any]:
            found = flask.request.environ.get("st_wsgi.session")
            return {"user": None if found is None else session.current_session().get_user_id()}

        @made.get("/open")
        def unprotected() -> dict[str, Any]:
            return {"user": session.current_session().get_user_id()}

        visitor = shop.signed_in()
        shop.app = shop.st.wrap(made.wsgi_app)
        return visitor

    def test_a_flask_view_runs_only_with_a_session(self, shop: Shop) -> None:
        visitor = self.app(shop)
        assert visitor.visit().json == {"user": visitor.user_id}
        answer = shop.visitor().visit()
        assert (answer.status_code, answer.json) == (401, UNAUTHORISED)

    def test_or_without_one_if_it_is_optional(self, shop: Shop) -> None:
        visitor = self.app(shop, session_required=False)
        assert visitor.visit().json == {"user": visitor.user_id}
        assert shop.visitor().visit().json == {"user": None}

    def test_where_none_was_verified_there_is_no_current_session(self, shop: Shop) -> None:
        answer = self.app(shop).call("GET", "/open")
        assert (answer.status_code, clears_nothing(answer)) == (401, True)

    def test_the_database_can_be_asked(self, shop: Shop) -> None:
        visitor = self.app(shop, check_database=True)
        assert visitor.visit().status_code == 200
        session.revoke_all_sessions_for_user(user_id=visitor.user_id)
        assert visitor.visit().json == UNAUTHORISED

    def test_a_bottle_view(self, shop: Shop) -> None:
        made = bottle.Bottle()

        @made.get("/page")  # type: ignore[untyped-decorator]  # bottle has no types
        @session.verify_session()
        def page() -> dict[str, Any]:
            return {"user": session.get_session(bottle.request).get_user_id()}

        visitor = shop.signed_in()
        shop.app = shop.st.wrap(made)
        assert visitor.visit().json == {"user": visitor.user_id}
        assert shop.visitor().visit().json == UNAUTHORISED

    def test_a_plain_function_that_gets_the_request_in_any_place(self, shop: Shop) -> None:
        class Handler:
            @session.verify_session()
            def on_get(self, request: Any, *, extra: int) -> str:
                return session.current_session(request).get_user_id()

        visitor = shop.signed_in()
        assert shop.during(visitor, lambda environ: Handler().on_get(environ, extra=1)).json == visitor.user_id

        @session.verify_session()
        def by_name(*, request: Any) -> str:
            return "in"

        assert shop.during(visitor, lambda environ: by_name(request=environ)).json == "in"
        assert shop.during(shop.visitor(), lambda environ: by_name(request=environ)).json == UNAUTHORISED

    def test_a_request_that_did_not_come_through_is_not_taken_for_the_one_in_flight(self, shop: Shop) -> None:
        """A view that is called with a request made inside another one, as by Pyramid's subrequests."""
        visitor = shop.signed_in()
        ran: list[object] = []

        def view(environ: Any) -> str:
            with pytest.raises(ConfigError, match="did not come through"):
                session.verify_session()(ran.append)(flask.Request(create_environ("/inner")))
            return session.get_session(environ).get_user_id()

        assert shop.during(visitor, view).json == visitor.user_id
        assert ran == []

    def test_a_view_that_is_a_coroutine_is_refused_with_the_remedy(self, shop: Shop) -> None:
        """Flask and Django run those under WSGI, but only if they see that it is one; asking inside works."""
        made = flask.Flask(__name__)

        @made.get("/page")
        async def page() -> dict[str, str]:
            return {"user": session.get_session().get_user_id()}

        with pytest.raises(TypeError, match=r"page is a coroutine function: call get_session\(\) in it"):
            session.verify_session()(page)
        visitor, anonymous = shop.signed_in(), shop.visitor()
        shop.app = shop.st.wrap(made.wsgi_app)
        with ThreadPoolExecutor(1) as server:  # Flask's event loop wants a thread without another one
            assert server.submit(visitor.visit).result(20).json == {"user": visitor.user_id}
            assert server.submit(anonymous.visit).result(20).json == UNAUTHORISED

    def test_code_for_all_requests_asks_without_raising(self, shop: Shop) -> None:
        visitor = self.app(shop)

        def outer(environ: Any, start_response: Any) -> Any:
            def start(status: str, headers: Any, exc_info: Any = None) -> Any:
                found = session.current_session_or_none(environ)
                return start_response(status, [*headers, ("X-User", "" if found is None else found.get_user_id())])

            return inner(environ, start)

        inner, shop.app = shop.app, outer
        assert visitor.visit().headers["X-User"] == visitor.user_id
        for anonymous in (shop.visitor().visit(), shop.visitor().call("GET", "/nowhere")):
            assert anonymous.headers["X-User"] == ""
        assert anonymous.status_code == 404

    def test_it_keeps_the_views_name_and_signature(self) -> None:
        def page(name: str, *, size: int = 3) -> str:
            """Return a page."""
            return name * size

        protected = session.verify_session()(page)
        assert (protected.__name__, protected.__doc__) == ("page", "Return a page.")
        assert str(inspect.signature(protected)) == "(name: 'str', *, size: 'int' = 3) -> 'str'"

    def test_outside_a_request_it_says_what_is_missing(self, shop: Shop) -> None:
        with pytest.raises(ConfigError, match="has to be wrapped"):
            session.verify_session()(lambda: "never")()

    @pytest.mark.parametrize("path", ["/auth/session/refresh", "/auth/session/refresh/", "/auth/t1/session/refresh"])
    def test_on_an_apps_own_refresh_route_it_refreshes(self, core: Borrowed, path: str) -> None:
        from_app: list[str] = []
        made = Shop(core, sessions=Session(override=without_refresh()))

        @session.verify_session()
        def view(environ: Any) -> str:
            from_app.append(session.current_session(environ).get_user_id())
            return "refreshed"

        visitor = made.signed_in()
        made.view = view
        before = visitor.refresh_token
        cookies = {"Cookie": visitor.cookie_header("/auth/session/refresh")}
        assert visitor.call("POST", path, headers=cookies).json == "refreshed"
        assert visitor.refresh_token != before
        assert from_app == [visitor.user_id]
        now = visitor.refresh_token
        assert visitor.call("GET", path, headers={"Cookie": visitor.cookie_header("/")}).json == "refreshed"
        assert visitor.refresh_token == now, "only a POST refreshes"


def without_refresh() -> Any:
    return Override(apis=lambda original: replace(original, refresh_post=None))


class TestReadAgain:
    """A session that is read twice in a request is the same one, with what the first reader has changed."""

    @pytest.mark.parametrize("mode", ["cookie", "header"])
    def test_what_was_changed_before_is_there_and_stays(self, shop: Shop, mode: str) -> None:
        visitor = shop.signed_in(mode)
        age = PrimitiveClaim[int]("age", fetch_value=lambda *_: 30)

        @session.verify_session(override_global_claim_validators=lambda found, _: [*found, age.has_value(30)])
        def view(environ: Any) -> Any:
            session.get_session(environ).merge_into_access_token_payload({"a": 1})
            session.current_session(environ).merge_into_access_token_payload({"b": 2})
            found = session.get_session(environ, check_database=True)
            found.merge_into_access_token_payload({"c": 3})
            return {name: found.get_access_token_payload().get(name) for name in "abc"}

        assert shop.during(visitor, view).json == {"a": 1, "b": 2, "c": 3}
        sent = payload_of(str(visitor.access_token))
        assert (sent["age"]["v"], sent["a"], sent["b"], sent["c"]) == (30, 1, 2, 3)

    def test_right_after_a_refresh_the_core_is_asked_once(self, shop: Shop) -> None:
        visitor = shop.signed_in()
        visitor.refresh()
        before = list(shop.core.calls)

        def view(environ: Any) -> Any:
            return [session.get_session(environ).get_user_id() for _ in range(3)]

        assert shop.during(visitor, view).json == [visitor.user_id] * 3
        assert asked(shop, before).count("POST /recipe/session/verify") == 1

    def test_a_session_that_was_made_meanwhile_is_another_one(self, shop: Shop) -> None:
        visitor = shop.signed_in()

        def view(environ: Any) -> Any:
            session.get_session(environ)
            made = session.create_new_session(environ, recipe_user_id=RecipeUserId("somebody else"))
            found = session.get_session(environ)
            return [made.get_user_id(), found.get_user_id()]

        assert shop.during(visitor, view).json == ["somebody else", visitor.user_id]


def test_ending_an_old_session_leaves_a_new_one_in_the_frontend(shop: Shop) -> None:
    """An app that ends the former session of who signs in, whichever it does first."""
    for order in (("make", "end"), ("end", "make")):
        visitor = shop.signed_in()
        old = visitor.access_token

        def view(environ: Any, order: tuple[str, str] = order) -> str:
            found = session.get_session(environ)
            for step in order:
                if step == "end":
                    found.revoke_session()
                else:
                    session.create_new_session(environ, recipe_user_id=RecipeUserId("ada"))
            return found.get_handle()

        ended = shop.during(visitor, view, method="POST").json
        assert session.get_session_information(session_handle=str(ended)) is None
        assert visitor.access_token != old
        assert visitor.visit().json == {"userId": "ada"}


class TestSessionInHand:
    def test_it_knows_what_is_in_its_token(self, shop: Shop) -> None:
        visitor = shop.visitor()
        started = visitor.start_session(access_token_payload={"colour": "red"}).json or {}

        def view(found: session.SessionContainer) -> dict[str, Any]:
            return {
                "user": found.get_user_id(),
                "recipe user": found.get_recipe_user_id().get_as_string(),
                "tenant": found.get_tenant_id(),
                "handle": found.get_handle(),
                "token": found.get_access_token(),
                "payload": found.get_access_token_payload(),
                "text": repr(found),
            }

        told = shop.with_session(visitor, view).json or {}
        assert told["user"] == told["recipe user"] == visitor.user_id
        assert (told["tenant"], told["handle"]) == ("public", started["handle"])
        assert told["token"] == visitor.access_token
        assert told["payload"]["colour"] == "red"
        assert told["payload"]["iss"] == "https://api.shop.example/auth"
        assert not {"refreshTokenHash1", "parentRefreshTokenHash1", "antiCsrfToken"} & told["payload"].keys()
        assert str(visitor.access_token) not in told["text"]

    def test_its_payload_is_a_copy(self, shop: Shop) -> None:
        visitor = shop.signed_in(access_token_payload={"list": [1], "nested": {"a": 1}})

        def view(found: session.SessionContainer) -> Any:
            mine = found.get_access_token_payload()
            mine["list"].append(2)
            mine["nested"]["a"] = 2
            mine["sub"] = "somebody else"
            again = found.get_access_token_payload()
            return [again["list"], again["nested"], again["sub"]]

        for _ in range(2):
            assert shop.with_session(visitor, view).json == [[1], {"a": 1}, visitor.user_id]

    def test_its_tokens_are_for_apps_that_carry_them_themselves(self, shop: Shop) -> None:
        made = session.create_new_session_without_request_response(
            recipe_user_id=RecipeUserId("u"),
            access_token_payload={"a": 1},
            session_data_in_database={"b": 2},
        )
        tokens = made.get_all_session_tokens_dangerously()
        assert tokens.access_and_front_token_updated is True
        assert payload_of(tokens.access_token)["a"] == 1
        assert "eyJ" not in repr(tokens)
        found = session.get_session_without_request_response(access_token=tokens.access_token)
        assert found is not None
        again = found.get_all_session_tokens_dangerously()
        assert (again.access_and_front_token_updated, again.refresh_token) == (False, None)
        assert again.front_token == tokens.front_token
        assert session.get_session_without_request_response(access_token="no token", session_required=False) is None
        with pytest.raises(session.Unauthorised):
            session.get_session_without_request_response(access_token="no token")

    def test_it_can_be_attached_to_a_request_by_hand(self, shop: Shop) -> None:
        visitor = shop.visitor("header")

        def view(environ: Any) -> str:
            made = session.create_new_session_without_request_response(recipe_user_id=RecipeUserId(visitor.user_id))
            made.attach_to_request_response(environ, "header")
            return "done"

        answer: TestResponse = shop.during(visitor, view)
        assert answer.headers["st-access-token"] == visitor.access_token
        assert visitor.visit().json == {"userId": visitor.user_id}


def test_the_session_is_in_the_environ_for_middleware_above(shop: Shop) -> None:
    visitor = shop.signed_in()
    seen: list[Any] = []

    def inner(environ: Any, start_response: Any) -> Any:
        session.get_session(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x"]

    def outer(environ: Any, start_response: Any) -> Any:
        body = shop.st.wrap(inner)(environ, start_response)
        seen.append(environ["st_wsgi.session"].get_user_id())
        seen.append(session.current_session(environ).get_user_id())
        return body

    Browser(outer).get("/page", headers={"Authorization": f"Bearer {visitor.access_token}"})
    assert seen == [visitor.user_id] * 2
