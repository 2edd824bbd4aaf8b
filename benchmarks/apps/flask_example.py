"""
The Flask example without limits of attempts, since all visitors of a benchmark come from one address.

It has one more protected route, which asks the core whether the session goes on.
"""

from __future__ import annotations

from flask import request

from examples.flask_app import app, st
from st_wsgi.recipes import session

__all__ = ["app"]

st.services.limiter.rate_limit = None


@app.get("/checked")
def checked() -> dict[str, str]:
    return {"userId": session.get_session(request, check_database=True).get_user_id()}
