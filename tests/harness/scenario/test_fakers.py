"""The ``!faker`` tag: providers and arguments are checked, and Faker is imported only for that."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pytest

from harness.scenario.fakers import faker_ref, providers
from harness.scenario.loader import load_text
from harness.scenario.misfit import Misfit
from harness.scenario.problems import ScenarioProblems
from harness.scenario.values import FakerRef


def test_known_providers() -> None:
    """Providers of Faker are known; the methods of its generator are not providers."""
    known = providers()
    assert {"iban", "name", "pyint", "uuid4"} <= set(known)
    assert not {"seed", "seed_instance", "add_provider", "format", "random"} & set(known)


def test_references() -> None:
    """Both forms give a reference with its arguments."""
    assert faker_ref("iban") == FakerRef("iban")
    assert faker_ref({"provider": "pyint", "args": [1, 5]}) == FakerRef("pyint", (1, 5))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("ibann", "Faker has no provider 'ibann'.*did you mean 'iban'"),
        ("seed", "Faker has no provider 'seed'"),
        ("", "Faker has no provider ''"),
        ([1], "not a reference to Faker"),
        ({}, "no provider is named"),
        ({"provider": "pyint", "arg": [1]}, "unknown key 'arg'"),
        ({"provider": "pyint", "args": 1}, "the arguments are no list"),
        ({"provider": "pyint", "args": [1, 2, 3, 4]}, "pyint: too many positional arguments"),
        ({"provider": "pyint", "args": ["x"]}, "pyint makes no value of 'x': ValueError: .* arguments that fit pyint"),
        ({"provider": "pyint", "args": [5, 1]}, "pyint makes no value of 5, 1: ValueError: empty range"),
        ("enum", "enum: missing a required argument|enum makes no value"),
    ],
)
def test_refused(value: Any, message: str) -> None:
    """A wrong provider, key, number of arguments or argument is named."""
    with pytest.raises(Misfit, match=message):
        faker_ref(value)


def test_trying_a_provider_disturbs_nobody() -> None:
    """What is drawn to try a tag is taken from no stream that others draw from."""
    random.seed(7)
    expected = random.Random(7).random()
    faker_ref({"provider": "pyint", "args": [1, 5]})

    assert random.random() == expected


def test_the_wrong_argument_is_shown_in_its_file() -> None:
    """File, line and column of the tag, with a caret, before anything runs."""
    text = (
        "scenario: 1\nname: a\nkind: load\ntarget: {driver: d}\n"
        "workload: [{id: w, op: o, model: once, with: {x: !faker {provider: pyint, args: [5, 1]}}}]\n"
        "thresholds: {w.latency: [p99 < 1s]}\n"
    )
    with pytest.raises(ScenarioProblems) as refused:
        load_text(text, "wrong.yaml")

    assert str(refused.value).splitlines()[0].startswith("wrong.yaml:5:50: Faker's pyint makes no value of 5, 1: ")
    assert str(refused.value).splitlines()[2].strip(" |") == "^"


def test_faker_is_imported_only_when_a_tag_is_met() -> None:
    """Loading a scenario without the tag leaves Faker alone: it costs more than all the rest."""
    code = (
        "import sys, harness.scenario as s\n"
        "text = 'scenario: 1\\nname: a\\nkind: load\\ntarget: {driver: d}\\n"
        "workload: [{id: w, op: o, model: once%s}]\\nthresholds: {w.latency: [p99 < 1s]}\\n'\n"
        "s.load_text(text % ''); print('faker' in sys.modules)\n"
        "s.load_text(text % ', with: {x: !faker iban}'); print('faker' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "True"]
