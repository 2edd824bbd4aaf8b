"""The functions of the emailpassword recipe: interface and default implementation."""

from __future__ import annotations

from ...recipe_kit.recipe import Functions
from ...users import PUBLIC_TENANT
from .settings import EmailPasswordSettings
from .types import EmailAlreadyExists, SignInOk, SignUpOk, WrongCredentials


class EmailPasswordFunctions(Functions[EmailPasswordSettings]):
    """The functions of the emailpassword recipe."""

    def sign_up(self, *, email: str, password: str, tenant_id: str = PUBLIC_TENANT) -> SignUpOk | EmailAlreadyExists:
        """Create a user. The rules of the form are not applied: the app's own code may create any user."""
        return self.functions.create_new_recipe_user(email=email, password=password, tenant_id=tenant_id)

    def create_new_recipe_user(
        self, *, email: str, password: str, tenant_id: str = PUBLIC_TENANT
    ) -> SignUpOk | EmailAlreadyExists:
        """Create a login method in the core (CDI 5.4, ``POST /recipe/signup``)."""
        body = {"email": email, "password": password}
        return self.core.post("/recipe/signup", body, tenant_id=tenant_id).into(SignUpOk, EmailAlreadyExists)

    def sign_in(self, *, email: str, password: str, tenant_id: str = PUBLIC_TENANT) -> SignInOk | WrongCredentials:
        """Return the user with this e-mail and password. This creates no session."""
        return self.functions.verify_credentials(email=email, password=password, tenant_id=tenant_id)

    def verify_credentials(
        self, *, email: str, password: str, tenant_id: str = PUBLIC_TENANT
    ) -> SignInOk | WrongCredentials:
        """Ask the core whether e-mail and password belong together (CDI 5.4, ``POST /recipe/signin``)."""
        body = {"email": email, "password": password}
        return self.core.post("/recipe/signin", body, tenant_id=tenant_id).into(SignInOk, WrongCredentials)
