"""JSON of other people's texts."""

from __future__ import annotations

import json
import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


def spelled(value: Any) -> str:
    """JSON of a value in one line, readable, that can be encoded whatever is in it.

    >>> spelled({"a": "é" + chr(0xD800)})
    '{"a": "é\\\\ud800"}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
