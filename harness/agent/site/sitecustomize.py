"""Python imports this at start-up when the harness has put its folder first on ``PYTHONPATH``: starts the agent, then
steps aside."""

import importlib.machinery
import importlib.util
import os
import pathlib
import sys

_here = str(pathlib.Path(__file__).parent)


def _run_the_next_one() -> None:
    """Run the sitecustomize that ours hides, if the environment has one."""
    others = [p for p in sys.path if p and pathlib.Path(p).resolve() != pathlib.Path(_here).resolve()]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


_run_the_next_one()
if os.environ.get("HARNESS_AGENT_DIR"):
    try:
        from harness.agent import boot

        boot.start()
    except Exception as error:  # noqa: BLE001 - a process without its agent must say so, and still run
        sys.stderr.write(f"harness agent did not start: {type(error).__name__}: {error}\n")
