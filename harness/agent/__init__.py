"""What the harness puts inside a process of the target: a door through which faults are armed, from outside, at named
places.

A process is given the agent by its environment alone (``PYTHONPATH`` holds `harness.agent.site`, whose
``sitecustomize`` starts it), so that the code under test, and whoever starts it, stay as they are. Layers: `protocol`
(one JSON line each way), `server` (the thread inside), `client` (the harness's side), `boot` (what the environment
says), `journal` (what it reports).
"""
