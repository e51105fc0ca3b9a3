"""Tests of the whole page, read back by a parser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.checks.verdict import CheckResult, Evidence, Outcome, Verdict
from harness.history.history import History
from harness.history.records import Event, Execution, Fault, FaultEvent, Operation, Sample, Status, Step
from harness.report.html import render

if TYPE_CHECKING:
    from types import ModuleType

    from tests.harness.report.made_up import Run
    from tests.harness.report.pages import Node

Parse = Callable[[str], "Node"]


@pytest.fixture
def page_of(parse: Parse) -> Callable[[Run], Node]:
    """Renders a run and reads the page back."""
    return lambda run: parse(render(run.history, run.verdict, run.manifest, logs=run.logs))


PageOf = Callable[["Run"], "Node"]


def test_every_page_is_well_formed(any_run: Run, page_of: PageOf) -> None:
    """Whatever happened in a run, all elements of its page are closed in order and every id is unique."""
    page = page_of(any_run)

    ids = [n.attributes["id"] for n in page.walk() if "id" in n.attributes]
    assert len(ids) == len(set(ids))
    assert {link.attributes["href"] for link in page.one("nav").all("a")} <= {f"#{i}" for i in ids}


def test_nothing_is_fetched(any_run: Run, page_of: PageOf) -> None:
    """No attribute names another resource, no style imports one, and the policy of the page forbids it."""
    page = page_of(any_run)

    for node in page.walk():
        assert node.name not in ("iframe", "object", "embed", "base", "form"), node.name
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert node.attributes.get(name, "#").startswith(("#", "data:image/svg+xml,")), (node.name, name)
    assert not re.search(r"@import|url\(", page.one("style").text)
    policy = [m.attributes["content"] for m in page.all("meta") if "http-equiv" in m.attributes]
    assert len(policy) == 1
    assert policy[0].startswith("default-src 'none'; ")


def test_only_the_own_script_may_run(chaos_run: Run, page_of: PageOf) -> None:
    """The policy allows exactly the page's script, by its hash; all other script elements are data."""
    page = page_of(chaos_run)
    scripts = page.all("script")
    running = [s for s in scripts if s.attributes.get("type") != "application/json"]

    assert len(running) == 1
    digest = base64.b64encode(hashlib.sha256("".join(map(str, running[0].children)).encode()).digest()).decode()
    policy = next(m.attributes["content"] for m in page.all("meta") if "http-equiv" in m.attributes)
    assert f"script-src 'sha256-{digest}'" in policy
    assert not [n for n in page.walk() if any(a.startswith("on") for a in n.attributes)]


def test_the_banner_tells_the_verdict(chaos_run: Run, page_of: PageOf) -> None:
    """Outcome, reason, seed, world and the line that runs it again stand at the top."""
    banner = page_of(chaos_run).one("header", "banner fail")

    assert banner.one("p", "word").text == "Failed"
    assert banner.one("h1").text == "chaos.handlers-under-fire"
    assert banner.one("p", "reason").text == chaos_run.verdict.reason
    assert [li.text for li in banner.all("li")][:4] == [
        "world real",
        "seed 90210",
        "scenario time 2 min",
        "wall time 2 min 19 s",
    ]
    assert banner.one("code").text == chaos_run.manifest.again
    assert banner.one("button").attributes["data-copy"] == chaos_run.manifest.again


def test_the_figures_are_those_of_the_history(chaos_run: Run, page_of: PageOf) -> None:
    """The cards count what the history holds."""
    cards = {
        c.all("p")[0].text: (c.all("p")[1].text, c.all("p")[2].text)
        for c in page_of(chaos_run).all("div", "figure")
    }

    assert cards["Checks passed"] == ("4 of 7", "1 failed · 1 unknown · 1 known to fail")
    assert cards["Calls answered"] == ("1,404 of 1,444", "36 in doubt · 4 dropped")
    assert cards["Jobs"] == ("1,404", "1,403 success · 1 without outcome · 1 tried again")
    assert cards["Executions"] == ("1,405", "2 never finished")
    assert cards["Faults injected"] == ("7", "5 kinds · all healed")


