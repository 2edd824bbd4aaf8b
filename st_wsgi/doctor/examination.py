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


@attrs.frozen(kw_only=True)
class Asked:
    """
    What the command line asks for.

    :param address: of a back end that runs.
    :param app: the name of an app, as ``module:attribute``.
    :param website: the address of the pages that call the back end, in the place of those in the app's settings.
    :param processes: that serve the app.
    """

    address: str | None = None
    app: str | None = None
    website: str | None = None
    processes: int | None = None


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


def examine(asked: Asked) -> Report:
    """
    Look at what is asked for. Nothing is changed, but importing an app does what its start does.

    :raises CannotLook: there is nothing to look at.
    """
    if asked.address is None and asked.app is None:
        raise CannotLook("name the address of a back end, or an app with --app module:attribute")
    logging.getLogger("st_wsgi").addHandler(logging.NullHandler())  # the report says the same
    report = Report()
    loaded: Loaded | None = None
    if asked.app is not None:
        try:
            loaded = load(asked.app)
        except ConfigError as error:
            report.looked_at.append("start")
            report.findings.append(Finding("refused", str(error)))
    if loaded is not None:
        _settings(report, loaded, asked.processes)
    if asked.address is not None or loaded is not None:
        _responses(report, asked, loaded)
    return report


def _settings(report: Report, loaded: Loaded, processes: int | None) -> None:
    st, app = loaded.st, loaded.app
    served = server.configured(pathlib.Path.cwd(), processes)
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


def _responses(report: Report, asked: Asked, loaded: Loaded | None) -> None:
    info = None if loaded is None else loaded.st.app_info
    policy = "any" if loaded is None else loaded.st.services.get(Session).get_token_transfer_method
    if asked.address is not None:
        backend: Backend = over_http(asked.address, None if info is None else info.public_base_path)
    else:
        assert loaded is not None
        backend = in_process(loaded.wsgi, loaded.st.app_info)
    websites = () if info is None else info.possible_origins
    if asked.website is not None:
        websites = (normalise_origin(asked.website, setting="--website"),)
    transfer = policy if isinstance(policy, str) else "unknown"
    report.add("responses", lambda: responses.examine(backend, websites, transfer=transfer))
