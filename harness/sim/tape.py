"""The tape: every choice a run made, so that it can be made again."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from harness.sim.errors import ReplayDiverged

FORMAT = "harness-tape/1"


class Choice(NamedTuple):
    """One choice: `value` of 0..`n`-1, asked for by `label`, from the named stream."""

    stream: str
    n: int
    label: str
    value: int


class Tape:
    """Where choices come from, and where they are kept.

    A new tape draws each choice from a generator seeded by ``seed/stream``: the streams do not disturb each other.
    A tape with `choices` gives those back. Value 0 is always the plain choice (first in, first out; no fault),
    so a tape is made simpler by setting values to 0.

    :param choices: what to replay; None: draw and record.
    :param loose: for shrinking: what does not fit the tape is answered with 0 instead of `ReplayDiverged`.
    """

    __slots__ = ("_generators", "choices", "loose", "position", "replaying", "seed")

    def __init__(self, seed: int | str, choices: Iterable[Choice] | None = None, *, loose: bool = False) -> None:
        self.seed = seed
        self.replaying = choices is not None
        self.loose = loose
        self.choices: list[Choice] = [] if choices is None else list(choices)
        self.position = 0
        self._generators: dict[str, random.Random] = {}

    def choose(self, stream: str, n: int, label: str) -> int:
        """A number 0..n-1.

        :raises ReplayDiverged: the tape holds another choice at this position, or has come to its end.
        """
        if self.replaying:
            return self._replay(stream, n, label)
        generator = self._generators.get(stream)
        if generator is None:
            # Seeding with a text goes through SHA-512: the same on every platform, under any hash seed.
            generator = self._generators[stream] = random.Random(f"{self.seed}/{stream}")
        # The same numbers on every Python: randrange has changed its algorithm before, random() never did.
        value = int(generator.random() * n)
        self.choices.append(Choice(stream, n, label, value))
        return value

    def _replay(self, stream: str, n: int, label: str) -> int:
        position = self.position
        self.position = position + 1
        kept = self.choices[position] if position < len(self.choices) else None
        if kept is not None and kept.stream == stream and kept.n == n and kept.label == label:
            return kept.value
        if self.loose:
            return min(kept.value, n - 1) if kept is not None and kept.stream == stream else 0
        expected = "its end" if kept is None else f"{kept.stream!r} {kept.label!r} of {kept.n}"
        raise ReplayDiverged(
            f"choice {position}: the tape holds {expected}, the run asked for {stream!r} {label!r} of {n}. "
            "The program, its versions or its options differ from the recorded run, or it is not deterministic: "
            "compare two runs with --check-determinism"
        )

    @property
    def deviations(self) -> int:
        """How many choices were not the plain one."""
        return sum(choice.value != 0 for choice in self.choices)

    def rewound(self, *, loose: bool = False) -> Tape:
        """A tape that replays this one."""
        return Tape(self.seed, self.choices, loose=loose)

    def save(self, target: Path | TextIO) -> None:
        """Write it: a line of JSON that names format and seed, then one ``[stream, n, label, value]`` per line."""
        if isinstance(target, Path):
            with target.open("w", encoding="utf-8") as file:
                self.save(file)
            return
        target.write(json.dumps({"format": FORMAT, "seed": self.seed}) + "\n")
        for choice in self.choices:
            target.write(json.dumps(choice, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, source: Path | TextIO, *, loose: bool = False) -> Tape:
        """Read what `save` wrote, to replay it.

        :raises ReplayDiverged: the file is no tape of this format.
        """
        if isinstance(source, Path):
            with source.open(encoding="utf-8") as file:
                return cls.load(file, loose=loose)
        name = getattr(source, "name", "this file")
        first = source.readline()
        header = _parsed(first)
        known = isinstance(header, dict) and header.get("format") == FORMAT
        if not known or not isinstance(header.get("seed"), int | str):
            raise ReplayDiverged(f"{name} is no tape: its first line should say {FORMAT!r}, it says {first[:80]!r}")
        choices = []
        for number, line in enumerate(source, 2):
            found = _parsed(line)
            if not isinstance(found, list) or len(found) != len(Choice._fields):
                raise ReplayDiverged(f"{name}:{number}: this is no choice: {line[:80]!r}; was the file cut off?")
            choices.append(Choice(*found))
        return cls(header["seed"], choices, loose=loose)


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
