"""The sizes of processes."""

from __future__ import annotations

import os
import subprocess

from harness.lifecycle.sizes import sizes


def test_each_process_is_measured_and_one_that_is_gone_is_left_out() -> None:
    """Numbers of this very process are known; of a process that has ended there are none."""
    with subprocess.Popen(["true"]) as gone:
        pass
    reader, writer = os.pipe()
    try:
        more = sizes({"me": os.getpid(), "gone": gone.pid})
    finally:
        os.close(reader)
        os.close(writer)
    less = sizes({"me": os.getpid()})

    assert sorted(more) == ["fds@me", "rss@me", "threads@me"]
    assert more["fds@me"] == less["fds@me"] + 2
    assert more["rss@me"] > 1_000_000
