"""The house stands as it was drawn: which way imports point, how large a module may be, what is documented."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(p for package in ("harness", "schedule_zero") for p in (ROOT / package).rglob("*.py"))
LONGEST = 400
"""Lines; past it a module has a second idea."""

ROOMS = {
    "errors": (),
    "folders": (),
    "descent": (),
    "leaks": ("errors", "descent"),
    "scenario": ("errors",),
    "history": ("errors", "scenario"),
    "models": ("errors",),
    "checks": ("errors", "scenario", "history", "models"),
    "report": ("errors", "scenario", "history", "checks"),
    "agent": ("errors",),
    "sim": ("errors", "folders"),
}
"""What each room may import besides itself; `schedule_zero` is in nobody's list. Rooms above them see
`BELOW`.
"""
BELOW = ("errors", "folders", "descent", "scenario", "history", "agent", "models", "sim")
MIDDLE = ("targets", "workload", "faults", "mocks", "lifecycle")
"""Rooms that may see `BELOW` and each other, and nothing above: no runner, no session, no checks, no report."""


def module_name(path: Path) -> str:
    """The dotted name of a module of this repository."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def imports(path: Path) -> list[tuple[int, str]]:
    """Every module named by an import, wherever it stands: also inside functions and under TYPE_CHECKING."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{above}.{base}".rstrip(".")
            yield node.lineno, base
            if base == "harness":
                for alias in node.names:
                    yield node.lineno, f"harness.{alias.name}"


def room(module: str) -> str:
    """The room of a module of the harness: ``harness.checks.base`` is in ``checks``."""
    return module.split(".")[1] if "." in module else ""


def offences(path: Path) -> list[str]:
    """Imports of a module that point the wrong way."""
    name = module_name(path)
    found = []
    for line, target in imports(path):
        if reason := _refused(name, target):
            found.append(f"{path.relative_to(ROOT)}:{line}: imports {target}: {reason}")
    return found


def _refused(name: str, target: str) -> str:
    package = target.split(".")[0]
    if name.split(".")[0] == "schedule_zero":
        return "the scheduler knows no harness" if package == "harness" else ""
    if package == "schedule_zero":
        inside = name.startswith("harness.targets.schedule_zero")
        return "" if inside else "only harness.targets.schedule_zero names the scheduler"
    mine, theirs = room(name), room(target)
    if package != "harness" or not theirs or theirs == mine or target.startswith("harness.targets.base"):
        return "" if mine not in ROOMS or package != "harness" or theirs in (mine, "") else f"above {mine}"
    if mine in ROOMS:
        return (
            ""
            if theirs in ROOMS[mine]
            else f"{mine} may see {', '.join(ROOMS[mine]) or 'nothing of the harness'}"
        )
    if mine in MIDDLE:
        return "" if theirs in (*BELOW, *MIDDLE, "leaks") else f"above {mine}"
    return ""


def test_imports_point_down() -> None:
    """No module imports what stands above it, at import or later, for types or in earnest."""
    assert [offence for path in MODULES for offence in offences(path)] == []


@pytest.mark.parametrize(
    ("name", "target", "refused"),
    [
        ("schedule_zero.server", "harness.errors", True),
        ("schedule_zero.server", "schedule_zero.store", False),
        ("harness.pytest.fixtures", "schedule_zero.zmq_client", True),
        ("harness.runner", "schedule_zero", True),
        ("harness.targets.schedule_zero.driver", "schedule_zero.deployment", False),
        ("harness.checks.base", "harness.targets.base", True),
        ("harness.checks.base", "harness.runner", True),
        ("harness.checks.base", "harness.report.text", True),
        ("harness.checks.base", "harness.history.history", False),
        ("harness.models.triggers", "harness.history.records", True),
        ("harness.checks.fire_model", "harness.models.fires", False),
        ("harness.report.folder", "harness.session", True),
        ("harness.report.folder", "harness.checks.verdict", False),
        ("harness.scenario.model", "harness.history.records", True),
        ("harness.faults.plan", "harness.runner", True),
        ("harness.faults.plan", "harness.checks.base", True),
        ("harness.faults.plan", "harness.targets.base", False),
        ("harness.runner", "harness.report.write", False),
        ("harness.errors", "harness.scenario.model", True),
        ("harness.sim.world", "harness.errors", False),
        ("harness.sim.world", "harness.targets.base", True),
        ("harness.sim.zmq.part", "harness.scenario.model", True),
        ("harness.targets.apscheduler.driver", "harness.sim.world", False),
    ],
)
def test_the_rules_say_no_where_they_should(name: str, target: str, refused: bool) -> None:
    """The rules themselves refuse what the drawing forbids, so that a clean house is not a blind guard."""
    assert bool(_refused(name, target)) is refused


def test_imports_are_found_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports inside functions, under TYPE_CHECKING and relative ones count."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "harness" / "checks" / "x.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from harness import runner\n"
        "def f():\n    import schedule_zero.store\n    from ..report import text\n    from . import base\n"
    )
    assert sorted(imports(path)) == [
        (1, "typing"),
        (3, "harness"),
        (3, "harness.runner"),
        (5, "schedule_zero.store"),
        (6, "harness.report"),
        (7, "harness.checks"),
    ]


def test_modules_are_small() -> None:
    """No module is longer than 400 lines."""
    sizes = {module_name(path): path.read_text("utf-8").count("\n") for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > LONGEST} == {}


@pytest.mark.slow
def test_public_names_are_documented() -> None:
    """Every module that is not empty, every public class, function and method says what it is for."""
    silent = []
    for path in MODULES:
        tree = ast.parse(path.read_text("utf-8"))
        if tree.body and ast.get_docstring(tree) is None:
            silent.append(module_name(path))
        silent += [f"{module_name(path)}:{name}" for name in _undocumented(tree)]
    assert silent == []


def _undocumented(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith(
            "_"
        ):
            continue
        overrides = any(isinstance(mark, ast.Name) and mark.id == "override" for mark in node.decorator_list)
        if ast.get_docstring(node) is None and not overrides and not _is_protocol(tree):
            yield f"{node.lineno}: {node.name}"
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node)


def _is_protocol(tree: ast.Module | ast.ClassDef) -> bool:
    """The members of a protocol may be said by its own docstring."""
    bases = tree.bases if isinstance(tree, ast.ClassDef) else []
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in bases)


@pytest.mark.slow
def test_tools_of_developers_are_not_needed_to_run() -> None:
    """`pip install -e .` is enough for `harness run`: only the pytest face imports pytest, nothing hypothesis."""
    tools = ("pytest", "_pytest", "hypothesis", "xdist", "coverage")
    users = {
        module_name(path) for path in MODULES for _, target in imports(path) if target.split(".")[0] in tools
    }
    assert {name for name in users if not name.startswith(("harness.pytest", "harness.plugin"))} == set()
