"""Whatever is in a file: a scenario, or problems with places inside it; never anything else."""

# ruff: noqa: E501 - a table is read by its rows

from __future__ import annotations

import os
import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.scenario.loader import LoadedScenario, load_text
from harness.scenario.problems import ScenarioProblems
from harness.scenario.vocabulary import Vocabulary

PIECES = (
    "", " ", "\n", "\t", ":", "- ", "{", "}", "[", "]", ",", "'", '"', "#", "&a ", "*a", "!faker ", "!x ",
    "?", "|", ">", "~", "null", "true", "1", "-1", "1.5", "1:30", "2027-01-31", "010", ".inf", "1e999", "x",
    "é", "\u2028", "\x85", "\x00", "\ufeff", "---\n", "...\n", "%YAML 1.1\n", "[]", "{}", "[1]", "{a: 1}",
    "5s", "1s..2s", "20/s", "2%", "h*", "<<: ", "a: ", "1: ", "\r", '"\\ud800"', '"\\UFFFFFFFF"',
)  # fmt: skip
"""What is put into a valid text: every character that means something to YAML, and values of every type."""


def mutated(text: str, rng: random.Random) -> str:
    """`text` with one to four random changes: a stretch removed, something put in, a value or line replaced or moved."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        change = rng.randrange(5)
        if change == 0:
            text = text[:at] + text[at + rng.randint(1, 12) :]
        elif change == 1:
            text = text[:at] + rng.choice(PIECES) + text[at:]
        elif change == 2:
            values = [match.span(1) for match in re.finditer(r"[:,\[-] ([^,\]}{\[\n]+)", text)] or [(0, 0)]
            begin, end = rng.choice(values)
            text = text[:begin] + rng.choice(PIECES) + text[end:]
        elif change == 3:
            lines = text.split("\n")
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            text = "\n".join(lines)
        else:
            lines = text.split("\n")
            del lines[rng.randrange(len(lines))]
            text = "\n".join(lines)
    return text


def outcome(text: str, words: Vocabulary | None) -> list[LoadedScenario] | ScenarioProblems:
    """What became of `text`; any other exception is the failure that these tests look for."""
    try:
        return load_text(text, "fuzz.yaml", words)
    except ScenarioProblems as problems:
        lines = re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))
        for problem in problems.problems:
            line, column = problem.position.line, problem.position.column
            if not (1 <= line <= len(lines) and 1 <= column <= len(lines[line - 1]) + 1):
                pytest.fail(
                    f"{problem.position} lies outside of a text of {len(lines)} lines: {problem.message}"
                )
        return problems


def settled(result: list[LoadedScenario] | ScenarioProblems) -> bool:
    """Whether it is at least one scenario, or at least one problem."""
    return bool(result.problems if isinstance(result, ScenarioProblems) else result)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["chaos", "cycles", "regression"])
def test_mutations_of_valid_files(words: Vocabulary, texts: dict[str, str], kind: str) -> None:
    """Random damage to a valid file is always told as damage, with its place (HARNESS_FUZZ: how many per kind)."""
    loaded = 0
    for seed in range(int(os.environ.get("HARNESS_FUZZ", "150"))):
        text = mutated(texts[kind], random.Random(f"{kind}/{seed}"))
        result = outcome(text, words if seed % 4 else None)
        assert settled(result)
        loaded += isinstance(result, list)
    assert loaded > 0, "some damage is harmless: if nothing loads, the damage is too coarse to test anything"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet=st.sampled_from(list("abs: \n-[]{},'\"#&*!|>?%@`~01.\t\\<=")), max_size=60))
def test_any_text_at_all(text: str) -> None:
    """Text made of what YAML is made of is a scenario or a problem."""
    assert settled(outcome(text, None))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_any_pieces_behind_a_valid_head(text: str) -> None:
    """Behind a valid first line the rest may be anything."""
    assert settled(outcome("scenario: 1\n" + text, None))


JSONISH = st.recursive(
    st.sampled_from(["x", "5", "5s", "true", "null", "-1", "1.5", "'5'", "p99 < 1s", "20/s", "h*", "!faker iban"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    | st.dictionaries(
        st.sampled_from(["id", "kind", "op", "with", "for", "rate", "where", "when", "count", "steps", "handlers", "expect", "event"]),
        inner, max_size=3,
    ).map(lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"),
    max_leaves=6,
)  # fmt: skip


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(key=st.sampled_from([
    "name", "about", "kind", "worlds", "seed", "seeds", "limits", "target", "topology", "steady", "given",
    "when", "workload", "faults", "nemesis", "abort_if", "cycles", "then", "checks", "thresholds", "known",
    "report",
]), value=JSONISH)  # fmt: skip
@pytest.mark.slow
def test_any_value_of_any_key(words: Vocabulary, texts: dict[str, str], key: str, value: str) -> None:
    """A valid document with a value of any type under any key is a scenario or problems."""
    text = "\n".join(line for line in re.split(r"\n(?=\S)", texts["chaos"]) if not line.startswith(f"{key}:"))
    assert settled(outcome(f"{text.rstrip()}\n{key}: {value}\n", words))
