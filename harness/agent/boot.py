"""Starts the agent of this process, when the environment asks for one."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from harness.agent import protocol
from harness.agent.journal import Journal
from harness.agent.server import AgentServer

_running: list[AgentServer] = []


def current() -> AgentServer | None:
    """The agent of this process, or None."""
    return _running[0] if _running else None


def start() -> AgentServer | None:
    """Start the agent that the environment describes; None when it describes none."""
    directory, journal = os.environ.get(protocol.ENV_DIR), os.environ.get(protocol.ENV_JOURNAL)
    if not directory or not journal or not Path(directory).is_dir():
        return None
    agent = AgentServer(
        Path(directory),
        Journal(Path(journal) / f"{os.getpid()}.jsonl"),
        seed=int(os.environ.get(protocol.ENV_SEED, "0")),
    )
    _running.append(agent)
    agent.journal.write(
        "born", pid=os.getpid(), argv=sys.orig_argv, prefix=sys.prefix, decoy=os.environ.get(protocol.ENV_DECOY, "")
    )
    for name in filter(None, os.environ.get(protocol.ENV_PLUGINS, "").split(",")):
        importlib.import_module(name).install(agent)
    agent.start()
    return agent
