"""The APIs of the webauthn recipe: interface and default implementation."""

from __future__ import annotations

import base64
from typing import Any

import attrs

from ...accounts import user_by_id
from ...errors import Unauthorised
from ...recipe_kit.forms import normalise_email
from ...recipe_kit.results import (
    EmailAlreadyExists,
    Exists,
    GeneralError,
    LinkingToSessionUserFailed,
    Ok,
    SignInNotAllowed,
    SignInOk,
    SignUpNotAllowed,
    SignUpOk,
    UnknownUserId,
)
from ...request.context import RequestContext
from ...users import LoginMethod, RecipeUserId, User
from ..accountlinking import AccountInfoWithRecipeId
from ..multifactorauth.recipe import check_complete, check_setup
from ..multitenancy.types import WEBAUTHN
from ..recovering import RecoveryAPIs
from ..refusals import Refusal, refused
from ..session import Session, SessionContainer
from ..signing_in import SignedIn, permission, signed_in
from .functions import WebauthnFunctions
from .settings import WebauthnSettings
from .types import (
    Credential,
    CredentialAlreadyExists,
    CredentialNotFound,
    CredentialRefusal,
    Credentials,
    GeneratedOptions,
    InvalidCredentials,
    InvalidEmail,
    InvalidOptions,
    InvalidRecoverAccountToken,
    OptionsNotFound,
    RecoverAccountNotAllowed,
    RecoverAccountPostOk,
    RecoverAccountTokenConsumed,
    RegisterCredentialNotAllowed,
    RegisterOptions,
    SignInOptions,
)

_FACTORS = (WEBAUTHN,)
_TRIES = 10
_TAKE_OVER_RISK = "A passkey cannot be added by mail: it would not be safe. Please contact support. (ERR_CODE_001)"
_NOT_ADDED = {
    "UNKNOWN_USER_ID_ERROR": "This account cannot have a passkey yet. Please contact support. (ERR_CODE_007)",
    "INVALID_AUTHENTICATOR_ERROR": "This device cannot be used here. Please use another one. (ERR_CODE_026)",
    "INVALID_CREDENTIALS_ERROR": "The passkey cannot be used. Please try again. (ERR_CODE_025)",
    "CREDENTIAL_ALREADY_EXISTS_ERROR": "There is this passkey already. Please use another device. (ERR_CODE_025)",
}


