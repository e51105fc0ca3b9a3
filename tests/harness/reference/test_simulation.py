"""The page of `harness.sim`: complete, and what signatures and docstrings say."""

from __future__ import annotations

import re

import pytest

from harness import sim
from harness.reference.pages import BLOCKS
from harness.reference.simulation import _call, _entry

SHOWN = [name for name in BLOCKS if name.startswith("sim-")]


def test_every_public_name_is_shown() -> None:
    """What can be imported from `harness.sim` has a heading or a row; the kernel is for those who write parts."""
    page = "\n".join(BLOCKS[name]() for name in SHOWN)
    shown = {name for pair in re.findall(r"^(?:### (\w+)$|\| `(\w+)` \| )", page, re.MULTILINE) for name in pair}
    assert [name for name in sim.__all__ if name not in shown] == ["Kernel"]


@pytest.mark.parametrize("name", SHOWN)
def test_nothing_is_left_without_words(name: str) -> None:
    """Every heading has a text below it, and no mark-up of docstrings is left."""
    shown = BLOCKS[name]()
    assert not re.search(r"^### [^\n]*\n\n(?:`[^\n]*`\n\n)?(?:###|\Z)", shown, re.MULTILINE)
    assert not re.search(r":(param|raises|ivar)|(?<!`)``(?!`)|# doctest|`harness\.", shown)


def test_an_option_is_told_with_what_it_must_be() -> None:
    """Options of a world come from its docstring, what they must be from the checks that refuse the rest."""
    shown = BLOCKS["sim-world"]()
    assert "| `epoch` | wall time at the start. |" in shown
    assert "| `deviate` | a whole per cent, 0 to 100 |" in shown
    assert "| `latency` | two whole numbers of microseconds, from and to, e.g. (1_000, 5_000) |" in shown


def test_a_call_is_written_as_in_a_program() -> None:
    """Context managers begin with ``with``; types and defaults are shown, ``self`` is not."""
    network, disk = BLOCKS["sim-fabric"](), BLOCKS["sim-disk"]()
    assert "`with world.fabric.rule(decision: Decision)`" in network
    assert "`world.fabric.partition(a: str, b: str = '*', *, one_way: bool = False)`" in network
    assert "| `DiskFault.FULL` | Nothing can be written any more: ENOSPC, SQLITE_FULL. |" in disk
    assert "| `BadFault` | 2 | A fault that a test asks for would do nothing" in BLOCKS["sim-errors"]()
    assert "`seeds=100` makes one test for each" in BLOCKS["sim-fixture"]()


def test_a_docstring_is_taken_apart() -> None:
    """Text, arguments, errors and examples are shown in this order, whatever their order in the source."""

    def lamp(watts: int, *, name: str = "x", **more: object) -> None:
        """Shine,
        and shine.

        >>> lamp(3)  # doctest: +SKIP
        'lit'

        :param watts: how bright,
            in all.
        :raises OSError: no bulb.
        """

    assert _call("lamp", lamp) == "lamp(watts: int, *, name: str = 'x', **more)"
    assert _entry("lamp", lamp).split("\n\n") == [
        "### lamp",
        "`lamp(watts: int, *, name: str = 'x', **more)`",
        "Shine, and shine.",
        "| argument | meaning |\n|---|---|\n| `watts` | how bright, in all. |",
        "Raises `OSError`: no bulb.",
        "```pycon\n>>> lamp(3)\n'lit'\n```",
    ]
