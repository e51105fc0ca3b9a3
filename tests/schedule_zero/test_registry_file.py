"""The registry's file."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from schedule_zero import registry_file
from schedule_zero.errors import ConfigError
from schedule_zero.handler_registry import RegistryManager
from schedule_zero.registry_file import StoredHandler, load_handlers, require_registry, save_handlers

pytestmark = pytest.mark.unit


def test_round_trip(tmp_path: Path) -> None:
    """What is saved is loaded, in the same order, and no other file is left."""
    path = tmp_path / "deep" / "registry.yaml"
    handlers = [
        StoredHandler(id="b", address="tcp://127.0.0.1:1", methods=["x", "yes"], incarnation="0123", pid=7),
        StoredHandler(id="a", address="tcp://127.0.0.1:2", last_seen="2026-01-01T00:00:00+00:00"),
    ]
    save_handlers(path, handlers)
    assert load_handlers(path) == handlers
    assert [file.name for file in path.parent.iterdir()] == ["registry.yaml"]


def test_no_file_is_no_handlers(tmp_path: Path) -> None:
    """The first start has no file."""
    assert load_handlers(tmp_path / "registry.yaml") == []


HEADER = "# Written by the ScheduleZero server. Handlers register themselves; nothing here needs editing.\n"
LINE = '- {"id":"h","address":"tcp://127.0.0.1:1","methods":[],"incarnation":"","registrations":1}\n'
NONSENSE = [
    b"{[",
    b"\xff\xfe\x00",
    b"just text",
    b"order,price\n17,3.50\n",
    b"http: {port: 8888}\nregistry: dep.yaml\nhandlers: []\n",
    b"SQLite format 3\0" + b"\0" * 100,
    b"version: 2\nhandlers: []",
    b"version: 1\nhandlers:\n  console: {class: logging.StreamHandler}\n",
    b"version: 1\nhandlers: [{id: 5, address: x}]",
    b"version: 1\nhandlers: [{id: h}]",
    b"version: 1\nhandlers: !!python/object/apply:os.system [false]",
    b"version: 1\nhandlers: [{id: '', address: 'tcp://h:1'}]",
    b"version: 1\nhandlers: [{id: h, address: 'http://h:1'}]",
    b"version: 1\nhandlers: [{id: h, address: 'tcp://h:1', pid: -1}]",
    b"version: 1\nhandlers: [{id: h, address: 'tcp://h:1', last_seen: 2026-01-01T00:00:00Z}]",
    b"version: 1\nversion: 1\nhandlers: []",
    b"version: 1\nhandlers: [{id: h, address: 'tcp://h:1', methods: [" + b"m, " * 1001 + b"]}]",
    b"a: " * 1000,
]
DEEP = b"[" * 2_000


@pytest.mark.parametrize("content", [*NONSENSE, pytest.param(DEEP, marks=pytest.mark.slow)])
def test_a_file_of_somebody_else_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    """A mistaken setting may name any file: what the server has not written is an error, and not a byte is moved."""
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    for look in (load_handlers, require_registry):
        with pytest.raises(ConfigError, match=r"orders\.csv: this is no handler registry .* was left as it is"):
            look(path)
    assert [file.name for file in tmp_path.iterdir()] == ["orders.csv"]
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 4096,
        b"# Writ",
        HEADER.encode(),
        HEADER.encode() + b"version: 1\nhand",
        (HEADER + "version: 1\nhandlers:\n" + LINE + LINE[:40]).encode(),
        b"\0" * 64 + LINE.encode(),
        b"\0" * 200 + LINE.encode() * 2,
        *(HEADER.encode() + nonsense for nonsense in NONSENSE),
        pytest.param(HEADER.encode() + DEEP, marks=pytest.mark.slow),
    ],
)
def test_corrupt_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """A file of the server's that was cut short, emptied or garbled does not stop it; it is kept, under another name,
    for inspection.
    """
    path = tmp_path / "registry.yaml"
    path.write_bytes(content)
    require_registry(path)
    assert path.read_bytes() == content
    assert load_handlers(path) == []
    assert not path.exists()
    assert (tmp_path / "registry.yaml.corrupt-1").read_bytes() == content


def test_a_wrong_address_is_told_in_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says where the file is wrong, and what was expected there, without a regular expression."""
    path = tmp_path / "registry.yaml"
    path.write_text(HEADER + "version: 1\nhandlers: [{id: h, address: here}]\n")
    assert load_handlers(path) == []
    assert "(Expected an address such as tcp://192.0.2.7:40123 - at `$.handlers[0].address`)" in caplog.text


def test_no_corrupt_file_takes_the_place_of_another(tmp_path: Path) -> None:
    """Each has the first number that is free, however many there are; a link that leads nowhere is not free."""
    path = tmp_path / "registry.yaml"
    (tmp_path / "registry.yaml.corrupt-2").symlink_to(tmp_path / "nowhere")
    for number in range(30):
        path.write_text(f"{HEADER}{{{number}")
        load_handlers(path)
    kept = [tmp_path / f"registry.yaml.corrupt-{n}" for n in (1, *range(3, 32))]
    assert [file.read_text() for file in kept] == [f"{HEADER}{{{number}" for number in range(30)]


