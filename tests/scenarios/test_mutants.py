"""Every scenario can fail: with the scheduler broken on purpose, the file fails at the check that is there for
it, with its evidence.

The files are those that users run, made shorter by overrides; what they demand is not touched. Each mutant is played in
both worlds: a load, a storm and a life cycle among all other tests; the rest, which would take as long as these
together, is marked ``thorough``. CI plays all of it in the simulated world, where a play takes a second or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import catalog, session
from harness.checks.verdict import Outcome, Verdict
from harness.scenario.model import World
from harness.targets.apscheduler import mutants as apscheduler
from harness.targets.schedule_zero import mutants

ROOT = Path(__file__).parents[2] / "scenarios"

pytestmark = [pytest.mark.integration, pytest.mark.regression]

Play = Callable[[Path, str, Sequence[str], World], Verdict]
Told = Callable[[str, str, Verdict], None]


@dataclass(frozen=True)
class Broken:
    """A scenario, the mutant it must catch, the check that must fail and what its evidence must say, and what
    makes it short.
    """

    scenario: str
    mutant: str
    check: str
    evidence: str
    overrides: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The scenario file."""
        return ROOT / f"{self.scenario}.yaml"


_STEADY = ("workload.0.stages.0.for=500ms", "workload.0.stages.1.for=2s", "workload.1.count=2")
_SURGE = (
    "workload.0.stages.0.for=500ms",
    "workload.0.stages.1.for=1500ms",
    "workload.0.stages.1.rate=20/s",
    "workload.0.stages.2.for=500ms",
    "workload.0.stages.2.rate=20/s",
)
_KILLS = ("workload.0.for=4s", "limits.settle=5s")
_FIRE = ("workload.0.for=5s", "workload.1.count=1")

