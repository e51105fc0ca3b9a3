"""Small breaks of the simulated libzmq, each with the test that notices.

Every break is something that a simulation of ZeroMQ might plausibly get wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import zmq

from harness.sim.links import Links
from harness.sim.ports import PortTable
from harness.sim.zmq import (
    balancer,
    channel,
    connecter,
    connection,
    context,
    core,
    dealer,
    distributor,
    doorbell,
    endpoint,
    fair_queue,
    listener,
    mail,
    monitor,
    options,
    pair,
    pipe,
    publisher,
    push_pull,
    rep,
    req,
    router,
    session,
    subscriber,
    wire,
)

Original = Callable[..., Any]


@dataclass(frozen=True)
class Mutant:
    """A break: what it says, where it is, what stands there instead, and the test that fails then.

    `killer` is ``module:function``, or ``module:function:id`` for one case of a parametrized test.
    """

    says: str
    owner: Any
    name: str
    make: Callable[[Original], Any]
    killer: str


def _then(change: Callable[..., Any]) -> Callable[[Original], Any]:
    """Call the original, then `change` with its arguments."""

    def make(original: Original) -> Any:
        def changed(self: Any, *args: Any, **options: Any) -> Any:
            value = original(self, *args, **options)
            change(self, *args)
            return value

        return changed

    return make


def _first(change: Callable[..., Any]) -> Callable[[Original], Any]:
    """Call `change`, then the original."""

    def make(original: Original) -> Any:
        def changed(self: Any, *args: Any) -> Any:
            change(self, *args)
            return original(self, *args)

        return changed

    return make


def _instead(change: Callable[..., Any]) -> Callable[[Original], Any]:
    return lambda original: change


def _to(name: str, value: Any) -> Callable[..., None]:
    """A change that gives an attribute this value."""
    return lambda self, *_: setattr(self, name, value)


def _recv_resets(original: Original) -> Any:
    def recv(self: Any, flags: int) -> bytes:
        try:
            return bytes(original(self, flags))
        except zmq.Again:
            if isinstance(self, req.ReqCore):
                self.waiting = False
            raise

    return recv


def _lose_queued(self: Any) -> None:
    if self.session.pipe is not None:
        self.session.pipe.outgoing.items.clear()


def _by_arrival(self: Any, pipe_: Any) -> None:
    self.current = self.pipes.index(pipe_)


def _forget_envelope(original: Original) -> Any:
    def take(self: Any) -> bool:
        while True:
            got = router.RouterCore.x_recv(self)
            if got is None:
                return False
            if not got[0] and got[1]:
                router.RouterCore.x_send(self, self.queue.last.routing_id, True)
                router.RouterCore.x_send(self, b"", True)
                self.begins = False
                return True

    return take


def _all_or_none(original: Original) -> Any:
    def choose(self: Any, matching: list[Any]) -> None:
        self.receivers = list(matching) if all(p.check_write() for p in matching) else []

    return choose


def _no_order(original: Original) -> Any:
    def fly(self: Any, thing: Any, due: int) -> None:
        self._last = 0
        self._flying.appendleft((due, thing))
        if self._timer is None:
            self._timer = self._fabric.kernel.call_at(due, self._arrive)

    return fly


def _forget_delimiter(original: Original) -> Any:
    def flush(self: Any, *_: Any) -> None:
        self.incoming.items.clear()
        original(self)

    return flush


def _keep_the_name(original: Original) -> Any:
    def attach(self: Any, pipe_: Any) -> None:
        name = self.connect_id
        original(self, pipe_)
        self.connect_id = name

    return attach


MUTANTS = (
    Mutant("a receive that times out resets the REQ", core.SocketCore, "recv", _recv_resets,
           "req_rep:test_req_after_a_time_out"),
    Mutant("RELAXED is strict", req.ReqCore, "x_set", _then(_to("strict", True)),
           "req_rep:test_relaxed_takes_the_wrong_answer"),
    Mutant("RELAXED correlates by itself", req.ReqCore, "x_set", _then(_to("correlate", True)),
           "req_rep:test_relaxed_takes_the_wrong_answer"),
    Mutant("CORRELATE is ignored", req.ReqCore, "x_set", _then(_to("correlate", False)),
           "req_rep:test_relaxed_and_correlate_takes_the_right_answer"),
    Mutant("a malformed answer is let in", req.ReplyCheck, "accepts", lambda _: staticmethod(lambda frames: True),
           "req_rep:test_req_drops_a_malformed_answer_for_good:stranger"),
    Mutant("a REQ connects again after a malformed answer", connecter.Connecter, "refused_for_good",
           _instead(lambda self: self.lost()), "monitor:test_malformed_answer"),
    Mutant("a fresh REQ may receive", req.ReqCore, "x_recv",
           lambda old: lambda self: old(self) if self.waiting else None,
           "req_rep:test_fresh_sockets_refuse_the_wrong_turn"),
    Mutant("a REP may answer twice", rep.RepCore, "x_send",
           _then(_to("answering", True)), "req_rep:test_rep_alternates"),
    Mutant("a REP forgets the envelope", rep.RepCore, "_take_envelope", _forget_envelope,
           "req_rep:test_rep_keeps_the_envelope"),
    Mutant("a REP sees through messages without delimiter", rep.RepCore, "x_has_in", _instead(lambda self: False),
           "req_rep:test_rep_spurious_readiness"),
    Mutant("what is queued is lost when a connection is tried", connecter.Connecter, "_attempt", _then(_lose_queued),
           "push_pull_pair:test_messages_in_a_dead_receiver_are_lost"),
    Mutant("a question to nobody is lost", connecter.Connecter, "_appeared", _then(_lose_queued),
           "req_rep:test_req_connected_to_nobody_queues"),
    Mutant("messages of the gone are dropped", pipe.Pipe, "peer_left", _forget_delimiter,
           "push_pull_pair:test_inproc_messages_of_the_gone_are_read"),
    Mutant("new peers are read first", push_pull.PullCore, "x_attach",
           _then(lambda self, p: _by_arrival(self.queue, p)), "push_pull_pair:test_pull_takes_turns"),
    Mutant("the reader stays with one pipe", fair_queue.FairQueue, "receive",
           _then(_to("current", 0)), "push_pull_pair:test_pull_takes_turns"),
    Mutant("the sender stays with one pipe", balancer.Balancer, "send",
           _then(_to("current", 0)), "router_dealer:test_dealer_takes_turns"),
    Mutant("credit comes with each message", channel.Channel, "set_high",
           _then(lambda self, high: setattr(self, "low", min(1, high))),
           "push_pull_pair:test_inproc_high_water_marks_add_up:10-10-20-10"),
    Mutant("one message too many fits", channel.Channel, "full",
           lambda _: property(lambda self: 0 < self.high < self.written - self.acknowledged),
           "push_pull_pair:test_unconnected_queue_is_limited"),
    Mutant("only the sender's mark counts within a process", channel, "together", lambda _: lambda one, other: one,
           "push_pull_pair:test_inproc_high_water_marks_add_up:3-5-8-4"),
    Mutant("what is set later counts at once", options.Options, "copy", lambda _: lambda self: self,
           "late_options:test_the_routing_id_of_who_connects:True"),
    Mutant("conflating keeps the oldest", channel.Channel, "put",
           lambda old: lambda self, message: None if self.conflate and self.items else old(self, message),
           "pub_sub:test_conflate_keeps_the_newest"),
    Mutant("a full subscriber stops the publisher", publisher.XPubCore, "__init__",
           _then(_to("lossy", False)), "pub_sub:test_slow_subscriber_loses_the_newest"),
    Mutant("a full subscriber stops the others", distributor.Distributor, "choose", _all_or_none,
           "pub_sub:test_slow_subscriber_loses_the_newest"),
    Mutant("subscriptions match anywhere", publisher.Topics, "matching",
           _instead(lambda self, frame, pipes: [p for p in pipes if any(t in frame for t in self._pipes)]),
           "pub_sub:test_xsub_subscribes_by_message"),
    Mutant("a SUB does not filter", subscriber.XSubCore, "_wanted", _instead(lambda self, frame: True),
           "pub_sub:test_unwanted_messages_on_the_way"),
    Mutant("a SUB does not subscribe anew", subscriber.XSubCore, "x_hiccuped", _instead(lambda self, p: None),
           "pub_sub:test_publisher_comes_back"),
    Mutant("a connection is taken in at once", mail.Mail, "announce",
           _then(lambda self, p: self.take()), "commands:test_what_leaves_a_connection_outside:nothing"),
    Mutant("subscribe takes a connection in", core.SocketCore, "set",
           _first(lambda self, option, value: self.take_commands()),
           "commands:test_what_leaves_a_connection_outside:subscribe"),
    Mutant("bind takes nothing in", core.SocketCore, "take_commands", _instead(lambda self: None),
           "commands:test_what_takes_a_connection_in:bind-nonsense"),
    Mutant("who waits is not told of a connection", mail.Mail, "announce",
           _instead(lambda self, p: self.append(p)), "commands:test_who_waits_takes_a_connection_in:recv"),
    Mutant("who always finds a message is never told of a connection", mail.Mail, "is_due",
           _instead(lambda self: False), "commands:test_who_always_finds_a_message_looks_at_the_hundredth"),
    Mutant("a SUB subscribes anew by itself", mail.Mail, "hiccup",
           _then(lambda self, p: self.take()), "commands:test_subscriptions_after_a_restart_wait_for_a_call"),
    Mutant("what a SUB says to a lost connection is kept for the next", mail.Mail, "hiccup",
           _then(lambda self, p: setattr(p, "writable", True)),
           "commands:test_subscriptions_after_a_restart_wait_for_a_call"),
    Mutant("messages are noticed without a call", core.SocketCore, "read_activated",
           _then(lambda self, p: self.mail.take()), "commands:test_who_finds_a_message_does_not_look_for_others"),
    Mutant("who left before it was taken in is forgotten", mail.Mail, "drop", _instead(lambda self, p: self.remove(p)),
           "commands:test_who_came_and_left_between_two_calls"),
    Mutant("a topic is gone with the first unsubscription", subscriber.XSubCore, "_note",
           _then(lambda self, frame: self.topics.pop(frame[1:], None) if frame[:1] == b"\0" else None),
           "pub_sub:test_subscriptions_are_counted"),
    Mutant("XPUB tells every subscription", publisher.Topics, "add",
           lambda old: lambda self, topic, p: old(self, topic, p) or True, "pub_sub:test_xpub_hears_of_subscriptions"),
    Mutant("XPUB tells what its only subscriber repeats", publisher.Topics, "add",
           lambda old: lambda self, topic, p: old(self, topic, p) or len(self._pipes[topic]) == 1,
           "pub_sub:test_xpub_hears_of_subscriptions"),
    Mutant("an unknown name is refused without MANDATORY", router.RouterCore, "_address",
           _first(_to("mandatory", True)), "router_dealer:test_router_drops_what_is_for_a_stranger"),
    Mutant("MANDATORY drops", router.RouterCore, "x_set",
           lambda old: lambda self, option, value: old(self, option, 0 if option == zmq.ROUTER_MANDATORY else value),
           "router_dealer:test_router_mandatory_refuses_a_stranger"),
    Mutant("the second of one name takes over without HANDOVER", router.RouterCore, "x_attach",
           _then(_to("handover", True)), "router_dealer:test_second_of_the_same_name_is_ignored"),
    Mutant("HANDOVER is ignored", router.RouterCore, "x_attach",
           _then(_to("handover", False)), "router_dealer:test_handover_cuts_the_first_off"),
    Mutant("HANDOVER disconnects the first peer", pipe.Pipe, "abandon", _instead(lambda self: self.leave(0)),
           "router_dealer:test_handover_cuts_the_first_off"),
    Mutant("a ROUTER does not introduce itself", router.RouterCore, "x_attach",
           _first(_to("probe", False)), "router_dealer:test_probe_introduces_a_router"),
    Mutant("a dropped question stays in the answer", rep.RepCore, "rollback", _instead(lambda self: None),
           "req_rep:test_a_question_without_delimiter_leaves_nothing_in_the_next_answer"),
    Mutant("a REQ waits for the server that it gave up", req.ReqCore, "x_terminated",
           _instead(lambda self, p: dealer.DealerCore.x_terminated(self, p)),
           "req_rep:test_req_takes_any_answer_once_its_server_is_gone"),
    Mutant("NODROP drops", distributor.Distributor, "has_room", lambda _: staticmethod(lambda matching: True),
           "pub_sub:test_nodrop_makes_the_publisher_wait"),
    Mutant("an XPUB ignores ONLY_FIRST_SUBSCRIBE", publisher.XPubCore, "x_read_activated",
           _first(_to("first_only", False)),
           "pub_sub:test_which_parts_of_a_message_subscribe:none-after-another-with-the-option"),
    Mutant("an XPUB heeds first parts only", publisher.XPubCore, "x_read_activated",
           _first(_to("first_only", True)), "pub_sub:test_which_parts_of_a_message_subscribe:after-another"),
    Mutant("an XSUB ignores ONLY_FIRST_SUBSCRIBE", subscriber.XSubCore, "x_send",
           _first(_to("first_only", False)),
           "pub_sub:test_which_parts_of_a_message_subscribe:none-after-another-with-the-option"),
    Mutant("an XPUB takes messages apart", publisher.XPubCore, "_tell",
           lambda old: lambda self, frame, more=False: old(self, frame), "pub_sub:test_what_goes_up_stays_one_message"),
    Mutant("VERBOSE tells every cancellation", publisher.XPubCore, "x_set",
           _then(lambda self, *_: setattr(self, "verbose_cancels", self.verbose)),
           "pub_sub:test_who_hears_of_each_cancellation:xpub_verbose-False"),
    Mutant("VERBOSER does not tell of who leaves", publisher.XPubCore, "x_terminated",
           _first(_to("verbose_cancels", False)), "pub_sub:test_who_hears_of_each_cancellation:xpub_verboser-True"),
    Mutant("a SUB filters part by part", subscriber.XSubCore, "_next",
           _instead(lambda self: next((got for got in iter(self.queue.receive, None) if self._wanted(got[0])), None)),
           "pub_sub:test_the_rest_of_an_unwanted_message_is_unwanted"),
    Mutant("a PAIR keeps to the gone", pair.PairCore, "x_terminated", _instead(lambda self, p: None),
           "push_pull_pair:test_another_pair_may_come_when_the_first_is_gone"),
    Mutant("a name is given to every connection", router.RouterCore, "x_attach", _keep_the_name,
           "router_dealer:test_a_name_is_given_to_one_connection"),
    Mutant("the rest of a message goes to the next peer", balancer.Balancer, "remove",
           _then(_to("dropping", False)), "router_dealer:test_half_a_message_does_not_change_its_peer"),
    Mutant("a second PAIR peer is heard", pair.PairCore, "x_attach",
           lambda old: lambda self, p: setattr(self, "peer", p), "push_pull_pair:test_second_pair_is_ignored"),
    Mutant("messages overtake each other", wire.Wire, "_fly", _no_order, "push_pull_pair:test_order_is_kept"),
    Mutant("linger is ignored at close", session.Session, "left", lambda old: lambda self, linger: old(self, 0),
           "ending:test_lingering_message_is_delivered"),
    Mutant("linger lasts for ever", session.Session, "left", lambda old: lambda self, linger: old(self, linger and -1),
           "ending:test_linger:300-0.29-1.0"),
    Mutant("term() does not wait for sockets", context.ContextCore, "term",
           _first(lambda self: self.sockets.clear()), "ending:test_term_waits_for_open_sockets"),
    Mutant("term() wakes nobody", core.SocketCore, "signal", _instead(lambda self: None),
           "ending:test_term_wakes_who_waits"),
    Mutant("calls on an ended context go through", core.SocketCore, "enter", _instead(lambda self: None),
           "ending:test_term_wakes_who_waits"),
    Mutant("a port stays in use after close", listener.Listener, "stop",
           lambda old: lambda self: setattr(self, "open", False), "endpoints:test_unbind"),
    Mutant("a port can be bound twice", PortTable, "is_free", _instead(lambda self, host, port: True),
           "endpoints:test_address_in_use"),
    Mutant("a wildcard collides with nothing", PortTable, "is_free",
           _instead(lambda self, host, port: host not in self._taken.get(port, {})), "endpoints:test_address_in_use"),
    Mutant("unbind keeps the connections", listener.Listener, "close", _instead(lambda self: self.stop()),
           "endpoints:test_unbind"),
    Mutant("ports are not cut to 16 bits", endpoint, "_port", _instead(lambda text: int(text)),
           "endpoints:test_what_cannot_be_bound:tcp://127.0.0.1:port"),
    Mutant("IMMEDIATE is ignored", options.Options, "get",
           lambda old: lambda self, option: 0 if option == zmq.IMMEDIATE else old(self, option),
           "req_rep:test_req_immediate_does_not_queue"),
    Mutant("RECONNECT_IVL is always 100", connecter.Connecter, "_next_interval", _instead(lambda self: 100),
           "endpoints:test_no_reconnection"),
    Mutant("intervals do not grow", connecter.Connecter, "_next_interval",
           _instead(lambda self: int(self.core.options.get(int(zmq.RECONNECT_IVL)))), "monitor:test_backing_off"),
    Mutant("MAXMSGSIZE is ignored", session.Session, "_violates", _instead(lambda self, frames: False),
           "options:test_maxmsgsize"),
    Mutant("types that do not fit are joined", connection.Connection, "_fits", _instead(lambda self: True),
           "monitor:test_types_that_do_not_fit"),
    Mutant("the monitor ignores its mask", monitor.Monitor, "start",
           lambda old: lambda self, address, events: old(self, address, 0xFFFF),
           "monitor:test_only_what_was_asked_for"),
    Mutant("a lost connection is not told", connection.Connection, "_tell_lost", _instead(lambda self, s: None),
           "monitor:test_client_goes"),
    Mutant("the descriptor rings for each message", pipe.Pipe, "arrived",
           _then(lambda self: self.core.doorbell and self.core.doorbell.ring()),
           "polling:test_fd_is_silent_until_the_end_was_seen"),
    Mutant("the descriptor never falls silent", doorbell.Doorbell, "silence", _instead(lambda self: None),
           "polling:test_events_and_fd"),
    Mutant("the descriptor never rings", doorbell.Doorbell, "ring", _instead(lambda self: None),
           "asyncio:test_backlog_is_read_to_the_end"),
    Mutant("time-outs are half as long", core.SocketCore, "wait",
           lambda old: lambda self, ready, limit, what: old(self, ready, limit // 2 if limit > 0 else limit, what),
           "polling:test_recv_times_out"),
    Mutant("two threads may share a socket", core.SocketCore, "user",
           _instead(property(lambda self: None, lambda self, value: None)),  # type: ignore[arg-type]
           "misuse:test_second_thread:recv-send"),
    Mutant("cuts go both ways", Links, "cut", _then(lambda self, a, b: self._cut.update({(b, a): None})),
           "fabric_processes:test_partition_one_way"),
)  # fmt: skip
