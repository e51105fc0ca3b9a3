"""Tables with headers, which scroll by themselves when the page is narrow."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.html.markup import Child, Markup, tag


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[Child]], *, figures: int = 0, style: str = ""
) -> Markup:
    """A table; the first cell of a row is its header, the columns from `figures` on (0: none) are numbers."""

    def kind(n: int) -> str | None:
        return "n" if figures and n >= figures else None

    header = tag("tr", [tag("th", word, scope="col", class_=kind(n)) for n, word in enumerate(head)])
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            [tag("td", cell, class_=kind(n)) for n, cell in enumerate(row[1:], 1)],
        )
        for row in rows
    ]
    content = tag(
        "table", tag("caption", caption), tag("thead", header), tag("tbody", body), class_=style or None
    )
    return tag("div", content, class_="scroll", tabindex="0", role="region", aria_label=caption)


def pairs(rows: Sequence[tuple[str, Child]]) -> Markup:
    """Names and values as a definition list; empty values are left out."""
    return tag(
        "dl",
        [tag("div", tag("dt", name), tag("dd", value)) for name, value in rows if value not in ("", None)],
        class_="pairs",
    )
