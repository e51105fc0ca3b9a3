"""Whether the faults of a scenario exist, take their arguments, point at something, and can come to pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from harness.scenario.fault_parts import FaultSpec
from harness.scenario.meaning_target import driver_words, handler_names, option_misfits, unknown, world_misfits
from harness.scenario.misfit import Misfit
from harness.scenario.places import group_misfits, selector_misfits
from harness.scenario.problems import did_you_mean, one_of
from harness.scenario.view import View
from harness.scenario.vocabulary import DriverWords, FaultWords, Vocabulary

HEAL = ".heal"


def misfits(scenario: View, vocabulary: Vocabulary) -> Iterator[Misfit]:
    """Everything wrong with ``faults`` that the vocabulary can tell."""
    driver, handlers = driver_words(scenario, vocabulary), handler_names(scenario)
    for fault in scenario.get("faults").items():
        kind, event = fault.get("kind"), fault.get("when", "event")
        words = vocabulary.faults.get(kind.text or "")
        if words is None:
            if kind.text is not None:
                yield unknown("fault kind", kind, vocabulary.faults)
            continue
        events = _events(scenario, words, vocabulary)
        if event.text is not None and vocabulary.triggers and event.text not in events:
            yield unknown("event", event, events)
        yield from world_misfits(scenario, words.worlds, f"the fault {kind.text!r}", kind)
        yield from option_misfits(words.args, fault, FaultSpec)
        yield from _where_misfits(fault.get("where"), words, driver, handlers)


def _events(scenario: View, words: FaultWords, vocabulary: Vocabulary) -> frozenset[str]:
    """What a fault of this kind can wait for: inside the process, or what the harness sees while the run goes on."""
    if words.takes_trigger:
        return words.triggers or vocabulary.triggers
    calls = [item.get("id").text for item in scenario.get("workload").items()]
    heals = [item.get("id").text for item in scenario.get("faults").items()]
    ends = {f"{name}.{end}" for name in calls if name for end in ("ok", "fail", "info")}
    return vocabulary.triggers | ends | {f"{name}{HEAL}" for name in heals if name}


def order_misfits(scenario: View) -> Iterator[Misfit]:
    """Faults that wait for a heal that does not exist, or that waits for them."""
    faults = list(scenario.get("faults").items())
    ids = [fault.get("id").text or "" for fault in faults]
    kept = kept_faults(scenario)
    happens = {name for name, fault in zip(ids, faults, strict=True) if fault.get("after").text is None}
    waiting = {}
    for name, fault in zip(ids, faults, strict=True):
        after = fault.get("after")
        if after.text is not None and after.text.endswith(HEAL):
            others = [other for other in ids if other != name]
            if heals := matching_heals(after.text, others):
                waiting[name] = after
                if kept.issuperset(heals):
                    yield heals_too_late(after)
            else:
                yield no_such_heal(after, others)
    while ready := [name for name, after in waiting.items() if matching_heals(after.text or "", happens)]:
        happens |= {name for name in ready if waiting.pop(name)}
    for name, after in waiting.items():
        yield Misfit(
            f"{name!r} can never happen: what it waits for waits for it", found=after.text, at=after.path
        )


def kept_faults(scenario: View) -> frozenset[str]:
    """The ids of the faults that stay on until the run has been played (``keep: true``)."""
    faults = scenario.get("faults").items()
    return frozenset(fault.get("id").text or "" for fault in faults if fault.get("keep").data is True)


def heals_too_late(after: View) -> Misfit:
    """``after`` names only faults that are kept, and those heal when nothing is watched any more."""
    return Misfit(
        f"{after.text!r} never comes while the run is watched: `keep: true` heals after it",
        expected="the heal of a fault that is not kept",
        found=after.text,
        hint="give the fault `for` instead of `keep`",
        at=after.path,
    )


def matching_heals(after: str, ids: Sequence[str] | set[str]) -> list[str]:
    """The ids of the faults whose heal ``after`` names, as a glob."""
    name = after.removesuffix(HEAL)
    if not any(character in after for character in "*?["):
        return [name] if after.endswith(HEAL) and name in ids else []
    return sorted(name for name in ids if fnmatchcase(name + HEAL, after))


def no_such_heal(after: View, ids: Sequence[str]) -> Misfit:
    """``after`` names no fault of this file."""
    words = [name + HEAL for name in ids]
    expected = one_of(words) if words else "a fault in `faults`"
    return Misfit(
        f"no fault heals as {after.text!r}",
        expected=expected,
        hint=did_you_mean(after.text, words),
        at=after.path,
    )


def _where_misfits(
    where: View, words: FaultWords, driver: DriverWords | None, handlers: Sequence[str] | None
) -> Iterator[Misfit]:
    for group, wanted in where.entries():
        if group == "handlers" and words.accepts and not {"handler", "process"}.intersection(words.accepts):
            acts = " or ".join(words.accepts)
            yield Misfit(f"this kind of fault acts on a {acts}, not on handlers", found=group, at=wanted.path, key=True)
        elif isinstance(wanted.data, str | int):
            yield from group_misfits(group, str(wanted.data), handlers, where.path)
    others = [kind for kind in words.accepts if kind != "handler"]
    if (
        where.text is None
        or handlers is None
        or not words.accepts
        or (others and not (driver and driver.places))
    ):
        return
    names = list(handlers) if "handler" in words.accepts else []
    names += [name for name, kind in driver.places.items() if kind in others] if driver else []
    yield from selector_misfits(where.text, names, where.path)
