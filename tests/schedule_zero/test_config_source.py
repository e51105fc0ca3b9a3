"""YAML with positions: every mistake is answered with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from schedule_zero.config_source import Section, parse_seconds
from schedule_zero.errors import ConfigError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("2s", 2.0),
        ("5min", 300.0),
        ("5m", 300.0),
        ("1.5h", 5400.0),
        ("1d", 86400.0),
        ("7", 7.0),
    ],
)
def test_lengths_of_time_become_seconds(text: str, seconds: float) -> None:
    """A length of time is its number times its unit; a bare number is seconds."""
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1:30", "2 weeks", "1e3s", "٣s٣"])
def test_what_is_no_length_of_time_is_none(text: str) -> None:
    """Nothing is guessed from a text that is no length of time."""
    assert parse_seconds(text) is None


def test_values_are_read_by_their_kinds() -> None:
    """Each reader answers the written value in its own type."""
    section = Section.parse("{a: text, b: 7, c: 1.5, d: 2s, e: true, f: json, g: {x: 1}, h: [{y: 2}]}")

    assert section.text("a") == "text"
    assert section.integer("b", 0) == 7
    assert section.number("c", 0.0) == 1.5
    assert section.seconds("d", 0.0) == 2.0
    assert section.flag("e", False) is True
    assert section.choice("f", "console", ("console", "JSON")) == "JSON"
    assert section.section("g").integer("x", 0) == 1
    assert [one.integer("y", 0) for one in section.sections("h")] == [2]
    section.finish()


def test_absent_and_null_keys_have_their_defaults() -> None:
    """A key that is absent, or written without a value, is as if it had not been written."""
    section = Section.parse("a:\nb: null\nc: ~")

    assert (section.integer("a", 1), section.text("b", "x"), section.seconds("c", 2.5)) == (1, "x", 2.5)
    assert section.section("absent").flag("deep", True) is True
    assert section.sections("none") == []


@pytest.mark.parametrize(
    ("yaml", "reader", "message"),
    [
        ("a: 80x", "integer", "f.yaml:1:4: a: expected a whole number, found '80x'"),
        ("a: '7'", "integer", "f.yaml:1:4: a: expected a whole number, found '7'"),
        ("\na:   on", "flag", "f.yaml:2:6: a: expected true or false, found 'on'"),
        ("a: [1]", "text", "f.yaml:1:4: a: expected a text, found a list"),
        (
            "a: 1:30",
            "seconds",
            "f.yaml:1:4: a: expected a length of time such as 250ms, 2s, 5min, found '1:30'",
        ),
        ("a: .nan", "number", "f.yaml:1:4: a: expected a number, found '.nan'"),
        ("a: .inf", "number", "f.yaml:1:4: a: expected a number, found '.inf'"),
        (
            "a: " + "9" * 5000,
            "integer",
            "f.yaml:1:4: a: expected a whole number, found '" + "9" * 59 + "... (5002)",
        ),
        (
            "a: 99999999d",
            "seconds",
            "f.yaml:1:4: a: expected a length of time such as 250ms, 2s, 5min, found '99999999d'",
        ),
        (
            'a: "b\\0"',
            "text",
            "f.yaml:1:4: a: expected a text without NUL and halves of surrogate pairs, found 'b\\x00'",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_place(yaml: str, reader: str, message: str) -> None:
    """The error names file, line, column, key, what was expected, and what was found."""
    section = Section.parse(yaml, "f.yaml")
    readers: dict[str, Callable[[], object]] = {
        "integer": lambda: section.integer("a", 0),
        "flag": lambda: section.flag("a", False),
        "text": lambda: section.text("a"),
        "seconds": lambda: section.seconds("a", 0.0),
        "number": lambda: section.number("a", 0.0),
    }

    with pytest.raises(ConfigError) as caught:
        readers[reader]()

    assert str(caught.value) == message


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    """A mistyped key is told, and so is what was probably meant."""
    section = Section.parse("http:\n  prot: 80\n", "f.yaml").section("http")
    section.integer("port", 0)

    with pytest.raises(ConfigError, match=r"^f\.yaml:2:3: http\.prot: unknown key, did you mean 'port'\?$"):
        section.finish()


def test_a_second_key_of_one_name_is_refused() -> None:
    """YAML parsers often take the last of two equal keys; here it is an error that names the first one."""
    with pytest.raises(ConfigError, match=r"^f\.yaml:3:1: a: expected each key once \(first in line 1\)"):
        Section.parse("a: 1\nb: 2\na: 3\n", "f.yaml")


@pytest.mark.parametrize(
    ("yaml", "place"),
    [
        ("a: [1", (1, 6)),
        ("- 1\n- 2", (1, 1)),
        ("1: x", (1, 1)),
        ("just text", (1, 1)),
        ("a: 1\n\tb: 2", (2, 1)),
    ],
)
def test_what_is_no_mapping_of_texts_is_refused(yaml: str, place: tuple[int, int]) -> None:
    """Broken YAML, lists, texts and keys that are no texts are errors with a place."""
    with pytest.raises(ConfigError) as caught:
        Section.parse(yaml, "f.yaml")

    assert (caught.value.file, caught.value.line, caught.value.column) == ("f.yaml", *place)


def test_plain_data_is_passed_on_as_written() -> None:
    """A handler's own settings keep their types, and `on` and a date stay texts."""
    section = Section.parse("c: {a: [1, 2.5, {b: null}], on: on, d: 2025-01-01, t: true}")

    assert section.data("c") == {"a": [1, 2.5, {"b": None}], "on": "on", "d": "2025-01-01", "t": True}


def test_a_tag_never_makes_an_object() -> None:
    """`!!python/object` and other tags are refused instead of being obeyed."""
    with pytest.raises(ConfigError, match="expected a plain value without a tag"):
        Section.parse("c: {a: !!python/name:os.system x}").data("c")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A missing file is a configuration error that names it, not a traceback."""
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read: .*No such file"):
        Section.load(tmp_path / "absent.yaml")


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are a configuration error."""
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match="cannot be read"):
        Section.load(path)
