"""The scheduler's HTTP API, as its own OpenAPI document has it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness.reference.tables import table
from harness.targets.schedule_zero.document import document

__all__ = ["bodies", "operations", "problems", "routes"]

Schema = Mapping[str, Any]


def routes() -> str:
    """Every operation in one line."""
    rows = [
        [f"[`{verb.upper()} {path}`](#{_anchor(verb, path)})", operation["summary"], _scope(operation)]
        for path, verb, operation in _operations()
    ]
    return table(["request", "what it does", "scope"], rows)


def operations() -> str:
    """Every operation with its parameters, body and answers."""
    return "\n\n".join(_operation(path, verb, operation) for path, verb, operation in _operations())


def bodies() -> str:
    """Every type of a body with its fields."""
    return "\n\n".join(_body(name, schema) for name, schema in document()["components"]["schemas"].items())


def problems() -> str:
    """What each status of a problem means."""
    responses = document()["components"]["responses"]
    rows = [[status, content["description"]] for status, content in sorted(responses.items())]
    return table(["status", "meaning"], rows)


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, verbs in document()["paths"].items():
        for verb, operation in verbs.items():
            yield path, verb, operation


def _scope(operation: Mapping[str, Any]) -> str:
    # The last paragraph of its description, see schedule_zero.api.openapi.
    _, found, scope = operation["description"].rpartition("Needs the scope ")
    return scope.rstrip(".") if found else "none"


def _operation(path: str, verb: str, operation: Mapping[str, Any]) -> str:
    parts = [f"### {verb.upper()} {path}", operation["description"]]
    if operation["parameters"]:
        rows = [
            [f"`{p['name']}`", p["in"], _type(p["schema"]), _default(p["schema"]), p["description"]]
            for p in operation["parameters"]
        ]
        parts.append(table(["parameter", "in", "type", "default", "meaning"], rows))
    for content in operation.get("requestBody", {}).get("content", {}).values():
        parts += [f"Takes {_type(content['schema'])}:", _json(content["example"])]
    parts.append(table(["status", "meaning", "body"], list(_answers(operation))))
    return "\n\n".join(parts)


def _answers(operation: Mapping[str, Any]) -> Iterator[list[str]]:
    refused = []
    for status, response in operation["responses"].items():
        if "$ref" in response:
            refused.append(status)
            continue
        contents = [
            _type(content["schema"]) if media == "application/json" else f"`{media}`"
            for media, content in response.get("content", {}).items()
        ]
        headers = [f"`{name}`: {header['description']}" for name, header in response.get("headers", {}).items()]
        yield [status, " ".join([response["description"], *headers]), ", ".join(contents)]
    yield [", ".join(refused), "see [problems](#problems)", "[Problem](#problem)"]


def _body(name: str, schema: Schema) -> str:
    parts = [f"### {name}"]
    if "description" in schema:
        parts.append(schema["description"])
    if "properties" in schema:
        required = set(schema.get("required", ()))
        rows = [
            [f"`{key}`", _type(field), "required" if key in required else _default(field), field.get("description", "")]
            for key, field in schema["properties"].items()
        ]
        described = any(row[3] for row in rows)
        head = ["field", "type", "default", *(["meaning"] if described else [])]
        parts.append(table(head, [row[: len(head)] for row in rows]))
    else:
        parts.append(f"{_capital(_type(schema))}.")
    return "\n\n".join(parts)


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    match schema.get("type"):
        case "array":
            return f"list of {_type(schema.get('items', {}))}"
        case "object":
            inner = schema.get("additionalProperties")
            return f"mapping to {_type(inner)}" if isinstance(inner, dict) else "object"
        case "string":
            return {"date-time": "instant", "date": "date"}.get(schema.get("format", ""), "text") + _limits(schema)
        case "integer" | "number" as kind:
            return {"integer": "whole number", "number": "number"}[kind] + _limits(schema)
        case "boolean":
            return "`true` or `false`"
        case "null":
            return "null"
        case _:
            return f"`{schema['const']}`" if "const" in schema else "anything"


def _limits(schema: Schema) -> str:
    words = {
        "minimum": "at least {}",
        "exclusiveMinimum": "more than {}",
        "maximum": "at most {}",
        "maxLength": "{} characters at most",
    }
    found = [words[name].format(f"{schema[name]:,}".removesuffix(".0")) for name in words if name in schema]
    return f" ({', '.join(found)})" if found else ""


def _default(schema: Schema) -> str:
    return f"`{json.dumps(schema['default'])}`" if "default" in schema else ""


def _json(example: object) -> str:
    return f"```json\n{json.dumps(example, indent=2)}\n```"


def _anchor(verb: str, path: str) -> str:
    """The anchor of a heading: lower case, spaces as hyphens, no other punctuation than hyphens and underscores."""
    kept = (sign for sign in f"{verb} {path}".lower() if sign.isalnum() or sign in " -_")
    return "".join(kept).replace(" ", "-")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
