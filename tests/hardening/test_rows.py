"""
One row a hostile or odd input, with the outcome that it must have, on a whole app.

Rows are numbered W-001 to W-127; the numbers never change. A row is a function here, or is tested in full by a test
elsewhere, or is listed in ``LATER`` with what it waits for. A test checks that none is missing.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from recipes.shop import (
    PASSWORD,
    QUICK,
    REFRESH,
    Borrowed,
    Clock,
    Shop,
    clears,
    clears_nothing,
    cookies_of,
    form,
    front_token_of,
    no_mail,
    payload_of,
)

from hardening.elsewhere import missing
from st_wsgi import AttemptLimits, Cors, Override, RecipeUserId, like, replace
from st_wsgi.core_client.transport import Attempt, CoreReply, CoreRequest
from st_wsgi.delivery import Message
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import emailpassword, session
from st_wsgi.recipes.emailpassword import EmailPassword, FieldValue
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.session import Session, SessionFunctions
from st_wsgi.request.context import RequestContext

CROSS_SITE: dict[str, Any] = {"website_domain": "https://other.example"}
UNAUTHORISED = {"message": "unauthorised"}
TRY_REFRESH = {"message": "try refresh token"}

Check = Callable[[Borrowed], None]
ROWS: dict[str, Check] = {}


def row(number: int) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        name = f"W-{number:03}"
        assert name not in ROWS
        ROWS[name] = check
        return check

    return register


# CSRF, CORS, content type


@row(1)
def refresh_by_a_cross_site_form_is_401_and_never_reaches_the_core(core: Borrowed) -> None:
    visitor = Shop(core, app_info=CROSS_SITE).signed_in()
    before = len(core.calls)
    for origin in ("https://evil.example", None):
        headers = {"rid": None, "Origin": origin}
        answer = visitor.refresh(headers=headers, content_type="text/plain", data=b"x=y")
        assert (answer.status_code, answer.json) == (401, UNAUTHORISED)
        # A browser says where a form comes from, and another site must not be able to sign the user out. Without an
        # origin the protocol has the tokens cleared.
        assert clears(answer, "cookie") is (origin is None)
        assert clears_nothing(answer) is (origin is not None)
    assert len(core.calls) == before


@row(2)
def refresh_with_a_wrong_anti_csrf_token_does_not_rotate(core: Borrowed) -> None:
    visitor = Shop(core, sessions=Session(anti_csrf="VIA_TOKEN")).signed_in()
    for wrong in (None, "", "x"):
        assert visitor.snapshot().refresh(headers={"anti-csrf": wrong}).status_code == 401
    assert visitor.refresh().status_code == 200


@row(3)
def sign_out_by_a_cross_site_form_leaves_the_session(core: Borrowed) -> None:
    visitor = Shop(core, app_info=CROSS_SITE).signed_in()
    answer = visitor.sign_out(headers={"rid": None})
    assert (answer.status_code, answer.json) == (401, TRY_REFRESH)
    assert visitor.visit().status_code == 200
    assert visitor.refresh().status_code == 200


@row(4)
def links_neither_sign_out_nor_refresh(core: Borrowed) -> None:
    visitor = Shop(core, view=lambda environ: "the app's").signed_in()
    for method in ("GET", "HEAD"):
        for path in ("/auth/signout", REFRESH):
            assert visitor.call(method, path).text in ('"the app\'s"', "")
    assert visitor.refresh().status_code == 200


@row(5)
def a_form_whose_text_is_json_does_not_sign_in(core: Borrowed) -> None:
    shop = Shop(core)
    visitor = shop.visitor()
    visitor.sign_up()
    body = json.dumps(form(email=visitor.email, password=PASSWORD)).encode()
    victim = shop.visitor()
    answer = victim.call("POST", "/auth/signin", data=body, content_type="text/plain")
    assert (answer.status_code, clears_nothing(answer)) == (400, True)


@row(6)
def forms_are_no_json(core: Borrowed) -> None:
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = Shop(core).visitor().call("POST", "/auth/signin", data=b"email=a", content_type=kind)
        assert answer.status_code == 400


@row(7)
def content_types_that_only_look_like_json(core: Borrowed) -> None:
    body = json.dumps(form(email="a@b.example", password="x")).encode()
    for kind in (
        "application/json, text/plain",
        "application/jsonx",
        "text/json",
        "",
        "application/json,application/json",
    ):
        answer = Shop(core).visitor().call("POST", "/auth/signin", data=body, content_type=kind)
        assert answer.status_code == 400


@row(9)
def json_in_another_charset(core: Borrowed) -> None:
    body = form(email="a@b.example", password="x")
    for charset in ("utf-16", "utf-7", "latin-1"):
        data = json.dumps(body).encode(charset)
        kind = f"application/json; charset={charset}"
        assert Shop(core).visitor().call("POST", "/auth/signin", data=data, content_type=kind).status_code == 400


@row(10)
def foreign_origins_get_no_permission(core: Borrowed) -> None:
    shop = Shop(core, cors=Cors(origins="https://shop.example"))
    foreign = ["https://evil.example", "null", "https://shop.example.evil.example", "http://shop.example"]
    foreign += ["https://shop.example:444", "https://shop.example.", "https://SHOP.example"]
    for origin in foreign:
        answer = shop.visitor().sign_in(headers={"Origin": origin})
        assert not {"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"} & set(answer.headers.keys())


@row(11)
def answers_vary_by_origin(core: Borrowed) -> None:
    shop = Shop(core, cors=Cors(origins=["https://shop.example", "https://other.example"]))
    for origin in ("https://shop.example", "https://other.example", "https://evil.example"):
        for answer in (shop.visitor().sign_in(headers={"Origin": origin}), shop.visitor().refresh()):
            assert answer.headers["Vary"] == "Origin"


@row(12)
def each_request_has_its_own_origin(core: Borrowed) -> None:
    about = {
        "website_domain": None,
        "origin": lambda request, _context: request.headers["Origin"],
        "allowed_origins": ["https://shop.example", "https://other.example"],
    }
    shop = Shop(core, app_info=about)
    for origin, same_site in (("https://shop.example", "Lax"), ("https://other.example", "None")) * 2:
        answer = shop.visitor().sign_up(headers={"Origin": origin})
        assert f"SameSite={same_site}" in cookies_of(answer)["sAccessToken"]


@row(13)
def preflights_are_answered_with_exactly_these_headers(core: Borrowed) -> None:
    shop = Shop(core, cors=Cors(origins="https://shop.example"))
    visitor = shop.signed_in()
    before = list(core.calls)
    answer = visitor.call(
        "OPTIONS", REFRESH, headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    )
    assert answer.status_code == 204
    assert set(answer.headers["Access-Control-Allow-Headers"].split(", ")) == {
        "rid",
        "fdi-version",
        "anti-csrf",
        "authorization",
        "st-auth-mode",
        "content-type",
    }
    assert core.calls == before


@row(14)
def any_origin_with_credentials_is_refused_at_start_up(core: Borrowed) -> None:
    with pytest.raises(ConfigError, match="browsers refuse"):
        Cors(origins=["*"])


@row(15)
def cookies_that_browsers_drop_are_refused_at_start_up(core: Borrowed) -> None:
    for settings, about in (
        ({"cookie_same_site": "none", "cookie_secure": False}, {}),
        ({"cookie_domain": "other.example"}, {}),
        ({"cookie_domain": "example.co.uk"}, {}),
        ({"cookie_domain": "co.uk"}, {"api_domain": "https://shop.co.uk"}),
    ):
        with pytest.raises(ConfigError):
            Shop(core, app_info=about, sessions=Session(**settings))


@row(16)
def exposed_headers_are_named_once(core: Borrowed) -> None:
    shop = Shop(core)

    def view(environ: Any) -> str:
        for _ in range(2):
            session.create_new_session(environ, recipe_user_id=RecipeUserId("u"))
        return "twice"

    answer = shop.during(shop.visitor("header"), view)
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert sorted(exposed) == ["front-token", "st-access-token", "st-refresh-token"]


@row(17)
def answers_with_tokens_are_not_stored(core: Borrowed) -> None:
    visitor = Shop(core).visitor()
    for answer in (visitor.sign_up(), visitor.sign_in(), visitor.refresh(), visitor.visit(), visitor.sign_out()):
        assert answer.headers["Cache-Control"] == "no-store"


# Host and path


@row(24)
def links_in_mails_lead_to_the_configured_website(core: Borrowed) -> None:
    mails: list[Message] = []
    password = EmailPassword(email_delivery=mails.append)
    verification = EmailVerification(mode="OPTIONAL", email_delivery=mails.append)
    shop = Shop(core, recipes=[password, verification])
    visitor = shop.visitor()
    visitor.sign_up()
    spoofed: dict[str, Any] = {
        "headers": {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"},
        "environ": {"HTTP_HOST": "evil.example", "SERVER_NAME": "evil.example"},
    }
    visitor.call("POST", "/auth/user/password/reset/token", form(email=visitor.email), **spoofed)
    visitor.call("POST", "/auth/user/email/verify/token", **spoofed)
    password.background.close()  # the mails are sent
    verification.background.close()
    assert sorted(str(mail.link).partition("?")[0] for mail in mails) == [
        "https://shop.example/auth/reset-password",
        "https://shop.example/auth/verify-email",
    ]


@row(25)
def an_origin_function_cannot_hand_on_a_foreign_origin(core: Borrowed) -> None:
    about = {
        "website_domain": None,
        "origin": lambda request, _context: request.headers["Origin"],
        "allowed_origins": ["https://shop.example"],
    }
    for origin in ("https://evil.example", "null", "https://shop.example@evil.example", "x y"):
        answer = Shop(core, app_info=about).visitor().sign_up(headers={"Origin": origin})
        assert (answer.status_code, clears_nothing(answer)) == (400, True)


@row(26)
def forwarded_headers_decide_nothing_unless_proxies_are_trusted(core: Borrowed) -> None:
    seen: list[str] = []

    def note(key: str, route: str, /) -> None:
        seen.append(key)

    spoofed = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "10.9.9.9, 10.1.1.1"}
    for proxies, address in ((0, "127.0.0.1"), (1, "10.1.1.1"), (2, "10.9.9.9"), (9, "10.9.9.9")):
        shop = Shop(core, rate_limit=note, trusted_proxies=proxies)
        answer = shop.visitor().sign_up(headers=spoofed, environ={"REMOTE_ADDR": "127.0.0.1"})
        assert "; Secure" in cookies_of(answer)["sAccessToken"]
        assert f"address:{address}" in seen
        seen.clear()


@row(27)
def the_host_header_has_no_part_in_routing(core: Borrowed) -> None:
    shop = Shop(core, view=lambda environ: "the app's")
    for host in ("api.example.com/auth/signout?x=", "evil#", "a@b", ""):
        assert shop.visitor().call("GET", "/page", environ={"HTTP_HOST": host}).json == "the app's"
        assert shop.visitor().call("POST", REFRESH, environ={"HTTP_HOST": host}).status_code == 401


@row(28)
def a_path_is_ours_in_one_spelling(core: Borrowed) -> None:
    shop = Shop(core, view=lambda environ: "the app's")
    others = ["//auth/signin", "/auth//signin", "/auth/./signin", "/x/../auth/signin", "/auth/signin//"]
    others += ["/auth/signin;x=1", "/auth/signin?x", "/auth/sign%69n", "/AUTH/SIGNIN", "/auth/signin\0"]
    others += ["/auth/signin\n", "/auth/signin ", "/auth/signin.json"]
    for path in others:
        assert shop.visitor().call("POST", "/", environ={"PATH_INFO": path}).json == "the app's"
    for path in ("/auth/signin", "/auth/signin/"):
        assert shop.visitor().call("POST", path).status_code == 400


@row(29)
def a_prefix_ends_at_a_segment(core: Borrowed) -> None:
    shop = Shop(core, view=lambda environ: "the app's")
    for path in ("/authx/signin", "/auth", "/auth/"):
        assert shop.visitor().call("POST", path).json == "the app's"


@row(30)
def mount_points_and_odd_environs(core: Borrowed) -> None:
    shop = Shop(core, view=lambda environ: "the app's")
    assert shop.visitor().call("POST", REFRESH, environ={"SCRIPT_NAME": "/mounted"}).status_code == 401
    for path in ("", "/\xff", "/ä"):
        changed = {"PATH_INFO": path.encode().decode("latin-1"), "SCRIPT_NAME": "/x"}
        assert shop.visitor().call("POST", "/", environ=changed).json == "the app's"


@row(31)
def the_base_path_is_no_pattern(core: Borrowed) -> None:
    shop = Shop(core, app_info={"api_base_path": "/a.b+"}, view=lambda environ: "the app's")
    assert shop.visitor().call("POST", "/a.b+/signin").status_code == 400
    for path in ("/aXb+/signin", "/a.bb/signin"):
        assert shop.visitor().call("POST", path).json == "the app's"


@row(32)
def only_the_real_method_counts(core: Borrowed) -> None:
    shop = Shop(core, view=lambda environ: "the app's")
    answer = shop.visitor().call("GET", "/auth/signin", headers={"X-HTTP-Method-Override": "POST"})
    assert answer.json == "the app's"
    for method in ("PUT", "DELETE", "PATCH"):
        assert shop.visitor().call(method, "/auth/signin").json == "the app's"
    exists = shop.visitor().call("GET", "/auth/signup/email/exists?email=a@b.example", data=b"a body")
    assert exists.status_code == 200


@row(33)
def what_is_no_tenant_is_not_ours(core: Borrowed) -> None:
    shop = Shop(core, view=lambda environ: "the app's")
    for tenant in ("..", "%2e%2e", "public/recipe", "t1\n", "ü", "a" * 300, "appid-x", "T1"):
        changed = {"PATH_INFO": f"/auth/{tenant}/signin".encode().decode("latin-1")}
        assert shop.visitor().call("POST", "/", environ=changed).json == "the app's"
    assert not [call for call in core.calls if "recipe/signin" in call]


@row(34)
def the_tenant_of_the_path_wins(core: Borrowed) -> None:
    visitor = Shop(core).visitor()
    body = {**form(email=visitor.email, password=PASSWORD), "tenantId": "other"}
    assert visitor.call("POST", "/auth/signup?tenantId=other", body).status_code == 200
    assert "POST /public/recipe/signup" in core.calls
    assert not [call for call in core.calls if "other" in call]


@row(35)
def rid_is_a_mark_and_never_part_of_a_path(core: Borrowed) -> None:
    shop = Shop(core)
    for rid in ("session", "a,b", "x" * 1_000_000, "anti-csrf", "../../hello", "\xff"):
        visitor = shop.visitor()
        assert (visitor.sign_up(headers={"rid": rid}).json or {})["status"] == "OK"
    assert set(core.calls) <= {
        "GET /apiversion",
        "GET /public/recipe/multitenancy/tenant/v2",
        "POST /public/recipe/signup",
        "POST /public/recipe/session",
    }


@row(36)
def fdi_versions_that_are_none_are_skipped(core: Borrowed) -> None:
    shop = Shop(core)
    for version in ("garbage", ",".join(["9.9"] * 10_000), "99.99", "1e9", "", ",,,", "4.1\xff"):
        answer = shop.visitor().sign_up(headers={"fdi-version": version})
        assert "loginMethods" in (answer.json or {})["user"]


# Bodies and fields


@row(40)
def lengths_that_make_no_sense(core: Borrowed) -> None:
    shop = Shop(core)
    shop.app = shop.st.wrap(shop.plain_app)  # the validator itself would stumble over such requests
    for length, status in (("10000000000", 413), ("-1", 400), ("+5", 400), ("5, 5", 400), ("", 400)):
        answer = shop.visitor().call(
            "POST", "/auth/signin", data=b"{}", content_type="application/json", environ={"CONTENT_LENGTH": length}
        )
        assert answer.status_code == status


@row(42)
def json_with_more_than_one_reading(core: Borrowed) -> None:
    bodies = [
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"[" * 5000,
        b'{"formFields":[],"formFields":[]}',
        b'{"a":NaN}',
        b"\xef\xbb\xbf{}",
    ]
    bodies += [b'{"a":' + b"9" * 5000 + b"}", b'{"a":"\\ud800"}', b'{"formFields":[{"id":"email","id":"email"}]}']
    for body in bodies:
        answer = Shop(core).visitor().call("POST", "/auth/signin", data=body, content_type="application/json")
        assert answer.status_code == 400


@row(43)
def form_fields_that_are_none(core: Borrowed) -> None:
    odd: tuple[Any, ...] = (1, True, [], {}, None)
    fields: list[Any] = [None, {}, [None], [1], ["x"], [{"id": 1, "value": "x"}], [{"id": "email", "value": "a"}] * 2]
    fields += [[{"id": "email", "value": value}] for value in odd]
    fields += [[{"id": str(number), "value": "x"} for number in range(10_000)]]
    for value in fields:
        answer = Shop(core).visitor().call("POST", "/auth/signup", {"formFields": value})
        assert answer.status_code in (400, 413)
    huge = form(email="a@b.example", password="x" * 1_000_000)
    assert Shop(core).visitor().call("POST", "/auth/signup", huge).status_code == 413


@row(44)
def an_e_mail_is_one_address_in_one_form(core: Borrowed) -> None:
    shop = Shop(core)
    for bad in ("a@x.example\r\nBcc: b@x.example", "a@x.example,b@x.example", "a\0@x.example", "a@x\u3002example"):
        answer = shop.visitor().call("POST", "/auth/signup", form(email=bad, password=PASSWORD))
        assert (answer.json or {})["status"] == "FIELD_ERROR"
    assert shop.visitor().call("POST", "/auth/signup", form(email=["a@x.example"], password="x")).status_code == 400
    visitor = shop.visitor()
    visitor.sign_up()
    answer = visitor.call("POST", "/auth/signin", form(email=f"  {visitor.email.upper()} ", password=PASSWORD))
    assert (answer.json or {})["status"] == "OK"


@row(45)
def an_address_that_stands_for_none_opens_no_account(core: Borrowed) -> None:
    """Such addresses count as verified from the start, so nobody may sign up or in with one."""
    shop = Shop(core)
    for number, domain in enumerate(("@stfakeemail.supertokens.com", "@x.fakeemail.com")):
        known = f"{shop.visitor().user_id}{domain}"
        emailpassword.sign_up(email=known, password=PASSWORD)
        for email in (f"new{number}-{known}", f"new{number}-{known.upper()}", f" {known} ", known.upper()):
            visitor = shop.visitor()
            visitor.email = email
            answer = visitor.sign_up()
            assert (answer.status_code, answer.get_json()["status"]) == (200, "FIELD_ERROR")
            answer = visitor.sign_in()
            assert (answer.status_code, answer.get_json()) == (200, {"status": "WRONG_CREDENTIALS_ERROR"})
            assert clears_nothing(answer)


@row(46)
def a_password_that_bcrypt_would_cut_is_refused(core: Borrowed) -> None:
    core.password_byte_limit = 72
    answer = Shop(core).visitor().sign_up("a1" * 36 + "x")
    assert (answer.json or {})["status"] == "FIELD_ERROR"


@row(47)
def odd_passwords_are_judged_in_linear_time(core: Borrowed) -> None:
    for password in ("aA" * 45_000, "a1" * 40_000, "a1\0bcdefgh", "\x7f" * 20):
        answer = Shop(core).visitor().sign_up(password)
        assert (answer.json or {})["status"] == "FIELD_ERROR"
    surrogate = b'{"formFields":[{"id":"email","value":"a@b.example"},{"id":"password","value":"a1\\ud800bcdefg"}]}'
    answer = Shop(core).visitor().call("POST", "/auth/signup", data=surrogate, content_type="application/json")
    assert answer.status_code == 400


@row(49)
def flags_are_json_booleans(core: Borrowed) -> None:
    visitor = Shop(core).visitor()
    flags: list[Any] = ["true", 1, [], None]
    for flag in flags:
        body = {**form(email=visitor.email, password=PASSWORD), "shouldTryLinkingWithSessionUser": flag}
        assert visitor.call("POST", "/auth/signup", body).status_code == 400


@row(50)
def unknown_members_are_ignored(core: Borrowed) -> None:
    visitor = Shop(core).visitor()
    body = {**form(email=visitor.email, password=PASSWORD), "__proto__": {}, "constructor": 1, "userContext": {"a": 1}}
    assert (visitor.call("POST", "/auth/signup", body).json or {})["status"] == "OK"


@row(52)
def a_query_parameter_that_is_there_twice(core: Borrowed) -> None:
    answer = Shop(core).visitor().call("GET", "/auth/emailpassword/email/exists?email=a@b.example&email=c@d.example")
    assert answer.status_code == 400


# Sessions and tokens


@row(60)
def signing_in_over_a_session_replaces_it(core: Borrowed) -> None:
    shop = Shop(core)
    visitor = shop.visitor()
    visitor.sign_up()
    planted = shop.signed_in()
    visitor.cookies = dict(planted.cookies)
    visitor.sign_in()
    assert payload_of(str(visitor.access_token))["sub"] != planted.user_id
    tokens = {visitor.refresh_token, planted.refresh_token}
    assert len(tokens) == 2


@row(61)
def tossed_cookies(core: Borrowed) -> None:
    shop = Shop(core)
    visitor = shop.signed_in()
    doubled = visitor.cookie_header(REFRESH) + "; sAccessToken=evil; sRefreshToken=evil"
    assert visitor.visit(headers={"Cookie": doubled}).json == TRY_REFRESH
    assert visitor.snapshot().refresh(headers={"Cookie": doubled}).json == UNAUTHORISED
    visitor.shop = Shop(core, sessions=Session(older_cookie_domain=""))
    assert visitor.snapshot().refresh(headers={"Cookie": doubled}).status_code == 200
    assert visitor.refresh().status_code == 200


@row(62)
def a_replayed_refresh_token_is_theft(core: Borrowed) -> None:
    visitor = Shop(core).signed_in()
    thief = visitor.snapshot()
    visitor.refresh()
    visitor.visit()
    answer = thief.refresh()
    assert (answer.status_code, answer.json) == (401, {"message": "token theft detected"})
    assert clears(answer, "cookie")
    assert visitor.refresh().status_code == 401


@row(64)
def with_cdi_5_6_the_token_before_is_good_for_a_fixed_grace_period(core: Borrowed) -> None:
    clock = Clock()
    with EmbeddedCore(settings={**QUICK, "supertokens_max_cdi_version": "5.6"}, clock=clock) as rotating:
        shop = Shop(Borrowed(rotating), clock=clock, cdi_versions=("5.4", "5.6"))
        visitor = shop.signed_in()
        before = visitor.snapshot()
        visitor.refresh()
        for wait, status in ((20, 200), (8, 200), (4, 401)):
            clock.wait(wait)
            assert before.snapshot().refresh().status_code == status
        assert visitor.refresh().status_code == 401


@row(65)
def what_is_no_refresh_token(core: Borrowed) -> None:
    shop = Shop(core)
    visitor = shop.signed_in("header")
    with EmbeddedCore(settings={"argon2_memory_kb": 64}) as other:
        stranger = Shop(Borrowed(other)).signed_in("header")
    tokens = [visitor.access_token, "garbage", "a.b.V2", "x" * 1_000_000, stranger.refresh_token, ".", "..V2", "%00"]
    for token in tokens:
        answer = shop.visitor().refresh(headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json) == (401, UNAUTHORISED)
        assert clears(answer, "cookie")
        assert clears(answer, "header")


@row(66)
def the_refresh_token_in_the_header_wins(core: Borrowed) -> None:
    shop = Shop(core)
    by_cookie, by_header = shop.signed_in("cookie"), shop.signed_in("header")
    answer = by_header.refresh(headers={"Cookie": by_cookie.cookie_header(REFRESH)})
    told = front_token_of(answer)
    assert told is not None
    assert told["uid"] == by_header.user_id
    assert "1970" in cookies_of(answer)["sRefreshToken"]


@row(67)
def refresh_with_an_access_token_only(core: Borrowed) -> None:
    visitor = Shop(core).signed_in()
    del visitor.cookies["sRefreshToken", "", REFRESH]
    answer = visitor.refresh()
    assert (answer.status_code, clears(answer, "cookie")) == (401, True)


@row(69)
def sign_out_twice_or_of_a_revoked_session(core: Borrowed) -> None:
    visitor = Shop(core).signed_in()
    tab = visitor.snapshot()
    session.revoke_all_sessions_for_user(user_id=visitor.user_id)
    assert visitor.sign_out().status_code == 200
    assert visitor.sign_out().status_code == 401
    assert tab.sign_out().status_code == 200


@row(70)
def st_auth_mode_garbage(core: Borrowed) -> None:
    for mode, cookies in (("cookie", True), ("header", False), ("garbage", False), ("", False), (None, False)):
        answer = Shop(core).visitor().sign_up(headers={"st-auth-mode": mode})
        assert ("Set-Cookie" in answer.headers) is cookies
        assert ("st-access-token" in answer.headers) is not cookies


@row(71)
def values_of_cookies_and_headers_cannot_break_out(core: Borrowed) -> None:
    shop = Shop(core)
    visitor = shop.visitor()
    visitor.start_session(access_token_payload={"a": "x; Path=/\r\nSet-Cookie: evil=1, ü"})
    assert payload_of(str(visitor.access_token))["a"].startswith("x; Path")
    assert set(visitor.cookies) == {("sAccessToken", "", "/"), ("sRefreshToken", "", REFRESH)}

    def broken(_request: CoreRequest) -> CoreReply | None:
        answer = core.core.send(_request)
        if isinstance(answer.body, dict) and "refreshToken" in answer.body:
            answer.body["refreshToken"]["token"] = "x\r\nSet-Cookie: evil=1"
        return answer

    core.answer = broken
    answer = shop.visitor("header").sign_up()
    assert (answer.status_code, answer.json) == (500, {"message": "internal error"})
    assert clears_nothing(answer)
    assert "=x%0D%0ASet-Cookie%3A%20evil%3D1;" in cookies_of(shop.visitor("cookie").sign_up())["sRefreshToken"]


@row(72)
def a_claim_with_a_script_stays_data(core: Borrowed) -> None:
    visitor = Shop(core).visitor()
    answer = visitor.start_session(access_token_payload={"a": "</script><script>alert(1)</script>"})
    assert "<" not in answer.headers["front-token"]
    assert (visitor.front_token or {})["up"]["a"] == "</script><script>alert(1)</script>"


@row(73)
def a_payload_that_does_not_fit_into_a_cookie_or_a_token(core: Borrowed) -> None:
    visitor = Shop(core).visitor()
    with pytest.raises(ValueError, match="too large for a token"):
        visitor.start_session(access_token_payload={"a": "x" * 12_000})


@row(74)
def protected_claims_are_ignored(core: Borrowed) -> None:
    visitor = Shop(core).visitor()
    evil = dict.fromkeys(("sub", "exp", "tId", "stt", "iss", "rsub", "antiCsrfToken", "aud"), "evil")
    visitor.start_session(access_token_payload=evil)
    assert "evil" not in payload_of(str(visitor.access_token)).values()
    assert visitor.visit().json == {"userId": visitor.user_id}


@row(76)
def the_tenant_of_the_session_counts_and_not_that_of_the_path(core: Borrowed) -> None:
    """A user of one tenant cannot act in another one by writing its name into the path."""
    for tenant in ("row76a", "row76b"):
        body = {"tenantId": tenant, "firstFactors": ["emailpassword"]}
        made = core.send(CoreRequest("PUT", "/recipe/multitenancy/tenant/v2", body=body))
        assert made.status == 200
    validated: list[str] = []

    def noting(original: SessionFunctions) -> SessionFunctions:
        @like(original.get_global_claim_validators)
        def get_global_claim_validators(*, tenant_id: str, **more: Any) -> Any:
            validated.append(tenant_id)
            return original.get_global_claim_validators(tenant_id=tenant_id, **more)

        return replace(original, get_global_claim_validators=get_global_claim_validators)

    shop = Shop(
        core,
        sessions=Session(override=Override(functions=noting)),
        view=lambda environ: session.get_session(environ).get_tenant_id(),
    )
    visitor = shop.visitor()
    assert visitor.call("POST", "/auth/row76a/signup", form(email=visitor.email, password=PASSWORD)).status_code == 200
    assert payload_of(str(visitor.access_token))["tId"] == "row76a"
    assert visitor.visit().json == "row76a"
    # The same person is unknown in the other tenant, although the request carries a session.
    elsewhere = visitor.call("POST", "/auth/row76b/signin", form(email=visitor.email, password=PASSWORD))
    assert elsewhere.json == {"status": "WRONG_CREDENTIALS_ERROR"}
    # Refreshing and signing out concern the session, wherever it is from.
    refreshed = visitor.call("POST", "/auth/row76b/session/refresh", headers={"Cookie": visitor.cookie_header(REFRESH)})
    assert refreshed.status_code == 200
    assert payload_of(str(visitor.access_token))["tId"] == "row76a"
    assert visitor.visit().json == "row76a"
    assert set(validated) == {"row76a"}
    assert visitor.call("POST", "/auth/row76b/signout").json == {"status": "OK"}
    assert session.get_all_session_handles_for_user(user_id=visitor.user_id, tenant_id="row76a") == []


@row(78)
def only_a_look_into_the_database_sees_that_a_session_was_revoked(core: Borrowed) -> None:
    shop = Shop(core)
    visitor = shop.signed_in()
    session.revoke_all_sessions_for_user(user_id=visitor.user_id)
    assert visitor.visit().status_code == 200
    answer = shop.during(visitor, lambda environ: session.get_session(environ, check_database=True).get_user_id())
    assert (answer.status_code, clears(answer, "cookie")) == (401, True)


# Enumeration, brute force, secrets


@row(80)
def unknown_e_mails_and_wrong_passwords_look_alike(core: Borrowed) -> None:
    shop = Shop(core)
    visitor = shop.visitor()
    visitor.sign_up()
    answers = [visitor.sign_in("wrong 12345"), shop.visitor().sign_in("wrong 12345")]
    assert answers[0].data == answers[1].data
    assert [answer.status_code for answer in answers] == [200, 200]


@row(82)
def telling_which_e_mails_are_known_can_be_switched_off(core: Borrowed) -> None:
    def quiet(original: Any) -> Any:
        return replace(original, email_exists_get=None)

    shop = Shop(
        core,
        recipes=[EmailPassword(email_delivery=no_mail, override=Override(apis=quiet))],
        view=lambda environ: "the app's",
    )
    for path in ("/auth/emailpassword/email/exists", "/auth/signup/email/exists"):
        assert shop.visitor().call("GET", f"{path}?email=a@b.example").json == "the app's"


@row(83)
def tries_are_limited_by_address_and_by_account(core: Borrowed) -> None:
    shop = Shop(core, rate_limit=AttemptLimits(per_account=3, per_address=5))
    visitor = shop.visitor()
    statuses = [visitor.sign_in("wrong 12345", environ={"REMOTE_ADDR": f"10.0.0.{n}"}).status_code for n in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    at_one_address = [shop.visitor().sign_in("x", environ={"REMOTE_ADDR": "10.1.1.1"}) for _ in range(7)]
    assert [answer.status_code for answer in at_one_address] == [200] * 5 + [429] * 2
    assert int(at_one_address[-1].headers["Retry-After"]) > 0


@row(92)
def nothing_of_an_error_is_in_a_body(core: Borrowed) -> None:
    def said(request: CoreRequest) -> CoreReply:
        return CoreReply(500, "java.lang.NullPointerException at io.supertokens.Main")

    core.answer = said
    answer = Shop(core).visitor().sign_in()
    assert (answer.status_code, answer.json) == (500, {"message": "internal error"})


@row(94)
def a_core_that_answers_nonsense(core: Borrowed) -> None:
    for body in ("<html>", {}, {"status": 1}, {"status": "OK"}, {"status": "OK", "user": 5}):
        core.answer = lambda _request, body=body: CoreReply(200, body)  # type: ignore[misc]  # mypy knows no default
        answer = Shop(core).visitor().sign_in()
        assert (answer.status_code, answer.json) == (500, {"message": "internal error"})


# The WSGI boundary


@row(122)
def raw_bytes_in_headers(core: Borrowed) -> None:
    names = ("rid", "fdi-version", "st-auth-mode", "anti-csrf", "Cookie", "Authorization", "Origin", "X-Forwarded-For")
    for name in names:
        for value in ("\xff\xfe", "Bearer \xff", "sAccessToken=\xff", "\xe4=\xf6"):
            visitor = Shop(core, app_info=CROSS_SITE).visitor()
            for answer in (visitor.visit("POST", headers={name: value}), visitor.refresh(headers={name: value})):
                assert answer.status_code == 401
            assert visitor.sign_up(headers={name: value}).status_code == 200


@row(123)
def a_response_header_with_a_line_end_is_refused(core: Borrowed) -> None:
    shop = Shop(core)

    def view(environ: Any) -> str:
        with contextlib.suppress(ValueError):
            environ["st_wsgi.context"].changes.set_header("front-token", "x\r\nSet-Cookie: evil=1")
        return "done"

    assert clears_nothing(shop.during(shop.visitor(), view))


@row(124)
def an_error_after_the_tokens_were_decided_takes_them_back(core: Borrowed) -> None:
    def failing(original: Any) -> Any:
        @like(original.sign_up_post)
        def sign_up_post(**given: Any) -> Any:
            original.sign_up_post(**given)
            raise KeyError("a bug of the app")

        return replace(original, sign_up_post=sign_up_post)

    shop = Shop(core, recipes=[EmailPassword(email_delivery=no_mail, override=Override(apis=failing))])
    answer = shop.visitor().sign_up()
    assert (answer.status_code, clears_nothing(answer)) == (500, True)


ELSEWHERE = {
    "W-008": "recipes/thirdparty/test_attacks.py::test_a_form_that_cannot_be_read",
    "W-020": "recipes/thirdparty/test_attacks.py::test_it_goes_nowhere_else",
    "W-021": "recipes/thirdparty/test_attacks.py::test_a_state_that_cannot_be_read",
    "W-022": "recipes/saml/test_saml.py::test_no_redirect_to_an_address_that_is_not_registered",
    "W-041": "test_middleware.py::test_the_bodies_of_foreign_requests_stay_unread",
    "W-048": "test_phone.py::test_both_ways_agree",
    "W-051": "test_bad_input.py::test_hostile_texts_in_any_field_never_break_a_route",
    "W-053": "recipes/thirdparty/test_sign_in.py::test_a_body_that_is_not_as_the_protocol_has_it",
    "W-063": "recipes/session/test_threads.py::test_tabs_that_refresh_at_once_all_stay_signed_in",
    "W-068": "recipes/session/test_answers.py::sign_out_with_an_expired_token",
    "W-075": "recipes/emailpassword/test_passwords.py::test_w_075_a_change_ends_the_other_sessions",
    "W-077": "recipes/multifactorauth/test_sign_in.py::test_f_09_adds_and_removes_no_device",
    "W-081": "recipes/emailpassword/test_reset.py::test_until_the_response_nothing_depends_on_the_account",
    "W-084": "recipes/passwordless/test_sign_in.py::test_guesses_at_once_lose_no_count",
    "W-085": "recipes/totp/test_totp.py::test_w_085_a_code_is_good_once",
    "W-093": "recipes/session/test_answers.py::test_nothing_of_a_token_is_in_an_answer_or_in_a_log",
    "W-095": "transport/test_answers.py::test_a_redirect_is_not_followed",
    "W-100": "recipes/thirdparty/test_strangers.py::test_one_that_another_browser_began_to_ask_for",
    "W-101": "recipes/thirdparty/test_sign_in.py::test_pkce_binds_a_code_to_the_browser_that_began",
    "W-102": "recipes/thirdparty/test_strangers.py::test_a_forged_one",
    "W-103": "recipes/thirdparty/test_strangers.py::test_access_tokens_that_another_app_was_given",
    "W-104": "recipes/thirdparty/test_sign_in.py::test_a_provider_sends_browsers_to_addresses_of_ours",
    "W-105": "recipes/thirdparty/test_sign_in.py::test_only_true_counts_as_verified",
    "W-106": "recipes/accountlinking/test_decisions.py::test_both_sides_count",
    "W-107": "recipes/thirdparty/test_sign_in.py::test_an_id_is_a_text_or_a_whole_number",
    "W-108": "recipes/thirdparty/test_sign_in.py::test_a_tenant_changes_the_apps_provider_for_itself_alone",
    "W-109": "recipes/thirdparty/test_strangers.py::test_nothing_inside_is_asked",
    "W-110": "recipes/emailpassword/test_sign_up.py::test_concurrent_sign_ups_with_one_e_mail_make_one_user",
    "W-111": "recipes/saml/test_saml.py::test_the_core_gets_the_saml_response_unchanged",
    "W-120": "test_server_boundary.py::test_a_chunked_body_is_read_where_the_server_decodes_it",
    "W-121": "test_body.py::test_the_next_reader_finds_the_same_body",
    "W-125": "test_instances.py::test_each_of_many_requests_in_flight_has_its_own_context",
    "W-126": "test_middleware.py::test_head_has_the_headers_of_get_and_no_body",
    "W-127": "test_server_boundary.py::test_a_body_that_is_too_large_is_a_413_and_never_the_next_request",
}
"""Rows that a test of another file shows in full."""

LATER = {
    "W-023": "comes with OAuth2",
    "W-087": "comes with the dashboard",
    "W-088": "comes with the dashboard",
    "W-089": "comes with the dashboard",
    "W-090": "comes with the dashboard",
    "W-091": "comes with OAuth2",
}
"""Rows that belong to a recipe which is not there yet."""


@row(86)
def keys_of_the_core_are_compared_as_bytes_and_an_empty_one_is_refused(core: Borrowed) -> None:
    for empty in ("", " "):
        with pytest.raises(ConfigError, match="api_key"):
            Shop(core, api_key=empty)
    with EmbeddedCore(settings={"api_keys": "a-key-of-twenty-letters", "argon2_memory_kb": 64}) as guarded:
        for key, status in ((None, 500), ("another-key-of-twenty", 500), ("a-key-of-twenty-letters", 200)):
            assert Shop(Borrowed(guarded), api_key=key).visitor().sign_up().status_code == status


@pytest.mark.parametrize("name", sorted(ROWS))
def test_the_row_has_its_outcome(name: str, core: Borrowed) -> None:
    ROWS[name](core)


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_the_row_is_shown_by_a_test_that_exists(name: str) -> None:
    assert not missing(ELSEWHERE[name])


def test_every_row_is_tested_or_waits_for_a_recipe_that_is_named() -> None:
    sections = ((1, 17), (20, 36), (40, 53), (60, 78), (80, 95), (100, 111), (120, 127))
    everything = {f"W-{number:03}" for first, last in sections for number in range(first, last + 1)}
    places = [set(ROWS), set(ELSEWHERE), set(LATER)]
    assert set.union(*places) == everything
    assert sum(len(place) for place in places) == len(everything)
    assert all(LATER.values())


def test_planted_secrets_never_show_in_the_repr_of_a_value(core: Borrowed) -> None:
    """W-093: what is printed for debugging ends up in logs, too."""
    planted = "planted-secret"
    shop = Shop(core)
    made = session.create_new_session_without_request_response(
        recipe_user_id=RecipeUserId("u"),
        access_token_payload=None,
        session_data_in_database={"x": planted},
    )
    handle = made.get_handle()
    secret = {"password": planted, "api-key": planted}
    values = [
        CoreRequest("POST", "/recipe/signin", params=secret, body=secret, headers=secret),
        CoreReply(200, {"accessToken": planted}),
        Attempt("http://core:3567/recipe/signin", "POST", secret, secret, secret),
        FieldValue("password", planted),
        session.get_session_information(session_handle=handle),
        made,
        made.get_all_session_tokens_dangerously(),
        shop.st,
        shop.st.services.core,
        RequestContext(shop.st.services, {"HTTP_AUTHORIZATION": f"Bearer {planted}"}),
    ]
    tokens = made.get_all_session_tokens_dangerously()
    for value in values:
        shown = repr(value)
        assert planted not in shown
        assert tokens.access_token[-40:] not in shown
        assert str(tokens.refresh_token)[:40] not in shown


def test_planted_secrets_never_reach_a_log(core: Borrowed, caplog: pytest.LogCaptureFixture) -> None:
    """W-093, for what goes right and for what goes wrong."""
    planted = "planted-secret-1"
    with caplog.at_level(logging.DEBUG):
        shop = Shop(core)
        visitor = shop.visitor()
        visitor.sign_up(planted)
        visitor.sign_in(planted)
        visitor.sign_in(planted + "x")
        core.answer = lambda request: CoreReply(500, f"failed: {request.body}")
        visitor.sign_in(planted)
        visitor.refresh()
    assert "failed" in caplog.text
    for secret in (planted, str(visitor.refresh_token)[:40], str(visitor.access_token).split(".")[2][:40]):
        assert secret not in caplog.text
