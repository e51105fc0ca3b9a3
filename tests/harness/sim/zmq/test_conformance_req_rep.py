"""REQ and REP: every state, every refusal, every loss, as libzmq has it."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]
NOW = zmq.NOBLOCK


def test_question_and_answer(world: Any) -> None:
    """A question arrives, its answer comes back, and the next pair follows."""
    rep, req = world.pair(zmq.REP, zmq.REQ)
    for n in range(3):
        req.send(b"q%d" % n)
        assert world.receive(rep) == [b"q%d" % n]
        rep.send(b"a%d" % n)
        assert world.receive(req) == [b"a%d" % n]


def test_fresh_sockets_refuse_the_wrong_turn(world: Any) -> None:
    """A fresh REQ cannot receive, a fresh REP cannot send (EFSM); a fresh REP has nothing to receive (EAGAIN)."""
    rep, req = world.pair(zmq.REP, zmq.REQ)
    assert world.outcome(lambda: req.recv(NOW)) == "EFSM"
    assert world.outcome(lambda: rep.send(b"", NOW)) == "EFSM"
    assert world.outcome(lambda: rep.recv(NOW)) == "EAGAIN"


def test_req_after_send(world: Any) -> None:
    """A REQ that waits refuses a second question, has no answer yet, keeps its state, and is not writable."""
    _, req = world.pair(zmq.REP, zmq.REQ)
    req.send(b"q")
    assert world.outcome(lambda: req.send(b"again", NOW)) == "EFSM"
    assert world.outcome(lambda: req.recv(NOW)) == "EAGAIN"
    assert world.outcome(lambda: req.send(b"again", NOW)) == "EFSM"
    assert req.poll(0, zmq.POLLOUT) == 0


def test_req_after_a_time_out(world: Any) -> None:
    """A receive that timed out changes nothing: the next send is refused, a later receive gets the answer."""
    rep, req = world.pair(zmq.REP, zmq.REQ, rcvtimeo=30)
    req.send(b"q")
    assert world.outcome(req.recv) == "EAGAIN"
    assert world.outcome(lambda: req.send(b"other", NOW)) == "EFSM"
    assert world.receive(rep) == [b"q"]
    rep.send(b"late")
    assert world.receive(req) == [b"late"]


def test_rep_alternates(world: Any) -> None:
    """A REP that has a question cannot take another; one that has answered cannot answer again."""
    rep, req = world.pair(zmq.REP, zmq.REQ)
    req.send(b"q")
    assert world.receive(rep) == [b"q"]
    assert world.outcome(lambda: rep.recv(NOW)) == "EFSM"
    rep.send(b"a")
    assert world.outcome(lambda: rep.send(b"b", NOW)) == "EFSM"


def test_req_without_any_connection(world: Any) -> None:
    """A REQ that was never connected cannot send now (EAGAIN), and its state is kept: it still cannot receive."""
    req = world.socket(zmq.REQ)
    assert world.outcome(lambda: req.send(b"q", NOW)) == "EAGAIN"
    assert world.outcome(lambda: req.recv(NOW)) == "EFSM"


def test_req_connected_to_nobody_queues(world: Any) -> None:
    """A question to nobody is taken, and reaches the REP that is bound later."""
    address = world.nobody()
    req = world.connected(zmq.REQ, address)
    req.send(b"early", NOW)
    rep = world.rebind(zmq.REP, address)
    assert world.receive(rep) == [b"early"]


def test_req_immediate_does_not_queue(world: Any) -> None:
    """With IMMEDIATE a question to nobody is not taken."""
    req = world.connected(zmq.REQ, world.nobody(), immediate=1)
    assert world.outcome(lambda: req.send(b"early", NOW)) == "EAGAIN"


def test_rep_dies_with_the_question(world: Any) -> None:
    """A question that a dead REP had taken is not delivered to its successor; the REQ waits for ever, without error."""
    rep, address = world.bound(zmq.REP)
    req = world.connected(zmq.REQ, address)
    req.send(b"q")
    assert world.receive(rep) == [b"q"]
    rep.close()
    rep = world.rebind(zmq.REP, address)
    assert world.quiet(rep, 200)
    assert world.outcome(lambda: req.recv(NOW)) == "EAGAIN"
    assert world.outcome(lambda: req.send(b"next", NOW)) == "EFSM"


def test_question_of_a_closed_req_is_served(world: Any) -> None:
    """A question is received although its REQ was closed, without lingering, before it was read."""
    rep, req = world.pair(zmq.REP, zmq.REQ)
    req.send(b"q")
    world.settle()
    req.close()
    world.settle()
    assert world.receive(rep) == [b"q"]
    assert world.outcome(lambda: rep.send(b"a", NOW)) is None


def test_relaxed_takes_the_wrong_answer(world: Any) -> None:
    """With RELAXED alone the REP sees both questions, and the REQ takes the answer to the first for the second's."""
    rep, req = world.pair(zmq.REP, zmq.REQ, req_relaxed=1)
    req.send(b"one")
    assert world.receive(rep) == [b"one"]
    req.send(b"two")
    rep.send(b"re one")
    assert world.receive(req) == [b"re one"]
    assert world.receive(rep) == [b"two"]


