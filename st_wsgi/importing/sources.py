"""
Reading users from what other systems write: Django, Flask-Security, Firebase, Auth0, and your own CSV files.

A reader yields an :class:`Entry` a user, in the shape of the core driver interface's bulk import, and keeps none of
them: a file may be larger than the memory. Where the formats are described:

* Django: ``manage.py dumpdata`` (``django/core/serializers/json.py``), hashes in ``django/contrib/auth/hashers.py``;
* Flask-Security: the table of users, ``flask_security/datastore.py``, hashes in ``flask_security/utils.py``;
* Firebase: ``firebase auth:export`` (https://firebase.google.com/docs/cli/auth);
* Auth0: the export of users (https://auth0.com/docs/manage-users/user-migration/bulk-user-exports) and the one of
  password hashes that their support makes.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import attrs

from ..embedded import hashes
from ..errors import SuperTokensError

Row = Mapping[str, Any]


class SourceInvalid(SuperTokensError):
    """A file is not what it should be; the message says what to do."""


@attrs.frozen
class Options:
    """
    How to read a file.

    :param tenant_id: where the users and their roles belong.
    :param verified: take all emails as verified.
    :param hashes: a second file: password hashes of Auth0, hash parameters of Firebase, the salt of Flask-Security.
    :param single_hash: Flask-Security hashed the passwords themselves (``SECURITY_PASSWORD_SINGLE_HASH``).
    :param model: the model of Django's users, such as ``accounts.user``.
    """

    tenant_id: str = "public"
    verified: bool = False
    hashes: Path | None = None
    single_hash: bool = False
    model: str = "auth.user"


@attrs.frozen
class Entry:
    """
    A user in a file.

    :param label: what to call them in a report.
    :param user: as bulk import takes them; None when they cannot be taken.
    :param notes: why they cannot be taken, or what of them cannot.
    """

    label: str
    user: dict[str, Any] | None = attrs.field(repr=False)
    notes: tuple[str, ...] = ()


@attrs.define
class _Draft:
    """A user that a reader puts together."""

    label: str
    options: Options
    joined: int | None = None
    methods: list[dict[str, Any]] = attrs.field(factory=list, repr=False)
    notes: list[str] = attrs.field(factory=list)

    def method(self, recipe: str, *, verified: bool = False, **fields: str) -> None:
        """Add a login method."""
        time = {} if self.joined is None else {"timeJoinedInMSSinceEpoch": self.joined}
        verified = verified or self.options.verified
        more = {"tenantIds": [self.options.tenant_id], "isVerified": verified, **time, **fields}
        self.methods.append({"recipeId": recipe, **more})

    def password(self, email: str, stored: str | None, *, verified: bool) -> None:
        """Add a login method with a password hash of any kind; without a usable one it cannot be used to sign in."""
        found = usable_hash(stored or "")
        if found is None:
            kind = re.split("[$:]", (stored or "").lstrip("$"))[0] if stored and not stored.startswith("!") else ""
            why = f"the hash ({kind[:20]}) is not supported" if kind else "there is none"
            self.notes.append(f"taken without the password, since {why}: they set one by the mail of a password reset")
            found = _NO_PASSWORD.format(_random(16), _random(32)), "argon2"
        text, algorithm = found
        self.method("emailpassword", verified=verified, email=email, passwordHash=text, hashingAlgorithm=algorithm)

    def entry(self, user_id: object, *, roles: Any = (), metadata: Row | None = None, refusal: str = "") -> Entry:
        """Return the user, whose first login method becomes the primary one when there are several."""
        if not self.methods and not refusal:
            refusal = "there is no email, phone number or provider to sign in with"
        if refusal:
            return Entry(self.label, None, (refusal,))
        if len(self.methods) > 1:
            self.methods[0]["isPrimary"] = True
        user: dict[str, Any] = {"loginMethods": self.methods}
        if user_id not in (None, ""):
            user["externalUserId"] = str(user_id)
        if roles:
            user["userRoles"] = [{"role": str(role), "tenantIds": [self.options.tenant_id]} for role in roles]
        kept = {name: value for name, value in (metadata or {}).items() if value not in (None, "", [], {})}
        if kept:
            user["userMetadata"] = kept
        return Entry(self.label, user, tuple(self.notes))


_NO_PASSWORD = "$argon2id$v=19$m=87795,t=1,p=2${}${}"
_DJANGO_SCRYPT = re.compile(r"scrypt\$(\d+)\$([^$]+)\$(\d+)\$(\d+)\$([A-Za-z0-9+/]+=*)")


def _random(size: int) -> str:
    return base64.b64encode(os.urandom(size)).decode().rstrip("=")


def usable_hash(stored: str) -> tuple[str, str] | None:
    """Return a password hash as the embedded core reads it, and its algorithm; None when it reads no such hash."""
    text = stored.strip()
    scrypt = _DJANGO_SCRYPT.fullmatch(text)
    if scrypt is not None:
        cost, salt, size, lanes, made = scrypt.groups()
        text = f"scrypt:{cost}:{size}:{lanes}${salt}${base64.b64decode(made + '==').hex()}"
    for prefix in ("argon2$argon2", "bcrypt$$2"):  # Django's name before the hash itself
        if text.startswith(prefix):
            text = text.removeprefix(prefix[:6] if prefix[0] == "a" else prefix[:7])
    parsed = hashes.parse(text)
    return None if parsed is None else (text, parsed.format.algorithm.lower())


_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)? ?(Z|[+-]\d\d(?::?\d\d)?)?")


def milliseconds(value: object) -> int | None:
    """Return a time as milliseconds since 1970: of ISO 8601 (UTC when nothing else is said) or a number of them."""
    if isinstance(value, dict):
        value = value.get("$date")
    if isinstance(value, int) or (isinstance(value, str) and value.isdigit()):
        return int(value)
    found = _TIME.fullmatch(str(value).strip())
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    digits = "+0000" if zone in (None, "Z") else zone.replace(":", "").ljust(5, "0")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{digits[:3]}:{digits[3:]}")
    except ValueError:  # such as the 0000-00-00 of MySQL
        return None
    return int(moment.timestamp()) * 1000 + int((fraction or "0").ljust(3, "0")[:3])


_CHUNK = 1 << 16
_BETWEEN = (" ", "\t", "\r", "\n", ",", ":")
_BEHIND = (*_BETWEEN, "]", "}")


def _items(file: TextIO, name: str | None = None) -> Iterator[Any]:
    """Yield the items of the JSON array in a file, or of the one that its object has under a name, one by one."""
    text, decode = file.read(_CHUNK), json.JSONDecoder().raw_decode
    inside, opening, key = name is None, "[" if name is None else "{", None
    start = re.match(rf"\s*\{opening}", text)
    if start is None:
        raise ValueError(f"expected {opening!r}")
    at = start.end()
    while True:
        while text[at : at + 1] in _BETWEEN:
            at += 1
        character = text[at : at + 1]
        if inside and character == "]":
            return
        if not inside and character == "}":
            raise ValueError(f"expected {name!r} with a list")
        if not inside and key == name and character == "[":
            inside, at = True, at + 1
            continue
        try:
            item, end = decode(text, at)
            if text[end : end + 1] not in _BEHIND:  # the rest of a number may come
                raise ValueError("expected the end of a value")
        except ValueError:
            kept = text[at:]
            more = file.read(max(_CHUNK, len(kept)))  # a long value is not tried again for every chunk
            if not more:
                raise
            text, at = kept + more, 0
        else:
            at = end
            if inside:
                yield item
            else:
                key = item if key is None else None  # names and values take turns


def _lines(file: TextIO) -> Iterator[Any]:
    return (json.loads(line) for line in file if line.strip())


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value).strip()


_TRUE, _FALSE = ("true", "t", "1", "yes", "y"), ("false", "f", "0", "no", "n")


def _flag(row: Row, name: str, default: bool) -> bool:
    """
    Return what a flag says in JSON or CSV.

    :raises ValueError: it is another text, such as ``NULL``, which must not count as a confirmed address.
    """
    text = _text(row, name).lower()
    if text not in ("", *_TRUE, *_FALSE):
        raise ValueError(f"{name} must be true or false, not {text[:20]!r}")
    return text in _TRUE if text else default


def read_django(file: TextIO, options: Options) -> Iterator[Entry]:
    """Yield the users of ``manage.py dumpdata``; groups become roles when ``auth.group`` was dumped before."""
    groups: dict[str, str] = {}
    others: set[str] = set()
    found = False
    for item in _items(file):
        fields, model = item["fields"], str(item["model"]).lower()
        if model == "auth.group":
            groups[str(item.get("pk"))] = fields["name"]
        if model != options.model.lower():
            others |= {model} if "password" in fields else set()
            continue
        found = True
        email, name = _text(fields, "email"), _text(fields, "username")
        draft = _Draft(email or name or f"{model} {item.get('pk')}", options, milliseconds(fields.get("date_joined")))
        roles = []
        for group in fields.get("groups", ()):
            role = group[0] if isinstance(group, list) else groups.get(str(group))
            if role is None:
                draft.notes.append("taken without a group that is not in the file: run dumpdata with auth.group too")
            else:
                roles.append(role)
        if email:
            draft.password(email, fields.get("password"), verified=False)
        refusal = "the user is not active" if fields.get("is_active") is False else "" if email else "there is no email"
        about = {key: fields.get(key) for key in ("username", "first_name", "last_name")}
        yield draft.entry(item.get("pk"), roles=roles, metadata=about, refusal=refusal)
    if not found:
        other = f"; there is {', '.join(sorted(others))}: name it with --model" if others else ""
        raise SourceInvalid(f"no object of the file is of the model {options.model}{other}")


def read_flask_security(file: TextIO, options: Options) -> Iterator[Entry]:
    """Yield the rows of the table of users, as a JSON array or as CSV with a header."""
    start = file.read(1)
    file.seek(0)
    rows = _items(file) if start == "[" else csv.DictReader(file)
    salt = None if options.hashes is None else options.hashes.read_text().strip()
    for row in rows:
        email, stored = _text(row, "email"), _text(row, "password")
        draft = _Draft(email or _text(row, "id"), options, milliseconds(row.get("create_datetime")))
        if stored.startswith("$") and not options.single_hash:
            if salt is None:
                raise SourceInvalid(
                    "Flask-Security mixes SECURITY_PASSWORD_SALT into the passwords that it hashes: name a file that "
                    "holds it with --hashes, or say --single-hash if the app has SECURITY_PASSWORD_SINGLE_HASH"
                )
            stored = f"hmac_sha512${base64.b64encode(salt.encode()).decode()}${stored}"
        if email:
            draft.password(email, stored, verified=bool(milliseconds(row.get("confirmed_at"))))
        if _text(row, "us_phone_number"):
            draft.method("passwordless", phoneNumber=_text(row, "us_phone_number"))
        if row.get("tf_totp_secret"):
            draft.notes.append("taken without the second factor, whose secret is encrypted: they set it up again")
        given = row.get("roles") or ()
        roles = re.split("[;,] *", given) if isinstance(given, str) else given
        names = [role["name"] if isinstance(role, dict) else role for role in roles]
        refusal = "" if _flag(row, "active", True) else "the user is not active"
        yield draft.entry(row.get("id"), roles=names, metadata={"username": row.get("username")}, refusal=refusal)


_PROVIDERS = {
    "apple.com": "apple",
    "facebook.com": "facebook",
    "github.com": "github",
    "google.com": "google",
    "google-oauth2": "google",
    "microsoft.com": "active-directory",
    "twitter.com": "twitter",
    "windowslive": "active-directory",
}
"""Ids of providers here, where other systems have other ones."""


def _firebase_hash(options: Options) -> Callable[[Row], str]:
    """Return what writes a user's hash with the project's parameters."""
    text = "" if options.hashes is None else options.hashes.read_text()
    found = dict(re.findall(r"\"?(base64_salt_separator|rounds|mem_cost)\"?\s*[:=]\s*\"?([^\s\",]+)", text))
    if options.hashes is not None and len(found) < 3:
        raise SourceInvalid(
            f"{options.hashes} should hold base64_salt_separator, rounds and mem_cost, as the Firebase console shows "
            "them under Authentication, Users, Password hash parameters"
        )
    end = "$m={mem_cost}$r={rounds}$s={base64_salt_separator}".format(**found) if found else ""
    # The export writes base64 with the letters of URLs; both are read.
    return lambda row: f"$f_scrypt${row['passwordHash']}${row.get('salt', '')}{end}" if end else ""


def read_firebase(file: TextIO, options: Options) -> Iterator[Entry]:
    """Yield the users of ``firebase auth:export --format=json``."""
    stored = _firebase_hash(options)
    for row in _items(file, "users"):
        email, verified = _text(row, "email"), row.get("emailVerified") is True
        draft = _Draft(email or _text(row, "localId"), options, milliseconds(row.get("createdAt")))
        if row.get("passwordHash") and email:
            if not stored(row):
                raise SourceInvalid(
                    "the file has password hashes: save the hash parameters of the Firebase console (Authentication, "
                    "Users, Password hash parameters) in a file and name it with --hashes"
                )
            draft.password(email, stored(row), verified=verified)
        for account in row.get("providerUserInfo", ()):
            provider = account["providerId"]
            if provider in ("password", "phone"):
                continue
            address = account.get("email") or email
            if not address:
                draft.notes.append(f"taken without the account of {provider}, which has no email")
                continue
            party = {"thirdPartyId": _PROVIDERS.get(provider, provider), "thirdPartyUserId": account["rawId"]}
            # What Firebase says is about the address of the user, not about those of providers.
            draft.method("thirdparty", verified=verified and address == email, email=address, **party)
        if row.get("phoneNumber"):
            draft.method("passwordless", verified=True, phoneNumber=row["phoneNumber"])
        if email and not draft.methods:
            draft.method("passwordless", verified=verified, email=email)  # who signs in by a link
        claims = json.loads(row.get("customAttributes") or "{}")
        about = {"displayName": row.get("displayName"), "photoUrl": row.get("photoUrl"), "customClaims": claims}
        refusal = "the user is disabled" if row.get("disabled") is True else ""
        yield draft.entry(row.get("localId"), metadata=about, refusal=refusal)


def read_auth0(file: TextIO, options: Options) -> Iterator[Entry]:
    """Yield the users of the export as lines of JSON, with the password hashes of the other export."""
    # In a database of its own, on disk when it is large: the exports are in no common order.
    with closing(sqlite3.connect("")) as db:
        db.execute("CREATE TABLE hashes (id TEXT PRIMARY KEY, hash TEXT) WITHOUT ROWID")
        if options.hashes is not None:
            with options.hashes.open(encoding="utf-8") as second:
                rows = ((one["_id"]["$oid"], one["passwordHash"]) for one in _lines(second))
                db.executemany("INSERT OR REPLACE INTO hashes VALUES (?, ?)", rows)
        for row in _lines(file):
            email, verified = _text(row, "email"), row.get("email_verified") is True
            draft = _Draft(email or _text(row, "user_id"), options, milliseconds(row.get("created_at")))
            for account in row["identities"]:
                provider, user_id = account["provider"], str(account["user_id"])
                if provider == "auth0" and email:
                    if options.hashes is None:
                        raise SourceInvalid(
                            "the password hashes are in an export of their own, which the support of Auth0 makes: name "
                            "it with --hashes (an empty file takes everybody without a password)"
                        )
                    known = db.execute("SELECT hash FROM hashes WHERE id = ?", (user_id,)).fetchone()
                    draft.password(email, known and known[0], verified=verified)
                elif provider == "sms":
                    draft.method("passwordless", verified=True, phoneNumber=_text(row, "phone_number"))
                elif provider == "email":
                    draft.method("passwordless", verified=verified, email=email)
                elif provider != "auth0" and email:
                    party = {"thirdPartyId": _PROVIDERS.get(provider, provider), "thirdPartyUserId": user_id}
                    draft.method("thirdparty", verified=verified, email=email, **party)
            names = ("name", "nickname", "username", "user_metadata", "app_metadata")
            refusal = "the user is blocked" if row.get("blocked") is True else ""
            yield draft.entry(row["user_id"], metadata={name: row.get(name) for name in names}, refusal=refusal)


CSV_COLUMNS = (
    *("id", "email", "email_verified", "phone_number", "password_hash", "password"),
    *("third_party_id", "third_party_user_id", "roles", "metadata", "time_joined", "totp_secret"),
)
"""The columns of your own CSV file. All may be missing; a row needs something to sign in with."""


def read_csv(file: TextIO, options: Options) -> Iterator[Entry]:
    """Yield the rows of a CSV file with a header of :data:`CSV_COLUMNS`."""
    rows = csv.DictReader(file)
    unknown = set(rows.fieldnames or ()) - set(CSV_COLUMNS)
    if unknown:
        raise SourceInvalid(
            f"no such column: {', '.join(sorted(map(str, unknown)))}. There are {', '.join(CSV_COLUMNS)}"
        )
    for row in rows:
        email, verified = _text(row, "email"), _flag(row, "email_verified", False)
        draft = _Draft(
            email or _text(row, "id") or f"line {rows.line_num}", options, milliseconds(row.get("time_joined"))
        )
        if email and _text(row, "password"):
            draft.method("emailpassword", verified=verified, email=email, plainTextPassword=row["password"])
        elif email and _text(row, "password_hash"):
            draft.password(email, row["password_hash"], verified=verified)
        if email and _text(row, "third_party_id"):
            party = {"thirdPartyId": row["third_party_id"], "thirdPartyUserId": row["third_party_user_id"]}
            draft.method("thirdparty", verified=verified, email=email, **party)
        if _text(row, "phone_number"):
            draft.method("passwordless", verified=True, phoneNumber=row["phone_number"])
        if email and not draft.methods:
            draft.method("passwordless", verified=verified, email=email)
        roles = [role for role in re.split("; *", _text(row, "roles")) if role]
        entry = draft.entry(row.get("id"), roles=roles, metadata=json.loads(_text(row, "metadata") or "{}"))
        if entry.user is not None and _text(row, "totp_secret"):
            entry.user["totpDevices"] = [{"secretKey": row["totp_secret"]}]
        yield entry


READERS: Mapping[str, Callable[[TextIO, Options], Iterator[Entry]]] = {
    "django": read_django,
    "flask-security": read_flask_security,
    "firebase": read_firebase,
    "auth0": read_auth0,
    "csv": read_csv,
}
"""What reads a file, by the system that wrote it."""


def read(source: str, path: Path, options: Options) -> Iterator[Entry]:
    """
    Yield the users in a file.

    :raises SourceInvalid: when it is not what that system writes.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield from READERS[source](file, options)
        except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise SourceInvalid(f"{path} is not what {source} writes: {what[:200]}") from error
