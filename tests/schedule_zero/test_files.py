"""Files are old or new, never half."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedule_zero.files import write_atomically

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("durable", [False, True])
def test_the_new_text_replaces_the_old(tmp_path: Path, durable: bool) -> None:
    """The file holds the new text, and no temporary file stays beside it."""
    path = tmp_path / "new" / "a.json"
    write_atomically(path, "old")

    write_atomically(path, "new", mode=0o600, durable=durable)

    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert [one.name for one in path.parent.iterdir()] == ["a.json"]


def test_a_failure_leaves_the_old_text(tmp_path: Path) -> None:
    """A text that cannot be written (a lone surrogate) changes nothing and leaves nothing."""
    path = tmp_path / "a.json"
    write_atomically(path, "old")

    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \ud800")

    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]
