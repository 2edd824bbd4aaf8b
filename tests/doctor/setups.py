"""Set-ups for the doctor: good ones, what breaks them, and real servers for those that run."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from cheroot.wsgi import Server
from werkzeug.serving import make_server

from st_wsgi import AppInfo, Cors, SuperTokens
from st_wsgi.delivery import Message
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]

SECRET = "hunter2hunter2hunter2"
"""It stands in settings, and must never be printed."""

QUICK = "sqlite://?argon2_memory_kb=64"


def no_mail(message: Message) -> None:
    """Send nothing."""


def page(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """An app of nothing but a 404."""
    start_response("404 Not Found", [("Content-Type", "text/html")])
    return [b"<p>There is no such page"]


@attrs.define
class Place:
    """Where a set-up is built: a folder, and what has to be closed in the end."""

    folder: Path
    stack: ExitStack
    patch: pytest.MonkeyPatch

    def start(self, **settings: Any) -> SuperTokens:
        """Return an instance. Its recipes are a function: they belong to one instance each."""
        st = SuperTokens(**{**settings, "recipes": settings["recipes"]()})
        self.stack.callback(st.close)
        return st

    def local(self, url: str, **changes: Any) -> SuperTokens:
        """Return an instance of a developer: website and API at one address, a core in memory."""
        app_info = AppInfo(app_name="Shop", **{"api_domain": url, "website_domain": url, **changes.pop("info", {})})
        usual = {"app_info": app_info, "core": QUICK, "recipes": lambda: [EmailPassword(), Session()]}
        return self.start(**{**usual, **changes})

    def production(self, **changes: Any) -> SuperTokens:
        """Return a good instance for production."""
        info = {"app_name": "Shop", "api_domain": "https://api.shop.example", "website_domain": "https://shop.example"}
        usual = {
            "app_info": AppInfo(**{**info, **changes.pop("info", {})}),
            "core": f"sqlite:///{self.folder}/auth.db",
            "recipes": lambda: [EmailPassword(email_delivery=no_mail), Session()],
            "cors": Cors(origins=["https://shop.example"]),
            "trusted_proxies": 1,
        }
        return self.start(**{**usual, **changes})

    def named(self, app: object) -> str:
        """Return a name with which ``--app`` finds an object, or a function that makes the app."""
        module = types.ModuleType("doctored")
        module.app = app  # type: ignore[attr-defined]
        self.patch.setitem(sys.modules, "doctored", module)
        return "doctored:app"


Fault = Callable[["WSGIApplication"], "WSGIApplication"]


def changing(
    headers: Callable[[Headers, WSGIEnvironment], Headers] | None = None,
    environ: Callable[[WSGIEnvironment], None] | None = None,
) -> Fault:
    """Return a proxy that changes the headers of responses, or the environ of requests."""

    def proxy(app: WSGIApplication) -> WSGIApplication:
        def changed(request: WSGIEnvironment, start_response: StartResponse) -> Any:
            if environ is not None:
                environ(request)

            def start(status: str, given: Headers, exc_info: Any = None) -> Any:
                request["status"] = status
                return start_response(status, given if headers is None else headers(given, request))

            return app(request, start)

        return changed

    return proxy


def answering(status: str, body: bytes = b"<p>no", *, when: Callable[[WSGIEnvironment], bool], **more: str) -> Fault:
    """Return a proxy that answers some requests itself."""

    def proxy(app: WSGIApplication) -> WSGIApplication:
        def answered(request: WSGIEnvironment, start_response: StartResponse) -> Any:
            if not when(request):
                return app(request, start_response)
            start_response(status, [("Content-Type", "text/html"), *more.items()])
            return [body]

        return answered

    return proxy


def without(name: str) -> Fault:
    """Return a proxy that removes a header of responses."""
    return changing(lambda headers, _: [one for one in headers if one[0].lower() != name.lower()])


def instead(name: str, change: Callable[[str], str]) -> Fault:
    """Return a proxy that changes the values of a header of responses."""
    return changing(lambda headers, _: [(key, change(v) if key.lower() == name.lower() else v) for key, v in headers])


@contextmanager
def serving(build: Callable[[str], WSGIApplication], *, development: bool = False) -> Iterator[str]:
    """Serve an app, which is made for the address of the server, until the block ends."""
    apps: list[WSGIApplication] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        return apps[0](environ, start_response)

    server: Any
    if development:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        port, serve, stop = server.port, server.serve_forever, server.shutdown
    else:
        server = Server(("127.0.0.1", 0), app, numthreads=2)
        server.expiration_interval = 0.02  # seconds until it looks whether it has to stop
        server.prepare()
        port, serve, stop = server.bind_addr[1], server.serve, server.stop
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        apps.append(build(f"http://127.0.0.1:{port}"))
        yield f"http://127.0.0.1:{port}"
    finally:
        stop()
        thread.join()
        if development:
            server.server_close()
