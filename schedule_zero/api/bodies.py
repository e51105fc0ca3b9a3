"""The JSON body of a request."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from schedule_zero.refusals import InvalidRequest

__all__ = ["decode_json"]

_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def decode_json(data: bytes) -> Any:
    r"""The value of a JSON document. Raises msgspec.DecodeError, or `InvalidRequest` for a number that is too long.

    >>> decode_json(b'{"job_method": "\\ud800"}')
    Traceback (most recent call last):
    ...
    msgspec.DecodeError: a text has half of a surrogate pair (one of \ud800 to \udfff alone), which is no character
    """
    try:
        return msgspec.json.decode(data)
    except msgspec.ValidationError as error:
        # Nothing is expected of the values here: it is a whole number with more digits than Python reads.
        raise InvalidRequest(_unreadable_in(data), str(error).partition(" - at ")[0]) from None
    except UnicodeDecodeError:
        raise msgspec.DecodeError("the body is no text in UTF-8") from None
    except msgspec.DecodeError:
        if _HALF_PAIR.search(data) and _is_else_well(data):
            words = r"a text has half of a surrogate pair (one of \ud800 to \udfff alone), which is no character"
            raise msgspec.DecodeError(words) from None
        raise


def _unreadable_in(data: bytes) -> str:
    """The field of an object whose value cannot be read; empty where it is no object."""
    try:
        parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, ValueError):
        return ""
    for name, part in parts.items():
        try:
            msgspec.json.decode(part)
        except (msgspec.DecodeError, ValueError):
            return name
    return ""


def _is_else_well(data: bytes) -> bool:
    """Whether Python's own reader, which takes half a pair for a character, can read it."""
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
