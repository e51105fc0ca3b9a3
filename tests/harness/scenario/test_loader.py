"""Reading files: what is refused before any of it is understood, and what is kept beside a scenario."""

from __future__ import annotations

import pickle
import time
from pathlib import Path

import pytest

from harness.errors import ExitCode, ScenarioError
from harness.scenario.loader import MAX_BYTES, check, load, load_text
from harness.scenario.model import Kind, Scenario, World
from harness.scenario.problems import ScenarioProblems
from harness.scenario.values import Comparison, FakerRef, Rate, Span, Unit
from harness.scenario.vocabulary import Vocabulary


@pytest.mark.parametrize("kind", ["chaos", "cycles", "regression"])
def test_valid_files_load(words: Vocabulary, texts: dict[str, str], kind: str) -> None:
    """Each kind of valid scenario loads with the vocabulary and without."""
    assert load_text(texts[kind], vocabulary=words)[0].scenario.kind == kind
    assert load_text(texts[kind])[0].scenario.kind == kind


def test_values_arrive_typed(texts: dict[str, str]) -> None:
    """Notations become numbers in seconds, ratios and a second; tags become references."""
    scenario = load_text(texts["chaos"])[0].scenario
    jobs, hang = scenario.workload[0], scenario.faults[1]
    assert (scenario.kind, scenario.worlds, scenario.all_seeds()) == (Kind.CHAOS, (World.REAL,), (90210,))
    assert (scenario.limits.run, scenario.limits.setup) == (40.0, 30.0)
    assert scenario.topology.handler_names() == ("h1", "h2", "h3", "h4", "h5")
    assert jobs.rate == Rate(10.0, 20.0)
    assert jobs.args["params"] == {"account": FakerRef("iban")}
    assert hang.every == Span(4.0, 6.0)
    assert scenario.faults[0].options == {"restart": "8s"}
    assert scenario.thresholds["jobs.errors"][0].expr == Comparison("ratio", "<", 0.01, Unit.RATIO)
    assert scenario.steady[0].expect["registered-handlers"] == Comparison("value", "==", 5.0, Unit.NUMBER)


def test_documents_of_one_file_are_scenarios_each(texts: dict[str, str]) -> None:
    """A file of two documents holds two scenarios, whose lines count from the file's beginning."""
    loaded = load_text(texts["cycles"] + "---\n" + texts["regression"])
    assert [one.scenario.name for one in loaded] == ["cycles.quick", "regression.missed-runs"]
    assert loaded[1].line_of("kind") == loaded[0].line_of("thresholds") + 4


def test_lines_of_values(texts: dict[str, str]) -> None:
    """A dotted path is found in the file; one that is not there has the line of what lies around it, or 0."""
    loaded = load_text(texts["chaos"])[0]
    assert loaded.line_of("name") == 2
    assert loaded.line_of("checks.always.1") == 32
    assert loaded.line_of("thresholds.jobs.latency.0") == 38
    assert loaded.line_of("checks.always.1.runs-per-job.max") == 32
    assert loaded.line_of("checks.always.9") == 31
    assert loaded.line_of("known") == 0


def test_lines_do_not_come_from_overrides(texts: dict[str, str]) -> None:
    """A value from the command line has no line in the file."""
    loaded = load_text(texts["chaos"], overrides=["limits.run=9s"])[0]
    assert loaded.scenario.limits.run == 9.0
    assert loaded.line_of("limits.run") == 0


