"""One line an event, with its context."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from schedule_zero.errors import ConfigError
from schedule_zero.log_context import bound_log
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


def test_json_lines_hold_context_extra_and_traceback(tmp_path: Path) -> None:
    """A machine finds deployment, job id, level, logger, time and the traceback in one object a line."""
    configure_logging(LogSettings("INFO", "json", tmp_path / "logs" / "a.log"), deployment="shop")
    try:
        raise ValueError("no luck")
    except ValueError:
        with bound_log(request_id="r1"):
            logging.getLogger("x.y").exception("job %s failed", "j1", extra={"job_id": "j1"})

    (line,) = (tmp_path / "logs" / "a.log").read_text().splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["logger"]) == ("job j1 failed", "error", "x.y")
    assert (event["deployment"], event["job_id"], event["request_id"]) == ("shop", "j1", "r1")
    assert "ValueError: no luck" in event["exception"]
    assert event["timestamp"].endswith("Z")


def test_console_lines_are_for_people(tmp_path: Path) -> None:
    """A console line has the event first and no colours in a file; what it quotes forges no second line."""
    configure_logging(LogSettings("INFO", "console", tmp_path / "a.log"), deployment="shop")

    logging.getLogger("x").info("up\n2030-01-01 error down", extra={"port": 7, "said": "a b"})

    (line,) = (tmp_path / "a.log").read_text().splitlines()
    assert line[28:] == r'info     up\n2030-01-01 error down  logger=x deployment=shop port=7 said="a b"'


def test_the_last_word_has_the_call(tmp_path: Path) -> None:
    """What a line itself says goes before what its work is bound to, and that before what its process is."""
    configure_logging(LogSettings("INFO", "json", tmp_path / "a.log"), handler="p", process="server", job_id="p")

    with bound_log(handler="w", job_id="w"):
        logging.getLogger("x").info("up", extra={"job_id": "c"})

    event = json.loads((tmp_path / "a.log").read_text())
    assert (event["process"], event["handler"], event["job_id"]) == ("server", "w", "c")


@pytest.mark.parametrize("style", ["console", "json"])
def test_secrets_do_not_stand_in_a_line(tmp_path: Path, style: str) -> None:
    """Tokens and passwords are blanked out wherever they come in: message, extra, traceback."""
    configure_logging(LogSettings("INFO", style, tmp_path / "a.log"))
    try:
        raise ValueError("postgresql://shop:pa55@db/shop refused")
    except ValueError:
        said = {"headers": {"Authorization": "Bearer abc.def"}}
        logging.getLogger("x").exception("who is %s", "szt_s3cret-One", extra=said)

    line = (tmp_path / "a.log").read_text()
    assert [word for word in ("s3cret", "abc.def", "pa55") if word in line] == []
    assert all(word in line for word in ("who is ***", "postgresql://shop:***@db/shop", "Bearer ***"))


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
