"""What the source says about a class and about each of its attributes."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap


def summary(documented: object) -> str:
    """The docstring up to its first example, as Markdown: paragraphs stay, roles and double backticks become code.

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
    for before, after in zip(body, body[1:], strict=False):
        name = _assigned(before)
        if name and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            if isinstance(after.value.value, str):
                found[name] = markdown(" ".join(after.value.value.split()))
    return found


def _assigned(statement: ast.stmt) -> str:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""
