"""A machine that lacks what the other side needs skips these tests and says why; CI may not."""

from __future__ import annotations

import pytest

from sdks.installs import missing, node


def test_what_is_missing_is_named_by_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"needs Chromium"):
        missing("Chromium")


def test_in_ci_it_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"CI has to provide Chromium"):
        missing("Chromium")


def test_a_machine_without_node_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(pytest.skip.Exception, match=r"needs Node\.js"):
        node()
