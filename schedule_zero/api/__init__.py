"""The HTTP API: thin over `SchedulerService`, JSON in and out, errors as problem details."""
