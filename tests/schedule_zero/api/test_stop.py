"""Readers of the event stream do not hold up the end of the server, nor does its end hold up them."""

from __future__ import annotations

import asyncio

import pytest

from schedule_zero.server import Server
from schedule_zero.service_config import ServiceConfig

pytestmark = pytest.mark.integration


def test_the_stream_ends_before_running_calls_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the service still waits for its calls, readers are gone; one that comes then is refused."""

    async def live() -> None:
        server = Server(ServiceConfig(store="memory", stop_timeout=0.1))
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
        writer.write(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"event: hello"), 10.0)
        gate, stop = asyncio.Event(), server.service.stop

        async def wait_for_calls(timeout: float | None = None) -> None:
            await gate.wait()
            await stop(timeout)

        monkeypatch.setattr(server.service, "stop", wait_for_calls)
        async def look() -> None:
            await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 10.0)
            writer.write(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            again = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10.0)
            assert again.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            gate.set()

        looking = asyncio.create_task(look())
        async with asyncio.timeout(30.0):
            await server.stop()
        await looking
        writer.close()

    asyncio.run(live())
