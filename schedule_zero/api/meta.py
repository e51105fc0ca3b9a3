"""GET /api/openapi.json and GET /metrics: what the API says of itself."""

from __future__ import annotations

from typing import Any

import msgspec

from schedule_zero.api.base import ApiHandler
from schedule_zero.api.examples import METRICS
from schedule_zero.api.operations import JSON, Returns, Scope, operation

#: The text format of Prometheus, see https://prometheus.io/docs/instrumenting/exposition_formats/.
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class DocumentHandler(ApiHandler):
    """The OpenAPI document."""

    @operation(
        tag="server",
        summary="This document",
        scope=Scope.NONE,
        answers={200: Returns(about="An OpenAPI 3.1 document.", kind=dict[str, Any])},
    )
    async def get(self) -> None:
        """Answer the OpenAPI document of this very server."""
        context = self.context
        if context.document is None:
            context.document = await context.aside.run(_document)
        self.answer_text(context.document, JSON)


def _document() -> bytes:
    # Made when it is first asked for, and not at every start of a server: it takes a while.
    from schedule_zero.api.openapi import document

    return msgspec.json.encode(document())


class MetricsHandler(ApiHandler):
    """What Prometheus collects."""

    @operation(
        tag="server",
        summary="Counts and measurements for Prometheus",
        answers={200: Returns(about="The text format of Prometheus.", media="text/plain", example=METRICS)},
    )
    async def get(self) -> None:
        """Answer what this server has counted and measured since its start."""
        self.answer_text(await self.context.exposition.text(), PROMETHEUS)
