"""Several servers of one deployment: the order of their start, one result of their stops, calls to whoever is there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import ValidationError

from harness.history.recorder import Recorder
from harness.history.records import Process, Status
from harness.targets.base import PartEnd, StopHow, StopResult
from harness.targets.schedule_zero.api import Answer, ApiClient
from harness.targets.schedule_zero.deployment import Configured
from harness.targets.schedule_zero.fleet import Fleet
from harness.targets.schedule_zero.governor import Addresses, GovernorProcess
from harness.targets.schedule_zero.living import Sightings
from harness.targets.schedule_zero.options import SchedulerOptions

pytestmark = pytest.mark.unit


class Governor:
    """Notes what it is told, and ends as it was made to."""

    def __init__(self, name: str, notes: list[str], code: int | None = 0, took: float = 1.0) -> None:
        self.name, self.notes = name, notes
        self.deployment = name
        self.result = StopResult(took, code, forced=code is None)

    def spawn(self) -> None:
        """Note it."""
        self.notes.append(f"spawn {self.name}")

    async def wait_for_addresses(self, deadline: float) -> Addresses:
        """At once."""
        return Addresses(f"http://{self.name}:80", f"tcp://{self.name}:81", "")

    async def stop(self, how: StopHow, timeout: float, times: int) -> StopResult:
        """As it was made to."""
        return self.result


def fleet(*governors: Governor) -> Fleet:
    """What each is configured with is noted where the first governor notes."""

    def configure(server: object, /, *, peers: Sequence[str] = (), ports: tuple[int, int] = (0, 0)) -> None:
        governors[0].notes.append(f"configure {server} {list(peers)} {ports}")

    return Fleet(cast("list[GovernorProcess]", governors), configure)


def test_the_first_server_starts_last_and_its_handlers_know_the_others() -> None:
    """Which they are is known only when those run."""
    notes: list[str] = []
    several = fleet(*(Governor(name, notes) for name in ("a", "b", "c")))

    found = asyncio.run(several.start(10.0))

    assert notes == [
        "configure b [] (0, 0)",
        "spawn b",
        "configure c [] (0, 0)",
        "spawn c",
        "configure a ['tcp://b:81', 'tcp://c:81'] (0, 0)",
        "spawn a",
    ]
    assert [addresses.http for addresses in found] == ["http://a:80", "http://b:80", "http://c:80"]
    notes.clear()
    asyncio.run(fleet(Governor("a", notes)).start(10.0))
    assert notes == ["configure a [] (0, 0)", "spawn a"]


def stopped(*governors: Governor) -> StopResult:
    """How they ended, all together."""
    return asyncio.run(fleet(*governors).stop(StopHow.TERM, 5.0, 1))


def test_a_stop_of_several_takes_as_long_as_the_longest_and_each_end_is_its_own() -> None:
    """The first's exit code is the target's; that of another stands under its own name, so that no other is blamed."""
    well, late = stopped(Governor("a", []), Governor("b", [], took=2.0)), PartEnd(0, after=2.0)

    assert well == StopResult(2.0, 0, forced=False, parts={"b": late})
    assert stopped(Governor("a", []), Governor("b", [], code=3)) == StopResult(
        1.0, 0, forced=False, parts={"b": PartEnd(3, after=1.0)}
    )
    assert stopped(Governor("a", [], code=3), Governor("b", [])).code == 3


def test_a_further_governor_that_had_to_be_forced_is_named() -> None:
    """The stop as a whole was not clean."""
    forced = Governor("b", [])
    forced.result = StopResult(5.0, -9, forced=True)

    result = stopped(Governor("a", []), forced)

    assert result == StopResult(5.0, 0, forced=True, parts={"b": PartEnd(-9, "killed", after=5.0)})


def test_the_history_blames_the_governor_that_ended_badly() -> None:
    """The records of their ends are one for each, with its own code."""
    recorder = Recorder()
    sightings = Sightings(recorder, tuple)
    sightings._seen = {"governor": 7, "governor2": 8}

    sightings.all_gone(stopped(Governor("governor", []), Governor("governor2", [], code=3)))

    ends = {record.name: record.code for record in recorder.close().of(Process)}
    assert ends == {"governor": 0, "governor2": 3}


def test_a_governor_is_started_anew_where_the_others_look_for_its_server() -> None:
    """The first starts its handlers anew and may be anywhere; those look for another's server where it was."""
    notes: list[str] = []
    several = fleet(Governor("governor", notes), Governor("governor2", notes))
    asyncio.run(several.start(10.0))
    notes.clear()

    first = asyncio.run(several.restart("governor", 10.0))
    second = asyncio.run(several.restart("governor2", 10.0))

    assert notes == ["spawn governor", "configure governor2 [] (80, 81)", "spawn governor2"]
    assert first == second
    assert [addresses.http for addresses in second] == ["http://governor:80", "http://governor2:80"]


def test_how_the_processes_of_all_governors_ended_is_told_together() -> None:
    """Their names tell them apart: a second server is called otherwise."""
    first, second = Governor("a", []), Governor("b", [])
    first.result = StopResult(1.0, 0, forced=False, parts={"h1": PartEnd(9), "scheduler": PartEnd(0)})
    second.result = StopResult(1.0, 0, forced=False, parts={"scheduler2": PartEnd(-9, "killed")})

    ends = stopped(first, second).parts

    assert {name: ends[name] for name in ends if name != "b"} == {
        "h1": PartEnd(9),
        "scheduler": PartEnd(0),
        "scheduler2": PartEnd(-9, "killed"),
    }


def test_a_call_goes_to_the_next_server_only_if_the_first_cannot_have_seen_it() -> None:
    """Refused connections are passed on; an answer, or none to what was sent, is what came of it."""
    answers = {
        "gone": Answer(Status.FAIL, 0, None, "ConnectionRefusedError"),
        "there": Answer(Status.OK, 200, {}),
        "silent": Answer(Status.INFO, 0, None, "HTTPTimeoutError"),
        "full": Answer(Status.FAIL, 429, None),
    }

    class Client(ApiClient):
        def __init__(self) -> None:
            self.asked: list[str] = []

        async def request(
            self,
            method: str,
            url: str,
            body: Any = None,
            *,
            timeout: float,
            headers: Mapping[str, str] | None = None,
        ) -> Answer:
            self.asked.append(url)
            return answers[url.partition("/")[0]]

    def asked(*bases: str) -> list[str]:
        client = Client()
        asyncio.run(client.anywhere(bases, "GET", "/x", timeout=1.0))
        return client.asked

    assert asked("gone", "there") == ["gone/x", "there/x"]
    assert asked("gone", "gone") == ["gone/x", "gone/x"]
    assert [asked(first, "there") for first in ("there", "silent", "full")] == [["there/x"], ["silent/x"], ["full/x"]]


def test_servers_are_told_apart_by_their_names_and_files(tmp_path: Path) -> None:
    """The first has the plain ones."""
    first, second = Configured(1, tmp_path), Configured(2, tmp_path)

    assert (first.name, first.mark, first.path.name) == ("under-test", "", "deployment.yaml")
    assert (second.name, second.mark, second.path.name) == ("under-test2", "2", "deployment2.yaml")


def test_only_a_store_that_can_be_shared_has_several_servers() -> None:
    """A file is one server's alone."""
    assert SchedulerOptions(store="postgres", servers=2).servers == 2
    with pytest.raises(ValidationError, match="`servers` and `database_url` are for `store: postgres`"):
        SchedulerOptions(servers=2)
