"""The JSON Schema of scenario files, for editors, with the words of a vocabulary filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from harness.scenario.meaning_target import NoOptions
from harness.scenario.model import Scenario
from harness.scenario.vocabulary import SECTIONS, CheckWords, DriverWords, FaultWords, Vocabulary

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def json_schema(vocabulary: Vocabulary) -> Schema:
    """A draft 2020-12 schema of one scenario document.

    Faults are told apart by ``kind``; options, operations and scheduler settings by ``target.driver``; checks
    by their name.
    """
    return _Builder(vocabulary).build()


class _Builder:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self.words = vocabulary
        self.schema = Scenario.model_json_schema(by_alias=True)
        self.defs: dict[str, Schema] = self.schema["$defs"]

    def build(self) -> Schema:
        self.schema["$schema"] = DIALECT
        self.schema["title"] = "Scenario"
        self._faults()
        self._checks()
        self._names()
        self._drivers()
        return self.schema

    def add(self, name: str, model: type[BaseModel]) -> Schema:
        """A definition for `model` under `name`; the definitions inside it get names that nothing else has."""
        part = model.model_json_schema(by_alias=True, ref_template=f"#/$defs/{name}.{{model}}")
        for inner, definition in part.pop("$defs", {}).items():
            self.defs[f"{name}.{inner}"] = definition
        self.defs[name] = part
        return part

    def _faults(self) -> None:
        base = self.defs.pop("FaultSpec")
        kinds = [self._fault(base, kind, words) for kind, words in sorted(self.words.faults.items())]
        self.defs["FaultSpec"] = _union(kinds, "kind") if kinds else base

    def _fault(self, base: Schema, kind: str, words: FaultWords) -> Schema:
        part = self.add(f"Fault.{kind}", words.args)
        properties = {
            **part.get("properties", {}),
            **base["properties"],
            "kind": {"const": kind, "description": words.about},
        }
        part.update(
            title=kind, description=words.about, type="object", properties=properties,
            required=sorted({*base["required"], *part.get("required", [])}), additionalProperties=False,
        )  # fmt: skip
        return {"$ref": f"#/$defs/Fault.{kind}"}

    def _checks(self) -> None:
        if not self.words.checks:
            return
        for name, words in self.words.checks.items():
            self.add(f"Check.{name}", words.args or NoOptions).update(description=words.about)
        properties = self.defs["Checks"]["properties"]
        for section in SECTIONS:
            spec = self._check_spec({n: w for n, w in self.words.checks.items() if section in w.sections})
            target = self.schema["properties"]["then"] if section == "then" else properties[section]
            target["items"] = spec

    def _check_spec(self, checks: Mapping[str, CheckWords]) -> Schema:
        bare = [
            {"const": name, "description": words.about}
            for name, words in sorted(checks.items())
            if not self._needs_args(words)
        ]
        return {
            "anyOf": [
                *([{"oneOf": bare}] if bare else []),
                {
                    "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False,
                    "properties": {n: _or_null({"$ref": f"#/$defs/Check.{n}"}) for n in sorted(checks)},
                },
            ]
        }  # fmt: skip

    @staticmethod
    def _needs_args(words: CheckWords) -> bool:
        return words.args is not None and any(field.is_required() for field in words.args.model_fields.values())

    def _names(self) -> None:
        """Plain names: what can be expected, seen, mocked."""
        if self.words.samples:
            self.defs["Expect"]["properties"]["expect"]["propertyNames"] = {"enum": sorted(self.words.samples)}
        if self.words.events:
            self.defs["Checks"]["properties"]["sometimes"]["items"] = {"enum": sorted(self.words.events)}
        if self.words.triggers:
            inside = {event for words in self.words.faults.values() for event in words.triggers}
            self.defs["When"]["properties"]["event"] = {
                "anyOf": [
                    {"enum": sorted(self.words.triggers | inside)},
                    {"type": "string", "pattern": r"^[a-z0-9][a-z0-9._\-]*\.(ok|fail|info|heal)$"},
                ]
            }
        if self.words.mocks:
            self.defs["HandlerGroup"]["properties"]["mock"] = {
                "enum": sorted(self.words.mocks),
                "default": "worker",
            }

    def _drivers(self) -> None:
        """Each driver closes the parts that are open in the model, by a condition on ``target.driver``."""
        if not self.words.drivers:
            return
        self.defs["TargetSpec"]["properties"]["driver"] = {
            "oneOf": [
                {"const": name, "description": words.about}
                for name, words in sorted(self.words.drivers.items())
            ]
        }
        self.schema["allOf"] = [
            {
                "if": {
                    "properties": {
                        "target": {"properties": {"driver": {"const": name}}, "required": ["driver"]}
                    }
                },
                "then": {"properties": self._driver(name, words)},
            }
            for name, words in sorted(self.words.drivers.items())
        ]

    def _driver(self, name: str, words: DriverWords) -> Schema:
        prefix = f"Driver.{name}"
        target = self._closed(f"{prefix}.target", words.options, "TargetSpec")
        governor = self._closed(f"{prefix}.governor", words.governor_options or NoOptions, "GovernorSpec")
        handlers = self._closed(f"{prefix}.handlers", words.handler_options or NoOptions, "HandlerGroup")
        self.defs[f"{prefix}.target"]["properties"]["governor"] = governor
        self.add(f"{prefix}.scheduler", words.scheduler_options)
        calls = {op: self._op(f"{prefix}.{op}", op, model) for op, model in sorted(words.ops.items())}
        items = {"items": {"allOf": [{"properties": {"op": {"enum": ["", *calls]}}}, *calls.values()]}}
        return {
            "target": target,
            "topology": {
                "properties": {
                    "scheduler": {"$ref": f"#/$defs/{prefix}.scheduler"},
                    "handlers": {"anyOf": [handlers, {"type": "array", "items": handlers}]},
                }
            },
            **dict.fromkeys(("workload", "given", "when"), items),
            "cycles": {"properties": {"steps": items}},
        }

    def _closed(self, name: str, options: type[BaseModel], base: str) -> Schema:
        """A definition with the properties of `base` and those of `options`, and no others."""
        part = self.add(name, options)
        own = self.defs[base]
        part["properties"] = {**part.get("properties", {}), **own["properties"]}
        part["required"] = sorted({*part.get("required", []), *own.get("required", [])})
        part["additionalProperties"] = False
        part["description"] = own.get("description", "")
        return {"$ref": f"#/$defs/{name}"}

    def _op(self, name: str, op: str, model: type[BaseModel]) -> Schema:
        """A condition: where the operation is `op`, ``with`` holds the arguments of `model`."""
        part = self.add(name, model)
        needs = {"required": ["with"]} if part.get("required") else {}
        return {
            "if": {"properties": {"op": {"const": op}}, "required": ["op"]},
            "then": {"properties": {"with": {"$ref": f"#/$defs/{name}"}}, **needs},
        }


def _union(members: list[Schema], key: str) -> Schema:
    return {"oneOf": members, "discriminator": {"propertyName": key}}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}