_MODEL = "fires-as-modelled"
PROMISES = (
    Broken("promises/fire_times", "fired-twice", _MODEL, "has 2 jobs for"),
    Broken("promises/fire_times", "nothing-is-coalesced", _MODEL, "became due together with others"),
    Broken("promises/fire_times", "pause-not-kept", _MODEL, "which must not be"),
    Broken("promises/fire_times", "jitter-not-waited", _MODEL, "before its time"),
    Broken("promises/fire_times", "schedule-limit-ignored", _MODEL, "that run at once"),
    Broken("promises/fire_times", "every-time-misfires-run", _MODEL, "although its grace is"),
    Broken("promises/fire_times", "schedules-forgotten", _MODEL, "has no job for"),
    Broken("promises/fire_times", "removal-forgotten", _MODEL, "was not looked at any more"),
    Broken("promises/odd_schedules", "fired-twice", _MODEL, "has 2 jobs for"),
    Broken("promises/clock_changes", "zone-ignored", _MODEL, "has no job for"),
    Broken("promises/day_after", "day-after-shift-cut", _MODEL, "has no job for"),
    Broken("promises/replies_lost", "request-id-anew", "history-explainable", "but nobody asked for it"),
    Broken("promises/replies_lost", "at-most-once-forgotten", "runs-per-job", "at most 1 allowed"),
    Broken(
        "promises/replies_lost",
        "timeouts-called-success",
        "no-reply-crosses-requests",
        "is empty, but its run answered something",
    ),
    Broken("promises/replies_lost", "socket-not-renewed", "joined.job-errors", "mute (handler.silent"),
    Broken("promises/replies_lost", "handler-forgets-requests", "runs-per-job", "at most 1 allowed"),
    Broken("promises/replies_lost", "running-calls-not-joined", "runs-per-job", "at most 1 allowed"),
    Broken("promises/dead_do_not_delay", "heartbeat-never-expires", "registered-handlers", "8 of 7 handlers"),
    Broken("promises/dead_do_not_delay", "first-come-first-served", _MODEL, "late"),
    Broken("promises/dead_do_not_delay", "one-call-at-a-time", "jobs.job-errors", "at alive1"),
    Broken("promises/killed_at_any_moment", "own-jobs-not-reaped", "no-lost-job", "has no outcome"),
    Broken("promises/killed_at_any_moment", "dead-jobs-deleted", "no-lost-job", "log does not know it"),
    Broken("promises/disk_troubles", "busy-store-ignored", "no-lost-job", "log does not know it"),
    Broken("promises/disk_troubles", "only-locks-pass", "no-lost-job", "log does not know it"),
    Broken("promises/stall_beyond_lease", "expired-jobs-abandoned", "long.job-errors", "abandoned"),
    Broken("promises/rogue_neighbours", "rubbish-ends-registration", "registered-handlers", "did not hold by"),
    Broken("promises/nobody_gets_in", "tokens-not-asked", "nameless.errors", "no-token: let in"),
    Broken("promises/nobody_gets_in", "scopes-ignored", "reader.errors", "reader-writes: let in"),
    Broken("promises/nobody_gets_in", "foreign-pages-served", "page.errors", "foreign-page: let in"),
    Broken("promises/stop_whatever_runs", "pid-file-kept", "no-stale-pidfile", "runs False", ("cycles.count=1",)),
    Broken("promises/stop_lets_work_end", "drain-skipped", "once.job-errors", "abandoned"),
    Broken("promises/stop_is_bounded", "stop-without-bound", "after.errors", "health.check"),
    Broken("promises/well_in_between", "restarts-never-forgiven", "brought-back", "was not started again"),
    Broken(
        "regression/process_cleanup", "orphan-keeps-pid-file", "no-stale-pidfile", "runs False", ("cycles.count=1",)
    ),
)
"""What each scenario of a promise must catch."""
SHARED = (
    Broken("long/two_servers", "leases-never-expire", "no-lost-job", "has no outcome, though", ("limits.settle=4s",)),
    Broken("long/two_servers", "fired-twice", _MODEL, "has 2 jobs for", ("limits.settle=4s",)),
)
"""What servers that share a PostgreSQL must not do: for real alone, where there is one."""
LOCKED = (
    Broken("load/intruders", "strangers-let-in", "stranger.errors", "unknown-key: let in"),
    Broken("load/intruders", "names-not-checked", "impostor.errors", "anothers-name: let in"),
    Broken("load/intruders", "handlers-obey-anyone", "pretender.errors", "stranger-calls: let in"),
)
"""Who must not get in over ZeroMQ: for real alone."""
BROKEN = (
    Broken(
        "load/steady",
        "every-tenth-job-dropped",
        "no-lost-job",
        "is recorded as success, but no handler ran it",
        _STEADY,
    ),
    Broken(
        "load/steady",
        "accepted-not-stored",
        "no-lost-job",
        "has no outcome: the scheduler's log does not know it",
        _STEADY,
    ),
    Broken("load/steady", "results-mixed", "no-reply-crosses-requests", "is the answer to request", _STEADY),
    Broken("load/steady", "params-lost", "no-reply-crosses-requests", "with other parameters", _STEADY),
    Broken("load/steady", "outcome-written-twice", "history-explainable", "is recorded as error", _STEADY),
    Broken("load/steady", "descriptors-leaked", "bounded", "fds", ("workload.0.stages.1.for=4s",)),
    Broken(
        "load/steady",
        "every-second-fire-skipped",
        "fires-on-schedule",
        "fired 4 times by",
        ("workload.0.stages.1.for=6s",),
    ),
    Broken("load/surge", "mostly-refused", "surge.unknowns ratio < 1%", "503 Temporarily unavailable", _SURGE),
    Broken("load/surge", "wrong-handler", "history-explainable", "ran at h1", _SURGE),
    Broken("chaos/scheduler_kill", "dead-jobs-deleted", "no-lost-job", "the scheduler's log does not know it"),
    Broken("chaos/governor_kill", "dead-jobs-deleted", "no-lost-job", "the scheduler's log does not know it"),
    Broken("load/surge", "loop-blocked", "surge.latency p50 < 500ms", "job.submit", _SURGE),
    Broken(
        "cycles/governor",
        "lifeline-ignored",
        "no-orphan-process",
        "schedule_zero.handler",
        ("cycles.count=1", "cycles.steps.3.stop={how: [kill]}"),
    ),
    Broken(
        "cycles/governor",
        "pid-file-kept",
        "no-stale-pidfile",
        "runs False",
        ("cycles.count=1", "cycles.steps.3.stop={how: [term]}"),
    ),
    Broken(
        "cycles/governor",
        "handler-ignores-term",
        "stopped-cleanly",
        "h1 had to be killed after 2",
        ("cycles.count=1", "cycles.steps.3.stop={how: [term]}"),
    ),
    Broken(
        "cycles/governor",
        "handler-ends-with-9",
        "stopped-cleanly",
        "h1 ended with code 9",
        ("cycles.count=1", "cycles.steps.3.stop={how: [term]}"),
    ),
    Broken("cycles/governor", "outcome-written-twice", "history-explainable", "is recorded as error"),
    Broken("cycles/handlers", "outcome-written-twice", "history-explainable", "is recorded as error"),
    Broken("regression/hanging_after_timeout", "mostly-refused", "jobs.unknowns ratio < 1%", "503"),
    Broken("regression/concurrent_stops", "orders-hurry", "stopped-cleanly", "hurried without a second signal"),
    Broken("cycles/threads", "governor-file-kept", "no-stale-pidfile", "governor.json", ("cycles.count=1",)),
    Broken(
        "cycles/handlers",
        "handler-not-stopped",
        "steps-done",
        "still runs 3 s after h2 was removed",
        ("cycles.count=1",),
    ),
    Broken(
        "cycles/handlers",
        "never-restarted",
        "steps-done",
        "h3 not started again since the crash",
        ("cycles.count=1", "cycles.steps.6.wait.within=2s"),
    ),
    Broken("chaos/handler_kill", "never-retried", "jobs.job-errors ratio < 1%", "meanwhile: crash (", _KILLS),
    Broken("chaos/handler_kill", "never-restarted", "brought-back", "was not started again by its governor", _KILLS),
    Broken(
        "chaos/handlers_under_fire",
        "busy-store-ignored",
        "no-lost-job",
        "busy (store.locked at store)",
        (*_FIRE, "faults.4.at=2s", "limits.settle=8s"),
    ),
    Broken("chaos/handlers_under_fire", "never-retried", "jobs.job-errors ratio < 1%", "meanwhile: ", _FIRE),
    Broken(
        "chaos/handlers_under_fire",
        "handler-forgets-requests",
        "runs-per-job",
        "times, at most 2 allowed",
        # So few that retries find a free thread of the mute handler: what waits there is not begun any more.
        (
            "workload.0.for=9s",
            "workload.0.rate=4/s",
            "topology.scheduler.retry_base=200ms",
            "workload.1.count=1",
            "workload.1.with.handler=h5",
            "faults.0.at=100ms",
            "faults.3.at=1500ms",
            "limits.settle=15s",
        ),
    ),
    Broken(
        "chaos/handlers_under_fire",
        "timeouts-called-success",
        "no-lost-job",
        "when none of its runs had succeeded",
        ("workload.0.for=8s", "workload.1.count=1", "faults.0.at=7s", "faults.3.at=1s", "limits.settle=5s"),
    ),
    Broken(
        "chaos/handlers_under_fire",
        "efsm-not-recovered",
        "jobs.job-errors ratio < 1%",
        "efsm (zmq.state at scheduler.req)",
        # Strikes from the first calls on, at every handler: those that are killed take their broken sockets along.
        (
            *_FIRE,
            "faults.2.when={event: job.sent, nth: 5}",
            "faults.2.times=20",
            "faults.3.at=1s",
            "faults.4.at=2s",
            "limits.settle=5s",
        ),
    ),
    Broken(
        "chaos/handlers_under_fire",
        "one-call-at-a-time",
        "jobs.completion p50 < 1s",
        "job.submit",
        ("workload.0.for=8s", "workload.1.count=1", "faults.0.at=7s", "faults.3.at=1s", "limits.settle=5s"),
    ),
    *PROMISES,
    *SHARED,
    *LOCKED,
    Broken("apscheduler/day_of_schedules", "every-third-fire-skipped", "fires-as-modelled", "has no job for"),
    Broken("apscheduler/day_of_schedules", "fires-twice", "fires-as-modelled", "has 2 jobs for"),
    Broken("apscheduler/pause_and_resume", "pause-ignored", "fires-as-modelled", "which must not be"),
    Broken("apscheduler/pause_and_resume", "nothing-coalesced", "fires-as-modelled", "became due together with others"),
    Broken("apscheduler/restart_with_misfires", "misfires-run", "fires-as-modelled", "late, although its grace is"),
    Broken("apscheduler/kill_and_recover", "forgotten-at-start", "fires-as-modelled", "has no job for"),
)
"""What each scenario outside of the regression catalogue must catch; the first of a scenario is played for real every
day.
"""

