"""``zmq.state`` reaches EFSM by genuine calls, on sockets here and in processes with an agent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from harness.agent.client import AgentClient
from harness.errors import FaultError
from harness.faults.base import Alone
from harness.faults.efsm import explain_efsm
from harness.faults.zmq_state import UNBOUNDED, How, StateArgs, ZmqState
from harness.scenario.model import When
from harness.targets.base import Place, PlaceKind


@pytest.fixture
def pair() -> Iterator[Any]:
    """A REQ connected to a REP over loopback."""
    context = zmq.Context()
    rep, req = context.socket(zmq.REP), context.socket(zmq.REQ)
    for socket in (rep, req):
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, 5000)
    port = rep.bind_to_random_port("tcp://127.0.0.1")
    req.connect(f"tcp://127.0.0.1:{port}")
    req.poll(5000, zmq.POLLOUT)
    yield req, rep
    context.destroy(linger=0)


def place(socket: Any) -> Any:
    """A live socket as a place."""
    return Place(PlaceKind.SOCKET, "scheduler.req", handle=socket)


@pytest.mark.parametrize("how", ["double-send", "abandon-reply"])
def test_the_next_send_of_the_code_under_test_is_refused(pair: Any, how: str) -> None:
    """After the fault libzmq itself answers EFSM, without anybody raising it by hand."""
    req, _ = pair
    ZmqState(place(req), StateArgs(how=How(how))).inject()
    with pytest.raises(zmq.ZMQError) as refused:
        req.send(b"mine", zmq.NOBLOCK)
    assert refused.value.errno == zmq.EFSM


@pytest.mark.parametrize("how", ["double-send", "abandon-reply"])
def test_healing_reads_the_answer_that_was_left(pair: Any, how: str) -> None:
    """With an answer at hand the socket is healed and usable for the code under test again."""
    req, rep = pair
    fault = ZmqState(place(req), StateArgs(how=How(how)))
    fault.inject()
    rep.recv()
    rep.send(b"pong")
    fault.heal()
    req.send(b"mine")
    assert rep.recv() == b"mine"


def test_healing_says_what_helps_when_no_answer_comes(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A REQ whose answer never comes cannot be healed from outside; the error explains the rule and the way
    out.
    """
    monkeypatch.setattr("harness.faults.zmq_roads.ANSWER_WITHIN", 0.05)
    fault = ZmqState(place(pair[0]), StateArgs(how=How.ABANDON_REPLY))
    fault.inject()
    with pytest.raises(
        FaultError, match=r"no answer came within 0.05 s.*EFSM.*must send, then receive.*opening a new one"
    ):
        fault.heal()


def test_a_socket_that_was_replaced_counts_as_healed(pair: Any) -> None:
    """When the code under test closed the poisoned socket there is nothing left to undo."""
    fault = ZmqState(place(pair[0]), StateArgs(how=How.ABANDON_REPLY))
    fault.inject()
    pair[0].close(linger=0)
    assert fault.heal() == {"gone": True}


def test_receiving_first_is_refused_and_leaves_no_trace(pair: Any) -> None:
    """REQ refuses a receive before any send, and sends afterwards as ever."""
    req, rep = pair
    with ZmqState(place(req), StateArgs(how=How.RECV_FIRST)):
        pass
    req.send(b"mine")
    assert rep.recv() == b"mine"


def test_rep_refuses_to_send_first(pair: Any) -> None:
    """The REP side has its own road; the socket answers its next request as ever."""
    req, rep = pair
    detail = ZmqState(place(rep), StateArgs(how=How.SEND_FIRST)).inject()
    assert detail["error"].startswith("EFSM")
    assert "must receive, then send" in detail["error"]
    req.send(b"ask")
    assert rep.recv() == b"ask"


def test_a_road_for_the_other_side_is_refused(pair: Any) -> None:
    """The error names the socket's type and the one the road is for."""
    with pytest.raises(FaultError, match=r"scheduler\.req is a REP; double-send is a road of REQ only"):
        ZmqState(place(pair[1]), StateArgs(how=How.DOUBLE_SEND)).inject()


def test_a_relaxed_socket_cannot_reach_efsm(pair: Any) -> None:
    """REQ_RELAXED accepts a second send: the fault admits that it did not get there."""
    context = zmq.Context()
    req = context.socket(zmq.REQ)
    req.setsockopt(zmq.REQ_RELAXED, 1)
    req.connect(pair[1].getsockopt_string(zmq.LAST_ENDPOINT))
    req.poll(5000, zmq.POLLOUT)
    try:
        with pytest.raises(FaultError, match="REQ_RELAXED"):
            ZmqState(place(req), StateArgs(how=How.ABANDON_REPLY)).inject()
    finally:
        context.destroy(linger=0)


