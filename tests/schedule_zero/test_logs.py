"""One line an event, with its context."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from schedule_zero.errors import ConfigError
from schedule_zero.logs import configure_logging
from schedule_zero.service_config import LogSettings

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Logging as it was before the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_json_lines_hold_context_extra_and_traceback(tmp_path: Path) -> None:
    """A machine finds deployment, job id, level, logger, time and the traceback in one object a line."""
    configure_logging(LogSettings("INFO", "json", tmp_path / "logs" / "a.log"), deployment="shop")
    try:
        raise ValueError("no luck")
    except ValueError:
        with structlog.contextvars.bound_contextvars(request_id="r1"):
            logging.getLogger("x.y").exception("job %s failed", "j1", extra={"job_id": "j1"})

    (line,) = (tmp_path / "logs" / "a.log").read_text().splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["logger"]) == ("job j1 failed", "error", "x.y")
    assert (event["deployment"], event["job_id"], event["request_id"]) == ("shop", "j1", "r1")
    assert "ValueError: no luck" in event["exception"]
    assert event["timestamp"].endswith("Z")


def test_console_lines_are_for_people(tmp_path: Path) -> None:
    """A console line has the event first and no colours in a file."""
    configure_logging(LogSettings("INFO", "console", tmp_path / "a.log"), deployment="shop")

    logging.getLogger("x").info("up")
    structlog.get_logger("y").info("too", port=7)

    first, second = (tmp_path / "a.log").read_text().splitlines()
    assert "up" in first and "deployment=shop" in first and "\x1b" not in first  # noqa: PT018
    assert "too" in second and "port=7" in second  # noqa: PT018


def test_the_level_is_obeyed(tmp_path: Path) -> None:
    """What is below the level is not written."""
    configure_logging(LogSettings("WARNING", "json", tmp_path / "a.log"))

    logging.getLogger("x").info("quiet")
    logging.getLogger("x").warning("loud")

    assert [json.loads(line)["event"] for line in (tmp_path / "a.log").read_text().splitlines()] == ["loud"]


def test_setting_up_again_replaces_and_copies(tmp_path: Path) -> None:
    """A second set-up does not double the lines; `copy_to` gets each of them too."""
    for _ in range(2):
        configure_logging(LogSettings("INFO", "json", tmp_path / "a.log"), copy_to=tmp_path / "b.log")

    logging.getLogger("x").info("once")

    assert [len((tmp_path / name).read_text().splitlines()) for name in ("a.log", "b.log")] == [1, 1]


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A log folder that is a file is a configuration error."""
    (tmp_path / "a").write_text("")

    with pytest.raises(ConfigError, match=r"log file .*a/b\.log: cannot be written"):
        configure_logging(LogSettings(file=tmp_path / "a" / "b.log"))
