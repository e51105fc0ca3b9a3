"""The verdict on a run whose harness was ended in the midst of it: what its history holds, and that it proves nothing.

Judged as it stands, such a history would accuse the target of what only the end of the harness did: jobs without
an outcome, processes that nobody stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.verdict import Outcome, Verdict
from harness.history.records import Edge, Fault, FaultEvent, Phase, PhaseName
from harness.report.figures import count, moment, plural
from harness.report.series import tally

if TYPE_CHECKING:
    from harness.history.history import History
    from harness.report.manifest import Manifest


def is_cut_short(history: History) -> bool:
    """Whether the run never came to the end of its teardown, so that nobody collected what the target knew."""
    return not any(p.name is PhaseName.TEARDOWN and p.edge is Edge.END for p in history.of(Phase))


def cut_short(history: History, manifest: Manifest) -> Verdict:
    """Unknown: the reason says how far the run came and what was seen until then."""
    return Verdict(
        scenario=manifest.scenario,
        seed=manifest.seed,
        world=manifest.world,
        outcome=Outcome.UNKNOWN,
        reason=f"the run was cut short {_when(history)}, so nothing was judged; {_seen(history)}",
        duration=history.duration,
    )


def _when(history: History) -> str:
    begun = [p.name.value for p in history.of(Phase) if p.edge is Edge.BEGIN]
    if not begun:
        return "before its run phase began"
    return f"in its {begun[-1]} phase, at {moment(history.end)}"


def _seen(history: History) -> str:
    if not history.records:
        return "its history is empty"
    total = tally(history)
    ends = [(total.ok, "ok"), (total.fail, "failed"), (total.info, "in doubt"), (total.dropped, "dropped")]
    calls = ", ".join(f"{count(number)} {word}" for number, word in ends if number)
    struck = sum(f.event is FaultEvent.INJECTED for f in history.of(Fault))
    told = [plural(len(history.records), "record")]
    told += [f"calls: {calls}"] if calls else ["no call"]
    told += [f"{plural(struck, 'injection')} of faults"] if struck else []
    return f"its history holds {', '.join(told)}"
