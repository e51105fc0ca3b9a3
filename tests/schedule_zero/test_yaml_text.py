"""YAML text composed: whatever it holds, a mistake is told with its place."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml.error import ReusedAnchorWarning

from schedule_zero.config_source import Section
from schedule_zero.errors import ConfigError
from schedule_zero.yaml_text import compose, read_text

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("log: {level: INFO}\n\0", "f:2:1: not valid YAML: the character U+0000 is not allowed here"),
        ("log:\n  level: \x07", "f:2:10: not valid YAML: the character U+0007 is not allowed here"),
        ("a: " + "[" * 500, "f:1:67: not valid YAML: nested more than 64 deep"),
        ("? " * 500, "f:1:129: not valid YAML: nested more than 64 deep"),
        ("a: &x {b: *x}", "f:1:11: not valid YAML: *x stands within what it names"),
        ("a: *x", "f:1:4: not valid YAML: found undefined alias 'x'"),
        ("a: 1\n---\nb: 2", "f:2:1: not valid YAML: but found another document"),
        ("a: [1", "f:1:6: not valid YAML: expected ',' or ']', but got '<stream end>'"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_place(text: str, message: str) -> None:
    """Characters that no text has, nesting without end and aliases of themselves are mistakes like any other."""
    with pytest.raises(ConfigError) as refused:
        compose(text, "f")
    assert str(refused.value) == message


def test_brackets_without_end_take_no_time() -> None:
    """Twenty thousand brackets are refused at the 65th; it took seconds, and ended in a RecursionError."""
    began = time.process_time()
    with pytest.raises(ConfigError, match="nested more than 64 deep"):
        compose("a: " + "[" * 20_000, "f")
    assert time.process_time() - began < 2.5


def test_what_is_allowed_is_composed() -> None:
    """Aliases, sixty levels and an empty text are no mistakes."""
    assert compose("a: &x {b: 1}\nc: *x\nd: " + "[" * 60 + "]" * 60, "f") is not None
    assert compose("# nothing\n", "f") is None


def test_a_file_that_is_no_text_is_told_with_its_place(tmp_path: Path) -> None:
    """A byte that UTF-8 has not, by file, line and column; a file that is not there, by its name."""
    (tmp_path / "f.yaml").write_bytes("a: é\nb: ".encode() + b"\xff\n")
    with pytest.raises(ConfigError, match=r"f\.yaml:2:4: cannot be read: not UTF-8, the byte 0xff"):
        read_text(tmp_path / "f.yaml")
    with pytest.raises(ConfigError, match=r"g\.yaml: cannot be read: .*No such file"):
        read_text(tmp_path / "g.yaml")


PIECES = st.sampled_from(
    ["a: ", "!!int ", "&a ", "*a", "<<: ", "---\n", "...\n", "%YAML 1.1\n", "0o9", "\\ud800", "\\x00", "9" * 5000]
) | st.sampled_from("ab:,[]{}&*!|>%@`\"'\\#-?\n\t 019.e~\0\x07\u2028\ufeff\ud7ff")
READERS: dict[str, Callable[[Section], object]] = {
    "text": lambda section: section.text("a"),
    "texts": lambda section: section.texts("a"),
    "data": lambda section: section.data("a"),
    "sections": lambda section: section.sections("a"),
    "integer": lambda section: section.integer("a", 0),
    "number": lambda section: section.number("a", 0.0),
    "seconds": lambda section: section.seconds("a", 0.0),
}


@pytest.mark.slow
@pytest.mark.filterwarnings(f"ignore::{ReusedAnchorWarning.__module__}.{ReusedAnchorWarning.__name__}")
@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=30))
def test_any_text_is_read_or_refused(pieces: list[str]) -> None:
    """Nothing but a ConfigError with a line comes of it, whatever is asked of the value."""
    for read in READERS.values():
        line: int | None = 1
        try:
            read(Section.parse("a: " + "".join(pieces), "f"))
        except ConfigError as error:
            line = error.line
        assert line is not None
