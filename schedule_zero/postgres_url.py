"""What a store's URL says of PostgreSQL: the connection, and the schema in which the tables lie."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from schedule_zero.errors import ConfigError

__all__ = ["Address", "parse"]

#: The schema when the URL names none: the tables are kept apart from those of other applications.
SCHEMA = "schedule_zero"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,49}")


class Address(NamedTuple):
    """`conninfo` is for libpq and may hold a password; `shown` holds none."""

    conninfo: str
    schema: str
    shown: str


def parse(url: str) -> Address:
    """The parts of a URL like ``postgresql://user@host:5432/database?schema=clock``.

    All parameters but `schema` are libpq's (https://www.postgresql.org/docs/current/libpq-connect.html). A driver
    suffix is ignored. Raises `ConfigError`.

    >>> parse("postgres://me:secret@db/jobs?sslmode=require").shown
    'postgresql://me@db/jobs (schema schedule_zero)'
    >>> parse("postgresql+psycopg://me@db/jobs?schema=clock").conninfo
    'postgresql://me@db/jobs'
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    schema = query.pop("schema", SCHEMA)
    if not _NAME.fullmatch(schema) or schema.startswith("pg_"):
        raise ConfigError(f"schema {schema!r} of the store's URL: expected at most 50 of a-z, 0-9 and _, as clock_2")
    conninfo = urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(query, quote_via=quote), ""))
    place = parts.netloc.rpartition("@")
    user = place[0].partition(":")[0]
    shown = f"postgresql://{user}{'@' if user else ''}{place[2] or query.get('host', '')}{parts.path}"
    return Address(conninfo, schema, f"{shown} (schema {schema})")
