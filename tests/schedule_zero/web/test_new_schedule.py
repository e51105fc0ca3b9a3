"""The form for a new schedule: what it takes, and where it says that something is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from schedule_zero.requests import NewSchedule

PAGE = "/schedules/new"
GOOD = {"handler_id": "till", "job_method": "echo", "job_params": '{"text": "hi"}'}


def add(browser: Any, **entered: str) -> Any:
    """Fill in the form and send it."""
    return browser.send(PAGE, PAGE, **{**GOOD, **entered})


@pytest.mark.parametrize(
    ("entered", "trigger"),
    [
        ({"interval__minutes": "", "interval__seconds": "90"}, "Interval(seconds=90, start_time="),
        (
            {"interval__minutes": "1.5", "interval__start_time": "2030-01-01T10:00", "timezone": "Asia/Tokyo"},
            "Interval(minutes=1.5, start_time='2030-01-01 01:00:00+00:00')",
        ),
        ({"type": "cron", "cron__crontab": "30 3 * * *"}, "hour='3', minute='30'"),
        ({"type": "cron", "cron__hour": "4", "timezone": "Europe/Berlin"}, "timezone='Europe/Berlin'"),
        ({"type": "calendar", "calendar__months": "2", "calendar__time": "04:30"}, "Calendar(months=2, time='04:30"),
        ({"type": "date", "date__run_date": "2031-01-31T18:00"}, "DateTrigger('2031-01-31 18:00:00+00:00')"),
    ],
)
def test_every_type_of_trigger_can_be_added(live: Any, browser: Any, entered: dict[str, str], trigger: str) -> None:
    """The schedule is there with that trigger; times are in the zone that was entered."""
    answer = add(browser, **entered)
    assert answer.status == 303, answer.words
    schedule_id = answer.headers["location"].partition("id=")[2].partition("&")[0]
    added = live.run(live.server.service.schedule(schedule_id))
    assert trigger in added.trigger
    assert (added.job_method, added.job_params) == ("echo", {"text": "hi"})


def test_what_else_can_be_said_arrives(live: Any, browser: Any) -> None:
    """Id, lateness, limits, jitter and paused are those of the form; a fire time in the past is no mistake."""
    answer = add(
        browser,
        job_id="all of it",
        misfire_grace_time="12.5",
        coalesce="all",
        max_running_jobs="2",
        max_jitter="3",
        timeout="4",
        deadline="60",
        attempts="5",
        at_most_once="yes",
        paused="yes",
    )
    assert answer.headers["location"] == "/schedule?id=all%20of%20it&done=added&done_id=all%20of%20it"
    added = live.run(live.server.service.schedule("all of it"))
    assert (added.misfire_grace_time, added.coalesce, added.max_running_jobs) == (12.5, "all", 2)
    assert (added.max_jitter, added.paused) == (3.0, True)


@pytest.mark.parametrize(
    ("entered", "field", "says"),
    [
        ({"handler_id": ""}, "handler_id", "This is needed."),
        ({"handler_id": "<b>nobody"}, "handler_id", "No handler has registered under this id."),
        ({"job_method": "nonsense"}, "job_method", "has no method &#x27;nonsense&#x27;; it has: echo, fail"),
        ({"job_params": "{'a': 1}"}, "job_params", "in line 1, column 2."),
        ({"job_params": "[1]"}, "job_params", "Expected a JSON object"),
        ({"job_params": '{"a": "\\ud800"}'}, "job_params", "a text has half of a surrogate pair"),
        ({"job_params": '{"a": NaN}'}, "job_params", "malformed: invalid character (byte 6)."),
        ({"job_params": "[" * 50_000}, "job_params", "This is nested too deeply."),
        ({"job_id": "a" * 201}, "job_id", "length &lt;= 200"),
        ({"interval__minutes": "often"}, "interval.minutes", "Expected a number, found &#x27;often&#x27;."),
        ({"interval__minutes": "-1"}, "interval.minutes", "&gt;= 0"),
        ({"interval__minutes": "1e999"}, "interval.minutes", "Expected a number"),
        ({"type": "cron"}, "cron.crontab", "Enter when"),
        ({"type": "cron", "cron__crontab": "1 2"}, "cron.crontab", "expected five words"),
        ({"type": "cron", "cron__hour": "25"}, "cron.hour", "&lt;= 23"),
        ({"type": "calendar", "calendar__days": "1", "calendar__time": "noon"}, "calendar.time", "such as 04:30"),
        ({"type": "calendar", "calendar__days": "1", "calendar__time": "25:00"}, "calendar.time", "&lt;= 23"),
        ({"type": "date"}, "date.run_date", "This is needed."),
        ({"type": "date", "date__run_date": "tomorrow"}, "date.run_date", "Expected a date and time"),
        ({"timezone": "Mars/Base"}, "timezone", "There is no time zone &#x27;Mars/Base&#x27;"),
        ({"timezone": "../../etc/passwd"}, "timezone", "There is no time zone"),
        ({"attempts": "0"}, "attempts", "&gt;= 1"),
        ({"max_running_jobs": "1.5"}, "max_running_jobs", "xpected int"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(browser: Any, entered: dict[str, str], field: str, says: str) -> None:
    """422, the message belongs to the field and is listed at the top, and what was entered is still there."""
    answer = add(browser, **{"job_id": "kept", **entered})
    element = "f-" + field.replace(".", "-")
    assert answer.status == 422
    error = answer.text.partition(f'id="{element}-error">')[2].partition("</p>")[0]
    assert says.lower() in error.lower()
    [wrong] = [e for tag, e in answer.page.elements if e.get("aria-invalid") == "true"]
    assert (wrong["id"], f"{element}-error" in wrong["aria-describedby"]) == (element, True)
    assert f'href="#{element}"' in answer.text
    fields = answer.page.form(PAGE)
    kept = {name.replace("__", "."): value for name, value in {"job_id": "kept", **entered}.items()}
    for name in (
        "job_id",
        "timezone",
        "interval.minutes",
        "cron.crontab",
        "cron.hour",
        "calendar.time",
        "type",
        "attempts",
    ):
        if name in kept:
            assert fields[name] == kept[name]


def test_all_that_is_wrong_is_told_at_once(browser: Any) -> None:
    """Each field has its own message, and the list at the top names each."""
    wrong = {"handler_id": "", "job_params": "{", "timeout": "long", "type": "cron", "cron__hour": "99"}
    answer = add(browser, **wrong)
    ids = [e["id"] for _, e in answer.page.elements if e.get("aria-invalid") == "true"]
    assert ids == ["f-handler_id", "f-job_params", "f-cron-hour", "f-timeout"]
    assert "Handler : This is needed." in answer.words
    assert "Time-out : Expected a number" in answer.words


@pytest.mark.parametrize(
    ("entered", "says"),
    [
        ({"interval__minutes": ""}, "one of the amounts must be more than zero"),
        ({"interval__minutes": "", "interval__seconds": "0.001"}, "n interval of less than 0.01 s"),
        ({"type": "cron", "cron__month": "2", "cron__day": "31"}, "never fire"),
    ],
)
def test_a_trigger_that_makes_no_sense_is_told_where_it_stands(
    browser: Any, entered: dict[str, str], says: str
) -> None:
    """What is wrong with several fields together is said above them."""
    answer = add(browser, **entered)
    assert answer.status == 422
    assert says in answer.text.partition('id="trigger-error">')[2].partition("</p>")[0]


def test_a_taken_id_and_a_form_sent_twice(live: Any, browser: Any) -> None:
    """The same form adds one schedule; the id of another is refused beside the field."""
    form = browser.get(PAGE).page.form(PAGE) | GOOD
    places = [browser.post(PAGE, form).headers["location"] for _ in range(2)]
    assert places[0] == places[1]
    changed = browser.post(PAGE, form | {"interval.minutes": "7"})
    assert (changed.status, "sent before" in changed.words) == (422, True)
    assert browser.post(PAGE, changed.page.form(PAGE) | GOOD).status == 303
    assert add(browser, job_id="taken").status == 303
    assert "There is a schedule with this id already" in add(browser, job_id="taken").words


def test_a_form_that_grew_old_keeps_what_was_entered(live: Any, browser: Any) -> None:
    """403 and nothing is added; the same entries with the new token go through."""
    form = browser.get(PAGE).page.form(PAGE) | GOOD | {"job_id": "grown old"}
    old = browser.post(PAGE, form | {"form_token": "0" * 64})
    assert (old.status, "had grown old" in old.words) == (403, True)
    assert old.page.form(PAGE)["job_id"] == "grown old"
    assert browser.get("/schedule?id=grown%20old").status == 404
    assert browser.post(PAGE, form | {"form_token": old.page.form(PAGE)["form_token"]}).status == 303


def test_fire_times_are_shown_beforehand(live: Any, browser: Any) -> None:
    """The first five, nothing is added, and what is wrong is told in their place."""
    count = len(live.run(live.server.service.schedules()))
    entered = {
        "type": "calendar",
        "calendar__months": "1",
        "calendar__start_date": "2031-01-31",
        "calendar__time": "10:00",
    }
    shown = add(browser, do="preview", timezone="Europe/Berlin", **entered)
    preview = shown.text.partition('id="preview"')[2].partition("</fieldset>")[0]
    assert [line.partition('"')[0] for line in preview.split('datetime="')[1:]] == [
        "2031-01-31T09:00:00.000Z",
        "2031-03-31T08:00:00.000Z",
        "2031-05-31T08:00:00.000Z",
        "2031-07-31T08:00:00.000Z",
        "2031-08-31T08:00:00.000Z",
    ]
    once = add(browser, do="preview", type="date", date__run_date="2031-01-31T18:00:00")
    assert once.text.count('datetime="2031-01-31T18:00:00.000Z"') == 1
    wrong = add(browser, do="preview", type="cron", cron__crontab="61 * * * *")
    assert wrong.status == 200
    assert '<p class="error">' in wrong.text.partition('id="preview"')[2]
    assert len(live.run(live.server.service.schedules())) == count


def test_a_link_begins_the_form(live: Any, browser: Any) -> None:
    """A method of a handler's page comes with its handler; the only handler is chosen."""
    page = browser.get("/handlers").page
    [link] = [a["href"] for a in page.named("a") if a["href"].endswith("method=fail")]
    begun = browser.get(link).page
    assert begun.form(PAGE)["job_method"] == "fail"
    assert next(option for option in begun.named("option") if "selected" in option)["value"] == "till"


