"""The test-and-simulation framework that ZeroMQ + APScheduler systems deserve."""

__version__ = "0.1.0"
