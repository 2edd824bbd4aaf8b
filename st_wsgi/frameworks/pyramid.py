"""
Pyramid: ``config.include("st_wsgi.frameworks.pyramid")`` adds an exception view for our errors.

Without it they leave Pyramid and are answered by :meth:`~st_wsgi.SuperTokens.wrap`, but an app's exception view for
every ``Exception`` gets them first, and tweens and subscribers do not see the answer.
"""

from __future__ import annotations

from pyramid.config import Configurator  # type: ignore[import-untyped]  # Pyramid has no types
from pyramid.request import Request  # type: ignore[import-untyped]
from pyramid.response import Response  # type: ignore[import-untyped]

from st_wsgi.errors import Answerable


def includeme(config: Configurator) -> None:
    """
    Answer our errors, unless the app has an exception view for them, or one for a single route.

    Pyramid looks at the route first: a view for every ``Exception`` of one route takes ours too, and needs
    :func:`answer_error` with the same ``route_name`` beside it.
    """
    config.add_exception_view(answer_error, context=Answerable)


def answer_error(error: Answerable, request: Request) -> Response:
    """Answer an error of ours: an exception view."""
    answer = error.get_response(request.environ)
    return Response(body=answer.get_data(), status=answer.status, headerlist=list(answer.headers))
