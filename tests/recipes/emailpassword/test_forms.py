"""The sign-up and sign-in forms: which fields there are, what is good, and what is no form at all."""

from __future__ import annotations

from typing import Any

import pytest

from recipes.shop import PASSWORD, Borrowed, Shop, form, no_mail
from st_wsgi import Override, like, replace
from st_wsgi.errors import ConfigError
from st_wsgi.recipe_kit.forms import email_rule
from st_wsgi.recipes.emailpassword import EmailPassword, EmailPasswordAPIs, FieldValue, FormField, SignUpFeature
from st_wsgi.recipes.emailpassword.forms import password_rule


def errors_of(answer: Any) -> dict[str, str]:
    """The texts of a field error by field."""
    assert answer.status_code == 200, answer.text
    assert answer.json["status"] == "FIELD_ERROR", answer.text
    return {error["id"]: error["error"] for error in answer.json["formFields"]}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"formFields": None},
        {"formFields": {}},
        {"formFields": "email"},
        {"formFields": [None]},
        {"formFields": [1]},
        {"formFields": ["email"]},
        {"formFields": [[]]},
        {"formFields": [{}]},
        {"formFields": [{"id": "email"}]},
        {"formFields": [{"value": "x"}]},
        {"formFields": [{"id": None, "value": "x"}]},
        {"formFields": [{"id": 5, "value": "x"}]},
        {"formFields": [{"id": ["email"], "value": "x"}]},
        form(email=None, password=PASSWORD),
        form(email=5, password=PASSWORD),
        form(email=True, password=PASSWORD),
        form(email=["a@b.example", "c@d.example"], password=PASSWORD),
        form(email={"a": 1}, password=PASSWORD),
        form(email="a@b.example", password=12345678),
        form(email="a@b.example", password=PASSWORD, unknown="x"),
        form(Email="a@b.example", password=PASSWORD),
        {"formFields": [{"id": "email", "value": "a@b.example"}] * 2},
        {"formFields": [{"id": "email", "value": "a@b.example"}] * 10_000},
        {"formFields": [{"id": f"f{number}", "value": ""} for number in range(1000)]},
    ],
    ids=lambda body: str(body)[:60],
)
@pytest.mark.parametrize("path", ["/auth/signup", "/auth/signin"])
def test_what_is_no_form_is_a_400(shop: Shop, path: str, body: Any) -> None:
    """W-043."""
    answer = shop.visitor().call("POST", path, body)
    assert answer.status_code in (400, 413)
    assert isinstance((answer.json or {})["message"], str)


def test_other_members_are_ignored(shop: Shop) -> None:
    """W-050 and W-034: a tenant or a context in the body does not count."""
    visitor = shop.visitor()
    more = {"__proto__": {"x": 1}, "constructor": 1, "userContext": {"admin": True}, "tenantId": "other", "x": None}
    answer = visitor.call("POST", "/auth/signup", {**form(email=visitor.email, password=PASSWORD), **more})
    assert (answer.json or {})["status"] == "OK"
    assert "POST /public/recipe/signup" in shop.core.calls


