"""The pages in a real browser: live, by keyboard, on a narrow screen, and without a word to anybody else."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.requests import NewSchedule, RunNow

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
_MISSING = [
    name
    for name, found in (
        ("chromium", CHROMIUM),
        ("chromedriver", DRIVER),
        ("selenium", importlib.util.find_spec("selenium")),
    )
    if not found
]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(bool(_MISSING), reason=f"needs {', '.join(_MISSING)}"),
]
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1200,900"
)
#: A form that is refused is a page with this status, which the browser notes on its console.
FORESEEN = f"422 ({HTTPStatus.UNPROCESSABLE_ENTITY.phrase})"
#: Seconds for which something is waited for on a page.
PATIENCE = 10.0


class Screen:
    """A browser window on one server, by what a person would look for."""

    def __init__(self, driver: Any, base: str) -> None:
        self.driver = driver
        self.base = base
        self.asked: list[str] = []

    def open(self, path: str) -> None:
        """Go there."""
        self.driver.get(self.base + path)

    def js(self, code: str, *values: Any) -> Any:
        """The value of some script, run by the test and not by the page."""
        return self.driver.execute_script(code, *values)

    def find(self, selector: str) -> Any:
        """The one element."""
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str = "main") -> str:
        """What stands there; empty where there is no such element."""
        code = "return document.querySelector(arguments[0])?.innerText ?? ''"
        return str(self.js(code, selector))

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition; says what the page was like if it does not come."""
        from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        wait = WebDriverWait(self.driver, PATIENCE, 0.05, ignored_exceptions=[StaleElementReferenceException])
        try:
            wait.until(lambda _: condition())
        except TimeoutException:
            pytest.fail(f"waited {PATIENCE:g} s for {what}; the page: {self.text('body')[:3000]}")

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def tab_to(self, selector: str, most: int = 60) -> None:
        """Press Tab until the focus is there; every stop on the way has to be seen."""
        from selenium.webdriver.common.keys import Keys

        for _ in range(most):
            self.press(Keys.TAB)
            seen = self.js(
                "const e = document.activeElement, around = e.closest('.type') ?? e, box = e.getBoundingClientRect();"
                "return [e.matches(arguments[0]), getComputedStyle(around).outlineStyle !== 'none' && box.width > 1]",
                selector,
            )
            assert seen[1], f"the focus cannot be seen at {self.js('return document.activeElement.outerHTML')[:300]}"
            if seen[0]:
                return
        pytest.fail(f"{most} times Tab do not lead to {selector}")

    def events(self) -> None:
        """Note every request that was sent since."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for all tests, with a profile that nobody has used, in another zone than the server's."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    yield driver
    driver.quit()


@pytest.fixture
def screen(driver: Any, live: Any) -> Iterator[Screen]:
    """The window; afterwards nothing was complained of, and nobody but the server was asked."""
    screen = Screen(driver, f"http://127.0.0.1:{live.browser.port}")
    driver.get_log("performance")
    yield screen
    screen.events()
    assert screen.asked, "no request was seen, so this proves nothing"
    assert [url for url in screen.asked if not url.startswith((screen.base, "about:", "chrome:", "data:"))] == []
    complaints = [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert [text for text in complaints if FORESEEN not in text] == []


def test_a_schedule_is_added_seen_to_fire_paused_resumed_and_removed(screen: Screen, live: Any) -> None:
    """From the empty form to its end; what happens is seen without the page being loaded again."""
    screen.open("/schedules/new")
    assert screen.find("#f-timezone").get_attribute("value") == "Asia/Tokyo"
    screen.find("#f-job_method").send_keys("echo")
    screen.find("#f-job_params").clear()
    screen.find("#f-job_params").send_keys('{"text": "seen"}')
    screen.find("#f-job_id").send_keys("seen")
    screen.find("#f-interval-minutes").clear()
    screen.find("#f-interval-seconds").send_keys("0.5")
    screen.until(lambda: "It would fire at" in screen.text("#preview"), "the fire times of the preview")
    screen.find("button.primary").click()
    screen.until(lambda: "was added" in screen.text(), "the page of the new schedule")
    assert "done=" not in screen.driver.current_url

    screen.js("window.mark = 1")
    rows = "return document.querySelectorAll('.list tbody tr').length"
    screen.until(lambda: screen.text("#live") == "Live" and screen.js(rows) >= 3, "three executions")
    assert "Success" in screen.text(".list")
    assert screen.js("return window.mark") == 1

    screen.find("form[action='/schedules/pause'] button").click()
    screen.until(lambda: "seen is paused" in screen.text(), "word that it is paused")
    assert live.run(live.server.service.schedule("seen")).paused
    screen.find("form[action='/schedules/resume'] button").click()
    screen.until(lambda: "seen is resumed" in screen.text(), "word that it is resumed")
    screen.find("a.danger").click()
    screen.until(lambda: "Remove this schedule?" in screen.text(), "the question")
    screen.find("button.danger").click()
    screen.until(lambda: "seen is removed" in screen.text(), "word that it is removed")
    assert live.browser.get("/schedule?id=seen").status == 404


def test_a_failure_shows_up_by_itself(screen: Screen, live: Any) -> None:
    """On the dashboard, in its list and for those who listen; its markup is text; the job's page has all of it."""
    screen.open("/")
    screen.until(lambda: screen.text("#live") == "Live", "the stream")
    job = live.run(live.server.service.run_now(RunNow(handler_id="till", job_method="fail")))
    screen.until(lambda: "<script>alert('gone wrong')</script>" in screen.text("[aria-labelledby=h-failures]"), "it")
    screen.until(lambda: "A job on till ended with error." in screen.text("#said"), "the announcement")
    screen.find(f"a[href='/job?id={job}']:not([tabindex])").click()
    screen.until(lambda: "Attempts" in screen.text(), "the job's page")
    assert "gone wrong" in screen.text(".failure pre")
    moment = screen.find(".facts time")
    assert moment.get_attribute("title").endswith("Z")
    hour = screen.js("return new Date(arguments[0].dateTime).getUTCHours()", moment)
    shown = screen.js("return arguments[0].textContent", moment)
    assert f"{(hour + 9 - 1) % 12 + 1}:" in shown
    assert "UTC" not in shown


