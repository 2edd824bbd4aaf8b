"""The page of the doctor: its findings with their cures, and its commands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pages import blocks, sections

from doctor.conftest import Doctor
from doctor.setups import Place, page, serving
from st_wsgi import Cors, SuperTokens, cli
from st_wsgi.doctor.finding import KNOWN

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PAGE = Path(__file__).parent.parent.parent.joinpath("docs", "doctor.md").read_text(encoding="utf-8")
COMMANDS = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]


def test_the_page_has_each_finding_with_its_cure() -> None:
    parts = sections(PAGE)
    assert {title for title in parts if title.islower() and " " not in title} == set(KNOWN)
    for name, (severity, cure) in KNOWN.items():
        assert parts[name].rstrip().endswith(f"\n*{severity}*: {cure}")
        assert severity in ("error", "warning")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page(command: str, place: Place, doctor: Doctor) -> None:
    """The addresses are those of a server here, and the app is one in this process."""
    website = "http://127.0.0.1:5173"
    instances: list[SuperTokens] = []

    def make(url: str) -> WSGIApplication:
        instances.append(place.local(url, info={"website_domain": website}, cors=Cors(origins=[website])))
        return instances[0].wrap(page)

    url = place.stack.enter_context(serving(make))
    names = {"https://api.shop.example": url, "https://shop.example": website, "app:app": place.named(instances[0])}
    program, name, *given = shlex.split(command)
    arguments = [names.get(argument, argument) for argument in given]
    assert program == "st-wsgi"
    if name == "doctor":
        assert doctor(*arguments) == set()
    else:
        assert cli.main([name, *arguments]) == 0
