"""The site in web.py: a class for each path, and an ``internalerror`` that leaves our errors to us."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import web

from frameworks.sites import end_and_change, naming_the_user, nothing, only_admin, user_in, user_of
from st_wsgi import RecipeUserId, SuperTokens, answer_error
from st_wsgi.errors import Forbidden
from st_wsgi.recipes import session
from st_wsgi.recipes.session import current_session, get_session, verify_session

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Login:
    def POST(self) -> str:
        user, claims = user_in(web.ctx.environ, web.data())
        return session.create_new_session(
            web.ctx, recipe_user_id=RecipeUserId(user), access_token_payload=claims
        ).get_user_id()


class WithSession:
    def GET(self) -> str:
        return get_session(web.ctx).get_user_id()

    POST = GET


class Decorated:
    @verify_session()
    def GET(self) -> str:
        return current_session().get_user_id()


class Account:
    def GET(self) -> str:
        return current_session(web.ctx).get_user_id()


class Optional:
    @verify_session(session_required=False)
    def GET(self) -> str:
        return user_of(web.ctx)


class Checked:
    @verify_session(check_database=True)
    def GET(self) -> str:
        return current_session().get_user_id()


class Admin:
    @verify_session(override_global_claim_validators=only_admin)
    def GET(self) -> str:
        return current_session().get_user_id()


class Relaxed:
    def GET(self) -> str:
        return get_session(web.ctx, override_global_claim_validators=nothing).get_user_id()


class Grow:
    def GET(self) -> str:
        current = get_session(web.ctx)
        current.merge_into_access_token_payload({"colour": "green"})
        return current.get_user_id()


class Data:
    def GET(self) -> str:
        return json.dumps(get_session(web.ctx).get_session_data_from_database())


class Ended:
    def GET(self) -> str:
        end_and_change(web.ctx)
        return "not reached"


class Denied:
    def GET(self) -> str:
        raise Forbidden


class Stream:
    def GET(self) -> Iterator[str]:
        # A generator: nothing of it runs before web.py asks for the first part.
        current = get_session(web.ctx)
        current.merge_into_access_token_payload({"colour": "green"})
        yield from current.get_user_id()


class Crash:
    def GET(self) -> str:
        raise RuntimeError("the app's own error")


URLS: tuple[Any, ...] = (
    *("/login", Login),
    *("/session", WithSession),
    *("/decorated", Decorated),
    *("/class", Account),
    *("/optional", Optional),
    *("/checked", Checked),
    *("/admin", Admin),
    *("/relaxed", Relaxed),
    *("/grow", Grow),
    *("/data", Data),
    *("/ended", Ended),
    *("/forbidden", Denied),
    *("/stream", Stream),
    *("/crash", Crash),
)


def protect(handle: Callable[[], Any]) -> Any:
    """Refuse visitors of ``/class`` without a session: a processor, web.py's own way to run something before a view."""
    web.header("Content-Type", "text/plain")
    if web.ctx.path == "/class":
        get_session(web.ctx)
    return handle()


def build(st: SuperTokens, *, catch_all: bool = False) -> WSGIApplication:
    app = web.application(URLS, {}, autoreload=False)
    app.add_processor(protect)

    def internal_error() -> Exception:
        answer_error()
        page: Exception = web.internalerror("caught" if catch_all else "an error")
        return page

    app.internalerror = internal_error
    return naming_the_user(st.wrap(app.wsgifunc()))
