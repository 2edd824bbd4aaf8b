"""
The marks on the buttons of providers: the first letter of the name, on a colour that people know from the provider.

These are no logos: those belong to the providers, who have rules for their use.
"""

from __future__ import annotations

from .html import Html, h
from .settings import Brand

_COLOURS = {
    "active-directory": "#0067b8",
    "apple": "#000000",
    "bitbucket": "#0052cc",
    "discord": "#5865f2",
    "facebook": "#0866ff",
    "github": "#24292f",
    "gitlab": "#fc6d26",
    "google": "#1967d2",
    "linkedin": "#0a66c2",
    "okta": "#3f59e4",
    "twitter": "#0f1419",
}
_OTHER = "#555b66"


def mark(provider_id: str, name: str) -> Html:
    """
    Return the mark of a provider. It says nothing that the text beside it does not say, so screen readers skip it.

    :param provider_id: such as ``google``, or ``google-workspaces``.
    """
    known = (colour for own, colour in _COLOURS.items() if f"{provider_id}-".startswith(f"{own}-"))
    colour = next(known, _OTHER)
    letter = next((sign.upper() for sign in name if sign.isalnum()), "?")
    place = {"x": "1", "y": "1", "width": "22", "height": "22", "rx": "6"}
    # The line around it shows where a dark mark ends on a dark page.
    ground = h("rect", fill=colour, stroke="currentColor", stroke_opacity=".3", **place)
    text = h("text", letter, x="12", y="17", text_anchor="middle", fill=Brand(colour=colour).text_colour)
    return h("svg", ground, text, viewBox="0 0 24 24", class_="mark", aria_hidden="true")
