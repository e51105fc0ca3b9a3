"""S1: round trips a second, ZMQClient.call to a MockHandler, against two bare pyzmq processes.

Both sides send the same 200 bytes of JSON over loopback TCP, REQ to one other process, and get as much back.
The bare side sends prepared bytes and looks at nothing; ours encodes, checks request ids, records every call
and keeps a deadline.

Run: python benchmarks/round_trips.py
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import zmq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Goal, interleaved, served, show, until_parent_leaves

SIZE = 200
TRIPS = 1500
ROUNDS = 15
BARE, OURS = "bare REQ/REP", "ZMQClient -> MockHandler"


def serve_bare() -> None:
    """A REP that echoes until its parent leaves."""
    import threading

    def echo(socket: zmq.Socket[bytes]) -> None:
        while True:
            socket.send(socket.recv())

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


def bare_rate(socket: zmq.Socket[bytes], message: bytes) -> float:
    """Round trips a second over `TRIPS` of them."""
    begin = time.perf_counter()
    for _ in range(TRIPS):
        socket.send(message)
        socket.recv()
    return TRIPS / (time.perf_counter() - begin)


def main() -> int:
    """Measure, print, and say by the exit code whether the target is met."""
    from schedule_zero.zmq_client import ZMQClient

    message = json.dumps({"method": "work", "params": {"pad": ""}, "request_id": "0123456789abcdef-1000"})
    params = {"pad": "x" * (SIZE - len(message))}
    bare_message = message.replace('""', f'"{params["pad"]}"').encode()
    script = Path(__file__)
    with served(script, "bare") as bare, served(script, "mock") as mock, zmq.Context() as context:
        socket = context.socket(zmq.REQ)
        socket.connect(bare)
        with ZMQClient(mock, timeout=5000) as client:

            def ours() -> float:
                begin = time.perf_counter()
                for _ in range(TRIPS):
                    client.call("work", params)
                return TRIPS / (time.perf_counter() - begin)

            bare_rate(socket, bare_message)
            ours()
            sides = interleaved({BARE: lambda: bare_rate(socket, bare_message), OURS: ours}, ROUNDS)
        socket.close(linger=0)
    title = f"S1 round trips, {len(bare_message)} bytes of JSON each way, {TRIPS} a round"
    return 0 if show(title, "/s", sides, [Goal("S1", OURS, BARE, at_least=0.85)]) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", choices=["bare", "mock"], help=argparse.SUPPRESS)
    chosen = parser.parse_args().serve
    if chosen is None:
        raise SystemExit(main())
    (serve_bare if chosen == "bare" else serve_mock)()