class WebauthnAPIs(RecoveryAPIs[WebauthnSettings, WebauthnFunctions]):
    """The APIs of the webauthn recipe. An override may be None, which switches the route off."""

    _requested = "account_recovery_requested"

    def register_options_post(
        self,
        *,
        email: str | None,
        recover_account_token: str | None,
        display_name: str | None,
        tenant_id: str,
        context: RequestContext,
    ) -> RegisterOptions | InvalidRecoverAccountToken | InvalidEmail | InvalidOptions | GeneralError:
        """
        Return what the browser is asked for to make a passkey.

        :param email: in its normal form; None if there is a token.
        :param recover_account_token: of a mail; None if there is an address.
        """
        options = self.functions.register_options(
            email=email, recover_account_token=recover_account_token, display_name=display_name, tenant_id=tenant_id
        )
        if recover_account_token is not None or not isinstance(options, RegisterOptions):
            return options
        # Anyone may ask for options. Those of the core contain the id of the user who has the address already.
        name = base64.urlsafe_b64encode(options.webauthn_generated_options_id.encode()).decode().rstrip("=")
        return attrs.evolve(options, user={**options.user, "id": name})

    def sign_in_options_post(
        self, *, tenant_id: str, context: RequestContext
    ) -> SignInOptions | InvalidOptions | GeneralError:
        """Return what the browser is asked for to sign in."""
        return self.functions.sign_in_options(tenant_id=tenant_id)

    def sign_up_post(
        self,
        *,
        webauthn_generated_options_id: str,
        credential: Credential,
        tenant_id: str,
        session: SessionContainer | None,
        context: RequestContext,
    ) -> SignedIn | EmailAlreadyExists | CredentialRefusal | SignUpNotAllowed | GeneralError:
        """
        Sign a user up with a passkey, and in.

        :param session: of the user that the new login method is to be linked to.
        :raises TooManyRequests: too many attempts at this address.
        :raises Unauthorised: the tenant does not allow this first factor.
        """
        email = self._email_of_options(webauthn_generated_options_id, tenant_id)
        if not isinstance(email, str):
            return email
        context.count_attempt(account=email, address=False)
        proof = _proof(webauthn_generated_options_id, credential)
        return self._signed_up(
            email,
            lambda owner: self.functions.sign_up(**proof, session=owner, tenant_id=tenant_id),
            tenant_id=tenant_id,
            session=session,
            context=context,
        )

    def sign_in_post(
        self,
        *,
        webauthn_generated_options_id: str,
        credential: Credential,
        tenant_id: str,
        session: SessionContainer | None,
        context: RequestContext,
    ) -> SignedIn | InvalidCredentials | SignInNotAllowed | GeneralError:
        """
        Sign a user in with a passkey.

        :param session: of the user that the login method is to be linked to.
        :raises Unauthorised: the tenant does not allow this first factor.
        """
        account: str | None = None

        def failed(reason: str) -> InvalidCredentials:
            context.record("sign_in_failed", tenant_id=tenant_id, reason=reason, recipe_id=WEBAUTHN, account=account)
            return InvalidCredentials()

        def not_allowed(refusal: Refusal) -> SignInNotAllowed:
            return SignInNotAllowed(refused(context, WEBAUTHN, refusal, tenant_id=tenant_id, account=account))

        proof = _proof(webauthn_generated_options_id, credential)
        verified = self.functions.verify_credentials(**proof, tenant_id=tenant_id)
        if not isinstance(verified, SignInOk):
            return failed(verified.status)
        method = verified.user.login_method(verified.recipe_user_id)
        if method is None or method.email is None:
            return failed(InvalidCredentials.status)
        account, tenants = method.email, method.tenant_ids
        may = permission(
            context,
            AccountInfoWithRecipeId.of(method),
            _FACTORS,
            tenant_id=tenant_id,
            session=session,
            is_verified=method.verified,
            is_sign_up=False,
            check_credentials=lambda tenant: tenant in tenants,
        )
        if may.refusal is not None:
            return not_allowed(may.refusal)
        if not may.accepts(account):
            return failed(InvalidCredentials.status)
        outcome = self.functions.sign_in(**proof, session=may.session, tenant_id=tenant_id)
        if isinstance(outcome, LinkingToSessionUserFailed):
            return not_allowed(outcome.reason)
        if not isinstance(outcome, SignInOk):
            return failed(outcome.status)
        result = signed_in(context, outcome, factor_id=WEBAUTHN, tenant_id=tenant_id, session=may.session)
        if not method.verified and self._was_removed(credential["id"], outcome.recipe_user_id):
            result.session.revoke_session()  # a recovery ended all sessions before this one was created
            return failed(InvalidCredentials.status)
        return result

    def email_exists_get(self, *, email: str, tenant_id: str, context: RequestContext) -> Exists | GeneralError:
        """Return whether a user of this tenant has signed up with this e-mail and a passkey."""
        return self._exists(email, tenant_id)

    def generate_recover_account_token_post(
        self, *, email: str, tenant_id: str, context: RequestContext
    ) -> Ok | RecoverAccountNotAllowed | GeneralError:
        """
        Send the user with this e-mail address the mail that adds a passkey to their account.

        The response says nothing about whether an account exists: the token is created and the mail is sent in the
        background.
        """

        def is_own_address(owner: User) -> bool:
            # The options are made for the address of that login method (FDI, rule F-13).
            own = owner.login_method(RecipeUserId(owner.id))
            return own is not None and own.email == email

        create_token = self.functions.generate_recover_account_token
        is_safe = self._send_recovery_mail(email, tenant_id, create_token=create_token, is_allowed=is_own_address)
        return Ok() if is_safe else RecoverAccountNotAllowed(_TAKE_OVER_RISK)

    def recover_account_post(
        self,
        *,
        token: str,
        webauthn_generated_options_id: str,
        credential: Credential,
        tenant_id: str,
        context: RequestContext,
    ) -> RecoverAccountPostOk | InvalidRecoverAccountToken | CredentialRefusal | GeneralError:
        """
        Add a passkey to an account with the token of a mail. The user has read the mail, so its address is verified.

        If the address was not verified before, a stranger may have signed up with it: their sessions and passkeys end.
        """
        email = self._email_of_options(webauthn_generated_options_id, tenant_id)
        if not isinstance(email, str):
            return email
        consumed = self.functions.consume_recover_account_token(token=token, tenant_id=tenant_id)
        if not isinstance(consumed, RecoverAccountTokenConsumed):
            return consumed
        if email != normalise_email(consumed.email):
            return InvalidOptions()
        proof = _proof(webauthn_generated_options_id, credential)

        def change(method: LoginMethod) -> CredentialRefusal | InvalidRecoverAccountToken | None:
            if not method.verified:
                self._revoke_sessions(method)
            owner = method.recipe_user_id
            added = self.functions.register_credential(**proof, recipe_user_id=owner, tenant_id=tenant_id)
            if isinstance(added, UnknownUserId):
                return InvalidRecoverAccountToken()
            if not isinstance(added, Ok):
                return InvalidCredentials() if isinstance(added, CredentialAlreadyExists) else added
            if not method.verified:
                self._remove_others(method, credential["id"])
            return None

        def create() -> SignUpOk | CredentialRefusal | InvalidRecoverAccountToken:
            made = self.functions.create_new_recipe_user(**proof, tenant_id=tenant_id)
            return InvalidRecoverAccountToken() if isinstance(made, EmailAlreadyExists) else made

        outcome: User | CredentialRefusal | InvalidRecoverAccountToken | None = self._recovered(
            consumed.user_id, email, tenant_id=tenant_id, context=context, change=change, create=create
        )
        if outcome is None:
            return InvalidRecoverAccountToken()
        return RecoverAccountPostOk(user=outcome, email=email) if isinstance(outcome, User) else outcome

    def list_credentials_get(self, *, session: SessionContainer, context: RequestContext) -> Credentials | GeneralError:
        """Return the passkeys of the session's user."""
        listed = [
            self.functions.list_credentials(recipe_user_id=method.recipe_user_id) for method in self._methods(session)
        ]
        return Credentials(tuple(credential for one in listed for credential in one))

    def register_credential_post(
        self,
        *,
        webauthn_generated_options_id: str,
        credential: Credential,
        recipe_user_id: RecipeUserId | None,
        tenant_id: str,
        session: SessionContainer,
        context: RequestContext,
    ) -> Ok | OptionsNotFound | InvalidOptions | RegisterCredentialNotAllowed | GeneralError:
        """
        Add a passkey to a login method of the session's user.

        :param recipe_user_id: of that login method; None for the one of the session, or else of the options' address.
        :raises InvalidClaims: the user has to complete another factor first: 403.
        :raises Unauthorised: the session ends meanwhile.
        """
        check_setup(self.recipe.services, session, WEBAUTHN)
        email = self._email_of_options(webauthn_generated_options_id, tenant_id)
        if not isinstance(email, str):
            return email
        methods = self._methods(session)
        asked = recipe_user_id or session.get_recipe_user_id()
        method = next((method for method in methods if method.recipe_user_id == asked), None)
        if method is None and recipe_user_id is None:
            method = next((method for method in methods if method.email == email), None)
        if method is None:
            return RegisterCredentialNotAllowed(_NOT_ADDED[UnknownUserId.status])
        if method.email != email:
            return InvalidOptions()
        outcome = self.functions.register_credential(
            **_proof(webauthn_generated_options_id, credential),
            recipe_user_id=method.recipe_user_id,
            tenant_id=tenant_id,
        )
        if isinstance(outcome, Ok):
            handle = session.get_handle()
            if self.recipe.services.get(Session).functions.get_session_information(session_handle=handle) is None:
                # A recovery ended the session before this passkey was stored, so it did not remove the passkey.
                self.functions.remove_credential(
                    webauthn_credential_id=credential["id"], recipe_user_id=method.recipe_user_id
                )
                raise Unauthorised("the session has ended")
        if isinstance(outcome, Ok | InvalidOptions | OptionsNotFound):
            return outcome
        return RegisterCredentialNotAllowed(_NOT_ADDED[outcome.status])

    def remove_credential_post(
        self, *, webauthn_credential_id: str, session: SessionContainer, context: RequestContext
    ) -> Ok | CredentialNotFound | GeneralError:
        """
        Remove a passkey of the session's user.

        :raises InvalidClaims: the sign-in is not complete: 403.
        """
        check_complete(self.recipe.services, session)
        for method in self._methods(session):
            if method.webauthn is not None and webauthn_credential_id in method.webauthn.credential_ids:
                return self.functions.remove_credential(
                    webauthn_credential_id=webauthn_credential_id, recipe_user_id=method.recipe_user_id
                )
        return CredentialNotFound()

    def _remove_others(self, method: LoginMethod, kept: str) -> None:
        """
        Remove all passkeys of a login method but one, and end its sessions.

        A person who signs in with a passkey before it is removed could add another one. So this is repeated until it
        finds no other passkey after the sessions have ended.
        """
        owner = method.recipe_user_id
        for _ in range(_TRIES):
            listed = self.functions.list_credentials(recipe_user_id=owner)
            others = [one.webauthn_credential_id for one in listed if one.webauthn_credential_id != kept]
            if not others:
                return
            for name in others:
                self.functions.remove_credential(webauthn_credential_id=name, recipe_user_id=owner)
            self._revoke_sessions(method)
        raise Unauthorised("passkeys were added again and again during a recovery")

    def _was_removed(self, credential_id: str, owner: RecipeUserId) -> bool:
        found = self.functions.get_credential(webauthn_credential_id=credential_id, recipe_user_id=owner)
        return isinstance(found, CredentialNotFound)

    def _email_of_options(self, options_id: str, tenant_id: str) -> str | InvalidOptions | OptionsNotFound:
        """Return the e-mail address in the options of a new passkey. Options to sign in have none, and are refused."""
        options = self.functions.get_generated_options(webauthn_generated_options_id=options_id, tenant_id=tenant_id)
        if not isinstance(options, GeneratedOptions):
            return options
        return InvalidOptions() if options.email is None else normalise_email(options.email)

    def _methods(self, session: SessionContainer) -> list[LoginMethod]:
        """Return the login methods with passkeys of the session's user."""
        user = user_by_id(self.recipe.services.core, session.get_user_id())
        methods = () if user is None else user.login_methods
        return [method for method in methods if method.recipe_id == WEBAUTHN]


def _proof(options_id: str, credential: Credential) -> dict[str, Any]:
    """Return the arguments that name the options and the answer to them."""
    return {"webauthn_generated_options_id": options_id, "credential": credential}