@pytest.mark.parametrize(
    "email",
    [
        "x",
        "x@",
        "@example.com",
        "x@example",
        "x@@example.com",
        "x@y@example.com",
        "a@x.example,b@y.example",
        "a@x.example;b@y.example",
        "a@x.example b@y.example",
        "a@x.example\r\nBcc: b@y.example",
        "a@x.example\nb",
        "a\0@x.example",
        "a@x\0.example",
        "a@x\u3002example",
        "a@x.example.",
        "a@.example",
        ".a@x.example",
        "a..b@x.example",
        '"a b"@x.example',
        "a<b>@x.example",
        "a@x.exa_mple",
        "a" * 250 + "@x.example",
        "a@" + "x" * 300 + ".example",
        "a@" + "x." * 40_000,
        "@" * 50_000,
    ],
)
def test_what_is_no_single_e_mail_address_is_a_field_error(shop: Shop, email: str) -> None:
    """W-044: none of these ever reaches a mail's header."""
    visitor = shop.visitor()
    assert errors_of(visitor.call("POST", "/auth/signup", form(email=email, password=PASSWORD))) == {
        "email": "Email is invalid"
    }
    assert errors_of(visitor.call("POST", "/auth/signin", form(email=email, password=PASSWORD))) == {
        "email": "Email is invalid"
    }


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param("\u200b", id="zero width space"),
        pytest.param("\u200d", id="zero width joiner"),
        pytest.param("\ufeff", id="byte order mark"),
        pytest.param("\u2060", id="word joiner"),
        pytest.param("\u00ad", id="soft hyphen"),
        pytest.param("\u202e", id="right-to-left override"),
        pytest.param("\u2066", id="left-to-right isolate"),
        pytest.param("\u200f", id="right-to-left mark"),
        pytest.param("\u061c", id="Arabic letter mark"),
        pytest.param("\u0085", id="C1 control"),
        pytest.param("\U000e0041", id="tag"),
        pytest.param("\ufe0f", id="variation selector"),
        pytest.param("\U000e0100", id="ideographic variation selector"),
        pytest.param("\u034f", id="combining grapheme joiner"),
        pytest.param("\u3164", id="Hangul filler, a letter without a shape"),
        pytest.param("\uffa0", id="its half-width form"),
        pytest.param("\u115f", id="Hangul choseong filler"),
        pytest.param("\u17b4", id="Khmer inherent vowel"),
        pytest.param("\u180b", id="Mongolian variation selector"),
        pytest.param("\u2800", id="blank Braille pattern"),
        pytest.param("\ue000", id="private use"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param("\U0003fffe", id="not a character"),
    ],
)
@pytest.mark.parametrize("email", ["{}victim@x.example", "vic{}tim@x.example", "victim{}@x.example"])
def test_an_invisible_sign_in_an_e_mail_address_is_a_field_error(sign: str, email: str) -> None:
    """Two such addresses look alike to people, and belong to two accounts."""
    assert email_rule(email.format(sign), "public") == "Email is invalid"


def test_an_e_mail_address_that_looks_like_another_one_makes_no_account(shop: Shop) -> None:
    visitor = shop.visitor()
    visitor.sign_up()
    for path in ("/auth/signup", "/auth/signin"):
        response = visitor.call(
            "POST", path, form(email=f"{visitor.email[:4]}\u200b{visitor.email[4:]}", password=PASSWORD)
        )
        assert errors_of(response) == {"email": "Email is invalid"}


@pytest.mark.parametrize(
    "email",
    [
        "a@x.example",
        "a.b+c@sub.x.example",
        "a_b-c%d@x.example",
        "zoë@x.example",
        "zoe\u0308@x.example",
        "\u0645\u062b\u0627\u0644@x.example",
        "\u7528\u6237@x.example",
        "\U0001f600@x.example",
        "a@[127.0.0.1]",
    ],
)
def test_these_are_addresses(email: str) -> None:
    assert email_rule(email, "public") is None


@pytest.mark.parametrize(
    ("password", "error"),
    [
        ("", "Field is not optional"),
        ("short1", "Password must contain at least 8 characters, including a number"),
        ("a1" * 50, "Password must have fewer than 100 characters"),
        ("12345678", "Password must contain at least one letter"),
        ("abcdefgh", "Password must contain at least one number"),
        ("abcdefg1\0", "Password must not contain control characters"),
        ("abcdefg1\n", "Password must not contain control characters"),
        ("aA" * 20_000, "Password must have fewer than 100 characters"),
    ],
)
def test_a_weak_password_is_a_field_error_at_sign_up(shop: Shop, password: str, error: str) -> None:
    """W-047."""
    visitor = shop.visitor()
    assert errors_of(visitor.sign_up(password)) == {"password": error}


@pytest.mark.parametrize(
    "password",
    ["a" * 98 + "1", "pass word 1", "\u043f\u0430\u0440\u043e\u043b\u044c x 1", "😀😀😀😀😀😀😀a1", "        a1"],
)
def test_any_other_password_is_good_and_taken_to_the_letter(shop: Shop, password: str) -> None:
    visitor = shop.visitor()
    assert (visitor.sign_up(password).json or {})["status"] == "OK"
    assert (visitor.sign_in(password).json or {})["status"] == "OK"
    for other in (password.strip() + "x", password.upper() + " ", password[:-1]):
        assert (visitor.sign_in(other).json or {})["status"] == "WRONG_CREDENTIALS_ERROR"


