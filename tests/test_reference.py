"""The reference in docs/reference is made from the code: the files are current, and say what an instance says."""

from __future__ import annotations

import re
import runpy
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from st_wsgi import AppInfo, SuperTokens
from st_wsgi.doctor.routes import mounted
from st_wsgi.pages import Pages
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.saml import Saml
from st_wsgi.recipes.thirdparty import ThirdParty
from st_wsgi.recipes.totp import Totp
from st_wsgi.recipes.webauthn import Webauthn

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "reference"
REFERENCE = SimpleNamespace(**runpy.run_path(str(ROOT / ".ci" / "reference.py")))


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    made: dict[str, str] = REFERENCE.everything()
    return made


def test_the_files_are_current(pages: dict[str, str]) -> None:
    written = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
    assert written.keys() == pages.keys()
    old = [name for name, text in pages.items() if written[name] != text]
    assert not old, "run make reference"


def test_every_route_and_page_that_an_instance_mounts_has_a_row(pages: dict[str, str]) -> None:
    """The instance has every recipe that has routes. The reference writes routes without their base path."""
    codes = Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE")
    ways: list[Recipe[Any, Any]] = [
        EmailPassword(),
        EmailVerification(mode="OPTIONAL"),
        codes,
        ThirdParty(),
        Webauthn(),
        Saml(),
    ]
    app_info = AppInfo(app_name="Shop", api_domain="http://127.0.0.1", website_domain="http://127.0.0.1")
    st = SuperTokens(app_info=app_info, core="sqlite://", recipes=[*ways, MultiFactorAuth(), Totp(), Pages()])
    text = pages["routes.md"]
    routes = {f"{method} /auth{path}" for method, path in re.findall(r"^\| `([A-Z]+) (\S+)` \|", text, re.MULTILINE)}
    for path, methods in re.findall(r"^\| `(/auth\S*)` \| ([A-Z, ]+) \|", text, re.MULTILINE):
        routes |= {f"{method} {path.replace('<id>', '*')}" for method in methods.split(", ")}
    with closing(st):
        assert routes == {f"{row.method} {row.path}" for row in mounted(st)}


@attrs.frozen(kw_only=True)
class Lamp:
    """
    A class with a setting that has no words.

    :param colour: of the light.
    """

    colour: str = "white"
    power: int = 40


def test_a_setting_without_words_is_refused() -> None:
    with pytest.raises(SystemExit, match="docstring of Lamp lacks :param for power"):
        REFERENCE.settings_of(Lamp)


def test_a_setting_has_its_type_its_default_its_unit_and_its_limits(pages: dict[str, str]) -> None:
    row = "| `period` | `int` | `300` | seconds. Accepted: a number of seconds from 1 to 86400. |"
    assert row in pages["settings.md"].splitlines()
    assert re.search(r"^\| `refresh_token_validity` .* `144000` .* in minutes\. \|$", pages["core.md"], re.MULTILINE)
