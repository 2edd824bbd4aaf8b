"""Where the tests' visitors go: the Flask example, and the test page on its origin or on one of its own."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from flask import Flask
from sdks.installs import node_packages
from sdks.processes import ROOT, free_port, serving
from threads import answering
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.serving import WSGIRequestHandler, make_server

from browser.visitor import Tab, Visitor
from st_wsgi import Override, SuperTokens, replace
from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.delivery import Message
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multifactorauth import MultiFactorAuth, MultiFactorAuthFunctions
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.totp import Totp
from st_wsgi.request import current

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HERE = Path(__file__).parent

#: The core setting that lets passwords be hashed with little work.
CHEAP_HASHES = "argon2_memory_kb=64"

EXAMPLE = ROOT / "examples" / "flask_app.py"


@attrs.frozen
class Site:
    """An API and the page of the website that uses it. Both are origins, such as ``http://127.0.0.1:3000``.

    ``folder`` is where the Flask example keeps ``auth.db`` and prints to ``server.log``.
    """

    api: str
    website: str
    page: str
    folder: Path = Path()

    def address(self, mode: str, **more: str) -> str:
        """The page's address for a token transfer ``mode``, ``cookie`` or ``header``."""
        return f"{self.website}{self.page}?{urlencode({'api': self.api, 'mode': mode, **more})}"

    def link_in_mail(self, email: str, path: str) -> str:
        """See :func:`link_in_mail`."""
        return link_in_mail(self.folder / "server.log", email, path)

    def add_role(self, user_id: str, role: str) -> None:
        """Create a role and give it to a user."""
        with EmbeddedCore.open(f"sqlite:///{self.folder}/auth.db") as core:
            core.send(CoreRequest("PUT", "/recipe/role", body={"role": role, "permissions": []}))
            core.send(CoreRequest("PUT", "/public/recipe/user/role", body={"userId": user_id, "role": role}))


@attrs.frozen
class Place:
    """The website with its API on one origin, and the messages that it sent."""

    origin: str
    messages: list[Message] = attrs.field(factory=list)

    def open(self, visitor: Visitor, mode: str = "cookie", **more: str) -> Tab:
        """Open the page, with more settings in its address."""
        query = urlencode({"api": self.origin, "mode": mode, **more})
        return visitor.open(f"{self.origin}/page.html?{query}")

    def newest(self, to: str) -> Message:
        """Return the newest message that was sent to an address or a number."""
        return next(message for message in reversed(self.messages) if message.to == to)

    def link(self, to: str) -> str:
        """Return the newest link that was sent to an address."""
        return str(self.newest(to).link)

    def code(self, to: str) -> str:
        """Return the newest code that was sent to an address or a number."""
        return str(self.newest(to).code)


def with_second_factors(send: Callable[[Message], object]) -> list[Recipe[Any, Any]]:
    """Return recipes for a password first, then an authenticator app or a code by mail."""

    def either(original: MultiFactorAuthFunctions) -> MultiFactorAuthFunctions:
        def get_mfa_requirements_for_auth(**_: Any) -> Any:
            return [{"oneOf": ["totp", "otp-email"]}]

        return replace(original, get_mfa_requirements_for_auth=get_mfa_requirements_for_auth)

    return [
        EmailPassword(email_delivery=send),
        Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE", email_delivery=send),
        Totp(),
        MultiFactorAuth(first_factors=["emailpassword"], override=Override(functions=either)),
    ]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Print nothing."""


@contextmanager
def with_page(st: SuperTokens, app: Flask, *, port: int, folder: Path, also_at: Sequence[str] = ()) -> Iterator[None]:
    """
    Serve an app and the page on one origin, in a thread of this process. Close the SDK in the end.

    :param also_at: the paths of links that lead to the page.
    """
    pages = dict.fromkeys(("/page.html", *also_at), "page.html")
    scripts = {f"{path.rpartition('/')[0]}/page.js": "page.js" for path in pages}
    files = {path: str(folder / file) for path, file in (pages | scripts).items()}
    with serving_app(st, SharedDataMiddleware(st.wrap(app.wsgi_app), files), port=port):
        yield


@contextmanager
def serving_app(st: SuperTokens, wrapped: WSGIApplication, *, port: int) -> Iterator[None]:
    """Serve a wrapped app in a thread of this process. Close the SDK in the end."""
    server = make_server("127.0.0.1", port, wrapped, threaded=True, request_handler=_Quiet)
    try:
        with answering(server):
            yield
    finally:
        current.set_default(None)
        st.close()


def link_in_mail(log: Path, email: str, path: str) -> str:
    """The newest link to ``path`` that the console shows for an address, as a developer copies it."""
    links: list[str] = []
    for _ in range(600):
        links = re.findall(
            rf"^\[st_wsgi\] \w+ for {re.escape(email)}:\n(http\S+{path}\S+)$", log.read_text(), re.MULTILINE
        )
        if links:
            break
        threading.Event().wait(0.05)  # mails are sent in the background
    return links[-1]


def built_page(folder: Path) -> Path:
    """Bundle the page with the official web SDK into ``folder``; returns the folder, ready to be served."""
    packages = node_packages(HERE)
    subprocess.run(
        [
            packages / ".bin" / "esbuild",
            HERE / "page.mjs",
            "--bundle",
            "--log-level=error",
            f"--outfile={folder}/page.js",
        ],
        check=True,
    )
    shutil.copy(HERE / "page.html", folder / "page.html")
    (folder / "foreign.html").write_text("<!doctype html><title>A page that has nothing to do with us</title>")
    return folder


class _PageHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the log of the tests is no place for requests."""


