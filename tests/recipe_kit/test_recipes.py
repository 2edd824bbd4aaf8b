"""What a recipe is made of: settings written once, functions and APIs with bases, routes that are checked."""

from __future__ import annotations

from contextlib import closing
from typing import Any, ClassVar

import attrs
import pytest
from toy import Toy, ToyAPIs, ToyFunctions, greet, supertokens

from st_wsgi import AppInfo, Override, RecipeUserId, SuperTokens, init, replace
from st_wsgi.checks import Check, a, a_flag, a_function, a_number, one_of
from st_wsgi.errors import ConfigError
from st_wsgi.recipe_kit.recipe import Functions, NoAPIs, Recipe, Settings
from st_wsgi.recipes.emailpassword import EmailPassword, FormField, SignUpFeature
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.jwt import Jwt
from st_wsgi.recipes.openid import OpenId
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.usermetadata import UserMetadata
from st_wsgi.recipes.userroles import UserRoles
from st_wsgi.request.routing import Route


@attrs.define(kw_only=True, eq=False, slots=False)
class NotesSettings(Settings):
    mode: str = attrs.field(default="ALL", validator=one_of("ALL", "NONE"))
    limit: int = attrs.field(default=3, validator=a_number("notes", least=1, most=9))
    shared: bool = attrs.field(default=False, validator=a_flag())
    feature: SignUpFeature | None = attrs.field(default=None, validator=a(SignUpFeature, or_none=True))
    choose: Any = attrs.field(default=None, validator=a_function("the request"))
    key: str | None = attrs.field(
        default=None, repr=False, validator=Check("a text", lambda value: value is None or isinstance(value, str))
    )


class NotesFunctions(Functions[NotesSettings]):
    def first(self) -> str:
        return f"{self.functions.second()}, {self.recipe.mode}"

    def second(self) -> str:
        return "second"


@attrs.define(kw_only=True, eq=False, slots=False)
class Notes(NotesSettings, Recipe[NotesFunctions, NoAPIs]):
    id: ClassVar[str] = "notes"


def test_settings_are_arguments_attributes_and_repr_and_secrets_are_hidden() -> None:
    notes = Notes(mode="NONE", key="s3cret")
    assert (notes.mode, notes.key) == ("NONE", "s3cret")
    assert repr(notes) == "Notes(override=None, mode='NONE', limit=3, shared=False, feature=None, choose=None)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "SOME"}, "mode must be one of ALL, NONE, not 'SOME'"),
        ({"limit": 0}, "limit must be a number of notes from 1 to 9, not 0"),
        ({"limit": True}, "limit must be a number of notes from 1 to 9, not True"),
        ({"shared": 1}, "shared must be True or False, not 1"),
        ({"feature": {}}, r"feature must be SignUpFeature\(...\) or None, not {}"),
        ({"choose": "me"}, "choose must be a function of the request, not 'me'"),
        ({"key": b"s3cret"}, "key must be a text$"),
        ({"override": {}}, r"override must be Override\(functions=..., apis=...\), not a dict"),
        ({"override": print}, r"override must be Override\(functions=..., apis=...\), not a builtin_function"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Notes(**settings)


@pytest.mark.parametrize("recipe", [Session, EmailPassword, Jwt, OpenId, Toy])
def test_an_override_that_is_none_is_refused_by_every_recipe(recipe: Any) -> None:
    wrongs: list[Any] = [{}, [], print, "functions"]
    for wrong in wrongs:
        with pytest.raises(ConfigError, match="override must be Override"):
            recipe(override=wrong)


def test_two_recipes_with_the_same_settings_are_two_recipes() -> None:
    assert Notes() != Notes()
    assert len({Notes(), Notes()}) == 2


def test_functions_call_each_other_through_the_overrides() -> None:
    notes = Notes(override=Override(functions=lambda original: replace(original, second=lambda: "changed")))
    st = supertokens(notes)
    assert notes.functions.first() == "changed, ALL"
    assert st.services.get(Notes) is notes
    assert st.services.functions(NotesFunctions) is notes.functions


def test_services_find_what_may_be_missing_and_get_what_must_be_there() -> None:
    services = supertokens().services
    assert services.find(Notes) is None
    assert services.find(Toy) is services.get(Toy)
    with pytest.raises(ConfigError, match=r"the recipe Notes is not initialised; add Notes\(\) to recipes"):
        services.get(Notes)
    with pytest.raises(ConfigError, match=r"the recipe Notes is not initialised; add Notes\(\) to recipes"):
        services.functions(NotesFunctions)


def test_a_route_without_an_api_fails_when_the_recipe_class_is_made() -> None:
    with pytest.raises(ConfigError, match="ToyAPIs has no API 'great_get' for GET /great"):

        class Wrong(Recipe[ToyFunctions, ToyAPIs]):
            id = "wrong"
            routes = (Route("GET", "/great", "great_get", greet),)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/a"),
        ("get", "/a"),
        ("GET", "a"),
        ("GET", "/a/"),
        ("GET", ""),
        ("GET", "/a b"),
        ("GET", "/<tenant>/a"),
    ],
)
def test_a_row_that_no_request_could_match_is_refused(method: Any, path: str) -> None:
    with pytest.raises(ConfigError, match=f"not a route: {method} {path}"):
        Route(method, path, "greet_get", greet)


