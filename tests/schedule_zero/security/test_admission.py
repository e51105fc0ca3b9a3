"""Which registrations are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedule_zero.security.admission import Admission, NotAdmitted, host_of
from schedule_zero.security.allowed_keys import revoke_key
from schedule_zero.security.key_files import make_pair, read_public
from schedule_zero.security.server_keys import ServerKeys

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "address",
    [
        "ipc:///run/sock", "inproc://x", "http://h:1", "tcp://h", "tcp://h:0", "tcp://h:65536", "tcp://h:1/x", "tcp://h:*",
        "tcp://*:1", "tcp://a b:1", "tcp://h:1;tcp://i:2", "tcp://u@h:1", "tcp://h:1\n", "", "tcp://eth0;1.2.3.4:5",
    ],
)  # fmt: skip
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    """No other transport, no wildcard, no source address, no second address can be put into it."""
    with pytest.raises(NotAdmitted, match="expected tcp://host:port"):
        host_of(address)


@pytest.mark.parametrize(
    ("address", "host"),
    [("tcp://127.0.0.1:1", "127.0.0.1"), ("tcp://db-1.example:65535", "db-1.example"), ("tcp://[::1]:80", "[::1]")],
)
def test_usual_addresses_are_taken(address: str, host: str) -> None:
    """Names and addresses of both kinds."""
    assert host_of(address) == host


def test_without_keys_the_server_is_sent_nowhere_else() -> None:
    """Who registers cannot make the server connect beyond this machine, unless that was accepted."""
    admission = Admission()
    admission.check_address("tcp://127.0.0.1:5555")
    for elsewhere in ("tcp://169.254.169.254:80", "tcp://intranet:6379", "tcp://0.0.0.0:1"):
        with pytest.raises(NotAdmitted, match="beyond loopback"):
            admission.check_address(elsewhere)
    Admission(insecure=True).check_address("tcp://192.0.2.7:5555")


def test_a_key_may_speak_for_its_handlers_only(folder: Path) -> None:
    """Every method is refused for another's id, without an id, and without a key."""
    admission, mine = Admission(ServerKeys(folder)), read_public(folder, "h1")
    admission.check_address("tcp://192.0.2.7:5555")
    for method in ("register", "unregister", "report_status"):
        admission.check(method, {"handler_id": "h1"}, mine)
        for params, peer in (
            ({"handler_id": "h2"}, mine),
            ({}, mine),
            ({"handler_id": ["h1"]}, mine),
            ({"handler_id": "h1"}, make_pair().public),
            ({"handler_id": "h1"}, read_public(folder, "server")),
            ({"handler_id": "h1"}, None),
        ):
            with pytest.raises(NotAdmitted, match="your key may not speak for handler"):
                admission.check(method, params, peer)


def test_a_revoked_key_is_out_at_its_next_word(folder: Path) -> None:
    """Its connection stands, and is of no use any more."""
    admission, mine = Admission(ServerKeys(folder)), read_public(folder, "h1")
    admission.check("report_status", {"handler_id": "h1"}, mine)
    revoke_key(folder, "h1")
    with pytest.raises(NotAdmitted):
        admission.check("report_status", {"handler_id": "h1"}, mine)


def test_nobody_is_admitted_by_a_list_that_cannot_be_read(folder: Path) -> None:
    """Fail closed, and say where the mistake lies without telling the file."""
    admission, mine = Admission(ServerKeys(folder)), read_public(folder, "h1")
    (folder / "allowed.json").write_text("{")
    with pytest.raises(NotAdmitted, match=r"^the server cannot read its allowed keys$"):
        admission.check("register", {"handler_id": "h1"}, mine)