CATALOGUE = catalog.read(ROOT / "regression" / "catalog.yaml")


REAL, SIM = (pytest.mark.real, pytest.mark.slow), (pytest.mark.sim,)


ONLY_SIMULATED = frozenset(
    f"promises/{name}" for name in ("clock_changes", "day_after", "disk_troubles", "well_in_between")
)
"""Scenarios that need another date, a disk to fill, or minutes."""


ONLY_REAL = frozenset({"long/two_servers", "load/intruders"})
"""Scenarios that need PostgreSQL, or CURVE."""


SHOWN = frozenset({"load/steady", "chaos/handlers_under_fire", "cycles/handlers"})
"""Scenarios that are broken in both worlds among all other tests: a load, a storm, a life cycle."""


def _plays() -> Iterator[Any]:
    """Every mutant in every world, as parameters of a test."""
    met = set()
    for broken in BROKEN:
        name = f"{broken.scenario}-{broken.mutant}"
        rest = [pytest.mark.thorough] * (broken.scenario in met or broken.scenario not in SHOWN)
        met.add(broken.scenario)
        if broken.scenario not in ONLY_SIMULATED:
            yield pytest.param(broken, World.REAL, id=f"real-{name}", marks=[*REAL, *rest])
        if broken.scenario not in ONLY_REAL:
            yield pytest.param(broken, World.SIM, id=f"sim-{name}", marks=[*SIM, *rest])


