"""A lightweight distributed scheduler: APScheduler 4 fires, ZeroMQ carries, handlers run, a governor watches."""

__version__ = "0.1.0"
