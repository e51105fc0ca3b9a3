"""Attempts to get in without the right to, each of which must be refused in the way that it is documented to be.

An attempt that is refused is a call that went well. One that is let in fails with what it was answered; one of which
nobody can tell, since the scheduler is away, is in doubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.history.records import Status
from harness.targets.base import Reply
from harness.targets.schedule_zero.api import ApiClient
from harness.targets.schedule_zero.credentials import Credentials
from harness.targets.schedule_zero.options import IntrudeArgs, Way
from schedule_zero.errors import RemoteError, ScheduleZeroError
from schedule_zero.security.curve import Curve
from schedule_zero.security.scopes import Scope
from schedule_zero.zmq_client import ZMQClient

SILENCE = 0.4
"""Seconds without an answer after which a peer over ZeroMQ counts as refused: libzmq says nothing to such a one."""


PATIENCE = 5.0
"""Seconds in which whoever has refused somebody must answer one who may come in."""


@dataclass(frozen=True)
class _Request:
    """One way in over HTTP: what is sent besides, and with which code it must be refused."""

    code: int
    scope: Scope | None = None
    headers: Mapping[str, str] | None = None
    verb: str = "POST"
    path: str = "/api/run_now"


HTTP: Mapping[Way, _Request] = {
    Way.NO_BEARER: _Request(401),
    Way.WRONG_BEARER: _Request(401, headers={"Authorization": "Bearer szt_" + "A" * 43}),
    Way.READER_WRITES: _Request(403, Scope.READ),
    Way.WRITER_ADMINISTERS: _Request(403, Scope.WRITE, verb="DELETE", path="/api/executions"),
    Way.FOREIGN_PAGE: _Request(403, Scope.ADMIN, {"Origin": "http://evil.example"}),
    Way.FOREIGN_HOST: _Request(421, Scope.ADMIN, {"Host": "evil.example"}),
}


class Intruder:
    """Tries the ways; `client` speaks HTTP without a token of its own."""

    def __init__(self, client: ApiClient, credentials: Credentials) -> None:
        self._client, self._credentials = client, credentials

    async def attempt(
        self, args: IntrudeArgs, bases: Sequence[str], registration: str, address: str, timeout: float
    ) -> Reply:
        """Try once; `registration` and `address` are where the registration and the handler listen."""
        if args.way in HTTP:
            return await self._over_http(args, bases, timeout)
        if self._credentials.keys is None:
            return Reply(Status.FAIL, error=f"{args.way.value}: ZeroMQ is in plain text without `security: keys`")
        return await asyncio.to_thread(self._over_zeromq, args, registration, address)

    async def _over_http(self, args: IntrudeArgs, bases: Sequence[str], timeout: float) -> Reply:
        wanted = HTTP[args.way]
        headers = dict(wanted.headers or {})
        if wanted.scope is not None:
            headers["Authorization"] = f"Bearer {self._credentials.tokens.get(wanted.scope, '')}"
        body = {"handler_id": args.handler, "job_method": "work", "job_params": {}} if wanted.verb == "POST" else None
        answer = await self._client.anywhere(bases, wanted.verb, wanted.path, body, timeout=timeout, headers=headers)
        if answer.code == wanted.code:
            return Reply(Status.OK)
        if answer.status is Status.INFO or answer.unheard:
            return Reply(Status.INFO, error=f"{args.way.value}: {answer.error}")
        return _let_in(args.way, f"{wanted.verb} {wanted.path} was answered {answer.code}, not {wanted.code}")

    def _over_zeromq(self, args: IntrudeArgs, registration: str, address: str) -> Reply:
        server, handler = self._credentials.curve(), self._credentials.curve(args.handler)
        stranger = self._credentials.stranger
        assert server is not None
        assert handler is not None
        assert stranger is not None
        record = {"handler_id": args.handler, "address": "tcp://127.0.0.1:9", "methods": ["work"]}
        known = self._credentials.curve(args.other) if args.way is Way.ANOTHERS_NAME else None
        # Strangers know the public keys of both: those are no secret.
        unknown, caller = Curve(stranger, server.peer), Curve(stranger, handler.own.public)
        tries: Mapping[Way, Callable[[], str]] = {
            Way.PLAIN_REGISTRATION: lambda: _said(registration, None, "register", record),
            Way.UNKNOWN_KEY: lambda: _said(registration, unknown, "register", record),
            Way.ANOTHERS_NAME: lambda: _said(registration, known, "register", record, refusals=("not_admitted",)),
            # Answered at once even by one that works, which takes as long as it takes.
            Way.PLAIN_CALL: lambda: _said(address, None, "ping", None),
            Way.STRANGER_CALLS: lambda: _said(address, caller, "ping", None),
        }
        if said := tries[args.way]():
            return _let_in(args.way, said)
        # Silence proves something only about who answers those that may come in.
        who, where, right = "the registration", registration, server
        if args.way in (Way.PLAIN_CALL, Way.STRANGER_CALLS):
            who, where, right = args.handler, address, Curve(server.own, handler.own.public)
        if not _said(where, right, "ping", None, patience=PATIENCE):
            return Reply(Status.INFO, error=f"{args.way.value}: {who} answers nobody")
        return Reply(Status.OK)


def _let_in(way: Way, what: str) -> Reply:
    return Reply(Status.FAIL, error=f"{way.value}: let in: {what}")


def _said(
    address: str,
    secure: Curve | None,
    method: str,
    params: dict[str, Any] | None,
    *,
    refusals: Sequence[str] = (),
    patience: float = SILENCE,
) -> str:
    """What a peer with these keys was answered, but for `refusals`; empty when it was answered nothing."""
    with ZMQClient(address, timeout=int(patience * 1000), secure=secure) as client:
        try:
            return f"{method} was answered {client.call(method, params)!r:.200}"
        except RemoteError as error:
            return "" if error.code in refusals else f"{method} was answered with the error {error.code}: {error}"
        except ScheduleZeroError:
            return ""
