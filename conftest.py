"""Loads the harness plugin for this repository; nothing else."""

from __future__ import annotations

import sys

if "harness.plugin" not in sys.modules:  # loaded by its entry point when the package is installed
    pytest_plugins = ["harness.plugin"]
