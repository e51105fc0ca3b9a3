"""Tests of the page's colours."""

from __future__ import annotations

import re
from importlib import resources

import pytest

_CSS = (resources.files("harness.report.html") / "assets" / "page.css").read_text(encoding="utf-8")
_SCHEMES = dict(zip(("light", "dark"), re.findall(r":root \{(.*?)\}", _CSS, re.DOTALL), strict=True))


def _colours(scheme: str) -> dict[str, str]:
    def long(colour: str) -> str:
        return colour if len(colour) == 6 else "".join(c * 2 for c in colour)

    found = re.findall(r"--([\w-]+): #([0-9a-f]{6}|[0-9a-f]{3});", _SCHEMES[scheme])
    return {name: long(colour) for name, colour in found}


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    """The contrast of WCAG 2 between two colours."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(scheme: str) -> None:
    """Every colour of text has a contrast of at least 4.5 to each ground it stands on (WCAG 2 AA)."""
    colours = _colours(scheme)
    pairs = [(text, ground) for text in ("ink", "soft", "link") for ground in ("card", "bg", "lane")]
    pairs += [(word, ground) for word in ("pass", "fail", "unknown", "other") for ground in ("card",)]
    pairs += [(word, f"{word}-tint") for word in ("fail", "unknown")] + [("soft", "fail-tint")]

    weak = {(t, g): round(_contrast(colours[t], colours[g]), 2) for t, g in pairs}
    assert {pair: value for pair, value in weak.items() if value < 4.5} == {}


def test_both_schemes_have_all_colours() -> None:
    """A colour that the light scheme names is named by the dark one too."""
    assert set(_colours("light")) == set(_colours("dark"))


def test_the_banner_can_be_read() -> None:
    """White on each verdict's colour has a contrast of at least 4.5."""
    grounds = re.findall(r"\.banner(?:\.\w+)? \{ background: #([0-9a-f]{6});", _CSS)

    assert len(grounds) == 4
    assert [g for g in grounds if _contrast("ffffff", g) < 4.5] == []
