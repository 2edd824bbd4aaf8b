"""Domains and paths have one normal form, and a site is what browsers call one."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from st_wsgi.errors import ConfigError
from st_wsgi.urls import (
    host_of,
    is_ip_address,
    is_local,
    is_public_suffix,
    normalise_origin,
    normalise_path,
    registrable_domain,
    scheme_of,
)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.shop.example", "https://api.shop.example"),
        ("HTTPS://API.Shop.Example", "https://api.shop.example"),
        ("api.shop.example", "https://api.shop.example"),
        (" https://api.shop.example/ ", "https://api.shop.example"),
        ("https://api.shop.example:443", "https://api.shop.example"),
        ("http://api.shop.example:80", "http://api.shop.example"),
        ("http://api.shop.example:443", "http://api.shop.example:443"),
        ("https://api.shop.example:8443/some/path?x=1#y", "https://api.shop.example:8443"),
        ("localhost", "http://localhost"),
        ("localhost:3000", "http://localhost:3000"),
        ("shop.localhost:3000", "http://shop.localhost:3000"),
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("https://localhost", "https://localhost"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("[::1]:3000", "http://[::1]:3000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("my_host.internal", "https://my_host.internal"),
    ],
)
def test_an_origin_is_kept_in_one_form(given: str, kept: str) -> None:
    assert normalise_origin(given, setting="api_domain") == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "   ",
        None,
        5,
        "https://",
        "ftp://shop.example",
        "ws://shop.example",
        "https://user@shop.example",
        "https://user:secret@shop.example",
        "https://shop.example:port",
        "https://shop.example:99999",
        "https://shop .example",
        "https://bücher.example",
        "https://shop..example",
        "https://-shop.example",
        "https://shop.example.",
        "https://shop%2eexample",
        "https://[::1",
        "https://shop.example\\evil.example",
    ],
)
def test_what_is_no_origin_is_refused_with_the_name_of_the_setting(given: str) -> None:
    with pytest.raises(ConfigError, match="api_domain") as refused:
        normalise_origin(given, setting="api_domain")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("sign", ["\n", "\r", "\t", "\0"])
def test_control_characters_inside_an_origin_are_refused_although_a_url_parser_drops_them(sign: str) -> None:
    with pytest.raises(ConfigError):
        normalise_origin(f"https://shop.{sign}example", setting="api_domain")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/auth", "/auth"),
        ("auth", "/auth"),
        ("/auth/", "/auth"),
        (" /auth ", "/auth"),
        ("/api/auth", "/api/auth"),
        ("/a.b+(c)", "/a.b+(c)"),
        ("", ""),
        ("/", ""),
    ],
)
def test_a_path_is_kept_in_one_form(given: str, kept: str) -> None:
    assert normalise_path(given, setting="api_base_path") == kept


@pytest.mark.parametrize(
    "given",
    ["/a//b", "/a/../b", "/.", "..", "/a?b", "/a#b", "/a b", "/a%20b", "/ä", "/a;b", "/a\nb", "/auth\n/x", None, 5],
)
def test_what_is_no_plain_path_is_refused_with_the_name_of_the_setting(given: str) -> None:
    with pytest.raises(ConfigError, match="api_base_path"):
        normalise_path(given, setting="api_base_path")


def test_host_and_scheme_of_an_origin() -> None:
    assert [host_of("http://[::1]:3000"), scheme_of("http://[::1]:3000")] == ["::1", "http"]
    assert [host_of("https://shop.example:8443"), scheme_of("https://shop.example:8443")] == ["shop.example", "https"]


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("shop.example", "shop.example"),
        ("a.b.shop.example", "shop.example"),
        ("SHOP.Example.", "shop.example"),
        ("shop.co.uk", "shop.co.uk"),
        ("api.shop.co.uk", "shop.co.uk"),
        ("me.github.io", "me.github.io"),
        ("deep.me.github.io", "me.github.io"),
        ("www.ck", "www.ck"),
        ("a.www.ck", "www.ck"),
        ("a.b.ck", "a.b.ck"),
        ("x.a.b.ck", "a.b.ck"),
        ("b.ck", "b.ck"),
        ("com", "com"),
        ("co.uk", "co.uk"),
        ("s3.amazonaws.com", "s3.amazonaws.com"),
        ("bucket.s3.amazonaws.com", "bucket.s3.amazonaws.com"),
        ("internal", "internal"),
        ("api.internal", "api.internal"),
        ("localhost", "localhost"),
        ("shop.localhost", "localhost"),
        ("localhost.localdomain", "localhost"),
        ("127.0.0.1", "localhost"),
        ("192.168.1.20", "localhost"),
        ("::1", "localhost"),
        ("xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
    ],
)
def test_the_site_of_a_host(host: str, site: str) -> None:
    assert registrable_domain(host) == site


@pytest.mark.parametrize(
    ("host", "yes"),
    [("com", True), (".co.uk", True), ("github.io", True), ("any.ck", True), ("www.ck", False), ("shop.com", False)],
)
def test_public_suffixes(host: str, yes: bool) -> None:
    assert is_public_suffix(host) is yes


@pytest.mark.parametrize(
    ("host", "local", "address"),
    [
        ("localhost", True, False),
        ("a.localhost", True, False),
        ("notlocalhost", False, False),
        ("127.0.0.1", False, True),
        ("1.2.3", False, False),
        ("::1", False, True),
    ],
)
def test_this_machine_and_ip_addresses_are_told_from_names(host: str, local: bool, address: bool) -> None:
    assert (is_local(host), is_ip_address(host)) == (local, address)


@cache
def _other_reader() -> PublicSuffixList:
    """Another implementation, on the very list that is packaged."""
    text = files("st_wsgi").joinpath("public_suffix_list.dat").read_text("utf-8")
    return PublicSuffixList(source=text.splitlines(), accept_unknown=True)


@cache
def _rules() -> list[str]:
    text = files("st_wsgi").joinpath("public_suffix_list.dat").read_text("utf-8")
    rules = [rule.lstrip("!") for rule in text.splitlines() if rule and not rule.startswith("//")]
    return [rule.replace("*", "wild") for rule in rules if rule.isascii()]


_LABEL = st.from_regex(r"\A[a-z]([a-z0-9-]{0,6}[a-z0-9])?\Z")
_HOSTS = st.tuples(st.lists(_LABEL, max_size=3), st.one_of(_LABEL, st.deferred(lambda: st.sampled_from(_rules())))).map(
    lambda parts: ".".join([*parts[0], parts[1]])
)


@settings(max_examples=150, deadline=None)
@given(_HOSTS)
def test_sites_are_those_of_another_reader_of_the_same_list(host: str) -> None:
    if host.startswith("localhost") or host.endswith(".localhost"):
        expected = "localhost"
    else:
        expected = _other_reader().privatesuffix(host) or host
    assert registrable_domain(host) == expected
    assert is_public_suffix(host) is (_other_reader().privatesuffix(host) is None)


def test_every_rule_of_the_list_is_read_as_another_reader_reads_it() -> None:
    """A host one label above each rule, and the rule itself."""
    other = _other_reader()
    wrong = [
        host
        for rule in _rules()
        for host in (rule, f"shop.{rule}")
        if not host.startswith("localhost") and registrable_domain(host) != (other.privatesuffix(host) or host)
    ]
    assert wrong == []
