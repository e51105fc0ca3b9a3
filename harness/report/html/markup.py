"""HTML elements as nested function calls that escape everything which is not markup already.

Histories and logs hold text that anybody may have chosen, so there is one road into a page: `tag` and `join`
escape every plain string, and only a `Markup` passes as it is. Nothing else in this package builds HTML by
hand.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from harness.report.text import legal

_VOID = frozenset({"br", "meta", "link", "hr", "img", "input", "wbr"})


class Markup(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


NOTHING = Markup()
"""No markup at all."""

Child = str | int | float | None | Iterable["Child"]
Attribute = str | int | float | bool | None


def escape(text: str) -> Markup:
    """`text` made safe as content and as an attribute's value.

    >>> escape('<b a="1">')
    '&lt;b a=&quot;1&quot;&gt;'
    """
    return text if isinstance(text, Markup) else Markup(html.escape(legal(text), quote=True))


def number(value: float) -> str:
    """A coordinate with at most one decimal, as short as it gets.

    >>> number(12.04), number(-0.01), number(3.55)
    ('12', '0', '3.5')
    """
    text = f"{value:.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text


def join(*children: Child) -> Markup:
    """The children one after the other, each escaped unless it is `Markup`; None is nothing."""
    return Markup("".join(_flat(children)))


def _flat(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, str):
            yield escape(child)
        elif isinstance(child, int | float):
            yield number(child)
        else:
            yield from _flat(child)


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """One element. ``class_`` is the attribute ``class``, ``data_x`` is ``data-x``; None and False leave an
    attribute out.

    >>> tag("p", "1 < 2", class_="note", hidden=True)
    '<p class="note" hidden>1 &lt; 2</p>'
    """
    opening = f"<{name}{''.join(_attribute(k, v) for k, v in attributes.items())}>"
    return Markup(opening if name in _VOID else f"{opening}{join(*children)}</{name}>")


def _attribute(name: str, value: Attribute) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    return f' {name}="{escape(value if isinstance(value, str) else number(value))}"'


def script_data(text: str) -> Markup:
    """JSON text that may stand inside a ``<script>`` element: no tag can end it early."""
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
