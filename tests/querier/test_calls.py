"""What goes out: headers, paths, tenants, parameters and bodies."""

from __future__ import annotations

import pytest

from querier.scripted import KEY, Scripted, querier
from st_wsgi.codec import present
from st_wsgi.errors import BadInput, ConfigError


def test_every_call_carries_the_version_and_the_key_if_there_is_one(scripted: Scripted) -> None:
    querier(scripted).get("/users")
    querier(scripted, api_key=f" {KEY} ").get("/users")
    assert [dict(request.headers) for request in scripted.asked] == [
        {},
        {"cdi-version": "5.4"},
        {"api-key": KEY},
        {"cdi-version": "5.4", "api-key": KEY},
    ]


@pytest.mark.parametrize("method", ["post", "put"])
def test_a_write_with_a_body_says_that_it_is_json(scripted: Scripted, method: str) -> None:
    getattr(querier(scripted), method)("/user/remove", {"userId": "a"})
    assert scripted.asked[-1].headers["content-type"] == "application/json; charset=utf-8"
    assert scripted.asked[-1].body == {"userId": "a"}


def test_a_delete_has_parameters_and_no_body(scripted: Scripted) -> None:
    querier(scripted).delete("/recipe/dashboard/session", {"sessionId": "a"})
    request = scripted.asked[-1]
    assert (request.method, dict(request.params), request.body) == ("DELETE", {"sessionId": "a"}, None)
    assert "content-type" not in request.headers


@pytest.mark.parametrize(
    ("path", "tenant_id", "sent"),
    [
        ("/recipe/user", None, True),
        ("/recipe/user", "shop", True),
        ("/users", None, False),
        ("/user/remove", "shop", False),
        ("/recipes", None, False),
    ],
)
def test_the_recipe_id_goes_to_recipe_paths_only(
    scripted: Scripted, path: str, tenant_id: str | None, sent: bool
) -> None:
    querier(scripted).of_recipe("emailpassword").get(path, tenant_id=tenant_id)
    assert scripted.asked[-1].headers.get("rid") == ("emailpassword" if sent else None)


@pytest.mark.parametrize(
    ("tenant_id", "path"),
    [(None, "/users"), ("public", "/public/users"), ("a-1", "/a-1/users"), ("x" * 64, f"/{'x' * 64}/users")],
)
def test_the_tenant_stands_in_front_of_the_path(scripted: Scripted, tenant_id: str | None, path: str) -> None:
    querier(scripted).get("/users", tenant_id=tenant_id)
    assert scripted.asked[-1].path == path


@pytest.mark.parametrize(
    "tenant_id", ["", "A", "a/b", "../b", "a?b", "a#b", "a\n", "a b", "ä", "%2e", "x" * 65, "appid_x", "a;b"]
)
def test_what_is_no_tenant_id_never_reaches_the_core(scripted: Scripted, tenant_id: str) -> None:
    with pytest.raises(BadInput, match="not a tenant id"):
        querier(scripted).get("/users", tenant_id=tenant_id)
    assert scripted.calls == []


@pytest.mark.parametrize("path", ["users", "", "/", "//host/x", "/a?b=c", "/a#b", "/a b", "/a\n", "/ä"])
def test_a_path_that_is_none_is_a_mistake_of_ours(scripted: Scripted, path: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        querier(scripted).get(path)


def test_parameters_become_texts_and_absent_ones_are_left_out(scripted: Scripted) -> None:
    querier(scripted).get("/users", {"limit": 10, "since": 1.5, "all": True, "none": False, "token": None, "e": ""})
    assert dict(scripted.asked[-1].params) == {"limit": "10", "since": "1.5", "all": "true", "none": "false", "e": ""}


def test_a_put_can_have_both_parameters_and_a_body(scripted: Scripted) -> None:
    querier(scripted).put("/recipe/oauth/auth/requests/login/accept", {"a": 1}, {"loginChallenge": "c"})
    assert (scripted.asked[-1].body, dict(scripted.asked[-1].params)) == ({"a": 1}, {"loginChallenge": "c"})


def test_present_leaves_out_what_is_none_and_keeps_what_is_merely_false() -> None:
    assert present({"a": 1, "b": None, "c": False, "d": ""}) == {"a": 1, "c": False, "d": ""}


@pytest.mark.parametrize("key", ["", " ", "a\nb", "a b", "schlüssel", "a\x00"])
def test_a_key_that_no_header_can_carry_is_refused_without_repeating_it(scripted: Scripted, key: str) -> None:
    with pytest.raises(ConfigError, match="api_key") as refused:
        querier(scripted, api_key=key)
    assert len(key) < 3 or key not in str(refused.value)
