"""Forms: fields with label, hint and error, and the values that users entered, as the APIs expect them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ..recipe_kit.forms import EMAIL, PASSWORD, FormField
from .html import Content, Html, h, joined
from .protection import FORM_TOKEN
from .settings import Field
from .visit import Visit

ACTION = "st-action"
"""The name of the hidden field that tells the forms of one page apart."""

_KNOWN = {
    EMAIL: Field(label="E-mail address", type="email", autocomplete="username"),
    PASSWORD: Field(label="Password", type="password", autocomplete="new-password"),
    "name": Field(autocomplete="name"),
    "first_name": Field(autocomplete="given-name"),
    "last_name": Field(autocomplete="family-name"),
    "phone": Field(type="tel", autocomplete="tel"),
}


@attrs.frozen(kw_only=True)
class Entry:
    """
    One field of a form as it is shown.

    ::

        Entry(name="email", field=Field(label="E-mail address", type="email", autocomplete="username"))

    :param inputmode: which keyboard a phone shows.
    :param optional: it may stay empty.
    :param fixed: its value, if users cannot change it. The browser may send another one.
    """

    name: str
    field: Field
    inputmode: str | None = None
    optional: bool = False
    fixed: str | None = None


def entry(visit: Visit, field: FormField, *, autocomplete: str | None = None) -> Entry:
    """Return how a field of a recipe's form is shown: the app's setting, else what is usual for its name."""
    shown = visit.pages.fields.get(field.id) or _KNOWN.get(field.id) or Field()
    if autocomplete is not None:
        shown = attrs.evolve(shown, autocomplete=autocomplete)
    elif shown is _KNOWN[PASSWORD] and (hint := visit.context.services.named("emailpassword").password_hint):
        text, number = hint
        shown = attrs.evolve(shown, hint=visit.text(text, number=str(number)))
    return Entry(name=field.id, field=shown, optional=field.optional)


def form(
    visit: Visit,
    entries: Iterable[Entry],
    *,
    submit: str,
    action: str = "",
    after_fields: Content = None,
    secondary: bool = False,
    hidden: Mapping[str, str] | None = None,
    describes: str | None = None,
) -> Html:
    """
    Return a form that posts to the address of its page.

    When it was sent and not accepted, it says why, and the first field with an error gets the focus.

    ::

        def sign_out(visit):
            return View("Bye", form(visit, (), submit="Sign out"))

        Pages(replaced={"/sign-out": sign_out})

    :param submit: the English text of the button.
    :param action: the value of :data:`ACTION`, if the page has several forms.
    :param after_fields: what stands between the fields and the button.
    :param secondary: the button is not the most important one of the page.
    :param hidden: further fields that users do not see.
    :param describes: the id of an element that describes the button, if several buttons of the page have the same text.
    """
    fields = list(entries)
    problem = visit.form_problem if visit.form.get(ACTION, "") == action else None
    wrong = problem.fields if problem is not None else {}
    first = next((one.name for one in fields if one.name in wrong), None)
    rows = [_row(visit, one, wrong.get(one.name), action=action, focus=one.name == first) for one in fields]
    return h(
        "form",
        None if problem is None else alert(problem.message, focus=first is None),
        h("input", type="hidden", name=FORM_TOKEN, value=visit.form_token),
        h("input", type="hidden", name=ACTION, value=action) if action else None,
        [h("input", type="hidden", name=name, value=value) for name, value in (hidden or {}).items()],
        rows,
        after_fields,
        h(
            "button",
            visit.text(submit),
            type="submit",
            class_="secondary" if secondary else None,
            aria_describedby=describes,
        ),
        method="post",
        novalidate=True,
    )


def alert(message: str, *, focus: bool = False) -> Html:
    """Return a message that screen readers announce."""
    return h("p", message, class_="alert", role="alert", tabindex="-1" if focus else None, autofocus=focus)


def note(message: str) -> Html:
    """Return a message about something that was done."""
    return h("p", message, class_="good", role="status")


def api_fields(visit: Visit, fields: Iterable[FormField]) -> list[dict[str, Any]]:
    """Return what was entered as the ``formFields`` of an API. Fields that stayed empty are left out."""
    entered: list[dict[str, Any]] = []
    for field in fields:
        value = visit.form.get(field.id, "")
        shown = visit.pages.fields.get(field.id)
        if value != "":
            is_checkbox = shown is not None and shown.type == "checkbox"
            entered.append({"id": field.id, "value": True if is_checkbox else value})
    return entered


def _row(visit: Visit, one: Entry, error: str | None, *, action: str, focus: bool) -> Html:
    field, name = one.field, f"{action}-{one.name}" if action else one.name
    label = visit.text(field.label or one.name.replace("_", " ").capitalize())
    if one.optional:
        label = visit.text("{label} (optional)", label=label)
    hint = None if field.hint is None else h("span", visit.text(field.hint), id=f"{name}-hint", class_="hint")
    wrong = None if error is None else h("span", error, id=f"{name}-error", class_="error")
    described = [f"{name}-{part}" for part, element in (("hint", hint), ("error", wrong)) if element is not None]
    is_email, is_checkbox = field.type == "email", field.type == "checkbox"
    kept = one.fixed or (visit.form.get(one.name) if field.type != "password" else None)
    box = h(
        "input",
        id=name,
        name=one.name,
        type=field.type,
        value="yes" if is_checkbox else kept,
        checked=is_checkbox and kept is not None,
        autocomplete=field.autocomplete,
        inputmode=one.inputmode,
        autocapitalize="none" if is_email else None,
        spellcheck="false" if is_email or field.type == "password" else None,
        required=not one.optional,
        readonly=one.fixed is not None,
        aria_invalid="true" if error is not None else None,
        aria_describedby=" ".join(described) or None,
        autofocus=focus,
        maxlength=None if is_checkbox or field.type in ("number", "date") else "1000",
    )
    name_of = h("label", label, for_=name)
    parts = joined(box, name_of, hint, wrong) if is_checkbox else joined(name_of, hint, box, wrong)
    return h("div", parts, class_="check" if is_checkbox else "field")
