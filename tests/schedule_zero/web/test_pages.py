"""The pages as a browser without script has them: what they show, and what their forms do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from schedule_zero.database import StoreBusy
from schedule_zero.requests import NewSchedule, RunNow
from schedule_zero.views import Health, PartHealth
from schedule_zero.web.rules import PAGES

STRANGE = "<script>alert(1)</script>'\"&\u202egnp.exe " + "x" * 150
#: Pages of one schedule.
OF_ONE = ("/schedule", "/schedules/change", "/schedules/remove")
EVERY = {"type": "interval", "hours": 1}


def new(job_id: str, trigger: dict[str, Any] | None = None, **more: Any) -> NewSchedule:
    """A schedule of the handler ``till``."""
    more = {"handler_id": "till", "job_method": "echo", **more}
    return NewSchedule(job_id=job_id, trigger=trigger or EVERY, **more)


def test_every_page_is_strict_with_itself(live: Any, browser: Any) -> None:
    """Nothing inline, nothing from elsewhere, no frames, no cache; one h1, a title, a way past the navigation."""
    live.run(live.server.service.add_schedule(new("plain")))
    for path in PAGES:
        answer = browser.get(path + ("?id=plain" if path in OF_ONE else ""))
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "server" not in answer.headers
        if answer.status == 303:
            continue
        page = answer.page
        assert len(page.named("h1")) == 1, path
        assert page.named("html") == [{"lang": "en"}]
        assert next(a["href"] for a in page.named("a")) == "#main"
        for _, attributes in page.elements:
            assert not [name for name in attributes if name.startswith("on") or name == "style"], path
            for name in ("src", "href", "action"):
                assert attributes.get(name, "/")[0] in "/#", f"{path}: {attributes}"
                assert not attributes.get(name, "/").startswith("//")
        assert all("src" in script for script in page.named("script"))
        assert page.named("style") == []


def test_every_input_has_a_label(live: Any, browser: Any) -> None:
    """What a screen reader says of a field is its label; ids are there once."""
    for path in ("/schedules/new", "/schedules", "/executions"):
        page = browser.get(path).page
        labels = {label.get("for") for label in page.named("label")}
        fields = [field for tag in ("input", "select", "textarea") for field in page.named(tag)]
        shown = [field for field in fields if field.get("type") not in ("hidden", "radio")]
        assert shown, path
        assert [field for field in shown if field.get("id") not in labels] == []
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids))


def test_strange_ids_and_errors_are_text(live: Any, browser: Any, attach: Callable[[Any, str], Any]) -> None:
    """An id with markup, a bidirectional override and much length is shown as it is, on every page, and can be used."""
    attach(live, STRANGE)
    live.run(live.server.service.add_schedule(new(STRANGE, handler_id=STRANGE, job_params={"text": "</pre><b>"})))
    job = live.run(live.server.service.run_now(RunNow(handler_id="till", job_method="fail")))
    done = browser.until(f"/job?id={job}", lambda answer: "gone wrong" in answer.text)
    assert "<script>alert('gone wrong')</script>" in done.words
    at = browser.send("/schedules", "/schedules/pause", having={"id": STRANGE}).headers["location"]
    assert at.startswith("/schedules?done=paused&")
    one = next(a["href"] for a in browser.get(at).page.named("a") if a["href"].startswith("/schedule?id=%3Cscript"))
    change = one.replace("/schedule?", "/schedules/change?")
    for path in ("/", "/schedules", at, one, change, "/handlers", "/executions", f"/job?id={job}", "/schedules/new"):
        answer = browser.get(path)
        assert answer.status == 200, path
        assert [script for script in answer.page.named("script") if "src" not in script] == []
        assert not answer.page.named("b")
        assert "<bdi>&lt;script&gt;" in answer.text or path.startswith("/job") or path.endswith("/new"), path
        assert STRANGE.rpartition(" ")[0] in answer.words or path.startswith(("/job", "/executions")), path
    assert browser.send(one, "/schedules/resume").status == 303
    assert browser.send(one.replace("/schedule?", "/schedules/remove?"), "/schedules/remove").status == 303
    assert browser.get(one).status == 404


def test_schedules_that_cannot_be_read_are_shown(live: Any, browser: Any) -> None:
    """Also when there are no others: each with the reason, and a form that removes it."""
    live.run(live.server.service.add_schedule(new("odd", handler_id="till")))
    harm = "UPDATE schedules SET kwargs = '{' WHERE id = 'odd'"
    live.run(live.server.service.storage.write(lambda c: c.execute(harm).rowcount))
    shown = browser.get("/schedules").words
    assert "Not readable These do not fire. Mend or replace them, or remove them. odd : DecodeError: " in shown
    assert browser.send("/schedules", "/schedules/remove", having={"id": "odd"}).status == 303
    assert "Not readable" not in browser.get("/schedules").words


def test_pause_resume_run_remove(live: Any, browser: Any) -> None:
    """Each form does what it says, once, and leads back to a page that says so."""
    live.run(live.server.service.add_schedule(new("mine")))
    one = "/schedule?id=mine"
    paused = browser.send(one, "/schedules/pause")
    assert (paused.status, paused.headers["location"]) == (303, "/schedule?id=mine&done=paused&done_id=mine")
    assert "mine is paused" in browser.get(paused.headers["location"]).words
    assert live.run(live.server.service.schedule("mine")).paused
    assert browser.send(one, "/schedules/resume").status == 303
    assert not live.run(live.server.service.schedule("mine")).paused

    form = browser.get(one).page.form("/schedules/run")
    first, again = browser.post("/schedules/run", form), browser.post("/schedules/run", form)
    assert first.status == 303
    assert first.headers["location"] == again.headers["location"]
    ended = browser.until(first.headers["location"], lambda answer: "Success" in answer.words)
    assert "mine" in ended.words
    assert "Success" in browser.get(one).words

    asked = browser.get("/schedules/remove?id=mine")
    assert "Remove this schedule?" in asked.words
    assert browser.post("/schedules/remove", asked.page.form("/schedules/remove")).status == 303
    assert browser.get(one).status == 404
    assert browser.post("/schedules/pause", form).status == 404


@pytest.mark.parametrize("spoiled", [{"form_token": ""}, {"form_token": "0" * 64}, {"form_token": "\u00fc"}])
def test_a_form_that_is_not_ours_is_refused(live: Any, browser: Any, spoiled: dict[str, str]) -> None:
    """Without the token of a page of this server nothing is done, whatever else is right."""
    live.run(live.server.service.add_schedule(new("safe", conflict_policy="replace")))
    form = browser.get("/schedule?id=safe").page.form("/schedules/pause")
    refused = browser.post("/schedules/pause", form | spoiled)
    assert (refused.status, "reload the page" in refused.words) == (403, True)
    foreign = browser.post("/schedules/pause", form, Origin="http://evil.example")
    assert (foreign.status, "another site" in foreign.words) == (403, True)
    assert browser.post("/schedules/pause", form, Host="evil.example").status == 421
    assert not live.run(live.server.service.schedule("safe")).paused


class Governor:
    """Stands in for the governor's link: it keeps ``till``, which was restarted, and ``lost``, which never came up."""

    def __init__(self) -> None:
        self.restarted: list[str] = []

    async def find(self) -> object:
        """There is one."""
        return self

    async def status(self, _: object) -> dict[str, dict[str, Any]]:
        """What it keeps."""
        lost = {"status": "crashed", "restart_count": 3, "last_error": "exit code 7 <b>"}
        return {"server": {}, "till": {"status": "running", "restart_count": 1, "last_error": None}, "lost": lost}

    async def restart_handler(self, handler_id: str) -> bool:
        """Note it; ``lost`` does not come up."""
        self.restarted.append(handler_id)
        return handler_id == "till"

    def close(self) -> None:
        """Nothing to close."""


