"""What texts from outside look like: the pattern of each beside its words.

msgspec tells of a text that does not match by showing the regular expression, which says nothing to most people.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ADDRESS", "ID", "ID_IN_WORDS", "STORED_ADDRESS", "in_words"]

#: No control characters: an id is written in logs, addresses and headers, and not every store can keep a NUL.
ID: Final = r"^[^\x00-\x1f\x7f]+$(?!\n)"
ID_IN_WORDS: Final = "a text of 1 to 200 characters, none of them a control character"
#: Where a handler listens, as it tells the server, and as the server keeps it.
ADDRESS: Final = r"^tcp://\S{1,500}$"
STORED_ADDRESS: Final = r"^(tcp|ipc|inproc)://\S{1,500}$"
_WORDS: Final = {
    ID: ID_IN_WORDS,
    ADDRESS: "an address such as tcp://192.0.2.7:40123",
    STORED_ADDRESS: "an address such as tcp://192.0.2.7:40123",
}


def in_words(said: str) -> str:
    """What msgspec says of a value, without a regular expression.

    >>> in_words(f"Expected `str` matching regex {ADDRESS!r} - at `$.address`")
    'Expected an address such as tcp://192.0.2.7:40123 - at `$.address`'
    """
    for pattern, words in _WORDS.items():
        said = said.replace(f"`str` matching regex {pattern!r}", words)
    return said
