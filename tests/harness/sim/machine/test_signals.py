"""Signals: one body on the real operating system and in the simulation."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.sim


def run(code: str) -> tuple[int, list[str]]:
    """Exit code and lines of a program: what it does with signals happens in a process of its own."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout.splitlines() + done.stderr.splitlines()[-1:]


def test_a_handler_interrupts_a_sleep_which_goes_on(world: object) -> None:
    """PEP 475: the sleep lasts as long as it was told, whatever the handler did."""
    assert run("""
    import os, signal, threading, time
    signal.signal(signal.SIGUSR1, lambda number, frame: print('handled', number == signal.SIGUSR1))
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    begin = time.monotonic()
    time.sleep(0.4)
    print(0.39 < time.monotonic() - begin < 2)
    """) == (0, ["handled True", "True"])


def test_a_handler_runs_in_the_main_thread(world: object) -> None:
    """Whoever sends it; and a handler that raises ends the wait."""
    assert run("""
    import os, signal, threading, time
    def handler(number, frame):
        raise RuntimeError(threading.current_thread() is threading.main_thread())
    signal.signal(signal.SIGUSR1, handler)
    thread = threading.Thread(target=lambda: (time.sleep(0.1), os.kill(os.getpid(), signal.SIGUSR1)))
    thread.start()
    try:
        time.sleep(30)
    except RuntimeError as error:
        print(error)
    thread.join()
    """) == (0, ["True"])


def test_sending_to_oneself_is_immediate(world: object) -> None:
    """The handler has run when os.kill and raise_signal return; an ignored signal does nothing."""
    assert run("""
    import os, signal
    seen = []
    signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    os.kill(os.getpid(), signal.SIGUSR1)
    print(len(seen))
    signal.raise_signal(signal.SIGUSR1)
    print(len(seen))
    print(signal.signal(signal.SIGUSR1, signal.SIG_IGN) is not None, signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN)
    os.kill(os.getpid(), signal.SIGUSR1)
    print(len(seen))
    """) == (0, ["1", "2", "True True", "2"])


def test_ctrl_c(world: object) -> None:
    """SIGINT is KeyboardInterrupt; uncaught it ends the process by the signal."""
    assert run("""
    import os, signal
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may have ignored it
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        print('caught', flush=True)
    signal.raise_signal(signal.SIGINT)
    """) == (-2, ["caught", "KeyboardInterrupt"])


def test_what_may_not_be_done(world: object) -> None:
    """No handler for SIGKILL, none from another thread, no unknown number."""
    assert run("""
    import signal, threading
    def attempt(number):
        try:
            signal.signal(number, lambda *_: None)
        except (OSError, ValueError) as error:
            print(type(error).__name__)
    attempt(signal.SIGKILL)
    attempt(1000)
    thread = threading.Thread(target=attempt, args=(signal.SIGUSR1,))
    thread.start()
    thread.join()
    """) == (0, ["OSError", "ValueError", "ValueError"])


def test_blocked_signals_wait(world: object) -> None:
    """pthread_sigmask, sigpending, sigwait."""
    assert run("""
    import os, signal
    signal.signal(signal.SIGUSR1, lambda *_: print('handled'))
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2])
    os.kill(os.getpid(), signal.SIGUSR1)
    print(signal.sigpending() == {signal.SIGUSR1})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    os.kill(os.getpid(), signal.SIGUSR2)
    print(signal.sigwait([signal.SIGUSR2]) == signal.SIGUSR2)
    print(signal.sigtimedwait([signal.SIGUSR2], 0.05))
    """) == (0, ["True", "handled", "True", "None"])


def test_alarms(world: object) -> None:
    """setitimer fires again and again, alarm one time; pause waits for a handler."""
    assert run("""
    import signal, time
    count = []
    signal.signal(signal.SIGALRM, lambda *_: count.append(time.monotonic()))
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    begin = time.monotonic()
    for _ in range(3):
        signal.pause()
    left = signal.setitimer(signal.ITIMER_REAL, 0)
    print(len(count), 0.29 < count[2] - begin < 2, left[1])
    signal.alarm(1)
    print(signal.alarm(0))
    """) == (0, ["3 True 0.1", "1"])


def test_an_event_loop_handles_signals(world: object) -> None:
    """add_signal_handler calls back in the loop, remove_signal_handler ends that."""
    assert run("""
    import asyncio, os, signal
    async def main():
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, told.set)
        loop.call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(told.wait(), 10)
        removed = loop.remove_signal_handler(signal.SIGTERM)
        print(removed, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, flush=True)
    asyncio.run(main())
    os.kill(os.getpid(), signal.SIGTERM)
    """) == (-15, ["True True"])


