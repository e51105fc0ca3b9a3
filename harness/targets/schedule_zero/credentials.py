"""Who may speak to the scheduler of a run that asks: bearer tokens for its API, CURVE keys for its ZeroMQ sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedule_zero.security.allowed_keys import allow_key
from schedule_zero.security.curve import Curve
from schedule_zero.security.key_files import SERVER, KeyPair, make_pair, read_pair, write_pair
from schedule_zero.security.scopes import Scope
from schedule_zero.security.tokens import add_token

TOKENS, KEYS = "tokens.json", "keys"
"""The file of tokens and the folder of keys, beside the scheduler's configuration."""


@dataclass(frozen=True)
class Credentials:
    """What the harness holds; all of it empty where nobody is asked for anything.

    ``tokens`` by scope; ``keys`` is the folder with a pair for the server and for each handler, and ``stranger`` a pair
    that is in no list.
    """

    tokens: Mapping[Scope, str]
    keys: Path | None = None
    stranger: KeyPair | None = None

    @property
    def token(self) -> str:
        """The harness's own token, which may do anything; empty where none is asked for."""
        return self.tokens.get(Scope.ADMIN, "")

    def setting(self) -> dict[str, Any]:
        """The section ``security`` of the scheduler's configuration."""
        return {**({"tokens": TOKENS} if self.tokens else {}), **({"keys": KEYS} if self.keys else {})}

    def curve(self, name: str = SERVER) -> Curve | None:
        """For a client of registration or governor that shows the pair of this name; None in plain text."""
        return None if self.keys is None else Curve(read_pair(self.keys, name), read_pair(self.keys, SERVER).public)


def made_for(security: str, root: Path, handlers: Sequence[str]) -> Credentials:
    """Make what ``topology.scheduler.security`` asks for: ``none``, ``tokens``, or ``keys``, which has tokens too."""
    if security == "none":
        return Credentials({})
    scopes = (Scope.READ, Scope.WRITE, Scope.ADMIN)
    tokens = {scope: add_token(root / TOKENS, f"harness-{scope.value}", scope) for scope in scopes}
    if security == "tokens":
        return Credentials(tokens)
    folder = root / KEYS
    folder.mkdir(mode=0o700)
    for name in (SERVER, *handlers):
        pair = make_pair()
        write_pair(folder, name, pair)
        if name != SERVER:
            allow_key(folder, name, pair.public, (name,))
    return Credentials(tokens, folder, make_pair())
