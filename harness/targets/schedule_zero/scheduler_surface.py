"""The scheduler's command line, exit codes, metrics: for the generated reference."""

from __future__ import annotations

import argparse
import asyncio
from typing import NamedTuple

import click

from schedule_zero import handler, server
from schedule_zero.api.context import ApiContext
from schedule_zero.cli import main
from schedule_zero.exits import ExitCode
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import ServiceConfig

__all__ = ["ExitCode", "MetricAbout", "command", "metrics", "parsers"]


class MetricAbout(NamedTuple):
    """One metric as /metrics has it: its name, kind, labels and meaning."""

    name: str
    kind: str
    labels: tuple[str, ...]
    about: str


def command() -> click.Group:
    """The ``schedule-zero`` command."""
    return main


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The commands that have a parser of their own, which ``schedule-zero`` passes its arguments on to."""
    return {"server": server.make_parser(), "handler": handler.make_parser()}


def metrics() -> list[MetricAbout]:
    """What a server tells at /metrics, in that order."""

    async def told() -> list[MetricAbout]:
        async with SchedulerService(ServiceConfig(store="memory")) as service:
            context = ApiContext(service)
            try:
                families = await context.exposition.families()
            finally:
                context.close()
        return [MetricAbout(_name(one.name, one.type), one.type, _labels(one), one.documentation) for one in families]

    return asyncio.run(told())


def _name(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" else name


def _labels(family: object) -> tuple[str, ...]:
    # Kept by prometheus_client for what is added later; there is no other way to ask.
    return tuple(getattr(family, "_labelnames", ()))
