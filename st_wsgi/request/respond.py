"""The responses of our routes: a result becomes JSON."""

from __future__ import annotations

import json

from werkzeug.wrappers import Response

from ..codec import to_json


def json_response(value: object, *, status: int = 200) -> Response:
    """
    Return a response whose body is *value*: a mapping, or a result with a ``status``.

    :raises TypeError: *value* is None, which an override returns that has no return statement.
    """
    if value is None:
        raise TypeError("an API returned None; an override must return the original's result or another one")
    return Response(json.dumps(to_json(value), separators=(",", ":")), status, mimetype="application/json")
