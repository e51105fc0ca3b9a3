"""Whether the checks of a scenario exist, take their arguments and stand where they can be judged."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import BaseModel

from harness.scenario.meaning_faults import HEAL, heals_too_late, kept_faults, matching_heals, no_such_heal
from harness.scenario.meaning_target import NoOptions, option_misfits, unknown
from harness.scenario.misfit import Misfit
from harness.scenario.numerals import NUMBER
from harness.scenario.problems import one_of
from harness.scenario.values import parse_duration
from harness.scenario.view import View
from harness.scenario.vocabulary import NAMES_CALLS, SECTIONS, Vocabulary

_ABORT = re.compile(rf"\s*(<=|>=|<|>)\s*{NUMBER}\s*(%|kB|MB|GB)\s*(?:for\s+(\S+)\s*)?")
_ABORT_NAMES = ("harness-cpu", "free-disk")


def misfits(scenario: View, vocabulary: Vocabulary) -> Iterator[Misfit]:
    """Everything wrong with ``steady``, ``checks``, ``then`` and ``abort_if`` that the vocabulary can tell."""
    checks = scenario.get("checks")
    for section in SECTIONS:
        for entry in (scenario.get("then") if section == "then" else checks.get(section)).items():
            yield from _check_misfits(scenario, entry, section, vocabulary)
    for expectation in (*scenario.get("steady").items(), *checks.get("eventually").items()):
        for name, _ in expectation.get("expect").entries():
            if vocabulary.samples and name not in vocabulary.samples:
                yield _as_key(
                    unknown(
                        "number to expect", View(name, (*expectation.path, "expect", name)), vocabulary.samples
                    )
                )
    for event in checks.get("sometimes").items():
        if event.text is not None and vocabulary.events and event.text not in vocabulary.events:
            yield unknown("event", event, vocabulary.events)


def heal_misfits(scenario: View) -> Iterator[Misfit]:
    """What is wrong with expectations and abort rules by what the file itself says."""
    ids = [fault.get("id").text or "" for fault in scenario.get("faults").items()]
    for expectation in scenario.get("checks", "eventually").items():
        after = expectation.get("after")
        if after.text and not (after.text.endswith(HEAL) and matching_heals(after.text, ids)):
            yield no_such_heal(after, ids)
        elif after.text and kept_faults(scenario).issuperset(matching_heals(after.text, ids)):
            yield heals_too_late(after)
    for expectation in scenario.get("steady").items():
        if expectation.get("after").data:
            yield Misfit("`steady` is awaited before any fault", at=expectation.get("after").path, key=True)
    each = scenario.get("checks", "each")
    if each.data and scenario.get("cycles").data is None:
        yield Misfit("`each` is judged after each cycle, and there is no `cycles`", at=each.path, key=True)
    elif each.data and scenario.get("cycles", "start").text == "once":
        yield Misfit(
            "`each` could never be judged: with `start: once` nothing is stopped and searched after a cycle",
            hint="write the checks under `finally`, or `start: each`",
            at=each.path,
            key=True,
        )
    for entry in scenario.get("abort_if").items():
        for name, rule in entry.entries():
            yield from _abort_misfits(name, rule)


def _check_misfits(scenario: View, entry: View, section: str, vocabulary: Vocabulary) -> Iterator[Misfit]:
    name, args = entry, View({}, entry.path)
    if isinstance(entry.data, dict) and len(entry.data) == 1:
        key, args = next(entry.entries())
        name = View(key, args.path)
    if name.text is None:
        return
    words = vocabulary.checks.get(name.text)
    if words is None:
        misfit = unknown("check", name, vocabulary.checks)
        yield _as_key(misfit) if name is not entry else misfit
        return
    if section not in words.sections:
        yield Misfit(
            f"{name.text!r} cannot be judged under `{section}`",
            expected=one_of(words.sections),
            at=name.path,
            key=True,
        )
    if args.data is None or isinstance(args.data, dict):
        yield from option_misfits(words.args or NoOptions, args)
        yield from _name_misfits(scenario, words.args or NoOptions, args)
    else:
        yield Misfit(
            f"the arguments of {name.text!r} are no mapping",
            expected="such as {max: 1}",
            found=args.data,
            at=args.path,
        )


def _name_misfits(scenario: View, model: type[BaseModel], args: View) -> Iterator[Misfit]:
    """Arguments that name calls (see `NAMES_CALLS`) of which this scenario makes none."""
    calls = _calls(scenario)
    for name, field in model.model_fields.items():
        given = args.get(field.alias or name)
        marked = isinstance(field.json_schema_extra, dict) and NAMES_CALLS.items() <= field.json_schema_extra.items()
        if marked and given.text is not None and given.text not in calls:
            yield unknown("workload or step", given, calls)


def _calls(scenario: View) -> list[str]:
    """What the calls of this scenario are recorded as: ids of workloads, ids (or operations) of steps."""
    names = [item.get("id").text for item in scenario.get("workload").items()]
    for section in (scenario.get("given"), scenario.get("when")):
        names += [step.get("id").text or step.get("op").text for step in section.items()]
    if scenario.get("cycles").data is not None:
        names.append("cycles")
    return list(dict.fromkeys(name for name in names if name))


def _abort_misfits(name: str, rule: View) -> Iterator[Misfit]:
    if name not in _ABORT_NAMES:
        yield _as_key(unknown("abort rule", View(name, rule.path), _ABORT_NAMES))
    match = _ABORT.fullmatch(rule.text or "")
    wrong = Misfit(
        "not an abort rule", expected="such as '> 90% for 20s' or '< 1GB'", found=rule.data, at=rule.path
    )
    if match is None:
        yield wrong
    elif match[3]:
        try:
            parse_duration(match[3])
        except ValueError:
            yield wrong


def _as_key(misfit: Misfit) -> Misfit:
    misfit.key = True
    return misfit
