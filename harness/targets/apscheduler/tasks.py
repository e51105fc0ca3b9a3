"""What jobs run: small tasks of our own, or any callable named ``package.module:function``."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import UsageError


async def tick(**params: Any) -> dict[str, Any]:
    """Answer what was given, at once. The event loop goes on."""
    return params


async def work(seconds: float = 0.05, **params: Any) -> dict[str, Any]:
    """Wait for `seconds` as asynchronous code does, then answer what was given. The event loop goes on."""
    await asyncio.sleep(seconds)
    return params


async def fail(message: str = "told to fail") -> None:
    """Raise a `RuntimeError` with this message, at once. The event loop goes on."""
    raise RuntimeError(message)


def sleep(seconds: float = 0.05, **params: Any) -> dict[str, Any]:
    """Sleep for `seconds` as blocking code does, then answer what was given. With ``executor: threadpool`` the event
    loop goes on; without, it stands still: the scheduler deals with no schedule meanwhile, and what became due is late,
    coalesced or dropped.
    """
    time.sleep(seconds)
    return params


async def block(seconds: float = 0.05, **params: Any) -> dict[str, Any]:
    """Sleep for `seconds` on the event loop, which a coroutine must not, then answer what was given. With any executor
    that runs coroutines the loop stands still, and the scheduler with it.
    """
    time.sleep(seconds)  # noqa: ASYNC251 - that is what it is for
    return params


OWN: Mapping[str, Callable[..., Any]] = {
    "tick": tick, "work": work, "echo": tick, "fail": fail, "sleep": sleep, "block": block,
}  # fmt: skip
"""Tasks by the names that scenarios use; the reference tells of each what stands here."""


def find(name: str) -> Callable[..., Any]:
    """The callable of that name; raises `UsageError` when there is none."""
    if name in OWN:
        return OWN[name]
    module, _, path = name.partition(":")
    if not path:
        raise UsageError(f"no task {name!r}: expected one of {', '.join(OWN)}, or `package.module:function`")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"no callable {name!r}: {error}") from error
    if not callable(found):
        raise UsageError(f"{name!r} is not callable but {type(found).__name__}")
    return found  # type: ignore[no-any-return]
