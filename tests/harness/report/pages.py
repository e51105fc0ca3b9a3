"""A strict little reader of HTML: a tree of elements that can be asked by name, class and text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "hr", "img", "input"}


@dataclass
class Node:
    """One element; `attributes` without a value are the empty string."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """This element and all below it, in order."""
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.walk()

    def all(self, name: str = "", class_: str = "", **attributes: str) -> list[Node]:
        """The elements below with that name, all those classes and those attributes."""
        wanted = set(class_.split())
        return [
            node
            for node in self.walk()
            if node is not self
            and name in ("", node.name)
            and wanted <= set(node.attributes.get("class", "").split())
            and all(node.attributes.get(key.replace("_", "-")) == value for key, value in attributes.items())
        ]

    def one(self, name: str = "", class_: str = "", **attributes: str) -> Node:
        """The only such element."""
        found = self.all(name, class_, **attributes)
        assert len(found) == 1, f"expected one <{name} class={class_} {attributes}>, found {len(found)}"
        return found[0]

    @property
    def text(self) -> str:
        """All text below, with runs of white space as one blank."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child._texts()
                yield " "

    def rows(self) -> list[list[str]]:
        """The body of the table below, cell by cell."""
        return [[c.text for c in row.walk() if c.name in ("td", "th")] for row in self.one("tbody").all("tr")]

    def table(self, caption: str) -> Node:
        """The table of that caption."""
        found = [t for t in self.all("table") if t.one("caption").text == caption]
        assert len(found) == 1, f"expected one table {caption!r}, found {len(found)}"
        return found[0]

    def chart(self, name: str) -> Node:
        """The figure of that name."""
        found = [f for f in self.all("figure") if f.all("span", "name")[0].text == name]
        assert len(found) == 1, f"expected one chart {name!r}, found {len(found)}"
        return found[0]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("document")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].name == tag, f"</{tag}> closes <{self.open[-1].name}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(page: str) -> Node:
    """The tree of `page`; AssertionError where elements are not closed in order."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [reader.root], f"<{reader.open[-1].name}> is never closed"
    return reader.root