def test_what_the_governor_keeps_can_be_restarted(live: Any, browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handlers are shown with their restarts, those that never came up too, and each has its button."""
    governor = Governor()
    monkeypatch.setattr(live.server.context, "governor", governor)
    shown = browser.get("/handlers")
    assert "running, 1 restart" in shown.words
    assert "lost Never registered Restart The governor keeps it (crashed, 3 restarts). exit code 7 <b>" in shown.words
    for handler_id, says in (("till", "till was restarted and is ready"), ("lost", "was not ready in time")):
        sent = browser.send("/handlers", "/handlers/restart", having={"id": handler_id})
        assert says in browser.get(sent.headers["location"]).words
    assert governor.restarted == ["till", "lost"]


def test_paging_and_filters(live: Any, browser: Any) -> None:
    """Fifty at a time, each once; a filter keeps; one that makes no sense is refused."""
    for number in range(60):
        live.run(live.server.service.add_schedule(new(f"many-{number:02d}", conflict_policy="replace")))
    first = browser.get("/schedules?handler=till")
    [more] = [a["href"] for a in first.page.named("a") if a.get("rel") == "next"]
    second = browser.get(more)
    seen = [set(re.findall(r"many-\d\d", page.words)) for page in (first, second)]
    assert seen[0] & seen[1] == set()
    assert len(seen[0] | seen[1]) == 60
    assert browser.get("/schedules?cursor=nonsense").status == 422
    assert "No schedules of" in browser.get("/schedules?handler=nobody").words
    job = live.run(live.server.service.run_now(RunNow(handler_id="till", job_method="fail")))
    found = browser.until("/executions?outcome=error&since=hour", lambda answer: job in answer.text)
    assert next(option for option in found.page.named("option") if "selected" in option)["value"] == "error"
    assert 'class="lanes" role="img"' in found.text
    assert "None are like that" in browser.get("/executions?outcome=missed").words
    assert "None are like that" in browser.get("/executions?handler=%3Cb%3E").words
    assert browser.get("/executions?outcome=nonsense").status == 422
    assert browser.get("/executions?since=always").status == 422


def test_what_is_not_there(live: Any, browser: Any) -> None:
    """A page for people, problem details for programs; no other verb, no other file."""
    missing = browser.get("/<b>nothing</b>")
    assert (missing.status, "there is nothing at /<b>nothing</b>" in missing.words) == (404, True)
    assert missing.page.named("b") == []
    for_programs = browser.get("/nothing", Accept="*/*")
    assert for_programs.headers["content-type"] == "application/problem+json"
    assert browser.get("/job?id=none").status == 404
    assert browser.get("/job").status == 400
    assert browser.ask("PUT", "/schedules").status == 405
    assert browser.ask("HEAD", "/schedules").status == 200
    assert browser.get("/static/0/app.css").status == 404
    script = browser.get("/").page.named("script")[0]["src"]
    assert browser.get(script).headers["content-type"] == "text/javascript; charset=utf-8"
    assert browser.get(script.replace("app.js", "..%2f..%2fpage.py")).status == 404


def test_a_failing_page_shows_nothing_of_the_inside(
    live: Any, browser: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 as a page, with no traceback; the log has it."""

    def broken() -> Any:
        raise RuntimeError("the inside")

    monkeypatch.setattr(live.server.service, "handlers", broken)
    answer = browser.get("/handlers")
    assert (answer.status, "the inside" in answer.text, "Traceback" in answer.text) == (500, False, False)
    assert "GET /handlers failed" in caplog.text


def test_empty_pages_say_what_to_do_next(serve: Callable[..., Any]) -> None:
    """Without handlers, schedules and executions each page leads to the next step."""
    browser = serve().browser
    assert "How to start one" in browser.get("/").words
    assert "schedule-zero handler --module" in browser.get("/handlers").words
    assert "There is no handler to call" in browser.get("/schedules/new").words
    assert "No schedules yet" in browser.get("/schedules").words
    assert "Nothing has been run yet" in browser.get("/executions").words


def test_the_dashboard_is_there_while_the_store_is_not(
    live: Any, browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs the store says so, the rest is shown; other pages are 503 and lead to it."""

    async def busy(*_: Any, **__: Any) -> Any:
        raise StoreBusy("the database is locked by somebody else")

    async def unwell() -> Health:
        parts = {"store": PartHealth(False, "locked <b>"), "scheduler": PartHealth(True)}
        return Health(
            status="degraded", deployment="shop", uptime=99.0, running_jobs=0, scheduler_restarts=0, parts=parts
        )

    for name in ("schedules_ahead", "jobs", "waiting_jobs", "executions_page", "schedules_page"):
        monkeypatch.setattr(live.server.service, name, busy)
    monkeypatch.setattr(live.server.service, "health", unwell)
    shown = browser.get("/")
    assert shown.status == 200
    assert "Degraded up 1 min 39 s" in shown.words
    assert "The store does not work. locked <b>" in shown.words
    assert shown.words.count("The store does not answer.") == 4
    assert "till Connected" in shown.words
    refused = browser.get("/schedules")
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert "The dashboard shows which part does not work." in refused.words


def test_pages_read_no_results(live: Any, browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They show none, and sixty of 8 MiB would be half a gigabyte for each look at the dashboard."""
    asked: list[str] = []

    class Noting:
        """A connection that notes what it is asked."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def execute(self, query: str, values: Any = ()) -> Any:
            asked.append(query)
            return self._connection.execute(query, values)

    live.run(live.server.service.add_schedule(new("of results", conflict_policy="replace")))
    storage = live.server.service.storage
    read = storage.read
    monkeypatch.setattr(storage, "read", lambda work: read(lambda c: work(Noting(c))))
    for path in ("/", "/executions", "/schedule?id=of%20results"):
        assert browser.get(path).status == 200
    lists = [query for query in asked if "FROM executions" in query]
    assert len(lists) == 4
    assert [query for query in lists if "error, NULL AS result FROM" not in query] == []


def test_a_form_that_is_too_large_is_refused(live: Any, browser: Any) -> None:
    """413, with a page that says so."""
    form = browser.get("/schedules/new").page.form("/schedules/new")
    answer = browser.post("/schedules/new", form | {"job_params": "x" * (8 * 1024 * 1024)})
    assert (answer.status, "the form is too large" in answer.words) == (413, True)
