"""The OpenAPI document of the scheduler's HTTP API, for the generated reference."""

from schedule_zero.api.openapi import document

__all__ = ["document"]
