"""Fixtures for the pages: servers in threads, a handler, and a client that reads pages as a browser without script."""

from __future__ import annotations

import html
import http.client
import re
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest

from schedule_zero.security.settings import SecuritySettings
from schedule_zero.server import Server
from schedule_zero.service_config import RetrySettings, ServiceConfig
from schedule_zero.zmq_handler_base import BaseHandler


class Shop(BaseHandler):
    """The handler of the pages' tests."""

    def echo(self, text: str = "") -> str:
        """Return the text."""
        return text

    def fail(self) -> None:
        """Raise what a page must not run."""
        raise ValueError("<script>alert('gone wrong')</script>")


class Html(HTMLParser):
    """What a page consists of: its elements with their attributes, and its forms with their fields."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.forms: list[dict[str, Any]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        if tag == "form":
            self.forms.append({"action": found.get("action", ""), "fields": {}})
        elif tag == "input" and self.forms and found.get("name"):
            chosen = found.get("type") not in ("radio", "checkbox") or "checked" in found
            if chosen:
                self.forms[-1]["fields"][found["name"]] = found.get("value", "")

    def form(self, action: str, **fields: str) -> dict[str, str]:
        """The fields of the first form that goes there and has these values."""
        for form in self.forms:
            if form["action"] == action and fields.items() <= form["fields"].items():
                return dict(form["fields"])
        raise AssertionError(f"no form goes to {action} with {fields}: {self.forms}")

    def named(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


@dataclass
class Answer:
    """An answer with its text, and the page that it is."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def page(self) -> Html:
        """The parsed page."""
        return Html(self.text)

    @property
    def words(self) -> str:
        """What a reader sees."""
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", self.text)).split())


class Browser:
    """Sends what a browser without script would, and keeps its cookie."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookie = ""

    def ask(self, verb: str, path: str, body: str | None = None, **headers: str) -> Answer:
        """One request; underscores in names of headers are hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20.0)
        sent = {"Accept": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.cookie:
            sent["Cookie"] = self.cookie
        if body is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
            sent.setdefault("Origin", f"http://127.0.0.1:{self.port}")
        try:
            connection.request(verb, path, body, sent)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        if "set-cookie" in found:
            self.cookie = found["set-cookie"].partition(";")[0]
        return Answer(response.status, found, text)

    def get(self, path: str, **headers: str) -> Answer:
        """A page."""
        return self.ask("GET", path, **headers)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        """A form that is sent."""
        return self.ask("POST", path, urlencode(fields), **headers)

    def send(self, page: str, action: str, *, having: dict[str, str] | None = None, **entered: str) -> Answer:
        """Open a page, fill in its form, send it; a dot in a field's name is written ``__``."""
        form = self.get(page).page.form(action, **(having or {}))
        return self.post(action, form | {name.replace("__", "."): value for name, value in entered.items()})

    def until(self, path: str, condition: Callable[[Answer], object], timeout: float = 15.0) -> Answer:
        """Open a page again and again until it meets the condition."""
        deadline = time.monotonic() + timeout
        while True:
            answer = self.get(path)
            if condition(answer):
                return answer
            assert time.monotonic() < deadline, f"waited {timeout:g} s for {path}: {answer.words[:2000]}"
            time.sleep(0.02)


@dataclass
class LiveServer:
    """A server on the memory store in a thread of its own, and a browser; `run` gives a coroutine to its loop."""

    server: Server
    browser: Browser
    run: Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
def serve(in_thread: Callable[[ServiceConfig], Any]) -> Callable[..., LiveServer]:
    """Start servers; they are stopped at the end of the module."""

    def start(security: SecuritySettings | None = None) -> LiveServer:
        live = in_thread(
            ServiceConfig(
                deployment="shop", store="memory", stop_timeout=0.2, retry=RetrySettings(base=0.01),
                security=security or SecuritySettings(),
            )
        )  # fmt: skip
        return LiveServer(live.server, Browser(live.server.http_port), live.run)

    return start


@pytest.fixture(scope="module")
def attach() -> Iterator[Callable[[LiveServer, str], Shop]]:
    """Start handlers, and wait until they have registered; they are stopped at the end of the module."""
    started: list[Shop] = []

    def start(live: LiveServer, handler_id: str) -> Shop:
        started.append(Shop(handler_id, server_address=live.server.service.registration_address))
        started[-1].start()
        deadline = time.monotonic() + 15.0
        while not any(h.id == handler_id and h.status.value == "Connected" for h in live.server.service.handlers()):
            assert time.monotonic() < deadline, f"the handler {handler_id!r} did not register within 15 s"
            time.sleep(0.01)
        return started[-1]

    yield start
    for handler in started:
        handler.stop(1.0)


@pytest.fixture(scope="module")
def live(serve: Callable[..., LiveServer], attach: Callable[[LiveServer, str], Shop]) -> LiveServer:
    """A server that asks for no tokens, with the handler ``till``."""
    server = serve()
    attach(server, "till")
    return server


@pytest.fixture
def browser(live: LiveServer) -> Browser:
    """A browser without script and without cookies."""
    return Browser(live.browser.port)
