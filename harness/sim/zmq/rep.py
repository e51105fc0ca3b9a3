"""REP: take a question, give the answer (libzmq's ``rep_t``)."""

from __future__ import annotations

from typing import Any, ClassVar

import zmq

from harness.sim.zmq.failures import failure
from harness.sim.zmq.fair_queue import Frame
from harness.sim.zmq.router import RouterCore


class RepCore(RouterCore):
    """A ROUTER that keeps the envelope of the question for the answer.

    A message without a delimiter is readable to a poller and gone when it is received (POLLIN, then EAGAIN).
    """

    kind: ClassVar[int] = int(zmq.REP)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.answering = False
        self.begins = True

    def x_send(self, frame: bytes, more: bool) -> bool:
        """The answer; EFSM when no question was read to its end."""
        if not self.answering:
            raise failure(zmq.EFSM)
        if not super().x_send(frame, more):
            return False
        if not more:
            self.answering = False
        return True

    def x_recv(self) -> Frame | None:
        """The question; EFSM while an answer is due."""
        if self.answering:
            raise failure(zmq.EFSM)
        if self.begins and not self._take_envelope():
            return None
        got = super().x_recv()
        if got is not None and not got[1]:
            self.answering = True
            self.begins = True
        return got

    def _take_envelope(self) -> bool:
        """Move everything up to the delimiter into the answer; malformed questions are dropped."""
        while True:
            got = super().x_recv()
            if got is None:
                return False
            if not got[1]:
                self.rollback()
                continue
            super().x_send(got[0], True)
            if not got[0]:
                self.begins = False
                return True

    def x_has_in(self) -> bool:
        """Something has come while no answer is due; it may turn out to be no question."""
        return not self.answering and super().x_has_in()

    def x_has_out(self) -> bool:
        """An answer is due."""
        return self.answering and super().x_has_out()
