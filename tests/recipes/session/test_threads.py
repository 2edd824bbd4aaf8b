"""Users whose requests are in flight at the same time never see each other's session."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from recipes.shop import Borrowed, Shop, no_mail, payload_of
from st_wsgi import RecipeUserId
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification, EmailVerificationClaim
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.userroles import UserRoleClaim, UserRoles
from st_wsgi.request import current

LIMIT = 30  # seconds after which something that was to happen has failed


def test_two_users_whose_views_take_turns_line_by_line_see_only_themselves(shop: Shop) -> None:
    visitors = [shop.signed_in("cookie"), shop.signed_in("header")]
    turn = threading.Barrier(2, timeout=LIMIT)

    def view(environ: Any) -> list[Any]:
        turn.wait()
        found = session.get_session(environ)
        turn.wait()
        current.user_context()["mine"] = found.get_user_id()
        turn.wait()
        found.merge_into_access_token_payload({"mine": found.get_user_id()})
        turn.wait()
        return [
            session.current_session().get_user_id(),
            session.get_session().get_user_id(),
            current.user_context()["mine"],
            found.get_access_token_payload()["mine"],
        ]

    shop.view = view
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda visitor: visitor.visit("POST"), visitors))
    for visitor, answer in zip(visitors, answers, strict=True):
        assert answer.json == [visitor.user_id] * 4
        assert payload_of(str(visitor.access_token))["sub"] == visitor.user_id
    assert ("Set-Cookie" in answers[0].headers, "Set-Cookie" in answers[1].headers) == (True, False)


def test_a_thread_that_only_has_the_request_fetches_claims_by_its_instance(core: Borrowed) -> None:
    """When it creates a session, and when it reads one. The process has no default instance."""
    roles = UserRoles()
    shop = Shop(
        core,
        recipes=[
            EmailPassword(email_delivery=no_mail),
            EmailVerification(mode="OPTIONAL", email_delivery=no_mail),
            roles,
        ],
    )
    current.set_default(None)
    visitor = shop.visitor()
    user_id = (visitor.sign_up().json or {})["user"]["id"]
    role = f"role of {user_id}"
    roles.functions.create_new_role_or_add_permissions(role=role, permissions=[])
    roles.functions.add_role_to_user(user_id=user_id, role=role)

    def create(environ: Any) -> list[Any]:
        made = session.create_new_session(environ, recipe_user_id=RecipeUserId(user_id))
        found = [made.get_claim_value(EmailVerificationClaim), made.get_claim_value(UserRoleClaim)]
        made.remove_claim(UserRoleClaim)
        return found

    def read(environ: Any) -> Any:
        found = session.get_session(
            environ, override_global_claim_validators=lambda _validators, _session: [UserRoleClaim.includes(role)]
        )
        return found.get_claim_value(UserRoleClaim)

    with ThreadPoolExecutor(1) as pool:
        created = shop.during(visitor, lambda environ: pool.submit(create, environ).result(LIMIT), method="POST")
        found = shop.during(visitor, lambda environ: pool.submit(read, environ).result(LIMIT))
    assert (created.json, found.json) == ([False, [role]], [role])


def test_many_users_who_sign_up_refresh_and_sign_out_at_once(shop: Shop) -> None:
    visitors = [shop.visitor("cookie" if number % 2 else "header") for number in range(8)]
    together = threading.Barrier(len(visitors), timeout=LIMIT)

    def live(visitor: Any) -> list[Any]:
        together.wait()
        user_id = (visitor.sign_up().json or {})["user"]["id"]
        together.wait()
        seen = [visitor.visit().json, visitor.refresh().status_code, visitor.visit("POST").json]
        together.wait()
        return [user_id, *seen, visitor.sign_out().json, visitor.visit().status_code]

    with ThreadPoolExecutor(len(visitors)) as pool:
        lives = list(pool.map(live, visitors))
    assert len({user_id for user_id, *_ in lives}) == len(visitors)
    for user_id, *seen in lives:
        assert seen == [{"userId": user_id}, 200, {"userId": user_id}, {"status": "OK"}, 401]


def test_tabs_that_refresh_at_once_all_stay_signed_in(shop: Shop) -> None:
    """W-063: one token, many children, until the first of them is used."""
    visitor = shop.signed_in()
    tabs = [visitor.snapshot() for _ in range(8)]
    together = threading.Barrier(len(tabs), timeout=LIMIT)

    def refresh(tab: Any) -> int:
        together.wait()
        return int(tab.refresh().status_code)

    with ThreadPoolExecutor(len(tabs)) as pool:
        assert list(pool.map(refresh, tabs)) == [200] * len(tabs)
    assert len({tab.refresh_token for tab in tabs}) == len(tabs)
    last, *older = tabs
    assert last.visit().json == {"userId": visitor.user_id}
    assert [tab.visit().status_code for tab in older] == [200] * len(older)
    assert older[0].refresh().json == {"message": "token theft detected"}


def test_two_apps_in_one_process_do_not_take_each_others_sessions(core: Borrowed) -> None:
    """With the same core and keys, the issuer of a token keeps them apart, if they say so."""
    one = Shop(core, sessions=Session(accepted_issuers=[]))
    info = {"api_domain": "https://api.other.example", "website_domain": "https://other.example"}
    other = Shop(core, app_info=info, sessions=Session(accepted_issuers=[]))
    visitor = one.signed_in("header")
    assert visitor.visit().status_code == 200
    visitor.shop = other
    assert visitor.visit().json == {"message": "unauthorised"}
    mounted = one.st.wrap(other.app)
    one.app = mounted
    visitor.shop = one
    assert visitor.visit().json == {"message": "unauthorised"}
    assert visitor.refresh().status_code == 200
