"""What somebody may do: each scope includes those before it."""

from __future__ import annotations

import enum

__all__ = ["Scope", "scope_of_verb"]


class Scope(enum.Enum):
    """What a client must be allowed to do: look, change jobs and schedules, or act on the installation itself.

    >>> Scope.WRITE.includes(Scope.READ), Scope.WRITE.includes(Scope.ADMIN)
    (True, False)
    """

    #: Open to everybody, also where tokens are asked for.
    NONE = "none"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def includes(self, other: Scope) -> bool:
        """Whether who has this scope may do what needs the other."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


def scope_of_verb(verb: str) -> Scope:
    """What a verb needs where nothing else is declared; one that is not known needs the most."""
    if verb in ("GET", "HEAD", "OPTIONS"):
        return Scope.READ
    return Scope.WRITE if verb in ("POST", "PATCH", "PUT", "DELETE") else Scope.ADMIN
