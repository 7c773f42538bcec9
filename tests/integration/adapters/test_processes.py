"""Children of the supervisor: ready, stopped, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.ports import LOOPBACK, free_ports
from local.processes import ProcessError, Program, Supervisor, http_answers
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
STUBBORN = (
    "import pathlib, signal, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "pathlib.Path(sys.argv[1]).touch()\n"
    "time.sleep(600)\n"
)
WITH_CHILD = (
    "import pathlib, subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "unfinished = pathlib.Path(sys.argv[1] + '.tmp')\n"
    "unfinished.write_text(str(child.pid))\n"
    "unfinished.rename(sys.argv[1])\n"
    "time.sleep(600)\n"
)
SUPERVISING = (
    "import pathlib, signal, sys, time\n"
    "from local.processes import Program, Supervisor\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored if the tests run in a shell's background
    "folder = pathlib.Path(sys.argv[1])\n"
    "command = (sys.executable, '-c', sys.argv[2], folder / 'pid')\n"
    "with Supervisor(folder) as supervisor:\n"
    "    process = supervisor.start(Program(name='child', command=command, ready=(folder / 'pid').exists))\n"
    "    print(process.pid, flush=True)\n"
    "    time.sleep(600)\n"
)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "logs") as supervisor:
        yield supervisor


def python(name: str, code: str, *arguments: Path | str, **options: object) -> Program:
    command = (sys.executable, "-c", code, *arguments)
    return Program(name=name, command=command, **options)  # type: ignore[arg-type]  # passed on by name


def eventually(holds: Callable[[], bool], *, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that is dead and waits for its parent is none."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_program_is_started_when_it_is_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = "import pathlib, sys, time; time.sleep(0.2); pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
    process = supervisor.start(python("late", code, ready, ready=ready.exists))
    assert ready.exists()
    assert process.exit_code is None
    supervisor.check()


def test_a_program_that_dies_before_it_is_ready_is_named_with_its_last_words(supervisor: Supervisor) -> None:
    code = "import sys; print('port is taken', file=sys.stderr); sys.exit(3)"
    with pytest.raises(ProcessError, match=r"server ended with exit code 3\nport is taken"):
        supervisor.start(python("server", code, ready=lambda: False))
    assert supervisor.running == ()


def test_a_program_that_is_never_ready_is_ended_at_its_deadline(supervisor: Supervisor, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(600)"
    with pytest.raises(ProcessError, match=r"slow is not ready after 0\.5 s"):
        supervisor.start(python("slow", code, pid, ready=lambda: False, ready_seconds=0.5))
    assert not is_running(int(pid.read_text()))


def test_a_child_that_dies_later_is_reported(supervisor: Supervisor) -> None:
    well = supervisor.start(python("well", "import time; time.sleep(600)"))
    ill = supervisor.start(python("ill", "import time; print('lived', flush=True); time.sleep(600)"))
    assert eventually(lambda: "lived" in ill.log_tail())
    supervisor.check()

    os.kill(ill.pid, signal.SIGKILL)

    assert eventually(lambda: ill.exit_code is not None)
    with pytest.raises(ProcessError, match=r"ill ended with exit code -9\nlived") as raised:
        supervisor.check()
    assert raised.value.name == "ill"
    assert well.exit_code is None


def test_children_end_in_reverse_order(tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    with pathlib.Path(sys.argv[2]).open('a') as order: order.write(sys.argv[1])\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "pathlib.Path(sys.argv[2] + sys.argv[1]).touch()\n"
        "time.sleep(600)\n"
    )
    order = tmp_path / "order"
    with Supervisor(tmp_path / "logs") as supervisor:
        for name in "abc":
            supervisor.start(python(name, code, name, order, ready=Path(f"{order}{name}").exists))
    assert order.read_text() == "cba"


def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(supervisor: Supervisor, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process = supervisor.start(python("stubborn", STUBBORN, ready, ready=ready.exists, grace_seconds=0.2))
    assert supervisor.stop(process) == -signal.SIGKILL


def test_a_childs_own_children_end_with_it(supervisor: Supervisor, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    process = supervisor.start(python("parent", WITH_CHILD, pid, ready=pid.exists))
    grandchild = int(pid.read_text())
    assert is_running(grandchild)
    supervisor.stop(process)
    assert eventually(lambda: not is_running(grandchild))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_supervisor_is_ended(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-c", SUPERVISING, str(tmp_path), WITH_CHILD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        grandchild = int((tmp_path / "pid").read_text())
        assert is_running(child)
        assert is_running(grandchild)
        parent.send_signal(number)
        parent.wait(timeout=PATIENCE)
    assert eventually(lambda: not is_running(child) and not is_running(grandchild))


def test_a_kill_of_the_supervisor_ends_even_stubborn_children(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISING, str(tmp_path), STUBBORN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait(timeout=PATIENCE)
    assert eventually(lambda: not is_running(child), seconds=15)


def test_the_environment_of_a_program_is_added_to_ours(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OURS", "1")
    out = tmp_path / "out"
    code = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(os.environ['OURS'] + os.environ['ITS'])"
    process = supervisor.launch(python("env", code, out, environ={"ITS": "2"}))
    assert eventually(lambda: process.exit_code == 0)
    assert out.read_text() == "12"


def test_no_answer_is_not_ready() -> None:
    (port,) = free_ports(1)
    assert not http_answers(f"http://{LOOPBACK}:{port}/")()
