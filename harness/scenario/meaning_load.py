"""Whether the operations of a scenario exist, take their arguments, and name handlers that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from harness.scenario.meaning_target import driver_words, group_names, handler_names, option_misfits, unknown
from harness.scenario.misfit import Misfit
from harness.scenario.places import selector_misfits
from harness.scenario.view import View
from harness.scenario.vocabulary import DriverWords, Vocabulary

_HANDLER_STEPS = ("add", "remove", "bounce", "crash")
_OWN_CLASS = frozenset({"module", "class"})
"""Keys of a group of handlers that are not the driver's mocks."""


def misfits(scenario: View, vocabulary: Vocabulary) -> Iterator[Misfit]:
    """Everything wrong with ``workload``, ``given``, ``when`` and the steps of ``cycles``."""
    words = driver_words(scenario, vocabulary)
    if words is None:
        return
    handlers = handler_names(scenario)
    steps = scenario.get("cycles", "steps")
    for section in (scenario.get("workload"), scenario.get("given"), scenario.get("when"), steps):
        for entry in section.items():
            yield from _call_misfits(scenario, entry, words, handlers)
    for step in steps.items():
        for key, name in step.entries():
            if key in _HANDLER_STEPS and name.text is not None:
                yield from _place_misfits(name, handlers, words)


def _call_misfits(
    scenario: View, entry: View, words: DriverWords, handlers: Sequence[str] | None
) -> Iterator[Misfit]:
    op, args = entry.get("op"), entry.get("with")
    if not op.text:
        return
    if op.text not in words.ops:
        yield unknown("operation", op, words.ops)
        return
    if isinstance(args.data, dict) or args.data is None:
        yield from option_misfits(words.ops[op.text], args, fakers=True)
    handler = args.get("handler")
    if handler.text is not None and "handler" in words.ops[op.text].model_fields:
        yield from selector_misfits(handler.text, handlers, handler.path)
        yield from _method_misfits(scenario, handler.text, args.get("method"), words.methods)


def _method_misfits(scenario: View, wanted: str, method: View, known: Sequence[str]) -> Iterator[Misfit]:
    """A method that no mock handler has: every job would end in an error. Handlers of other classes may have any."""
    if method.text is None or not known or method.text in known:
        return
    groups = list(scenario.get("topology", "handlers").one_or_many())
    mocks = [group for group in groups if not _OWN_CLASS.intersection(group.mapping)]
    if any(fnmatchcase(name, wanted) for group in mocks for name in group_names(group) or ()):
        yield unknown("method of the mock handler", method, known)


def _place_misfits(name: View, handlers: Sequence[str] | None, words: DriverWords) -> Iterator[Misfit]:
    """A step may name any process; without the driver's list of places only globs can be checked."""
    if name.text and (words.places or any(c in name.text for c in "*?")):
        yield from selector_misfits(
            name.text, None if handlers is None else [*handlers, *words.places], name.path
        )
