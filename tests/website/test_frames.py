"""Pages inside the app's own templates, of each engine, and pages of the app in place of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django.template
import jinja2
import mako.template
import pytest
from recipes.shop import PASSWORD, Borrowed

from st_wsgi.pages import Brand, PageParts, Pages, View, Visit, h
from website.conftest import with_pages
from website.person import Person

JINJA = """<!doctype html><html lang="{{ page.language }}" dir="{{ page.direction }}">
<head><title>{{ page.title }}</title>{{ page.head }}</head><body><nav>Shop</nav>{{ page.body }}</body></html>"""
MAKO = """<!doctype html><html lang="${page.language}" dir="${page.direction}">
<head><title>${page.title}</title>${page.head}</head><body><nav>Shop</nav>${page.body}</body></html>"""


def with_jinja() -> Callable[[PageParts], str]:
    template = jinja2.Environment(autoescape=True).from_string(JINJA)
    return lambda page: template.render(page=page)


def with_mako() -> Callable[[PageParts], str]:
    template = mako.template.Template(MAKO, default_filters=["h"])
    return lambda page: str(template.render(page=page))


def with_django() -> Callable[[PageParts], str]:
    template = django.template.Engine().from_string(JINJA)
    return lambda page: str(template.render(django.template.Context({"page": page})))


@pytest.mark.parametrize("made", [with_jinja, with_mako, with_django])
def test_a_template_of_each_engine_takes_the_parts_as_they_are(
    core: Borrowed, made: Callable[[], Callable[[PageParts], str]]
) -> None:
    pages = Pages(frame=made(), brand=Brand(name="Cups & <Mugs>"), texts={"ar": {}})
    person = Person(with_pages(core, pages=pages), language="ar")
    screen = person.open("/auth?show=signup")
    assert screen.all("html")[0].attributes == {"lang": "ar", "dir": "rtl"}
    assert [nav.text for nav in screen.all("nav")] == ["Shop"]
    assert screen.all("title")[0].text == "Create your account · Cups & <Mugs>"
    assert screen.all("mugs") == []
    [sheet] = screen.all("link", rel="stylesheet")
    assert person.client.get(str(sheet.attributes["href"]), base_url=person.origin).status_code == 200
    assert screen.all("header") == []
    error = person.submit(email="<i>", password=PASSWORD)
    assert error.all("input", name="email")[0].attributes["value"] == "<i>"
    assert error.error_of("email") == "Email is invalid"
    assert error.all("i") == []
    assert person.submit(email=person.email, password=PASSWORD).status == 200


def test_a_frame_gets_every_page_also_those_of_errors(core: Borrowed) -> None:
    titles: list[str] = []
    frame = with_jinja()

    def kept(page: PageParts) -> str:
        titles.append(page.title)
        return frame(page)

    person = Person(with_pages(core, pages=Pages(frame=kept)))
    person.open("/orders")
    person.send("POST", "/auth", {"st-form-token": "0"})
    person.open("/auth/reset-password")
    assert titles == [
        "Sign in to Shop · Shop",
        "Error: This form is out of date · Shop",
        "Forgot your password? · Shop",
    ]


def test_a_page_of_the_app_may_use_our_form(core: Borrowed) -> None:
    def own(visit: Visit) -> View:
        hidden = h("input", type="hidden", name="st-form-token", value=visit.form_token)
        problem = None if visit.form_problem is None else h("p", visit.form_problem.message, role="alert")
        button = h("button", "Leave us")
        return View("Goodbye", [problem, h("form", hidden, button, method="post")])

    replaced: dict[str, Any] = {"/sign-out": own}
    person = Person(with_pages(core, pages=Pages(replaced=replaced)))
    person.sign_up()
    assert person.open("/auth/sign-out").heading == "Goodbye"
    person.submit()
    assert person.cookie("sAccessToken") is None