def test_checks_stand_worst_first_and_only_bad_ones_open(chaos_run: Run, page_of: PageOf) -> None:
    """Failed and unknown checks are open; known and passed ones are folded and told apart."""
    checks = page_of(chaos_run).all("details", "check")

    assert [c.one("span", "pill").text for c in checks] == [
        "fail",
        "unknown",
        "known",
        "pass",
        "pass",
        "pass",
        "pass",
    ]
    assert ["open" in c.attributes for c in checks] == [True, True, False, False, False, False, False]
    failed = checks[0]
    assert failed.one("summary").one("code").text == "no-lost-job"
    assert failed.one("span", "samples").text == "1,404 samples"
    assert "h4 was killed at 30 s" in failed.one("ol", "evidence").text
    assert failed.one("span", "hit").text == "15 - no-lost-job"
    assert checks[1].one("span", "samples").text == "0 samples"


def test_each_evidence_leads_to_its_moment(chaos_run: Run, page_of: PageOf) -> None:
    """The time of an evidence is a link into the timeline that carries the moment in seconds."""
    link = page_of(chaos_run).all("details", "check fail")[0].one("a")

    lost = chaos_run.verdict.checks[1].evidence[0].at
    assert lost is not None
    assert link.attributes["href"] == "#timeline"
    assert float(link.attributes["data-goto"]) == pytest.approx(lost, abs=1e-3)


def test_every_chart_has_words(any_run: Run, page_of: PageOf) -> None:
    """Each picture has a title and a description, so that it says something to who cannot see it."""
    for figure in page_of(any_run).all("figure"):
        area = figure.one("svg", "area")
        assert area.attributes["role"] == "img"
        direct = [c for c in area.children if not isinstance(c, str)]
        assert [c.name for c in direct[:2]] == ["title", "desc"]
        assert all(len(c.text) > 2 for c in direct[:2])


def test_every_table_has_headers(any_run: Run, page_of: PageOf) -> None:
    """Each table has a caption, a header for each column and one for each row."""
    for table in page_of(any_run).all("table"):
        assert table.one("caption").text
        columns = table.one("thead").all("th", scope="col")
        for row in table.one("tbody").all("tr"):
            assert len(row.all("th", scope="row")) == 1
            assert len(row.all("td")) == len(columns) - 1


def test_faults_are_bands_at_their_times(chaos_run: Run, page_of: PageOf) -> None:
    """In the latency chart the band of each injection lies where it was injected, as wide as it lasted."""
    chart = page_of(chaos_run).chart("Latency")
    low, high = float(chart.attributes["data-low"]), float(chart.attributes["data-high"])
    bands = {}
    for band in chart.all("g", "band"):
        rect = band.one("rect")
        x, width = (float(rect.attributes[k].rstrip("%")) / 100 for k in ("x", "width"))
        bands[band.one("title").text] = (low + x * (high - low), low + (x + width) * (high - low))

    assert (low, high) == (-3.2, 124.6)
    assert len(bands) == 7
    assert bands["busy (store.locked) at store: 76 s to 85 s, for 9 s"] == pytest.approx((76.0, 85.0), abs=0.01)
    assert bands["crash (process.kill) at h4: 30 s to 38.6 s, for 8.6 s"] == pytest.approx(
        (30.0, 38.6), abs=0.01
    )
    assert [t.text for t in chart.all("text", "label")] == ["crash", "efsm", "hang", "busy", "mute", "hang"]


def test_a_fault_that_was_never_healed_reaches_to_the_end(interrupted_run: Run, page_of: PageOf) -> None:
    """The band of an open fault ends with the run, and the table says so."""
    page = page_of(interrupted_run)
    rects = [b.one("rect").attributes for b in page.chart("Latency").all("g", "band")]

    assert [round(float(r["x"][:-1]) + float(r["width"][:-1]), 1) for r in rects] == [100.0, 100.0]
    rows = [r for r in page.one("section", id="faults").rows() if r[1] == "crash"]
    assert [(r[0], r[3], r[4]) for r in rows] == [
        ("30 s", "h2", "never healed"),
        ("30 s", "h4", "never healed"),
    ]


