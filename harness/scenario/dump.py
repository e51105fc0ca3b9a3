"""A scenario as YAML text that `load` reads back equal."""

from __future__ import annotations

import io
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from harness.scenario.fakers import TAG
from harness.scenario.misfit import Misfit
from harness.scenario.model import Scenario
from harness.scenario.scalars import resolve
from harness.scenario.values import FAKER_KEY

_STR = "tag:yaml.org,2002:str"


def dump(scenario: Scenario, *, full: bool = False) -> str:
    """`scenario` as the text of a file; with `full`, every setting in force, also those that are defaults.

    >>> from harness.scenario.model import Scenario
    >>> print(dump(Scenario.model_validate({
    ...     "scenario": 1, "name": "a", "kind": "load", "target": {"driver": "mine"},
    ...     "workload": [{"id": "w", "op": "go", "model": "once"}], "thresholds": {"w.latency": ["p99 < 1s"]},
    ... })), end="")
    scenario: 1
    name: a
    kind: load
    target: {driver: mine}
    workload:
    - {id: w, op: go, model: once}
    thresholds:
      w.latency: [p99 < 1s]
    """
    data = scenario.model_dump(mode="json", by_alias=True, exclude_defaults=not full)
    _drop_unset(data, scenario)
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = None  # lists and mappings of scalars stand on one line
    yaml.width = 1 << 20  # a folded text would need another reader's rules for its spaces
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(_short_forms(data), stream)
    return stream.getvalue()


def _drop_unset(dumped: Any, value: Any) -> None:
    """Remove what is None in a field of the model; None among the keys of a call means something."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            key, inner = field.alias or name, getattr(value, name)
            if inner is None:
                dumped.pop(key, None)
            elif key in dumped:
                _drop_unset(dumped[key], inner)
    elif isinstance(value, tuple):
        for part, inner in zip(dumped, value, strict=True) if isinstance(dumped, list) else ():
            _drop_unset(part, inner)


def _short_forms(data: dict[str, Any]) -> dict[str, Any]:
    """What has a short form is written in it: steps such as ``start``, thresholds such as ``p99 < 1s``."""
    if "cycles" in data:
        data["cycles"]["steps"] = [_short_step(step) for step in data["cycles"]["steps"]]
    for name, bounds in data.get("thresholds", {}).items():
        data["thresholds"][name] = [bound["expr"] if list(bound) == ["expr"] else bound for bound in bounds]
    return data


def _short_step(step: dict[str, Any]) -> Any:
    key = next(iter(step))
    return step[key] if len(step) == 1 and key in ("do", "call") else step


class _Representer(SafeRepresenter):
    """Quotes every text that `scalars` would read as something else, and writes references to Faker as tags."""

    def ignore_aliases(self, data: Any) -> bool:
        """Equal parts are written twice: aliases in a file that nobody wrote by hand help nobody."""
        return True

    def text(self, data: str) -> Any:
        """A text, plain where that is the same text again."""
        return self.represent_scalar(_STR, data, style=None if _reads_as_itself(data) else '"')

    def mapping(self, data: dict[str, Any]) -> Any:
        """A mapping, or the tag of a reference to Faker."""
        if FAKER_KEY not in data:
            return self.represent_dict(data)
        if not data["args"]:
            return self.represent_scalar(TAG, data[FAKER_KEY])
        return self.represent_mapping(TAG, {"provider": data[FAKER_KEY], "args": data["args"]}, flow_style=True)


_Representer.add_representer(str, _Representer.text)
_Representer.add_representer(dict, _Representer.mapping)


def _reads_as_itself(text: str) -> bool:
    if not text.isprintable():
        return False
    try:
        return resolve(text) == text
    except Misfit:
        return False
