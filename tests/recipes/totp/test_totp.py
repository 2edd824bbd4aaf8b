"""Authenticator apps: devices, codes, and their limits."""

from __future__ import annotations

import base64
import io
import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from recipes.multifactorauth.parts import Member, site
from recipes.shop import PASSWORD, QUICK, Borrowed, Clock, Shop, form, no_mail
from recipes.totp.parts import SECRET, import_device, totp, wrong
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import ConfigError
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes import session, totp as recipe
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multifactorauth import MultiFactorAuth, add_to_required_secondary_factors_for_user
from st_wsgi.recipes.totp import DeviceCreated, Totp
from st_wsgi.request import current

DEVICE, VERIFY = "/auth/totp/device", "/auth/totp/verify"


@pytest.fixture
def ada(core: Borrowed) -> Member:
    return Member.of(site(core))


def post(member: Member, path: str, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = member.call("POST", path, body).get_json()
    return answer


def add(member: Member, name: str = "phone") -> str:
    """Create and verify a device, and return its secret."""
    made = post(member, DEVICE, deviceName=name)
    secret: str = made["secret"]
    verified = post(member, f"{DEVICE}/verify", deviceName=name, totp=totp(secret))
    assert verified == {"status": "OK", "wasAlreadyVerified": False}
    return secret


class TestDevices:
    def test_create_verify_list_and_remove(self, ada: Member) -> None:
        made = post(ada, DEVICE)
        assert (made["status"], made["deviceName"], len(base64.b32decode(made["secret"]))) == (
            "OK",
            "TOTP Device 0",
            20,
        )
        address = urlsplit(made["qrCodeString"])
        assert (address.scheme, address.netloc) == ("otpauth", "totp")
        assert unquote(address.path) == f"/Shop:{ada.person.email}"
        asked = {"secret": [made["secret"]], "issuer": ["Shop"], "digits": ["6"], "period": ["30"]}
        assert parse_qs(address.query) == asked
        listed = {"name": "TOTP Device 0", "period": 30, "skew": 1, "verified": False}
        assert ada.call("GET", f"{DEVICE}/list").get_json() == {"status": "OK", "devices": [listed]}
        assert "totp" not in ada.info()["factors"]["alreadySetup"]
        code = totp(made["secret"])
        body = {"deviceName": "TOTP Device 0", "totp": code}
        assert post(ada, f"{DEVICE}/verify", **body) == {"status": "OK", "wasAlreadyVerified": False}
        assert ada.done == {"emailpassword", "totp"}
        assert "totp" in ada.info()["factors"]["alreadySetup"]
        assert post(ada, f"{DEVICE}/verify", **body) == {"status": "OK", "wasAlreadyVerified": True}
        gone = {"deviceName": "TOTP Device 0"}
        assert post(ada, f"{DEVICE}/remove", **gone) == {"status": "OK", "didDeviceExist": True}
        assert post(ada, f"{DEVICE}/remove", **gone) == {"status": "OK", "didDeviceExist": False}
        names = [event.name for event in ada.person.site.events if event.name.startswith("totp")]
        assert names == ["totp_device_added", "totp_device_removed"]

    def test_a_name_that_is_taken(self, ada: Member) -> None:
        first = post(ada, DEVICE, deviceName="phone")["secret"]
        assert post(ada, DEVICE, deviceName="phone")["secret"] != first  # until it is verified
        import_device(ada.person.site.core, ada.user_id, name="tablet")
        assert post(ada, DEVICE, deviceName="tablet") == {"status": "DEVICE_ALREADY_EXISTS_ERROR"}

    def test_verifying_an_unknown_device(self, ada: Member) -> None:
        answer = post(ada, f"{DEVICE}/verify", deviceName="none", totp="000000")
        assert answer == {"status": "UNKNOWN_DEVICE_ERROR"}

    def test_a_wrong_code_verifies_nothing(self, ada: Member) -> None:
        secret = post(ada, DEVICE, deviceName="phone")["secret"]
        answer = post(ada, f"{DEVICE}/verify", deviceName="phone", totp=wrong(secret))
        assert answer == {
            "status": "INVALID_TOTP_ERROR",
            "currentNumberOfFailedAttempts": 1,
            "maxNumberOfFailedAttempts": 5,
        }
        assert ada.done == {"emailpassword"}

    @pytest.mark.parametrize("code", ["not a code", "000000"])
    def test_verifying_a_verified_device_again_completes_no_factor(self, ada: Member, code: str) -> None:
        """The core does not look at the code then: a person who knows the password could enter any."""
        import_device(ada.person.site.core, ada.user_id)
        answer = post(ada, f"{DEVICE}/verify", deviceName="phone", totp=code)
        assert answer == {"status": "OK", "wasAlreadyVerified": True}
        assert ada.done == {"emailpassword"}

    def test_a_device_of_another_user_is_not_seen(self, ada: Member) -> None:
        other = Member.of(ada.person.site)
        add(other)
        assert ada.call("GET", f"{DEVICE}/list").get_json()["devices"] == []
        assert post(ada, f"{DEVICE}/remove", deviceName="phone") == {"status": "OK", "didDeviceExist": False}
        assert len(other.call("GET", f"{DEVICE}/list").get_json()["devices"]) == 1

    def test_f_16_an_unverified_device_can_be_removed(self, core: Borrowed) -> None:
        ada = Member.of(site(core))
        add(ada, "phone")
        post(ada, DEVICE, deviceName="tablet")
        add_to_required_secondary_factors_for_user(user_id=ada.user_id, factor_id="totp")
        ada.person.sign_in()
        for name in ("phone", "Phone", "\uff50hone", "Tablet", "none"):
            assert ada.call("POST", f"{DEVICE}/remove", {"deviceName": name}).status_code == 403
        assert post(ada, f"{DEVICE}/remove", deviceName="tablet") == {"status": "OK", "didDeviceExist": True}

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            (DEVICE, {"deviceName": 1}),
            (DEVICE, {"deviceName": ""}),
            (DEVICE, {"deviceName": " "}),
            (f"{DEVICE}/verify", {"deviceName": "phone"}),
            (f"{DEVICE}/verify", {"totp": "000000"}),
            (f"{DEVICE}/verify", {"deviceName": "", "totp": "000000"}),
            (f"{DEVICE}/verify", {"deviceName": "phone", "totp": 0}),
            (f"{DEVICE}/remove", {}),
            (f"{DEVICE}/remove", {"deviceName": None}),
            (VERIFY, {}),
            (VERIFY, {"totp": 123456}),
            (VERIFY, {"totp": ["000000"]}),
        ],
    )
    def test_malformed_bodies_get_400(self, ada: Member, path: str, body: Any) -> None:
        assert ada.call("POST", path, body).status_code == 400

    def test_a_body_that_arrives_after_the_session_was_revoked(self, ada: Member) -> None:
        """A client may send the headers, and the body after the session was revoked."""
        add(ada)

        class Late(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                session.revoke_all_sessions_for_user(user_id=ada.user_id)
                return super().read(size)

        for path, body in (
            (DEVICE, {"deviceName": "mine"}),
            (f"{DEVICE}/verify", {"deviceName": "phone", "totp": "000000"}),
            (f"{DEVICE}/remove", {"deviceName": "phone"}),
            (VERIFY, {"totp": "000000"}),
        ):
            ada.person.sign_in()
            data = json.dumps(body).encode()
            sent = {"wsgi.input": Late(data), "CONTENT_LENGTH": str(len(data)), "CONTENT_TYPE": "application/json"}
            assert ada.person.visitor.call("POST", path, environ=sent).status_code == 401, path
        [device] = recipe.list_devices(user_id=ada.user_id).devices
        assert (device.name, device.verified) == ("phone", True)

    def test_names_and_devices_have_limits(self, ada: Member) -> None:
        assert ada.call("POST", DEVICE, {"deviceName": "n" * 257}).status_code == 400
        found = [ada.call("POST", DEVICE, {"deviceName": f"{number}" * 256}).status_code for number in range(10)]
        assert (found[:9], found[-1]) == ([200] * 9, 429)
        gone = [ada.call("POST", f"{DEVICE}/remove", {"deviceName": "none"}).status_code for _ in range(11)]
        assert (gone[:10], gone[-1]) == ([200] * 10, 429)


class TestCodes:
    def test_w_085_a_code_is_good_once(self, ada: Member) -> None:
        import_device(ada.person.site.core, ada.user_id)
        code = totp(SECRET)
        assert ada.enter_totp(code) == {"status": "OK"}
        assert ada.enter_totp(code)["status"] == "INVALID_TOTP_ERROR"

    def test_the_code_that_verified_the_device_is_used_up(self, ada: Member) -> None:
        code = totp(secret := post(ada, DEVICE, deviceName="phone")["secret"])
        assert post(ada, f"{DEVICE}/verify", deviceName="phone", totp=code)["status"] == "OK"
        assert ada.enter_totp(code)["status"] == "INVALID_TOTP_ERROR"
        assert ada.enter_totp(totp(secret, steps=1)) == {"status": "OK"}

    def test_a_user_without_a_device(self, ada: Member) -> None:
        assert ada.enter_totp("000000") == {"status": "UNKNOWN_USER_ID_ERROR"}

    def test_a_code_of_an_unverified_device_is_wrong(self, ada: Member) -> None:
        secret = post(ada, DEVICE, deviceName="phone")["secret"]
        assert ada.enter_totp(totp(secret))["status"] == "INVALID_TOTP_ERROR"

    def test_too_many_wrong_codes(self, ada: Member) -> None:
        import_device(ada.person.site.core, ada.user_id)
        for attempt in range(1, 6):
            answer = ada.enter_totp(wrong(SECRET))
            assert answer["currentNumberOfFailedAttempts"] == attempt
        answer = ada.enter_totp()
        assert (answer["status"], 0 < answer["retryAfterMs"] <= 900_000) == ("LIMIT_REACHED_ERROR", True)
        assert ada.done == {"emailpassword"}
        for _ in range(4):
            ada.enter_totp()
        assert ada.call("POST", VERIFY, {"totp": "000000"}).status_code == 429  # the app's own limit

    @pytest.mark.parametrize("path", [VERIFY, f"{DEVICE}/verify"])
    def test_wrong_codes_are_events(self, ada: Member, path: str) -> None:
        secret = post(ada, DEVICE, deviceName="tablet")["secret"]
        import_device(ada.person.site.core, ada.user_id)
        post(ada, path, deviceName="tablet", totp=wrong(secret))
        event = ada.person.site.events[-1]
        assert (event.name, event.reason, event.recipe_id, event.user_id) == (
            "sign_in_failed",
            "INVALID_TOTP_ERROR",
            "totp",
            ada.user_id,
        )


#: RFC 6238, appendix B, for SHA-1: the time, and the last six digits of the code.
VECTORS = [
    (59, "287082"),
    (1_111_111_109, "081804"),
    (1_111_111_111, "050471"),
    (1_234_567_890, "005924"),
    (2_000_000_000, "279037"),
]
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


class TestVectors:
    @pytest.fixture
    def ancient(self) -> Iterator[tuple[Borrowed, Clock]]:
        """A core that begins in 1970."""
        clock = Clock()
        clock.milliseconds = 1_000
        with EmbeddedCore(settings=QUICK, clock=clock) as core:
            yield Borrowed(core), clock
        current.set_default(None)

    def test_codes_of_rfc_6238_are_accepted_at_their_times(self, ancient: tuple[Borrowed, Clock]) -> None:
        core, clock = ancient
        for at, code in VECTORS:
            assert totp(RFC_SECRET, at=at) == code
            clock.milliseconds = at * 1000
            shop = Shop(
                core,
                recipes=[EmailPassword(email_delivery=no_mail), MultiFactorAuth(), Totp()],
                sessions=clock.session(),
                rate_limit=None,
            )
            visitor = shop.visitor()
            answer = visitor.call("POST", "/auth/signup", form(email=f"{uuid.uuid4()}@example.com", password=PASSWORD))
            import_device(core, answer.get_json()["user"]["id"], secret=RFC_SECRET)
            others = {one for when, one in VECTORS if abs(when - at) > 60}
            for other in others:
                refused = visitor.call("POST", VERIFY, {"totp": other}).get_json()
                assert refused["status"] == "INVALID_TOTP_ERROR", (at, other)
            assert visitor.call("POST", VERIFY, {"totp": code}).get_json() == {"status": "OK"}
            shop.st.close()


class TestFunctions:
    def test_create_device_with_all_arguments(self, ada: Member) -> None:
        made = recipe.create_device(
            user_id=ada.user_id, user_identifier_info="ada & co", device_name="slow", skew=0, period=60
        )
        assert isinstance(made, DeviceCreated)
        assert (
            made.qr_code_string
            == f"otpauth://totp/Shop:ada%20%26%20co?secret={made.secret}&issuer=Shop&digits=6&period=60"
        )
        assert made.secret not in repr(made)
        [listed] = recipe.list_devices(user_id=ada.user_id).devices
        assert (listed.name, listed.skew, listed.period, listed.verified) == ("slow", 0, 60, False)

    def test_an_account_that_cannot_be_written(self, ada: Member) -> None:
        made = recipe.create_device(user_id=ada.user_id, user_identifier_info="\ud800")
        assert isinstance(made, DeviceCreated)
        assert made.qr_code_string.startswith("otpauth://totp/Shop:%3F?secret=")

    def test_create_device_for_an_unknown_user(self, ada: Member) -> None:
        assert recipe.create_device(user_id="nobody").status == "UNKNOWN_USER_ID_ERROR"

    def test_update_device(self, ada: Member) -> None:
        add(ada, "phone")
        recipe.create_device(user_id=ada.user_id, device_name="tablet")
        rename = recipe.update_device
        given = {"user_id": ada.user_id, "existing_device_name": "phone"}
        assert rename(**given, new_device_name="tablet").status == "DEVICE_ALREADY_EXISTS_ERROR"
        assert rename(**given, new_device_name="watch").status == "OK"
        assert rename(**given, new_device_name="ring").status == "UNKNOWN_DEVICE_ERROR"

    def test_verify_totp_and_remove_device(self, ada: Member) -> None:
        secret = add(ada)
        assert recipe.verify_totp(user_id=ada.user_id, totp=totp(secret, steps=1)).status == "OK"
        assert recipe.verify_totp(user_id=ada.user_id, totp=wrong(secret)).status == "INVALID_TOTP_ERROR"
        assert recipe.verify_device(user_id=ada.user_id, device_name="phone", totp="1").status == "OK"
        assert recipe.remove_device(user_id=ada.user_id, device_name="phone").did_device_exist


class TestSettings:
    def test_totp_without_multifactorauth_is_refused(self, core: Borrowed) -> None:
        with pytest.raises(ConfigError, match="add MultiFactorAuth"):
            Shop(core, recipes=[Totp()])

    @pytest.mark.parametrize(
        "wrong", [{"issuer": ""}, {"issuer": 1}, {"default_skew": -1}, {"default_period": 0}, {"default_period": "30"}]
    )
    def test_invalid_settings_are_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Totp(**wrong)

    def test_settings_reach_the_qr_code_and_the_device(self, core: Borrowed) -> None:
        recipes: list[Recipe[Any, Any]] = [EmailPassword(email_delivery=no_mail), MultiFactorAuth()]
        recipes.append(Totp(issuer="A/B", default_skew=2, default_period=60))
        shop = Shop(core, recipes=recipes)
        visitor = shop.visitor()
        visitor.sign_up()
        made = visitor.call("POST", DEVICE, {"deviceName": "phone"}).get_json()
        assert made["qrCodeString"].startswith("otpauth://totp/A%2FB:")
        assert made["qrCodeString"].endswith("&issuer=A%2FB&digits=6&period=60")
        [listed] = visitor.call("GET", f"{DEVICE}/list").get_json()["devices"]
        assert (listed["skew"], listed["period"]) == (2, 60)
