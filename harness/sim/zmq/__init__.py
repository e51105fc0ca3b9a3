"""libzmq in Python, beneath pyzmq.

pyzmq is two layers: a small compiled one that calls libzmq, and plain Python above it (`zmq.Socket`, `zmq.Poller`,
`zmq.asyncio`, monitors, devices). Only the lower layer is replaced here, by putting a class between `zmq.Socket` and
its compiled base; everything above stays pyzmq's own code, subclasses made by users included.

Map, from the user downwards:

- `part`: installs all this into a world; `census` tells which sockets a process has open.
- `backend`, `frames`, `polling`: pyzmq's compiled layer, in Python.
- `context`, `core`, `options`, `monitor`, `misuse`: what every socket has (libzmq's ``socket_base_t``).
- `pair`, `dealer`, `router`, `req`, `rep`, `push_pull`, `publisher`, `subscriber`: the patterns, on `fair_queue`,
  `balancer`, `distributor` (``fq_t``, ``lb_t``, ``dist_t``), each a port of libzmq 4.3.5's own algorithm.
- `pipe`, `channel`: queues with high-water marks (``pipe_t``).
- `endpoint`, `listener`, `session`, `connecter`, `connection`, `wire`: addresses and connections over the fabric.
"""
