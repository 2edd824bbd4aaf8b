"""
One calling convention: keyword arguments, SuperTokens' names, and ``tenant_id`` with the default ``public``.

It holds for every function that users call, and its breach is answered with the name of the function and the cure.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from public_names import public_names

import st_wsgi
from recipes.shop import Borrowed, Shop
from st_wsgi import RecipeUserId, accounts, delivery, recipes
from st_wsgi.arguments import checked
from st_wsgi.errors import ArgumentError, SuperTokensError
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes import emailpassword, jwt, session

OF_ONE_VALUE = {
    "st_wsgi.answer_error",
    "st_wsgi.convert_to_recipe_user_id",
    "st_wsgi.get_request_from_user_context",
    "st_wsgi.is_recipe_initialized",
    "st_wsgi.like",
    "st_wsgi.open_user_context",
    "st_wsgi.replace",
    "st_wsgi.recipes.emailpassword.email_rule",
}
"""Helpers that turn one value into something else, and rules for one, take that value by position."""

ABOUT_A_TENANT = {
    "st_wsgi.recipes.multitenancy.create_or_update_tenant",
    "st_wsgi.recipes.multitenancy.delete_tenant",
}
"""What creates or deletes a tenant is told which."""


def functions_for_users() -> dict[str, Callable[..., Any]]:
    names = [f"st_wsgi.recipes.{module.name}" for module in pkgutil.iter_modules(recipes.__path__) if module.ispkg]
    found = {}
    for module in (importlib.import_module(name) for name in ["st_wsgi", *names]):
        for name in public_names(module):
            if inspect.isfunction(getattr(module, name)):
                found[f"{module.__name__}.{name}"] = getattr(module, name)
    return found


FUNCTIONS = {name: function for name, function in functions_for_users().items() if name not in OF_ONE_VALUE}


def test_the_functions_of_all_recipes_are_looked_at() -> None:
    assert {"st_wsgi.get_user", "st_wsgi.recipes.session.revoke_session"} <= FUNCTIONS.keys()
    assert functions_for_users().keys() >= OF_ONE_VALUE
    assert len(FUNCTIONS) > 35


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_are_passed_by_keyword(name: str) -> None:
    parameters = list(inspect.signature(FUNCTIONS[name]).parameters.values())
    if parameters and parameters[0].name == "request":
        request = parameters.pop(0)
        assert request.default is None, "without a request, the one in flight is meant"
    if name == "st_wsgi.init":
        parameters = [one for one in parameters if one.kind is not one.VAR_POSITIONAL]
    assert {one.kind for one in parameters} <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_names_are_in_snake_case_and_a_tenant_has_a_default(name: str) -> None:
    for parameter in inspect.signature(FUNCTIONS[name]).parameters.values():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", parameter.name)
        if parameter.name == "tenant_id" and name not in ABOUT_A_TENANT:
            assert parameter.default in ("public", None), "None means all tenants"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_docstring_and_a_result_type(name: str) -> None:
    assert inspect.getdoc(FUNCTIONS[name])
    assert FUNCTIONS[name].__annotations__["return"]


USER = RecipeUserId("ada")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: emailpassword.sign_in("a@b.example", "x"),  # type: ignore[call-arg]
            "sign_in takes keyword arguments: sign_in(email=..., password=..., session=None, tenant_id='public')",
        ),
        (
            lambda: session.revoke_session("handle"),  # type: ignore[call-arg]
            "revoke_session takes keyword arguments: revoke_session(session_handle=...)",
        ),
        (
            lambda: st_wsgi.get_user("ada"),  # type: ignore[call-arg]
            "get_user takes keyword arguments: get_user(user_id=...)",
        ),
        (
            lambda: emailpassword.sign_in(mail="a@b.example", password="x"),  # type: ignore[call-arg]
            "sign_in has no argument 'mail': sign_in(email=..., password=..., session=None, tenant_id='public')",
        ),
        (
            lambda: emailpassword.sign_in(email="a@b.example"),  # type: ignore[call-arg]
            "sign_in needs the argument 'password': sign_in(email=..., password=..., session=None, tenant_id='public')",
        ),
        (
            lambda: session.create_new_session(None, recipe_user_id="ada"),  # type: ignore[arg-type]
            "create_new_session: recipe_user_id must be a RecipeUserId, not a str: pass RecipeUserId(...)",
        ),
        (
            lambda: session.create_new_session_without_request_response(recipe_user_id="ada"),  # type: ignore[arg-type]
            "recipe_user_id must be a RecipeUserId, not a str",
        ),
        (
            lambda: session.create_new_session(None, "public", USER),  # type: ignore[call-arg,arg-type]
            "create_new_session takes keyword arguments: create_new_session(request=None, recipe_user_id=..., ",
        ),
        (lambda: st_wsgi.delete_user(user_id=USER), "user_id must be a str, not a RecipeUserId"),  # type: ignore[arg-type]
        (lambda: emailpassword.sign_in(email="a", password=5), "password must be a str, not a int"),  # type: ignore[arg-type]
        (lambda: emailpassword.sign_in(email=None, password="a"), "email must be a str, not a NoneType"),  # type: ignore[arg-type]
        (lambda: st_wsgi.get_user_count(tenant_id=["public"]), "tenant_id must be a str or None, not a list"),  # type: ignore[arg-type]
        (lambda: st_wsgi.get_user_count(include_recipe_ids="emailpassword"), "must be a Iterable or None, not a str"),
        (lambda: jwt.create_jwt(payload=[("a", 1)]), "payload must be a Mapping, not a list"),  # type: ignore[arg-type]
        (lambda: RecipeUserId(5), "the id of a login method must be a str, not a int"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_call_names_the_function_the_argument_and_the_cure(
    core: Borrowed, call: Callable[[], object], message: str
) -> None:
    Shop(core)
    core.calls.clear()
    with pytest.raises(ArgumentError, match=re.escape(message)) as raised:
        call()
    assert isinstance(raised.value, TypeError)
    assert isinstance(raised.value, SuperTokensError)
    assert core.calls == []


def test_a_wrong_value_is_not_repeated() -> None:
    """It may be a secret in the wrong place."""
    with pytest.raises(ArgumentError) as raised:
        emailpassword.sign_in(email="a@b.example", password=b"hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in str(raised.value)


def test_an_override_always_gets_the_session_and_the_tenant(core: Borrowed) -> None:
    seen: list[tuple[Any, str]] = []

    def watching(original: Any) -> Any:
        def sign_in(*, email: str, password: str, session: Any, tenant_id: str) -> Any:
            seen.append((session, tenant_id))
            return original.sign_in(email=email, password=password, session=session, tenant_id=tenant_id)

        return st_wsgi.replace(original, sign_in=sign_in)

    override: st_wsgi.Override[Any, Any] = st_wsgi.Override(functions=watching)
    Shop(core, recipes=[emailpassword.EmailPassword(override=override, email_delivery=lambda _message: None)])
    emailpassword.sign_in(email="nobody@example.com", password="x")
    assert seen == [(None, "public")]


def test_arguments_of_types_that_are_not_known_are_passed_on() -> None:
    @checked
    def function(*, size: float = 1.0, names: tuple[str, ...] = ()) -> tuple[object, object]:
        return size, names

    assert function(size=2, names=("a",)) == (2, ("a",))


def test_the_users_functions_are_those_of_the_accounts_module() -> None:
    assert st_wsgi.get_user is accounts.get_user


def exchanged() -> Iterator[tuple[str, type[Any]]]:
    """Pairs of a recipe's package and a class of ours that its functions or APIs receive or return."""
    for recipe in every_recipe():
        package = recipe.__module__.rpartition(".")[0]
        for owner in (recipe.functions_class, recipe.apis_class):
            for name, method in inspect.getmembers(owner, inspect.isfunction):
                known = vars(sys.modules[method.__module__])
                words = re.findall(r"\w+", " ".join(method.__annotations__.values())) if name[0] != "_" else []
                for value in (known.get(word) for word in words):
                    if isinstance(value, type) and value.__module__.startswith("st_"):
                        yield package, value


def every_recipe() -> list[type[Recipe[Any, Any]]]:
    modules = [importlib.import_module(f"st_wsgi.recipes.{one.name}") for one in pkgutil.iter_modules(recipes.__path__)]
    values = [value for module in modules for value in vars(module).values()]
    return [value for value in values if isinstance(value, type) and issubclass(value, Recipe)]


def test_all_that_overrides_receive_and_return_can_be_imported_from_a_public_place() -> None:
    packages = {sys.modules[package] for package, _ in exchanged()}
    public = {name for package in (st_wsgi, delivery, *packages) for name in public_names(package)}
    hidden = {
        f"{package}: {kind.__qualname__}"
        for package, kind in exchanged()
        if PUBLIC_NAMES.get(kind.__name__, kind.__name__) not in public
    }
    assert hidden == set()


PUBLIC_NAMES = {"ClaimValidator": "SessionClaimValidator"}
"""Classes of st_verify that have another name here, that of SuperTokens."""
