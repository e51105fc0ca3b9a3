"""A lightweight distributed scheduler: APScheduler 4 fires, ZeroMQ carries, handlers run, a governor keeps all of it alive."""

__version__ = "0.1.0"
