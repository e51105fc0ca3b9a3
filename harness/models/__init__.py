"""Reference models: what a scheduler of the outside world owes, worked out with arithmetic of our own.

`triggers` gives the times that a trigger names, `readiness` when a schedule could be looked at, `fires` what must, may
and must never have fired. Nothing here imports a scheduler: a model that shares code with what
it judges proves nothing.
"""
