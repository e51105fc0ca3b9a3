"""``schedule-zero jobs`` and ``schedule-zero handlers``: what is running, and who runs it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from schedule_zero.cli_support import api_options, fail, json_option, json_value, limit_option, show
from schedule_zero.exits import ExitCode

if TYPE_CHECKING:
    from schedule_zero.api_client import ApiClient

__all__ = ["handlers", "jobs"]

_JOB = ("job_id", "state", "handler_id", "method", "schedule_id", "accepted_at", "scheduled_for")
_FIRST_LOOK, _SLOWEST_LOOK = 0.05, 1.0  # seconds between two looks at a job, growing from the one to the other


@click.group()
def handlers() -> None:
    """The handlers that a server knows."""


@handlers.command("list")
@json_option
@api_options
def list_handlers(as_json: bool, api: ApiClient) -> None:
    """Show every handler with its address and state.

    Example: schedule-zero handlers list --json
    """
    answer = api.call("GET", "/api/handlers")
    show(answer, as_json, ("id", "status", "address", "pid", "last_seen", "running_jobs"))


@click.group()
def jobs() -> None:
    """Run a handler's method; see what waits and what is running."""


@jobs.command("run")
@click.argument("handler_id")
@click.argument("method")
@click.option("--params", help='Parameters as a JSON object, for example \'{"to": "me"}\'.')
@click.option("--timeout", type=float, help="Seconds for one attempt [default: the deployment's].")
@click.option("--deadline", type=float, help="Seconds for all attempts together [default: none].")
@click.option("--at-most-once", is_flag=True, help="Never try again: better lost than twice.")
@click.option("--key", help="Idempotency key: a request that is repeated with it makes one job.")
@click.option("--wait", is_flag=True, help="Wait until the job has ended, and print it with its result.")
@click.option("--wait-timeout", default=300.0, show_default=True, help="Seconds to wait at most.")
@api_options
def run_job(
    handler_id: str,
    method: str,
    params: str | None,
    timeout: float | None,
    deadline: float | None,
    at_most_once: bool,
    key: str | None,
    wait: bool,
    wait_timeout: float,
    api: ApiClient,
) -> None:
    """Run METHOD of HANDLER_ID now, and print the job.

    With --wait the exit code is 0 for a job that succeeded, 7 for one that did not, and 8 when it has not ended
    in time; such a job goes on.

    Example: schedule-zero jobs run mail-1 send --params '{"to": "me@example.org"}' --wait
    """
    given = json_value(params, "--params")
    body: dict[str, Any] = {"handler_id": handler_id, "job_method": method, "job_params": given}
    chosen = {"timeout": timeout, "deadline": deadline, "at_most_once": at_most_once or None, "idempotency_key": key}
    body |= {name: value for name, value in chosen.items() if value is not None}
    accepted = api.call("POST", "/api/run_now", body)
    if not wait:
        click.echo(json.dumps(accepted))
        return
    job = _ended(api, accepted["job_id"], wait_timeout)
    click.echo(json.dumps(job, indent=2))
    if job["outcome"] != "success":
        fail(f"job {job['job_id']}: {job['outcome']}: {job.get('error') or 'no more is known'}", ExitCode.JOB_FAILED)


def _ended(api: ApiClient, job_id: str, timeout: float) -> dict[str, Any]:
    """The job once it has ended, whatever becomes of its server meanwhile."""
    from schedule_zero.api_client import ServerUnreachable, path_of
    from schedule_zero.errors import RemoteError

    end, pause, seen = time.monotonic() + timeout, _FIRST_LOOK, "was not seen"
    while True:
        try:
            job: dict[str, Any] = api.call("GET", path_of("jobs", job_id))
            if job["state"] == "done":
                return job
            seen = f"is {job['state']}"
        except (ServerUnreachable, RemoteError) as error:
            if isinstance(error, RemoteError) and error.code != "503":
                raise
            seen = str(error)  # an accepted job outlives its server, which may come back
        if time.monotonic() + pause > end:
            fail(f"job {job_id} has not ended within {timeout:g} s: {seen}; it goes on", ExitCode.STILL_WAITING)
        time.sleep(pause)
        pause = min(pause * 1.5, _SLOWEST_LOOK)


@jobs.command("list")
@click.option("--state", type=click.Choice(["pending", "running"]), help="Only those in this state.")
@click.option("--handler", "handler_id", help="Only those of this handler.")
@limit_option(100)
@json_option
@api_options
def list_jobs(state: str | None, handler_id: str | None, limit: int, as_json: bool, api: ApiClient) -> None:
    """Show the jobs that have not ended, in order of arrival; the others are `executions`.

    Example: schedule-zero jobs list --state running
    """
    answer = api.collect("/api/jobs", "jobs", {"state": state, "handler_id": handler_id}, limit)
    show(answer, as_json, _JOB)


@jobs.command("show")
@click.argument("job_id")
@api_options
def show_job(job_id: str, api: ApiClient) -> None:
    """Print the state, outcome and result of a job, as JSON.

    Example: schedule-zero jobs show 1f0c2b7e-6d0c-4b0e-9a53-0a4b7d0c9f11
    """
    from schedule_zero.api_client import path_of

    click.echo(json.dumps(api.call("GET", path_of("jobs", job_id)), indent=2))


@jobs.command("remove")
@click.argument("job_id")
@api_options
def remove_job(job_id: str, api: ApiClient) -> None:
    """Remove a job that waits, also one that cannot be read: it ends as cancelled.

    Example: schedule-zero jobs remove 1f0c2b7e-6d0c-4b0e-9a53-0a4b7d0c9f11
    """
    from schedule_zero.api_client import path_of

    api.call("DELETE", path_of("jobs", job_id))