def test_a_core_that_looks_at_72_bytes_gets_no_more(core: Borrowed) -> None:
    """W-046: bcrypt."""
    rule = password_rule(byte_limit=72)
    assert rule("a1" * 36, "public") is None
    assert rule("a1" * 36 + "x", "public") == "Password must not be longer than 72 bytes"
    assert rule("ä" * 36 + "1a", "public") == "Password must not be longer than 72 bytes"
    core.password_byte_limit = 72
    assert errors_of(Shop(core).visitor().sign_up("a1" * 36 + "x")) == {
        "password": "Password must not be longer than 72 bytes"
    }


def test_today_s_rules_for_new_passwords_do_not_lock_out_old_users(core: Borrowed) -> None:
    visitor = Shop(core).visitor()
    visitor.sign_up()
    stricter = FormField(id="password", validate=lambda _value, _tenant_id: "never good")
    visitor.shop = Shop(
        core, recipes=[EmailPassword(email_delivery=no_mail, sign_up_feature=SignUpFeature(form_fields=(stricter,)))]
    )
    assert errors_of(visitor.sign_up()) == {"password": "never good"}
    assert (visitor.sign_in().json or {})["status"] == "OK"


def test_every_field_that_is_wrong_is_told(shop: Shop) -> None:
    answer = shop.visitor().call("POST", "/auth/signup", form(email="x", password="short"))
    assert errors_of(answer).keys() == {"email", "password"}
    assert errors_of(shop.visitor().call("POST", "/auth/signup", {"formFields": []})) == {
        "email": "Field is not optional",
        "password": "Field is not optional",
    }


