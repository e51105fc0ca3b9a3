"""Triggers out of a store, which may name no other code than triggers.

APScheduler's JSON serializer makes an object of whatever class a text names: it imports the module, makes an instance
without ``__init__`` and calls ``__setstate__``. Whoever could write into the store, or into a backup that is
restored, could so run any code that the interpreter finds.
"""

from __future__ import annotations

import re
from typing import Any

import attrs
from apscheduler import DeserializationError
from apscheduler._marshalling import unmarshal_object
from apscheduler.abc import Trigger
from apscheduler.serializers.json import JSONSerializer

__all__ = ["StoredTriggers"]

_TRUSTED = re.compile(r"(apscheduler\.triggers\.[a-z_.]+|schedule_zero\.apscheduler_fixes\.triggers):[A-Z][A-Za-z]*")


@attrs.define(kw_only=True, eq=False)
class StoredTriggers(JSONSerializer):
    """APScheduler's serializer for triggers of APScheduler's and of ours.

    >>> StoredTriggers().deserialize(b'{"_apscheduler_json": ["subprocess:Popen", {}]}')
    Traceback (most recent call last):
    apscheduler.DeserializationError
    """

    def _object_hook(self, obj_state: dict[str, Any]) -> Any:
        if self.magic_key not in obj_state:
            return obj_state
        ref, state = obj_state[self.magic_key]
        if not isinstance(ref, str) or not _TRUSTED.fullmatch(ref):
            raise DeserializationError(f"the store names {ref!r:.200} where only a trigger can stand")
        found = unmarshal_object(ref, state)
        if not isinstance(found, Trigger):
            raise DeserializationError(f"the store names {ref!r:.200}, which is no trigger")
        return found
