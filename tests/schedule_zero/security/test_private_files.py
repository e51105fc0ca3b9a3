"""Files that others must not read or change."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from schedule_zero.errors import ConfigError, ScheduleZeroError
from schedule_zero.security import private_files
from schedule_zero.security.private_files import Watched, exclusive, read_private, write_private

pytestmark = pytest.mark.unit


def test_what_is_written_is_its_owners_alone(tmp_path: Path) -> None:
    """The file gets mode 0600 and its folder 0700, whatever the umask."""
    path = tmp_path / "keys" / "a.key"
    write_private(path, "secret")

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert read_private(path) == "secret"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_what_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Each bit for group or world is one too many, and the message holds the cure."""
    path = tmp_path / "a.key"
    write_private(path, "secret")
    path.chmod(mode)

    with pytest.raises(ConfigError, match=r"a\.key: others may read or write it .*: chmod 600 a\.key"):
        read_private(path)


def test_another_users_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that somebody else can change at will is none of ours."""
    path = tmp_path / "a.key"
    write_private(path, "secret")
    if path.stat().st_uid == 0:
        monkeypatch.setattr("os.fstat", lambda _: _Stat(path.stat(), uid=4711))
    monkeypatch.setattr("os.geteuid", lambda: 4712)

    with pytest.raises(ConfigError, match="belongs to user"):
        read_private(path)


class _Stat:
    """A file's facts with another owner: as root every file is ours."""

    def __init__(self, real: object, uid: int) -> None:
        self._real = real
        self.st_uid = uid

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    """What cannot be read is told with its path."""
    with pytest.raises(ConfigError, match=str(tmp_path)):
        read_private(tmp_path)
    with pytest.raises(ConfigError, match="No such file"):
        read_private(tmp_path / "none")


def test_a_change_is_seen_and_no_change_is_not_read(tmp_path: Path) -> None:
    """The file is parsed once for each of its states."""
    path = tmp_path / "list"
    write_private(path, "1")
    parsed: list[str] = []

    def parse(place: Path) -> int:
        parsed.append(place.name)
        return int(read_private(place))

    watched = Watched(path, parse)
    assert [watched.get(), watched.get(), watched.get()] == [1, 1, 1]
    assert parsed == ["list"]
    write_private(path, "2")
    assert watched.get() == 2
    assert parsed == ["list", "list"]


def test_a_file_that_became_unusable_is_an_error_until_it_is_cured(tmp_path: Path) -> None:
    """What it said before counts no more: a list of who may enter that is gone lets nobody in."""
    path = tmp_path / "list"
    write_private(path, "1")
    watched = Watched(path, read_private)
    assert watched.get() == "1"

    path.chmod(0o644)
    for _ in range(2):
        with pytest.raises(ConfigError, match="chmod 600"):
            watched.get()
    path.chmod(0o600)
    assert watched.get() == "1"
    path.unlink()
    with pytest.raises(ConfigError, match="No such file"):
        watched.get()


def test_one_changes_at_a_time(tmp_path: Path) -> None:
    """Fifty changes from five threads are fifty, none is lost between a read and a write."""
    path = tmp_path / "count"
    write_private(path, "0")

    def count() -> None:
        for _ in range(10):
            with exclusive(path):
                write_private(path, str(int(read_private(path)) + 1))

    threads = [threading.Thread(target=count) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)

    assert read_private(path) == "50"


def test_who_does_not_let_go_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for another's change has an end."""
    monkeypatch.setattr(private_files, "_LOCK_LIMIT", 0.05)
    path, complaint = tmp_path / "x", "in change by another process"
    with exclusive(path), pytest.raises(ScheduleZeroError, match=complaint), exclusive(path):
        pytest.fail("two were in at once")
