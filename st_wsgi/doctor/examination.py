"""The command ``doctor``: all checks, one after the other, and the report."""

from __future__ import annotations

import json
import logging
import pathlib
from collections.abc import Callable, Iterator

import attrs

from ..errors import ConfigError
from ..recipes.session import Session
from ..urls import normalise_origin
from . import core, database, responses, server, settings
from .backend import Backend, in_process, over_http
from .finding import Finding
from .instance import CannotLook, Loaded, load


@attrs.define
class Report:
    """
    What was looked at, and what was found.

    :ivar looked_at: names of the checks.
    """

    looked_at: list[str] = attrs.field(factory=list)
    findings: list[Finding] = attrs.field(factory=list)

    def add(self, name: str, check: Callable[[], Iterator[Finding]]) -> None:
        """Run a check. One that fails is a finding, too."""
        self.looked_at.append(name)
        try:
            for finding in check():
                if finding not in self.findings:
                    self.findings.append(finding)
        except Exception as error:  # its text could have a secret
            self.findings.append(Finding("check-failed", f"the check of {name} raised {type(error).__name__}"))

    def json(self) -> str:
        """Return the report for programs."""
        found = [finding.json() for finding in self.findings]
        return json.dumps({"lookedAt": self.looked_at, "findings": found}, indent=2)

    def text(self) -> str:
        """Return the report for people."""
        looked = f"looked at: {', '.join(self.looked_at)}"
        if not self.findings:
            return f"nothing found; {looked}"
        return "\n".join([*(finding.text() for finding in self.findings), f"{len(self.findings)} found; {looked}"])


def examine(
    address: str | None = None, app: str | None = None, website: str | None = None, processes: int | None = None
) -> Report:
    """
    Look at what is asked for. Nothing is changed, but importing an app does what its start does.

    :param address: of a back end that runs.
    :param app: the name of an app, as ``module:attribute``.
    :param website: the address of the pages that call the back end, in the place of those in the app's settings.
    :param processes: that serve the app.
    :raises CannotLook: there is nothing to look at.
    """
    if address is None and app is None:
        raise CannotLook("name the address of a back end, or an app with --app module:attribute")
    logging.getLogger("st_wsgi").addHandler(logging.NullHandler())  # the report says the same
    report = Report()
    loaded: Loaded | None = None
    if app is not None:
        try:
            loaded = load(app)
        except ConfigError as error:
            report.looked_at.append("start")
            report.findings.append(Finding("refused", str(error)))
    if loaded is not None:
        _settings(report, loaded, processes)
    backend = None if address is None else over_http(address, None if loaded is None else loaded.base_path)
    _responses(report, backend, loaded, website)
    return report


def _settings(report: Report, loaded: Loaded, processes: int | None) -> None:
    st, app = loaded.st, loaded.app
    try:
        served = server.configured(pathlib.Path.cwd(), processes)
    except Exception as error:  # the file may raise anything
        raise CannotLook(f"the settings of gunicorn cannot be read: {type(error).__name__}") from error
    many, public = served.workers, settings.is_public(st)
    report.add("addresses", lambda: settings.addresses(st))
    report.add("cookies", lambda: settings.cookies(st))
    report.add("messages", lambda: settings.messages(st))
    report.add("limits", lambda: settings.limits(st, many))
    report.add("debugging", lambda: settings.debugging(st, app))
    report.add("server", lambda: server.examine(served, public=public))
    report.add("core", lambda: core.over_http(st))
    report.add("embedded core", lambda: core.embedded(st, many))
    report.add("database", lambda: database.examine(st, app, many))


def _responses(report: Report, backend: Backend | None, loaded: Loaded | None, website: str | None) -> None:
    own = None if loaded is None else in_process(loaded.wsgi, loaded.st.app_info)
    asked = backend or own
    if asked is None:
        return  # an app that does not start
    websites = () if loaded is None else loaded.st.app_info.possible_origins
    if website is not None:
        websites = (normalise_origin(website, setting="--website"),)
    policy = "any" if loaded is None else loaded.st.services.get(Session).get_token_transfer_method
    transfer = policy if isinstance(policy, str) else "unknown"
    keys = set() if own is None or asked is own else responses.key_ids(own.ask("GET", responses.KEYS))
    report.add("responses", lambda: responses.examine(asked, websites, transfer=transfer, known_keys=keys))
