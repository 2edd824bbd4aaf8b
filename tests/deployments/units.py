"""Units of systemd, as far as they say how a program runs: its command, its environment, its folder."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import attrs


@attrs.frozen
class Unit:
    """
    A unit.

    :ivar settings: the values of each setting, in their order.
    """

    settings: dict[str, list[str]]

    @classmethod
    def read(cls, text: str) -> Unit:
        """
        Read a unit that has no line breaks within a value.

        :raises ValueError: a line is neither a section, a setting nor a comment.
        """
        settings: dict[str, list[str]] = {}
        for line in text.splitlines():
            if not line or line.startswith(("#", "[")):
                continue
            name, equals, value = line.partition("=")
            if not equals:
                raise ValueError(line)
            settings.setdefault(name, []).append(value)
        return cls(settings)

    def one(self, name: str) -> str:
        """Return the value of a setting that is there once."""
        (value,) = self.settings[name]
        return value

    def environment(self) -> dict[str, str]:
        """Return what the unit adds to the environment. Settings in files win, as with systemd."""
        lines = list(self.settings.get("Environment", []))
        for name in self.settings.get("EnvironmentFile", []):
            lines += [line for line in Path(name).read_text().splitlines() if line and not line.startswith("#")]
        pairs = (line.partition("=") for line in lines)
        return {name: value for name, _, value in pairs}

    def command(self, name: str, given: Mapping[str, str] = os.environ) -> list[str]:
        """Return the words of a command, with the variables that systemd replaces."""

        def value(match: re.Match[str]) -> str:
            return given[match[1] or match[2]]

        return [re.sub(r"\$\{(\w+)\}|\$(\w+)", value, word) for word in shlex.split(self.one(name))]
