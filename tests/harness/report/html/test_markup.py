"""Tests of the one road into a page."""

from __future__ import annotations

import json

from harness.report.html.markup import Markup, escape, join, number, script_data, tag


def test_text_and_attributes_are_escaped() -> None:
    """Neither content nor an attribute's value can begin or end an element."""
    made = tag("p", "<b>&\"'", title='"><script>')

    assert made == '<p title="&quot;&gt;&lt;script&gt;">&lt;b&gt;&amp;&quot;&#x27;</p>'


def test_markup_passes_once() -> None:
    """What is markup already is not escaped a second time, however deep it is nested."""
    assert tag("p", tag("b", "x & y"), [Markup("<i></i>"), "<"]) == "<p><b>x &amp; y</b><i></i>&lt;</p>"


def test_attributes_may_be_left_out() -> None:
    """None and False leave an attribute out, True gives it no value, underscores become hyphens."""
    made = tag("a", class_="x", hidden=True, title=None, open=False, data_t=1.25)

    assert made == '<a class="x" hidden data-t="1.2"></a>'


def test_void_elements_have_no_end() -> None:
    """An element that cannot hold anything is written without an end tag."""
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_control_characters_become_visible() -> None:
    """Characters that neither HTML nor XML allows turn into U+FFFD; line breaks and tabs stay."""
    assert escape("a\x00\x1b\ud800\ufffe\n\tb") == "a\ufffd\ufffd\ufffd\ufffd\n\tb"


def test_none_is_nothing() -> None:
    """A missing part of a page leaves no trace."""
    assert join(None, "a", [None, "b"], 3) == "ab3"


def test_coordinates_are_short() -> None:
    """A coordinate has at most one decimal and never reads -0."""
    assert [number(v) for v in (0.0, -0.04, 1.0, 12.34, -3.0)] == ["0", "0", "1", "12.3", "-3"]


def test_script_data_cannot_end_its_element() -> None:
    """JSON in a script element holds no angle bracket, and still means the same."""
    text = json.dumps({"name": "</script><script>alert(1)//&"})

    made = script_data(text)

    assert not set("<>&") & set(made)
    assert json.loads(made) == json.loads(text)
