"""Files are old or new, never half, and their owner's alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedule_zero.files import make_folder, make_private, write_atomically

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


def test_what_is_written_is_the_owners_alone(tmp_path: Path) -> None:
    """Parameters and results of jobs are in stores, logs and registries: no other local user reads them."""
    write_atomically(tmp_path / "shop" / "registry.yaml", "[]")
    make_private(tmp_path / "shop" / "store.db")

    assert _mode(tmp_path / "shop") == 0o700
    assert _mode(tmp_path / "shop" / "registry.yaml") == 0o600
    assert _mode(tmp_path / "shop" / "store.db") == 0o600


def test_what_is_there_keeps_its_mode_and_contents(tmp_path: Path) -> None:
    """Whoever has opened a folder or a file to a group did so on purpose."""
    (tmp_path / "shop").mkdir(mode=0o750)
    (tmp_path / "shop" / "store.db").write_text("full")
    (tmp_path / "shop" / "store.db").chmod(0o640)

    make_folder(tmp_path / "shop")
    make_private(tmp_path / "shop" / "store.db")

    assert (_mode(tmp_path / "shop"), _mode(tmp_path / "shop" / "store.db")) == (0o750, 0o640)
    assert (tmp_path / "shop" / "store.db").read_text() == "full"


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777
