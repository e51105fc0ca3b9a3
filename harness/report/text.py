"""Text made safe for where it is shown: pages, XML, terminals."""

from __future__ import annotations

import re

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 forbids; browsers and parsers of reports stumble over these."""
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves a terminal's cursor, changes its colours, turns the direction of writing, or cannot be encoded."""


def legal(text: str) -> str:
    """`text` with the characters that HTML and XML forbid made visible as U+FFFD."""
    return _ILLEGAL.sub("\ufffd", text)


def readable(text: str) -> str:
    """`text` as UTF-8 can hold it: bytes of an argument or a path that are no UTF-8 (PEP 383) are shown as U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def printable(text: str, limit: int = 500) -> str:
    """`text` for a terminal: at most `limit` characters, none of which a terminal obeys.

    >>> printable("a\\x1b[31mb")
    'a\ufffd[31mb'
    """
    shown = _CONTROL.sub(lambda m: " " if m[0] == "\t" else "\ufffd", text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
