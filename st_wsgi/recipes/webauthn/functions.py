"""The functions of the webauthn recipe: interface and default implementation."""

from __future__ import annotations

from collections.abc import Sequence

from ...accounts import user_by_id
from ...recipe_kit.forms import normalise_email
from ...recipe_kit.results import (
    EmailAlreadyExists,
    EmailChangeNotAllowed,
    LinkingToSessionUserFailed,
    Ok,
    SignInOk,
    SignUpOk,
    UnknownUserId,
)
from ...users import PUBLIC_TENANT, RecipeUserId
from ..changing_email import change_email
from ..recovering import RecoveryFunctions
from ..session import SessionContainer
from ..signing_in import linked_outcome
from .settings import WebauthnSettings
from .types import (
    Attestation,
    Credential,
    CredentialAlreadyExists,
    CredentialFound,
    CredentialInfo,
    CredentialNotFound,
    CredentialRefusal,
    GeneratedOptions,
    InvalidAuthenticator,
    InvalidCredentials,
    InvalidEmail,
    InvalidOptions,
    InvalidRecoverAccountToken,
    OptionsNotFound,
    RecoverAccountToken,
    RecoverAccountTokenConsumed,
    RecoveringUser,
    RegisterOptions,
    ResidentKey,
    SignInOptions,
    UserVerification,
)

_PATH = "/recipe/webauthn"
_CREDENTIAL = f"{_PATH}/user/credential"
_RECOVER = f"{_PATH}/user/recover"
_TIMEOUT = 60_000


