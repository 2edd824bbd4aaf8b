"""Flask with st_wsgi and its pages."""

from __future__ import annotations

import st_wsgi
from benchmarks.apps import API, CORE
from benchmarks.apps.flask_site import site
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session


def me() -> dict[str, str]:
    return {"userId": session.get_session().get_user_id()}


st = st_wsgi.init(
    app_info=st_wsgi.AppInfo(app_name="bench", api_domain=API, website_domain=API),
    core=CORE,
    recipes=[EmailPassword(), Session(), Pages()],
    rate_limit=None,  # one visitor signs in again and again
)
bare = site(me).wsgi_app
app = st.wrap(bare)
