"""What an app can do with sessions: their payload, data, end and claims, with and without a request."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest
from werkzeug.test import TestResponse

import st_wsgi
from recipes.shop import Borrowed, Clock, Shop, Visitor, cookies_of, front_token_of, payload_of
from st_wsgi import Override, RecipeUserId, like, replace
from st_wsgi.core_client.transport import CoreReply, CoreRequest
from st_wsgi.errors import CoreRefused
from st_wsgi.recipes import session
from st_wsgi.recipes.session import (
    BooleanClaim,
    ClaimsValidationResult,
    ClaimValueOk,
    InvalidClaims,
    PrimitiveArrayClaim,
    PrimitiveClaim,
    SessionContainer,
    SessionDoesNotExist,
    SessionFunctions,
    Unauthorised,
)
from st_wsgi.request import current


class Colour(str, Enum):
    RED = "red"


PROTECTED = {
    "sub": "somebody else",
    "iat": 1,
    "exp": 9_999_999_999,
    "sessionHandle": "x",
    "parentRefreshTokenHash1": "x",
    "refreshTokenHash1": "x",
    "antiCsrfToken": "x",
    "rsub": "x",
    "tId": "x",
    "stt": 1,
    "iss": "https://evil.example",
    "aud": "x",
}


def handle_of(visitor: Visitor) -> str:
    handle: str = payload_of(str(visitor.access_token))["sessionHandle"]
    return handle


def payload(visitor: Visitor) -> dict[str, Any]:
    """The app's part of a visitor's token."""
    return {name: value for name, value in payload_of(str(visitor.access_token)).items() if name not in PROTECTED}


class TestPayload:
    @pytest.mark.parametrize("name", sorted(PROTECTED))
    def test_nor_from_an_override_or_a_claim(self, core: Borrowed, name: str) -> None:
        """A token in which they are wrong would never be accepted, and the user never get in."""

        def adding(original: SessionFunctions) -> SessionFunctions:
            @like(original.create_new_session)
            def create_new_session(**given: Any) -> SessionContainer:
                given["access_token_payload"] = {**given["access_token_payload"], name: PROTECTED[name], "mine": 1}
                return original.create_new_session(**given)

            return replace(original, create_new_session=create_new_session)

        shop = Shop(core, sessions=session.Session(override=Override(functions=adding)))
        shop.sessions.add_claim(PrimitiveClaim[str](name, fetch_value=lambda *_: "x"))
        visitor = shop.visitor()
        user_id = (visitor.sign_up().json or {})["user"]["id"]
        assert payload(visitor) == {"mine": 1}
        assert visitor.visit().json == {"userId": user_id}

    def test_protected_claims_are_never_taken_from_the_app(self, shop: Shop) -> None:
        """W-074."""
        visitor = shop.visitor()
        visitor.start_session(access_token_payload={**PROTECTED, "mine": 1})
        token = payload_of(str(visitor.access_token))
        assert token["sub"] == token["rsub"] == visitor.user_id
        assert (token["tId"], token["iss"]) == ("public", "https://api.shop.example/auth")
        assert "stt" not in token
        assert "aud" not in token
        assert token["exp"] - token["iat"] == 3600
        assert payload(visitor) == {"mine": 1}
        assert visitor.visit().status_code == 200

    def test_nor_when_it_is_merged(self, shop: Shop) -> None:
        visitor = shop.signed_in(access_token_payload={"mine": 1})
        shop.with_session(visitor, lambda found: found.merge_into_access_token_payload({**PROTECTED, "more": 2}))
        token = payload_of(str(visitor.access_token))
        assert token["iss"] == "https://api.shop.example/auth"
        assert token["sub"] == visitor.user_id
        assert payload(visitor) == {"mine": 1, "more": 2}
        shop.with_session(visitor, lambda found: found.merge_into_access_token_payload(dict.fromkeys(PROTECTED)))
        assert payload_of(str(visitor.access_token))["iss"] == "https://api.shop.example/auth"
        session.merge_into_access_token_payload(
            session_handle=handle_of(visitor), access_token_payload_update={**PROTECTED, "third": 3}
        )
        assert visitor.refresh().status_code == 200
        assert payload(visitor) == {"mine": 1, "more": 2, "third": 3}
        assert visitor.visit().status_code == 200

    @pytest.mark.parametrize("mode", ["cookie", "header"])
    def test_a_change_reaches_the_frontend_at_once_and_stays(self, shop: Shop, mode: str) -> None:
        visitor = shop.signed_in(mode, access_token_payload={"a": 1, "b": {"c": [1]}})
        answer = shop.with_session(visitor, lambda found: found.merge_into_access_token_payload({"a": None, "d": 4}))
        told = front_token_of(answer)
        assert told is not None
        assert told["up"] == payload_of(str(visitor.access_token))
        assert payload(visitor) == {"b": {"c": [1]}, "d": 4}
        assert ("Set-Cookie" in answer.headers) is (mode == "cookie")
        assert visitor.visit().status_code == 200
        visitor.refresh()
        assert payload(visitor) == {"b": {"c": [1]}, "d": 4}

    def test_several_changes_in_one_request_add_up_and_send_one_cookie(self, shop: Shop) -> None:
        visitor = shop.signed_in()

        def view(found: SessionContainer) -> Any:
            found.merge_into_access_token_payload({"a": 1})
            found.merge_into_access_token_payload({"b": 2})
            found.merge_into_access_token_payload({"a": None})
            return found.get_access_token_payload().get("b")

        answer = shop.with_session(visitor, view)
        assert answer.json == 2
        assert len(cookies_of(answer)) == 1
        assert payload(visitor) == {"b": 2}

    def test_a_change_of_a_session_that_is_not_in_hand_comes_with_the_next_refresh(self, shop: Shop) -> None:
        visitor = shop.signed_in(access_token_payload={"a": 1})
        changed = session.merge_into_access_token_payload(
            session_handle=handle_of(visitor), access_token_payload_update={"a": None, "b": 2}
        )
        assert changed is True
        assert payload(visitor) == {"a": 1}
        visitor.refresh()
        assert payload(visitor) == {"b": 2}

    def test_null_inside_a_member_is_a_value(self, shop: Shop) -> None:
        visitor = shop.signed_in(access_token_payload={"a": {"b": None}, "c": None})
        assert payload(visitor) == {"a": {"b": None}, "c": None}

    def test_an_expired_token_cannot_be_made_anew_but_the_change_is_kept(
        self, timed_core: Borrowed, clock: Clock
    ) -> None:
        shop = Shop(timed_core, clock=clock)
        visitor = shop.signed_in(access_token_payload={"gone": 1})

        def view(found: SessionContainer) -> Any:
            clock.wait(4000)
            found.merge_into_access_token_payload({"a": 1, "gone": None})
            now = found.get_access_token_payload()
            return [now["a"], now["sub"] == visitor.user_id, "gone" in now]

        assert shop.with_session(visitor, view).json == [1, True, False]
        visitor.refresh()
        assert payload(visitor) == {"a": 1}


class TestData:
    def test_data_stays_in_the_core(self, shop: Shop) -> None:
        visitor = shop.signed_in(session_data_in_database={"secret": "s3cret"})
        assert "s3cret" not in str(payload_of(str(visitor.access_token)))

        def view(found: SessionContainer) -> Any:
            before = found.get_session_data_from_database()
            found.update_session_data_in_database({"other": [1, None]})
            return [before, found.get_session_data_from_database()]

        assert shop.with_session(visitor, view).json == [{"secret": "s3cret"}, {"other": [1, None]}]
        assert session.update_session_data_in_database(session_handle=handle_of(visitor), new_session_data={}) is True
        assert shop.with_session(visitor, lambda found: found.get_session_data_from_database()).json == {}

    def test_what_the_core_knows_of_a_session(self, timed_core: Borrowed, clock: Clock) -> None:
        shop = Shop(timed_core, clock=clock)
        visitor = shop.signed_in(access_token_payload={"a": 1}, session_data_in_database={"b": 2})
        found = session.get_session_information(session_handle=handle_of(visitor))
        assert found is not None
        assert (found.session_handle, found.user_id, found.tenant_id) == (handle_of(visitor), visitor.user_id, "public")
        assert found.recipe_user_id == RecipeUserId(visitor.user_id)
        assert found.session_data_in_database == {"b": 2}
        assert found.custom_claims_in_access_token_payload == {"a": 1, "iss": "https://api.shop.example/auth"}
        assert found.time_created == clock()
        assert found.expiry == clock() + 144_000 * 60 * 1000

        def view(in_hand: SessionContainer) -> Any:
            return [in_hand.get_time_created(), in_hand.get_expiry()]

        assert shop.with_session(visitor, view).json == [found.time_created, found.expiry]


class TestTheEnd:
    def test_one_session_can_be_revoked_by_its_handle(self, shop: Shop) -> None:
        visitor, other = shop.signed_in(), shop.signed_in()
        assert session.revoke_session(session_handle=handle_of(visitor)) is True
        assert session.revoke_session(session_handle=handle_of(visitor)) is False
        assert visitor.refresh().status_code == 401
        assert other.refresh().status_code == 200

    def test_several_at_once_and_those_that_there_were_are_told(self, shop: Shop) -> None:
        handles = [handle_of(shop.signed_in()) for _ in range(3)]
        revoked = session.revoke_multiple_sessions(session_handles=[*handles, "no-such-handle"])
        assert sorted(revoked) == sorted(handles)
        assert session.revoke_multiple_sessions(session_handles=[]) == []

    def test_all_of_a_user(self, shop: Shop) -> None:
        visitors = [shop.visitor() for _ in range(3)]
        for visitor in visitors:
            visitor.user_id = visitors[0].user_id
            visitor.start_session()
        handles = {handle_of(visitor) for visitor in visitors}
        user_id = visitors[0].user_id
        assert set(session.get_all_session_handles_for_user(user_id=user_id)) == handles
        assert set(session.get_all_session_handles_for_user(user_id=user_id, tenant_id="public")) == handles
        assert set(session.revoke_all_sessions_for_user(user_id=user_id, tenant_id="public")) == handles
        assert session.get_all_session_handles_for_user(user_id=user_id) == []
        assert session.revoke_all_sessions_for_user(user_id=user_id) == []

    def test_signing_out_twice_is_no_error(self, shop: Shop) -> None:
        """W-069."""
        visitor = shop.signed_in()
        other_tab = visitor.snapshot()
        assert visitor.sign_out().json == {"status": "OK"}
        assert visitor.sign_out().status_code == 401
        assert other_tab.sign_out().json == {"status": "OK"}

    def test_what_does_not_exist_is_told_and_changes_nothing(self, shop: Shop) -> None:
        gone: dict[str, Any] = {"session_handle": "no-such-handle"}
        assert session.get_session_information(**gone) is None
        assert session.update_session_data_in_database(**gone, new_session_data={}) is False
        assert session.merge_into_access_token_payload(**gone, access_token_payload_update={}) is False
        assert session.set_claim_value(**gone, claim=BooleanClaim("b"), value=True) is False
        assert session.fetch_and_set_claim(**gone, claim=BooleanClaim("b", fetch_value=lambda *_: True)) is False
        assert session.remove_claim(**gone, claim=BooleanClaim("b")) is False
        assert session.get_claim_value(**gone, claim=BooleanClaim("b")) == SessionDoesNotExist()
        assert session.validate_claims_for_session_handle(**gone) == SessionDoesNotExist()


class TestWithoutRequest:
    """Scripts, background jobs, and apps that carry tokens in a way of their own."""

    def test_a_session_from_beginning_to_end(self, shop: Shop) -> None:
        made = session.create_new_session_without_request_response(
            recipe_user_id=RecipeUserId("worker"),
            access_token_payload={"a": 1},
            session_data_in_database={"secret": 2},
        )
        tokens = made.get_all_session_tokens_dangerously()
        found = session.get_session_without_request_response(access_token=tokens.access_token, check_database=True)
        assert found is not None
        assert (found.get_user_id(), found.get_session_data_from_database()) == ("worker", {"secret": 2})
        found.merge_into_access_token_payload({"b": 2})
        assert found.get_all_session_tokens_dangerously().access_and_front_token_updated is True
        renewed = session.refresh_session_without_request_response(refresh_token=str(tokens.refresh_token))
        assert renewed.get_handle() == made.get_handle()
        assert renewed.get_access_token_payload()["b"] == 2
        renewed.revoke_session()
        with pytest.raises(Unauthorised):
            session.get_session_without_request_response(access_token=renewed.get_access_token(), check_database=True)
        with pytest.raises(Unauthorised):
            session.refresh_session_without_request_response(
                refresh_token=str(renewed.get_all_session_tokens_dangerously().refresh_token)
            )

    def test_theft_is_told_with_whose_session_it_was(self, shop: Shop) -> None:
        made = session.create_new_session_without_request_response(recipe_user_id=RecipeUserId("worker"))
        first = str(made.get_all_session_tokens_dangerously().refresh_token)
        second = session.refresh_session_without_request_response(refresh_token=first)
        session.get_session_without_request_response(access_token=second.get_access_token())
        with pytest.raises(session.TokenTheftDetected) as theft:
            session.refresh_session_without_request_response(refresh_token=first)
        assert (theft.value.session_handle, theft.value.user_id) == (made.get_handle(), "worker")

    def test_reads_are_kept_inside_an_opened_user_context_only(self, shop: Shop) -> None:
        made = session.create_new_session_without_request_response(recipe_user_id=RecipeUserId("worker"))
        before = len(shop.core.calls)
        with st_wsgi.open_user_context():
            for _ in range(3):
                session.get_session_information(session_handle=made.get_handle())
            assert len(shop.core.calls) == before + 1
        for _ in range(2):
            session.get_session_information(session_handle=made.get_handle())
        assert len(shop.core.calls) == before + 3

    def test_a_tenant_that_there_is_not_is_an_error_of_the_app(self, shop: Shop) -> None:
        with pytest.raises(CoreRefused, match="not found"):
            session.create_new_session_without_request_response(
                tenant_id="no-such-tenant", recipe_user_id=RecipeUserId("worker")
            )

    def test_without_an_instance_it_says_what_to_do(self, shop: Shop) -> None:
        current.set_default(None)
        with pytest.raises(st_wsgi.SuperTokensError, match=r"call st_wsgi\.init"):
            session.revoke_session(session_handle="x")


class Facts:
    """What the app knows of its users, and how often it was asked."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.asked: list[tuple[Any, ...]] = []

    def __call__(self, *arguments: Any) -> Any:
        self.asked.append(arguments)
        return self.value


