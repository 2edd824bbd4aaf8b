"""What a package shows to others."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType
from typing import ParamSpec, TypeVar


def public_names(package: ModuleType) -> list[str]:
    """
    The names that a package defines, and those that it imports as themselves (PEP 484), in their order.

    st_verify lists its names in ``__all__`` instead.
    """
    names: list[str] = list(getattr(package, "__all__", ()))
    for node in ast.parse(inspect.getsource(package)).body if not names else ():
        if isinstance(node, ast.ImportFrom):
            names += [name.name for name in node.names if name.asname == name.name]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    shown = [name for name in names if name == "__version__" or not name.startswith("_")]
    return [name for name in shown if not isinstance(getattr(package, name), TypeVar | ParamSpec)]
