"""The family of exceptions."""

from __future__ import annotations

import pytest

from schedule_zero import errors
from schedule_zero.exits import ExitCode

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("kind", "also"),
    [
        (errors.ConfigError, ValueError),
        (errors.CallTimeout, TimeoutError),
        (errors.Disconnected, ConnectionError),
        (errors.UnknownHandler, KeyError),
        (errors.PortTaken, OSError),
    ],
)
def test_kinship(kind: type[Exception], also: type[Exception]) -> None:
    """Each error is of this package's family, and also what a caller who does not know the family would
    catch.
    """
    error = kind("reason")
    assert isinstance(error, errors.ScheduleZeroError)
    assert isinstance(error, also)
    assert str(error) == "reason"


def test_config_error_names_its_place() -> None:
    """A mistake in a file is reported as file:line:column, and one without a file without a place."""
    assert str(errors.ConfigError("bad", file="a.yaml", line=3, column=7)) == "a.yaml:3:7: bad"
    assert str(errors.ConfigError("bad", file="a.yaml")) == "a.yaml: bad"
    assert str(errors.ConfigError("bad")) == "bad"


def test_an_answer_is_no_transport_failure() -> None:
    """What decides about retries: a remote error and a refusal are not failures of the transport."""
    assert not issubclass(errors.RemoteError, errors.TransportError)
    assert not issubclass(errors.HandlerUnavailable, errors.TransportError)
    assert errors.RemoteError("no", code="x").code == "x"


def test_exit_codes() -> None:
    """The codes that governors, units and scripts rely on."""
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "CRASH": 1,
        "CONFIG": 2,
        "PORT_TAKEN": 3,
        "STORE": 4,
        "ALREADY_RUNNING": 5,
        "NOT_RUNNING": 6,
        "JOB_FAILED": 7,
        "STILL_WAITING": 8,
        "STORE_AWAY": 9,
        "INTERRUPTED": 130,
    }
