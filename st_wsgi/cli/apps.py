"""The commands ``doctor``, ``routes`` and ``openapi``: they look at an app. Their modules are loaded when one runs."""

from __future__ import annotations

import argparse
import json
import sys

from ..errors import SuperTokensError
from .command import Commands, show


def add(commands: Commands) -> None:
    """Add the commands."""
    examining = commands.add_parser(
        "doctor",
        help="say why sessions fail, and the cure",
        description="Say what is wrong with a set-up, and the cure. Nothing is changed.",
        epilog="exit status: 0 nothing found, 1 something found, 2 could not look",
    )
    examining.add_argument("url", nargs="?", help="the address of an API that runs, such as https://api.shop.example")
    examining.add_argument("--website", metavar="URL", help="the address of the pages that call it")
    examining.add_argument("--processes", type=int, metavar="N", help="how many serve the app (default: of gunicorn)")
    examining.set_defaults(run=_doctor)
    listing = commands.add_parser("routes", help="list the routes of an app, and what answers them")
    listing.set_defaults(run=_routes)
    describing = commands.add_parser("openapi", help="print an OpenAPI 3.1 document of the routes of an app")
    describing.set_defaults(run=_openapi)
    for parser in (examining, listing, describing):
        needed = parser is not examining
        parser.add_argument("--app", required=needed, metavar="MODULE:NAME", help="the app, which is imported")
    for parser in (examining, listing):
        parser.add_argument("--json", action="store_true", help="print JSON")


def _doctor(arguments: argparse.Namespace) -> int:
    from ..doctor.examination import examine

    try:
        report = examine(arguments.url, arguments.app, arguments.website, arguments.processes)
    except SuperTokensError as error:
        print(f"st-wsgi: {error}", file=sys.stderr)
        return 2
    print(report.json() if arguments.json else report.text())
    return 1 if report.findings else 0


def _routes(arguments: argparse.Namespace) -> int:
    from ..doctor import routes
    from ..doctor.instance import load

    rows = routes.mounted(load(arguments.app).st)
    show(arguments, [row.json() for row in rows], routes.table(rows))
    return 0


def _openapi(arguments: argparse.Namespace) -> int:
    from ..doctor.instance import load
    from ..doctor.openapi import document

    print(json.dumps(document(load(arguments.app).st), indent=2))
    return 0
