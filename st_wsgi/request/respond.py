"""How our routes answer: a value becomes JSON."""

from __future__ import annotations

import json

from werkzeug.wrappers import Response

from ..codec import to_json


def json_response(value: object, *, status: int = 200) -> Response:
    """
    Return *value* (a mapping or a result with a ``status``) as the body of a response.

    :raises TypeError: it is None, which an override returns that forgot to return anything.
    """
    if value is None:
        raise TypeError("an API returned None; an override has to return the original's result, or another one")
    return Response(json.dumps(to_json(value), separators=(",", ":")), status, mimetype="application/json")
