"""Overrides of the session recipe: stacked, composed, and seen by everybody who goes through the recipe."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from recipes.shop import PASSWORD, Borrowed, Shop, clears, form, no_mail, payload_of
from st_wsgi import Override, RecipeUserId, like, replace
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.openid import OpenId, OpenIdFunctions
from st_wsgi.recipes.session import Session, SessionAPIs, SessionFunctions
from st_wsgi.request import current


def marked(name: str) -> Any:
    """An override that adds a member to every new token."""

    def override(original: SessionFunctions) -> SessionFunctions:
        @like(original.create_new_session)
        def create_new_session(**given: Any) -> session.SessionContainer:
            order = [*given["access_token_payload"].get("marks", []), name]
            given["access_token_payload"] = {**given["access_token_payload"], "marks": order}
            return original.create_new_session(**given)

        return replace(original, create_new_session=create_new_session)

    return override


def made(core: Borrowed, **override: Any) -> Shop:
    return Shop(core, sessions=Session(override=Override(**override)))


def test_stacked_overrides_compose_with_the_last_outermost(core: Borrowed) -> None:
    visitor = made(core, functions=[marked("first"), marked("second")]).signed_in()
    assert payload_of(str(visitor.access_token))["marks"] == ["second", "first"]


def test_other_recipes_and_functions_outside_a_request_see_an_override(core: Borrowed) -> None:
    shop = made(core, functions=marked("mark"))
    visitor = shop.visitor()
    visitor.sign_up()
    assert payload_of(str(visitor.access_token))["marks"] == ["mark"]
    outside = session.create_new_session_without_request_response(recipe_user_id=RecipeUserId("worker"))
    assert outside.get_access_token_payload()["marks"] == ["mark"]


def test_a_sibling_function_is_reached_through_the_override(core: Borrowed) -> None:
    """revoke_session goes through revoke_multiple_sessions, and a session in hand through revoke_session."""
    seen: list[Any] = []

    def watched(original: SessionFunctions) -> SessionFunctions:
        @like(original.revoke_multiple_sessions)
        def revoke_multiple_sessions(*, session_handles: list[str]) -> list[str]:
            seen.append(session_handles)
            return original.revoke_multiple_sessions(session_handles=session_handles)

        return replace(original, revoke_multiple_sessions=revoke_multiple_sessions)

    visitor = made(core, functions=watched).signed_in()
    handle = payload_of(str(visitor.access_token))["sessionHandle"]
    visitor.sign_out()
    session.revoke_session(session_handle="other")
    assert seen == [[handle], ["other"]]


def test_an_override_may_refuse_and_what_it_attached_before_is_cleared(core: Borrowed) -> None:
    def refusing(original: SessionAPIs) -> SessionAPIs:
        @like(original.refresh_post)
        def refresh_post(**given: Any) -> session.SessionContainer:
            original.refresh_post(**given)
            raise session.Unauthorised("suspended")

        return replace(original, refresh_post=refresh_post)

    visitor = made(core, apis=refusing).signed_in()
    answer = visitor.refresh()
    assert (answer.status_code, answer.json) == (401, {"message": "unauthorised"})
    assert clears(answer, "cookie")
    assert visitor.access_token is None


@pytest.mark.parametrize(
    ("api", "path"), [("refresh_post", "/auth/session/refresh"), ("sign_out_post", "/auth/signout")]
)
def test_none_switches_a_route_off_and_no_other(core: Borrowed, api: str, path: str) -> None:
    shop = made(core, apis=lambda original: replace(original, **{api: None}))
    shop.view = lambda environ: "the app's own"
    visitor = shop.visitor()
    assert visitor.call("POST", path).json == "the app's own"
    assert visitor.sign_up().status_code == 200


@pytest.mark.parametrize("part", ["functions", "apis"])
def test_a_typo_fails_at_start_up(core: Borrowed, part: str) -> None:
    with pytest.raises(ConfigError, match="has no method 'refresh_pots' to replace"):
        made(core, **{part: lambda original: replace(original, refresh_pots=lambda **_: None)})


def test_the_user_context_goes_from_the_view_to_the_override(core: Borrowed) -> None:
    def noted(original: SessionFunctions) -> SessionFunctions:
        @like(original.create_new_session)
        def create_new_session(**given: Any) -> session.SessionContainer:
            given["access_token_payload"] = {
                **given["access_token_payload"],
                "note": current.user_context().get("note"),
            }
            return original.create_new_session(**given)

        return replace(original, create_new_session=create_new_session)

    shop = made(core, functions=noted)

    def view(environ: Any) -> Any:
        current.user_context()["note"] = "from the view"
        return session.create_new_session(environ, recipe_user_id=RecipeUserId("u")).get_access_token_payload()["note"]

    assert shop.during(shop.visitor(), view).json == "from the view"
    visitor = shop.visitor()
    visitor.call("POST", "/auth/signup", form(email=visitor.email, password=PASSWORD))
    assert payload_of(str(visitor.access_token))["note"] is None


def test_the_issuer_of_the_openid_recipe_is_what_tokens_are_made_and_verified_with(core: Borrowed) -> None:
    def elsewhere(original: OpenIdFunctions) -> OpenIdFunctions:
        return replace(
            original,
            get_open_id_discovery_configuration=lambda: attrs.evolve(
                original.get_open_id_discovery_configuration(), issuer="https://issuer.example"
            ),
        )

    openid = OpenId(override=Override(functions=elsewhere))
    shop = Shop(core, recipes=[EmailPassword(email_delivery=no_mail), openid], sessions=Session(accepted_issuers=[]))
    visitor = shop.visitor()
    visitor.sign_up()
    assert payload_of(str(visitor.access_token))["iss"] == "https://issuer.example"
    assert visitor.visit().status_code == 200
    stranger = Shop(core).signed_in()
    stranger.shop = shop
    assert stranger.visit().json == {"message": "unauthorised"}


def test_a_tenants_global_validators_can_be_chosen_by_an_override(core: Borrowed) -> None:
    adult = session.BooleanClaim("adult").is_true()

    def stricter(original: SessionFunctions) -> SessionFunctions:
        @like(original.get_global_claim_validators)
        def get_global_claim_validators(**given: Any) -> list[session.SessionClaimValidator]:
            return [*original.get_global_claim_validators(**given), adult] if given["tenant_id"] == "public" else []

        return replace(original, get_global_claim_validators=get_global_claim_validators)

    assert made(core, functions=stricter).signed_in().visit().status_code == 403