def test_lanes_show_who_ran_and_who_died(chaos_run: Run, page_of: PageOf) -> None:
    """There is a lane for every process, with kills, restarts and what was never finished."""
    chart = page_of(chaos_run).chart("Executions")

    names = [t.one("title").text for t in chart.one("svg", "gutter").all("text") if t.all("title")]
    assert names == ["governor", "scheduler", "h1", "h2", "h3", "h4", "h5"]
    deaths = [m.one("title").text for m in chart.all("text", "mark death")]
    assert deaths == [
        "h2 was ended by signal 9 at 30 s (pid 4101)",
        "h4 was ended by signal 9 at 30 s (pid 4103)",
    ]
    assert [m.one("title").text for m in chart.all("text", "mark start")] == [
        "h2 started again at 37.5 s (pid 4201)",
        "h4 started again at 38.1 s (pid 4203)",
    ]
    bars = {
        g.attributes["data-lane"]: {p.attributes["class"] for p in g.all("path")}
        for g in chart.all("g")
        if "data-lane" in g.attributes
    }
    assert bars["h4"] == {"run ok", "run unfinished"}
    assert bars["h5"] == {"run ok", "run error"}
    assert bars["scheduler"] == set()
    assert "h4: 281 executions, 1 never finished, 1 death" in chart.one("svg", "area").one("desc").text


def test_throughput_counts_every_call_once(chaos_run: Run, page_of: PageOf) -> None:
    """The read-out of the throughput chart adds up to the calls of the history."""
    readout = json.loads(page_of(chaos_run).chart("Throughput").one("script").text)
    rates = {name: [float(t.removesuffix("/s")) for t in texts] for name, texts in readout["s"]}

    assert sum(rates["offered"]) == pytest.approx(1444)
    assert sum(rates["answered"]) == pytest.approx(1404, abs=1)
    assert sum(rates["in doubt"]) == pytest.approx(36)
    assert sum(rates["dropped"]) == pytest.approx(4)


def test_percentiles_leave_out_the_warm_up(load_run: Run, page_of: PageOf) -> None:
    """The table holds one row a workload, over measured calls only, with exact nearest-rank values."""
    rows = page_of(load_run).table("Percentiles").rows()
    took = sorted(o.end - o.intended for o in load_run.history.operations("cron") if o.measured)

    assert [(r[0], r[2]) for r in rows] == [("cron.latency", "550"), ("steady.latency", "4,950")]
    assert rows[0][5:] == [
        f"{took[274] * 1e3:.3g} ms",
        f"{took[494] * 1e3:.3g} ms",
        f"{took[544] * 1e3:.3g} ms",
        "–",
        f"{took[-1] * 1e3:.3g} ms",
    ]


def test_cycles_show_the_step_that_went_wrong(cycles_run: Run, page_of: PageOf) -> None:
    """Durations of good steps make the table, the bad step has a row of its own."""
    page = page_of(cycles_run)

    assert [(r[0], r[2]) for r in page.table("Durations of the steps that went well").rows()] == [
        ("start", "200"),
        ("stop", "199"),
    ]
    assert page.table("Steps that went wrong (1)").rows() == [
        ["cycle 118", "stop", "fail", "15 s", "forced=True, code=-9"]
    ]


def test_logs_are_shown_only_when_something_went_wrong(chaos_run: Run, load_run: Run, page_of: PageOf) -> None:
    """A failed run shows the end of its logs, a passed one does not."""
    load_run.logs.update(chaos_run.logs)

    assert [s.text for s in page_of(chaos_run).one("section", id="logs").all("summary")] == [
        "scheduler.log 40 lines",
        "h4.log 1 line",
    ]
    assert not page_of(load_run).all("section", id="logs")


def test_an_empty_run_says_so(empty_run: Run, page_of: PageOf) -> None:
    """A history without records makes a page that says what is missing instead of empty charts."""
    page = page_of(empty_run)

    assert not page.all("figure")
    assert "Nothing was judged." in page.one("section", id="checks").text
    assert "Nothing happened" in page.one("section", id="timeline").text


@pytest.mark.slow
def test_twenty_thousand_calls_stay_below_a_megabyte(heavy_run: Run) -> None:
    """The size of a page is bounded by its pixels, not by the length of its history."""
    page = render(heavy_run.history, heavy_run.verdict, heavy_run.manifest)

    assert len(heavy_run.history.operations()) == 20_000
    assert len(page.encode()) < 1_000_000


