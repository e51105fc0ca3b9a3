"""The memory behind the event stream: bounded, the same for all readers, honest about what is lost."""

from __future__ import annotations

import asyncio

import pytest

from schedule_zero.api.event_stream import EventStream, TooManyReaders

pytestmark = pytest.mark.unit


def test_readers_get_what_is_published_from_their_place_on() -> None:
    """One that came first gets all, one that came later the rest; each event has its id, kind and data."""

    async def read() -> None:
        stream = EventStream()
        first = stream.open(None)
        stream.publish("a", 1)
        second = stream.open(None)
        stream.publish("b", 2)
        one, two = await first.next(1.0), await second.next(1.0)
        assert one is not None
        assert two is not None
        assert one.events == (
            f"id: {stream.run}-1\nevent: a\ndata: 1\n\n".encode(),
            f"id: {stream.run}-2\nevent: b\ndata: 2\n\n".encode(),
        )
        assert (two.events, two.lost) == (one.events[1:], 0)

    asyncio.run(read())


def test_a_slow_reader_loses_the_oldest_and_is_told_how_many() -> None:
    """Of 25 events 10 are kept: the reader gets those, and learns that it lost 15; then it is up to date."""

    async def read() -> None:
        stream = EventStream(kept=10)
        reader = stream.open(None)
        for number in range(25):
            stream.publish("a", number)
        passage = await reader.next(1.0)
        assert passage is not None
        assert (passage.lost, len(passage.events)) == (15, 10)
        assert passage.events[0].endswith(b"data: 15\n\n")
        stream.publish("a", 25)
        passage = await reader.next(1.0)
        assert passage is not None
        assert (passage.lost, len(passage.events)) == (0, 1)

    asyncio.run(read())


@pytest.mark.parametrize(
    ("last", "lost", "got"),
    [
        ("{run}-30", 0, []),
        ("{run}-28", 0, [b"28", b"29"]),
        ("{run}-20", 0, [b"%d" % n for n in range(20, 30)]),
        ("{run}-17", 3, [b"%d" % n for n in range(20, 30)]),
        ("{run}-31", None, [b"%d" % n for n in range(20, 30)]),
        ("another-29", None, [b"%d" % n for n in range(20, 30)]),
        ("", None, [b"%d" % n for n in range(20, 30)]),
        ("{run}-٣", None, [b"%d" % n for n in range(20, 30)]),
        ("{run}--1", None, [b"%d" % n for n in range(20, 30)]),
    ],
)
def test_one_that_comes_back_goes_on_where_it_was(last: str, lost: int | None, got: list[bytes]) -> None:
    """By the last id that it saw it gets the rest; what is gone is counted, and an unknown id is owned up to."""

    async def read() -> None:
        stream = EventStream(kept=10)
        for number in range(30):
            stream.publish("a", number)
        reader = stream.open(last.format(run=stream.run))
        passage = await reader.next(0.001)
        assert passage is not None
        assert passage.lost == lost
        assert [event.partition(b"data: ")[2].strip() for event in passage.events] == got

    asyncio.run(read())


def test_a_reader_far_behind_gets_a_bounded_amount_at_a_time() -> None:
    """250 events come in passages of 100 at most, in order, none twice."""

    async def read() -> list[int]:
        stream = EventStream()
        reader = stream.open(None)
        for number in range(250):
            stream.publish("a", number)
        passages = [await reader.next(1.0) for _ in range(3)]
        seen = [event for passage in passages if passage for event in passage.events]
        assert [int(event.partition(b"data: ")[2]) for event in seen] == list(range(250))
        return [len(passage.events) for passage in passages if passage]

    assert asyncio.run(read()) == [100, 100, 50]


def test_silence_is_an_empty_passage_and_the_end_is_none() -> None:
    """A reader waits for as long as it was told; the end of the stream wakes it at once."""

    async def read() -> None:
        stream = EventStream()
        reader = stream.open(None)
        quiet = await reader.next(0.001)
        assert quiet is not None
        assert (quiet.events, quiet.lost) == ((), 0)
        waiting = asyncio.create_task(reader.next(3600.0))
        await asyncio.sleep(0)
        stream.close()
        assert await asyncio.wait_for(waiting, 5.0) is None
        stream.publish("late", 0)
        assert stream.number == 0

    asyncio.run(read())


def test_places_are_limited_and_come_free() -> None:
    """The third of two readers is refused, until one leaves; whoever looks for readers sees when there are some."""

    async def read() -> None:
        stream = EventStream(readers=2)
        waiting = asyncio.create_task(stream.wanted())
        first = stream.open(None)
        await asyncio.wait_for(waiting, 5.0)
        stream.open(None)
        with pytest.raises(TooManyReaders, match="2 readers have the event stream already"):
            stream.open(None)
        first.close()
        first.close()
        stream.open(None)
        assert stream.readers == 2
        assert await first.next(1.0) is None

    asyncio.run(read())
