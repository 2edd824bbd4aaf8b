"""Sign up and in with e-mail and password."""

from __future__ import annotations

from ...recipe_kit.recipe import user_facing
from .apis import EmailPasswordAPIs
from .functions import EmailPasswordFunctions
from .recipe import EmailPassword
from .types import (
    EmailAlreadyExists,
    EmailExists,
    FieldValue,
    FormField,
    GeneralError,
    SignInNotAllowed,
    SignInOk,
    SignInPostOk,
    SignUpFeature,
    SignUpNotAllowed,
    SignUpOk,
    SignUpPostOk,
    WrongCredentials,
)

__all__ = [
    "EmailAlreadyExists",
    "EmailExists",
    "EmailPassword",
    "EmailPasswordAPIs",
    "EmailPasswordFunctions",
    "FieldValue",
    "FormField",
    "GeneralError",
    "SignInNotAllowed",
    "SignInOk",
    "SignInPostOk",
    "SignUpFeature",
    "SignUpNotAllowed",
    "SignUpOk",
    "SignUpPostOk",
    "WrongCredentials",
    "sign_in",
    "sign_up",
    "verify_credentials",
]

sign_in = user_facing(EmailPassword, EmailPasswordFunctions.sign_in)
sign_up = user_facing(EmailPassword, EmailPasswordFunctions.sign_up)
verify_credentials = user_facing(EmailPassword, EmailPasswordFunctions.verify_credentials)
