"""The simulated machine under a world: descriptors, processes, signals, sockets, files, SQLite.

Layers, each on those before it: `descriptors` (open files under numbers), `pipes`, `streams` (the bytes of sockets),
`readiness` (select and poll), `os_calls` and `sockets` (what programs call), `signals`, `children` and `programs`
(processes), `psutil_shim` (processes seen from outside), `sqlite` and `disk`. `part.MachinePart` puts all of it under
one world.
"""
