"""Overrides with signatures that do not fit. Each line that is refused says with which error."""

from __future__ import annotations

from st_wsgi import Override, like, replace
from st_wsgi.recipes.emailpassword import EmailPassword, EmailPasswordFunctions, SignInOk, WrongCredentials
from st_wsgi.recipes.session import Session, SessionAPIs, SessionFunctions


def another_name(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
    @like(original.verify_credentials)  # expect: arg-type
    def verify_credentials(*, mail: str, password: str, tenant_id: str = "public") -> SignInOk | WrongCredentials:
        return original.verify_credentials(email=mail, password=password, tenant_id=tenant_id)

    return replace(original, verify_credentials=verify_credentials)


def an_argument_missing(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
    @like(original.verify_credentials)  # expect: arg-type
    def verify_credentials(*, email: str, password: str) -> SignInOk | WrongCredentials:
        return original.verify_credentials(email=email, password=password, tenant_id="public")

    return replace(original, verify_credentials=verify_credentials)


def an_argument_too_many(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
    @like(original.verify_credentials)  # expect: arg-type
    def verify_credentials(*, email: str, password: str, tenant_id: str = "public", reason: str) -> SignInOk | WrongCredentials:
        return original.verify_credentials(email=email, password=password, tenant_id=tenant_id)

    return replace(original, verify_credentials=verify_credentials)


def another_type(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
    @like(original.verify_credentials)  # expect: arg-type
    def verify_credentials(*, email: bytes, password: str, tenant_id: str = "public") -> SignInOk | WrongCredentials:
        return WrongCredentials()

    return replace(original, verify_credentials=verify_credentials)


def another_result(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
    @like(original.verify_credentials)  # expect: arg-type
    def verify_credentials(*, email: str, password: str, tenant_id: str = "public") -> SignInOk | None:
        return None

    return replace(original, verify_credentials=verify_credentials)


def no_result(original: SessionFunctions) -> SessionFunctions:
    @like(original.revoke_session)  # expect: arg-type
    def revoke_session(*, session_handle: str) -> None:
        original.revoke_session(session_handle=session_handle)

    return replace(original, revoke_session=revoke_session)


def a_wrong_call_of_the_original(original: SessionFunctions) -> SessionFunctions:
    @like(original.revoke_session)
    def revoke_session(*, session_handle: str) -> bool:
        return original.revoke_session(handle=session_handle)  # expect: call-arg

    return replace(original, revoke_session=revoke_session)


def nothing_returned(original: SessionFunctions) -> None:
    replace(original)


def of_another_recipe(original: SessionFunctions) -> SessionFunctions:
    return replace(original)


def not_callable(original: SessionAPIs) -> SessionAPIs:
    return replace(original, sign_out_post="off")  # expect: arg-type


class Subclass(EmailPasswordFunctions):
    def verify_credentials(self, *, email: str, password: str) -> SignInOk | WrongCredentials:  # expect: override
        return WrongCredentials()


Session(override=Override(functions=nothing_returned))  # expect: arg-type
EmailPassword(override=Override(functions=of_another_recipe))  # expect: arg-type
