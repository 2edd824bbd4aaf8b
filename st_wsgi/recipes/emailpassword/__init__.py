"""Sign up and in with e-mail and password."""

from __future__ import annotations

from typing import Final

from ...recipe_kit.forms import FieldValue, FormField
from ...recipe_kit.recipe import user_facing
from ...recipe_kit.results import Exists, GeneralError, SignInNotAllowed, SignUpNotAllowed
from ..signing_in import SignedIn
from .apis import EmailPasswordAPIs
from .functions import EmailPasswordFunctions
from .recipe import EmailPassword
from .types import EmailAlreadyExists, SignInOk, SignUpFeature, SignUpOk, WrongCredentials

__all__ = [
    "EmailAlreadyExists",
    "EmailPassword",
    "EmailPasswordAPIs",
    "EmailPasswordFunctions",
    "Exists",
    "FieldValue",
    "FormField",
    "GeneralError",
    "SignInNotAllowed",
    "SignInOk",
    "SignUpFeature",
    "SignUpNotAllowed",
    "SignUpOk",
    "SignedIn",
    "WrongCredentials",
    "sign_in",
    "sign_up",
    "verify_credentials",
]

sign_in: Final = user_facing(EmailPassword, EmailPasswordFunctions.sign_in)
sign_up: Final = user_facing(EmailPassword, EmailPasswordFunctions.sign_up)
verify_credentials: Final = user_facing(EmailPassword, EmailPasswordFunctions.verify_credentials)