def test_without_a_peer_nothing_can_be_sent() -> None:
    """A socket that is connected to nobody is an error at once, not a wait."""
    context = zmq.Context()
    try:
        with pytest.raises(FaultError, match="connected to nobody"):
            ZmqState(place(context.socket(zmq.REQ)), StateArgs(how=How.DOUBLE_SEND)).inject()
    finally:
        context.destroy(linger=0)


def test_a_socket_is_never_touched_from_another_thread(pair: Any) -> None:
    """Sockets belong to one thread; the fault refuses to break that rule of libzmq."""
    fault = ZmqState(place(pair[0]), StateArgs(how=How.DOUBLE_SEND))
    caught = []

    def elsewhere() -> None:
        try:
            fault.inject()
        except FaultError as error:
            caught.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(caught) == 1
    assert "belongs to one thread" in caught[0]


def test_the_explanation_names_the_rule() -> None:
    """Who meets EFSM is told what the socket wants (pyzmq#1741)."""
    assert "A REQ socket must send, then receive, in strict turns" in explain_efsm(zmq.REQ)


def armed(agent: Any, **options: Any) -> Any:
    """A fault at a socket inside the process of `agent`."""
    return ZmqState(
        Place(PlaceKind.SOCKET, "scheduler.req", control=agent.address),
        StateArgs(how=How.ABANDON_REPLY),
        fault_id="efsm",
        **options,
    )


def test_an_agent_is_armed_with_the_trigger_and_disarmed(agent: Any) -> None:
    """The process counts by itself: what the trigger says reaches the agent, and the heal takes it back."""
    fault = armed(agent, trigger=When(event="job.sent", nth=25), seed=7)
    fault.inject()
    order = {
        "id": "efsm@scheduler.req",
        "kind": "zmq.state",
        "how": "abandon-reply",
        "socket": "req",
        "seed": 7,
        "event": "job.sent",
        "nth": 25,
        "times": 1,
    }
    assert agent.armed == {"efsm@scheduler.req": order}
    assert fault.heal() == {"struck": 3}
    assert agent.armed == {}


def test_odds_strike_without_bound_and_no_trigger_strikes_next(agent: Any) -> None:
    """Odds are drawn in the process each time; without ``when`` the very next use of the socket is struck."""
    armed(agent, trigger=When(event="job.sent", odds=0.1)).inject()
    assert (agent.last["odds"], agent.last["times"]) == (0.1, UNBOUNDED)
    armed(agent).inject()
    assert (agent.last["nth"], agent.last["times"], "event" in agent.last) == (1, 1, False)


def test_an_agent_that_refuses_is_a_failed_fault(agent: Any) -> None:
    """What the agent answers is what the error says."""
    fault = ZmqState(Place(PlaceKind.SOCKET, "scheduler.rep", control=agent.address), StateArgs(how=How.SEND_FIRST))
    with pytest.raises(FaultError, match=r"refused 'arm'.*only req"):
        fault.inject()


def test_a_process_that_is_gone_took_its_fault_with_it(agent: Any, spawn: Any) -> None:
    """Healing at a place whose process ended is no error; at one that lives but does not answer it is."""
    child = spawn()
    fault = ZmqState(
        Place(PlaceKind.SOCKET, "scheduler.req", pid=child.pid, control=agent.address),
        StateArgs(how=How.ABANDON_REPLY),
        surroundings=Alone(),
    )
    fault.inject()
    agent.close()
    again = ZmqState(fault.place, fault.args)
    again._on = True
    with pytest.raises(FaultError, match="no agent answers"):
        fault.heal()
    child.kill()
    child.wait()
    assert again.heal() == {"gone": True}


def test_a_place_with_neither_socket_nor_agent_is_refused() -> None:
    """The error says which two things would do."""
    with pytest.raises(FaultError, match=r"needs a live zmq\.Socket, or a process with an agent"):
        ZmqState(Place(PlaceKind.SOCKET, "scheduler.req"), StateArgs(how=How.RECV_FIRST)).inject()


def test_the_fixture_speaks_the_protocol(agent: Any) -> None:
    """The agent of these tests is the real server of the harness, so that the roads are tested end to end."""
    assert AgentClient(agent.address).call("status")["switches"] == {}
