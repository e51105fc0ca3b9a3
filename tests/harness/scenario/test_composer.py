"""The YAML of scenario files: what two parsers would read differently is refused, with its place."""

from __future__ import annotations

import pytest

from harness.scenario.composer import compose
from harness.scenario.nodes import MAX_VALUES, TooMuch, flatten
from harness.scenario.positions import Source
from harness.scenario.problems import Problem, ScenarioProblems
from harness.scenario.values import FakerRef


def read(text: str) -> tuple[object, list[Problem]]:
    """The data of a text of one document, and its problems."""
    ((node, problems),) = compose(Source("a.yaml", text))
    return flatten(node).data, problems


def test_yaml_1_2_core_types() -> None:
    """Plain words are text unless they are null, true, false or a number of YAML 1.2."""
    data, problems = read(
        "{on: no, yes: NO, a: ~, b: true, c: 0x1F, d: 0o17, e: 1e3, f: '1', g: ! 3, h: !!str 4, i: 1_0, j: -.5}"
    )
    assert problems == []
    assert data == {
        "on": "no",
        "yes": "NO",
        "a": None,
        "b": True,
        "c": 31,
        "d": 15,
        "e": 1000.0,
        "f": "1",
        "g": "3",
        "h": "4",
        "i": "1_0",
        "j": -0.5,
    }


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 1\nb: 2\na: 3", (3, 1), "the key 'a' stands twice; it is already on line 1"),
        ("a: {b: 1, b: 2}", (1, 11), "the key 'b' stands twice; it is already on line 1"),
        ("1: a", (1, 1), "keys are words"),
        ("true: a", (1, 1), "keys are words"),
        ("? [a, b]\n: c", (1, 3), "keys are words"),
        ("? {a: b}\n: c", (1, 3), "keys are words"),
        ("~: a", (1, 1), "keys are words"),
        ("<<: {a: 1}", (1, 1), "merge keys are not part of YAML 1.2"),
        ("$faker: iban", (1, 1), "the key '$faker' is reserved"),
        ("a: 1:30", (1, 4), "YAML 1.1 reads this as a number to the base 60"),
        ("a: [10:30:00]", (1, 5), "YAML 1.1 reads this as a number to the base 60"),
        ("a: 2027-01-31", (1, 4), "some YAML parsers read this as a date"),
        ("a: 2027-01-31 10:00:00", (1, 4), "some YAML parsers read this as a date"),
        ("a: 010", (1, 4), "a number with a leading zero"),
        ("a: .inf", (1, 4), "not a number that can be compared or written as JSON"),
        ("a: .NaN", (1, 4), "not a number that can be compared or written as JSON"),
        ("a: 1e999", (1, 4), "too large a number"),
        ("a: 99999999999999999999", (1, 4), "too large a number"),
        ("a: " + "9" * 5000, (1, 4), "too large a number"),
        ("a: !!int 3", (1, 4), "unknown tag '!!int'"),
        ("a: !!python/object:os.system x", (1, 4), "unknown tag '!!python/object:os.system'"),
        ("a: !fakr iban", (1, 4), "unknown tag '!fakr'"),
        ("a: !other {b: 1}", (1, 4), "unknown tag '!other'"),
        ('a: "\\ud800"', (1, 4), "half a character: a lone surrogate cannot be written to any file"),
        ("a: &x [*x]", (1, 8), "the alias *x stands inside its own anchor: it would never end"),
        ("a: *nobody", (1, 4), "there is no anchor &nobody before this alias"),
        ("%YAML 1.1\n---\na: 1", (2, 1), "scenario files are YAML 1.2"),
    ],
)  # fmt: skip
def test_refused_though_it_is_yaml(text: str, place: tuple[int, int], message: str) -> None:
    """Each ambiguous or dangerous construct is one problem with its place."""
    _, problems = read(text)
    assert [(p.message, (p.position.line, p.position.column)) for p in problems] == [(message, place)]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a:\n\tb: 1", (2, 1), r"not YAML: found character '\\t'"),
        ("a: [1, 2", (1, 9), "not YAML: expected ',' or ']'"),
        ("a: 'open", (1, 9), "not YAML: found unexpected end of stream"),
        ("a: b: c", (1, 5), "not YAML: mapping values are not allowed here"),
        ("a: @b", (1, 4), "not YAML: found character '@'"),
        ("a: \x07", (1, 4), r"the character U\+0007 is not allowed in YAML"),
        ('a: 1\nb: "\\UFFFFFFFF"', (2, 1), "not YAML near here"),
        ("[" * 60, (1, 42), "too large a document"),
        ("- " * 60, (1, 83), "too large a document"),
    ],
)
def test_refused_because_it_is_no_yaml(text: str, place: tuple[int, int], message: str) -> None:
    """Broken syntax raises one problem with its place, whatever the parser raised."""
    with pytest.raises(ScenarioProblems, match=message) as caught:
        list(compose(Source("a.yaml", text)))
    (problem,) = caught.value.problems
    assert (problem.position.line, problem.position.column) == place


def test_tabs_get_a_hint() -> None:
    """The commonest mistake is explained."""
    with pytest.raises(ScenarioProblems, match="YAML indents with spaces, never with tabs"):
        list(compose(Source("a.yaml", "a:\n\tb: 1")))


def test_aliases_stand_for_their_anchor() -> None:
    """An alias repeats a value, and errors in it point at the text of the anchor."""
    ((node, problems),) = compose(Source("a.yaml", "a: &x {b: [1, 2]}\nc: *x\n"))
    flat = flatten(node)
    assert problems == []
    assert flat.data == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}
    assert (flat.positions.value(("c", "b", 1)).line, flat.positions.value(("c", "b", 1)).column) == (1, 15)


def test_aliases_cannot_expand_without_bound() -> None:
    """Nine lines that stand for a thousand million values are refused, not read."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    ((node, _),) = compose(Source("a.yaml", "\n".join(lines)))
    with pytest.raises(TooMuch, match=f"at most {MAX_VALUES:,} in one document"):
        flatten(node)


def test_aliases_cannot_nest_without_bound() -> None:
    """A chain of aliases, each inside the next, is refused before it is as deep as Python's stack."""
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 300)]
    ((node, _),) = compose(Source("a.yaml", "\n".join(lines)))
    with pytest.raises(TooMuch, match="at most 40 levels"):
        flatten(node)


def test_faker_tags() -> None:
    """Both forms of the tag become references."""
    data, problems = read("[!faker iban, !faker {provider: pyint, args: [1, 5]}]")
    assert problems == []
    assert data == [FakerRef("iban"), FakerRef("pyint", (1, 5))]


def test_a_refused_value_is_marked() -> None:
    """What was refused once is remembered by its path, so that it is not blamed twice."""
    ((node, _),) = compose(Source("a.yaml", "a: [1, 1:30]"))
    assert flatten(node).bad == {("a", 1)}
