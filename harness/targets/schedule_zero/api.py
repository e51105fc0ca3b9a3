"""The scheduler's HTTP API as a client sees it: one request, one `Answer`, and never an exception for what it did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError, SimpleAsyncHTTPClient

from harness.history.records import Status

MAX_CLIENTS = 2000
"""Connections at once; above any ``in_flight`` a scenario may sensibly ask for, so that nothing queues unseen."""


@dataclass(frozen=True)
class Answer:
    """What came back. `INFO` when the request may have been carried out although no clear answer came."""

    status: Status
    code: int
    body: Any
    error: str = ""

    @property
    def unheard(self) -> bool:
        """Whether the server certainly never saw the request: there was nobody to take the connection."""
        return self.status is Status.FAIL and self.code == 0


class ApiClient:
    """Speaks to one base URL, ``http://127.0.0.1:PORT``; one object a run, closed at its end. `token`: who it is."""

    def __init__(self, token: str = "") -> None:
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        client = AsyncHTTPClient(force_instance=True, max_clients=MAX_CLIENTS)
        assert isinstance(client, SimpleAsyncHTTPClient)
        self._client = client

    async def request(
        self, method: str, url: str, body: Any = None, *, timeout: float, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Make one request, at most `timeout` seconds long, with further `headers`."""
        request = HTTPRequest(
            url,
            method,
            {**self._headers, **(headers or {})},
            None if body is None else json.dumps(body),
            connect_timeout=timeout,
            request_timeout=timeout,
            allow_nonstandard_methods=True,
        )
        try:
            asked = asyncio.ensure_future(self._client.fetch(request, raise_error=False))
            asked.add_done_callback(_heard)
            # Tornado reports whatever comes of a fetch that was cancelled;
            # a fetch that nobody waits for any more ends unheard.
            response = await asyncio.shield(asked)
        except (HTTPTimeoutError, HTTPStreamClosedError) as error:
            return Answer(Status.INFO, 0, None, f"{type(error).__name__}: {error}")
        except (OSError, HTTPClientError) as error:
            return Answer(Status.FAIL, 0, None, f"{type(error).__name__}: {error}")
        if response.error is not None and response.code == 599:
            return Answer(Status.INFO, 0, None, str(response.error))
        return _answer(response.code, response.body)

    async def anywhere(
        self, bases: Sequence[str], method: str, path: str, body: Any = None, **options: Any
    ) -> Answer:
        """Make one request to the first of several servers that takes the connection, as any client of them would."""
        for base in bases[:-1]:
            answer = await self.request(method, base + path, body, **options)
            if not answer.unheard:
                return answer
        return await self.request(method, bases[-1] + path, body, **options)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


def _heard(asked: asyncio.Future[HTTPResponse]) -> None:
    if not asked.cancelled():
        asked.exception()


def _answer(code: int, raw: bytes) -> Answer:
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = None
    if 200 <= code < 300:
        return Answer(Status.OK, code, body)
    said = body if isinstance(body, dict) else {}
    error = f"{code} {said.get('title', '')}: {said.get('detail', '')}".rstrip(": ")
    # A server that gives up waiting for its store (5xx) may have carried the request out, or may yet.
    return Answer(Status.INFO if code >= 500 else Status.FAIL, code, body, error)
