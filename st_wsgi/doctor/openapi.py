"""
The command ``openapi``: a document of what is mounted.

Responses follow from what the APIs return. Requests are in a table here: the routes read them step by step.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import attrs

from .. import __version__
from ..app import SuperTokens
from ..codec import camel_case
from ..recipe_kit.forms import EMAIL, PASSWORD, FormField
from ..recipes.emailpassword import EmailPassword
from ..recipes.saml.types import LoginRequest, SamlResponseVerified
from ..recipes.session import Session, SessionContainer
from ..recipes.session.cookies import ACCESS_COOKIE, REFRESH_COOKIE
from ..recipes.signing_in import SignedIn
from ..recipes.thirdparty.types import AppleRedirect
from ..users import RecipeUserId
from .routes import Mounted, mounted

Schema = dict[str, Any]

_LINK = "shouldTryLinkingWithSessionUser:boolean?"
_PROOF = "webauthnGeneratedOptionsId credential:object"
REQUESTS: Mapping[str, str] = {
    "emailpassword.sign_up_post": f"formFields {_LINK}",
    "emailpassword.sign_in_post": f"formFields {_LINK}",
    "emailpassword.generate_password_reset_token_post": "formFields",
    "emailpassword.password_reset_post": "formFields token",
    "emailpassword.email_exists_get": "email",
    "passwordless.create_code_post": f"email? phoneNumber? {_LINK}",
    "passwordless.resend_code_post": f"deviceId preAuthSessionId {_LINK}",
    "passwordless.consume_code_post": f"preAuthSessionId linkCode? deviceId? userInputCode? {_LINK}",
    "passwordless.email_exists_get": "email",
    "passwordless.phone_number_exists_get": "phoneNumber",
    "thirdparty.authorisation_url_get": "thirdPartyId clientType? redirectURIOnProviderDashboard",
    "thirdparty.sign_in_up_post": f"thirdPartyId clientType? redirectURIInfo:object? oAuthTokens:object? {_LINK}",
    "thirdparty.apple_redirect_handler_post": "state code? id_token? user? error?",
    "emailverification.verify_email_post": "token",
    "multitenancy.login_methods_get": "clientType?",
    "totp.create_device_post": "deviceName?",
    "totp.remove_device_post": "deviceName",
    "totp.verify_device_post": "deviceName totp",
    "totp.verify_totp_post": "totp",
    "webauthn.register_options_post": "email? recoverAccountToken? displayName?",
    "webauthn.sign_up_post": f"{_PROOF} {_LINK}",
    "webauthn.sign_in_post": f"{_PROOF} {_LINK}",
    "webauthn.email_exists_get": "email",
    "webauthn.generate_recover_account_token_post": "email",
    "webauthn.recover_account_post": f"token {_PROOF}",
    "webauthn.register_credential_post": f"{_PROOF} recipeUserId?",
    "webauthn.remove_credential_post": "webauthnCredentialId",
    "saml.login_get": "client_id redirect_uri state?",
    "saml.callback_post": "SAMLResponse RelayState?",
}
"""From recipe and API to what it takes: in the query of a GET, else in the body. Texts, unless it says more."""

_BY_FORM = ("thirdparty.apple_redirect_handler_post", "saml.callback_post")
_REDIRECTS: Mapping[Any, str] = {AppleRedirect: "303", LoginRequest: "302", SamlResponseVerified: "302"}
_PLAIN: Mapping[Any, str] = {str: "string", RecipeUserId: "string", int: "integer", float: "number", bool: "boolean"}
_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}

_DESCRIPTION = """\
The routes of st-wsgi in this app. Not in this document: the routes of the app itself; the same paths with a tenant
behind the base path; the headers with which frontends ask for cookies or headers (rid, st-auth-mode, fdi-version,
anti-csrf) and which bring tokens (front-token, st-access-token, st-refresh-token); which of several optional members
belong together; the responses of handlers and overrides of the app, where they differ from the standard ones."""

_SECURITY: Schema = {
    "accessCookie": {"type": "apiKey", "in": "cookie", "name": ACCESS_COOKIE},
    "accessToken": {"type": "http", "scheme": "bearer"},
    "refreshCookie": {"type": "apiKey", "in": "cookie", "name": REFRESH_COOKIE},
    "refreshToken": {"type": "http", "scheme": "bearer"},
}


def document(st: SuperTokens) -> Schema:
    """Return an OpenAPI 3.1 document of an instance, as JSON."""
    schemas = Schemas()
    paths: dict[str, Schema] = {}
    for row in mounted(st):
        path = row.path.replace("/*", "/{rest}")
        operations = paths.setdefault(path, {})
        if row.state != "disabled" and row.method.lower() not in operations:
            operations[row.method.lower()] = _operation(st, row, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": st.app_info.app_name, "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": st.app_info.api_domain}],
        "paths": {path: operations for path, operations in paths.items() if operations},
        "components": {"schemas": schemas.made, "securitySchemes": _SECURITY},
    }


@attrs.define
class Schemas:
    """
    The schemas of classes.

    :ivar made: by name.
    """

    made: dict[str, Schema] = attrs.field(factory=dict)
    _names: dict[Any, str] = attrs.field(factory=dict)

    def of(self, hint: Any) -> Schema:
        """Return the schema of values with a type hint. It is empty where the hint says nothing."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if hint in _PLAIN:
            return {"type": _PLAIN[hint]}
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin in (typing.Union, types.UnionType):
            kinds = [self.of(kind) for kind in arguments if kind is not type(None)]
            return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        if origin in (list, tuple, Sequence, Iterable):
            return {"type": "array", "items": self.of(arguments[0])}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        return self._reference(hint) if attrs.has(hint) else {}

    def _reference(self, kind: Any) -> Schema:
        kind = SignedIn if issubclass(kind, SignedIn) else kind
        if kind not in self._names:
            taken = kind.__name__ in self.made
            self._names[kind] = f"{kind.__module__.split('.')[-2]}.{kind.__name__}" if taken else kind.__name__
            self.made[self._names[kind]] = {}  # a class may refer to itself
            self.made[self._names[kind]] = self._object(kind)
        return {"$ref": f"#/components/schemas/{self._names[kind]}"}

    def _object(self, kind: Any) -> Schema:
        hints = typing.get_type_hints(kind)
        properties: dict[str, Schema] = {}
        status = getattr(kind, "status", None)
        if isinstance(status, str):
            properties["status"] = {"const": status}
        required = list(properties)
        fields = {one.name: one.metadata.get("wire", camel_case(one.name)) for one in attrs.fields(kind)}
        if kind is SignedIn:
            fields = {"created": "createdNewRecipeUser", "user": "user"}
        for name, wire in fields.items():
            if wire is not None:
                properties[wire] = self.of(hints[name])
                if type(None) not in typing.get_args(hints[name]):
                    required.append(wire)
        return _object(properties, required)


