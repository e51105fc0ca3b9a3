"""The HTTP API as the command line uses it: JSON there and back, every failure one sentence."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from schedule_zero.errors import RemoteError, ScheduleZeroError

__all__ = ["ApiClient", "ServerUnreachable", "find_server"]


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
        wanted = {key: value for key, value in (query or {}).items() if value is not None}
        url = self.base_url + path + (f"?{urllib.parse.urlencode(wanted)}" if wanted else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return _decoded(answer.read())
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ServerUnreachable(f"no server answers at {self.base_url}: {reason}") from None


def find_server(deployment: str | None, config: Path | None, root: Path) -> str:
    """The URL of a deployment's server: as reported while a governor runs it, else as configured."""
    from schedule_zero.deployment import load_deployment

    loaded = load_deployment(deployment, config, root=root)
    try:
        return str(json.loads((loaded.directory / "server.json").read_text("utf-8"))["http_url"])
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
        return str(json.loads((loaded.directory / "server.json").read_text("utf-8"))["token"])
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
    except (OSError, ValueError, AttributeError):
        said = ""
    return RemoteError(f"{error.code} {error.reason}{f': {said}' if said else ''}", code=str(error.code))
