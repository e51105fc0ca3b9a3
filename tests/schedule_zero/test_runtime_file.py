"""The word that a server leaves of where it listens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schedule_zero.runtime_file import RuntimeFile, ServerRuntime, read_runtime

pytestmark = pytest.mark.unit

FACTS = {"pid": 7, "http_url": "http://h:1", "registration_address": "tcp://h:2", "token": "t"}


def test_a_runtime_file_counts_for_its_own_process_only(tmp_path: Path) -> None:
    """The file of an earlier server says nothing about the one that runs now."""
    path = tmp_path / "server.json"
    assert read_runtime(path, 7) is None
    path.write_text(json.dumps({"pid": 7, "http_url": "http://h:1", "registration_address": "tcp://h:2"}))

    assert read_runtime(path, 7) == ServerRuntime(7, "http://h:1", "tcp://h:2")
    assert (read_runtime(path, 8), read_runtime(path, None)) == (None, None)
    path.write_text("{")
    assert read_runtime(path, 7) is None


def test_a_word_is_for_its_user_alone_and_is_taken_back(tmp_path: Path) -> None:
    """It holds a token; after the server's end there is none."""
    word = RuntimeFile(tmp_path / "server.json")
    word.write(FACTS)
    assert read_runtime(word.path, 7) == ServerRuntime(7, "http://h:1", "tcp://h:2", "t")
    assert word.path.stat().st_mode & 0o777 == 0o600
    word.take_back()
    word.take_back()
    assert not word.path.exists()


def test_a_later_servers_word_stays(tmp_path: Path) -> None:
    """A server that ends long after it was given up, or that never came to listen, does not remove its successor's."""
    earlier, later = RuntimeFile(tmp_path / "server.json"), RuntimeFile(tmp_path / "server.json")
    never = RuntimeFile(tmp_path / "server.json")
    earlier.write(FACTS)
    later.write({**FACTS, "pid": 8})
    earlier.take_back()
    never.take_back()
    assert read_runtime(later.path, 8) == ServerRuntime(8, "http://h:1", "tcp://h:2", "t")
