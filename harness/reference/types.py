"""Scenario keys, fixtures, behaviours of mocks, records, files and exit codes, as their types describe them."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

import msgspec
from pydantic import BaseModel
from ruamel.yaml import YAML

from harness import plugin
from harness.errors import ExitCode
from harness.history.records import AnyRecord
from harness.mocks import behaviours as mocks
from harness.reference.docstrings import attributes, markdown, summary
from harness.reference.meanings import MEANINGS
from harness.reference.tables import keys, table
from harness.report.folder import RunFolder
from harness.scenario import model

PARTS: tuple[type[BaseModel], ...] = (
    model.Scenario, model.Seeds, model.Limits, model.TargetSpec, model.GovernorSpec, model.Topology,
    model.HandlerGroup, model.Service, model.Expect, model.Given, model.Workload, model.Stage, model.InFlight,
    model.FaultSpec, model.When, model.Nemesis, model.Cycles, model.CycleStep, model.Wait, model.OpStep,
    model.StopStep, model.Checks, model.Threshold, model.Abort, model.Known, model.ReportSpec,
)  # fmt: skip
"""The models of a scenario file, in the order in which they are explained."""

BEHAVIOURS: Mapping[str, str] = {
    "echo": "echo",
    "reply": "{reply: {total: 3}}",
    "replies": "{replies: {items: [1, {do: silent}, 3], at_end: cycle}}",
    "error": "{error: {message: no such account, code: call_failed}}",
    "slow": "{slow: {p50: 20ms, p99: 200ms, then: echo}}",
    "flaky": "{flaky: {odds: 5%, failure: silent}}",
    "silent": "{silent: {ping: false}}",
    "late": "{late: 2s}",
    "duplicate-reply": "{duplicate-reply: {times: 3, gap: 10ms}}",
    "die": "{die: {moment: after}}",
    "malformed": "{malformed: truncated}",
    "not-json": "not-json",
    "no-delimiter": "no-delimiter",
    "wrong-schema": "{wrong-schema: wrong-id}",
    "oversize": "{oversize: {bytes: 16777216}}",
}
"""How each behaviour can be written as data."""

_VARIANTS: Mapping[str, type[StrEnum]] = {
    "`malformed`": mocks.Garbage,
    "`wrong-schema`": mocks.Schema,
    "`die`: `moment`": mocks.Moment,
    "`replies`: `at_end`": mocks.AtEnd,
}


def scenario() -> str:
    """Every key of a scenario file, a section for each part."""
    found = []
    for part in PARTS:
        title = "Top level" if part is model.Scenario else part.__name__
        found.append(f"### {title}\n\n{summary(part)}\n\n{keys(part, MEANINGS[part.__name__])}")
    return "\n\n".join(found)


def fixtures() -> str:
    """Every fixture of the plugin, with its own words."""
    parts = []
    for name in sorted(n for n in plugin.__all__ if not n.startswith("pytest_") and n.islower()):
        text = inspect.cleandoc(getattr(plugin, name).__doc__ or "")
        parts.append(f"### {name}\n\n{markdown(text)}")
    return "\n\n".join(parts)


def behaviours() -> str:
    """Every behaviour of a mock: as data, as a class, and what it does."""
    rows = []
    for word, written in BEHAVIOURS.items():
        kind = type(mocks.parse(YAML(typ="safe", pure=True).load(written)))
        rows.append([f"`{word}`", f"`{written}`", f"`{_call(kind)}`", " ".join(summary(kind).split())])
    return table(["word", "as data", "in Python", "what it does"], rows)


def variants() -> str:
    """The words that some behaviours take."""
    parts = []
    for title, kind in _VARIANTS.items():
        about = attributes(kind)
        rows = [[f"`{word.value}`", about.get(word.name, "")] for word in kind]
        parts.append(f"{title} takes:\n\n{table(['word', 'meaning'], rows)}")
    return "\n\n".join(parts)


def _call(kind: type) -> str:
    return f"{kind.__name__}({', '.join(inspect.signature(kind).parameters)})"


def files() -> str:
    """What lies in the folder of a run."""
    here = RunFolder(Path("run"))
    rows = [
        [f"`{getattr(here, name).name}`", (getattr(RunFolder, name).__doc__ or "").strip()]
        for name in ("manifest", "scenario", "history", "verdict", "junit", "html", "tape", "simulation", "logs")
    ]
    return table(["file", "what it holds"], rows)


def records() -> str:
    """The kinds of record in a history, with their fields."""
    rows = []
    for kind in _members(AnyRecord):
        fields = ", ".join(f"`{field.encode_name}`" for field in msgspec.structs.fields(kind))
        rows.append([f"`{kind.__struct_config__.tag}`", " ".join(summary(kind).split()), fields])
    return table(["type", "what it is", "fields"], rows)


def _members(union: typing.Any) -> Iterator[typing.Any]:
    assert isinstance(union, types.UnionType)
    yield from typing.get_args(union)


def exit_codes() -> str:
    """How a command ends."""
    about = attributes(ExitCode)
    rows = [[str(int(code)), code.name.lower(), about[code.name]] for code in ExitCode]
    return table(["code", "name", "meaning"], rows)
