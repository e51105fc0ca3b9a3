"""What the source says about a class and about each of its attributes."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap


def summary(documented: object) -> str:
    """The docstring up to its first example, as Markdown: paragraphs stay, double backticks become code.

    >>> class Lamp:
    ...     '''Shines with ``watts``, see `harness.lamp.Bulb`.
    ...
    ...     >>> Lamp()
    ...     '''
    >>> summary(Lamp)
    'Shines with `watts`, see `Bulb`.'
    """
    text = inspect.cleandoc(documented.__doc__ or "")
    text = re.split(r"\n+(?:Examples?:\n|>>> )", text)[0]
    return markdown(re.sub(r"(?<!\n)\n(?!\n)", " ", text).strip())


def markdown(text: str) -> str:
    """A docstring's inline markup as Markdown; of a dotted name its last part is left."""
    text = text.replace("``", "`")
    return re.sub(r"`harness\.[\w.]*?(\w+)`", r"`\1`", text)


def attributes(kind: type) -> dict[str, str]:
    """The docstrings written below attributes in the body of `kind`, by the attribute's name.

    >>> from harness.errors import ExitCode
    >>> attributes(ExitCode)["FAIL"]
    'A check or a threshold was broken.'
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found = {}
    for before, after in itertools.pairwise(body):
        name, text = _assigned(before), _text(after)
        if name and text:
            found[name] = markdown(" ".join(text.split()))
    return found


def _text(statement: ast.stmt) -> str:
    """The text of a statement that is nothing but a text."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return statement.value.value if isinstance(statement.value.value, str) else ""
    return ""


def _assigned(statement: ast.stmt) -> str:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""