class _SinglePageHandler(_PageHandler):
    """Serves files below ``/static``, and ``index.html`` at all other addresses, as websites with a router need it."""

    def translate_path(self, path: str) -> str:
        prefix = "/static/"
        return super().translate_path(path.removeprefix(prefix) if path.startswith(prefix) else "index.html")


@contextmanager
def page_server(folder: Path, certificate: Path | None = None, *, single_page: bool = False) -> Iterator[int]:
    """
    Serve the built page on a port of its own, which it gives; over TLS with the certificate and key of a file.

    :param single_page: every address shows ``index.html``, and files are below ``/static``.
    """
    kind = _SinglePageHandler if single_page else _PageHandler

    def handler(*args: object) -> _PageHandler:
        return kind(*args, directory=str(folder))  # type: ignore[arg-type]  # passed through

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    with answering(server):
        yield server.server_port


def self_signed(folder: Path) -> Path:
    """A certificate for every host below ``.test`` that the tests use, with its key, in one file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*plain) + certificate.public_bytes(serialization.Encoding.PEM))
    return file


@contextmanager
def session_app(
    *,
    port: int,
    api: str,
    websites: Sequence[str],
    core: str,
    log: Path,
    certificate: Path | None = None,
    session: Mapping[str, object] | None = None,
    own_cors: bool = False,
) -> Iterator[None]:
    """Serve ``session_app.py`` under gunicorn, over TLS if there is a certificate.

    ``session`` holds parameters of the recipe; with ``own_cors`` flask-cors looks after the app's own routes.
    """
    env = {"API": api, "WEBSITES": " ".join(websites), "CORE": core, "SESSION": json.dumps(session or {})}
    if own_cors:
        env["OWN_CORS"] = "1"
    options = ["--threads=4", f"--bind=127.0.0.1:{port}", "--no-control-socket"]
    if certificate is not None:
        options += [f"--certfile={certificate}", f"--keyfile={certificate}"]
    with serving(
        [sys.executable, "-m", "gunicorn", *options, "session_app:app"], port=port, log=log, env=env, cwd=HERE
    ):
        yield


@contextmanager
def example_alone(*, core: str, port: int, website: str, log: Path) -> Iterator[str]:
    """The Flask example as its users start it, ``python examples/flask_app.py``; gives its origin."""
    api = f"http://127.0.0.1:{port}"
    env = {"ST_CORE": core, "ST_API_DOMAIN": api, "ST_WEBSITE_DOMAIN": website, "PORT": str(port)}
    with serving([sys.executable, str(EXAMPLE)], port=port, log=log, env=env):
        yield api


@contextmanager
def example_beside_page(*, core: str, page: Path, log: Path) -> Iterator[str]:
    """The Flask example and the page on one origin, under gunicorn with two processes of four threads."""
    port = free_port()
    api = f"http://127.0.0.1:{port}"
    env = {
        "ST_CORE": core,
        "ST_API_DOMAIN": api,
        "ST_WEBSITE_DOMAIN": api,
        "EXAMPLE": str(EXAMPLE),
        "PAGE_FOLDER": str(page),
    }
    options = ["--workers=2", "--threads=4", f"--bind=127.0.0.1:{port}", "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", *options, "beside:app"]
    with serving(command, port=port, log=log, env=env, cwd=HERE):
        yield api


@contextmanager
def site(*, origins: str, core: str, page: Path, log: Path) -> Iterator[Site]:
    """The example and the page: ``origins`` is ``one origin`` or ``two origins``."""
    if origins == "one origin":
        with example_beside_page(core=core, page=page, log=log) as api:
            yield Site(api=api, website=api, page="/testpage/page.html", folder=log.parent)
        return
    with page_server(page) as port:
        website = f"http://127.0.0.1:{port}"
        with example_alone(core=core, port=free_port(), website=website, log=log) as api:
            yield Site(api=api, website=website, page="/page.html", folder=log.parent)