@pytest.mark.parametrize(
    ("trigger", "entered", "then"),
    [
        ({"type": "interval", "hours": 1, "minutes": 30}, {"interval.hours": "1", "interval.minutes": "30"}, "hours=1"),
        (
            {"type": "cron", "crontab": "30 3 * * 1-5", "timezone": "Asia/Tokyo", "end_time": "2033-01-01T00:00:00"},
            {"cron.crontab": "30 3 * * mon-fri", "timezone": "Asia/Tokyo", "cron.end_time": "2033-01-01T09:00:00"},
            "minute='30'",
        ),
        ({"type": "cron", "second": "*/10"}, {"cron.second": "*/10", "cron.minute": "*"}, "second='*/10'"),
        (
            {"type": "calendar", "months": 1, "hour": 4, "start_date": "2031-01-31"},
            {"calendar.months": "1", "calendar.time": "04:00:00", "calendar.start_date": "2031-01-31"},
            "start_date='2031-01-31'",
        ),
        ({"type": "date", "run_date": "2031-01-31T18:00:00"}, {"date.run_date": "2031-01-31T18:00:00"}, "2031-01-31"),
    ],
)
def test_the_trigger_of_a_schedule_can_be_changed(
    live: Any, browser: Any, trigger: dict[str, Any], entered: dict[str, str], then: str
) -> None:
    """The form begins with what there is: sent as it is, the trigger is the same; and another takes its place."""
    request = NewSchedule(
        handler_id="till", job_method="echo", job_id="change", trigger=trigger, conflict_policy="replace"
    )
    live.run(live.server.service.add_schedule(request))
    page = "/schedules/change?id=change"
    begun = browser.get(page).page.form("/schedules/change")
    assert entered.items() <= begun.items()
    assert browser.post("/schedules/change", begun).headers["location"].startswith("/schedule?id=change&done=changed")
    assert then in live.run(live.server.service.schedule("change")).trigger
    other = begun | {"type": "interval", "interval.hours": "", "interval.minutes": "", "interval.seconds": "77"}
    assert browser.post("/schedules/change", other).status == 303
    assert "seconds=77" in live.run(live.server.service.schedule("change")).trigger
    wrong = browser.post("/schedules/change", other | {"interval.seconds": "often"})
    assert (wrong.status, "found 'often'" in wrong.words) == (422, True)
    assert browser.post("/schedules/change", other | {"id": "none"}).status == 404
    assert browser.get("/schedules/change?id=none").status == 404
