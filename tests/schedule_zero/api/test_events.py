"""GET /api/events over HTTP: what happens is told as it happens, to many, and ends when the server does."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from schedule_zero.service_events import EventKind

pytestmark = pytest.mark.integration

Event = dict[str, Any]


class Listener:
    """A reader of the stream."""

    def __init__(self, port: int, last_id: str | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20.0)
        self._connection.request("GET", "/api/events", headers={"Last-Event-ID": last_id} if last_id else {})
        self.response = self._connection.getresponse()
        self.comments = 0

    def read(self) -> Event:
        """The next event, its data decoded; heartbeats are counted."""
        event: Event = {}
        while True:
            line = self.response.readline().decode().rstrip("\n")
            assert line or event or not self.response.closed, "the stream has ended"
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                event[name] = json.loads(value) if name == "data" else value
            elif "event" in event:
                return event
            else:
                event = {}

    def until(self, kind: str, **fields: Any) -> Event:
        """The next event of that kind with these data."""
        while True:
            event = self.read()
            if event["event"] == kind and fields.items() <= event["data"].items():
                return event

    def close(self) -> None:
        """Hang up."""
        self.response.close()
        self._connection.close()


@pytest.fixture
def listen(api: Any) -> Iterator[Callable[..., Listener]]:
    """Makes listeners that have been greeted; all hang up at the end."""
    made: list[Listener] = []

    def make(last_id: str | None = None) -> Listener:
        made.append(Listener(api.port, last_id))
        assert made[-1].read()["event"] == "hello"
        return made[-1]

    yield make
    for listener in made:
        listener.close()


def test_a_job_is_told_from_its_acceptance_to_its_outcome(api: Any, listen: Any) -> None:
    """Added, started, finished, in this order, each with the job's id; a failure with its error."""
    listener = listen()
    job = api.ask("POST", "/api/run_now", {"handler_id": "h", "job_method": "fail"}).body["job_id"]
    kinds = ["job.added", "job.started", "job.finished"]
    events = [listener.until(kind, job_id=job, handler_id="h") for kind in kinds]
    numbers = [int(event["id"].rpartition("-")[2]) for event in events]
    assert numbers == sorted(numbers)
    last = events[-1]["data"]
    assert (last["kind"], last["outcome"], last["method"]) == ("job.finished", "error", "fail")
    assert "no such luck" in last["error"]


def test_a_schedule_is_told_from_its_birth_to_its_end(api: Any, listen: Any) -> None:
    """Added with its next fire time, updated when it is paused, removed."""
    listener = listen()
    far = {"type": "date", "run_date": "2099-01-01T00:00:00Z"}
    body = {"handler_id": "h", "job_method": "echo", "job_id": "told", "trigger": far}
    api.ask("POST", "/api/schedule", body)
    api.ask("PATCH", "/api/schedules/told", {"paused": True})
    api.ask("DELETE", "/api/schedules/told")
    added = listener.until("schedule.added", schedule_id="told")
    assert added["data"]["next_fire_time"] == "2099-01-01T00:00:00Z"
    listener.until("schedule.updated", schedule_id="told")
    listener.until("schedule.removed", schedule_id="told")


def test_handlers_are_told_when_they_come_and_go(api: Any, server: Any, listen: Any) -> None:
    """A handler that registers is Connected, one that says farewell Disconnected."""
    listener = listen()
    with type(api.worker)("comes-and-goes", server_address=server.service.registration_address):
        came = listener.until("handler.changed", handler_id="comes-and-goes", status="Connected")
    gone = listener.until("handler.changed", handler_id="comes-and-goes", status="Disconnected")
    assert int(came["id"].rpartition("-")[2]) < int(gone["id"].rpartition("-")[2])


def test_all_readers_get_the_same_and_one_that_was_away_gets_the_rest(api: Any, listen: Any) -> None:
    """Two read the same ids; a third resumes from an id that it knows and gets exactly what came after."""
    one, two = listen(), listen()
    first = api.ask("POST", "/api/run_now", {"handler_id": "h", "job_method": "echo"}).body["job_id"]
    end = one.until("job.finished", job_id=first)
    assert two.until("job.finished", job_id=first) == end
    two.close()
    second = api.ask("POST", "/api/run_now", {"handler_id": "h", "job_method": "echo"}).body["job_id"]
    finished = one.until("job.finished", job_id=second)
    back = listen(end["id"])
    seen = [back.read()]
    while seen[-1] != finished:
        seen.append(back.read())
    begin = int(end["id"].rpartition("-")[2])
    assert [int(event["id"].rpartition("-")[2]) for event in seen] == list(range(begin + 1, begin + 1 + len(seen)))


def test_the_greeting_can_be_resumed_from(api: Any, listen: Any) -> None:
    """Who has heard nothing but hello goes on from there; an id of another run is answered with lost."""
    quiet = Listener(api.port)
    hello = quiet.read()
    quiet.close()
    job = api.ask("POST", "/api/run_now", {"handler_id": "h", "job_method": "echo"}).body["job_id"]
    listen(hello["id"]).until("job.finished", job_id=job)
    assert listen("somewhere-5").read() == {"event": "lost", "data": {"lost": None}}


def test_a_reader_that_does_not_read_harms_nobody(api: Any, server: Any, listen: Any) -> None:
    """With a socket that takes nothing the others are served, and the stalled one is told what it lost."""
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    stalled.settimeout(20.0)
    stalled.connect(("127.0.0.1", api.port))
    stalled.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    listener = listen()
    stream = server.context.stream
    end = time.monotonic() + 20.0
    while stream.readers < 2 and time.monotonic() < end:
        time.sleep(0.005)
    assert stream.readers == 2
    padding = "x" * 8000  # more in all than sockets hold
    for _ in range(2500):
        api.loop.call_soon_threadsafe(stream.publish, "padding", padding)
    job = api.ask("POST", "/api/run_now", {"handler_id": "h", "job_method": "echo"}).body["job_id"]
    listener.until("job.finished", job_id=job)
    received = b""
    while b"event: lost" not in received:
        part = stalled.recv(1 << 20)
        assert part, "the stalled reader was cut off"
        received = received[-64:] + part
    stalled.close()


def test_every_kind_of_event_is_in_the_document(api: Any) -> None:
    """The description of the operation names what is told."""
    operation = api.judge.document["paths"]["/api/events"]["get"]
    assert [kind.value for kind in EventKind if f"`{kind.value}`" not in operation["description"]] == []


def test_head_is_answered_without_a_stream(api: Any) -> None:
    """The type of the stream, and an end."""
    answer = api.ask("HEAD", "/api/events")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")


def test_too_many_readers_are_told_to_come_back(api: Any, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with Retry-After when all places are taken."""
    monkeypatch.setattr(server.context.stream, "_most", 0)
    answer = api.ask("GET", "/api/events")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
