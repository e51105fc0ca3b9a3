"""What a command line of the Python interpreter asks for, and which of its options a world can keep.

An option is honoured, changes nothing that a program can see, or is refused: a program that asked for ``-O`` and ran
without would give a false answer. What the real interpreter of the world was itself started with is always taken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.sim.errors import NotSimulated

Function = Callable[[list[str]], int | None]

_KEPT: Final = frozenset("BEIPqRsu")
"""Options that are honoured; hash randomization (R) is on in any case, but for ``PYTHONHASHSEED``."""
_REFUSED: Final[Mapping[str, str]] = {
    "b": "bytes_warning",
    "d": "debug",
    "i": "inspect",
    "O": "optimize",
    "S": "no_site",
    "v": "verbose",
}
"""Options that belong to the whole interpreter, and the field of ``sys.flags`` that tells whether it has them."""


@dataclass(frozen=True)
class Program:
    """What a process will run.

    `kind` is ``module``, ``script``, ``code``, ``input``, ``function`` or ``version``; `what` its name, path or text;
    `argv` the ``sys.argv`` that it will see; `flags` the interpreter's one-letter options. A wrapper script has set
    `env` and has run `command` instead of what it was started as.
    """

    kind: str
    what: str
    argv: tuple[str, ...]
    flags: str = ""
    function: Function | None = None
    env: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()


def parse(words: Sequence[str]) -> Program:
    """What ``python WORDS[1:]`` runs. Raises NotSimulated for options that no world keeps."""
    flags, rest = "", list(words[1:])
    while rest:
        word = rest.pop(0)
        if word == "-c" or word == "-m":
            if not rest:
                raise NotSimulated(f"{' '.join(words)}: argument expected for the {word} option")
            what = rest.pop(0)
            return Program("code" if word == "-c" else "module", what, (word, *rest), flags)
        if word in ("-V", "--version"):
            return Program("version", "", ("",), flags)
        if word == "-" or not word.startswith("-"):
            return Program("script" if word != "-" else "input", word, (word, *rest), flags)
        letters, taking, glued = _letters(word)
        flags += letters
        if taking and taking in "WX":
            if not glued and not rest:
                raise NotSimulated(f"{' '.join(words)}: argument expected for the -{taking} option")
            _require_ours(taking, glued or rest.pop(0))
        elif taking:
            rest[:0] = [f"-{taking}", *([glued] if glued else [])]
    return Program("input", "-", ("",), flags)


def _letters(word: str) -> tuple[str, str, str]:
    """One-letter options, then the one of them that takes an argument, then the argument that is glued to it."""
    for index, letter in enumerate(word[1:], 1):
        if letter in "mcWX":
            return word[1:index], letter, word[index + 1 :]
        field = _REFUSED.get(letter)
        if letter in _KEPT or (field is not None and getattr(sys.flags, field) >= word.count(letter)):
            continue
        if field is None:
            raise NotSimulated(f"the interpreter's option {word} is not simulated")
        raise _refused(f"-{letter}")
    return word[1:], "", ""


def _require_ours(letter: str, value: str) -> None:
    """Raise NotSimulated unless the interpreter of this world was started with the same ``-W`` or ``-X``."""
    name, _, setting = value.partition("=")
    ours = value in sys.warnoptions if letter == "W" else sys._xoptions.get(name) == (setting or True)
    if not ours:
        raise _refused(f"-{letter} {value}")


def _refused(option: str) -> NotSimulated:
    return NotSimulated(
        f"the interpreter's option {option} is not simulated: it would hold for all processes of the world, which "
        f"share one interpreter; start the world's own Python with it, or leave it out"
    )
