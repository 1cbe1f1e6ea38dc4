"""Packages whose names are resolved when they are first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def resolver(package: str, public: Mapping[str, str]) -> Callable[[str], Any]:
    """``__getattr__`` of a package, of a table from names to "module:attribute", or to a module.

    >>> resolver("here", {"root": "math:sqrt", "mathematics": "math"})("root")(9)
    3.0
    """

    def resolve(name: str) -> Any:
        if name not in public:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = public[name].partition(":")
        found: Any = importlib.import_module(module)
        return getattr(found, attribute) if attribute else found

    return resolve
