"""
Prints what the official Python SDK has, as one JSON object: functions with their parameters, settings of recipes,
methods of a session, and which of the dotted names that standard input has (a JSON array) do not exist.
"""
# mypy: disable-error-code="import-not-found, import-untyped, no-any-unimported"
# (the SDK is installed in an environment of its own, where mypy does not look)

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import pkgutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from supertokens_python import recipe
from supertokens_python.recipe.session import SessionContainer


def functions(module: Any) -> dict[str, list[str]]:
    """Return the parameters of each function that a module defines itself."""
    return {
        name: list(inspect.signature(member).parameters)
        for name, member in vars(module).items()
        if inspect.isfunction(member) and member.__module__ == module.__name__
    }


def exists(dotted: str) -> bool:
    """Return whether a module has a name. What imports Django, which is not installed here, is read and not run."""
    module, name = dotted.rsplit(".", 1)
    if ".django." not in dotted:
        return hasattr(import_module(module), name)
    file = Path(recipe.__file__).parent.parent.joinpath(*module.split(".")[1:])
    file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
    return name in {getattr(node, "name", None) for node in ast.parse(file.read_text()).body}


recipes = [module.name for module in pkgutil.iter_modules(recipe.__path__) if module.ispkg]
package = recipe.__name__
with_functions = [name for name in recipes if importlib.util.find_spec(f"{package}.{name}.syncio") is not None]
print(
    json.dumps(
        {
            "functions": {
                "": functions(import_module("supertokens_python.syncio")),
                **{name: functions(import_module(f"{package}.{name}.syncio")) for name in with_functions},
            },
            "settings": {
                name: list(inspect.signature(import_module(f"{package}.{name}").init).parameters) for name in recipes
            },
            "session": [name for name in dir(SessionContainer) if not name.startswith("_")],
            "missing": [name for name in json.load(sys.stdin) if not exists(name)],
        }
    )
)
