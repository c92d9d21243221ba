"""The part of the cgroup tree that systemd leaves to us, where systemd is the first process: a scope with delegation.

systemd is the only one that writes in the unified hierarchy of a host that it started: a group made elsewhere may lose its controllers whenever
units change. What it delegates is left alone, over `daemon-reload` too; slices can't be delegated, scopes can, and one lasts while a process
is in it. So there is one scope for all that we run, made by systemd-run(1), and a process that only sleeps keeps it for a while, so that
one container after the other doesn't ask for it again. See systemd.scope(5), systemd.resource-control(5), and systemd's page
"Control Group APIs and Delegation".

    /hyperbox.slice/NAME.scope/_monitors      monitors, and the sleeper: outside of every budget, and of the session or service that called us
    /hyperbox.slice/NAME.scope/PROJECT/ID     as on other hosts
"""

from __future__ import annotations

import os
import time

from hyperbox import process
from hyperbox.kernel import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BOOTED = "/run/systemd/system"  # is there where systemd is the first process: sd_booted(3)
SLICE = "hyperbox.slice"
MONITORS = "_monitors"  # no project has such a name
KEPT = 3600  # seconds for which the scope stays with nothing in it
PATIENCE = 30.0  # seconds for a busy systemd to make it
# a scope's own limits are none: budgets lie below it. What does not end by SIGTERM holds the machine's end up for as long as docker lets it.
PROPERTIES = ("Delegate=yes", "TasksMax=infinity", "TimeoutStopSec=10s")


def manages() -> bool:
    """Return whether systemd manages this machine's cgroups and has one hierarchy for all controllers.

    With several of them (v1) it leaves groups that it doesn't know alone, and docker makes its own beside it as well.
    """
    return cgroups.is_v2() and os.path.isdir(BOOTED)


def scope_path(parent: str) -> str:
    """Return the cgroup of the scope that stands for a cgroup parent. Pure."""
    letters = parent.strip("/").replace("/", "-").encode()
    name = "".join(
        chr(each) if (chr(each).isalnum() and each < 128) or each in b"-_." else f"\\x{each:02x}" for each in letters
    )
    return f"/{SLICE}/{name}.scope"


def is_scope(path: str) -> bool:
    """Return whether a cgroup is, or lies in, a scope of ours. Pure."""
    return path.startswith(f"/{SLICE}/")


def is_there(path: str) -> bool:
    """Return whether the scope is there with its group of monitors."""
    return os.path.exists(f"{cgroups.ROOT}{path}/{MONITORS}/cgroup.procs")


def start_scope(path: str) -> str:
    """Have systemd make the scope, and return why it didn't, or "". The caller excludes others."""
    program = process.find_program("systemd-run")
    sleep = process.find_program("sleep")
    if program is None or sleep is None:
        return "systemd-run is not installed"
    words = [program, "--scope", "--quiet", "--collect", f"--unit={path.rpartition('/')[2]}", f"--slice={SLICE}"]
    words += ["--description=HyperBox containers", *(f"--property={each}" for each in PROPERTIES), sleep, str(KEPT)]
    reader, writer = os.pipe()
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    try:
        pid = process.spawn(words, stdin=null, stdout=null, stderr=writer, setsid=True)
        os.close(writer)
        if _settled(path, pid):
            return ""
        os.set_blocking(reader, False)
        try:
            return os.read(reader, 4096).decode("utf-8", "replace").strip() or "systemd-run failed"
        except BlockingIOError:
            return f"systemd did not make {path} within {PATIENCE:.0f} seconds"
    finally:
        os.close(reader)
        os.close(null)


def _settled(path: str, pid: int) -> bool:
    """Wait until a process stands in the scope and move it to the monitors; False where it ends before or takes too long."""
    folder, mine = f"{cgroups.ROOT}{path}", str(pid)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if mine in cgroups.read(f"{folder}/cgroup.procs").split():
            try:
                os.makedirs(f"{folder}/{MONITORS}", 0o755, exist_ok=True)
                cgroups.write(f"{folder}/{MONITORS}/cgroup.procs", mine)
            except OSError:
                return False
            return True
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return False
        except ChildProcessError:  # reaped by a loop of this process
            return False
        time.sleep(0.002)
    os.kill(pid, 9)
    return False


def begin_move(path: str) -> Callable[[], object]:
    """Begin to move this process to the monitors of a scope; returns what waits until it is there.

    The kernel may wait for a grace period before it moves anything: a thread waits with it. Where the scope has gone the process stays where it is.
    """
    import _thread

    done = _thread.allocate_lock()
    done.acquire()

    def move() -> None:
        try:
            cgroups.write(f"{cgroups.ROOT}{path}/{MONITORS}/cgroup.procs", "0")
        except OSError:
            pass
        finally:
            done.release()

    _thread.start_new_thread(move, ())
    return done.acquire
