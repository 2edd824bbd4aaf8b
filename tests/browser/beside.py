"""An example app with the test page beside it, on one origin: the app for a WSGI server of the tests.

``EXAMPLE`` names the file of the example, ``PAGE_FOLDER`` the folder that is served as ``/testpage/``.
"""

from __future__ import annotations

import os
import runpy

from werkzeug.middleware.shared_data import SharedDataMiddleware

app = SharedDataMiddleware(runpy.run_path(os.environ["EXAMPLE"])["app"], {"/testpage": os.environ["PAGE_FOLDER"]})
