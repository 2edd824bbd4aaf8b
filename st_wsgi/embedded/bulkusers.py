"""
Users as a bulk import brings them: what is wrong with one, and how one is stored.

The checks, their order and their texts are those of ``bulkimport/BulkImportUserUtils.java`` of the official core, the
codes of what is found while storing (``E003``) those of ``bulkimport/BulkImport.java``. A checked user is a JSON object
in the shape in which the core shows it again: normalised, and every login method with its id.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from . import emailpassword, hashes, metadata, methods, passwordless, thirdparty, totp
from .fields import dump, sound, trimmed
from .methods import Identity, Kind
from .passwords import Passwords
from .phones import normal_phone
from .storage.database import Database
from .tenancy import Tenant
from .users import normal_email, set_verified, update_copies, user_exists

BulkUser = dict[str, Any]
"""A checked user."""

_RECIPES = (emailpassword.RECIPE, thirdparty.RECIPE, passwordless.RECIPE)
_SECRETS = ("passwordHash", "plainTextPassword")


class UserRefused(Exception):
    """
    A user cannot be taken, for the reasons in *errors*.

    :param invalid: they were found by checking the user, so that there may be several.
    """

    def __init__(self, *errors: str, invalid: bool = False) -> None:
        self.errors: tuple[str, ...] = errors
        self.text: str = f"[{', '.join(errors)}]" if invalid else errors[0]
        super().__init__(self.text)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(trimmed(value)) and sound(value)


def _is_number(value: object) -> bool:
    # Java keeps the lower bits of a number that is too long; a database refuses it.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**62


def _all(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, (list, tuple)) and all(map(check, value))


_KINDS: Mapping[str, Callable[[object], bool]] = {
    "string": _is_text,
    "integer": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array of string": _all(_is_text),
    "array of object": _all(lambda value: isinstance(value, dict)),
}


@attrs.define
class _Fields:
    """The fields of one JSON object; what is wrong with them goes to *errors*."""

    values: Mapping[str, Any]
    where: str
    errors: list[str]

    def get(self, name: str, kind: str = "string", *, required: bool = False, where: str | None = None) -> Any:
        """Return a field, None when it is missing or of another kind."""
        where = self.where if where is None else where
        if name not in self.values:
            if required:
                self.errors.append(f"{name} is required{where}")
            return None
        value = self.values[name]
        if _KINDS[kind](value):
            return value
        self.errors.append(f"{name} should be of type {kind}{where}")
        return None

    def limit(self, value: str | None, called: str, limit: int, *, said: int | None = None) -> None:
        """Note a text that is longer than *limit*; the official core says another number for emails."""
        if value is not None and len(value) > limit:
            self.errors.append(f"{called} {value} is too long. Max length is {said or limit}.")


class BulkReader:
    """
    Checks users of an app and stores them; no two that come together may have the same external id.

    :param app: the app's public tenant.
    :param now: milliseconds since 1970.
    :param stored: they were checked before, and keep the ids that their login methods got then.
    """

    def __init__(self, db: Database, app: Tenant, passwords: Passwords, now: int, *, stored: bool = False) -> None:
        self._app = app
        self._passwords = passwords
        self._now = now
        self._stored = stored
        self._external: set[str] = set()
        self._roles = {role for (role,) in db.select("roles", "role", app=app.app)}
        tenants = db.select("tenants", "tenant_id", app=app.app)
        self._tenants = {name: attrs.evolve(app, tenant_id=name) for (name,) in tenants}

    def hash_passwords(self, user: BulkUser) -> dict[str, str]:
        """
        Return hashes of a checked user's plain passwords, by the id of the login method.

        :raises HashingBusy: when too many others are being computed.
        """
        algorithm = self._app.settings.text("password_hashing_alg")
        return {
            method["superTokensUserId"]: self._passwords.hash(method["plainTextPassword"], algorithm)
            for method in user["loginMethods"]
            if "plainTextPassword" in method and "passwordHash" not in method
        }

    def read(self, given: Mapping[str, Any]) -> BulkUser:
        """Return a user, checked. :raises UserRefused: with everything that is wrong."""
        errors: list[str] = []
        fields = _Fields(given, ".", errors)
        external = fields.get("externalUserId")
        about = fields.get("userMetadata", "object")
        roles = [self._role(one, errors) for one in fields.get("userRoles", "array of object") or ()]
        devices = [self._device(one, errors) for one in fields.get("totpDevices", "array of object") or ()]
        own = self._methods(fields, errors)
        if external is not None:
            fields.limit(external, "externalUserId", 128)
            if external in self._external and not self._stored:
                errors.append(f"externalUserId {external} is not unique. It is already used by another user.")
            self._external.add(external)
        for role in roles:
            for tenant in role["tenantIds"]:
                if tenant != "public" and all(tenant not in method["tenantIds"] for method in own):
                    errors.append(f"TenantId {tenant} for a user role does not exist in loginMethods.")
        for method in own:
            if not method["tenantIds"]:
                shown = dump({name: value for name, value in method.items() if name not in _SECRETS})
                errors.append(f"LoginMethod '{shown}' has no tenantId")
        if errors:
            raise UserRefused(*errors, invalid=True)
        user = {
            "externalUserId": None if external is None else trimmed(external),
            "userMetadata": about,
            "userRoles": roles if "userRoles" in given else None,
            "totpDevices": devices if "totpDevices" in given else None,
            "loginMethods": own,
        }
        return {name: value for name, value in user.items() if value is not None}

    def store(self, db: Database, user: BulkUser, new_hashes: Mapping[str, str]) -> None:
        """
        Store a checked user with everything that came along.

        :param new_hashes: of the plain passwords.
        :raises UserRefused: when it cannot be; the caller rolls back.
        """
        app = self._app.app
        main = primary_method(user)
        user_id: str = main["superTokensUserId"]
        # The primary one, then by recipe: so the official core stores them, which decides what error comes first.
        ordered = sorted(
            user["loginMethods"], key=lambda method: (not method["isPrimary"], _RECIPES.index(method["recipeId"]))
        )
        for method in ordered:
            _store_method(db, [self._tenants[tenant_id] for tenant_id in method["tenantIds"]], method, new_hashes)
        if main["isPrimary"]:
            places = sorted({tenant_id for method in user["loginMethods"] for tenant_id in method["tenantIds"]})
            identities = [_identity(method) for method in user["loginMethods"]]
            if methods.owner_of(db, app, places, identities, but_not=user_id) is not None:
                what = f"E022: We tried to create the primary user for the userId {user_id}"
                raise UserRefused(f"{what} but the account info is already associated with another primary user.")
            methods.make_primary(db, app, user_id)
            for method in ordered[1:]:
                stored = methods.find(db, app, method["superTokensUserId"])
                assert stored is not None, "it was stored above"
                methods.move(db, app, stored, user_id, linked=True)
        name: str = user.get("externalUserId", user_id)
        if name != user_id:
            _map_id(db, app, user_id, name)
        for method in ordered:
            if method["isVerified"] and "email" in method:
                set_verified(db, app, name if method is main else method["superTokensUserId"], method["email"])
        for device in user.get("totpDevices", ()):
            given = device.get("deviceName"), device["secretKey"], device["period"], device["skew"]
            if totp.store_device(db, app, name, given, verified=True) is None:
                raise UserRefused(f"E036: Two totp devices of the user have the name {device['deviceName']}")
        if "userMetadata" in user:
            metadata.merge(db, app, name, user["userMetadata"])
        for role in user.get("userRoles", ()):
            for tenant_id in role["tenantIds"]:
                db.insert_new("user_roles", app=app, tenant_id=tenant_id, user_id=name, role=role["role"])

    def _role(self, given: Mapping[str, Any], errors: list[str]) -> dict[str, Any]:
        fields = _Fields(given, " for a user role.", errors)
        role = fields.get("role", required=True)
        tenants = fields.get("tenantIds", "array of string", required=True)
        if role is not None:
            fields.limit(role, "role", 255)
            role = trimmed(role)
            if role not in self._roles:
                errors.append(f"Role {role} does not exist.")
        return {"role": role, "tenantIds": self._tenant_ids(tenants, errors, fields.where)}

    def _tenant_ids(self, given: Sequence[str] | None, errors: list[str], where: str) -> list[str]:
        known = []
        for tenant_id in ["public"] if given is None else given:
            name = tenant_id if tenant_id == "public" else trimmed(tenant_id).lower()
            if name in self._tenants:
                known.append(name)
            else:
                errors.append(f"Invalid tenantId: {tenant_id}{where}")
        return list(dict.fromkeys(known))

    def _device(self, given: Mapping[str, Any], errors: list[str]) -> dict[str, Any]:
        fields = _Fields(given, " for a totp device.", errors)
        secret = fields.get("secretKey", required=True)
        period, skew, name = fields.get("period", "integer"), fields.get("skew", "integer"), fields.get("deviceName")
        if secret is not None and len(secret) > 256:
            errors.append("TOTP secretKey is too long. Max length is 256.")
        if period is not None and not 1 <= period <= totp.MOST_PERIOD:
            errors.append(f"period should be {'> 0' if period < 1 else f'<= {totp.MOST_PERIOD}'} for a totp device.")
        if skew is not None and not 0 <= skew <= totp.MOST_SKEW:
            errors.append(f"skew should be {'>= 0' if skew < 0 else f'<= {totp.MOST_SKEW}'} for a totp device.")
        fields.limit(name, "TOTP deviceName", 256)
        numbers = {"period": 30 if period is None else int(period), "skew": 1 if skew is None else int(skew)}
        return {"secretKey": secret, **numbers, **({} if name is None else {"deviceName": trimmed(name)})}

    def _methods(self, fields: _Fields, errors: list[str]) -> list[dict[str, Any]]:
        given = fields.get("loginMethods", "array of object", required=True)
        if given is None:
            return []
        if not given:
            errors.append("At least one loginMethod is required.")
        primary = sum(one.get("isPrimary") is True for one in given)
        errors.extend(["No two loginMethods can have isPrimary as true."] * (primary - 1))
        return [method for one in given if (method := self._method(one, errors)) is not None]

    def _method(self, given: Mapping[str, Any], errors: list[str]) -> dict[str, Any] | None:
        fields = _Fields(given, " for a loginMethod.", errors)
        recipe = fields.get("recipeId", required=True)
        tenants = fields.get("tenantIds", "array of string")
        verified, primary = fields.get("isVerified", "boolean"), fields.get("isPrimary", "boolean")
        joined = fields.get("timeJoinedInMSSinceEpoch", "integer", where=" for a loginMethod")
        if recipe is not None and recipe not in _RECIPES:
            errors.append("Invalid recipeId for loginMethod. Pass one of emailpassword, thirdparty or, passwordless!")
        shared = {
            "tenantIds": self._tenant_ids(tenants, errors, f" for {recipe or 'null'} recipe."),
            "isVerified": verified is True,
            "isPrimary": primary is True,
            "timeJoinedInMSSinceEpoch": self._now if joined is None else int(joined),
            "recipeId": recipe,
        }
        if joined is not None and not 0 <= joined <= self._now:
            errors.append(f"timeJoined cannot be {'< 0' if joined < 0 else 'in future'} for a loginMethod.")
        if recipe not in _RECIPES:
            return None
        fields.where = f" for {'an' if recipe[0] == 'e' else 'a'} {recipe} recipe."
        own = {**shared, **(self._password(fields) if recipe == emailpassword.RECIPE else _READ[recipe](fields))}
        if own.get("email") is not None:
            own["email"] = normal_email(own["email"])
        own["superTokensUserId"] = given["superTokensUserId"] if self._stored else str(uuid.uuid4())
        return {name: value for name, value in own.items() if value is not None}

    def _password(self, fields: _Fields) -> dict[str, str | None]:
        email, stored = fields.get("email", required=True), fields.get("passwordHash")
        algorithm, plain = fields.get("hashingAlgorithm"), fields.get("plainTextPassword")
        if plain is None and None in (stored, algorithm):
            fields.errors.append(
                "Either (passwordHash, hashingAlgorithm) or plainTextPassword is required for an emailpassword recipe."
            )
        fields.limit(email, "email", 255, said=256)
        if algorithm is not None:
            algorithm = trimmed(algorithm).upper()
            if algorithm not in hashes.FORMATS:
                fields.errors.append(
                    "Invalid hashingAlgorithm for emailpassword recipe. Pass one of bcrypt, argon2 or, firebase_scrypt!"
                )
            elif stored is not None:
                stored = trimmed(stored)
                fields.errors.extend(self._hash_problems(stored, algorithm))
        return {"email": email, "passwordHash": stored, "hashingAlgorithm": algorithm, "plainTextPassword": plain}

    def _hash_problems(self, stored: str, algorithm: str) -> list[str]:
        if len(stored) > 256:
            return ["passwordHash is too long. Max length is 256."]
        format_, parsed = hashes.FORMATS[algorithm], hashes.parse(stored)
        signer_key = self._app.settings.text("firebase_password_hashing_signer_key")
        if format_ is hashes.FIREBASE_SCRYPT and signer_key is None:
            return ["'firebase_password_hashing_signer_key' cannot be null"]
        if parsed is None or parsed.format is not format_:
            return [f"Password hash is in invalid {format_.title} format"]
        problem = self._passwords.problem_with_hash(parsed)
        return [] if problem is None else [problem]


def _account(fields: _Fields) -> dict[str, str | None]:
    names = ("email", "thirdPartyId", "thirdPartyUserId")
    found: dict[str, str | None] = {name: fields.get(name, required=True) for name in names}
    fields.limit(found["email"], "email", 255, said=256)
    fields.limit(found["thirdPartyId"], "thirdPartyId", 28)
    fields.limit(found["thirdPartyUserId"], "thirdPartyUserId", 256)
    return found


def _contact(fields: _Fields) -> dict[str, str | None]:
    email, phone_number = fields.get("email"), fields.get("phoneNumber")
    fields.limit(email, "email", 255, said=256)
    fields.limit(phone_number, "phoneNumber", 256)
    if email is None and phone_number is None:
        fields.errors.append("Either email or phoneNumber is required for a passwordless recipe.")
    return {"email": email, "phoneNumber": None if phone_number is None else normal_phone(phone_number)}


_READ = {thirdparty.RECIPE: _account, passwordless.RECIPE: _contact}


def primary_method(user: BulkUser) -> dict[str, Any]:
    """Return the login method whose id is the user's: the one that says so, else the oldest."""
    own: list[dict[str, Any]] = user["loginMethods"]
    marked = [method for method in own if method["isPrimary"]]
    return marked[0] if marked else min(own, key=lambda method: int(method["timeJoinedInMSSinceEpoch"]))