def test_children_that_die_are_told(world: object) -> None:
    """SIGCHLD; ignored, no zombie is left."""
    assert run("""
    import os, signal, subprocess, sys, time
    seen = []
    signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))
    child = subprocess.Popen([sys.executable, '-c', 'pass'])
    while not seen:
        time.sleep(0.01)
    print(child.wait())
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, '-c', 'pass'])
    try:
        while True:
            os.kill(child.pid, 0)
            time.sleep(0.01)
    except ProcessLookupError:
        print('no zombie')
    """) == (0, ["0", "no zombie"])


def test_ignored_signals_are_inherited_and_handlers_are_not(world: object) -> None:
    """What exec keeps."""
    assert run("""
    import signal, subprocess, sys
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, lambda *_: None)
    code = "import signal; print(signal.getsignal(signal.SIGUSR1).name, signal.getsignal(signal.SIGUSR2).name)"
    sys.stdout.flush()
    subprocess.run([sys.executable, '-c', code])
    """) == (0, ["SIG_IGN SIG_DFL"])


def test_signals_that_come_while_one_waits_are_one(world: object) -> None:
    """Five of a kind to a stopped process are one call of its handler (signal(7), standard signals)."""
    code = """
    import signal, time
    calls = []
    signal.signal(signal.SIGUSR1, lambda *a: calls.append(1))
    print('ready', flush=True)
    time.sleep(1)
    print(len(calls))
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGSTOP)
        for _ in range(5):
            child.send_signal(signal.SIGUSR1)
        child.send_signal(signal.SIGCONT)
        assert child.communicate(timeout=60)[0] == "1\n"


def test_the_mask_is_inherited(world: object) -> None:
    """A signal that the parent has blocked is blocked in the child; one that it has not is not."""
    assert run("""
    import signal, subprocess, sys
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    code = (
        "import os, signal; blocked = signal.pthread_sigmask(signal.SIG_BLOCK, []);"
        "print(signal.SIGUSR2 in blocked, signal.SIGUSR1 in blocked);"
        "os.kill(os.getpid(), signal.SIGUSR2); print(signal.sigpending() == {signal.SIGUSR2})"
    )
    print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split())
    """) == (0, ["['True', 'False', 'True']"])


def test_a_lock_is_not_kept_by_who_was_interrupted(world: object) -> None:
    """A handler that raises in a thread which waits for a lock, or has just got it, leaves the lock free for others."""
    assert run("""
    import os, signal, threading, time
    class Stop(Exception): pass
    def handler(*_): raise Stop
    signal.signal(signal.SIGUSR1, handler)
    for lock in (threading.Lock(), threading.RLock()):
        def other():
            with lock:
                time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGUSR1)
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.1)
        try:
            with lock:
                for _ in range(200):
                    time.sleep(0.05)
        except Stop:
            print('stopped', end=' ')
        thread.join()
        got = []
        again = threading.Thread(target=lambda: got.append(lock.acquire(timeout=1)))
        again.start()
        again.join()
        print(got)
    """) == (0, ["stopped [True]", "stopped [True]"])


def test_interrupt_main(world: object) -> None:
    """`_thread.interrupt_main` from a thread ends the main thread's sleep; an ignored signal changes nothing."""
    assert run("""
    import _thread, signal, threading, time
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may have ignored it
    threading.Timer(0.1, _thread.interrupt_main).start()
    begin = time.monotonic()
    try:
        while time.monotonic() < begin + 30:
            time.sleep(0.01)
    except KeyboardInterrupt:
        print('interrupted', time.monotonic() - begin < 10)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    _thread.interrupt_main(signal.SIGUSR1)
    _thread.interrupt_main(signal.SIGUSR2)
    try:
        _thread.interrupt_main(1000)
    except ValueError as error:
        print(error)
    """) == (0, ["interrupted True", "signal number out of range"])


def test_handlers_get_plain_numbers(world: object) -> None:
    """Whoever sends a signal, an alarm or the end of a child: its handler gets an int and nothing else."""
    got: list[str] = []

    def handler(number: int, frame: object) -> None:
        got.append(repr(number))

    before = {number: signal.signal(number, handler) for number in (signal.SIGALRM, signal.SIGCHLD, signal.SIGUSR1)}
    try:
        signal.raise_signal(signal.SIGUSR1)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        signal.pause()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    finally:
        for number, old in before.items():
            signal.signal(number, old)

    assert got == ["10", "14", "17"]