def test_unreadable_file_is_a_configuration_error(tmp_path: Path) -> None:
    """A folder in the file's place is nothing that the server could mend by itself."""
    with pytest.raises(ConfigError, match="cannot read the handler registry"):
        load_handlers(tmp_path)


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "socket"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link is not followed, a pipe not waited for: each is refused and stays, and what it leads to is left alone."""
    path, target = tmp_path / "registry.yaml", tmp_path / "secret.yaml"
    save_handlers(target, [StoredHandler(id="h", address="tcp://127.0.0.1:1")])
    before = target.read_bytes()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        monkeypatch.chdir(tmp_path)  # the path of a socket is short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("registry.yaml")
    else:
        path.symlink_to(target if kind == "link" else tmp_path / "nowhere")
    made_of = path.lstat()
    with pytest.raises(ConfigError, match="it is no regular file but a link, pipe or socket"):
        load_handlers(path)
    assert path.lstat().st_ino == made_of.st_ino
    assert target.read_bytes() == before


def test_a_link_put_in_place_later_is_replaced_not_followed(tmp_path: Path) -> None:
    """Writing never writes through a link."""
    path, target = tmp_path / "registry.yaml", tmp_path / "other"
    target.write_text("precious")
    path.symlink_to(target)
    save_handlers(path, [StoredHandler(id="h", address="tcp://127.0.0.1:1")])
    assert [handler.id for handler in load_handlers(path)] == ["h"]
    assert target.read_text() == "precious"


@pytest.mark.parametrize("padding", [b"#" * registry_file.MAX_BYTES, b"- a\n" * (registry_file.MAX_FOREIGN_BYTES // 4)])
def test_a_huge_file_is_set_aside(tmp_path: Path, padding: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """What would take minutes to read is not read, and the log says how much is too much."""
    path = tmp_path / "registry.yaml"
    path.write_bytes(HEADER.encode() + b"version: 1\nhandlers:\n" + padding)
    began = time.process_time()
    assert load_handlers(path) == []
    assert time.process_time() - began < 1.0
    assert "larger than" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        b"version: 1\nhandlers:\n- &h {id: h, address: 'tcp://h:1'}\n" + b"- *h\n" * 2000,
        b"a: &a {x: 1}\nb: &b {<<: [*a, *a, *a]}\nversion: 1\nhandlers: []",
        b"version: 1\nhandlers: &x [*x]",
    ],
    ids=["repeated", "merged", "recursive"],
)
def test_aliases_are_refused(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A short text that would stand for a huge or endless one is refused before it unfolds."""
    path = tmp_path / "registry.yaml"
    path.write_bytes(HEADER.encode() + content)
    assert load_handlers(path) == []
    assert "aliases (*name) are not read here" in caplog.text


def test_more_handlers_than_are_kept(tmp_path: Path) -> None:
    """Of a file of ours with too many handlers, the first ten thousand are read."""
    path = tmp_path / "registry.yaml"
    save_handlers(path, [StoredHandler(id=f"h{n}", address="tcp://127.0.0.1:1") for n in range(10_001)])
    assert [handler.id for handler in load_handlers(path)][::5000] == ["h0", "h5000"]


TEXT = st.text(max_size=20)
HANDLERS = st.lists(
    st.builds(
        StoredHandler,
        id=st.text(min_size=1, max_size=20),
        address=st.from_regex(r"\Atcp://[a-z0-9.]{1,20}:[0-9]{1,5}\Z"),
        methods=st.lists(TEXT, max_size=4),
        incarnation=TEXT,
        registrations=st.integers(0, 2**40),
        pid=st.none() | st.integers(0, 2**31),
        last_seen=TEXT,
    ),
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(handlers=HANDLERS)
def test_any_handlers_survive_the_file_which_is_yaml(handlers: list[StoredHandler]) -> None:
    """Whatever text a handler gives itself comes back as it was, by our reader and by any reader of YAML."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.yaml"
        save_handlers(path, handlers)
        assert load_handlers(path) == handlers
        document: Any = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
        assert msgspec.convert(document["handlers"], list[StoredHandler]) == handlers


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    handlers=HANDLERS,
    cut=st.integers(0, 400),
    noise=st.binary(max_size=12) | st.sampled_from([b": ", b"- ", b"&a ", b"*a", b"!!", b"{", b"]", b"\t", b"|", b"%"]),
    keep=st.integers(0, 400),
)
def test_a_damaged_file_never_stops_the_server(
    handlers: list[StoredHandler], cut: int, noise: bytes, keep: int
) -> None:
    """Truncated, overwritten or garbled in any place: the registry starts, and with nothing that is not valid.

    Unless its first line is gone, so that it may be somebody else's: then it may be refused, and stays.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.yaml"
        save_handlers(path, handlers)
        content = path.read_bytes()
        damaged = content[:cut] + noise + content[cut + keep :]
        path.write_bytes(damaged)
        if HEADER.encode() not in damaged:
            try:
                load_handlers(path)
            except ConfigError:
                assert path.read_bytes() == damaged
                return
        with RegistryManager(path) as registry:
            for record in registry.list():
                assert record.id
                assert record.address.startswith("tcp://")
                assert record.last_seen is None or record.last_seen.tzinfo is not None
            registry.register("new", "tcp://127.0.0.1:1", ["m"])
            registry.save()
        with RegistryManager(path) as registry:
            assert registry.get("new").methods == ("m",)
