"""What can be done with e-mail and password: interface and default implementation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...codec import from_json
from ...core_client.querier import expect_status
from ...recipe_kit.recipe import Recipe
from .types import EmailAlreadyExists, EmailPasswordConfig, SignInOk, SignUpOk, WrongCredentials


class EmailPasswordFunctions:
    """The functions of the emailpassword recipe."""

    def __init__(self, recipe: Recipe[EmailPasswordConfig, EmailPasswordFunctions, Any]) -> None:
        self.recipe = recipe

    def sign_up(self, *, email: str, password: str, tenant_id: str) -> SignUpOk | EmailAlreadyExists:
        """Make a user. The rules of the form are not applied here: the app's own code may do what it wants."""
        return self.recipe.functions.create_new_recipe_user(email=email, password=password, tenant_id=tenant_id)

    def create_new_recipe_user(self, *, email: str, password: str, tenant_id: str) -> SignUpOk | EmailAlreadyExists:
        """Make a login method in the core (CDI 5.4, ``POST /recipe/signup``)."""
        path = "/recipe/signup"
        answer = self._post(path, email, password, tenant_id)
        if expect_status(answer, path, "OK", "EMAIL_ALREADY_EXISTS_ERROR") != "OK":
            return EmailAlreadyExists()
        return from_json(SignUpOk, answer, path=path)

    def sign_in(self, *, email: str, password: str, tenant_id: str) -> SignInOk | WrongCredentials:
        """Return the user whose e-mail and password these are. Makes no session."""
        return self.recipe.functions.verify_credentials(email=email, password=password, tenant_id=tenant_id)

    def verify_credentials(self, *, email: str, password: str, tenant_id: str) -> SignInOk | WrongCredentials:
        """Ask the core whether e-mail and password belong together (CDI 5.4, ``POST /recipe/signin``)."""
        path = "/recipe/signin"
        answer = self._post(path, email, password, tenant_id)
        if expect_status(answer, path, "OK", "WRONG_CREDENTIALS_ERROR") != "OK":
            return WrongCredentials()
        return from_json(SignInOk, answer, path=path)

    def _post(self, path: str, email: str, password: str, tenant_id: str) -> Mapping[str, Any]:
        return self.recipe.services.core.post(path, {"email": email, "password": password}, tenant_id=tenant_id)
