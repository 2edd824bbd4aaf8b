"""An example app with the test page beside it, on one origin: the app for a WSGI server of the tests.

``EXAMPLE`` names the file of the example, ``PAGE_FOLDER`` the folder that is served as ``/testpage/``. The links of
mails lead to the test page too.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from werkzeug.middleware.shared_data import SharedDataMiddleware

FOLDER = Path(os.environ["PAGE_FOLDER"])
LINKED = {f"/auth/{path}": str(FOLDER / "page.html") for path in ("reset-password", "verify-email")}
SERVED = {"/testpage": str(FOLDER), "/auth/page.js": str(FOLDER / "page.js"), **LINKED}

app = SharedDataMiddleware(runpy.run_path(os.environ["EXAMPLE"])["app"], SERVED)