class TestClaims:
    """Values in a token that say something about the user, and views that ask for them."""

    @pytest.fixture
    def facts(self) -> Iterator[Facts]:
        yield Facts(True)

    def asking(self, shop: Shop, visitor: Visitor, *validators: Any) -> TestResponse:
        """Come to a page that has these validators beside the global ones."""
        return shop.during(
            visitor,
            lambda environ: session.get_session(
                environ, override_global_claim_validators=lambda found, _session: [*found, *validators]
            ).get_user_id(),
        )

    def test_a_missing_value_is_fetched_stored_and_sent(self, shop: Shop, facts: Facts) -> None:
        adult = BooleanClaim("adult", fetch_value=facts)
        visitor = shop.signed_in()
        answer = self.asking(shop, visitor, adult.is_true())
        assert answer.status_code == 200
        stored = payload_of(str(visitor.access_token))["adult"]
        assert stored["v"] is True
        assert isinstance(stored["t"], int)
        user_id, recipe_user_id, tenant_id, current_payload = facts.asked[0]
        assert (user_id, recipe_user_id, tenant_id) == (visitor.user_id, RecipeUserId(visitor.user_id), "public")
        assert current_payload["sub"] == visitor.user_id
        assert self.asking(shop, visitor, adult.is_true()).status_code == 200
        assert len(facts.asked) == 1

    def test_a_value_that_is_not_as_needed_is_a_403_and_still_stored(self, shop: Shop, facts: Facts) -> None:
        facts.value = False
        visitor = shop.signed_in()
        adult = BooleanClaim("adult", fetch_value=facts)
        answer = self.asking(shop, visitor, adult.is_true())
        assert answer.status_code == 403
        assert payload_of(str(visitor.access_token))["adult"]["v"] is False
        told = front_token_of(answer)
        assert told is not None
        assert told["up"]["adult"]["v"] is False

    def test_where_there_is_no_value_nothing_is_stored(self, shop: Shop, facts: Facts) -> None:
        facts.value = None
        visitor = shop.signed_in()
        answer = self.asking(shop, visitor, BooleanClaim("adult", fetch_value=facts).is_true())
        assert (answer.json or {})["claimValidationErrors"][0]["reason"]["message"] == "value does not exist"
        assert len(facts.asked) == 1
        assert "front-token" not in answer.headers
        visitor.refresh()
        assert "adult" not in payload(visitor)

    def test_max_age_has_it_fetched_again(self, shop: Shop, facts: Facts) -> None:
        visitor = shop.signed_in(access_token_payload={"adult": {"v": False, "t": 1}})
        adult = BooleanClaim("adult", fetch_value=facts)
        assert self.asking(shop, visitor, adult.is_true(60)).status_code == 200
        assert self.asking(shop, visitor, adult.is_true(60)).status_code == 200
        assert len(facts.asked) == 1

    @pytest.mark.parametrize(
        "stored", [None, [], "true", 1, {}, {"v": 1, "t": 0}, {"v": "true"}, {"v": None}, {"t": 1}]
    )
    def test_only_a_json_true_is_true(self, shop: Shop, stored: Any) -> None:
        visitor = shop.signed_in(access_token_payload={"adult": stored})
        answer = self.asking(shop, visitor, BooleanClaim("adult").is_true())
        assert answer.status_code == 403
        (error,) = (answer.json or {})["claimValidationErrors"]
        assert error["id"] == "adult"

    @pytest.mark.parametrize(
        ("validator", "good"),
        [
            (PrimitiveClaim[str]("plan").has_value("gold"), True),
            (PrimitiveClaim[str]("plan").has_value("silver"), False),
            (PrimitiveClaim[int]("level").has_value(3), True),
            (PrimitiveClaim[Any]("level").has_value(True), False),
            (PrimitiveArrayClaim("roles").includes("admin"), True),
            (PrimitiveArrayClaim("roles").includes("owner"), False),
            (PrimitiveArrayClaim("roles").excludes("owner"), True),
            (PrimitiveArrayClaim("roles").excludes("admin"), False),
            (PrimitiveArrayClaim("roles").includes_all(["admin", "editor"]), True),
            (PrimitiveArrayClaim("roles").includes_all(["admin", "owner"]), False),
            (PrimitiveArrayClaim("roles").includes_any(["admin", "owner"]), True),
            (PrimitiveArrayClaim("roles").includes_any([]), False),
            (PrimitiveArrayClaim("roles").excludes_all(["owner"]), True),
            (PrimitiveArrayClaim("roles").excludes_all(["owner", "editor"]), False),
            (PrimitiveArrayClaim("plan").excludes("x"), False),
        ],
    )
    def test_views_ask_for_values(self, shop: Shop, validator: Any, good: bool) -> None:
        now = {"t": 1_700_000_000_000}
        stored = {"plan": {"v": "gold", **now}, "level": {"v": 3, **now}, "roles": {"v": ["admin", "editor"], **now}}
        visitor = shop.signed_in(access_token_payload=stored)
        assert self.asking(shop, visitor, validator).status_code == (200 if good else 403)

    def test_a_validator_that_cannot_say_whether_its_value_is_old_refuses(self, shop: Shop, facts: Facts) -> None:
        class Broken(session.SessionClaimValidator):
            def should_refetch(self, payload: Any) -> bool:
                return bool(payload[self.id]["t"] < 5)

            def validate(self, payload: Any) -> Any:
                return BooleanClaim("other").is_true().validate({"other": {"v": True, "t": 1}})

        adult = BooleanClaim("adult", fetch_value=facts)
        visitor = shop.signed_in()
        answer = self.asking(shop, visitor, Broken("adult", adult), BooleanClaim("other").is_true())
        assert answer.status_code == 403
        errors = (answer.json or {})["claimValidationErrors"]
        assert [error["id"] for error in errors] == ["adult", "other"]
        assert errors[0]["reason"] == {"message": "claim validation failed"}
        result = session.validate_claims_for_session_handle(
            session_handle=handle_of(visitor),
            override_global_claim_validators=lambda *_: [Broken("adult", adult)],
        )
        assert isinstance(result, ClaimsValidationResult)
        assert [name for name, _ in result.invalid_claims] == ["adult"]

    def test_a_validator_that_fails_itself_refuses(self, shop: Shop) -> None:
        class Broken(session.SessionClaimValidator):
            def validate(self, payload: Any) -> Any:
                raise KeyError("the payload of somebody")

        class Silent(session.SessionClaimValidator):
            def validate(self, payload: Any) -> Any:
                return None

        answer = self.asking(shop, shop.signed_in(), Broken("broken"), Silent("silent"))
        assert answer.status_code == 403
        assert [error["id"] for error in (answer.json or {})["claimValidationErrors"]] == ["broken", "silent"]
        assert "somebody" not in answer.text

    def test_a_session_in_hand(self, shop: Shop, facts: Facts) -> None:
        visitor = shop.signed_in()
        adult, plan = BooleanClaim("adult", fetch_value=facts), PrimitiveClaim[str]("plan")

        def view(found: SessionContainer) -> Any:
            found.fetch_and_set_claim(adult)
            found.set_claim_value(plan, "gold")
            both = [found.get_claim_value(adult), found.get_claim_value(plan)]
            found.remove_claim(adult)
            found.assert_claims([plan.has_value("gold")])
            return [*both, found.get_claim_value(adult)]

        assert shop.with_session(visitor, view).json == [True, "gold", None]
        assert payload(visitor).keys() == {"plan"}
        answer = shop.with_session(visitor, lambda found: found.assert_claims([adult.is_false(), plan.has_value("x")]))
        assert [error["id"] for error in (answer.json or {})["claimValidationErrors"]] == ["adult", "plan"]

    def test_a_session_by_its_handle(self, shop: Shop, facts: Facts) -> None:
        visitor = shop.signed_in()
        by = {"session_handle": handle_of(visitor)}
        adult, plan = BooleanClaim("adult", fetch_value=facts), PrimitiveClaim[str]("plan")
        assert session.set_claim_value(**by, claim=plan, value="gold") is True
        assert session.fetch_and_set_claim(**by, claim=adult) is True
        assert session.get_claim_value(**by, claim=plan) == ClaimValueOk("gold")
        assert session.get_claim_value(**by, claim=adult) == ClaimValueOk(True)
        assert session.remove_claim(**by, claim=plan) is True
        assert session.get_claim_value(**by, claim=plan) == ClaimValueOk(None)
        assert facts.asked[0][:3] == (visitor.user_id, RecipeUserId(visitor.user_id), "public")
        visitor.refresh()
        assert payload(visitor)["adult"]["v"] is True
        assert "plan" not in payload(visitor)

    def test_a_session_by_its_handle_can_be_validated(self, shop: Shop, facts: Facts) -> None:
        visitor = shop.signed_in()
        handle = handle_of(visitor)
        adult = BooleanClaim("adult", fetch_value=facts)
        assert session.validate_claims_for_session_handle(session_handle=handle) == ClaimsValidationResult(
            invalid_claims=()
        )
        result = session.validate_claims_for_session_handle(
            session_handle=handle,
            override_global_claim_validators=lambda found, information: [
                *found,
                adult.is_false(),
                PrimitiveClaim[str]("user").has_value(information.user_id),
            ],
        )
        assert isinstance(result, ClaimsValidationResult)
        assert [name for name, _ in result.invalid_claims] == ["adult", "user"]
        assert result.access_token_payload_update is None  # it is stored already
        stored = session.get_claim_value(session_handle=handle, claim=adult)
        assert stored == ClaimValueOk(True)

    def test_claims_are_built_for_the_user_whose_login_method_it_is(self, core: Borrowed, facts: Facts) -> None:
        """With linked accounts, the id of the user is not that of the login method."""
        shop = Shop(core)
        shop.sessions.add_claim(BooleanClaim("adult", fetch_value=facts))
        visitor = shop.visitor()
        login = RecipeUserId((visitor.sign_up().json or {})["user"]["id"])
        linked = core.core.send(
            CoreRequest("GET", "/user/id", {"userId": login.value}, headers={"cdi-version": "5.4"})
        ).body
        assert isinstance(linked, dict)
        linked["user"]["id"] = "the-primary-user"
        core.answer = lambda request: CoreReply(200, linked) if request.path == "/user/id" else None
        facts.asked.clear()
        shop.during(visitor, lambda environ: bool(session.create_new_session(environ, recipe_user_id=login)))
        session.create_new_session_without_request_response(recipe_user_id=login)
        assert [asked[:2] for asked in facts.asked] == [("the-primary-user", login)] * 2

    def test_claims_of_the_recipe_are_built_for_every_new_session(self, core: Borrowed, facts: Facts) -> None:
        shop = Shop(core)
        shop.sessions.add_claim(BooleanClaim("adult", fetch_value=facts))
        shop.sessions.add_claim(PrimitiveClaim[str]("nothing", fetch_value=lambda *_: None))
        visitor = shop.visitor()
        visitor.sign_up()
        assert payload(visitor).keys() == {"adult"}
        made = session.create_new_session_without_request_response(recipe_user_id=RecipeUserId("worker"))
        assert made.get_access_token_payload()["adult"]["v"] is True

    def test_an_app_builds_a_claim_of_its_own_for_every_new_session(self, core: Borrowed, facts: Facts) -> None:
        """In the way that SuperTokens' documentation shows."""
        adult = BooleanClaim("adult", fetch_value=facts)

        def adding(original: SessionFunctions) -> SessionFunctions:
            @like(original.create_new_session)
            def create_new_session(**given: Any) -> SessionContainer:
                about = given["user_id"], given["recipe_user_id"], given["tenant_id"], given["access_token_payload"]
                given["access_token_payload"] = given["access_token_payload"] | adult.build(*about)
                return original.create_new_session(**given)

            return replace(original, create_new_session=create_new_session)

        visitor = Shop(core, sessions=session.Session(override=Override(functions=adding))).visitor()
        user_id = (visitor.sign_up().json or {})["user"]["id"]
        assert payload(visitor)["adult"]["v"] is True
        assert facts.asked[0][:3] == (user_id, RecipeUserId(user_id), "public")

    def test_the_value_of_a_claim_is_a_copy(self, shop: Shop) -> None:
        """What a view does with it reaches neither the validators nor the next token."""
        roles = PrimitiveArrayClaim("roles")
        visitor = shop.signed_in(access_token_payload=roles.add_to_payload({}, ["user"]))

        def view(found: SessionContainer) -> Any:
            mine = found.get_claim_value(roles)
            assert mine is not None
            mine.append("admin")
            found.merge_into_access_token_payload({"seen": 1})
            found.assert_claims([roles.includes("admin")])
            return "an admin"

        assert shop.with_session(visitor, view).status_code == 403
        assert payload(visitor)["roles"]["v"] == ["user"]

    @pytest.mark.parametrize(
        ("value", "validator"),
        [
            (("a", "b"), PrimitiveArrayClaim("c").includes("a")),
            (Colour.RED, PrimitiveClaim[str]("c").has_value("red")),
            ("red", PrimitiveClaim[Any]("c").has_value(Colour.RED)),
            (Colour.RED, PrimitiveClaim[Any]("c").has_value(Colour.RED)),
            ([Colour.RED], PrimitiveArrayClaim("c").includes_all([Colour.RED])),
        ],
    )
    def test_a_value_is_judged_as_it_will_be_in_the_token(self, shop: Shop, value: Any, validator: Any) -> None:
        """The request that fetches it gets the same response as all later ones."""
        validator.claim.fetch_value = lambda *_: value
        visitor = shop.signed_in()
        assert [self.asking(shop, visitor, validator).status_code for _ in range(3)] == [200] * 3

    def test_a_claim_never_writes_a_protected_name(self, shop: Shop) -> None:
        """F-18 of the frontend's interface."""
        visitor = shop.signed_in()
        evil = PrimitiveClaim[str]("sub", fetch_value=lambda *_: "somebody else")
        shop.with_session(visitor, lambda found: found.fetch_and_set_claim(evil))
        session.fetch_and_set_claim(session_handle=handle_of(visitor), claim=evil)
        visitor.refresh()
        assert payload_of(str(visitor.access_token))["sub"] == visitor.user_id
        assert visitor.visit().json == {"userId": visitor.user_id}

    def test_global_validators_hold_for_every_view_but_not_for_signing_out(self, core: Borrowed) -> None:
        shop = Shop(core)
        shop.sessions.add_claim_validator(BooleanClaim("adult").is_true())
        visitor = shop.signed_in()
        assert visitor.visit().status_code == 403
        without = shop.during(
            visitor,
            lambda environ: session.get_session(
                environ, override_global_claim_validators=lambda _found, _session: []
            ).get_user_id(),
        )
        assert without.status_code == 200
        with pytest.raises(InvalidClaims):
            session.get_session_without_request_response(access_token=str(visitor.access_token))
        assert visitor.sign_out().status_code == 200