def _object(properties: dict[str, Schema], required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required}


def _operation(st: SuperTokens, row: Mounted, schemas: Schemas) -> Schema:
    if row.route is None:
        page = {"200": {"description": "a page", "content": {"text/html": {}}}, "default": {"description": "a page"}}
        rest = [{"name": "rest", "in": "path", "required": True, "schema": _TEXT}] if row.path.endswith("/*") else []
        return {"tags": [row.recipe], "parameters": rest, "responses": page}
    name = f"{row.recipe}.{row.route.api}"
    hints = typing.get_type_hints(row.default)
    result = hints.get("return")
    kinds = typing.get_args(result) or (result,)
    responses: Schema = {status: {"description": "a redirect"} for kind, status in _REDIRECTS.items() if kind in kinds}
    shown = [kind for kind in kinds if kind not in _REDIRECTS]
    good = _object({}, []) if shown == [SessionContainer] else {"anyOf": [schemas.of(kind) for kind in shown]}
    if "formFields" in REQUESTS.get(name, ""):
        good["anyOf"].append(_FIELD_ERRORS)
    responses["200"] = _json("the outcome", good)
    responses |= {f"{digit}XX": _json("an error", _object({"message": _TEXT}, ["message"])) for digit in (4, 5)}
    operation: Schema = {"operationId": name, "tags": [row.recipe], "responses": responses}
    if row.route.alias_of is not None:
        operation |= {"operationId": f"{name}.older", "deprecated": True}
    if row.state == "overridden":
        operation["x-overridden-by"] = row.answers
    if row.route.api == "refresh_post":
        operation["security"] = [{"refreshCookie": []}, {"refreshToken": []}]
    elif hints.get("session") is SessionContainer:
        status = str(st.services.get(Session).session_expired_status_code)
        responses[status] = responses["4XX"]
        operation["security"] = [{"accessCookie": []}, {"accessToken": []}]
    return operation | _request(st, row.method, name)


_FIELD_ERRORS = _object(
    {
        "status": {"const": "FIELD_ERROR"},
        "formFields": {"type": "array", "items": _object({"id": _TEXT, "error": _TEXT}, ["id", "error"])},
    },
    ["status", "formFields"],
)


def _json(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _request(st: SuperTokens, method: str, name: str) -> Schema:
    properties: dict[str, Schema] = {}
    required: list[str] = []
    for word in REQUESTS.get(name, "").split():
        member, _, kind = word.rstrip("?").partition(":")
        properties[member] = _form(st, name) if member == "formFields" else {"type": kind or "string"}
        required += [] if word.endswith("?") else [member]
    if not properties:
        return {}
    if method == "GET":
        query = [
            {"in": "query", "name": key, "required": key in required, "schema": properties[key]} for key in properties
        ]
        return {"parameters": query}
    schema = _object(properties, required)
    kind = "application/x-www-form-urlencoded" if name in _BY_FORM else "application/json"
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


def _form(st: SuperTokens, name: str) -> Schema:
    """Return the schema of the fields of a form."""
    recipe = st.services.get(EmailPassword)
    fields: Mapping[str, tuple[FormField, ...]] = {
        "emailpassword.sign_up_post": recipe.sign_up_fields,
        "emailpassword.sign_in_post": recipe.sign_in_fields,
        "emailpassword.generate_password_reset_token_post": recipe.fields_named(EMAIL),
        "emailpassword.password_reset_post": recipe.fields_named(PASSWORD),
    }
    items = [
        _object({"id": {"const": one.id}, "value": _TEXT if one.id in (EMAIL, PASSWORD) else {}}, ["id", "value"])
        for one in fields[name]
    ]
    needed = [{"contains": item} for item, one in zip(items, fields[name], strict=True) if not one.optional]
    return {"type": "array", "items": {"anyOf": items}, "allOf": needed}
