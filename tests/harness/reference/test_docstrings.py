"""What is read out of the source: docstrings of classes and of attributes."""

from __future__ import annotations

from harness.errors import ExitCode
from harness.reference.docstrings import attributes, markdown, summary


class Colour:
    """A colour, as ``names`` have it,
    over two lines.

    Second paragraph.

    >>> Colour.RED
    """

    RED = "red"
    """Like a rose,
    or like blood."""
    BLUE = "blue"
    GREEN: str = "green"
    """Like grass."""


def test_a_summary_ends_before_the_first_example() -> None:
    """Paragraphs stay apart, their lines are joined, and the doctest is left out."""
    assert summary(Colour) == "A colour, as `names` have it, over two lines.\n\nSecond paragraph."


def test_attributes_that_say_nothing_are_left_out() -> None:
    """A docstring belongs to the attribute right above it, whether that is annotated or not."""
    assert attributes(Colour) == {"RED": "Like a rose, or like blood.", "GREEN": "Like grass."}


def test_a_class_without_source_has_no_attributes() -> None:
    """A class made at run time is no error."""
    assert attributes(type("Made", (), {})) == {}


def test_every_exit_code_is_explained() -> None:
    """The table of exit codes has no empty line."""
    assert set(attributes(ExitCode)) == {code.name for code in ExitCode}


def test_dotted_names_lose_their_packages() -> None:
    """A reader of a page does not need to know the module."""
    assert markdown("raises `harness.errors.FaultError` or ``OSError``") == "raises `FaultError` or `OSError`"