def test_load_reads_a_file(tmp_path: Path, texts: dict[str, str]) -> None:
    """A file with a byte order mark and CRLF line ends is read like any other, and its path kept."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + texts["chaos"].replace("\n", "\r\n").encode())
    loaded = load(path)[0]
    assert loaded.source.path == path
    assert loaded.line_of("seed") == 6


def test_a_scenario_can_be_pickled(texts: dict[str, str]) -> None:
    """What was loaded can be sent to another process."""
    loaded = load_text(texts["chaos"])[0]
    assert pickle.loads(pickle.dumps(loaded)).scenario == loaded.scenario


@pytest.mark.parametrize(
    ("data", "line", "column", "message"),
    [
        (b"", 1, 1, "the file is empty"),
        (b"# only a comment\n", 1, 1, "the file is empty"),
        (b"---\n", 1, 4, "an empty document"),
        (b"- a\n- b\n", 1, 1, "not a scenario"),
        (b"just text", 1, 1, "not a scenario"),
        (b"name: a\n", 1, 1, "`scenario` is missing"),
        (b"scenario: 2\nwhat: ever\n", 1, 11, "this harness does not read format version 2"),
        (b"scenario: true\n", 1, 11, "this harness does not read format version True"),
        (b"scenario: 1.0\n", 1, 11, "this harness does not read format version 1.0"),
        (b'scenario: "1"\n', 1, 11, "this harness does not read format version '1'"),
        (b"scenario: 1\nname: caf\xe9\n", 2, 10, "not UTF-8"),
        (b"scenario: 1\nname: a\x00b\n", 2, 8, "the character U+0000 is not allowed in YAML"),
        (b"#" * (MAX_BYTES + 1), 1, 1, "too large a file"),
    ],
)  # fmt: skip
def test_what_is_no_scenario_at_all(tmp_path: Path, data: bytes, line: int, column: int, message: str) -> None:
    """A file that is empty, not text, not a mapping or of another version says just that, where it is wrong."""
    path = tmp_path / "bad.yaml"
    path.write_bytes(data)
    with pytest.raises(ScenarioProblems) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert (problem.message, problem.position.line, problem.position.column) == (message, line, column)


def test_version_is_checked_before_anything_else() -> None:
    """A file of a later version is not blamed for words that this one does not know, nor for tags."""
    with pytest.raises(ScenarioProblems) as caught:
        load_text("scenario: 2\nnews: !later 5\nnews: twice\n")
    assert [problem.message for problem in caught.value.problems] == [
        "this harness does not read format version 2"
    ]


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    """A path that cannot be read is a scenario error and no traceback."""
    with pytest.raises(ScenarioProblems, match="cannot be read: No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ScenarioProblems, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_two_scenarios_of_one_name(texts: dict[str, str]) -> None:
    """Two documents of one name could not be told apart later."""
    with pytest.raises(ScenarioProblems) as caught:
        load_text(texts["cycles"] + "---\n" + texts["cycles"])
    (problem,) = caught.value.problems
    assert "two scenarios of this file have the name 'cycles.quick'" in problem.message
    assert problem.position.line == 19


def test_all_problems_at_once_in_order(words: Vocabulary, texts: dict[str, str]) -> None:
    """Wrong syntax of a value, wrong shapes and wrong names are told together, sorted by line."""
    text = (
        texts["chaos"].replace("limits: {run: 40s", "limits: {run: 40").replace("driver: toy", "driver: tyo")
        .replace("name: chaos.two-dead", "name: 1:30").replace("process.kill", "process.kil")
        .replace("max: 2", "max: two")
    )  # fmt: skip
    with pytest.raises(ScenarioProblems) as caught:
        load_text(text, vocabulary=words)
    assert [(p.position.line, p.message) for p in caught.value.problems] == [
        (2, "YAML 1.1 reads this as a number to the base 60"),
        (7, "a bare number says no unit"),
        (9, "unknown driver 'tyo'"),
        (24, "unknown fault kind 'process.kil'"),
        (32, "does not fit"),
    ]


def test_error_as_a_person_sees_it(words: Vocabulary, texts: dict[str, str]) -> None:
    """The text of an error: place, path, line with a caret, what was expected and found, a guess."""
    with pytest.raises(ScenarioError) as caught:
        load_text(texts["chaos"].replace("process.kill", "process.kil"), "chaos.yaml", words)
    assert caught.value.exit_code is ExitCode.USAGE
    assert str(caught.value) == (
        "chaos.yaml:24:23: faults.0.kind: unknown fault kind 'process.kil'\n"
        "    24 |   - {id: crash, kind: process.kil, where: {handlers: 2}, at: 5s, restart: 8s}\n"
        "       |                       ^\n"
        "    expected: one of clock.jump, handler.silent, process.kill, process.pause, store.locked   "
        "found: 'process.kil'   did you mean 'process.kill'?"
    )


def test_scenarios_made_in_python_are_checked_too(words: Vocabulary, texts: dict[str, str]) -> None:
    """A scenario without a file has its words checked and is shown as YAML."""
    good = load_text(texts["chaos"])[0].scenario
    check(good, words)
    bad = Scenario.model_validate({**good.model_dump(by_alias=True), "target": {"driver": "other"}})
    with pytest.raises(
        ScenarioProblems, match=r"<scenario chaos.two-dead>:\d+:\d+: target.driver: unknown driver 'other'"
    ):
        check(bad, words)


def test_loading_takes_milliseconds(words: Vocabulary, texts: dict[str, str]) -> None:
    """A file of some forty lines is read and checked before a person notices (0.5 s on a busy machine)."""
    load_text(texts["chaos"], vocabulary=words)
    began = time.perf_counter()
    load_text(texts["chaos"], vocabulary=words)
    assert time.perf_counter() - began < 0.5
