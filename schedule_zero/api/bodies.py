"""The JSON body of a request."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

__all__ = ["decode_json"]

_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def decode_json(data: bytes) -> Any:
    r"""The value of a JSON document. Raises msgspec.DecodeError.

    >>> decode_json(b'{"job_method": "\\ud800"}')
    Traceback (most recent call last):
    ...
    msgspec.DecodeError: a text has half of a surrogate pair (one of \ud800 to \udfff alone), which is no character
    """
    try:
        return msgspec.json.decode(data)
    except UnicodeDecodeError:
        raise msgspec.DecodeError("the body is no text in UTF-8") from None
    except msgspec.DecodeError:
        if _HALF_PAIR.search(data) and _is_else_well(data):
            words = r"a text has half of a surrogate pair (one of \ud800 to \udfff alone), which is no character"
            raise msgspec.DecodeError(words) from None
        raise


def _is_else_well(data: bytes) -> bool:
    """Whether Python's own reader, which takes half a pair for a character, can read it."""
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
