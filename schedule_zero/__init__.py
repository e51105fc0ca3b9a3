"""A lightweight distributed scheduler: APScheduler fires, ZeroMQ carries, handlers run, a governor watches."""

__version__ = "0.1.0"
