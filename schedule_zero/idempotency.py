"""Idempotency keys: a request that is sent again answers as the first time, and does nothing more.

The key is written in the same transaction as what it stands for, so that there is no moment at which a crash
leaves one without the other.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

import msgspec

from schedule_zero.refusals import IdempotencyConflict
from schedule_zero.schema import now_micros

#: Seconds for which a key is remembered at least.
KEY_LIFE = 7 * 86400.0
#: The longest key taken, in characters.
MAX_KEY = 200


def fingerprint(request: Any) -> str:
    """A digest of what was asked for, by which a key that is used for something else is noticed."""
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).hexdigest()


def claim_key(connection: sqlite3.Connection, key: str, fingerprint: str, target: str) -> tuple[str, bool]:
    """Bind `key` to `target` inside the caller's transaction; returns what it is bound to, and whether that is
    new.

    Raises `IdempotencyConflict` if it was bound by a request with another fingerprint.
    """
    earlier = find_key(connection, key, fingerprint)
    if earlier is not None:
        return earlier, False
    connection.execute("INSERT INTO idempotency VALUES (?, ?, ?, ?)", (key, fingerprint, target, now_micros()))
    return target, True


def find_key(connection: sqlite3.Connection, key: str, fingerprint: str) -> str | None:
    """What `key` is bound to; None when it is new. Raises as `claim_key`."""
    row = connection.execute("SELECT fingerprint, target FROM idempotency WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if row[0] != fingerprint:
        raise IdempotencyConflict(
            f"the idempotency key {key!r} was used for another request: use a new key for a new request"
        )
    return str(row[1])


def forget_old_keys(connection: sqlite3.Connection) -> int:
    """Drop keys older than `KEY_LIFE`; returns how many."""
    horizon = now_micros() - int(KEY_LIFE * 1_000_000)
    return connection.execute("DELETE FROM idempotency WHERE created_at < ?", (horizon,)).rowcount
