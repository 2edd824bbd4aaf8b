"""The settings of the emailpassword recipe, and the forms that are made of them."""

from __future__ import annotations

import attrs

from ...checks import a, a_flag
from ...recipe_kit.forms import PASSWORD, FormField
from ...services import Services
from ..recovering import RecoverySettings
from .forms import PASSWORD_HINT, password_rule, sign_in_fields, sign_up_fields, with_rules
from .passwords import PasswordPolicy
from .types import SignUpFeature


@attrs.define(kw_only=True, eq=False, slots=False)
class EmailPasswordSettings(RecoverySettings):
    """
    The settings of the recipe, for its functions and APIs.

    :ivar sign_up_fields: of the sign-up form, each with its rule.
    :ivar sign_in_fields: likewise.
    :ivar password_hint: what new passwords need, in English, and its number; None if the app has a rule of its own.
    """

    page = "/reset-password"
    mail_kind = "PASSWORD_RESET"

    sign_up_feature: SignUpFeature = attrs.field(factory=SignUpFeature, validator=a(SignUpFeature))
    password_policy: PasswordPolicy | None = attrs.field(default=None, validator=a(PasswordPolicy, or_none=True))
    send_change_notices: bool = attrs.field(default=False, validator=a_flag())
    sign_up_fields: tuple[FormField, ...] = attrs.field(init=False, repr=False)
    sign_in_fields: tuple[FormField, ...] = attrs.field(init=False, repr=False)
    password_hint: tuple[str, int] | None = attrs.field(init=False, repr=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.sign_up_fields = sign_up_fields(self.sign_up_feature.form_fields)
        self.sign_in_fields = sign_in_fields(self.sign_up_fields)
        if self.fields_named(PASSWORD)[0].validate is None:
            self.password_hint = PASSWORD_HINT if self.password_policy is None else self.password_policy.hint

    def bind(self, services: Services) -> None:
        super().bind(services)
        limit = services.transport.password_byte_limit
        policy = self.password_policy
        rule = password_rule(byte_limit=limit) if policy is None else policy.rule(byte_limit=limit)
        self.sign_up_fields = with_rules(self.sign_up_fields, password=rule)
        self.sign_in_fields = with_rules(self.sign_in_fields, password=rule)

    def fields_named(self, name: str) -> tuple[FormField, ...]:
        """Return one field of the sign-up form as a form of its own, as resetting a password has them."""
        return tuple(field for field in self.sign_up_fields if field.id == name)

    def password_problem(self, password: str, *, tenant_id: str) -> str | None:
        """Return what the sign-up form says against a new password, or None."""
        [field] = self.fields_named(PASSWORD)
        return None if field.validate is None else field.validate(password, tenant_id)