def test_relaxed_and_correlate_takes_the_right_answer(world: Any) -> None:
    """With CORRELATE as well, the answer to the first is dropped; that to the second is received."""
    rep, req = world.pair(zmq.REP, zmq.REQ, req_relaxed=1, req_correlate=1)
    req.send(b"one")
    assert world.receive(rep) == [b"one"]
    req.send(b"two")
    rep.send(b"re one")
    world.settle()
    assert world.outcome(lambda: req.recv(NOW)) == "EAGAIN"
    assert world.receive(rep) == [b"two"]
    rep.send(b"re two")
    assert world.receive(req) == [b"re two"]


def test_rep_spurious_readiness(world: Any) -> None:
    """A message without delimiter makes a REP readable, and is gone when it is received."""
    rep, dealer = world.pair(zmq.REP, zmq.DEALER)
    dealer.send(b"no delimiter")
    assert world.readable(rep)
    assert world.outcome(lambda: rep.recv(NOW)) == "EAGAIN"
    assert rep.poll(0) == 0
    dealer.send_multipart([b"", b"proper"])
    assert world.receive(rep) == [b"proper"]


def test_rep_keeps_the_envelope(world: Any) -> None:
    """All frames up to the delimiter come back before the answer."""
    rep, dealer = world.pair(zmq.REP, zmq.DEALER)
    dealer.send_multipart([b"e1", b"e2", b"", b"q"])
    assert world.receive(rep) == [b"q"]
    rep.send_multipart([b"a", b"b"])
    assert world.receive(dealer) == [b"e1", b"e2", b"", b"a", b"b"]


@pytest.mark.parametrize("answer", [[b"body"], [b"x", b"", b"body"], [b""]], ids=["bare", "stranger", "only-delimiter"])
def test_req_drops_a_malformed_answer_for_good(world: Any, answer: list[bytes]) -> None:
    """A malformed answer is dropped without a word; the connection ends, and a good answer does not come any more."""
    router, req = world.pair(zmq.ROUTER, zmq.REQ)
    req.send(b"q")
    peer, *_ = world.receive(router)
    router.send_multipart([peer, *answer])
    assert world.quiet(req)
    router.send_multipart([peer, b"", b"good"])
    assert world.quiet(req)
    assert world.outcome(lambda: req.recv(NOW)) == "EAGAIN"
    assert world.outcome(lambda: req.send(b"next", NOW)) == "EFSM"


def test_req_skips_an_answer_that_looks_correlated(world: Any) -> None:
    """An answer with four bytes before the delimiter is readable and skipped; the right one is received then."""
    router, req = world.pair(zmq.ROUTER, zmq.REQ)
    req.send(b"q")
    peer, *_ = world.receive(router)
    router.send_multipart([peer, b"abcd", b"", b"no"])
    assert world.readable(req)
    assert world.outcome(lambda: req.recv(NOW)) == "EAGAIN"
    router.send_multipart([peer, b"", b"yes"])
    assert world.receive(req) == [b"yes"]


def test_second_answer_is_thrown_away(world: Any) -> None:
    """Of two answers to one question the second is gone once the next question is sent."""
    router, req = world.pair(zmq.ROUTER, zmq.REQ)
    req.send(b"q")
    peer, *_ = world.receive(router)
    router.send_multipart([peer, b"", b"one"])
    router.send_multipart([peer, b"", b"two"])
    assert world.receive(req) == [b"one"]
    world.settle()
    assert world.outcome(lambda: req.recv(NOW)) == "EFSM"
    req.send(b"q2")
    assert world.quiet(req)


