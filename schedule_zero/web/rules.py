"""Which path leads to which page."""

from __future__ import annotations

from tornado.routing import Rule
from tornado.web import url

from schedule_zero.web.change_schedule import ChangeSchedulePage
from schedule_zero.web.dashboard import Dashboard
from schedule_zero.web.executions import ExecutionsPage, JobPage
from schedule_zero.web.files import FilePage
from schedule_zero.web.handlers import HandlersPage, RestartPage
from schedule_zero.web.login import LoginPage, LogoutPage
from schedule_zero.web.new_schedule import NewSchedulePage
from schedule_zero.web.page import NoSuchPage, Page
from schedule_zero.web.schedules import PausePage, RemovePage, ResumePage, RunPage, SchedulePage, SchedulesPage

__all__ = ["PAGES", "web_rules"]

#: Ids stand in queries and forms, never in paths: browsers take ``..`` in a path for a step up, however it is written.
PAGES: dict[str, type[Page]] = {
    "/": Dashboard,
    "/schedules": SchedulesPage,
    "/schedules/new": NewSchedulePage,
    "/schedules/change": ChangeSchedulePage,
    "/schedules/pause": PausePage,
    "/schedules/resume": ResumePage,
    "/schedules/run": RunPage,
    "/schedules/remove": RemovePage,
    "/schedule": SchedulePage,
    "/handlers": HandlersPage,
    "/handlers/restart": RestartPage,
    "/executions": ExecutionsPage,
    "/job": JobPage,
    "/login": LoginPage,
    "/logout": LogoutPage,
}


def web_rules() -> list[Rule]:
    """The rules of the pages, to be laid after those of the API; the last one takes whatever else is not the API's."""
    pages: list[Rule] = [url(path, page, {"route": path}) for path, page in PAGES.items()]
    return [
        *pages,
        url(r"/static/([^/]+)/([^/]+)", FilePage, {"route": "/static"}),
        url(r"/(?!api(?:/|$)).*", NoSuchPage),
    ]
