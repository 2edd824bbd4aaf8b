"""``python -m st_verify``: explains a token, and prints no secret."""

from __future__ import annotations

import io
import json
import runpy
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from st_verify import REASONS
from st_verify.__main__ import main
from verify.hostile_server import hostile_server, reply
from verify.minting import HASH, ISSUER, KID, Bench, header, jwk, jwks, payload, token

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def keys_file(tmp_path: Path) -> str:
    path = tmp_path / "keys.json"
    path.write_bytes(jwks(jwk()))
    return str(path)


STARTED = int(time.time())


def fresh(*, head: dict[str, Any] | None = None, key: str = "genuine", **claims: Any) -> str:
    """A token that counts by the real clock."""
    body = payload(iat=STARTED - 10, exp=STARTED + 3600, antiCsrfToken="anti-secret", email="ada@example.com")
    return token(head, body | claims, key=key)


def explain(capsys: Printed, *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_good_token(keys_file: str, capsys: Printed) -> None:
    status, report = explain(capsys, fresh(), "--keys", keys_file, "--issuer", ISSUER, "--tenant", "public")
    assert status == 0
    assert report["verdict"] == "accepted"
    assert (report["kind"], report["kid"]) == ("session access token, version 5", KID)
    assert report["claims"]["sub"] == "user-1"
    assert datetime.fromisoformat(report["claims"]["exp"]).timestamp() == STARTED + 3600
    assert report["claims"]["others"] == ["email"]


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": STARTED - 1}, "expired"),
        ({"iss": "https://other.example"}, "issuer"),
        ({"tId": "t2", "sessionHandle": "h_t2"}, "tenant"),
        ({"rsub": 5}, "rsub_form"),
        ({"stt": 1}, "token_kind"),
        ({"exp": "soon"}, "exp_form"),
    ],
)
def test_a_refused_token_is_explained(keys_file: str, capsys: Printed, claims: dict[str, Any], reason: str) -> None:
    status, report = explain(capsys, fresh(**claims), "--keys", keys_file, "--issuer", ISSUER, "--tenant", "public")
    assert (status, report["verdict"], report["reason"]) == (1, "refused", reason)
    assert report["meaning"] == REASONS[reason]


def test_an_unverified_token_is_shown_as_such(keys_file: str, capsys: Printed) -> None:
    _, report = explain(capsys, fresh(key="attacker"), "--keys", keys_file)
    assert (report["reason"], report["answer"]) == ("bad_signature", "401 try refresh token")
    assert "not verified" in report["note"]
    _, report = explain(capsys, fresh(head=header(kid="s-1")), "--keys", keys_file)
    assert (report["reason"], report["keys"]) == ("unknown_kid", [KID])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("abc", "token_form"),
        (fresh(head=header(kid="s-1"), iss="https://other.example"), "issuer"),
        (fresh(head=header(kid="s-1"), stt=1), "token_kind"),
        (fresh(head=header(kid="x")), "kid_form"),
        (fresh()[:-342] + "A" * 683, "signature_length"),
        (token({"alg": "RS256", "typ": "JWT", "kid": KID}, {"stt": 1}, key="attacker"), "header_members"),
        (fresh(key="attacker", exp=STARTED - 1), "bad_signature"),
    ],
)
def test_a_token_that_is_refused_before_its_signature_is_shown_as_unverified_too(
    keys_file: str, capsys: Printed, text: str, reason: str
) -> None:
    _, report = explain(capsys, text, "--keys", keys_file, "--issuer", ISSUER)
    assert report["reason"] == reason
    assert "they are not verified" in report["note"]


@pytest.mark.parametrize(
    "text",
    [
        fresh(),
        fresh(exp=STARTED - 1),
        fresh(iss="https://other.example"),
        token({"alg": "RS256", "typ": "JWT", "kid": KID}, {"stt": 1}),
    ],
)
def test_a_token_with_a_good_signature_has_no_such_note(keys_file: str, capsys: Printed, text: str) -> None:
    """Whatever else is wrong with it: its issuer has said what it says."""
    _, report = explain(capsys, text, "--keys", keys_file, "--issuer", ISSUER)
    assert "note" not in report


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("abc", "no access token"),
        (token({"alg": "RS256", "typ": "JWT", "kid": KID}, {"stt": 1}), "OAuth2 access token"),
        (token({"alg": "RS256", "typ": "JWT", "kid": KID}, {"stt": 2}), "OAuth2 ID token"),
        (token({"alg": "RS256", "typ": "JWT", "kid": KID}, {"source": "microservice"}), "token of the jwt recipe"),
    ],
)
def test_tokens_of_other_kinds_are_recognised(keys_file: str, capsys: Printed, text: str, kind: str) -> None:
    status, report = explain(capsys, text, "--keys", keys_file)
    assert status == 1
    assert report["kind"].startswith(kind)


def test_no_secret_is_printed(keys_file: str, capsys: Printed) -> None:
    """V-226"""
    text = fresh()
    for arguments in ([], ["--json"], ["--issuer", "https://other.example"]):
        main([text, "--keys", keys_file, *arguments])
    printed = capsys.readouterr()
    for secret in (HASH, "anti-secret", "ada@example.com", text.split(".")[1], text.split(".")[2]):
        assert secret not in printed.out + printed.err


def test_the_token_can_come_from_standard_input(
    keys_file: str, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is in no shell history; with the line break that comes along."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(fresh() + "\n"))
    assert main(["-", "--keys", keys_file]) == 0
    assert "verdict:    accepted" in capsys.readouterr().out


def test_keys_can_come_from_a_key_server(capsys: Printed) -> None:
    with hostile_server(reply(jwks(jwk()))) as server:
        status, _ = explain(capsys, fresh(), "--jwks", server.url)
        assert status == 0
        server.replies = reply(b"", status="500 X")
        status, report = explain(capsys, fresh(), "--jwks", server.url)
        assert (status, report["reason"], report["keys"]) == (1, "no_keys", [])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--jwks", "http://api.example.com/"],
        ["--keys", "/nowhere/keys.json"],
        ["--jwks", "https://x.example", "--issuer", ""],
    ],
)
def test_wrong_settings_are_said_on_standard_error(arguments: list[str], capsys: Printed) -> None:
    assert main(["x", *arguments]) == 2
    assert capsys.readouterr().err.startswith("st_verify: ")


def test_wrong_usage_is_explained(capsys: Printed) -> None:
    for arguments in ([], ["x"], ["x", "--jwks", "https://a.example", "--keys", "f"]):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 2
    assert "usage: python -m st_verify" in capsys.readouterr().err


def test_it_runs_as_a_module(keys_file: str, capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["st_verify", fresh(), "--keys", keys_file])
    monkeypatch.delitem(sys.modules, "st_verify.__main__")
    with pytest.raises(SystemExit) as left:
        runpy.run_module("st_verify", run_name="__main__")
    assert left.value.code == 0


def test_a_malformed_payload_is_no_crash(keys_file: str, capsys: Printed) -> None:
    """Not even where only the command line looks at it."""
    bench = Bench()
    for body in ([1], {"iat": 10**40, "exp": -5, "nbf": "x"}):
        text = token(body=body)  # type: ignore[arg-type]  # that is the point
        assert bench.outcome(text) == "401U"
        assert main([text, "--keys", keys_file]) == 1
    assert "malformed" in capsys.readouterr().out
