"""The documentation is true: links lead somewhere, examples are valid, commands end as they are said to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.reference.pages import render
from harness.scenario.loader import load_text
from harness.vocabulary import build

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SETUP = ["pip install -e . && harness run scenarios", "pip install -e '.[dev]' && python run_tests.py all"]
_BLOCK = re.compile(
    r"^(?P<notes>(?:<!-- [^\n]* -->\n)*)```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_NOTE = re.compile(r"<!-- (file|exits|not run): (.*?) -->")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """One fenced block with the notes right above it."""

    kind: str
    text: str
    notes: dict[str, str]


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found = _BLOCK.finditer(page.read_text("utf-8"))
    return [Block(m["kind"], m["text"], dict(_NOTE.findall(m["notes"]))) for m in found]


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """Each command of a console block with the output that is shown for it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _with(wanted: Callable[[Block], bool]) -> list[Path]:
    return [page for page in PAGES if any(wanted(block) for block in blocks(page))]


def _is_scenario(block: Block) -> bool:
    return block.kind == "yaml" and block.text.startswith("scenario: 1")


def _is_test(block: Block) -> bool:
    # A test that is saved as a file is run by a command of its page, which says how it ends.
    return block.kind == "python" and "def test_" in block.text and "file" not in block.notes


def _is_run(block: Block) -> bool:
    return block.kind == "console" and "not run" not in block.notes and "pip install" not in block.text


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file or folder that is there, and a heading that is in it."""
    for link in _LINK.findall(page.read_text("utf-8")):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{_name(page)}: {link} leads nowhere"
        assert not heading or heading in _headings(target), f"{_name(page)}: there is no heading {link}"


def _headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "reference").glob("*.md")), ids=_name)
def test_generated_parts_are_up_to_date(page: Path) -> None:
    """What the reference says of the code is what the code says; else run ``python -m harness.reference``."""
    written = page.read_text("utf-8")
    assert written == render(written)


@pytest.mark.parametrize("page", _with(_is_scenario), ids=_name)
def test_scenarios_are_valid(page: Path) -> None:
    """Every scenario that is shown is valid, with the words of this installation."""
    for block in filter(_is_scenario, blocks(page)):
        assert load_text(block.text, _name(page), build())


@pytest.mark.parametrize("page", _with(lambda block: block.kind == "python"), ids=_name)
def test_python_compiles(page: Path) -> None:
    """Every piece of Python that is shown is Python."""
    assert list(_mistakes(page)) == []


def _mistakes(page: Path) -> Iterator[str]:
    for number, block in enumerate(blocks(page)):
        try:
            if block.kind == "python":
                compile(block.text, f"{_name(page)}, block {number}", "exec")
        except SyntaxError as error:
            yield str(error)


def test_set_up_is_two_commands() -> None:
    """README shows the two set-up commands, and no other step."""
    readme = [block for block in blocks(ROOT / "README.md") if "pip" in block.text]
    assert [command for block in readme for command, _ in commands(block)] == SETUP


def test_nothing_names_a_machine() -> None:
    """No page holds a path of the machine that it was written on."""
    for page in PAGES:
        found = re.search(r"(?<![\w.])/(?:home|work|opt|root|tmp|Users)/", page.read_text("utf-8"))
        assert not found, _name(page)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder as a reader of the documentation has it: the scenarios, and nothing else."""
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    (tmp_path / "tests").mkdir()
    return tmp_path


def _write_files(page: Path, project: Path) -> None:
    for block in blocks(page):
        if "file" in block.notes:
            (project / block.notes["file"]).write_text(block.text, "utf-8")


def _shell(command: str, project: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        # Plugins that no page uses: to load them takes as long as to load pytest.
        "PYTEST_ADDOPTS": "-p no:anyio -p no:faker -p no:hypothesispytest -p no:platformdirs -p no:time_machine",
    }
    return subprocess.run(  # the commands are those of this repository's own pages
        ["/bin/sh", "-c", command],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize("page", _with(_is_test), ids=_name)
def test_python_examples_pass(page: Path, project: Path) -> None:
    """The tests that are shown pass, in a project that knows nothing else."""
    _write_files(page, project)
    for number, block in enumerate(filter(_is_test, blocks(page))):
        (project / f"test_{number}.py").write_text(block.text, "utf-8")
    done = _shell(f'"{sys.executable}" -m pytest -q -p no:cacheprovider test_*.py', project)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize("page", _with(_is_run), ids=_name)
def test_commands_end_as_stated(page: Path, project: Path) -> None:
    """Every command ends with the stated exit code, 0 where none is, and says what is shown below it."""
    _write_files(page, project)
    for block in filter(_is_run, blocks(page)):
        for command, output in commands(block):
            done = _shell(command, project)
            said = done.stdout + done.stderr
            assert done.returncode == int(block.notes.get("exits", "0")), f"$ {command}\n{said}"
            for line in filter(str.strip, output.splitlines()):
                assert _timeless(line) in _timeless(said), f"$ {command}\nnever said: {line}\n{said}"


def _timeless(text: str) -> str:
    """`text` with every duration made equal: those differ from run to run."""
    return re.sub(r"\d+(\.\d+)? m?s\b", "N s", text)
