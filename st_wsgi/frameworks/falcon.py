"""
Falcon: an error handler for our errors.

Falcon answers every exception itself, with 500 if it does not know it, so that none of ours would leave it.
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
    """Return *app* with SuperTokens in front, its errors answered before any catch-all handler sees them."""
    app.add_error_handler(Answerable, answer_error)
    # Falcon types its own start_response without the third argument, which it never passes.
    return st.wrap(cast("WSGIApplication", app))


def answer_error(request: Request, response: Response, error: Answerable, params: dict[str, Any]) -> None:
    """Answer an error of ours: a Falcon error handler, whose response the app's middleware still sees."""
    answer = error.get_response(request.env)
    response.status = answer.status
    response.data = answer.get_data()
    for name, value in answer.headers:
        if name.lower() == "set-cookie":
            response.append_header(name, value)
        else:
            response.set_header(name, value)