@pytest.mark.parametrize(("broken", "world"), list(_plays()))
def test_a_broken_scheduler_fails_its_scenario(broken: Broken, world: World, play: Play, said_as_told: Told) -> None:
    """The check that guards against the defect fails, and its evidence shows the defect, as documented."""
    verdict = play(broken.path, broken.mutant, broken.overrides, world)

    assert verdict.outcome is Outcome.FAIL, verdict.reason
    failed = [c for c in verdict.checks if c.outcome is Outcome.FAIL and c.name.startswith(broken.check)]
    assert failed, [f"{c.outcome.value} {c.name}: {c.summary}" for c in verdict.checks]
    said = [evidence.text for check in failed for evidence in check.evidence]
    assert any(broken.evidence in text for text in said), said
    said_as_told(broken.scenario, broken.mutant, verdict)


@pytest.mark.thorough
@pytest.mark.sim
@pytest.mark.parametrize(
    "broken",
    [b for b in BROKEN if b.overrides and b.scenario not in ONLY_REAL],
    ids=lambda b: f"{b.scenario}-{b.mutant}",
)
def test_a_whole_scheduler_passes_the_check_in_the_short_form(broken: Broken, play: Play) -> None:
    """What makes a file short does not make it fail: the check is the mutant's alone."""
    verdict = play(broken.path, "", broken.overrides, World.SIM)

    outcomes = {c.name: c.outcome for c in verdict.checks if c.name.startswith(broken.check)}
    assert outcomes, [c.name for c in verdict.checks]
    assert set(outcomes.values()) == {Outcome.PASS}, verdict.reason


@pytest.mark.thorough
@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [*sorted((ROOT / "promises").glob("*.yaml")), ROOT / "long" / "two_servers.yaml"],
    ids=lambda path: path.stem,
)
def test_every_promise_is_kept_for_real(path: Path, play: Play) -> None:
    """The scenarios of promises pass in the real world, too, where it can be had in less than a minute."""
    if f"promises/{path.stem}" in ONLY_SIMULATED:
        pytest.skip("needs another date, or minutes: simulated alone")

    verdict = play(path, "", (), World.REAL)

    assert verdict.outcome is Outcome.PASS, verdict.reason


def test_a_scenario_of_each_kind_is_broken_among_all_other_tests() -> None:
    """What is left to the thorough tests is never all."""
    shown = {
        (play.values[0].scenario, play.values[1])
        for play in _plays()
        if "thorough" not in [mark.name for mark in play.marks]
    }

    assert shown == {(scenario, world) for scenario in SHOWN for world in (World.REAL, World.SIM)}


def test_every_scenario_has_a_mutant_that_it_must_catch() -> None:
    """A scenario that nothing shows to fail is a defect: each file stands in the list above or in the
    catalogue.
    """
    guarded = {broken.path for broken in BROKEN} | {entry.path for entry in CATALOGUE}

    assert set(session.find_files([ROOT])) - guarded == set()


def test_every_mutant_is_caught_by_some_scenario() -> None:
    """A mutant that no scenario names would break nothing that anybody looks at."""
    used = {broken.mutant for broken in BROKEN} | {entry.mutant for entry in CATALOGUE}

    assert {*mutants.REGISTRY, *apscheduler.REGISTRY} - used == set()