def test_half_a_question(world: Any) -> None:
    """Between the parts of a question a REQ cannot receive; a REP cannot answer before it has read the last part."""
    rep, req = world.pair(zmq.REP, zmq.REQ)
    req.send(b"one", zmq.SNDMORE)
    assert world.outcome(lambda: req.recv(NOW)) == "EFSM"
    req.send(b"two")
    assert world.readable(rep)
    assert rep.recv(NOW) == b"one"
    assert rep.getsockopt(zmq.RCVMORE) == 1
    assert world.outcome(lambda: rep.send(b"early", NOW)) == "EFSM"
    assert rep.recv(NOW) == b"two"
    assert rep.getsockopt(zmq.RCVMORE) == 0
    rep.send(b"a")
    assert world.receive(req) == [b"a"]


def test_reply_to_a_gone_client_vanishes(world: Any) -> None:
    """The answer to a client that is gone is dropped, and the REP serves the next client."""
    rep, req = world.pair(zmq.REP, zmq.REQ)
    req.send(b"q")
    assert world.receive(rep) == [b"q"]
    req.close()
    world.settle()
    rep.send(b"a", NOW)
    other = world.connected(zmq.REQ, rep.last_endpoint.decode())
    other.send(b"q2")
    assert world.receive(rep) == [b"q2"]


def test_req_spreads_questions_over_servers(world: Any) -> None:
    """A REQ with two servers asks them in turn."""
    one, first = world.bound(zmq.REP)
    two, second = world.bound(zmq.REP)
    req = world.socket(zmq.REQ)
    req.connect(first)
    req.connect(second)
    world.settle()
    seen = []
    for n in range(4):
        req.send(b"%d" % n)
        server = one if one.poll(100) else two
        seen.append("one" if server is one else "two")
        server.recv()
        server.send(b"a")
        assert world.receive(req) == [b"a"]
    assert seen == ["one", "two", "one", "two"]


def test_req_waits_for_its_own_server(world: Any) -> None:
    """After its server has died a REQ that waits takes no answer from another one, and the next server is not asked."""
    one, first = world.bound(zmq.REP)
    two, second = world.bound(zmq.REP)
    req = world.socket(zmq.REQ, rcvtimeo=50)
    req.connect(first)
    world.settle()
    req.connect(second)
    world.settle()
    req.send(b"q")
    assert world.receive(one) == [b"q"]
    one.close()
    world.settle()
    assert world.outcome(req.recv) == "EAGAIN"
    assert world.quiet(two)


def test_disconnect_while_waiting(world: Any) -> None:
    """A REQ that disconnects while it waits never gets the answer and stays where it is."""
    rep, address = world.bound(zmq.REP)
    req = world.connected(zmq.REQ, address)
    req.send(b"q")
    assert world.receive(rep) == [b"q"]
    req.disconnect(address)
    req.poll(0)
    world.settle()
    rep.send(b"a")
    assert world.quiet(req)
    assert world.outcome(lambda: req.send(b"x", NOW)) == "EFSM"


def test_inproc_question_and_answer(world: Any) -> None:
    """The same alternation over inproc, connected before it is bound."""
    req = world.connected(zmq.REQ, "inproc://later")
    req.send(b"early")
    rep = world.socket(zmq.REP)
    rep.bind("inproc://later")
    assert world.receive(rep) == [b"early"]
    rep.send(b"a")
    assert world.receive(req) == [b"a"]


def test_a_question_without_delimiter_leaves_nothing_in_the_next_answer(world: Any) -> None:
    """The frames of a dropped question are no envelope of the answer to the next one."""
    rep, dealer = world.pair(zmq.REP, zmq.DEALER)
    dealer.send_multipart([b"e1", b"no delimiter"])
    assert world.readable(rep)
    assert world.outcome(lambda: rep.recv(NOW)) == "EAGAIN"
    dealer.send_multipart([b"e2", b"", b"q"])
    assert world.receive(rep) == [b"q"]
    rep.send(b"a")
    assert world.receive(dealer) == [b"e2", b"", b"a"]


def test_req_takes_any_answer_once_its_server_is_gone(world: Any) -> None:
    """When the connection that was asked has been given up, an answer may come from another one."""
    one, first = world.bound(zmq.ROUTER)
    two, second = world.bound(zmq.ROUTER, router_mandatory=1)
    req = world.connected(zmq.REQ, first, routing_id=b"me")
    req.send(b"q")
    assert world.receive(one) == [b"me", b"", b"q"]
    req.connect(second)
    req.disconnect(first)
    world.stir(req, two)
    two.send_multipart([b"me", b"", b"unasked"])
    assert world.receive(req) == [b"unasked"]