class WebauthnFunctions(RecoveryFunctions[WebauthnSettings]):
    """
    The functions of the webauthn recipe (CDI 5.4, ``/recipe/webauthn`` and what is below).

    *Options* are what a browser is asked for, and a *credential* is its answer: a new passkey, or the proof of one. All
    cryptography is the core's.
    """

    def register_options(
        self,
        *,
        email: str | None = None,
        recover_account_token: str | None = None,
        display_name: str | None = None,
        relying_party_id: str | None = None,
        relying_party_name: str | None = None,
        origin: str | None = None,
        resident_key: ResidentKey = "required",
        user_verification: UserVerification = "preferred",
        user_presence: bool = True,
        attestation: Attestation = "none",
        supported_algorithm_ids: Sequence[int] = (-8, -7, -257),
        timeout: int = _TIMEOUT,
        tenant_id: str = PUBLIC_TENANT,
    ) -> RegisterOptions | InvalidRecoverAccountToken | InvalidEmail | InvalidOptions:
        """
        Return what a browser is asked for to make a passkey.

        :param email: of the user; either this or a token.
        :param recover_account_token: of a mail, for the user whom it was sent to.
        :param display_name: shown by the browser; by default the e-mail address.
        :param relying_party_id: default: that of the settings; name and origin likewise.
        :param timeout: milliseconds.
        """
        if email is None and recover_account_token is not None:
            found = self.functions.get_user_from_recover_account_token(token=recover_account_token, tenant_id=tenant_id)
            if not isinstance(found, RecoveringUser):
                return found
            method = found.user.login_method(found.recipe_user_id or RecipeUserId(found.user.id))
            email = None if method is None else method.email
        problem = "The email is missing" if not email else self.recipe.validate_email_address(email, tenant_id)
        if email is None or problem is not None:
            return InvalidEmail(problem or "")
        body = {
            **self._party(relying_party_id, relying_party_name, origin, tenant_id),
            "email": email,
            "displayName": email if display_name is None else display_name,
            "timeout": timeout,
            "attestation": attestation,
            "supportedAlgorithmIDs": list(supported_algorithm_ids),
            "userVerification": user_verification,
            "userPresence": user_presence,
            "residentKey": resident_key,
        }
        reply = self.core.post(f"{_PATH}/options/register", body, tenant_id=tenant_id)
        return reply.into(RegisterOptions, InvalidOptions)

    def sign_in_options(
        self,
        *,
        relying_party_id: str | None = None,
        relying_party_name: str | None = None,
        origin: str | None = None,
        user_verification: UserVerification = "preferred",
        user_presence: bool = True,
        timeout: int = _TIMEOUT,
        tenant_id: str = PUBLIC_TENANT,
    ) -> SignInOptions | InvalidOptions:
        """
        Return what a browser is asked for to sign in with any passkey of the relying party.

        :param relying_party_id: default: that of the settings; name and origin likewise.
        :param timeout: milliseconds.
        """
        party = self._party(relying_party_id, relying_party_name, origin, tenant_id)
        body = {**party, "timeout": timeout, "userVerification": user_verification, "userPresence": user_presence}
        reply = self.core.post(f"{_PATH}/options/signin", body, tenant_id=tenant_id)
        reply.body["rpId"] = party["relyingPartyId"]
        return reply.into(SignInOptions, InvalidOptions)

    def get_generated_options(
        self, *, webauthn_generated_options_id: str, tenant_id: str = PUBLIC_TENANT
    ) -> GeneratedOptions | OptionsNotFound:
        """Return options that were made before and are not removed yet."""
        params = {"webauthnGeneratedOptionsId": webauthn_generated_options_id}
        return self.core.get(f"{_PATH}/options", params, tenant_id=tenant_id).into(GeneratedOptions, OptionsNotFound)

    def remove_generated_options(
        self, *, webauthn_generated_options_id: str, tenant_id: str = PUBLIC_TENANT
    ) -> Ok | OptionsNotFound:
        """Remove options, so that no passkey can answer them."""
        params = {"webauthnGeneratedOptionsId": webauthn_generated_options_id}
        return self.core.delete(f"{_PATH}/options/remove", params, tenant_id=tenant_id).into(Ok, OptionsNotFound)

    def sign_up(
        self,
        *,
        webauthn_generated_options_id: str,
        credential: Credential,
        session: SessionContainer | None = None,
        tenant_id: str = PUBLIC_TENANT,
    ) -> SignUpOk | EmailAlreadyExists | CredentialRefusal | LinkingToSessionUserFailed:
        """
        Create a user with a passkey. The options say which e-mail address they have.

        The login method is linked as the :mod:`accountlinking <st_wsgi.recipes.accountlinking>` recipe says.

        :param session: of the user whom the login method is to be linked to.
        """
        outcome = self.functions.create_new_recipe_user(
            webauthn_generated_options_id=webauthn_generated_options_id, credential=credential, tenant_id=tenant_id
        )
        if not isinstance(outcome, SignUpOk):
            return outcome
        return linked_outcome(self.context, outcome, tenant_id=tenant_id, session=session)

    def create_new_recipe_user(
        self, *, webauthn_generated_options_id: str, credential: Credential, tenant_id: str = PUBLIC_TENANT
    ) -> SignUpOk | EmailAlreadyExists | CredentialRefusal:
        """Create a login method in the core, and link nothing."""
        body = {"webauthnGeneratedOptionsId": webauthn_generated_options_id, "credential": dict(credential)}
        reply = self.core.post(f"{_PATH}/signup", body, tenant_id=tenant_id)
        return reply.into(
            SignUpOk, EmailAlreadyExists, InvalidCredentials, InvalidOptions, OptionsNotFound, InvalidAuthenticator
        )

    def sign_in(
        self,
        *,
        webauthn_generated_options_id: str,
        credential: Credential,
        session: SessionContainer | None = None,
        tenant_id: str = PUBLIC_TENANT,
    ) -> SignInOk | CredentialRefusal | CredentialNotFound | UnknownUserId | LinkingToSessionUserFailed:
        """
        Return the user of a passkey. This creates no session.

        The login method is linked as the :mod:`accountlinking <st_wsgi.recipes.accountlinking>` recipe says.

        :param session: of the user whom the login method is to be linked to.
        """
        outcome = self.functions.verify_credentials(
            webauthn_generated_options_id=webauthn_generated_options_id, credential=credential, tenant_id=tenant_id
        )
        if not isinstance(outcome, SignInOk):
            return outcome
        method = outcome.user.login_method(outcome.recipe_user_id)
        if method is None or tenant_id not in method.tenant_ids:  # the core looks for passkeys in all tenants
            return InvalidCredentials()
        return linked_outcome(self.context, outcome, tenant_id=tenant_id, session=session)

    def verify_credentials(
        self, *, webauthn_generated_options_id: str, credential: Credential, tenant_id: str = PUBLIC_TENANT
    ) -> SignInOk | CredentialRefusal | CredentialNotFound | UnknownUserId:
        """
        Ask the core whose passkey this is. It looks in all tenants.

        A proof that the core has accepted in this request is not sent again: it would look like that of a copied
        passkey, whose counter does not go up (FDI, rule F-14).
        """
        accepted = self.context.core_cache
        key = (WebauthnFunctions, tenant_id, webauthn_generated_options_id)
        before, known = accepted.get(key, (None, None))
        if known is not None and before == credential:
            user = user_by_id(self.core, known.recipe_user_id.value)
            return UnknownUserId() if user is None else SignInOk(user=user, recipe_user_id=known.recipe_user_id)
        # The core accepts options of all tenants. Those of another tenant may be for another website.
        ids = {"webauthn_generated_options_id": webauthn_generated_options_id, "tenant_id": tenant_id}
        if isinstance(self.functions.get_generated_options(**ids), OptionsNotFound):
            return OptionsNotFound()
        body = {"webauthnGeneratedOptionsId": webauthn_generated_options_id, "credential": dict(credential)}
        outcome = self.core.post(f"{_PATH}/signin", body, tenant_id=tenant_id).into(
            SignInOk,
            InvalidCredentials,
            InvalidOptions,
            OptionsNotFound,
            InvalidAuthenticator,
            CredentialNotFound,
            UnknownUserId,
        )
        if isinstance(outcome, SignInOk):
            # Up to CDI 5.4, options can be used again. So could a proof of a passkey that has no counter.
            if not self.core.speaks("5.5") and not isinstance(self.functions.remove_generated_options(**ids), Ok):
                return InvalidCredentials()
            accepted[key] = (credential, outcome)
        return outcome

    def generate_recover_account_token(
        self, *, user_id: str, email: str, tenant_id: str = PUBLIC_TENANT
    ) -> RecoverAccountToken | UnknownUserId:
        """
        Create a token that adds a passkey to an account.

        :param user_id: of the user, or of the login method.
        :param email: the address that the token is sent to.
        """
        body = {"userId": user_id, "email": email}
        return self.core.post(f"{_RECOVER}/token", body, tenant_id=tenant_id).into(RecoverAccountToken, UnknownUserId)

    def consume_recover_account_token(
        self, *, token: str, tenant_id: str = PUBLIC_TENANT
    ) -> RecoverAccountTokenConsumed | InvalidRecoverAccountToken:
        """Use up a token, and all others for the same address, without adding a passkey."""
        reply = self.core.post(f"{_RECOVER}/token/consume", {"token": token}, tenant_id=tenant_id)
        return reply.into(RecoverAccountTokenConsumed, InvalidRecoverAccountToken)

    def get_user_from_recover_account_token(
        self, *, token: str, tenant_id: str = PUBLIC_TENANT
    ) -> RecoveringUser | InvalidRecoverAccountToken:
        """Return whose token this is. It can still be used."""
        reply = self.core.get(_RECOVER, {"token": token}, tenant_id=tenant_id)
        return reply.into(RecoveringUser, InvalidRecoverAccountToken)

    def register_credential(
        self,
        *,
        webauthn_generated_options_id: str,
        credential: Credential,
        recipe_user_id: RecipeUserId,
        tenant_id: str = PUBLIC_TENANT,
    ) -> Ok | CredentialRefusal | CredentialAlreadyExists | UnknownUserId:
        """
        Add a passkey to a login method of this recipe.

        :param tenant_id: in which the options were made.
        """
        body = {
            "recipeUserId": recipe_user_id.value,
            "webauthnGeneratedOptionsId": webauthn_generated_options_id,
            "credential": dict(credential),
        }
        outcome = self.core.post(f"{_CREDENTIAL}/register", body, tenant_id=tenant_id).into(
            Ok,
            InvalidCredentials,
            InvalidOptions,
            OptionsNotFound,
            InvalidAuthenticator,
            CredentialAlreadyExists,
            UnknownUserId,
        )
        if isinstance(outcome, Ok):
            self.functions.remove_generated_options(
                webauthn_generated_options_id=webauthn_generated_options_id, tenant_id=tenant_id
            )
            self.context.record("passkey_added", user_id=recipe_user_id.value)
        return outcome

    def get_credential(
        self, *, webauthn_credential_id: str, recipe_user_id: RecipeUserId
    ) -> CredentialFound | CredentialNotFound:
        """Return a passkey of a login method."""
        params = {"webauthnCredentialId": webauthn_credential_id, "recipeUserId": recipe_user_id.value}
        return self.core.get(_CREDENTIAL, params).into(CredentialFound, CredentialNotFound)

    def list_credentials(self, *, recipe_user_id: RecipeUserId) -> tuple[CredentialInfo, ...]:
        """Return the passkeys of a login method, the oldest first."""
        reply = self.core.get(f"{_CREDENTIAL}/list", {"recipeUserId": recipe_user_id.value})
        return reply.ok(tuple[CredentialInfo, ...], "credentials")

    def remove_credential(
        self, *, webauthn_credential_id: str, recipe_user_id: RecipeUserId
    ) -> Ok | CredentialNotFound:
        """Remove a passkey of a login method. It can no longer be used to sign in."""
        params = {"webauthnCredentialId": webauthn_credential_id, "recipeUserId": recipe_user_id.value}
        outcome = self.core.delete(f"{_CREDENTIAL}/remove", params).into(Ok, CredentialNotFound)
        if isinstance(outcome, Ok):
            self.context.record("passkey_removed", user_id=recipe_user_id.value)
        return outcome

    def update_user_email(
        self, *, recipe_user_id: RecipeUserId, email: str, tenant_id: str = PUBLIC_TENANT
    ) -> Ok | UnknownUserId | EmailAlreadyExists | EmailChangeNotAllowed:
        """Change the e-mail address of a login method."""
        email = normalise_email(email)  # the core keeps it as it comes

        def put(address: str | None) -> Ok | UnknownUserId | EmailAlreadyExists:
            body = {"recipeUserId": recipe_user_id.value, "email": address}
            reply = self.core.put(f"{_PATH}/user/email", body, tenant_id=tenant_id)
            if reply.body.get("status") == "USER_WITH_EMAIL_ALREADY_EXISTS_ERROR":
                return EmailAlreadyExists()
            return reply.into(Ok, UnknownUserId, EmailAlreadyExists)

        outcome = change_email(
            self.recipe.services,
            recipe_user_id,
            email,
            change=lambda: put(email),
            undo=lambda before: put(before.email),
        )
        if isinstance(outcome, Ok):
            self.context.record("email_changed", user_id=recipe_user_id.value)
            self._end_other_sessions(recipe_user_id)
        return outcome

    def _party(
        self, relying_party_id: str | None, name: str | None, origin: str | None, tenant_id: str
    ) -> dict[str, str]:
        settings, context = self.recipe, self.context
        return {
            "relyingPartyId": relying_party_id or settings.relying_party_id(tenant_id, context),
            "relyingPartyName": name or settings.relying_party_name(tenant_id, context),
            "origin": origin or settings.origin(tenant_id, context),
        }
