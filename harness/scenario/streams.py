"""Random streams of one run: each user of chance has its own, so one more draw here moves nothing there."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Streams:
    """The streams that derive from one seed.

    >>> Streams(7).stream("faults").random() == Streams(7).stream("faults").random()
    True
    """

    seed: int

    def stream(self, name: str) -> random.Random:
        """A new stream that depends on seed and `name` only; asked twice, it begins again from its start."""
        return random.Random(f"{self.seed}/{name}")

    def integer(self, name: str) -> int:
        """A seed below 2**63 for something that has a generator of its own, such as Faker."""
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def below(self, name: str) -> Streams:
        """Streams of a part that names its own streams, such as one cycle or one worker."""
        return Streams(self.integer(name))
