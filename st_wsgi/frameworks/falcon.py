"""
Falcon: an error handler for our errors.

Falcon answers every exception itself, and those that it does not know with 500. Without the handler, our errors would
not leave Falcon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from falcon import Request, Response
from falcon.app import App

from st_wsgi.app import SuperTokens
from st_wsgi.errors import Answerable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def init_app(app: App[Any, Any], st: SuperTokens) -> WSGIApplication:
    """Return *app* with SuperTokens in front. A handler of the app for ``Exception`` does not get our errors."""
    app.add_error_handler(Answerable, answer_error)
    # Falcon types its own start_response without the third argument, which it never passes.
    return st.wrap(cast("WSGIApplication", app))


def answer_error(request: Request, response: Response, error: Answerable, params: dict[str, Any]) -> None:
    """Answer an error of ours: a Falcon error handler. The app's middleware sees the response."""
    ours = error.get_response(request.env)
    response.status = ours.status
    response.data = ours.get_data()
    for name, value in ours.headers:
        if name.lower() == "set-cookie":
            response.append_header(name, value)
        else:
            response.set_header(name, value)
