"""The Flask example without limits of attempts: all visitors of a benchmark come from one address."""

from __future__ import annotations

from examples.flask_app import app, st

__all__ = ["app"]

st.services.limiter.rate_limit = None
