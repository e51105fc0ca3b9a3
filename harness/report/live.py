"""The view of a run while it goes on: a few lines that change on a terminal, one line a phase anywhere else."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from harness.history.records import AnyRecord, Edge, Phase, PhaseName
from harness.report.console import Line, coloured, plain
from harness.report.figures import count, duration, rate
from harness.report.livestate import Glance, LiveState
from harness.report.text import printable

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

_LOG = logging.getLogger(__name__)
_FRAMES = 8
"""Pictures a second."""
_SAMPLES = ("registered-handlers", "backlog")
_BAR = 24


class LiveView:
    """Shows a run that goes on; ``recorder.subscribe(view.feed)`` feeds it, and nothing that fails in here
    reaches the run.

    `clock` gives scenario time in seconds (``recorder.now``), `limits` the seconds each phase may take, `planned`
    those that the run phase will take by its plan, if that is known. With `quiet` it shows nothing.

    >>> import io
    >>> out = io.StringIO()
    >>> with LiveView("load.steady", clock=lambda: 0.0, file=out) as view:
    ...     view.feed(Phase(at=0.0, name=PhaseName.RUN, edge=Edge.BEGIN))
    >>> out.getvalue()
    'load.steady: run\\n'
    """

    def __init__(
        self,
        title: str,
        *,
        clock: Callable[[], float],
        limits: Mapping[PhaseName, float] | None = None,
        planned: float | None = None,
        file: TextIO | None = None,
        quiet: bool = False,
    ) -> None:
        self._title = printable(title)
        self._clock = clock
        self._limits = dict(limits or {})
        self._planned = planned
        self._file = file or sys.stderr
        self._quiet = quiet
        self._state = LiveState()
        self._live: Live | None = None
        self._broken = False

    def __enter__(self) -> Self:
        if not self._quiet and coloured(self._file):
            try:
                self._live = self._started()
            except Exception:  # noqa: BLE001 - a view must never end the run it shows
                self._give_up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            try:
                self._live.stop()
            except Exception:  # noqa: BLE001 - as above
                self._give_up()
            self._live = None

    def feed(self, record: AnyRecord) -> None:
        """Take notice of one record; may be called from any thread, never raises."""
        if self._broken or self._quiet:
            return
        try:
            before = self._state.glance(record.at) if isinstance(record, Phase) else None
            self._state.feed(record)
            if (
                before is not None
                and self._live is None
                and isinstance(record, Phase)
                and record.edge is Edge.BEGIN
            ):
                self._file.write(plain([phase_line(self._title, record.name, before)]))
                self._file.flush()
        except Exception:  # noqa: BLE001 - as above
            self._give_up()

    def lines(self) -> list[Line]:
        """What is shown at this moment."""
        now = self._clock()
        return live_lines(self._title, self._state.glance(now), now, self._limits, self._planned)

    def _started(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        live = Live(
            console=Console(file=self._file, highlight=False),
            get_renderable=self._picture,
            refresh_per_second=_FRAMES,
            transient=True,
        )
        live.start()
        return live

    def _picture(self) -> Text:
        from rich.text import Text

        try:
            pieces = [piece for line in self.lines() for piece in (*line, ("\n", ""))]
        except Exception:  # noqa: BLE001 - as above; this runs in rich's own thread
            self._give_up()
            return Text("")
        return Text.assemble(*pieces[:-1], no_wrap=True, overflow="ellipsis")

    def _give_up(self) -> None:
        if not self._broken:
            self._broken = True
            _LOG.warning("the live view failed and is off; the run goes on", exc_info=True)


def phase_line(title: str, name: PhaseName, before: Glance) -> Line:
    """The one line of a phase that begins, with the calls up to then."""
    calls = before.ok + before.fail + before.info + before.dropped
    return [(f"{title}: {name.value}", ""), (f" ({_calls(before)})" if calls else "", "dim")]


def _calls(glance: Glance) -> str:
    parts = [f"{count(glance.ok)} ok"]
    for number, word in ((glance.fail, "failed"), (glance.info, "in doubt"), (glance.dropped, "dropped")):
        parts += [f"{count(number)} {word}"] if number else []
    return ", ".join(parts)


def live_lines(
    title: str, glance: Glance, now: float, limits: Mapping[PhaseName, float], planned: float | None = None
) -> list[Line]:
    """The view: phase with a bar towards its planned end, or else its limit; calls, samples, faults."""
    phase = glance.phase.value if glance.phase else "begin"
    passed = max(0.0, now - glance.since) if glance.phase else 0.0
    whole, word = limits.get(glance.phase) if glance.phase else None, "at most"
    if glance.phase is PhaseName.RUN and planned:
        whole, word = planned, "about"
    lines: list[Line] = [
        [
            (title, "bold"),
            (f"  {phase:<8} ", "cyan"),
            *_bar(passed, whole),
            (f" {_clock(passed)}{f' of {word} {_clock(whole)}' if whole else ''}", "dim"),
        ]
    ]
    late = f"  p99 {duration(glance.p99)}" if glance.p99 is not None else ""
    if glance.ok + glance.fail + glance.info + glance.dropped:
        style = "red" if glance.fail else "yellow" if glance.info or glance.dropped else "green"
        lines.append([("  calls   ", "dim"), (_calls(glance), style), (f"  {rate(glance.rate)}{late}", "")])
    if glance.cycles:
        lines.append([("  cycle   ", "dim"), (count(glance.cycles), "")])
    seen = [f"{name} {count(glance.samples[name])}" for name in _SAMPLES if name in glance.samples]
    if seen:
        lines.append([("  target  ", "dim"), ("  ".join(seen), "")])
    if glance.injected or glance.armed:
        lines.append(
            [
                ("  faults  ", "dim"),
                (printable(", ".join(glance.injected), 120), "bold red"),
                (
                    f"{'  ' if glance.injected else ''}armed: {printable(', '.join(glance.armed), 80)}"
                    if glance.armed
                    else "",
                    "yellow",
                ),
            ]
        )
    return lines


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


def _bar(passed: float, whole: float | None) -> list[tuple[str, str]]:
    if not whole:
        return []
    full = min(_BAR, int(passed / whole * _BAR))
    return [("━" * full, "cyan"), ("━" * (_BAR - full), "dim")]
