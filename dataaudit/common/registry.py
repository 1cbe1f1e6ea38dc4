"""Registries of named parts, each loaded when it is first used."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from dataaudit.errors import SettingError, did_you_mean


class Catalogue(dict[str, str]):
    """Names with one line each; prints as a list."""

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}}  {line}" for name, line in self.items())


class Registry:
    """Lazy table from names to "module:attribute"; other packages register parts of their own in an entry-point group.

    `kind` is what the parts are, for error messages ("scorer").
    """

    def __init__(self, kind: str, builtin: Mapping[str, str], group: str) -> None:
        self.kind, self.group, self._builtin = kind, group, dict(builtin)

    def _plugins(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)}

    def builtin_names(self) -> list[str]:
        """Names of the library's own parts, in their order."""
        return list(self._builtin)

    def names(self) -> list[str]:
        """Every registered name: built-in ones first, in their order, then plug-ins by name."""
        return [*self._builtin, *sorted(set(self._plugins()) - set(self._builtin))]

    def describe(self) -> Catalogue:
        """Every registered name with one line: the part's `summary`, or else the first line of its docstring."""
        lines = Catalogue()
        for name in self.names():
            part = self.get(name)
            lines[name] = getattr(part, "summary", "") or (inspect.getdoc(part) or "").partition("\n")[0]
        return lines

    def get(self, name: str) -> Any:
        """Part called `name`, or a `SettingError` that suggests the nearest name."""
        if name in self._builtin:
            module, attribute = self._builtin[name].split(":")
            return getattr(importlib.import_module(module), attribute)
        plugins = self._plugins()
        if name in plugins:
            return plugins[name].load()
        raise SettingError(f"{self.kind} {name!r}", f"a registered {self.kind}", did_you_mean(name, self.names()))

    def instance(self, name: str) -> Any:
        """Part called `name`; one with its default settings where a class is registered."""
        part = self.get(name)
        return part() if isinstance(part, type) else part

    def resolve(self, part: Any, protocol: Any, arrived: str, expected: str, *also: str) -> Any:
        """Part by name, or the instance itself if it keeps `protocol`; `also` are names that an error lists besides."""
        resolved = self.instance(part) if isinstance(part, str) else part
        if not isinstance(resolved, protocol) or isinstance(resolved, type):
            raise SettingError(arrived, expected, did_you_mean(part, [*also, *self.names()]))
        return resolved

    def classes(self) -> list[str]:
        """Classes among the built-in parts, by their own names."""
        attributes = [target.partition(":")[2] for target in self._builtin.values()]
        return [attribute for attribute in attributes if attribute[0].isupper()]

    def class_called(self, attribute: str) -> Any:
        """Class among the built-in parts, by its own name: ``__getattr__`` of a namespace."""
        for name, target in self._builtin.items():
            if target.endswith(f":{attribute}") and attribute in self.classes():
                return self.get(name)
        raise AttributeError(f"no {self.kind} of class {attribute!r}; there are {', '.join(self.classes())}")
