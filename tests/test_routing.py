"""A request is ours in exactly one spelling of its path, and everything else is the app's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from st_wsgi.errors import ConfigError
from st_wsgi.request.routing import Match, Route, Router


def nothing(_recipe: object, _context: object) -> None: ...


class Recipe:
    """As much of a recipe as a router looks at."""

    def __init__(self, name: str, *routes: Route, **apis: Any) -> None:
        self.id = name
        self.routes = routes
        self.apis = SimpleNamespace(**({route.api: nothing for route in routes} | apis))


SIGN_IN = Route("POST", "/signin", "sign_in_post", nothing)
REFRESH = Route("POST", "/session/refresh", "refresh_post", nothing)
EXISTS = Route("GET", "/signup/email/exists", "email_exists_get", nothing, shared=True)
SIGN_IN_UP = Route("POST", "/signinup", "sign_in_up_post", nothing)


def router(base_path: str = "/auth") -> Router:
    return Router(base_path=base_path, recipes=[Recipe("emailpassword", SIGN_IN, EXISTS), Recipe("session", REFRESH)])


def match(path: str, method: str = "POST", rid: str | None = None, base_path: str = "/auth") -> Match | None:
    return router(base_path).match(method=method, path=path, rid=rid)


@pytest.mark.parametrize(
    ("path", "route", "tenant"),
    [
        ("/auth/signin", SIGN_IN, "public"),
        ("/auth/signin/", SIGN_IN, "public"),
        ("/auth/t1/signin", SIGN_IN, "t1"),
        ("/auth/t1/signin/", SIGN_IN, "t1"),
        ("/auth/public/signin", SIGN_IN, "public"),
        ("/auth/session/refresh", REFRESH, "public"),
        ("/auth/session/session/refresh", REFRESH, "session"),
        ("/auth/signin/signin", SIGN_IN, "signin"),
        ("/auth/0/signin", SIGN_IN, "0"),
        ("/auth/-/signin", SIGN_IN, "-"),
        (f"/auth/{'a' * 64}/signin", SIGN_IN, "a" * 64),
    ],
)
def test_these_paths_are_ours(path: str, route: Route, tenant: str) -> None:
    found = match(path)
    assert found is not None
    assert (found.route, found.tenant_id) == (route, tenant)


@pytest.mark.parametrize(
    "path",
    [
        "//auth/signin",
        "/auth//signin",
        "/auth/./signin",
        "/x/../auth/signin",
        "/auth/../auth/signin",
        "/auth/signin//",
        "/auth/signin;x=1",
        "/auth/signin?x",
        "/auth/sign%69n",
        "/AUTH/SIGNIN",
        "/AUTH/signin",
        "/Auth/t1/signin",
        "/auth/Signin",
        "/auth/signin\0",
        "/auth/signin\n",
        "/auth/signin/\n",
        "/auth/signin ",
        "/auth/signin.json",
        " /auth/signin",
        "auth/signin",
        "/auth/t1//signin",
        "/auth/t1/t2/signin",
    ],
)
def test_another_spelling_is_not_ours(path: str) -> None:
    """W-028: otherwise rules about paths in firewalls and rate limits are passed by spelling them differently."""
    assert match(path) is None


@pytest.mark.parametrize("path", ["/authx/signin", "/auth", "/auth/", "/aut", "/", "", "/auth/unknown", "/other"])
def test_a_prefix_ends_at_a_segment_and_needs_a_row_below(path: str) -> None:
    """W-029."""
    assert match(path) is None


@pytest.mark.parametrize(
    ("base_path", "path", "ours"),
    [
        ("/a.b+", "/a.b+/signin", True),
        ("/a.b+", "/aXb+/signin", False),
        ("/a.b+", "/a.bb/signin", False),
        ("/(x|y)", "/x/signin", False),
        ("", "/signin", True),
        ("", "/t1/signin", True),
        ("", "//signin", False),
        ("/api/v1", "/api/v1/signin", True),
    ],
)
def test_the_base_path_is_compared_literally(base_path: str, path: str, ours: bool) -> None:
    """W-031."""
    assert (match(path, base_path=base_path) is not None) is ours


@pytest.mark.parametrize(
    "tenant",
    [
        "..",
        ".",
        "%2e%2e",
        "t1\n",
        "\nt1",
        "T1",
        "t_1",
        "t 1",
        "t.1",
        "ünï",
        "t1\u200b",
        "a" * 65,
        "a" * 300,
        "appid-x",
        "appid-",
        "",
        "٣",
        "public\0",
    ],
)
def test_what_is_no_tenant_is_not_ours(tenant: str) -> None:
    """W-033."""
    assert match(f"/auth/{tenant}/signin") is None


@pytest.mark.parametrize(
    "method", ["post", "Post", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "OPTIONS", "GET", "HEAD", ""]
)
def test_only_the_method_of_the_row_is_ours(method: str) -> None:
    """W-032 and W-004: a link or an image can neither sign in nor refresh."""
    assert match("/auth/signin", method=method) is None
    assert match("/auth/session/refresh", method=method) is None


def test_head_goes_where_get_goes() -> None:
    """W-126."""
    found = match("/auth/signup/email/exists", method="HEAD")
    assert found is not None
    assert found.route is EXISTS


def test_the_spelling_without_a_tenant_wins_over_one_with() -> None:
    """A row /t1/signin, should a recipe have one, is not the row /signin of the tenant t1."""
    exact = Route("POST", "/t1/signin", "exact_post", nothing)
    for order in ([Recipe("a", SIGN_IN), Recipe("b", exact)], [Recipe("b", exact), Recipe("a", SIGN_IN)]):
        found = Router(base_path="/auth", recipes=order).match(method="POST", path="/auth/t1/signin", rid="a")
        assert found is not None
        assert (found.route, found.tenant_id) == (exact, "public")


def test_two_recipes_cannot_claim_one_row() -> None:
    with pytest.raises(ConfigError, match=r"a and b both claim POST /signin"):
        Router(base_path="/auth", recipes=[Recipe("a", SIGN_IN), Recipe("b", SIGN_IN)])


def test_one_recipe_cannot_share_a_row_that_another_claims_alone() -> None:
    alone = Route("GET", EXISTS.path, "other_get", nothing)
    with pytest.raises(ConfigError, match="both claim"):
        Router(base_path="/auth", recipes=[Recipe("a", EXISTS), Recipe("b", alone)])


def test_a_row_that_is_switched_off_is_not_ours_and_may_be_claimed_by_another_recipe() -> None:
    off = Recipe("a", SIGN_IN, EXISTS, sign_in_post=None)
    assert Router(base_path="/auth", recipes=[off]).match(method="POST", path="/auth/signin", rid=None) is None
    other = Recipe("b", SIGN_IN)
    found = Router(base_path="/auth", recipes=[off, other]).match(method="POST", path="/auth/signin", rid=None)
    assert found is not None
    assert found.recipe is other


@pytest.mark.parametrize(
    ("rid", "chosen"),
    [
        (None, "emailpassword"),
        ("emailpassword", "emailpassword"),
        ("passwordless", "passwordless"),
        ("thirdpartypasswordless", "passwordless"),
        ("thirdpartyemailpassword", "emailpassword"),
        ("anti-csrf", "emailpassword"),
        ("unknown", "emailpassword"),
        ("session", "emailpassword"),
        ("passwordless,session", "emailpassword"),
        ("Passwordless", "emailpassword"),
        ("", "emailpassword"),
        ("x" * 1_000_000, "emailpassword"),
        ("passwordless\r\nX: 1", "emailpassword"),
    ],
)
@pytest.mark.parametrize("path", ["/auth/signup/email/exists", "/auth/t1/signup/email/exists"])
def test_rid_chooses_between_recipes_that_share_a_row_and_does_nothing_else(
    path: str, rid: str | None, chosen: str
) -> None:
    """W-035."""
    recipes = [Recipe("emailpassword", EXISTS, SIGN_IN), Recipe("passwordless", EXISTS), Recipe("session", REFRESH)]
    table = Router(base_path="/auth", recipes=recipes)
    found = table.match(method="GET", path=path, rid=rid)
    assert found is not None
    assert found.recipe.id == chosen
    assert table.match(method="POST", path="/auth/signin", rid=rid) is not None


def test_the_methods_of_a_path() -> None:
    table = Router(base_path="/auth", recipes=[Recipe("a", SIGN_IN, Route("GET", "/signin", "page_get", nothing))])
    assert sorted(table.methods("/auth/signin")) == ["GET", "POST"]
    assert sorted(table.methods("/auth/t1/signin/")) == ["GET", "POST"]
    assert table.methods("/auth/other") == ()
