"""Which addresses of cores are taken, and in which form they are kept."""

from __future__ import annotations

import pytest

from st_wsgi.core_client.hosts import parse_hosts
from st_wsgi.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://localhost:3567", ("http://localhost:3567",)),
        ("https://core1:3567;https://core2:3567/base", ("https://core1:3567", "https://core2:3567/base")),
        (" https://core1 ; https://core2/ ;", ("https://core1", "https://core2")),
        (["https://core1", "https://core2"], ("https://core1", "https://core2")),
        ("HTTPS://Core.EXAMPLE.com:443/Base//", ("https://core.example.com/Base",)),
        ("http://core:80/a b".replace(" ", "%20"), ("http://core/a%20b",)),
        ("https://[::1]:3567", ("https://[::1]:3567",)),
        ("https://bücher.example", ("https://xn--bcher-kva.example",)),
        ("http://my_core-1:3567/appid-shop", ("http://my_core-1:3567/appid-shop",)),
    ],
)
def test_addresses_are_kept_in_one_form(given: str | list[str], kept: tuple[str, ...]) -> None:
    assert parse_hosts(given) == kept


def test_a_host_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="core names http://core twice"):
        parse_hosts("http://core;https://other;HTTP://CORE:80/")


@pytest.mark.parametrize("given", ["auth.db", "./auth", "/srv/auth", "data/auth.sqlite3"])
def test_the_path_of_a_file_is_refused_with_the_address_of_that_file(given: str) -> None:
    with pytest.raises(ConfigError, match=f"write sqlite:///{given}$"):
        parse_hosts(given)


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ; ",
        "localhost:3567",
        "core.example.com",
        "ftp://core",
        "sqlite:///auth.db",
        "https://",
        "https:///base",
        "https://core:0",
        "https://core:65536",
        "https://core:port",
        "https://co re",
        "https://core/with space",
        "https://core\\evil",
        "https://core\r\nx",
        "https://-core",
        "https://a..b",
        "https://[::1",
        "https://" + "a" * 64 + ".example",
    ],
)
def test_what_is_no_address_of_a_core_is_refused_with_an_example(given: str) -> None:
    with pytest.raises(ConfigError, match="like https://core"):
        parse_hosts(given)


@pytest.mark.parametrize(
    "given",
    [
        "https://user:hunter2@core",
        "https://hunter2@core",
        "https://:hunter2@core",
        "https://core?apiKey=hunter2",
        "https://core/base#hunter2",
        "https://fine;https://core?hunter2",
    ],
)
def test_credentials_in_an_address_are_refused_without_repeating_them(given: str) -> None:
    with pytest.raises(ConfigError, match="api_key") as refused:
        parse_hosts(given)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("given", ["https://core?", "https://core#"])
def test_even_an_empty_query_or_fragment_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="query or fragment"):
        parse_hosts(given)
