"""Starting, waiting for and ending processes: one body on the real operating system and in the simulation."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from harness.sim.errors import NotSimulated, ThreadFailed
from harness.sim.world import World

pytestmark = pytest.mark.sim


def python(code: str, *args: str) -> list[str]:
    """The command that runs `code`."""
    return [sys.executable, "-c", textwrap.dedent(code), *args]


def test_output_arguments_and_exit_code(world: object) -> None:
    """A child sees its arguments, its output is read to its end, its exit code is the program's."""
    code = "import sys; print(sys.argv); print('no', file=sys.stderr); sys.exit(7)"
    done = subprocess.run(python(code, "a b"), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, "['-c', 'a b']\n", "no\n")


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("pass", 0),
        ("raise SystemExit", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit('text')", 1),
        ("raise SystemExit(300)", 44),
        ("1/0", 1),
        ("import os; os._exit(5)", 5),
        ("raise KeyboardInterrupt", -2),
        ("import os; os.abort()", -6),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15),
    ],
)
def test_exit_codes(world: object, end: str, code: int) -> None:
    """Every way to end gives the exit code that CPython gives."""
    assert subprocess.run(python(end), stderr=subprocess.DEVNULL).returncode == code


def test_a_traceback_is_the_programs(world: object) -> None:
    """What nobody caught is printed, the program's lines only."""
    done = subprocess.run(python("def f():\n    return {}['x']\nf()"), capture_output=True, text=True)
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == '  File "<string>", line 3, in <module>'
    assert lines[-1] == "KeyError: 'x'"


