"""
CPU time that a request costs more with sessions than without: added to the bare app, in Flask and in Django.

Every app is called in a process of its own, without a server, on a core that is served over HTTP; in each process the
bare app and the one with sessions take turns of ten requests, and the processes take turns of a few hundred. The access
token is the same one every time, so that what it costs to meet it first is not in here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.programs import Child, child, core
from benchmarks.report import Goal, Row, main, quotients, row

APPS = ("flask_st_wsgi", "flask_st_wsgi_pages", "flask_official", "django_st_wsgi", "django_official")
CASES = {
    "anonymous": "not ours, no session",
    "plain": "not ours, session cookie",
    "header": "protected, by header",
    "cookie": "protected, by cookie",
}
#: Requests a round; the official SDK needs milliseconds for one.
COUNTS = {"st_wsgi": 300, "st_wsgi_pages": 300, "official": 30}
#: Microseconds.
NOT_OURS, PROTECTED = 3, 15


def measure(quick: bool) -> list[Row]:
    added = {(app, case): [] for case in CASES for app in APPS}  # type: dict[tuple[str, str], list[float]]
    with tempfile.TemporaryDirectory() as folder, core(Path(folder)) as url, ExitStack() as stack:
        children = {
            app: stack.enter_context(
                child("benchmarks.request_child", f"benchmarks.apps.{app}", env={"BENCH_CORE": url})
            )
            for app in APPS
        }
        for number in range(-1, 9 if quick else 45):
            for app in APPS[number % len(APPS) :] + APPS[: number % len(APPS)]:
                for case in CASES:
                    cost = _added(children[app], app, case)
                    if number >= 0:  # the round before the first one warms up
                        added[app, case].append(cost)
    return [line for framework in ("flask", "django") for case in CASES for line in _rows(framework, case, added)]


def _added(process: Child, app: str, case: str) -> float:
    _, _, kind = app.partition("_")
    return float(process.ask({"case": case, "count": COUNTS[kind]})["added"])


def _rows(framework: str, case: str, added: dict[tuple[str, str], list[float]]) -> Sequence[Row]:
    name = f"added CPU, {framework.capitalize()}, {CASES[case]}"
    ours, theirs = added[f"{framework}_st_wsgi", case], added[f"{framework}_official", case]
    with_pages = added.get((f"{framework}_st_wsgi_pages", case))
    protected = case in ("header", "cookie")
    at_most = Goal(of="value", at_most=PROTECTED if protected else NOT_OURS)
    times = Goal(of="ratio", at_least=10) if protected else None
    return [
        row(name, "st_wsgi", ours, "us", goal=at_most),
        *([] if with_pages is None else [row(name, "st_wsgi with Pages", with_pages, "us", goal=at_most)]),
        row(name, "supertokens-python", theirs, "us", ratios=quotients(theirs, ours), goal=times),
    ]


if __name__ == "__main__":
    main(__doc__ or "", measure)
