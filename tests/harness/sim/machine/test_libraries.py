"""Libraries over sockets, pipes and processes run unmodified: one body in both worlds."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import json
import selectors
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import anyio
import pytest
import tornado.httpclient
import tornado.httpserver
import tornado.netutil
import tornado.web

pytestmark = pytest.mark.sim

SERVER = """
import asyncio, json, os, tornado.httpserver, tornado.netutil, tornado.web

class Handler(tornado.web.RequestHandler):
    async def post(self):
        await asyncio.sleep(0.02)
        self.write({"pid": os.getpid(), "got": json.loads(self.request.body)})

async def main():
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    tornado.httpserver.HTTPServer(tornado.web.Application([("/", Handler)])).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_tornado_between_processes(world: object) -> None:
    """A Tornado server in one process is asked by Tornado's client, by http.client in a thread, and by urllib."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        url = f"http://localhost:{port}/"

        def by_hand(number: int) -> dict[str, Any]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("POST", "/", json.dumps(number))
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            connection.close()
            return answer

        async def ask() -> list[Any]:
            client = tornado.httpclient.AsyncHTTPClient(force_instance=True)
            asked = [client.fetch(url, method="POST", body=json.dumps(number)) for number in range(20)]
            threads = [asyncio.to_thread(by_hand, number) for number in range(20, 25)]
            answers: list[Any] = [*await asyncio.gather(*asked, *threads)]
            client.close()
            return [one if isinstance(one, dict) else json.loads(one.body) for one in answers]

        answers = asyncio.run(ask())
        request = urllib.request.Request(url, data=b"25", method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            answers.append(json.loads(answer.read()))
        assert answers == [{"pid": child.pid, "got": number} for number in range(26)]
        child.kill()
    assert child.returncode == -9
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_asyncio_streams(world: object, tmp_path: Path) -> None:
    """start_server and open_connection, over TCP and over a UNIX socket."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[bytes]:
        writer.writelines([b"one\n", b"two\n"])
        writer.write_eof()
        answers = [line async for line in reader]
        writer.close()
        await writer.wait_closed()
        return answers

    async def main() -> None:
        path = str(tmp_path / "s")
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            address = server.sockets[0].getsockname()
            assert await ask(*await asyncio.open_connection(*address)) == [b"ONE\n", b"TWO\n"]
        async with await asyncio.start_unix_server(serve, path):
            assert await ask(*await asyncio.open_unix_connection(path)) == [b"ONE\n", b"TWO\n"]

    asyncio.run(main())


def test_asyncio_subprocesses(world: object) -> None:
    """Output, exit code, termination and time-outs of asyncio's own processes."""

    async def main() -> None:
        code = "import sys; print(sys.stdin.read().upper(), end=''); sys.exit(3)"
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert (await child.communicate(b"text"))[0] == b"TEXT"
        assert child.returncode == 3
        sleeper = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sleeper.wait(), 0.05)
        sleeper.terminate()
        assert await sleeper.wait() == -signal.SIGTERM

    asyncio.run(main())


def test_anyio(world: object, tmp_path: Path) -> None:
    """Streams and processes of anyio."""

    async def serve(stream: Any) -> None:
        async with stream:
            await stream.send(b"got " + await stream.receive())

    async def main() -> None:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, serve)
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(b"x")
                assert await stream.receive() == b"got x"
            group.cancel_scope.cancel()
        await listener.aclose()
        done = await anyio.run_process([sys.executable, "-c", "print('done')"])
        assert done.stdout == b"done\n"

    anyio.run(main)


def test_socketserver(world: object) -> None:
    """A threading server of the standard library; its selector, its shutdown."""

    class Echo(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.readline())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        for text in (b"a\n", b"b\n"):
            with socket.create_connection(server.server_address, timeout=10) as client:  # type: ignore[arg-type]
                client.sendall(text)
                with client.makefile("rb") as lines:
                    assert lines.readline() == text
        server.shutdown()
        thread.join()


def test_http_server(world: object, tmp_path: Path) -> None:
    """The standard library's HTTP server."""
    (tmp_path / "file.txt").write_text("content")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/file.txt", timeout=10) as answer:
            assert answer.read() == b"content"
        server.shutdown()
        thread.join()


def test_a_selector_over_sockets(world: object) -> None:
    """A loop over `selectors.DefaultSelector`, as many a server has it."""
    one, other = socket.socketpair()
    with one, other, selectors.DefaultSelector() as selector:
        one.setblocking(False)
        selector.register(one, selectors.EVENT_READ)
        timer = threading.Timer(0.05, lambda: other.sendall(b"x"))
        timer.start()
        [(key, _)] = selector.select(10)
        assert key.fileobj is one
        assert one.recv(1) == b"x"
        timer.join()
