"""`process_usage`: of processes that are there, and of those that are not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from schedule_zero.usage import process_usage

pytestmark = pytest.mark.unit


def test_what_this_process_costs() -> None:
    """Some megabytes, some time, a thread at least."""
    usage = process_usage(os.getpid())
    assert usage["rss"] > 1_000_000
    assert usage["cpu"] > 0.0
    assert usage["threads"] >= 1


def test_what_is_not_there_costs_nothing() -> None:
    """A process that has ended meanwhile, or was never started, is no error: nothing is known of it."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        pid = ended.pid
    assert process_usage(pid) == {}
    assert process_usage(None) == {}
