"""A governor of real processes, small enough to be read: what the lifecycle tests drive."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_IDLE = [sys.executable, "-c", "import sys; sys.stdin.read()"]


@dataclass(frozen=True)
class Config:
    """The configuration of one handler."""

    handler_id: str


@dataclass(frozen=True)
class Info:
    """What the governor tells of one service."""

    pid: int | None
    status: str


class TinyGovernor:
    """Keeps a server and handlers as child processes, with pid files; a test can switch on its defects."""

    def __init__(self, folder: Path, handlers: tuple[str, ...] = ("h1", "h2")) -> None:
        self.folder = folder
        self.names = ["server", *handlers]
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.forgets: set[str] = set()
        self.leaked: list[subprocess.Popen[bytes]] = []
        self.refuses_start = False
        self.starts = 0

    def start(self) -> bool:
        """Start everything that is not running."""
        self.starts += 1
        if self.refuses_start:
            return False
        for name in self.names:
            self._spawn(name)
        return True

    def stop(self, timeout: float = 30.0) -> bool:
        """Stop everything but what a test made it forget."""
        for name in list(self.running):
            self._end(name)
        return True

    def status(self) -> dict[str, Info]:
        """Every service by name."""
        return {name: self._info(name) for name in self.names}

    def add_handler(self, config: Config) -> bool:
        """Run one more."""
        self.names.append(config.handler_id)
        self._spawn(config.handler_id)
        return True

    def remove_handler(self, handler_id: str) -> bool:
        """Stop and forget; False when it is unknown."""
        if handler_id not in self.names:
            return False
        self._end(handler_id)
        self.names.remove(handler_id)
        return True

    def restart_handler(self, handler_id: str) -> bool:
        """Stop and start."""
        self._end(handler_id)
        self._spawn(handler_id)
        return True

    def list_handlers(self) -> list[str]:
        """All but the server."""
        return self.names[1:]

    def health_check(self) -> dict[str, bool]:
        """Whether each runs; a crashed one is started again, as a governor does."""
        for name in list(self.running):
            if self.running[name].poll() is not None:
                self._end(name)
                self._spawn(name)
        return {name: name in self.running for name in self.names}

    def _info(self, name: str) -> Info:
        child = self.running.get(name)
        return (
            Info(child.pid, "running") if child is not None and child.poll() is None else Info(None, "stopped")
        )

    def _spawn(self, name: str) -> None:
        if name not in self.running:
            self.running[name] = subprocess.Popen(_IDLE, stdin=subprocess.PIPE)
            (self.folder / f"{name}.pid").write_text(str(self.running[name].pid))

    def _end(self, name: str) -> None:
        child = self.running.pop(name)
        if name in self.forgets:
            self.leaked.append(child)
            return
        (self.folder / f"{name}.pid").unlink()
        self._reap(child)

    @staticmethod
    def _reap(child: subprocess.Popen[bytes]) -> None:
        child.kill()
        child.wait()
        assert child.stdin is not None
        child.stdin.close()

    def clean(self) -> None:
        """End whatever is left of the test."""
        for child in [*self.running.values(), *self.leaked]:
            self._reap(child)


@pytest.fixture
def governor(tmp_path: Path) -> Iterator[TinyGovernor]:
    """A governor of a server and two handlers; its pid files lie in its ``folder``."""
    tiny = TinyGovernor(tmp_path)
    yield tiny
    tiny.clean()


@pytest.fixture
def config() -> type[Config]:
    """Makes the configuration of a handler."""
    return Config
