"""The HTTP API as the command line uses it: JSON there and back, every failure one sentence."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from schedule_zero.errors import RemoteError, ScheduleZeroError
from schedule_zero.runtime_file import RUNTIME_FILE

__all__ = ["ApiClient", "ServerUnreachable", "chosen_token", "chosen_url", "find_server", "path_of"]

#: How many entries of a list are asked for at once.
_PAGE = 1000


class ServerUnreachable(ScheduleZeroError):
    """No server answers at the URL."""


class ApiClient:
    """Calls the API at ``base_url``; each call may take ``timeout`` seconds. ``token`` is shown where there is one."""

    def __init__(self, base_url: str, timeout: float = 30.0, *, token: str = "") -> None:
        if urllib.parse.urlsplit(base_url).scheme not in ("http", "https"):
            raise ScheduleZeroError(f"server URL: expected http://HOST:PORT, found {base_url!r}")
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self._token = token

    def call(self, method: str, path: str, body: Any = None, query: dict[str, Any] | None = None) -> Any:
        """The decoded answer; None when it has no body.

        Raises RemoteError with the server's own words for an error answer, ServerUnreachable when none comes.
        """
        with self.open(method, path, body, query) as answer:
            try:
                return _decoded(answer.read())
            except (OSError, ValueError, http.client.HTTPException) as error:
                raise self._unreachable(error) from None

    def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        """The answer unread, to be closed by the caller; raises as `call` does."""
        wanted = {key: value for key, value in (query or {}).items() if value is not None}
        url = self.base_url + path + (f"?{urllib.parse.urlencode(wanted)}" if wanted else "")
        data = None if body is None else json.dumps(body).encode()
        usual = {"Accept": "application/json", "Content-Type": "application/json"}
        shown = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        request = urllib.request.Request(url, data, {**usual, **shown, **(headers or {})}, method=method)
        try:
            answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        return answer

    def collect(self, path: str, name: str, query: dict[str, Any], limit: int) -> dict[str, Any]:
        """As many entries of a list as `limit`, of all the pages that they stand on, under `name`.

        ``next_cursor`` is where the server would go on; None at the end. ``unreadable`` is there where the server has
        met entries that it cannot read. Raises as `call` does.
        """
        entries: list[Any] = []
        unreadable: list[Any] = []
        cursor = None
        while True:
            wanted = min(_PAGE, limit - len(entries))
            page = self.call("GET", path, query={**query, "limit": wanted, "cursor": cursor})
            if not (isinstance(page, dict) and isinstance(page.get(name), list)):
                raise RemoteError(f"what answers at {self.base_url} is no server of schedule-zero")
            entries += page[name]
            unreadable += page.get("unreadable", ())
            cursor = page.get("next_cursor")
            if cursor is None or len(entries) >= limit:
                found = {name: entries, "next_cursor": cursor}
                return {**found, "unreadable": unreadable} if unreadable else found

    def _unreachable(self, error: Exception) -> ServerUnreachable:
        return ServerUnreachable(f"no server answers at {self.base_url}: {getattr(error, 'reason', None) or error}")


def find_server(deployment: str | None, config: Path | None, root: Path) -> str:
    """The URL of a deployment's server: as reported while a governor runs it, else as configured."""
    from schedule_zero.deployment import load_deployment

    loaded = load_deployment(deployment, config, root=root)
    try:
        return str(json.loads((loaded.directory / RUNTIME_FILE).read_text("utf-8"))["http_url"])
    except (OSError, ValueError, KeyError):
        from schedule_zero.ports import reachable

        return f"http://{reachable(loaded.service.http_host)}:{loaded.service.http_port}"


def chosen_token(url: str | None, deployment: str | None, config: Path | None, root: Path) -> str:
    """``SCHEDULEZERO_TOKEN``, or what the deployment's own server has left for this user; empty where there is none.

    The latter is shown to no other server: neither to ``url`` nor to ``SCHEDULEZERO_URL``.
    """
    given = os.environ.get("SCHEDULEZERO_TOKEN")
    if given or url or os.environ.get("SCHEDULEZERO_URL"):
        return given or ""
    from schedule_zero.deployment import load_deployment

    loaded = load_deployment(deployment, config, root=root)
    try:
        return str(json.loads((loaded.directory / RUNTIME_FILE).read_text("utf-8"))["token"])
    except (OSError, ValueError, KeyError):
        return ""


def path_of(*parts: str) -> str:
    """A path below ``/api`` with each part quoted."""
    return "/".join(["/api", *(urllib.parse.quote(part, safe="") for part in parts)])


def chosen_url(url: str | None, deployment: str | None, config: Path | None, root: Path) -> str:
    """``url``, or ``SCHEDULEZERO_URL``, or where the deployment's server is."""
    return url or os.environ.get("SCHEDULEZERO_URL") or find_server(deployment, config, root)


def _decoded(body: bytes) -> Any:
    return json.loads(body) if body else None


def _refusal(error: urllib.error.HTTPError) -> RemoteError:
    try:
        problem = json.loads(error.read())
        said = problem.get("detail") or problem.get("title") or ""
        said += "".join(f"; {one['field']}: {one['detail']}" for one in problem.get("errors", ()) if _adds(one, said))
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        said = ""
    return RemoteError(f"{error.code} {error.reason}{f': {said}' if said else ''}", code=str(error.code))


def _adds(wrong: dict[str, str], said: str) -> bool:
    """Whether a field's error says something that the sentence has not said."""
    return bool(wrong["field"]) and not (wrong["field"] in said and wrong["detail"] in said)
