"""The certified OpenID provider ``oidc-provider`` in a Node process, and a visitor who uses its pages over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests
from attrs import frozen
from sdks.installs import node, node_packages
from sdks.processes import free_port, serving

HERE = Path(__file__).parent
PUBLIC_CLIENT = "client-with-pkce"
SECRET_CLIENT = "client-with-a-secret"
CURVE_CLIENT = "client-with-es256"
SECRET = "secret-of-the-client-that-has-one"


@frozen
class RealProvider:
    """A provider that runs. ``origin`` is its issuer."""

    origin: str
    log: Path

    @property
    def discovery(self) -> str:
        return f"{self.origin}/.well-known/openid-configuration"

    def rotate(self, *, keep: bool) -> None:
        """Sign with a new key from now on. The old one stays in the key set if it is kept."""
        requests.post(f"{self.origin}/{'rotate' if keep else 'forget'}", timeout=20).raise_for_status()


@contextmanager
def running(folder: Path, *redirect_uris: str) -> Iterator[RealProvider]:
    """Run the provider with two clients without a secret, which must use PKCE, and one that has a secret."""
    node_packages(HERE)
    port = free_port()
    common: dict[str, Any] = {"redirect_uris": redirect_uris, "grant_types": ["authorization_code"]}
    public = {"token_endpoint_auth_method": "none", **common}
    clients = [
        {"client_id": PUBLIC_CLIENT, **public},
        {"client_id": CURVE_CLIENT, "id_token_signed_response_alg": "ES256", **public},
        {"client_id": SECRET_CLIENT, "client_secret": SECRET, "token_endpoint_auth_method": "client_secret_post"}
        | common,
    ]
    command = [node(), str(HERE / "provider.mjs"), json.dumps({"port": port, "clients": clients})]
    with serving(command, port=port, log=folder / "provider.log") as _process:
        yield RealProvider(f"http://127.0.0.1:{port}", folder / "provider.log")


def answer_of(url: str, name: str, *, consent: bool = True) -> dict[str, str]:
    """Sign in at the provider as *name*, answer its question; return the query with which it sends the visitor back."""
    browser = requests.Session()
    browser.trust_env = False
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    answer = browser.get(url, allow_redirects=False, timeout=20)
    for _ in range(20):
        if answer.is_redirect:
            url = urljoin(url, answer.headers["Location"])
            if not url.startswith(origin):
                return dict(parse_qsl(urlsplit(url).query))
            answer = browser.get(url, allow_redirects=False, timeout=20)
            continue
        prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
        assert prompt is not None, answer.text
        if not consent and prompt[1] == "consent":
            url = f"{url}/abort"
            answer = browser.get(url, allow_redirects=False, timeout=20)
            continue
        form = {"prompt": prompt[1], "login": name, "password": "any"}
        answer = browser.post(url, data=form, allow_redirects=False, timeout=20)
    raise AssertionError(f"the provider never sent the visitor back from {url}")
