"""From ``module:attribute`` to the app and its SuperTokens instance, for every framework."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import attrs

from ..app import SuperTokens
from ..errors import SuperTokensError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class CannotLook(SuperTokensError):
    """There is nothing to look at; the message says why."""


@attrs.frozen
class Loaded:
    """
    An app.

    :param app: the object that was named.
    :param st: its instance.
    """

    app: Any
    st: SuperTokens

    @property
    def base_path(self) -> str:
        """The path of our routes, as browsers see it."""
        return self.st.app_info.public_base_path

    @property
    def wsgi(self) -> WSGIApplication:
        """The app, to be called. An instance stands for itself in front of an app without pages."""
        app: WSGIApplication = self.st.wrap(_nothing) if self.app is self.st else self.app
        return app


def load(name: str) -> Loaded:
    """
    Import an app, as a server does.

    :param name: module and attribute, such as ``app:app``, or ``app:make()`` for a function that makes the app.
    :raises CannotLook: there is no such module or attribute, or it has no instance.
    :raises ConfigError: the app does not start with its settings.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise CannotLook(f"--app {name}: write module:attribute, such as app:app")
    sys.path.insert(0, os.getcwd())  # as gunicorn does
    try:
        module = importlib.import_module(module_name)
        app: Any = module
        for part in attribute.removesuffix("()").split("."):
            app = getattr(app, part)
        if attribute.endswith("()"):
            app = app()
    except SuperTokensError:
        raise
    except Exception as error:
        missing = f": {error.name}" if isinstance(error, ImportError | AttributeError) else ""
        raise CannotLook(f"--app {name} cannot be loaded: {type(error).__name__}{missing}") from error
    st = _nearest([app, vars(module)])
    if st is None:
        raise CannotLook(f"--app {name} has no SuperTokens instance: name it, such as {module_name}:st")
    return Loaded(app, st)


def _nearest(start: list[Any]) -> SuperTokens | None:
    """Return the first instance on the ways from object to object: each framework keeps it somewhere else."""
    seen, near = set(map(id, start)), start
    while near:
        further: list[Any] = []
        for one in near:
            if isinstance(one, SuperTokens):
                return one
            for other in gc.get_referents(one):
                if id(other) not in seen and not isinstance(other, ModuleType | type):
                    seen.add(id(other))
                    further.append(other)
        near = further
    return None


def _nothing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("404 Not Found", [("Content-Length", "0")])
    return []
