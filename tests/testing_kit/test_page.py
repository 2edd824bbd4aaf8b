"""The page docs/testing.md keeps its word: its blocks are files of a project, whose tests run."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import blocks

from testing_kit.running import run, run_pytest

PAGE = (Path(__file__).parent.parent.parent / "docs" / "testing.md").read_text(encoding="utf-8")
FILES = {code.partition("\n")[0].removeprefix("# "): code for code in blocks(PAGE)}

DJANGO = """
    SECRET_KEY = "only for this test"
    ROOT_URLCONF = "urls"
    SUPERTOKENS = "shop.st"
    MIDDLEWARE = ["st_wsgi.frameworks.django.SuperTokensMiddleware"]
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "real.db"}}
"""
URLS = """
    from django.http import HttpResponse
    from django.urls import path
    from st_wsgi.recipes.session import get_session

    urlpatterns = [path("plan", lambda request: HttpResponse(get_session(request).get_access_token_payload()["plan"]))]
"""


def test_the_tests_for_pytest(tmp_path: Path) -> None:
    (ini,) = blocks(PAGE, "ini")
    assert "st_app = shop:app" in ini
    files = {name: FILES[name] for name in ("shop.py", "test_shop.py", "test_clients.py", "test_factory.py")}
    assert run_pytest(tmp_path, files, app="shop:app") == {"passed": 5}
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.exhaustive
def test_the_tests_for_django(tmp_path: Path) -> None:
    settings = DJANGO
    files = {"shop.py": FILES["shop.py"], "settings.py": settings, "urls.py": URLS, "tests.py": FILES["tests.py"]}
    found = run(tmp_path, ["django", "test", "--settings", "settings", "--pythonpath", "."], files)
    assert found.returncode == 0, found.stderr
    assert "Ran 1 test" in found.stderr
    assert not list(tmp_path.glob("*.db"))


def test_these_are_all_blocks_of_the_page() -> None:
    assert set(FILES) == {"shop.py", "test_shop.py", "test_clients.py", "test_factory.py", "tests.py"}
