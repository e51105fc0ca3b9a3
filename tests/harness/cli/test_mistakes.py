"""What a user can get wrong: a sentence for people, an object for machines, an exit code, no traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.harness.conftest import FakeDriver

    Harness = Callable[..., Result]

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (("kind: load", "kind: lod"), ":4:7", "lod"),
        (("driver: fake", "driver: fke"), ":8:18", "did you mean 'fake'?"),
        (("op: job.submit", "op: job.submt"), ":11:20", "job.submt"),
        (("[no-lost-job]", "[no-lost-jobs]"), ":13:12", "no-lost-jobs"),
        (("for: 50ms", "for: 50"), ":11:", "50"),
        (("seed: 3", "seed: 3\nseed: 4"), ":7:1", "seed"),
        (
            ("checks:", "faults:\n  - {id: x, kind: process.kil, where: h1, at: 1s}\nchecks:"),
            ":13:19",
            "process.kil",
        ),
    ],
)
def test_a_wrong_scenario_is_shown_with_file_line_and_column(
    harness: Harness, short: Path, fake_installed: FakeDriver, change: tuple[str, str], place: str, message: str
) -> None:
    """With the line itself and a caret; exit 2, and nothing was started."""
    short.write_text(short.read_text("utf-8").replace(*change), "utf-8")

    for command in ("run", "validate", "explain"):
        found = harness(command, short)
        assert found.exit_code == 2, found.output
        assert f"{short}{place}" in found.stderr
        assert message.lower() in found.stderr.lower()
        assert "^" in found.stderr
    assert fake_installed.told == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml: no such file or folder"),
        (["run", "EMPTY"], "no scenario files (*.yaml) in"),
        (["run", "SHORT", "--seeds", "5..1"], "the range '5..1' ends before it begins"),
        (["run", "SHORT", "--seeds", "some"], "expected a range such as 1..20"),
        (["run", "SHORT", "--seeds", "1..2", "--seed", "3"], "--seed and --seeds exclude each other"),
        (["run", "SHORT", "--seed", "-1"], "not in the range x>=0"),
        (["run", "SHORT", "--set", "limits.rum=5s"], "limits.rum"),
        (["run", "SHORT", "--set", "workload.7.for=5s"], "workload.7"),
        (["run", "SHORT", "--set", "nonsense"], "nonsense"),
        (["run", "SHORT", "--world", "sim"], "sim"),
        (["run", "SHORT", "--world", "moon"], "'moon' is not one of"),
        (["run", "SHORT", "--only", "other"], "no scenario in these files is called 'other'"),
        (["run", "SHORT", "--mutant", "none"], "the fake target has no mutant 'none'"),
        (["run", "SHORT", "-n", "0"], "not in the range x>=1"),
        (["run"], "Missing argument"),
        (["rum", "SHORT"], "Did you mean 'run'?"),
        (["validat", "SHORT"], "Did you mean 'validate'?"),
        (["frobnicate"], "No such command 'frobnicate'."),
        (["report", "EMPTY"], "is not the folder of a run"),
        (["report", "nowhere"], "is no folder"),
        (["catalog", "nowhere.yaml"], "cannot read the catalogue nowhere.yaml"),
        (["catalog", "SHORT"], "is not a catalogue"),
    ],
)
def test_a_mistake_on_the_command_line_ends_with_two_and_a_sentence(
    harness: Harness, short: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    """On standard error, saying what was found and what is expected; standard output stays empty."""
    empty = tmp_path / "empty"
    empty.mkdir()
    places = {"SHORT": str(short), "EMPTY": str(empty)}

    found = harness(*[places.get(word, word) for word in words])

    assert found.exit_code == 2, found.output
    assert message in found.stderr
    assert found.stdout == ""


def test_a_world_that_the_driver_does_not_know_yet_is_refused_in_words(
    harness: Harness, short: Path, fake_installed: FakeDriver
) -> None:
    """A scenario may name a world that this version cannot play; nothing is started."""
    short.write_text(short.read_text("utf-8").replace("worlds: [real]", "worlds: [real, sim]"), "utf-8")

    found = harness("run", short, "--world", "sim")

    assert found.exit_code == 2
    assert "sim" in found.stderr
    assert fake_installed.told == []


def test_reports_that_cannot_be_written_are_told_before_anything_starts(
    harness: Harness, short: Path, tmp_path: Path, fake_installed: FakeDriver
) -> None:
    """A file where the folder should be; the message names another way."""
    taken = tmp_path / "taken"
    taken.write_text("", "utf-8")

    for place in (taken, taken / "below"):
        found = harness("run", short, "--report", place)
        assert found.exit_code == 2
        assert "cannot write reports below" in found.stderr
    assert fake_installed.told == []


def test_an_error_that_nobody_expected_is_one_line(
    harness: Harness, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 5, the error's own words, and how to see more."""

    def explode(*args: object, **options: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("harness.session.plan", explode)

    found = harness("run", short)

    assert found.exit_code == 5
    assert found.stderr == "harness: ZeroDivisionError: a bug (set HARNESS_DEBUG=1 to see where)\n"


@pytest.mark.parametrize("command", ["run", "validate", "explain", "list"])
def test_a_wrong_scenario_is_an_object_for_machines(
    harness: Harness, short: Path, fake_installed: FakeDriver, command: str
) -> None:
    """With `--json` standard output holds one document with the place, what was expected and what was found."""
    short.write_text(short.read_text("utf-8").replace("kind: load", "kind: lod"), "utf-8")

    found = harness(command, short, "--json")

    assert found.exit_code == 2
    error = json.loads(found.stdout)["error"]
    assert error["exit_code"] == 2
    (problem,) = error["problems"]
    assert (problem["file"], problem["line"], problem["column"], problem["path"]) == (str(short), 4, 7, "kind")
    assert problem["expected"].startswith("one of ")
    assert (problem["found"], bool(problem["message"])) == ("'lod'", True)
    assert f"{short}:4:7" in found.stderr
    assert fake_installed.told == []


def test_problems_of_several_files_are_told_file_by_file(harness: Harness, short: Path, tmp_path: Path) -> None:
    """Each problem names its own file, in the order in which the files were named."""
    text = short.read_text("utf-8").replace("kind: load", "kind: lod")
    paths = [tmp_path / "b.yaml", tmp_path / "a.yaml"]
    for path in paths:
        path.write_text(text, "utf-8")

    problems = json.loads(harness("validate", *paths, "--json").stdout)["error"]["problems"]

    assert [problem["file"] for problem in problems] == [str(path) for path in paths]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report", "nowhere"], "nowhere is no folder: expected the folder of a run"),
        (["run", "nowhere.yaml"], "nowhere.yaml: no such file or folder"),
        (["run", "SHORT", "--world", "moon"], "'moon' is not one of"),
        (["rum"], "Did you mean 'run'?"),
    ],
)
def test_other_mistakes_are_objects_without_a_place(
    harness: Harness, short: Path, words: list[str], message: str
) -> None:
    """Also what click itself refuses: whoever asks for JSON always gets one document."""
    found = harness(*[str(short) if word == "SHORT" else word for word in words], "--json")

    error = json.loads(found.stdout)["error"]
    assert found.exit_code == error["exit_code"] == 2
    assert message in error["message"]
    assert error["problems"] == []
    assert message in found.stderr