class TestOwnFields:
    """An app may add fields and rules."""

    @pytest.fixture
    def seen(self) -> list[Any]:
        return []

    @pytest.fixture
    def shop(self, core: Borrowed, seen: list[Any]) -> Shop:
        def age(value: str, tenant_id: str) -> str | None:
            seen.append((value, tenant_id))
            return None if value.isdigit() else "a number, please"

        fields = (FormField(id="age", validate=age), FormField(id="nickname", optional=True), FormField(id="city"))
        return Shop(
            core, recipes=[EmailPassword(email_delivery=no_mail, sign_up_feature=SignUpFeature(form_fields=fields))]
        )

    def sign_up(self, shop: Shop, **fields: Any) -> Any:
        visitor = shop.visitor()
        return visitor.call("POST", "/auth/signup", form(email=visitor.email, password=PASSWORD, **fields))

    def test_they_are_needed_unless_they_are_optional(self, shop: Shop) -> None:
        assert self.sign_up(shop, age="30", city="Rome").json["status"] == "OK"
        assert self.sign_up(shop, age="30", city="Rome", nickname="").json["status"] == "OK"
        assert errors_of(self.sign_up(shop, age="30")) == {"city": "Field is not optional"}
        assert errors_of(self.sign_up(shop, age="30", city="")) == {"city": "Field is not optional"}

    @pytest.mark.parametrize("value", [None, True, False, 0, 3.5, [], ["a"], {"a": 1}])
    def test_values_of_other_types_reach_the_rule_as_they_came(self, core: Borrowed, value: Any) -> None:
        seen: list[Any] = []

        def rule(value: Any, tenant_id: str) -> str | None:
            seen.append(value)
            return None

        fields = (FormField(id="terms", validate=rule), FormField(id="note", validate=rule, optional=True))
        made = Shop(
            core, recipes=[EmailPassword(email_delivery=no_mail, sign_up_feature=SignUpFeature(form_fields=fields))]
        )
        assert self.sign_up(made, terms=value, note=value).json["status"] == "OK"
        assert seen == [value, value]
        assert [type(one) for one in seen] == [type(value)] * 2

    @pytest.mark.parametrize("value", [True, False, 0, 3.5, [], ["a"], {"a": 1}])
    def test_values_of_other_types_reach_the_api_without_a_rule(self, core: Borrowed, value: Any) -> None:
        seen: list[Any] = []

        def watching(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
            @like(original.sign_up_post)
            def sign_up_post(**arguments: Any) -> Any:
                seen.extend(field.value for field in arguments["form_fields"] if field.id == "terms")
                return original.sign_up_post(**arguments)

            return replace(original, sign_up_post=sign_up_post)

        feature = SignUpFeature(form_fields=[FormField(id="terms")])
        made = Shop(
            core,
            recipes=[EmailPassword(email_delivery=no_mail, sign_up_feature=feature, override=Override(apis=watching))],
        )
        assert self.sign_up(made, terms=value).json["status"] == "OK"
        assert seen == [value]

    def test_null_is_not_filled_in_where_no_rule_says_otherwise(self, shop: Shop) -> None:
        """An optional field that a frontend sends as null is left out; a required one is missing."""
        assert self.sign_up(shop, age="30", city="Rome", nickname=None).json["status"] == "OK"
        assert errors_of(self.sign_up(shop, age="30", city=None)) == {"city": "Field is not optional"}

    def test_a_long_form_is_just_a_long_form(self, core: Borrowed) -> None:
        names = [f"f{number}" for number in range(150)]
        feature = SignUpFeature(form_fields=[FormField(id=name) for name in names])
        made = Shop(core, recipes=[EmailPassword(email_delivery=no_mail, sign_up_feature=feature)])
        assert self.sign_up(made, **dict.fromkeys(names, "x")).json["status"] == "OK"

    def test_their_rules_see_value_and_tenant(self, shop: Shop, seen: list[Any]) -> None:
        assert errors_of(self.sign_up(shop, age="x", city="Rome")) == {"age": "a number, please"}
        assert seen == [("x", "public")]

    def test_the_sign_in_form_does_not_have_them(self, shop: Shop) -> None:
        visitor = shop.visitor()
        answer = visitor.call("POST", "/auth/signin", form(email="a@b.example", password="x", city="Rome"))
        assert answer.status_code == 400

    def test_a_rule_that_fails_is_a_500_that_says_nothing(self, core: Borrowed) -> None:
        def broken(value: str, tenant_id: str) -> str | None:
            raise KeyError("inner life")

        fields = (FormField(id="age", validate=broken),)
        made = Shop(
            core, recipes=[EmailPassword(email_delivery=no_mail, sign_up_feature=SignUpFeature(form_fields=fields))]
        )
        answer = self.sign_up(made, age="1")
        assert (answer.status_code, answer.json) == (500, {"message": "internal error"})

    def test_own_rules_for_e_mail_and_password_replace_ours(self, core: Borrowed) -> None:
        fields = (
            FormField(id="email", validate=lambda value, _tenant: None if value == "ada" else "only ada"),
            FormField(id="password", validate=lambda _value, _tenant: None),
        )
        made = Shop(
            core, recipes=[EmailPassword(email_delivery=no_mail, sign_up_feature=SignUpFeature(form_fields=fields))]
        )
        assert errors_of(made.visitor().call("POST", "/auth/signup", form(email="bob", password="x"))) == {
            "email": "only ada"
        }
        answer = made.visitor().call("POST", "/auth/signup", form(email="ADA", password="x"))
        assert (answer.json or {})["status"] == "OK"

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ((FormField(id="age"), FormField(id="age")), "the form field 'age' twice"),
            ((FormField(id="email", optional=True),), "'email' of sign_up_feature cannot be optional"),
            ((FormField(id="password", optional=True),), "'password' of sign_up_feature cannot be optional"),
        ],
    )
    def test_fields_that_contradict_each_other_are_refused(self, fields: tuple[FormField, ...], says: str) -> None:
        with pytest.raises(ConfigError, match=says):
            EmailPassword(email_delivery=no_mail, sign_up_feature=SignUpFeature(form_fields=fields))


def test_a_value_never_shows_in_a_repr() -> None:
    """W-093."""
    assert "correct" not in repr(FieldValue("password", PASSWORD))
