"""Overrides as the documentation writes them."""

from __future__ import annotations

from st_wsgi import Override, like, replace
from st_wsgi.recipes.emailpassword import (
    EmailPassword,
    EmailPasswordAPIs,
    EmailPasswordFunctions,
    FieldValue,
    FormField,
    GeneralError,
    SignedIn,
    SignInNotAllowed,
    SignInOk,
    SignUpFeature,
    WrongCredentials,
)
from st_wsgi.recipes.session import Session, SessionContainer, SessionFunctions
from st_wsgi.request.context import RequestContext


def audited(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
    @like(original.verify_credentials)
    def verify_credentials(*, email: str, password: str, tenant_id: str = "public") -> SignInOk | WrongCredentials:
        return original.verify_credentials(email=email, password=password, tenant_id=tenant_id)

    return replace(original, verify_credentials=verify_credentials)


def narrower(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
    """An override may promise more than the original: one of its results, and optional arguments on top."""

    @like(original.verify_credentials)
    def verify_credentials(
        *, email: str, password: str, tenant_id: str = "public", reason: str = ""
    ) -> WrongCredentials:
        return WrongCredentials()

    return replace(original, verify_credentials=verify_credentials)


def guarded(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
    @like(original.sign_in_post)
    def sign_in_post(
        *,
        form_fields: tuple[FieldValue, ...],
        tenant_id: str,
        session: SessionContainer | None,
        context: RequestContext,
    ) -> SignedIn | WrongCredentials | SignInNotAllowed | GeneralError:
        if context.header("x-suspended") is not None:
            return GeneralError("suspended")
        return original.sign_in_post(form_fields=form_fields, tenant_id=tenant_id, session=session, context=context)

    return replace(original, sign_in_post=sign_in_post, email_exists_get=None)


def marked(original: SessionFunctions) -> SessionFunctions:
    @like(original.revoke_session)
    def revoke_session(*, session_handle: str) -> bool:
        return original.revoke_session(session_handle=session_handle)

    return replace(original, revoke_session=revoke_session)


class Short(EmailPasswordFunctions):
    """An override may be a subclass."""

    def verify_credentials(
        self, *, email: str, password: str, tenant_id: str = "public"
    ) -> SignInOk | WrongCredentials:
        return WrongCredentials()


recipes = [
    EmailPassword(
        sign_up_feature=SignUpFeature(form_fields=[FormField(id="age", validate=lambda value, tenant_id: None)]),
        override=Override(functions=[audited, narrower, lambda original: Short(original.recipe)], apis=guarded),
    ),
    Session(override=Override(functions=marked, apis=lambda original: replace(original, sign_out_post=None))),
]


def user_of(session: SessionContainer) -> str:
    return session.get_user_id()
