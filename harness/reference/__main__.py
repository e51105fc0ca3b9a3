"""``python -m harness.reference [FOLDER]``: write the generated parts of the reference pages anew."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.reference.pages import render

FOLDER = Path("docs/reference")


def main(folder: Path) -> None:
    """Bring every page of `folder` up to date, and say which ones changed."""
    for path in sorted(folder.glob("*.md")):
        before = path.read_text("utf-8")
        after = render(before)
        if after != before:
            path.write_text(after, "utf-8")
            print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