def test_replace_lists_the_names_that_exist() -> None:
    typo = Override[Any, Any](functions=lambda original: replace(original, thrid=print))
    with pytest.raises(ConfigError, match=r"NotesFunctions has no method 'thrid' to replace; it has first, second$"):
        supertokens(Notes(override=typo))


def test_an_instance_shows_its_app_its_core_and_its_recipes() -> None:
    app_info = AppInfo(app_name="Shop", api_domain="http://localhost:8000", website_domain="http://localhost:3000")
    st = SuperTokens(
        app_info=app_info, core="https://core.example.com", recipes=[EmailPassword()], api_key="s3cret-key"
    )
    st.close()
    assert "'Shop'" in repr(st)
    assert "https://core.example.com" in repr(st)
    assert "jwt, openid, session, multitenancy, emailpassword" in repr(st)
    assert "s3cret-key" not in repr(st) + repr(st.services.core)
    assert "CDI 5.4" in repr(st.services.core)


def test_the_sign_up_form_is_a_setting_of_its_own() -> None:
    feature = SignUpFeature(form_fields=[FormField(id="name")])
    assert [field.id for field in EmailPassword(sign_up_feature=feature).sign_up_fields] == [
        "name",
        "email",
        "password",
    ]
    with pytest.raises(ConfigError, match=r"sign_up_feature must be SignUpFeature\(...\), not \[\]"):
        EmailPassword(sign_up_feature=[])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"app_info": {"app_name": "Shop"}}, r"app_info must be AppInfo\(...\), not {"),
        ({"app_info": None}, r"app_info must be AppInfo\(...\), not None"),
        ({"core": 5}, "core must be an address such as .*, or a transport, not 5"),
        ({"core": None}, "core must be an address such as .*, or a transport, not None"),
        ({"recipes": Session()}, "recipes must be a list of recipes, such as .*, not Session"),
        ({"recipes": "session"}, "recipes must be a list of recipes, such as .*, not 'session'"),
        ({"recipes": [Session]}, r"recipes must be recipe objects such as Session\(\), not <class"),
        ({"api_key": b"s3cret"}, "api_key must be a text or None$"),
        ({"cdi_versions": "5.4"}, "cdi_versions must be a list of some of 5.0, 5.1, .*, not '5.4'"),
        ({"cdi_versions": ["5.4", ["x"]]}, "cdi_versions must be a list of some of"),
        ({"cdi_versions": []}, "cdi_versions must be a list of some of"),
        ({"network_interceptor": "x"}, "network_interceptor must be a function of url, method, .*, not 'x'"),
        ({"cors": "*"}, r"cors must be Cors\(...\) or None, not '\*'"),
        ({"rate_limit": 5}, "rate_limit must be a function of key and route, not 5"),
        ({"trusted_proxies": -1}, "trusted_proxies must be a number of proxies from 0 to 100, not -1"),
        ({"trusted_proxies": "1"}, "trusted_proxies must be a number of proxies"),
        ({"disable_core_call_cache": "no"}, "disable_core_call_cache must be True or False, not 'no'"),
        ({"allow_in_memory_core": None}, "allow_in_memory_core must be True or False, not None"),
    ],
)
@pytest.mark.parametrize("make", [SuperTokens, init])
def test_every_argument_of_the_front_door_is_checked_by_its_name(
    make: Any, settings: dict[str, Any], message: str
) -> None:
    app_info = AppInfo(app_name="Shop", api_domain="http://localhost:8000", website_domain="http://localhost:3000")
    good: dict[str, Any] = {"app_info": app_info, "core": "https://core.example.com", "recipes": [Session()]}
    with pytest.raises(ConfigError, match=message) as raised:
        make(**(good | settings))
    assert "s3cret" not in str(raised.value)


