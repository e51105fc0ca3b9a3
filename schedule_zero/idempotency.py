"""Idempotency keys: a request that is sent again answers as the first time, and does nothing more.

The key is written in the same transaction as what it stands for, so that there is no moment at which a crash
leaves one without the other.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from schedule_zero.dialect import Session, now
from schedule_zero.refusals import IdempotencyConflict, InvalidRequest
from schedule_zero.requests import NewSchedule, RunNow

#: Seconds for which a key is remembered at least.
KEY_LIFE = 7 * 86400.0
#: The longest key taken, in characters.
MAX_KEY = 200


def key_of(request: RunNow | NewSchedule, given: str | None) -> str | None:
    """The key of a request: the one that was `given` beside it (a header), or the one in its body.

    Raises `InvalidRequest` when there are two of them: nobody could say which of the two a repetition will have.
    """
    inside = request.idempotency_key
    if given and inside and given != inside:
        raise InvalidRequest("idempotency_key", f"{inside!r} here, but {given!r} in the header: give one key, not two")
    return given or inside


def fingerprint(request: Any) -> str:
    """A digest of what was asked for, by which a key that is used for something else is noticed.

    The key itself is left out: a repetition may carry it elsewhere than the request before.
    """
    if isinstance(request, RunNow | NewSchedule):
        request = msgspec.structs.replace(request, idempotency_key=None)
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).hexdigest()


def claim_key(c: Session, key: str, fingerprint: str, target: str) -> tuple[str, bool]:
    """Bind `key` to `target` inside the caller's transaction; returns what it is bound to, and whether that is
    new.

    Raises `IdempotencyConflict` if it was bound by a request with another fingerprint.
    """
    # Inserted first and looked at afterwards: another server may claim the same key at the same moment.
    claim = "INSERT INTO idempotency VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
    if c.execute(claim, (key, fingerprint, target, now(c))).rowcount:
        return target, True
    return find_key(c, key, fingerprint) or target, False


def find_key(c: Session, key: str, fingerprint: str) -> str | None:
    """What `key` is bound to; None when it is new. Raises as `claim_key`."""
    row = c.execute("SELECT fingerprint, target FROM idempotency WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if row[0] != fingerprint:
        raise IdempotencyConflict(
            f"the idempotency key {key!r} was used for another request: use a new key for a new request"
        )
    return str(row[1])


def forget_old_keys(c: Session) -> int:
    """Drop keys older than `KEY_LIFE`; returns how many."""
    horizon = now(c) - int(KEY_LIFE * 1_000_000)
    return c.execute("DELETE FROM idempotency WHERE created_at < ?", (horizon,)).rowcount
