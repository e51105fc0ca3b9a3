"""Bodies as they are sent, for the document: a test holds each against its schema."""

from __future__ import annotations

from typing import Any

_JOB_ID = "1f0c2b7e-6d0c-4b0e-9a53-0a4b7d0c9f11"
_TIMES = {
    "scheduled_for": "2026-11-22T08:00:00Z",
    "accepted_at": "2026-11-22T08:00:00.001Z",
    "started_at": "2026-11-22T08:00:00.004Z",
}

RUN_NOW: dict[str, Any] = {"handler_id": "till", "job_method": "close", "job_params": {"day": "2026-11-22"}}
ACCEPTED_JOB: dict[str, Any] = {"job_id": _JOB_ID}
NEW_SCHEDULE: dict[str, Any] = {
    "handler_id": "till",
    "job_method": "close",
    "job_id": "close-of-day",
    "trigger": {"type": "cron", "hour": 22, "timezone": "Europe/Berlin"},
    "misfire_grace_time": 3600,
    "coalesce": "latest",
}
ACCEPTED_SCHEDULE: dict[str, Any] = {"schedule_id": "close-of-day"}
SCHEDULE: dict[str, Any] = {
    "id": "close-of-day",
    "handler_id": "till",
    "job_method": "close",
    "job_params": {},
    "trigger": "CronTrigger(hour='22', timezone='Europe/Berlin')",
    "paused": False,
    "next_fire_time": "2026-11-22T21:00:00Z",
    "last_fire_time": None,
    "misfire_grace_time": 3600.0,
    "coalesce": "latest",
    "max_jitter": None,
    "max_running_jobs": None,
}
CHANGE: dict[str, Any] = {"paused": True}
EXECUTION: dict[str, Any] = {
    "job_id": _JOB_ID,
    "handler_id": "till",
    "method": "close",
    "schedule_id": "close-of-day",
    **_TIMES,
    "ended_at": "2026-11-22T08:00:00.016Z",
    "attempts": [{"number": 1, "started_at": "2026-11-22T08:00:00.004Z", "duration": 0.011}],
    "outcome": "success",
    "error": None,
    "result": 42,
}
FAILURE: dict[str, Any] = {
    **EXECUTION,
    "outcome": "error",
    "error": "call_failed: ValueError: till is open",
    "result": None,
}
JOB: dict[str, Any] = {**EXECUTION, "state": "done"}
WAITING_JOB: dict[str, Any] = {
    "job_id": _JOB_ID,
    "state": "pending",
    "handler_id": "till",
    "method": "close",
    "accepted_at": "2026-11-22T08:00:00.001Z",
}
UNREADABLE: dict[str, Any] = {"id": "nightly", "error": "DecodeError: JSON is malformed: invalid character (byte 0)"}
STATS: dict[str, Any] = {
    "total": 3,
    "by_outcome": {"success": 2, "error": 1},
    "by_handler": {"till": {"success": 2, "error": 1}},
}
HANDLER: dict[str, Any] = {
    "id": "till",
    "address": "tcp://127.0.0.1:40123",
    "methods": ["close", "open"],
    "status": "Connected",
    "last_seen": "2026-11-22T08:00:00Z",
    "registrations": 1,
    "running_jobs": 0,
    "pid": 4711,
}
HEALTH: dict[str, Any] = {
    "status": "ok",
    "deployment": "shop",
    "uptime": 3600.5,
    "running_jobs": 0,
    "scheduler_restarts": 0,
    "parts": {
        "store": {"ok": True, "detail": ""},
        "scheduler": {"ok": True, "detail": ""},
        "registration": {"ok": True, "detail": "tcp://127.0.0.1:4242"},
    },
}
CONFIG: dict[str, Any] = {
    "deployment": "shop",
    "version": "0.1.0",
    "http": {"host": "127.0.0.1", "port": 8888},
    "zmq": {"host": "127.0.0.1", "port": 4242},
    "store": "sqlite",
    "lease": 30.0,
    "max_jobs": 100,
    "per_handler_jobs": 16,
    "misfire_grace": None,
    "call_timeout": 30.0,
    "stop_timeout": 10.0,
    "heartbeat": 2.0,
    "heartbeat_timeout": 6.0,
    "retry": {"attempts": 3, "base": 1.0, "factor": 2.0, "jitter": 0.5, "retry_errors": False},
    "executions_max_age": 2592000.0,
    "executions_max_count": 1000000,
}
GOVERNOR: dict[str, Any] = {
    "running": True,
    "pid": 4700,
    "services": [
        {
            "name": "till",
            "status": "running",
            "pid": 4711,
            "ready": True,
            "uptime": 3600.1,
            "restart_count": 0,
            "last_error": None,
            "exit_code": None,
            "address": "tcp://127.0.0.1:40123",
        }
    ],
}
EVENTS = """\
retry: 1000

id: 5f2b8c0d9e1a-0
event: hello
data: {"deployment": "shop", "run": "5f2b8c0d9e1a"}

id: 5f2b8c0d9e1a-1
event: job.added
data: {"kind": "job.added", "at": "2026-11-22T08:00:00.001Z", "job_id": "1f0c2b7e-6d0c-4b0e-9a53-0a4b7d0c9f11"}

event: lost
data: {"lost": 12}

: still here
"""
METRICS = """\
# HELP schedule_zero_jobs_finished_total Jobs that ended, by handler and outcome.
# TYPE schedule_zero_jobs_finished_total counter
schedule_zero_jobs_finished_total{handler="till",outcome="success"} 2.0
"""