@pytest.mark.slow
def test_a_hundred_thousand_executions_stay_below_a_megabyte(chaos_run: Run, build: ModuleType) -> None:
    """Bars too many to be told apart are joined, and the lanes still count every execution."""
    more = [build.ran(f"w{n % 12}", f"{n}", n / 900, n / 900 + 0.003, 1) for n in range(100_000)]

    page = render(History(chaos_run.history.header, more), chaos_run.verdict, chaos_run.manifest)

    assert len(page.encode()) < 1_000_000
    assert "w11: 8,333 executions" in page


@pytest.mark.slow
def test_a_thousand_injections_stay_below_a_megabyte(chaos_run: Run, build: ModuleType) -> None:
    """A fault that strikes again and again is drawn joined, and the table ends with how many there are more."""
    more = [r for n in range(1000) for r in build.fault("late", "zmq.delay", "h1", n / 9, n / 9 + 0.01)]
    history = History(chaos_run.history.header, (*chaos_run.history.records, *more))

    page = render(history, chaos_run.verdict, chaos_run.manifest)

    assert len(page.encode()) < 1_000_000
    assert "1007" not in page
    assert "1,007 injections" in page


HOSTILE = "</script></style></title><img src=x onerror=alert(1)>\"' onload=alert(2) \x00\x1b[31m\u202e]]>&lt;"


def _hostile_history(run: Run) -> History:
    return History(
        run.history.header,
        [
            *run.history.records,
            Operation(
                at=2,
                id=9999,
                workload=HOSTILE,
                op=HOSTILE,
                place=HOSTILE,
                intended=1,
                start=1,
                end=2,
                status=Status.OK,
                ref=HOSTILE,
            ),
            Execution(
                at=2, handler=HOSTILE, request_id=HOSTILE, method=HOSTILE, start=1, end=2, outcome=HOSTILE
            ),
            Fault(
                at=3,
                id=HOSTILE,
                kind=HOSTILE,
                event=FaultEvent.INJECTED,
                place=HOSTILE,
                detail={HOSTILE: HOSTILE},
            ),
            Sample(at=3, name=HOSTILE, value=1.0, place=HOSTILE),
            Sample(at=4, name="rss", value=1.0, place=HOSTILE),
            Step(at=4, cycle=1, step=HOSTILE, start=3, end=4, status=Status.FAIL, detail={HOSTILE: HOSTILE}),
            Event(at=4, name=HOSTILE, place=HOSTILE, detail={HOSTILE: HOSTILE}),
        ],
    )


def test_hostile_text_stays_text(chaos_run: Run, parse: Parse) -> None:
    """Markup in any text of history, verdict, manifest or logs neither makes an element nor an attribute."""
    bad = CheckResult(
        name=HOSTILE,
        when=HOSTILE,
        outcome=Outcome.FAIL,
        samples=1,
        summary=HOSTILE,
        line=1,
        evidence=(Evidence(text=HOSTILE, at=1.0, data={HOSTILE: HOSTILE}),),
    )
    verdict = Verdict(
        scenario=HOSTILE, seed=1, world=HOSTILE, outcome=Outcome.FAIL, reason=HOSTILE, checks=(bad,)
    )
    words = dict.fromkeys(
        ("scenario", "file", "about", "kind", "world", "again", "commit", "source", "ended", "started"), HOSTILE
    )
    manifest = msgspec.structs.replace(
        chaos_run.manifest, **words, command=(HOSTILE,), versions={HOSTILE: HOSTILE}
    )

    text = render(_hostile_history(chaos_run), verdict, manifest, logs={HOSTILE: HOSTILE})
    page = parse(text)

    assert not page.all("img")
    assert not [n for n in page.walk() if {"onerror", "onload"} & set(n.attributes)]
    assert not {"\x00", "\x1b"} & set(text)
    assert len([s for s in page.all("script") if s.attributes.get("type") != "application/json"]) == 1
    assert page.one("h1").text.startswith("</script></style></title><img src=x")
    for data in page.all("script", type="application/json"):
        json.loads(data.text)