def test_an_error_of_the_verifier_leaves_the_front_door_as_one_of_ours() -> None:
    def elsewhere(original: Any) -> Any:
        known = original.get_open_id_discovery_configuration()
        changed = attrs.evolve(known, issuer="https://api.shop.example/auth ")
        return replace(original, get_open_id_discovery_configuration=lambda: changed)

    with pytest.raises(ConfigError, match="access tokens cannot be verified with these settings: issuer"):
        supertokens(OpenId(override=Override(functions=elsewhere)), Session(accepted_issuers=[]))


def test_the_session_recipe_shows_its_settings_and_checks_each() -> None:
    assert "anti_csrf='VIA_TOKEN'" in repr(Session(anti_csrf="via_token"))  # type: ignore[arg-type]  # in any case
    wrong: dict[str, Any] = {
        "cookie_domain": 5,
        "cookie_secure": "yes",
        "error_handlers": {},
        "check_request_origin": 1,
        "invalid_claim_status_code": "403",
        "jwks_refresh_interval_sec": True,
        "use_dynamic_access_token_signing_key": None,
        "accepted_issuers": "https://old-api.example.com/auth",
    }
    for name, value in wrong.items():
        with pytest.raises(ConfigError, match=f"^{name} must be"):
            Session(**{name: value})


def test_every_call_of_a_recipe_to_the_core_names_the_recipe() -> None:
    """Q-30. Without it a core takes ``PUT /recipe/user`` for emailpassword's, whichever recipe sends it."""
    named: set[tuple[str, str | None]] = set()

    def note(
        url: str, method: str, headers: dict[str, str], params: dict[str, str], body: dict[str, Any], _context: object
    ) -> tuple[str, str, dict[str, str], dict[str, str], dict[str, Any]]:
        named.add((url.removeprefix("http://embedded.localhost").removeprefix("/public"), headers.get("rid")))
        return url, method, headers, params, body

    app_info = AppInfo(app_name="Shop", api_domain="http://localhost:8000", website_domain="http://localhost:3000")
    st = SuperTokens(
        app_info=app_info,
        core="sqlite://",
        network_interceptor=note,
        recipes=[
            EmailPassword(email_delivery=lambda message: None),
            EmailVerification(mode="OPTIONAL", email_delivery=lambda message: None),
            UserMetadata(),
            UserRoles(),
            Session(),
        ],
    )
    with closing(st):
        get = st.services.get
        get(EmailPassword).functions.sign_in(email="ada@example.com", password="correct horse 1")
        get(EmailVerification).functions.is_email_verified(recipe_user_id=RecipeUserId("ada"), email="ada@example.com")
        get(UserMetadata).functions.get_user_metadata(user_id="ada")
        get(UserRoles).functions.get_all_roles()
        get(Session).functions.create_new_session(user_id="ada", recipe_user_id=RecipeUserId("ada"))
        get(Jwt).functions.create_jwt(payload={})
        st.services.core.get("/users", tenant_id="public")
    assert named == {
        ("/apiversion", None),
        ("/users", None),
        ("/recipe/signin", "emailpassword"),
        ("/recipe/user/email/verify", "emailverification"),
        ("/recipe/user/metadata", "usermetadata"),
        ("/recipe/roles", "userroles"),
        ("/recipe/session", "session"),
        ("/recipe/jwt", "jwt"),
    }
