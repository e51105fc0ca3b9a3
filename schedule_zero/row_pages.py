"""A page of a list ends when it has become large, and not only after so many rows.

A handler's result may have 8 MiB, and so may a job's parameters: a thousand of them would fill the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from schedule_zero.dialect import Session

__all__ = ["MOST_BYTES", "rows_within"]

#: Bytes of text that a page may have before its last row.
MOST_BYTES: Final = 4 << 20


def rows_within(
    c: Session, query: str, values: Sequence[Any], *, order: str, large: Sequence[str], most: int | None = None
) -> tuple[list[Any], bool]:
    """The first rows of a query that have `most` bytes together (`MOST_BYTES`), one at least; and whether that left
    some out.

    `order` is the query's own order, and `large` names the columns that may be large; they are not read of the rows
    that are left out.
    """
    most = MOST_BYTES if most is None else most
    if hasattr(c, "clock"):
        return _weighed_there(c, query, values, order, large, most)
    rows: list[Any] = []
    size = 0
    found: Any = c.execute(query, values)
    try:
        # SQLite reads a row when it is asked for it.
        for row in found:
            size += sum(_bytes(value) for value in row if isinstance(value, str))
            if rows and size > most:
                return rows, True
            rows.append(row)
    finally:
        found.close()
    return rows, False


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _weighed_there(
    c: Session, query: str, values: Sequence[Any], order: str, large: Sequence[str], most: int
) -> tuple[list[Any], bool]:
    """As `rows_within`, by PostgreSQL, which knows how long a text is without reading it, and else sends all rows."""
    size = " + ".join(f"coalesce(octet_length({name}), 0)" for name in large)
    window = f"OVER (ORDER BY {order} ROWS UNBOUNDED PRECEDING)"
    weighed = f"SELECT q.*, sum({size}) {window} AS size, count(*) {window} AS place, count(*) OVER () FROM ({query}) q"
    found = f"SELECT * FROM ({weighed}) weighed WHERE size <= ? OR place = 1 ORDER BY place"
    rows = c.execute(found, [*values, most]).fetchall()
    return [row[:-3] for row in rows], bool(rows) and len(rows) < rows[0][-1]
