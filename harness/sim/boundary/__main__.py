"""Print the boundary registry as JSON: ``python -m harness.sim.boundary``."""

from __future__ import annotations

import json
import sys

from harness.sim.boundary import registry


def main() -> int:
    """Write a list of ``{"name", "how", "why"}``, sorted by name, to standard output."""
    json.dump([entry.as_json() for entry in registry.all()], sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