def _identity(method: Mapping[str, Any]) -> Identity:
    return Identity(*(method.get(name) for name in ("email", "phoneNumber", "thirdPartyId", "thirdPartyUserId")))


def _taken(method: Mapping[str, Any], kind: Kind) -> UserRefused:
    """Return the refusal of a login method whose identity another user of the tenant has."""
    recipe = method["recipeId"]
    if kind == "third party":
        what = f"thirdPartyId {method['thirdPartyId']} and thirdPartyUserId {method['thirdPartyUserId']}"
    else:
        what = f"email {method['email']}" if kind == "email" else f"phoneNumber {method['phoneNumber']}"
    code = "E003" if recipe == emailpassword.RECIPE else {"third party": "E005", "email": "E006"}.get(kind, "E007")
    return UserRefused(f"{code}: A user with {what} already exists in {recipe} loginMethod.")


def _store_method(
    db: Database, tenants: Sequence[Tenant], method: Mapping[str, Any], new_hashes: Mapping[str, str]
) -> None:
    user_id, recipe, joined = method["superTokensUserId"], method["recipeId"], method["timeJoinedInMSSinceEpoch"]
    identity = _identity(method)
    stored = method.get("passwordHash", new_hashes.get(user_id))
    if methods.insert(db, tenants[0], recipe, joined, identity, password_hash=stored, user_id=user_id) is None:
        raise _taken(method, methods.taken_part(db, tenants[0], recipe, identity))
    if len(tenants) > 1:
        added = methods.find(db, tenants[0].app, user_id)
        assert added is not None, "it was inserted above"
        for tenant in tenants[1:]:
            kind = methods.add_to_tenant(db, tenant, added)
            if kind is not None:
                raise _taken(method, kind)


def _map_id(db: Database, app: int, user_id: str, external_id: str) -> None:
    if user_exists(db, app, external_id):
        raise UserRefused("E030: Cannot create a userId mapping where the externalId is also a SuperTokens userID")
    if not db.insert_new("user_id_mappings", app=app, user_id=user_id, external_user_id=external_id):
        raise UserRefused(f"E031: A user with externalId {external_id} already exists")
    update_copies(db, app, user_id)
