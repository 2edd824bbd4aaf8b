"""Domains and paths have one normal form, and a site is what browsers call one."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import pytest
from hypothesis import given, settings, strategies as st
from publicsuffixlist import PublicSuffixList

from st_wsgi.errors import ConfigError
from st_wsgi.urls import (
    cookie_domains,
    host_of,
    is_ip_address,
    is_local,
    is_loopback,
    is_public_suffix,
    is_same_site,
    normalise_issuer,
    normalise_origin,
    normalise_path,
    scheme_of,
    site_of,
)


@pytest.mark.parametrize(
    ("text", "kept"),
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
def test_an_origin_is_kept_in_one_form(text: str, kept: str) -> None:
    assert normalise_origin(text, setting="api_domain") == kept


@pytest.mark.parametrize(
    "text",
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
def test_what_is_no_origin_is_refused_with_the_name_of_the_setting(text: str) -> None:
    with pytest.raises(ConfigError, match="api_domain") as refused:
        normalise_origin(text, setting="api_domain")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("sign", ["\n", "\r", "\t", "\0"])
def test_control_characters_inside_an_origin_are_refused_although_a_url_parser_drops_them(sign: str) -> None:
    with pytest.raises(ConfigError):
        normalise_origin(f"https://shop.{sign}example", setting="api_domain")


@pytest.mark.parametrize(
    ("text", "kept"),
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
def test_a_path_is_kept_in_one_form(text: str, kept: str) -> None:
    assert normalise_path(text, setting="api_base_path") == kept


@pytest.mark.parametrize(
    "text",
    ["/a//b", "/a/../b", "/.", "..", "/a?b", "/a#b", "/a b", "/a%20b", "/ä", "/a;b", "/a\nb", "/auth\n/x", None, 5],
)
def test_what_is_no_plain_path_is_refused_with_the_name_of_the_setting(text: str) -> None:
    with pytest.raises(ConfigError, match="api_base_path"):
        normalise_path(text, setting="api_base_path")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://API.shop.example:443/auth/", "https://api.shop.example/auth"),
        (" api.shop.example/gateway/auth ", "https://api.shop.example/gateway/auth"),
        ("http://localhost:3000", "http://localhost:3000"),
    ],
)
def test_an_issuer_is_kept_in_one_form(text: str, kept: str) -> None:
    assert normalise_issuer(text, setting="issuer") == kept


@pytest.mark.parametrize("text", ["", "https://shop.example/a//b", "ftp://shop.example/auth", None])
def test_what_is_no_issuer_is_refused_with_the_name_of_the_setting(text: str) -> None:
    with pytest.raises(ConfigError, match="issuer"):
        normalise_issuer(text, setting="issuer")


def test_host_and_scheme_of_an_origin() -> None:
    assert [host_of("http://[::1]:3000"), scheme_of("http://[::1]:3000")] == ["::1", "http"]
    assert [host_of("https://shop.example:8443"), scheme_of("https://shop.example:8443")] == ["shop.example", "https"]


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("shop.example", "shop.example"),
        ("a.b.shop.example", "shop.example"),
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
        ("shop.localhost", "shop.localhost"),
        ("api.shop.localhost", "shop.localhost"),
        ("localhost.localdomain", "localhost.localdomain"),
        ("127.0.0.1", "127.0.0.1"),
        ("192.168.1.20", "192.168.1.20"),
        ("::1", "::1"),
        ("xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
    ],
)
def test_the_site_of_a_host(host: str, site: str) -> None:
    assert site_of(host) == site


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://shop.example", "https://api.shop.example:8443", True),
        ("http://shop.example", "https://api.shop.example", False),
        ("https://shop.example", "https://shop.other", False),
        ("https://a.github.io", "https://b.github.io", False),
        ("http://localhost:3000", "http://localhost:8000", True),
        ("http://127.0.0.1:3000", "http://127.0.0.1:8000", True),
        ("http://[::1]:3000", "http://[::1]:8000", True),
        ("http://localhost:3000", "http://127.0.0.1:3000", False),
        ("http://localhost:3000", "http://[::1]:3000", False),
        ("http://127.0.0.1:3000", "http://127.0.0.2:3000", False),
        ("http://shop.localhost", "http://api.localhost", False),
        ("http://shop.localhost", "http://localhost", False),
        ("http://shop.localhost", "http://api.shop.localhost", True),
    ],
)
def test_two_origins_are_one_site_as_browsers_have_it(one: str, other: str, same: bool) -> None:
    assert is_same_site(one, other) is is_same_site(other, one) is same


@pytest.mark.parametrize(
    ("host", "domains"),
    [
        ("api.eu.shop.co.uk", ("api.eu.shop.co.uk", "eu.shop.co.uk", "shop.co.uk")),
        ("shop.example", ("shop.example",)),
        ("me.github.io", ("me.github.io",)),
        ("github.io", ()),
        ("localhost", ()),
        ("api.shop.localhost", ("api.shop.localhost", "shop.localhost")),
        ("127.0.0.1", ()),
        ("::1", ()),
    ],
)
def test_the_domains_of_cookies_for_a_host(host: str, domains: tuple[str, ...]) -> None:
    assert cookie_domains(host) == domains


@pytest.mark.parametrize(
    ("host", "yes"),
    [("com", True), ("co.uk", True), ("github.io", True), ("any.ck", True), ("www.ck", False), ("shop.com", False)],
)
def test_public_suffixes(host: str, yes: bool) -> None:
    assert is_public_suffix(host) is yes


@pytest.mark.parametrize(
    ("host", "local", "address", "loopback"),
    [
        ("localhost", True, False, True),
        ("a.localhost", True, False, True),
        ("notlocalhost", False, False, False),
        ("127.0.0.1", False, True, True),
        ("127.8.9.1", False, True, True),
        ("10.0.0.1", False, True, False),
        ("0.0.0.0", False, True, False),
        ("1.2.3", False, False, False),
        ("::1", False, True, True),
        ("2001:db8::1", False, True, False),
    ],
)
def test_this_machine_and_ip_addresses_are_told_from_names(
    host: str, local: bool, address: bool, loopback: bool
) -> None:
    assert (is_local(host), is_ip_address(host), is_loopback(host)) == (local, address, loopback)


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


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(_HOSTS)
def test_sites_are_those_of_another_reader_of_the_same_list(host: str) -> None:
    assert site_of(host) == (_other_reader().privatesuffix(host) or host)
    assert is_public_suffix(host) is (_other_reader().privatesuffix(host) is None)


def test_every_rule_of_the_list_is_read_as_another_reader_reads_it() -> None:
    """A host one label above each rule, and the rule itself."""
    other = _other_reader()
    wrong = [
        host
        for rule in _rules()
        for host in (rule, f"shop.{rule}")
        if site_of(host) != (other.privatesuffix(host) or host)
    ]
    assert wrong == []