def test_by_keyboard_alone(screen: Screen, live: Any) -> None:
    """Past the navigation, to the form, through it, and with what is wrong to the field that it is about."""
    from selenium.webdriver.common.keys import Keys

    screen.open("/schedules")
    screen.tab_to("a.skip", 1)
    screen.press(Keys.ENTER)
    assert screen.js("return document.activeElement.id") == "main"
    screen.tab_to("a[href='/schedules/new']")
    screen.press(Keys.ENTER)
    screen.until(lambda: "New schedule" in screen.text("h1"), "the form")
    screen.tab_to("#f-job_method")
    screen.press("echo")
    screen.tab_to("#f-job_id")
    screen.press("typed")
    screen.tab_to("#type-interval")
    screen.press(Keys.ARROW_DOWN)
    assert screen.js("return document.activeElement.id") == "type-cron"
    screen.tab_to("#f-cron-crontab")
    screen.press("0 25 * * *", Keys.ENTER)
    screen.until(lambda: screen.js("return document.activeElement.id") == "errors", "the list of what is wrong")
    screen.tab_to("#errors a", 1)
    screen.press(Keys.ENTER)
    assert screen.js("return location.hash") in ("#f-cron-crontab", "#f-cron-hour", "#when")
    assert screen.find("#f-job_id").get_attribute("value") == "typed"
    screen.js("document.getElementById('f-cron-crontab').select()")
    screen.press("0 5 * * *", Keys.ENTER)
    screen.until(lambda: "typed was added" in screen.text(), "the new schedule")
    assert "daily at 05:00, Asia/Tokyo" in screen.text()
    screen.tab_to("form[action='/schedules/pause'] button")
    screen.press(Keys.SPACE)
    screen.until(lambda: "typed is paused" in screen.text(), "word that it is paused")


def test_the_focus_stays_where_it_is_while_a_page_is_kept_fresh(screen: Screen, live: Any) -> None:
    """Rows come and go round the button that has the focus."""
    every = {"type": "interval", "hours": 1}
    add = live.server.service.add_schedule
    live.run(add(NewSchedule(job_id="m", handler_id="till", job_method="echo", trigger=every)))
    screen.open("/schedules")
    screen.until(lambda: screen.text("#live") == "Live", "the stream")
    screen.js("document.querySelector('[aria-label=\"Pause m\"]').focus()")
    for name in ("a", "z"):
        live.run(add(NewSchedule(job_id=name, handler_id="till", job_method="echo", trigger=every)))
    live.run(live.server.service.pause("z"))
    ids = "return [...document.querySelectorAll('tbody tr')].map((row) => row.dataset.key)"
    screen.until(lambda: {"a", "m", "z"} <= set(screen.js(ids)) and "Paused" in screen.text("tbody"), "the new rows")
    assert screen.js(ids) == sorted(screen.js(ids))
    assert screen.js("return document.activeElement.ariaLabel") == "Pause m"
    live.run(live.server.service.remove("a"))
    screen.until(lambda: "a" not in screen.js(ids), "the row to go")
    assert screen.js("return document.activeElement.ariaLabel") == "Pause m"


def test_a_narrow_screen_has_room_for_everything(screen: Screen, live: Any, tmp_path: Path) -> None:
    """No page is wider than 360 pixels, however long a name is."""
    name = "<b>" + "n" * 190
    every = {"type": "interval", "hours": 1}
    request = NewSchedule(job_id=name, handler_id="till", job_method="echo", trigger=every)
    live.run(live.server.service.add_schedule(request))
    size = {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": True}
    screen.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for path in ("/", "/schedules", f"/schedule?id={name}", "/schedules/new", "/handlers", "/executions"):
            screen.open(path)
            wide = screen.js(
                "return [...document.querySelectorAll('main, main *')]"
                ".filter((e) => e.getBoundingClientRect().right > 361 && !e.closest('svg, .aside'))"
                ".map((e) => e.outerHTML.slice(0, 120))"
            )
            assert wide == [], path
            assert screen.js("return document.documentElement.scrollWidth") <= 360, path
    finally:
        screen.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
