"""The JSON Schema: complete, consistent, and as strict as the loader."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.scenario.composer import compose
from harness.scenario.nodes import flatten
from harness.scenario.positions import Source
from harness.scenario.schema import DIALECT, json_schema
from harness.scenario.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def schema(words: Vocabulary) -> dict[str, Any]:
    """The schema of the small vocabulary, as an editor would read it."""
    return json.loads(json.dumps(json_schema(words)))  # type: ignore[no-any-return]


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a schema."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from parts(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from parts(value)


def test_dialect_and_closed_root(schema: dict[str, Any]) -> None:
    """It names its dialect, allows no unknown key, and asks for what every scenario has."""
    assert schema["$schema"] == DIALECT
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["scenario", "name", "kind", "target"]


def test_references_resolve(schema: dict[str, Any]) -> None:
    """Every reference leads to a definition, also in the parts that came from the vocabulary."""
    targets = [part["$ref"] for part in parts(schema) if isinstance(part.get("$ref"), str)]
    assert len(targets) > 30
    assert [t for t in targets if t.removeprefix("#/$defs/") not in schema["$defs"]] == []


def test_faults_are_told_apart_by_kind(schema: dict[str, Any]) -> None:
    """Each kind is a closed mapping with its own arguments beside those of all faults."""
    union = schema["$defs"]["FaultSpec"]
    assert union["discriminator"] == {"propertyName": "kind"}
    assert [member["$ref"] for member in union["oneOf"]] == [
        "#/$defs/Fault.clock.jump", "#/$defs/Fault.handler.silent", "#/$defs/Fault.process.kill",
        "#/$defs/Fault.process.pause", "#/$defs/Fault.store.locked",
    ]  # fmt: skip
    kill = schema["$defs"]["Fault.process.kill"]
    assert kill["additionalProperties"] is False
    assert {"id", "kind", "where", "at", "every", "from", "for", "restart"} <= set(kill["properties"])
    assert schema["$defs"]["Fault.clock.jump"]["required"] == ["by", "id", "kind"]


def test_durations_are_text(schema: dict[str, Any]) -> None:
    """A bare number for a time is refused by an editor too."""
    run = schema["$defs"]["Limits"]["properties"]["run"]
    assert run["type"] == "string"
    assert run["pattern"].startswith("^[0-9]")


def test_making_it_twice(words: Vocabulary, schema: dict[str, Any]) -> None:
    """Nothing is left in the models by making a schema: the next one is equal."""
    assert json.loads(json.dumps(json_schema(words))) == schema
    assert "FaultSpec" in json_schema(Vocabulary())["$defs"]


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> Any:
    """An independent validator of JSON Schema."""
    jsonschema = pytest.importorskip(
        "jsonschema", reason="the comparison with an independent validator needs jsonschema"
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def data_of(text: str) -> Any:
    """Plain data of a text without tags."""
    ((node, _),) = compose(Source("a.yaml", text.replace("!faker iban", "x")))
    return flatten(node).data


@pytest.mark.parametrize("kind", ["chaos", "cycles", "regression"])
def test_valid_scenarios_fit(validator: Any, texts: dict[str, str], kind: str) -> None:
    """What the loader takes, the schema takes."""
    assert [error.message for error in validator.iter_errors(data_of(texts[kind]))] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("seed",), "x"),
        (("limits", "run"), 40),
        (("limits", "run"), "40"),
        (("matrix",), {}),
        (("target", "driver"), "other"),
        (("target", "verbos"), True),
        (("target", "governor", "patience"), 3),
        (("topology", "scheduler", "leese"), "10s"),
        (("topology", "handlers", "modul"), "x"),
        (("topology", "handlers", "mock"), "wroker"),
        (("workload", 0, "op"), "job.submitt"),
        (("workload", 0, "with", "methd"), "x"),
        (("workload", 0, "rate"), "ten"),
        (("faults", 0, "kind"), "process.kil"),
        (("faults", 0, "restart"), 8),
        (("faults", 0, "restrat"), "8s"),
        (("faults", 1, "when"), {"event": "job.snt", "nth": 1}),
        (("checks", "always", 0), "no-lost-jobs"),
        (("checks", "always", 1), {"runs-per-job": {"mix": 1}}),
        (("checks", "always", 1), "runs-per-job"),
        (("checks", "finally", 0), {"runs-per-job": {"max": 1}}),
        (("checks", "sometimes", 0), "job-retired"),
        (("steady", 0, "expect"), {"handlers": 5}),
        (("thresholds", "jobs.latency", 0), "p99 under 3"),
    ],
)
def test_wrong_scenarios_do_not_fit(
    validator: Any, texts: dict[str, str], path: tuple[Any, ...], value: Any
) -> None:
    """What the loader refuses for its shape or its words, the schema refuses too."""
    data = copy.deepcopy(data_of(texts["chaos"]))
    holder = data
    for part in path[:-1]:
        holder = holder[part]
    holder[path[-1]] = value
    assert list(validator.iter_errors(data)) != []
