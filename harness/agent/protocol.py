"""How harness and agent talk: one JSON object a line over a Unix socket, a request then its answer."""

from __future__ import annotations

import os
from pathlib import Path

ENV_DIR = "HARNESS_AGENT_DIR"
"""Folder for the agents' sockets, one ``<pid>.sock`` a process; a short path, since ``sun_path`` holds 107 bytes."""
ENV_PLUGINS = "HARNESS_AGENT_PLUGINS"
"""Comma-separated modules with ``install(agent: AgentServer) -> None``, which know the code under test."""
ENV_JOURNAL = "HARNESS_AGENT_JOURNAL"
"""Folder for what the agents report, one ``<pid>.jsonl`` a process."""
ENV_MUTANT = "HARNESS_MUTANT"
"""Name of the mutant to apply, if any: the target broken on purpose."""
ENV_RUN = "HARNESS_RUN"
"""The run's tag. A process that carries it was started by this run: what faults may touch and orphans are found by."""
ENV_DECOY = "HARNESS_DECOY"
"""Set by the decoy ``python`` that a run may put first on ``PATH``: whoever has it was started by the wrong
interpreter."""
ENV_SEED = "HARNESS_SEED"
"""The run's seed, for what draws inside a process."""

MAX_LINE = 1 << 20
"""Longest request or answer, bytes."""


def socket_path(directory: str | Path, pid: int) -> Path:
    """Where the agent of process `pid` listens."""
    return Path(directory) / f"{pid}.sock"


def site_directory() -> str:
    """The folder that ``PYTHONPATH`` must begin with for a child to start its agent."""
    return str(Path(__file__).with_name("site"))


def child_environment(base: dict[str, str], **variables: str) -> dict[str, str]:
    """`base` with the agent's folder put first on ``PYTHONPATH`` and `variables` set."""
    path = os.pathsep.join(filter(None, [site_directory(), base.get("PYTHONPATH", "")]))
    return {**base, "PYTHONPATH": path, **variables}
