"""REQ: ask, wait for the answer, ask again (libzmq's ``req_t``)."""

from __future__ import annotations

from typing import Any, ClassVar

import zmq

from harness.sim.zmq.dealer import DealerCore
from harness.sim.zmq.failures import failure
from harness.sim.zmq.fair_queue import Frame
from harness.sim.zmq.pipe import Pipe
from harness.sim.zmq.router import check_flag


class ReqCore(DealerCore):
    """A DEALER with a strict alternation. A time-out changes nothing: it goes on waiting for its answer.

    With ``REQ_RELAXED`` a second question may follow the first; without ``REQ_CORRELATE`` as well, the answer to
    the first is then taken for that of the second.
    """

    kind: ClassVar[int] = int(zmq.REQ)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.waiting = False
        self.begins = True
        self.strict = True
        self.correlate = False
        self.request_id = self.number * 2_654_435_761 & 0xFFFFFFFF
        self.reply_pipe: Pipe | None = None

    def x_send(self, frame: bytes, more: bool) -> bool:
        """A question; EFSM while the answer to the last one is missing, unless relaxed."""
        if self.waiting:
            if self.strict:
                raise failure(zmq.EFSM)
            self.waiting = False
            self.begins = True
        if self.begins and not self._begin():
            return False
        if not super().x_send(frame, more):
            return False
        if not more:
            self.waiting = True
            self.begins = True
        return True

    def _begin(self) -> bool:
        self.reply_pipe = None
        if self.correlate:
            self.request_id = (self.request_id + 1) & 0xFFFFFFFF
            if not self.balancer.send(self.request_id.to_bytes(4, "little"), True):
                return False
        if not self.balancer.send(b"", True):
            return False
        self.reply_pipe = self.balancer.last
        self.begins = False
        # Answers that are here already belong to earlier questions.
        while self.queue.receive() is not None:
            pass
        return True

    def x_recv(self) -> Frame | None:
        """The answer; EFSM when nothing was asked."""
        if not self.waiting:
            raise failure(zmq.EFSM)
        while self.begins:
            if self.correlate:
                got = self._from_reply_pipe()
                if got is None:
                    return None
                if not got[1] or got[0] != self.request_id.to_bytes(4, "little"):
                    self._skip(got)
                    continue
            got = self._from_reply_pipe()
            if got is None:
                return None
            if not got[1] or got[0]:
                self._skip(got)
                continue
            self.begins = False
        got = self._from_reply_pipe()
        if got is not None and not got[1]:
            self.waiting = False
            self.begins = True
        return got

    def _skip(self, got: Frame | None) -> None:
        while got is not None and got[1]:
            got = self._from_reply_pipe()

    def _from_reply_pipe(self) -> Frame | None:
        while True:
            got = self.queue.receive()
            if got is None or self.reply_pipe is None or self.queue.last is self.reply_pipe:
                return got

    def x_has_in(self) -> bool:
        """Something has come while an answer is missing; it may turn out to be none."""
        return self.waiting and super().x_has_in()

    def x_has_out(self) -> bool:
        """A question may be asked, and some peer has room."""
        return not (self.waiting and self.strict) and super().x_has_out()

    def x_terminated(self, pipe: Pipe) -> None:
        """An answer may come from any peer now that this one is gone."""
        if self.reply_pipe is pipe:
            self.reply_pipe = None
        super().x_terminated(pipe)

    def x_set(self, option: int, value: Any) -> bool:
        """``REQ_RELAXED``, ``REQ_CORRELATE``, and what a DEALER has."""
        if option == zmq.REQ_RELAXED:
            self.strict = not check_flag(value)
        elif option == zmq.REQ_CORRELATE:
            self.correlate = check_flag(value)
        else:
            return super().x_set(option, value)
        return True


class ReplyCheck:
    """What a REQ's session lets in: id or delimiter, then the answer. Anything else ends the connection for good.

    libzmq 4.3.5 (``req_session_t::push_msg``): a malformed answer is a protocol error, after which a connecting side
    does not connect again (measured).
    """

    @staticmethod
    def accepts(frames: list[bytes]) -> bool:
        """Whether these frames are the form of an answer."""
        if len(frames) < 2:
            return False
        if frames[0] == b"":
            return True
        return len(frames[0]) == 4 and len(frames) > 2 and frames[1] == b""