def test_list_shows_the_good_files_and_tells_the_bad_ones(harness: Harness, short: Path, tmp_path: Path) -> None:
    """One wrong file does not hide the others: rows on standard output, the problem on standard error, exit 2."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(short.read_text("utf-8").replace("kind: load", "kind: lod"), "utf-8")

    people, machines = harness("list", tmp_path), harness("list", tmp_path, "--json")

    assert (people.exit_code, machines.exit_code) == (2, 2)
    assert "A moment's load." in people.stdout
    assert f"{bad}:4:7" in people.stderr
    document = json.loads(machines.stdout)
    assert [row["name"] for row in document["scenarios"]] == ["short"]
    assert [problem["file"] for problem in document["error"]["problems"]] == [str(bad)]


@pytest.mark.parametrize(
    ("variable", "value", "option"), [("HARNESS_SEED", "abc", "--seed"), ("HARNESS_WORLD", "moon", "--world")]
)
def test_a_wrong_environment_variable_is_named(
    harness: Harness, short: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, option: str
) -> None:
    """Nobody typed the option: the message names where the value came from. Typed, it names the option."""
    monkeypatch.setenv(variable, value)
    found = harness("run", short)

    assert found.exit_code == 2
    assert f"environment variable {variable}, which stands for {option}" in found.stderr
    monkeypatch.delenv(variable)
    assert f"Invalid value for '{option}'" in harness("run", short, option, value).stderr


def test_an_error_that_nobody_expected_is_an_object_too(
    harness: Harness, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 5 with its words."""

    def explode(*args: object, **options: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("harness.session.plan", explode)

    error = json.loads(harness("run", short, "--json").stdout)["error"]

    assert (error["exit_code"], error["message"]) == (
        5,
        "ZeroDivisionError: a bug (set HARNESS_DEBUG=1 to see where)",
    )
