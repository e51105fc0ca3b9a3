"""What the compiled layer of pyzmq takes for a C ``int``, and how it refuses the rest."""

from __future__ import annotations

from typing import Any


def c_int(value: Any) -> int:
    """The int that Cython makes of an argument: of an int, or of what has ``__int__``, a float, say.

    >>> c_int(1.9)
    1
    >>> c_int("1")
    Traceback (most recent call last):
    TypeError: an integer is required

    :raises TypeError: text, None, or anything else that is no number.
    :raises OverflowError: more than 32 bits.
    """
    if value.__class__ is not int:
        if not hasattr(type(value), "__int__"):
            raise TypeError("an integer is required")
        value = int(value)
    if not -(2**31) <= value < 2**31:
        raise OverflowError("value too large to convert to int")
    return value  # type: ignore[no-any-return]
