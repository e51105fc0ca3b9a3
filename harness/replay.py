"""A stored simulated run played once more, from what lies in its folder, and held against it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import vocabulary
from harness.checks.verdict import Outcome, Verdict
from harness.errors import ExitCode, HarnessError, UsageError
from harness.planning import PlannedRun
from harness.repeated import Repeated, compare
from harness.report import console, jsonout
from harness.report.folder import RunFolder
from harness.report.manifest import Manifest, versions
from harness.scenario.loader import LoadedScenario, load_text
from harness.scenario.model import World
from harness.session import Session
from harness.worlds import Simulation

if TYPE_CHECKING:
    from harness.sim import Tape

NAMES = ("stored", "replayed")


@dataclass(frozen=True)
class Replayed:
    """What a replay came to: the verdict it was given now, and how it compares with what is stored."""

    manifest: Manifest
    verdict: Verdict | None
    repeated: Repeated

    @property
    def exit_code(self) -> ExitCode:
        """That of the verdict when both runs are the same, else that of broken determinism."""
        if self.verdict is None or not self.repeated.same:
            return ExitCode.NONDETERMINISTIC
        return self.verdict.outcome.exit_code


def replay(path: Path) -> Replayed:
    """Play the run in the folder `path` again from its source, its seed and its tape, in a folder that goes away.

    Raises `UsageError` for the folder of a run that cannot be replayed, saying why and what to do instead.
    """
    from harness.sim import ReplayDiverged

    stored = RunFolder(path).read()
    planned, tape = _planned(stored.manifest), _tape(stored.manifest, stored.folder, stored.verdict)
    choices = len(tape.choices)
    with tempfile.TemporaryDirectory(prefix="harness-replay-") as reports:
        folder = RunFolder(Path(reports, "run"))
        folder.logs.mkdir(parents=True)
        session = Session(folder.path, simulation=Simulation(tape=tape))
        try:
            verdict: Verdict | None = session.play_in(folder, planned).verdict
        except ReplayDiverged as error:
            verdict, found = None, compare(stored.folder, folder, NAMES)
            told = [f"the replay asks for other choices than the {choices} of the tape: {error}"]
            told += [found.difference] if found.difference else []
            repeated = Repeated(found.records, found.events, found.digest, "\n".join(told))
        else:
            if session.interrupted:
                raise HarnessInterrupted(f"the replay of {path} was interrupted: nothing was compared")
            repeated = compare(stored.folder, folder, NAMES)
    return Replayed(stored.manifest, verdict, _with_versions(repeated, stored.manifest))


class HarnessInterrupted(HarnessError):
    """A replay was interrupted, so that nothing can be said of it."""

    exit_code = ExitCode.INTERRUPTED


def _planned(manifest: Manifest) -> PlannedRun:
    """The run as it was planned then."""
    if manifest.world != World.SIM.value:
        raise UsageError(
            f"this run was played in the {manifest.world} world, which does not repeat itself; run it again by\n"
            f"  {manifest.again}"
        )
    loaded = _loaded(manifest)
    return PlannedRun(loaded, manifest.seed, World.SIM, manifest.overrides, manifest.mutant)


def _loaded(manifest: Manifest) -> LoadedScenario:
    found = load_text(
        manifest.source, manifest.file or "<stored>", vocabulary.build(), overrides=manifest.overrides
    )
    for loaded in found:
        if loaded.scenario.name == manifest.scenario:
            return loaded
    raise UsageError(f"the stored source holds no scenario {manifest.scenario!r}: the manifest was changed")


def _tape(manifest: Manifest, folder: RunFolder, verdict: Verdict | None) -> Tape:
    from harness.sim import Tape

    lacking = [path.name for path in (folder.tape, folder.simulation) if not path.is_file()]
    if lacking:
        raise UsageError(
            f"{folder.path} has no {' and no '.join(lacking)}: the run was cut off before it had ended. "
            f"Its seed plays it from the start:\n  {manifest.again}"
        )
    if verdict is not None and verdict.outcome is Outcome.INTERRUPTED:
        raise UsageError(
            f"{folder.path} was interrupted from outside, at a moment that is on no tape. "
            f"Its seed plays it to the end:\n  {manifest.again}"
        )
    return Tape.load(folder.tape)


def _with_versions(repeated: Repeated, manifest: Manifest) -> Repeated:
    """A difference with what has changed since, which is the first thing to suspect."""
    if repeated.same:
        return repeated
    now = versions()
    changed = [
        f"{name} was {manifest.versions.get(name, 'absent')}, is {now.get(name, 'absent')}"
        for name in sorted({*now, *manifest.versions})
        if now.get(name) != manifest.versions.get(name)
    ]
    said = f"versions have changed since: {'; '.join(changed)}" if changed else "no version has changed since"
    return Repeated(repeated.records, repeated.events, repeated.digest, f"{repeated.difference}\n{said}")


def replay_and_tell(path: Path, *, as_json: bool) -> ExitCode:
    """`replay`, printed; returns the exit code."""
    found = replay(path)
    if as_json:
        document: dict[str, Any] = {"repeated": found.repeated.as_json(), "exit_code": int(found.exit_code)}
        if found.verdict is not None:
            document["verdict"] = jsonout.as_json(found.verdict, found.manifest, folder=path)
        click.echo(jsonout.dumps(document))
        return found.exit_code
    if found.verdict is not None:
        console.show(console.told(found.verdict, found.manifest))
    console.show(_told(found.repeated))
    return found.exit_code


def _told(repeated: Repeated) -> list[console.Line]:
    if repeated.same:
        return [[("identical", "bold green"), (f": {repeated.records} records, digest {repeated.digest}", "")]]
    first, *rest = repeated.difference.splitlines()
    return [[("DIFFERENT", "bold red"), (f": {first}", "")], *([(line, "")] for line in rest)]
