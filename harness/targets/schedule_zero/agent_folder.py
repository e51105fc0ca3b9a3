"""Where the agents of a run have their sockets: a short path, since a socket's may have 107 bytes only."""

from __future__ import annotations

from harness.folders import LockedFolder


class AgentFolder(LockedFolder):
    """A new folder in the system's folder for temporary files, at `path`, until `close`."""

    def __init__(self) -> None:
        super().__init__("hx-")
