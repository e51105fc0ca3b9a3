"""Typed configuration of a named deployment."""

from __future__ import annotations

from schedule_zero.service_config import LogSettings, RetrySettings, ServiceConfig

__all__ = ["LogSettings", "RetrySettings", "ServiceConfig"]
