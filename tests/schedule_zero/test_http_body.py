"""A request's body that is too large is refused in words, whatever its size, and without reading it into memory."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from schedule_zero import http_body
from schedule_zero.security.settings import SecuritySettings
from schedule_zero.service_config import ServiceConfig

pytestmark = pytest.mark.integration

MOST = 1024
POST = "POST /api/run_now HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def port(in_thread: Callable[[ServiceConfig], Any]) -> int:
    """Where a server listens that takes bodies of 1 KiB."""
    found: int = in_thread(ServiceConfig(store="memory", security=SecuritySettings(max_body=MOST))).server.http_port
    return found


@pytest.fixture
def client(port: int) -> Iterator[http.client.HTTPConnection]:
    """A connection to it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20.0)
    yield connection
    connection.close()


def refused(answer: http.client.HTTPResponse) -> str:
    """The words of a 413 as the API says it."""
    assert (answer.status, answer.getheader("Content-Type")) == (413, "application/problem+json")
    problem = json.loads(answer.read())
    assert (problem["title"], problem["status"]) == ("Too large", 413)
    return str(problem["detail"])


def spoken(port: int, sent: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), 20.0) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("size", [MOST + 1, 2 * MOST + 1, 20_000, 20 << 20])
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=b"])
def test_a_body_of_any_size_is_told_to_be_too_large(client: http.client.HTTPConnection, size: int, kind: str) -> None:
    """413 with both sizes; who sends all of it first can read that, and ask again on the same connection."""
    client.request("POST", "/api/run_now", b" " * size, {"Content-Type": kind})
    assert refused(client.getresponse()) == f"the body has {size} bytes; at most 1024 are taken"
    client.request("GET", "/api/health")
    assert client.getresponse().status == 200


@pytest.mark.parametrize("chunks", [2, 40, 20_000])
def test_a_body_in_chunks_is_read_to_the_limit(client: http.client.HTTPConnection, chunks: int) -> None:
    """Nobody has said how long it is: that it is too long shows when the limit is passed."""
    client.request("POST", "/api/run_now", (b" " * 1000 for _ in range(chunks)), {"Content-Type": "application/json"})
    assert refused(client.getresponse()) == "the body has more than 1024 bytes; at most 1024 are taken"


def test_the_refusal_waits_for_nothing_of_the_body(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of ten gigabytes that never comes is refused by its length; then the connection is closed."""
    monkeypatch.setattr(http_body, "LINGER", 0.2)
    said = spoken(port, f"{POST}Content-Length: 10000000000\r\n\r\n".encode())
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"the body has 10000000000 bytes; at most 1024 are taken" in said


def test_who_asks_for_leave_to_send_is_refused_in_its_place(port: int) -> None:
    """After ``Expect: 100-continue`` there is the refusal alone, and no leave beside it."""
    said = spoken(port, f"{POST}Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n".encode())
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"100 (Continue)" not in said


def test_a_sender_without_end_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what it sends no more than a bounded amount is taken, and none of it kept."""
    monkeypatch.setattr(http_body, "PASSED_OVER", 1 << 20)
    with socket.create_connection(("127.0.0.1", port), 20.0) as connection:
        connection.sendall(f"{POST}Transfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        with pytest.raises(OSError, match=r"reset|pipe"):
            connection.sendall(piece * 1000)


@pytest.mark.parametrize("length", ["-1", "x", "1.5", "9" * 5000])
def test_a_length_that_is_none_is_a_bad_request(port: int, length: str) -> None:
    """It is not taken for a body of that size, nor does it end the connection without a word."""
    said = spoken(port, f"{POST}Content-Length: {length}\r\n\r\n".encode())
    assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 "))
