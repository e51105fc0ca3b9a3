"""The registry's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedule_zero.errors import ConfigError
from schedule_zero.registry_file import StoredHandler, load_handlers, save_handlers

pytestmark = pytest.mark.unit


def test_round_trip(tmp_path: Path) -> None:
    """What is saved is loaded, in the same order, and no other file is left."""
    path = tmp_path / "deep" / "registry.yaml"
    handlers = [
        StoredHandler(id="b", address="tcp://127.0.0.1:1", methods=["x", "yes"], incarnation="0123", pid=7),
        StoredHandler(id="a", address="tcp://127.0.0.1:2", last_seen="2026-01-01T00:00:00+00:00"),
    ]
    save_handlers(path, handlers)
    assert load_handlers(path) == handlers
    assert [file.name for file in path.parent.iterdir()] == ["registry.yaml"]


def test_no_file_is_no_handlers(tmp_path: Path) -> None:
    """The first start has no file."""
    assert load_handlers(tmp_path / "registry.yaml") == []


@pytest.mark.parametrize(
    "content",
    [
        b"{[",
        b"\xff\xfe\x00",
        b"",
        b"just text",
        b"version: 2\nhandlers: []",
        b"version: 1\nhandlers: [{id: 5, address: x}]",
        b"version: 1\nhandlers: [{id: h}]",
        b"version: 1\nhandlers: !!python/object/apply:os.system [false]",
    ],
)
def test_corrupt_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """A file that makes no sense does not stop the server; it is kept, under another name, for inspection."""
    path = tmp_path / "registry.yaml"
    path.write_bytes(content)
    assert load_handlers(path) == []
    assert not path.exists()
    assert (tmp_path / "registry.yaml.corrupt-1").read_bytes() == content


def test_corrupt_files_are_kept_apart(tmp_path: Path) -> None:
    """A second corrupt file does not overwrite the first."""
    path = tmp_path / "registry.yaml"
    for content in (b"{1", b"{2"):
        path.write_bytes(content)
        load_handlers(path)
    assert (tmp_path / "registry.yaml.corrupt-1").read_bytes() == b"{1"
    assert (tmp_path / "registry.yaml.corrupt-2").read_bytes() == b"{2"


def test_unreadable_file_is_a_configuration_error(tmp_path: Path) -> None:
    """A folder in the file's place is nothing that the server could mend by itself."""
    with pytest.raises(ConfigError, match="cannot read the handler registry"):
        load_handlers(tmp_path)
