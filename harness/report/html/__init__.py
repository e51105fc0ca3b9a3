"""The self-contained HTML report: one file, nothing fetched, readable with scripts off."""

from harness.report.html.page import render

__all__ = ["render"]
