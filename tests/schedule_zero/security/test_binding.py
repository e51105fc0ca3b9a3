"""Where it is safe to listen."""

from __future__ import annotations

import pytest

from schedule_zero.errors import ConfigError
from schedule_zero.security.binding import (
    check_handler_binding,
    check_http_binding,
    check_zmq_binding,
    is_loopback,
)

pytestmark = pytest.mark.unit

BEYOND = ["0.0.0.0", "::", "*", "192.0.2.7", "db.example.org", "2001:db8::1", "", "127.0.0.1.example.org"]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "::1", "[::1]", "::ffff:127.0.0.1"]


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_needs_no_key(host: str) -> None:
    """What only this machine can reach is open to it."""
    assert is_loopback(host)
    check_http_binding(host, tokens=False)
    check_zmq_binding(host, keyed=False)
    check_handler_binding(host, keyed=False)


@pytest.mark.parametrize("host", BEYOND)
def test_beyond_loopback_nothing_listens_without_keys(host: str) -> None:
    """Every other host, and every name, is refused without keys, and taken with them or when told to."""
    assert not is_loopback(host)
    with pytest.raises(ConfigError, match="schedule-zero tokens add NAME"):
        check_http_binding(host, tokens=False)
    with pytest.raises(ConfigError, match="schedule-zero keys make HANDLER"):
        check_zmq_binding(host, keyed=False)
    with pytest.raises(ConfigError, match="--insecure"):
        check_handler_binding(host, keyed=False)
    check_http_binding(host, tokens=True)
    check_zmq_binding(host, keyed=True)
    check_handler_binding(host, keyed=False, insecure=True)
