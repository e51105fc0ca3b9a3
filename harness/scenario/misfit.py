"""What a value of a scenario raises when it does not fit: a message in parts, to be shown beside the file."""

from __future__ import annotations

from typing import Any, Final

PathPart = str | int
Path = tuple[PathPart, ...]
"""Where a value lies in a document: ``("faults", 0, "kind")``."""


class Unset:
    """The type of `UNSET`: nothing was given, which is not the same as None."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()


class Misfit(ValueError):
    """A value that does not fit; pydantic collects it like any ValueError, the loader shows its parts.

    ``at`` is the path of the wrong value relative to the one that was being read; ``key`` puts the caret on
    its key instead.

    >>> str(Misfit("not a duration", expected="one such as 250ms", found="1:30"))
    "not a duration; expected one such as 250ms, found '1:30'"
    """

    def __init__(
        self,
        message: str,
        *,
        expected: str = "",
        found: Any = UNSET,
        hint: str = "",
        at: Path = (),
        key: bool = False,
    ) -> None:
        self.message = message
        self.expected = expected
        self.found = found
        self.hint = hint
        self.at = at
        self.key = key
        parts = [f"expected {expected}" if expected else "", "" if found is UNSET else f"found {found!r}"]
        tail = ", ".join(part for part in parts if part)
        super().__init__("; ".join(part for part in (message, tail, hint) if part))

    def below(self, path: Path) -> Misfit:
        """The same misfit of a value that lies at `path`."""
        return Misfit(
            self.message,
            expected=self.expected,
            found=self.found,
            hint=self.hint,
            at=(*path, *self.at),
            key=self.key,
        )
