"""S1: round trips a second, ZMQClient.call to a MockHandler, against two bare pyzmq processes.

Both sides send the same 200 bytes of JSON over loopback TCP, REQ to one other process, and get as much back.
Both encode and decode it at both ends with msgspec, so that not the JSON library is compared. Both block in
`recv`. Beyond that, ours checks request ids, records every call and keeps a deadline.

Where the kernel puts the processes changes the rate fourfold, and it may put the two sides differently; so the
callers are held on the first core and the servers on the last. On a machine with one core, and with
``taskset -c 0``, all share it: trips then cost four times less, and all of our own work shows.

Run: python benchmarks/round_trips.py
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import zmq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Goal, interleaved, served, show, until_parent_leaves

SIZE = 200
TRIPS = 1500
ROUNDS = 15
BARE, OURS = "bare REQ/REP", "ZMQClient -> MockHandler"


def keep_to(which: int) -> None:
    """Hold this process on the first (0) or last (-1) core it may use, where the system has a call for that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[which]})


def serve_bare() -> None:
    """A REP that echoes until its parent leaves."""
    import threading

    def echo(socket: zmq.Socket[bytes]) -> None:
        encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
        while True:
            request = decode(socket.recv())
            reply = {"success": True, "result": request["params"], "request_id": request["request_id"]}
            socket.send(encode(reply))

    socket = zmq.Context().socket(zmq.REP)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    print(f"tcp://127.0.0.1:{port}", flush=True)
    threading.Thread(target=echo, args=(socket,), daemon=True).start()
    until_parent_leaves()


def serve_mock() -> None:
    """A MockHandler that echoes until its parent leaves."""
    from harness.mocks.mock_handler import MockHandler

    with MockHandler() as handler:
        print(handler.address, flush=True)
        until_parent_leaves()


def bare_rate(socket: zmq.Socket[bytes], message: dict[str, Any]) -> float:
    """Round trips a second over `TRIPS` of them."""
    encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
    begin = time.perf_counter()
    for _ in range(TRIPS):
        socket.send(encode(message))
        decode(socket.recv())
    return TRIPS / (time.perf_counter() - begin)


def main() -> int:
    """Measure, print, and say by the exit code whether the target is met."""
    message: dict[str, Any] = {"method": "work", "params": {}, "request_id": "0123456789abcdef-1000"}
    params = message["params"]
    params["pad"] = ""
    params["pad"] = "x" * (SIZE - len(msgspec.json.encode(message)))
    script = Path(__file__)
    with served(script, "bare") as bare, served(script, "mock") as mock:
        # Only now: children inherit it, and so do the threads of a context.
        keep_to(0)
        return measure(bare, mock, message)


def measure(bare: str, mock: str, message: dict[str, Any]) -> int:
    """Both sides in turn."""
    from schedule_zero.zmq_client import ZMQClient

    params = message["params"]
    with zmq.Context() as context:
        socket = context.socket(zmq.REQ)
        socket.connect(bare)
        with ZMQClient(mock, timeout=5000) as client:

            def ours() -> float:
                begin = time.perf_counter()
                for _ in range(TRIPS):
                    client.call("work", params)
                return TRIPS / (time.perf_counter() - begin)

            bare_rate(socket, message)
            ours()
            sides = interleaved({BARE: lambda: bare_rate(socket, message), OURS: ours}, ROUNDS)
        socket.close(linger=0)
    title = f"S1 round trips, {SIZE} bytes of JSON, {TRIPS} a round"
    return 0 if show(title, "/s", sides, [Goal("S1", OURS, BARE, at_least=0.85)]) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", choices=["bare", "mock"], help=argparse.SUPPRESS)
    chosen = parser.parse_args().serve
    if chosen is None:
        raise SystemExit(main())
    keep_to(-1)
    (serve_bare if chosen == "bare" else serve_mock)()
