"""
Pyramid: ``config.include("st_wsgi.frameworks.pyramid")`` adds an exception view for our errors.

Without it, our errors leave Pyramid, and :meth:`~st_wsgi.SuperTokens.wrap` answers them. But an app's exception view
for ``Exception`` would get them first, and tweens and subscribers do not see the response.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyramid.config import Configurator  # type: ignore[import-untyped]  # Pyramid has no types
from pyramid.request import Request  # type: ignore[import-untyped]
from pyramid.response import Response  # type: ignore[import-untyped]

from st_wsgi.errors import Answerable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def includeme(config: Configurator) -> None:
    """
    Add the exception view for our errors.

    Pyramid prefers an exception view of the current route. If the app has one for ``Exception`` with a ``route_name``,
    add :func:`answer_error` with the same ``route_name``.
    """
    config.add_exception_view(answer_error, context=Answerable)


def answer_error(error: Answerable, request: Request) -> Response:
    """Answer an error of ours: an exception view."""
    ours = error.get_response(request.environ)
    return _AsItIs(body=ours.get_data(), status=ours.status, headerlist=list(ours.headers))


class _AsItIs(Response):  # type: ignore[misc]  # Pyramid has no types
    """Leaves ``Location`` alone. WebOb makes a whole address of a path, with http behind a proxy with TLS."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(self.status, self.headerlist)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]
