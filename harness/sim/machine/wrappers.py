"""Shell scripts that only prepare another program: ``VAR=x exec /path/python "$@"``.

There is no shell in a simulated world, yet interpreters are often found behind such a script: those of version
managers, of environments, of containers. What one says is read here, in the little that such scripts are made of:
comments, ``set -e``, assignments of plain words, one ``exec``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.sim.errors import NotSimulated

_SHELL: Final = re.compile(r"^(ba|da)?sh$")
_PLAIN: Final = r"""(?:[A-Za-z0-9_@%+=:,./-]|'[^'\n]*'|"[^"$`\\\n]*")"""
_SET: Final = re.compile(r"set -[eu]+")
_EXEC: Final = re.compile(
    rf"""(?P<assigned>(?:[A-Za-z_][A-Za-z0-9_]*={_PLAIN}*[ \t]+)*)exec[ \t]+(?P<words>(?:{_PLAIN}+[ \t]+)*)"\$@\""""
)
_WORD: Final = re.compile(rf"{_PLAIN}+")
_QUOTED: Final = re.compile(r"""'([^']*)'|"([^"]*)\"""")


@dataclass(frozen=True)
class Wrapper:
    """A wrapper script: the variables it sets, the words before those that it was given itself, and its line."""

    env: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    line: int


def is_shell(interpreter: list[str]) -> bool:
    """Whether the words behind ``#!`` name a shell.

    >>> is_shell(["/bin/sh", "-e"]), is_shell(["/usr/bin/env", "bash"]), is_shell(["/usr/bin/perl"])
    (True, True, False)
    """
    words = interpreter[1:] if interpreter and Path(interpreter[0]).name == "env" else interpreter
    return bool(words) and bool(_SHELL.match(Path(words[0]).name)) and all(_is_option(word) for word in words[1:])


def _is_option(word: str) -> bool:
    return bool(re.fullmatch(r"-[eu]+", word))


def read(path: Path) -> Wrapper:
    """What the script does.

    :raises NotSimulated: anything more than a wrapper does.
    """
    found: Wrapper | None = None
    for number, text in enumerate(os.fsdecode(path.read_bytes()).splitlines(), 1):
        line = text.strip()
        if not line or line.startswith("#") or (found is None and _SET.fullmatch(line)):
            continue
        match = _EXEC.fullmatch(line)
        if match is None or found is not None:
            raise NotSimulated(
                f"the shell script {path} is not simulated: of line {number}, {line!r}, nothing is understood; "
                f"""understood are comments, set -e, and one [NAME=word]... exec [word]... "$@" """.rstrip()
            )
        pairs = [_bare(word).partition("=") for word in _WORD.findall(match["assigned"])]
        words = tuple(_bare(word) for word in _WORD.findall(match["words"]))
        found = Wrapper(tuple((name, value) for name, _, value in pairs), words, number)
    if found is None:
        raise NotSimulated(f"the shell script {path} is not simulated: it runs no other program")
    return found


def places(name: str, env: Mapping[str, str]) -> list[str]:
    """Where a shell looks for the program `name`, in order.

    >>> places("python3", {"PATH": "/opt/bin:/usr/bin"}), places("./python3", {})
    (['/opt/bin/python3', '/usr/bin/python3'], ['./python3'])
    """
    if "/" in name:
        return [name]
    return [os.path.join(folder, name) for folder in env.get("PATH", os.defpath).split(os.pathsep)]  # noqa: PTH118


def _bare(word: str) -> str:
    """The word without its quotes."""
    return _QUOTED.sub(lambda match: match[1] if match[1] is not None else match[2], word)
