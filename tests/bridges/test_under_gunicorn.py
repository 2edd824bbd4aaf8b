"""The apps of docs/flask-login.md and docs/pyramid.md under gunicorn; that of docs/django.md is in test_django.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import requests
from sdks.processes import free_port, serving

from bridges.pages_of_docs import files_of

FORM = [{"id": "email", "value": "ada@example.com"}, {"id": "password", "value": "correct horse 1"}]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("page", "protected", "seen"), [("flask-login", "/orders", "orders of "), ("pyramid", "/", "hello ")]
)
def test_a_user_signs_in_and_out(page: str, protected: str, seen: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(files_of(page)["app.py"])
    port = free_port()
    server = ["gunicorn", f"--bind=127.0.0.1:{port}", "--no-control-socket", "--threads=4", "app:app"]
    command, log = [sys.executable, "-m", *server], tmp_path / "log"
    with serving(command, port=port, log=log, cwd=tmp_path), requests.Session() as browser:
        browser.trust_env = False
        origin = f"http://127.0.0.1:{port}"
        sign_up = browser.post(f"{origin}/auth/signup", json={"formFields": FORM}, headers={"st-auth-mode": "cookie"})
        assert browser.get(origin + protected, timeout=30).text == seen + sign_up.json()["user"]["id"]
        refused = browser.get(f"{origin}/office", timeout=30)
        assert refused.status_code == (403 if page == "pyramid" else 200)
        assert browser.post(f"{origin}/leave", timeout=30).text == "bye"
        assert browser.get(f"{origin}/office", timeout=30).json() == {"message": "unauthorised"}