def test_input_through_a_pipe(world: object) -> None:
    """A child reads what is written to its standard input, until it is closed."""
    code = "import sys\nfor line in sys.stdin: print(line.strip().upper(), flush=True)"
    with subprocess.Popen(python(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write("one\n")
        child.stdin.flush()
        assert child.stdout.readline() == "ONE\n"
        child.stdin.write("two\n")
        child.stdin.close()
        assert child.stdout.read() == "TWO\n"
    assert child.returncode == 0


def test_streams_to_a_file(world: object, tmp_path: Path) -> None:
    """Standard output and error of several children are appended to one file."""
    path = tmp_path / "log"
    for text in ("first", "second"):
        with path.open("ab") as log:
            code = f"import sys; print('{text}'); print('error', file=sys.stderr)"
            subprocess.run(python(code), stdout=log, stderr=subprocess.STDOUT, check=True)
    assert sorted(path.read_text().split()) == ["error", "error", "first", "second"]


def test_environment_and_folder(world: object, tmp_path: Path) -> None:
    """A child has the environment and the folder that it is given, and its changes stay its own."""
    code = "import os; print(os.environ['A'], os.getcwd()); os.environ['B'] = 'x'; os.chdir('/')"
    env = {**os.environ, "A": "1"}
    done = subprocess.run(python(code), env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["1", str(tmp_path)]
    assert "B" not in os.environ
    assert Path.cwd() != Path("/")


def test_what_cannot_be_started(world: object, tmp_path: Path) -> None:
    """No such program, no such folder, not executable: the errors name what is wrong."""
    with pytest.raises(FileNotFoundError) as error:
        subprocess.Popen([str(tmp_path / "none")])
    assert error.value.filename == str(tmp_path / "none")
    with pytest.raises(FileNotFoundError) as error:
        subprocess.Popen(python("pass"), cwd=tmp_path / "gone")
    assert str(error.value.filename) == str(tmp_path / "gone")
    (tmp_path / "text").write_text("x")
    with pytest.raises(PermissionError):
        subprocess.Popen([str(tmp_path / "text")])


def test_poll_wait_and_time_outs(world: object) -> None:
    """A child that runs is None to poll and TimeoutExpired to wait; afterwards both give its code."""
    child = subprocess.Popen(python("import time; time.sleep(0.6)"))
    assert child.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.02)
    assert child.wait(20) == 0
    assert child.poll() == 0


def test_terminate_and_kill(world: object) -> None:
    """SIGTERM ends what has no handler for it, SIGKILL everything."""
    ends = []
    for how in ("terminate", "kill"):
        child = subprocess.Popen(python("import time; print('up', flush=True); time.sleep(60)"), stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        getattr(child, how)()
        ends.append(child.wait(20))
        child.stdout.close()
    assert ends == [-signal.SIGTERM, -signal.SIGKILL]


def test_a_handler_ends_in_good_order(world: object) -> None:
    """A Python handler runs in the main thread, inside its sleep, and finally blocks run."""
    code = """
    import signal, sys, time
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
    try:
        print('up', flush=True)
        time.sleep(60)
    finally:
        print('down')
    """
    child = subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    child.terminate()
    assert child.communicate(timeout=20)[0] == "down\n"
    assert child.returncode == 15


def test_a_kill_loses_what_was_buffered(world: object, tmp_path: Path) -> None:
    """Bytes in a file object's buffer die with the process, bytes that were written survive; no finally runs."""
    code = f"""
    import os, signal
    file = open({str(tmp_path / "out")!r}, 'w')
    file.write('written')
    file.flush()
    file.write('buffered')
    try:
        os.kill(os.getpid(), signal.SIGKILL)
    finally:
        open({str(tmp_path / "finally")!r}, 'w').close()
    """
    assert subprocess.run(python(code)).returncode == -9
    assert (tmp_path / "out").read_text() == "written"
    assert not (tmp_path / "finally").exists()


def test_an_exit_flushes_and_calls_exit_functions(world: object, tmp_path: Path) -> None:
    """Exit functions run last in first out; os._exit runs none and flushes nothing."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    code = "import atexit, os, sys; [atexit.register(print, n) for n in 'ab']; print('-'); {}"
    for end, output in (("sys.exit(0)", "-\nb\na\n"), ("os._exit(0)", "")):
        done = subprocess.run(python(code.format(end)), env=env, capture_output=True, text=True)
        assert done.stdout == output


def test_the_end_waits_for_threads(world: object) -> None:
    """Threads are joined at the end, daemons are not; an executor's workers end by themselves."""
    code = """
    import threading, time, concurrent.futures
    def work(name, seconds):
        time.sleep(seconds)
        print(name, flush=True)
    threading.Thread(target=work, args=('joined', 0.1)).start()
    threading.Thread(target=work, args=('daemon', 30), daemon=True).start()
    pool = concurrent.futures.ThreadPoolExecutor(2)
    pool.submit(work, 'pool', 0.2)
    """
    done = subprocess.run(python(code), capture_output=True, text=True, timeout=20)
    assert (done.stdout, done.returncode) == ("joined\npool\n", 0)


def test_descriptors_are_passed_by_number(world: object) -> None:
    """`pass_fds` gives the child the same number; the end of the pipe comes when both have closed it."""
    reader, writer = os.pipe()
    command = python("import os, sys; os.write(int(sys.argv[1]), b'hi')", str(writer))
    child = subprocess.Popen(command, pass_fds=[writer])
    os.close(writer)
    assert os.read(reader, 10) == b"hi"
    assert os.read(reader, 10) == b""
    assert child.wait(20) == 0
    os.close(reader)


def test_a_pipe_tells_of_a_killed_parent(world: object) -> None:
    """A child that holds the reading end sees the end when its parent is killed: the lifeline of a governor."""
    inner = "import os, sys; os.read(int(sys.argv[1]), 1); print('orphan', os.getppid() != int(sys.argv[2]))"
    code = f"""
    import os, subprocess, sys, time
    reader, writer = os.pipe()
    subprocess.Popen([sys.executable, '-c', {inner!r}, str(reader), str(os.getpid())], pass_fds=[reader])
    os.close(reader)
    print('started', flush=True)
    time.sleep(60)
    """
    child = subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    child.kill()
    assert child.wait(20) == -9
    assert child.stdout.read() == "orphan True\n"
    child.stdout.close()


def test_sessions_and_groups(world: object) -> None:
    """`start_new_session` makes a leader; a signal to the group reaches its members; then nobody is left."""
    child = subprocess.Popen(python("import time; time.sleep(60)"), start_new_session=True)
    assert os.getpgid(child.pid) == child.pid == os.getsid(child.pid)
    assert os.getpgid(0) != child.pid
    os.killpg(child.pid, signal.SIGKILL)
    assert child.wait(20) == -9
    with pytest.raises(ProcessLookupError):
        os.killpg(child.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_waitpid(world: object) -> None:
    """A zombie is reaped one time; then there is no such child."""
    child = subprocess.Popen(python("raise SystemExit(4)"))
    assert os.waitpid(child.pid, 0) == (child.pid, 4 << 8)
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, os.WNOHANG)
    assert child.wait() == 0  # what Popen makes of a status that somebody else took


def test_modules_and_scripts(world: object, tmp_path: Path) -> None:
    """`-m` runs a module of the folder, a script runs beside its neighbours, both as ``__main__``."""
    (tmp_path / "neighbour.py").write_text("NAME = 'neighbour'")
    (tmp_path / "prog_of_test.py").write_text("import sys, neighbour\nprint(__name__, neighbour.NAME, sys.argv[1:])\n")
    expected = "__main__ neighbour ['x']\n"
    for command in (["-m", "prog_of_test", "x"], [str(tmp_path / "prog_of_test.py"), "x"]):
        done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True)
        assert done.stdout == expected, done.stderr
    missing = subprocess.run([sys.executable, "-m", "no.such_module"], capture_output=True, text=True)
    assert missing.returncode == 1
    assert "No module named" in missing.stderr


@pytest.mark.parametrize("what", ["sys.modules['__main__']", "sys.stdin", "sys.argv"])
def test_what_a_process_deletes_is_its_own(world: object, what: str) -> None:
    """A child may take out what every process has for itself, as workers of ``anyio.to_process`` do ``__main__``."""
    before = sys.modules["__main__"], sys.stdin, sys.argv
    done = subprocess.run(python(f"import sys, time; del {what}; time.sleep(0.01); print(1)"), capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"1\n", b"")
    assert (sys.modules["__main__"], sys.stdin, sys.argv) == before


def test_sitecustomize_runs_first(world: object, tmp_path: Path) -> None:
    """A ``sitecustomize`` on PYTHONPATH runs before the program: the way in for an agent."""
    (tmp_path / "sitecustomize.py").write_text("import os\nos.environ['SEEN'] = 'yes'\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(python("import os; print(os.environ['SEEN'])"), env=env, capture_output=True, text=True)
    assert done.stdout == "yes\n"


def test_preexec(world: object) -> None:
    """`preexec_fn` runs in the child before the program; its failure is the parent's exception."""
    command = python("import os; print(os.getsid(0) == os.getpid())")
    done = subprocess.run(command, preexec_fn=os.setsid, capture_output=True)
    assert done.stdout == b"True\n"
    with pytest.raises(subprocess.SubprocessError, match="preexec_fn"):
        subprocess.Popen(python("pass"), preexec_fn=lambda: 1 / 0)


def test_a_stopped_process_stands_still(world: object) -> None:
    """SIGSTOP: nothing is printed any more; SIGCONT: it goes on."""
    code = "import time\nwhile True:\n    print('.', flush=True)\n    time.sleep(0.02)"
    child = subprocess.Popen(python(code), stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    os.kill(child.pid, signal.SIGSTOP)
    time.sleep(0.2)
    os.set_blocking(child.stdout.fileno(), False)
    while child.stdout.read(100):
        continue
    time.sleep(0.3)
    assert not child.stdout.read(100)
    os.kill(child.pid, signal.SIGCONT)
    time.sleep(0.3)
    assert child.stdout.read(100)
    child.kill()
    child.wait(20)
    child.stdout.close()


def test_a_gap_of_the_simulation_ends_the_world(sim: World) -> None:
    """What a child meets that is not simulated is not taken for a failure of the child: it ends the world."""
    child = subprocess.Popen(python("import socket; socket.socket(type=socket.SOCK_DGRAM)"))
    with pytest.raises(ThreadFailed) as error:
        child.wait(20)
    assert isinstance(error.value.__cause__, NotSimulated)


def test_processes_have_names(sim: World) -> None:
    """A process is called after its module or script, with a number from the second on; or as it is told."""
    for _ in range(2):
        subprocess.Popen(python("pass")).wait(20)
    sim.machine.programs.naming = lambda argv, env: "special" if "x" in argv else ""
    subprocess.Popen(python("pass", "x")).wait(20)
    assert [process.name for process in sim.kernel.processes] == ["harness", "python", "python#2", "special"]


def test_globals_of_the_interpreter_are_put_back(tmp_path: Path) -> None:
    """After a world everything that was patched is what it was; numbers of the world are bad descriptors."""

    def patched() -> list[object]:
        return [os.read, open, socket.socket, subprocess.Popen, psutil.Process, sys.modules["__main__"]]

    before = patched()
    with World(seed=1):
        reader, _ = os.pipe()
        subprocess.run(python("import sys; sys.path.append('/nowhere')"))
        kept = socket.socketpair()
    assert patched() == before
    assert "/nowhere" not in sys.path
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.read(reader, 1)
    for end in kept:
        end.close()
