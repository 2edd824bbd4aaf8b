"""
Rules for new passwords beside SuperTokens' own: by length, against lists of known ones (NIST SP 800-63B, 3.1.1.2).

A password is normalised (Unicode NFC) before it is checked or hashed, because systems type the same letter in different
ways.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import logging
import unicodedata

import attrs
import requests

from ...checks import Check, a, a_flag, a_number, above_zero
from ...exchanges import Exchanges, NoThread
from ...recipe_kit.forms import Validate

_log = logging.getLogger("st_wsgi.emailpassword")

_LONGEST = 4096  # characters; composing takes time that grows with the square of the number of accents in a row
_BODY_LIMIT = 200_000  # bytes; a reply has about 40 kB


def normalised(password: str) -> str:
    """Return a password in its composed form (Unicode Standard Annex 15, NFC); one of excessive length as it is."""
    return password if len(password) > _LONGEST else unicodedata.normalize("NFC", password)


@attrs.define(kw_only=True, eq=False, slots=False)
class BreachedPasswords:
    """
    Asks a service whether a password is in known data breaches, without telling it the password (k-anonymity).

    Only the first five hexadecimal digits of the password's SHA-1 hash are sent; the service returns the rest of all
    known hashes that begin so (https://haveibeenpwned.com/API/v3#PwnedPasswords). If it does not reply in time, the
    password counts as good.

    :param url: of the service, to which the five digits are added.
    :param timeout: seconds that a user waits at most.
    :param least: how often a password must have been seen.
    """

    url: str = attrs.field(
        default="https://api.pwnedpasswords.com/range/",
        validator=Check(
            "an address that ends with a slash",
            lambda value: (
                isinstance(value, str)
                and value.startswith(("https://", "http://127.0.0.1:", "http://127.0.0.1/"))
                and value[-1] == "/"
            ),
        ),
    )
    timeout: float = attrs.field(default=2, validator=above_zero())
    least: int = attrs.field(default=1, validator=a_number("times", least=1, most=10**9))

    _exchanges: Exchanges = attrs.field(init=False, repr=False, factory=lambda: Exchanges(at_most=8))

    def has(self, password: str) -> bool:
        """Return whether the service knows a password. This raises nothing."""
        digest = hashlib.sha1(password.encode("utf-8", "replace"), usedforsecurity=False).hexdigest().upper()
        try:
            return self._exchanges.within(self.timeout, lambda: self._times_seen(digest)) >= self.least
        except TimeoutError:
            reason = f"no reply in {self.timeout:g} seconds"
        except NoThread as error:
            reason = str(error)
        except Exception as error:  # the service is no reason to refuse a user
            reason = type(error).__name__
        _log.warning("a password was not looked up in data breaches: %s", reason)
        return False

    def _times_seen(self, digest: str) -> int:
        with requests.get(
            self.url + digest[:5],
            headers={"Add-Padding": "true"},
            timeout=self.timeout,
            stream=True,
            allow_redirects=False,
        ) as response:
            response.raise_for_status()
            body = response.raw.read(_BODY_LIMIT, decode_content=True)
        lines = (line.partition(":") for line in body.decode("ascii").split())
        return max((int(number) for rest, _, number in lines if rest == digest[5:]), default=0)


@attrs.frozen(kw_only=True)
class PasswordPolicy:
    """
    Passwords by length alone, of any letters, spaces included, except those that attackers try first.

    ::

        EmailPassword(password_policy=PasswordPolicy(min_length=10))

    :param min_length: characters.
    :param max_length: characters. bcrypt, which cores other than the embedded one use, takes 72 bytes at most.
    :param refuse_common: refuse the 5,000 most frequent passwords.
    :param breached: also asks a service whether a password is in a data breach; None asks no service.
    :raises ConfigError: a setting is not usable.
    """

    min_length: int = attrs.field(default=8, validator=a_number("characters", least=8, most=64))
    max_length: int = attrs.field(default=1024, validator=a_number("characters", least=64, most=1024))
    refuse_common: bool = attrs.field(default=True, validator=a_flag())
    breached: BreachedPasswords | None = attrs.field(default=None, validator=a(BreachedPasswords, or_none=True))

    @property
    def hint(self) -> tuple[str, int]:
        """What a password needs, for the pages: a text in English, and the number in it."""
        return "At least {number} characters.", self.min_length

    def rule(self, *, byte_limit: int | None) -> Validate:
        """
        Return the rule for the sign-up form.

        :param byte_limit: the number of bytes that the core's password hash uses, None for all.
        """

        def rule(value: str, _tenant_id: str) -> str | None:
            password = normalised(value)
            if len(password) < self.min_length:
                return f"Password must have at least {self.min_length} characters"
            if len(password) > self.max_length:
                return f"Password must have at most {self.max_length} characters"
            if byte_limit is not None and len(password.encode("utf-8", "replace")) > byte_limit:
                return f"Password must not be longer than {byte_limit} bytes"
            if not all(character.isprintable() or unicodedata.category(character) == "Zs" for character in password):
                return "Password must not contain control characters"
            if self.refuse_common and (password.casefold() in _common() or len(set(password)) == 1):
                return "This password is too common. Please choose another one"
            if self.breached is not None and self.breached.has(password):
                return "This password was found in a data breach. Please choose another one"
            return None

        return rule


@functools.cache
def _common() -> frozenset[str]:
    text = importlib.resources.files(__package__).joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("# "))
