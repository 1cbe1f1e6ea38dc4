"""Errors and notes in the command line's words: an argument is called as the option that sets it."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Mapping
from typing import Any

import typer

from dataaudit.common.shown import visible
from dataaudit.errors import Argument, DataAuditError, InPython, arguments, either

ALIASES = {"resize": "size", "dataset": "data"}
"""Arguments whose option is called otherwise."""


class Wording:
    """Words of the command that `context` is of; without one there are no options."""

    def __init__(self, context: typer.Context | None) -> None:
        params = [] if context is None else context.command.params
        self._params: Mapping[str, Any] = {param.name: param for param in params if param.name}

    def text(self, text: str) -> str:
        """A text in one line, with options for all arguments that have one; the others stay as they are."""
        parts, last = [], 0
        for found in arguments(text):
            parts += [text[last : found.start], self._option(found) or text[found.start : found.end]]
            last = found.end
        return _line("".join([*parts, text[last:]]))

    def advice(self, error: DataAuditError) -> str:
        """What to do, of what can be done here; where that is nothing, what can be done in Python."""
        possible = [one for one in error.alternatives if self._can_be_followed(one)]
        return either([self.text(one) for one in possible]) if possible else f"in Python: {_line(error.action)}"

    def _option(self, found: Argument) -> str | None:
        """Option for an argument and its value; None where there is none."""
        name = ALIASES.get(found.name, found.name)
        param = self._params.get(name)
        if param is None:
            return self._options_of_call(found.value)
        if param.param_type_name == "argument":
            return name.upper()
        flag = max(param.opts, key=len)
        if param.is_flag:
            return str(param.secondary_opts[0]) if found.value == "False" and param.secondary_opts else flag
        return f"{flag} {_spelled(found.value)}" if found.value else flag

    def _options_of_call(self, value: str) -> str | None:
        """Options for the arguments of a call: ``holdout=Holdout(runs=200)`` sets --runs."""
        _, _, inner = value.partition("(")
        options = [self._option(found) for found in arguments(inner)]
        return " ".join(map(str, options)) if options and all(options) else None

    def _can_be_followed(self, advice: str) -> bool:
        return not isinstance(advice, InPython) and all(self._option(found) is not None for found in arguments(advice))


def _line(text: str) -> str:
    # A parser's own message may run over several lines.
    return visible(" ".join(text.split()))


def _spelled(value: str) -> str:
    """A value as a shell takes it."""
    try:
        literal: Any = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    if literal is None:
        return "none"
    return shlex.quote(",".join(map(str, literal)) if isinstance(literal, list) else str(literal))
